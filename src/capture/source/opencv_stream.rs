//! Files and network streams, read by OpenCV through FFmpeg.
//!
//! JPEGs come out as they are in the file or stream wherever the backend can do that. A file is
//! played at a pace, in a loop; everything else comes when it comes.

use crate::{
    capture::source::{
        Opened, Repeat, Source,
        v4l2_devices::{cause_of, fourcc_text, lowercase_message},
        video_capture::{is_jpeg, opencv_words, opened, size_and_fps},
    },
    config::{CameraConfig, Device},
    encode::{Picture, Pixels},
    error::{Cause, Error},
    feed::{camera::SourceInfo, frame::CaptureTime},
    system::shutdown::ShutdownFlag,
};
use opencv::{
    core::{Mat, Vector},
    prelude::*,
    videoio::{self, VideoCapture},
};
use std::{
    fs::File,
    sync::Arc,
    time::{Duration, Instant},
};

/// How long FFmpeg may take to open a network stream or to wait for its next packet.
const NETWORK_TIMEOUT: Duration = Duration::from_secs(5);

/// Time between two looks at a file that holds one picture.
const STILL_PERIOD: Duration = Duration::from_secs(1);

/// Rate of a file that does not say its own.
const FILE_FPS: f64 = 25.0;

/// The format of JPEGs, whatever FFmpeg calls them.
const JPEGS: &str = "MJPG";

struct OpenCvStream {
    capture: VideoCapture,
    device: Device,
    /// Files are played at a pace; everything else comes when it comes.
    pace: Option<FilePace>,
    stop: Arc<ShutdownFlag>,
}

struct FilePace {
    period: Duration,
    due: Instant,
    /// Pictures since the last beginning: a file that begins with none holds none.
    given: u64,
}

/// Opens `device`; blocks until it answers or gives up.
pub fn open(
    device: &Device,
    config: &CameraConfig,
    stop: &Arc<ShutdownFlag>,
) -> Result<Opened, Error> {
    let mut capture = opened(open_ffmpeg(device)).ok_or_else(|| diagnose_open(device))?;
    let facts = read_back(&mut capture, device, config)
        .map_err(|error| Error::open(device, Cause::Other, opencv_words(device, &error)))?;
    let pace = matches!(device, Device::File(_)).then(|| FilePace {
        period: Duration::from_secs_f64(1.0 / facts.fps.unwrap_or(FILE_FPS)),
        due: Instant::now(),
        given: 0,
    });
    let source = Box::new(OpenCvStream {
        capture,
        device: device.clone(),
        pace,
        stop: Arc::clone(stop),
    });
    Ok(Opened {
        source,
        facts,
        controls: None,
    })
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
    VideoCapture::from_file_with_params(url.secret(), videoio::CAP_FFMPEG, &params)
}

/// Switches FFmpeg to undecoded packets where they are JPEGs; the format, [`JPEGS`] for those.
fn use_packets(capture: &mut VideoCapture) -> opencv::Result<String> {
    let fourcc = fourcc_text(capture.get(videoio::CAP_PROP_FOURCC)? as u32);
    // FFmpeg's streams without a container say the beginning of the codec's name.
    if matches!(fourcc.as_str(), "MJPG" | "JPEG" | "mjpg" | "mjpa" | "mjpe") {
        capture.set(videoio::CAP_PROP_FORMAT, -1.0)?;
        return Ok(JPEGS.to_owned());
    }
    Ok(fourcc)
}

/// What the device really gives.
fn read_back(
    capture: &mut VideoCapture,
    device: &Device,
    config: &CameraConfig,
) -> opencv::Result<SourceInfo> {
    let format = use_packets(capture)?;
    let (size, own_fps) = size_and_fps(capture)?;
    let fps = match device {
        Device::File(_) => Some(config.fps.map_or(own_fps.unwrap_or(FILE_FPS), |fps| fps.0)),
        // FFmpeg makes up 25 for a stream of JPEGs, which says nothing of its rate.
        Device::Url(_) if format == JPEGS => None,
        _ => own_fps,
    };
    Ok(SourceInfo {
        source: device.to_string(),
        backend: capture.get_backend_name()?,
        format,
        size,
        fps,
        ..SourceInfo::default()
    })
}

/// Why a device did not open, with advice. OpenCV only says that it did not.
fn diagnose_open(device: &Device) -> Error {
    let Device::File(path) = device else {
        return Error::open(device, Cause::Unreachable, "no stream answers there");
    };
    match File::open(path) {
        Ok(_) => {
            let reason = "it is no video that FFmpeg can read";
            Error::open(device, Cause::NotACamera, reason)
        }
        Err(error) => Error::open(device, cause_of(&error), lowercase_message(&error)),
    }
}

impl Source for OpenCvStream {
    fn grab(&mut self) -> Result<Option<CaptureTime>, Error> {
        if let Some(pace) = &mut self.pace {
            // A pace that was lost (a machine asleep, a slow disk) begins anew: no catching up.
            let now = Instant::now();
            pace.due = (pace.due + pace.period).max(now.checked_sub(pace.period).unwrap_or(now));
            self.stop.wait_until(pace.due);
        }
        if !self.grab_one()? && !self.rewind()? {
            let reason = match self.device {
                Device::File(_) => "it holds no picture",
                _ => "the stream ended",
            };
            return Err(self.lost(reason));
        }
        if let Some(pace) = &mut self.pace {
            pace.given += 1;
        }
        Ok(Some(CaptureTime::now()))
    }

    fn retrieve(&mut self, mut buffer: Mat) -> Result<Picture, Error> {
        match self.capture.retrieve(&mut buffer, 0) {
            Ok(true) if is_jpeg(&buffer) => Ok(Picture::Jpeg(buffer)),
            Ok(true) if !buffer.empty() => Ok(Picture::Raw(buffer, Pixels::Bgr)),
            Ok(_) => Err(self.lost("it gives empty pictures")),
            Err(error) => Err(self.failed(&error)),
        }
    }

    fn repeat(&self) -> Repeat {
        match self.device {
            // FFmpeg loses what a server says of its parts.
            Device::Url(_) => Repeat::Unknown,
            _ => Repeat::No,
        }
    }
}

impl OpenCvStream {
    fn grab_one(&mut self) -> Result<bool, Error> {
        self.capture.grab().map_err(|error| self.failed(&error))
    }

    /// Back to the start of a file; false when there is nothing.
    fn rewind(&mut self) -> Result<bool, Error> {
        let Some(pace) = &mut self.pace else {
            return Ok(false);
        };
        match std::mem::take(&mut pace.given) {
            0 => return Ok(false),
            // A still: looked at now and then.
            1 => {
                pace.due += STILL_PERIOD;
                self.stop.wait_until(pace.due);
            }
            _ => {
                let is_back = self.capture.set(videoio::CAP_PROP_POS_FRAMES, 0.0);
                if is_back.unwrap_or(false) && self.grab_one()? {
                    return Ok(true);
                }
            }
        }
        // Raw streams and stills cannot go back; they can be begun anew.
        self.capture =
            opened(open_ffmpeg(&self.device)).ok_or_else(|| diagnose_open(&self.device))?;
        use_packets(&mut self.capture).map_err(|error| self.failed(&error))?;
        self.grab_one()
    }

    fn failed(&self, error: &opencv::Error) -> Error {
        self.lost(&opencv_words(&self.device, error))
    }

    fn lost(&self, reason: &str) -> Error {
        Error::read(&self.device, Cause::Silent, reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use argh::FromArgValue;

    #[test]
    fn a_missing_file_is_named_as_such() {
        let error = diagnose_open(&Device::File("/none.avi".into()));
        assert_eq!(
            error.to_string(),
            "cannot open /none.avi: no such file or directory"
        );
        assert_eq!(error.cause(), Cause::Missing);
    }

    #[test]
    fn a_stream_that_does_not_answer_is_not_gone() {
        let device = Device::from_arg_value("rtsp://cam/x").expect("an address");
        let cause = diagnose_open(&device).cause();
        assert_eq!((cause, cause.exit_code()), (Cause::Unreachable, 3));
    }
}
