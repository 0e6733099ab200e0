//! How many connections there are, in all and of each address.
//!
//! A [`Place`] gives itself back when its connection is closed, whoever held it and however that
//! ended. Knows no sockets.

use crate::stats::Counter;
use parking_lot::{Condvar, Mutex};
use rustix::{
    event::{EventfdFlags, eventfd},
    io,
};
use std::{
    collections::HashMap,
    net::IpAddr,
    os::fd::OwnedFd,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

/// The connections' count and what became of those that are gone.
#[derive(Debug)]
pub struct Places {
    max: usize,
    max_per_address: Option<usize>,
    /// Held for a count.
    open: Mutex<usize>,
    /// A place was given back.
    left: Condvar,
    /// Held for one entry; only filled when there is a limit.
    of_address: Mutex<HashMap<IpAddr, usize>>,
    /// The front waits for a place: tell it when there is one.
    is_wanted: AtomicBool,
    /// Wakes the front.
    pub bell: OwnedFd,
    /// Connections that were accepted.
    pub accepted: Counter,
    /// Connections of an address that had as many as it may have.
    pub refused: Counter,
    /// Connections that had asked for nothing and made room for new ones.
    pub displaced: Counter,
    /// Connections whose request or next request did not come in time.
    pub timed_out: Counter,
    /// Requests that were answered by the front with an error, because they were malformed or too
    /// long.
    pub malformed: Counter,
}

impl Places {
    /// For `max` connections, and `max_per_address` of one address.
    ///
    /// # Errors
    ///
    /// Those of eventfd(2).
    pub fn new(max: usize, max_per_address: Option<usize>) -> io::Result<Arc<Places>> {
        Ok(Arc::new(Places {
            max,
            max_per_address,
            open: Mutex::new(0),
            left: Condvar::new(),
            of_address: Mutex::default(),
            is_wanted: AtomicBool::new(false),
            bell: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
            accepted: Counter::default(),
            refused: Counter::default(),
            displaced: Counter::default(),
            timed_out: Counter::default(),
            malformed: Counter::default(),
        }))
    }

    /// Connections at once, at most.
    pub fn max(&self) -> usize {
        self.max
    }

    /// Connections now.
    pub fn open(&self) -> usize {
        *self.open.lock()
    }

    /// True when every place is taken.
    pub fn are_taken(&self) -> bool {
        self.open() >= self.max
    }

    /// True when so few are left that a connection is better closed after its answer than kept.
    pub fn are_scarce(&self) -> bool {
        self.open() * 4 > self.max * 3
    }

    /// Waits until there are no more connections than `most` counts, at most until `deadline`; false
    /// when that never was so.
    pub fn wait_open(&self, most: impl Fn() -> usize, deadline: Instant) -> bool {
        loop {
            // Asked before the lock is taken: nobody holds two.
            let most = most();
            let mut open = self.open.lock();
            if *open <= most {
                return true;
            }
            if self.left.wait_until(&mut open, deadline).timed_out() {
                return *open <= most;
            }
        }
    }

    /// A place for a connection of `address`; `None` when that address has as many as it may have.
    /// The count of all is kept by the front, which alone takes places.
    pub fn take(self: &Arc<Places>, address: Option<IpAddr>) -> Option<Place> {
        let address = address.filter(|_| self.max_per_address.is_some());
        if let (Some(address), Some(most)) = (address, self.max_per_address) {
            let mut of_address = self.of_address.lock();
            let count = of_address.entry(address).or_default();
            if *count >= most {
                return None;
            }
            *count += 1;
        }
        *self.open.lock() += 1;
        Some(Place {
            places: Arc::clone(self),
            address,
        })
    }

    /// From now until the next place is given back the front wants to know of it.
    pub fn want(&self) {
        self.is_wanted.store(true, Ordering::SeqCst);
    }

    /// Wakes the front.
    pub fn ring(&self) {
        let _ = io::write(&self.bell, &1u64.to_ne_bytes());
    }
}

/// One connection's place.
#[derive(Debug)]
pub struct Place {
    places: Arc<Places>,
    address: Option<IpAddr>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let places = &self.places;
        *places.open.lock() -= 1;
        places.left.notify_all();
        if let Some(address) = self.address {
            let mut of_address = places.of_address.lock();
            if let Some(count) = of_address.get_mut(&address) {
                *count -= 1;
                if *count == 0 {
                    of_address.remove(&address);
                }
            }
        }
        if places.is_wanted.swap(false, Ordering::SeqCst) {
            places.ring();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    const HERE: Option<IpAddr> = Some(IpAddr::V4(Ipv4Addr::LOCALHOST));
    const THERE: Option<IpAddr> = Some(IpAddr::V4(Ipv4Addr::BROADCAST));

    #[test]
    fn an_address_gets_as_many_places_as_it_may_have() {
        let places = Places::new(10, Some(2)).expect("an eventfd");
        let first = places.take(HERE).expect("a place");
        let _second = places.take(HERE).expect("a place");
        assert!(places.take(HERE).is_none());
        let _third = places.take(THERE).expect("a place for another");
        drop(first);
        assert!(places.take(HERE).is_some());
    }

    #[test]
    fn places_give_themselves_back() {
        let places = Places::new(2, None).expect("an eventfd");
        let (first, second) = (places.take(HERE), places.take(None));
        assert!(places.are_taken());
        drop(first);
        assert_eq!((places.open(), places.are_taken()), (1, false));
        drop(second);
        assert_eq!(places.open(), 0);
    }

    #[test]
    fn the_front_is_rung_once_for_a_place_it_wants() {
        let places = Places::new(1, None).expect("an eventfd");
        let mut count = [0; 8];
        drop(places.take(None));
        assert!(io::read(&places.bell, &mut count).is_err(), "not rung");
        let place = places.take(None);
        places.want();
        drop(place);
        assert!(io::read(&places.bell, &mut count).is_ok(), "rung");
    }
}
