//! One client's socket, from the moment it is accepted until it is closed.
//!
//! Whoever holds the [`Connection`] holds the socket: the front while it waits for a request, a
//! client thread while it answers. It is never blocking; whoever must wait for it does so with a
//! deadline. Dropping it closes the socket and gives its place back.

use super::{
    places::Place,
    wire::{Wire, wire},
};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    net::{RecvFlags, SendFlags, Shutdown, recv, send, shutdown},
};
use socket2::{SockRef, Socket};
use std::{
    fmt, io,
    net::SocketAddr,
    os::fd::{AsFd, BorrowedFd},
    time::{Duration, Instant},
};

/// Between two looks whether a peer takes anything.
const PROGRESS: Duration = Duration::from_millis(500);

/// An accepted socket.
#[derive(Debug)]
pub struct Connection {
    socket: Socket,
    /// Who is at the other end.
    pub peer: Peer,
    /// Its place among the connections; given back when the connection is dropped.
    _place: Place,
}

/// How bytes were written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// The kernel took them all.
    AtOnce,
    /// The kernel took them when the peer had taken others.
    Waiting,
}

/// The other end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Peer {
    /// Its address.
    Tcp(SocketAddr),
    /// A Unix socket's peer has no name.
    Unix,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Peer::Tcp(address) => address.fmt(f),
            Peer::Unix => f.write_str("unix"),
        }
    }
}

impl Connection {
    /// Takes over an accepted socket that does not block.
    pub fn new(socket: Socket, peer: Peer, place: Place) -> Connection {
        Connection {
            socket,
            peer,
            _place: place,
        }
    }

    /// Reads what has arrived, at most `buffer`; `None` when nothing has. Zero is the end.
    pub fn read(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        match recv(&self.socket, buffer, RecvFlags::DONTWAIT) {
            Ok((read, _)) => Ok(Some(read)),
            Err(Errno::AGAIN | Errno::INTR) => Ok(None),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Writes as much of `bytes` as the kernel takes at once; `None` when it takes nothing.
    pub fn write_some(&self, bytes: &[u8]) -> io::Result<Option<usize>> {
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        match send(&self.socket, bytes, flags) {
            Ok(written) => Ok(Some(written)),
            Err(Errno::AGAIN | Errno::INTR | Errno::NOBUFS) => Ok(None),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Writes all of `bytes` and says whether that had to wait; for as long as it takes, as long as some are taken every `patience`.
    ///
    /// # Errors
    ///
    /// `TimedOut` when nothing was taken for so long, else what the system says.
    pub fn write_all(&self, mut bytes: &[u8], patience: Duration) -> io::Result<Written> {
        let mut outcome = Written::AtOnce;
        while !bytes.is_empty() {
            match self.write_some(bytes)? {
                Some(written) => bytes = &bytes[written..],
                None => {
                    self.wait_writable(patience)?;
                    outcome = Written::Waiting;
                }
            }
        }
        Ok(outcome)
    }

    /// Waits until the kernel takes bytes again, as long as the peer takes some every `patience`.
    ///
    /// # Errors
    ///
    /// `TimedOut` when it took none, else what the system says.
    pub fn wait_writable(&self, patience: Duration) -> io::Result<()> {
        let mut deadline = Instant::now() + patience;
        let mut before = self.promised();
        loop {
            let mut fds = [PollFd::new(&self.socket, PollFlags::OUT)];
            let left = deadline.saturating_duration_since(Instant::now());
            // The kernel wakes us for many bytes only; a slow peer takes few.
            let pause = Timespec::try_from(left.min(PROGRESS)).ok();
            match poll(&mut fds, pause.as_ref()) {
                Ok(0) if self.promised() != before => {
                    before = self.promised();
                    deadline = Instant::now() + patience;
                }
                Ok(0) if left.is_zero() => return Err(io::ErrorKind::TimedOut.into()),
                Ok(0) => {}
                // An error of the socket shows at the next write.
                Ok(_) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    /// What is known of its way to the peer; `None` for a Unix socket.
    pub fn wire(&self) -> Option<Wire> {
        match self.peer {
            Peer::Tcp(_) => wire(self.socket.as_fd()),
            Peer::Unix => None,
        }
    }

    /// Bytes the peer has taken or promised to take; rises as long as it reads.
    pub fn promised(&self) -> u64 {
        self.wire().map_or(0, |wire| wire.promised())
    }

    /// Ends the writing half: the peer sees the end of the answer, and can still be listened to.
    pub fn end_writing(&self) {
        let _ = shutdown(&self.socket, Shutdown::Write);
    }

    /// Throws away what the peer has not taken, and closes: without it the kernel would keep
    /// megabytes for a peer that takes none.
    pub fn abandon(self) {
        let _ = SockRef::from(&self.socket).set_linger(Some(Duration::ZERO));
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
