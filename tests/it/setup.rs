//! `scripts/setup`, on a machine that is said to have nothing: programs of this file stand in for
//! dpkg-query, apt-get, sudo and the like, and only note what is asked of them.

use crate::camfeed::Folder;
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    process::{Command, Stdio},
};

/// What `apt-get` and the rest do: the first word is the program.
const STANDINS: &[(&str, &str)] = &[
    ("cargo", "echo cargo 1.90.0"),
    ("id", "echo 1000"),
    // Nothing is installed, and apt has no peer to measure beside.
    ("dpkg-query", "exit 1"),
    ("apt-cache", "exit 0"),
    ("systemctl", "exit 0"),
    // As sudo does, unless it was told to keep variables.
    (
        "sudo",
        r#"echo "sudo $*" >>"$NOTES"; exec env -u DEBIAN_FRONTEND "$@""#,
    ),
    (
        "apt-get",
        r#"echo "apt-get $* ($DEBIAN_FRONTEND)" >>"$NOTES""#,
    ),
];

/// What `scripts/setup` says, and what it asked of others.
fn set_up(purposes: &[&str]) -> (String, String) {
    set_up_with(purposes, &[])
}

/// The same, where `others` are in the place of some of [`STANDINS`].
fn set_up_with(purposes: &[&str], others: &[(&str, &str)]) -> (String, String) {
    set_up_where(&[], purposes, others)
}

/// The same on a machine whose `/dev/video0` and on are called so by the kernel.
fn set_up_where(nodes: &[&str], purposes: &[&str], others: &[(&str, &str)]) -> (String, String) {
    let folder = Folder::new();
    for (number, name) in nodes.iter().enumerate() {
        let node = folder.file(&format!("sys/class/video4linux/video{number}"));
        fs::create_dir_all(&node).unwrap();
        fs::write(format!("{node}/name"), format!("{name}\n")).unwrap();
    }
    for (name, body) in STANDINS.iter().chain(others) {
        let path = folder.file(name);
        fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let notes = folder.file("notes");
    let output = Command::new("scripts/setup")
        .args(purposes)
        .env_remove("DEBIAN_FRONTEND")
        .env("PATH", format!("{}:/usr/bin:/bin", folder.0.display()))
        .env("NOTES", &notes)
        .env("CAMFEED_SYSFS", &folder.0)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    (said, fs::read_to_string(notes).unwrap_or_default())
}

#[test]
fn what_is_missing_is_said_with_its_purpose_and_the_command() {
    let (said, _) = set_up(&["build"]);
    for words in [
        "setup: missing to build (OpenCV, ",
        "): libopencv-dev ",
        "setup: sudo apt-get install --no-install-recommends libopencv-dev ",
    ] {
        assert!(said.contains(words), "no {words:?} in {said}");
    }
    assert!(!said.contains("to test"), "{said}");
    let (said, _) = set_up(&["build", "test", "package"]);
    for words in [
        "missing to build (",
        "missing to test (",
        "to make packages (",
    ] {
        assert_eq!(said.matches(words).count(), 1, "{words:?} in {said}");
    }
}

#[test]
fn apt_asks_nothing_even_behind_sudo_and_shows_how_far_it_is() {
    let (_, notes) = set_up(&["build"]);
    let asked: Vec<_> = notes
        .lines()
        .filter(|line| line.starts_with("apt-get "))
        .collect();
    let [update, install] = asked.as_slice() else {
        panic!("{notes}")
    };
    assert!(update.starts_with("apt-get update "), "{update}");
    assert!(install.starts_with("apt-get install -y "), "{install}");
    assert!(!install.contains(" -q"), "{install}");
    for line in asked {
        assert!(line.ends_with("(noninteractive)"), "{line}");
    }
    assert_eq!(notes.matches("sudo ").count(), 2, "{notes}");
}

#[test]
fn browsers_of_every_engine_are_for_the_tests_only() {
    let browsers = ["chromium", "firefox-esr", "webkit2gtk-driver", "xvfb"];
    let (_, built) = set_up(&["build"]);
    let (_, tested) = set_up(&["build", "test"]);
    for name in browsers {
        assert!(!built.split(' ').any(|word| word == name), "{built}");
        assert!(tested.split(' ').any(|word| word == name), "{tested}");
    }
}

#[test]
fn the_bench_gets_the_one_browser_that_it_measures_the_page_in() {
    let (said, notes) = set_up(&["build", "bench"]);
    let is_asked = |name: &str| notes.split(' ').any(|word| word.trim() == name);
    for (name, is_needed) in [("chromium", true), ("xvfb", true), ("firefox-esr", false)] {
        assert_eq!(is_asked(name), is_needed, "{name}: {notes}");
    }
    assert!(said.contains("missing to measure ("), "{said}");
}

#[test]
fn npm_is_asked_for_only_where_there_is_none() {
    // Node.js from elsewhere brings one, with which Debian's is in conflict.
    let (_, notes) = set_up_with(&["page"], &[("npm", "exit 0")]);
    assert!(notes.contains(" chromium ffmpeg nodejs"), "{notes}");
    assert!(!notes.contains(" npm"), "{notes}");
    let (_, tested) = set_up(&["build", "test"]);
    assert!(!tested.contains("nodejs"), "{tested}");
}

#[test]
fn webkit_s_driver_is_asked_for_by_the_name_that_apt_has() {
    let renamed = r#"[ "$2" != webkitgtk-webdriver ] || echo "  Candidate: 2.50.6-1""#;
    let (_, notes) = set_up_with(&["test"], &[("apt-cache", renamed)]);
    assert!(notes.contains(" webkitgtk-webdriver "), "{notes}");
    assert!(!notes.contains("webkit2gtk-driver"), "{notes}");
}

#[test]
fn libcamera_is_for_machines_with_a_camera_module_only() {
    let packages = "gstreamer1.0-libcamera libcamera-ipa";
    for (nodes, is_for_it) in [
        (&[][..], false),
        (
            &["USB Camera", "bcm2835-isp-output0", "pispbe-input"],
            false,
        ),
        (&["USB Camera", "unicam-image"], true),
        (&["rp1-cfe-csi2_ch0", "rp1-cfe-fe_image0"], true),
    ] {
        let (said, notes) = set_up_where(nodes, &["build"], &[]);
        let why =
            format!("setup: missing for the camera module that is here (libcamera): {packages}\n");
        assert_eq!(said.contains(&why), is_for_it, "{nodes:?}: {said}");
        assert_eq!(notes.contains(packages), is_for_it, "{nodes:?}: {notes}");
    }
    // Who only makes packages reads no camera.
    let (_, notes) = set_up_where(&["unicam-image"], &["package"], &[]);
    assert!(!notes.contains("libcamera"), "{notes}");
}
