//! What the kernel says of camera nodes: which there are, what they offer, what they are called
//! when their number changes, and why one does not open.
//!
//! Opens nodes for questions only, beside whoever streams from them.

use crate::{
    config::{Device, Size},
    error::{Cause, Error},
};
use linuxvideo::{
    BufType, CapabilityFlags, Device as Node,
    format::{Format, FrameIntervals, FrameSizes, PixelFormat},
};
use rustix::io::Errno;
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Where udev keeps names that do not change with the number.
pub const STABLE_NAMES: &str = "/dev/v4l/by-id";

/// A camera and what it offers.
#[derive(Debug)]
pub struct CameraDevice {
    /// Such as `/dev/video0`.
    pub path: PathBuf,
    /// What it calls itself.
    pub name: String,
    /// Where it is plugged in.
    pub bus: String,
    /// Its name under [`STABLE_NAMES`].
    pub stable: Option<PathBuf>,
    /// In the driver's order.
    pub formats: Vec<FormatInfo>,
}

/// A pixel format with its sizes and their rates.
#[derive(Debug)]
pub struct FormatInfo {
    /// Such as `MJPG`.
    pub fourcc: String,
    /// The driver's words.
    pub description: String,
    /// In the driver's order; frames a second, fastest first.
    pub modes: Vec<(Size, Vec<f64>)>,
}

/// Every node that captures pictures, lowest number first. Codecs, image processors and metadata
/// nodes look alike and are left out.
pub fn cameras() -> Vec<PathBuf> {
    let mut numbers = numbers();
    numbers.retain(|number| is_camera(&path(*number)));
    numbers.into_iter().map(path).collect()
}

/// The numbers of all video nodes, whatever they are, in order.
pub fn numbers() -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/dev") else {
        return Vec::new();
    };
    let mut numbers: Vec<u32> = entries
        .filter_map(|entry| {
            entry
                .ok()?
                .file_name()
                .to_str()?
                .strip_prefix("video")?
                .parse()
                .ok()
        })
        .collect();
    numbers.sort_unstable();
    numbers
}

fn path(number: u32) -> PathBuf {
    PathBuf::from(format!("/dev/video{number}"))
}

/// True for a node that captures pictures, and for one that may not be asked.
fn is_camera(path: &Path) -> bool {
    match Node::open(path) {
        Ok(node) => captures(&node),
        Err(error) => matches!(cause_of(&error), Cause::Forbidden | Cause::Busy),
    }
}

fn captures(node: &Node) -> bool {
    let Ok(capabilities) = node.capabilities() else {
        return false;
    };
    let has = capabilities.device_capabilities();
    // The image processors of a Raspberry Pi capture too, but only what they are fed.
    let is_fed = ["bcm2835-isp", "pispbe", "rp1-cfe", "unicam"]
        .iter()
        .any(|driver| capabilities.driver().starts_with(driver));
    has.contains(CapabilityFlags::VIDEO_CAPTURE) && !is_fed
}

/// The camera at `path` with everything it offers.
pub fn describe(path: &Path) -> io::Result<CameraDevice> {
    let node = Node::open(path)?;
    let capabilities = node.capabilities()?;
    Ok(CameraDevice {
        path: path.to_owned(),
        name: capabilities.card().to_owned(),
        bus: capabilities.bus_info().to_owned(),
        stable: stable_name(path),
        formats: offers(&node),
    })
}

/// The formats the camera at `path` offers, as four letters, in its order.
pub fn formats(path: &Path) -> Vec<String> {
    let Ok(node) = Node::open(path) else {
        return Vec::new();
    };
    node.formats(BufType::VIDEO_CAPTURE)
        .map_while(Result::ok)
        .map(|format| fourcc_text(u32::from_le_bytes(format.pixel_format().as_fourcc())))
        .collect()
}

/// The sizes of one format that the camera at `path` offers, in its order.
pub fn sizes(path: &Path, format: &str) -> Vec<Size> {
    let formats = describe(path).map(|camera| camera.formats);
    let formats = formats.unwrap_or_default().into_iter();
    formats
        .filter(|offer| offer.fourcc == format)
        .flat_map(|offer| offer.modes)
        .map(|(size, _)| size)
        .collect()
}

fn offers(node: &Node) -> Vec<FormatInfo> {
    node.formats(BufType::VIDEO_CAPTURE)
        .map_while(Result::ok)
        .map(|format| FormatInfo {
            fourcc: fourcc_text(u32::from_le_bytes(format.pixel_format().as_fourcc())),
            description: format.description().to_owned(),
            modes: modes(node, format.pixel_format()),
        })
        .collect()
}

fn modes(node: &Node, format: PixelFormat) -> Vec<(Size, Vec<f64>)> {
    let sizes: Vec<Size> = match node.frame_sizes(format) {
        Ok(FrameSizes::Discrete(sizes)) => sizes
            .iter()
            .map(|size| Size {
                width: size.width(),
                height: size.height(),
            })
            .collect(),
        // A range: its ends say enough.
        Ok(FrameSizes::Stepwise(range) | FrameSizes::Continuous(range)) => vec![
            Size {
                width: range.min_width(),
                height: range.min_height(),
            },
            Size {
                width: range.max_width(),
                height: range.max_height(),
            },
        ],
        Err(_) => Vec::new(),
    };
    sizes
        .into_iter()
        .map(|size| {
            let mut rates = match node.frame_intervals(format, size.width, size.height) {
                Ok(FrameIntervals::Discrete(intervals)) => intervals
                    .iter()
                    .map(|interval| 1.0 / f64::from(interval.fract().as_f32()))
                    .collect(),
                Ok(FrameIntervals::Stepwise(range) | FrameIntervals::Continuous(range)) => {
                    vec![
                        1.0 / f64::from(range.min().as_f32()),
                        1.0 / f64::from(range.max().as_f32()),
                    ]
                }
                Err(_) => Vec::new(),
            };
            rates.sort_by(|one, other| other.total_cmp(one));
            (size, rates)
        })
        .collect()
}

/// The name under [`STABLE_NAMES`] that leads to `path` now.
pub fn stable_name(path: &Path) -> Option<PathBuf> {
    let node = fs::canonicalize(path).ok()?;
    let mut names: Vec<PathBuf> = fs::read_dir(STABLE_NAMES)
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|name| fs::canonicalize(name).is_ok_and(|target| target == node))
        .collect();
    names.sort();
    names.into_iter().next()
}

/// Why the camera at `path` does not open or give pictures, with advice.
pub fn diagnose_open(device: &Device, path: &Path) -> Error {
    let (cause, reason) = match Node::open(path) {
        Err(error) => {
            let cause = cause_of(&error);
            let reason = match cause {
                Cause::Missing => "no such device (is the camera plugged in?)".to_owned(),
                Cause::Forbidden => "permission denied (is this user in the group video? \
                     `sudo usermod -aG video $USER`, then log in again)"
                    .to_owned(),
                Cause::Busy => BUSY.to_owned(),
                Cause::NotACamera => NOT_A_CAMERA.to_owned(),
                Cause::Silent | Cause::Other => lowercase_message(&error),
            };
            (cause, reason)
        }
        Ok(node) if !captures(&node) => (Cause::NotACamera, NOT_A_CAMERA.to_owned()),
        Ok(node) => match try_acquire(node) {
            Err(error) if cause_of(&error) == Cause::Busy => (Cause::Busy, BUSY.to_owned()),
            Err(error) => (Cause::Other, lowercase_message(&error)),
            Ok(()) => (Cause::Other, "it gives no video".to_owned()),
        },
    };
    Error::Open {
        device: device.to_string(),
        cause,
        reason,
    }
}

const BUSY: &str = "another program is using it (`sudo fuser -v /dev/video*` names it)";
const NOT_A_CAMERA: &str =
    "it is no camera that captures pictures (`camfeed --list` names those that do)";

/// Asks for the format it has: a camera that streams to somebody else refuses.
fn try_acquire(node: Node) -> io::Result<()> {
    match node.format(BufType::VIDEO_CAPTURE)? {
        Format::VideoCapture(format) => node.video_capture(format).map(drop),
        _ => Ok(()),
    }
}

/// What the system's error means for a camera.
pub fn cause_of(error: &io::Error) -> Cause {
    match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::NOENT | Errno::NODEV | Errno::NXIO) => Cause::Missing,
        Some(Errno::ACCESS | Errno::PERM) => Cause::Forbidden,
        Some(Errno::BUSY) => Cause::Busy,
        Some(Errno::NOTTY | Errno::INVAL | Errno::ISDIR) => Cause::NotACamera,
        _ => Cause::Other,
    }
}

/// The system's words without `(os error 2)`, as the middle of a sentence.
pub fn lowercase_message(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut letters = text.chars();
    letters
        .next()
        .map(|first| first.to_lowercase().chain(letters).collect())
        .unwrap_or_default()
}

/// Four letters from a code, its low byte first; empty when they are none.
pub fn fourcc_text(fourcc: u32) -> String {
    let bytes = fourcc.to_le_bytes();
    if bytes
        .iter()
        .all(|byte| byte.is_ascii_graphic() || *byte == b' ')
        && fourcc != 0
    {
        bytes
            .iter()
            .map(|&byte| char::from(byte))
            .collect::<String>()
            .trim_end()
            .to_owned()
    } else {
        String::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_device_is_named_as_such() {
        let path = Path::new("/dev/video-of-nobody");
        let error = diagnose_open(&Device::Node(path.into()), path);
        assert_eq!(
            error.to_string(),
            "cannot open /dev/video-of-nobody: no such device (is the camera plugged in?)"
        );
        assert_eq!(error.cause(), Cause::Missing);
    }

    #[test]
    fn a_node_of_another_kind_is_named_as_such() {
        let path = Path::new("/dev/null");
        let error = diagnose_open(&Device::Node(path.into()), path);
        assert_eq!(error.cause(), Cause::NotACamera, "{error}");
    }

    #[test]
    fn fourcc_is_read_from_its_low_byte_up() {
        assert_eq!(fourcc_text(u32::from_le_bytes(*b"MJPG")), "MJPG");
        assert_eq!(fourcc_text(u32::from_le_bytes(*b"Y16 ")), "Y16");
        assert_eq!(fourcc_text(0), "");
    }
}
