//! One request for a stream: as much of HTTP/1.0 and 1.1 as that takes.
//!
//! Everything up to the answer's head has one deadline. No TLS and no Digest: an answer that asks for
//! those is FFmpeg's. No place that a redirect leads to is named: it may hold a secret.

use crate::{
    capture::source::{
        mjpeg_http::{
            address::Address,
            answer::{Answer, Failure, left},
        },
        v4l2_devices::lowercase_message,
    },
    error::Cause,
};
use crossbeam_channel::bounded;
use socket2::{SockRef, TcpKeepalive};
use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream, ToSocketAddrs},
    thread,
    time::{Duration, Instant},
};

/// A head is no longer than this.
const MOST_HEAD_BYTES: usize = 32 << 10;

/// Redirects followed.
const MOST_REDIRECTS: usize = 5;

/// A connection that died without a word is found out after silence, tries between, how many.
const KEEPALIVE: (Duration, Duration, u32) = (Duration::from_secs(10), Duration::from_secs(5), 3);

/// What came of asking.
pub enum Got {
    /// An answer with a body.
    Answer(Answer),
    /// It asks for the login by Digest.
    Digest,
    /// It, or where it redirects to, is no `http://` address, or answers by another protocol.
    NotOurs,
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
            (200..=299, _) => return Ok(Got::Answer(answer)),
            (300..=399, Some(location)) => match address.follow(location) {
                Some(next) => address = next,
                None => return Ok(Got::NotOurs),
            },
            (401, _) if address.login.is_some() && answer.wants_digest() => return Ok(Got::Digest),
            _ => return Err(there(answer.trouble(&address))),
        }
    }
    Err((Cause::Other, "it redirects again and again".to_owned()))
}

/// A connection to the server of `address`.
pub fn connect(address: &Address, deadline: Instant) -> Result<TcpStream, Failure> {
    let host = (address.host.clone(), address.port);
    let numbers = resolve(
        move || host.to_socket_addrs().map(Iterator::collect),
        deadline,
    )?;
    let mut trouble = unknown();
    for number in numbers {
        let connected = left(deadline).and_then(|left| TcpStream::connect_timeout(&number, left));
        match connected {
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
        Cause::Unreachable,
        "no machine of that name is known".to_owned(),
    )
}

/// What `look_up` gives until `deadline`. The system's resolver has time-outs of its own, which may
/// be longer: it is left behind on its thread.
fn resolve(
    look_up: impl FnOnce() -> io::Result<Vec<SocketAddr>> + Send + 'static,
    deadline: Instant,
) -> Result<Vec<SocketAddr>, Failure> {
    let (sender, receiver) = bounded(1);
    thread::Builder::new()
        .name("resolver".to_owned())
        // Whoever asked may have left.
        .spawn(move || drop(sender.send(look_up())))
        .map_err(|error| (Cause::Other, lowercase_message(&error)))?;
    match receiver.recv_deadline(deadline) {
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
            (Cause::Unreachable, reason.to_owned())
        }
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => {
            (Cause::Silent, "the machine does not answer".to_owned())
        }
        _ => (Cause::Unreachable, lowercase_message(error)),
    }
}

/// Why a connection gave no answer.
pub fn lost(error: &io::Error) -> Failure {
    let reason = match error.kind() {
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => {
            "the server takes the connection and does not answer".to_owned()
        }
        io::ErrorKind::UnexpectedEof => "the server closes without an answer".to_owned(),
        _ => lowercase_message(error),
    };
    (Cause::Silent, reason)
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
    stream.set_write_timeout(Some(left(deadline)?))?;
    stream.write_all(request.as_bytes())?;
    let mut bytes = Vec::new();
    let mut piece = [0; 2048];
    loop {
        stream.set_read_timeout(Some(left(deadline)?))?;
        match stream.read(&mut piece) {
            Ok(0) if bytes.is_empty() => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(0) => return Ok(None),
            Ok(count) => bytes.extend_from_slice(&piece[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        }
        if bytes.starts_with(b"RTSP/") {
            return Err(io::Error::other(
                "it answers RTSP: such an address begins with rtsp://",
            ));
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
        let (release, held) = bounded::<()>(0);
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

    #[test]
    fn a_server_that_does_not_answer_is_no_camera_that_is_gone() {
        assert_eq!(unknown().0, Cause::Unreachable);
        for (kind, expected) in [
            (io::ErrorKind::ConnectionRefused, Cause::Unreachable),
            (io::ErrorKind::HostUnreachable, Cause::Unreachable),
            (io::ErrorKind::NotFound, Cause::Unreachable),
            (io::ErrorKind::TimedOut, Cause::Silent),
        ] {
            assert_eq!(unreachable(&kind.into()).0, expected, "{kind:?}");
        }
    }
}
