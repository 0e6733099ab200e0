//! The stream's wire, its pace and its limits.

use crate::{
    bystanders::alone,
    camfeed::{Camfeed, SMALL, SOON, eventually},
    http::{Parts, get, read_exactly, read_until, send},
    load::viewers::{Watch, watch},
    status::state,
};
use std::{
    hint::spin_loop,
    io::Read,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

#[test]
fn the_wire_is_exact_to_the_byte() {
    let camfeed = Camfeed::online(&["--source", SMALL]);
    let (multipart, bytes) = ("multipart/x-mixed-replace", "application/octet-stream");
    for (path, media_type) in [
        ("/stream", multipart),
        ("/stream.mjpg", multipart),
        ("/video_feed", multipart),
        ("/?action=stream", multipart),
        ("/?action=stream?nonce=1", multipart),
        ("/?Action=STREAM_0/&_=1", multipart),
        ("//Stream/", multipart),
        ("/stream?123&x=y", multipart),
        ("/stream?type=bytes", bytes),
        ("/?action=stream&fps=60&type=bytes", bytes),
    ] {
        let mut stream = send(
            camfeed.address,
            &format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        );
        let head = String::from_utf8(read_until(&mut stream, b"\r\n\r\n")).unwrap();
        let date = head
            .lines()
            .find(|line| line.starts_with("Date: "))
            .expect("a date");
        let expected = format!(
            "HTTP/1.1 200 OK\r\nServer: camfeed/{}\r\n{date}\r\nConnection: close\r\n\
             X-Content-Type-Options: nosniff\r\n\
             Content-Type: {media_type}; boundary=camfeedframe\r\n\
             Cache-Control: no-store, no-cache, must-revalidate, max-age=0\r\n\
             Pragma: no-cache\r\nExpires: 0\r\nX-Accel-Buffering: no\r\n\r\n",
            env!("CARGO_PKG_VERSION")
        );
        assert_eq!(head, expected, "{path}");
        assert_eq!(read_exactly(&mut stream, 16), b"--camfeedframe\r\n");
        let mut parts = Parts(stream);
        let mut last = 0;
        for _ in 0..3 {
            let part = parts.next_part();
            let length = part.jpeg.len();
            assert_eq!(
                part.head,
                format!(
                    "Content-Type: image/jpeg\r\nContent-Length: {length}\r\nX-Timestamp: {:.6}\r\n\
                     X-Sequence: {}\r\n\r\n",
                    part.timestamp, part.sequence
                )
            );
            assert!(part.sequence > last);
            last = part.sequence;
        }
    }
}

#[test]
fn an_old_client_gets_the_stream_too() {
    let camfeed = Camfeed::online(&["--source", SMALL]);
    let mut stream = send(camfeed.address, "GET /stream HTTP/1.0\r\n\r\n");
    let head = String::from_utf8(read_until(&mut stream, b"\r\n\r\n")).unwrap();
    assert!(head.starts_with("HTTP/1.0 200 OK\r\n"), "{head}");
    assert_eq!(read_exactly(&mut stream, 16), b"--camfeedframe\r\n");
    Parts(stream).next_part();
}

#[test]
fn the_first_delimiter_comes_before_any_frame() {
    let camfeed = Camfeed::start(&["--source", "/none/such.avi"]);
    Parts::open(camfeed.address, "/stream");
}

#[test]
fn a_slow_stream_repeats_its_part() {
    let camfeed = Camfeed::online(&["--source", "test:320x240@0.4"]);
    let mut parts = Parts::open(camfeed.address, "/stream");
    let first = parts.next_part();
    let asked = Instant::now();
    for _ in 0..2 {
        let repeat = parts.next_part();
        assert_eq!(
            repeat.sequence, first.sequence,
            "nothing newer has come yet"
        );
        assert_eq!(repeat.jpeg, first.jpeg);
    }
    assert!(
        asked.elapsed() < Duration::from_secs(2),
        "a part a second: {:?}",
        asked.elapsed()
    );
    let newer = std::iter::repeat_with(|| parts.next_part())
        .take(5)
        .last()
        .unwrap();
    assert!(newer.sequence > first.sequence);
}

#[test]
fn who_cuts_the_parts_itself_gets_each_once_and_a_line_of_its_head_while_none_comes() {
    let cameras = ["--camera", "a=test:320x240@0.4"];
    let camfeed = Camfeed::online(&cameras);
    for path in ["/stream", "/a/stream", "/streams"] {
        let mut parts = Parts::open(camfeed.address, &format!("{path}?type=bytes"));
        let mut before = parts.next_part().sequence;
        for _ in 0..2 {
            let part = parts.next_part();
            // Two in 2.5 s; after twelve the part would be repeated.
            let lines = part.head.matches("X-Waiting: 1\r\n").count();
            assert!((1..=12).contains(&lines), "{}", part.head);
            let (_, rest) = part.head.split_at("X-Waiting: 1\r\n".len() * lines);
            assert!(!rest.contains("X-Waiting"), "{rest}");
            assert!(
                part.sequence > before,
                "{path}: {} after {before}",
                part.sequence
            );
            before = part.sequence;
        }
    }
}

#[test]
fn no_picture_gets_lost_on_a_busy_machine() {
    let _alone = alone();
    let camfeed = Camfeed::online(&["--source", "test:640x480@60"]);
    let count = |path: &str| {
        let state = state(camfeed.address);
        state
            .pointer(path)
            .and_then(|count| count.as_u64())
            .unwrap()
    };
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        // Threads of camfeed then wait for a processor wherever they are.
        for _ in 0..2 * thread::available_parallelism().unwrap().get() {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    spin_loop();
                }
            });
        }
        let mut parts = Parts::open(camfeed.address, "/stream");
        while parts.next_part().sequence < 150 {}
        is_over.store(true, Ordering::Relaxed);
    });
    camfeed.wait_log("viewer left");
    // What has got a number was encoded; what was skipped has none.
    let all_encoded = || count("/encoder/encoded") == count("/stream/sequence");
    assert!(eventually(SOON, all_encoded), "{}", state(camfeed.address));
}

#[test]
fn a_viewer_gets_the_rate_it_asked_for() {
    let camfeed = Camfeed::online(&["--source", SMALL]);
    for (fps, frames) in [(10.0, 20), (5.0, 10)] {
        let mut parts = Parts::open(camfeed.address, &format!("/stream?fps={fps}"));
        let mut times = vec![parts.next_part().timestamp];
        while times.len() < frames {
            let part = parts.next_part();
            if part.timestamp > times[times.len() - 1] {
                times.push(part.timestamp);
            }
        }
        // Capture times, so that a busy machine's late delivery does not count.
        let rate = (frames - 1) as f64 / (times[frames - 1] - times[0]);
        assert!((rate - fps).abs() < fps * 0.1, "{fps}: {rate}");
        let missed = state(camfeed.address)["viewers"][0]["missed"]
            .as_u64()
            .unwrap();
        assert!(missed <= 2, "frames nobody wanted are not missed: {missed}");
    }
}

#[test]
fn a_viewer_of_one_frame_a_second_gets_no_more_and_its_part_again() {
    let camfeed = Camfeed::online(&["--source", SMALL]);
    let mut parts = Parts::open(camfeed.address, "/stream?fps=1");
    let mut sequences = Vec::new();
    let first = parts.next_part().timestamp;
    let mut last = first;
    while last < first + 3.5 {
        let part = parts.next_part();
        last = part.timestamp;
        sequences.push(part.sequence);
    }
    let all = sequences.len();
    sequences.dedup();
    assert!((3..=5).contains(&sequences.len()), "{sequences:?}");
    assert!(
        all > sequences.len(),
        "repeated, so that a browser shows it at once"
    );
}

#[test]
fn a_nonsense_rate_is_a_400_that_says_so() {
    let camfeed = Camfeed::start(&["--source", SMALL]);
    for fps in ["0", "121", "-1", "abc", "", "NaN", "inf", "1e9", "%00"] {
        let answer = get(camfeed.address, &format!("/stream?fps={fps}"));
        assert_eq!(answer.status, 400, "{fps}");
        assert!(answer.text().contains("0.1 to 120"), "{}", answer.text());
    }
}

#[test]
fn an_unknown_type_is_a_400_that_says_so() {
    let camfeed = Camfeed::start(&["--source", SMALL]);
    for text in ["", "Bytes", "multipart/x-mixed-replace", "%0d%0aX:1"] {
        let answer = get(camfeed.address, &format!("/stream?type={text}"));
        assert_eq!(answer.status, 400, "{text}");
        let line = answer.text();
        assert!(line.ends_with("`: allowed is bytes\n"), "{line}");
        assert_eq!(line.lines().count(), 1, "{line}");
    }
}

#[test]
fn one_viewer_more_than_allowed_is_told_to_come_back() {
    let camfeed = Camfeed::online(&["--source", SMALL, "--max-viewers", "2"]);
    let first = Parts::open(camfeed.address, "/stream");
    let _second = Parts::open(camfeed.address, "/stream");
    let answer = get(camfeed.address, "/stream");
    assert_eq!(answer.status, 503);
    assert!(answer.header("Retry-After").is_some());
    // Viewers are told in plain words; the log names the option, once in a while.
    assert_eq!(answer.text(), "as many people as allowed are watching\n");
    assert_eq!(get(camfeed.address, "/stream").status, 503);
    let said = camfeed.wait_log("(--max-viewers)");
    assert!(
        said.contains("WARN") && said.ends_with(" viewers=2"),
        "{said}"
    );
    assert_eq!(camfeed.count_log("(--max-viewers)"), 1);
    assert_eq!(get(camfeed.address, "/snapshot.jpg").status, 200);
    drop(first);
    camfeed.wait_log("viewer left");
    Parts::open(camfeed.address, "/stream");
}

#[test]
fn coming_and_going_is_said_once_each_with_the_numbers() {
    let camfeed = Camfeed::online(&["--source", SMALL]);
    let mut parts = Parts::open(camfeed.address, "/stream");
    let peer = parts.0.local_addr().unwrap().to_string();
    for _ in 0..5 {
        parts.next_part();
    }
    let joined = camfeed.wait_log("viewer joined");
    assert!(
        joined.contains(&peer) && joined.contains("viewers=1"),
        "{joined}"
    );
    drop(parts);
    let left = camfeed.wait_log("viewer left");
    for part in [
        peer.as_str(),
        "viewers=0",
        "seconds=",
        "sent=",
        "missed=",
        "reason=\"closed\"",
    ] {
        assert!(left.contains(part), "no {part} in {left}");
    }
}

#[test]
fn viewers_that_leave_take_their_threads_and_descriptors_along() {
    // Placeholders only: no frames flow.
    let camfeed = Camfeed::start(&["--source", "/none/such.avi"]);
    camfeed.wait_log("cannot open");
    get(camfeed.address, "/state");
    let before = (camfeed.threads(), camfeed.descriptors());
    let viewers: Vec<_> = (0..20)
        .map(|_| Parts::open(camfeed.address, "/stream"))
        .collect();
    camfeed.wait_logs("viewer joined", 20);
    drop(viewers);
    assert!(eventually(Duration::from_secs(15), || camfeed
        .count_log("viewer left")
        == 20));
    // Idle threads of the pool end after five seconds.
    let is_back = || camfeed.threads() <= before.0 + 4 && camfeed.descriptors() <= before.1 + 2;
    assert!(
        eventually(SOON, is_back),
        "{:?} -> {:?}",
        before,
        (camfeed.threads(), camfeed.descriptors())
    );
}

#[test]
fn a_viewer_that_stops_reading_is_noticed_and_its_socket_closed() {
    let camfeed = Camfeed::online(&["--source", "test:1280x720@30"]);
    let mut stalled = Parts::open(camfeed.address, "/stream");
    stalled.next_part();
    let left = camfeed.wait_log("viewer left");
    assert!(left.contains("reason=\"stalled\""), "{left}");
    let mut rest = Vec::new();
    assert!(eventually(SOON, || stalled
        .0
        .read_to_end(&mut rest)
        .is_err()
        || !rest.is_empty()));
}

#[test]
fn a_hundred_viewers_get_whole_frames_in_order() {
    let camfeed = Camfeed::online(&["--source", SMALL]);
    let report = watch(
        &Watch {
            address: camfeed.address,
            path: "/stream".to_owned(),
            viewers: 100,
            window: Duration::from_secs(3),
            threads: 1,
            verify: true,
            patience: SOON,
        },
        |_| {},
    );
    assert_eq!(report.ledger.fault_count, 0, "{:#?}", report.ledger.faults);
    assert_eq!(report.viewers.len(), 100);
    assert!(report.viewers.iter().all(|viewer| viewer.frames > 0));
    assert!(report.ledger.hashed >= 100);
}
