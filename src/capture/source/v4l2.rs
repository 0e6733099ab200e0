//! Cameras on V4L2 nodes, read by OpenCV in their own format: JPEGs as the camera made them, raw
//! pixels unconverted.
//!
//! OpenCV says only that a grab failed. A camera that is gone, one that is slow, one that hangs
//! and one with a fault on its bus are told apart here, by whether the node is still there and by
//! how long the failure took.

use crate::{
    capture::source::{
        Opened, Source, raw, raw_refusals,
        v4l2_bandwidth::BandwidthAdvice,
        v4l2_controls::V4l2Controls,
        v4l2_devices::{self, fourcc, fourcc_text},
        v4l2_driver::{self, Driver, PictureLayout},
        v4l2_errors, v4l2_seen,
        video_capture::{opencv_version, opencv_words, opened, size_and_fps},
    },
    config::{CameraConfig, Device, Size},
    encode::Picture,
    error::{Cause, Error},
    feed::{
        camera::{RequestedFormat, SourceInfo},
        frame::CaptureTime,
        place::NodeIdentity,
    },
    system::shutdown::ShutdownFlag,
};
use opencv::{
    core::{Mat, Vector},
    prelude::*,
    videoio::{self, VideoCapture},
};
use rustix::time::{ClockId, clock_gettime};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

/// Longest time OpenCV waits for one picture, set through the environment: whole seconds, read
/// once per process. Longer waits are made of several.
pub const GRAB_TIMEOUT: (&str, &str) = ("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", "1");

/// A grab that fails sooner than this failed without waiting.
const AT_ONCE: Duration = Duration::from_millis(200);

/// Pause after such a failure: a fault on the bus comes with each picture, not thousands of times
/// a second.
const FAULT_PAUSE: Duration = Duration::from_millis(20);

/// A camera whose grabs fail at once for this long is opened again.
const FAULTY: Duration = Duration::from_secs(1);

/// Pictures a driver may have kept while nobody grabbed: OpenCV gives it four buffers.
const MOST_KEPT: u32 = 4;

/// A driver that stamps pictures with a time further back than this has another clock.
const OLDEST: Duration = Duration::from_secs(10);

struct V4l2Source {
    capture: VideoCapture,
    /// The node behind the name it was opened by.
    node: PathBuf,
    /// As it stood there then.
    identity: Option<NodeIdentity>,
    /// How to read its pictures; `None` for JPEGs.
    raw: Option<&'static raw::Format>,
    /// How they lay when it was opened.
    layout: PictureLayout,
    /// Who is asked about each; `None` where nobody answers.
    driver: Option<Driver>,
    /// The camera's own bytes, where they are converted.
    bytes: Mat,
    /// Time between two pictures, as the camera says it.
    period: Duration,
    /// How old a picture usually is when it can be grabbed; exposure and transfer take a time.
    usual_age: Duration,
    /// Since when every grab has failed at once.
    faulty_since: Option<Instant>,
    advice: Arc<BandwidthAdvice>,
    stop: Arc<ShutdownFlag>,
}

/// Opens the camera `device` names; blocks until it answers or gives up.
/// Where its bus is full, `advice` is what fits.
pub fn open(
    device: &Device,
    config: &CameraConfig,
    stop: &Arc<ShutdownFlag>,
    advice: &Arc<BandwidthAdvice>,
) -> Result<Opened, Error> {
    let path = PathBuf::from(device.to_string());
    let offered = v4l2_devices::formats(&path);
    let refused = |reason| Error::open(device, Cause::Silent, reason);
    let failed = |error| Error::open(device, Cause::Other, opencv_words(device, &error));
    let unusable = || {
        let (cause, reason) = v4l2_errors::diagnose(&path, || advice.of(&path, stop));
        Error::open(device, cause, reason)
    };
    if v4l2_devices::has_camera_module(&path) {
        return Err(unusable());
    }
    if let Some(reason) = raw_refusals::refusal(&config.format, &offered, device) {
        return Err(refused(reason));
    }
    let wanted = raw::wanted(&config.format, &offered);
    let before = v4l2_driver::descriptors(&path);
    let identity = fs::canonicalize(&path).ok();
    let identity = identity.and_then(|node| v4l2_seen::identity(&node));
    let mut capture = opened(try_open(&path, wanted.as_deref(), config)).ok_or_else(unusable)?;
    let (facts, size) = read_back(&capture, &path, config, wanted).map_err(failed)?;
    let code = facts.format.as_str();
    let raw = raw::format_of(code);
    let driver = Driver::opened_since(&before, &path);
    let layout = PictureLayout {
        format: code.to_owned(),
        size,
        line_bytes: 0,
    };
    // Where OpenCV's descriptor was not found, another one is asked for this much.
    let layout = (driver.as_ref().and_then(Driver::layout))
        .or_else(|| v4l2_driver::layout_if_asked(&path, code, size).filter(|now| now.size == size))
        .unwrap_or(layout);
    match raw {
        Some(raw) => {
            if let Some(flaw) = raw.flaw(&layout) {
                let other = readable_size(raw, &path, size);
                return Err(refused(raw_refusals::misread(
                    code, &flaw, other, &offered, device,
                )));
            }
            if raw.is_opencvs() {
                let is_set = capture.set(videoio::CAP_PROP_CONVERT_RGB, 1.0);
                is_set.map_err(failed)?;
            }
        }
        None if raw::is_jpeg(code) => {}
        None => return Err(refused(raw_refusals::unserved(code, &offered, device))),
    }
    let node = facts.node.clone().unwrap_or(path);
    let source = Box::new(V4l2Source {
        capture,
        node: node.clone(),
        identity,
        raw,
        layout,
        driver,
        bytes: Mat::default(),
        period: Duration::from_secs_f64(1.0 / facts.fps.unwrap_or(30.0)),
        usual_age: Duration::ZERO,
        faulty_since: None,
        advice: Arc::clone(advice),
        stop: Arc::clone(stop),
    });
    Ok(Opened {
        source,
        facts,
        controls: Some(Arc::new(V4l2Controls { node })),
    })
}

fn try_open(
    path: &Path,
    format: Option<&str>,
    config: &CameraConfig,
) -> opencv::Result<VideoCapture> {
    let mut params = Vec::new();
    if let Some(format) = format {
        params.extend([videoio::CAP_PROP_FOURCC, fourcc(format) as i32]);
    }
    if let Some(Size { width, height }) = config.size {
        params.extend([videoio::CAP_PROP_FRAME_WIDTH, width as i32]);
        params.extend([videoio::CAP_PROP_FRAME_HEIGHT, height as i32]);
    }
    if let Some(fps) = config.fps {
        params.extend([videoio::CAP_PROP_FPS, fps.0.round().max(1.0) as i32]);
    }
    params.extend([videoio::CAP_PROP_CONVERT_RGB, 0]);
    let params = Vector::from_slice(&params);
    VideoCapture::from_file_with_params(&path.to_string_lossy(), videoio::CAP_V4L2, &params)
}

/// The size next to `size` that the camera has in that format and OpenCV reads rightly.
fn readable_size(raw: &raw::Format, path: &Path, size: Size) -> Option<Size> {
    let pixels = |size: Size| u64::from(size.width) * u64::from(size.height);
    let mut sizes = v4l2_devices::sizes(path, raw.code);
    sizes.sort_by_key(|other| pixels(*other).abs_diff(pixels(size)));
    sizes.into_iter().find(|&other| {
        v4l2_driver::layout_if_asked(path, raw.code, other).is_some_and(|layout| {
            layout.format == raw.code && layout.size == other && raw.flaw(&layout).is_none()
        })
    })
}

/// What the camera really gives: it promises formats and sizes it does not keep.
fn read_back(
    capture: &VideoCapture,
    path: &Path,
    config: &CameraConfig,
    wanted: Option<String>,
) -> opencv::Result<(SourceInfo, Size)> {
    let format = fourcc_text(capture.get(videoio::CAP_PROP_FOURCC)? as u32);
    let (size, fps) = size_and_fps(capture)?;
    let size = size.unwrap_or(Size {
        width: 0,
        height: 0,
    });
    let node = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let facts = SourceInfo {
        source: node.display().to_string(),
        node: Some(node),
        stable: v4l2_devices::stable_name(path),
        card: v4l2_devices::card(path),
        backend: "V4L2".to_owned(),
        format,
        size: Some(size),
        fps,
        asked: RequestedFormat {
            format: wanted,
            size: config.size,
            fps: config.fps.map(|fps| fps.0),
        },
        // The noise of a sensor changes some bytes of each picture.
        can_freeze: true,
        ..SourceInfo::default()
    };
    Ok((facts, size))
}

impl Source for V4l2Source {
    fn grab(&mut self) -> Result<Option<CaptureTime>, Error> {
        let asked = Instant::now();
        if let Some(age) = self.grab_newest() {
            self.faulty_since = None;
            return Ok(Some(CaptureTime::before_now(age)));
        }
        // Under its number there may be another device by now, which nobody must ask in its place.
        if v4l2_seen::identity(&self.node) != self.identity {
            return Err(self.lost(Cause::Missing, "the camera was unplugged"));
        }
        if asked.elapsed() >= AT_ONCE {
            self.faulty_since = None;
            return Ok(None);
        }
        let since = *self.faulty_since.get_or_insert(asked);
        if since.elapsed() >= FAULTY {
            // Plugged in again before anybody looked, or really broken. It is asked by itself.
            let _ = self.capture.release();
            let of_bandwidth = || self.advice.of(&self.node, &self.stop);
            let (cause, reason) = v4l2_errors::diagnose(&self.node, of_bandwidth);
            return Err(self.lost(cause, &reason));
        }
        self.stop.wait_until(Instant::now() + FAULT_PAUSE);
        Ok(None)
    }

    fn retrieve(&mut self, mut buffer: Mat) -> Result<Picture, Error> {
        let Some(raw) = self.raw else {
            return Ok(match self.capture.retrieve(&mut buffer, 0) {
                Ok(_) => Picture::Jpeg(buffer),
                Err(_) => Picture::Jpeg(Mat::default()),
            });
        };
        self.check_layout()?;
        // An empty or cut-off picture is no error: the next one may be well.
        let is_whole = if !self.is_filled(raw) {
            false
        } else if raw.is_kept() {
            self.capture.retrieve(&mut buffer, 0).is_ok() && raw.has_size(&buffer, self.layout.size)
        } else {
            let bytes = &mut self.bytes;
            self.capture.retrieve(bytes, 0).is_ok()
                && raw
                    .convert(bytes, &self.layout, &mut buffer)
                    .unwrap_or(false)
        };
        Ok(match is_whole {
            true => Picture::Raw(buffer, raw.pixels),
            false => Picture::Jpeg(Mat::default()),
        })
    }

    fn may_lose_bytes(&self) -> bool {
        opencv_version() < (4, 11)
    }
}

impl V4l2Source {
    /// An error when the pictures lie otherwise than when the camera was opened: OpenCV does not see
    /// it, and opening it again helps.
    fn check_layout(&self) -> Result<(), Error> {
        match self.driver.as_ref().and_then(Driver::layout) {
            Some(now) if now != self.layout => {
                let (format, size) = (&now.format, now.size);
                let reason = format!("its pictures have become `{format}` of {size}");
                Err(self.lost(Cause::Silent, &reason))
            }
            _ => Ok(()),
        }
    }

    /// False when the driver says that the picture grabbed last is short, or may be broken. OpenCV fills
    /// it up with the picture before.
    fn is_filled(&self, raw: &raw::Format) -> bool {
        let filled = self.driver.as_ref().and_then(Driver::filled);
        filled.is_none_or(|filled| !filled.may_be_broken && filled.bytes >= raw.bytes(&self.layout))
    }

    /// Grabs the next picture and gives its age; after a pause (a machine asleep or overloaded)
    /// lets go of those the driver kept meanwhile. `None` when the grab failed.
    fn grab_newest(&mut self) -> Option<Duration> {
        for kept in 0..=MOST_KEPT {
            let asked = Instant::now();
            if !self.capture.grab().unwrap_or(false) {
                return None;
            }
            let age = self.picture_age();
            let has_waited = asked.elapsed() > self.period / 2;
            let is_usual = age < self.usual_age + self.period * 3 / 2;
            // A picture that had to be waited for is the newest, however old its stamp.
            if is_usual || has_waited && kept > 0 || kept == MOST_KEPT {
                // Quick to fall, slow to rise: one late picture is not usual.
                self.usual_age = match is_usual {
                    true if age > self.usual_age => self.usual_age + (age - self.usual_age) / 64,
                    _ => age,
                };
                return Some(age);
            }
        }
        None
    }

    /// Age of the picture just grabbed by the driver's own clock, where it has one we know.
    fn picture_age(&self) -> Duration {
        let taken = self.capture.get(videoio::CAP_PROP_POS_MSEC).unwrap_or(0.0);
        let now = clock_gettime(ClockId::Monotonic);
        let age = now.tv_sec as f64 + now.tv_nsec as f64 / 1e9 - taken / 1e3;
        if taken > 0.0 && (0.0..OLDEST.as_secs_f64()).contains(&age) {
            Duration::from_secs_f64(age)
        } else {
            Duration::ZERO
        }
    }

    fn lost(&self, cause: Cause, reason: &str) -> Error {
        Error::read(&self.node.display(), cause, reason)
    }
}
