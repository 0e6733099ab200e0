//! Words that are said a few times a minute at most, and how often they were not.
//!
//! What a client can cause a thousand times a second must not fill a log, nor wear out the card
//! it is kept on.

use parking_lot::Mutex;
use std::{
    fmt,
    time::{Duration, Instant},
};

/// The time a budget of lines is for.
const MINUTE: Duration = Duration::from_secs(60);

/// A budget of lines a minute; counts what it does not let pass.
#[derive(Debug)]
pub struct Seldom {
    lines: u32,
    /// Held for a look at the clock.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    begun: Option<Instant>,
    said: u32,
    unsaid: u64,
}

impl Seldom {
    /// So many lines a minute.
    pub fn lines(lines: u32) -> Seldom {
        Seldom {
            lines,
            state: Mutex::default(),
        }
    }

    /// Notes a reason to speak; when one may, gives how many reasons went by unsaid before it.
    pub fn note(&self) -> Option<u64> {
        self.note_at(Instant::now())
    }

    fn note_at(&self, now: Instant) -> Option<u64> {
        let mut state = self.state.lock();
        if state.begun.is_none_or(|begun| now >= begun + MINUTE) {
            state.begun = Some(now);
            state.said = 0;
        }
        if state.said >= self.lines {
            state.unsaid += 1;
            return None;
        }
        state.said += 1;
        Some(std::mem::take(&mut state.unsaid))
    }
}

/// How often nothing was said, at the end of a line.
#[derive(Debug, Clone, Copy)]
pub struct Unsaid(pub u64);

impl fmt::Display for Unsaid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => Ok(()),
            unsaid => write!(f, " (unsaid since the last such line: {unsaid})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happens_often_is_said_seldom_and_counted() {
        let seldom = Seldom::lines(2);
        let now = Instant::now();
        assert_eq!(seldom.note_at(now), Some(0));
        assert_eq!(seldom.note_at(now), Some(0));
        for _ in 0..9 {
            assert_eq!(seldom.note_at(now + Duration::from_secs(59)), None);
        }
        assert_eq!(seldom.note_at(now + MINUTE), Some(9));
        assert_eq!(seldom.note_at(now + MINUTE), Some(0));
        assert_eq!(seldom.note_at(now + MINUTE), None);
    }
}
