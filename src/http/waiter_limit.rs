//! How many clients may wait for a picture at once.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Those who may wait for a picture at once: each has a thread, and while the camera is away all
/// who ask wait.
#[derive(Debug)]
pub struct WaiterLimit {
    most: usize,
    now: AtomicUsize,
}

/// One of them; leaves when dropped.
pub struct Waiter<'a>(&'a WaiterLimit);

impl WaiterLimit {
    /// At most so many.
    pub fn new(most: usize) -> WaiterLimit {
        WaiterLimit {
            most,
            now: AtomicUsize::new(0),
        }
    }

    /// One more, until the result is dropped; `None` when there are as many as there may be.
    pub fn enter(&self) -> Option<Waiter<'_>> {
        let waiter = Waiter(self);
        (self.now.fetch_add(1, Ordering::Relaxed) < self.most).then_some(waiter)
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
