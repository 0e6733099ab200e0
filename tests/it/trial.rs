//! `scripts/package/trial`, which tries a program before it is given away, and what goes before it in
//! `scripts/release`, as far as that comes without other Debians, and so `scripts/try-libcamera`.

use crate::{
    camfeed::{Folder, SOON, eventually},
    shell::{Running, SCRIPTS},
};
use rustix::process::{Pid, Signal, test_kill_process};
use std::{
    env, fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output},
};

const BINARY: &str = env!("CARGO_BIN_EXE_camfeed");

const STANDINS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/standins");

/// This machine, as Debian calls it.
const NATIVE: &str = if cfg!(target_arch = "x86_64") {
    "amd64"
} else {
    "arm64"
};

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

/// `scripts/release` with stand-ins: that for debootstrap fails, so that it goes no further.
fn release(folder: &Folder, args: &[&str]) -> Output {
    Command::new(format!("{SCRIPTS}/release"))
        .args(["--out", &folder.file("out")])
        .args(["--roots", &folder.file("roots")])
        .args(args)
        .env("PATH", format!("{STANDINS}:{}", env::var("PATH").unwrap()))
        .env("STAND_ROOT", &folder.0)
        .env("MIRROR", "http://127.0.0.1:1/debian")
        .output()
        .unwrap()
}

#[test]
fn a_root_that_debootstrap_did_not_finish_is_made_again() {
    let folder = Folder::new();
    let root = folder.file("roots/trixie");
    for path in ["debootstrap", "etc"] {
        fs::create_dir_all(format!("{root}/{path}")).unwrap();
    }
    fs::write(format!("{root}/etc/debian_version"), "13.0\n").unwrap();
    let output = release(&folder, &[&format!("trixie-{NATIVE}")]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let words = "stand-in for debootstrap: no half an hour for that";
    assert!(said(&output).contains(words), "{output:?}");
    let notes = fs::read_to_string(folder.file("notes")).unwrap();
    let asked = format!("debootstrap --variant=minbase trixie {root} http://127.0.0.1:1/debian\n");
    assert_eq!(notes, asked);
    // It does not write over what it has left there.
    assert!(!Path::new(&root).exists());
}

#[test]
fn a_release_says_what_it_takes_before_it_begins() {
    let folder = Folder::new();
    let bookworm = format!("bookworm-{NATIVE}");
    let trixie = format!("trixie-{NATIVE}");
    for (args, words) in [
        (&[][..], format!("release: {bookworm} ")),
        (
            &[bookworm.as_str(), &trixie],
            "release: needs 10 GB in ".to_owned(),
        ),
        (&[&bookworm], format!("release: {bookworm}\n")),
        (&[&bookworm], "release: needs 6 GB in ".to_owned()),
        (&[&bookworm], " GB are free, and about ".to_owned()),
    ] {
        let said = said(&release(&folder, args));
        let before = said.split("bookworm-debootstrap: ").next().unwrap();
        assert!(before.contains(&words), "{args:?}: {said}");
    }
    // What is made already is not counted.
    let made = folder.0.join(format!("roots/{bookworm}/var/lib"));
    fs::create_dir_all(&made).unwrap();
    fs::write(made.join("camfeed-packages"), "all").unwrap();
    let said = said(&release(&folder, &[&bookworm]));
    assert!(said.contains("release: needs 2 GB in "), "{said}");
}

#[test]
fn a_release_refuses_what_it_cannot_make() {
    let folder = Folder::new();
    for (args, words) in [
        (
            &["trixie"][..],
            "release: `trixie`: allowed on this machine are bookworm-",
        ),
        (
            &["--outt"],
            "release: --outt: there is no such option (--help says which there are)\n",
        ),
        (&["--roots"], "release: --roots: a folder is missing\n"),
        (
            &["--roots", SCRIPTS],
            ": in the checkout it must be below target, ",
        ),
    ] {
        let output = release(&folder, args);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let said = said(&output);
        assert!(
            said.contains(words) && said.lines().count() == 1,
            "{args:?}: {said}"
        );
    }
    assert!(!folder.0.join("roots").exists());
    assert!(!folder.0.join("notes").exists());
}

/// `scripts/try-libcamera`, with the stand-in for debootstrap and the one for who runs it.
fn try_libcamera(folder: &Folder, args: &[&str]) -> Output {
    Command::new(format!("{SCRIPTS}/try-libcamera"))
        .args(args)
        .env("PATH", format!("{STANDINS}:{}", env::var("PATH").unwrap()))
        .env("STAND_ROOT", &folder.0)
        .env("MIRROR", "http://127.0.0.1:1/debian")
        .output()
        .unwrap()
}

#[test]
fn trying_libcamera_says_how_it_is_used() {
    let folder = Folder::new();
    let output = try_libcamera(&folder, &["--help"]);
    assert!(output.status.success(), "{output:?}");
    let said = said(&output);
    assert!(said.contains("Usage: scripts/try-libcamera"), "{said}");
    assert!(
        said.contains("\nExit: 0") && !said.contains("set -u"),
        "{said}"
    );
    for (args, words) in [
        (&["--bnech"][..], "--bnech: there is no such option"),
        (&["--source"], "--source: a value is missing"),
        (&["a", "b"], "`b`: one folder is enough"),
        (&["/dev/null"], "cannot make the folder `/dev/null`"),
    ] {
        let output = try_libcamera(&folder, args);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains(words), "{args:?}: {said}");
    }
}

#[test]
fn trying_libcamera_needs_root_and_debootstrap() {
    // Somebody else's id, and a path without debootstrap.
    let programs = [("id", "echo 1000"), ("id", "echo 0")];
    for ((name, text), words) in programs
        .into_iter()
        .zip(["root is needed", "apt install debootstrap"])
    {
        let folder = Folder::new();
        fs::write(folder.0.join(name), format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(folder.0.join(name), fs::Permissions::from_mode(0o755)).unwrap();
        let output = Command::new(format!("{SCRIPTS}/try-libcamera"))
            .arg(folder.0.join("place"))
            .env("PATH", format!("{}:/usr/bin:/bin", folder.0.display()))
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let said = said(&output);
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(said.contains(words), "{said}");
        assert!(!folder.0.join("place").exists());
    }
}
