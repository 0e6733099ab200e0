//! Commands of the pages that look for what is wrong, and those for camera modules.

use super::{blocks::block, desk::Desk, machine::installs};
use crate::fakecam::picture;
use std::fs;

/// Of a service that is installed.
pub fn of_service(desk: &mut Desk, line: &str) {
    desk.well("make build");
    installs(desk, "make install", true);
    desk.well(line);
}

/// The service is stopped, and so the camera is free.
pub fn frees_camera(desk: &mut Desk, line: &str) {
    desk.well(line);
    desk.leave();
}

/// Nobody has plugged the camera in.
pub fn finds_no_camera(desk: &mut Desk, line: &str) {
    desk.camera.set("plugged no");
    let ended = desk.command(line).output().unwrap();
    assert_eq!(ended.status.code(), Some(3), "{ended:?}");
    let said = [ended.stdout, ended.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(said.contains("no camera found"), "{said}");
    desk.camera.set("");
}

/// An image, and what runs in it.
pub fn runs_container(desk: &mut Desk, line: &str) {
    desk.mean("…", "camfeed camfeed --source /dev/video0");
    desk.well(line);
}

/// Writes a file that stands where the system looks for it.
pub fn writes(desk: &mut Desk, line: &str, name: &str, words: &str) {
    let path = desk.path("root/etc").join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    desk.well(line);
    assert_eq!(fs::read_to_string(path).unwrap(), format!("{words}\n"));
}

/// What the page calls a server, a machine and a file is here from now on.
pub fn asks_server(desk: &mut Desk, line: &str) {
    let address = desk.serve("camfeed --source test");
    desk.mean("ADDRESS", &format!("http://{address}/snapshot.jpg"));
    desk.mean("HOST", "localhost");
    desk.mean("NAME", "localhost");
    desk.mean("FILE", picture("640x480", 1).to_str().unwrap());
    desk.well(line);
}

/// Of a stream.
pub fn probes(desk: &mut Desk, line: &str) {
    let address = desk.serve("camfeed --source test");
    desk.mean("ADDRESS", &format!("http://{address}/stream"));
    let said = desk.well(line);
    assert!(said.contains("mjpeg"), "{said}");
}

pub fn inspects_element(desk: &mut Desk, line: &str) {
    desk.mean("ELEMENT", "videoconvert");
    let said = desk.well(line);
    assert!(said.contains("Element Properties"), "{said}");
}

/// Part of a pipeline whose pictures would be of a kind that is not served.
pub fn converts(desk: &mut Desk, line: &str) {
    let source = format!("gst:videotestsrc ! video/x-raw,format=v210 ! {line} ! appsink");
    let running = desk.start(&format!("camfeed --source \"{source}\""));
    running.wait_said("camera online", 1);
    desk.end_last();
}

/// Some machines have no such memory.
pub fn may_find(desk: &mut Desk, line: &str) {
    let code = desk.command(line).status().unwrap().code();
    assert!(matches!(code, Some(0 | 1)), "{code:?}");
}

/// As the page shows it, with no other camera.
pub fn lists_module(desk: &mut Desk, line: &str) {
    desk.have_modules("camera=/base/soc/i2c0mux/i2c@1/imx708@1a");
    desk.camera.set("plugged no");
    let said = desk.well(line);
    let shown = block("docs/raspberry-pi.md", "Show it", "text").text;
    assert!(said.contains(&shown), "{said}");
}

/// The controls of a module that is shown.
pub fn sets_control(desk: &mut Desk, line: &str) {
    desk.have_modules("camera=/base/soc/i2c0mux/i2c@1/imx708@1a");
    desk.serve("camfeed --source csi");
    desk.last().wait_said("camera online", 1);
    let said = desk.well(line);
    assert!(said.contains("lens_position"), "{said}");
    desk.end_last();
}
