//! The load client's own promises, run by whoever includes it with a test harness (`tests/it`).
//! Paths are written out in full: in the bench, which has no harness, the tests vanish.

// As everywhere in tests: a panic is the failure.
#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

/// One part as the server writes it, its delimiter behind it.
fn part(sequence: u64, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let mut part = format!(
        "Content-Type: image/jpeg\r\nContent-Length: {length}\r\n\
         X-Timestamp: 1700000000.5\r\nX-Sequence: {sequence}\r\n\r\n"
    )
    .into_bytes();
    part.extend_from_slice(body);
    part.extend_from_slice(b"\r\n--b\r\n");
    part
}

fn jpeg(filling: u8, length: usize) -> Vec<u8> {
    let mut body = vec![filling; length];
    body[..2].copy_from_slice(&[0xff, 0xd8]);
    body[length - 2..].copy_from_slice(&[0xff, 0xd9]);
    body
}

const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\n\
    Content-Type: multipart/x-mixed-replace; boundary=b\r\n\r\n--b\r\n";

/// A server of `count` connections, the n-th of which is sent `answers[n]` and held open.
fn serve(answers: Vec<Vec<u8>>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let open: Vec<TcpStream> = answers
            .iter()
            .map(|answer| {
                let (mut stream, _) = listener.accept().unwrap();
                let _ = stream.read(&mut [0; 512]).unwrap();
                stream.write_all(answer).unwrap();
                stream
            })
            .collect();
        for mut stream in open {
            let _ = stream.read(&mut [0; 1]);
        }
    });
    address
}

fn stream(parts: &[(u64, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = HEAD.to_vec();
    for (sequence, body) in parts {
        bytes.extend(part(*sequence, body));
    }
    bytes
}

fn watch(answers: Vec<Vec<u8>>) -> super::viewers::Report {
    let order = super::viewers::Watch {
        viewers: answers.len(),
        address: serve(answers),
        path: "/stream".into(),
        window: Duration::from_millis(100),
        threads: 2,
        verify: true,
        patience: Duration::from_secs(5),
    };
    super::viewers::watch(&order, |_| ())
}

#[test]
fn pieces_of_any_size_give_the_same_parts() {
    let body = jpeg(7, 5000);
    let bytes = stream(&[(1, body.clone()), (2, jpeg(8, 4))]);
    for size in [1, 2, 3, 7, 100, 4096, bytes.len()] {
        let mut parser = super::parse::Parser::new(true);
        let mut parts = Vec::new();
        for piece in bytes.chunks(size) {
            parser.feed(piece, |part| parts.push(part.clone())).unwrap();
        }
        assert_eq!(parts.len(), 2, "in pieces of {size}");
        assert_eq!(parts[0].hash, Some(super::check::Hash::of(&body)));
        assert_eq!(parts[0].timestamp_micros, Some(1_700_000_000_500_000));
        assert_eq!((parts[1].sequence, parts[1].length), (Some(2), 4));
        assert_eq!(parts[1].edges, [0xff, 0xd8, 0xff, 0xd9]);
    }
}

#[test]
fn the_mark_of_the_camera_is_read_and_not_hashed() {
    let text = b"fakecam seq=7 mono_us=123456 unix_us=1700000000000000";
    let mut marked = vec![0xff, 0xd8, 0xff, 0xfe, 0, 2 + text.len() as u8];
    marked.extend_from_slice(text);
    marked.extend_from_slice(&jpeg(5, 900)[2..]);
    let bytes = stream(&[(1, marked)]);
    for size in [1, 100, bytes.len()] {
        let mut parser = super::parse::Parser::new(true);
        let mut parts = Vec::new();
        for piece in bytes.chunks(size) {
            parser.feed(piece, |part| parts.push(part.clone())).unwrap();
        }
        let mark = parts[0].mark.unwrap();
        assert_eq!((mark.number, mark.taken_micros), (7, 123_456));
        let hash = super::check::Hash::of(&jpeg(5, 900));
        assert_eq!(parts[0].hash, Some(hash), "in pieces of {size}");
    }
}

#[test]
fn a_chunked_stream_is_the_same_stream_to_whom_it_is_allowed() {
    let plain = stream(&[(1, jpeg(1, 900)), (2, jpeg(2, 900))]);
    let head = String::from_utf8(HEAD[..HEAD.len() - 5].to_vec()).unwrap();
    let head = head.trim_end().to_string() + "\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut chunked = head.into_bytes();
    for piece in plain[HEAD.len() - 5..].chunks(333) {
        chunked.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
        chunked.extend_from_slice(piece);
        chunked.extend_from_slice(b"\r\n");
    }
    for size in [1, 7, 500, chunked.len()] {
        let mut parser = super::parse::Parser::lenient(true);
        let mut hashes = Vec::new();
        for piece in chunked.chunks(size) {
            parser.feed(piece, |part| hashes.push(part.hash)).unwrap();
        }
        let whole = [1, 2].map(|filling| Some(super::check::Hash::of(&jpeg(filling, 900))));
        assert_eq!(hashes, whole, "in pieces of {size}");
    }
    let mut strict = super::parse::Parser::new(true);
    assert!(strict.feed(&chunked, |_| ()).is_err());
}

#[test]
fn skipped_bytes_leave_the_edges() {
    let bytes = stream(&[(1, jpeg(7, 5000))]);
    let mut parser = super::parse::Parser::new(false);
    let mut parts = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let skippable = parser.skippable();
        parser.skipped(skippable);
        at += skippable;
        let end = bytes.len().min(at + 10);
        parser
            .feed(&bytes[at..end], |part| parts.push(part.clone()))
            .unwrap();
        at = end;
    }
    assert_eq!(parts.len(), 1);
    assert_eq!(parts[0].edges, [0xff, 0xd8, 0xff, 0xd9]);
}

#[test]
fn broken_streams_are_errors() {
    let good = String::from_utf8(HEAD.to_vec()).unwrap();
    for bad in [
        good.replace("200 OK", "503 Busy"),
        good.replace("multipart/x-mixed-replace", "text/html"),
        format!("{good}Content-Type: image/jpeg\r\n\r\n"),
        good.replace("--b", "--c") + "Content-Length: 9\r\n\r\n",
    ] {
        let mut parser = super::parse::Parser::new(false);
        assert!(parser.feed(bad.as_bytes(), |_| ()).is_err(), "{bad}");
    }
}

#[test]
fn whole_frames_in_order_are_no_fault() {
    let frames = stream(&[(1, jpeg(1, 900)), (3, jpeg(3, 900)), (3, jpeg(3, 900))]);
    let report = watch(vec![frames.clone(), frames]);
    assert_eq!(report.ledger.faults, Vec::<String>::new());
    assert_eq!(report.ledger.hashed, 6);
    for viewer in &report.viewers {
        assert_eq!((viewer.track.missed, viewer.track.repeats), (1, 1));
        assert!(viewer.first_frame.is_some());
    }
}

#[test]
fn mixed_torn_and_backward_frames_are_faults() {
    let good = stream(&[(1, jpeg(1, 900)), (2, jpeg(2, 900))]);
    let mut one_byte_off = jpeg(2, 900);
    one_byte_off[450] ^= 1;
    let mut torn = jpeg(2, 900);
    torn[899] = 0;
    for bad in [
        vec![(1, jpeg(1, 900)), (2, one_byte_off)],
        vec![(1, jpeg(1, 900)), (3, torn)],
        vec![(2, jpeg(2, 900)), (1, jpeg(1, 900))],
    ] {
        let report = watch(vec![good.clone(), stream(&bad)]);
        assert_eq!(report.ledger.fault_count, 1, "{:?}", report.ledger.faults);
    }
}

#[test]
fn a_burst_tells_who_was_left_waiting() {
    let ok = b"HTTP/1.1 204 No Content\r\n\r\n".to_vec();
    let address = serve(vec![ok.clone(), ok]);
    let patience = Duration::from_millis(300);
    let answers = super::burst::burst(address, &["/", "/state"], 3, patience).unwrap();
    let answered = answers.iter().filter(|answer| answer.wait.is_some());
    assert_eq!(answered.count(), 2);
    assert!(
        answers
            .iter()
            .all(|answer| answer.wait.is_none() || answer.status == Some(204))
    );
}
