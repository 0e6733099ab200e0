//! A capture thread: opens one device, grabs its pictures and hands them on.
//!
//! It works under a [`Lease`]. The supervisor activates the lease when the pictures shall count
//! and revokes it when it has given the thread up; a thread that comes back from a long hang finds
//! its lease revoked and ends without having touched anything.

use super::source::{self, Opened, Source};
use crate::{
    camera::{Camera, Facts},
    config::{Device, Size},
    encode::{Encoders, Job, Picture},
    error::Error,
    frame::{Frame, Stamp},
    jpeg,
    shutdown::Stop,
};
use crossbeam_channel::Sender;
use log::debug;
use opencv::{core::Mat, prelude::*};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// Broken pictures a device may begin with before it counts as giving none.
const FIRST_PICTURES: u32 = 30;

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
    /// The thread ends: no device opened, or the one that did was lost.
    Ended(Error),
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
}

impl Capture {
    /// Starts the thread on the first of `devices` that opens and gives a picture.
    pub fn launch(self, devices: Vec<Device>) -> Result<(), Error> {
        let name = format!("capture-{}", self.lease.id);
        thread::Builder::new()
            .name(name.clone())
            .spawn(move || self.run(&devices))
            .map(drop)
            .map_err(|source| Error::Thread { name, source })
    }

    /// Runs until the device is lost, the lease revoked or the program ends.
    fn run(mut self, devices: &[Device]) {
        let mut failure = None;
        for device in devices {
            if self.is_over() {
                return;
            }
            match self.try_device(device) {
                Ok(Ended::Over) => return,
                Ok(Ended::Lost(error)) => {
                    failure = Some(error);
                    break;
                }
                Err(error) => {
                    debug!("{error}");
                    // With several to choose from, the first one's word is the likeliest to help.
                    failure.get_or_insert(error);
                }
            }
        }
        let error = failure.unwrap_or_else(|| Error::Open {
            device: Device::Auto.to_string(),
            reason: "no camera found (is it plugged in?)".to_owned(),
        });
        self.tell(What::Ended(error));
    }

    /// An error means that the device never gave a picture.
    fn try_device(&mut self, device: &Device) -> Result<Ended, Error> {
        let Opened {
            mut source,
            mut facts,
        } = source::open(device, &self.camera.config, &self.stop)?;
        let mut buffer = self.learn(source.as_mut(), &mut facts)?;
        let pass_through = facts.pass_through;
        self.tell(What::Online(facts));
        loop {
            let captured = match source.grab() {
                Ok(captured) => captured,
                Err(error) => return Ok(Ended::Lost(error)),
            };
            if self.is_over() {
                return Ok(Ended::Over);
            }
            self.lease.note_picture();
            if !self.lease.is_active.load(Ordering::Relaxed) {
                continue;
            }
            self.camera.note_picture(captured.at);
            if !self.camera.slot.is_watched() {
                continue;
            }
            if !pass_through {
                buffer = self.encoders.buffer();
            }
            match source.retrieve(buffer) {
                Ok(picture) => buffer = self.hand_on(picture, captured, pass_through),
                Err(error) => return Ok(Ended::Lost(error)),
            }
        }
    }

    /// Reads the first whole picture and corrects `facts` by it; cameras often begin with broken
    /// ones. Gives back the buffer.
    fn learn(&self, source: &mut dyn Source, facts: &mut Facts) -> Result<Mat, Error> {
        let mut buffer = Mat::default();
        for _ in 0..FIRST_PICTURES {
            source.grab()?;
            self.lease.note_picture();
            let picture = source.retrieve(buffer)?;
            let (size, pass_through) = match &picture {
                Picture::Raw(mat, _) => (size_of(mat.cols(), mat.rows()), false),
                Picture::Jpeg(mat) => {
                    let Ok(layout) = jpeg::inspect(mat.data_bytes().unwrap_or_default()) else {
                        buffer = take_buffer(picture);
                        continue;
                    };
                    let size = size_of(layout.width.into(), layout.height.into());
                    (size, self.camera.config.turn.is_none())
                }
            };
            facts.size = size.or(facts.size);
            facts.pass_through = pass_through;
            if facts.format.is_empty() {
                let is_jpeg = matches!(picture, Picture::Jpeg(_));
                facts.format = if is_jpeg { "JPEG" } else { "BGR" }.to_owned();
            }
            return Ok(take_buffer(picture));
        }
        Err(Error::Read {
            device: facts.source.clone(),
            reason: "it gives no whole picture".to_owned(),
        })
    }

    /// Publishes a JPEG as it came, or gives the picture to the encoders; never waits. Gives back
    /// the buffer when it is free again.
    fn hand_on(&self, picture: Picture, captured: Stamp, pass_through: bool) -> Mat {
        let stats = &self.camera.stats;
        if let Picture::Jpeg(mat) = &picture {
            let bytes = mat.data_bytes().unwrap_or_default();
            match jpeg::inspect(bytes) {
                Err(flaw) => {
                    stats.dropped.bump();
                    debug!("picture dropped: {flaw}");
                    return take_buffer(picture);
                }
                Ok(layout) if pass_through => {
                    let sequence = self.camera.next_sequence();
                    let frame = Frame::live(sequence, captured, layout.repaired_len(), |out| {
                        layout.write_to(bytes, out);
                    });
                    if !self.camera.slot.publish(frame) {
                        stats.late.bump();
                    }
                    return take_buffer(picture);
                }
                Ok(_) => {}
            }
        }
        if self.encoders.are_busy() {
            stats.skipped.bump();
            return take_buffer(picture);
        }
        let job = Job {
            picture,
            sequence: self.camera.next_sequence(),
            captured,
        };
        if !self.encoders.take(job) {
            stats.skipped.bump();
        }
        Mat::default()
    }

    fn is_over(&self) -> bool {
        self.lease.is_revoked() || self.stop.is_set()
    }

    fn tell(&self, what: What) {
        // Nobody listens any more when the program ends.
        let _ = self.events.send(Event {
            lease: self.lease.id,
            what,
        });
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

/// How a device that had given pictures ended.
enum Ended {
    /// It was lost.
    Lost(Error),
    /// It was no longer wanted.
    Over,
}
