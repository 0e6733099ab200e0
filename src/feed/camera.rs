//! A camera: a name, its settings, its slot, its numbers and what is known of it now.
//!
//! This is the object the two halves of the program share: `capture` and `encode` fill it, the
//! server reads it, and neither knows the other.

pub use crate::feed::status::{ColorRange, RequestedFormat, SourceInfo, State, Status};
use crate::{
    config::CameraConfig,
    feed::{
        controls::{CameraControls, Control},
        frame::Frame,
        freeze::{Change, FreezeDetector},
        health::Observation,
        place::{Place, SeenDevice},
        slot::Slot,
        stats::CameraStats,
    },
};
use log::{info, warn};
use parking_lot::{Mutex, MutexGuard};
use std::{
    io, slice,
    sync::{
        Arc,
        atomic::{AtomicI32, AtomicU64, Ordering},
    },
    time::Instant,
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
    /// Where it is plugged in, if it is one of those that were found and has a node.
    pub place: Option<Place>,
    /// What stood in for it was called so: who watches that watches this one.
    pub stand_in: Option<String>,
    /// Last sequence given out.
    sequence: Arc<AtomicU64>,
    /// JPEG quality of what is encoded from now on.
    quality: AtomicI32,
    /// Held for the time of a comparison.
    freeze: Mutex<FreezeDetector>,
    /// Reads and sets the controls of what is open; `None` for a source that has none.
    controls: Mutex<Option<Arc<dyn CameraControls>>>,
    /// What was set meanwhile of controls that are lost when the camera is closed.
    changed: Mutex<Vec<(String, String)>>,
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
                cause: None,
                facts,
            }),
            place: None,
            stand_in: None,
            sequence: Arc::default(),
            freeze: Mutex::default(),
            controls: Mutex::default(),
            changed: Mutex::default(),
        }
    }

    /// A camera that was found there, where it has a node; not started yet.
    pub fn found(config: CameraConfig, seen: Option<SeenDevice>) -> Camera {
        Camera {
            place: seen.map(Place::new),
            ..Camera::new(config)
        }
    }

    /// The same camera in place of `stand_in`, whose threads have ended: who watches that one watches this one
    /// from now on, and no sequence comes twice.
    pub fn in_place_of(self, stand_in: &Camera) -> Camera {
        Camera {
            slot: Arc::clone(&stand_in.slot),
            sequence: Arc::clone(&stand_in.sequence),
            stand_in: stand_in.address().map(str::to_owned),
            ..self
        }
    }

    /// Its name, where it has addresses below it.
    pub fn address(&self) -> Option<&str> {
        Some(self.config.name.as_str()).filter(|_| self.config.is_addressed)
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
        self.with_controls(|controls| controls.list())
    }

    /// Sets controls of the camera; a sentence for each that cannot be set.
    pub fn set_controls(&self, settings: &[(String, String)]) -> Result<Vec<String>, NoControls> {
        self.with_controls(|controls| {
            if controls.are_kept() {
                return controls.set(settings);
            }
            // Each by itself: what is set is remembered, beside others that are refused.
            let mut complaints = Vec::new();
            for setting in settings {
                let refused = controls.set(slice::from_ref(setting))?;
                if refused.is_empty() {
                    let mut changed = self.changed.lock();
                    changed.retain(|(name, _)| *name != setting.0);
                    changed.push(setting.clone());
                }
                complaints.extend(refused);
            }
            Ok(complaints)
        })
    }

    /// What was set of controls that are lost when the camera is closed: to be set again, if `controls` are
    /// of such a camera too.
    pub fn changed_controls(&self, controls: &dyn CameraControls) -> Vec<(String, String)> {
        match controls.are_kept() {
            true => Vec::new(),
            false => self.changed.lock().clone(),
        }
    }

    /// From now on `controls` are those of what is open. They are there before the camera is online, and
    /// until it is not.
    pub fn use_controls(&self, controls: Option<Arc<dyn CameraControls>>) {
        *self.controls.lock() = controls;
    }

    fn with_controls<T>(
        &self,
        ask: impl FnOnce(&dyn CameraControls) -> io::Result<T>,
    ) -> Result<T, NoControls> {
        let controls = {
            // Both of one moment: those of a camera that is online are there.
            let status = self.status();
            if status.state != State::Online {
                return Err(NoControls::NotNow(
                    status.reason.clone().unwrap_or_default(),
                ));
            }
            self.controls.lock().clone()
        };
        // Not locked while they are asked: a camera may take its time.
        ask(&*controls.ok_or(NoControls::Never)?)
            .map_err(|error| NoControls::NotNow(error.to_string()))
    }

    /// What is known of it at `now`.
    pub fn observe(&self, now: Instant) -> Observation {
        let status = self.status().clone();
        Observation {
            now,
            status,
            last_captured: self.stats.rate.last(),
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
