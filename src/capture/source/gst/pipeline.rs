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
            pipeline_text::{BGR, diagnose_open, refusal, with_converter, with_sink},
            sink::{Sink, examine, sink_of},
        },
        opencv_stream,
    },
    config::{Device, Size},
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
    /// The end of the pipeline; `None` where it has not just one.
    sink: Option<Sink>,
    device: Device,
    /// The text that runs, for advice.
    text: String,
    /// The first picture was grabbed to learn what comes.
    is_grabbed: bool,
}

/// Opens the pipeline `text` of `device`; blocks until it gives a picture or ends.
pub fn open(text: &str, device: &Device) -> Result<source::Opened, Error> {
    let text = with_sink(text);
    let mut given = examine(&text).map_err(|reason| cannot_open(device, Cause::Other, reason))?;
    let mut reader = match &given {
        None => GstPipeline::start(&text, device)?,
        Some(caps) => converted(&text, caps, device)?,
    };
    // Sources of many formats show theirs only now.
    if let PictureKind::Other(caps) = reader.kind() {
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
    let facts = reader.facts(given.as_ref());
    let facts = facts.map_err(|error| {
        cannot_open(
            device,
            Cause::Other,
            opencv_stream::opencv_words(device, &error),
        )
    })?;
    let source = Box::new(reader);
    Ok(source::Opened { source, facts })
}

/// The pipeline with a converter before its sink, started; a refusal where none fits.
fn converted(text: &str, caps: &Caps, device: &Device) -> Result<GstPipeline, Error> {
    let refused = || cannot_open(device, Cause::Silent, refusal(text, caps));
    // A decoder is more than a user of JPEGs would expect to run.
    let is_plain = matches!(media(caps), "video/x-raw" | "video/x-bayer");
    let text = with_converter(text, caps).filter(|_| is_plain);
    let text = text.filter(|text| matches!(examine(text), Ok(None)));
    GstPipeline::start(&text.ok_or_else(refused)?, device)
}

impl GstPipeline {
    /// Starts the pipeline and waits for its first picture.
    fn start(text: &str, device: &Device) -> Result<GstPipeline, Error> {
        let open = || VideoCapture::from_file(text, videoio::CAP_GSTREAMER);
        let (capture, sink, converters) = sink_of(open);
        // OpenCV throws for some causes and returns a closed capture for others.
        let capture = match capture {
            Ok(capture) if capture.is_opened().unwrap_or(false) => capture,
            _ => return Err(cannot_open(device, Cause::Other, diagnose_open(text))),
        };
        let mut reader = GstPipeline {
            capture,
            sink,
            device: device.clone(),
            text: text.to_owned(),
            is_grabbed: false,
        };
        match reader.grab_one() {
            Ok(()) => {
                reader.is_grabbed = true;
                let padded = converters.iter().chain(&reader.sink).find_map(padding_of);
                match padded {
                    Some(reason) => Err(cannot_open(device, Cause::Silent, reason)),
                    None => Ok(reader),
                }
            }
            // Nothing was agreed on, which OpenCV notices now and then only here.
            Err(_) if reader.kind() == PictureKind::Unknown && reader.sink.is_some() => {
                Err(cannot_open(device, Cause::Other, diagnose_open(text)))
            }
            Err(error) => Err(error),
        }
    }

    fn kind(&self) -> PictureKind {
        let caps = self.sink.as_ref().and_then(Sink::caps);
        caps.map_or(PictureKind::Unknown, |caps| kind_of(&caps))
    }

    fn grab_one(&mut self) -> Result<(), Error> {
        match self.capture.grab() {
            Ok(true) => Ok(()),
            Ok(false) => Err(self.lost("the stream ended".to_owned())),
            Err(error) => Err(self.lost(opencv_stream::opencv_words(&self.device, &error))),
        }
    }

    /// What it really gives; `given` is what was converted.
    fn facts(&self, given: Option<&Caps>) -> opencv::Result<SourceInfo> {
        let side = |value: f64| (value >= 1.0).then_some(value as u32);
        let width = side(self.capture.get(videoio::CAP_PROP_FRAME_WIDTH)?);
        let height = side(self.capture.get(videoio::CAP_PROP_FRAME_HEIGHT)?);
        let fps = self.capture.get(videoio::CAP_PROP_FPS)?;
        let format = match (given, self.kind()) {
            (Some(caps), _) => format(caps).unwrap_or_default(),
            (None, PictureKind::Raw(Pixels::Gray, _)) => "GRAY8",
            // Said when the first picture is looked at.
            _ => "",
        };
        Ok(SourceInfo {
            source: self.device.to_string(),
            backend: self.capture.get_backend_name()?,
            format: format.to_owned(),
            size: width
                .zip(height)
                .map(|(width, height)| Size { width, height }),
            fps: Some(fps).filter(|fps| (0.1..=240.0).contains(fps)),
            ..SourceInfo::default()
        })
    }

    fn lost(&self, reason: String) -> Error {
        Error::Read {
            device: self.device.to_string(),
            cause: Cause::Silent,
            reason,
        }
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
            Ok(_) => return Err(self.lost("it gives empty pictures".to_owned())),
            Err(error) => return Err(self.lost(opencv_stream::opencv_words(&self.device, &error))),
        }
        let (has_three, has_one) = (buffer.typ() == core::CV_8UC3, buffer.typ() == core::CV_8UC1);
        let is_whole = |size: Option<Size>| {
            size.is_none_or(|Size { width, height }| {
                buffer.cols() == width as i32 && buffer.rows() == height as i32
            })
        };
        match self.kind() {
            PictureKind::Jpeg | PictureKind::Unknown if opencv_stream::is_jpeg(&buffer) => Ok(Picture::Jpeg(buffer)),
            PictureKind::Raw(Pixels::Gray, size) if has_one && is_whole(size) => {
                Ok(Picture::Raw(buffer, Pixels::Gray))
            }
            PictureKind::Raw(Pixels::Bgr, size) if has_three && is_whole(size) => {
                Ok(Picture::Raw(buffer, Pixels::Bgr))
            }
            PictureKind::Unknown if has_three => Ok(Picture::Raw(buffer, Pixels::Bgr)),
            PictureKind::Unknown => Err(self.lost(format!(
                "the pipeline gives planes (NV12, I420 or the like) or another format than BGR: end \
                 it with `! {BGR} ! appsink`"
            ))),
            PictureKind::Other(caps) => Err(self.lost(refusal(&self.text, &caps))),
            // The pipeline has just become another: the next picture is of the caps that are here.
            _ => Ok(Picture::Jpeg(Mat::default())),
        }
    }
}

fn cannot_open(device: &Device, cause: Cause, reason: String) -> Error {
    Error::Open {
        device: device.to_string(),
        cause,
        reason,
    }
}
