//! The slot: holder of the latest frame, and the only place where capture and clients meet.
//!
//! Encoders and pass-through publish; clients wait for something newer than what they last sent.
//! Nobody queues: who comes back late finds the newest frame and never learns of the ones between.
//! Watching is a subscription that gives itself back; capture asks `is_watched` to know whether
//! encoding is worth it. Knows nothing of HTTP or OpenCV.

use crate::feed::{
    frame::Frame,
    notify::{Notifier, SharedNotifier},
};
use crossbeam_channel::Sender;
use parking_lot::{Mutex, RwLock};
use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Instant,
};

/// Holder of the latest frame of one camera.
#[derive(Debug, Default)]
pub struct Slot {
    /// Guards the pointer only: taken for the time of one clone or one exchange.
    latest: RwLock<Option<Arc<Frame>>>,
    /// Its sequence: whoever has that frame already need not take the lock to see that there is no
    /// other. Written under the lock.
    newest_sequence: AtomicU64,
    /// Notified after each publication.
    newer: Notifier,
    /// Notified once, at the end; apart from `newer`, so that frames do not wake who waits for the end
    /// only.
    closed: Notifier,
    /// Notified with both, for those who wait for any of several cameras.
    shared: OnceLock<Arc<SharedNotifier>>,
    is_closed: AtomicBool,
    watchers: AtomicUsize,
    /// When a watcher last left; held for the time of a copy.
    unwatched_since: Mutex<Option<Instant>>,
    /// Told when watching begins, and when the last watcher has left; held for the time of that.
    waker: Mutex<Option<Sender<()>>>,
}

/// What came of waiting for a newer frame.
#[derive(Debug)]
pub enum WaitOutcome {
    /// The newest frame there is.
    Newer(Arc<Frame>),
    /// Nothing newer until the deadline.
    TimedOut,
    /// The program ends.
    Closed,
}

impl Slot {
    /// Makes `frame` the latest and wakes all who wait; false when it came late, behind a newer
    /// one, and was dropped.
    pub fn publish(&self, frame: Frame) -> bool {
        let frame = Arc::new(frame);
        let replaced = {
            let mut latest = self.latest.write();
            if latest
                .as_ref()
                .is_some_and(|latest| latest.sequence() >= frame.sequence())
            {
                return false;
            }
            self.newest_sequence
                .store(frame.sequence(), Ordering::Release);
            latest.replace(frame)
        };
        self.newer.notify_all();
        self.notify_shared();
        // Freed here, outside the lock, if no client still writes it.
        drop(replaced);
        true
    }

    /// The latest frame, of whatever age.
    pub fn latest(&self) -> Option<Arc<Frame>> {
        self.latest.read().clone()
    }

    /// Waits until `deadline` for a frame with a sequence above `sequence`.
    pub fn wait_newer(&self, sequence: u64, deadline: Instant) -> WaitOutcome {
        let look = || {
            if self.is_closed() {
                return Some(WaitOutcome::Closed);
            }
            if self.newest_sequence() <= sequence {
                return None;
            }
            let latest = self.latest.read();
            let newer = latest
                .as_ref()
                .filter(|latest| latest.sequence() > sequence);
            newer.map(|newer| WaitOutcome::Newer(Arc::clone(newer)))
        };
        self.newer
            .wait_until(deadline, look)
            .unwrap_or(WaitOutcome::TimedOut)
    }

    /// Waits until `deadline` whatever is published; true when the program ends instead.
    pub fn wait_closed(&self, deadline: Instant) -> bool {
        let look = || self.is_closed().then_some(());
        self.closed.wait_until(deadline, look).is_some()
    }

    /// Ends every wait, now and from now on.
    pub fn close(&self) {
        self.is_closed.store(true, Ordering::Release);
        self.newer.notify_all();
        self.closed.notify_all();
        self.notify_shared();
    }

    /// True when the program ends.
    pub fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Acquire)
    }

    /// The sequence of the latest frame, 0 before the first; read without a lock.
    pub fn newest_sequence(&self) -> u64 {
        self.newest_sequence.load(Ordering::Acquire)
    }

    /// From now on `shared` is notified of newer frames and of the end, too; once per slot.
    pub fn also_notify(&self, shared: Arc<SharedNotifier>) {
        let _ = self.shared.set(shared);
    }

    fn notify_shared(&self) {
        if let Some(shared) = self.shared.get() {
            shared.notify_all();
        }
    }

    /// Subscribes until the result is dropped.
    pub fn watch(self: &Arc<Slot>) -> Watch {
        if self.watchers.fetch_add(1, Ordering::AcqRel) == 0 {
            self.wake();
        }
        Watch {
            slot: Arc::clone(self),
        }
    }

    /// From now on `waker`, and no other, is told when watching begins or ends.
    pub fn wake_on_change(&self, waker: Sender<()>) {
        *self.waker.lock() = Some(waker);
    }

    /// Has the one who is told of watchers look around.
    pub fn wake(&self) {
        if let Some(waker) = &*self.waker.lock() {
            // Full means that the message is on its way already.
            let _ = waker.try_send(());
        }
    }

    /// Since when nobody has subscribed: `start`, when nobody ever did. `None` while somebody does.
    pub fn unwatched_since(&self, start: Instant) -> Option<Instant> {
        if self.is_watched() {
            return None;
        }
        Some(self.unwatched_since.lock().unwrap_or(start))
    }

    /// True while anybody subscribes: encoding is worth it.
    pub fn is_watched(&self) -> bool {
        self.watchers.load(Ordering::Acquire) > 0
    }
}

/// A subscription to the slot; ends when dropped.
#[derive(Debug)]
pub struct Watch {
    slot: Arc<Slot>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        // Before the count falls: whoever then sees nobody watching finds this time, no older one.
        *self.slot.unwatched_since.lock() = Some(Instant::now());
        if self.slot.watchers.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.slot.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::frame::CaptureTime;
    use std::{thread, time::Duration};

    fn frame(sequence: u64) -> Frame {
        Frame::live(sequence, CaptureTime::now(), 4, |out| {
            out.extend_from_slice(b"JPEG")
        })
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_millis(5)
    }

    #[test]
    fn late_frame_is_dropped() {
        let slot = Slot::default();
        assert!(slot.publish(frame(2)));
        assert!(!slot.publish(frame(1)));
        assert!(!slot.publish(frame(2)));
        assert_eq!(slot.latest().expect("published").sequence(), 2);
    }

    #[test]
    fn waiting_gives_the_newest_only() {
        let slot = Slot::default();
        for sequence in 1..=5 {
            slot.publish(frame(sequence));
        }
        let WaitOutcome::Newer(newest) = slot.wait_newer(1, soon()) else {
            panic!("one is there")
        };
        assert_eq!(newest.sequence(), 5);
        assert!(matches!(slot.wait_newer(5, soon()), WaitOutcome::TimedOut));
    }

    #[test]
    fn every_waiter_is_woken() {
        let slot = Arc::new(Slot::default());
        let far = Instant::now() + Duration::from_secs(60);
        let waiters: Vec<_> = (0..8)
            .map(|_| {
                let slot = Arc::clone(&slot);
                thread::spawn(move || matches!(slot.wait_newer(0, far), WaitOutcome::Newer(_)))
            })
            .collect();
        slot.publish(frame(1));
        for waiter in waiters {
            assert!(waiter.join().expect("no panic"));
        }
    }

    #[test]
    fn closing_ends_every_wait() {
        let slot = Slot::default();
        slot.publish(frame(1));
        slot.close();
        let far = Instant::now() + Duration::from_secs(60);
        assert!(matches!(slot.wait_newer(0, far), WaitOutcome::Closed));
    }

    #[test]
    fn a_watch_gives_itself_back() {
        let slot = Arc::new(Slot::default());
        let first = slot.watch();
        let second = slot.watch();
        drop(first);
        assert!(slot.is_watched());
        drop(second);
        assert!(!slot.is_watched());
    }

    #[test]
    fn the_first_watcher_and_the_last_to_leave_wake() {
        let slot = Arc::new(Slot::default());
        let (waker, woken) = crossbeam_channel::bounded(1);
        slot.wake_on_change(waker);
        let start = Instant::now();
        assert_eq!(slot.unwatched_since(start), Some(start));
        let first = slot.watch();
        assert!(woken.try_recv().is_ok(), "watching begins");
        assert_eq!(slot.unwatched_since(start), None);
        let second = slot.watch();
        drop(first);
        assert!(woken.try_recv().is_err(), "one still watches");
        drop(second);
        assert!(woken.try_recv().is_ok(), "watching ends");
        assert!(slot.unwatched_since(start).expect("nobody watches") >= start);
    }
}
