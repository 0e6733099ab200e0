//! Files and network streams, read by OpenCV through FFmpeg.
//!
//! JPEGs come out as they are in the file or stream wherever the backend can do that. A file is
//! played at a pace, in a loop; everything else comes when it comes.

use crate::{
    capture::source::{
        Opened, Repeat, Source,
        v4l2_devices::{fourcc_text, lowercase_message},
    },
    config::{CameraConfig, Device, Size},
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
    sync::Arc,
    time::{Duration, Instant},
};

/// How long FFmpeg may take to open a network stream or to wait for its next packet.
const NETWORK_TIMEOUT: Duration = Duration::from_secs(5);

/// Time between two looks at a file that holds one picture.
const STILL_PERIOD: Duration = Duration::from_secs(1);

/// Rate of a file that does not say its own.
const FILE_FPS: f64 = 25.0;

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
    // OpenCV throws for some causes and returns a closed capture for others.
    let mut capture = match open_ffmpeg(device) {
        Ok(capture) if capture.is_opened().unwrap_or(false) => capture,
        _ => return Err(diagnose_open(device)),
    };
    read_back(&mut capture, device, config)
        .map(|facts| {
            let pace = matches!(device, Device::File(_)).then(|| FilePace {
                period: Duration::from_secs_f64(1.0 / facts.fps.unwrap_or(FILE_FPS)),
                due: Instant::now(),
                given: 0,
            });
            let device = device.clone();
            let source = Box::new(OpenCvStream {
                capture,
                device,
                pace,
                stop: Arc::clone(stop),
            });
            Opened { source, facts }
        })
        .map_err(|error| Error::Open {
            device: device.to_string(),
            cause: Cause::Other,
            reason: opencv_words(device, &error),
        })
}

/// What OpenCV says of a failure; only its number where its words may hold a secret of the source.
pub fn opencv_words(device: &Device, error: &opencv::Error) -> String {
    match device {
        Device::Url(_) | Device::Gst(_) => format!("OpenCV fails (error {})", error.code),
        _ => format!("OpenCV fails: {}", error.message),
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
    VideoCapture::from_file_with_params(url.secret(), videoio::CAP_FFMPEG, &params)
}

/// Switches FFmpeg to undecoded packets where they are JPEGs; the format and whether it is that.
fn use_packets(capture: &mut VideoCapture) -> opencv::Result<(String, bool)> {
    let fourcc = fourcc_text(capture.get(videoio::CAP_PROP_FOURCC)? as u32);
    // FFmpeg's streams without a container say the beginning of the codec's name.
    let gives_jpeg = matches!(fourcc.as_str(), "MJPG" | "JPEG" | "mjpg" | "mjpa" | "mjpe");
    if gives_jpeg {
        capture.set(videoio::CAP_PROP_FORMAT, -1.0)?;
    }
    Ok((fourcc, gives_jpeg))
}

/// What the device really gives.
fn read_back(
    capture: &mut VideoCapture,
    device: &Device,
    config: &CameraConfig,
) -> opencv::Result<SourceInfo> {
    let (fourcc, gives_jpeg) = use_packets(capture)?;
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
    Ok(SourceInfo {
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
        ..SourceInfo::default()
    })
}

/// Why a device did not open, with advice. OpenCV only says that it did not.
fn diagnose_open(device: &Device) -> Error {
    let (cause, reason) = match device {
        Device::File(path) => match std::fs::File::open(path) {
            Ok(_) => (
                Cause::NotACamera,
                "it is no video that FFmpeg can read".to_owned(),
            ),
            Err(error) => (
                super::v4l2_devices::cause_of(&error),
                lowercase_message(&error),
            ),
        },
        _ => (Cause::Missing, "no stream answers there".to_owned()),
    };
    Error::Open {
        device: device.to_string(),
        cause,
        reason,
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
                let is_back = self
                    .capture
                    .set(videoio::CAP_PROP_POS_FRAMES, 0.0)
                    .unwrap_or(false);
                if is_back && self.grab_one()? {
                    return Ok(true);
                }
            }
        }
        // Raw streams and stills cannot go back; they can be begun anew.
        match open_ffmpeg(&self.device) {
            Ok(mut capture) if capture.is_opened().unwrap_or(false) => {
                use_packets(&mut capture).map_err(|error| self.failed(&error))?;
                self.capture = capture;
                self.grab_one()
            }
            _ => Err(diagnose_open(&self.device)),
        }
    }

    fn failed(&self, error: &opencv::Error) -> Error {
        self.lost(&opencv_words(&self.device, error))
    }

    fn lost(&self, reason: &str) -> Error {
        Error::Read {
            device: self.device.to_string(),
            cause: Cause::Silent,
            reason: reason.to_owned(),
        }
    }
}

/// Raw bytes come as one row; only JPEGs are asked for in that form.
pub fn is_jpeg(mat: &Mat) -> bool {
    mat.rows() == 1 && mat.typ() == opencv::core::CV_8UC1 && mat.cols() > 3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_file_is_named_as_such() {
        let error = diagnose_open(&Device::File("/none.avi".into()));
        assert_eq!(
            error.to_string(),
            "cannot open /none.avi: no such file or directory"
        );
        assert_eq!(error.cause(), Cause::Missing);
    }
}
