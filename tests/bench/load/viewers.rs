//! Many viewers of one stream, in few threads.
//!
//! The viewers arrive one after the other; when all have their first frame (or patience is
//! over) the measured window begins, and nothing outside of it counts except first times and
//! faults. Nobody reconnects. `shard` holds what one thread does.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::check::{Ledger, Track};
use super::shard::Shard;

/// How long to sleep while waiting for the first frames: being late only moves the window.
const READY_CHECK: Duration = Duration::from_millis(5);

/// What to watch, and how.
#[derive(Clone, Debug)]
pub struct Watch {
    pub address: SocketAddr,
    pub path: String,
    pub viewers: usize,
    /// The measured window.
    pub window: Duration,
    pub threads: usize,
    /// Every viewer hashes every body.
    pub verify: bool,
    /// For all first frames to come.
    pub patience: Duration,
}

/// What one viewer got: frames and gap of the window, first times from connecting, and the track
/// of the whole watch.
#[derive(Clone, Debug, Default)]
pub struct Viewer {
    pub frames: u64,
    pub first_byte: Option<Duration>,
    pub first_frame: Option<Duration>,
    /// The longest time between two frames.
    pub gap: Duration,
    /// From the first frame to the last.
    pub span: Duration,
    pub track: Track,
}

impl Viewer {
    /// Frames a second. By the frames' own times, as a short window may begin right after a frame
    /// and end right before one; by the window when the stream did not fill it.
    pub fn rate(&self, window: Duration) -> f64 {
        let by_window = self.frames as f64 / window.as_secs_f64();
        match self.frames {
            0 | 1 => by_window,
            frames => {
                let period = self.span / (frames - 1) as u32;
                match self.span + 3 * period >= window {
                    true => 1.0 / period.as_secs_f64(),
                    false => by_window,
                }
            }
        }
    }
}

/// What all viewers got.
pub struct Report {
    pub viewers: Vec<Viewer>,
    /// Age of each frame at its last byte, sorted; empty without `X-Timestamp`.
    pub ages_micros: Vec<u32>,
    pub ledger: Ledger,
}

/// When the window begins and ends, in microseconds from `base`, and who is ready for it.
pub struct Clock {
    base: Instant,
    /// Viewers that have a frame, or have failed.
    pub ready: AtomicUsize,
    begin_micros: AtomicU64,
    window_micros: u64,
}

impl Clock {
    pub fn now_micros(&self) -> u64 {
        self.base.elapsed().as_micros() as u64
    }

    /// Some(true) inside of the window, Some(false) after it.
    pub fn window_at(&self, micros: u64) -> Option<bool> {
        let begin = self.begin_micros.load(Ordering::Acquire);
        (micros >= begin).then(|| micros < begin.saturating_add(self.window_micros))
    }
}

/// Watches; `on_phase` is called with true when the window begins, with false when it is over.
pub fn watch(watch: &Watch, mut on_phase: impl FnMut(bool)) -> Report {
    let clock = Clock {
        base: Instant::now(),
        ready: AtomicUsize::new(0),
        begin_micros: AtomicU64::new(u64::MAX),
        window_micros: watch.window.as_micros() as u64,
    };
    let threads = watch.threads.clamp(1, watch.viewers.max(1));
    let shared = &clock;
    std::thread::scope(|scope| {
        let shards: Vec<_> = (0..threads)
            .map(|first| scope.spawn(move || Shard::new(watch, shared).run(first, threads)))
            .collect();
        while clock.ready.load(Ordering::Acquire) < watch.viewers
            && clock.base.elapsed() < watch.patience
        {
            // Viewers count themselves without waking anybody: that would be measured, too.
            std::thread::sleep(READY_CHECK);
        }
        clock
            .begin_micros
            .store(clock.now_micros(), Ordering::Release);
        on_phase(true);
        // The measured window.
        std::thread::sleep(watch.window);
        on_phase(false);
        let mut report = Report {
            viewers: Vec::new(),
            ages_micros: Vec::new(),
            ledger: Ledger::default(),
        };
        for shard in shards {
            let part = shard.join().expect("a shard does not panic");
            report.viewers.extend(part.viewers);
            report.ages_micros.extend(part.ages_micros);
            report.ledger.merge(part.ledger);
        }
        report.ages_micros.sort_unstable();
        report
    })
}
