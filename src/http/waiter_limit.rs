//! How many clients may wait for a picture at once.

use crate::system::log_limit::LogLimiter;
use log::warn;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Those who may wait for a picture at once: each has a thread, and while the camera is away all
/// who ask wait.
#[derive(Debug)]
pub struct WaiterLimit {
    most: usize,
    now: AtomicUsize,
    /// Log lines about those who may not.
    full_lines: LogLimiter,
}

/// One of them; leaves when dropped.
pub struct Waiter<'a>(&'a WaiterLimit);

impl WaiterLimit {
    /// At most so many.
    pub fn new(most: usize) -> WaiterLimit {
        WaiterLimit {
            most,
            now: AtomicUsize::new(0),
            full_lines: LogLimiter::per_minute(1),
        }
    }

    /// One more, until the result is dropped; `None` when there are as many as there may be, which the log
    /// says with the option.
    pub fn enter(&self) -> Option<Waiter<'_>> {
        let waiter = Waiter(self);
        if self.now.fetch_add(1, Ordering::Relaxed) < self.most {
            return Some(waiter);
        }
        if let Some(suppressed) = self.full_lines.permit() {
            let most = self.most;
            warn!("snapshot refused: {most} wait for a picture (--max-connections){suppressed}");
        }
        None
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_wait_than_may() {
        let waiters = WaiterLimit::new(2);
        let first = waiters.enter().expect("a place");
        let _second = waiters.enter().expect("a place");
        assert!(waiters.enter().is_none());
        drop(first);
        assert!(waiters.enter().is_some());
    }
}
