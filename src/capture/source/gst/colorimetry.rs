//! Colorimetry: what the numbers of brightness and colour mean, as GStreamer writes it.

use crate::feed::camera::ColorRange;
use gstreamer::CapsRef;

/// What a JPEG has: its own decoders take nothing else.
const BT601: &str = "4";

/// Pictures that are higher are of HDTV's colours, where nothing is said.
const SDTV_HEIGHT: i32 = 576;

/// The range of such raw pictures, where it is said.
pub fn range(caps: &CapsRef) -> Option<ColorRange> {
    match caps.structure(0)?.get::<&str>("colorimetry") {
        Ok("bt601" | "bt709" | "smpte240m" | "bt2020") => Some(ColorRange::Limited),
        Ok(said) if said.starts_with("1:") => Some(ColorRange::Full),
        Ok(said) if said.starts_with("2:") => Some(ColorRange::Limited),
        _ => None,
    }
}

/// The range of such raw pictures, where their colours are those of a JPEG; `None` for the matrices
/// of HDTV and others, whose colours would have another hue.
pub fn jpeg_range(caps: &CapsRef) -> Option<ColorRange> {
    let first = caps.structure(0)?;
    match first.get::<&str>("colorimetry") {
        Ok("bt601") => Some(ColorRange::Limited),
        Ok(said) => {
            // Range, matrix, transfer, primaries.
            let mut numbers = said.split(':');
            match (numbers.next()?, numbers.next()?) {
                ("1", BT601) => Some(ColorRange::Full),
                ("2", BT601) => Some(ColorRange::Limited),
                _ => None,
            }
        }
        Err(_) => {
            let height: i32 = first.get("height").ok()?;
            (height <= SDTV_HEIGHT).then_some(ColorRange::Limited)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::source::gst::caps::caps;

    #[test]
    fn only_the_colours_of_a_jpeg_have_a_range() {
        for (said, height, range) in [
            (", colorimetry=1:4:7:1", 720, Some(ColorRange::Full)),
            (", colorimetry=bt601", 720, Some(ColorRange::Limited)),
            (", colorimetry=2:4:16:3", 720, Some(ColorRange::Limited)),
            (", colorimetry=2:4:5:1", 720, Some(ColorRange::Limited)),
            (", colorimetry=bt709", 240, None),
            (", colorimetry=2:3:5:1", 240, None),
            (", colorimetry=sRGB", 240, None),
            (", colorimetry=0:0:0:0", 240, None),
            ("", 240, Some(ColorRange::Limited)),
            ("", 720, None),
        ] {
            let text = format!("video/x-raw, format=NV12, height=(int){height}{said}");
            assert_eq!(jpeg_range(&caps(&text)), range, "{text}");
        }
        let full = caps("video/x-raw, colorimetry=1:3:5:1");
        let limited = caps("video/x-raw, colorimetry=bt709");
        assert_eq!(super::range(&full), Some(ColorRange::Full));
        assert_eq!(super::range(&limited), Some(ColorRange::Limited));
        assert_eq!(super::range(&caps("video/x-raw, format=BGR")), None);
    }
}
