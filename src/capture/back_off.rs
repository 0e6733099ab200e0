//! How long to wait before a lost device is tried again: longer each time, up to a bound.

use std::time::Duration;

/// The first wait.
pub const FIRST: Duration = Duration::from_millis(500);

/// The longest for a device that is tried at once when its node comes.
const LONGEST: Duration = Duration::from_secs(5);

/// The longest for a camera module, which has no such node.
const LONGEST_OF_MODULE: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Debug)]
pub struct BackOff {
    next: Duration,
}

impl BackOff {
    /// Nothing was tried yet.
    pub fn new() -> BackOff {
        BackOff { next: FIRST }
    }

    /// The wait that begins now.
    pub fn take(&mut self, is_module: bool) -> Duration {
        let longest = if is_module {
            LONGEST_OF_MODULE
        } else {
            LONGEST
        };
        let wait = self.next.min(longest);
        self.next = (wait * 2).min(longest);
        wait
    }

    /// The next wait is the first again.
    pub fn reset(&mut self) {
        self.next = FIRST;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_to_its_bound_and_begins_anew() {
        let mut back_off = BackOff::new();
        let waits = |back_off: &mut BackOff, is_module| -> Vec<u128> {
            (0..6)
                .map(|_| back_off.take(is_module).as_millis())
                .collect()
        };
        assert_eq!(
            waits(&mut back_off, false),
            [500, 1000, 2000, 4000, 5000, 5000]
        );
        back_off.reset();
        assert_eq!(
            waits(&mut back_off, true),
            [500, 1000, 1000, 1000, 1000, 1000]
        );
    }
}
