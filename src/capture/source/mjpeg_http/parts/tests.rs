//! What comes out of streams as servers send them, however the network splits them.

use super::*;

/// All parts of `stream` that comes in `pieces`, and whether it was closed.
fn parts<'a>(boundary: &str, pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Seen>, bool) {
    let mut parts = Parts::new(boundary);
    let mut seen = Vec::new();
    for piece in pieces {
        parts.push(piece);
        while let Some(head) = parts.next_part().expect("no flaw") {
            seen.push((head.sequence, parts.jpeg().to_vec()));
        }
    }
    (seen, parts.has_ended())
}

type Seen = (Option<u64>, Vec<u8>);

/// The bodies every stream of the table has.
const BODIES: [&[u8]; 3] = [
    b"\xff\xd8one\r\n-\xff\xd9",
    b"\xff\xd8two--\n\xff\xd9",
    b"\xff\xd83\xff\xd9",
];

/// A stream written as `part` says, after `before`.
fn stream(before: &[u8], part: impl Fn(u64, &[u8]) -> Vec<u8>) -> Vec<u8> {
    let parts = (1..).zip(BODIES).map(|(number, body)| part(number, body));
    before.iter().copied().chain(parts.flatten()).collect()
}

/// Name, boundary of the header, the stream.
fn table() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let with = |head: &'static str, end: &'static str| {
        move |number: u64, body: &[u8]| {
            let head = head
                .replace("LENGTH", &body.len().to_string())
                .replace("NUMBER", &number.to_string());
            [head.as_bytes(), body, end.as_bytes()].concat()
        }
    };
    let own = with(
        "Content-Type: image/jpeg\r\nContent-Length: LENGTH\r\nX-Sequence: NUMBER\r\n\r\n",
        "\r\n--f\r\n",
    );
    let leading = with(
        "\r\n--f\r\nX-SEQUENCE:NUMBER\r\nContent-length:   LENGTH\r\n\r\n",
        "",
    );
    let bare = with("--f\r\nX-Sequence: NUMBER\r\n\r\n", "\r\n");
    let newlines = with("--f\nX-Sequence: NUMBER\n\n", "\n");
    let glued = with("--f\r\nX-Sequence: NUMBER\r\n\r\n", "");
    let dashed = with("----f\r\nX-Sequence: NUMBER\r\n\r\n", "\r\n");
    let undashed = with("frame\r\nX-Sequence: NUMBER\r\n\r\n", "\r\n");
    let zero = with(
        "--f\r\nContent-Length: 0\r\nX-Sequence: NUMBER\r\n\r\n",
        "\r\n",
    );
    vec![
        ("as camfeed sends it", "f", stream(b"--f\r\n", own)),
        ("delimiters before the parts", "f", stream(b"", leading)),
        (
            "no length",
            "f",
            [stream(b"", bare), b"--f\r\n".to_vec()].concat(),
        ),
        (
            "bare newlines",
            "f",
            [stream(b"", newlines), b"--f\n".to_vec()].concat(),
        ),
        (
            "no line's end before it",
            "f",
            [stream(b"", glued), b"--f\r\n".to_vec()].concat(),
        ),
        (
            "dashes in the header",
            "--f",
            [stream(b"", bare), b"--f\r\n".to_vec()].concat(),
        ),
        (
            "dashes twice",
            "--f",
            [stream(b"", dashed), b"----f\r\n".to_vec()].concat(),
        ),
        (
            "no dashes",
            "frame",
            [stream(b"", undashed), b"frame\r\n".to_vec()].concat(),
        ),
        (
            "a length of nothing",
            "f",
            [stream(b"", zero), b"--f\r\n".to_vec()].concat(),
        ),
        (
            "no boundary in the header",
            "",
            [stream(b"", bare), b"--f\r\n".to_vec()].concat(),
        ),
        (
            "another one than it says",
            "g",
            [stream(b"", bare), b"--f\r\n".to_vec()].concat(),
        ),
        (
            "words before it",
            "f",
            [
                stream(b"hello\r\n- you -\r\n\r\n", bare),
                b"--f\r\n".to_vec(),
            ]
            .concat(),
        ),
    ]
}

#[test]
fn every_server_s_way_is_understood_however_it_is_split() {
    let expected: Vec<Seen> = (1..)
        .zip(BODIES)
        .map(|(n, body)| (Some(n), body.to_vec()))
        .collect();
    for (name, boundary, bytes) in table() {
        assert_eq!(parts(boundary, [&bytes[..]]).0, expected, "{name}");
        assert_eq!(
            parts(boundary, bytes.chunks(1)).0,
            expected,
            "{name}, byte by byte"
        );
        for at in 0..bytes.len() {
            let (left, right) = bytes.split_at(at);
            assert_eq!(
                parts(boundary, [left, right]).0,
                expected,
                "{name}, split at {at}"
            );
        }
    }
}

#[test]
fn a_part_with_a_length_is_out_with_its_last_byte() {
    let head = b"--f\r\nContent-Length: 4\r\n\r\n";
    let mut parts = Parts::new("f");
    parts.push(head);
    parts.push(b"JPE");
    assert_eq!(parts.next_part(), Ok(None));
    parts.push(b"G");
    assert!(parts.next_part().expect("no flaw").is_some());
    assert_eq!(parts.jpeg(), b"JPEG");
}

#[test]
fn the_last_delimiter_ends_it() {
    let (seen, has_ended) = parts(
        "f",
        [&b"--f\r\n\r\nJPEG\r\n--f--\r\n--f\r\n\r\nmore\r\n--f\r\n"[..]],
    );
    assert_eq!(seen, [(None, b"JPEG".to_vec())]);
    assert!(has_ended);
}

#[test]
fn a_wrong_length_costs_no_more_than_the_next_part() {
    let part = |length: usize| format!("--f\r\nContent-Length: {length}\r\n\r\nJPEGJPEG\r\n");
    for wrong in [1, 5, 20] {
        let bytes = [part(wrong), part(8), part(8), part(8)].concat();
        let (seen, _) = parts("f", [bytes.as_bytes()]);
        let whole = seen.iter().filter(|(_, body)| body == b"JPEGJPEG").count();
        assert!(whole >= 2, "{wrong}: {whole}");
    }
}

#[test]
fn what_it_holds_is_bounded() {
    let flaw = |stream: &mut dyn Iterator<Item = Vec<u8>>| {
        let mut parts = Parts::new("f");
        for piece in stream {
            parts.push(&piece);
            if let Err(flaw) = parts.next_part() {
                return (Some(flaw), 0);
            }
        }
        (None, parts.buffer.len())
    };
    let zeros = || std::iter::repeat_n(vec![0; 1 << 20], 40);
    let begun = |head: &str| std::iter::once(head.as_bytes().to_vec());
    let long = "--f\r\nContent-Length: 33554433\r\n\r\n";
    assert_eq!(flaw(&mut begun(long)).0, Some(PartError::LongPart));
    assert_eq!(
        flaw(&mut begun("--f\r\n\r\n").chain(zeros())).0,
        Some(PartError::LongPart)
    );
    assert_eq!(
        flaw(&mut begun("--f\r\n").chain(zeros())).0,
        Some(PartError::LongHead)
    );
    let (none, held) = flaw(&mut zeros());
    assert!(
        none.is_none() && held <= 1 << 20,
        "garbage is let go: {held}"
    );
}

#[test]
fn the_time_keeps_its_microseconds() {
    for (text, time) in [
        (
            "1795354412.123456",
            Some(Duration::from_micros(1_795_354_412_123_456)),
        ),
        (
            "1795354412.000001",
            Some(Duration::from_micros(1_795_354_412_000_001)),
        ),
        (
            "1795354412.5",
            Some(Duration::from_millis(1_795_354_412_500)),
        ),
        ("1795354412", Some(Duration::from_secs(1_795_354_412))),
        ("0.000000", Some(Duration::ZERO)),
        ("-1.5", None),
        ("1.-5", None),
        ("noon", None),
        ("", None),
    ] {
        assert_eq!(seconds(text), time, "{text}");
    }
}

#[test]
fn the_boundary_is_found_quoted_or_not() {
    for (header, expected) in [
        (
            "multipart/x-mixed-replace; boundary=camfeedframe",
            Some("camfeedframe"),
        ),
        (
            "multipart/x-mixed-replace;boundary=\"my frame\"",
            Some("my frame"),
        ),
        (
            "Multipart/X-Mixed-Replace; charset=x; Boundary=--f ",
            Some("--f"),
        ),
        ("multipart/x-mixed-replace", Some("")),
        ("multipart/mixed; boundary=f", None),
        ("image/jpeg", None),
        ("", None),
    ] {
        assert_eq!(boundary(header), expected, "{header}");
    }
}
