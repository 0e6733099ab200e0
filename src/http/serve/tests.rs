use super::*;
use crate::{
    config::{Config, Listen, args::Args},
    feed::{
        camera::Camera,
        cameras::Cameras,
        frame::{CaptureTime, Frame},
        viewers::Viewers,
    },
    http::{
        accept::Acceptor,
        address_cache::AddressCache,
        auth::AccessControl,
        net::{connection_limit::ConnectionLimit, listener, open_connections::OpenConnections},
        waiter_limit::WaiterLimit,
    },
    system::machine::LatestHealth,
};
use argh::FromArgs;
use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::Arc,
    thread,
};

/// Nothing here takes as long; what fails to come ends a test.
const SOON: Duration = Duration::from_secs(5);

/// A server of a camera that gives nothing by itself, ended when dropped.
struct Stand {
    address: String,
    app: Arc<App>,
    acceptor: Arc<Acceptor>,
}

impl Stand {
    fn new(max: usize, max_per_address: Option<usize>) -> Stand {
        let args = Args::from_args(&["camfeed"], &["--source", "test"]).expect("good");
        let config = Config::from(args);
        let listening = listener::bind(&Listen::Tcp("127.0.0.1:0".to_owned())).expect("a port");
        let (address, listening) = (listening.address(), Arc::new(listening));
        let (name, camera) = (
            config.cameras.name.clone(),
            Camera::new(config.cameras.first().clone()),
        );
        let app = Arc::new(App {
            cameras: Arc::new(Cameras::new(name, Arc::new(camera))),
            viewers: Viewers::new(max),
            access: Arc::new(AccessControl::open(&config.server.access).expect("no secrets")),
            listening: Arc::clone(&listening),
            addresses: AddressCache::default(),
            health: Arc::new(LatestHealth::default()),
            connections: OpenConnections::new(max, max_per_address),
            waiters: WaiterLimit::new(max),
            allow_origin: None,
            frame_ancestors: config.server.frame_ancestors,
            client_timeout: SOON,
            started: Instant::now(),
        });
        let acceptor = Acceptor::start(listening, Arc::clone(&app));
        Stand {
            address: address.replace("http://", "").replace('/', ""),
            app,
            acceptor: acceptor.expect("a thread"),
        }
    }

    fn connect(&self, bytes: &str) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).expect("connected");
        stream.set_read_timeout(Some(SOON)).expect("set");
        stream.write_all(bytes.as_bytes()).expect("sent");
        stream
    }

    fn wait_until(&self, is_so: impl Fn(&ConnectionLimit) -> bool) {
        let deadline = Instant::now() + SOON;
        while !is_so(&self.app.connections.limit) {
            assert!(Instant::now() < deadline, "{:?}", self.app.connections);
            thread::yield_now();
        }
    }

    /// Publishes a frame with a JPEG of so many bytes.
    fn publish(&self, bytes: usize) {
        let sequence = self.app.cameras.first().next_sequence();
        let fill = |out: &mut Vec<u8>| out.resize(out.len() + bytes, b'a');
        let frame = Frame::live(sequence, CaptureTime::now(), bytes, fill);
        self.app.cameras.first().slot.publish(frame);
    }
}

impl Drop for Stand {
    fn drop(&mut self) {
        self.acceptor.end();
        self.app.cameras.first().slot.close();
    }
}

const HEALTH: &str = "GET /healthz HTTP/1.1\r\nHost: pi\r\n\r\n";

/// Waits in its handler for as long as there is no picture.
const SNAPSHOT: &str = "GET /snapshot?after=0 HTTP/1.1\r\nHost: pi\r\nConnection: close\r\n\r\n";

fn last(request: &str) -> String {
    request.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n")
}

fn read_all(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    // What came before a reset counts.
    let _ = stream.read_to_string(&mut text);
    text
}

#[test]
fn a_request_is_answered_however_it_comes() {
    let stand = Stand::new(8, None);
    let mut slow = stand.connect("\r\nGET /heal");
    let mut quick = stand.connect(&last(HEALTH));
    assert!(read_all(&mut quick).starts_with("HTTP/1.1 503 "));
    let rest = last(HEALTH).replace("GET /heal", "");
    for byte in rest.bytes() {
        slow.write_all(&[byte]).expect("sent");
    }
    assert!(read_all(&mut slow).starts_with("HTTP/1.1 503 "));
}

#[test]
fn a_kept_connection_asks_again_and_pipelined_requests_come_in_order() {
    let stand = Stand::new(8, None);
    let two = format!("{HEALTH}{}", last(HEALTH).replace("/healthz", "/none"));
    let text = read_all(&mut stand.connect(&two));
    let statuses = text
        .match_indices("HTTP/1.1 ")
        .map(|(at, _)| &text[at + 9..at + 12]);
    assert_eq!(statuses.collect::<Vec<_>>(), ["503", "404"], "{text}");
    stand.wait_until(|connections| connections.open() == 0);
    assert_eq!(stand.app.connections.accepted(), 1);
}

#[test]
fn who_asks_for_nothing_makes_room() {
    let stand = Stand::new(2, None);
    let mut silent = stand.connect("");
    stand.wait_until(|connections| connections.open() == 1);
    let mut waiting = stand.connect(SNAPSHOT);
    stand.wait_until(|connections| connections.open() == 2);
    while !stand.app.cameras.first().slot.is_watched() {
        thread::yield_now();
    }
    let mut new = stand.connect(&last(HEALTH));
    assert_eq!(read_all(&mut silent), "");
    assert!(read_all(&mut new).starts_with("HTTP/1.1 503 "));
    assert_eq!(stand.app.connections.displaced.get(), 1);
    stand.publish(4);
    assert!(read_all(&mut waiting).ends_with("\r\n\r\naaaa"));
}

#[test]
fn when_all_are_in_a_request_a_new_one_waits_for_a_place() {
    let stand = Stand::new(1, None);
    let mut waiting = stand.connect(SNAPSHOT);
    while !stand.app.cameras.first().slot.is_watched() {
        thread::yield_now();
    }
    let mut next = stand.connect(&last(HEALTH));
    next.set_read_timeout(Some(Duration::from_millis(100)))
        .expect("set");
    assert!(next.read(&mut [0]).is_err(), "nothing yet");
    stand.publish(4);
    assert!(read_all(&mut waiting).ends_with("\r\n\r\naaaa"));
    next.set_read_timeout(Some(SOON)).expect("set");
    assert!(read_all(&mut next).starts_with("HTTP/1.1 "));
}

#[test]
fn in_a_flood_those_that_say_nothing_are_closed_before_they_have_a_place() {
    let stand = Stand::new(1, None);
    let mut waiting = stand.connect(SNAPSHOT);
    while !stand.app.cameras.first().slot.is_watched() {
        thread::yield_now();
    }
    let mut silent: Vec<_> = (0..20).map(|_| stand.connect("")).collect();
    let mut next = stand.connect(&last(HEALTH));
    // Eight that wait are no flood.
    let displaced = &stand.app.connections.displaced;
    stand.wait_until(|_| displaced.get() == 20 + 1 - 8);
    assert_eq!(read_all(&mut silent[0]), "");
    stand.publish(4);
    assert!(read_all(&mut waiting).ends_with("\r\n\r\naaaa"));
    assert!(read_all(&mut next).starts_with("HTTP/1.1 "));
}

#[test]
fn an_address_with_as_many_as_it_may_have_is_told_so() {
    let stand = Stand::new(8, Some(1));
    let mut first = stand.connect(SNAPSHOT);
    stand.wait_until(|connections| connections.open() == 1);
    // It has asked already, and reads why all the same.
    let mut second = stand.connect(HEALTH);
    let refusal = read_all(&mut second);
    assert!(refusal.starts_with("HTTP/1.1 503 "), "{refusal}");
    let line = "\r\n\r\nas many connections as allowed come from this address\n";
    assert!(refusal.ends_with(line), "{refusal}");
    stand.publish(4);
    assert!(read_all(&mut first).ends_with("\r\n\r\naaaa"));
    drop(first);
    drop(second);
    stand.wait_until(|connections| connections.open() == 0);
    let mut third = stand.connect(&last(HEALTH));
    assert!(read_all(&mut third).contains("no live picture"));
}

#[test]
fn an_endless_head_is_refused_and_its_sender_still_reads_why() {
    let stand = Stand::new(8, None);
    let mut stream = stand.connect(&format!("GET / HTTP/1.1\r\nX: {}", "a".repeat(20_000)));
    assert!(read_all(&mut stream).starts_with("HTTP/1.1 431 "));
    drop(stream);
    stand.wait_until(|connections| connections.open() == 0);
}

#[test]
fn a_last_answer_is_not_taken_back_by_what_was_sent_behind_the_request() {
    let stand = Stand::new(8, None);
    stand.publish(300_000);
    let ask = SNAPSHOT.replace("after=0", "max_age=60000");
    let mut stream = stand.connect(&format!("{ask}{}", "a".repeat(20_000)));
    let text = read_all(&mut stream);
    assert!(text.ends_with(&"a".repeat(300_000)), "{}", text.len());
}

#[test]
fn an_answer_nobody_takes_at_first_arrives_when_it_is_taken() {
    let stand = Stand::new(8, None);
    let bytes = 8 * 1024 * 1024;
    stand.publish(bytes);
    let mut stream = stand.connect(&SNAPSHOT.replace("after=0", "max_age=60000"));
    stand.wait_until(|connections| connections.open() == 1);
    let text = read_all(&mut stream);
    let (_, body) = text.split_once("\r\n\r\n").expect("a head");
    assert_eq!(body.len(), bytes);
}

#[test]
fn a_client_that_waits_to_send_its_body_is_told_to_go_on() {
    let stand = Stand::new(8, None);
    let head = "POST /controls HTTP/1.1\r\nHost: pi\r\nExpect: 100-continue\r\n\
                Content-Length: 2\r\nConnection: close\r\n\r\n";
    let mut stream = stand.connect(head);
    let mut line = [0; 25];
    stream.read_exact(&mut line).expect("told");
    assert_eq!(&line, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"{}").expect("sent");
    // Sent as nothing in particular.
    assert!(read_all(&mut stream).starts_with("HTTP/1.1 415 "));
}
