//! The values options take, each with what is allowed.
//!
//! The text of each refusal says what is allowed; argh puts the option and the value in front of it.

use argh::FromArgValue;
use jiff::{Zoned, fmt::strtime};
use std::{fmt, time::Duration};

/// A picture size in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
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

/// A whole number from `LOW` to `HIGH`, which fit a `T`.
pub fn number<T: TryFrom<usize>, const LOW: usize, const HIGH: usize>(
    value: &str,
) -> Result<T, String> {
    let number = value
        .parse()
        .ok()
        .filter(|number| (LOW..=HIGH).contains(number));
    number
        .and_then(|number| T::try_from(number).ok())
        .ok_or_else(|| format!("allowed are {LOW} to {HIGH}"))
}

/// JPEG quality.
pub fn quality(value: &str) -> Result<i32, String> {
    number::<_, 1, 100>(value)
}

/// Encoder threads.
pub fn workers(value: &str) -> Result<usize, String> {
    number::<_, 1, 64>(value)
}

/// Streams at once.
pub fn viewers(value: &str) -> Result<usize, String> {
    number::<_, 1, 10_000>(value)
}

/// A time in seconds, 1 to 3600, fractions allowed.
pub fn seconds(value: &str) -> Result<Duration, String> {
    match value.parse() {
        Ok(seconds) if (1.0..=3600.0).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err("allowed are 1 to 3600 seconds".to_owned()),
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
                "allowed are auto, mjpg, yuyv, uyvy, nv12, grey and other V4L2 codes of three or \
                 four letters (`camfeed --list` shows what the camera has)"
                    .to_owned(),
            ),
        }
    }
}

/// Whether JPEGs of the source are decoded and encoded again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EncodeMode {
    /// Only when something asks for pixels.
    Auto,
    /// In any case.
    Always,
}

impl FromArgValue for EncodeMode {
    fn from_arg_value(value: &str) -> Result<EncodeMode, String> {
        match value {
            "auto" => Ok(EncodeMode::Auto),
            "always" => Ok(EncodeMode::Always),
            _ => Err("allowed are auto and always".to_owned()),
        }
    }
}

/// A text burnt into the picture: strftime fields of the capture time, local.
pub fn overlay(value: &str) -> Result<String, String> {
    let text = if value == "time" { "%F %T" } else { value };
    let is_plain = text
        .chars()
        .all(|letter| letter.is_ascii() && !letter.is_control());
    if text.trim().is_empty() || !is_plain || text.len() > 200 {
        return Err("allowed is a text of 1 to 200 ASCII letters".to_owned());
    }
    match strtime::format(text, &Zoned::now()) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(format!(
            "{error} (allowed are strftime fields such as %F %H:%M:%S)"
        )),
    }
}

/// Names and values of camera controls, in their order.
pub fn control_settings(value: &str) -> Result<Vec<(String, String)>, String> {
    let setting = |setting: &str| {
        let (name, value) = setting.split_once('=')?;
        let (name, value) = (name.trim(), value.trim());
        (!name.is_empty() && !value.is_empty()).then(|| (name.to_owned(), value.to_owned()))
    };
    let settings: Option<_> = value.split(',').map(setting).collect();
    settings.ok_or_else(|| "allowed is NAME=VALUE,… such as brightness=128".to_owned())
}

/// How the picture is turned; rotation first, then the mirror.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Orientation {
    /// Clockwise.
    pub rotate: Rotate,
    /// Mirrored.
    pub flip: Flip,
}

impl Orientation {
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
        self == Orientation::default()
    }

    /// True for quarter turns: rows become columns, before what [`mirror`](Self::mirror) says.
    pub fn transposes(self) -> bool {
        matches!(self.rotate, Rotate::Quarter | Rotate::ThreeQuarters)
    }

    /// How the picture, transposed where a quarter turn asks for that, is mirrored.
    pub fn mirror(self) -> Flip {
        let turned = match self.rotate {
            Rotate::None => Flip::None,
            Rotate::Quarter => Flip::Horizontal,
            Rotate::Half => Flip::Both,
            Rotate::ThreeQuarters => Flip::Vertical,
        };
        turned.then(self.flip)
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

impl Flip {
    /// True when left and right are exchanged.
    pub fn is_horizontal(self) -> bool {
        matches!(self, Flip::Horizontal | Flip::Both)
    }

    /// True when top and bottom are exchanged.
    pub fn is_vertical(self) -> bool {
        matches!(self, Flip::Vertical | Flip::Both)
    }

    /// Both mirrors, one after the other.
    fn then(self, other: Flip) -> Flip {
        let is_horizontal = self.is_horizontal() != other.is_horizontal();
        let is_vertical = self.is_vertical() != other.is_vertical();
        match (is_horizontal, is_vertical) {
            (false, false) => Flip::None,
            (true, false) => Flip::Horizontal,
            (false, true) => Flip::Vertical,
            (true, true) => Flip::Both,
        }
    }
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

/// A value for `Access-Control-Allow-Origin`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(pub String);

impl FromArgValue for Origin {
    fn from_arg_value(value: &str) -> Result<Origin, String> {
        // As browsers show it, with a slash.
        let value = value.strip_suffix('/').unwrap_or(value);
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

    #[test]
    fn numbers_out_of_range_are_refused_with_the_range() {
        assert_eq!(
            number::<i32, 1, 100>("101"),
            Err("allowed are 1 to 100".to_owned())
        );
        assert_eq!(number::<i32, 1, 100>("80"), Ok(80));
        assert!(Fps::from_arg_value("NaN").is_err());
        assert!(Fps::from_arg_value("0").is_err());
        assert!(Size::from_arg_value("640").is_err());
        assert!(Size::from_arg_value("640x99999").is_err());
        assert!(number::<usize, 1, 10_000>("0").is_err());
        assert!(seconds("0.5").is_err());
        assert!(EncodeMode::from_arg_value("never").is_err());
        assert!(PixelFormat::from_arg_value("motion jpeg").is_err());
        assert!(overlay("%").is_err());
        assert!(overlay("").is_err());
        assert!(control_settings("brightness").is_err());
        assert!(Origin::from_arg_value("mainsail.local").is_err());
        assert!(Origin::from_arg_value("http://a\r\nb").is_err());
        assert!(Origin::from_arg_value("http://a//").is_err());
        assert!(Origin::from_arg_value("http:///").is_err());
        let origin = Origin("http://mainsail.local".to_owned());
        assert_eq!(Origin::from_arg_value("http://mainsail.local/"), Ok(origin));
    }

    #[test]
    fn settings_keep_their_order() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            control_settings("exposure=manual, gain = 3"),
            Ok(vec![pair("exposure", "manual"), pair("gain", "3")])
        );
    }

    #[test]
    fn time_is_short_for_date_and_time() {
        assert_eq!(overlay("time"), Ok("%F %T".to_owned()));
        assert!(overlay("Garden %H:%M").is_ok());
    }
}
