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
    let head = b"--f\r\nContent-Length: 6\r\n\r\n";
    let mut parts = Parts::new("f");
    parts.push(head);
    parts.push(b"JPEG\xff");
    assert_eq!(parts.next_part(), Ok(None));
    parts.push(b"\xd9");
    assert!(parts.next_part().expect("no flaw").is_some());
    assert_eq!(parts.jpeg(), b"JPEG\xff\xd9");
}

#[test]
fn pictures_without_an_eoi_wait_for_one_delimiter_only() {
    let part = b"\r\n--f\r\nContent-Length: 4\r\n\r\nJPEG";
    let mut parts = Parts::new("f");
    parts.push(part);
    assert_eq!(parts.next_part(), Ok(None));
    parts.push(part);
    for _ in 0..2 {
        assert!(parts.next_part().expect("no flaw").is_some());
        assert_eq!(parts.jpeg(), b"JPEG");
    }
    assert_eq!((parts.next_part(), parts.wrong_lengths()), (Ok(None), 0));
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

/// A stream of [`BODIES`], each with the length that `length` makes of its own.
fn with_lengths(end: &str, length: impl Fn(usize) -> String) -> Vec<u8> {
    let part = |number: u64, body: &[u8]| {
        let length = length(body.len());
        let head = format!("--f\r\nContent-Length: {length}\r\nX-Sequence: {number}\r\n\r\n");
        [head.as_bytes(), body, end.as_bytes()].concat()
    };
    [stream(b"", part), b"--f\r\n".to_vec()].concat()
}

#[test]
fn a_wrong_length_costs_no_picture_and_merges_none() {
    let expected: Vec<Seen> = (1..)
        .zip(BODIES)
        .map(|(n, body)| (Some(n), body.to_vec()))
        .collect();
    for end in ["\r\n", "\n", ""] {
        for wrong in (-9..200).chain([1 << 20, 1 << 30, 1 << 40]) {
            let length = |right: usize| (right as i64 + wrong).max(1).to_string();
            let bytes = with_lengths(end, length);
            for size in [1, 7, bytes.len()] {
                let seen = parts("f", bytes.chunks(size)).0;
                assert_eq!(
                    seen, expected,
                    "{wrong} more, end {end:?}, pieces of {size}"
                );
            }
        }
    }
}

#[test]
fn each_wrong_length_is_counted() {
    let count = |length: &dyn Fn(usize) -> String| {
        let mut parts = Parts::new("f");
        parts.push(&with_lengths("\r\n", length));
        while parts.next_part().expect("no flaw").is_some() {}
        parts.wrong_lengths()
    };
    assert_eq!(count(&|right| right.to_string()), 0);
    assert_eq!(count(&|right| (right + 2).to_string()), 0, "the line's end");
    assert_eq!(count(&|right| (right + 9).to_string()), 3);
    assert_eq!(count(&|right| (right - 1).to_string()), 3);
    assert_eq!(count(&|_| "99999999999".to_owned()), 3);
    assert_eq!(count(&|_| "unknown".to_owned()), 0, "none");
}

/// A delimiter in a comment of the picture is a part of the picture.
#[test]
fn a_right_length_passes_over_a_delimiter_in_the_picture() {
    let body = b"\xff\xd8\xff\xfe\r\n--f\r\nContent-Length: 2\r\n\r\n...\xff\xd9";
    let head = format!("--f\r\nContent-Length: {}\r\n\r\n", body.len());
    let bytes = [head.as_bytes(), body, b"\r\n--f\r\n"].concat();
    for size in [1, 7, bytes.len()] {
        let (seen, _) = parts("f", bytes.chunks(size));
        assert_eq!(seen, [(None, body.to_vec())], "pieces of {size}");
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
    let long = flaw(&mut begun(long).chain(zeros())).0;
    assert_eq!(long, Some(PartError::LongPart));
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
