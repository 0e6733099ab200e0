//! What a client wants of a snapshot: `fresh`, `after` and `max_age` in its query.
//!
//! Each narrows which frames will do, and they combine. Ages count from the request: a camera that
//! takes a while to hand a picture over can satisfy any of them.

use crate::{feed::frame::Frame, http::query::Query};
use std::{
    ops::RangeInclusive,
    time::{Duration, Instant},
};

/// A frame this young is as good as the next one, unless the client says otherwise.
const YOUNG: Duration = Duration::from_millis(500);

/// A client waits no longer than this for a live frame…
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);

/// …and than this for the one after the one it has.
pub const NEXT_FRAME_TIMEOUT: Duration = Duration::from_secs(10);

/// Range of `max_age`, in milliseconds.
const MAX_AGE: RangeInclusive<u64> = 0..=60_000;

/// What a client wants of a snapshot.
#[derive(Debug, Clone)]
pub struct SnapshotQuery {
    /// When it asked.
    pub asked: Instant,
    /// Captured after that.
    pub is_fresh: bool,
    /// With a later sequence than this.
    pub after: Option<u64>,
    /// Captured at most so long before it asked.
    pub max_age: Option<Duration>,
}

impl SnapshotQuery {
    /// Reads it from `query`, or says in a line what is wrong there.
    pub fn parse(query: &Query, asked: Instant) -> Result<SnapshotQuery, String> {
        let sequences = "are sequences, from 0 on";
        let ages = "are 0 to 60000 milliseconds";
        let max_age = query.number("max_age", |age| MAX_AGE.contains(age), ages)?;
        Ok(SnapshotQuery {
            asked,
            is_fresh: query.get("fresh").is_some_and(|value| value != "0"),
            after: query.number("after", |_| true, sequences)?,
            max_age: max_age.map(Duration::from_millis),
        })
    }

    /// How long its client waits.
    pub fn patience(&self) -> Duration {
        if self.after.is_some() {
            NEXT_FRAME_TIMEOUT
        } else {
            ANSWER_TIMEOUT
        }
    }

    /// The same query at a slot whose newest frame is `last`: a sequence that this start of the
    /// program has not reached is from one before, and every frame of this one comes after it.
    pub fn at(self, last: u64) -> SnapshotQuery {
        let after = self.after.filter(|after| *after <= last);
        SnapshotQuery { after, ..self }
    }

    /// True when `frame` will do; `is_awaited` when it was published after the request.
    pub fn accepts(&self, frame: &Frame, is_awaited: bool) -> bool {
        let captured = frame.captured().at;
        let is_young = match self.max_age {
            Some(most) => self.asked.saturating_duration_since(captured) <= most,
            // Slower than YOUNG to encode, or not: what comes after the request will do.
            None => is_awaited || frame.age() < YOUNG,
        };
        frame.is_live()
            && is_young
            && (!self.is_fresh || captured > self.asked)
            && self.after.is_none_or(|after| frame.sequence() > after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::frame::CaptureTime;

    fn parsed(query: &str) -> SnapshotQuery {
        SnapshotQuery::parse(&Query::new(query), Instant::now()).expect("well formed")
    }

    fn frame(sequence: u64, age_ms: u64) -> Frame {
        let age = Duration::from_millis(age_ms);
        Frame::live(sequence, CaptureTime::before_now(age), 4, |out| {
            out.extend_from_slice(b"JPEG")
        })
    }

    #[test]
    fn a_frame_is_measured_by_the_query() {
        for (query, age_ms, is_awaited, is_met) in [
            ("", 100, false, true),
            ("", 700, false, false),
            ("", 700, true, true),
            ("max_age=2000", 700, false, true),
            ("max_age=300", 700, false, false),
            ("max_age=300", 700, true, false),
            ("max_age=0", 50, true, false),
            ("fresh=1", 50, true, false),
            ("fresh=0", 50, false, true),
            ("fresh=1&max_age=60000", 50, false, false),
            ("after=6", 100, false, true),
            ("after=7", 100, true, false),
            ("after=6", 700, false, false),
            ("after=6&max_age=2000", 700, false, true),
            ("after=6&fresh", 100, true, false),
        ] {
            let asked_for = parsed(query);
            let frame = frame(7, age_ms);
            assert_eq!(asked_for.accepts(&frame, is_awaited), is_met, "{query}");
        }
    }

    #[test]
    fn a_frame_captured_after_the_request_is_fresh_and_has_no_age() {
        for query in ["fresh=1", "max_age=0", "fresh=1&max_age=0&after=6"] {
            let asked_for = parsed(query);
            assert!(asked_for.accepts(&frame(7, 0), true), "{query}");
        }
    }

    #[test]
    fn a_sequence_of_another_start_is_forgotten() {
        assert_eq!(parsed("after=900").at(7).after, None);
        assert_eq!(parsed("after=7").at(7).after, Some(7));
        assert_eq!(parsed("after=0").at(0).after, Some(0));
    }

    #[test]
    fn no_query_accepts_a_placeholder() {
        for query in ["", "after=0", "max_age=60000"] {
            let card = Frame::placeholder(1, b"CARD", "why");
            assert!(!parsed(query).accepts(&card, true), "{query}");
        }
    }

    #[test]
    fn a_bad_number_is_named_with_what_is_allowed() {
        for (query, words) in [
            ("after=x", "after=`x`: allowed are sequences"),
            ("after=-1", "after=`-1`"),
            ("after=", "after=``"),
            ("after=1.5", "after=`1.5`"),
            ("after=99999999999999999999", "after=`9999"),
            ("max_age=60001", "allowed are 0 to 60000 milliseconds"),
            ("max_age=%00%0d1s", "max_age=`1s`"),
        ] {
            let said = SnapshotQuery::parse(&Query::new(query), Instant::now()).expect_err(query);
            assert!(said.contains(words) && said.ends_with('\n'), "{said}");
        }
    }
}
