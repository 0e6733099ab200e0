//! The command line: what is refused, and how.

use crate::{
    camfeed::{Camfeed, Folder, SMALL, SOON, eventually, run},
    fakecam::FakeCamera,
};
use std::{
    ffi::OsStr,
    fs::{self, OpenOptions},
    io::{Read, Write},
    os::unix::ffi::OsStrExt,
    process::{Command, Output, Stdio},
};

const BINARY: &str = env!("CARGO_BIN_EXE_camfeed");

/// Stands where something secret is typed.
const SECRET: &str = "hunter2";

fn camfeed(args: &[&str]) -> Output {
    run(env!("CARGO_BIN_EXE_camfeed"), args)
}

#[test]
fn a_bad_option_is_named_with_its_value_and_what_is_allowed() {
    for (option, value, allowed) in [
        ("--source", "tset", "allowed are auto"),
        ("--source", "test:9x9", "16 to 8192"),
        ("--source", "ftp://host", "allowed are auto"),
        ("--listen", "80800", "ADDR:PORT"),
        ("--name", "\u{200b}", "1 to 64 letters"),
        ("--size", "big", "WIDTHxHEIGHT"),
        ("--fps", "0", "0.1 to 240"),
        ("--quality", "101", "1 to 100"),
        ("--workers", "-1", "1 to 64"),
        ("--rotate", "45", "0, 90, 180 and 270"),
        ("--flip", "x", "h, v and hv"),
        ("--format", "motion jpeg", "mjpg"),
        ("--encode", "never", "auto and always"),
        ("--overlay", "%", "strftime"),
        ("--set", "brightness", "NAME=VALUE"),
        ("--camera-timeout", "0", "1 to 3600"),
        ("--idle-timeout", "soon", "1 to 3600"),
        ("--warmup", "-1", "0 to 300"),
        ("--max-viewers", "none", "1 to 10000"),
        ("--allow-origin", "mainsail.local", "http://mainsail.local"),
        ("--frame-ancestors", "ha.example", "https://ha.example:8123"),
        ("--allow-host", "http://cam.example.org", "cam.example.org"),
    ] {
        let output = camfeed(&[option, value]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            matches!(output.status.code(), Some(1 | 2)),
            "{option}: {:?}",
            output.status
        );
        for part in [option, value, allowed] {
            assert!(
                said.contains(part),
                "{option} {value}: no {part:?} in {said}"
            );
        }
        assert!(!said.contains("panicked"), "{said}");
    }
    let output = camfeed(&["--nonsense"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("--nonsense"));
}

#[test]
fn help_shows_every_option_with_its_default() {
    let output = camfeed(&["--help"]);
    assert!(output.status.success());
    let help = String::from_utf8(output.stdout).unwrap();
    for option in help
        .split("\n  --")
        .skip(1)
        .filter(|option| option.starts_with(|c: char| c.is_alphabetic()))
    {
        let name = option.split_whitespace().next().unwrap();
        if !matches!(name, "list" | "check" | "version," | "help,") {
            assert!(option.contains("default"), "--{name} says no default");
        }
    }
    assert!(help.contains("--allow-origin"));
}

/// What is typed, and what the answer has in it.
const MISTAKES: &[(&str, &[&str])] = &[
    // Other programs' options.
    ("-p 8081", &["`-p`", "`--listen 8081`"]),
    ("--port=80", &["`--port`", "`--listen 80`"]),
    ("-p8082", &["`-p…`", "`--listen 8082`"]),
    (
        "--host 127.0.0.1",
        &["`--host`", "`--listen 127.0.0.1:8080`"],
    ),
    (
        "--device /dev/video2",
        &["`--device`", "`--source /dev/video2`"],
    ),
    ("-d /dev/video2", &["`-d`", "`--source /dev/video2`"]),
    ("-r 1280x720", &["`-r`", "`--size 1280x720`"]),
    (
        "--resolution=640x480",
        &["`--resolution`", "`--size 640x480`"],
    ),
    ("--desired-fps 15", &["`--desired-fps`", "`--fps 15`"]),
    ("-f 15", &["`-f`", "`--fps 15`"]),
    ("-q 90", &["`-q`", "`--quality 90`", "RUST_LOG=warn"]),
    ("-w 2", &["`-w`", "`--workers 2`"]),
    ("-m JPEG", &["`-m`", "`--format mjpg`"]),
    (
        "--passwd hunter2",
        &["`--passwd`", "`--password-file PATH`"],
    ),
    (
        "--password=hunter2",
        &["`--password`", "`--password-file PATH`"],
    ),
    ("--user ann", &["`--user`", "`--password-file PATH`"]),
    ("-phunter2", &["there is no option `-p…`\n"]),
    ("--port 99999", &["`--port`", "`--listen ADDR:PORT`"]),
    (
        "--host localhost",
        &["`--host`", "`--listen localhost:8080`"],
    ),
    ("--host ::1", &["`--host`", "`--listen [::1]:8080`"]),
    (
        "--bind=127.0.0.1:9000",
        &["`--bind`", "`--listen 127.0.0.1:9000`"],
    ),
    ("-p 0.0.0.0:80", &["`-p`", "`--listen 0.0.0.0:80`"]),
    ("-d 1", &["`-d`", "`--source /dev/video1`"]),
    ("--device=video2", &["`--device`", "`--source /dev/video2`"]),
    ("--width 1280", &["`--width`", "`--size WxH`"]),
    ("-q 150", &["`-q`", "`--quality N`"]),
    ("-pix_fmt yuyv422", &["`-pix_fmt`", "`--format mjpg`"]),
    ("-preview", &["`-preview`", "none is needed"]),
    ("-hV", &["there is no option `-hV`\n"]),
    ("-?", &["there is no option `-?`\n"]),
    (
        "--source:test",
        &["`--source:test`", "did you mean `--source`?"],
    ),
    (
        "--netcam_userpass ann:hunter2",
        &[
            "`--netcam_userpass`",
            "`--source http://user:password@cam/stream`",
        ],
    ),
    (
        "--snapshot_filename x",
        &["`--snapshot_filename`", "`camfeed-snapshot`"],
    ),
    (
        "-c ann:hunter2",
        &["`-c`", "`--config FILE`", "`--password-file PATH`"],
    ),
    ("-v", &["`-v`", "`--version`", "RUST_LOG=debug"]),
    ("--verbose", &["`--verbose`", "RUST_LOG=debug camfeed"]),
    (
        "--log-level 3",
        &["`--log-level`", "RUST_LOG=debug camfeed"],
    ),
    (
        "--daemon",
        &["`--daemon`", "systemctl enable --now camfeed"],
    ),
    ("-b", &["`-b`", "foreground"]),
    (
        "-i input_uvc.so",
        &["`-i`", "`--source /dev/video0`", "`--size 1280x720`"],
    ),
    (
        "-o output_http.so",
        &["`-o`", "`--listen 8080`", "`--password-file PATH`"],
    ),
    ("--flip-vertical 1", &["`--flip-vertical`", "`--flip v`"]),
    (
        "--brightness 128",
        &["`--brightness`", "--set brightness=128"],
    ),
    (
        "--stream_port 8081",
        &["`--stream_port`", "`--listen 8081`"],
    ),
    (
        "--webcontrol_port 8080",
        &["`--webcontrol_port`", "/controls are on the port"],
    ),
    (
        "--video_device /dev/video0",
        &["`--video_device`", "`--source /dev/video0`"],
    ),
    (
        "--netcam_url http://cam/hunter2",
        &["`--netcam_url`", "`--source http://…`"],
    ),
    ("--threads 3", &["`--threads`", "`--workers 3`"]),
    ("--ssl", &["`--ssl`", "nginx or Caddy"]),
    ("--unix /run/x", &["`--unix`", "`--listen unix:/path`"]),
    ("--slowdown", &["`--slowdown`", "`--idle-timeout 60`"]),
    // Slips of the finger.
    ("--sorce test", &["`--sorce`", "did you mean `--source`?"]),
    (
        "--sorce=http://cam/hunter2",
        &["`--sorce`", "did you mean `--source`?"],
    ),
    ("-listen 8080", &["`-listen`", "did you mean `--listen`?"]),
    (
        "--max_viewers 5",
        &["`--max_viewers`", "did you mean `--max-viewers`?"],
    ),
    ("--Size 8x8", &["`--Size`", "did you mean `--size`?"]),
    ("list", &["`list`", "did you mean `--list`?"]),
    ("--nonsense", &["`--nonsense`", "`camfeed --help`"]),
    ("-x", &["`-x`", "`camfeed --help`"]),
    ("--source", &["`--source`", "/dev/…", "gst:PIPELINE"]),
    ("--fps", &["`--fps`", "frames a second"]),
    (
        "--name --no-controls test",
        &["`--name` needs a value", "`--no-controls` stands behind it"],
    ),
    (
        "--overlay --listen 127.0.0.1:8080",
        &["`--overlay` needs a value", "`--listen` stands behind it"],
    ),
    ("--format jpegs", &["'--format'", "'jpegs'", "nv12"]),
    ("--list=yes", &["`--list`", "`yes`", "takes no value"]),
    ("--fps 5 --fps 6", &["'--fps'", "'6'", "allowed once"]),
    (
        "--password-file x --password-file ann:hunter2",
        &["'--password-file'", "allowed once"],
    ),
    (
        "--password-file x --password-file ann:1234",
        &["'--password-file'", "'…'", "allowed once"],
    ),
    // Sources.
    (
        "/dev/video0 /dev/video2",
        &["`/dev/video0`", "`/dev/video2`", "--camera NAME=SOURCE"],
    ),
    (
        "/dev/video0 --source test",
        &["`/dev/video0`", "`--source`", "one of them"],
    ),
    ("tset", &["'--source'", "'tset'", "allowed are auto"]),
    ("8080", &["'--source'", "'8080'", "0 to 255", "`--listen`"]),
    (
        "garden=/dev/video0",
        &["'--source'", "`--camera NAME=SOURCE`"],
    ),
    (
        "garden.local:8080/stream",
        &["'--source'", "did you mean http://garden.local:8080/…?"],
    ),
    (
        "192.168.1.5/stream?pw=hunter2",
        &["'--source'", "did you mean http://192.168.1.5/…?"],
    ),
    (
        "cam.lan:8554/hunter2",
        &["'--source'", "did you mean rtsp://cam.lan:8554/…?"],
    ),
    ("ann:hunter2@cam.lan/x", &["'--source'", "http://cam/…"]),
    ("pi.local", &["'pi.local'", "did you mean http://pi.local?"]),
    (
        "192.168.1.20:8080",
        &[
            "'192.168.1.20:8080'",
            "did you mean http://192.168.1.20:8080?",
        ],
    ),
    (
        "octopi:80",
        &["'octopi:80'", "did you mean http://octopi:80?"],
    ),
    (
        "www.example.org/mjpg/video.mjpg",
        &["did you mean http://www.example.org/…?"],
    ),
    ("http:/cam/hunter2", &["did you mean http://cam/…?"]),
    (
        "rtsp://",
        &["'rtsp://'", "an http(s):// or rtsp:// address"],
    ),
    (
        "test:640x480@1000",
        &["'test:640x480@1000'", "test:1280x720@30"],
    ),
    (
        "--camera front.door=test",
        &["'--camera'", "'front.door=test'", "1 to 32"],
    ),
    (
        "--allow-origin http://mainsail.local//",
        &["'--allow-origin'", "'http://mainsail.local//'"],
    ),
    // Each word of the reason stands as it is.
    ("@", &["'…'", "http://cam/… or rtsp://cam/…"]),
    ("test:@", &["'test:@'", "test:1280x720@30"]),
    (
        "ftp://cam.lan/hunter2",
        &["'--source'", "'ftp://cam.lan/…'", "http(s)://"],
    ),
    ("--camera /dev/video0", &["'--camera'", "NAME=SOURCE"]),
    (
        "--camera a=0 --camera a=1",
        &["--camera", "`a`", "two cameras"],
    ),
    // Values.
    (
        "--listen 80800",
        &["'--listen'", "'80800'", "ADDR:PORT", "0 to 65535"],
    ),
    ("--listen http://0.0.0.0:80", &["'--listen'", "ADDR:PORT"]),
    (
        "--listen 203.0.113.9:8080",
        &["`203.0.113.9:8080`", "no such address", "`--listen 8080`"],
    ),
    // A label of 64 letters is no name, which is known without asking a name server.
    (
        "--listen abcdefghabcdefghabcdefghabcdefghabcdefghabcdefghabcdefghabcdefgh:80",
        &["--listen", "abcdefgh:80`", "ADDR:PORT", "0 to 65535"],
    ),
    (
        "--listen unix:/none/such.sock",
        &["`unix:/none/such.sock`", "--listen", "No such file"],
    ),
    ("--size big", &["'--size'", "'big'", "WIDTHxHEIGHT"]),
    ("--rotate 45", &["'--rotate'", "'45'", "0, 90, 180 and 270"]),
    ("--quality 101", &["'--quality'", "'101'", "1 to 100"]),
    (
        "--set brightness",
        &["'--set'", "'brightness'", "NAME=VALUE"],
    ),
    (
        "--max-viewers none",
        &["'--max-viewers'", "'none'", "1 to 10000"],
    ),
    (
        "--password-file /none/such",
        &["--password-file", "/none/such", "No such file"],
    ),
    (
        "--password-file ann:hunter2",
        &["--password-file", "the path of a file"],
    ),
    (
        "--password-file ann:hunter2/3",
        &["--password-file", "the path of a file"],
    ),
    (
        "--password-file hunter2",
        &["--password-file", "the path of a file"],
    ),
    (
        "--token-file 0123456789abcdef.hunter2",
        &["--token-file", "the path of a file"],
    ),
    (
        "--token-file none/such",
        &["--token-file", "`none/such`", "No such file"],
    ),
];

#[test]
fn each_mistake_is_named_with_what_is_allowed_or_takes_its_place() {
    for (typed, parts) in MISTAKES {
        let output = camfeed(&typed.split(' ').collect::<Vec<_>>());
        let said = String::from_utf8(output.stderr).unwrap();
        println!("{typed}\t{}", said.trim().replace('\n', "\t"));
        assert_eq!(output.status.code(), Some(1), "{typed}: {said}");
        for part in *parts {
            assert!(said.contains(part), "{typed}: no {part:?} in {said}");
        }
        assert!(!said.contains(SECRET), "{typed}: {said}");
    }
}

#[test]
fn a_file_of_options_answers_mistakes_with_its_line() {
    let folder = Folder::new();
    let path = folder.file("camfeed.conf");
    for (line, parts) in [
        ("--port 8081", &["`--port`", "`--listen 8081`"][..]),
        ("--sorce=http://cam/hunter2", &["did you mean `--source`?"]),
        (
            "stream_port 8081",
            &["`stream_port`", "`--listen 8081`", "--quality 70"],
        ),
        ("quality 70", &["`quality`", "did you mean `--quality`?"]),
        ("-r 640x480", &["`-r`", "`--size 640x480`"]),
        (
            "--password hunter2",
            &["`--password`", "`--password-file PATH`"],
        ),
        ("--quality", &["`--quality`", "1 to 100"]),
        ("--listen 80800", &["'80800'", "ADDR:PORT"]),
        (
            "--password-file=ann:hunter2 --password-file=ann:hunter2",
            &["`--password-file`", "one option a line"],
        ),
        (
            "--name Door --no-controls",
            &["`--name`", "one option a line", "`--no-controls`"],
        ),
        (
            "--overlay time # clock",
            &["`--overlay`", "a comment stands in a line of its own"],
        ),
    ] {
        fs::write(&path, format!("# mine\n{line}\n")).unwrap();
        let output = camfeed(&["--config", &path]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(78), "{line}: {said}");
        let place = format!("`{path}`, line 2: ");
        for part in parts.iter().chain([&&*place]) {
            assert!(said.contains(part), "{line}: no {part:?} in {said}");
        }
        assert!(!said.contains(SECRET), "{line}: {said}");
    }
}

#[test]
fn what_an_option_of_a_file_asks_for_and_cannot_have_is_said_with_its_line() {
    let folder = Folder::new();
    let path = folder.file("camfeed.conf");
    for (line, parts) in [
        ("--listen unix:/none/such.sock", &["(--listen)"][..]),
        (
            "--password-file /none/such",
            &["--password-file `/none/such`"],
        ),
        (
            "--token-file hunter2",
            &["--token-file: there is no such file"],
        ),
        ("--max-viewers 10000", &["--max-viewers `10000`", "at most"]),
    ] {
        fs::write(&path, format!("--source test\n\n{line}\n")).unwrap();
        let small = format!("ulimit -n 64; exec {BINARY} --config {path}");
        let output = run("sh", &["-c", &small]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{line}: {said}");
        let place = format!("`{path}`, line 3: ");
        for part in parts.iter().chain([&&*place]) {
            assert!(said.contains(part), "{line}: no {part:?} in {said}");
        }
        assert!(!said.contains(SECRET), "{line}: {said}");
    }
    // What is typed has no line.
    let typed = ["--listen", "unix:/none/such.sock", "--max-viewers", "1"];
    let output = camfeed(&[&["--config", &path], &typed[..]].concat());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("(--listen)") && !said.contains(", line "),
        "{said}"
    );
}

#[test]
fn what_is_no_utf_8_is_said_with_its_place() {
    let folder = Folder::new();
    let path = folder.file("camfeed.conf");
    fs::write(&path, b"# caf\xc3\xa9\n--source test\n--name caf\xe9\n").unwrap();
    let output = camfeed(&["--config", &path]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(78), "{said}");
    assert!(
        said.contains(&format!("`{path}`, line 3: it is no UTF-8")),
        "{said}"
    );
    let output = Command::new(BINARY)
        .args(["--source", "test", "--name"])
        .arg(OsStr::from_bytes(b"caf\xe9"))
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("`caf\u{fffd}` is no UTF-8: allowed are"),
        "{said}"
    );
    let output = camfeed(&["--config", &folder.file("none")]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("the file of --config: No such file"),
        "{said}"
    );
}

#[test]
fn a_source_needs_no_option_and_a_port_no_address() {
    let camfeed = Camfeed::online(&[SMALL]);
    assert!(camfeed.wait_log("camera online").contains("320x240"));
    drop(camfeed);
    for port in ["0", ":0", "*:0"] {
        Camfeed::start_at(port, &["--", SMALL]);
    }
}

#[test]
fn a_port_that_is_roots_is_said_with_what_to_do() {
    // Without that capability root is anybody.
    let drop = [
        "--bounding-set=-net_bind_service",
        "--inh-caps=-net_bind_service",
        BINARY,
    ];
    let output = run(
        "setpriv",
        &[&drop[..], &["--listen", "127.0.0.1:81", SMALL]].concat(),
    );
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    for part in [
        "`127.0.0.1:81`",
        "1024",
        "`sudo systemctl edit camfeed.socket`",
    ] {
        assert!(said.contains(part), "no {part:?} in {said}");
    }
}

#[test]
fn help_has_two_names_and_begins_with_what_is_typed_first() {
    let help = String::from_utf8(camfeed(&["--help"]).stdout).unwrap();
    for other in [&["-h"][..], &["help"], &["--fps", "5", "-h"]] {
        assert_eq!(String::from_utf8(camfeed(other).stdout).unwrap(), help);
    }
    assert_eq!(camfeed(&["-V"]).stdout, camfeed(&["--version"]).stdout);
    let places = [
        "camfeed shows",
        "\nUsage: camfeed [OPTIONS] [SOURCE]\n",
        "\nExamples:\n",
        "\nCamera:\n",
        "\nPicture:\n",
        "\nNetwork:\n",
        "\nAccess:\n",
        "\nLimits:\n",
        "\nTools:\n",
        "\nAddresses: ",
        "\nLogging: RUST_LOG",
    ]
    .map(|part| help.find(part).unwrap_or_else(|| panic!("no {part:?}")));
    assert!(places.is_sorted(), "{help}");
    let examples = help.lines().filter(|line| line.starts_with("  camfeed"));
    assert_eq!(examples.count(), 3);
    assert!(help.lines().all(|line| line.chars().count() <= 100));
}

#[test]
fn an_output_that_takes_no_more_is_no_panic() {
    for option in ["--help", "--version", "--list"] {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = Command::new(BINARY)
            .arg(option)
            .stdout(full)
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{option}: {said}");
        assert!(
            said.starts_with("cannot write to standard output: "),
            "{said}"
        );
        // One that nobody reads.
        let mut child = Command::new(BINARY)
            .arg(option)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let mut said = String::new();
        child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut said)
            .unwrap();
        assert_ne!(child.wait().unwrap().code(), Some(101), "{said}");
        assert_eq!(said, "");
    }
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let status = Command::new(BINARY).arg("--nonsense").stderr(full).status();
    assert_eq!(status.unwrap().code(), Some(1));
}

#[test]
fn what_a_source_does_not_use_and_a_log_that_names_nothing_are_said_once() {
    let args = [
        "--source",
        "test:320x240",
        "--size",
        "640x480",
        "--format",
        "yuyv",
    ];
    let camfeed = Camfeed::start_with(
        "127.0.0.1:0",
        &args,
        &[("RUST_LOG", "verbose,camfed=debug")],
    );
    camfeed.wait_log("camera online");
    for said in [
        "`--size` is not used: this test pattern",
        "`--format` is not used: this test pattern",
        "RUST_LOG: `verbose` names nothing: allowed are error, warn, info",
        "RUST_LOG: `camfed=debug` names nothing",
    ] {
        assert_eq!(camfeed.count_log(said), 1, "{said}: {}", camfeed.log());
    }
    let camfeed = Camfeed::online(&["--source", "test:320x240", "--quality", "70"]);
    assert_eq!(camfeed.count_log("is not used"), 0);
    assert_eq!(camfeed.count_log("names nothing"), 0);
}

#[test]
fn a_source_of_the_file_that_no_camera_shows_is_said_once() {
    let folder = Folder::new();
    let path = folder.file("camfeed.conf");
    for (text, typed, is_said) in [
        ("--source 0\n[a]\n--source test\n", "--list", true),
        (
            "--source 0\n--camera b=1\n[a]\n--source=test\n",
            "--list",
            true,
        ),
        ("--source 0\n[a]\n--source test\n[b]\n", "--list", false),
        ("--source 0\n", "--list", false),
        ("[a]\n--source test\n", "--list", false),
        // What is typed is what the section shows.
        (
            "--source 0\n[a]\n--source 1\n",
            "--list --source test",
            false,
        ),
    ] {
        fs::write(&path, text).unwrap();
        let typed: Vec<_> = typed.split(' ').chain(["--config", &path]).collect();
        let said = String::from_utf8(camfeed(&typed).stderr).unwrap();
        let line = format!("`{path}`: `--source` above the first section is used by no camera");
        assert_eq!(
            said.matches(&line).count(),
            usize::from(is_said),
            "{text}: {said}"
        );
        assert!(!is_said || said.contains("`[NAME]`"), "{said}");
    }
}

#[test]
fn no_log_setting_hides_why_the_program_ends() {
    for setting in [
        "",
        ",",
        "camfeed::http=debug",
        "camfeed::nonsense=debug",
        "off",
        "camfeed=off",
        "info/nothing has this",
        "info//state/x",
    ] {
        let output = Command::new(BINARY)
            .args(["--config", "/none/such"])
            .env("RUST_LOG", setting)
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(78), "{setting:?}: {said}");
        assert_eq!(said.matches("/none/such").count(), 1, "{setting:?}: {said}");
        let told = said.matches("`camfeed::nonsense=debug` names nothing");
        assert_eq!(
            told.count(),
            usize::from(setting.contains("nonsense")),
            "{said}"
        );
        // Where nothing is to be logged that is all.
        assert!(setting != "off" || said.lines().count() == 1, "{said}");
    }
}

#[test]
fn a_log_setting_that_names_parts_leaves_the_rest_as_usual() {
    for setting in ["", "camfeed::http=debug", "camfeed::nonsense=debug"] {
        // The address is read from the log.
        let camfeed = Camfeed::start_with("127.0.0.1:0", &[SMALL], &[("RUST_LOG", setting)]);
        camfeed.wait_log("camera online");
    }
}

#[test]
fn version_is_the_packages() {
    let output = camfeed(&["--version"]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(said, format!("camfeed {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn an_address_in_use_is_said_as_such() {
    let first = Camfeed::start(&["--source", SMALL]);
    let output = camfeed(&["--listen", &first.address.to_string()]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("the address is in use"), "{said}");
}

#[test]
fn the_log_begins_with_the_address_then_says_what_the_camera_gives() {
    let camfeed = Camfeed::online(&["--source", SMALL]);
    let line = camfeed.wait_log("camera online");
    for fact in ["test pattern", "320x240 at 30 fps", "BGR"] {
        assert!(line.contains(fact), "{line}");
    }
    assert_ne!(camfeed.address.port(), 0);
}

/// What camfeed says at a terminal until its camera is online and Ctrl-C ends it, in a network that knows this
/// machine by its name.
fn said_at_a_terminal(camera: &FakeCamera, args: &str) -> Vec<String> {
    let folder = Folder::new();
    fs::create_dir_all(folder.0.join("run/avahi-daemon")).unwrap();
    fs::write(folder.0.join("run/avahi-daemon/socket"), "").unwrap();
    let mut environment = camera.environment().to_vec();
    environment.push(("CAMFEED_SYSFS", folder.0.to_str().unwrap().to_owned()));
    environment.push(("RUST_LOG_STYLE", "never".to_owned()));
    environment.push(("RUST_LOG", "info".to_owned()));
    let environment: Vec<_> = environment
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let line = format!(
        "exec env {} {BINARY} --listen 0 {args}",
        environment.join(" ")
    );
    let log = folder.file("log");
    let mut child = Command::new("script")
        .args(["-q", "-f", "-e", "-c", &line, &log])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("script, of every Debian");
    let said = || fs::read_to_string(&log).unwrap_or_default();
    let is_online = eventually(SOON, || said().contains("camera online"));
    child.stdin.take().unwrap().write_all(b"\x03").unwrap();
    assert!(child.wait().unwrap().success() && is_online, "{}", said());
    let said = said();
    let (start, _) = said.split_once("ending on SIGINT").expect("its end");
    let lines = start
        .lines()
        .filter(|line| line.contains("Z INFO ") || line.contains("Z WARN "));
    let mut lines: Vec<_> = lines.map(|line| line.trim_end().to_owned()).collect();
    lines.pop(); // That of the end.
    lines
}

#[test]
fn a_start_at_a_terminal_says_where_it_is_what_it_shows_and_how_it_ends() {
    let camera = FakeCamera::new("");
    let lines = said_at_a_terminal(&camera, "");
    assert!(lines.len() <= 3, "{lines:#?}");
    let (first, last) = (&lines[0], &lines[lines.len() - 1]);
    let host = rustix::system::uname();
    let host = host.nodename().to_str().unwrap().split('.').next().unwrap();
    for part in [
        "listening on http://127.0.0.1:",
        "/ (on other machines: http://",
        &format!("http://{host}.local:"),
        "; Ctrl-C ends it",
    ] {
        assert!(first.contains(part), "no {part:?} in {first}");
    }
    for part in [
        "camera online: Fake Camera (/dev/video0), 640x480 at 30 fps, MJPG passed through",
        "(not the right one? `camfeed --list` shows all)",
    ] {
        assert!(last.contains(part), "no {part:?} in {last}");
    }
    // Somebody who has chosen it knows which it is.
    let lines = said_at_a_terminal(&camera, "/dev/video0");
    assert!(!lines.concat().contains("--list"), "{lines:#?}");
    // Nobody is there to read it.
    let log = camera.online(&[]).log();
    assert!(!log.contains("--list") && !log.contains("Ctrl-C"), "{log}");
}
