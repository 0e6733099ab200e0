//! `scripts/watch`: told once when the camera is gone and once when it is back, and not for a blink.

use crate::{
    camfeed::{Camfeed, Folder, SMALL, SOON, eventually},
    fakecam::FakeCamera,
    shell::{ALL_TOOLS, Running, Tools, command, script},
};
use rustix::process::Signal;
use std::{fs, os::unix::fs::PermissionsExt};

/// A command that notes what it is told; it fails as long as the file `broken` is there.
struct Notes {
    folder: Folder,
    command: String,
}

impl Notes {
    fn new() -> Notes {
        let folder = Folder::new();
        let command = folder.file("note");
        let (notes, broken) = (folder.file("notes"), folder.file("broken"));
        let text = format!(
            "#!/bin/sh\n[ ! -e {broken} ] || exit 7\n\
             [ \"$2:$3\" = \"$CAMFEED_STATE:$CAMFEED_REASON\" ] || exit 8\n\
             echo \"$#|$1|$2|$3\" >>{notes}\n"
        );
        fs::write(&command, text).unwrap();
        fs::set_permissions(&command, fs::Permissions::from_mode(0o755)).unwrap();
        Notes { folder, command }
    }

    /// What has been told so far.
    fn told(&self) -> Vec<String> {
        let notes = fs::read_to_string(self.folder.file("notes")).unwrap_or_default();
        notes.lines().map(str::to_owned).collect()
    }

    /// Waits for the `number`th thing told, which must contain all `words`.
    fn wait_told(&self, number: usize, words: &[&str]) {
        let has = eventually(SOON, || self.told().len() >= number);
        assert!(has, "never told {words:?}: {:?}", self.told());
        let line = &self.told()[number - 1];
        for word in words {
            assert!(line.contains(word), "{word}: {line}");
        }
    }
}

/// One look from cron; its exit code.
fn look_once(tools: Tools, url: &str, notes: &Notes) -> Option<i32> {
    let memory = notes.folder.file("memory");
    let args = ["-1", "-s", &memory, "-d", "0.3", url, &notes.command, "x"];
    let looked = script(tools, "watch", &args);
    assert!(looked.stdout.is_empty(), "{looked:?}");
    looked.status.code()
}

#[test]
fn each_change_is_told_once_over_faults_of_the_camera_and_restarts_of_the_server() {
    let camera = FakeCamera::new("");
    let args = ["--source", "/dev/video0"];
    let camfeed = camera.serve_at("127.0.0.74:0", &args);
    let address = camfeed.address.to_string();
    let notes = Notes::new();
    let args_of_script = ["-d", "0.5", "-e", "0.2", &address, &notes.command, "a b"];
    let mut running = Running::start(command(Tools::Wget, "watch", &args_of_script));
    camfeed.wait_logs("GET /healthz", 3);
    camera.set("plugged no");
    notes.wait_told(1, &["3|a b|gone|no live picture: "]);
    camera.set("");
    notes.wait_told(2, &["3|a b|back|a live picture again after "]);
    camfeed.end(Signal::KILL);
    notes.wait_told(3, &["gone|no answer from 127.0.0.74:", "refused"]);
    let camfeed = camera.serve_at(&address, &args);
    notes.wait_told(4, &["back|"]);
    camfeed.wait_logs("GET /healthz", 10);
    assert_eq!(running.end(Signal::TERM).code(), Some(0));
    assert_eq!(notes.told().len(), 4, "{:?}", notes.told());
    assert_eq!(running.said(), "");
}

#[test]
fn a_restart_of_the_server_in_between_is_not_told() {
    let args = ["--source", SMALL];
    let camfeed = Camfeed::start_at("127.0.0.75:0", &args);
    let address = camfeed.address.to_string();
    let notes = Notes::new();
    let args_of_script = ["-e", "0.1", &address, &notes.command];
    let mut running = Running::start(command(Tools::Wget, "watch", &args_of_script));
    camfeed.wait_logs("GET /healthz", 3);
    camfeed.end(Signal::KILL);
    let camfeed = Camfeed::start_at(&address, &args);
    camfeed.wait_logs("GET /healthz", 5);
    assert_eq!(running.end(Signal::TERM).code(), Some(0));
    assert_eq!(notes.told(), [""; 0]);
    assert_eq!(running.said(), "");
}

#[test]
fn cron_tells_each_change_once_with_every_client() {
    let well = Camfeed::online(&["--source", SMALL]);
    let ill = Camfeed::start(&["--source", "/none/such.avi"]);
    ill.wait_log("cannot open");
    let (well, ill) = (well.url(""), ill.url(""));
    for tools in ALL_TOOLS {
        let notes = Notes::new();
        for (url, told) in [
            (&well, 0),
            (&ill, 1),
            (&ill, 1),
            (&well, 2),
            (&well, 2),
            (&ill, 3),
        ] {
            assert_eq!(look_once(tools, url, &notes), Some(0), "{tools:?}");
            assert_eq!(notes.told().len(), told, "{tools:?}: {:?}", notes.told());
        }
        notes.wait_told(1, &["3|x|gone|"]);
        notes.wait_told(2, &["3|x|back|a live picture again after "]);
    }
}

#[test]
fn what_could_not_be_told_is_told_the_next_time() {
    let ill = Camfeed::start(&["--source", "/none/such.avi"]);
    ill.wait_log("cannot open");
    let notes = Notes::new();
    fs::write(notes.folder.file("broken"), "").unwrap();
    assert_eq!(look_once(Tools::Wget, &ill.url(""), &notes), Some(1));
    assert_eq!(notes.told(), [""; 0]);
    fs::remove_file(notes.folder.file("broken")).unwrap();
    assert_eq!(look_once(Tools::Wget, &ill.url(""), &notes), Some(0));
    notes.wait_told(1, &["gone|", "no such file"]);
}

#[test]
fn a_command_that_fails_is_said_once() {
    let ill = Camfeed::start(&["--source", "/none/such.avi"]);
    ill.wait_log("cannot open");
    let notes = Notes::new();
    fs::write(notes.folder.file("broken"), "").unwrap();
    let url = ill.url("");
    let args = ["-d", "0", "-e", "0.1", &url, &notes.command, "x"];
    let mut running = Running::start(command(Tools::Wget, "watch", &args));
    running.wait_said(
        "ended with 7, and could not tell that the camera is gone",
        1,
    );
    ill.wait_logs("GET /healthz", 10);
    assert_eq!(running.end(Signal::TERM).code(), Some(0));
    assert_eq!(running.said().lines().count(), 1, "{}", running.said());
}

#[test]
fn what_was_told_is_remembered_over_a_restart_of_the_script() {
    let ill = Camfeed::start(&["--source", "/none/such.avi"]);
    ill.wait_log("cannot open");
    let notes = Notes::new();
    let memory = notes.folder.file("memory");
    let url = ill.url("");
    let args = [
        "-d",
        "0",
        "-e",
        "0.1",
        "-s",
        &memory,
        &url,
        &notes.command,
        "x",
    ];
    for _ in 0..2 {
        let looks = ill.count_log("GET /healthz");
        let mut running = Running::start(command(Tools::Wget, "watch", &args));
        ill.wait_logs("GET /healthz", looks + 1);
        notes.wait_told(1, &["gone"]);
        let second = script(Tools::Wget, "watch", &args);
        assert_eq!(second.status.code(), Some(1), "two with one memory");
        ill.wait_logs("GET /healthz", looks + 5);
        running.end(Signal::KILL);
    }
    assert_eq!(notes.told().len(), 1, "{:?}", notes.told());
}
