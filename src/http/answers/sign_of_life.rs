//! What a viewer gets while nothing newer comes: no stream is silent for longer than a second, because Home
//! Assistant leaves one that is, and the page takes it for dead.
//!
//! The last part is repeated, whole: a browser paints a part only when the next one begins. A viewer that cuts the
//! parts itself (`type=bytes`) needs none for that, and a slow link that carries the last picture twice has no room
//! for the next. It gets a header line of the part that is to come.

use std::time::{Duration, Instant};

/// While nothing newer comes there is a sign this often: at least one a second, with a margin.
pub const INTERVAL: Duration = Duration::from_millis(900);

/// A part is first repeated after this long: a browser paints it then.
const FIRST_REPEAT: Duration = Duration::from_millis(600);

/// And after this long for a viewer that asked for no more than a frame a second: its next part is far away for
/// sure.
const FIRST_REPEAT_OF_SLOW: Duration = Duration::from_millis(250);

/// The header line.
const LINE: &[u8] = b"X-Waiting: 1\r\n";

/// So many lines in a row, as no head is without end; then the part is repeated. The slowest pace needs no more.
const MOST_LINES: u32 = 12;

/// The signs of life of one viewer's stream.
#[derive(Debug, Clone, Copy)]
pub struct SignsOfLife {
    /// Lines suffice.
    has_lines: bool,
    /// Since the last part.
    lines: u32,
    /// From a frame's part to the first sign after it.
    first: Duration,
}

impl SignsOfLife {
    /// Of lines if `has_lines`, else of whole parts.
    pub fn new(has_lines: bool) -> SignsOfLife {
        SignsOfLife {
            has_lines,
            lines: 0,
            first: INTERVAL,
        }
    }

    /// For a browser's `<img>`, which paints a part when it is repeated; `interval` is the one between the frames
    /// it asked for.
    pub fn that_paint(self, interval: Option<Duration>) -> SignsOfLife {
        let first = match interval {
            _ if self.has_lines => INTERVAL,
            Some(interval) if interval > INTERVAL => FIRST_REPEAT_OF_SLOW,
            _ => FIRST_REPEAT,
        };
        SignsOfLife { first, ..self }
    }

    /// When the first is due after a part with a frame, which was sent at `now`.
    pub fn after_frame(&mut self, now: Instant) -> Instant {
        self.lines = 0;
        now + self.first
    }

    /// What to send now that one is due: `None` stands for the last part.
    pub fn line(&mut self) -> Option<&'static [u8]> {
        let is_line = self.has_lines && self.lines < MOST_LINES;
        self.lines = if is_line { self.lines + 1 } else { 0 };
        is_line.then_some(LINE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_stand_in_for_parts_and_end() {
        let mut signs = SignsOfLife::new(true);
        for _ in 0..2 {
            let lines = std::iter::from_fn(|| signs.line()).count();
            assert_eq!(lines, MOST_LINES as usize);
        }
        assert!(signs.line().is_some());
        signs.after_frame(Instant::now());
        assert_eq!(
            std::iter::from_fn(|| signs.line()).count(),
            MOST_LINES as usize
        );
    }

    #[test]
    fn the_slowest_pace_needs_no_whole_repeat() {
        assert!(INTERVAL * MOST_LINES > Duration::from_secs(10));
    }

    #[test]
    fn only_parts_paint_early() {
        let now = Instant::now();
        let first = |has_lines, interval| {
            let mut signs = SignsOfLife::new(has_lines).that_paint(interval);
            signs.after_frame(now) - now
        };
        let (second, tenth) = (Duration::from_secs(1), Duration::from_millis(100));
        assert_eq!(first(false, None), FIRST_REPEAT);
        assert_eq!(first(false, Some(tenth)), FIRST_REPEAT);
        assert_eq!(first(false, Some(second)), FIRST_REPEAT_OF_SLOW);
        assert_eq!(first(true, Some(second)), INTERVAL);
        assert!(SignsOfLife::new(false).line().is_none());
    }
}
