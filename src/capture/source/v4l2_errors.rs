//! Why a camera on a V4L2 node does not open or gives no pictures: a sentence for each cause, with what
//! to do next.
//!
//! OpenCV keeps the system's error to itself, so the camera is asked again after OpenCV has failed and let
//! go of it.

use crate::{
    capture::source::v4l2_devices::{captures, cause_of, is_camera_module, lowercase_message},
    error::Cause,
};
use linuxvideo::{BufType, Device as Node, format::Format};
use rustix::io::Errno;
use std::{io, path::Path};

/// Why the camera at `path` does not open or give pictures, with advice. Nobody else in this process has
/// it open. Where its bus is full, `of_bandwidth` says what fits.
pub fn diagnose(path: &Path, of_bandwidth: impl FnOnce() -> String) -> (Cause, String) {
    match Node::open(path) {
        Err(error) => opening_failed(&error),
        Ok(node) if is_camera_module(&node) => (Cause::NotACamera, CAMERA_MODULE.to_owned()),
        Ok(node) if !captures(&node) => (Cause::NotACamera, NOT_A_CAMERA.to_owned()),
        Ok(node) => {
            let is_usb = node
                .capabilities()
                .is_ok_and(|capabilities| capabilities.bus_info().starts_with("usb"));
            match start(node) {
                Err(error) => starting_failed(&error, is_usb, of_bandwidth),
                Ok(()) => (
                    Cause::Silent,
                    "the camera gives errors instead of pictures".to_owned(),
                ),
            }
        }
    }
}

/// Said of the nodes of a Raspberry Pi's camera connector.
const CAMERA_MODULE: &str = "it is the connector of a Raspberry Pi camera module, which is read through \
    libcamera (`--source csi`)";

const NOT_A_CAMERA: &str =
    "it is no camera that captures pictures (`camfeed --list` names those that do)";

/// Said of a camera that is unplugged, or was never there.
pub const NO_DEVICE: &str =
    "no such device (is the camera plugged in? `camfeed --list` shows those that are)";

const BUSY: &str = "another program is using it (`sudo fuser -v /dev/video*` names it; \
    `sudo systemctl stop camfeed` ends camfeed's service)";

/// Asks for pictures as OpenCV does, and ends that at once.
fn start(node: Node) -> io::Result<()> {
    match node.format(BufType::VIDEO_CAPTURE)? {
        Format::VideoCapture(format) => node.video_capture(format)?.into_stream().map(drop),
        _ => Ok(()),
    }
}

fn opening_failed(error: &io::Error) -> (Cause, String) {
    let cause = cause_of(error);
    let reason = match cause {
        Cause::Missing => NO_DEVICE,
        Cause::Forbidden => {
            "permission denied (is this user in the group video? \
             `sudo usermod -aG video $USER`, then log in again)"
        }
        Cause::Busy => BUSY,
        Cause::NotACamera => NOT_A_CAMERA,
        Cause::Silent | Cause::Unreachable | Cause::Other => &lowercase_message(error),
    };
    (cause, reason.to_owned())
}

/// What the system's error means when pictures are asked for.
fn starting_failed(
    error: &io::Error,
    is_usb: bool,
    of_bandwidth: impl FnOnce() -> String,
) -> (Cause, String) {
    let (cause, reason) = match Errno::from_io_error(error) {
        Some(Errno::NOSPC) => return (Cause::Silent, of_bandwidth()),
        Some(Errno::BUSY) => (Cause::Busy, BUSY),
        Some(Errno::ACCESS | Errno::PERM) => (
            Cause::Forbidden,
            "it opens and may not be started (does its privacy switch, or a container, forbid it?)",
        ),
        Some(Errno::IO) => (
            Cause::Silent,
            "input/output error when it is started: its firmware hangs, or its cable or hub is bad (unplug \
             it and plug it in again)",
        ),
        Some(Errno::PROTO) => (
            Cause::Silent,
            "USB protocol error when it is started: the cable, the hub or the power supply is too weak",
        ),
        Some(Errno::PIPE | Errno::NOLINK) if !is_usb => (
            Cause::Silent,
            "the media pipeline before it is not set up (`media-ctl -p` shows it; libcamera sets it up)",
        ),
        Some(Errno::PIPE) => (
            Cause::Silent,
            "the camera refuses to start (broken pipe): it lacks this format, size or rate, or needs to be \
             plugged in again",
        ),
        Some(Errno::NODEV | Errno::NXIO) => (
            Cause::Missing,
            "the camera was unplugged, or fell off the bus, when it was started (is its power supply \
             strong enough?)",
        ),
        _ => {
            let reason = lowercase_message(error);
            return (Cause::Other, format!("it cannot be started: {reason}"));
        }
    };
    (cause, reason.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::source::v4l2_bandwidth::no_bandwidth_for;

    fn general() -> String {
        no_bandwidth_for("it")
    }

    #[test]
    fn a_missing_device_is_named_as_such() {
        let path = Path::new("/dev/video-of-nobody");
        let (cause, reason) = diagnose(path, general);
        assert_eq!(reason, NO_DEVICE);
        assert_eq!(cause, Cause::Missing);
    }

    #[test]
    fn a_node_of_another_kind_is_named_as_such() {
        let path = Path::new("/dev/null");
        let (cause, reason) = diagnose(path, general);
        assert_eq!(cause, Cause::NotACamera, "{reason}");
    }

    #[test]
    fn every_error_at_the_start_has_a_sentence_of_its_own() {
        let errors = [
            Errno::NOSPC,
            Errno::BUSY,
            Errno::ACCESS,
            Errno::IO,
            Errno::PROTO,
            Errno::PIPE,
            Errno::NODEV,
            Errno::TIMEDOUT,
        ];
        let said = errors.map(|errno| starting_failed(&errno.into(), true, general).1);
        for (at, reason) in said.iter().enumerate() {
            assert!(!said[..at].contains(reason), "{reason}");
        }
        let module = starting_failed(&Errno::PIPE.into(), false, general);
        assert!(module.1.contains("media-ctl"), "{}", module.1);
    }
}
