//! What the commands of the pages do, held against what these promise.

use super::{desk::Desk, text::block};
use crate::{
    camfeed::{SOON, eventually, run},
    fakecam::{is_of_ring, unmarked},
    http::{Parts, get},
    status::state,
};
use serde_json::Value;
use std::{fs, net::SocketAddr, os::unix::fs::PermissionsExt};

/// What makes the password, for sections that have it from an earlier one.
const PASSWORD: &str =
    r#"(umask 077; echo "ann:$(openssl rand -hex 12)" > password); cat password"#;

/// Runs to its end, which is a good one.
pub fn ends(desk: &mut Desk, line: &str) {
    desk.well(line);
}

pub fn says(desk: &mut Desk, line: &str, words: &str) {
    let said = desk.well(line);
    assert!(said.contains(words), "no {words} in {said}");
}

/// Serves the camera that is there.
pub fn serves(desk: &mut Desk, line: &str) {
    let address = desk.serve(line);
    wait_camera(address, "source", "/dev/video0");
}

/// Waits until `/state` says so of the camera.
fn wait_camera(address: SocketAddr, what: &str, expected: impl Into<Value>) {
    let (mut camera, expected) = (Value::Null, expected.into());
    let is_so = eventually(SOON, || {
        camera = state(address)["camera"].take();
        camera[what] == expected
    });
    assert!(is_so, "{what} is never {expected}: {camera:#}");
}

pub fn make_run(desk: &mut Desk, line: &str) {
    serves(desk, line);
    desk.noted("cargo build --release --locked");
    assert!(desk.path("camfeed/target/release/camfeed").exists());
}

/// The camera is there for one.
pub fn make_run_again(desk: &mut Desk, line: &str) {
    desk.leave();
    serves(desk, line);
}

pub fn serves_720p(desk: &mut Desk, line: &str) {
    // It has the camera.
    desk.leave();
    let address = desk.serve(line);
    wait_camera(address, "source", "/dev/video0");
    wait_camera(address, "width", 1280);
}

/// There is one whole picture below `place` whose name ends like this, and it is taken away.
pub fn is_picture(desk: &Desk, place: &str, end: &str) {
    let names = desk.wait_files(place, end);
    assert_eq!(names.len(), 1, "{names:?}");
    let path = desk.path(place).join(&names[0]);
    let jpeg = fs::read(&path).unwrap();
    let is_whole = jpeg.starts_with(&[0xff, 0xd8]) && jpeg.ends_with(&[0xff, 0xd9]);
    assert!(is_whole, "{names:?}, {} bytes", jpeg.len());
    fs::remove_file(path).unwrap();
}

/// systemd starts the unit with the machine.
pub fn is_enabled(desk: &Desk, link: &str) {
    let path = desk.path("root/etc/systemd/system").join(link);
    assert!(path.is_symlink(), "no {link}");
}

/// FFmpeg, and so everything that reads with it, takes the address in `line`.
pub fn ffmpeg_reads(desk: &mut Desk, line: &str) {
    let address = line.split('"').nth(1).or(line.split(' ').next_back());
    let address = desk.translate(address.unwrap());
    let asked = [
        "-v",
        "error",
        "-show_entries",
        "stream=codec_name",
        "-of",
        "csv=p=0",
    ];
    let seen = run("ffprobe", &[&asked[..], &[&address]].concat());
    assert_eq!(
        String::from_utf8_lossy(&seen.stdout).trim(),
        "mjpeg",
        "{seen:?}"
    );
}

pub fn relays(desk: &mut Desk, line: &str) {
    let address = desk.serve(line);
    wait_camera(address, "state", "online");
}

/// The password's file is its owner's, and printed.
pub fn makes_password(desk: &mut Desk, line: &str) {
    let said = desk.well(line);
    assert_eq!(said, desk.read("camfeed/password"));
    let mode = fs::metadata(desk.path("camfeed/password"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let password = said.trim().strip_prefix("ann:").expect("a user");
    assert_eq!(password.len(), 24, "{said}");
    desk.mean("PASSWORD", password);
}

pub fn have_password(desk: &mut Desk) {
    makes_password(desk, PASSWORD);
}

pub fn wants_password(desk: &mut Desk, line: &str) {
    let address = desk.serve(line);
    assert_eq!(get(address, "/snapshot.jpg").status, 401);
    desk.well("curl -sf -u ann:PASSWORD http://pi.local:8080/snapshot.jpg >first");
    is_picture(desk, "camfeed", "first");
}

pub fn reads_password_again(desk: &mut Desk, line: &str) {
    let serving = desk.last();
    let pid = serving.pid().as_raw_nonzero();
    fs::write(desk.path("camfeed/password"), "ann:another one\n").unwrap();
    desk.well(&format!("{line} {pid}"));
    desk.last().wait_said("read again: ", 1);
    desk.well("curl -sf -u 'ann:another one' http://pi.local:8080/snapshot.jpg >again");
    is_picture(desk, "camfeed", "again");
    let old = desk.command("curl -sf -u ann:PASSWORD http://pi.local:8080/snapshot.jpg");
    let code = { old }.status().unwrap().code();
    assert_eq!(code, Some(22));
}

pub fn makes_token(desk: &mut Desk, line: &str) {
    let said = desk.well(line);
    assert_eq!(said, desk.read("camfeed/token"));
    let mode = fs::metadata(desk.path("camfeed/token"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let token = desk.read("camfeed/token");
    desk.mean("TOKEN", token.trim());
    have_password(desk);
}

/// With the token in its address, the picture of the HTML block is there for who asks no password.
pub fn shows_in_other_pages(desk: &mut Desk, line: &str) {
    wants_password(desk, line);
    let image = block(desk.page, "For pictures in other pages: a token", "html");
    ffmpeg_reads(desk, &image.text);
}

pub fn is_limit(desk: &mut Desk, line: &str) {
    // Of the shell that people type in.
    let said = desk.well(&format!("bash -c '{line}'"));
    let said = said.trim();
    assert!(said == "unlimited" || said.parse::<u64>().is_ok(), "{said}");
}

/// A level of the relay, which the next one knows by this name.
pub fn relay(desk: &mut Desk, line: &str, name: &str) {
    let address = desk.serve(line);
    wait_camera(address, "state", "online");
    desk.mean(name, &address.to_string());
}

/// pi-zero has the camera.
pub fn relays_beside_its_own(desk: &mut Desk, line: &str) {
    desk.mean("/dev/video0", "test");
    let address = desk.serve(line);
    desk.last().wait_said("camera online", 2);
    ends_as_sent(address, "/shed/stream");
}

pub fn relay_next_door(desk: &mut Desk, line: &str) {
    let address = desk.serve(line);
    wait_camera(address, "state", "online");
    ends_as_sent(address, "/stream");
}

fn ends_as_sent(address: SocketAddr, path: &str) {
    let jpeg = Parts::open(address, path).next_part().jpeg;
    let (_, own) = unmarked(&jpeg).expect("the camera's");
    assert!(is_of_ring(&own), "not every byte as the camera sent it");
}
