//! Answers of a known length, written in one go: head and body in one buffer, one write.
//!
//! tiny_http's own `respond` is not used: it drops a `Connection` header, loses Content-Length on
//! bodies from 32 KiB, and writes a snapshot in pieces of 8 KiB.

use super::Shared;
use std::{
    io::{self, Write},
    time::SystemTime,
};
use tiny_http::{HTTPVersion, Header, Method, Request};

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

    /// Writes the answer; a client that left meanwhile is none of our business.
    pub fn send(self, request: Request, shared: &Shared) {
        let has_body = request.body_length().is_some_and(|length| length > 0)
            || header(&request, "Transfer-Encoding").is_some();
        // Nobody here reads bodies, and tiny_http would read one to its end before it lets go.
        let keeps = !has_body && keeps_alive(&request);
        let mut answer = head(&request, self.status, keeps, shared);
        answer.extend_from_slice(self.headers.as_bytes());
        let length = self.body.len();
        write!(answer, "Content-Length: {length}\r\n\r\n").expect("writing to a Vec cannot fail");
        if *request.method() != Method::Head {
            answer.extend_from_slice(self.body);
        }
        if has_body {
            shared.guard.stop_reading(request.remote_addr());
        }
        let mut writer = request.into_writer();
        let _ = write_out(&mut writer, &answer);
    }
}

/// Status line and the headers every answer has, without the empty line.
pub fn head(request: &Request, status: u16, keeps: bool, shared: &Shared) -> Vec<u8> {
    let is_old = *request.http_version() < HTTPVersion(1, 1);
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
            "\r\nAccess-Control-Expose-Headers: Content-Disposition, Date, Retry-After, \
             X-Sequence, X-Timestamp\r\n",
        );
        if origin.0 != "*" {
            head.push_str("Vary: Origin\r\n");
        }
    }
    head.into_bytes()
}

/// The first header of that name.
pub fn header<'a>(request: &'a Request, name: &'static str) -> Option<&'a str> {
    let is_it = |header: &&Header| header.field.equiv(name);
    request
        .headers()
        .iter()
        .find(is_it)
        .map(|header| header.value.as_str())
}

/// True when the client's connection stays open after the answer: tiny_http's own rule.
fn keeps_alive(request: &Request) -> bool {
    let connection = header(request, "Connection")
        .unwrap_or_default()
        .to_ascii_lowercase();
    if connection.contains("close") || connection.contains("upgrade") {
        return false;
    }
    *request.http_version() >= HTTPVersion(1, 1) || connection.contains("keep-alive")
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        503 => "Service Unavailable",
        _ => "Error",
    }
}

/// Writes all of `bytes` and lets them go out at once.
pub fn write_out(writer: &mut dyn Write, bytes: &[u8]) -> io::Result<()> {
    writer.write_all(bytes)?;
    writer.flush()
}
