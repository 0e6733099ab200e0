//! What can be seen of a slow viewer's backlog, so that it sees the present.
//!
//! Between a writer and a viewer's eyes lie the unsent bytes, which the listener's options keep
//! few, the network, and the viewer's own receive buffer, which may hold a second or more of what
//! a slow viewer takes. A writer that fills all of it shows the past. So a viewer that has once
//! made us wait gets its next frame when the last one is over the wire and its buffer is at least
//! half empty again, as its window says; a viewer that never makes us wait is never asked about.

use super::{connection::Connection, wire::Wire};
use std::time::{Duration, Instant};

/// A viewer that has been ready for so many frames in a row is not slow any more.
const READY: u32 = 30;

/// Below this round-trip time frames may follow each other on the wire.
const NEAR: Duration = Duration::from_millis(250);

/// A buffer of fewer bytes holds nothing worth waiting for.
const SMALL: u32 = 32 * 1024;

/// A part is sent after so long in any case: windows are announced in steps.
const LONGEST: Duration = Duration::from_secs(3);

/// Parts of a slow viewer are spaced by so much of the time one takes at its rate.
const SPACING: f64 = 0.85;

/// After so many parts one is sent as soon as the viewer has drained, and more as long as it has by
/// the next frame: one that has become faster would never show it otherwise.
const PROBE: u32 = 8;

/// Weight of the last part in a viewer's rate.
const NEWEST: f64 = 0.3;

/// How far a viewer is behind, as far as it can be seen.
#[derive(Debug, Default)]
pub struct Sight {
    /// It has made us wait; since then it was ready for so many frames in a row.
    slow: Option<u32>,
    /// Its largest window so far, bytes.
    peak: u32,
    /// The part sent last: when, and how many bytes.
    last: Option<(Instant, usize)>,
    /// Bytes a second it has taken since it is slow.
    rate: Option<f64>,
    /// Parts since it was last found to be no faster.
    spaced: u32,
    /// It is being found out whether it is faster.
    is_probed: bool,
}

impl Sight {
    /// Notes that writing to the viewer had to wait.
    pub fn note_wait(&mut self) {
        self.slow = Some(0);
    }

    /// Notes that a part of so many bytes was sent.
    pub fn note_part(&mut self, bytes: usize) {
        self.note_part_at(bytes, Instant::now());
    }

    fn note_part_at(&mut self, bytes: usize, now: Instant) {
        self.spaced += 1;
        let is_measured = self.slow.is_some() && !self.is_probed;
        if let (Some((at, bytes)), true) = (self.last, is_measured) {
            let rate = bytes as f64 / (now - at).as_secs_f64().max(1e-3);
            let mean = self.rate.unwrap_or(rate);
            self.rate = Some(mean + NEWEST * (rate - mean));
        }
        self.last = Some((now, bytes));
    }

    /// True when a frame sent now is seen soon.
    pub fn is_clear(&mut self, connection: &Connection) -> bool {
        if self.slow.is_none() {
            self.rate = None;
            return true;
        }
        let wire = connection.wire();
        wire.is_none_or(|wire| self.judge(wire, Instant::now()))
    }

    fn judge(&mut self, wire: Wire, now: Instant) -> bool {
        let Some((at, _)) = self.last else {
            return true;
        };
        let elapsed = now - at;
        let (is_drained, is_early) = (self.is_drained(wire), elapsed < self.spacing());
        if self.is_probed && !is_drained {
            self.is_probed = false;
            self.spaced = 0;
        }
        if is_drained && is_early && self.spaced >= PROBE {
            self.is_probed = true;
        }
        let is_clear = is_drained && (!is_early || self.is_probed);
        self.slow = match self.slow {
            Some(ready) if is_clear && ready < READY => Some(ready + 1),
            Some(_) if is_clear => None,
            _ => Some(0),
        };
        is_clear || elapsed > LONGEST
    }

    /// The time from the last part to the next.
    fn spacing(&self) -> Duration {
        match (self.last, self.rate) {
            (Some((_, bytes)), Some(rate)) => {
                LONGEST.min(Duration::from_secs_f64(bytes as f64 / rate * SPACING))
            }
            _ => Duration::ZERO,
        }
    }

    /// True when what was sent is over the wire and half of the viewer's buffer is free.
    fn is_drained(&mut self, wire: Wire) -> bool {
        self.peak = self.peak.max(wire.window);
        let is_over = wire.unacked == 0 || (wire.unsent == 0 && wire.round_trip < NEAR);
        is_over && (wire.window >= self.peak / 2 || self.peak < SMALL)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(unacked: u32, unsent: u32, window: u32, millis: u64) -> Wire {
        Wire {
            unacked,
            unsent,
            window,
            round_trip: Duration::from_millis(millis),
            acked: 0,
        }
    }

    #[test]
    fn a_viewer_has_drained_when_its_window_is_half_open() {
        let mut sight = Sight::default();
        for (seen, is_drained) in [
            (wire(0, 0, 2000, 1), true),
            (wire(0, 0, 0, 1), true),
            (wire(9, 9, 0, 1), false),
            (wire(0, 0, 65_536, 1), true),
            (wire(0, 0, 0, 1), false),
            (wire(0, 0, 30_000, 1), false),
            (wire(0, 0, 33_000, 1), true),
            (wire(3, 0, 65_536, 100), true),
            (wire(3, 10, 65_536, 100), false),
            (wire(3, 0, 65_536, 400), false),
        ] {
            assert_eq!(sight.is_drained(seen), is_drained, "{seen:?}");
        }
    }

    #[test]
    fn the_parts_of_a_slow_viewer_are_spaced_at_its_rate() {
        let mut sight = Sight::default();
        let start = Instant::now();
        let second = Duration::from_secs(1);
        sight.note_part_at(50_000, start);
        sight.note_wait();
        sight.note_part_at(50_000, start + second);
        let now = start + second;
        assert_eq!(sight.spacing(), second.mul_f64(SPACING));
        assert!(!sight.judge(wire(0, 0, 65_536, 1), now + second / 2));
        assert!(sight.judge(wire(0, 0, 65_536, 1), now + second));
    }

    #[test]
    fn a_viewer_that_is_ready_for_every_frame_is_slow_no_more() {
        let mut sight = Sight::default();
        let mut now = Instant::now();
        sight.note_part_at(1000, now);
        sight.note_wait();
        for _ in 0..=READY {
            assert!(sight.slow.is_some());
            now += Duration::from_millis(33);
            assert!(sight.judge(wire(0, 0, 65_536, 1), now));
        }
        assert!(sight.slow.is_none());
    }

    #[test]
    fn a_viewer_that_takes_every_second_frame_is_found_out_to_be_faster() {
        let mut sight = Sight::default();
        let (start, frame) = (Instant::now(), Duration::from_millis(33));
        sight.note_wait();
        let mut sent = 0;
        for number in 0..200 {
            let now = start + frame * number;
            // A hiccup: the first ten parts take two frames each.
            let is_open = number >= 20 || number % 2 == 0;
            let window = if is_open { 65_536 } else { 0 };
            if sight.slow.is_none() || sight.judge(wire(0, 0, window, 1), now) {
                sight.note_part_at(60_000, now);
                sent += 1;
            }
        }
        assert!(sight.slow.is_none());
        assert!(sent > 160, "{sent}");
    }

    #[test]
    fn a_viewer_that_stays_slow_is_probed_seldom() {
        let mut sight = Sight::default();
        let (start, frame) = (Instant::now(), Duration::from_millis(33));
        sight.note_wait();
        // Two parts fit; one is taken every ten frames.
        let (mut unread, mut last, mut crowded) = (0, 0, 0);
        for number in 0..1000 {
            let now = start + frame * number;
            if number % 10 == 0 && unread > 0 {
                unread -= 1;
            }
            let window = if unread < 2 { 65_536 } else { 0 };
            if sight.judge(wire(0, 0, window, 1), now) {
                sight.note_part_at(60_000, now);
                unread += 1;
                crowded += u32::from(number - last < 5);
                last = number;
            }
        }
        assert!(sight.slow.is_some());
        assert!(crowded < 20, "{crowded}");
    }

    #[test]
    fn a_window_that_never_opens_does_not_silence_a_viewer() {
        let mut sight = Sight::default();
        let now = Instant::now();
        sight.note_part_at(1000, now);
        sight.note_wait();
        assert!(!sight.judge(wire(9, 9, 0, 1), now + LONGEST / 2));
        assert!(sight.judge(wire(9, 9, 0, 1), now + LONGEST * 2));
    }
}
