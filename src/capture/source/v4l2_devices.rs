//! What the kernel says of camera nodes: which there are, what they offer, what they are called
//! when their number changes, and what kind of node each is.
//!
//! Opens nodes for questions only, beside whoever streams from them.

use crate::{config::Size, error::Cause};
use linuxvideo::{
    BufType, CapabilityFlags, Device as Node,
    format::{FrameIntervals, FrameSizes, PixelFormat},
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
    let paths = numbers().into_iter().map(path);
    paths.filter(|path| is_camera(path)).collect()
}

/// The numbers of all video nodes, whatever they are, in order.
pub fn numbers() -> Vec<u32> {
    let entries = fs::read_dir("/dev").into_iter().flatten().flatten();
    let mut numbers: Vec<u32> = entries
        .filter_map(|entry| {
            let name = entry.file_name();
            name.to_str()?.strip_prefix("video")?.parse().ok()
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

/// True for a node that captures pictures by itself.
pub fn captures(node: &Node) -> bool {
    let Ok(capabilities) = node.capabilities() else {
        return false;
    };
    let has = capabilities.device_capabilities();
    has.contains(CapabilityFlags::VIDEO_CAPTURE)
        && !has_driver(node, &["bcm2835-isp", "pispbe"])
        && !is_camera_module(node)
}

/// True for a node of a Raspberry Pi's camera connector: it gives what a sensor gives only with the help of
/// libcamera.
pub fn is_camera_module(node: &Node) -> bool {
    has_driver(node, &["unicam", "rp1-cfe"])
}

/// True where the node at `path` is of a camera connector; see [`is_camera_module`].
pub fn has_camera_module(path: &Path) -> bool {
    Node::open(path).is_ok_and(|node| is_camera_module(&node))
}

fn has_driver(node: &Node, drivers: &[&str]) -> bool {
    let capabilities = node.capabilities();
    capabilities.is_ok_and(|capabilities| {
        let driver = capabilities.driver();
        drivers.iter().any(|name| driver.starts_with(name))
    })
}

/// What the camera at `path` calls itself.
pub fn card(path: &Path) -> Option<String> {
    let capabilities = Node::open(path).ok()?.capabilities().ok()?;
    Some(capabilities.card().to_owned()).filter(|card| !card.is_empty())
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
    let sizes = match node.frame_sizes(format) {
        Ok(FrameSizes::Discrete(sizes)) => sizes
            .iter()
            .map(|size| (size.width(), size.height()))
            .collect(),
        // A range: its ends say enough.
        Ok(FrameSizes::Stepwise(range) | FrameSizes::Continuous(range)) => vec![
            (range.min_width(), range.min_height()),
            (range.max_width(), range.max_height()),
        ],
        Err(_) => Vec::new(),
    };
    let sizes = sizes.into_iter();
    sizes
        .map(|(width, height)| (Size { width, height }, rates(node, format, width, height)))
        .collect()
}

/// Frames a second, fastest first.
fn rates(node: &Node, format: PixelFormat, width: u32, height: u32) -> Vec<f64> {
    let intervals = match node.frame_intervals(format, width, height) {
        Ok(FrameIntervals::Discrete(intervals)) => {
            intervals.iter().map(|interval| *interval.fract()).collect()
        }
        Ok(FrameIntervals::Stepwise(range) | FrameIntervals::Continuous(range)) => {
            vec![*range.min(), *range.max()]
        }
        Err(_) => Vec::new(),
    };
    let mut rates: Vec<_> = intervals
        .iter()
        .map(|interval| 1.0 / f64::from(interval.as_f32()))
        .collect();
    rates.sort_by(|one, other| other.total_cmp(one));
    rates
}

/// The name under [`STABLE_NAMES`] that leads to `path` now.
pub fn stable_name(path: &Path) -> Option<PathBuf> {
    let node = fs::canonicalize(path).ok()?;
    let names = fs::read_dir(STABLE_NAMES).ok()?.flatten();
    names
        .map(|name| name.path())
        .filter(|name| fs::canonicalize(name).is_ok_and(|target| target == node))
        .min()
}

/// What the system's error means for a camera.
pub fn cause_of(error: &io::Error) -> Cause {
    match Errno::from_io_error(error) {
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
    let letters = fourcc.to_le_bytes().map(char::from);
    if letters.iter().any(|letter| !matches!(letter, ' '..='~')) {
        return String::new();
    }
    String::from_iter(letters).trim_end().to_owned()
}

/// The code of up to four letters.
pub fn fourcc(text: &str) -> u32 {
    let mut letters = text.bytes();
    u32::from_le_bytes(std::array::from_fn(|_| letters.next().unwrap_or(b' ')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fourcc_is_read_from_its_low_byte_up() {
        assert_eq!(fourcc_text(u32::from_le_bytes(*b"MJPG")), "MJPG");
        assert_eq!(fourcc_text(u32::from_le_bytes(*b"Y16 ")), "Y16");
        assert_eq!(fourcc_text(0), "");
    }
}
