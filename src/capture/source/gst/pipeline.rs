//! GStreamer pipelines, opened and read by OpenCV.
//!
//! OpenCV says nothing of a picture's format, so the pipeline's own caps are asked, before it starts and
//! for each picture. JPEGs, BGR and GRAY8 are taken as they are; everything else is converted by
//! `videoconvert` in front of the sink, or refused by name: no picture has wrong colours or a wrong
//! shape.

use crate::{
    capture::source::{
        self, Source,
        gst::{
            caps::{PictureKind, format, kind_of, media, name},
            padding::padding_of,
            pipeline_text::{diagnose_open, refusal, with_converter, with_sink},
            sink::{Sink, examine, sinks_of},
        },
        video_capture::{has_size, is_jpeg, opencv_words, opened, size_and_fps},
    },
    config::Device,
    encode::{Picture, Pixels},
    error::{Cause, Error},
    feed::{camera::SourceInfo, frame::CaptureTime},
};
use gstreamer::Caps;
use log::debug;
use opencv::{
    core::{self, Mat},
    prelude::*,
    videoio::{self, VideoCapture},
};

struct GstPipeline {
    capture: VideoCapture,
    sink: Sink,
    device: Device,
    /// The first picture was grabbed to learn what comes.
    is_grabbed: bool,
}

/// Opens the pipeline `text` of `device`; blocks until it gives a picture or ends.
pub fn open(text: &str, device: &Device) -> Result<source::Opened, Error> {
    let text = with_sink(text);
    let mut given = examine(&text).map_err(|reason| Error::open(device, Cause::Other, reason))?;
    let mut reader = match &given {
        None => GstPipeline::start(&text, device)?,
        Some(caps) => converted(&text, caps, device)?,
    };
    // A source of many formats shows its own only now.
    if let Some(PictureKind::Other(caps)) = reader.kind() {
        drop(reader);
        reader = converted(&text, &caps, device)?;
        given = Some(caps);
    }
    if let Some(caps) = &given {
        debug!(
            "the pipeline gives {}: converted by videoconvert",
            name(caps)
        );
    }
    let facts = reader
        .facts(given.as_ref())
        .map_err(|error| Error::open(device, Cause::Other, opencv_words(device, &error)))?;
    let source = Box::new(reader);
    Ok(source::Opened {
        source,
        facts,
        controls: None,
    })
}

/// The pipeline with a converter before its sink, started; a refusal where none fits.
fn converted(text: &str, caps: &Caps, device: &Device) -> Result<GstPipeline, Error> {
    let refused = || Error::open(device, Cause::Silent, refusal(text, caps));
    // A decoder is more than a user of JPEGs would expect to run.
    let is_plain = matches!(media(caps), "video/x-raw" | "video/x-bayer");
    let text = with_converter(text, caps).filter(|_| is_plain);
    let text = text.filter(|text| matches!(examine(text), Ok(None)));
    GstPipeline::start(&text.ok_or_else(refused)?, device)
}

impl GstPipeline {
    /// Starts the pipeline and waits for its first picture.
    fn start(text: &str, device: &Device) -> Result<GstPipeline, Error> {
        let does_not_start = || Error::open(device, Cause::Other, diagnose_open(text));
        let open = || opened(VideoCapture::from_file(text, videoio::CAP_GSTREAMER));
        let (capture, mut sinks) = sinks_of(open);
        let (Some(capture), Some(sink)) = (capture, sinks.end.take()) else {
            sinks.stop();
            return Err(does_not_start());
        };
        let mut reader = GstPipeline {
            capture,
            sink,
            device: device.clone(),
            is_grabbed: true,
        };
        let grabbed = reader.grab_one();
        // Nothing was agreed on, which OpenCV notices now and then only here.
        if grabbed.is_err() && reader.sink.caps().is_none() {
            return Err(does_not_start());
        }
        grabbed?;
        let padded = sinks.converters.iter().find_map(padding_of);
        match padded.or_else(|| padding_of(&reader.sink)) {
            Some(reason) => Err(Error::open(device, Cause::Silent, reason)),
            None => Ok(reader),
        }
    }

    /// What its pictures are now; `None` before there are any.
    fn kind(&self) -> Option<PictureKind> {
        self.sink.caps().map(|caps| kind_of(&caps))
    }

    fn grab_one(&mut self) -> Result<(), Error> {
        match self.capture.grab() {
            Ok(true) => Ok(()),
            Ok(false) => Err(self.lost("the stream ended")),
            Err(error) => Err(self.lost(opencv_words(&self.device, &error))),
        }
    }

    /// What it really gives; `given` is what was converted.
    fn facts(&self, given: Option<&Caps>) -> opencv::Result<SourceInfo> {
        let (size, fps) = size_and_fps(&self.capture)?;
        let format = match (given, self.kind()) {
            (Some(caps), _) => format(caps).unwrap_or_default(),
            (None, Some(PictureKind::Raw(Pixels::Gray, _))) => "GRAY8",
            // Said when the first picture is looked at.
            _ => "",
        };
        Ok(SourceInfo {
            source: self.device.to_string(),
            backend: self.capture.get_backend_name()?,
            format: format.to_owned(),
            size,
            fps,
            ..SourceInfo::default()
        })
    }

    fn lost(&self, reason: impl Into<String>) -> Error {
        Error::read(&self.device, Cause::Silent, reason)
    }
}

impl Source for GstPipeline {
    fn grab(&mut self) -> Result<Option<CaptureTime>, Error> {
        if !std::mem::take(&mut self.is_grabbed) {
            self.grab_one()?;
        }
        Ok(Some(CaptureTime::now()))
    }

    fn retrieve(&mut self, mut buffer: Mat) -> Result<Picture, Error> {
        match self.capture.retrieve(&mut buffer, 0) {
            Ok(true) if !buffer.empty() => (),
            Ok(_) => return Err(self.lost("it gives empty pictures")),
            Err(error) => return Err(self.lost(opencv_words(&self.device, &error))),
        }
        let is_whole = |size: Option<_>| size.is_none_or(|size| has_size(&buffer, size));
        match self.kind() {
            Some(PictureKind::Jpeg) if is_jpeg(&buffer) => Ok(Picture::Jpeg(buffer)),
            Some(PictureKind::Raw(pixels, size))
                if buffer.typ() == matrix_type(pixels) && is_whole(size) =>
            {
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

/// Type of the matrix that holds such pixels.
fn matrix_type(pixels: Pixels) -> i32 {
    match pixels {
        Pixels::Gray => core::CV_8UC1,
        _ => core::CV_8UC3,
    }
}
