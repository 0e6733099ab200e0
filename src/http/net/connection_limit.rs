//! How many connections there may be, in all and of one address.
//!
//! A connection holds its place by a [`ConnectionPermit`], which gives itself back when dropped, whoever
//! held it and however that ended.

use parking_lot::{Condvar, Mutex};
use std::{collections::HashMap, net::IpAddr, sync::Arc, time::Instant};

/// The limit, and how much of it is used.
#[derive(Debug)]
pub struct ConnectionLimit {
    max: usize,
    max_per_address: Option<usize>,
    /// Held to count.
    used: Mutex<Used>,
    /// A connection was closed, or the program ends.
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Used {
    count: usize,
    /// Only filled when there is a limit.
    of_address: HashMap<IpAddr, usize>,
    is_ending: bool,
}

/// One connection's place; gives itself back when dropped.
#[derive(Debug)]
pub struct ConnectionPermit {
    limit: Arc<ConnectionLimit>,
    /// Counted there.
    address: Option<IpAddr>,
    /// False when its address has as many connections as it may have: it is to be refused.
    pub is_allowed: bool,
}

impl ConnectionLimit {
    /// For `max` connections, and `max_per_address` of one address.
    pub fn new(max: usize, max_per_address: Option<usize>) -> Arc<ConnectionLimit> {
        Arc::new(ConnectionLimit {
            max,
            max_per_address,
            used: Mutex::default(),
            changed: Condvar::new(),
        })
    }

    /// Connections at once, at most.
    pub fn max(&self) -> usize {
        self.max
    }

    /// Connections now.
    pub fn open(&self) -> usize {
        self.used.lock().count
    }

    /// True when there are as many as there may be.
    pub fn is_full(&self) -> bool {
        self.open() >= self.max
    }

    /// True when a connection is better closed after its answer than kept: few are left, or the
    /// program ends.
    pub fn is_scarce(&self) -> bool {
        let used = self.used.lock();
        used.is_ending || used.count * 4 > self.max * 3
    }

    /// True from [`ConnectionLimit::end`] on.
    pub fn is_ending(&self) -> bool {
        self.used.lock().is_ending
    }

    /// A permit for a connection of `address`; `None` is a Unix socket. That there is one left in all is
    /// seen to by the accept thread, which alone asks for them.
    pub fn permit(self: &Arc<ConnectionLimit>, address: Option<IpAddr>) -> ConnectionPermit {
        let mut used = self.used.lock();
        used.count += 1;
        let address = address.zip(self.max_per_address);
        let is_allowed = address.is_none_or(|(address, most)| {
            let count = used.of_address.entry(address).or_default();
            let is_allowed = *count < most;
            *count += usize::from(is_allowed);
            is_allowed
        });
        ConnectionPermit {
            limit: Arc::clone(self),
            // A refused one does not count.
            address: address.map(|(address, _)| address).filter(|_| is_allowed),
            is_allowed,
        }
    }

    /// Waits until there are fewer connections than `count`, at most until `deadline` or the program's
    /// end.
    pub fn wait_below(&self, count: usize, deadline: Instant) {
        let mut used = self.used.lock();
        let must_wait = |used: &mut Used| !used.is_ending && used.count >= count;
        self.changed
            .wait_while_until(&mut used, must_wait, deadline);
    }

    /// Waits for the program's end, at most until `deadline`.
    pub fn wait_end(&self, deadline: Instant) {
        self.wait_below(0, deadline);
    }

    /// From now on nothing more is accepted and no connection is kept.
    pub fn end(&self) {
        self.used.lock().is_ending = true;
        self.changed.notify_all();
    }

    /// Waits until there are no more connections than `most` counts, at most until `deadline`; false
    /// when that never was so.
    pub fn wait_until_at_most(&self, most: impl Fn() -> usize, deadline: Instant) -> bool {
        loop {
            // Asked before the lock is taken: nobody holds two.
            let most = most();
            let mut used = self.used.lock();
            if used.count <= most {
                return true;
            }
            if self.changed.wait_until(&mut used, deadline).timed_out() {
                return used.count <= most;
            }
        }
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        let mut used = self.limit.used.lock();
        used.count -= 1;
        if let Some(address) = self.address {
            if let Some(count) = used.of_address.get_mut(&address) {
                *count -= 1;
                if *count == 0 {
                    used.of_address.remove(&address);
                }
            }
        }
        drop(used);
        self.limit.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{net::Ipv4Addr, time::Duration};

    const HERE: Option<IpAddr> = Some(IpAddr::V4(Ipv4Addr::LOCALHOST));
    const THERE: Option<IpAddr> = Some(IpAddr::V4(Ipv4Addr::BROADCAST));

    #[test]
    fn an_address_gets_as_many_connections_as_it_may_have() {
        let limit = ConnectionLimit::new(10, Some(2));
        let first = limit.permit(HERE);
        assert!(first.is_allowed);
        let second = limit.permit(HERE);
        assert!(second.is_allowed);
        let refused = limit.permit(HERE);
        assert!(!refused.is_allowed);
        let third = limit.permit(THERE);
        assert!(third.is_allowed, "another");
        drop(refused);
        assert!(
            !limit.permit(HERE).is_allowed,
            "the refused one did not count"
        );
        drop(first);
        assert!(limit.permit(HERE).is_allowed);
    }

    #[test]
    fn permits_give_themselves_back() {
        let limit = ConnectionLimit::new(2, None);
        let (first, second) = (limit.permit(HERE), limit.permit(HERE));
        assert!(limit.is_full() && limit.is_scarce());
        drop(first);
        assert_eq!((limit.open(), limit.is_full()), (1, false));
        drop(second);
        assert_eq!(limit.open(), 0);
    }

    #[test]
    fn whoever_waits_for_a_place_is_woken_by_the_end() {
        let limit = ConnectionLimit::new(1, None);
        let _only = limit.permit(HERE);
        let waiting = Arc::clone(&limit);
        let far = Instant::now() + Duration::from_secs(60);
        let waiter = std::thread::spawn(move || waiting.wait_below(1, far));
        limit.end();
        waiter.join().expect("no panic");
        assert!(Instant::now() < far && limit.is_scarce());
    }
}
