//! Commands of the pages that set up a machine: packages, services, the camera module, the bench.

use super::{
    blocks::{block, shown},
    desk::Desk,
    migrating,
    steps::{is_enabled, is_picture, serves},
    text::{Command, options},
    trouble,
};
use crate::{
    camfeed::{SOON, eventually, run},
    http::get,
    manual::{PAGES, page},
};
use serde_json::Value;
use std::{fs, net::SocketAddr, os::unix::fs::PermissionsExt};

/// What `make bench` reads its options with.
const BENCH: &str = include_str!("../../bench/args.rs");

/// It shows the module that a stand-in for libcamera has.
pub fn shows_camera_module(desk: &mut Desk, line: &str) {
    desk.have_module();
    let running = desk.start(line);
    running.wait_said("camera online: csi:", 1);
    running.wait_said("1280x960 at 30 fps", 1);
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
    running.wait_said("camera online: gst:libcamerasrc", 1);
    running.wait_said("1280x720 at 30 fps, NV12 encoded", 1);
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

/// The package that is made here is one that the README offers, and is installed.
pub fn installs_offered_package(desk: &mut Desk, line: &str) {
    desk.build_binary();
    desk.well("make deb");
    let names = crate::shell::files(&desk.path("camfeed/target"));
    let name = names.iter().find(|name| name.ends_with(".deb"));
    let name = name.expect("a package");
    let offered = page("README.md");
    assert!(
        offered.contains(&format!("`{name}`")),
        "no {name} is offered"
    );
    desk.well(&format!("cd target && {line}"));
    assert!(desk.path("root/usr/bin/camfeed").exists());
}

/// What Debian is here: that of the machine, not of the desk.
pub fn tells_the_file(desk: &mut Desk, line: &str) {
    desk.mean("/etc/os-release", "/etc/os-release");
    let end = format!("~{}`", desk.well(line).trim());
    assert!(
        page("README.md").contains(&end),
        "no package ends so: {end}"
    );
}

/// As the README shows it, but for what was measured and whose the node is.
pub fn checks_as_shown(desk: &mut Desk, line: &str) {
    let shape = |text: &str| {
        let lines = text
            .lines()
            .map(|line| match line.split_whitespace().next() {
                Some("measured" | "pictures" | "JPEG") => line
                    .replace(|c: char| c.is_ascii_digit() || c == '.', "")
                    .replace("  ", " "),
                Some("permission") => line.split(", group").next().unwrap().to_owned(),
                _ => line.to_owned(),
            });
        lines.collect::<Vec<_>>()
    };
    let said = desk.well(line);
    assert!(said.contains(" whole, 0 broken"), "{said}");
    let shown = shown("README.md", "Choose the camera", "text", 1);
    assert_eq!(shape(&said), shape(&shown));
}

/// The file of options is there, and gets those that the README writes then.
pub fn writes_what_was_chosen(desk: &mut Desk, line: &str) {
    trouble::of_service(desk, line);
    let options = block("README.md", "Choose the camera", "conf").text;
    let options = format!("{options}--listen 127.0.0.1:0\n");
    fs::write(desk.path("root/etc/camfeed.conf"), options).unwrap();
}

/// They are good ones.
pub fn serves_what_was_chosen(desk: &mut Desk, line: &str) {
    desk.well(line);
    let address = desk.serve("camfeed --config /etc/camfeed.conf");
    desk.last().wait_said("1280x720 at ", 1);
    assert_eq!(get(address, "/snapshot.jpg").status, 200);
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
    let place = is_given(desk, name);
    assert_eq!(desk.read(&place), desk.read(&format!("camfeed/{name}")));
}

/// It prints the one that the service takes, which is root's alone.
pub fn makes_password_of_service(desk: &mut Desk, line: &str) {
    let said = makes_secret_of_service(desk, line, "password");
    let password = said.trim().strip_prefix("ann:").expect("a user");
    assert_eq!(password.len(), 24, "{said}");
    desk.mean("PASSWORD", password);
}

/// The same.
pub fn makes_token_of_service(desk: &mut Desk, line: &str) {
    let said = makes_secret_of_service(desk, line, "token");
    assert_eq!(said.trim().len(), 32, "{said}");
}

/// What it prints is given to the service.
fn makes_secret_of_service(desk: &mut Desk, line: &str, name: &str) -> String {
    desk.well("make build");
    installs(desk, "make install", true);
    let said = desk.well(line);
    let place = is_given(desk, name);
    assert_eq!(said, desk.read(&place));
    let folder = fs::metadata(desk.path("root/etc/camfeed")).unwrap();
    assert_ne!(
        folder.permissions().mode() & 0o005,
        0,
        "others' options are there"
    );
    said
}

/// Where the service's unit looks for this secret, and it is, for root alone.
fn is_given(desk: &Desk, name: &str) -> String {
    let unit = desk.read("root/usr/local/lib/systemd/system/camfeed.service");
    let start = format!("LoadCredential={name}:/");
    let place = unit.lines().find_map(|line| line.strip_prefix(&start));
    let place = format!("root/{}", place.expect("a place"));
    let metadata = fs::metadata(desk.path(&place)).unwrap();
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
    place
}

/// Nobody gets a picture without it.
pub fn takes_password_of_service(desk: &mut Desk, line: &str) {
    let address = desk.serve("camfeed --password-file /etc/camfeed/password");
    assert_eq!(get(address, "/snapshot.jpg").status, 401);
    desk.well(line);
    is_picture(desk, "camfeed", "snapshot.jpg");
}

/// The script gets as far as the stand-in, which is asked for that Debian, and fails.
pub fn begins_with_debootstrap(desk: &mut Desk, line: &str, suite: &str) {
    let ended = desk.command(line).output().unwrap();
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    let root = desk.path("camfeed/target/release-roots").join(suite);
    desk.noted(&format!(
        "debootstrap --variant=minbase {suite} {}",
        root.display()
    ));
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
    let address = desk.serve(line);
    are_both(desk, address);
    let options = &block("docs/cameras.md", "By sections", "conf").text;
    serve_both(desk, options);
}

/// A file with `options` serves a camera in the garden and one in the shed.
pub fn serve_both(desk: &mut Desk, options: &str) {
    desk.mean("/dev/v4l/by-id/NAME-OF-IT", "/dev/video0");
    desk.mean("http://pi-zero.local:8080/stream", "test");
    let options = format!("--listen 127.0.0.1:0\n{}", desk.translate(options));
    fs::write(desk.path("camfeed/two.conf"), options).unwrap();
    let address = desk.serve("camfeed --config two.conf");
    are_both(desk, address);
}

fn are_both(desk: &mut Desk, address: SocketAddr) {
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

/// camfeed takes the options that the page writes for a second camera.
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
    // There the options of other programs stand beside, which `migrating` tells apart.
    let pages = PAGES.iter().filter(|(name, _)| *name != migrating::PAGE);
    let options = pages.flat_map(|(name, page)| {
        let options = options(page).into_iter();
        options.map(move |option| (*name, option))
    });
    let options: Vec<_> = options.collect();
    assert!(options.len() > 100, "{options:?}");
    for (page, Command { line, text, .. }) in &options {
        let name = text.split(' ').next().unwrap();
        let is_one =
            help.contains(&format!("\n  {name} ")) || help.contains(&format!("\n  {name},"));
        let is_known = is_one || BENCH.contains(&format!("\"{name}\""));
        assert!(is_known, "{page} line {line}: there is no {name}");
    }
}
