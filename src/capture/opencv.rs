//! Sources read by OpenCV's own backends: V4L2 cameras, files and network streams (FFmpeg), and
//! GStreamer pipelines.
//!
//! Each is opened so that JPEGs come out as the device made them wherever the backend can do
//! that; everything is read back afterwards, because a device promises what it does not keep.

use super::source::{Opened, Source};
use crate::{
    camera::Facts,
    config::{CameraConfig, Device, Size},
    encode::{Picture, Pixels},
    error::Error,
    frame::Stamp,
    shutdown::Stop,
};
use opencv::{
    core::{Mat, Vector},
    prelude::*,
    videoio::{self, VideoCapture},
};
use rustix::time::{ClockId, clock_gettime};
use std::{
    fs::OpenOptions,
    io::ErrorKind,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

/// How long FFmpeg may take to open a network stream or to wait for its next packet.
const NETWORK_TIMEOUT: Duration = Duration::from_secs(5);

/// Rate of a file that does not say its own.
const FILE_FPS: f64 = 25.0;

/// A device whose driver stamps pictures with a time further back than this has another clock.
const OLDEST: Duration = Duration::from_secs(10);

struct Reader {
    capture: VideoCapture,
    device: Device,
    pixels: Pixels,
    /// Files are played at a pace; everything else comes when it comes.
    pace: Option<Pace>,
    stop: Arc<Stop>,
}

struct Pace {
    period: Duration,
    due: Instant,
    /// A file that gives nothing right after its start has come back will never give anything.
    has_given: bool,
}

/// Opens `device`; blocks until it answers or gives up.
pub fn open(device: &Device, config: &CameraConfig, stop: &Arc<Stop>) -> Result<Opened, Error> {
    let opened = match device {
        Device::Number(_) | Device::Node(_) => open_v4l2(device, config),
        Device::Gst(pipeline) => {
            VideoCapture::from_file(&with_sink(pipeline), videoio::CAP_GSTREAMER)
        }
        _ => open_ffmpeg(device),
    };
    // OpenCV throws for some causes and returns a closed capture for others.
    let mut capture = match opened {
        Ok(capture) if capture.is_opened().unwrap_or(false) => capture,
        _ => {
            return Err(Error::Open {
                device: device.to_string(),
                reason: why_not(device),
            });
        }
    };
    read_back(&mut capture, device, config)
        .map(|(facts, pixels)| {
            let pace = matches!(device, Device::File(_)).then(|| Pace {
                period: Duration::from_secs_f64(1.0 / facts.fps.unwrap_or(FILE_FPS)),
                due: Instant::now(),
                has_given: false,
            });
            let device = device.clone();
            let source = Box::new(Reader {
                capture,
                device,
                pixels,
                pace,
                stop: Arc::clone(stop),
            });
            Opened { source, facts }
        })
        .map_err(|error| Error::Open {
            device: device.to_string(),
            reason: error.message,
        })
}

/// Asks for the camera's own JPEGs and for unconverted pixels; what it does not have it replaces.
fn open_v4l2(device: &Device, config: &CameraConfig) -> opencv::Result<VideoCapture> {
    let mut params = vec![
        (
            videoio::CAP_PROP_FOURCC,
            videoio::VideoWriter::fourcc('M', 'J', 'P', 'G')?,
        ),
        (videoio::CAP_PROP_CONVERT_RGB, 0),
    ];
    if let Some(Size { width, height }) = config.size {
        params.push((videoio::CAP_PROP_FRAME_WIDTH, width as i32));
        params.push((videoio::CAP_PROP_FRAME_HEIGHT, height as i32));
    }
    if let Some(fps) = config.fps {
        params.push((videoio::CAP_PROP_FPS, fps.0.round().max(1.0) as i32));
    }
    let params: Vector<i32> = params
        .into_iter()
        .flat_map(|(key, value)| [key, value])
        .collect();
    match device {
        Device::Number(number) => {
            VideoCapture::new_with_params(*number as i32, videoio::CAP_V4L2, &params)
        }
        other => {
            VideoCapture::from_file_with_params(&other.to_string(), videoio::CAP_V4L2, &params)
        }
    }
}

fn open_ffmpeg(device: &Device) -> opencv::Result<VideoCapture> {
    let Device::Url(url) = device else {
        return VideoCapture::from_file(&device.to_string(), videoio::CAP_FFMPEG);
    };
    let timeout = NETWORK_TIMEOUT.as_millis() as i32;
    let params = Vector::from_slice(&[
        videoio::CAP_PROP_OPEN_TIMEOUT_MSEC,
        timeout,
        videoio::CAP_PROP_READ_TIMEOUT_MSEC,
        timeout,
    ]);
    VideoCapture::from_file_with_params(url, videoio::CAP_FFMPEG, &params)
}

/// A pipeline that says nothing of its end gets one that OpenCV can read, newest picture only.
fn with_sink(pipeline: &str) -> String {
    if pipeline.contains("appsink") {
        return pipeline.to_owned();
    }
    let last = pipeline.rsplit('!').next().unwrap_or_default();
    let gives_jpeg = ["jpegenc", "jpegparse", "image/jpeg"]
        .iter()
        .any(|end| last.contains(end));
    let convert = if gives_jpeg {
        ""
    } else {
        " ! videoconvert ! video/x-raw,format=BGR"
    };
    format!("{pipeline}{convert} ! appsink drop=true max-buffers=1")
}

/// What the device really gives, and how its pixels are laid out. Switches conversion on where
/// the raw format is none of ours, and packets on where they are JPEGs.
fn read_back(
    capture: &mut VideoCapture,
    device: &Device,
    config: &CameraConfig,
) -> opencv::Result<(Facts, Pixels)> {
    let fourcc = fourcc_text(capture.get(videoio::CAP_PROP_FOURCC)? as u32);
    // FFmpeg's streams without a container say the beginning of the codec's name.
    let gives_jpeg = matches!(fourcc.as_str(), "MJPG" | "JPEG" | "mjpg" | "mjpa" | "mjpe");
    let mut pixels = Pixels::Bgr;
    match device {
        Device::Number(_) | Device::Node(_) if !gives_jpeg => match fourcc.as_str() {
            "YUYV" => pixels = Pixels::Yuyv,
            "UYVY" => pixels = Pixels::Uyvy,
            "GREY" => pixels = Pixels::Gray,
            _ => {
                capture.set(videoio::CAP_PROP_CONVERT_RGB, 1.0)?;
            }
        },
        Device::File(_) | Device::Url(_) if gives_jpeg => {
            capture.set(videoio::CAP_PROP_FORMAT, -1.0)?;
        }
        _ => {}
    }
    let side = |value: f64| (value >= 1.0).then_some(value as u32);
    let width = side(capture.get(videoio::CAP_PROP_FRAME_WIDTH)?);
    let height = side(capture.get(videoio::CAP_PROP_FRAME_HEIGHT)?);
    let own_fps =
        Some(capture.get(videoio::CAP_PROP_FPS)?).filter(|fps| (0.1..=240.0).contains(fps));
    let fps = match device {
        Device::File(_) => Some(config.fps.map_or(own_fps.unwrap_or(FILE_FPS), |fps| fps.0)),
        // FFmpeg makes up 25 for a stream of JPEGs, which says nothing of its rate.
        Device::Url(_) if gives_jpeg => None,
        _ => own_fps,
    };
    let facts = Facts {
        source: device.to_string(),
        backend: capture.get_backend_name()?,
        format: if gives_jpeg {
            "MJPG".to_owned()
        } else {
            fourcc
        },
        size: width
            .zip(height)
            .map(|(width, height)| Size { width, height }),
        fps,
        pass_through: false,
    };
    Ok((facts, pixels))
}

fn fourcc_text(fourcc: u32) -> String {
    let bytes = fourcc.to_le_bytes();
    if bytes.iter().all(u8::is_ascii_graphic) {
        bytes.iter().map(|&byte| char::from(byte)).collect()
    } else {
        String::new()
    }
}

/// Why a device did not open, with advice. OpenCV only says that it did not.
fn why_not(device: &Device) -> String {
    match device {
        Device::Number(number) => why_not_node(Path::new(&format!("/dev/video{number}"))),
        Device::Node(path) => why_not_node(path),
        Device::File(path) => match std::fs::File::open(path) {
            Ok(_) => "it is no video that FFmpeg can read".to_owned(),
            Err(error) => plain(&error),
        },
        Device::Url(_) => "no stream answers there".to_owned(),
        Device::Gst(_) => {
            "the pipeline does not start (gst-launch-1.0 with the same text says why)".to_owned()
        }
        Device::Auto | Device::Pattern(_) => "it cannot be drawn".to_owned(),
    }
}

fn why_not_node(path: &Path) -> String {
    match OpenOptions::new().read(true).write(true).open(path) {
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            "permission denied (is this user in the group video?)".to_owned()
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            "no such device (is the camera plugged in?)".to_owned()
        }
        Err(error) if error.kind() == ErrorKind::ResourceBusy => {
            "it is used by another program".to_owned()
        }
        Err(error) => plain(&error),
        Ok(_) => "it gives no video (is another program using it?)".to_owned(),
    }
}

/// The system's words without `(os error 2)`.
fn plain(error: &std::io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut letters = text.chars();
    letters
        .next()
        .map(|first| first.to_lowercase().chain(letters).collect())
        .unwrap_or_default()
}

impl Source for Reader {
    fn grab(&mut self) -> Result<Stamp, Error> {
        if let Some(pace) = &mut self.pace {
            // A pace that was lost (a machine asleep, a slow disk) begins anew: no catching up.
            let now = Instant::now();
            pace.due = (pace.due + pace.period).max(now.checked_sub(pace.period).unwrap_or(now));
            self.stop.wait_until(pace.due);
        }
        if !self.grab_one()? && !self.rewind()? {
            let reason = match self.device {
                Device::Number(_) | Device::Node(_) => "it gives no picture (is it unplugged?)",
                Device::File(_) => "it holds no picture",
                _ => "the stream ended",
            };
            return Err(self.lost(reason));
        }
        if let Some(pace) = &mut self.pace {
            pace.has_given = true;
        }
        Ok(Stamp::before_now(self.picture_age()))
    }

    fn retrieve(&mut self, mut buffer: Mat) -> Result<Picture, Error> {
        match self.capture.retrieve(&mut buffer, 0) {
            Ok(true) if is_jpeg(&buffer) => Ok(Picture::Jpeg(buffer)),
            Ok(true) if !buffer.empty() => Ok(Picture::Raw(buffer, self.pixels)),
            Ok(_) => Err(self.lost("it gives empty pictures")),
            Err(error) => Err(self.lost(&error.message)),
        }
    }
}

impl Reader {
    fn grab_one(&mut self) -> Result<bool, Error> {
        self.capture
            .grab()
            .map_err(|error| self.lost(&error.message))
    }

    /// Back to the start of a file; false when there is nothing.
    fn rewind(&mut self) -> Result<bool, Error> {
        if !self
            .pace
            .as_mut()
            .is_some_and(|pace| std::mem::take(&mut pace.has_given))
        {
            return Ok(false);
        }
        let _ = self.capture.set(videoio::CAP_PROP_POS_FRAMES, 0.0);
        self.grab_one()
    }

    /// Age of the picture just grabbed by the driver's own clock, where it has one we know.
    fn picture_age(&self) -> Duration {
        if !matches!(self.device, Device::Number(_) | Device::Node(_)) {
            return Duration::ZERO;
        }
        let taken = self.capture.get(videoio::CAP_PROP_POS_MSEC).unwrap_or(0.0);
        let now = clock_gettime(ClockId::Monotonic);
        let now = now.tv_sec as f64 * 1e3 + now.tv_nsec as f64 / 1e6;
        let age = now - taken;
        if taken > 0.0 && (0.0..OLDEST.as_secs_f64() * 1e3).contains(&age) {
            Duration::from_secs_f64(age / 1e3)
        } else {
            Duration::ZERO
        }
    }

    fn lost(&self, reason: &str) -> Error {
        Error::Read {
            device: self.device.to_string(),
            reason: reason.to_owned(),
        }
    }
}

/// Raw bytes come as one row; only JPEGs are asked for in that form.
fn is_jpeg(mat: &Mat) -> bool {
    mat.rows() == 1 && mat.typ() == opencv::core::CV_8UC1 && mat.cols() > 3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipeline_without_an_end_gets_one() {
        assert_eq!(
            with_sink("videotestsrc"),
            "videotestsrc ! videoconvert ! video/x-raw,format=BGR ! appsink drop=true max-buffers=1"
        );
        assert_eq!(
            with_sink("v4l2src ! image/jpeg,width=640"),
            "v4l2src ! image/jpeg,width=640 ! appsink drop=true max-buffers=1"
        );
        let own = "videotestsrc ! videoconvert ! appsink sync=false";
        assert_eq!(with_sink(own), own);
    }

    #[test]
    fn a_missing_device_is_named_as_such() {
        let missing = Device::Node("/dev/video-of-nobody".into());
        assert_eq!(
            why_not(&missing),
            "no such device (is the camera plugged in?)"
        );
        assert_eq!(
            why_not(&Device::File("/none.avi".into())),
            "no such file or directory"
        );
    }

    #[test]
    fn fourcc_is_read_from_its_low_byte_up() {
        assert_eq!(fourcc_text(u32::from_le_bytes(*b"MJPG")), "MJPG");
        assert_eq!(fourcc_text(0), "");
    }
}
