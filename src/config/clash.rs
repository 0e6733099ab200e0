//! Which two sources may be one device: a device is opened by one camera only.

use crate::config::Device;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Why one camera cannot have the source `one` and another one `other`; behind both their names.
pub fn of_sources(one: &Device, other: &Device) -> Option<String> {
    if !is_local(one) || !is_local(other) {
        return None;
    }
    if [one, other].contains(&&Device::Auto) {
        return Some(
            "may get one device, because the source `auto` takes any: name the device of each \
             (`camfeed --list` shows them)"
                .to_owned(),
        );
    }
    if let (Some(node), Some(others)) = (node(one), node(other)) {
        return (canonical(&node) == canonical(&others)).then(|| match node == others {
            true => format!("have one device, {one}"),
            false => format!("have one device: {one} and {other} are the same"),
        });
    }
    match (one, other) {
        (Device::Csi(Some(id)), Device::Csi(Some(others))) => (may_mean(id, others)
            || may_mean(others, id))
        .then(|| format!("have one device: {one} and {other} mean the same camera module")),
        (Device::Csi(_), Device::Csi(_)) => Some(
            "may get one device, because the source `csi` is the first camera module: allowed is csi:ID \
             for each (`camfeed --list` shows them)"
                .to_owned(),
        ),
        _ => None,
    }
}

/// True for a device of this machine, which one program opens.
fn is_local(device: &Device) -> bool {
    match device {
        Device::Auto | Device::All | Device::Number(_) | Device::Node(_) | Device::Csi(_) => true,
        Device::File(_) | Device::Url(_) | Device::Gst(_) | Device::Pattern(_) => false,
    }
}

/// The node of a V4L2 device.
fn node(device: &Device) -> Option<PathBuf> {
    matches!(device, Device::Number(_) | Device::Node(_)).then(|| device.to_string().into())
}

/// Where `path` leads: names under /dev/v4l are links. One that is not there now stays as it is.
fn canonical(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

/// True where `name` means the camera module `id`: as its id, as the end of it, or as its sensor.
fn may_mean(name: &str, id: &str) -> bool {
    let last = id.rsplit('/').next().unwrap_or(id);
    let sensor = last.split('@').next();
    let is_end = id
        .strip_suffix(name)
        .is_some_and(|rest| rest.ends_with('/'));
    name == id || is_end || sensor == Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use argh::FromArgValue;
    use std::{env, os::unix::fs::symlink, process};

    fn said(one: &str, other: &str) -> Option<String> {
        let device = |text| Device::from_arg_value(text).expect("a source");
        assert_eq!(
            of_sources(&device(one), &device(other)).is_some(),
            of_sources(&device(other), &device(one)).is_some(),
            "{one}, {other}"
        );
        of_sources(&device(one), &device(other))
    }

    #[test]
    fn one_device_is_told_from_two() {
        let id = "csi:/base/soc/i2c0mux/i2c@1/imx708@1a";
        for (one, other, reason) in [
            ("0", "0", Some("have one device, /dev/video0")),
            ("0", "/dev/video0", Some("have one device, /dev/video0")),
            ("0", "1", None),
            ("0", "/dev/video10", None),
            ("0", "csi", None),
            ("csi", "csi", Some("csi:ID")),
            ("csi", id, Some("csi:ID")),
            (id, id, Some("the same camera module")),
            (id, "csi:i2c@1/imx708@1a", Some("the same camera module")),
            (id, "csi:imx708", Some("the same camera module")),
            (id, "csi:/base/soc/i2c0mux/i2c@0/imx708@1a", None),
            (id, "csi:ov5647", None),
            ("auto", "auto", Some("`auto` takes any")),
            ("auto", "0", Some("`auto` takes any")),
            ("auto", "/dev/v4l/by-id/x", Some("`auto` takes any")),
            ("auto", "csi", Some("`auto` takes any")),
            ("auto", "test", None),
            ("auto", "http://host/stream", None),
            ("test", "test", None),
            ("./a.avi", "./a.avi", None),
            ("http://host/stream", "http://host/stream", None),
            ("gst:videotestsrc", "gst:videotestsrc", None),
        ] {
            let said = said(one, other);
            assert_eq!(said.is_some(), reason.is_some(), "{one}, {other}");
            let said = said.unwrap_or_default();
            assert!(said.contains(reason.unwrap_or_default()), "{said}");
        }
    }

    #[test]
    fn names_that_lead_to_one_node_are_one_device() {
        // `/dev/null` stands for a camera, and links elsewhere for those under /dev/v4l.
        let folder = env::temp_dir().join(format!("camfeed-clash-{}", process::id()));
        fs::create_dir_all(&folder).expect("made");
        let (link, other) = (folder.join("link"), folder.join("other"));
        symlink("/dev/null", &link).expect("made");
        symlink("/dev/zero", &other).expect("made");
        let node = |path: &Path| Device::Node(path.to_owned());
        let null = Device::Node("/dev/null".into());
        let same = of_sources(&null, &node(&link));
        let two = of_sources(&null, &node(&other));
        let gone = of_sources(&null, &node(&folder.join("gone")));
        fs::remove_dir_all(&folder).expect("removed");
        assert!(same.is_some_and(|said| said.ends_with("are the same")));
        assert_eq!((two, gone), (None, None));
    }
}
