//! A viewer, played millisecond by millisecond: the sender's kernel, the link, the receiver's kernel
//! and the program that reads.

use super::super::*;
use std::collections::VecDeque;

/// The kernel takes no more bytes while so many are unsent (`UNSENT_BYTES` of the listener).
const UNSENT: f64 = 16_384.0;

const SEGMENT: f64 = 1448.0;

/// What a delayed acknowledgement waits for, milliseconds.
const ACK_DELAY: u32 = 40;

/// A viewer behind its link: the sender's kernel, a link with a queue that never drops, and the
/// viewer's receive buffer as Linux keeps one.
pub struct Viewer {
    pub frame: usize,
    /// Milliseconds from a frame to the next.
    period: u32,
    /// Milliseconds from a byte on the link to its acknowledgement.
    round_trip: u32,
    /// Bytes a millisecond the link carries.
    link: f64,
    /// Bytes a millisecond the viewer's program reads, at each millisecond.
    reads: fn(u32) -> f64,
    /// Bytes its receive buffer holds.
    capacity: f64,
    /// It grows to this while the program reads all there is.
    grows_to: f64,
    /// Of the sender: bytes unsent, sent and acknowledged, and the window.
    unsent: f64,
    sent: f64,
    acknowledged: f64,
    window: f64,
    congestion_window: f64,
    /// Smoothed and least round trip, milliseconds.
    round_trips: (f64, f64),
    /// When the link has carried all it has; of each segment on it: arrival, bytes, sending.
    link_free: f64,
    segments: VecDeque<(f64, f64, u32)>,
    /// Of the receiver: bytes arrived, acknowledged and read, and the window it advertised.
    arrived: f64,
    answered: f64,
    read: f64,
    advertised: f64,
    /// When a delayed acknowledgement is due, and when the segment it is for was sent.
    delayed: Option<(u32, u32)>,
    /// Acknowledgements on their way: arrival, bytes, window, the segment's sending.
    answers: VecDeque<(u32, f64, f64, Option<u32>)>,
}

/// What a viewer saw.
#[derive(Debug, Default)]
pub struct Seen {
    /// Of each frame when its last byte was read: when, and how old, milliseconds.
    pub ages: Vec<(u32, u32)>,
    /// How often the kernel was asked.
    pub asked: u32,
    pub is_slow: bool,
}

impl Viewer {
    /// With a link and a program of these bytes a millisecond.
    pub fn new(round_trip: u32, link: f64, reads: fn(u32) -> f64) -> Viewer {
        Viewer {
            frame: 58_000,
            period: 33,
            round_trip,
            link,
            reads,
            capacity: 65_536.0,
            grows_to: 65_536.0,
            unsent: 0.0,
            sent: 0.0,
            acknowledged: 0.0,
            window: 65_536.0,
            congestion_window: 10.0 * SEGMENT,
            round_trips: (0.0, f64::MAX),
            link_free: 0.0,
            segments: VecDeque::new(),
            arrived: 0.0,
            answered: 0.0,
            read: 0.0,
            advertised: 65_536.0,
            delayed: None,
            answers: VecDeque::new(),
        }
    }

    pub fn buffer(self, capacity: f64, grows_to: f64) -> Viewer {
        Viewer {
            capacity,
            grows_to,
            window: capacity.min(65_536.0),
            advertised: capacity.min(65_536.0),
            ..self
        }
    }

    pub fn frame(self, frame: usize) -> Viewer {
        Viewer { frame, ..self }
    }

    pub fn period(self, period: u32) -> Viewer {
        Viewer { period, ..self }
    }

    fn pass_millisecond(&mut self, at: u32) {
        while let Some(&(arrives, bytes, sent)) = self.segments.front() {
            if arrives > f64::from(at) {
                break;
            }
            self.segments.pop_front();
            self.arrived += bytes;
            // Every second segment is acknowledged at once, another one late.
            if self.arrived - self.answered >= 2.0 * SEGMENT {
                self.answer(at, Some(sent));
            } else {
                self.delayed.get_or_insert((at + ACK_DELAY, sent));
            }
        }
        if let Some((due, sent)) = self.delayed
            && due <= at
        {
            self.answer(at, Some(sent));
        }
        let read = (self.arrived - self.read).min((self.reads)(at));
        self.read += read;
        if read > 0.0 && self.read == self.arrived && self.capacity < self.grows_to {
            self.capacity = (self.capacity * 1.2).min(self.grows_to);
        }
        // A window is advertised when it has doubled and was at most half (`tcp_cleanup_rbuf`).
        let window = self.advertised - (self.arrived - self.answered);
        let is_worth_it = 2.0 * window <= self.capacity && self.free() >= 2.0 * window;
        if read > 0.0 && is_worth_it {
            self.answer(at, None);
        }
        while let Some(&(arrives, acknowledged, window, sent)) = self.answers.front() {
            if arrives > at {
                break;
            }
            self.answers.pop_front();
            let taken = acknowledged - self.acknowledged;
            // Slow start, and no loss ends it: the worst for the queue.
            self.congestion_window = (self.congestion_window + taken).min(1e6);
            (self.acknowledged, self.window) = (acknowledged, window);
            if let Some(sent) = sent {
                let took = f64::from(at - sent);
                let (smoothed, least) = self.round_trips;
                let smoothed = if least == f64::MAX {
                    took
                } else {
                    smoothed + (took - smoothed) / 8.0
                };
                self.round_trips = (smoothed, least.min(took));
            }
        }
        self.transmit(at);
    }

    fn free(&self) -> f64 {
        self.capacity - (self.arrived - self.read)
    }

    fn answer(&mut self, at: u32, sent: Option<u32>) {
        self.answered = self.arrived;
        self.advertised = self.free();
        self.delayed = None;
        let arrives = at + self.round_trip.div_ceil(2);
        self.answers
            .push_back((arrives, self.answered, self.advertised, sent));
    }

    fn transmit(&mut self, at: u32) {
        loop {
            let room = self.congestion_window.min(self.window) - (self.sent - self.acknowledged);
            let bytes = self.unsent.min(SEGMENT).min(room);
            if bytes < 1.0 || bytes < SEGMENT.min(self.unsent) && self.sent > self.acknowledged {
                return;
            }
            self.unsent -= bytes;
            self.sent += bytes;
            self.link_free = self.link_free.max(at.into()) + bytes / self.link;
            let arrives = self.link_free + f64::from(self.round_trip / 2);
            self.segments.push_back((arrives, bytes, at));
        }
    }

    fn info(&self) -> TcpInfo {
        let micros = |millis: f64| Duration::from_micros((millis * 1e3) as u64);
        let (smoothed, least) = self.round_trips;
        TcpInfo {
            in_flight: (self.sent - self.acknowledged) as u32,
            unsent: self.unsent as u32,
            window: self.window as u32,
            round_trip: micros(smoothed),
            least_round_trip: micros(least),
            acknowledged: self.acknowledged as u64,
            silent_for: Duration::ZERO,
        }
    }

    /// Streams to it for `millis`, as `stream` does.
    pub fn watch(mut self, millis: u32) -> Seen {
        let (begun, mut seen) = (Instant::now(), Seen::default());
        let mut backlog = ViewerBacklog::default();
        // Ends of the frames that were sent, in bytes, and when each was taken.
        let mut sent: Vec<(f64, u32)> = Vec::new();
        // Bytes of a frame that the kernel did not take yet.
        let mut unwritten = 0.0;
        let (mut written, mut has_written) = (Written::AtOnce, false);
        for at in 0..millis {
            let now = begun + Duration::from_millis(at.into());
            self.pass_millisecond(at);
            let taken = at / self.period * self.period;
            // It looks when a frame comes, or at once if one came while it was writing.
            let is_newer = sent.last().is_none_or(|last| last.1 < taken);
            if unwritten <= 0.0 && is_newer && (at == taken || has_written) {
                let asked = &mut seen.asked;
                let info = self.info();
                let may_send = backlog.may_send(|| {
                    *asked += 1;
                    Some((info, now))
                });
                if may_send {
                    let end = sent.last().map_or(0.0, |last| last.0) + self.frame as f64;
                    sent.push((end, taken));
                    unwritten = self.frame as f64;
                    written = Written::AtOnce;
                }
            }
            has_written = false;
            while unwritten > 0.0 && self.unsent < UNSENT {
                let bytes = unwritten.min(SEGMENT);
                unwritten -= bytes;
                self.unsent += bytes;
                self.transmit(at);
                if unwritten <= 0.0 {
                    backlog.note_sent(written, now);
                    has_written = true;
                }
            }
            if unwritten > 0.0 {
                written = Written::Waiting;
            }
            while let Some(&(end, taken)) = sent.get(seen.ages.len()) {
                if self.read + 0.5 < end {
                    break;
                }
                seen.ages.push((at, at - taken));
            }
        }
        seen.is_slow = backlog.slow.is_some();
        seen
    }
}

impl Seen {
    /// Ages of the frames seen from `begin` on.
    pub fn since(&self, begin: u32) -> Vec<u32> {
        let late = self.ages.iter().filter(|(at, _)| *at >= begin);
        late.map(|(_, age)| *age).collect()
    }
}
