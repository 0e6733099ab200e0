//! Live numbers: counters anybody may bump, a rate over the last seconds, and how long things take.
//!
//! Settings stand in `config`; what changes while the program runs stands here. Counters are
//! relaxed atomics: each is read alone, for people, and orders nothing.

use parking_lot::Mutex;
use std::{
    collections::VecDeque,
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

/// Events a second over the last [`Rate::WINDOW`].
#[derive(Debug, Default)]
pub struct Rate {
    /// Times of the last events, oldest first.
    times: Mutex<VecDeque<Instant>>,
}

impl Rate {
    const WINDOW: Duration = Duration::from_secs(3);
    /// Bounds the memory: at more than 85 events a second the window is shorter than it says.
    const MOST: usize = 256;

    /// Counts one event.
    pub fn tick(&self, now: Instant) {
        let mut times = self.times.lock();
        if times.len() == Rate::MOST {
            times.pop_front();
        }
        times.push_back(now);
    }

    /// Events a second; falls to 0 when they stop coming.
    pub fn per_second(&self, now: Instant) -> f64 {
        let mut times = self.times.lock();
        // The last two stay, so that a source slower than the window still has a rate.
        while times.len() > 2 && now.duration_since(times[0]) > Rate::WINDOW {
            times.pop_front();
        }
        let (Some(&first), Some(&last)) = (times.front(), times.back()) else {
            return 0.0;
        };
        let intervals = (times.len() - 1) as f64;
        let span = last.duration_since(first).as_secs_f64();
        if intervals < 1.0 || span == 0.0 {
            return 0.0;
        }
        if is_over(now.duration_since(last), span / intervals) {
            0.0
        } else {
            intervals / span
        }
    }
}

/// Events a second of late, counted by one thread and read by others. Nothing is locked and next to
/// nothing stored: there is one for each viewer, and each of its parts touches it.
#[derive(Debug, Default)]
pub struct Pulse {
    /// Time of the last event, in microseconds since a moment of the owner's; 0 before the first.
    last: AtomicU64,
    /// Mean time between two, in nanoseconds; 0 before the second.
    interval: AtomicU64,
}

impl Pulse {
    /// The mean follows the last so many.
    const EVENTS: u64 = 16;

    /// Counts one event, so long after the owner's moment.
    pub fn beat(&self, at: Duration) {
        let at = u64::try_from(at.as_micros()).unwrap_or(u64::MAX).max(1);
        let last = self.last.load(Ordering::Relaxed);
        self.last.store(at, Ordering::Relaxed);
        if last == 0 {
            return;
        }
        let new = at.saturating_sub(last).saturating_mul(1000);
        let mean = match self.interval.load(Ordering::Relaxed) {
            0 => new,
            old => old - old / Pulse::EVENTS + new / Pulse::EVENTS,
        };
        self.interval.store(mean, Ordering::Relaxed);
    }

    /// Events a second; falls to 0 when they stop coming.
    pub fn per_second(&self, now: Duration) -> f64 {
        let last = Duration::from_micros(self.last.load(Ordering::Relaxed));
        let interval = self.interval.load(Ordering::Relaxed) as f64 / 1e9;
        if interval == 0.0 || is_over(now.saturating_sub(last), interval) {
            0.0
        } else {
            1.0 / interval
        }
    }
}

/// A gap much longer than usual means that a rate is falling, and is said at once.
fn is_over(silence: Duration, interval: f64) -> bool {
    silence.as_secs_f64() > 3.0 * interval + 0.5
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
    fn a_pulse_follows_its_events_and_ends_with_them() {
        let pulse = Pulse::default();
        let millis = Duration::from_millis;
        assert_eq!(pulse.per_second(millis(0)), 0.0);
        for beat in 0..60 {
            pulse.beat(millis(beat * 40));
        }
        assert!((pulse.per_second(millis(2400)) - 25.0).abs() < 0.01);
        // Slower from now on.
        for beat in 0..60 {
            pulse.beat(millis(2400 + beat * 100));
        }
        assert!((pulse.per_second(millis(8400)) - 10.0).abs() < 0.5);
        assert_eq!(pulse.per_second(millis(10_000)), 0.0);
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
