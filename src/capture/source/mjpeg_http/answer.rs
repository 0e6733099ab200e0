//! The answer of a server: its head, what that means, and its body as it comes.
//!
//! What a server says may repeat what it was asked, and that may be a secret. So a status is said in our
//! own words, and only another camfeed is quoted.

use crate::{
    capture::source::mjpeg_http::{address::Address, chunks::Chunks},
    config::shown_words,
    error::Cause,
};
use std::{
    io::{self, Read},
    net::TcpStream,
    time::{Duration, Instant},
};

/// Bytes read at a time: most JPEGs fit.
const READ_BYTES: usize = 64 << 10;

/// The server's own words are worth waiting so long for, and so many letters.
const WORDS: (Duration, usize) = (Duration::from_secs(1), 200);

/// Why there is no stream: for programs, and in words.
pub type Failure = (Cause, String);

/// An answer, up to its body.
pub struct Answer {
    /// Such as 200.
    pub status: u16,
    headers: Vec<(String, String)>,
    /// What follows.
    pub body: Body,
}

/// The body of an answer, as it comes.
pub struct Body {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// Bytes of `buffer` that came with the head.
    ready: usize,
    chunks: Option<Chunks>,
    undone: Vec<u8>,
}

impl Answer {
    /// An answer with that head, the beginning of its body, and where the rest comes from; `None` when
    /// it is none of HTTP.
    pub fn read(head: &str, body: Vec<u8>, stream: TcpStream) -> Option<Answer> {
        let mut lines = head.lines();
        let (_, status_line) = lines.next()?.split_once(' ')?;
        let headers: Vec<_> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let mut answer = Answer {
            status: status_line.trim().get(..3)?.parse().ok()?,
            headers,
            body: Body {
                stream,
                ready: body.len(),
                buffer: body,
                chunks: None,
                undone: Vec::new(),
            },
        };
        let coding = answer.header("transfer-encoding").unwrap_or_default();
        if coding.eq_ignore_ascii_case("chunked") {
            answer.body.chunks = Some(Chunks::default());
        }
        Some(answer)
    }

    /// The value of header `name`, which is lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let header = self.headers.iter().find(|(known, _)| known == name);
        header.map(|(_, value)| value.as_str())
    }

    /// How long it says that its body is.
    pub fn content_length(&self) -> Option<usize> {
        self.header("content-length")?.parse().ok()
    }

    /// Only a login by Digest lets in.
    pub fn wants_digest(&self) -> bool {
        let mut wanted = self
            .headers
            .iter()
            .filter(|(name, _)| name == "www-authenticate");
        let is_basic = |value: &str| value.to_ascii_lowercase().starts_with("basic");
        self.header("www-authenticate").is_some() && !wanted.any(|(_, value)| is_basic(value))
    }

    /// What an answer that is no stream means.
    pub fn trouble(&mut self, address: &Address) -> Failure {
        let words = self
            .words()
            .map_or(String::new(), |words| format!(": {words}"));
        let answers = format!("it answers {}{}{words}", self.status, meaning(self.status));
        match self.status {
            401 if address.login.is_some() => (
                Cause::Forbidden,
                format!("{answers} (is the user's name and password right?)"),
            ),
            401 | 403 => {
                let advice = "user:password@ before the host or ?token=… behind the path lets in";
                (Cause::Forbidden, format!("{answers} ({advice})"))
            }
            404 | 410 => (Cause::Unreachable, answers),
            429 | 503 => (Cause::Busy, answers),
            _ => (Cause::Other, answers),
        }
    }

    /// The first line of another camfeed's plain text: it repeats nothing of what it was asked.
    fn words(&mut self) -> Option<String> {
        let is_camfeed = self.header("server")?.starts_with("camfeed/");
        if !is_camfeed || !self.header("content-type")?.starts_with("text/plain") {
            return None;
        }
        let whole = self.content_length().unwrap_or(usize::MAX);
        let (timeout, most) = WORDS;
        let deadline = Instant::now() + timeout;
        let mut text = Vec::new();
        while text.len() < whole.min(most * 4) && !text.contains(&b'\n') {
            match self.body.read(deadline) {
                Ok(Some(bytes)) => text.extend_from_slice(bytes),
                _ => break,
            }
        }
        let text = String::from_utf8_lossy(&text).into_owned();
        let line = shown_words(&printable(text.lines().next()?));
        (!line.is_empty()).then_some(line)
    }
}

impl Body {
    /// What came next until `deadline`, perhaps nothing yet (empty); `None` at the end.
    pub fn read(&mut self, deadline: Instant) -> io::Result<Option<&[u8]>> {
        let count = match std::mem::take(&mut self.ready) {
            0 => {
                self.buffer.resize(READ_BYTES, 0);
                loop {
                    self.stream.set_read_timeout(Some(left(deadline)?))?;
                    match self.stream.read(&mut self.buffer) {
                        Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                        read => break read?,
                    }
                }
            }
            count => count,
        };
        let bytes = &self.buffer[..count];
        let Some(chunks) = &mut self.chunks else {
            return Ok((count > 0).then_some(bytes));
        };
        if count == 0 || chunks.have_ended() {
            return Ok(None);
        }
        self.undone.clear();
        if !chunks.decode(bytes, &mut self.undone) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "its chunks are damaged",
            ));
        }
        Ok(Some(&self.undone))
    }
}

/// A server's words, fit for a log line.
fn printable(text: &str) -> String {
    let letters = text.trim().chars().filter(|letter| !letter.is_control());
    letters.take(WORDS.1).collect()
}

/// What is left until `deadline`; an error when nothing is.
pub fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    (!left.is_zero())
        .then_some(left)
        .ok_or_else(|| io::ErrorKind::TimedOut.into())
}

/// The usual words behind a status.
fn meaning(status: u16) -> &'static str {
    match status {
        400 => " Bad Request",
        401 => " Unauthorized",
        403 => " Forbidden",
        404 => " Not Found",
        405 => " Method Not Allowed",
        410 => " Gone",
        421 => " Misdirected Request",
        429 => " Too Many Requests",
        500 => " Internal Server Error",
        502 => " Bad Gateway",
        503 => " Service Unavailable",
        504 => " Gateway Timeout",
        _ => "",
    }
}
