//! The guard: makes up for what tiny_http 0.12 leaves open, from outside.
//!
//! tiny_http keeps the sockets it accepts to itself. The guard finds them again among the
//! process's descriptors, by the local address they share, and tells them apart by the kernel's
//! socket cookie, which is never reused. With that it answers two facts of tiny_http:
//!
//! - *A burst of connections can stall.* Its pool counts idle threads before they wake, so of five
//!   connections at once, with four idle threads, one may wait until another one disconnects. A
//!   connection that arrives when no thread is idle starts a new thread, which afterwards takes one
//!   waiting connection over. So the guard *knocks*: for each connection that has said nothing yet
//!   (it may be waiting, and nobody can tell) it connects and leaves once; for each whose bytes
//!   nobody reads, it knocks at every look until somebody does. There are never more waiting
//!   connections than such, so every one gets its thread. A knock too many costs an idle thread
//!   that ends after five seconds.
//! - *A reader outlives its use.* A streaming connection would keep a pool thread and a second
//!   descriptor waiting for a next request, and stay open after its writer is dropped.
//!   [`Guard::stop_reading`] ends the reading half.
//! - *Nothing ends a writer whose reader has stalled.* TCP has a time-out for that, inherited from
//!   the listener; on a Unix socket the guard sets one.
//!
//! It never closes a descriptor that is not its own: it acts on duplicates, after checking whose
//! they are.

use super::listen::{Identity, reachable};
use crate::error::Error;
use parking_lot::Mutex;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{Mode, OFlags, RawDir},
    io::{fcntl_dupfd_cloexec, ioctl_fionread},
    net::{
        Shutdown, SocketAddrAny, getpeername, getsockname, shutdown,
        sockopt::{Timeout, set_socket_timeout, socket_cookie},
    },
};
use std::{
    collections::{HashMap, HashSet},
    mem::MaybeUninit,
    net::{SocketAddr, TcpStream},
    os::{
        fd::{BorrowedFd, OwnedFd, RawFd},
        unix::net::UnixStream,
    },
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// Between two looks while nothing is new.
const IDLE_LOOK: Duration = Duration::from_millis(250);

/// Between two looks while a connection may be waiting.
const BUSY_LOOK: Duration = Duration::from_millis(15);

/// A connection that has said nothing is looked at this often for so long; then it is an idle one.
const YOUNG: Duration = Duration::from_secs(2);

/// A reader of a Unix socket that takes nothing for this long has stalled.
const UNIX_TIMEOUT: Duration = Duration::from_secs(10);

/// Knocks at one look, at most.
const MOST_KNOCKS: usize = 256;

/// A knock that is not accepted by then is given up.
const KNOCK_TIMEOUT: Duration = Duration::from_millis(500);

/// Looks over hundreds of connections are made this many times rarer than they are long…
const COST: u32 = 20;

/// …but never rarer than this: a look that took long because the machine was busy says nothing,
/// and a burst waits for the next one.
const LONGEST_LOOK: Duration = Duration::from_millis(250);

/// See the module.
#[derive(Debug)]
pub struct Guard {
    watch: Arc<Watch>,
    /// Its own, to be woken when connections come.
    thread: thread::Thread,
}

#[derive(Debug)]
struct Watch {
    identity: Identity,
    /// Held for a look through the process's descriptors, some hundred microseconds.
    table: Mutex<Table>,
    /// A connection came since the last look.
    is_poked: AtomicBool,
}

#[derive(Debug, Default)]
struct Table {
    /// By cookie.
    connections: HashMap<u64, Connection>,
    /// Peers that have made a request and were not in `connections` yet.
    asked: HashSet<SocketAddr>,
    /// Cookies by peer.
    peers: HashMap<SocketAddr, u64>,
}

#[derive(Debug)]
struct Connection {
    /// One of its descriptors; tiny_http has two.
    fd: RawFd,
    found: Instant,
    /// Found again at this look.
    is_there: bool,
    /// It has made a request, so it has a thread.
    has_asked: bool,
    /// Nobody shall read it any more.
    is_deaf: bool,
    was_knocked_for: bool,
    /// Bytes nobody had read at the last look.
    unread: u64,
}

impl Guard {
    /// Starts the guard's thread, which runs until the program ends.
    pub fn start(identity: Identity) -> Result<Guard, Error> {
        let watch = Arc::new(Watch {
            identity,
            table: Mutex::default(),
            is_poked: AtomicBool::new(false),
        });
        let name = "guard".to_owned();
        let watching = Arc::clone(&watch);
        thread::Builder::new()
            .name(name.clone())
            .spawn(move || watching.run())
            .map(|handle| Guard {
                watch,
                thread: handle.thread().clone(),
            })
            .map_err(|source| Error::Thread { name, source })
    }

    /// Notes that `peer` has made a request.
    pub fn note_request(&self, peer: Option<&SocketAddr>) {
        let Some(peer) = peer else { return };
        let mut table = self.watch.table.lock();
        let Table {
            connections,
            asked,
            peers,
        } = &mut *table;
        match peers
            .get(peer)
            .and_then(|cookie| connections.get_mut(cookie))
        {
            Some(connection) => connection.has_asked = true,
            None => {
                asked.insert(*peer);
                if !self.watch.is_poked.swap(true, Ordering::Relaxed) {
                    self.thread.unpark();
                }
            }
        }
    }

    /// Ends the reading half of `peer`'s connection: its pool thread is free again, and dropping
    /// the writer closes it. On a Unix socket, whose peers have no name, nothing happens.
    pub fn stop_reading(&self, peer: Option<&SocketAddr>) {
        let Some(peer) = peer else { return };
        let mut table = self.watch.table.lock();
        let socket = table.duplicate(peer).or_else(|| {
            table.look(&self.watch.identity);
            table.duplicate(peer)
        });
        if let Some(socket) = socket {
            let _ = shutdown(&socket, Shutdown::Read);
        }
    }
}

impl Watch {
    /// Runs until the program ends.
    fn run(&self) {
        let mut pause = IDLE_LOOK;
        loop {
            thread::park_timeout(pause);
            if self.is_poked.swap(false, Ordering::Relaxed) {
                // The rest of a burst is on its way, and nothing tells when it has come: looked at
                // at once, the connections that are about to speak would be knocked for.
                thread::sleep(BUSY_LOOK);
            }
            let (knocks, is_busy, cost) = {
                let mut table = self.table.lock();
                let started = Instant::now();
                table.look(&self.identity);
                let (knocks, is_busy) = table.waiting(started);
                (knocks, is_busy, started.elapsed())
            };
            for _ in 0..knocks.min(MOST_KNOCKS) {
                self.knock();
            }
            pause = pause_after(cost, is_busy);
        }
    }

    /// Connects and leaves.
    fn knock(&self) {
        match &self.identity {
            Identity::Tcp(address) => {
                let _ = TcpStream::connect_timeout(&reachable(*address), KNOCK_TIMEOUT);
            }
            Identity::Unix(path) => {
                let _ = UnixStream::connect(path);
            }
        }
    }
}

/// The time until the next look, after one that took `cost`.
fn pause_after(cost: Duration, is_busy: bool) -> Duration {
    let pause = if is_busy { BUSY_LOOK } else { IDLE_LOOK };
    pause.max((cost * COST).min(if is_busy {
        LONGEST_LOOK / 5
    } else {
        LONGEST_LOOK
    }))
}

impl Table {
    /// Brings the table up to date with the process's descriptors.
    fn look(&mut self, identity: &Identity) {
        for connection in self.connections.values_mut() {
            connection.is_there = false;
        }
        for_each_descriptor(|fd| {
            let socket = borrow(fd);
            let Ok(cookie) = socket_cookie(socket) else {
                return;
            };
            if let Some(connection) = self.connections.get_mut(&cookie) {
                connection.is_there = true;
                connection.fd = fd;
            } else if let Some(peer) = accepted(socket, identity) {
                if peer.is_none() {
                    // A Unix socket inherits nothing from its listener and has no time-out of TCP's.
                    let _ = set_socket_timeout(socket, Timeout::Send, Some(UNIX_TIMEOUT));
                }
                let has_asked = peer.is_some_and(|peer| self.asked.contains(&peer));
                self.peers.extend(peer.map(|peer| (peer, cookie)));
                self.connections.insert(
                    cookie,
                    Connection {
                        fd,
                        found: Instant::now(),
                        is_there: true,
                        has_asked,
                        is_deaf: false,
                        was_knocked_for: false,
                        unread: 0,
                    },
                );
            }
        });
        self.asked.clear();
        let Table {
            connections, peers, ..
        } = self;
        connections.retain(|_, connection| connection.is_there);
        peers.retain(|_, cookie| connections.contains_key(cookie));
    }

    /// How many knocks are due, and whether to look again soon.
    fn waiting(&mut self, now: Instant) -> (usize, bool) {
        let mut knocks = 0;
        let mut is_busy = false;
        for connection in self
            .connections
            .values_mut()
            .filter(|connection| !connection.is_deaf)
        {
            let socket = borrow(connection.fd);
            let unread = ioctl_fionread(socket).unwrap_or(0);
            if unread > 0 {
                is_busy = true;
                // Unchanged since the last look: nobody reads.
                knocks += usize::from(unread == connection.unread);
            } else if !connection.has_asked && now < connection.found + YOUNG {
                is_busy = true;
                // One look's time to speak or to leave.
                if now > connection.found && !connection.was_knocked_for && !has_left(socket) {
                    connection.was_knocked_for = true;
                    knocks += 1;
                }
            }
            connection.unread = unread;
        }
        (knocks, is_busy)
    }

    /// A descriptor of our own for `peer`'s connection, marked as one nobody shall read.
    fn duplicate(&mut self, peer: &SocketAddr) -> Option<OwnedFd> {
        let cookie = self.peers.get(peer)?;
        let connection = self.connections.get_mut(cookie)?;
        let socket = fcntl_dupfd_cloexec(borrow(connection.fd), 3).ok()?;
        // The number may have been given to another socket since the last look.
        if socket_cookie(&socket).ok()? != *cookie {
            return None;
        }
        connection.is_deaf = true;
        Some(socket)
    }
}

/// Calls `each` with every descriptor of the process.
fn for_each_descriptor(mut each: impl FnMut(RawFd)) {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let Ok(directory) = rustix::fs::open("/proc/self/fd", flags, Mode::empty()) else {
        return;
    };
    let mut buffer = [MaybeUninit::uninit(); 8192];
    let mut entries = RawDir::new(directory, &mut buffer);
    while let Some(Ok(entry)) = entries.next() {
        if let Some(fd) = entry
            .file_name()
            .to_str()
            .ok()
            .and_then(|name| name.parse().ok())
        {
            each(fd);
        }
    }
}

/// If `socket` is a connection that was accepted at `identity`: its peer, where it has a name.
fn accepted(socket: BorrowedFd<'_>, identity: &Identity) -> Option<Option<SocketAddr>> {
    let local = getsockname(socket).ok()?;
    // A listener has no peer.
    let peer = getpeername(socket).ok()??;
    match identity {
        Identity::Tcp(address) => {
            let local = SocketAddr::try_from(local).ok()?;
            (local.port() == address.port()).then(|| SocketAddr::try_from(peer).ok())
        }
        Identity::Unix(path) => is_at(&local, path).then_some(None),
    }
}

fn is_at(local: &SocketAddrAny, path: &Path) -> bool {
    rustix::net::SocketAddrUnix::try_from(local.clone())
        .is_ok_and(|local| local.path_bytes() == Some(path.as_os_str().as_encoded_bytes()))
}

/// True when the peer has closed its side.
fn has_left(socket: BorrowedFd<'_>) -> bool {
    let mut fds = [PollFd::from_borrowed_fd(socket, PollFlags::RDHUP)];
    let at_once = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    poll(&mut fds, Some(&at_once)).is_ok() && !fds[0].revents().is_empty()
}

/// Names a descriptor of this process that the guard does not own.
#[expect(
    unsafe_code,
    reason = "the guard looks at sockets that tiny_http owns and does not show"
)]
fn borrow(fd: RawFd) -> BorrowedFd<'static> {
    // SAFETY: the number was just read from /proc/self/fd. If it has been closed or reused since,
    // the kernel answers EBADF or about another file; everything done with it is a question, or a
    // duplication whose cookie is checked before it is used. Nothing is closed through it.
    unsafe { BorrowedFd::borrow_raw(fd) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_that_took_long_never_makes_a_burst_wait() {
        let long = Duration::from_secs(1);
        assert!(pause_after(long, true) <= Duration::from_millis(50));
        assert!(pause_after(long, false) <= Duration::from_millis(250));
        assert_eq!(pause_after(Duration::from_micros(50), true), BUSY_LOOK);
    }
}
