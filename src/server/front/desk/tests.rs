use super::*;
use crate::{
    config::Listen,
    server::{front::Front, listen, places::Places},
};
use crossbeam_channel::{Receiver, unbounded};
use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::{Arc, atomic::AtomicU64},
    thread,
};

/// Nothing here takes as long; what fails to come ends a test.
const SOON: Duration = Duration::from_secs(5);

/// A front that runs until it is dropped, and everything around it.
struct Stand {
    address: String,
    front: Front,
    gathered: Receiver<Gathered>,
    generation: Arc<AtomicU64>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Stand {
    fn new(max: usize, max_per_address: Option<usize>) -> Stand {
        let listening = listen::bind(&Listen::Tcp("127.0.0.1:0".to_owned())).expect("a port");
        let address = listening.address();
        let places = Places::new(max, max_per_address).expect("an eventfd");
        let (gathered_in, gathered) = unbounded();
        let (back_in, back) = unbounded();
        let generation = Arc::<AtomicU64>::default();
        let duty = Duty {
            listening: Arc::new(listening),
            places: Arc::clone(&places),
            gathered: gathered_in,
            back,
            patience: SOON,
            generation: Arc::clone(&generation),
            is_ending: Arc::default(),
        };
        Stand {
            address: address.replace("http://", "").replace('/', ""),
            front: Front::new(places, back_in, SOON),
            gathered,
            generation,
            thread: Some(thread::spawn(move || run(&duty, 0).expect("epoll"))),
        }
    }

    fn connect(&self, bytes: &str) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).expect("connected");
        stream.set_read_timeout(Some(SOON)).expect("set");
        stream.write_all(bytes.as_bytes()).expect("sent");
        stream
    }

    /// A request that was gathered, and where it came from.
    fn request(&self) -> Gathered {
        self.gathered.recv_timeout(SOON).expect("gathered")
    }

    fn wait_until(&self, is_so: impl Fn(&Places) -> bool) {
        let deadline = Instant::now() + SOON;
        while !is_so(&self.front.places) {
            assert!(Instant::now() < deadline, "{:?}", self.front.places);
            thread::yield_now();
        }
    }
}

impl Drop for Stand {
    fn drop(&mut self) {
        self.generation.fetch_add(1, Ordering::Relaxed);
        self.front.places.ring();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

const GET: &str = "GET / HTTP/1.1\r\n\r\n";

fn read_all(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    // What came before a reset counts.
    let _ = stream.read_to_string(&mut text);
    text
}

#[test]
fn a_request_is_gathered_whole_however_it_comes() {
    let stand = Stand::new(8, None);
    let mut slow = stand.connect("GET /");
    let _quick = stand.connect(GET);
    assert_eq!(stand.request().message, GET.as_bytes());
    slow.write_all(b" HTTP/1.1\r\n\r\nGET /next").expect("sent");
    let gathered = stand.request();
    assert_eq!(gathered.message, GET.as_bytes());
    assert_eq!(gathered.rest, b"GET /next");
}

#[test]
fn a_kept_connection_asks_again_and_pipelined_requests_come_in_order() {
    let stand = Stand::new(8, None);
    let two = format!("{GET}{}", GET.replace("/ ", "/2 "));
    let mut stream = stand.connect(&two);
    let first = stand.request();
    stand
        .front
        .send(first.connection, b"one".to_vec(), true, first.rest);
    let second = stand.request();
    assert!(second.message.starts_with(b"GET /2"));
    stand
        .front
        .send(second.connection, b"two".to_vec(), false, second.rest);
    assert_eq!(read_all(&mut stream), "onetwo");
    stand.wait_until(|places| places.open() == 0);
}

#[test]
fn who_asks_for_nothing_makes_room() {
    let stand = Stand::new(2, None);
    let mut silent = stand.connect("");
    stand.wait_until(|places| places.open() == 1);
    let _busy = stand.connect(GET);
    let _held = stand.request();
    let _new = stand.connect(GET);
    let _also_held = stand.request();
    assert_eq!(read_all(&mut silent), "");
    assert_eq!(stand.front.places.displaced.get(), 1);
}

#[test]
fn when_all_are_in_a_request_a_new_one_waits_for_a_place() {
    let stand = Stand::new(2, None);
    let _first = stand.connect(GET);
    let _second = stand.connect(GET);
    let held = stand.request();
    let _also_held = stand.request();
    let _third = stand.connect(GET);
    assert!(
        stand
            .gathered
            .recv_timeout(Duration::from_millis(100))
            .is_err()
    );
    drop(held);
    assert_eq!(stand.request().message, GET.as_bytes());
}

#[test]
fn an_address_with_as_many_as_it_may_have_is_told_so() {
    let stand = Stand::new(8, Some(1));
    let _first = stand.connect(GET);
    let held = stand.request();
    let mut second = stand.connect("");
    assert!(read_all(&mut second).starts_with("HTTP/1.1 503 "));
    drop(held);
    let _third = stand.connect(GET);
    stand.request();
}

#[test]
fn an_endless_head_is_refused_and_its_sender_still_reads_why() {
    let stand = Stand::new(8, None);
    let mut stream = stand.connect(&format!("GET / HTTP/1.1\r\nX: {}", "a".repeat(20_000)));
    assert!(read_all(&mut stream).starts_with("HTTP/1.1 431 "));
    stand.wait_until(|places| places.open() == 0);
}

#[test]
fn an_answer_nobody_takes_holds_no_thread_and_arrives_when_it_is_taken() {
    let stand = Stand::new(8, None);
    let mut stream = stand.connect(GET);
    let gathered = stand.request();
    let answer = vec![b'a'; 8 * 1024 * 1024];
    stand
        .front
        .send(gathered.connection, answer.clone(), false, Vec::new());
    let mut taken = Vec::new();
    stream.read_to_end(&mut taken).expect("all of it");
    assert!(taken == answer);
}

#[test]
fn a_client_that_waits_to_send_its_body_is_told_to_go_on() {
    let stand = Stand::new(8, None);
    let head = "POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
    let mut stream = stand.connect(head);
    let mut line = [0; 25];
    stream.read_exact(&mut line).expect("told");
    assert_eq!(&line, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"{}").expect("sent");
    assert!(stand.request().message.ends_with(b"\r\n\r\n{}"));
}
