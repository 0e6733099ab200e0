//! The stream of another server, passed on as it is: MJPEG over plain HTTP, read without FFmpeg.
//!
//! FFmpeg gives the JPEGs and loses what their parts say. This reader keeps it: a frame has the
//! capture time its server tells (`clock` finds out how old that makes it here), and a part that is
//! sent again is known for it. A part is handed on as soon as its last byte is there, so a tree of
//! camfeeds adds little but the network's time.
//!
//! Only `multipart/x-mixed-replace` behind `http://` is read here. Every other answer is FFmpeg's:
//! films, stills, HLS, passwords by Digest; so is `https://`, there is no TLS in camfeed.

mod address;
mod chunks;
mod clock;
mod http;
mod parts;

use self::clock::Clock;
use self::http::Body;
use self::http::Got;
use self::parts::Head;
use self::parts::Parts;
use crate::{
    capture::source::{
        Opened, Repeat, Source, no_picture_there, opencv_stream, v4l2_devices::lowercase_message,
    },
    config::{CameraConfig, Device, SourceText},
    encode::Picture,
    error::{Cause, Error},
    feed::{
        camera::SourceInfo,
        frame::{CaptureTime, placeholder_reason},
    },
    system::shutdown::ShutdownFlag,
};
use log::debug;
use opencv::{core::Mat, prelude::*};
use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

struct Relay {
    device: Device,
    body: Body,
    parts: Parts,
    clock: Clock,
    /// What the last part said, and when its picture was taken.
    last: Option<(Head, CaptureTime)>,
    is_repeat: bool,
    /// A picture has come, and not only placeholders.
    has_shown: bool,
    timeout: Duration,
}

/// True for what may be such a stream.
pub fn handles(url: &SourceText) -> bool {
    url.secret()
        .get(..7)
        .is_some_and(|scheme| scheme.eq_ignore_ascii_case("http://"))
}

/// Opens the stream at `url`, which is `device`, or leaves it to FFmpeg; its server has the
/// camera's time-out to answer.
pub fn open(
    url: &SourceText,
    device: &Device,
    config: &CameraConfig,
    stop: &Arc<ShutdownFlag>,
) -> Result<Opened, Error> {
    let got = http::get(url.secret(), config.timeout).map_err(|(cause, reason)| Error::Open {
        device: device.to_string(),
        cause,
        reason,
    })?;
    let Got::Answer(answer) = got else {
        return opencv_stream::open(device, config, stop);
    };
    let kind = answer.header("content-type").unwrap_or_default();
    let Some(boundary) = parts::boundary(kind) else {
        debug!("{device}: it is {}: left to FFmpeg", family(kind));
        // Closed first: the server may have but one place.
        drop(answer);
        return opencv_stream::open(device, config, stop);
    };
    debug!("{device}: read as MJPEG over HTTP");
    let facts = SourceInfo {
        source: device.to_string(),
        backend: "MJPEG over HTTP".to_owned(),
        format: "MJPG".to_owned(),
        ..SourceInfo::default()
    };
    let source = Box::new(Relay {
        device: device.clone(),
        parts: Parts::new(boundary),
        body: answer.body,
        clock: Clock::default(),
        last: None,
        is_repeat: false,
        has_shown: false,
        timeout: config.timeout,
    });
    Ok(Opened { source, facts })
}

/// The first half of a media type; the rest may repeat what was asked for.
fn family(kind: &str) -> &'static str {
    [
        "text/…",
        "image/…",
        "video/…",
        "audio/…",
        "application/…",
        "multipart/…",
    ]
    .into_iter()
    .find(|family| kind.starts_with(family.trim_end_matches('…')))
    .unwrap_or("of no known type")
}

impl Source for Relay {
    fn grab(&mut self) -> Result<Option<CaptureTime>, Error> {
        // Bytes that trickle are no picture.
        let deadline = Instant::now() + self.timeout;
        loop {
            let part = self.parts.next_part();
            if let Some(head) = part.map_err(|flaw| self.lost(Cause::Other, &flaw.to_string()))? {
                return self.take(head).map(Some);
            }
            if self.parts.has_ended() {
                return Err(self.lost(Cause::Silent, "the stream ended"));
            }
            if Instant::now() >= deadline {
                return Err(self.no_part());
            }
            match self.body.read() {
                Ok(Some(bytes)) => self.parts.push(bytes),
                Ok(None) => return Err(self.lost(Cause::Silent, "the stream ended")),
                Err(error) => return Err(self.failed(&error)),
            }
        }
    }

    fn retrieve(&mut self, mut buffer: Mat) -> Result<Picture, Error> {
        let jpeg = self.parts.jpeg();
        Mat::from_slice(jpeg)
            .and_then(|mat| mat.copy_to(&mut buffer))
            .map(|()| Picture::Jpeg(buffer))
            .map_err(|error| self.lost(Cause::Other, &error.message))
    }

    fn repeat(&self) -> Repeat {
        match &self.last {
            Some((head, _)) if head.sequence.is_some() && self.is_repeat => Repeat::Yes,
            Some((head, _)) if head.sequence.is_some() => Repeat::No,
            _ => Repeat::Unknown,
        }
    }
}

impl Relay {
    /// When the picture of the part that has just come was taken. A placeholder behind pictures
    /// ends the source, watched or not; who opens it waits through those before the first.
    fn take(&mut self, head: Head) -> Result<CaptureTime, Error> {
        match placeholder_reason(self.parts.jpeg()) {
            Some(reason) if self.has_shown => {
                Err(self.lost(Cause::Silent, &no_picture_there(&reason)))
            }
            reason => {
                self.has_shown |= reason.is_none();
                Ok(self.note(head))
            }
        }
    }

    /// When the picture of the part with `head` was taken: the same moment for one sent again.
    fn note(&mut self, head: Head) -> CaptureTime {
        let again = self.last.filter(|(last, _)| {
            let is_numbered = head.sequence.is_some();
            is_numbered && last.sequence == head.sequence && last.timestamp == head.timestamp
        });
        self.is_repeat = again.is_some();
        let stamp = match again {
            Some((_, stamp)) => stamp,
            None => self.clock.stamp(head.timestamp, CaptureTime::now()),
        };
        self.last = Some((head, stamp));
        stamp
    }

    fn no_part(&self) -> Error {
        let reason = format!(
            "it has sent no picture for {} s",
            self.timeout.as_secs_f64()
        );
        self.lost(Cause::Silent, &reason)
    }

    fn failed(&self, error: &io::Error) -> Error {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => self.no_part(),
            _ => self.lost(Cause::Silent, &lowercase_message(error)),
        }
    }

    fn lost(&self, cause: Cause, reason: &str) -> Error {
        Error::Read {
            device: self.device.to_string(),
            cause,
            reason: reason.to_owned(),
        }
    }
}
