//! tiny_http as the reader of requests, behind a door of its own.
//!
//! tiny_http 0.12 is a good reader in a bad place: on the network's side it ends for good at one
//! failed accept, lets a burst of connections stall, reads heads without limit or deadline, keeps
//! a thread for every silent peer, and allocates whatever length a body announces. So the network
//! ends at the front, and what the front has found whole is read here, one request at a time,
//! over a private Unix socket: none of that can happen any more. The answer goes out on the
//! client's own socket. tiny_http's accept thread can still die, when descriptors or threads run
//! out; then another one is started at the next request.

use super::request::Request;
use crate::fault;
use log::debug;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    net::{self, shutdown},
};
use std::{
    io::{self, Read, Write},
    mem::ManuallyDrop,
    net::Shutdown,
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixListener, UnixStream},
    },
    panic, process,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

/// Names the request being read, so that one given up is not taken for the next.
const TICKET: &str = "Camfeed-Ticket";

/// After so long it is asked whether tiny_http has refused the request instead.
const LOOK: Duration = Duration::from_millis(2);

/// Reading takes microseconds: after so long tiny_http is not alive.
const PATIENCE: Duration = Duration::from_secs(1);

/// Reads requests.
pub struct Reader {
    /// `None` when it has died and no successor could be started yet.
    tiny: Option<Tiny>,
    tickets: u64,
}

/// Ended when dropped, whatever it is doing.
struct Tiny {
    /// Never dropped: it would look for its door in the file system, and knock.
    server: ManuallyDrop<tiny_http::Server>,
    door: UnixListener,
    address: SocketAddr,
    /// Taken by one of its threads already, which waits for the next request.
    link: Option<UnixStream>,
}

impl Drop for Tiny {
    fn drop(&mut self) {
        // Ends its accept thread, and the others with it.
        let _ = shutdown(&self.door, net::Shutdown::Both);
    }
}

/// Why a request was not read.
#[derive(Debug)]
pub enum Unread {
    /// It is malformed; with the status tiny_http gave.
    Malformed(u16),
    /// The system is out of something; it may be asked again.
    Failed(io::Error),
}

impl Reader {
    /// Starts a tiny_http of its own.
    pub fn start() -> io::Result<Reader> {
        Ok(Reader {
            tiny: Some(Tiny::start()?),
            tickets: 0,
        })
    }

    /// Gets ready for the next request, so that it finds a thread of tiny_http that waits for it. Each
    /// has a link of its own all the same: nothing of one is ever taken for the next.
    pub fn prepare(&mut self) {
        let Some(tiny) = self.tiny.as_mut().filter(|tiny| tiny.link.is_none()) else {
            return;
        };
        tiny.link = tiny.connect().ok();
        if tiny.link.is_none() {
            debug!("tiny_http accepts no more and is replaced");
            self.tiny = None;
        }
    }

    /// Reads the one whole request that `message` is.
    pub fn read(&mut self, message: &[u8]) -> Result<Request, Unread> {
        let mut tiny = match self.tiny.take() {
            Some(tiny) => tiny,
            None => Tiny::start().map_err(Unread::Failed)?,
        };
        self.tickets += 1;
        let outcome = tiny.read(message, self.tickets);
        match outcome {
            Err(Unread::Failed(_)) => debug!("tiny_http reads no more and is replaced"),
            _ => self.tiny = Some(tiny),
        }
        outcome
    }
}

impl Tiny {
    fn start() -> io::Result<Tiny> {
        static STARTED: AtomicU64 = AtomicU64::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        // No file, and gone with the process.
        let name = format!("camfeed-{}-{number}", process::id());
        let address = SocketAddr::from_abstract_name(name)?;
        let door = UnixListener::bind_addr(&address)?;
        let listener = door.try_clone()?;
        // It panics when it cannot start its threads.
        let server = panic::catch_unwind(|| tiny_http::Server::from_listener(listener, None))
            .map_err(|_| io::Error::other("no thread for tiny_http"))?
            .map_err(io::Error::other)?;
        Ok(Tiny {
            server: ManuallyDrop::new(server),
            door,
            address,
            link: None,
        })
    }

    fn connect(&self) -> io::Result<UnixStream> {
        UnixStream::connect_addr(&self.address)
    }

    fn read(&mut self, message: &[u8], ticket: u64) -> Result<Request, Unread> {
        if message.starts_with(b"GET /fault ") && fault::is_due("reader") {
            // Its accept thread ends, as it does when descriptors run out.
            let _ = shutdown(&self.door, net::Shutdown::Both);
        }
        let ticket = ticket.to_string();
        let link = self.link.take().map_or_else(|| self.connect(), Ok);
        let mut link = link.map_err(Unread::Failed)?;
        send(&mut link, message, &ticket).map_err(Unread::Failed)?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.server.recv_timeout(LOOK).map_err(Unread::Failed)? {
                Some(request) => {
                    if let Some(request) = take(request, &ticket) {
                        return Ok(request);
                    }
                }
                None if has_answered(&link) => {
                    return Err(Unread::Malformed(status(&mut link)));
                }
                None if Instant::now() > deadline => {
                    return Err(Unread::Failed(io::ErrorKind::TimedOut.into()));
                }
                None => {}
            }
        }
    }
}

/// Sends `message` with its ticket behind the last header.
fn send(link: &mut UnixStream, message: &[u8], ticket: &str) -> io::Result<()> {
    let end = message
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .map_or(message.len(), |at| at + 2);
    let (head, rest) = message.split_at(end);
    let mut bytes = Vec::with_capacity(message.len() + 64);
    bytes.extend_from_slice(head);
    write!(bytes, "{TICKET}: {ticket}\r\n")?;
    bytes.extend_from_slice(rest);
    link.write_all(&bytes)?;
    link.shutdown(Shutdown::Write)
}

/// The request, without what belongs to tiny_http; `None` when it is not the one with `ticket`.
fn take(mut request: tiny_http::Request, ticket: &str) -> Option<Request> {
    let is_it = request
        .headers()
        .last()
        .is_some_and(|last| last.field.equiv(TICKET) && last.value.as_str() == ticket);
    // All of it is there, and the front has seen to its length.
    let mut body = Vec::new();
    let is_read = request.body_length().is_none_or(|length| length == 0)
        || request.as_reader().read_to_end(&mut body).is_ok();
    let taken = Request::new(&request, body);
    // Not merely dropped: that would write an answer.
    drop(request.into_writer());
    (is_it && is_read).then_some(taken)
}

/// True when tiny_http has written an answer of its own, or closed.
fn has_answered(link: &UnixStream) -> bool {
    let mut fds = [PollFd::new(link, PollFlags::IN)];
    let at_once = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    matches!(poll(&mut fds, Some(&at_once)), Ok(count) if count > 0)
}

/// The status of tiny_http's own answer; 400 when it just closed.
fn status(link: &mut UnixStream) -> u16 {
    let mut line = [0; 12];
    let read = link.read_exact(&mut line);
    let digits = std::str::from_utf8(&line[9..]).unwrap_or_default();
    read.ok().and_then(|()| digits.parse().ok()).unwrap_or(400)
}

#[cfg(test)]
mod tests {
    use super::{
        super::head::{Look, look},
        *,
    };

    #[test]
    fn requests_are_read_with_their_bodies() {
        let mut reader = Reader::start().expect("a reader");
        let message = b"POST /controls?a HTTP/1.0\r\nHost: pi\r\nContent-Length: 2\r\n\r\n{}";
        for _ in 0..3 {
            let request = reader.read(message).expect("a request");
            assert_eq!(request.method, tiny_http::Method::Post);
            assert_eq!(
                (
                    request.target.to_string(),
                    request.is_http_1_0,
                    &*request.body
                ),
                ("/controls?a".to_owned(), true, &b"{}"[..])
            );
            assert_eq!(request.header("host"), Some("pi"));
            reader.prepare();
        }
    }

    #[test]
    fn what_tiny_http_refuses_is_malformed_and_the_next_request_is_read() {
        let mut reader = Reader::start().expect("a reader");
        for (message, expected) in [
            ("GET / HTTP/1.1\r\nX: \u{e4}\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nExpect: wonders\r\n\r\n", 417),
        ] {
            let unread = reader.read(message.as_bytes()).expect_err(message);
            assert!(
                matches!(unread, Unread::Malformed(status) if status == expected),
                "{message:?}: {unread:?}"
            );
            reader.prepare();
            assert!(reader.read(b"GET / HTTP/1.1\r\n\r\n").is_ok());
        }
    }

    #[test]
    fn nothing_that_is_handed_on_can_hang_tiny_http() {
        let mut reader = Reader::start().expect("a reader");
        let seed = b"POST /a?b=c HTTP/1.1\r\nHost: pi\r\nExpect: 100-continue\r\n\
            Connection: close, upgrade\r\nContent-Length: 2\r\n\r\n{}";
        let odd = [
            "\r",
            "\n",
            "\r\n",
            "\0",
            " ",
            "\t",
            "\x0b",
            ":",
            "HTTP/2.0",
            "HTTP/1.0",
            "0",
            "9",
            "\u{e4}",
            "Transfer-Encoding: x\r\n",
        ];
        // A linear congruence: as random as it must be, and the same each time.
        let mut state = 1u32;
        let mut next = |below: usize| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as usize % below
        };
        let mut read = 0;
        for _ in 0..4000 {
            let mut message = seed.to_vec();
            for _ in 0..=next(3) {
                let at = next(message.len());
                let piece = odd[next(odd.len())].bytes();
                let until = (at + next(3)).min(message.len());
                message.splice(at..until, piece);
            }
            if let Look::Whole(length) = look(&message) {
                reader.prepare();
                let outcome = reader.read(&message[..length]);
                assert!(
                    !matches!(outcome, Err(Unread::Failed(_))),
                    "{:?}: {outcome:?}",
                    String::from_utf8_lossy(&message)
                );
                read += usize::from(outcome.is_ok());
            }
        }
        assert!(read > 100, "{read}");
    }

    #[test]
    fn a_dead_tiny_http_is_replaced() {
        let mut reader = Reader::start().expect("a reader");
        let tiny = reader.tiny.as_mut().expect("alive");
        // Nobody listens there.
        tiny.address = SocketAddr::from_abstract_name("camfeed-nobody").expect("a name");
        let request = b"GET / HTTP/1.1\r\n\r\n";
        assert!(matches!(reader.read(request), Err(Unread::Failed(_))));
        assert!(reader.read(request).is_ok());
        // Found out before the next request comes, none is lost.
        let tiny = reader.tiny.as_mut().expect("alive");
        tiny.address = SocketAddr::from_abstract_name("camfeed-nobody").expect("a name");
        reader.prepare();
        assert!(reader.read(request).is_ok());
    }
}
