//! The supervisor's hold on a capture thread, and what the thread reports back.
//!
//! The supervisor activates a lease when the thread's pictures shall count, and revokes it when it
//! abandons the thread. A thread that returns from a long hang finds its lease revoked and ends
//! without touching anything. However a thread ends, even by a panic, the supervisor is told.

use crate::{config::Size, error::Error, feed::camera::SourceInfo};
use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::{Duration, Instant},
};

/// The supervisor's hold on one capture thread.
#[derive(Debug)]
pub struct CaptureLease {
    /// Number of the capture thread, from 1.
    pub id: u64,
    started: Instant,
    /// Set once, by the supervisor: the pictures count.
    is_active: AtomicBool,
    /// Set once, by the supervisor: end, and touch nothing.
    is_revoked: AtomicBool,
    /// Time of the last picture, in milliseconds since `started`.
    last_picture: AtomicU64,
}

impl CaptureLease {
    /// A lease that is neither active nor revoked.
    pub fn new(id: u64, now: Instant) -> CaptureLease {
        CaptureLease {
            id,
            started: now,
            is_active: AtomicBool::new(false),
            is_revoked: AtomicBool::new(false),
            last_picture: AtomicU64::new(0),
        }
    }

    /// From now on the pictures count.
    pub fn activate(&self) {
        self.is_active.store(true, Ordering::Relaxed);
    }

    /// True when the pictures count.
    pub fn is_active(&self) -> bool {
        self.is_active.load(Ordering::Relaxed)
    }

    /// From now on nothing the thread does counts.
    pub fn revoke(&self) {
        self.is_revoked.store(true, Ordering::Relaxed);
    }

    /// True when nothing the thread does counts any more.
    pub fn is_revoked(&self) -> bool {
        self.is_revoked.load(Ordering::Relaxed)
    }

    /// Notes that the thread has got a picture, of whatever quality.
    pub fn note_picture(&self, now: Instant) {
        let millis = now.saturating_duration_since(self.started).as_millis();
        let millis = u64::try_from(millis).unwrap_or(u64::MAX);
        self.last_picture.store(millis, Ordering::Relaxed);
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
