//! The open connections: how many there may be, in all and of each address, and which of them makes
//! room for a new one.
//!
//! A connection takes itself off the list when it is dropped, whoever held it and however that
//! ended.

use crate::{
    feed::stats::Counter,
    http::net::open_connection::{ConnectionPhase, OpenConnection, Peer},
};
use parking_lot::{Condvar, Mutex};
use socket2::Socket;
use std::{
    collections::HashMap,
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

/// A client that has taken nothing of its answer for so long may make room.
const STALLED: Duration = Duration::from_secs(1);

/// The open connections and what became of those that are gone.
#[derive(Debug)]
pub struct ConnectionLimit {
    max: usize,
    max_per_address: Option<usize>,
    /// Held to add, to remove or to look through them.
    open: Mutex<Open>,
    /// A connection was closed, or the program ends.
    changed: Condvar,
    /// Connections that were accepted.
    pub accepted: Counter,
    /// Connections of an address that had as many as it may have.
    pub refused: Counter,
    /// Connections that made room for new ones: they asked for nothing, or took nothing of an answer.
    pub displaced: Counter,
    /// Connections whose request or next request did not come in time, or that took nothing of an
    /// answer.
    pub timed_out: Counter,
    /// Connections that sent no HTTP request, or one that was too long.
    pub malformed: Counter,
}

#[derive(Debug, Default)]
struct Open {
    by_id: HashMap<u64, Arc<OpenConnection>>,
    /// Only filled when there is a limit.
    of_address: HashMap<IpAddr, usize>,
    /// Those not closed yet; one that is being closed is in no list any more.
    count: usize,
    /// Number of the last one.
    last_id: u64,
    is_ending: bool,
}

impl ConnectionLimit {
    /// For `max` connections, and `max_per_address` of one address.
    pub fn new(max: usize, max_per_address: Option<usize>) -> Arc<ConnectionLimit> {
        Arc::new(ConnectionLimit {
            max,
            max_per_address,
            open: Mutex::default(),
            changed: Condvar::new(),
            accepted: Counter::default(),
            refused: Counter::default(),
            displaced: Counter::default(),
            timed_out: Counter::default(),
            malformed: Counter::default(),
        })
    }

    /// Connections at once, at most.
    pub fn max(&self) -> usize {
        self.max
    }

    /// Connections now.
    pub fn open(&self) -> usize {
        self.open.lock().count
    }

    /// True when there are as many as there may be.
    pub fn is_full(&self) -> bool {
        self.open() >= self.max
    }

    /// True when a connection is better closed after its answer than kept: few are left, or the
    /// program ends.
    pub fn is_scarce(&self) -> bool {
        let open = self.open.lock();
        open.is_ending || open.count * 4 > self.max * 3
    }

    /// True from [`ConnectionLimit::end`] on.
    pub fn is_ending(&self) -> bool {
        self.open.lock().is_ending
    }

    /// Puts an accepted socket on the list; false beside it when its address has as many connections as
    /// it may have, and it is to be refused. The count of all is kept by the accept thread, which alone
    /// adds.
    pub fn add(
        self: &Arc<ConnectionLimit>,
        socket: Socket,
        peer: Peer,
    ) -> (Arc<OpenConnection>, ConnectionPermit, bool) {
        self.accepted.increment();
        let mut open = self.open.lock();
        let mut address = match peer {
            Peer::Tcp(address) => Some(address.ip().to_canonical()),
            Peer::Unix => None,
        };
        let mut is_allowed = true;
        match (address, self.max_per_address) {
            (Some(one), Some(most)) => {
                let count = open.of_address.entry(one).or_default();
                is_allowed = *count < most;
                if is_allowed {
                    *count += 1;
                } else {
                    address = None; // A refused one does not count.
                }
            }
            _ => address = None,
        }
        open.count += 1;
        open.last_id += 1;
        let id = open.last_id;
        let connection = Arc::new(OpenConnection::new(socket, peer));
        open.by_id.insert(id, Arc::clone(&connection));
        drop(open);
        if !is_allowed {
            self.refused.increment();
        }
        let permit = ConnectionPermit {
            limit: Arc::clone(self),
            id,
            address,
        };
        (connection, permit, is_allowed)
    }

    /// Closes the connection that can best be done without, and says whether there was one. Its thread
    /// notices at once.
    pub fn evict(&self) -> bool {
        let now = Instant::now();
        let victim = {
            let open = self.open.lock();
            let may_go = |connection: &&Arc<OpenConnection>| match connection.phase() {
                ConnectionPhase::Answering
                | ConnectionPhase::Streaming
                | ConnectionPhase::Evicted => false,
                ConnectionPhase::Sending => connection.phase_age(now) > STALLED,
                _ => true,
            };
            let all = open.by_id.values().filter(may_go);
            let dearness =
                |connection: &&Arc<OpenConnection>| (connection.phase(), connection.phase_since());
            all.min_by_key(dearness).cloned()
        };
        if let Some(victim) = &victim {
            self.displaced.increment();
            victim.evict();
        }
        victim.is_some()
    }

    /// Waits until there are fewer connections than `count`, at most until `deadline` or the program's
    /// end.
    pub fn wait_below(&self, count: usize, deadline: Instant) {
        let mut open = self.open.lock();
        while !open.is_ending && open.count >= count {
            if self.changed.wait_until(&mut open, deadline).timed_out() {
                return;
            }
        }
    }

    /// Waits for the program's end, at most until `deadline`.
    pub fn wait_end(&self, deadline: Instant) {
        self.wait_below(0, deadline);
    }

    /// From now on nothing more is accepted and no connection is kept.
    pub fn end(&self) {
        self.open.lock().is_ending = true;
        self.changed.notify_all();
    }

    /// Lets connections go that have not begun to ask.
    pub fn close_silent(&self) {
        for connection in self.open.lock().by_id.values() {
            if matches!(
                connection.phase(),
                ConnectionPhase::Silent | ConnectionPhase::Idle
            ) {
                connection.close_reading();
            }
        }
    }

    /// Waits until there are no more connections than `most` counts, at most until `deadline`; false
    /// when that never was so.
    pub fn wait_open(&self, most: impl Fn() -> usize, deadline: Instant) -> bool {
        loop {
            // Asked before the lock is taken: nobody holds two.
            let most = most();
            let mut open = self.open.lock();
            if open.count <= most {
                return true;
            }
            if self.changed.wait_until(&mut open, deadline).timed_out() {
                return open.count <= most;
            }
        }
    }
}

/// One connection's permit; gives itself back when dropped.
#[derive(Debug)]
pub struct ConnectionPermit {
    limit: Arc<ConnectionLimit>,
    id: u64,
    /// Counted there.
    address: Option<IpAddr>,
}

impl ConnectionPermit {
    /// Number of the connection, as in its thread's name.
    pub fn id(&self) -> u64 {
        self.id
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        // The last reference: its descriptor is free before its place is.
        let connection = self.limit.open.lock().by_id.remove(&self.id);
        drop(connection);
        let mut open = self.limit.open.lock();
        open.count -= 1;
        if let Some(address) = self.address {
            if let Some(count) = open.of_address.get_mut(&address) {
                *count -= 1;
                if *count == 0 {
                    open.of_address.remove(&address);
                }
            }
        }
        drop(open);
        self.limit.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::net::connection::Connection;
    use socket2::{Domain, Type};
    use std::net::Ipv4Addr;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    const THERE: IpAddr = IpAddr::V4(Ipv4Addr::BROADCAST);

    fn add(limit: &Arc<ConnectionLimit>, ip: IpAddr) -> (Connection, bool) {
        let (ours, _theirs) = Socket::pair(Domain::UNIX, Type::STREAM, None).expect("sockets");
        let (open, permit, is_allowed) = limit.add(ours, Peer::Tcp((ip, 80).into()));
        (Connection::new(open, permit), is_allowed)
    }

    #[test]
    fn an_address_gets_as_many_connections_as_it_may_have() {
        let limit = ConnectionLimit::new(10, Some(2));
        let (first, is_allowed) = add(&limit, HERE);
        assert!(is_allowed);
        let second = add(&limit, HERE);
        assert!(second.1);
        let refused = add(&limit, HERE);
        assert!(!refused.1);
        let third = add(&limit, THERE);
        assert!(third.1, "another");
        drop(refused);
        assert!(!add(&limit, HERE).1, "the refused one did not count");
        drop(first);
        assert!(add(&limit, HERE).1);
        assert_eq!(limit.refused.get(), 2);
    }

    #[test]
    fn permits_give_themselves_back() {
        let limit = ConnectionLimit::new(2, None);
        let (first, second) = (add(&limit, HERE), add(&limit, HERE));
        assert!(limit.is_full() && limit.is_scarce());
        drop(first);
        assert_eq!((limit.open(), limit.is_full()), (1, false));
        drop(second);
        assert_eq!(limit.open(), 0);
    }

    #[test]
    fn the_longest_silent_one_goes_first_and_nobody_who_is_answered() {
        let limit = ConnectionLimit::new(4, None);
        let all: Vec<_> = (0..4).map(|_| add(&limit, HERE).0).collect();
        all[0].enter(ConnectionPhase::Answering);
        all[1].enter(ConnectionPhase::Idle);
        let is_evicted = |number: usize| all[number].phase() == ConnectionPhase::Evicted;
        assert!(limit.evict());
        assert!(is_evicted(2), "silent, and longer than the next");
        assert!(limit.evict());
        assert!(is_evicted(3));
        assert!(limit.evict());
        assert!(is_evicted(1), "kept: it asked once");
        assert!(
            !limit.evict(),
            "one is answered, the others are gone already"
        );
        assert_eq!(limit.displaced.get(), 3);
        all[0].enter(ConnectionPhase::Sending);
        assert!(!limit.evict(), "it has just been sent something");
    }

    #[test]
    fn whoever_waits_for_a_place_is_woken_by_the_end() {
        let limit = ConnectionLimit::new(1, None);
        let _only = add(&limit, HERE);
        let waiting = Arc::clone(&limit);
        let far = Instant::now() + Duration::from_secs(60);
        let waiter = std::thread::spawn(move || waiting.wait_below(1, far));
        limit.end();
        waiter.join().expect("no panic");
        assert!(Instant::now() < far && limit.is_scarce());
    }
}
