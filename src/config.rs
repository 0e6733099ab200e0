//! Checked settings: every option's meaning, default, unit and range, in one place.
//!
//! Values are made only by `from_str_value`, so whoever holds one holds a valid one. The text of
//! each refusal says what is allowed; argh puts the option and the value in front of it. What
//! changes while the program runs stands elsewhere, in `stats`.

use crate::cli::Args;
use argh::FromArgValue;
use jiff::{Zoned, fmt::strtime};
use std::{fmt, path::PathBuf, thread, time::Duration};

/// Everything the program was told, checked.
#[derive(Debug)]
pub struct Config {
    /// What concerns the camera, from device to slot.
    pub camera: CameraConfig,
    /// What concerns the network side.
    pub server: ServerConfig,
}

/// What one camera was told.
#[derive(Debug, Clone)]
pub struct CameraConfig {
    /// What is opened.
    pub device: Device,
    /// Asked of the camera; `None` leaves it to the source.
    pub size: Option<Size>,
    /// Asked of the camera; `None` leaves it to the source.
    pub fps: Option<Fps>,
    /// JPEG quality of what is encoded here.
    pub quality: Quality,
    /// Encoder threads.
    pub workers: Workers,
    /// Pixel format asked of the camera.
    pub format: PixelFormat,
    /// Whether JPEGs are decoded even when nothing asks for pixels.
    pub encode: Encode,
    /// How the picture is turned.
    pub turn: Turn,
    /// Text burnt into the picture.
    pub overlay: Option<Overlay>,
    /// Controls set at each opening, in their order.
    pub settings: Vec<(String, String)>,
    /// A camera silent for this long hangs.
    pub timeout: Duration,
    /// Unwatched for this long, the camera is released.
    pub idle_timeout: Option<Duration>,
    /// Pictures not shown after an opening that ended an idle time.
    pub warmup: u32,
}

impl CameraConfig {
    /// True when JPEGs of the source may go out as they came.
    pub fn passes_through(&self) -> bool {
        self.turn.is_none() && self.overlay.is_none() && self.encode == Encode::Auto
    }
}

/// What the server was told.
#[derive(Debug)]
pub struct ServerConfig {
    /// Where to listen.
    pub listen: Listen,
    /// Streams served at once.
    pub max_viewers: usize,
    /// `Access-Control-Allow-Origin`, when asked for.
    pub allow_origin: Option<Origin>,
    /// Controls may be read and changed over the network.
    pub has_controls: bool,
}

impl From<Args> for Config {
    fn from(args: Args) -> Config {
        Config {
            camera: CameraConfig {
                device: args.source,
                size: args.size,
                fps: args.fps,
                quality: args.quality,
                workers: args.workers,
                format: args.format,
                encode: args.encode,
                turn: Turn {
                    rotate: args.rotate,
                    flip: args.flip,
                },
                overlay: args.overlay,
                settings: args
                    .set
                    .into_iter()
                    .flat_map(|settings| settings.0)
                    .collect(),
                timeout: args.camera_timeout.time(),
                idle_timeout: args.idle_timeout.map(Seconds::time),
                warmup: args.warmup.0,
            },
            server: ServerConfig {
                listen: args.listen,
                max_viewers: args.max_viewers.0,
                allow_origin: args.allow_origin,
                has_controls: !args.no_controls,
            },
        }
    }
}

/// What is opened: the value of `--source`.
#[derive(Debug, Clone, PartialEq)]
pub enum Device {
    /// The first camera that opens; with none, the test pattern until one is plugged in.
    Auto,
    /// A V4L2 device by its number.
    Number(u32),
    /// A V4L2 device by its path.
    Node(PathBuf),
    /// A video file, played in a loop at its own pace.
    File(PathBuf),
    /// A network stream.
    Url(String),
    /// A GStreamer pipeline.
    Gst(String),
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

const SCHEMES: [&str; 7] = ["http", "https", "rtsp", "rtsps", "rtmp", "udp", "tcp"];
const SOURCES: &str = "allowed are auto, a camera number, /dev/…, a file, an http(s):// or \
    rtsp:// address, gst:PIPELINE, test or test:WxH@FPS";

impl FromArgValue for Device {
    fn from_arg_value(value: &str) -> Result<Device, String> {
        if value == "auto" {
            return Ok(Device::Auto);
        }
        if value == "test" {
            return Ok(Device::Pattern(Pattern::default()));
        }
        if let Some(spec) = value.strip_prefix("test:") {
            return pattern(spec).map(Device::Pattern);
        }
        if let Some(pipeline) = value.strip_prefix("gst:") {
            return match pipeline.trim() {
                "" => Err("the pipeline after gst: is empty".to_owned()),
                pipeline => Ok(Device::Gst(pipeline.to_owned())),
            };
        }
        if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
            return match value.parse() {
                Ok(number @ 0..=255) => Ok(Device::Number(number)),
                _ => Err("a camera number is 0 to 255".to_owned()),
            };
        }
        if let Some((scheme, rest)) = value.split_once("://") {
            let scheme = scheme.to_ascii_lowercase();
            return match scheme.as_str() {
                "file" => Ok(Device::File(PathBuf::from(rest))),
                known if SCHEMES.contains(&known) && !rest.is_empty() => {
                    Ok(Device::Url(value.to_owned()))
                }
                _ => Err(SOURCES.to_owned()),
            };
        }
        if value.starts_with("/dev/") {
            return Ok(Device::Node(PathBuf::from(value)));
        }
        // A file may come later (a stick not mounted yet); a bare word that names nothing is a
        // slip of the finger.
        let file = PathBuf::from(value);
        if value.contains(['/', '.']) || file.exists() {
            Ok(Device::File(file))
        } else {
            Err(SOURCES.to_owned())
        }
    }
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
            Device::Number(number) => write!(f, "/dev/video{number}"),
            Device::Node(path) | Device::File(path) => write!(f, "{}", path.display()),
            Device::Url(url) => f.write_str(&without_credentials(url)),
            Device::Gst(pipeline) => write!(f, "gst:{pipeline}"),
            Device::Pattern(_) => f.write_str("test pattern"),
        }
    }
}

/// The address without `user:password@`: what is said aloud in logs and in `/state`.
fn without_credentials(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let host_end = rest.find('/').unwrap_or(rest.len());
    match rest[..host_end].rfind('@') {
        Some(at) => format!("{scheme}://{}", &rest[at + 1..]),
        None => url.to_owned(),
    }
}

/// A picture size in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Pixels across, 16 to 8192.
    pub width: u32,
    /// Pixels down, 16 to 8192.
    pub height: u32,
}

impl FromArgValue for Size {
    fn from_arg_value(value: &str) -> Result<Size, String> {
        let side = |text: &str| text.parse().ok().filter(|side| (16..=8192).contains(side));
        value
            .split_once(['x', 'X'])
            .and_then(|(width, height)| {
                Some(Size {
                    width: side(width)?,
                    height: side(height)?,
                })
            })
            .ok_or_else(|| "allowed is WIDTHxHEIGHT, each 16 to 8192, such as 1280x720".to_owned())
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

/// Frames a second, 0.1 to 240.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Fps(pub f64);

impl FromArgValue for Fps {
    fn from_arg_value(value: &str) -> Result<Fps, String> {
        match value.parse() {
            Ok(fps) if (0.1..=240.0).contains(&fps) => Ok(Fps(fps)),
            _ => Err("allowed are 0.1 to 240 frames a second".to_owned()),
        }
    }
}

/// A time in seconds, 1 to 3600, fractions allowed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Seconds(pub f64);

impl Seconds {
    /// As a duration.
    pub fn time(self) -> Duration {
        Duration::from_secs_f64(self.0)
    }
}

impl FromArgValue for Seconds {
    fn from_arg_value(value: &str) -> Result<Seconds, String> {
        match value.parse() {
            Ok(seconds) if (1.0..=3600.0).contains(&seconds) => Ok(Seconds(seconds)),
            _ => Err("allowed are 1 to 3600 seconds".to_owned()),
        }
    }
}

/// The pixel format asked of a camera.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PixelFormat {
    /// Its JPEGs where it has them, else raw pixels.
    Auto,
    /// This one; V4L2's code, upper case.
    Named(String),
}

impl FromArgValue for PixelFormat {
    fn from_arg_value(value: &str) -> Result<PixelFormat, String> {
        match value.to_ascii_uppercase().as_str() {
            "AUTO" => Ok(PixelFormat::Auto),
            "MJPEG" => Ok(PixelFormat::Named("MJPG".to_owned())),
            code if (3..=4).contains(&code.len())
                && code.bytes().all(|byte| byte.is_ascii_alphanumeric()) =>
            {
                Ok(PixelFormat::Named(code.to_owned()))
            }
            _ => Err(
                "allowed are auto, mjpg, yuyv, uyvy, grey and other V4L2 codes of three or \
                 four letters (`camfeed --list` shows what the camera has)"
                    .to_owned(),
            ),
        }
    }
}

/// Whether JPEGs of the source are decoded and encoded again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encode {
    /// Only when something asks for pixels.
    Auto,
    /// In any case.
    Always,
}

impl FromArgValue for Encode {
    fn from_arg_value(value: &str) -> Result<Encode, String> {
        match value {
            "auto" => Ok(Encode::Auto),
            "always" => Ok(Encode::Always),
            _ => Err("allowed are auto and always".to_owned()),
        }
    }
}

/// A text burnt into the picture: strftime fields of the capture time, local.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overlay(pub String);

impl FromArgValue for Overlay {
    fn from_arg_value(value: &str) -> Result<Overlay, String> {
        let text = if value == "time" { "%F %T" } else { value };
        let is_plain = text
            .chars()
            .all(|letter| letter.is_ascii() && !letter.is_control());
        if text.trim().is_empty() || !is_plain || text.len() > 200 {
            return Err("allowed is a text of 1 to 200 ASCII letters".to_owned());
        }
        match strtime::format(text, &Zoned::now()) {
            Ok(_) => Ok(Overlay(text.to_owned())),
            Err(error) => Err(format!(
                "{error} (allowed are strftime fields such as %F %H:%M:%S)"
            )),
        }
    }
}

/// Names and values of camera controls, in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings(pub Vec<(String, String)>);

impl FromArgValue for Settings {
    fn from_arg_value(value: &str) -> Result<Settings, String> {
        value
            .split(',')
            .map(|setting| {
                let (name, value) = setting.split_once('=')?;
                let (name, value) = (name.trim(), value.trim());
                (!name.is_empty() && !value.is_empty()).then(|| (name.to_owned(), value.to_owned()))
            })
            .collect::<Option<_>>()
            .map(Settings)
            .ok_or_else(|| "allowed is NAME=VALUE,… such as brightness=128".to_owned())
    }
}

/// Makes a number type of its own for an option: name, range and default stand together.
macro_rules! whole_number {
    ($(#[$doc:meta])* $name:ident, $inner:ty, $low:literal ..= $high:literal, $default:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct $name(pub $inner);

        impl Default for $name {
            fn default() -> $name {
                $name($default)
            }
        }

        impl FromArgValue for $name {
            fn from_arg_value(value: &str) -> Result<$name, String> {
                match value.parse() {
                    Ok(number @ $low..=$high) => Ok($name(number)),
                    _ => Err(concat!("allowed are ", $low, " to ", $high).to_owned()),
                }
            }
        }
    };
}

whole_number!(
    /// JPEG quality, 1 to 100. Defaults to 80.
    Quality, i32, 1..=100, 80
);
whole_number!(
    /// Encoder threads, 1 to 64. Defaults to the cores of the machine, at most 4.
    Workers, usize, 1..=64, thread::available_parallelism().map_or(1, |cores| cores.get().min(4))
);
whole_number!(
    /// Pictures not shown after an idle time, 0 to 300. Defaults to 5.
    Warmup, u32, 0..=300, 5
);
whole_number!(
    /// Streams served at once, 1 to 10000. Defaults to 100.
    Viewers, usize, 1..=10_000, 100
);

/// How the picture is turned; rotation first, then the mirror.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Turn {
    /// Clockwise.
    pub rotate: Rotate,
    /// Mirrored.
    pub flip: Flip,
}

impl Turn {
    /// The size of a picture of `size` once it is turned.
    pub fn of(self, size: Size) -> Size {
        match self.rotate {
            Rotate::None | Rotate::Half => size,
            Rotate::Quarter | Rotate::ThreeQuarters => Size {
                width: size.height,
                height: size.width,
            },
        }
    }

    /// True when the picture stays as it came.
    pub fn is_none(self) -> bool {
        self == Turn::default()
    }
}

/// Clockwise turn of the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(missing_docs, reason = "the variants are the angles")]
pub enum Rotate {
    #[default]
    None,
    Quarter,
    Half,
    ThreeQuarters,
}

impl FromArgValue for Rotate {
    fn from_arg_value(value: &str) -> Result<Rotate, String> {
        match value {
            "0" => Ok(Rotate::None),
            "90" => Ok(Rotate::Quarter),
            "180" => Ok(Rotate::Half),
            "270" => Ok(Rotate::ThreeQuarters),
            _ => Err("allowed are 0, 90, 180 and 270".to_owned()),
        }
    }
}

/// Mirror of the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(missing_docs, reason = "the variants are the directions")]
pub enum Flip {
    #[default]
    None,
    Horizontal,
    Vertical,
    Both,
}

impl FromArgValue for Flip {
    fn from_arg_value(value: &str) -> Result<Flip, String> {
        match value {
            "none" => Ok(Flip::None),
            "h" => Ok(Flip::Horizontal),
            "v" => Ok(Flip::Vertical),
            "hv" | "vh" => Ok(Flip::Both),
            _ => Err("allowed are h, v and hv".to_owned()),
        }
    }
}

/// Where to listen: the value of `--listen`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listen {
    /// `ADDR:PORT` or `NAME:PORT`; resolved when bound.
    Tcp(String),
    /// A Unix socket at a path.
    Unix(PathBuf),
}

impl Default for Listen {
    fn default() -> Listen {
        Listen::Tcp("0.0.0.0:8080".to_owned())
    }
}

impl FromArgValue for Listen {
    fn from_arg_value(value: &str) -> Result<Listen, String> {
        let allowed = || "allowed are ADDR:PORT, [::]:PORT and unix:/path".to_owned();
        if let Some(path) = value.strip_prefix("unix:") {
            return if path.starts_with('/') {
                Ok(Listen::Unix(PathBuf::from(path)))
            } else {
                Err(allowed())
            };
        }
        match value.rsplit_once(':') {
            Some((host, port))
                if !host.is_empty()
                    && port.parse::<u16>().is_ok()
                    && (!host.contains(':') || (host.starts_with('[') && host.ends_with(']'))) =>
            {
                Ok(Listen::Tcp(value.to_owned()))
            }
            _ => Err(allowed()),
        }
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Listen::Tcp(address) => f.write_str(address),
            Listen::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// A value for `Access-Control-Allow-Origin`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(pub String);

impl FromArgValue for Origin {
    fn from_arg_value(value: &str) -> Result<Origin, String> {
        let is_origin = value.split_once("://").is_some_and(|(scheme, host)| {
            !scheme.is_empty()
                && !host.is_empty()
                && !host.contains('/')
                && value.bytes().all(|byte| byte.is_ascii_graphic())
        });
        if value == "*" || value == "null" || is_origin {
            Ok(Origin(value.to_owned()))
        } else {
            Err("allowed are * and one origin such as http://mainsail.local".to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(value: &str) -> Option<Device> {
        Device::from_arg_value(value).ok()
    }

    #[test]
    fn every_kind_of_source_is_told_apart() {
        let file = |path: &str| Some(Device::File(PathBuf::from(path)));
        let url = |url: &str| Some(Device::Url(url.to_owned()));
        assert_eq!(device("auto"), Some(Device::Auto));
        assert_eq!(device("2"), Some(Device::Number(2)));
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
            Some(Device::Gst("videotestsrc".to_owned()))
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
    fn a_password_in_an_address_is_never_said() {
        let url = Device::Url("rtsp://me:p@ss@host:554/a@b".to_owned());
        assert_eq!(url.to_string(), "rtsp://host:554/a@b");
        let url = Device::Url("http://host/a@b".to_owned());
        assert_eq!(url.to_string(), "http://host/a@b");
    }

    #[test]
    fn listen_takes_addresses_names_and_unix_paths() {
        for good in [
            "0.0.0.0:8080",
            "[::]:0",
            "localhost:80",
            "unix:/run/camfeed.sock",
        ] {
            assert!(Listen::from_arg_value(good).is_ok(), "{good}");
        }
        for wrong in [
            "",
            "8080",
            ":8080",
            "::1:80",
            "0.0.0.0:70000",
            "unix:relative",
            "host",
        ] {
            assert!(Listen::from_arg_value(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn numbers_out_of_range_are_refused_with_the_range() {
        assert_eq!(
            Quality::from_arg_value("101"),
            Err("allowed are 1 to 100".to_owned())
        );
        assert_eq!(Quality::from_arg_value("80"), Ok(Quality(80)));
        assert!(Fps::from_arg_value("NaN").is_err());
        assert!(Fps::from_arg_value("0").is_err());
        assert!(Size::from_arg_value("640").is_err());
        assert!(Size::from_arg_value("640x99999").is_err());
        assert!(Viewers::from_arg_value("0").is_err());
        assert!(Seconds::from_arg_value("0.5").is_err());
        assert!(Encode::from_arg_value("never").is_err());
        assert!(PixelFormat::from_arg_value("motion jpeg").is_err());
        assert!(Overlay::from_arg_value("%").is_err());
        assert!(Overlay::from_arg_value("").is_err());
        assert!(Settings::from_arg_value("brightness").is_err());
        assert!(Origin::from_arg_value("mainsail.local").is_err());
        assert!(Origin::from_arg_value("http://a\r\nb").is_err());
    }

    #[test]
    fn settings_keep_their_order() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            Settings::from_arg_value("exposure=manual, gain = 3"),
            Ok(Settings(vec![
                pair("exposure", "manual"),
                pair("gain", "3")
            ]))
        );
    }

    #[test]
    fn time_is_short_for_date_and_time() {
        assert_eq!(
            Overlay::from_arg_value("time"),
            Ok(Overlay("%F %T".to_owned()))
        );
        assert!(Overlay::from_arg_value("Garden %H:%M").is_ok());
    }
}
