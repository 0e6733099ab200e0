//! Notifier: wakes all who wait for the same thing with one system call.
//!
//! With a Condvar everybody who is woken takes its mutex, one after the other: at a hundred viewers that
//! is four futex calls a frame and viewer, and 1.2 times the CPU of a frame delivered (1.3 times at 500;
//! `make bench`, beside the Condvar version). Here a waiter makes one call and looks at what it waits for
//! without a lock. Linux only, like the cameras; see futex(2).

use rustix::thread::futex::{Flags, Timespec, wait, wake};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicUsize, Ordering, fence},
    },
    time::Instant,
};

/// See the module.
#[derive(Debug, Default)]
pub struct Notifier {
    /// Notifications so far; wraps around.
    notifications: AtomicU32,
}

impl Notifier {
    /// Wakes everybody who waits, after the thing they wait for has been made visible.
    pub fn notify_all(&self) {
        self.notifications.fetch_add(1, Ordering::Release);
        let everybody = i32::MAX.unsigned_abs();
        let _ = wake(&self.notifications, Flags::PRIVATE, everybody);
    }

    /// Waits until `look` finds something, asked at once and after each notification, at most until
    /// `deadline`.
    pub fn wait_until<T>(&self, deadline: Instant, look: impl Fn() -> Option<T>) -> Option<T> {
        loop {
            // Read before looking: a notification in between is then seen by the kernel, which compares.
            let seen = self.notifications.load(Ordering::Acquire);
            if let Some(found) = look() {
                return Some(found);
            }
            let left = deadline.checked_duration_since(Instant::now())?;
            // Longer than anybody waits, if it does not fit.
            let left = Timespec::try_from(left).ok();
            let _ = wait(&self.notifications, Flags::PRIVATE, seen, left.as_ref());
        }
    }
}

/// Wakes those who wait for any of several things. While nobody does, a notification costs a load.
#[derive(Debug, Default)]
pub struct SharedNotifier {
    notifier: Notifier,
    /// [`Waiter`]s there are.
    waiters: AtomicUsize,
}

impl SharedNotifier {
    /// Wakes everybody who waits, after the thing they wait for has been made visible.
    pub fn notify_all(&self) {
        // That thing, then the count; a waiter is counted, then looks. So one of the two sees the other.
        fence(Ordering::SeqCst);
        if self.waiters.load(Ordering::Relaxed) > 0 {
            self.notifier.notify_all();
        }
    }

    /// One who waits, until it is dropped.
    pub fn waiter(self: &Arc<SharedNotifier>) -> Waiter {
        self.waiters.fetch_add(1, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        Waiter {
            shared: Arc::clone(self),
        }
    }
}

/// One who waits for any of several things, more than once.
#[derive(Debug)]
pub struct Waiter {
    shared: Arc<SharedNotifier>,
}

impl Waiter {
    /// As [`Notifier::wait_until`].
    pub fn wait_until<T>(&self, deadline: Instant, look: impl Fn() -> Option<T>) -> Option<T> {
        self.shared.notifier.wait_until(deadline, look)
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        self.shared.waiters.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{sync::atomic::AtomicU64, thread, time::Duration};

    #[test]
    fn everybody_is_woken_by_one_notification() {
        let shared = Arc::new((Notifier::default(), AtomicU64::new(0)));
        let far = Instant::now() + Duration::from_secs(60);
        let waiters: Vec<_> = (0..16)
            .map(|_| {
                let shared = Arc::clone(&shared);
                thread::spawn(move || {
                    let (notifier, value) = &*shared;
                    notifier.wait_until(far, || {
                        Some(value.load(Ordering::Relaxed)).filter(|&v| v > 0)
                    })
                })
            })
            .collect();
        shared.1.store(7, Ordering::Relaxed);
        shared.0.notify_all();
        for waiter in waiters {
            assert_eq!(waiter.join().expect("no panic"), Some(7));
        }
    }

    #[test]
    fn no_notification_is_lost_between_looking_and_waiting() {
        let shared = Arc::new((Notifier::default(), AtomicU64::new(0)));
        let far = Instant::now() + Duration::from_secs(60);
        let notifying = Arc::clone(&shared);
        let sender = thread::spawn(move || {
            for _ in 0..20_000 {
                notifying.1.fetch_add(1, Ordering::Relaxed);
                notifying.0.notify_all();
            }
        });
        let mut seen = 0;
        while seen < 20_000 {
            let newer = || Some(shared.1.load(Ordering::Relaxed)).filter(|&value| value > seen);
            seen = shared
                .0
                .wait_until(far, newer)
                .expect("woken, never timed out");
        }
        sender.join().expect("no panic");
    }

    #[test]
    fn who_begins_to_wait_for_several_things_loses_no_notification() {
        let far = Instant::now() + Duration::from_secs(60);
        for _ in 0..2_000 {
            let shared = Arc::new(SharedNotifier::default());
            let value = Arc::new(AtomicU64::new(0));
            let (notifying, changed) = (Arc::clone(&shared), Arc::clone(&value));
            let sender = thread::spawn(move || {
                changed.store(1, Ordering::Release);
                notifying.notify_all();
            });
            let look = || Some(value.load(Ordering::Acquire)).filter(|&value| value > 0);
            assert_eq!(shared.waiter().wait_until(far, look), Some(1));
            sender.join().expect("no panic");
            assert_eq!(shared.waiters.load(Ordering::Relaxed), 0);
        }
    }

    #[test]
    fn nobody_is_notified_where_nobody_waits() {
        let shared = Arc::new(SharedNotifier::default());
        let notifications = || shared.notifier.notifications.load(Ordering::Relaxed);
        shared.notify_all();
        assert_eq!(notifications(), 0);
        let _waiter = shared.waiter();
        shared.notify_all();
        assert_eq!(notifications(), 1);
    }

    #[test]
    fn a_wait_for_nothing_ends_at_its_deadline() {
        let notifier = Notifier::default();
        let soon = Instant::now() + Duration::from_millis(5);
        assert_eq!(notifier.wait_until(soon, || None::<()>), None);
        assert!(Instant::now() >= soon);
    }
}
