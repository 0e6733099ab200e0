//! A camera: a name, its settings, its slot, its numbers and what is known of it now.
//!
//! This is the object the two halves of the program share: `capture` and `encode` fill it, the
//! server reads it, and neither knows the other. There is one today; nothing here assumes so.

pub use crate::feed::status::{RequestedFormat, SourceInfo, State, Status};
use crate::{
    config::CameraConfig,
    feed::{
        controls::{CameraControls, Control},
        frame::Frame,
        freeze::{Change, FreezeDetector},
        health::Observation,
        slot::Slot,
        stats::CameraStats,
    },
};
use log::{info, warn};
use parking_lot::{Mutex, MutexGuard};
use std::{
    path::PathBuf,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicI32, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// Said of a camera that is online and has nothing to show yet.
const NO_PICTURE: &str = "the camera gives no picture at the moment";

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
    /// Capture time of the last picture, of that clock; 0 before the first.
    last_captured_micros: AtomicU64,
    /// JPEG quality of what is encoded from now on.
    quality: AtomicI32,
    /// Held for the time of a comparison.
    freeze: Mutex<FreezeDetector>,
    /// Reads and sets the controls; set once, by capture.
    controls: OnceLock<Box<dyn CameraControls>>,
}

/// Why there are no controls to show.
#[derive(Debug)]
pub enum NoControls {
    /// The source is of a kind that has none.
    Never,
    /// Not while things are as the text says.
    NotNow(String),
}

impl Camera {
    /// A camera that is not started yet.
    pub fn new(config: CameraConfig) -> Camera {
        let facts = SourceInfo {
            source: config.device.to_string(),
            ..SourceInfo::default()
        };
        Camera {
            quality: AtomicI32::new(config.quality),
            config,
            slot: Arc::default(),
            stats: CameraStats::default(),
            status: Mutex::new(Status {
                state: State::Opening,
                since: Instant::now(),
                reason: Some("the camera is being opened".to_owned()),
                nameless: None,
                facts,
            }),
            sequence: AtomicU64::new(0),
            epoch: Instant::now(),
            last_captured_micros: AtomicU64::new(0),
            freeze: Mutex::default(),
            controls: OnceLock::new(),
        }
    }

    /// The status as it stands, to read or to write; let go of it at once.
    pub fn status(&self) -> MutexGuard<'_, Status> {
        self.status.lock()
    }

    /// JPEG quality of what is encoded, at present.
    pub fn quality(&self) -> i32 {
        self.quality.load(Ordering::Relaxed)
    }

    /// From the next picture on it is encoded so, 1 to 100; nobody who watches is disturbed.
    pub fn set_quality(&self, quality: i32) {
        self.quality.store(quality, Ordering::Relaxed);
    }

    /// The next sequence.
    pub fn next_sequence(&self) -> u64 {
        self.sequence.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Notes that a picture taken at `captured` came.
    pub fn note_picture(&self, captured: Instant) {
        self.last_captured_micros
            .store(self.micros(captured), Ordering::Relaxed);
        self.stats.captured.increment();
        self.stats.rate.tick(captured);
    }

    /// Makes `frame` the latest, unless a newer one overtook it, and notes whether the picture
    /// still changes.
    pub fn publish(&self, frame: Frame) {
        self.note_change(&frame);
        if !self.slot.publish(frame) {
            self.stats.late.increment();
        }
    }

    /// Notes whether `frame` shows another picture than the latest, where the same is a fault.
    fn note_change(&self, frame: &Frame) {
        let can_freeze = self.status().facts.can_freeze;
        let latest = self.slot.latest().filter(|_| can_freeze);
        let is_same = latest.is_some_and(|last| last.is_live() && last.jpeg() == frame.jpeg());
        let change = self
            .freeze
            .lock()
            .note(is_same, frame.captured().at, self.config.timeout);
        match change {
            Some(Change::Froze(time)) => {
                let time = time.as_secs();
                warn!("the camera is frozen: it has given the very same picture for {time} s");
            }
            Some(Change::Thawed) => info!("the camera is not frozen any more"),
            None => {}
        }
    }

    /// True while it gives the very same picture again and again.
    pub fn is_frozen(&self) -> bool {
        self.freeze.lock().is_frozen()
    }

    /// The controls of the camera, as they stand.
    pub fn controls(&self) -> Result<Vec<Control>, NoControls> {
        let node = self.control_node()?;
        self.driver()?
            .list(&node)
            .map_err(|error| NoControls::NotNow(error.to_string()))
    }

    /// Sets controls of the camera; a sentence for each that cannot be set.
    pub fn set_controls(&self, settings: &[(String, String)]) -> Result<Vec<String>, NoControls> {
        let node = self.control_node()?;
        self.driver()?
            .set(&node, settings)
            .map_err(|error| NoControls::NotNow(error.to_string()))
    }

    /// From now on `controls` reads and sets them; once per camera.
    pub fn set_driver(&self, controls: Box<dyn CameraControls>) {
        let _ = self.controls.set(controls);
    }

    fn driver(&self) -> Result<&dyn CameraControls, NoControls> {
        self.controls
            .get()
            .map(|driver| &**driver)
            .ok_or(NoControls::Never)
    }

    fn control_node(&self) -> Result<PathBuf, NoControls> {
        let status = self.status();
        match (&status.facts.node, status.state) {
            (Some(node), State::Online) => Ok(node.clone()),
            (_, State::Online) => Err(NoControls::Never),
            _ => Err(NoControls::NotNow(
                status.reason.clone().unwrap_or_default(),
            )),
        }
    }

    fn micros(&self, at: Instant) -> u64 {
        let micros = at.saturating_duration_since(self.epoch).as_micros().max(1);
        u64::try_from(micros).unwrap_or(u64::MAX)
    }

    /// What is known of it at `now`.
    pub fn observe(&self, now: Instant) -> Observation {
        let last_captured = match self.last_captured_micros.load(Ordering::Relaxed) {
            0 => None,
            micros => Some(self.epoch + Duration::from_micros(micros)),
        };
        Observation {
            now,
            status: self.status().clone(),
            last_captured,
            measured_fps: self.stats.rate.per_second(now),
            timeout: self.config.timeout,
            warmup: self.config.warmup,
        }
    }

    /// Why there is no live picture, for somebody who may not know what the source is.
    pub fn nameless_reason(&self) -> String {
        let status = self.status();
        match (&status.nameless, status.state) {
            (Some(reason), State::Offline) => format!("the camera is offline: {reason}"),
            (None, State::Offline) => "the camera is offline".to_owned(),
            (_, State::Online) => NO_PICTURE.to_owned(),
            (_, State::Opening | State::Idle) => "the camera is being opened".to_owned(),
        }
    }

    /// Why there is no live picture, for a person who asked for one.
    pub fn unavailable_reason(&self) -> String {
        let status = self.status();
        match (&status.reason, status.state) {
            (Some(reason), _) => reason.clone(),
            (None, State::Online) => NO_PICTURE.to_owned(),
            (None, _) => "the camera is being opened".to_owned(),
        }
    }
}
