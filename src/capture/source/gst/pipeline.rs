//! GStreamer pipelines, opened and read by OpenCV.
//!
//! OpenCV says nothing of a picture's format, so the pipeline's own caps are asked, before it starts and
//! for each picture. JPEGs, BGR, GRAY8 and planes with the colours of a JPEG are taken as they are;
//! everything else is converted by `videoconvert` in front of the sink, or refused by name: no picture
//! has wrong colours or a wrong shape.

use crate::{
    capture::{
        interrupt::Interrupt,
        source::{
            self, Source,
            gst::{
                caps::{PictureKind, format, kind_of, media, name},
                colorimetry::range,
                padding::padding_of,
                pipeline_text::{diagnose_open, refusal, with_converter, with_sink},
                running::{Failure, RunningPipeline},
                sink::{Arrival, Sink},
                tracer::{examine, parts_of},
            },
            video_capture::{has_size, is_jpeg, opencv_words, opened, size_and_fps},
        },
    },
    config::{Device, Size},
    encode::{Picture, Pixels},
    error::{Cause, Error},
    feed::{camera::SourceInfo, frame::CaptureTime},
};
use gstreamer::{Caps, Element};
use log::debug;
use opencv::{
    core::{self, Mat},
    prelude::*,
    videoio::{self, VideoCapture},
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// A sink that had a picture when it was asked gives it sooner.
const LONG_WAIT: Duration = Duration::from_secs(1);

/// Says why a pipeline does not start or has stopped, by the error that an element of it has posted.
pub type Explain = dyn Fn(Stage, Option<&Failure>) -> (Cause, String) + Send + Sync;

/// How far a pipeline came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// It does not start.
    Start,
    /// It gave pictures.
    Running,
}

/// A pipeline that gives pictures.
pub struct GstPipeline {
    capture: VideoCapture,
    sink: Sink,
    running: RunningPipeline,
    /// Its source, where that is a camera module.
    module: Option<Element>,
    /// Why its pictures would be sheared.
    padding: Option<String>,
    opener: Opener,
    /// The first picture was grabbed to learn what comes.
    is_grabbed: bool,
    /// The picture that was grabbed last.
    grabbed: Arrival,
}

/// Opens the pipeline `text` of `device`; blocks until it gives a picture or ends, or until it is
/// interrupted.
pub fn open(
    text: &str,
    device: &Device,
    interrupt: &Arc<Interrupt>,
) -> Result<source::Opened, Error> {
    let text = with_sink(text);
    let own_text = text.clone();
    let opener = Opener {
        device: device.clone(),
        interrupt: Arc::clone(interrupt),
        explain: Arc::new(move |stage, failure| match (stage, failure) {
            (Stage::Running, Some(failure)) => (Cause::Silent, stopped(failure)),
            _ => (Cause::Other, diagnose_open(&own_text)),
        }),
    };
    let (reader, facts) = opener.open(&text)?;
    if let Some(reason) = &reader.padding {
        return Err(Error::open(device, Cause::Silent, reason));
    }
    Ok(source::Opened {
        source: Box::new(reader),
        facts,
        controls: None,
    })
}

/// Said of a pipeline that an error has ended; the element's own words may hold a secret.
fn stopped(failure: &Failure) -> String {
    let element = &failure.element;
    format!("its element {element} reports an error (gst-launch-1.0 with the same text says which)")
}

/// What a pipeline is opened with.
#[derive(Clone)]
pub struct Opener {
    /// Named in errors.
    pub device: Device,
    /// Ends its waits.
    pub interrupt: Arc<Interrupt>,
    /// Names the cause.
    pub explain: Arc<Explain>,
}

impl Opener {
    /// Opens the pipeline `text`, with a converter before its sink where it needs one, and says what it
    /// really gives.
    pub fn open(&self, text: &str) -> Result<(GstPipeline, SourceInfo), Error> {
        let refused = |reason| Error::open(&self.device, Cause::Other, reason);
        let mut given = examine(text).map_err(refused)?;
        let mut reader = match &given {
            None => self.start(text)?,
            Some(caps) => self.converted(text, caps)?,
        };
        // A source of many formats shows its own only now.
        if let Some(PictureKind::Other(caps)) = reader.kind() {
            drop(reader);
            reader = self.converted(text, &caps)?;
            given = Some(caps);
        }
        if let Some(caps) = &given {
            debug!(
                "the pipeline gives {}: converted by videoconvert",
                name(caps)
            );
        }
        let facts = reader.facts(given.as_ref());
        let facts = facts.map_err(|error| refused(opencv_words(&self.device, &error)))?;
        Ok((reader, facts))
    }

    /// The pipeline with a converter before its sink, started; a refusal where none fits.
    fn converted(&self, text: &str, caps: &Caps) -> Result<GstPipeline, Error> {
        let refused = || Error::open(&self.device, Cause::Silent, refusal(text, caps));
        // A decoder is more than a user of JPEGs would expect to run.
        let is_plain = matches!(media(caps), "video/x-raw" | "video/x-bayer");
        let text = with_converter(text, caps).filter(|_| is_plain);
        let text = text.filter(|text| matches!(examine(text), Ok(None)));
        self.start(&text.ok_or_else(refused)?)
    }

    /// Starts the pipeline and waits for its first picture.
    fn start(&self, text: &str) -> Result<GstPipeline, Error> {
        let open = || opened(VideoCapture::from_file(text, videoio::CAP_GSTREAMER));
        let (capture, parts) = parts_of(Some(&self.interrupt), open);
        let does_not_start = |running: Option<&RunningPipeline>| {
            let (cause, reason) =
                (self.explain)(Stage::Start, running.and_then(RunningPipeline::failure));
            Error::open(&self.device, cause, reason)
        };
        let (Some(capture), Some(sink), Some(running)) = (capture, parts.end, &parts.running)
        else {
            // OpenCV lets go of it without stopping it, and its threads may then run on what was freed.
            if let Some(running) = &parts.running {
                running.stop();
            }
            return Err(does_not_start(parts.running.as_ref()));
        };
        let mut reader = GstPipeline {
            capture,
            sink,
            running: running.clone(),
            module: parts.module,
            padding: None,
            opener: self.clone(),
            is_grabbed: true,
            grabbed: Arrival::default(),
        };
        let grabbed = reader.grab_one();
        // Nothing was agreed on, which OpenCV notices now and then only here.
        if grabbed.is_err() && (reader.sink.caps().is_none() || running.failure().is_some()) {
            return Err(does_not_start(Some(running)));
        }
        if !grabbed? {
            return Err(reader.lost("it gives no picture"));
        }
        let padding = parts.converters.iter().find_map(padding_of);
        reader.padding = padding.or_else(|| padding_of(&reader.sink));
        Ok(reader)
    }
}

impl GstPipeline {
    /// The source of the pipeline, where that is a camera module.
    pub fn module(&self) -> Option<&Element> {
        self.module.as_ref()
    }

    /// Why its pictures would be sheared: their lines have gaps between them that nobody is told of.
    pub fn padding(&self) -> Option<&str> {
        self.padding.as_deref()
    }

    /// What its pictures are now; `None` before there are any.
    fn kind(&self) -> Option<PictureKind> {
        self.sink.caps().map(|caps| kind_of(&caps))
    }

    /// Grabs the next picture; false when none came.
    fn grab_one(&mut self) -> Result<bool, Error> {
        // OpenCV would start it again.
        if self.running.is_stopped() {
            return Err(self.lost("the stream ended"));
        }
        let (before, asked) = (self.sink.newest(), Instant::now());
        match self.capture.grab() {
            Ok(true) => {}
            Ok(false) => return Err(self.lost("the stream ended")),
            Err(error) => return Err(self.lost(opencv_words(&self.opener.device, &error))),
        }
        let newest = self.sink.newest();
        // OpenCV 4.10 gives up after half a minute and says that it has one.
        if asked.elapsed() > LONG_WAIT && newest.number == before.number {
            return Ok(false);
        }
        // A sink of one picture had this one already, or it came meanwhile.
        let had_one = before.number > self.grabbed.number;
        self.grabbed = if had_one { before } else { newest };
        Ok(true)
    }

    /// What it really gives; `given` is what was converted.
    fn facts(&self, given: Option<&Caps>) -> opencv::Result<SourceInfo> {
        let (size, fps) = size_and_fps(&self.capture)?;
        let kind = self.kind();
        let caps = self.sink.caps();
        let raw = match kind {
            Some(PictureKind::Raw(Pixels::Bgr, _)) => None,
            Some(PictureKind::Raw(..)) => caps.as_ref().and_then(|caps| format(caps)),
            // Said when the first picture is looked at.
            _ => None,
        };
        let range = match kind {
            Some(PictureKind::Raw(Pixels::Planar(_, range), _)) => Some(range),
            _ => given.and_then(|caps| range(caps)),
        };
        let format = given.map_or(raw, |caps| format(caps));
        Ok(SourceInfo {
            source: self.opener.device.to_string(),
            backend: self.capture.get_backend_name()?,
            format: format.unwrap_or_default().to_owned(),
            range,
            size,
            fps,
            ..SourceInfo::default()
        })
    }

    fn lost(&self, reason: impl Into<String>) -> Error {
        let (cause, reason) = match self.running.failure() {
            Some(failure) => (self.opener.explain)(Stage::Running, Some(failure)),
            None => (Cause::Silent, reason.into()),
        };
        Error::read(&self.opener.device, cause, reason)
    }
}

impl Drop for GstPipeline {
    /// OpenCV 4.6 keeps a camera whose pipeline has failed until the process ends.
    fn drop(&mut self) {
        self.running.stop();
    }
}

impl Source for GstPipeline {
    fn grab(&mut self) -> Result<Option<CaptureTime>, Error> {
        if !std::mem::take(&mut self.is_grabbed) && !self.grab_one()? {
            return Ok(None);
        }
        // Others stamp their pictures as they like.
        let stamp = self.grabbed.presented.filter(|_| self.module.is_some());
        let age = stamp.and_then(|stamp| self.running.age_of(stamp));
        Ok(Some(CaptureTime::before_now(age.unwrap_or_default())))
    }

    fn retrieve(&mut self, mut buffer: Mat) -> Result<Picture, Error> {
        match self.capture.retrieve(&mut buffer, 0) {
            Ok(true) if !buffer.empty() => (),
            Ok(_) => return Err(self.lost("it gives empty pictures")),
            Err(error) => return Err(self.lost(opencv_words(&self.opener.device, &error))),
        }
        match self.kind() {
            Some(PictureKind::Jpeg) if is_jpeg(&buffer) => Ok(Picture::Jpeg(buffer)),
            Some(PictureKind::Raw(pixels, size)) if is_whole(&buffer, pixels, size) => {
                Ok(Picture::Raw(buffer, pixels))
            }
            // Opened again, they are converted or refused with advice.
            Some(PictureKind::Other(caps)) => {
                Err(self.lost(format!("the pipeline gives {} now", name(&caps))))
            }
            // The pipeline has just become another: the next picture is of the caps that are here.
            _ => Ok(Picture::Jpeg(Mat::default())),
        }
    }
}

/// Whether `mat` holds such pixels, of a picture of that size where it is known.
fn is_whole(mat: &Mat, pixels: Pixels, size: Option<Size>) -> bool {
    let kind = match pixels {
        Pixels::Gray | Pixels::Planar(..) => core::CV_8UC1,
        Pixels::Yuyv | Pixels::Uyvy => core::CV_8UC2,
        Pixels::Bgr => core::CV_8UC3,
    };
    let has_lines = |Size { width, height }| {
        let lines = if pixels.is_planar() {
            height / 2 * 3
        } else {
            height
        };
        has_size(
            mat,
            Size {
                width,
                height: lines,
            },
        )
    };
    mat.typ() == kind && size.is_none_or(has_lines)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{sync::mpsc, thread, time::Duration};

    const SOON: Duration = Duration::from_secs(20);

    const ENDLESS: &str = "videotestsrc is-live=true";

    /// What `use_it` makes of a pipeline of that source, or of its refusal; in time.
    fn with_pipeline<T: Send + 'static>(
        source: &str,
        interrupt: Arc<Interrupt>,
        use_it: impl FnOnce(Result<GstPipeline, Error>) -> T + Send + 'static,
    ) -> T {
        let text = format!("{source} ! video/x-raw,format=BGR ! appsink");
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            let opener = Opener {
                device: Device::Csi(None),
                interrupt,
                explain: Arc::new(|_, _| (Cause::Other, "it is stopped".to_owned())),
            };
            let opened = opener.open(&text).map(|(reader, _)| reader);
            sender.send(use_it(opened))
        });
        receiver.recv_timeout(SOON).expect("it returns")
    }

    #[test]
    fn an_interrupt_that_comes_before_the_start_is_not_lost() {
        // The second one gives nothing and says nothing: OpenCV waits for ever. Often enough for the
        // interrupt to be the first to run.
        for source in [ENDLESS, "appsrc is-live=true"].repeat(20) {
            let interrupt = Arc::new(Interrupt::default());
            interrupt.fire();
            assert!(!with_pipeline(source, interrupt, |opened| opened.is_ok()));
        }
    }

    #[test]
    fn a_stopped_pipeline_is_not_started_again() {
        let by_opencv = with_pipeline(ENDLESS, Arc::default(), |opened| {
            let mut reader = opened.expect("pictures");
            reader.running.stop();
            // It starts what it finds stopped.
            reader.capture.grab().unwrap_or(false)
        });
        assert!(!by_opencv, "a picture");
        let by_us = with_pipeline(ENDLESS, Arc::default(), |opened| {
            let mut reader = opened.expect("pictures");
            reader.grab().expect("the first picture");
            reader.running.stop();
            reader.grab().is_ok()
        });
        assert!(!by_us, "a picture");
    }
}
