//! `?fps=`: at which moments a viewer gets a frame, when it wants fewer than there are.

use std::time::{Duration, Instant};

/// At most so many frames a second, evenly spaced.
///
/// A plan of moments, one interval apart: the frame nearest to each is sent. The plan does not
/// drift with the frames, so the rate is exact on average; it is begun anew when the viewer or the
/// source has fallen behind by more than an interval.
#[derive(Debug, Clone)]
pub struct Pace {
    /// Between two frames.
    pub interval: Duration,
    next: Instant,
    /// A frame may be sent so long before its moment.
    slack: Duration,
}

impl Pace {
    /// Begins at `now`.
    pub fn new(fps: f64, now: Instant) -> Pace {
        Pace {
            interval: Duration::from_secs_f64(1.0 / fps),
            next: now,
            slack: Duration::ZERO,
        }
    }

    /// When the next frame may be sent.
    pub fn opens_at(&self) -> Instant {
        self.next.checked_sub(self.slack).unwrap_or(self.next)
    }

    /// Notes that a frame was sent, of a source with `rate` frames a second (0: unknown).
    pub fn sent(&mut self, now: Instant, rate: f64) {
        self.next += self.interval;
        if now > self.next {
            self.next = now + self.interval;
        }
        // Half a period of the source, whose next frame is then nearer to the next moment; never
        // half an interval, where the frames of a source twice as fast would fall on the edge.
        let most = self.interval.mul_f64(0.4);
        self.slack = if rate > 0.0 {
            most.min(Duration::from_secs_f64(0.45 / rate))
        } else {
            self.interval / 4
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends a source of `source_fps` through a pace of `fps` for `seconds`; times in ms.
    fn sent(source_fps: f64, fps: f64, seconds: f64) -> Vec<f64> {
        let start = Instant::now();
        let mut pace = Pace::new(fps, start);
        let mut times = Vec::new();
        for number in 0..(seconds * source_fps) as u32 {
            // One millisecond of jitter, in turns early and late.
            let jitter = if number % 2 == 0 { 0.0 } else { 0.001 };
            let at = f64::from(number) / source_fps + jitter;
            let now = start + Duration::from_secs_f64(at);
            if now >= pace.opens_at() {
                pace.sent(now, source_fps);
                times.push(at * 1e3);
            }
        }
        times
    }

    #[test]
    fn a_pace_gives_its_rate_evenly() {
        for (source, fps) in [
            (30.0, 15.0),
            (30.0, 10.0),
            (30.0, 5.0),
            (25.0, 2.0),
            (30.0, 0.5),
        ] {
            let times = sent(source, fps, 20.0);
            let expected = 20.0 * fps;
            assert!(
                (times.len() as f64 - expected).abs() <= 1.0,
                "{fps}: {}",
                times.len()
            );
            for pair in times.windows(2) {
                let gap = pair[1] - pair[0];
                assert!(
                    (gap - 1e3 / fps).abs() <= 1e3 / source / 2.0 + 2.0,
                    "{fps}: {gap}"
                );
            }
        }
    }

    #[test]
    fn a_pace_the_source_does_not_divide_by_keeps_its_mean() {
        let times = sent(30.0, 7.0, 30.0);
        assert!((times.len() as f64 - 210.0).abs() <= 2.0, "{}", times.len());
        assert!(
            times
                .windows(2)
                .all(|pair| pair[1] - pair[0] < 1e3 / 7.0 + 35.0)
        );
    }

    #[test]
    fn a_pace_faster_than_the_source_lets_every_frame_pass() {
        assert_eq!(sent(30.0, 60.0, 10.0).len(), 300);
        assert_eq!(sent(30.0, 30.0, 10.0).len(), 300);
    }
}
