//! Relays: a camfeed that passes on the stream of another server, untouched, with its capture times.
//!
//! The other server is a camfeed, or a socket of the test that says exactly what some server says.

use crate::{
    auth::{TOKEN, secret},
    camfeed::{Camfeed, Folder, SMALL, SOON, eventually, film, run},
    http::{Part, Parts, get, read_until},
    status::state,
};
use std::{
    collections::HashMap,
    io::Write,
    net::{SocketAddr, TcpListener, TcpStream},
    sync::mpsc::{self, Sender},
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// A relay of `camfeed`.
fn relay_of(camfeed: &Camfeed) -> Camfeed {
    Camfeed::online(&["--source", &camfeed.url("/stream")])
}

/// The text of X-Timestamp: equal to the last digit, not nearly.
fn timestamp(part: &Part) -> String {
    let line = part
        .head
        .lines()
        .find(|line| line.starts_with("X-Timestamp: "));
    line.expect("a time").to_owned()
}

/// A server that answers each connection with `answer`, and with what is sent to it afterwards.
pub struct Fake {
    address: SocketAddr,
    /// Of the newest connection.
    pub more: mpsc::Receiver<Sender<Vec<u8>>>,
    requests: mpsc::Receiver<String>,
}

impl Fake {
    /// A server on a port of its own.
    pub fn start(answer: &'static str) -> Fake {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound");
        let ((connected, more), (asked, requests)) = (mpsc::channel(), mpsc::channel());
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (sender, bytes) = mpsc::channel();
                if connected.send(sender).is_err() {
                    return;
                }
                let asked = asked.clone();
                thread::spawn(move || Fake::serve(stream, answer, &asked, bytes));
            }
        });
        Fake {
            address,
            more,
            requests,
        }
    }

    fn serve(
        mut stream: TcpStream,
        answer: &str,
        asked: &Sender<String>,
        bytes: mpsc::Receiver<Vec<u8>>,
    ) {
        let request = read_until(&mut stream, b"\r\n\r\n");
        let _ = asked.send(String::from_utf8_lossy(&request).into_owned());
        let mut write = |bytes: &[u8]| stream.write_all(bytes);
        if write(answer.as_bytes()).is_ok() {
            bytes.iter().all(|bytes| write(&bytes).is_ok());
        }
    }

    /// Its address.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Where to write what the next connection is sent.
    pub fn next(&self) -> Sender<Vec<u8>> {
        self.more.recv_timeout(SOON).expect("a connection")
    }

    /// True when no connection came that was not taken by [`Fake::next`].
    pub fn is_unasked(&self) -> bool {
        self.more.try_recv().is_err()
    }

    /// What the next connection asks.
    pub fn request(&self) -> String {
        self.requests.recv_timeout(SOON).expect("a request")
    }
}

/// The head of a stream whose parts begin right behind it.
pub const MULTIPART: &str = "HTTP/1.1 200 OK\r\n\
    Content-Type: multipart/x-mixed-replace;boundary=f\r\n\r\n--f\r\n";

/// A part of it that says nothing of itself.
pub fn bare_part(jpeg: &[u8]) -> Vec<u8> {
    [b"\r\n", jpeg, b"\r\n--f\r\n"].concat()
}

/// A whole JPEG that is unlike those of other numbers.
pub fn picture(number: u32) -> Vec<u8> {
    commented(&format!("{number:06}"))
}

/// A whole JPEG with `text` as its comment.
fn commented(text: &str) -> Vec<u8> {
    let plain = include_bytes!("../jpeg/420.jpg");
    let length = u16::try_from(text.len() + 2).expect("short").to_be_bytes();
    [
        &plain[..2],
        &[0xff, 0xfe],
        &length,
        text.as_bytes(),
        &plain[2..],
    ]
    .concat()
}

/// Sends pictures 1, 2, … to `relay`, each when the one before was taken in with nothing behind it,
/// until one is published: a viewer that has just come may watch a moment later than it says.
pub fn send_until_shown(relay: &Camfeed, mut send: impl FnMut(u32)) -> u32 {
    let number = |field: &str| {
        state(relay.address)
            .pointer(field)
            .unwrap()
            .as_u64()
            .unwrap()
    };
    let (before, captured) = (number("/stream/sequence"), number("/camera/captured"));
    for picture in 1..100 {
        send(picture);
        let is_in = || number("/camera/captured") >= captured + u64::from(picture);
        assert!(
            eventually(Duration::from_secs(3), is_in),
            "picture {picture} is not taken in"
        );
        if number("/stream/sequence") > before {
            return picture;
        }
    }
    panic!("none of a hundred pictures is shown");
}

pub fn unix() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970")
}

/// Both streams have the same pictures, byte for byte, with the same capture times.
fn check_same(mut origin: Parts, mut end: Parts) {
    let mut sent = HashMap::new();
    for _ in 0..60 {
        let part = origin.next_part();
        sent.insert(timestamp(&part), part.jpeg);
    }
    let newest = sent.keys().max().expect("some").clone();
    let mut compared = 0;
    loop {
        let part = end.next_part();
        let time = timestamp(&part);
        if time > newest {
            break;
        }
        if let Some(jpeg) = sent.get(&time) {
            assert!(part.jpeg == *jpeg, "{time}: other bytes");
            compared += 1;
        }
    }
    assert!(compared >= 20, "the same pictures at both ends: {compared}");
}

#[test]
fn two_levels_keep_every_byte_and_every_capture_time() {
    let folder = Folder::new();
    let path = folder.file("clip.avi");
    film(&path, "mjpeg", "320x240", 20, 5);
    let first = Camfeed::online(&["--source", &path]);
    let second = relay_of(&first);
    let third = relay_of(&second);
    let origin = Parts::open(first.address, "/stream");
    check_same(origin, Parts::open(third.address, "/stream"));
    for relay in [&second, &third] {
        let state = state(relay.address);
        assert_eq!(state["camera"]["backend"], "MJPEG over HTTP");
        assert_eq!(state["camera"]["width"], 320);
        assert_eq!(state["encoder"]["encoded"], 0);
        assert!(state["stream"]["age_ms"].as_f64().unwrap() < 2000.0);
    }
    let source = state(third.address)["camera"]["source"].clone();
    assert_eq!(source, second.url("/…"));
}

/// Of a server with several cameras one is read by its address, and shown beside others, below another name.
#[test]
fn a_camera_of_another_server_is_one_of_several_here() {
    let folder = Folder::new();
    let path = folder.file("clip.avi");
    film(&path, "mjpeg", "320x240", 20, 5);
    let second = format!("garden={path}");
    let first = Camfeed::start(&["--camera", "door=test:160x120@5", "--camera", &second]);
    first.wait_logs("camera online", 2);
    let far = format!("shed={}", first.url("/garden/stream"));
    let house = Camfeed::start(&["--camera", "own=test:160x120@5", "--camera", &far]);
    house.wait_logs("camera online", 2);
    let origin = Parts::open(first.address, "/garden/stream");
    check_same(origin, Parts::open(house.address, "/shed/stream"));
    let state = state(house.address);
    let far = &state["cameras"][1];
    assert_eq!(far["name"], "shed");
    assert_eq!(far["camera"]["backend"], "MJPEG over HTTP");
    assert_eq!(far["encoder"]["encoded"], 0);
}

/// One camera has one picture: those of several, one after the other, are none.
#[test]
fn the_stream_of_several_cameras_is_refused_with_the_address_of_one() {
    let several = [
        "--camera",
        "door=test:160x120@5",
        "--camera",
        "garden=test:320x240@5",
    ];
    let first = Camfeed::start(&several);
    first.wait_logs("camera online", 2);
    let relay = Camfeed::start(&["--source", &first.url("/streams?cameras=garden,door")]);
    let line = relay.wait_log("trying again");
    assert!(
        line.contains("the address of one ends with /NAME/stream"),
        "{line}"
    );
    assert_eq!(relay.count_log("camera online"), 0);
}

#[test]
fn a_repeated_part_is_no_new_frame_and_a_sign_of_life() {
    let slow = Camfeed::online(&["--source", "test:320x240@0.25"]);
    // It repeats its part three times between two pictures, which are further apart than this.
    let relay = Camfeed::online(&["--source", &slow.url("/stream"), "--camera-timeout", "3"]);
    let warned = relay.count_log("WARN");
    let mut parts = Parts::open(relay.address, "/stream");
    let mut sequences = HashMap::new();
    while sequences.len() < 3 {
        let part = parts.next_part();
        let known = *sequences.entry(timestamp(&part)).or_insert(part.sequence);
        assert_eq!(known, part.sequence, "one sequence for one picture");
    }
    assert_eq!(relay.count_log("WARN"), warned, "it was there all the time");
}

#[test]
fn an_upstream_without_a_picture_is_an_outage_with_its_reason() {
    let origin = Camfeed::start(&["--source", "/none/such.avi"]);
    origin.wait_log("cannot open");
    let second = Camfeed::start(&[
        "--source",
        &origin.url("/stream"),
        "--camera-timeout",
        "1.5",
    ]);
    let third = Camfeed::start(&[
        "--source",
        &second.url("/stream"),
        "--camera-timeout",
        "1.5",
    ]);
    for relay in [&second, &third] {
        let tells = || {
            let camera = &state(relay.address)["camera"];
            let reason = camera["reason"].as_str().unwrap_or_default();
            camera["state"] == "offline"
                && reason.contains("no picture there")
                && reason.contains("cannot open /none/such.avi: no such file")
        };
        assert!(eventually(SOON, tells), "{}", state(relay.address));
        let snapshot = get(relay.address, "/snapshot.jpg");
        assert_eq!(snapshot.status, 503);
        assert!(
            snapshot.text().contains("/none/such.avi"),
            "{}",
            snapshot.text()
        );
        assert_eq!(relay.count_log("camera online"), 0);
    }
}

#[test]
fn an_upstream_that_loses_its_picture_is_noticed_though_nobody_watches() {
    let fake = Fake::start(MULTIPART);
    let relay = Camfeed::start(&["--source", &fake.url("/")]);
    let wire = fake.next();
    for number in 0..3 {
        wire.send(bare_part(&picture(number))).expect("connected");
    }
    relay.wait_log("camera online");
    let card = commented("camfeed placeholder: the cat sits on it");
    wire.send(bare_part(&card)).expect("connected");
    let line = relay.wait_log("trying again");
    assert!(
        line.contains("no picture there: the cat sits on it"),
        "{line}"
    );
    // And it waits through placeholders for a picture.
    let wire = fake.next();
    wire.send(bare_part(&card)).expect("connected");
    wire.send(bare_part(&picture(4))).expect("connected");
    wire.send(bare_part(&picture(5))).expect("connected");
    relay.wait_log("camera back");
}

#[test]
fn a_relay_heals_when_the_server_it_reads_is_started_again() {
    let first = Camfeed::online(&["--source", SMALL]);
    let address = first.address.to_string();
    let second = relay_of(&first);
    let third = relay_of(&second);
    let mut parts = Parts::open(third.address, "/stream");
    let before = parts.next_part();
    drop(first);
    second.wait_log("trying again");
    third.wait_log("no picture there");
    let refused = || {
        let reason = state(second.address)["camera"]["reason"].to_string();
        reason.contains("connection refused")
    };
    assert!(eventually(SOON, refused));
    let _again = Camfeed::start_at(&address, &["--source", SMALL]);
    third.wait_log("camera back");
    let after =
        std::iter::repeat_with(|| parts.next_part()).find(|part| part.timestamp > before.timestamp);
    assert!(after.expect("a new picture").sequence > before.sequence);
    for relay in [&second, &third] {
        assert_eq!(relay.count_log("WARN"), 1, "one warning per outage");
    }
}

#[test]
fn a_stalled_upstream_is_noticed_by_the_camera_timeout() {
    let fake = Fake::start(MULTIPART);
    let relay = Camfeed::start(&["--source", &fake.url("/"), "--camera-timeout", "1"]);
    let wire = fake.next();
    for number in 0..3 {
        wire.send(bare_part(&picture(number))).expect("connected");
    }
    relay.wait_log("camera online");
    // It stays connected and says nothing more.
    let line = relay.wait_log("trying again");
    assert!(line.contains("picture for 1 s"), "{line}");
    drop(fake.next());
}

#[test]
fn the_password_and_the_token_in_the_address_let_in_and_are_not_said() {
    let folder = Folder::new();
    let password = secret(&folder, "password", "ann:open s@same\n");
    let token = secret(&folder, "token", TOKEN);
    let guarded = Camfeed::online(&[
        "--source",
        SMALL,
        "--password-file",
        &password,
        "--token-file",
        &token,
    ]);
    let place = guarded.address;
    let shown = format!("http://{place}/…");
    for url in [
        format!("http://ann:open%20s%40same@{place}/stream"),
        format!("http://{place}/stream?token={TOKEN}"),
    ] {
        let relay = Camfeed::online(&["--source", &url]);
        assert_eq!(state(relay.address)["camera"]["source"], shown);
        assert_eq!(relay.count_log("open%20") + relay.count_log(TOKEN), 0);
    }
    let outside = Camfeed::start(&["--source", &guarded.url("/stream")]);
    let line = outside.wait_log("cannot open");
    assert!(
        line.contains("401") && line.contains("user:password@"),
        "{line}"
    );
    let wrong = format!("http://ann:no@{place}/stream");
    let checked = run(
        env!("CARGO_BIN_EXE_camfeed"),
        &["--check", "--source", &wrong],
    );
    assert_eq!(
        checked.status.code(),
        Some(5),
        "{}",
        String::from_utf8_lossy(&checked.stdout)
    );
}

#[test]
fn a_server_that_refuses_is_quoted() {
    let camfeed = Camfeed::online(&["--source", SMALL, "--max-viewers", "1"]);
    let _viewer = Parts::open(camfeed.address, "/stream");
    for (path, code, words) in [
        (
            "/stream",
            4,
            "503 Service Unavailable: as many people as allowed are watching",
        ),
        ("/none", 3, "404 Not Found"),
    ] {
        let checked = run(
            env!("CARGO_BIN_EXE_camfeed"),
            &["--check", "--source", &camfeed.url(path)],
        );
        let said = String::from_utf8_lossy(&checked.stdout);
        assert!(said.contains(words), "{said}");
        assert_eq!(checked.status.code(), Some(code), "{said}");
    }
}

/// Every way of sending gives the same picture, and a part with a length does not wait for the
/// delimiter behind it.
#[test]
fn other_servers_ways_are_understood() {
    let length = picture(1).len();
    let chunk =
        |bytes: &[u8]| [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat();
    let head = "HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace;boundary=";
    let whole = |before: String, after: &'static str| {
        move |number| [before.as_bytes(), &picture(number), after.as_bytes()].concat()
    };
    let with_length = whole(
        format!("--f\r\nContent-Length: {length}\r\nContent-Type: image/jpeg\r\n\r\n"),
        "",
    );
    let without = whole(
        "--f\r\nContent-Type: image/jpeg\r\n\r\n".to_owned(),
        "\r\n--f\r\n",
    );
    let chunked = |number| {
        let bytes = with_length(number);
        let (left, right) = bytes.split_at(100);
        [chunk(left), chunk(right)].concat()
    };
    let answer = |rest: &str| -> &'static str { format!("{head}{rest}\r\n\r\n").leak() };
    let old: &'static str =
        "HTTP/1.0 200 OK\nContent-type: multipart/x-mixed-replace; boundary=\"--f\"\n\n";
    type Render<'a> = &'a dyn Fn(u32) -> Vec<u8>;
    let table: [(&str, &'static str, Render<'_>); 4] = [
        ("a length, nothing behind it", answer("f"), &with_length),
        ("no length", answer("f"), &without),
        (
            "chunked",
            answer("f\r\nTransfer-Encoding: chunked"),
            &chunked,
        ),
        ("HTTP/1.0, dashes in quotes", old, &with_length),
    ];
    for (name, answer, render) in table {
        let fake = Fake::start(answer);
        let relay = Camfeed::start(&["--source", &fake.url("/x?y=z")]);
        let wire = fake.next();
        assert!(fake.request().starts_with("GET /x?y=z HTTP/1.1\r\n"));
        wire.send(render(0)).expect("connected");
        relay.wait_log("camera online");
        let mut parts = Parts::open(relay.address, "/stream");
        relay.wait_log("viewer joined");
        let last = send_until_shown(&relay, |number| {
            wire.send(render(number)).expect("connected");
        });
        let part = parts.next_part();
        let is_it = (0..=last).any(|number| part.jpeg == picture(number));
        assert!(is_it, "{name}");
        assert!(
            (part.timestamp - unix().as_secs_f64()).abs() < 20.0,
            "{name}: the arrival"
        );
    }
}

#[test]
fn a_clock_that_is_wrong_is_passed_on_and_makes_no_picture_old() {
    let fake = Fake::start(MULTIPART);
    let relay = Camfeed::start(&["--source", &fake.url("/")]);
    let wire = fake.next();
    let behind = Duration::from_secs(3600);
    let send = |number: u32| {
        let (time, jpeg) = (unix() - behind, picture(number));
        let text = format!("{}.{:06}", time.as_secs(), time.subsec_micros());
        let head = format!(
            "X-Timestamp: {text}\r\nX-Sequence: {number}\r\nContent-Length: {}\r\n\r\n",
            jpeg.len()
        );
        wire.send([head.as_bytes(), &jpeg, b"\r\n--f\r\n"].concat())
            .expect("connected");
        format!("X-Timestamp: {text}")
    };
    let mut sent = vec![send(1)];
    relay.wait_log("camera online");
    let mut parts = Parts::open(relay.address, "/stream");
    relay.wait_log("viewer joined");
    send_until_shown(&relay, |number| sent.push(send(number + 1)));
    assert!(sent.contains(&timestamp(&parts.next_part())));
    // The server there is started anew and counts from 1.
    let sent = send(1);
    let mut later = std::iter::repeat_with(|| timestamp(&parts.next_part())).take(20);
    assert!(later.any(|shown| shown == sent));
    assert_eq!(get(relay.address, "/healthz").status, 200);
    let state = state(relay.address);
    assert!(
        state["stream"]["age_ms"].as_f64().unwrap() < 3000.0,
        "{state}"
    );
    let shown = state["now"].as_f64().unwrap();
    let there = (unix() - behind).as_secs_f64();
    assert!(
        (shown - there).abs() < 3.0,
        "the page compares with the clock there: {shown} {there}"
    );
}

#[test]
fn redirects_are_followed_and_circles_are_not() {
    let camfeed = Camfeed::online(&["--source", SMALL]);
    let to = camfeed.url("/stream");
    let fake = Fake::start(format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\n\r\n").leak());
    let relay = Camfeed::online(&["--source", &fake.url("/")]);
    assert_eq!(state(relay.address)["camera"]["backend"], "MJPEG over HTTP");
    let circle = Fake::start("HTTP/1.1 302 Found\r\nLocation: /again\r\n\r\n");
    let lost = Camfeed::start(&["--source", &circle.url("/")]);
    assert!(
        lost.wait_log("cannot open")
            .contains("redirects again and again")
    );
}

#[test]
fn what_is_no_mjpeg_stream_is_left_to_ffmpeg() {
    let folder = Folder::new();
    let path = folder.file("clip.avi");
    film(&path, "mjpeg", "320x240", 20, 5);
    let clip: &'static [u8] = std::fs::read(&path).expect("just made").leak();
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: video/x-msvideo\r\nContent-Length: {}\r\n\r\n",
        clip.len()
    );
    let fake = Fake::start(head.leak());
    let url = fake.url("/clip.avi");
    let feeding = thread::spawn(move || {
        while let Ok(wire) = fake.more.recv_timeout(SOON) {
            if wire.send(clip.to_vec()).is_err() {
                return;
            }
        }
    });
    let relay = Camfeed::online(&["--source", &url]);
    assert_eq!(state(relay.address)["camera"]["backend"], "FFMPEG");
    drop(relay);
    drop(feeding);
}

#[test]
fn a_relay_adds_little_to_the_age() {
    let first = Camfeed::online(&["--source", SMALL]);
    let second = relay_of(&first);
    let third = relay_of(&second);
    let mut parts = Parts::open(third.address, "/stream");
    let mut ages: Vec<_> = (0..30)
        .map(|_| {
            let part = parts.next_part();
            unix().as_secs_f64() - part.timestamp
        })
        .collect();
    ages.sort_by(f64::total_cmp);
    // A part that waited for the one behind it would be a period of 33 ms later at each level.
    let best = ages[3];
    assert!((0.0..0.06).contains(&best), "{ages:?}");
}

#[test]
fn an_upstream_that_never_sends_an_eoi_is_shown() {
    let fake = Fake::start(MULTIPART);
    let relay = Camfeed::start(&["--source", &fake.url("/")]);
    let wire = fake.next();
    let send = |number| {
        let whole = picture(number);
        wire.send(bare_part(&whole[..whole.len() - 2]))
            .expect("connected");
    };
    // Some may pass unseen, so there is no telling which is the tenth.
    let mut sent = 0;
    let is_online = || {
        send(sent);
        sent += 1;
        relay.count_log("camera online") > 0
    };
    assert!(eventually(SOON, is_online));
    assert!(sent >= 10, "after {sent}");
    let mut parts = Parts::open(relay.address, "/stream");
    relay.wait_log("viewer joined");
    let last = send_until_shown(&relay, send);
    let part = parts.next_part();
    assert!((0..=last.max(sent)).any(|number| part.jpeg == picture(number)));
    assert_eq!(relay.count_log("without an EOI"), 1);
}
