//! How old a picture is whose server tells its capture time by a clock of its own.
//!
//! The capture time is passed on as it came, to the microsecond, through any number of relays. Clocks
//! within two seconds of each other are believed: a picture is as old as its time says, and ages add up
//! along a chain of relays. Otherwise its age counts from its arrival. Ages are never negative.

use crate::feed::frame::CaptureTime;
use std::time::{Duration, Instant};

/// Clocks that differ by no more than this agree.
const AGREEING_MICROS: i64 = 2_000_000;

/// A picture may be late by so much on its way; where the time says more, a clock was set.
const MOST_DELAY_MICROS: i64 = 60_000_000;

/// Our wall clock was set when it went further than the other by more than this.
const STEP_MICROS: i64 = 100_000;

/// Unix seconds of the years 2001 to 2100. Some servers tell the time since their start.
const SANE: std::ops::Range<u64> = 1_000_000_000..4_102_444_800;

/// What is known of one server's clock.
#[derive(Debug, Default)]
pub struct Clock {
    /// A picture came within [`AGREEING_MICROS`] of its time, and no clock was set since.
    agrees: bool,
    last: Option<Last>,
}

#[derive(Debug)]
struct Last {
    told: Duration,
    arrived: CaptureTime,
    /// When it was taken, on our clock.
    at: Instant,
}

impl Clock {
    /// When a picture was taken whose server says `told`, and which came at `arrived`.
    pub fn stamp(&mut self, told: Option<Duration>, arrived: CaptureTime) -> CaptureTime {
        let Some(told) = told.filter(|told| SANE.contains(&told.as_secs())) else {
            return arrived;
        };
        let last = self
            .last
            .take()
            .filter(|last| !last.is_before_step(told, arrived));
        let late = micros(arrived.unix) - micros(told);
        let is_near = (-AGREEING_MICROS..=AGREEING_MICROS).contains(&late);
        let did_agree = self.agrees && last.is_some();
        self.agrees = is_near || did_agree && (0..=MOST_DELAY_MICROS).contains(&late);
        let age = if self.agrees { late } else { 0 };
        let age = Duration::from_micros(u64::try_from(age).unwrap_or(0));
        let mut at = arrived.at.checked_sub(age).unwrap_or(arrived.at);
        if let Some(last) = &last {
            // Pictures stay in their order.
            at = at.max(last.at);
        }
        self.last = Some(Last { told, arrived, at });
        CaptureTime { at, unix: told }
    }
}

impl Last {
    /// True when one of the clocks was set before the picture of `told` came.
    fn is_before_step(&self, told: Duration, arrived: CaptureTime) -> bool {
        let by_wall = micros(arrived.unix) - micros(self.arrived.unix);
        let really = micros(arrived.at.saturating_duration_since(self.arrived.at));
        told < self.told || (by_wall - really).abs() > STEP_MICROS
    }
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A picture every 100 ms from a server whose clock is `ahead` ms ahead of ours; each took so
    /// many ms to come. Gives their ages in ms.
    struct Run {
        clock: Clock,
        start: CaptureTime,
        now: u64,
    }

    impl Run {
        fn new() -> Run {
            let start = CaptureTime::now();
            Run {
                clock: Clock::default(),
                start,
                now: 0,
            }
        }

        fn age(&mut self, ahead: i64, delay: u64) -> u64 {
            self.now += 100;
            let arrived = self.arrived(delay);
            let taken =
                micros(self.start.unix) / 1000 + i64::try_from(self.now).expect("small") + ahead;
            let told = Duration::from_millis(u64::try_from(taken).expect("small"));
            let stamp = self.clock.stamp(Some(told), arrived);
            assert_eq!(stamp.unix, told, "passed on as it came");
            u64::try_from((arrived.at - stamp.at).as_millis()).expect("small")
        }

        fn arrived(&self, delay: u64) -> CaptureTime {
            let since = Duration::from_millis(self.now + delay);
            // Whole milliseconds, so that nothing is rounded.
            let unix =
                Duration::from_millis(u64::try_from(self.start.unix.as_millis()).expect("small"));
            CaptureTime {
                at: self.start.at + since,
                unix: unix + since,
            }
        }
    }

    #[test]
    fn ages_are_true_when_the_clocks_agree() {
        let mut run = Run::new();
        let ages: Vec<_> = [30, 80, 20, 5_000].map(|delay| run.age(0, delay)).into();
        assert_eq!(ages, [30, 80, 20, 5_000]);
    }

    #[test]
    fn with_other_clocks_a_picture_is_as_old_as_its_arrival() {
        for (ahead, expected) in [
            (-3_600_000, [0, 0, 0, 0]),
            (-3_000, [0, 0, 0, 0]),
            (-1_000, [1040, 1020, 1020, 1070]),
            (50, [0, 0, 0, 20]),
            (3_600_000, [0, 0, 0, 0]),
        ] {
            let mut run = Run::new();
            let ages = [40, 20, 20, 70].map(|delay| run.age(ahead, delay));
            assert_eq!(ages, expected, "{ahead}");
        }
    }

    #[test]
    fn a_clock_that_drifts_away_does_not_make_pictures_old() {
        let mut run = Run::new();
        // A thousandth: a hundred times worse than clocks are.
        for step in 0..6_000 {
            let age = run.age(-3_600_000 - step / 10, 20);
            assert!(age <= 61, "{step}: {age}");
        }
    }

    #[test]
    fn a_clock_that_is_set_is_believed_at_once() {
        let mut run = Run::new();
        for ahead in [-3_600_000, 0, 10_000, -10_000] {
            for _ in 0..3 {
                assert!(run.age(ahead, 20) <= 20, "{ahead}");
            }
        }
    }

    #[test]
    fn our_own_clock_may_be_set() {
        let mut run = Run::new();
        assert_eq!(run.age(0, 20), 20);
        run.start.unix += Duration::from_secs(3600);
        assert_eq!(run.age(-3_600_000, 20), 0, "the other one is behind now");
    }

    #[test]
    fn no_time_or_a_senseless_one_is_the_arrival() {
        let now = CaptureTime::now();
        for told in [
            None,
            Some(Duration::ZERO),
            Some(Duration::from_secs(86_400)),
            Some(Duration::MAX),
        ] {
            let stamp = Clock::default().stamp(told, now);
            assert_eq!((stamp.at, stamp.unix), (now.at, now.unix), "{told:?}");
        }
    }

    #[test]
    fn pictures_stay_in_order() {
        let mut run = Run::new();
        run.age(50, 20);
        let first = run.clock.last.as_ref().expect("one").at;
        // This one took no time at all: the first was late.
        run.age(50, 0);
        assert!(run.clock.last.as_ref().expect("one").at >= first);
    }
}
