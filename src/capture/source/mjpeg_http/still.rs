//! An address that answers with one picture: it is asked again and again.

use crate::{
    capture::source::{
        Opened, Repeat, Source,
        mjpeg_http::{
            answer::{Answer, Failure},
            request::{self, Got},
        },
        v4l2_devices::lowercase_message,
    },
    config::{CameraConfig, Device, SourceText},
    encode::Picture,
    error::{Cause, Error},
    feed::{camera::SourceInfo, frame::CaptureTime},
    system::shutdown::ShutdownFlag,
};
use log::info;
use opencv::{core::Mat, prelude::*};
use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

/// A picture is no longer than this.
pub const MOST_STILL_BYTES: usize = 32 << 20;

/// Pictures a second where `--fps` does not say.
const DEFAULT_FPS: f64 = 1.0;

/// A picture that is fetched at a pace.
pub struct Still {
    url: SourceText,
    device: Device,
    period: Duration,
    due: Instant,
    timeout: Duration,
    stop: Arc<ShutdownFlag>,
    jpeg: Vec<u8>,
}

impl Still {
    /// The picture at `url`, which is `device`, fetched as often as `--fps` says.
    pub fn open(
        url: &SourceText,
        device: &Device,
        config: &CameraConfig,
        stop: &Arc<ShutdownFlag>,
    ) -> Opened {
        let fps = config.fps.map_or(DEFAULT_FPS, |fps| fps.0);
        info!("{device} answers with one picture: it is fetched {fps} times a second (`--fps`)");
        let still = Still {
            url: url.clone(),
            device: device.clone(),
            period: Duration::from_secs_f64(1.0 / fps),
            due: Instant::now(),
            timeout: config.timeout,
            stop: Arc::clone(stop),
            jpeg: Vec::new(),
        };
        let facts = SourceInfo {
            source: device.to_string(),
            backend: "JPEG over HTTP".to_owned(),
            format: "JPEG".to_owned(),
            fps: Some(fps),
            ..SourceInfo::default()
        };
        Opened {
            source: Box::new(still),
            facts,
            controls: None,
        }
    }

    fn fetch(&self) -> Result<Vec<u8>, Failure> {
        let deadline = Instant::now() + self.timeout;
        match request::get(self.url.secret(), self.timeout)? {
            Got::Answer(answer) => read_whole(answer, deadline),
            Got::Digest | Got::NotOurs => {
                Err((Cause::Other, "it answers otherwise than before".to_owned()))
            }
        }
    }

    fn lost(&self, cause: Cause, reason: String) -> Error {
        Error::read(&self.device, cause, reason)
    }
}

/// The whole body, which comes until `deadline`.
fn read_whole(mut answer: Answer, deadline: Instant) -> Result<Vec<u8>, Failure> {
    let length = answer.content_length().unwrap_or(usize::MAX);
    let mut whole = Vec::new();
    while whole.len() < length.min(MOST_STILL_BYTES) {
        match answer.body.read(deadline) {
            Ok(Some(bytes)) => whole.extend_from_slice(bytes),
            Ok(None) => break,
            Err(error) if error.kind() == io::ErrorKind::TimedOut => break,
            Err(error) => return Err((Cause::Silent, lowercase_message(&error))),
        }
    }
    whole.truncate(length);
    Ok(whole)
}

impl Source for Still {
    fn grab(&mut self) -> Result<Option<CaptureTime>, Error> {
        if self.stop.wait_until(self.due) {
            return Ok(None);
        }
        // A pace that was lost begins anew: no catching up.
        self.due = (self.due + self.period).max(Instant::now());
        self.jpeg = self
            .fetch()
            .map_err(|(cause, reason)| self.lost(cause, reason))?;
        Ok(Some(CaptureTime::now()))
    }

    fn retrieve(&mut self, mut buffer: Mat) -> Result<Picture, Error> {
        Mat::from_slice(&self.jpeg)
            .and_then(|mat| mat.copy_to(&mut buffer))
            .map(|()| Picture::Jpeg(buffer))
            .map_err(|error| self.lost(Cause::Other, error.message))
    }

    fn repeat(&self) -> Repeat {
        Repeat::Unknown
    }
}
