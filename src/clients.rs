//! The viewers: who is admitted, what each was sent, and one line when they come and go.
//!
//! A viewer holds its place by an [`Admission`] and gives it back by dropping it, so a client
//! thread that panics leaves nothing behind. Knows nothing of HTTP.

use crate::{
    seldom::{Seldom, Unsaid},
    stats::{Counter, Rate},
};
use log::info;
use parking_lot::{Condvar, Mutex};
use std::{
    collections::BTreeMap,
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

/// Lines a minute about viewers that come and go: a page that is opened and closed is told of, a
/// script that does so without end does not fill the log.
const LINES: u32 = 40;

/// Everybody who watches.
#[derive(Debug)]
pub struct Clients {
    max_viewers: usize,
    /// Held for the time of an insert, a remove, a copy of the pointers or a sum.
    viewers: Mutex<Viewers>,
    /// A viewer left.
    left: Condvar,
    /// Bytes of parts sent to all viewers, gone ones included.
    pub bytes_sent: Counter,
    /// Viewers that took no byte for too long and were let go.
    pub evicted: Counter,
    /// Lines about those who come and go.
    lines: Seldom,
    /// Lines about those who were let go, which the others do not crowd out.
    stalls: Seldom,
}

/// Who watches, and what those were sent who do not any more. Under one lock, so that no viewer
/// counts twice or not at all.
#[derive(Debug, Default)]
struct Viewers {
    by_id: BTreeMap<u64, Arc<Viewer>>,
    gone: Frames,
}

/// Frames that viewers were and were not sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Frames {
    /// Sent, repeats not counted.
    pub sent: u64,
    /// There for a viewer and never sent to it, because it was slow.
    pub missed: u64,
}

impl Frames {
    fn add(&mut self, viewer: &Viewer) {
        self.sent += viewer.sent.get();
        self.missed += viewer.missed.get();
    }
}

/// One viewer's numbers; written by its thread, read by status answers.
#[derive(Debug)]
pub struct Viewer {
    /// Number of the client, as in its thread's name.
    pub id: u64,
    /// Its address.
    pub peer: String,
    /// When it was admitted.
    pub since: Instant,
    /// Parts a second, repeats not counted.
    pub rate: Rate,
    /// Frames sent, repeats not counted.
    pub sent: Counter,
    /// Frames that were there for it and never sent, because it was slow.
    pub missed: Counter,
    /// Bytes of parts sent, repeats included.
    pub bytes: Counter,
}

/// Why a viewer left.
#[derive(Debug, Clone, Copy)]
pub enum Leaving {
    /// Its connection ended or took no bytes any more.
    Gone(std::io::ErrorKind),
    /// The program ends.
    Ending,
}

impl Leaving {
    fn is_stalled(self) -> bool {
        use std::io::ErrorKind;
        matches!(
            self,
            Leaving::Gone(ErrorKind::TimedOut | ErrorKind::WouldBlock)
        )
    }
}

impl fmt::Display for Leaving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use std::io::ErrorKind;
        f.write_str(match self {
            Leaving::Gone(ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => "closed",
            Leaving::Gone(_) if self.is_stalled() => "stalled",
            Leaving::Gone(_) => "connection lost",
            Leaving::Ending => "camfeed ends",
        })
    }
}

impl Clients {
    /// Admits up to `max_viewers` at once.
    pub fn new(max_viewers: usize) -> Arc<Clients> {
        Arc::new(Clients {
            max_viewers,
            viewers: Mutex::default(),
            left: Condvar::new(),
            bytes_sent: Counter::default(),
            evicted: Counter::default(),
            lines: Seldom::lines(LINES),
            stalls: Seldom::lines(LINES / 2),
        })
    }

    /// A place for a viewer; `None` when all are taken.
    pub fn admit(self: &Arc<Clients>, id: u64, peer: String) -> Option<Admission> {
        let viewer = Arc::new(Viewer {
            id,
            peer,
            since: Instant::now(),
            rate: Rate::default(),
            sent: Counter::default(),
            missed: Counter::default(),
            bytes: Counter::default(),
        });
        let count = {
            let mut viewers = self.viewers.lock();
            if viewers.by_id.len() >= self.max_viewers {
                return None;
            }
            viewers.by_id.insert(id, Arc::clone(&viewer));
            viewers.by_id.len()
        };
        if let Some(unsaid) = self.lines.note() {
            info!(
                "viewer joined id={id} peer={} viewers={count}{}",
                viewer.peer,
                Unsaid(unsaid)
            );
        }
        Some(Admission {
            clients: Arc::clone(self),
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
        self.viewers.lock().by_id.values().cloned().collect()
    }

    /// How many watch.
    pub fn count(&self) -> usize {
        self.viewers.lock().by_id.len()
    }

    /// Frames of all viewers, gone ones included. Summed here, so that a part sent costs nothing
    /// that all viewers share.
    pub fn frames(&self) -> Frames {
        let viewers = self.viewers.lock();
        let mut frames = viewers.gone;
        for viewer in viewers.by_id.values() {
            frames.add(viewer);
        }
        frames
    }

    /// Waits until nobody watches any more, at most `time`.
    pub fn wait_gone(&self, time: Duration) {
        let deadline = Instant::now() + time;
        let mut viewers = self.viewers.lock();
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
    clients: Arc<Clients>,
    /// Its numbers.
    pub viewer: Arc<Viewer>,
    leaving: Option<Leaving>,
}

impl Admission {
    /// Counts a part that was sent: `frames` is 1 for a new frame, 0 for a repeat; `missed` the
    /// frames that came and went since the one before.
    pub fn note_part(&self, bytes: usize, frames: u64, missed: u64) {
        let viewer = &self.viewer;
        viewer.bytes.add(bytes as u64);
        self.clients.bytes_sent.add(bytes as u64);
        if frames > 0 {
            viewer.sent.add(frames);
            viewer.missed.add(missed);
            viewer.rate.tick(Instant::now());
        }
    }

    /// Gives the place back and says why.
    pub fn leave(mut self, leaving: Leaving) {
        self.leaving = Some(leaving);
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        let count = {
            let mut viewers = self.clients.viewers.lock();
            viewers.by_id.remove(&self.viewer.id);
            viewers.gone.add(&self.viewer);
            self.clients.left.notify_all();
            viewers.by_id.len()
        };
        let is_stalled = self.leaving.is_some_and(Leaving::is_stalled);
        if is_stalled {
            self.clients.evicted.bump();
        }
        let lines = if is_stalled {
            &self.clients.stalls
        } else {
            &self.clients.lines
        };
        let Some(unsaid) = lines.note() else {
            return;
        };
        let viewer = &self.viewer;
        let reason = self
            .leaving
            .map_or_else(|| "internal error".to_owned(), |why| why.to_string());
        info!(
            "viewer left id={} peer={} viewers={count} seconds={:.1} sent={} missed={} reason={reason:?}{}",
            viewer.id,
            viewer.peer,
            viewer.since.elapsed().as_secs_f64(),
            viewer.sent.get(),
            viewer.missed.get(),
            Unsaid(unsaid),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_more_than_the_limit_is_not_admitted_until_one_leaves() {
        let clients = Clients::new(2);
        let first = clients.admit(1, "a".to_owned()).expect("a place");
        let _second = clients.admit(2, "b".to_owned()).expect("a place");
        assert!(clients.admit(3, "c".to_owned()).is_none());
        first.leave(Leaving::Ending);
        assert!(clients.admit(4, "d".to_owned()).is_some());
    }

    #[test]
    fn a_part_is_counted_for_its_viewer_and_for_all() {
        let clients = Clients::new(1);
        let admission = clients.admit(1, "a".to_owned()).expect("a place");
        admission.note_part(100, 1, 2);
        admission.note_part(100, 0, 0);
        let viewer = &admission.viewer;
        assert_eq!(
            (viewer.sent.get(), viewer.missed.get(), viewer.bytes.get()),
            (1, 2, 200)
        );
        assert_eq!(clients.bytes_sent.get(), 200);
    }

    #[test]
    fn the_frames_of_a_viewer_that_left_stay_counted() {
        let clients = Clients::new(2);
        let first = clients.admit(1, "a".to_owned()).expect("a place");
        let second = clients.admit(2, "b".to_owned()).expect("a place");
        first.note_part(100, 1, 2);
        second.note_part(100, 1, 0);
        let (sent, missed) = (2, 2);
        assert_eq!(clients.frames(), Frames { sent, missed });
        first.leave(Leaving::Ending);
        assert_eq!(clients.frames(), Frames { sent, missed });
        second.note_part(100, 1, 1);
        let (sent, missed) = (3, 3);
        assert_eq!(clients.frames(), Frames { sent, missed });
    }

    #[test]
    fn waiting_for_the_last_viewer_ends_when_it_leaves() {
        let clients = Clients::new(1);
        let admission = clients.admit(1, "a".to_owned()).expect("a place");
        let leaver = std::thread::spawn(move || admission.leave(Leaving::Ending));
        clients.wait_gone(Duration::from_secs(60));
        assert!(clients.viewers().is_empty());
        leaver.join().expect("no panic");
    }
}
