//! Live numbers: counters anybody may increment, a rate over the last seconds, and how long things take.
//!
//! Settings stand in `config`; what changes while the program runs stands here. Counters are
//! relaxed atomics: each is read alone, for people, and orders nothing.

use parking_lot::Mutex;
use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

/// A number that only rises.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// One more.
    pub fn increment(&self) {
        self.add(1);
    }

    /// `more` more.
    pub fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    /// As it stands.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What is counted of one camera, from device to slot.
#[derive(Debug, Default)]
pub struct CameraStats {
    /// Pictures the source gave.
    pub captured: Counter,
    /// Pictures never encoded because every encoder was busy.
    pub skipped: Counter,
    /// Pictures that were no whole JPEG and were never sent.
    pub dropped: Counter,
    /// Pictures that came with a wrong length or with other bytes before them, and were whole all the
    /// same.
    pub repaired: Counter,
    /// Frames made by the encoders.
    pub encoded: Counter,
    /// Frames that came out behind a newer one.
    pub late: Counter,
    /// Times the device was opened again after it had been lost.
    pub reopened: Counter,
    /// Pictures a second, as they come.
    pub rate: Rate,
    /// Mean time to encode a frame, of late.
    pub encode_time: Mean,
    /// All times to encode a frame.
    pub encode_times: Histogram,
}

/// Events a second over the last few seconds. An event costs a lock nobody else waits for: readers come
/// once in a while and hold it for a division.
#[derive(Debug, Default)]
pub struct Rate(Mutex<Option<Marks>>);

/// The rate is that of the events from `older` to `last`.
#[derive(Debug)]
struct Marks {
    older: Mark,
    /// Takes the place of `older` when it is a [`Rate::WINDOW`] old.
    newer: Mark,
    last: Mark,
}

/// An event: when it was, and how many came before it.
#[derive(Debug, Clone, Copy)]
struct Mark {
    at: Instant,
    number: u64,
}

impl Rate {
    /// The rate follows events of one to two windows.
    const WINDOW: Duration = Duration::from_millis(1500);

    /// Counts one event.
    pub fn tick(&self, now: Instant) {
        let mut marks = self.0.lock();
        match marks.as_mut().filter(|marks| !marks.are_over(now)) {
            Some(marks) => {
                marks.last.at = now;
                marks.last.number += 1;
                if now.saturating_duration_since(marks.newer.at) >= Rate::WINDOW {
                    marks.older = marks.newer;
                    marks.newer = marks.last;
                }
            }
            None => {
                let first = Mark { at: now, number: 0 };
                *marks = Some(Marks {
                    older: first,
                    newer: first,
                    last: first,
                });
            }
        }
    }

    /// When the last event was.
    pub fn last(&self) -> Option<Instant> {
        self.0.lock().as_ref().map(|marks| marks.last.at)
    }

    /// Events a second; falls to 0 when they stop coming.
    pub fn per_second(&self, now: Instant) -> f64 {
        let marks = self.0.lock();
        let marks = marks.as_ref().filter(|marks| !marks.are_over(now));
        let interval = marks.and_then(Marks::interval);
        interval.map_or(0.0, |interval| 1.0 / interval)
    }
}

impl Marks {
    /// Mean time between two events, in seconds; `None` before the second event.
    fn interval(&self) -> Option<f64> {
        let span = self.last.at.saturating_duration_since(self.older.at);
        let events = self.last.number - self.older.number;
        (!span.is_zero()).then(|| span.as_secs_f64() / events as f64)
    }

    /// True when the gap since the last event is much longer than usual: the events have stopped.
    fn are_over(&self, now: Instant) -> bool {
        let gap = now.saturating_duration_since(self.last.at).as_secs_f64();
        self.interval()
            .is_some_and(|interval| gap > 3.0 * interval + 0.5)
    }
}

/// A mean that follows the last few dozen values.
#[derive(Debug, Default)]
pub struct Mean {
    micros: AtomicU64,
}

impl Mean {
    /// Takes one value in.
    pub fn add(&self, value: Duration) {
        let new = u64::try_from(value.as_micros()).unwrap_or(u64::MAX) * 16;
        let old = self.micros.load(Ordering::Relaxed);
        // A value lost to a race with another worker is one of many.
        let mean = if old == 0 {
            new
        } else {
            old - old / 16 + new / 16
        };
        self.micros.store(mean, Ordering::Relaxed);
    }

    /// In milliseconds; 0 before the first value.
    pub fn millis(&self) -> f64 {
        self.micros.load(Ordering::Relaxed) as f64 / 16_000.0
    }
}

/// How many values there were of each size, since the start. Nothing is locked: a value costs two
/// additions, and a reader may see one of them before the other.
#[derive(Debug, Default)]
pub struct Histogram {
    /// Values up to each bound and above the one before; those above all bounds last.
    counts: [Counter; Histogram::MILLIS.len() + 1],
    micros: Counter,
}

impl Histogram {
    /// The bounds: a frame period of 30 a second, 33 ms, lies in the middle.
    pub const MILLIS: [u16; 9] = [1, 2, 5, 10, 20, 50, 100, 200, 500];

    /// Counts one value.
    pub fn add(&self, value: Duration) {
        let is_above = |&millis: &u16| value > Duration::from_millis(millis.into());
        self.counts[Histogram::MILLIS.partition_point(is_above)].increment();
        let micros = u64::try_from(value.as_micros()).unwrap_or(u64::MAX);
        self.micros.add(micros);
    }

    /// Values up to each bound, smaller ones included; the last is all of them.
    pub fn up_to(&self) -> [u64; Histogram::MILLIS.len() + 1] {
        let mut sum = 0;
        std::array::from_fn(|bucket| {
            sum += self.counts[bucket].get();
            sum
        })
    }

    /// All values together, in seconds.
    pub fn seconds(&self) -> f64 {
        self.micros.get() as f64 / 1e6
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_is_events_a_second() {
        let rate = Rate::default();
        let start = Instant::now();
        for tick in 0..60 {
            rate.tick(start + Duration::from_millis(tick * 40));
        }
        let now = start + Duration::from_millis(59 * 40);
        assert!((rate.per_second(now) - 25.0).abs() < 0.01);
        assert_eq!(rate.per_second(now + Duration::from_secs(2)), 0.0);
    }

    #[test]
    fn a_slow_source_still_has_a_rate() {
        let rate = Rate::default();
        let start = Instant::now();
        assert_eq!(rate.per_second(start), 0.0);
        rate.tick(start);
        assert_eq!(rate.per_second(start), 0.0);
        rate.tick(start + Duration::from_secs(10));
        assert!((rate.per_second(start + Duration::from_secs(12)) - 0.1).abs() < 0.001);
    }

    #[test]
    fn the_rate_follows_its_events_and_a_gap_is_no_part_of_it() {
        let rate = Rate::default();
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        (0..60).for_each(|tick| rate.tick(at(tick * 40)));
        assert!((rate.per_second(at(2400)) - 25.0).abs() < 0.01);
        // Slower from now on.
        (0..60).for_each(|tick| rate.tick(at(2400 + tick * 100)));
        assert!((rate.per_second(at(8400)) - 10.0).abs() < 0.01);
        assert_eq!(rate.per_second(at(10_000)), 0.0);
        // A minute later they come again.
        (0..3).for_each(|tick| rate.tick(at(68_000 + tick * 40)));
        assert!((rate.per_second(at(68_100)) - 25.0).abs() < 0.01);
    }

    #[test]
    fn jitter_of_single_events_does_not_show() {
        let rate = Rate::default();
        let start = Instant::now();
        for tick in 0..300 {
            let jitter = [0, 12, 3, 17, 8][tick as usize % 5];
            let now = start + Duration::from_millis(tick * 40 + jitter);
            rate.tick(now);
            let fps = rate.per_second(now);
            assert!(tick < 50 || (fps - 25.0).abs() < 0.4, "{fps} at {tick}");
        }
    }

    #[test]
    fn a_value_is_counted_up_to_its_bound_and_all_above() {
        let histogram = Histogram::default();
        for micros in [0, 1000, 1001, 33_000, 500_000, 500_001, 9_000_000] {
            histogram.add(Duration::from_micros(micros));
        }
        assert_eq!(histogram.up_to(), [2, 3, 3, 3, 3, 4, 4, 4, 5, 7]);
        assert!((histogram.seconds() - 10.035_002).abs() < 1e-9);
    }

    #[test]
    fn mean_follows_its_values() {
        let mean = Mean::default();
        assert_eq!(mean.millis(), 0.0);
        for _ in 0..200 {
            mean.add(Duration::from_millis(4));
        }
        assert!((mean.millis() - 4.0).abs() < 0.1);
    }
}
