//! The raw formats of V4L2 cameras: which are served, and what makes their pixels right.
//!
//! OpenCV hands over the camera's own bytes, and what the encoders do not know is converted here:
//! left to itself, OpenCV before 4.11 swaps red and blue of NV12, NV21 and BA81 and shows Y12 white.
//! A format that is not in the table is refused before the camera is opened: no picture has wrong
//! colours.

use crate::{
    capture::source::{
        v4l2_driver::PictureLayout,
        video_capture::{has_size, opencv_version},
    },
    config::{PixelFormat, Size},
    encode::{Pixels, PlaneOrder},
    feed::camera::ColorRange,
};
use opencv::{
    core::{self, Mat},
    imgproc,
    prelude::*,
};

/// How a camera's pictures lie so that OpenCV reads them wrongly.
#[derive(Debug, PartialEq, Eq)]
pub struct Misreading {
    /// What is said of it, behind the format.
    pub words: String,
    /// A pipeline reads them rightly: GStreamer 1.26 does not where lines are of no multiple of 4 bytes.
    pub suits_gstreamer: bool,
}

/// A raw format that is served.
#[derive(Debug)]
pub struct Format {
    /// V4L2's code.
    pub code: &'static str,
    /// What it is for the encoders, after [`Format::convert`].
    pub pixels: Pixels,
    /// Type of the matrix that holds its lines.
    kind: i32,
    way: Way,
}

/// How its bytes become pixels that the encoders know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// They are.
    Kept,
    /// By `cvtColor`, with this code.
    Colours(i32),
    /// Numbers of so many bits, made eight.
    Bits(i32),
    /// As [`Way::Colours`], of a mosaic: OpenCV hands over all bytes as one row, padding too.
    Mosaic(i32),
    /// By OpenCV's own reader, which cannot hand over these bytes whole and converts them rightly.
    OpenCv,
}

/// Best first: the first one a camera has is chosen.
const FORMATS: [Format; 16] = [
    format("YUYV", Pixels::Yuyv, core::CV_8UC2, Way::Kept),
    format("UYVY", Pixels::Uyvy, core::CV_8UC2, Way::Kept),
    planes("NV12", PlaneOrder::Nv12),
    planes("NV21", PlaneOrder::Nv21),
    planes("YU12", PlaneOrder::I420),
    planes("YV12", PlaneOrder::Yv12),
    format("BGR3", Pixels::Bgr, core::CV_8UC3, Way::Kept),
    colours("RGB3", core::CV_8UC3, imgproc::COLOR_RGB2BGR),
    format("XR24", Pixels::Bgr, core::CV_8UC4, Way::OpenCv),
    format("AR24", Pixels::Bgr, core::CV_8UC4, Way::OpenCv),
    // OpenCV names a mosaic by the second and third pixel of its second line.
    mosaic("BA81", imgproc::COLOR_BayerRG2BGR),
    mosaic("GBRG", imgproc::COLOR_BayerGR2BGR),
    format("GREY", Pixels::Gray, core::CV_8UC1, Way::Kept),
    format("Y16", Pixels::Gray, core::CV_16UC1, Way::Bits(16)),
    format("Y12", Pixels::Gray, core::CV_16UC1, Way::Bits(12)),
    format("Y10", Pixels::Gray, core::CV_16UC1, Way::Bits(10)),
];

const fn format(code: &'static str, pixels: Pixels, kind: i32, way: Way) -> Format {
    Format {
        code,
        pixels,
        kind,
        way,
    }
}

const fn planes(code: &'static str, order: PlaneOrder) -> Format {
    let pixels = Pixels::Planar(order, ColorRange::Limited);
    format(code, pixels, core::CV_8UC1, Way::Kept)
}

const fn colours(code: &'static str, kind: i32, conversion: i32) -> Format {
    format(code, Pixels::Bgr, kind, Way::Colours(conversion))
}

const fn mosaic(code: &'static str, conversion: i32) -> Format {
    format(code, Pixels::Bgr, core::CV_8UC1, Way::Mosaic(conversion))
}

/// The raw format of that code, if it is served.
pub fn format_of(code: &str) -> Option<&'static Format> {
    FORMATS.iter().find(|format| format.code == code)
}

/// True for the codes of JPEGs, each a picture of its own.
pub fn is_jpeg(code: &str) -> bool {
    matches!(code, "MJPG" | "JPEG")
}

/// The codes of the raw formats that are served, best first.
pub fn codes() -> impl Iterator<Item = &'static str> {
    FORMATS.iter().map(|format| format.code)
}

/// True for the codes of what is served.
pub fn is_served(code: &str) -> bool {
    is_jpeg(code) || format_of(code).is_some()
}

/// The format to ask for: the one named, else the camera's JPEGs, else the best raw one; `None`
/// leaves it to OpenCV.
pub fn wanted(asked: &PixelFormat, offered: &[String]) -> Option<String> {
    if let PixelFormat::Named(name) = asked {
        return Some(name.clone());
    }
    ["MJPG", "JPEG"]
        .into_iter()
        .chain(codes())
        .map(str::to_owned)
        .find(|name| offered.contains(name))
}

impl Format {
    /// Whether OpenCV's reader is to convert it.
    pub fn is_opencvs(&self) -> bool {
        self.way == Way::OpenCv
    }

    /// Why OpenCV reads pictures wrongly that lie as `layout` says; `None` where it does not.
    pub fn flaw(&self, layout: &PictureLayout) -> Option<Misreading> {
        let Size { width, height } = layout.size;
        let flaw = |words, suits_gstreamer| Misreading {
            words,
            suits_gstreamer,
        };
        let line = self.line_bytes(width);
        let has_odd_lines = height % 2 != 0 && self.pixels.is_planar();
        if self.pixels.shares_colours() && width % 2 != 0 || has_odd_lines {
            let size = layout.size;
            let words = format!("pictures of {size} have an odd size: some pixels lack a colour");
            return Some(flaw(words, false));
        }
        if matches!(self.way, Way::Mosaic(_)) {
            return None;
        }
        if layout.line_bytes > line {
            let padded = layout.line_bytes;
            let words = format!(
                "lines of {width} pixels are padded to {padded} bytes, which OpenCV does not know"
            );
            return Some(flaw(words, true));
        }
        // It lays its own lines at multiples of four bytes, and takes others for those.
        let line = match self.way {
            Way::OpenCv => 3 * width,
            _ => line,
        };
        (line % 4 != 0 && opencv_version() < (4, 11)).then(|| {
            let words =
                format!("lines of {line} bytes are sheared by OpenCV up to 4.10: no multiple of 4");
            flaw(words, false)
        })
    }

    /// Bytes of a picture that lies as `layout` says, but for padding behind its last line.
    pub fn bytes(&self, layout: &PictureLayout) -> u32 {
        let line = self.line_bytes(layout.size.width);
        let lines = self.lines(layout.size.height);
        layout.line_bytes.max(line) * lines.saturating_sub(1) + line
    }

    /// Lines of a picture of `height`, with those of its colours.
    fn lines(&self, height: u32) -> u32 {
        match self.pixels.is_planar() {
            true => height / 2 * 3,
            false => height,
        }
    }

    /// Bytes of a line of `width` pixels that has no padding.
    pub fn line_bytes(&self, width: u32) -> u32 {
        let channels = (self.kind >> core::CV_CN_SHIFT) as u32 + 1;
        let is_wide = self.kind & core::CV_MAT_DEPTH_MASK == core::CV_16U;
        width * channels * if is_wide { 2 } else { 1 }
    }

    /// Whether [`Format::convert`] has anything to do.
    pub fn is_kept(&self) -> bool {
        matches!(self.way, Way::Kept | Way::OpenCv)
    }

    /// Whether `pixels`, after [`Format::convert`] where that has anything to do, are a picture of `size`.
    pub fn has_size(&self, pixels: &Mat, size: Size) -> bool {
        let height = self.lines(size.height);
        has_size(pixels, Size { height, ..size })
    }

    /// Turns the camera's bytes of a picture that lies as `layout` says into pixels for the encoders;
    /// false when there are more or fewer bytes than such a picture has.
    pub fn convert(
        &self,
        raw: &Mat,
        layout: &PictureLayout,
        pixels: &mut Mat,
    ) -> opencv::Result<bool> {
        let size = layout.size;
        let lines = self.lines(size.height);
        let bytes = raw.total() * raw.elem_size()?;
        let line = self.line_bytes(size.width).max(layout.line_bytes);
        let expected = line as usize * lines as usize;
        if bytes != expected || raw.depth() != self.kind & core::CV_MAT_DEPTH_MASK {
            return Ok(false);
        }
        // However OpenCV has shaped them: some formats come as one long row.
        let lined = raw.reshape((self.kind >> core::CV_CN_SHIFT) + 1, lines as i32)?;
        match self.way {
            Way::Kept | Way::OpenCv => lined.copy_to(pixels)?,
            Way::Colours(code) => imgproc::cvt_color_def(&lined, pixels, code)?,
            Way::Mosaic(code) => {
                let unpadded = lined.col_bounds(0, size.width as i32)?;
                imgproc::cvt_color_def(&unpadded, pixels, code)?;
            }
            Way::Bits(bits) => {
                let step = 1.0 / f64::from(1 << (bits - 8));
                // Half a step is taken off, for it is rounded.
                lined.convert_to(pixels, core::CV_8UC1, step, step / 2.0 - 0.5)?;
            }
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(format: &str, width: u32, height: u32, line_bytes: u32) -> PictureLayout {
        PictureLayout {
            format: format.to_owned(),
            size: Size { width, height },
            line_bytes,
        }
    }

    fn offered(codes: &[&str]) -> Vec<String> {
        codes.iter().map(|&code| code.to_owned()).collect()
    }

    #[test]
    fn jpegs_are_preferred_then_colours_then_grey() {
        let wanted = |offers: &[&str]| wanted(&PixelFormat::Auto, &offered(offers));
        assert_eq!(wanted(&["YUYV", "MJPG"]).as_deref(), Some("MJPG"));
        assert_eq!(wanted(&["NV12", "UYVY", "YUYV"]).as_deref(), Some("YUYV"));
        assert_eq!(wanted(&["GREY", "NV12"]).as_deref(), Some("NV12"));
        assert_eq!(wanted(&["RGBP"]), None);
        assert_eq!(wanted(&[]), None);
        let named = PixelFormat::Named("YUYV".to_owned());
        let offers = ["MJPG".to_owned()];
        assert_eq!(super::wanted(&named, &offers).as_deref(), Some("YUYV"));
    }

    #[test]
    fn a_picture_of_another_length_is_not_converted() {
        let layout = layout("NV12", 16, 16, 16);
        let nv12 = format_of("NV12").expect("served");
        let mut pixels = Mat::default();
        for (bytes, is_whole) in [
            (16 * 24, true),
            (16 * 24 - 1, false),
            (16 * 16, false),
            (0, false),
        ] {
            let bytes = vec![128_u8; bytes];
            let raw = Mat::from_slice(&bytes)
                .expect("a row")
                .try_clone()
                .expect("copied");
            assert_eq!(
                nv12.convert(&raw, &layout, &mut pixels).expect("no error"),
                is_whole
            );
        }
    }

    #[test]
    fn numbers_of_more_bits_keep_their_highest_eight() {
        let layout = layout("Y12", 4, 1, 8);
        let row = [0_u16, 0x7f, 0x80f, 0xfff];
        let raw = Mat::from_slice(&row)
            .expect("a row")
            .try_clone()
            .expect("copied");
        let mut pixels = Mat::default();
        let y12 = format_of("Y12").expect("served");
        assert!(y12.convert(&raw, &layout, &mut pixels).expect("no error"));
        assert_eq!(pixels.data_bytes().expect("bytes"), [0, 0x07, 0x80, 0xff]);
    }
}
