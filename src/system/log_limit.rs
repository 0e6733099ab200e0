//! Rate limit for log lines, with a count of those suppressed.
//!
//! For lines a client or a broken picture can cause a thousand times a second: they must not fill the
//! log, nor wear out the card it is kept on.

use parking_lot::Mutex;
use std::{
    fmt, mem,
    time::{Duration, Instant},
};

/// The period a limit is for.
const PERIOD: Duration = Duration::from_secs(60);

/// Permits a number of lines a minute and counts the others.
#[derive(Debug)]
pub struct LogLimiter {
    max: u32,
    /// Held to count one line.
    period: Mutex<Period>,
}

/// The present period.
#[derive(Debug, Default)]
struct Period {
    start: Option<Instant>,
    permitted: u32,
    /// Since the last permitted line, whichever period that was in.
    suppressed: u64,
}

/// How many lines were suppressed before a permitted one; its suffix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Suppressed(u64);

impl LogLimiter {
    /// Permits `max` lines a minute.
    pub fn per_minute(max: u32) -> LogLimiter {
        LogLimiter {
            max,
            period: Mutex::default(),
        }
    }

    /// Asks for one line; `None` means that it is suppressed.
    pub fn permit(&self) -> Option<Suppressed> {
        self.permit_at(Instant::now())
    }

    fn permit_at(&self, now: Instant) -> Option<Suppressed> {
        let mut period = self.period.lock();
        if period.start.is_none_or(|start| now >= start + PERIOD) {
            period.start = Some(now);
            period.permitted = 0;
        }
        if period.permitted >= self.max {
            period.suppressed += 1;
            return None;
        }
        period.permitted += 1;
        Some(Suppressed(mem::take(&mut period.suppressed)))
    }
}

impl fmt::Display for Suppressed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => Ok(()),
            count => write!(f, " ({count} more suppressed)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_above_the_limit_are_suppressed_and_counted() {
        let limiter = LogLimiter::per_minute(2);
        let now = Instant::now();
        assert_eq!(limiter.permit_at(now), Some(Suppressed(0)));
        assert_eq!(limiter.permit_at(now), Some(Suppressed(0)));
        for _ in 0..9 {
            assert_eq!(limiter.permit_at(now + Duration::from_secs(59)), None);
        }
        assert_eq!(limiter.permit_at(now + PERIOD), Some(Suppressed(9)));
        assert_eq!(limiter.permit_at(now + PERIOD), Some(Suppressed(0)));
        assert_eq!(limiter.permit_at(now + PERIOD), None);
    }

    #[test]
    fn the_suffix_says_how_many_were_suppressed() {
        assert_eq!(Suppressed(0).to_string(), "");
        assert_eq!(Suppressed(12).to_string(), " (12 more suppressed)");
    }
}
