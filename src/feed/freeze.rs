//! Freeze detection: a camera that gives the very same picture again and again.
//!
//! A function of times and comparisons; `Camera` feeds it with each frame of a
//! source that cannot repeat itself bit for bit.

use std::time::{Duration, Instant};

/// See the module.
#[derive(Debug, Default)]
pub struct FreezeDetector {
    /// Capture time of the first picture that was the same as the one before; `None` while they differ.
    same_since: Option<Instant>,
    is_frozen: bool,
}

/// What a picture changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// The camera is frozen, and its picture has been the same for this long.
    Froze(Duration),
    /// The camera is not frozen any more.
    Thawed,
}

impl FreezeDetector {
    /// Notes a picture captured at `captured`. Pictures that are the same for `limit` are frozen.
    pub fn note(&mut self, is_same: bool, captured: Instant, limit: Duration) -> Option<Change> {
        self.same_since = is_same.then(|| self.same_since.unwrap_or(captured));
        let same_for = self
            .same_since
            .map(|since| captured.saturating_duration_since(since));
        let frozen = same_for.filter(|time| *time >= limit);
        let was_frozen = std::mem::replace(&mut self.is_frozen, frozen.is_some());
        match frozen {
            Some(time) if !was_frozen => Some(Change::Froze(time)),
            None if was_frozen => Some(Change::Thawed),
            _ => None,
        }
    }

    /// True while the picture is frozen.
    pub fn is_frozen(&self) -> bool {
        self.is_frozen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_picture_for_the_limit_is_frozen_until_another_comes() {
        let start = Instant::now();
        let mut detector = FreezeDetector::default();
        let limit = Duration::from_secs(2);
        // Seconds, whether the picture is the one before, what changes, whether it is frozen then.
        for (second, is_same, change, is_frozen) in [
            (0, false, None, false),
            (1, true, None, false),
            (2, true, None, false),
            (3, true, Some(Change::Froze(limit)), true),
            (4, true, None, true),
            (5, false, Some(Change::Thawed), false),
            (6, true, None, false),
            (7, false, None, false),
            (8, true, None, false),
            (9, true, None, false),
            (20, true, Some(Change::Froze(Duration::from_secs(12))), true),
        ] {
            let at = start + Duration::from_secs(second);
            assert_eq!(detector.note(is_same, at, limit), change, "at {second} s");
            assert_eq!(detector.is_frozen(), is_frozen, "at {second} s");
        }
    }

    #[test]
    fn a_picture_that_is_late_counts_no_time() {
        let start = Instant::now() + Duration::from_secs(60);
        let mut detector = FreezeDetector::default();
        let limit = Duration::from_secs(2);
        detector.note(true, start, limit);
        let earlier = start - Duration::from_secs(30);
        assert_eq!(detector.note(true, earlier, limit), None);
        assert!(!detector.is_frozen());
    }
}
