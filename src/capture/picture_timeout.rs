//! How far apart two pictures of a source may be before it counts as hanging: one that is slower than
//! the camera's time-out is not hanging between two pictures.

use crate::{
    capture::lease::CaptureLease,
    feed::health::{INTERVALS, picture_timeout},
};
use std::time::{Duration, Instant};

/// See the module.
pub struct PictureTimeout {
    /// At least.
    least: Duration,
    /// Between the first two: the source has not said how fast it is.
    first: Duration,
}

impl PictureTimeout {
    /// Of a source that says `said_fps`, under the camera's time-out.
    pub fn new(said_fps: Option<f64>, timeout: Duration) -> PictureTimeout {
        let least = picture_timeout(said_fps, INTERVALS, timeout);
        let first = said_fps.map_or(timeout * INTERVALS, |_| least);
        PictureTimeout { least, first }
    }

    /// When the next picture is overdue.
    pub fn ends(&self, lease: &CaptureLease) -> Instant {
        lease.last_picture() + self.of(lease)
    }

    /// How long the next picture may take.
    pub fn of(&self, lease: &CaptureLease) -> Duration {
        let slow = |interval| self.least.max(interval * INTERVALS);
        lease.interval().map_or(self.first, slow)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_source_has_three_of_its_intervals() {
        let seconds = Duration::from_secs;
        let now = Instant::now();
        let lease = CaptureLease::new(1, now);
        let said = PictureTimeout::new(Some(0.1), seconds(5));
        let unsaid = PictureTimeout::new(None, seconds(5));
        let fast = PictureTimeout::new(Some(30.0), seconds(5));
        let waits = || (said.of(&lease), unsaid.of(&lease), fast.of(&lease));
        lease.note_picture(now + seconds(1));
        assert_eq!(
            waits(),
            (seconds(30), seconds(15), seconds(5)),
            "one picture"
        );
        lease.note_picture(now + seconds(7));
        assert_eq!(
            waits(),
            (seconds(30), seconds(18), seconds(18)),
            "6 s later"
        );
        lease.note_picture(now + seconds(8));
        assert_eq!(waits(), (seconds(30), seconds(9), seconds(9)), "1 s later");
        lease.note_picture(now + seconds(9));
        assert_eq!(
            waits(),
            (seconds(30), seconds(5), seconds(5)),
            "it is fast now"
        );
        assert_eq!(unsaid.ends(&lease), now + seconds(9) + seconds(5));
    }
}
