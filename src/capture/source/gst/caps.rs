//! Caps: what the pictures of a pipeline are, as GStreamer says it.

use crate::{
    capture::source::gst::colorimetry::jpeg_range,
    config::Size,
    encode::{Pixels, PlaneOrder},
    feed::camera::ColorRange,
};
use gstreamer::{Caps, CapsRef};

/// What the pictures of a pipeline are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PictureKind {
    Jpeg,
    Raw(Pixels, Option<Size>),
    /// Nothing that is served as it is.
    Other(Caps),
}

/// Such as `video/x-raw`.
pub fn media(caps: &CapsRef) -> &str {
    caps.structure(0).map_or("", |first| first.name().as_str())
}

/// Such as `NV12`; `None` where it is not there, or not one.
pub fn format(caps: &CapsRef) -> Option<&str> {
    caps.structure(0)?.get("format").ok()
}

/// Width and height, where both are known.
pub fn size(caps: &CapsRef) -> Option<Size> {
    let side = |name| u32::try_from(caps.structure(0)?.get::<i32>(name).ok()?).ok();
    let (width, height) = (side("width")?, side("height")?);
    Some(Size { width, height })
}

/// What the pictures are called.
pub fn name(caps: &CapsRef) -> String {
    match (media(caps), format(caps)) {
        ("video/x-raw", Some(format)) => format!("`{format}` pictures"),
        (media, Some(format)) => format!("`{media}` pictures (`{format}`)"),
        (media, None) => format!("`{media}`"),
    }
}

pub fn kind_of(caps: &Caps) -> PictureKind {
    let size = size(caps);
    let pixels = match (media(caps), format(caps)) {
        ("image/jpeg", _) => return PictureKind::Jpeg,
        ("video/x-raw", Some("BGR")) => Some(Pixels::Bgr),
        ("video/x-raw", Some("GRAY8")) => Some(Pixels::Gray),
        ("video/x-raw", Some(format)) => size.and_then(|size| yuv(caps, format, size)),
        _ => None,
    };
    match pixels {
        Some(pixels) => PictureKind::Raw(pixels, size),
        None => PictureKind::Other(caps.clone()),
    }
}

/// Pixels with the colours of a JPEG, of a size at which GStreamer puts no gap between lines or planes.
fn yuv(caps: &CapsRef, format: &str, size: Size) -> Option<Pixels> {
    let range = jpeg_range(caps)?;
    let planar = |order, width_multiple| {
        let is_tight = size.width % width_multiple == 0 && size.height % 2 == 0;
        is_tight.then_some(Pixels::Planar(order, range))
    };
    let packed = |pixels| {
        let fits = size.width % 2 == 0 && range == ColorRange::Limited;
        fits.then_some(pixels)
    };
    match format {
        "NV12" => planar(PlaneOrder::Nv12, 4),
        "NV21" => planar(PlaneOrder::Nv21, 4),
        "I420" => planar(PlaneOrder::I420, 8),
        "YV12" => planar(PlaneOrder::Yv12, 8),
        "YUY2" => packed(Pixels::Yuyv),
        "UYVY" => packed(Pixels::Uyvy),
        _ => None,
    }
}

/// The caps of that text.
#[cfg(test)]
pub fn caps(text: &str) -> Caps {
    use std::str::FromStr;
    gstreamer::init().expect("it starts");
    Caps::from_str(text).expect("good caps")
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let planes = "video/x-raw, format=(string)NV12, width=(int)320, height=(int)240";
        let nv12 = Pixels::Planar(PlaneOrder::Nv12, ColorRange::Limited);
        assert_eq!(kind_of(&caps(planes)), PictureKind::Raw(nv12, Some(size)));
        for gaps in [
            "NV12, width=(int)322",
            "I420, width=(int)324",
            "YUY2, width=(int)321",
        ] {
            let caps = caps(&format!(
                "video/x-raw, format=(string){gaps}, height=(int)240"
            ));
            assert_eq!(kind_of(&caps), PictureKind::Other(caps.clone()), "{gaps}");
        }
        for other in ["NV12", "I420", "YUY2", "RGBx", "BGRx", "GRAY16_LE"] {
            let caps = caps(&format!("video/x-raw, format=(string){other}"));
            assert_eq!(kind_of(&caps), PictureKind::Other(caps.clone()), "{other}");
        }
    }
}
