//! The viewers: who is admitted, what each was sent, and one line when they come and go.
//!
//! A viewer holds its place by an [`Admission`] and gives it back by dropping it, so a client
//! thread that panics leaves nothing behind. Knows nothing of HTTP.

use crate::{
    feed::{
        camera::Camera,
        stats::{Counter, Rate},
    },
    system::log_limit::LogLimiter,
};
use log::{info, warn};
use parking_lot::{Condvar, Mutex};
use std::{
    collections::BTreeMap,
    io::ErrorKind::{self, BrokenPipe, ConnectionReset, TimedOut, WouldBlock},
    sync::Arc,
    time::{Duration, Instant},
};

/// Lines a minute about viewers that come and go: a page that is opened and closed is told of, a
/// script that does so without end does not fill the log.
const LINES: u32 = 40;

/// Everybody who watches.
#[derive(Debug)]
pub struct Viewers {
    max_viewers: usize,
    /// Held for the time of an insert, a remove, a copy of the pointers or a sum.
    admitted: Mutex<Admitted>,
    /// A viewer left.
    left: Condvar,
    /// Viewers that took no byte for too long and were let go.
    pub evicted: Counter,
    /// Lines about those who come and go.
    lines: LogLimiter,
    /// Lines about those for whom there is no place.
    full_lines: LogLimiter,
    /// Lines about those who were let go, which the others do not crowd out.
    stall_lines: LogLimiter,
}

/// Who watches, and what those were sent who do not any more. Under one lock, so that no viewer
/// counts twice or not at all.
#[derive(Debug, Default)]
struct Admitted {
    by_id: BTreeMap<u64, Arc<Viewer>>,
    gone: Totals,
}

/// What viewers were and were not sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Frames sent, repeats not counted.
    pub sent: u64,
    /// Frames that were there for a viewer and never sent to it, because it was slow.
    pub missed: u64,
    /// Bytes of parts sent, repeats included.
    pub bytes: u64,
}

impl Totals {
    fn add(&mut self, viewer: &Viewer) {
        self.sent += viewer.sent.get();
        self.missed += viewer.missed.get();
        self.bytes += viewer.bytes.get();
    }
}

/// One viewer's numbers; written by its thread, read by status answers.
#[derive(Debug)]
pub struct Viewer {
    /// Number of the client, as in its thread's name.
    pub id: u64,
    /// Its address.
    pub peer: String,
    /// What it watches; held for the time of a copy.
    cameras: Mutex<Vec<Arc<Camera>>>,
    /// When it was admitted.
    pub since: Instant,
    /// Parts a second, repeats not counted.
    rate: Rate,
    /// Frames sent, repeats not counted.
    pub sent: Counter,
    /// Frames that were there for it and never sent, because it was slow.
    pub missed: Counter,
    /// Bytes of parts sent, repeats included.
    pub bytes: Counter,
}

/// Why a viewer left.
#[derive(Debug, Clone, Copy)]
pub enum LeaveReason {
    /// Its connection ended or took no bytes any more.
    Gone(ErrorKind),
    /// The program ends.
    Ending,
}

impl LeaveReason {
    fn is_stalled(self) -> bool {
        matches!(self, LeaveReason::Gone(TimedOut | WouldBlock))
    }

    /// In the log.
    fn words(self) -> &'static str {
        match self {
            LeaveReason::Gone(BrokenPipe | ConnectionReset) => "closed",
            LeaveReason::Gone(TimedOut | WouldBlock) => "stalled",
            LeaveReason::Gone(_) => "connection lost",
            LeaveReason::Ending => "camfeed ends",
        }
    }
}

impl Viewer {
    /// True for a viewer of `camera`, or of what stood in for it: they have one slot.
    pub fn watches(&self, camera: &Camera) -> bool {
        let cameras = self.cameras.lock();
        cameras.iter().any(|watched| watched.has_slot_of(camera))
    }

    /// In the log, behind its address.
    fn words(&self) -> String {
        let cameras = self.cameras();
        let names: Vec<_> = cameras
            .iter()
            .filter_map(|camera| camera.address())
            .collect();
        match names.is_empty() {
            true => String::new(),
            false => format!(" camera={}", names.join(",")),
        }
    }

    /// What it watches, as it was when that began.
    pub fn cameras(&self) -> Vec<Arc<Camera>> {
        self.cameras.lock().clone()
    }

    /// Parts a second, repeats not counted.
    pub fn fps(&self) -> f64 {
        self.rate.per_second(Instant::now())
    }
}

impl Viewers {
    /// Admits up to `max_viewers` at once.
    pub fn new(max_viewers: usize) -> Arc<Viewers> {
        Arc::new(Viewers {
            max_viewers,
            admitted: Mutex::default(),
            left: Condvar::new(),
            evicted: Counter::default(),
            lines: LogLimiter::per_minute(LINES),
            full_lines: LogLimiter::per_minute(1),
            stall_lines: LogLimiter::per_minute(LINES / 2),
        })
    }

    /// A place for a viewer; `None` when all are taken, which the log says with the option.
    pub fn admit(
        self: &Arc<Viewers>,
        id: u64,
        peer: String,
        cameras: Vec<Arc<Camera>>,
    ) -> Option<Admission> {
        let viewer = Arc::new(Viewer {
            id,
            peer,
            cameras: Mutex::new(cameras),
            since: Instant::now(),
            rate: Rate::default(),
            sent: Counter::default(),
            missed: Counter::default(),
            bytes: Counter::default(),
        });
        let count = {
            let mut viewers = self.admitted.lock();
            let is_free = viewers.by_id.len() < self.max_viewers;
            if is_free {
                viewers.by_id.insert(id, Arc::clone(&viewer));
            }
            is_free.then_some(viewers.by_id.len())
        };
        let Some(count) = count else {
            if let Some(suppressed) = self.full_lines.permit() {
                let (max, peer) = (self.max_viewers, &viewer.peer);
                warn!(
                    "viewer refused: all places are taken (--max-viewers) peer={peer} viewers={max}{suppressed}"
                );
            }
            return None;
        };
        if let Some(suppressed) = self.lines.permit() {
            info!(
                "viewer joined id={id} peer={}{} viewers={count}{suppressed}",
                viewer.peer,
                viewer.words(),
            );
        }
        Some(Admission {
            viewers: Arc::clone(self),
            viewer,
            leaving: None,
        })
    }

    /// Streams served at once.
    pub fn max_viewers(&self) -> usize {
        self.max_viewers
    }

    /// Who watches, by id.
    pub fn viewers(&self) -> Vec<Arc<Viewer>> {
        self.admitted.lock().by_id.values().cloned().collect()
    }

    /// How many watch.
    pub fn count(&self) -> usize {
        self.admitted.lock().by_id.len()
    }

    /// Of all viewers, gone ones included. Summed here, so that a part sent touches nothing that all
    /// viewers share.
    pub fn totals(&self) -> Totals {
        let viewers = self.admitted.lock();
        let mut totals = viewers.gone;
        for viewer in viewers.by_id.values() {
            totals.add(viewer);
        }
        totals
    }

    /// Waits until nobody watches any more, at most `time`.
    pub fn wait_gone(&self, time: Duration) {
        let deadline = Instant::now() + time;
        let mut viewers = self.admitted.lock();
        while !viewers.by_id.is_empty() {
            if self.left.wait_until(&mut viewers, deadline).timed_out() {
                let count = viewers.by_id.len();
                info!("ending with {count} viewers that take no bytes");
                return;
            }
        }
    }
}

/// A viewer's place; given back when dropped.
#[derive(Debug)]
pub struct Admission {
    viewers: Arc<Viewers>,
    /// Its numbers.
    pub viewer: Arc<Viewer>,
    leaving: Option<LeaveReason>,
}

impl Admission {
    /// Counts a part with a new frame that was sent at `now`, and the frames that came and went
    /// since the one before.
    pub fn note_frame(&self, bytes: usize, missed: u64, now: Instant) {
        let viewer = &self.viewer;
        viewer.bytes.add(bytes as u64);
        viewer.sent.increment();
        if missed > 0 {
            viewer.missed.add(missed);
        }
        viewer.rate.tick(now);
    }

    /// Counts a part that was sent once more.
    pub fn note_repeat(&self, bytes: usize) {
        self.viewer.bytes.add(bytes as u64);
    }

    /// From now on it watches `camera`, too.
    pub fn also_watches(&self, camera: Arc<Camera>) {
        self.viewer.cameras.lock().push(camera);
    }

    /// Gives the place back and says why.
    pub fn leave(mut self, leaving: LeaveReason) {
        self.leaving = Some(leaving);
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        let count = {
            let mut viewers = self.viewers.admitted.lock();
            viewers.by_id.remove(&self.viewer.id);
            viewers.gone.add(&self.viewer);
            self.viewers.left.notify_all();
            viewers.by_id.len()
        };
        let is_stalled = self.leaving.is_some_and(LeaveReason::is_stalled);
        if is_stalled {
            self.viewers.evicted.increment();
        }
        let lines = if is_stalled {
            &self.viewers.stall_lines
        } else {
            &self.viewers.lines
        };
        let Some(suppressed) = lines.permit() else {
            return;
        };
        let viewer = &self.viewer;
        let reason = self.leaving.map_or("internal error", LeaveReason::words);
        info!(
            "viewer left id={} peer={}{} viewers={count} seconds={:.1} sent={} missed={} reason={reason:?}{suppressed}",
            viewer.id,
            viewer.peer,
            viewer.words(),
            viewer.since.elapsed().as_secs_f64(),
            viewer.sent.get(),
            viewer.missed.get(),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admitted(viewers: &Arc<Viewers>, id: u64) -> Admission {
        let admission = viewers.admit(id, "peer".to_owned(), Vec::new());
        admission.expect("a place")
    }

    #[test]
    fn one_more_than_the_limit_is_not_admitted_until_one_leaves() {
        let viewers = Viewers::new(2);
        let first = admitted(&viewers, 1);
        let _second = admitted(&viewers, 2);
        assert!(viewers.admit(3, "c".to_owned(), Vec::new()).is_none());
        first.leave(LeaveReason::Ending);
        assert!(viewers.admit(4, "d".to_owned(), Vec::new()).is_some());
    }

    #[test]
    fn a_part_is_counted_for_its_viewer_and_for_all() {
        let viewers = Viewers::new(1);
        let admission = admitted(&viewers, 1);
        admission.note_frame(100, 2, Instant::now());
        admission.note_repeat(100);
        let viewer = &admission.viewer;
        assert_eq!(
            (viewer.sent.get(), viewer.missed.get(), viewer.bytes.get()),
            (1, 2, 200)
        );
        let (sent, missed, bytes) = (1, 2, 200);
        let totals = Totals {
            sent,
            missed,
            bytes,
        };
        assert_eq!(viewers.totals(), totals);
    }

    #[test]
    fn what_a_viewer_that_left_was_sent_stays_counted() {
        let viewers = Viewers::new(2);
        let first = admitted(&viewers, 1);
        let second = admitted(&viewers, 2);
        let now = Instant::now();
        first.note_frame(100, 2, now);
        second.note_frame(100, 0, now);
        let mut totals = Totals {
            sent: 2,
            missed: 2,
            bytes: 200,
        };
        assert_eq!(viewers.totals(), totals);
        first.leave(LeaveReason::Ending);
        assert_eq!(viewers.totals(), totals);
        second.note_frame(100, 1, now);
        totals = Totals {
            sent: 3,
            missed: 3,
            bytes: 300,
        };
        assert_eq!(viewers.totals(), totals);
    }

    #[test]
    fn waiting_for_the_last_viewer_ends_when_it_leaves() {
        let viewers = Viewers::new(1);
        let admission = admitted(&viewers, 1);
        let leaver = std::thread::spawn(move || admission.leave(LeaveReason::Ending));
        viewers.wait_gone(Duration::from_secs(60));
        assert!(viewers.viewers().is_empty());
        leaver.join().expect("no panic");
    }
}
