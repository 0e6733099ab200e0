//! What the log says of outages: one line when one begins, one when it is over.

use crate::{capture::placeholder::human_duration, error::Error};
use log::{Level, log, warn};
use std::time::{Duration, Instant};

/// An outage of a stream this soon after the last word on one is not said unless it lasts: a clip
/// that ends every few seconds is not news.
const QUIET: Duration = Duration::from_secs(10);

/// The outages of one camera.
pub struct OutageLog {
    current: Option<Outage>,
    /// When the log last said that the camera was lost or back.
    last_said: Option<Instant>,
    /// Each one is said, however soon it follows: a camera's cable is news.
    says_each: bool,
}

struct Outage {
    began: Instant,
    tries: u32,
    is_said: bool,
    reason: String,
}

impl OutageLog {
    /// None so far.
    pub fn new(says_each: bool) -> OutageLog {
        OutageLog {
            current: None,
            last_said: None,
            says_each,
        }
    }

    /// The camera is not to be had, because of `error`.
    pub fn go_on(&mut self, error: &Error, now: Instant) {
        if let Some(outage) = &mut self.current {
            outage.reason = error.to_string();
            return;
        }
        let is_soon = self.last_said.is_some_and(|said| now < said + QUIET);
        let outage = Outage {
            began: now,
            tries: 0,
            is_said: false,
            reason: error.to_string(),
        };
        self.current = Some(outage);
        if self.says_each || !is_soon {
            self.say(now);
        }
    }

    /// When the present outage began.
    pub fn began(&self) -> Option<Instant> {
        self.current.as_ref().map(|outage| outage.began)
    }

    /// The camera is tried.
    pub fn note_try(&mut self) {
        if let Some(outage) = &mut self.current {
            outage.tries += 1;
        }
    }

    /// Says what has not been said and lasts.
    pub fn remind(&mut self, now: Instant) {
        let is_due = |outage: &Outage| !outage.is_said && now >= outage.began + QUIET;
        if self.current.as_ref().is_some_and(is_due) {
            self.say(now);
        }
    }

    fn say(&mut self, now: Instant) {
        if let Some(outage) = &mut self.current {
            outage.is_said = true;
            self.last_said = Some(now);
            warn!("{}; trying again until it comes back", outage.reason);
        }
    }

    /// The camera is back; false when it was never away.
    pub fn end(&mut self, now: Instant) -> bool {
        let Some(outage) = self.current.take() else {
            return false;
        };
        let level = if outage.is_said {
            Level::Info
        } else {
            Level::Debug
        };
        let time = human_duration(now.duration_since(outage.began));
        log!(level, "camera back after {time} tries={}", outage.tries);
        self.last_said = Some(now);
        true
    }
}
