//! What `--source` names.

use crate::config::{
    CameraName, Fps, Size,
    source_text::{GST, SCHEMES, SourceText, begins_with_host, looks_like_address, meant_address},
};
use argh::FromArgValue;
use std::{
    fmt,
    path::{Path, PathBuf},
};

/// What is opened: the value of `--source`.
#[derive(Debug, Clone, PartialEq)]
pub enum Device {
    /// The first camera that opens; with none, the test pattern until one is plugged in.
    Auto,
    /// Every camera there is, each under a name of its own. Opened is only what stands in while there is none:
    /// the test pattern.
    All,
    /// A V4L2 device by its number.
    Number(u32),
    /// A V4L2 device by its path.
    Node(PathBuf),
    /// A video file, played in a loop at its own pace.
    File(PathBuf),
    /// A camera module read through libcamera: the first, or the one that this means.
    Csi(Option<String>),
    /// A network stream.
    Url(SourceText),
    /// A GStreamer pipeline.
    Gst(SourceText),
    /// The built-in test pattern.
    Pattern(Pattern),
}

/// What the test pattern was told in `test:WxH@FPS`.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Pattern {
    /// `None` leaves it to `--size`, else [`Pattern::SIZE`].
    pub size: Option<Size>,
    /// `None` leaves it to `--fps`, else [`Pattern::FPS`].
    pub fps: Option<Fps>,
}

impl Pattern {
    /// Defaults to 1280x720.
    pub const SIZE: Size = Size {
        width: 1280,
        height: 720,
    };
    /// Defaults to 30 frames a second.
    pub const FPS: Fps = Fps(30.0);
}

const SOURCES: &str = "allowed are auto, all, a camera number, /dev/…, csi or csi:ID, a file, an http(s):// \
    or rtsp:// address, gst:PIPELINE, test or test:WxH@FPS";

const NO_SCHEME: &str = "it looks like an address without its beginning: allowed are addresses such \
    as http://cam/… or rtsp://cam/…, and for a file of such a name ./ or its whole path";

impl FromArgValue for Device {
    fn from_arg_value(value: &str) -> Result<Device, String> {
        if value == "auto" {
            return Ok(Device::Auto);
        }
        if value == "all" {
            return Ok(Device::All);
        }
        if value == "test" {
            return Ok(Device::Pattern(Pattern::default()));
        }
        if value == "csi" {
            return Ok(Device::Csi(None));
        }
        if let Some(id) = value.strip_prefix("csi:") {
            return match id {
                "" => Err("the name after csi: is empty (`camfeed --list` shows them)".to_owned()),
                id => Ok(Device::Csi(Some(id.to_owned()))),
            };
        }
        if let Some(spec) = value.strip_prefix("test:") {
            return pattern(spec).map(Device::Pattern);
        }
        if let Some(pipeline) = value.strip_prefix(GST) {
            return match pipeline.trim() {
                "" => Err("the pipeline after gst: is empty".to_owned()),
                pipeline => Ok(Device::Gst(SourceText::pipeline(pipeline))),
            };
        }
        if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
            return match value.parse() {
                Ok(number @ 0..=255) => Ok(Device::Number(number)),
                _ => Err("a camera number is 0 to 255 (a port is for `--listen`)".to_owned()),
            };
        }
        if let Some((scheme, rest)) = value.split_once("://") {
            let scheme = scheme.to_ascii_lowercase();
            return match scheme.as_str() {
                // FFmpeg would take `http://…` behind it for an address.
                "file" if rest.contains("://") => Err(NO_SCHEME.to_owned()),
                "file" => file(rest),
                known if SCHEMES.contains(&known) && !rest.is_empty() => {
                    Ok(Device::Url(SourceText::url(value)))
                }
                _ => Err(SOURCES.to_owned()),
            };
        }
        if value.starts_with("/dev/") {
            return Ok(Device::Node(PathBuf::from(value)));
        }
        match file(value)? {
            // A bare word that names nothing.
            Device::File(path) if !value.contains(['/', '.']) && !path.exists() => {
                Err(SOURCES.to_owned())
            }
            file => Ok(file),
        }
    }
}

/// The file at `path`, which may come later (a stick that is not mounted yet). An address that is none
/// is a slip of the finger: as a path it would be shown with its password.
fn file(path: &str) -> Result<Device, String> {
    let file = PathBuf::from(path);
    let first = path.split('/').next().unwrap_or_default();
    let is_address =
        looks_like_address(path) || begins_with_host(path) && !Path::new(first).exists();
    if !is_address || file.exists() {
        return Ok(Device::File(file));
    }
    let named = path.split_once('=').map(|(name, _)| name);
    if named.is_some_and(|name| CameraName::of_address(name).is_ok()) {
        return Err(
            "a camera with a name is `--camera NAME=SOURCE`; a file of such a name begins with ./"
                .to_owned(),
        );
    }
    Err(match meant_address(path) {
        Some(meant) => format!("did you mean {meant}? {NO_SCHEME}"),
        None => NO_SCHEME.to_owned(),
    })
}

fn pattern(spec: &str) -> Result<Pattern, String> {
    let (size, fps) = match spec.split_once('@') {
        Some((size, fps)) => (size, Some(fps)),
        None => (spec, None),
    };
    let allowed = |reason| format!("{reason} (the form is test:1280x720@30)");
    Ok(Pattern {
        size: match size {
            "" => None,
            size => Some(Size::from_arg_value(size).map_err(allowed)?),
        },
        fps: fps.map(Fps::from_arg_value).transpose().map_err(allowed)?,
    })
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Device::Auto => f.write_str("auto"),
            Device::All => f.write_str("all"),
            Device::Csi(None) => f.write_str("csi"),
            Device::Csi(Some(id)) => write!(f, "csi:{id}"),
            Device::Number(number) => write!(f, "/dev/video{number}"),
            Device::Node(path) | Device::File(path) => write!(f, "{}", path.display()),
            Device::Url(text) | Device::Gst(text) => write!(f, "{text}"),
            Device::Pattern(_) => f.write_str("test pattern"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::shown_word;

    fn device(value: &str) -> Option<Device> {
        Device::from_arg_value(value).ok()
    }

    #[test]
    fn every_kind_of_source_is_told_apart() {
        let file = |path: &str| Some(Device::File(PathBuf::from(path)));
        let url = |url: &str| Some(Device::Url(SourceText::url(url)));
        assert_eq!(device("auto"), Some(Device::Auto));
        assert_eq!(device("all"), Some(Device::All));
        assert_eq!(device("2"), Some(Device::Number(2)));
        assert_eq!(device("csi"), Some(Device::Csi(None)));
        let id = "/base/soc/i2c0mux/i2c@1/imx708@1a";
        let csi = Some(Device::Csi(Some(id.to_owned())));
        assert_eq!(device(&format!("csi:{id}")), csi);
        assert_eq!(
            device("/dev/video0"),
            Some(Device::Node("/dev/video0".into()))
        );
        assert_eq!(
            device("/dev/v4l/by-id/usb-x-index0"),
            Some(Device::Node("/dev/v4l/by-id/usb-x-index0".into()))
        );
        assert_eq!(device("clip.avi"), file("clip.avi"));
        assert_eq!(device("file:///srv/clip.avi"), file("/srv/clip.avi"));
        assert_eq!(
            device("http://a:b@host/stream"),
            url("http://a:b@host/stream")
        );
        assert_eq!(device("rtsp://host:554/1"), url("rtsp://host:554/1"));
        assert_eq!(
            device("gst:videotestsrc"),
            Some(Device::Gst(SourceText::pipeline("videotestsrc")))
        );
        assert_eq!(
            device("test:320x240@7.5"),
            Some(Device::Pattern(Pattern {
                size: Some(Size {
                    width: 320,
                    height: 240
                }),
                fps: Some(Fps(7.5)),
            }))
        );
        for wrong in [
            "",
            "tset",
            "gst:",
            "csi:",
            "ftp://x/y",
            "http://",
            "999",
            "test:0x0",
            "test:8x8@30",
        ] {
            assert_eq!(device(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn every_word_that_is_allowed_is_a_source() {
        let parts = SOURCES.trim_start_matches("allowed are ").split(", ");
        let words = parts.flat_map(|part| part.split(" or "));
        let is_word = |word: &&str| word.bytes().all(|byte| byte.is_ascii_lowercase());
        let mut count = 0;
        for word in words.filter(is_word) {
            assert!(device(word).is_some(), "{word}");
            count += 1;
        }
        assert!(count >= 4, "only {count}");
    }

    #[test]
    fn a_size_that_is_wrong_is_shown() {
        let words = SOURCES.split([',', ' ']);
        let sized: Vec<_> = words.filter_map(|word| word.split_once(":WxH")).collect();
        assert!(!sized.is_empty());
        for (word, _) in sized {
            for value in [format!("{word}:0x0"), format!("{word}:640x")] {
                assert_eq!(device(&value), None, "{value}");
                assert_eq!(shown_word(&value), value);
            }
        }
    }

    #[test]
    fn a_source_is_named_without_its_secrets() {
        for (value, shown) in [
            ("rtsp://me:p@ss@host:554/a", "rtsp://host:554/…"),
            ("http://host", "http://host"),
            ("http://a:b@host/stream?token=abc&fps=2", "http://host/…"),
            (
                "gst:souphttpsrc user-pw=abc ! jpegdec",
                "gst:souphttpsrc ! jpegdec",
            ),
            ("/srv/a@b.avi", "/srv/a@b.avi"),
            ("2", "/dev/video2"),
        ] {
            let device = device(value).expect(value);
            assert_eq!(device.to_string(), shown, "{value}");
            assert!(!format!("{device:?}").contains("abc"), "{device:?}");
        }
    }

    #[test]
    fn an_address_without_its_beginning_is_no_file() {
        for value in [
            "ann:secret@cam/x",
            "cam/x?pwd=secret",
            "cam/user=ann&password=secret",
            "//ann:secret@cam/x",
            "http:/cam/secret",
            "RTSP:cam/secret",
            "cam:8080/secret",
            "file://http://cam/secret",
            "file://ann:secret@cam/x",
            " http://cam/secret",
            "rtsp//cam/secret",
            "192.0.2.7/secret",
        ] {
            assert_eq!(device(value), None, "{value}");
        }
        for (value, meant) in [
            ("192.168.1.20", "http://192.168.1.20?"),
            ("pi.local", "http://pi.local?"),
            ("pi.LAN/stream", "http://pi.LAN/…?"),
            ("cam.home", "http://cam.home?"),
            ("localhost/stream", "http://localhost/…?"),
            ("www.example.org", "http://www.example.org?"),
            (
                "cam.example.org/mjpg/video.mjpg",
                "http://cam.example.org/…?",
            ),
            ("pi.local:8080", "http://pi.local:8080?"),
            ("octopi:8554", "rtsp://octopi:8554?"),
            ("pi.local:8080?token=secret", "http://pi.local:8080/…?"),
            ("//cam.lan/secret", "http://cam.lan/…?"),
            ("http:/cam/secret", "http://cam/…?"),
            ("https:cam", "https://cam?"),
            ("rtsp:/cam/1", "rtsp://cam/…?"),
            ("rtsp//cam:99/1", "rtsp://cam:99/…?"),
        ] {
            let reason = Device::from_arg_value(value).expect_err(value);
            let meant = format!("did you mean {meant} ");
            assert!(reason.starts_with(&meant), "{value}: {reason}");
        }
        for path in [
            "./a@b.avi",
            "/srv//a.avi",
            "./192.0.2.7/a.avi",
            "films/1.2.3/a b.avi",
            "film.mp4",
            "garden.mjpg",
            "./pi.local/film",
            "./x.y/film",
            "../x.y/film",
            ".x.y/film",
            "films 1.2/film",
            // What its first part names is there.
            "Cargo.toml/film",
        ] {
            assert_eq!(device(path), Some(Device::File(path.into())), "{path}");
        }
    }
}
