//! One request for a stream, and its answer: as much of HTTP/1.0 and 1.1 as that takes.
//!
//! Everything up to the answer's head has one deadline; after that each read has a time-out. No
//! TLS and no Digest: an answer that asks for those, or that is none of HTTP, is
//! [`Got::NotOurs`], and FFmpeg tries its luck.
//!
//! What a server says may repeat what it was asked, and that may be a secret. So a status is said in our
//! own words, no place that a redirect leads to is named, and only another camfeed is quoted.

use crate::{
    capture::source::{
        mjpeg_http::{address::Address, chunks::Chunks},
        v4l2_devices::lowercase_message,
    },
    config::shown_words,
    error::Cause,
};
use socket2::{SockRef, TcpKeepalive};
use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream, ToSocketAddrs},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

/// A head is no longer than this.
const MOST_HEAD_BYTES: usize = 32 << 10;

/// Redirects followed.
const MOST_REDIRECTS: usize = 5;

/// Bytes read at a time: most JPEGs fit.
const READ_BYTES: usize = 64 << 10;

/// The server's own words are worth waiting so long for, and so many letters.
const WORDS: (Duration, usize) = (Duration::from_secs(1), 200);

/// A connection that died without a word is found out after silence, tries between, how many.
const KEEPALIVE: (Duration, Duration, u32) = (Duration::from_secs(10), Duration::from_secs(5), 3);

/// What came of asking.
pub enum Got {
    /// An answer with a body.
    Answer(Answer),
    /// Nothing this reader understands; another may.
    NotOurs,
}

/// Why there is no stream: for programs, and in words.
pub type Failure = (Cause, String);

/// An answer, up to its body.
pub struct Answer {
    status: u16,
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

/// Asks for `url`, following redirects; the head of the answer comes within `timeout` or not at
/// all.
pub fn get(url: &str, timeout: Duration) -> Result<Got, Failure> {
    let deadline = Instant::now() + timeout;
    let Some(mut address) = Address::parse(url) else {
        return Ok(Got::NotOurs);
    };
    for redirects in 0..=MOST_REDIRECTS {
        // Behind a redirect it is not the source that fails.
        let there = |(cause, reason): Failure| match redirects {
            0 => (cause, reason),
            _ => (cause, format!("after a redirect, {reason}")),
        };
        let stream = connect(&address, deadline).map_err(there)?;
        let asked = ask(stream, &address, deadline).map_err(|error| there(lost(&error)));
        let Some(mut answer) = asked? else {
            return Ok(Got::NotOurs);
        };
        match (answer.status, answer.header("location")) {
            (200..=299, _) => {
                let set = answer.body.stream.set_read_timeout(Some(timeout));
                return set
                    .map(|()| Got::Answer(answer))
                    .map_err(|error| lost(&error));
            }
            (300..=399, Some(location)) => match address.follow(location) {
                Some(next) => address = next,
                None => return Ok(Got::NotOurs),
            },
            (401, _) if address.login.is_some() && answer.wants_digest() => {
                return Ok(Got::NotOurs);
            }
            _ => return Err(there(answer.trouble(&address))),
        }
    }
    Err((Cause::Other, "it redirects again and again".to_owned()))
}

fn connect(address: &Address, deadline: Instant) -> Result<TcpStream, Failure> {
    let host = (address.host.clone(), address.port);
    let numbers = resolve(
        move || host.to_socket_addrs().map(Iterator::collect),
        deadline,
    )?;
    let mut trouble = unknown();
    for number in numbers {
        match TcpStream::connect_timeout(&number, left(deadline)) {
            Ok(stream) => {
                let (time, interval, retries) = KEEPALIVE;
                let keepalive = TcpKeepalive::new().with_time(time);
                let keepalive = keepalive.with_interval(interval).with_retries(retries);
                // Without it the time-outs still hold.
                let _ = SockRef::from(&stream).set_tcp_keepalive(&keepalive);
                return Ok(stream);
            }
            Err(error) => trouble = unreachable(&error),
        }
    }
    Err(trouble)
}

fn unknown() -> Failure {
    (
        Cause::Missing,
        "no machine of that name is known".to_owned(),
    )
}

/// What `look_up` gives until `deadline`. The system's resolver has time-outs of its own, which may
/// be longer: it is left behind on its thread.
fn resolve(
    look_up: impl FnOnce() -> io::Result<Vec<SocketAddr>> + Send + 'static,
    deadline: Instant,
) -> Result<Vec<SocketAddr>, Failure> {
    let (sender, receiver) = mpsc::channel();
    thread::Builder::new()
        .name("resolver".to_owned())
        // Whoever asked may have left.
        .spawn(move || drop(sender.send(look_up())))
        .map_err(|error| (Cause::Other, lowercase_message(&error)))?;
    match receiver.recv_timeout(left(deadline)) {
        Ok(numbers) => numbers.map_err(|_| unknown()),
        Err(_) => Err((
            Cause::Silent,
            "its name was not resolved in time (does the DNS server answer?)".to_owned(),
        )),
    }
}

fn unreachable(error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => {
            let reason = "connection refused (is the server running, and on this port?)";
            (Cause::Missing, reason.to_owned())
        }
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => {
            (Cause::Silent, "the machine does not answer".to_owned())
        }
        _ => (Cause::Missing, lowercase_message(error)),
    }
}

/// Why a connection gave no answer.
fn lost(error: &io::Error) -> Failure {
    let reason = match error.kind() {
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => {
            "the server takes the connection and does not answer".to_owned()
        }
        io::ErrorKind::UnexpectedEof => "the server closes without an answer".to_owned(),
        _ => lowercase_message(error),
    };
    (Cause::Silent, reason)
}

/// What is left until `deadline`, never nothing: that would be no time-out at all.
fn left(deadline: Instant) -> Duration {
    let left = deadline.saturating_duration_since(Instant::now());
    left.max(Duration::from_millis(1))
}

/// Sends the request and reads the answer's head; `None` when that is none of HTTP.
fn ask(mut stream: TcpStream, address: &Address, deadline: Instant) -> io::Result<Option<Answer>> {
    let login = address
        .authorization()
        .map_or(String::new(), |login| format!("Authorization: {login}\r\n"));
    let request = format!(
        "GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: camfeed/{}\r\nAccept: */*\r\n\
         Connection: close\r\n{login}\r\n",
        address.target,
        address.authority(),
        env!("CARGO_PKG_VERSION"),
    );
    stream.set_write_timeout(Some(left(deadline)))?;
    stream.write_all(request.as_bytes())?;
    let mut bytes = Vec::new();
    let mut piece = [0; 2048];
    loop {
        if Instant::now() >= deadline {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left(deadline)))?;
        match stream.read(&mut piece) {
            Ok(0) if bytes.is_empty() => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(0) => return Ok(None),
            Ok(count) => bytes.extend_from_slice(&piece[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        }
        let sample = bytes.len().min(b"HTTP/1.".len());
        if bytes[..sample] != b"HTTP/1."[..sample] || bytes.len() > MOST_HEAD_BYTES {
            return Ok(None);
        }
        if let Some(end) = head_end(&bytes) {
            let body = bytes.split_off(end);
            return Ok(Answer::read(&String::from_utf8_lossy(&bytes), body, stream));
        }
    }
}

/// Where the body begins: behind an empty line, of whatever line's ends.
fn head_end(bytes: &[u8]) -> Option<usize> {
    let is_end = |pair: &[u8]| pair == b"\n\n";
    let short = bytes.windows(2).position(is_end).map(|at| at + 2);
    let long = bytes
        .windows(3)
        .position(|three| three == b"\n\r\n")
        .map(|at| at + 3);
    short.into_iter().chain(long).min()
}

impl Answer {
    fn read(head: &str, body: Vec<u8>, stream: TcpStream) -> Option<Answer> {
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

    fn wants_digest(&self) -> bool {
        let mut wanted = self
            .headers
            .iter()
            .filter(|(name, _)| name == "www-authenticate");
        let is_basic = |value: &str| value.to_ascii_lowercase().starts_with("basic");
        self.header("www-authenticate").is_some() && !wanted.any(|(_, value)| is_basic(value))
    }

    /// What an answer that is no stream means.
    fn trouble(&mut self, address: &Address) -> Failure {
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
            404 | 410 => (Cause::Missing, answers),
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
        let whole: usize = self
            .header("content-length")
            .and_then(|text| text.parse().ok())
            .unwrap_or(usize::MAX);
        let (patience, most) = WORDS;
        let deadline = Instant::now() + patience;
        let mut text = Vec::new();
        while text.len() < whole.min(most * 4) && !text.contains(&b'\n') {
            let set = self.body.stream.set_read_timeout(Some(left(deadline)));
            match set.and_then(|()| self.body.read()) {
                Ok(Some(bytes)) if Instant::now() < deadline => text.extend_from_slice(bytes),
                _ => break,
            }
        }
        let text = String::from_utf8_lossy(&text).into_owned();
        let line = shown_words(&printable(text.lines().next()?));
        (!line.is_empty()).then_some(line)
    }
}

impl Body {
    /// What came next, perhaps nothing yet (empty); `None` at the end.
    pub fn read(&mut self) -> io::Result<Option<&[u8]>> {
        let count = match std::mem::take(&mut self.ready) {
            0 => {
                self.buffer.resize(READ_BYTES, 0);
                loop {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_resolved_until_the_deadline_or_not_at_all() {
        let number = SocketAddr::from(([127, 0, 0, 1], 80));
        let far = Instant::now() + Duration::from_secs(60);
        assert_eq!(resolve(move || Ok(vec![number]), far), Ok(vec![number]));
        let refused = resolve(|| Err(io::ErrorKind::NotFound.into()), far);
        assert_eq!(refused, Err(unknown()));
        // A resolver that answers when nobody waits any more.
        let (release, held) = mpsc::channel::<()>();
        let hang = move || {
            let _ = held.recv_timeout(Duration::from_secs(10));
            Ok(Vec::new())
        };
        let soon = Instant::now() + Duration::from_millis(20);
        let (cause, reason) = resolve(hang, soon).expect_err("no answer");
        assert_eq!(cause, Cause::Silent);
        assert!(reason.contains("not resolved"), "{reason}");
        drop(release);
    }
}
