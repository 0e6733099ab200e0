//! How a camera is: one function of one snapshot of what is known of it.
//!
//! `/healthz`, `/state` and the watchdog say what it says. Reads no clock.

use crate::camera::{State, Status};
use std::time::{Duration, Instant};

/// A picture younger than this is never overdue.
const FRESH: Duration = Duration::from_secs(5);

/// A picture is overdue when as many of its rate's intervals have passed.
pub const INTERVALS: u32 = 3;

/// Assumed of the first pictures of a source that does not say its rate.
const SLOW_FPS: f64 = 1.0;

/// No source is so slow that its next picture is later than this.
const LONGEST: Duration = Duration::from_secs(3600);

/// What is known of a camera at one moment.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// The moment.
    pub now: Instant,
    /// As the supervisor left it.
    pub status: Status,
    /// When the newest picture was taken, watched or not; `None` before the first.
    pub newest: Option<Instant>,
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
    /// Pictures come; age of the newest.
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
pub fn patience(fps: Option<f64>, pictures: u32, least: Duration) -> Duration {
    let rate = fps.filter(|fps| *fps > 0.0);
    let intervals = rate.map(|fps| f64::from(pictures) / fps);
    let longest = LONGEST.as_secs_f64();
    let wait = Duration::from_secs_f64(intervals.unwrap_or_default().min(longest));
    wait.max(least)
}

impl Snapshot {
    /// How old the newest picture is.
    pub fn age(&self) -> Option<Duration> {
        let newest = self.newest?;
        Some(self.now.saturating_duration_since(newest))
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
    pub fn patience(&self, least: Duration) -> Duration {
        let is_first = self.age().is_none_or(|age| age > self.since());
        match is_first {
            true => patience(
                self.fps().or(Some(SLOW_FPS)),
                self.warmup + INTERVALS,
                least,
            ),
            false => patience(self.fps(), INTERVALS, least),
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
        let is_due = self.silence() >= self.patience(least);
        match (self.status.state, self.age()) {
            (State::Idle, _) => Health::Resting,
            (State::Offline, _) => Health::Down,
            // It was released a moment ago and is being woken.
            (State::Opening, Some(age)) if age < FRESH => Health::Live(age),
            (State::Opening, _) => Health::Down,
            (State::Online, _) if is_due => Health::Overdue,
            (State::Online, Some(age)) if age <= self.since() || age < FRESH => Health::Live(age),
            (State::Online, _) => Health::Starting,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::camera::Facts;

    /// Of a camera with a time-out of 10 s and 5 pictures of warm-up; times are seconds ago.
    fn health(
        state: State,
        since: f64,
        newest: Option<f64>,
        nominal: Option<f64>,
        measured_fps: f64,
    ) -> Health {
        let start = Instant::now();
        let now = start + Duration::from_secs(1000);
        let ago = |seconds: f64| now - Duration::from_secs_f64(seconds);
        let facts = Facts {
            fps: nominal,
            ..Facts::default()
        };
        let snapshot = Snapshot {
            now,
            status: Status {
                state,
                since: ago(since),
                reason: None,
                nameless: None,
                facts,
            },
            newest: newest.map(ago),
            measured_fps,
            timeout: Duration::from_secs(10),
            warmup: 5,
        };
        snapshot.health()
    }

    #[test]
    fn health_follows_state_age_and_rate() {
        use State::{Idle, Offline, Online, Opening};
        let live = |seconds| Health::Live(Duration::from_secs_f64(seconds));
        let (fast, slow) = (Some(30.0), Some(0.1));
        // What it shows, state, since, newest picture, nominal rate, measured rate, health.
        for (what, state, since, newest, nominal, measured, expected) in [
            (
                "pictures come",
                Online,
                60.0,
                Some(0.03),
                fast,
                30.0,
                live(0.03),
            ),
            ("they stop", Online, 60.0, Some(4.9), fast, 0.0, live(4.9)),
            (
                "for too long",
                Online,
                60.0,
                Some(5.0),
                fast,
                0.0,
                Health::Overdue,
            ),
            (
                "a tenth a second",
                Online,
                600.0,
                Some(9.9),
                slow,
                0.1,
                live(9.9),
            ),
            (
                "as measured",
                Online,
                600.0,
                Some(9.9),
                fast,
                0.1,
                live(9.9),
            ),
            (
                "as measured, unsaid",
                Online,
                600.0,
                Some(29.0),
                None,
                0.1,
                live(29.0),
            ),
            (
                "before a measure",
                Online,
                25.0,
                Some(15.0),
                slow,
                0.0,
                live(15.0),
            ),
            (
                "three are missing",
                Online,
                600.0,
                Some(31.0),
                slow,
                0.0,
                Health::Overdue,
            ),
            ("unsaid rate", Online, 60.0, Some(9.0), None, 0.0, live(9.0)),
            (
                "its time-out",
                Online,
                60.0,
                Some(10.0),
                None,
                0.0,
                Health::Overdue,
            ),
            ("none yet", Online, 0.1, None, fast, 0.0, Health::Starting),
            (
                "none for long",
                Online,
                5.0,
                None,
                fast,
                0.0,
                Health::Overdue,
            ),
            (
                "a slow first one",
                Online,
                79.0,
                None,
                slow,
                0.0,
                Health::Starting,
            ),
            (
                "with its warm-up",
                Online,
                81.0,
                None,
                slow,
                0.0,
                Health::Overdue,
            ),
            (
                "none yet, unsaid",
                Online,
                9.0,
                None,
                None,
                0.0,
                Health::Starting,
            ),
            (
                "none for long, unsaid",
                Online,
                10.0,
                None,
                None,
                0.0,
                Health::Overdue,
            ),
            (
                "back from an outage",
                Online,
                0.1,
                Some(90.0),
                fast,
                0.01,
                Health::Starting,
            ),
            (
                "and silent again",
                Online,
                5.0,
                Some(95.0),
                fast,
                0.01,
                Health::Overdue,
            ),
            ("never opened", Opening, 1.0, None, None, 0.0, Health::Down),
            (
                "woken at once",
                Opening,
                0.1,
                Some(2.0),
                fast,
                0.0,
                live(2.0),
            ),
            (
                "woken after long",
                Opening,
                0.1,
                Some(60.0),
                fast,
                0.0,
                Health::Down,
            ),
            (
                "lost a moment ago",
                Offline,
                0.1,
                Some(0.2),
                fast,
                30.0,
                Health::Down,
            ),
            (
                "lost for long",
                Offline,
                99.0,
                None,
                None,
                0.0,
                Health::Down,
            ),
            (
                "released",
                Idle,
                99.0,
                Some(101.0),
                fast,
                0.0,
                Health::Resting,
            ),
        ] {
            let health = health(state, since, newest, nominal, measured);
            assert_eq!(health, expected, "{what}");
            let is_well = !matches!(expected, Health::Overdue | Health::Down);
            assert_eq!(health.is_well(), is_well, "{what}");
        }
    }

    #[test]
    fn patience_is_some_intervals_and_finite() {
        let second = Duration::from_secs(1);
        for (fps, pictures, expected) in [
            (None, 3, 10 * second),
            (Some(30.0), 3, 10 * second),
            (Some(0.1), 3, 30 * second),
            (Some(0.1), 8, 80 * second),
            (Some(0.0), 3, 10 * second),
            (Some(f64::MIN_POSITIVE), 3, LONGEST),
        ] {
            assert_eq!(patience(fps, pictures, 10 * second), expected, "{fps:?}");
        }
    }
}
