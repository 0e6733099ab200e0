//! One client's socket, from the moment it is accepted until it is closed.
//!
//! The client's thread holds the [`Connection`]; the list of [`OpenConnections`] shares its socket and may
//! close it. The socket never blocks: whoever must wait for it does so with a deadline. Dropping the
//! connection closes the socket and gives its permit back.

use crate::http::net::{
    connection_limit::ConnectionPermit,
    listener::Peer,
    open_connections::{ConnectionPhase, OpenConnections},
    tcp_info::{TcpInfo, tcp_info},
};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    net::{RecvFlags, SendAncillaryBuffer, SendFlags, Shutdown, recv, send, sendmsg, shutdown},
};
use socket2::Socket;
use std::{
    io::{self, IoSlice},
    os::fd::AsFd,
    sync::Arc,
    time::{Duration, Instant},
};

/// Between two looks whether a peer takes anything.
const PROGRESS: Duration = Duration::from_millis(500);

/// A connection in the hands of its client's thread.
#[derive(Debug)]
pub struct Connection {
    id: u64,
    peer: Peer,
    open: Arc<OpenConnections>,
    /// Writing fails when the peer takes nothing for so long.
    timeout: Duration,
    /// Before the permit: the descriptor must be free when the connection's place is given back.
    socket: Arc<Socket>,
    permit: ConnectionPermit,
}

/// How bytes were written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Written {
    /// The kernel took them all.
    AtOnce,
    /// The kernel took them when the peer had taken others.
    Waiting,
}

impl Connection {
    /// Puts an accepted `socket` on the list of `open` connections. Writing to it fails with `TimedOut`
    /// when the peer takes nothing for as long as `timeout`.
    pub fn new(
        open: &Arc<OpenConnections>,
        socket: Socket,
        peer: Peer,
        timeout: Duration,
    ) -> Connection {
        let permit = open.limit.permit(peer.ip());
        if !permit.is_allowed {
            open.note_refused(peer);
        }
        let socket = Arc::new(socket);
        Connection {
            id: open.add(Arc::clone(&socket)),
            peer,
            open: Arc::clone(open),
            timeout,
            socket,
            permit,
        }
    }

    /// Its number, as in its thread's name.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Who is at the other end.
    pub fn peer(&self) -> Peer {
        self.peer
    }

    /// False when its address has as many connections as it may have.
    pub fn is_allowed(&self) -> bool {
        self.permit.is_allowed
    }

    /// Enters `phase` now, unless it was displaced.
    pub fn enter(&self, phase: ConnectionPhase) {
        self.open.enter(self.id, phase);
    }

    /// Reads what has come, or comes until `deadline`, at most `buffer`. Zero is the end.
    ///
    /// # Errors
    ///
    /// `TimedOut` when nothing came, else what the system says.
    pub fn read(&self, buffer: &mut [u8], deadline: Instant) -> io::Result<usize> {
        loop {
            self.wait_readable(deadline)?;
            match recv(&*self.socket, &mut *buffer, RecvFlags::DONTWAIT) {
                Ok((count, _)) => return Ok(count),
                Err(Errno::AGAIN | Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    /// Waits until something has come, or the end, at most until `deadline`.
    ///
    /// # Errors
    ///
    /// As [`Connection::read`].
    pub fn wait_readable(&self, deadline: Instant) -> io::Result<()> {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if self.is_ready(PollFlags::IN, left)? {
                return Ok(());
            }
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
        }
    }

    /// Waits for `event` or `time`, or less; an error of the socket is an event, too, and shows at the
    /// next read or write.
    fn is_ready(&self, event: PollFlags, time: Duration) -> io::Result<bool> {
        let mut fds = [PollFd::new(&*self.socket, event)];
        match poll(&mut fds, Timespec::try_from(time).ok().as_ref()) {
            Ok(count) => Ok(count > 0),
            Err(Errno::INTR) => Ok(false),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Writes `head` and `body`, as one where the kernel takes them at once. Waits while the peer makes
    /// progress at least once per time-out.
    ///
    /// # Errors
    ///
    /// `TimedOut` when nothing was taken for so long, else what the system says.
    pub fn write_both(&self, head: &[u8], body: &[u8]) -> io::Result<Written> {
        let sent = self.try_write_both(head, body)?.unwrap_or(0);
        self.write_rest(head, body, sent)
    }

    /// Writes as much of `head` and `body` as the kernel takes at once; `None` when it takes nothing.
    pub fn try_write_both(&self, head: &[u8], body: &[u8]) -> io::Result<Option<usize>> {
        let both = [IoSlice::new(head), IoSlice::new(body)];
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        let mut no_control = SendAncillaryBuffer::default();
        taken(sendmsg(&*self.socket, &both, &mut no_control, flags))
    }

    /// Writes what is left of `head` and `body` when `sent` bytes of them are written.
    ///
    /// # Errors
    ///
    /// As [`Connection::write_all`].
    pub fn write_rest(&self, head: &[u8], body: &[u8], sent: usize) -> io::Result<Written> {
        let first = self.write_all(&head[sent.min(head.len())..])?;
        let second = self.write_all(&body[sent.saturating_sub(head.len())..])?;
        Ok(first.max(second))
    }

    /// Writes as much of `bytes` as the kernel takes at once; `None` when it takes nothing.
    pub fn try_write(&self, bytes: &[u8]) -> io::Result<Option<usize>> {
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        taken(send(&*self.socket, bytes, flags))
    }

    /// Writes all of `bytes`. Waits while the peer makes progress at least once per time-out; returns
    /// whether it had to wait.
    ///
    /// # Errors
    ///
    /// `TimedOut` when nothing was taken for so long, else what the system says.
    pub fn write_all(&self, mut bytes: &[u8]) -> io::Result<Written> {
        let mut outcome = Written::AtOnce;
        while !bytes.is_empty() {
            match self.try_write(bytes)? {
                Some(written) => {
                    bytes = &bytes[written..];
                    if outcome == Written::Waiting {
                        self.open.note_progress(self.id);
                    }
                }
                None => {
                    self.wait_writable()?;
                    outcome = Written::Waiting;
                }
            }
        }
        Ok(outcome)
    }

    /// Waits until the kernel takes bytes again, as long as the peer takes some at least once per time-out.
    ///
    /// # Errors
    ///
    /// `TimedOut` when it took none, else what the system says.
    pub fn wait_writable(&self) -> io::Result<()> {
        let mut deadline = Instant::now() + self.timeout;
        let mut before = self.receive_limit();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            // The kernel wakes us for many bytes only; a slow peer takes few.
            if self.is_ready(PollFlags::OUT, left.min(PROGRESS))? {
                return Ok(());
            }
            let limit = self.receive_limit();
            if limit != before {
                before = limit;
                deadline = Instant::now() + self.timeout;
                self.open.note_progress(self.id);
            } else if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
        }
    }

    /// What the kernel tells of it; `None` for a Unix socket.
    pub fn tcp_info(&self) -> Option<TcpInfo> {
        match self.peer {
            Peer::Tcp(_) => tcp_info(self.socket.as_fd()),
            Peer::Unix => None,
        }
    }

    /// Bytes the peer has taken or advertised room for; rises as long as it reads.
    pub fn receive_limit(&self) -> u64 {
        self.tcp_info().map_or(0, |info| info.receive_limit())
    }

    /// Ends the writing half: the peer sees the end of the answer, and can still be listened to.
    pub fn end_writing(&self) {
        let _ = shutdown(&*self.socket, Shutdown::Write);
    }

    /// Throws away what the peer has not taken, and closes: without it the kernel would keep
    /// megabytes for a peer that takes none.
    pub fn reset(self) {
        let _ = self.socket.set_linger(Some(Duration::ZERO));
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.open.remove(self.id);
    }
}

/// What the kernel took; `None` when it took nothing for want of room.
fn taken(sent: rustix::io::Result<usize>) -> io::Result<Option<usize>> {
    match sent {
        Ok(count) => Ok(Some(count)),
        Err(Errno::AGAIN | Errno::INTR | Errno::NOBUFS) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}
