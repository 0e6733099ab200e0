//! The supervisor's hold on a capture thread, and what the thread reports back.
//!
//! The supervisor activates a lease when the thread's pictures shall count, and revokes it when it
//! abandons the thread. A thread that returns from a long hang finds its lease revoked and ends
//! without touching anything. However a thread ends, even by a panic, the supervisor is told.

use crate::{
    capture::interrupt::Interrupt,
    config::Size,
    error::Error,
    feed::{camera::SourceInfo, controls::CameraControls},
};
use parking_lot::{Condvar, Mutex};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// The supervisor's hold on one capture thread.
#[derive(Debug)]
pub struct CaptureLease {
    /// Number of the capture thread, from 1.
    pub id: u64,
    started: Instant,
    /// Held for the time of a comparison.
    state: Mutex<LeaseState>,
    changed: Condvar,
    /// Time of the last picture, in milliseconds since `started`; 0 before the first.
    last_picture: AtomicU64,
    /// How long a picture takes to come, in milliseconds; 0 before the second.
    interval: AtomicU64,
    /// Ends what the thread waits for.
    pub interrupt: Arc<Interrupt>,
}

/// What the thread is to do; each comes at most once, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LeaseState {
    /// Open the device.
    Pending,
    /// Give pictures.
    Active,
    /// End, and touch nothing.
    Revoked,
}

impl CaptureLease {
    /// A lease that is neither active nor revoked.
    pub fn new(id: u64, now: Instant) -> CaptureLease {
        CaptureLease {
            id,
            started: now,
            state: Mutex::new(LeaseState::Pending),
            changed: Condvar::new(),
            last_picture: AtomicU64::new(0),
            interval: AtomicU64::new(0),
            interrupt: Arc::default(),
        }
    }

    /// From now on the pictures count.
    pub fn activate(&self) {
        self.set(LeaseState::Active);
    }

    /// True when the pictures count.
    pub fn is_active(&self) -> bool {
        *self.state.lock() == LeaseState::Active
    }

    /// Waits until the lease is activated or revoked; not for a picture, which may be far off.
    pub fn wait_for_activation(&self) {
        let mut state = self.state.lock();
        let is_pending = |state: &mut LeaseState| *state == LeaseState::Pending;
        self.changed.wait_while(&mut state, is_pending);
    }

    /// From now on nothing the thread does counts, and it need not wait for pictures any more.
    pub fn revoke(&self) {
        self.set(LeaseState::Revoked);
        self.interrupt.fire();
    }

    /// True when nothing the thread does counts any more.
    pub fn is_revoked(&self) -> bool {
        *self.state.lock() == LeaseState::Revoked
    }

    fn set(&self, state: LeaseState) {
        *self.state.lock() = state;
        self.changed.notify_all();
    }

    /// Notes that the thread has got a picture, of whatever quality.
    pub fn note_picture(&self, now: Instant) {
        let millis = now.saturating_duration_since(self.started).as_millis();
        let millis = u64::try_from(millis).unwrap_or(u64::MAX).max(1);
        let before = self.last_picture.swap(millis, Ordering::Relaxed);
        if before > 0 {
            // A burst does not make a slow source fast.
            let usual = self.interval.load(Ordering::Relaxed) / 2;
            let interval = millis.saturating_sub(before).max(usual).max(1);
            self.interval.store(interval, Ordering::Relaxed);
        }
    }

    /// How long a picture takes to come; `None` before the second.
    pub fn interval(&self) -> Option<Duration> {
        let millis = self.interval.load(Ordering::Relaxed);
        (millis > 0).then(|| Duration::from_millis(millis))
    }

    /// When the thread last got a picture; when it was started, before the first.
    pub fn last_picture(&self) -> Instant {
        self.started + Duration::from_millis(self.last_picture.load(Ordering::Relaxed))
    }
}

/// What a capture thread reports; `lease` is the id of its lease.
#[derive(Debug)]
pub enum CaptureEvent {
    /// The device is open and its first picture came.
    Online {
        /// Whose report it is.
        lease: u64,
        /// What the device gives.
        facts: Box<SourceInfo>,
        /// Its controls, if it may have any.
        controls: Option<Arc<dyn CameraControls>>,
    },
    /// The pictures have another size now.
    Resized {
        /// Whose report it is.
        lease: u64,
        /// The new size.
        size: Size,
    },
    /// The thread is over and has closed its device.
    Ended {
        /// Whose report it is.
        lease: u64,
        /// Why.
        reason: EndReason,
    },
}

/// Why a capture thread ended.
#[derive(Debug)]
pub enum EndReason {
    /// No device opened, or the one that was open was lost.
    Failed(Error),
    /// Its lease was revoked, or the program ends.
    Unwanted,
}
