//! Which devices with nodes there are, told apart by what does not change with their numbers: what the
//! kernel keeps of them under `/sys`.
//!
//! None is opened for that; [`kind`] opens one, to ask whether it captures pictures.

use crate::{
    capture::source::{
        v4l2_devices::{captures, cause_of, numbers},
        v4l2_errors::NO_DEVICE,
    },
    config::Device,
    error::{Cause, Error},
    feed::place::{NodeIdentity, Place, SeenDevice},
};
use linuxvideo::{BufType, Device as Node};
use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// What the kernel keeps of each node.
const CLASS: &str = "/sys/class/video4linux";

/// What a node is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// It captures pictures.
    Camera {
        /// Where it is plugged in, asked of it where the kernel does not say so.
        port: Option<String>,
    },
    /// It does not: a codec, an image processor, metadata, a camera module's connector.
    Other,
    /// It may not be opened at present. It is likely a camera, or not.
    Closed {
        /// Nothing says that it is none.
        is_likely: bool,
    },
}

/// Every node with its device, lowest number first; cameras and others. Where the kernel does not say in which
/// port one is, [`kind`] does.
pub fn seen() -> Vec<SeenDevice> {
    numbers().into_iter().filter_map(device).collect()
}

/// The node at `path` as it stands there now; `None` where none does.
pub fn identity(path: &Path) -> Option<NodeIdentity> {
    let file = fs::metadata(path).ok()?;
    Some(NodeIdentity {
        path: path.to_owned(),
        inode: file.ino(),
        made: file.created().ok(),
    })
}

/// An error where `device`, the node that a camera was found at, is another device's by now.
pub fn check_place(device: &Device, place: &Place) -> Result<(), Error> {
    let reason = match identity(Path::new(&device.to_string())) {
        node if node.is_some() && node == place.node() => return Ok(()),
        Some(_) => "another device has its number (is the camera plugged in?)",
        None => NO_DEVICE,
    };
    Err(Error::open(device, Cause::Missing, reason))
}

fn device(number: u32) -> Option<SeenDevice> {
    let node = identity(&PathBuf::from(format!("/dev/video{number}")))?;
    let port = fs::canonicalize(kept(&node.path).join("device")).ok();
    let port = port.map(|port| with_index(&port.display().to_string(), &node.path));
    // Of a USB camera `device` is the interface, and what is above it the device.
    let is_usb = port.as_ref().is_some_and(|port| port.contains("/usb"));
    Some(SeenDevice {
        card: text(&node.path, "name").unwrap_or_default(),
        serial: text(&node.path, "device/../serial").filter(|_| is_usb),
        port,
        node,
    })
}

/// What the kernel keeps of a node stands there.
fn kept(node: &Path) -> PathBuf {
    Path::new(CLASS).join(node.file_name().unwrap_or_default())
}

fn text(node: &Path, name: &str) -> Option<String> {
    let text = fs::read_to_string(kept(node).join(name)).ok()?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// The part of the device at `port` that the node is of.
fn with_index(port: &str, node: &Path) -> String {
    format!("{port} {}", text(node, "index").unwrap_or_default())
}

/// What the device at that node is; asked of it, so it may never answer.
pub fn kind(seen: &SeenDevice) -> Kind {
    let path = &seen.node.path;
    match Node::open(path) {
        Ok(node) if captures(&node) && has_formats(&node) => Kind::Camera {
            port: seen.port.clone().or_else(|| {
                // It stands for no hardware, or the kernel shows nothing here.
                let capabilities = node.capabilities().ok()?;
                let bus = Some(capabilities.bus_info()).filter(|bus| !bus.is_empty());
                bus.map(|bus| with_index(bus, path))
            }),
        },
        Ok(_) => Kind::Other,
        Err(error) => {
            let is_shut = matches!(cause_of(&error), Cause::Forbidden | Cause::Busy);
            // A codec on the board may not be opened either, nor a camera's second node.
            let is_likely = |port: &String| port.contains("/usb") && port.ends_with(" 0");
            Kind::Closed {
                is_likely: is_shut && seen.port.as_ref().is_none_or(is_likely),
            }
        }
    }
}

fn has_formats(node: &Node) -> bool {
    node.formats(BufType::VIDEO_CAPTURE)
        .any(|format| format.is_ok())
}

/// The name of the USB port in `port`, such as `usb1-2`; `None` of what is not on USB.
pub fn port_name(port: &str) -> Option<String> {
    let (path, _) = port.rsplit_once(' ')?;
    let interface = path.rsplit('/').next()?;
    let (device, _) = interface.split_once(':')?;
    let is_port = device.contains('-') && path.contains("/usb");
    is_port.then(|| format!("usb{}", device.replace('.', "-")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_usb_port_has_a_short_name() {
        let pci = "/sys/devices/pci0000:00/0000:00:14.0/usb1";
        let pi =
            "/sys/devices/platform/scb/fd500000.pcie/pci0000:00/0000:00:00.0/0000:01:00.0/usb1/1-1";
        for (port, name) in [
            (format!("{pci}/1-2/1-2:1.0 0"), Some("usb1-2")),
            (format!("{pi}/1-1.4/1-1.4:1.2 0"), Some("usb1-1-4")),
            ("/sys/devices/platform/soc/fe801000.csi 0".to_owned(), None),
            (String::new(), None),
        ] {
            assert_eq!(port_name(&port).as_deref(), name, "{port}");
        }
    }
}
