//! SIGHUP: what is read again, and what it means in a terminal.

use crate::{
    camfeed::{Camfeed, Folder, SMALL, SOON, eventually},
    http::Parts,
    manager::Manager,
    status::state,
};
use rustix::process::Signal;
use std::{
    fs,
    net::SocketAddr,
    process::{Command, Stdio},
};

/// A film's worth of detail, so that quality shows in bytes.
const DETAILED: &str = "--source test:640x480@30\n";

fn quality(address: SocketAddr) -> i64 {
    state(address)["encoder"]["quality"].as_i64().unwrap()
}

#[test]
fn a_new_quality_counts_at_once_and_no_viewer_notices() {
    let manager = Manager::new();
    let folder = Folder::new();
    let path = folder.file("camfeed.conf");
    fs::write(&path, format!("{DETAILED}--quality 95\n--workers 2\n")).unwrap();
    let camfeed = manager.start(&["--config", &path]);
    camfeed.wait_log("camera online");
    assert_eq!(quality(camfeed.address), 95);
    let mut viewer = Parts::open(camfeed.address, "/stream");
    let before = viewer.next_part();
    fs::write(&path, format!("{DETAILED}--quality 20\n--workers 2\n")).unwrap();
    camfeed.signal(Signal::HUP);
    let heard = manager.wait_for(|message| message.contains("RELOADING=1"));
    assert!(heard.last().unwrap().contains("MONOTONIC_USEC="));
    manager.wait_line("READY=1");
    assert_eq!(quality(camfeed.address), 20);
    let mut sequence = before.sequence;
    let is_smaller = eventually(SOON, || {
        let part = viewer.next_part();
        assert!(part.sequence > sequence);
        sequence = part.sequence;
        part.jpeg.len() < before.jpeg.len() / 2
    });
    assert!(is_smaller);
    assert_eq!(camfeed.count_log("next start"), 0);
}

#[test]
fn what_cannot_change_now_is_named_and_left_for_the_next_start() {
    let folder = Folder::new();
    let path = folder.file("camfeed.conf");
    fs::write(&path, "--fps 10\n").unwrap();
    let camfeed = Camfeed::online(&["--source", SMALL, "--config", &path]);
    fs::write(&path, "--quality 33\n--rotate 90\n--fps 10\n").unwrap();
    camfeed.signal(Signal::HUP);
    let line = camfeed.wait_log("takes effect at the next start");
    assert!(line.ends_with(": --rotate"), "{line}");
    assert_eq!(quality(camfeed.address), 33);
}

#[test]
fn a_mistake_is_named_with_file_and_line_and_changes_nothing() {
    let folder = Folder::new();
    let path = folder.file("camfeed.conf");
    fs::write(&path, "--quality 70\n").unwrap();
    let camfeed = Camfeed::start(&["--source", SMALL, "--config", &path]);
    fs::write(&path, "# mine\n--quality 50\n--workers many\n").unwrap();
    camfeed.signal(Signal::HUP);
    let line = camfeed.wait_log("everything stays as it was");
    for part in [&path, "line 3", "--workers", "many", "1 to 64"] {
        assert!(line.contains(part), "no {part:?} in {line}");
    }
    assert_eq!(quality(camfeed.address), 70);
    fs::remove_file(&path).unwrap();
    camfeed.signal(Signal::HUP);
    camfeed.wait_log("cannot read");
    assert_eq!(quality(camfeed.address), 70);
}

#[test]
fn without_a_file_it_goes_on_as_it_is() {
    let camfeed = Camfeed::start(&["--source", SMALL]);
    camfeed.signal(Signal::HUP);
    camfeed.wait_log("there are no options to take over");
    assert_eq!(quality(camfeed.address), 80);
}

#[test]
fn it_ends_with_its_terminal_and_not_when_nohup_started_it() {
    let folder = Folder::new();
    for (prefix, ends) in [("", true), ("nohup ", false)] {
        let (log, pid) = (folder.file("log"), folder.file("pid"));
        fs::write(&log, "").unwrap();
        // `script` gives it a terminal, which is gone when `script` is.
        let command = format!(
            "echo $$ >{pid}; exec {prefix}{} --listen 127.0.0.1:0 --source {SMALL} >/dev/null 2>{log}",
            env!("CARGO_BIN_EXE_camfeed"),
        );
        let mut terminal = Command::new("script")
            .args(["-qec", &command, "/dev/null"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("script, of bsdutils");
        let says =
            |text: &str| eventually(SOON, || fs::read_to_string(&log).unwrap().contains(text));
        assert!(says("camera online"));
        let pid = fs::read_to_string(&pid).unwrap().trim().to_owned();
        terminal.kill().unwrap();
        terminal.wait().unwrap();
        if ends {
            assert!(
                says("ending on SIGHUP"),
                "{}",
                fs::read_to_string(&log).unwrap()
            );
        } else {
            let pid = rustix::process::Pid::from_raw(pid.parse().unwrap()).unwrap();
            rustix::process::kill_process(pid, Signal::TERM).expect("it runs");
            assert!(says("ending on SIGTERM"));
        }
    }
}
