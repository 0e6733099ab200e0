//! A request as handlers see it: whole, with its body.

use crate::http::{head::Head, net::listener::Peer, query::Target};
pub use tiny_http::Method;
use tiny_http::{HTTPVersion, Header};

/// One request, with its body.
#[derive(Debug)]
pub struct Request {
    /// What is asked for.
    pub method: Method,
    /// Number of the client, as in its thread's name.
    pub client: u64,
    /// Who asks.
    pub peer: Peer,
    /// The target, taken apart.
    pub target: Target,
    /// Below HTTP/1.1.
    pub is_http_1_0: bool,
    /// In their order.
    pub headers: Vec<Header>,
    /// As long as its Content-Length said.
    pub body: Vec<u8>,
}

impl Request {
    /// A request with `head` and `body`, that client number `client` at `peer` sent.
    pub fn new(head: Head, body: Vec<u8>, client: u64, peer: Peer) -> Request {
        Request {
            client,
            peer,
            method: head.method,
            target: Target::parse(&head.target),
            is_http_1_0: head.version < HTTPVersion(1, 1),
            headers: head.headers,
            body,
        }
    }

    /// The first header of that name.
    pub fn header(&self, name: &'static str) -> Option<&str> {
        self.header_values(name).next()
    }

    /// Every header of that name.
    pub fn header_values(&self, name: &'static str) -> impl Iterator<Item = &str> {
        self.headers
            .iter()
            .filter(move |header| header.field.equiv(name))
            .map(|header| header.value.as_str())
    }

    /// True when the client wants to ask more on its connection.
    pub fn keeps_alive(&self) -> bool {
        let connection = self
            .header("Connection")
            .unwrap_or_default()
            .to_ascii_lowercase();
        if connection.contains("close") || connection.contains("upgrade") {
            return false;
        }
        !self.is_http_1_0 || connection.contains("keep-alive")
    }
}
