//! Pictures whose lines have gaps between them that nobody is told of.

use crate::{
    capture::source::gst::{
        caps::{format, media, name, size},
        sink::Sink,
    },
    config::Size,
};
use gstreamer::CapsRef;

/// Why what goes in there would be sheared; `None` when its lines follow each other without gaps.
pub fn padding_of(sink: &Sink) -> Option<String> {
    let bytes = sink.untold_bytes()?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::source::gst::caps::caps;

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
}
