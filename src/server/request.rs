//! A request as the rest of the server sees it: read, whole, and free of tiny_http.

pub use tiny_http::Method;
use tiny_http::{HTTPVersion, Header};

/// One request, with its body.
#[derive(Debug)]
pub struct Request {
    /// What is asked for.
    pub method: Method,
    /// The target as it was sent.
    pub url: String,
    /// Below HTTP/1.1.
    pub is_old: bool,
    /// In their order.
    pub headers: Vec<Header>,
    /// As long as its Content-Length said.
    pub body: Vec<u8>,
}

impl Request {
    /// Takes what is wanted out of `request`, whose body has been read.
    pub fn new(request: &tiny_http::Request, body: Vec<u8>) -> Request {
        Request {
            method: request.method().clone(),
            url: request.url().to_owned(),
            is_old: *request.http_version() < HTTPVersion(1, 1),
            headers: request.headers().to_vec(),
            body,
        }
    }

    /// The first header of that name.
    pub fn header(&self, name: &'static str) -> Option<&str> {
        self.every(name).next()
    }

    /// Every header of that name.
    pub fn every(&self, name: &'static str) -> impl Iterator<Item = &str> {
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
        !self.is_old || connection.contains("keep-alive")
    }
}
