//! Commands of the pages that take pictures, make films of them, and tell when there are none.

use super::{
    blocks::block,
    desk::Desk,
    machine::installs,
    steps::{is_enabled, is_picture},
    text::commands,
};
use crate::{
    camfeed::{Camfeed, SOON, eventually, run},
    fakecam::picture,
    http::get,
    shell::Running,
};
use rustix::process::Signal;
use std::fs;

/// Cron takes a picture into the home.
pub fn cron_takes(desk: &mut Desk, line: &str, end: &str) {
    Desk::well_run(desk.cron(line));
    is_picture(desk, "home", end);
}

/// Cron takes a picture of each camera, and as the exit code says, of all but one that is gone.
pub fn cron_takes_all(desk: &mut Desk, line: &str) {
    let cameras =
        "camfeed --listen 127.0.0.1:8080 --camera garden=test:320x240 --camera shed=test:160x120";
    desk.serve(cameras);
    desk.last().wait_said("camera online", 2);
    Desk::well_run(desk.cron(line));
    for name in ["garden", "shed"] {
        is_picture(desk, &format!("home/pictures/{name}"), "Z.jpg");
    }
    desk.serve(&format!("{cameras} --camera attic=/none/such.avi"));
    desk.last().wait_said("camera online", 2);
    let code = desk.cron(line).status().unwrap().code();
    assert_eq!(code, Some(3));
    is_picture(desk, "home/pictures/shed", "Z.jpg");
    desk.leave();
}

/// `curl -f` ends with 22 and wget with 8 when there is no picture, and neither saves one.
pub fn no_picture_is_an_error(desk: &mut Desk, line: &str) {
    let ill = Camfeed::start(&["--source", "/none/such.avi"]);
    ill.wait_log("cannot open");
    let url = ill.url("/snapshot.jpg");
    for (line, code) in [(line, 22), ("wget --content-disposition", 8)] {
        let ended = desk.command(&format!("{line} {url}")).output().unwrap();
        assert_eq!(ended.status.code(), Some(code), "{ended:?}");
        assert!(ended.stdout.is_empty(), "{ended:?}");
    }
    let names = fs::read_dir(desk.path("camfeed")).unwrap().flatten();
    let mut names = names.map(|entry| entry.file_name().into_string().unwrap());
    assert!(
        !names.any(|name| name.ends_with(".jpg")),
        "an error message was saved"
    );
}

/// Makes a film of pictures that are put below the time-lapse.
pub fn films(desk: &mut Desk, line: &str, name: &str, rate: &str) {
    let day = desk.path("home/timelapse/2026-11-22");
    fs::create_dir_all(&day).unwrap();
    for number in 1..=5 {
        let name = format!("camfeed-20261122T13433{number}.123Z.jpg");
        fs::copy(picture("640x480", number), day.join(name)).unwrap();
    }
    desk.well(line);
    let film = desk.path("camfeed").join(name);
    let asked = [
        "-v",
        "error",
        "-show_entries",
        "stream=codec_name,r_frame_rate",
        "-of",
        "csv=p=0",
    ];
    let seen = run("ffprobe", &[&asked[..], &[film.to_str().unwrap()]].concat());
    let seen = String::from_utf8(seen.stdout).unwrap();
    assert_eq!(seen.trim(), format!("h264,{rate}"));
}

/// As the section about snapshots says.
fn install_scripts(desk: &mut Desk) {
    let all = commands(desk.page);
    let start = "sudo install -D -t /usr/local/lib/camfeed ";
    let install = all.iter().find(|command| command.text.starts_with(start));
    desk.well(&install.expect("a command").text);
}

/// What `make install` puts there, lines for cron find.
pub fn finds_scripts_where_cron_does(desk: &mut Desk, line: &str) {
    fs::remove_dir_all(desk.path("root/usr/local")).unwrap();
    desk.well("make build");
    installs(desk, line, true);
    for command in commands(desk.page) {
        let place = command.text.split("/usr/local/lib/camfeed/").nth(1);
        if let Some(name) = place.and_then(|rest| rest.split(' ').next()) {
            let path = desk.path("root/usr/local/lib/camfeed").join(name);
            assert!(path.exists(), "{path:?}");
        }
    }
}

/// After it, the unit needs no copy.
pub fn enables_time_lapse_of_install(desk: &mut Desk, line: &str) {
    desk.well("make build");
    installs(desk, line, true);
    desk.well("sudo systemctl enable --now camfeed-timelapse@pi");
    let link = "multi-user.target.wants/camfeed-timelapse@pi.service";
    is_enabled(desk, link);
    // As on a machine that has no such install.
    fs::remove_file(desk.path("root/etc/systemd/system").join(link)).unwrap();
    installs(desk, "make uninstall", false);
}

pub fn enables_time_lapse(desk: &mut Desk, line: &str) {
    desk.well(line);
    is_enabled(desk, "multi-user.target.wants/camfeed-timelapse@pi.service");
    // What it runs is there.
    install_scripts(desk);
    let unit = desk.read("root/etc/systemd/system/camfeed-timelapse@.service");
    let started = unit
        .lines()
        .find_map(|line| line.strip_prefix("ExecStart=/"));
    let program = started.and_then(|line| line.split(' ').next()).unwrap();
    assert!(desk.path("root").join(program).exists(), "{program}");
}

pub fn cron_starts_time_lapse(desk: &mut Desk, line: &str) {
    fs::remove_dir_all(desk.path("home/timelapse")).unwrap();
    let mut running = Running::start(desk.cron(line));
    is_picture(desk, "home/timelapse", "Z.jpg");
    assert_eq!(running.end(Signal::TERM).code(), Some(0));
}

/// The settings that the page writes for a unit are ones that it has.
#[test]
fn a_time_lapse_is_changed_by_what_its_unit_has() {
    let shown = block("docs/pictures.md", "Time-lapse", "ini").text;
    let unit = fs::read_to_string("scripts/camfeed-timelapse@.service").unwrap();
    let (section, settings) = shown.split_once('\n').unwrap();
    assert!(unit.lines().any(|line| line == section), "{section}");
    for setting in settings.lines() {
        let end = setting
            .rfind("=-")
            .or(setting.find("=http"))
            .expect(setting);
        let is_there = unit.lines().any(|line| line.starts_with(&setting[..=end]));
        assert!(is_there, "{setting}");
    }
}

/// By its name after an installation.
pub fn installed_time_lapse(desk: &mut Desk, line: &str) {
    desk.well("make build");
    installs(desk, "make install", true);
    let program = desk.path("root/usr/local/bin/camfeed-timelapse");
    desk.mean("camfeed-timelapse", program.to_str().unwrap());
    desk.start(&format!("exec {line}"));
    is_picture(desk, "home/timelapse", "Z.jpg");
    desk.end_last();
}

/// The service's password, which a server here asks for from now on, in a file for the scripts.
pub fn copies_password(desk: &mut Desk, line: &str) {
    desk.well(line);
    desk.leave();
    let address =
        desk.serve("camfeed --listen 127.0.0.1:8080 --password-file /etc/camfeed/password");
    desk.mean("//127.0.0.1:8080", &format!("//{address}"));
    assert_eq!(get(address, "/snapshot.jpg").status, 401);
}

/// With the script's name after an installation.
pub fn takes_with_password(desk: &mut Desk, line: &str) {
    let program = desk.path("root/usr/local/bin/camfeed-snapshot");
    desk.mean("camfeed-snapshot", program.to_str().unwrap());
    desk.well(line);
    is_picture(desk, "camfeed", "cam.jpg");
}

/// Waits until the stand-in of logger has noted as many such lines.
fn wait_told(desk: &Desk, line: &str, count: usize) {
    let notes = || fs::read_to_string(desk.path("root/notes")).unwrap_or_default();
    let told = || {
        notes()
            .lines()
            .filter(|noted| noted.starts_with(line))
            .count()
    };
    // Five seconds until /healthz says so, ten of patience, and a busy machine.
    assert!(
        eventually(3 * SOON, || told() == count),
        "no {line}: {}",
        notes()
    );
}

pub fn tells_that_it_is_gone(desk: &mut Desk, line: &str) {
    desk.start(line);
    desk.camera.set("plugged no");
    wait_told(desk, "logger -t camera gone no live picture: ", 1);
}

pub fn cron_tells_that_it_is_gone(desk: &mut Desk, line: &str) {
    install_scripts(desk);
    // The first was told by the one that goes on, the second typed.
    for _ in 0..2 {
        Desk::well_run(desk.cron(line));
        wait_told(desk, "logger -t camera gone no live picture: ", 3);
    }
    assert!(desk.read("home/.camera-state").starts_with("gone "));
}

pub fn tells_that_it_is_back(desk: &mut Desk, line: &str) {
    desk.camera.set("");
    wait_told(desk, "logger -t camera back ", 1);
    desk.well(line);
}
