//! One connection of a client that looks at everything: answers one after the other, and how it
//! ended.

use super::{PATIENCE, connect};
use crate::http::{Answer, find};
use std::{
    io::{self, ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

/// Why there is no answer.
#[derive(Debug, PartialEq)]
pub enum Missing {
    /// The server closed or reset the connection before the answer's first byte.
    Closed,
    /// Nothing came in time.
    Late,
    /// It ended or stopped in the middle.
    Torn(String),
}

/// See the module.
pub struct Wire {
    pub stream: TcpStream,
    /// Bytes sent.
    pub sent: u64,
    /// Read and not yet taken.
    held: Vec<u8>,
}

impl Wire {
    pub fn open(address: SocketAddr) -> io::Result<Wire> {
        connect(address).map(Wire::of)
    }

    pub fn of(stream: TcpStream) -> Wire {
        Wire {
            stream,
            sent: 0,
            held: Vec::new(),
        }
    }

    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)?;
        self.sent += bytes.len() as u64;
        Ok(())
    }

    /// The next answer, whole, by `deadline`; of a stream only the head.
    pub fn answer(&mut self, is_head: bool, deadline: Instant) -> Result<Answer, Missing> {
        let end = loop {
            if let Some(end) = find(&self.held, b"\r\n\r\n") {
                break end + 4;
            }
            let missing = match self.more(deadline) {
                Ok(0) => Missing::Closed,
                Ok(_) => continue,
                Err(error) if is_late(&error) => Missing::Late,
                Err(_) => Missing::Closed,
            };
            return Err(self.torn_or(missing));
        };
        let text = String::from_utf8_lossy(&self.held[..end - 4]).into_owned();
        let status = text.split(' ').nth(1).and_then(|code| code.parse().ok());
        let Some(status) = status.filter(|_| text.starts_with("HTTP/1.")) else {
            return Err(Missing::Torn(text));
        };
        self.held.drain(..end);
        let mut answer = Answer {
            status,
            head: text,
            body: Vec::new(),
        };
        let length = answer.header("Content-Length").map(str::to_owned);
        let length = length.and_then(|text| text.parse().ok()).unwrap_or(0);
        if is_head {
            return Ok(answer);
        }
        while self.held.len() < length {
            match self.more(deadline) {
                Ok(count) if count > 0 => (),
                other => {
                    let got = self.held.len();
                    let line = format!("{status}: {got} of {length} bytes, {other:?}");
                    return Err(Missing::Torn(line));
                }
            }
        }
        answer.body = self.held.drain(..length).collect();
        Ok(answer)
    }

    /// The same as soon as it should come.
    pub fn answer_soon(&mut self) -> Result<Answer, Missing> {
        self.answer(false, Instant::now() + PATIENCE)
    }

    /// Reads whatever comes; true when the server ended the connection by `deadline`.
    pub fn ends(&mut self, deadline: Instant) -> bool {
        loop {
            self.held.clear();
            match self.more(deadline) {
                Ok(0) => return true,
                Ok(_) => (),
                Err(error) => return !is_late(&error),
            }
        }
    }

    /// Reads once; fails as late at `deadline`.
    fn more(&mut self, deadline: Instant) -> io::Result<usize> {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        self.stream
            .set_read_timeout(Some(left.max(Duration::from_millis(1))))?;
        let mut bytes = [0; 16 * 1024];
        let count = self.stream.read(&mut bytes)?;
        self.held.extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn torn_or(&self, missing: Missing) -> Missing {
        if self.held.is_empty() {
            return missing;
        }
        let text = String::from_utf8_lossy(&self.held);
        Missing::Torn(format!("{missing:?} after {text:?}"))
    }
}

/// True when it only took too long.
pub fn is_late(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}
