//! A capture thread: opens one device, grabs its pictures and hands them on.
//!
//! It works under a [`Lease`]. The supervisor activates the lease when the pictures shall count
//! and revokes it when it has given the thread up; a thread that comes back from a long hang finds
//! its lease revoked and ends without having touched anything. However it ends, even by a panic,
//! the supervisor is told.

use super::{
    controls,
    source::{self, Opened, Source},
};
use crate::{
    camera::{Camera, Facts},
    config::{Device, Size},
    encode::{Encoders, Job, Picture},
    error::{Cause, Error},
    frame::{Frame, Stamp, placeholder_reason},
    jpeg::{self, Flaw, Layout},
    shutdown::Stop,
};
use crossbeam_channel::Sender;
use log::{debug, warn};
use opencv::{core::Mat, prelude::*};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// The supervisor's hold on one capture thread.
#[derive(Debug)]
pub struct Lease {
    /// Number of the capture thread, from 1.
    pub id: u64,
    started: Instant,
    /// Set once, by the supervisor: the pictures count.
    is_active: AtomicBool,
    /// Set once, by the supervisor: end, and touch nothing.
    is_revoked: AtomicBool,
    /// Time of the last picture, in milliseconds since `started`.
    last_picture: AtomicU64,
}

impl Lease {
    /// A lease that is neither active nor revoked.
    pub fn new(id: u64) -> Lease {
        Lease {
            id,
            started: Instant::now(),
            is_active: AtomicBool::new(false),
            is_revoked: AtomicBool::new(false),
            last_picture: AtomicU64::new(0),
        }
    }

    /// From now on the pictures count.
    pub fn activate(&self) {
        self.is_active.store(true, Ordering::Relaxed);
    }

    /// From now on nothing the thread does counts.
    pub fn revoke(&self) {
        self.is_revoked.store(true, Ordering::Relaxed);
    }

    /// When the thread last had a picture; when it was started, before the first.
    pub fn last_picture(&self) -> Instant {
        self.started + Duration::from_millis(self.last_picture.load(Ordering::Relaxed))
    }

    fn is_revoked(&self) -> bool {
        self.is_revoked.load(Ordering::Relaxed)
    }

    fn note_picture(&self) {
        let millis = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last_picture.store(millis, Ordering::Relaxed);
    }
}

/// What a capture thread tells its supervisor.
#[derive(Debug)]
pub struct Event {
    /// Whose word it is.
    pub lease: u64,
    /// What happened.
    pub what: What,
}

/// See [`Event`].
#[derive(Debug)]
pub enum What {
    /// The device is open and its first picture came.
    Online(Facts),
    /// The thread is over and has let go of its device.
    Ended(Error),
}

/// A frame that comes again after longer than this is no server's repeat: the camera is frozen.
const LONGEST_REPEAT: Duration = Duration::from_secs(2);

/// Why a picture is not sent.
enum Unusable {
    /// It is no whole JPEG.
    Broken(Flaw),
    /// It says that there is none, and why.
    Placeholder(String),
}

/// What a capture thread works with.
pub struct Capture {
    /// Whose pictures they are.
    pub camera: Arc<Camera>,
    /// Where raw pictures go.
    pub encoders: Encoders,
    /// Where word goes.
    pub events: Sender<Event>,
    /// The supervisor's hold.
    pub lease: Arc<Lease>,
    /// Ends the thread with the program.
    pub stop: Arc<Stop>,
    /// First pictures that are not shown.
    pub warmup: u32,
}

impl Capture {
    /// Starts the thread on the first of `devices` that opens and gives a picture.
    pub fn launch(self, devices: Vec<Device>) -> Result<(), Error> {
        let name = format!("capture-{}", self.lease.id);
        thread::Builder::new()
            .name(name.clone())
            .spawn(move || {
                let mut farewell = Farewell {
                    events: self.events.clone(),
                    lease: self.lease.id,
                    error: Some(self.error("the capture thread failed (a bug; please report it)")),
                };
                farewell.error = Some(self.run(&devices));
            })
            .map(drop)
            .map_err(|source| Error::Thread { name, source })
    }

    /// Runs until the device is lost, the lease revoked or the program ends; says why.
    fn run(&self, devices: &[Device]) -> Error {
        let mut failure = None;
        for device in devices {
            match self.try_device(device) {
                Ok(lost) => return lost,
                Err(error) => {
                    debug!("{error}");
                    // With several to choose from, the first one's word is the likeliest to help.
                    failure.get_or_insert(error);
                }
            }
            if self.is_over() {
                break;
            }
        }
        failure.unwrap_or_else(|| Error::Open {
            device: "a camera".to_owned(),
            cause: Cause::Missing,
            reason: "none found (is it plugged in?)".to_owned(),
        })
    }

    /// How the device was lost; an error means that it never gave a picture.
    fn try_device(&self, device: &Device) -> Result<Error, Error> {
        let config = &self.camera.config;
        let Opened {
            mut source,
            mut facts,
        } = source::open(device, config, &self.stop)?;
        if let Some(node) = &facts.node {
            self.set_controls(node);
        }
        let mut buffer = self.learn(source.as_mut(), &mut facts)?;
        let pass_through = facts.pass_through;
        let shown = facts.source.clone();
        self.tell(What::Online(facts));
        let mut left_to_warm_up = self.warmup;
        let mut last_whole = Instant::now();
        let is_repeated = matches!(device, Device::Url(_));
        loop {
            if self.is_over() {
                return Ok(self.error("it is no longer wanted"));
            }
            let captured = match source.grab() {
                Ok(Some(captured)) => captured,
                Ok(None) => continue,
                Err(error) => return Ok(error),
            };
            self.lease.note_picture();
            if !self.lease.is_active.load(Ordering::Relaxed) || self.is_over() {
                continue;
            }
            if left_to_warm_up > 0 {
                left_to_warm_up -= 1;
                continue;
            }
            let is_watched = self.camera.slot.is_watched();
            if source.is_repeat() == Some(true) && (!is_watched || self.is_shown(captured)) {
                continue;
            }
            if !is_watched {
                self.camera.note_picture(captured.at);
                last_whole = Instant::now();
                continue;
            }
            if !pass_through {
                if self.encoders.are_busy() {
                    self.camera.note_picture(captured.at);
                    self.camera.stats.skipped.increment();
                    continue;
                }
                buffer = self.encoders.buffer();
            }
            let picture = match source.retrieve(buffer) {
                Ok(picture) => picture,
                Err(error) => return Ok(error),
            };
            if is_repeated && source.is_repeat().is_none() && self.is_repeat(&picture) {
                buffer = take_buffer(picture);
                continue;
            }
            self.camera.note_picture(captured.at);
            match self.inspect(&picture) {
                Ok(layout) => {
                    last_whole = Instant::now();
                    buffer = self.hand_on(picture, layout.filter(|_| pass_through), captured);
                }
                Err(Unusable::Placeholder(reason)) => return Ok(self.silent(&shown, &reason)),
                Err(Unusable::Broken(flaw)) => {
                    self.camera.stats.dropped.increment();
                    debug!("picture dropped: {flaw}");
                    if last_whole.elapsed() >= config.timeout {
                        return Ok(self.silent(&shown, "it gives broken pictures only"));
                    }
                    buffer = take_buffer(picture);
                }
            }
        }
    }

    /// The layout of a JPEG that can be sent; `None` for raw pixels.
    fn inspect(&self, picture: &Picture) -> Result<Option<Layout>, Unusable> {
        let Picture::Jpeg(mat) = picture else {
            return Ok(None);
        };
        let bytes = mat.data_bytes().unwrap_or_default();
        let layout = jpeg::inspect(bytes).map_err(Unusable::Broken)?;
        match placeholder_reason(bytes) {
            Some(reason) => Err(Unusable::Placeholder(source::no_picture_there(&reason))),
            None => Ok(Some(layout)),
        }
    }

    /// True when the newest frame is of the picture taken then.
    fn is_shown(&self, captured: Stamp) -> bool {
        let latest = self.camera.slot.latest();
        latest.is_some_and(|latest| latest.is_live() && latest.captured().unix == captured.unix)
    }

    /// True for the very frame sent last: servers of slow streams repeat theirs.
    fn is_repeat(&self, picture: &Picture) -> bool {
        let Picture::Jpeg(mat) = picture else {
            return false;
        };
        let bytes = mat.data_bytes().unwrap_or_default();
        self.camera.slot.latest().is_some_and(|latest| {
            latest.is_live() && latest.age() < LONGEST_REPEAT && latest.jpeg() == bytes
        })
    }

    /// Reads the first whole picture and corrects `facts` by it; cameras often begin with broken
    /// ones. Gives back the buffer.
    fn learn(&self, source: &mut dyn Source, facts: &mut Facts) -> Result<Mat, Error> {
        let asked = Instant::now();
        let mut buffer = Mat::default();
        let mut reason = "it gives no picture".to_owned();
        while asked.elapsed() < self.camera.config.timeout && !self.is_over() {
            if source.grab()?.is_none() {
                continue;
            }
            self.lease.note_picture();
            let picture = source.retrieve(buffer)?;
            let layout = match self.inspect(&picture) {
                Ok(layout) => layout,
                Err(unusable) => {
                    reason = match unusable {
                        Unusable::Placeholder(reason) => reason,
                        Unusable::Broken(_) => "it gives no whole picture".to_owned(),
                    };
                    buffer = take_buffer(picture);
                    continue;
                }
            };
            let is_jpeg = layout.is_some();
            let size = match (&picture, layout) {
                (_, Some(layout)) => size_of(layout.width.into(), layout.height.into()),
                (Picture::Raw(mat, _) | Picture::Jpeg(mat), None) => {
                    size_of(mat.cols(), mat.rows())
                }
            };
            facts.size = size.or(facts.size);
            facts.pass_through = is_jpeg && self.camera.config.passes_through();
            if facts.format.is_empty() {
                facts.format = if is_jpeg { "JPEG" } else { "BGR" }.to_owned();
            }
            return Ok(take_buffer(picture));
        }
        Err(self.silent(&facts.source, &reason))
    }

    /// Sets what `--set` asks for. The camera may be another one than last time, so a complaint is
    /// no error; it is said aloud at the first opening.
    fn set_controls(&self, node: &std::path::Path) {
        let settings = &self.camera.config.settings;
        if settings.is_empty() {
            return;
        }
        let complaints =
            controls::set(node, settings).unwrap_or_else(|error| vec![format!("--set: {error}")]);
        for complaint in complaints {
            if self.lease.id == 1 {
                warn!("cannot set {complaint}");
            } else {
                debug!("cannot set {complaint}");
            }
        }
    }

    /// Publishes a JPEG as its layout says, or gives the picture to the encoders; never waits.
    /// Gives back the buffer when it is free again.
    fn hand_on(&self, picture: Picture, layout: Option<Layout>, captured: Stamp) -> Mat {
        if let (Picture::Jpeg(mat), Some(layout)) = (&picture, layout) {
            let bytes = mat.data_bytes().unwrap_or_default();
            let sequence = self.camera.next_sequence();
            let append = |out: &mut Vec<u8>| layout.write_to(bytes, out);
            self.camera.publish(Frame::live(
                sequence,
                captured,
                layout.repaired_len(),
                append,
            ));
            return take_buffer(picture);
        }
        let skipped = &self.camera.stats.skipped;
        if self.encoders.are_busy() {
            skipped.increment();
            return take_buffer(picture);
        }
        let job = Job {
            picture,
            sequence: self.camera.next_sequence(),
            captured,
            quality: self.camera.quality(),
        };
        if !self.encoders.take(job) {
            skipped.increment();
        }
        Mat::default()
    }

    fn is_over(&self) -> bool {
        self.lease.is_revoked() || self.stop.is_set()
    }

    fn error(&self, reason: &str) -> Error {
        let device = self.camera.config.device.to_string();
        Error::Read {
            device,
            cause: Cause::Other,
            reason: reason.to_owned(),
        }
    }

    fn silent(&self, source: &str, reason: &str) -> Error {
        let (device, reason) = (source.to_owned(), reason.to_owned());
        Error::Read {
            device,
            cause: Cause::Silent,
            reason,
        }
    }

    fn tell(&self, what: What) {
        // Nobody listens any more when the program ends.
        let _ = self.events.send(Event {
            lease: self.lease.id,
            what,
        });
    }
}

/// Tells the supervisor that the thread is over, when everything else of it has been dropped.
struct Farewell {
    events: Sender<Event>,
    lease: u64,
    error: Option<Error>,
}

impl Drop for Farewell {
    fn drop(&mut self) {
        if let Some(error) = self.error.take() {
            let _ = self.events.send(Event {
                lease: self.lease,
                what: What::Ended(error),
            });
        }
    }
}

fn size_of(width: i32, height: i32) -> Option<Size> {
    Some(Size {
        width: u32::try_from(width).ok()?,
        height: u32::try_from(height).ok()?,
    })
}

fn take_buffer(picture: Picture) -> Mat {
    let (Picture::Raw(mat, _) | Picture::Jpeg(mat)) = picture;
    mat
}
