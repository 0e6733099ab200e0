//! The open connections: what each is in, and which of them makes room for a new one.

use crate::{
    feed::stats::Counter,
    http::{
        head::HEAD_BYTES,
        net::{connection_limit::ConnectionLimit, listener::Peer, tcp_info::tcp_info},
    },
    system::log_limit::LogLimiter,
};
use log::warn;
use parking_lot::Mutex;
use rustix::{
    io::Errno,
    net::{RecvFlags, Shutdown, recv, shutdown},
};
use socket2::Socket;
use std::{
    collections::HashMap,
    os::fd::AsFd,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// A client that has taken nothing of its answer for so long may make room.
const STALLED: Duration = Duration::from_secs(1);

/// A client that has said nothing for so long since it connected hardly means to ask: others ask at once.
const MUTE: Duration = Duration::from_millis(100);

/// The open connections, and what became of those that are gone.
#[derive(Debug)]
pub struct OpenConnections {
    /// Held to add, to remove, to look at one or to look through them.
    by_id: Mutex<HashMap<u64, OpenConnection>>,
    /// Number of the last one.
    last_id: AtomicU64,
    /// How many there may be.
    pub limit: Arc<ConnectionLimit>,
    /// Connections of an address that had as many as it may have.
    pub refused: Counter,
    /// Connections that made room for new ones: they asked for nothing, or took nothing of an answer.
    pub displaced: Counter,
    /// Connections whose request or next request did not come in time, or that took nothing of an
    /// answer.
    pub timed_out: Counter,
    /// Connections that sent no HTTP request, or one that was too long.
    pub malformed: Counter,
    /// Log lines about those refused.
    refused_lines: LogLimiter,
}

#[derive(Debug)]
struct OpenConnection {
    socket: Arc<Socket>,
    phase: ConnectionPhase,
    since: Instant,
}

/// What a connection is in. Of the first five, the earlier in this list the sooner it makes room for
/// another; the last three never do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConnectionPhase {
    /// It has had its last answer; what still comes is thrown away.
    Closing,
    /// Its first request is not whole.
    Silent,
    /// It has been answered and may ask again.
    Idle,
    /// A later request is not whole.
    Asking,
    /// It has not taken all of an answer. It makes room only when it has taken nothing for a while.
    Sending,
    /// A handler is at work.
    Answering,
    /// A stream is sent.
    Streaming,
    /// It has made room.
    Displaced,
}

impl OpenConnection {
    fn is_mute(&self, now: Instant) -> bool {
        let is_late = now.saturating_duration_since(self.since) > MUTE;
        self.phase <= ConnectionPhase::Silent && is_late
    }

    fn may_make_room(&self, now: Instant) -> bool {
        match self.phase {
            ConnectionPhase::Sending => now.saturating_duration_since(self.since) > STALLED,
            phase => phase < ConnectionPhase::Sending,
        }
    }
}

/// What has come of a connection's first request, and is not read yet.
#[derive(PartialEq)]
enum Unread {
    /// Nothing, or a part of its head.
    Part,
    /// Its head.
    Head,
    /// Nothing, and nothing will come: the client has left.
    End,
}

fn unread(socket: &Socket) -> Unread {
    let mut bytes = [0; HEAD_BYTES];
    match recv(socket, &mut bytes, RecvFlags::PEEK | RecvFlags::DONTWAIT) {
        Ok((count, _)) if bytes[..count].windows(4).any(|four| four == b"\r\n\r\n") => Unread::Head,
        Ok((count, _)) if count > 0 => Unread::Part,
        Err(Errno::AGAIN | Errno::INTR) => Unread::Part,
        Ok(_) | Err(_) => Unread::End,
    }
}

impl OpenConnections {
    /// None yet; for `max` connections, and `max_per_address` of one address.
    pub fn new(max: usize, max_per_address: Option<usize>) -> Arc<OpenConnections> {
        Arc::new(OpenConnections {
            by_id: Mutex::default(),
            last_id: AtomicU64::new(0),
            limit: ConnectionLimit::new(max, max_per_address),
            refused: Counter::default(),
            displaced: Counter::default(),
            timed_out: Counter::default(),
            malformed: Counter::default(),
            refused_lines: LogLimiter::per_minute(1),
        })
    }

    /// How many were accepted since the start.
    pub fn accepted(&self) -> u64 {
        self.last_id.load(Ordering::Relaxed)
    }

    /// Puts an accepted socket on the list; its number, as in its thread's name.
    pub fn add(&self, socket: Arc<Socket>) -> u64 {
        let id = self.last_id.fetch_add(1, Ordering::Relaxed) + 1;
        let connection = OpenConnection {
            socket,
            phase: ConnectionPhase::Silent,
            since: Instant::now(),
        };
        self.by_id.lock().insert(id, connection);
        id
    }

    /// Notes that a connection of `peer` is refused, whose address has as many as it may have.
    pub fn note_refused(&self, peer: Peer) {
        self.refused.increment();
        if let Some(suppressed) = self.refused_lines.permit() {
            warn!(
                "connection refused: its address has as many as it may have (--max-per-address) peer={peer}{suppressed}"
            );
        }
    }

    /// Takes connection `id` off the list.
    pub fn remove(&self, id: u64) {
        let connection = self.by_id.lock().remove(&id);
        drop(connection); // Its socket may be closed here: not under the lock.
    }

    /// Notes that connection `id` enters `phase` now, unless it was displaced.
    pub fn enter(&self, id: u64, phase: ConnectionPhase) {
        if let Some(connection) = self.by_id.lock().get_mut(&id) {
            connection.since = Instant::now();
            if connection.phase != ConnectionPhase::Displaced {
                connection.phase = phase;
            }
        }
    }

    /// Notes that connection `id` is taking what it is sent, and so has not stalled.
    pub fn note_progress(&self, id: u64) {
        if let Some(connection) = self.by_id.lock().get_mut(&id) {
            connection.since = Instant::now();
        }
    }

    /// Closes the connection that can best be done without, but not `kept`, and says whether there was
    /// one. Its thread finds it at its end, and the kernel keeps nothing for it but a last answer that is
    /// on its way.
    pub fn displace(&self, kept: Option<u64>) -> bool {
        self.displace_one(kept, false)
    }

    /// The same, where it `is_mute` only of those that have long said nothing.
    fn displace_one(&self, kept: Option<u64>, is_mute: bool) -> bool {
        let now = Instant::now();
        let mut by_id = self.by_id.lock();
        let victim = loop {
            let victim = by_id
                .iter_mut()
                .filter(|(id, connection)| Some(**id) != kept && connection.may_make_room(now))
                .filter(|(_, connection)| !is_mute || connection.is_mute(now))
                .min_by_key(|(_, connection)| (connection.phase, connection.since));
            let Some((_, victim)) = victim else {
                return false;
            };
            if victim.phase != ConnectionPhase::Silent || unread(&victim.socket) != Unread::Head {
                break victim;
            }
            // It has asked, and its thread has not come to it yet.
            victim.phase = ConnectionPhase::Answering;
        };
        let is_closing = victim.phase == ConnectionPhase::Closing;
        victim.phase = ConnectionPhase::Displaced;
        let socket = Arc::clone(&victim.socket);
        drop(by_id);
        self.displaced.increment();
        if is_closing {
            let _ = shutdown(&socket, Shutdown::Read);
        } else {
            let _ = socket.set_linger(Some(Duration::ZERO));
            let _ = shutdown(&socket, Shutdown::Both);
        }
        true
    }

    /// Displaces so many connections that `count` places become free, with those that are displaced
    /// already; false when none will.
    pub fn make_room(&self, count: usize) -> bool {
        let leaving = {
            let by_id = self.by_id.lock();
            let phases = by_id.values().map(|connection| connection.phase);
            phases
                .filter(|phase| *phase == ConnectionPhase::Displaced)
                .count()
        };
        // One may be any; more, only of those that have not asked for anything.
        let first = leaving == 0 && self.displace(None);
        let more = leaving.max(usize::from(first))..count;
        let silent = more.take_while(|_| self.displace_one(None, true));
        silent.count() + leaving > 0 || first
    }

    /// Closes a connection that has just been accepted and can be done without, before it takes a place;
    /// gives back any other. Counts it as one that made room.
    pub fn turn_away_mute(&self, socket: Socket) -> Option<Socket> {
        let is_mute = || tcp_info(socket.as_fd()).is_some_and(|info| info.silent_for > MUTE);
        match unread(&socket) {
            Unread::Head => return Some(socket),
            Unread::Part if !is_mute() => return Some(socket),
            Unread::Part | Unread::End => {}
        }
        self.last_id.fetch_add(1, Ordering::Relaxed);
        self.displaced.increment();
        let _ = socket.set_linger(Some(Duration::ZERO));
        None
    }

    /// Lets those connections find their end that no request is coming from.
    pub fn close_unasking(&self) {
        for connection in self.by_id.lock().values() {
            if matches!(
                connection.phase,
                ConnectionPhase::Silent | ConnectionPhase::Idle
            ) {
                let _ = shutdown(&connection.socket, Shutdown::Read);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::net::{connection::Connection, listener::Peer};
    use socket2::{Domain, Type};
    use std::{
        io::Write,
        mem::MaybeUninit,
        net::{TcpListener, TcpStream},
        thread,
    };

    #[test]
    fn the_longest_silent_one_goes_first_and_nobody_who_is_answered() {
        let open = OpenConnections::new(4, None);
        let add = |_| {
            let (ours, _theirs) = Socket::pair(Domain::UNIX, Type::STREAM, None).expect("sockets");
            Connection::new(&open, ours, Peer::Unix, STALLED)
        };
        let all: Vec<_> = (0..4).map(add).collect();
        all[0].enter(ConnectionPhase::Answering);
        all[1].enter(ConnectionPhase::Idle);
        let phase = |number: usize| open.by_id.lock()[&all[number].id()].phase;
        let is_displaced = |number| phase(number) == ConnectionPhase::Displaced;
        assert!(open.displace(None));
        assert!(is_displaced(2), "silent, and longer than the next");
        assert!(open.displace(None));
        assert!(is_displaced(3));
        assert!(
            !open.displace(Some(all[1].id())),
            "the only one that may go"
        );
        assert!(open.displace(None));
        assert!(is_displaced(1), "kept: it asked once");
        assert!(
            !open.displace(None),
            "one is answered, the others are gone already"
        );
        assert_eq!(open.displaced.get(), 3);
        all[0].enter(ConnectionPhase::Sending);
        assert!(!open.displace(None), "it has just been sent something");
    }

    #[test]
    fn who_has_asked_stays_when_its_thread_has_not_come_to_it() {
        let open = OpenConnections::new(4, None);
        let add = |_| {
            let (ours, theirs) = Socket::pair(Domain::UNIX, Type::STREAM, None).expect("sockets");
            let connection = Connection::new(&open, ours, Peer::Unix, STALLED);
            (connection, theirs)
        };
        let all: Vec<_> = (0..2).map(add).collect();
        all[0].1.send(b"GET / HTTP/1.1\r\n\r\n").expect("sent");
        assert!(open.displace(None));
        let phase = |number: usize| open.by_id.lock()[&all[number].0.id()].phase;
        assert_eq!(phase(0), ConnectionPhase::Answering);
        assert_eq!(phase(1), ConnectionPhase::Displaced);
        assert!(!open.displace(None));
    }

    #[test]
    fn room_is_made_for_as_many_as_wait_and_not_for_more() {
        let open = OpenConnections::new(8, None);
        let add = |_| {
            let (ours, _theirs) = Socket::pair(Domain::UNIX, Type::STREAM, None).expect("sockets");
            Connection::new(&open, ours, Peer::Unix, STALLED)
        };
        let mut all: Vec<_> = (0..4).map(add).collect();
        assert!(open.make_room(2));
        assert_eq!(open.displaced.get(), 1, "the others have just come");
        let mute = |connection: &mut OpenConnection| connection.since -= 2 * MUTE;
        open.by_id.lock().values_mut().for_each(mute);
        assert!(open.make_room(2));
        assert!(open.make_room(2), "they are on their way out");
        assert_eq!(open.displaced.get(), 2);
        assert!(open.make_room(3));
        assert_eq!(open.displaced.get(), 3);
        all.drain(..3);
        assert!(open.make_room(9), "the last one");
        assert_eq!(open.displaced.get(), 4);
        all.clear();
        assert!(!open.make_room(1), "nobody is there");
    }

    #[test]
    fn only_who_has_left_or_long_not_asked_is_turned_away() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
        let address = listener.local_addr().expect("bound");
        let connect = |text: &str| {
            let mut client = TcpStream::connect(address).expect("connected");
            client.write_all(text.as_bytes()).expect("sent");
            let (ours, _) = listener.accept().expect("accepted");
            (client, Socket::from(ours))
        };
        let open = OpenConnections::new(8, None);
        let (silent, ours) = connect("");
        let ours = open.turn_away_mute(ours).expect("it has just come");
        let begun = connect("GET / HTTP/1.1\r\n");
        let whole = connect("GET / HTTP/1.1\r\n\r\n");
        let long = connect(&format!(
            "GET / HTTP/1.1\r\nX: {}\r\n\r\n",
            "a".repeat(10_000)
        ));
        while tcp_info(ours.as_fd()).expect("told").silent_for <= 2 * MUTE {
            thread::yield_now();
        }
        assert!(open.turn_away_mute(ours).is_none());
        assert!(open.turn_away_mute(begun.1).is_none());
        assert!(open.turn_away_mute(whole.1).is_some());
        assert!(open.turn_away_mute(long.1).is_some());
        let (left, ours) = connect("");
        drop(left);
        while ours.peek(&mut [MaybeUninit::uninit()]).is_err() {
            thread::yield_now();
        }
        assert!(open.turn_away_mute(ours).is_none());
        assert_eq!((open.displaced.get(), open.accepted()), (3, 3));
        drop(silent);
    }
}
