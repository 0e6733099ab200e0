//! A camera: a name, its settings, its slot, its numbers and what is known of it now.
//!
//! This is the object the two halves of the program share: `capture` and `encode` fill it, the
//! server reads it, and neither knows the other. There is one today; nothing here assumes so.

use crate::{
    capture,
    config::{CameraConfig, Size},
    encode,
    error::Error,
    shutdown::Stop,
    slot::Slot,
    stats::CameraStats,
};
use parking_lot::{Mutex, MutexGuard};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// One camera with everything that belongs to it.
#[derive(Debug)]
pub struct Camera {
    /// What it was told.
    pub config: CameraConfig,
    /// Its latest frame.
    pub slot: Arc<Slot>,
    /// Its counters.
    pub stats: CameraStats,
    /// Written by its supervisor, read by status answers; held for the time of a copy.
    status: Mutex<Status>,
    /// Last sequence given out.
    sequence: AtomicU64,
    /// Start of the camera's clock.
    epoch: Instant,
    /// Capture time of the newest picture in microseconds of that clock; 0 before the first.
    newest: AtomicU64,
}

/// What the supervisor knows of a camera.
#[derive(Debug, Clone)]
pub struct Status {
    /// Opening, online or offline.
    pub state: State,
    /// Since when.
    pub since: Instant,
    /// Why it is not online; advice included.
    pub reason: Option<String>,
    /// What was really opened.
    pub facts: Facts,
}

/// State of a camera.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// The device is being opened for the first time.
    Opening,
    /// Pictures come.
    Online,
    /// No pictures; it is tried again and again.
    Offline,
}

/// What a source really gives, as read back from it.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// What was opened, as its user knows it.
    pub source: String,
    /// Who reads it: V4L2, FFMPEG, GSTREAMER or built-in.
    pub backend: String,
    /// Its pixel or stream format, such as MJPG, YUYV, h264, BGR.
    pub format: String,
    /// Size of its pictures, as they come.
    pub size: Option<Size>,
    /// Its nominal rate.
    pub fps: Option<f64>,
    /// Its JPEGs are sent as they come, never decoded.
    pub pass_through: bool,
}

impl Camera {
    /// A camera that is not started yet.
    pub fn new(config: CameraConfig) -> Camera {
        let facts = Facts {
            source: config.device.to_string(),
            backend: String::new(),
            format: String::new(),
            size: None,
            fps: None,
            pass_through: false,
        };
        Camera {
            config,
            slot: Arc::default(),
            stats: CameraStats::default(),
            status: Mutex::new(Status {
                state: State::Opening,
                since: Instant::now(),
                reason: Some("the camera is being opened".to_owned()),
                facts,
            }),
            sequence: AtomicU64::new(0),
            epoch: Instant::now(),
            newest: AtomicU64::new(0),
        }
    }

    /// Starts its encoders and its supervisor, which run until `stop`.
    pub fn start(self: &Arc<Camera>, stop: &Arc<Stop>) -> Result<(), Error> {
        let encoders = encode::start(self)?;
        capture::start(self, encoders, stop)
    }

    /// The status as it stands, to read or to write; let go of it at once.
    pub fn status(&self) -> MutexGuard<'_, Status> {
        self.status.lock()
    }

    /// The next sequence.
    pub fn next_sequence(&self) -> u64 {
        self.sequence.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Notes that a picture taken at `captured` came.
    pub fn note_picture(&self, captured: Instant) {
        let micros = captured
            .saturating_duration_since(self.epoch)
            .as_micros()
            .max(1);
        self.newest
            .store(u64::try_from(micros).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.stats.captured.bump();
        self.stats.rate.tick(captured);
    }

    /// How old the newest picture is, whether anybody watches or not; `None` before the first.
    pub fn age(&self) -> Option<Duration> {
        match self.newest.load(Ordering::Relaxed) {
            0 => None,
            micros => Some((self.epoch + Duration::from_micros(micros)).elapsed()),
        }
    }

    /// Why there is no live picture, for a person who asked for one.
    pub fn excuse(&self) -> String {
        let status = self.status();
        match (&status.reason, status.state) {
            (Some(reason), _) => reason.clone(),
            (None, State::Online) => "the camera gives no picture at the moment".to_owned(),
            (None, _) => "the camera is being opened".to_owned(),
        }
    }
}
