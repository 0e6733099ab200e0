//! Commands of the README that set up a machine: packages, services, the camera module, the bench.

use super::{
    blocks::block,
    desk::Desk,
    steps::{is_enabled, serves},
    text::{Command, options},
};
use crate::{
    camfeed::{SOON, eventually, run},
    http::get,
};
use serde_json::Value;
use std::{fs, os::unix::fs::PermissionsExt};

/// What `make bench` reads its options with.
const BENCH: &str = include_str!("../../bench/args.rs");

/// It shows the module that a stand-in for libcamera has.
pub fn shows_camera_module(desk: &mut Desk, line: &str) {
    desk.have_module();
    let running = desk.start(line);
    running.wait_said("camera online: source=csi:", 1);
    running.wait_said("size=1280x960 fps=30", 1);
    desk.end_last();
}

/// A Pi with a module gets its packages.
pub fn asks_for_libcamera(desk: &mut Desk, line: &str) {
    desk.have_module();
    let said = desk.well(line);
    let is_installed = |package: &str| {
        let shown = run("dpkg-query", &["-W", "-f", "${db:Status-Status}", package]);
        shown.stdout == b"installed"
    };
    for package in ["gstreamer1.0-libcamera", "libcamera-ipa"] {
        assert!(is_installed(package) || said.contains(package), "{said}");
    }
}

/// It opens the stand-in, whose pictures are as they are asked for.
pub fn opens_pipeline(desk: &mut Desk, line: &str) {
    desk.have_module();
    let running = desk.start(line);
    running.wait_said("camera online: source=gst:libcamerasrc", 1);
    running.wait_said("format=NV12 size=1280x720 fps=30 encoded", 1);
    desk.end_last();
}

/// The service's group may read them, and nobody else but root.
pub fn hides_options(desk: &mut Desk, line: &str) {
    desk.well(line);
    let path = desk.path("root/etc/camfeed.conf");
    let shown = run("stat", &["-c", "%a %U:%G", path.to_str().unwrap()]);
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert_eq!(shown.trim(), "640 root:video");
    let unit = fs::read_to_string("scripts/camfeed.service").unwrap();
    assert!(unit.contains("\nSupplementaryGroups=video\n"));
}

/// The newest package for this machine is taken, and brings the program.
pub fn installs_package(desk: &mut Desk, line: &str) {
    fs::write(
        desk.path("camfeed/target/camfeed_9-1_other.deb"),
        "for another machine",
    )
    .unwrap();
    desk.well(line);
    assert!(desk.path("root/usr/bin/camfeed").exists());
}

pub fn shows_manual(desk: &mut Desk, line: &str) {
    let pages = desk.path("root/usr/share/man");
    let said = desk.well(&format!("MANPATH={} {line}", pages.display()));
    assert!(said.contains("--password-file"), "{said}");
}

/// `make install` and `make uninstall`.
pub fn installs(desk: &mut Desk, line: &str, is_there: bool) {
    desk.well(line);
    for path in ["bin/camfeed", "lib/systemd/system/camfeed.service"] {
        let path = desk.path("root/usr/local").join(path);
        assert_eq!(path.exists(), is_there, "{path:?}");
    }
}

/// What is given to the service stands where its unit looks for it, for root alone.
pub fn gives_service(desk: &mut Desk, line: &str, name: &str) {
    desk.well("make build");
    installs(desk, "make install", true);
    desk.well(line);
    let unit = desk.read("root/usr/local/lib/systemd/system/camfeed.service");
    let start = format!("LoadCredential={name}:/");
    let place = unit.lines().find_map(|line| line.strip_prefix(&start));
    let place = format!("root/{}", place.expect("a place"));
    assert_eq!(desk.read(&place), desk.read(&format!("camfeed/{name}")));
    let mode = fs::metadata(desk.path(&place))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}

/// The script gets as far as the stand-in, which fails.
pub fn begins_with_debootstrap(desk: &mut Desk, line: &str) {
    let ended = desk.command(line).output().unwrap();
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    let root = desk.path("camfeed/target/release-roots/bookworm");
    let asked = format!("debootstrap --variant=minbase bookworm {}", root.display());
    desk.noted(&asked);
}

/// Serves the camera that is there under the name of its model.
pub fn serves_all(desk: &mut Desk, line: &str) {
    desk.leave();
    let address = desk.serve(line);
    let is_there = eventually(SOON, || get(address, "/fake/snapshot.jpg").status == 200);
    assert!(is_there, "{}", get(address, "/healthz").text());
}

/// Both cameras are served, and so they are with the options of the block behind it.
pub fn serves_two(desk: &mut Desk, line: &str) {
    desk.mean("/dev/v4l/by-id/NAME-OF-IT", "/dev/video0");
    desk.mean("http://pi-zero.local:8080/stream", "test");
    let options = desk.translate(&block("Several cameras", "conf").text);
    fs::write(desk.path("camfeed/two.conf"), options).unwrap();
    for line in [line, "camfeed --config two.conf"] {
        let address = desk.serve(line);
        for (name, source) in [("garden", "/dev/video0"), ("shed", "test pattern")] {
            let mut camera = Value::Null;
            let is_online = eventually(SOON, || {
                let state = get(address, &format!("/{name}/state"));
                let mut state: Value = serde_json::from_slice(&state.body).unwrap();
                camera = state["camera"].take();
                camera["state"] == "online"
            });
            assert!(
                is_online && camera["source"] == source,
                "{name}: {camera:#}"
            );
        }
        desk.end_last();
    }
}

/// camfeed takes the options that the README writes for a second camera.
pub fn writes_options(desk: &mut Desk, line: &str) {
    desk.mean("/dev/v4l/by-id/NAME-OF-IT", "/dev/video0");
    desk.well(line);
    serves(desk, "camfeed --config /etc/camfeed/garden.conf");
}

pub fn enables_another(desk: &mut Desk, line: &str) {
    desk.well("make build");
    installs(desk, "make install", true);
    desk.well(line);
    is_enabled(desk, "multi-user.target.wants/camfeed@garden.service");
    let unit = desk.read("root/usr/local/lib/systemd/system/camfeed@.service");
    assert!(unit.contains("--config /etc/camfeed/%i.conf"), "{unit}");
}

pub fn logs_each_request(desk: &mut Desk, line: &str) {
    desk.mean(" …", "");
    serves(desk, line);
    desk.last().wait_said("GET /state", 1);
}

/// The bench is started with these options, and they are options of it.
pub fn benches(desk: &mut Desk, line: &str, options: &str) {
    desk.well(line);
    desk.noted(format!("cargo bench --locked --bench feed -- {options}").trim());
    for option in options.split(' ').filter(|word| word.starts_with('-')) {
        assert!(BENCH.contains(&format!("\"{option}\"")), "{option}");
    }
}

#[test]
fn every_option_that_is_named_is_one() {
    let help = run(env!("CARGO_BIN_EXE_camfeed"), &["--help"]).stdout;
    let help = String::from_utf8(help).unwrap();
    let options = options();
    assert!(options.len() > 50, "{options:?}");
    for Command { line, text, .. } in &options {
        let name = text.split(' ').next().unwrap();
        let is_one =
            help.contains(&format!("\n  {name} ")) || help.contains(&format!("\n  {name},"));
        let is_known = is_one || BENCH.contains(&format!("\"{name}\""));
        assert!(is_known, "README line {line}: there is no {name}");
    }
}
