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

#[cfg(test)]
mod tests {
    use super::*;

    impl Request {
        /// A plain GET from another machine.
        pub fn example(target: &str, authorization: Option<&str>) -> Request {
            let header = authorization.map(|value| format!("Authorization: {value}"));
            let header = header.map(|line| line.parse().expect("a header"));
            let mut request = Request {
                client: 1,
                peer: Peer::Tcp(([192, 0, 2, 1], 80).into()),
                method: Method::Get,
                target: Target::parse(target),
                is_http_1_0: false,
                headers: header.into_iter().collect(),
                body: Vec::new(),
            };
            request.set_hosts(&["192.0.2.7:8080"]);
            request
        }

        /// Replaces its Host headers.
        pub fn set_hosts(&mut self, hosts: &[&str]) {
            self.headers.retain(|header| !header.field.equiv("Host"));
            for host in hosts {
                let header = Header::from_bytes("Host", *host);
                self.headers.push(header.expect("a header"));
            }
        }
    }
}
