//! A bare HTTP client: what it sends and gets is exact to the byte.

use crate::camfeed::SOON;
use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
};

/// An answer, taken apart.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    /// The value of header `name`.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// A connection with `request` sent.
pub fn send(address: SocketAddr, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect_timeout(&address, SOON).expect("it listens");
    stream.set_read_timeout(Some(SOON)).expect("a time-out");
    stream.write_all(request.as_bytes()).expect("sent");
    stream
}

/// The answer to `GET path`, connection closed.
pub fn get(address: SocketAddr, path: &str) -> Answer {
    ask(address, "GET", path)
}

/// The answer to `method path`, connection closed.
pub fn ask(address: SocketAddr, method: &str, path: &str) -> Answer {
    ask_with(address, method, path, "")
}

/// The answer to `method path` with more headers, each with its line's end.
pub fn ask_with(address: SocketAddr, method: &str, path: &str, headers: &str) -> Answer {
    exchange(
        address,
        &format!(
            "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{headers}\r\n"
        ),
    )
}

/// The answer to `request`, which must close the connection.
pub fn exchange(address: SocketAddr, request: &str) -> Answer {
    receive(send(address, request)).expect("an answer")
}

/// The answer to what was sent, which must close the connection.
pub fn receive(mut stream: TcpStream) -> io::Result<Answer> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    let end = find(&bytes, b"\r\n\r\n").expect("a head");
    let head = String::from_utf8(bytes[..end].to_vec()).expect("ASCII");
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|code| code.parse().ok())
        .expect("a status");
    Ok(Answer {
        status,
        head,
        body: bytes[end + 4..].to_vec(),
    })
}

/// Reads from `stream` until `text` has come; gives everything up to and including it.
pub fn read_until(stream: &mut TcpStream, text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(text) {
        stream.read_exact(&mut byte).unwrap_or_else(|error| {
            panic!("{error} before {:?}", String::from_utf8_lossy(text));
        });
        bytes.push(byte[0]);
    }
    bytes
}

/// Reads exactly `count` bytes.
pub fn read_exactly(stream: &mut TcpStream, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    stream.read_exact(&mut bytes).expect("as many bytes");
    bytes
}

/// Where `needle` begins.
pub fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    bytes
        .windows(needle.len())
        .position(|window| window == needle)
}

/// One part of a stream.
#[derive(Debug)]
pub struct Part {
    pub head: String,
    pub sequence: u64,
    pub timestamp: f64,
    pub jpeg: Vec<u8>,
}

/// A stream, read part by part as its wire says.
pub struct Parts(pub TcpStream);

impl Parts {
    /// Opens the stream at `path` and reads its head and first delimiter.
    pub fn open(address: SocketAddr, path: &str) -> Parts {
        Parts::open_with(address, path, "")
    }

    /// Opens the stream at `path` with more headers, each with its line's end.
    pub fn open_with(address: SocketAddr, path: &str, headers: &str) -> Parts {
        let mut stream = send(
            address,
            &format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n{headers}\r\n"),
        );
        let head = read_until(&mut stream, b"\r\n\r\n");
        let head = String::from_utf8(head).expect("ASCII");
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        assert_eq!(read_exactly(&mut stream, 16), b"--camfeedframe\r\n");
        Parts(stream)
    }

    /// The next part.
    pub fn next_part(&mut self) -> Part {
        let head = String::from_utf8(read_until(&mut self.0, b"\r\n\r\n")).expect("ASCII");
        let value = |name: &str| {
            let line = head.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap_or_else(|| panic!("no {name} in {head:?}"))
                .to_owned()
        };
        let length = value("Content-Length: ").parse().expect("a length");
        let sequence = value("X-Sequence: ").parse().expect("a sequence");
        let timestamp = value("X-Timestamp: ").parse().expect("a time");
        let jpeg = read_exactly(&mut self.0, length);
        assert_eq!(read_exactly(&mut self.0, 18), b"\r\n--camfeedframe\r\n");
        assert!(jpeg.starts_with(&[0xff, 0xd8]) && jpeg.ends_with(&[0xff, 0xd9]));
        Part {
            head,
            sequence,
            timestamp,
            jpeg,
        }
    }
}
