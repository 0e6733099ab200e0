//! How a camera is: one function of one observation of it.
//!
//! `/healthz`, `/state` and the watchdog say what it says. Reads no clock.

use crate::feed::status::{State, Status};
use std::time::{Duration, Instant};

/// A picture younger than this is never overdue.
const FRESH: Duration = Duration::from_secs(5);

/// A picture is overdue when as many of its rate's intervals have passed.
pub const INTERVALS: u32 = 3;

/// Assumed of the first pictures of a source that does not say its rate.
const SLOW_FPS: f64 = 1.0;

/// A camera is online with its first picture, which was taken so long before at most.
const JUST_BEFORE: Duration = Duration::from_secs(1);

/// No source is so slow that its next picture is later than this.
const LONGEST: Duration = Duration::from_secs(3600);

/// What is known of a camera at one moment.
#[derive(Debug, Clone)]
pub struct Observation {
    /// The moment.
    pub now: Instant,
    /// As the supervisor left it.
    pub status: Status,
    /// When the newest picture was taken, watched or not; `None` before the first.
    pub last_captured: Option<Instant>,
    /// Pictures a second of late; 0 before there is a measure, and when they stop.
    pub measured_fps: f64,
    /// `--camera-timeout`.
    pub timeout: Duration,
    /// Pictures that may be dropped before the first one counts.
    pub warmup: u32,
}

/// How a camera is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Health {
    /// Pictures come; age of the last_captured.
    Live(Duration),
    /// It is online, and its first picture is not overdue.
    Starting,
    /// It is released until somebody watches.
    Resting,
    /// It is online, and the picture that should have come is missing.
    Overdue,
    /// It is not online; the status says why.
    Down,
}

impl Health {
    /// True when nobody has to look after the camera.
    pub fn is_well(self) -> bool {
        matches!(self, Health::Live(_) | Health::Starting | Health::Resting)
    }
}

/// How long to wait for `pictures` pictures at `fps`, at least `least`.
pub fn picture_timeout(fps: Option<f64>, pictures: u32, least: Duration) -> Duration {
    let rate = fps.filter(|fps| *fps > 0.0);
    let intervals = rate.map(|fps| f64::from(pictures) / fps);
    let longest = LONGEST.as_secs_f64();
    let wait = Duration::from_secs_f64(intervals.unwrap_or_default().min(longest));
    wait.max(least)
}

impl Observation {
    /// How old the newest picture is.
    pub fn age(&self) -> Option<Duration> {
        let last_captured = self.last_captured?;
        Some(self.now.saturating_duration_since(last_captured))
    }

    /// How long the camera has been in its state.
    pub fn since(&self) -> Duration {
        self.now.saturating_duration_since(self.status.since)
    }

    /// How long the camera has owed a picture, if it is online.
    pub fn silence(&self) -> Duration {
        self.age().unwrap_or(Duration::MAX).min(self.since())
    }

    /// How long a camera online may take to its next counted picture, at least `least`.
    pub fn picture_timeout(&self, least: Duration) -> Duration {
        let fps = self.fps();
        let is_first = self
            .age()
            .is_none_or(|age| age > self.since() + JUST_BEFORE);
        let two_may_take = self.timeout * INTERVALS;
        if is_first {
            picture_timeout(fps.or(Some(SLOW_FPS)), self.warmup + INTERVALS, least)
        } else if fps.is_none() && self.since() < two_may_take {
            least.max(two_may_take)
        } else {
            picture_timeout(fps, INTERVALS, least)
        }
    }

    /// The rate as measured since the camera has been online, else as the source says it.
    fn fps(&self) -> Option<f64> {
        let online = self.since().as_secs_f64();
        let measured = Some(self.measured_fps).filter(|fps| fps * online > 1.0);
        measured.or(self.status.facts.fps)
    }

    /// How the camera is.
    pub fn health(&self) -> Health {
        // A source that does not say its rate has the camera's time-out.
        let least = match self.fps() {
            Some(_) => FRESH,
            None => FRESH.max(self.timeout),
        };
        let is_overdue = self.silence() >= self.picture_timeout(least);
        match (self.status.state, self.age()) {
            (State::Idle, _) => Health::Resting,
            (State::Offline, _) => Health::Down,
            // It was released a moment ago and is being woken.
            (State::Opening, Some(age)) if age < FRESH => Health::Live(age),
            (State::Opening, _) => Health::Down,
            (State::Online, _) if is_overdue => Health::Overdue,
            (State::Online, Some(age)) if age <= self.since() || age < FRESH => Health::Live(age),
            (State::Online, _) => Health::Starting,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::camera::SourceInfo;

    /// A moment of a camera with a time-out of 10 s and 5 pictures of warm-up; times in seconds.
    struct Moment(&'static str, State, f64, Option<f64>, Rates, Health);

    /// Nominal and measured.
    struct Rates(Option<f64>, f64);

    impl Moment {
        fn observation(&self) -> Observation {
            let Moment(_, state, since, last_captured, Rates(fps, measured_fps), _) = *self;
            let now = Instant::now() + Duration::from_secs(1000);
            let ago = |seconds: f64| now - Duration::from_secs_f64(seconds);
            let facts = SourceInfo {
                fps,
                ..SourceInfo::default()
            };
            Observation {
                now,
                status: Status {
                    state,
                    since: ago(since),
                    reason: None,
                    nameless: None,
                    cause: None,
                    facts,
                },
                last_captured: last_captured.map(ago),
                measured_fps,
                timeout: Duration::from_secs(10),
                warmup: 5,
            }
        }
    }

    #[test]
    fn health_follows_state_age_and_rate() {
        use Health::{Down, Overdue, Resting, Starting};
        use State::{Idle, Offline, Online, Opening};
        let live = |seconds| Health::Live(Duration::from_secs_f64(seconds));
        let (full, said) = (|| Rates(Some(30.0), 30.0), || Rates(Some(30.0), 0.0));
        let (slow, slow_said) = (|| Rates(Some(0.1), 0.1), || Rates(Some(0.1), 0.0));
        let (measured, unsaid) = (|fps| Rates(None, fps), || Rates(None, 0.0));
        // What it shows, the state and since when, age of the newest picture, rates, health.
        let moments = [
            Moment("it runs", Online, 60.0, Some(0.1), full(), live(0.1)),
            Moment("it stops", Online, 60.0, Some(4.9), said(), live(4.9)),
            Moment("for long", Online, 60.0, Some(5.0), said(), Overdue),
            Moment("slow", Online, 600.0, Some(9.9), slow(), live(9.9)),
            Moment(
                "in the dark",
                Online,
                600.0,
                Some(9.9),
                Rates(Some(30.0), 0.1),
                live(9.9),
            ),
            Moment(
                "slow, unsaid",
                Online,
                600.0,
                Some(29.0),
                measured(0.1),
                live(29.0),
            ),
            Moment(
                "slow, no measure",
                Online,
                25.0,
                Some(15.0),
                slow_said(),
                live(15.0),
            ),
            Moment(
                "slow, stops",
                Online,
                600.0,
                Some(31.0),
                slow_said(),
                Overdue,
            ),
            Moment(
                "one yet, unsaid",
                Online,
                29.0,
                Some(29.5),
                unsaid(),
                Starting,
            ),
            Moment(
                "one for long, unsaid",
                Online,
                30.0,
                Some(30.5),
                unsaid(),
                Overdue,
            ),
            Moment("unsaid", Online, 60.0, Some(9.0), unsaid(), live(9.0)),
            Moment("unsaid, stops", Online, 60.0, Some(10.0), unsaid(), Overdue),
            Moment("none yet", Online, 0.1, None, said(), Starting),
            Moment("none for long", Online, 5.0, None, said(), Overdue),
            Moment("none yet, slow", Online, 79.0, None, slow_said(), Starting),
            Moment(
                "none for long, slow",
                Online,
                81.0,
                None,
                slow_said(),
                Overdue,
            ),
            Moment("none yet, unsaid", Online, 9.0, None, unsaid(), Starting),
            Moment(
                "none for long, unsaid",
                Online,
                10.0,
                None,
                unsaid(),
                Overdue,
            ),
            Moment(
                "back",
                Online,
                0.1,
                Some(90.0),
                Rates(Some(30.0), 0.01),
                Starting,
            ),
            Moment(
                "back, silent",
                Online,
                5.0,
                Some(95.0),
                Rates(Some(30.0), 0.01),
                Overdue,
            ),
            Moment("begins", Opening, 1.0, None, unsaid(), Down),
            Moment("woken at once", Opening, 0.1, Some(2.0), said(), live(2.0)),
            Moment("woken after long", Opening, 0.1, Some(60.0), said(), Down),
            Moment("just lost", Offline, 0.1, Some(0.2), full(), Down),
            Moment("lost", Offline, 99.0, None, unsaid(), Down),
            Moment("released", Idle, 99.0, Some(101.0), said(), Resting),
        ];
        for moment in moments {
            let Moment(what, .., expected) = moment;
            let health = moment.observation().health();
            assert_eq!(health, expected, "{what}");
            let is_well = !matches!(expected, Overdue | Down);
            assert_eq!(health.is_well(), is_well, "{what}");
        }
    }

    #[test]
    fn picture_timeout_is_some_intervals_and_finite() {
        let second = Duration::from_secs(1);
        for (fps, pictures, expected) in [
            (None, 3, 10 * second),
            (Some(30.0), 3, 10 * second),
            (Some(0.1), 3, 30 * second),
            (Some(0.1), 8, 80 * second),
            (Some(0.0), 3, 10 * second),
            (Some(f64::MIN_POSITIVE), 3, LONGEST),
        ] {
            assert_eq!(
                picture_timeout(fps, pictures, 10 * second),
                expected,
                "{fps:?}"
            );
        }
    }
}
