//! When a slow viewer gets its next frame, so that it sees the present.
//!
//! Between a writer and a viewer's eyes lie the unsent bytes, which the listener's options keep few,
//! the network's queues, and the viewer's receive buffer. A writer that fills all of them shows the
//! past. So a viewer whose write has blocked gets its next frame when the last one has arrived and
//! a part of its receive buffer is free, until many frames in a row were accepted at once.
//!
//! Numbers and times only: `stream` asks the kernel, and only about a viewer whose write has blocked.

use crate::http::net::{connection::Written, tcp_info::TcpInfo};
use std::time::{Duration, Instant};

/// A viewer that has accepted this many frames in a row at once is not slow any more.
const ACCEPTED: u32 = 30;

/// Bytes in flight wait in no queue while the round trip is no longer than this above its least. A
/// delayed acknowledgement is 40 ms late, a busy peer's more.
const QUEUE: Duration = Duration::from_millis(100);

/// A window is open when it is at least one part in so many of the largest seen. Linux advertises a
/// growing window only until it is half of what it may be, which was seen to shrink to 3/4.
const OPEN: u32 = 3;

/// A frame is sent in any case when the viewer has acknowledged nothing and advertised no more room
/// for this long: its kernel may have less buffer space than its window once showed.
const SILENCE: Duration = Duration::from_secs(2);

/// What is known of one viewer's backlog.
#[derive(Debug, Default)]
pub struct ViewerBacklog {
    /// Set for a slow viewer: what is known since its write blocked.
    slow: Option<Slow>,
    /// The largest window seen, in bytes.
    largest_window: u32,
}

/// A viewer whose write has blocked.
#[derive(Debug, Clone, Copy)]
struct Slow {
    /// Frames accepted at once since then, or since one was held back.
    accepted: u32,
    /// When the last frame was sent.
    sent: Instant,
    /// Its receive limit, and when that changed or the last frame was sent.
    limit: u64,
    changed: Instant,
}

impl ViewerBacklog {
    /// Notes that a frame was sent at `now`.
    pub fn note_sent(&mut self, written: Written, now: Instant) {
        let accepted = match (written, self.slow) {
            (Written::Waiting, _) => 0,
            (Written::AtOnce, Some(slow)) if slow.accepted + 1 < ACCEPTED => slow.accepted + 1,
            (Written::AtOnce, _) => return self.slow = None,
        };
        self.slow = Some(Slow {
            accepted,
            sent: now,
            limit: 0,
            changed: now,
        });
    }

    /// True for a viewer whose write has blocked.
    pub fn is_slow(&self) -> bool {
        self.slow.is_some()
    }

    /// True when the next frame may be sent. `ask` asks the kernel and the clock; it is called for a
    /// slow viewer only. Without an answer every frame may be sent.
    pub fn may_send(&mut self, ask: impl FnOnce() -> Option<(TcpInfo, Instant)>) -> bool {
        let Some(slow) = &mut self.slow else {
            return true;
        };
        let Some((info, now)) = ask() else {
            return true;
        };
        self.largest_window = self.largest_window.max(info.window);
        if has_arrived(&info) && free(&info, now - slow.sent) >= self.largest_window / OPEN {
            return true;
        }
        slow.accepted = 0;
        if slow.limit != info.receive_limit() {
            (slow.limit, slow.changed) = (info.receive_limit(), now);
        }
        let is_silent = now - slow.changed >= SILENCE;
        if is_silent {
            self.largest_window = info.window;
        }
        is_silent
    }
}

/// True when all that was written is acknowledged, or on its way without waiting in a queue.
fn has_arrived(info: &TcpInfo) -> bool {
    let queue = info.round_trip.saturating_sub(info.least_round_trip);
    info.unsent == 0 && (info.in_flight == 0 || queue <= QUEUE)
}

/// Bytes free in the receive buffer when the last frame was sent `age` ago. Bytes in flight take some
/// of the window, unless the round trip is too long for their acknowledgement to be here.
fn free(info: &TcpInfo, age: Duration) -> u32 {
    if age < info.least_round_trip {
        info.window
    } else {
        info.window.saturating_sub(info.in_flight)
    }
}

#[cfg(test)]
mod tests;
