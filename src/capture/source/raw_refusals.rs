//! Why a camera's pictures are not served, and what works instead: another of its formats, another size,
//! or a pipeline.

use crate::{
    capture::source::raw,
    config::{Device, PixelFormat, Size},
};

/// Codes of which GStreamer's `v4l2src` makes pixels that `videoconvert` knows.
const KNOWN_TO_GSTREAMER: [&str; 29] = [
    "411P", "422P", "AB24", "AR12", "AR15", "AR24", "BA24", "BGR3", "BGR4", "BX24", "GREY", "NV12",
    "NV16", "NV21", "NV24", "NV61", "RGB3", "RGB4", "RGBP", "RX24", "UYVY", "VYUY", "XR15", "XR24",
    "Y16", "YU12", "YUYV", "YV12", "YVYU",
];

/// Why a camera at `device` with these formats is not even opened; `None` when it is worth trying.
pub fn refusal(asked: &PixelFormat, offered: &[String], device: &Device) -> Option<String> {
    let code = match asked {
        // What the camera lacks becomes something else, which is looked at when it is open.
        PixelFormat::Named(name) => offered.contains(name).then_some(name)?,
        PixelFormat::Auto => offered
            .iter()
            .find(|code| raw::is_served(code))
            .or(offered.first())?,
    };
    (!raw::is_served(code)).then(|| unserved(code, offered, device))
}

/// Why pictures of the format `code` are not served, and what is.
pub fn unserved(code: &str, offered: &[String], device: &Device) -> String {
    let others: Vec<_> = offered
        .iter()
        .filter(|other| raw::is_served(other))
        .map(|other| format!("`--format {}`", other.to_lowercase()))
        .collect();
    let advice = if others.is_empty() {
        none_served(offered, &pipeline(code, device))
    } else {
        format!(" ({} works)", others.join(" or "))
    };
    format!("its format `{code}` cannot be shown in its own colours{advice}")
}

/// Said where nothing works that the camera offers.
fn none_served(offered: &[String], pipeline: &str) -> String {
    let served: Vec<_> = ["MJPG"].into_iter().chain(raw::codes()).collect();
    let is_film = |code: &String| ["H264", "HEVC", "H265", "VP80", "VP90"].contains(&code.as_str());
    let film = match offered.iter().any(is_film) {
        true => "; go2rtc makes a stream of its film, if the camera has no MJPG mode",
        false => "",
    };
    format!(
        "{pipeline}; it offers {} and camfeed takes {}{film}",
        offered.join(", "),
        served.join(", ")
    )
}

/// Why pictures that lie so that OpenCV reads them wrongly are not served, and what is: another `size`
/// that the camera has, its JPEGs, or a pipeline.
pub fn misread(
    code: &str,
    flaw: &raw::Misreading,
    size: Option<Size>,
    offered: &[String],
    device: &Device,
) -> String {
    let jpeg = offered.iter().find(|other| raw::is_jpeg(other));
    let advice = match (size, jpeg) {
        (Some(size), _) => format!(" (`--size {size}` works)"),
        (None, Some(jpeg)) => format!(" (`--format {}` works)", jpeg.to_lowercase()),
        (None, None) if flaw.suits_gstreamer => pipeline(code, device),
        (None, None) => String::new(),
    };
    format!("its `{code}` {}{advice}", flaw.words)
}

/// The pipeline that shows the camera, where GStreamer knows the format. Pictures of a format that is
/// served as it is are converted there and back: `v4l2src` tells of padding to a converter alone.
fn pipeline(code: &str, device: &Device) -> String {
    const BGR: &str = "videoconvert ! video/x-raw,format=BGR";
    const GREY: &str = "videoconvert ! video/x-raw,format=GRAY8";
    let (converter, package) = match code {
        "BA81" | "GBRG" | "GRBG" | "RGGB" => (
            format!("bayer2rgb ! {BGR}"),
            ", with gstreamer1.0-plugins-bad",
        ),
        "BGR3" => (
            format!("videoconvert ! video/x-raw,format=RGBx ! {BGR}"),
            "",
        ),
        // As BGR it would be stretched.
        "GREY" => (
            format!("videoconvert ! video/x-raw,format=GRAY16_LE ! {GREY}"),
            "",
        ),
        "Y16" => (GREY.to_owned(), ""),
        _ if KNOWN_TO_GSTREAMER.contains(&code) => (BGR.to_owned(), ""),
        _ => return String::new(),
    };
    format!(
        " (GStreamer converts it{package}: `--source \"gst:v4l2src device={device} ! {converter} ! \
         appsink\"`)"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_served_is_refused_by_name_with_what_is() {
        let codes =
            |codes: &[&str]| -> Vec<String> { codes.iter().map(|&code| code.to_owned()).collect() };
        let refusal = |asked: &str, offers: &[&str]| {
            let asked = match asked {
                "auto" => PixelFormat::Auto,
                name => PixelFormat::Named(name.to_owned()),
            };
            refusal(&asked, &codes(offers), &Device::Node("/dev/video0".into()))
        };
        assert_eq!(refusal("auto", &["H264", "YUYV"]), None);
        assert_eq!(refusal("NV12", &["NV12"]), None);
        assert_eq!(refusal("H264", &["YUYV"]), None, "the camera lacks it");
        assert_eq!(refusal("auto", &[]), None, "it could not be asked");
        let said = refusal("H264", &["H264", "MJPG", "RGBP"]).expect("refused");
        assert!(
            said.contains("`H264`") && said.contains("`--format mjpg` works"),
            "{said}"
        );
        let said = refusal("auto", &["RGBP"]).expect("refused");
        assert!(
            said.contains("`RGBP`") && said.contains("gst:v4l2src device=/dev/video0 !"),
            "{said}"
        );
    }
}
