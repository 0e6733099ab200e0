//! A stream of JPEGs, read from the body of one answer.

use crate::{
    capture::source::{
        Repeat, Source,
        mjpeg_http::{
            answer::Body,
            clock::Clock,
            jpegs::Jpegs,
            parts::{Head, Parts},
        },
        no_picture_there,
        v4l2_devices::lowercase_message,
    },
    config::Device,
    encode::Picture,
    error::{Cause, Error},
    feed::frame::{CaptureTime, placeholder_reason},
};
use log::warn;
use opencv::{core::Mat, prelude::*};
use std::{
    io::ErrorKind::{TimedOut, WouldBlock},
    mem,
    time::{Duration, Instant},
};

/// How long one wait for a picture lasts at most: between two, whoever waits sees whether it is still
/// wanted.
const GRAB_TIMEOUT: Duration = Duration::from_secs(1);

/// What the body is taken apart by.
pub enum Splitter {
    /// By delimiters and lengths.
    Parts(Parts),
    /// By the JPEGs themselves.
    Jpegs(Jpegs),
}

impl Splitter {
    /// Takes in what came; [`Splitter::next`] until it gives none, then more.
    pub fn push(&mut self, bytes: &[u8]) {
        match self {
            Splitter::Parts(parts) => parts.push(bytes),
            Splitter::Jpegs(jpegs) => jpegs.push(bytes),
        }
    }

    /// What the next picture's part says; the picture is then to be had from [`Splitter::jpeg`].
    fn next(&mut self) -> Result<Option<Head>, String> {
        match self {
            Splitter::Parts(parts) => parts.next_part().map_err(|error| error.to_string()),
            Splitter::Jpegs(jpegs) => Ok(jpegs.next_picture().then(Head::default)),
        }
    }

    fn has_ended(&self) -> bool {
        match self {
            Splitter::Parts(parts) => parts.has_ended(),
            Splitter::Jpegs(_) => false,
        }
    }

    fn jpeg(&self) -> &[u8] {
        match self {
            Splitter::Parts(parts) => parts.jpeg(),
            Splitter::Jpegs(jpegs) => jpegs.jpeg(),
        }
    }
}

/// A stream that another server sends.
pub struct Relay {
    device: Device,
    body: Body,
    splitter: Splitter,
    clock: Clock,
    /// What the last part said, and when its picture was taken.
    last: Option<(Head, CaptureTime)>,
    is_repeat: bool,
    /// A picture has come, and not only placeholders.
    has_shown: bool,
    /// Wrong lengths that were told of.
    told_lengths: u64,
}

impl Source for Relay {
    fn grab(&mut self) -> Result<Option<CaptureTime>, Error> {
        // Bytes that trickle are no picture.
        let deadline = Instant::now() + GRAB_TIMEOUT;
        loop {
            let part = self.splitter.next();
            if let Some(head) = part.map_err(|reason| self.lost(Cause::Other, &reason))? {
                return self.take(head).map(Some);
            }
            if self.splitter.has_ended() {
                return Err(self.lost(Cause::Silent, "the stream ended"));
            }
            match self.body.read(deadline) {
                Ok(Some(bytes)) => self.splitter.push(bytes),
                Ok(None) => return Err(self.lost(Cause::Silent, "the stream ended")),
                Err(error) if matches!(error.kind(), WouldBlock | TimedOut) => return Ok(None),
                Err(error) => return Err(self.lost(Cause::Silent, &lowercase_message(&error))),
            }
        }
    }

    fn retrieve(&mut self, mut buffer: Mat) -> Result<Picture, Error> {
        let jpeg = self.splitter.jpeg();
        Mat::from_slice(jpeg)
            .and_then(|mat| mat.copy_to(&mut buffer))
            .map(|()| Picture::Jpeg(buffer))
            .map_err(|error| self.lost(Cause::Other, &error.message))
    }

    fn take_repairs(&mut self) -> u64 {
        let Splitter::Parts(parts) = &self.splitter else {
            return 0;
        };
        let before = mem::replace(&mut self.told_lengths, parts.wrong_lengths());
        if before == 0 && self.told_lengths > 0 {
            warn!(
                "{}: its parts do not end where their Content-Length says; they end at the delimiter",
                self.device
            );
        }
        self.told_lengths - before
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
    /// A relay of what `splitter` makes of the rest of `body`.
    pub fn new(device: &Device, body: Body, splitter: Splitter) -> Relay {
        Relay {
            device: device.clone(),
            body,
            splitter,
            clock: Clock::default(),
            last: None,
            is_repeat: false,
            has_shown: false,
            told_lengths: 0,
        }
    }

    /// When the picture of the part that has just come was taken. A placeholder behind pictures
    /// ends the source, watched or not; who opens it waits through those before the first.
    fn take(&mut self, head: Head) -> Result<CaptureTime, Error> {
        if head.is_of_several {
            let reason =
                "it is the stream of several cameras; the address of one ends with /NAME/stream";
            return Err(self.lost(Cause::Other, reason));
        }
        match placeholder_reason(self.splitter.jpeg()) {
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

    fn lost(&self, cause: Cause, reason: &str) -> Error {
        Error::read(&self.device, cause, reason)
    }
}
