//! What can be seen of a slow viewer's backlog, so that it sees the present.
//!
//! Between a writer and a viewer's eyes lie the unsent bytes, which the listener's options keep
//! few, the network, and the viewer's own receive buffer, which may hold a second or more of what
//! a slow viewer takes. A writer that fills all of it shows the past. So a viewer that has once
//! made us wait gets its next frame when the last one is over the wire and has been read, as far as
//! its window and its rate tell; a viewer that never makes us wait is never asked about.
//!
//! A window tells exactly how much is unread when something arrives, then again each time it has
//! doubled, and nothing more once it is half open (`tcp_cleanup_rbuf` in Linux). What is left then
//! goes at the viewer's rate: what it reads from one part's arrival to the next, if it was never
//! without something to read. How much a buffer holds shows when it is empty, so now and then one
//! is let run empty.

use super::{connection::Connection, wire::Wire};
use std::time::{Duration, Instant};

/// A viewer that has been ready for so many frames in a row is not slow any more.
const READY: u32 = 30;

/// Below this round-trip time frames may follow each other on the wire.
const NEAR: Duration = Duration::from_millis(250);

/// A wait of no longer is one for word of a window that was open already.
const SOON: Duration = Duration::from_millis(50);

/// A rate is measured over no less, seconds.
const MOMENT: f64 = 0.01;

/// A viewer for whom so many parts in a row did not really have to wait is sent the next without
/// waiting, whatever its window and its rate seem to say: if it is slow, that one will wait.
const PROOF: u32 = 10;

/// A buffer of fewer bytes holds nothing worth waiting for.
const SMALL: u32 = 32 * 1024;

/// A part is sent after so long in any case: what is seen may be wrong.
const LONGEST: Duration = Duration::from_secs(3);

/// An acknowledgement may be delayed by so long.
const ACKNOWLEDGED: Duration = Duration::from_millis(60);

/// A viewer that takes a part in less is not worth a pause.
const BRIEF: f64 = 0.05;

/// Each so many parts a slow one is left without something to read for a while, and again as long as
/// what arrives then tells that its buffer is larger than known.
const PAUSE_EVERY: u32 = 5;

/// For so long, in terms of the time a part takes.
const PAUSE: f64 = 0.5;

/// What was free longer ago than so many parts, and as many again, says nothing of a buffer any more:
/// its kernel gives and takes.
const ROOM_PARTS: u32 = 5;

/// A viewer's rate is that of its last few parts: windows are announced in steps, of 64 KiB over
/// loopback. So much of what was before is kept with each.
const KEPT: f64 = 0.75;

/// A viewer that had next to nothing to read may be so much faster than it seemed.
const FASTER: f64 = 1.05;

/// And so much when it had nothing at all.
const MUCH_FASTER: f64 = 1.5;

/// No viewer is known to be faster than so many parts a second.
const FASTEST: f64 = 100.0;

/// How far a viewer is behind, as far as it can be seen.
#[derive(Debug, Default)]
pub struct Sight {
    /// It has made us wait; since then it was ready for so many frames in a row.
    slow: Option<u32>,
    /// Since when the part being written waits.
    waiting: Option<Instant>,
    /// Parts since one really had to wait: more than that is proof that it is not slow.
    proven: u32,
    /// The part sent last.
    last: Option<Sent>,
    /// Bytes its buffer holds, as far as they have been seen to be free at once of late.
    room: u32,
    /// The same since the last [`ROOM_PARTS`]th part, and in the so many before.
    rooms: (u32, u32),
    /// Parts sent.
    parts: u32,
    /// The pause after the last part, in parts.
    pause: f64,
    /// Bytes of it that were free when last looked at, and when they were others at last.
    free: Option<(Instant, u32)>,
    /// When it was looked at.
    looked: Option<Instant>,
    /// Bytes it had taken and promised to take when the last part was seen to have arrived.
    arrived: Option<(Instant, u64)>,
    /// Bytes it read of late, and in how many seconds.
    read: (f64, f64),
    /// Bytes a second it is taken to read.
    rate: Option<f64>,
}

/// A part that was sent.
#[derive(Debug)]
struct Sent {
    at: Instant,
    bytes: usize,
    /// It did not go at once: what came before was in its way.
    had_to_wait: bool,
    /// Its viewer was left without something to read before.
    has_paused: bool,
    /// It is all in the viewer's buffer, or read.
    has_arrived: bool,
}

impl Sight {
    /// Looks at a viewer that has been sent nothing yet.
    pub fn begin(connection: &Connection) -> Sight {
        Sight::begin_with(connection.wire().map_or(0, |wire| wire.free()))
    }

    fn begin_with(free: u32) -> Sight {
        Sight {
            room: free,
            rooms: (free, 0),
            // Until the contrary is seen.
            proven: PROOF,
            ..Sight::default()
        }
    }

    /// Notes that writing to the viewer had to wait.
    pub fn note_wait(&mut self) {
        self.note_wait_at(Instant::now());
    }

    fn note_wait_at(&mut self, at: Instant) {
        self.slow = Some(0);
        self.waiting.get_or_insert(at);
    }

    /// Notes that a part of so many bytes was sent at `now`.
    pub fn note_part(&mut self, bytes: usize, connection: &Connection, now: Instant) {
        let wire = self.slow.and_then(|_| connection.wire());
        self.note_part_at(bytes, wire, now);
    }

    fn note_part_at(&mut self, bytes: usize, wire: Option<Wire>, now: Instant) {
        let waiting = self.waiting.take();
        let has_paused = self.pause > 0.0;
        let is_slow = self.rate.is_some_and(|rate| bytes as f64 > BRIEF * rate);
        self.parts += 1;
        if self.parts % ROOM_PARTS == 0 {
            self.rooms = (0, self.rooms.0);
        }
        let is_due = is_slow && self.parts % PAUSE_EVERY == 0;
        self.pause = if is_due { PAUSE } else { 0.0 };
        let had_to_wait = waiting.is_some_and(|since| now - since > SOON);
        self.proven = if had_to_wait {
            0
        } else {
            self.proven.saturating_add(1)
        };
        self.last = Some(Sent {
            at: now,
            bytes,
            had_to_wait,
            has_paused,
            has_arrived: false,
        });
        let Some(wire) = wire.filter(|wire| has_arrived(*wire, bytes)) else {
            return;
        };
        // What was free before it arrived, to the byte: nothing has been read since.
        let free = wire.free().saturating_add(bytes as u32);
        let is_larger = free > self.room + bytes as u32 / 64 && waiting.is_none();
        if waiting.is_none() {
            self.note_free(free);
        }
        if is_slow && has_paused && is_larger {
            self.pause = PAUSE;
        }
        self.look(wire, now);
    }

    /// Notes that so many bytes of its buffer were free at once.
    fn note_free(&mut self, free: u32) {
        self.rooms.0 = self.rooms.0.max(free);
        self.room = self.rooms.0.max(self.rooms.1);
    }

    /// True when a frame sent now is seen soon.
    pub fn is_clear(&mut self, connection: &Connection) -> bool {
        if self.slow.is_none() {
            (self.rate, self.arrived, self.read) = (None, None, (0.0, 0.0));
            return true;
        }
        let wire = connection.wire();
        wire.is_none_or(|wire| self.judge(wire, Instant::now()))
    }

    fn judge(&mut self, wire: Wire, now: Instant) -> bool {
        let Some(at) = self.last.as_ref().map(|last| last.at) else {
            return true;
        };
        self.look(wire, now);
        let is_clear = self.is_drained(wire, now);
        self.slow = match self.slow {
            Some(ready) if is_clear && ready < READY => Some(ready + 1),
            Some(_) if is_clear => None,
            _ => Some(0),
        };
        let is_overdue = now - at > LONGEST;
        if is_overdue && !is_clear {
            // Perhaps its buffer is not as large any more.
            self.rooms = (self.rooms.0 / 2, self.rooms.1 / 2);
        }
        is_clear || is_overdue
    }

    /// Learns the size of the viewer's buffer and its rate.
    fn look(&mut self, wire: Wire, now: Instant) {
        self.note_free(wire.free());
        let looked = self.looked.replace(now).unwrap_or(now);
        if self.free.is_none_or(|(_, free)| free != wire.free()) {
            self.free = Some((looked, wire.free()));
        }
        let Some(last) = self.last.as_mut().filter(|last| !last.has_arrived) else {
            return;
        };
        if !has_arrived(wire, last.bytes) {
            if now - last.at > ACKNOWLEDGED {
                last.had_to_wait = true;
                self.proven = 0;
            }
            return;
        }
        last.has_arrived = true;
        // Told anew with what arrived, be it the same as before.
        self.free = Some((looked.max(last.at), wire.free()));
        let (bytes, has_paused) = (last.bytes as f64, last.has_paused);
        let promised = wire.promised();
        // What it still had when this came, in parts.
        let left = (f64::from(self.room - wire.free()) - bytes) / bytes;
        let slack = slack(self.room, bytes) / bytes;
        let was_behind = last.had_to_wait || left > 0.25 + slack;
        let before = self.arrived.replace((now, promised));
        let Some((before, promised_before)) = before else {
            return;
        };
        let taken = promised.saturating_sub(promised_before) as f64;
        self.read = (
            self.read.0 * KEPT + taken,
            self.read.1 * KEPT + (now - before).as_secs_f64(),
        );
        let measured = (self.read.0 / self.read.1.max(MOMENT)).max(1.0);
        let faster = if left > 1.0 / 32.0 + slack {
            FASTER
        } else {
            MUCH_FASTER
        };
        let rate = match self.rate {
            Some(rate) if has_paused && !was_behind => rate,
            Some(rate) if !was_behind => rate.max(measured) * faster,
            _ => measured,
        };
        self.rate = Some(rate.min(FASTEST * bytes));
    }

    /// True when what was sent is over the wire, about half of the viewer's buffer is free, and the
    /// rest has about been read.
    fn is_drained(&self, wire: Wire, now: Instant) -> bool {
        let is_over = wire.unacked == 0 || (wire.unsent == 0 && wire.round_trip < NEAR);
        let by_rate = |bytes: f64, since: Instant| {
            let time = (now - since).as_secs_f64();
            self.rate.is_none_or(|rate| bytes <= rate * time)
        };
        // Its kernel's half may be less than ours, and then it says nothing more; but a fast one has read
        // what came last.
        let has_read = |last: &Sent| {
            let bytes = last.bytes as f64;
            let is_fast = self.rate.is_some_and(|rate| bytes <= 2.0 * BRIEF * rate);
            is_fast && by_rate(bytes * 0.8, last.at)
        };
        let is_open = wire.free() >= self.room / 8 * 3 || self.last.as_ref().is_some_and(has_read);
        let is_read = self.proven >= PROOF
            || match (self.free, &self.last) {
                (Some((since, free)), Some(last)) => {
                    let bytes = last.bytes as f64;
                    let unread = f64::from(self.room.saturating_sub(free));
                    by_rate(unread - slack(self.room, bytes) + self.pause * bytes, since)
                }
                _ => true,
            };
        is_over && (self.room < SMALL || is_open && is_read)
    }
}

/// How much a buffer with room for so many bytes may seem to hold although it is empty: the more its
/// kernel gives it, the less exactly it says so. At most a part.
fn slack(room: u32, bytes: f64) -> f64 {
    (f64::from(room) / 8.0 - bytes / 4.0).clamp(0.0, bytes)
}

/// True when a part of so many bytes is in the viewer's buffer, but for a tail whose acknowledgement
/// is delayed.
fn has_arrived(wire: Wire, bytes: usize) -> bool {
    wire.unsent == 0 && wire.flying as usize <= bytes / 8
}

#[cfg(test)]
mod tests;
