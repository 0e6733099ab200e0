//! Answers of a known length, written in one go: head and body in one buffer, one write.

use super::{
    Client, Shared,
    request::{Method, Request},
};
use std::{io::Write, time::SystemTime};

/// An answer of a known length.
#[derive(Debug)]
pub struct Reply<'a> {
    status: u16,
    headers: String,
    body: &'a [u8],
}

impl<'a> Reply<'a> {
    /// An answer with a body of `content_type`.
    pub fn new(status: u16, content_type: &str, body: &'a [u8]) -> Reply<'a> {
        let headers = format!("Content-Type: {content_type}\r\n");
        Reply {
            status,
            headers,
            body,
        }
    }

    /// A line of text.
    pub fn text(status: u16, line: &'a str) -> Reply<'a> {
        Reply::new(status, "text/plain; charset=utf-8", line.as_bytes())
            .with("Cache-Control", "no-store")
    }

    /// Adds a header; `value` must hold no line break.
    pub fn with(mut self, name: &str, value: &str) -> Reply<'a> {
        debug_assert!(!value.contains(['\r', '\n']));
        for text in [name, ": ", value, "\r\n"] {
            self.headers.push_str(text);
        }
        self
    }

    /// Sends the answer, and gives the connection back to the front.
    pub fn send(self, client: Client, shared: &Shared) {
        let request = &client.request;
        let keeps = request.keeps_alive() && !shared.front.places.are_scarce();
        let mut answer = head(request, self.status, keeps, shared);
        answer.extend_from_slice(self.headers.as_bytes());
        let length = self.body.len();
        // A 304 has no body, and says nothing of the one it stands for.
        if self.status != 304 {
            write!(answer, "Content-Length: {length}\r\n").expect("writing to a Vec cannot fail");
        }
        answer.extend_from_slice(b"\r\n");
        if request.method != Method::Head {
            answer.extend_from_slice(self.body);
        }
        let (connection, rest) = (client.connection, client.rest);
        shared.front.send(connection, answer, keeps, rest);
    }
}

/// An answer to what is no request: a status and a line of text, and the connection is closed.
pub fn bare(status: u16, line: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 {status} {}\r\nServer: camfeed/{}\r\nDate: {}\r\nConnection: close\r\n\
         Content-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\n\r\n{line}",
        reason(status),
        env!("CARGO_PKG_VERSION"),
        httpdate::HttpDate::from(SystemTime::now()),
        line.len(),
    )
    .into_bytes()
}

/// Status line and the headers every answer has, without the empty line.
pub fn head(request: &Request, status: u16, keeps: bool, shared: &Shared) -> Vec<u8> {
    let is_old = request.is_old;
    let version = if is_old { "1.0" } else { "1.1" };
    let connection = match (keeps, is_old) {
        (false, _) => "Connection: close\r\n",
        (true, true) => "Connection: keep-alive\r\n",
        (true, false) => "",
    };
    let mut head = format!(
        "HTTP/{version} {status} {}\r\nServer: camfeed/{}\r\nDate: {}\r\n{connection}\
         X-Content-Type-Options: nosniff\r\n",
        reason(status),
        env!("CARGO_PKG_VERSION"),
        httpdate::HttpDate::from(SystemTime::now()),
    );
    if let Some(origin) = &shared.allow_origin {
        head.push_str("Access-Control-Allow-Origin: ");
        head.push_str(&origin.0);
        head.push_str(
            "\r\nAccess-Control-Expose-Headers: Content-Disposition, Date, ETag, Retry-After, \
             X-Sequence, X-Timestamp\r\n",
        );
        if origin.0 != "*" {
            head.push_str("Vary: Origin\r\n");
        }
    }
    head.into_bytes()
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        304 => "Not Modified",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        411 => "Length Required",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        417 => "Expectation Failed",
        421 => "Misdirected Request",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        505 => "HTTP Version Not Supported",
        _ => "Error",
    }
}
