//! Servers as they are: what other programs and cameras send where a multipart stream is due.

use crate::{
    camfeed::{Camfeed, SOON, eventually, run},
    http::Parts,
    relays::{Fake, MULTIPART, bare_part, picture, send_until_shown},
    status::state,
};
use std::time::Duration;

/// Numbers of pictures that were sent before: one that is sent again at once is no new one.
const FIRST: [u32; 2] = [1000, 1001];

/// Sends pictures as `render` makes them until `relay` shows one, and compares it.
fn shows(relay: &Camfeed, mut send: impl FnMut(u32)) {
    relay.wait_log("camera online");
    let mut parts = Parts::open(relay.address, "/stream");
    relay.wait_log("viewer joined");
    let last = send_until_shown(relay, &mut send);
    let part = parts.next_part();
    let mut numbers = FIRST.into_iter().chain(0..=last);
    assert!(numbers.any(|number| part.jpeg == picture(number)));
}

/// A part whose length is `more` longer than it says.
fn part(number: u32, more: i64) -> Vec<u8> {
    let jpeg = picture(number);
    let head = format!(
        "Content-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n",
        jpeg.len() as i64 + more
    );
    [head.as_bytes(), &jpeg, b"\r\n--f\r\n"].concat()
}

#[test]
fn lengths_that_are_wrong_cost_no_picture_and_are_counted() {
    for more in [-300, -1, 5, 40, 5000] {
        let fake = Fake::start(MULTIPART);
        let relay = Camfeed::start(&["--source", &fake.url("/")]);
        let wire = fake.next();
        wire.send(part(0, more)).expect("connected");
        let mut sent = 1;
        shows(&relay, |number| {
            wire.send(part(number, more)).expect("connected");
            sent += 1;
        });
        let state = state(relay.address);
        assert_eq!(state["camera"]["captured"], sent, "{more}: {state}");
        assert_eq!(state["camera"]["repaired"], sent, "{more}: {state}");
        assert_eq!(relay.count_log("Content-Length"), 1, "{more}");
    }
}

#[test]
fn a_stream_is_known_by_its_bytes_on_its_only_connection() {
    let head = |rest: &str| -> &'static str { format!("HTTP/1.1 200 OK\r\n{rest}\r\n").leak() };
    let jpeg = |number: u32| picture(number);
    let multipart = |number: u32| {
        let head = b"--f\r\nContent-Type: image/jpeg\r\n\r\n".as_slice();
        [head, &picture(number), b"\r\n--f\r\nX: y\r\n\r\n"].concat()
    };
    type Render<'a> = &'a dyn Fn(u32) -> Vec<u8>;
    let table: [(&str, Render<'_>); 5] = [
        ("Content-Type: text/html\r\n", &multipart),
        ("", &multipart),
        ("Content-Type: video/x-motion-jpeg\r\n", &jpeg),
        ("Content-Type: image/jpeg\r\n", &jpeg),
        ("Content-Type: application/octet-stream\r\n", &jpeg),
    ];
    for (headers, render) in table {
        let fake = Fake::start(head(headers));
        let relay = Camfeed::start(&["--source", &fake.url("/")]);
        let wire = fake.next();
        for number in FIRST {
            wire.send(render(number)).expect("connected");
        }
        shows(&relay, |number| {
            wire.send(render(number)).expect("connected");
        });
        fake.request();
        assert!(fake.is_unasked(), "{headers}: a second connection");
        assert_eq!(state(relay.address)["camera"]["backend"], "MJPEG over HTTP");
    }
}

/// Servers that contradict themselves, count time from their own start or cut their chunks anywhere.
#[test]
fn odd_servers_are_read_all_the_same() {
    let twice = |first: i64, second: i64| {
        move |number: u32| {
            let jpeg = picture(number);
            let told = |more: i64| format!("Content-Length: {}\r\n", jpeg.len() as i64 + more);
            let head = format!(
                "{}{}X-Timestamp: 12.345678\r\n\r\n",
                told(first),
                told(second)
            );
            [head.as_bytes(), &jpeg, b"\r\n--f\r\n"].concat()
        }
    };
    let chunked = |number: u32| {
        let bytes = part(number, 0);
        let mut chunks = Vec::new();
        let mut rest = bytes.as_slice();
        for size in [1, 2, 3, 5, 7, 11, 13].into_iter().cycle() {
            let (chunk, next) = rest.split_at(rest.len().min(size));
            if chunk.is_empty() {
                break;
            }
            chunks.extend_from_slice(format!("{:x};x=y\r\n", chunk.len()).as_bytes());
            chunks.extend_from_slice(chunk);
            chunks.extend_from_slice(b"\r\n");
            rest = next;
        }
        chunks
    };
    const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\
        Content-Type: multipart/x-mixed-replace;boundary=f\r\n\r\n5\r\n--f\r\n\r\n";
    type Render<'a> = &'a dyn Fn(u32) -> Vec<u8>;
    let table: [(&'static str, Render<'_>); 4] = [
        (MULTIPART, &twice(0, 0)),
        (MULTIPART, &twice(0, 10)),
        (MULTIPART, &twice(-10, 0)),
        (CHUNKED, &chunked),
    ];
    for (answer, render) in table {
        let fake = Fake::start(answer);
        let relay = Camfeed::start(&["--source", &fake.url("/")]);
        let wire = fake.next();
        wire.send(render(0)).expect("connected");
        shows(&relay, |number| {
            wire.send(render(number)).expect("connected");
        });
        let age = state(relay.address)["stream"]["age_ms"].as_f64();
        assert!(
            age.is_some_and(|age| (0.0..3000.0).contains(&age)),
            "{age:?}"
        );
    }
}

#[test]
fn an_address_with_one_picture_is_fetched_again_and_again() {
    let body = picture(7);
    let length = format!("Content-Length: {}\r\n", body.len());
    // The second says no length: its end is the end.
    for length in [length.as_str(), ""] {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n{length}\r\n");
        let fake = Fake::start(head.leak());
        let url = fake.url("/snapshot.jpg");
        let serve = |count: usize| {
            for _ in 0..count {
                fake.request();
                fake.next().send(picture(7)).expect("connected");
            }
        };
        let relay = Camfeed::start(&["--source", &url, "--fps", "20"]);
        serve(2);
        assert!(relay.wait_log("one picture").contains("20 times a second"));
        relay.wait_log("camera online");
        let mut parts = Parts::open(relay.address, "/stream");
        relay.wait_log("viewer joined");
        serve(3);
        assert_eq!(parts.next_part().jpeg, body);
        let state = state(relay.address);
        assert_eq!(state["camera"]["backend"], "JPEG over HTTP", "{state}");
    }
}

#[test]
fn what_is_no_stream_is_said_with_status_and_type() {
    let page = "<!doctype html><title>Camera</title>";
    let answer = |media_type: &str, body: &str| {
        format!(
            "HTTP/1.1 200 OK\r\nContent-Type: {media_type}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    for (answer, words) in [
        (
            answer("text/html; charset=utf-8", page),
            "it answers text/html: a web page, not a stream",
        ),
        (
            answer("text/plain", page),
            "it answers text/plain: a web page, not a stream",
        ),
        (
            answer("audio/x-mpegurl", "#EXTM3U\nrtsp://cam/1\n"),
            "it answers audio/x-mpegurl: a playlist, not a stream",
        ),
        (
            answer("application/json", "{\"error\": \"no camera\"}"),
            "it answers application/json: text, not a stream",
        ),
        (
            "HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\n\r\n".to_owned(),
            "it answers 404 Not Found",
        ),
        (
            "RTSP/1.0 400 Bad Request\r\n\r\n".to_owned(),
            "it answers RTSP: such an address begins with rtsp://",
        ),
    ] {
        let fake = Fake::start(answer.leak());
        let checked = run(
            env!("CARGO_BIN_EXE_camfeed"),
            &["--check", "--source", &fake.url("/")],
        );
        let said = String::from_utf8_lossy(&checked.stdout);
        assert!(said.contains(words), "{words}: {said}");
        assert_ne!(checked.status.code(), Some(0), "{said}");
    }
}

#[test]
fn a_wrong_password_for_digest_is_forbidden() {
    let answer = "HTTP/1.1 401 Unauthorized\r\n\
        WWW-Authenticate: Digest realm=\"cam\", nonce=\"1\", qop=\"auth\"\r\n\
        Content-Length: 0\r\nConnection: close\r\n\r\n";
    let fake = Fake::start(answer);
    let url = fake.url("/").replace("//", "//ann:no@");
    let checked = run(
        env!("CARGO_BIN_EXE_camfeed"),
        &["--check", "--source", &url],
    );
    let said = String::from_utf8_lossy(&checked.stdout);
    assert!(
        said.contains("401 Unauthorized (is the user's name and password right?)"),
        "{said}"
    );
    assert_eq!(checked.status.code(), Some(5), "{said}");
}

#[test]
fn a_slow_server_is_waited_for_as_long_as_its_pictures_take() {
    let fake = Fake::start(MULTIPART);
    let relay = Camfeed::start(&["--source", &fake.url("/"), "--camera-timeout", "1"]);
    let mut parts = Parts::open(relay.address, "/stream");
    let wire = fake.next();
    wire.send(bare_part(&picture(1))).expect("connected");
    let shown = std::iter::repeat_with(|| parts.next_part()).find(|part| part.jpeg == picture(1));
    assert!(shown.is_some(), "the first picture is shown");
    // Each picture takes longer than the time-out, and less than three times as long.
    for number in 2..4 {
        let sent = std::time::Instant::now();
        let is_late = || sent.elapsed() >= Duration::from_millis(2200);
        assert!(eventually(SOON, is_late));
        // A broken one among them is no reason to give up.
        wire.send(bare_part(b"\xff\xd8broken")).expect("connected");
        wire.send(bare_part(&picture(number))).expect("connected");
        let mut shown = std::iter::repeat_with(|| parts.next_part().jpeg);
        // The one before is repeated meanwhile.
        let other = shown.find(|jpeg| *jpeg != picture(number - 1));
        assert!(
            other.is_some_and(|jpeg| jpeg == picture(number)),
            "{number}"
        );
    }
    assert_eq!(relay.count_log("trying again"), 0);
}
