//! The flag by which threads that are no client's learn that the program ends.
//!
//! Whoever paces itself does it through [`ShutdownFlag::wait_until`], so that stopping never
//! waits for a timer. Nobody polls it: `wait_until` returns early, and loops ask `is_set` between
//! two pictures.

use parking_lot::{Condvar, Mutex};
use std::time::Instant;

/// Set once, for ever, when the program ends.
#[derive(Debug, Default)]
pub struct ShutdownFlag {
    /// Guards the flag only; never held while anything else is done.
    set: Mutex<bool>,
    changed: Condvar,
}

impl ShutdownFlag {
    /// Ends every wait, now and from now on.
    pub fn set(&self) {
        *self.set.lock() = true;
        self.changed.notify_all();
    }

    /// True once the program is ending.
    pub fn is_set(&self) -> bool {
        *self.set.lock()
    }

    /// Waits until `deadline`; true when the program is ending instead.
    pub fn wait_until(&self, deadline: Instant) -> bool {
        let mut set = self.set.lock();
        while !*set {
            if self.changed.wait_until(&mut set, deadline).timed_out() {
                break;
            }
        }
        *set
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{sync::Arc, thread, time::Duration};

    fn far() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    #[test]
    fn setting_ends_a_wait_at_once() {
        let stop = Arc::new(ShutdownFlag::default());
        let waiting = Arc::clone(&stop);
        let waiter = thread::spawn(move || waiting.wait_until(far()));
        stop.set();
        assert!(waiter.join().expect("the waiter does not panic"));
        assert!(stop.wait_until(far()));
    }

    #[test]
    fn wait_ends_at_its_deadline() {
        assert!(!ShutdownFlag::default().wait_until(Instant::now() + Duration::from_millis(5)));
    }
}
