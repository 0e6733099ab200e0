//! GStreamer pipelines, opened and read by OpenCV.
//!
//! OpenCV says nothing of a picture's format, so the pipeline's own caps are asked, before it starts and
//! for each picture. JPEGs, BGR and GRAY8 are taken as they are; everything else is converted by
//! `videoconvert` in front of the sink, or refused by name: no picture has wrong colours or a wrong
//! shape.

use crate::{
    capture::source::{
        self, Source,
        gst::{self, Sink},
        opencv_stream,
    },
    config::{Device, Size},
    encode::{Picture, Pixels},
    error::{Cause, Error},
    feed::{camera::SourceInfo, frame::CaptureTime},
};
use gstreamer::{Caps, CapsRef};
use log::debug;
use opencv::{
    core::{self, Mat},
    prelude::*,
    videoio::{self, VideoCapture},
};

/// What every pipeline may end with.
const BGR: &str = "videoconvert ! video/x-raw,format=BGR";

/// What the pictures of a pipeline are.
#[derive(Debug, Clone, PartialEq, Eq)]
enum PictureKind {
    Jpeg,
    Raw(Pixels, Option<Size>),
    /// Nothing that is served as it is.
    Other(Caps),
    /// Nobody can tell; their shape must do.
    Unknown,
}

struct GstPipeline {
    capture: VideoCapture,
    /// The end of the pipeline; `None` where GStreamer could not be asked.
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
    let mut given =
        gst::examine(&text).map_err(|reason| cannot_open(device, Cause::Other, reason))?;
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
    let text = text.filter(|text| matches!(gst::examine(text), Ok(None)));
    GstPipeline::start(&text.ok_or_else(refused)?, device)
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
        String::new()
    } else {
        format!(" ! {BGR}")
    };
    format!("{pipeline}{convert} ! appsink drop=true max-buffers=1")
}

/// The elements that make BGR of such pictures.
fn converter(caps: &Caps) -> String {
    match media(caps) {
        "video/x-raw" => BGR.to_owned(),
        "video/x-bayer" => format!("bayer2rgb ! {BGR}"),
        _ => format!("decodebin ! {BGR}"),
    }
}

/// The same pipeline with a converter before its sink; `None` where the text does not show the place.
fn with_converter(text: &str, caps: &Caps) -> Option<String> {
    let (before, after) = around_sink(text)?;
    Some(format!("{before}{} ! appsink{after}", converter(caps)))
}

/// What is before and behind the word `appsink`, where it is the sink and its place is sure.
fn around_sink(text: &str) -> Option<(&str, &str)> {
    let (before, after) = text.split_once("appsink")?;
    let is_element = before.trim_end().ends_with('!')
        && !after.contains("appsink")
        && !after.starts_with(|letter: char| !letter.is_whitespace());
    is_element.then_some((before, after))
}

/// Why such pictures are not served, and a command that shows them.
fn refusal(text: &str, caps: &Caps) -> String {
    if !media(caps).starts_with("video/") && !media(caps).starts_with("image/") {
        return format!("the pipeline gives {}, no pictures", name(caps));
    }
    let advice = match around_sink(text) {
        // The command says nothing of the sink, whose own caps may be what it cannot be.
        Some((before, _)) => {
            let lack = gst::examine(&format!("{before}{} ! appsink", converter(caps))).err();
            let lack = lack.map_or_else(String::new, |lack| format!("; for this, {lack}"));
            format!("{} shows them{lack}", command(caps))
        }
        None => format!("end it with `! {} ! appsink`", converter(caps)),
    };
    format!(
        "the pipeline gives {}, which OpenCV hands over in wrong colours or not at all: {advice}",
        name(caps)
    )
}

/// The option that shows such pictures. The pipeline may hold secrets: `…` stands for it.
fn command(caps: &Caps) -> String {
    let converter = converter(caps);
    format!("`--source \"gst:… ! {converter} ! appsink\"` (… is all before its sink)")
}

/// Why a pipeline that can be made may not start. A source of several formats that are all not served
/// does not even say which.
fn diagnose_open(text: &str) -> String {
    let raw = Caps::new_empty_simple("video/x-raw");
    let advice = with_converter(text, &raw)
        .filter(|_| !text.contains("videoconvert"))
        .map(|_| {
            format!(
                "; if its pictures are neither BGR nor GRAY8 nor JPEGs, {} shows them",
                command(&raw)
            )
        });
    format!(
        "the pipeline does not start (gst-launch-1.0 with the same text says why{})",
        advice.unwrap_or_default()
    )
}

/// Such as `video/x-raw`.
fn media(caps: &CapsRef) -> &str {
    caps.structure(0).map_or("", |first| first.name().as_str())
}

/// Such as `NV12`; `None` where it is not there, or not one.
fn format(caps: &CapsRef) -> Option<&str> {
    caps.structure(0)?.get("format").ok()
}

/// Width and height, where both are known.
fn size(caps: &CapsRef) -> Option<Size> {
    let side = |name| u32::try_from(caps.structure(0)?.get::<i32>(name).ok()?).ok();
    let (width, height) = (side("width")?, side("height")?);
    Some(Size { width, height })
}

/// What the pictures are called.
fn name(caps: &CapsRef) -> String {
    match (media(caps), format(caps)) {
        ("video/x-raw", Some(format)) => format!("`{format}` pictures"),
        (media, Some(format)) => format!("`{media}` pictures (`{format}`)"),
        (media, None) => format!("`{media}`"),
    }
}

fn kind_of(caps: &Caps) -> PictureKind {
    match (media(caps), format(caps)) {
        ("image/jpeg", _) => PictureKind::Jpeg,
        ("video/x-raw", Some("BGR")) => PictureKind::Raw(Pixels::Bgr, size(caps)),
        ("video/x-raw", Some("GRAY8")) => PictureKind::Raw(Pixels::Gray, size(caps)),
        _ => PictureKind::Other(caps.clone()),
    }
}

impl GstPipeline {
    /// Starts the pipeline and waits for its first picture.
    fn start(text: &str, device: &Device) -> Result<GstPipeline, Error> {
        let open = || VideoCapture::from_file(text, videoio::CAP_GSTREAMER);
        let (capture, sink, converters) = gst::sink_of(open);
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

/// Why what goes in there would be sheared; `None` when its lines follow each other without gaps.
fn padding_of(sink: &Sink) -> Option<String> {
    let version = (core::get_version_major(), core::get_version_minor());
    let bytes = sink.untold_bytes(version >= (4, 10))?;
    let caps = sink.caps()?;
    is_padded(&caps, bytes)?.then(|| {
        format!(
            "the pipeline gives {} with padded lines and does not say so; a width that is a multiple \
             of 64 mostly has none",
            name(&caps)
        )
    })
}

/// Whether the lines of such a picture cannot follow each other as GStreamer has them by default, when
/// it has so many bytes; `None` where that is not known.
fn is_padded(caps: &CapsRef, bytes: usize) -> Option<bool> {
    let Size { width, height } = size(caps)?;
    let (width, height) = (width as usize, height as usize);
    let (line, even) = (width.next_multiple_of(4), height.next_multiple_of(2));
    let tight = match format(caps).filter(|_| media(caps) == "video/x-raw")? {
        "NV12" | "NV21" => line * even * 3 / 2,
        "I420" | "YV12" => line * even + width.div_ceil(2).next_multiple_of(4) * even,
        "BGR" | "RGB" => (width * 3).next_multiple_of(4) * height,
        "BGRx" | "RGBx" | "xRGB" | "xBGR" | "BGRA" | "RGBA" => width * 4 * height,
        "YUY2" | "UYVY" | "YVYU" => (width * 2).next_multiple_of(4) * height,
        "GRAY8" => line * height,
        _ => return None,
    };
    // A rest behind the last line is no harm, and hardly as long as so many lines have padding.
    let more = bytes.saturating_sub(tight);
    Some(more > 0 && 2 * more % height == 0)
}

fn cannot_open(device: &Device, cause: Cause, reason: String) -> Error {
    Error::Open {
        device: device.to_string(),
        cause,
        reason,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::str::FromStr;

    fn caps(text: &str) -> Caps {
        gstreamer::init().expect("it starts");
        Caps::from_str(text).expect("good caps")
    }

    #[test]
    fn caps_are_read_by_their_fields() {
        let nv12 = caps("video/x-raw, format=(string)NV12, width=(int)320");
        assert_eq!(media(&nv12), "video/x-raw");
        assert_eq!(format(&nv12), Some("NV12"));
        assert_eq!(size(&nv12), None, "no height");
        let either = caps("video/x-raw, format=(string){ RGB, NV12 }; image/png");
        assert_eq!((media(&either), format(&either)), ("video/x-raw", None));
        let png = caps("image/png; video/x-raw, format=(string)RGB");
        assert_eq!((media(&png), format(&png)), ("image/png", None));
    }

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
    fn a_converter_goes_before_the_sink_where_the_text_shows_it() {
        let raw = caps("video/x-raw, format=(string)NV12");
        let bayer = caps("video/x-bayer, format=(string)bggr");
        let encoded = caps("video/x-h264");
        for (text, caps, expected) in [
            (
                "a ! appsink",
                &raw,
                Some("a ! videoconvert ! video/x-raw,format=BGR ! appsink"),
            ),
            (
                "a !appsink sync=false",
                &bayer,
                Some("a !bayer2rgb ! videoconvert ! video/x-raw,format=BGR ! appsink sync=false"),
            ),
            (
                "a ! appsink",
                &encoded,
                Some("a ! decodebin ! videoconvert ! video/x-raw,format=BGR ! appsink"),
            ),
            ("appsink name=appsink0 a ! appsink0.", &raw, None),
            ("a ! appsink b ! appsink", &raw, None),
        ] {
            assert_eq!(with_converter(text, caps).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn padding_is_seen_by_the_bytes() {
        let of = |format: &str, width: usize, height: usize, bytes: usize| {
            let text = format!(
                "video/x-raw, format=(string){format}, width=(int){width}, height=(int){height}"
            );
            is_padded(&caps(&text), bytes)
        };
        for (format, width, height, tight, padded) in [
            ("NV12", 322, 240, 324 * 360, 384 * 360),
            ("I420", 322, 240, 324 * 240 + 164 * 240, 384 * 360),
            ("BGR", 321, 240, 964 * 240, 1024 * 240),
            ("YUY2", 1000, 720, 2000 * 720, 2048 * 720),
            ("GRAY8", 1000, 720, 1000 * 720, 1024 * 720),
        ] {
            assert_eq!(of(format, width, height, tight), Some(false), "{format}");
            assert_eq!(of(format, width, height, padded), Some(true), "{format}");
            let page = tight.next_multiple_of(4096);
            assert_eq!(
                of(format, width, height, page),
                Some(false),
                "{format}: a page"
            );
        }
        assert_eq!(of("P010_10LE", 320, 240, 1), None);
    }

    #[test]
    fn only_what_is_right_as_it_is_is_taken() {
        let size = Size {
            width: 320,
            height: 240,
        };
        let bgr = caps("video/x-raw, format=(string)BGR, width=(int)320, height=(int)240");
        assert_eq!(kind_of(&bgr), PictureKind::Raw(Pixels::Bgr, Some(size)));
        let grey = caps("video/x-raw, format=(string)GRAY8");
        assert_eq!(kind_of(&grey), PictureKind::Raw(Pixels::Gray, None));
        assert_eq!(
            kind_of(&caps("image/jpeg, width=(int)320")),
            PictureKind::Jpeg
        );
        for other in ["NV12", "I420", "YUY2", "RGBx", "BGRx", "GRAY16_LE"] {
            let caps = caps(&format!("video/x-raw, format=(string){other}"));
            assert_eq!(kind_of(&caps), PictureKind::Other(caps.clone()), "{other}");
        }
    }
}
