//! A server that answers as it is told, well or badly: what camfeed never does.

use crate::{camfeed::SOON, http::read_until};
use std::{
    io::Write,
    net::{SocketAddr, TcpListener, TcpStream},
    sync::mpsc::{Receiver, Sender, channel},
    thread,
};

/// Answers every connection's request; runs until the tests end.
pub struct Stub {
    pub address: SocketAddr,
    /// Heads of requests, as they come.
    requests: Receiver<String>,
    /// Lets one held answer go on.
    go_on: Sender<()>,
}

impl Stub {
    /// Answers each request with `answer` and closes.
    pub fn answering(answer: impl Into<Vec<u8>>) -> Stub {
        Stub::start(answer.into(), None)
    }

    /// The same, but sends only `first` bytes until [`Stub::go_on`] is called, once per request.
    pub fn holding(answer: impl Into<Vec<u8>>, first: usize) -> Stub {
        Stub::start(answer.into(), Some(first))
    }

    fn start(answer: Vec<u8>, held_at: Option<usize>) -> Stub {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound");
        let (told, requests) = channel();
        let (go_on, waiting) = channel();
        thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                let mut connection: TcpStream = connection;
                let head = read_until(&mut connection, b"\r\n\r\n");
                if told.send(String::from_utf8(head).expect("ASCII")).is_err() {
                    return;
                }
                let (now, later) = answer.split_at(held_at.unwrap_or(answer.len()));
                // A client that has left is what some tests are about.
                let _ = connection.write_all(now);
                if held_at.is_some() && waiting.recv().is_err() {
                    return;
                }
                let _ = connection.write_all(later);
            }
        });
        Stub {
            address,
            requests,
            go_on,
        }
    }

    /// The head of the next request.
    pub fn request(&self) -> String {
        self.requests.recv_timeout(SOON).expect("a request")
    }

    /// True when nobody has asked since.
    pub fn was_not_asked(&self) -> bool {
        self.requests.try_recv().is_err()
    }

    /// Lets the answer to one request be sent to its end.
    pub fn go_on(&self) {
        self.go_on.send(()).expect("it runs");
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

/// An answer of `status` with `headers`, each with its line's end, and `body`.
pub fn answer(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let mut answer =
        format!("HTTP/1.1 {status}\r\nConnection: close\r\n{headers}\r\n").into_bytes();
    answer.extend_from_slice(body);
    answer
}

/// A listener that takes connections and never says a word.
pub fn mute() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").expect("a port")
}
