//! The V4L2 nodes of this machine, for `auto`.

use crate::config::Device;
use std::fs;

/// Drivers of codecs and image processors: their nodes look like cameras and are none (every
/// Raspberry Pi has a dozen of them).
const NO_CAMERAS: [&str; 8] = [
    "bcm2835-codec",
    "bcm2835-isp",
    "rpivid",
    "rpi-hevc",
    "pispbe",
    "rp1-cfe",
    "unicam",
    "hantro",
];

/// Nodes that may be cameras, lowest number first.
pub fn cameras() -> Vec<Device> {
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
        .filter(|number| {
            let name = fs::read_to_string(format!("/sys/class/video4linux/video{number}/name"));
            !name.is_ok_and(|name| NO_CAMERAS.iter().any(|driver| name.starts_with(driver)))
        })
        .collect();
    numbers.sort_unstable();
    numbers.into_iter().map(Device::Number).collect()
}
