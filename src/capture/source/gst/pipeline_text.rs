//! The text of a pipeline: its end, which OpenCV reads, the converter that may have to stand before
//! it, and what is said of a text that gives no pictures.

use crate::capture::source::gst::{
    caps::{media, name},
    tracer::examine,
};
use gstreamer::Caps;

/// What every pipeline may end with.
const BGR: &str = "videoconvert ! video/x-raw,format=BGR";

/// Ends of a pipeline behind which nothing needs to be converted.
const SERVED_ENDS: [&str; 11] = [
    "jpegenc",
    "jpegparse",
    "image/jpeg",
    "format=BGR",
    "format=GRAY8",
    "format=NV12",
    "format=NV21",
    "format=I420",
    "format=YV12",
    "format=YUY2",
    "format=UYVY",
];

/// A pipeline that says nothing of its end gets one that OpenCV can read, newest picture only.
pub fn with_sink(pipeline: &str) -> String {
    if pipeline.contains("appsink") {
        return pipeline.to_owned();
    }
    let last = pipeline.rsplit('!').next().unwrap_or_default();
    let is_served = SERVED_ENDS.iter().any(|end| last.contains(end));
    let convert = match is_served {
        true => String::new(),
        false => format!(" ! {BGR}"),
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
pub fn with_converter(text: &str, caps: &Caps) -> Option<String> {
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
pub fn refusal(text: &str, caps: &Caps) -> String {
    if !media(caps).starts_with("video/") && !media(caps).starts_with("image/") {
        return format!("the pipeline gives {}, no pictures", name(caps));
    }
    let advice = match around_sink(text) {
        // The command says nothing of the sink, whose own caps may be what it cannot be.
        Some((before, _)) => {
            let lack = examine(&format!("{before}{} ! appsink", converter(caps))).err();
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
pub fn diagnose_open(text: &str) -> String {
    let raw = Caps::new_empty_simple("video/x-raw");
    let advice = match around_sink(text) {
        Some(_) if !text.contains("videoconvert") => {
            let command = command(&raw);
            format!("; if its pictures are neither BGR nor GRAY8 nor JPEGs, {command} shows them")
        }
        _ => String::new(),
    };
    format!("the pipeline does not start (gst-launch-1.0 with the same text says why{advice})")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::source::gst::caps::caps;

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
}
