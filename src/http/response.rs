//! A response as a value: status, headers and body.
//!
//! Handlers make it, the connection writes it. Knows neither.

use crate::{config::Origin, feed::frame::Frame};
use std::{borrow::Cow, sync::Arc, time::SystemTime};
use tiny_http::StatusCode;

/// A response with all of its body.
#[derive(Debug)]
pub struct Response {
    status: u16,
    /// Lines that end with CRLF.
    headers: String,
    body: Body,
}

#[derive(Debug)]
enum Body {
    Bytes(Cow<'static, [u8]>),
    /// The JPEG of a frame, which is not copied.
    Jpeg(Arc<Frame>),
    /// That of a stream, which has no length: its head alone is sent.
    Endless,
}

impl Response {
    /// A response with a body of `content_type`.
    pub fn new(status: u16, content_type: &str, body: impl Into<Cow<'static, [u8]>>) -> Response {
        Response::with_body(status, content_type, Body::Bytes(body.into()))
    }

    /// A response with the JPEG of `frame`.
    pub fn jpeg(status: u16, frame: Arc<Frame>) -> Response {
        Response::with_body(status, "image/jpeg", Body::Jpeg(frame))
            .with("Cache-Control", "no-store")
    }

    /// The head of a stream of `content_type`.
    pub fn endless(content_type: &str) -> Response {
        Response::with_body(200, content_type, Body::Endless)
    }

    /// A line of text.
    pub fn text(status: u16, line: impl Into<String>) -> Response {
        let body = line.into().into_bytes();
        Response::new(status, "text/plain; charset=utf-8", body).with("Cache-Control", "no-store")
    }

    /// `body`, which nobody may keep, as JSON.
    pub fn json(body: &impl serde::Serialize) -> Response {
        let mut body = serde_json::to_vec_pretty(body).expect("plain data serializes");
        body.push(b'\n');
        Response::new(200, "application/json", body).with("Cache-Control", "no-store")
    }

    fn with_body(status: u16, content_type: &str, body: Body) -> Response {
        let headers = format!("Content-Type: {content_type}\r\n");
        Response {
            status,
            headers,
            body,
        }
    }

    /// Adds a header; `value` must hold no line break.
    pub fn with(mut self, name: &str, value: &str) -> Response {
        debug_assert!(!value.contains(['\r', '\n']));
        for text in [name, ": ", value, "\r\n"] {
            self.headers.push_str(text);
        }
        self
    }

    /// Status line and headers with the empty line behind them. `keeps` says whether the connection is
    /// kept; `allow_origin` whose pages may read the answer.
    pub fn head(&self, is_http_1_0: bool, keeps: bool, allow_origin: Option<&Origin>) -> Vec<u8> {
        let version = if is_http_1_0 { "1.0" } else { "1.1" };
        let connection = match (keeps && self.has_length(), is_http_1_0) {
            (false, _) => "Connection: close\r\n",
            (true, true) => "Connection: keep-alive\r\n",
            (true, false) => "",
        };
        let mut head = format!(
            "HTTP/{version} {} {}\r\nServer: camfeed/{}\r\nDate: {}\r\n{connection}\
             X-Content-Type-Options: nosniff\r\n",
            self.status,
            StatusCode(self.status).default_reason_phrase(),
            env!("CARGO_PKG_VERSION"),
            httpdate::HttpDate::from(SystemTime::now()),
        );
        if let Some(Origin(origin)) = allow_origin {
            head.push_str(&format!(
                "Access-Control-Allow-Origin: {origin}\r\n\
                 Access-Control-Expose-Headers: Content-Disposition, Date, ETag, Retry-After, \
                 X-Sequence, X-Timestamp\r\n"
            ));
            if origin != "*" {
                head.push_str("Vary: Origin\r\n");
            }
        }
        head.push_str(&self.headers);
        // A 304 has no body, and says nothing of the one it stands for.
        if self.has_length() && self.status != 304 {
            head.push_str(&format!("Content-Length: {}\r\n", self.body().len()));
        }
        head.push_str("\r\n");
        head.into_bytes()
    }

    /// The bytes behind the head, unless the request was a HEAD.
    pub fn body(&self) -> &[u8] {
        match &self.body {
            Body::Bytes(bytes) => bytes,
            Body::Jpeg(frame) => frame.jpeg(),
            Body::Endless => &[],
        }
    }

    /// False for a stream's: the end of the connection ends it.
    pub fn has_length(&self) -> bool {
        !matches!(self.body, Body::Endless)
    }
}

/// An answer to what is no request: a status and a line of text, and the connection is closed.
pub fn minimal(status: u16, line: &str) -> Vec<u8> {
    let response = Response::text(status, line);
    let mut answer = response.head(false, false, None);
    answer.extend_from_slice(response.body());
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Response {
        /// Its status.
        pub fn status(&self) -> u16 {
            self.status
        }
    }
}
