//! `scripts/package/trial`, which tries a program before it is given away, and what goes before it in
//! `scripts/build-arm64`, as far as that comes without another machine's compiler.

use crate::{
    camfeed::{Folder, SOON, eventually},
    shell::{Running, SCRIPTS},
};
use rustix::process::{Pid, Signal, test_kill_process};
use std::{
    env, fs,
    process::{Command, Output},
};

const BINARY: &str = env!("CARGO_BIN_EXE_camfeed");

const STANDINS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/standins");

/// The trial of a program that notes its id in `pid` and then is `program`, in `folder`.
fn trial(folder: &Folder, program: &str) -> Command {
    let mut command = Command::new(format!("{SCRIPTS}/package/trial"));
    let noting = format!("echo $$ >{}; exec {program}", folder.file("pid"));
    command.args(["sh", "-c", &noting, "sh"]);
    command
}

fn said(output: &Output) -> String {
    let bytes = [output.stdout.as_slice(), &output.stderr].concat();
    String::from_utf8(bytes).unwrap()
}

/// The program that was tried is gone.
fn is_ended(folder: &Folder) -> bool {
    let pid = fs::read_to_string(folder.file("pid")).expect("it was started");
    let pid = Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
    eventually(SOON, || test_kill_process(pid).is_err())
}

#[test]
fn a_program_that_serves_passes_and_is_ended() {
    let folder = Folder::new();
    let output = trial(&folder, &format!("{BINARY} \"$@\""))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(said(&output).contains("whole JPEG of "), "{output:?}");
    assert!(is_ended(&folder));
}

#[test]
fn a_program_that_does_not_serve_fails_with_its_words() {
    let folder = Folder::new();
    let program = "sh -c 'echo cannot load libopencv; exit 127'";
    let output = trial(&folder, program).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = said(&output);
    assert!(said.contains("it said: cannot load libopencv"), "{said}");
}

#[test]
fn a_program_that_serves_no_picture_fails_and_is_ended() {
    let folder = Folder::new();
    let program = format!("{BINARY} --listen 127.0.0.1:0 --source /dev/camfeed-none");
    let output = trial(&folder, &program).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(said(&output).contains("no picture came"), "{output:?}");
    assert!(is_ended(&folder));
}

#[test]
fn a_trial_that_is_ended_ends_its_program() {
    let folder = Folder::new();
    let mut running = Running::start(trial(&folder, "sleep 1000"));
    let pid = folder.file("pid");
    assert!(eventually(SOON, || fs::read_to_string(&pid)
        .is_ok_and(|pid| pid.ends_with('\n'))));
    running.end(Signal::TERM);
    assert!(is_ended(&folder));
}

#[test]
fn a_root_that_debootstrap_did_not_finish_is_made_again() {
    let folder = Folder::new();
    let root = folder.file("root");
    fs::create_dir_all(folder.0.join("root/debootstrap")).unwrap();
    fs::create_dir_all(folder.0.join("root/etc")).unwrap();
    fs::write(folder.0.join("root/etc/debian_version"), "13.0\n").unwrap();
    let output = Command::new(format!("{SCRIPTS}/build-arm64"))
        .arg(&root)
        .env("PATH", format!("{STANDINS}:{}", env::var("PATH").unwrap()))
        .env("STAND_ROOT", &folder.0)
        .env_remove("MIRROR")
        .output()
        .unwrap();
    // That of the stand-in.
    assert_eq!(output.status.code(), Some(64), "{output:?}");
    let notes = fs::read_to_string(folder.file("notes")).unwrap();
    assert!(notes.starts_with("debootstrap "), "{notes}");
}
