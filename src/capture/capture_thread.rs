//! A capture thread: opens one device, grabs its pictures, and publishes them or gives them to the
//! encoders.
//!
//! It works under a [`CaptureLease`] of the supervisor, and never waits for encoders or viewers.

use crate::{
    capture::{
        lease::{CaptureEvent, CaptureLease, EndReason},
        missing_eoi::MissingEoi,
        picture_check::{Unusable, broken_only, inspect, jpeg_of, size_of},
        source::{
            self, Opened, Repeat, Source, open::OpenContext, v4l2_bandwidth::BandwidthAdvice,
            v4l2_seen,
        },
    },
    config::{Device, Size},
    encode::{EncodeJob, Encoders, Picture},
    error::{Cause, Error},
    feed::{
        camera::{Camera, SourceInfo},
        cameras::Cameras,
        controls::CameraControls,
        frame::{CaptureTime, Frame},
    },
    jpeg::JpegLayout,
    system::{shutdown::ShutdownFlag, threads},
};
use crossbeam_channel::Sender;
use log::{Level, debug, log};
use opencv::{core::Mat, prelude::*};
use std::{
    panic::{self, AssertUnwindSafe},
    sync::Arc,
    time::{Duration, Instant},
};

/// So often one of the JPEGs that nobody watches is looked at: a camera that gives broken ones only is not well.
const LOOK: Duration = Duration::from_secs(2);

/// A device whose first picture came.
struct Ready {
    opened: Opened,
    missing_eoi: MissingEoi,
    first: FirstPicture,
}

/// A picture, the layout of a JPEG, and when it was taken.
type FirstPicture = (Picture, Option<JpegLayout>, CaptureTime);

/// What all capture threads of a camera work with.
#[derive(Clone)]
pub struct CaptureContext {
    /// Whose pictures they are.
    pub camera: Arc<Camera>,
    /// It and the others.
    pub cameras: Arc<Cameras>,
    /// Where raw pictures go.
    pub encoders: Encoders,
    /// What fits on a bus that is full.
    pub advice: Arc<BandwidthAdvice>,
    /// Where word goes.
    pub events: Sender<CaptureEvent>,
    /// Ends the threads with the program.
    pub stop: Arc<ShutdownFlag>,
}

/// A capture thread. Its supervisor is told of its end, be it a panic.
pub struct CaptureThread {
    /// What it works with.
    pub context: CaptureContext,
    /// The supervisor's hold.
    pub lease: Arc<CaptureLease>,
    /// First pictures that are not shown.
    pub warmup: u32,
}

impl CaptureThread {
    /// Starts the thread on the first of `devices` that opens and gives a picture.
    pub fn launch(self, devices: Vec<Device>) -> Result<(), Error> {
        let name = format!("capture-{}", self.lease.id);
        threads::start(&name, move || {
            let reason = panic::catch_unwind(AssertUnwindSafe(|| self.run(&devices)));
            self.report(CaptureEvent::Ended {
                lease: self.lease.id,
                reason: reason.unwrap_or_else(|_| EndReason::Failed(self.bug())),
            });
        })
    }

    /// Runs until the device is lost, the lease revoked or the program ends; says why. The device is
    /// closed then.
    fn run(&self, devices: &[Device]) -> EndReason {
        let mut failure = None;
        for device in devices {
            let hint = failure.as_ref().and_then(source::open::hint);
            let ready = self.bring_online(device, hint.as_deref());
            match ready.map(|ready| self.grab_pictures(ready)) {
                Ok(Ok(())) => return EndReason::Unwanted,
                _ if self.is_over() => return EndReason::Unwanted,
                Ok(Err(error)) => return EndReason::Failed(error),
                Err(error) => {
                    let error = self.context.explained(error);
                    // The supervisor logs the only one's.
                    if devices.len() > 1 {
                        debug!("{error}");
                    }
                    // With several to choose from, the first one's error is the likeliest to help.
                    failure.get_or_insert(error);
                }
            }
        }
        EndReason::Failed(failure.unwrap_or_else(|| Error::Open {
            device: "a camera".to_owned(),
            cause: Cause::Missing,
            reason: "none found (is it plugged in?)".to_owned(),
        }))
    }

    /// Opens `device` and reads its first picture.
    /// `hint` says why a camera that is there was not opened before it.
    fn bring_online(&self, device: &Device, hint: Option<&str>) -> Result<Ready, Error> {
        let context = OpenContext {
            config: &self.context.camera.config,
            stop: &self.context.stop,
            interrupt: &self.lease.interrupt,
            hint,
            advice: &self.context.advice,
        };
        if let Some(place) = &self.context.camera.place {
            v4l2_seen::check_place(device, place)?;
        }
        let mut opened = source::open::open_device(device, &context)?;
        if let Some(controls) = &opened.controls {
            self.set_controls(controls.as_ref());
        }
        let mut missing_eoi = MissingEoi::new(opened.source.as_ref());
        let source = opened.source.as_mut();
        let first = self.read_first_picture(source, &mut missing_eoi, &mut opened.facts)?;
        Ok(Ready {
            opened,
            missing_eoi,
            first,
        })
    }

    /// Grabs until nobody wants the pictures any more; an error is why the device was lost.
    fn grab_pictures(&self, ready: Ready) -> Result<(), Error> {
        let Ready {
            opened:
                Opened {
                    mut source,
                    facts,
                    controls,
                },
            mut missing_eoi,
            first: (picture, layout, captured),
        } = ready;
        let config = &self.context.camera.config;
        let pass_through = facts.pass_through;
        let shown = facts.source.clone();
        let mut size = facts.size;
        self.report(CaptureEvent::Online {
            lease: self.lease.id,
            facts: Box::new(facts),
            controls,
        });
        self.context.advice.forget();
        let mut left_to_warm_up = self.warmup;
        let (is_jpeg, mut looked_at) = (layout.is_some(), captured.at);
        let mut broken_since = None;
        // The next one of a slow source may be far off.
        self.lease.wait_for_activation();
        let is_new = !self.is_shown(source.repeat(), captured, jpeg_of(&picture));
        let mut buffer = if self.warmup > 0 || self.is_over() || !is_new {
            picture.into_buffer()
        } else {
            self.context.camera.note_picture(captured.at);
            match self.context.camera.slot.is_watched() {
                true => self.publish_or_encode(picture, layout.filter(|_| pass_through), captured),
                false => picture.into_buffer(),
            }
        };
        loop {
            if self.is_over() {
                return Ok(());
            }
            let Some(captured) = source.grab()? else {
                continue;
            };
            self.lease.note_picture(Instant::now());
            let stats = &self.context.camera.stats;
            stats.repaired.add(source.take_repairs());
            if !self.lease.is_active() || self.is_over() {
                continue;
            }
            if left_to_warm_up > 0 {
                left_to_warm_up -= 1;
                continue;
            }
            let is_watched = self.context.camera.slot.is_watched();
            let repeat = source.repeat();
            if repeat == Repeat::Yes && (!is_watched || self.is_shown(repeat, captured, &[])) {
                continue;
            }
            let is_due =
                broken_since.is_some() || captured.at.saturating_duration_since(looked_at) >= LOOK;
            let is_looked_at = is_watched || is_jpeg && is_due;
            if !is_looked_at {
                self.context.camera.note_picture(captured.at);
                broken_since = None;
                continue;
            }
            looked_at = captured.at;
            if !pass_through && is_watched {
                if self.context.encoders.are_busy() {
                    self.context.camera.note_picture(captured.at);
                    stats.skipped.increment();
                    continue;
                }
                buffer = self.context.encoders.buffer();
            }
            let mut picture = source.retrieve(buffer)?;
            stats.repaired.add(u64::from(picture.cut_to_soi()));
            if self.is_shown(repeat, captured, jpeg_of(&picture)) {
                buffer = picture.into_buffer();
                continue;
            }
            self.context.camera.note_picture(captured.at);
            match inspect(&picture, &mut missing_eoi) {
                Ok(layout) => {
                    broken_since = None;
                    self.tell_size(&mut size, &picture, layout.as_ref());
                    buffer = match is_watched {
                        true => self.publish_or_encode(
                            picture,
                            layout.filter(|_| pass_through),
                            captured,
                        ),
                        false => picture.into_buffer(),
                    };
                }
                Err(Unusable::Placeholder(reason)) => return Err(Error::silent(&shown, reason)),
                Err(Unusable::Broken(flaw)) => {
                    stats.dropped.increment();
                    debug!("picture dropped: {flaw}");
                    let since = *broken_since.get_or_insert_with(Instant::now);
                    if since.elapsed() >= config.timeout {
                        return Err(Error::silent(&shown, broken_only(&flaw)));
                    }
                    buffer = picture.into_buffer();
                }
            }
        }
    }

    /// True for a repeat of the picture that the newest frame shows.
    fn is_shown(&self, repeat: Repeat, captured: CaptureTime, jpeg: &[u8]) -> bool {
        if repeat == Repeat::No {
            return false;
        }
        let latest = self.context.camera.slot.latest();
        latest.is_some_and(|latest| repeat.is_of(&latest, captured, jpeg, Instant::now()))
    }

    /// Reads the first whole picture and corrects `facts` by it; cameras often begin with broken
    /// ones.
    fn read_first_picture(
        &self,
        source: &mut dyn Source,
        missing_eoi: &mut MissingEoi,
        facts: &mut SourceInfo,
    ) -> Result<FirstPicture, Error> {
        let asked = Instant::now();
        let timeout = self.context.camera.config.timeout;
        let stats = &self.context.camera.stats;
        let mut buffer = Mat::default();
        let mut reason = format!(
            "it gives no picture within {} s (`--camera-timeout`)",
            timeout.as_secs_f64()
        );
        while asked.elapsed() < timeout && !self.is_over() {
            let Some(captured) = source.grab()? else {
                continue;
            };
            self.lease.note_picture(Instant::now());
            stats.repaired.add(source.take_repairs());
            let mut picture = source.retrieve(buffer)?;
            stats.repaired.add(u64::from(picture.cut_to_soi()));
            let layout = match inspect(&picture, missing_eoi) {
                Ok(layout) => layout,
                Err(unusable) => {
                    reason = match unusable {
                        Unusable::Placeholder(reason) => reason,
                        Unusable::Broken(flaw) => broken_only(&flaw),
                    };
                    buffer = picture.into_buffer();
                    continue;
                }
            };
            let is_jpeg = layout.is_some();
            facts.size = size_of(&picture, layout.as_ref()).or(facts.size);
            facts.pass_through = is_jpeg && self.context.camera.config.passes_through();
            if facts.format.is_empty() {
                facts.format = if is_jpeg { "JPEG" } else { "BGR" }.to_owned();
            }
            return Ok((picture, layout, captured));
        }
        Err(Error::silent(&facts.source, reason))
    }

    /// Sets what `--set` asks for, and what was set meanwhile and would be lost. The camera may be
    /// another one than last time, so a verdict is no error; it is said aloud at the first opening.
    fn set_controls(&self, controls: &dyn CameraControls) {
        let camera = &self.context.camera;
        let mut settings = camera.config.settings.clone();
        settings.extend(camera.changed_controls(controls));
        if settings.is_empty() {
            return;
        }
        let complaints = controls
            .set(&settings)
            .unwrap_or_else(|error| vec![format!("--set: {error}")]);
        let is_first = self.lease.id == 1;
        let level = if is_first { Level::Warn } else { Level::Debug };
        for sentence in complaints {
            log!(level, "cannot set {sentence}");
        }
    }

    /// Publishes a JPEG as its layout says, or gives the picture to the encoders; never waits.
    /// Gives back the buffer when it is free again.
    fn publish_or_encode(
        &self,
        picture: Picture,
        layout: Option<JpegLayout>,
        captured: CaptureTime,
    ) -> Mat {
        if let (Picture::Jpeg(mat), Some(layout)) = (&picture, layout) {
            let bytes = mat.data_bytes().unwrap_or_default();
            let sequence = self.context.camera.next_sequence();
            let append = |out: &mut Vec<u8>| layout.write_to(bytes, out);
            self.context.camera.publish(Frame::live(
                sequence,
                captured,
                layout.repaired_len(),
                append,
            ));
            return picture.into_buffer();
        }
        let skipped = &self.context.camera.stats.skipped;
        if self.context.encoders.are_busy() {
            skipped.increment();
            return picture.into_buffer();
        }
        let job = EncodeJob {
            picture,
            sequence: self.context.camera.next_sequence(),
            captured,
            quality: self.context.camera.quality(),
        };
        if !self.context.encoders.take(job) {
            skipped.increment();
        }
        Mat::default()
    }

    fn is_over(&self) -> bool {
        self.lease.is_revoked() || self.context.stop.is_set()
    }

    fn bug(&self) -> Error {
        Error::Read {
            device: self.context.camera.config.device.to_string(),
            cause: Cause::Other,
            reason: "the capture thread failed (a bug; please report it)".to_owned(),
        }
    }

    /// Reports the size of `picture` where it is not that of the one before.
    fn tell_size(&self, last: &mut Option<Size>, picture: &Picture, layout: Option<&JpegLayout>) {
        let lease = self.lease.id;
        if let Some(size) = size_of(picture, layout).filter(|size| *last != Some(*size)) {
            *last = Some(size);
            self.report(CaptureEvent::Resized { lease, size });
        }
    }

    fn report(&self, event: CaptureEvent) {
        // Nobody listens any more when the program ends.
        let _ = self.context.events.send(event);
    }
}
