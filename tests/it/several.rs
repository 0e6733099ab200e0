//! Several cameras in one program: by `--camera` and by sections of the options file, each below its name.

use crate::{
    auth::secret,
    camfeed::{Camfeed, Folder, SOON, eventually, run},
    fakecam::{FakeCamera, decoded, size_of},
    http::{Parts, ask_with, get},
};
use rustix::process::Signal;
use serde_json::Value;
use std::{fs, net::SocketAddr};

const TWO: [&str; 3] = [
    "--camera",
    "front=test:320x240@10",
    "--camera=Back-2=test:160x128@10",
];

/// Both are online.
fn online(args: &[&str]) -> Camfeed {
    let camfeed = Camfeed::start(args);
    camfeed.wait_logs("camera online", 2);
    camfeed
}

fn state(address: SocketAddr, path: &str) -> Value {
    serde_json::from_slice(&get(address, path).body).expect("JSON")
}

fn sized(jpeg: &[u8]) -> (i32, i32) {
    size_of(&decoded(jpeg).expect("a picture"))
}

#[test]
fn each_camera_has_its_addresses_below_its_name_and_the_first_those_without() {
    let camfeed = online(&TWO);
    let address = camfeed.address;
    let (front, back) = ((320, 240), (160, 128));
    for (path, size) in [
        ("/front/stream", front),
        ("/front/video_feed", front),
        ("/back-2/stream.mjpg", back),
        ("/Back-2/?action=stream", back),
        ("/stream", front),
        ("/?action=stream", front),
        ("/?action=stream_1", back),
    ] {
        assert_eq!(
            sized(&Parts::open(address, path).next_part().jpeg),
            size,
            "{path}"
        );
    }
    for (path, size) in [
        ("/front/snapshot.jpg", front),
        ("/Back-2/snapshot.jpg", back),
        ("/Back-2/snapshot", back),
        ("/Back-2/?action=snapshot", back),
        ("/snapshot.jpg", front),
        ("/?action=snapshot_0", front),
        ("/?action=snapshot_1", back),
    ] {
        let answer = get(address, path);
        assert_eq!((answer.status, sized(&answer.body)), (200, size), "{path}");
    }
    let snapshot = get(address, "/Back-2/snapshot.jpg");
    let name = snapshot.header("Content-Disposition").expect("a name");
    assert!(name.contains("camfeed-Back-2-"), "{name}");
    for (path, name, width) in [
        ("/Back-2/state", "Back-2", 160),
        ("/front/state", "front", 320),
        ("/state", "front", 320),
    ] {
        let state = state(address, path);
        assert_eq!(state["name"], name, "{path}");
        assert_eq!(state["camera"]["width"], width, "{path}");
    }
    assert_eq!(state(address, "/state")["cameras"][1]["name"], "Back-2");
    let page = get(address, "/back-2/");
    assert_eq!(page.status, 200);
    assert!(page.text().contains("<title>Back-2</title>"));
    for link in [
        "/back-2/static/main.js",
        "/back-2/favicon.ico",
        "/back-2/controls",
    ] {
        assert_ne!(get(address, link).status, 404, "{link}");
    }
}

#[test]
fn what_no_camera_is_called_is_answered_with_the_names_there_are() {
    let camfeed = online(&TWO);
    for path in ["/attic/stream", "/attic/", "/attic"] {
        let answer = get(camfeed.address, path);
        assert_eq!(answer.status, 404, "{path}");
        assert!(
            answer.text().contains("there are: front, Back-2"),
            "{}",
            answer.text()
        );
    }
    let leads = get(camfeed.address, "/front");
    assert_eq!(
        (leads.status, leads.header("Location")),
        (307, Some("front/"))
    );
}

#[test]
fn health_and_numbers_are_said_of_each_camera() {
    let camfeed = online(&TWO);
    let address = camfeed.address;
    let health = get(address, "/healthz");
    let lines = health.text();
    let lines: Vec<_> = lines.lines().map(|line| line.split_once(": ")).collect();
    assert_eq!(health.status, 200);
    let names: Vec<_> = lines.iter().flatten().map(|(name, _)| *name).collect();
    assert_eq!(names, ["front", "Back-2"]);
    let own = get(address, "/Back-2/healthz");
    assert!(
        own.status == 200 && own.text().starts_with("ok, "),
        "{}",
        own.text()
    );
    let metrics = get(address, "/metrics").text();
    for name in ["front", "Back-2"] {
        let up = format!("camfeed_camera_up{{camera=\"{name}\"}} 1\n");
        assert!(metrics.contains(&up), "no {up} in {metrics}");
    }
    assert_eq!(get(address, "/front/metrics").status, 404);
}

#[test]
fn one_that_is_named_is_served_below_its_name_without_a_label() {
    let camfeed = Camfeed::online(&["--camera", "only=test:320x240@10"]);
    let address = camfeed.address;
    assert_eq!(get(address, "/only/snapshot.jpg").status, 200);
    assert_eq!(state(address, "/state")["name"], "only");
    assert!(get(address, "/").text().contains("<title>only</title>"));
    assert!(
        get(address, "/metrics")
            .text()
            .contains("camfeed_camera_up 1\n")
    );
}

#[test]
fn the_password_is_asked_for_below_each_name_too() {
    let folder = Folder::new();
    let path = secret(&folder, "password", "ann:open sesame\n");
    let camfeed = online(&[&TWO[..], &["--password-file", &path]].concat());
    let right = "Authorization: Basic YW5uOm9wZW4gc2VzYW1l\r\n";
    for path in [
        "/front/",
        "/front",
        "/Back-2/stream",
        "/back-2/snapshot.jpg",
        "/front/state",
        "/front/controls",
        "/front/static/main.js",
        "/front/healthz/x",
        "/attic/healthz",
        "/front//healthz",
        "/front/Healthz",
        "/attic",
        "/healthz/front",
        "/?action=snapshot_1",
    ] {
        let answer = get(camfeed.address, path);
        assert_eq!(answer.status, 401, "{path}");
        assert!(!answer.text().contains("front"), "{path}");
        let closing = format!("{right}Connection: close\r\n");
        let allowed = ask_with(camfeed.address, "HEAD", path, &closing);
        assert_ne!(allowed.status, 401, "{path}");
    }
    for path in ["/healthz", "/front/healthz", "/Back-2/healthz"] {
        assert_eq!(get(camfeed.address, path).status, 200, "{path}");
    }
}

#[test]
fn sections_of_the_file_are_cameras_and_a_reload_takes_over_their_quality() {
    let folder = Folder::new();
    let path = folder.file("camfeed.conf");
    let file = |front: &str, back: &str| {
        let text = format!(
            "--name Farm\n--fps=10\n--quality 50\n[front]\n--source test:320x240\n{front}\n[back]\n\
             --source=test:160x128\n{back}\n"
        );
        fs::write(&path, text).unwrap();
    };
    file("", "--quality=60");
    let camfeed = online(&["--config", &path]);
    let address = camfeed.address;
    let quality =
        |name: &str| state(address, &format!("/{name}/state"))["encoder"]["quality"].clone();
    assert_eq!((quality("front"), quality("back")), (50.into(), 60.into()));
    assert_eq!(sized(&get(address, "/back/snapshot.jpg").body), (160, 128));
    assert!(get(address, "/").text().contains("<title>Farm</title>"));
    let mut viewer = Parts::open(address, "/back/stream");
    viewer.next_part();
    file("--fps 5\n--quality 30", "--quality 70");
    camfeed.signal(Signal::HUP);
    let line = camfeed.wait_log("takes effect at the next start");
    assert!(line.ends_with(": [front] --fps"), "{line}");
    assert_eq!((quality("front"), quality("back")), (30.into(), 70.into()));
    viewer.next_part();
    file("--fps 5\n[barn]\n--source test", "--listen 0.0.0.0:1");
    camfeed.signal(Signal::HUP);
    let line = camfeed.wait_log("everything stays as it was");
    assert!(
        line.contains("line 11: `--listen` is for the server"),
        "{line}"
    );
    assert_eq!((quality("front"), quality("back")), (30.into(), 70.into()));
    file("[barn]\n--source test", "--quality 60");
    camfeed.signal(Signal::HUP);
    assert!(eventually(SOON, || camfeed.count_log(": [barn]") == 1));
    assert_eq!(get(address, "/barn/state").status, 404);
}

#[test]
fn check_reads_each_camera_under_its_name() {
    let gone = "gone=/dev/none-of-these";
    let args = [
        "--check",
        "--camera",
        "front=test:320x240@10",
        "--camera",
        gone,
    ];
    let output = run(env!("CARGO_BIN_EXE_camfeed"), &args);
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(3), "{said}");
    let (front, gone) = said.split_once("\n\ncamera       gone\n").expect("both");
    assert!(
        front.starts_with("camera       front\nopening test pattern"),
        "{said}"
    );
    assert!(
        front.contains("320x240") && gone.contains("/dev/none-of-these"),
        "{said}"
    );
}

#[test]
fn check_reads_whatever_camera_there_is_where_all_are_asked_for() {
    let camera = FakeCamera::new("");
    let output = camera.run(&["--check", "--source=all"]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    let opening = "opening /dev/v4l/by-id/usb-Fake_Camera_0001-video-index0 …\n";
    let begin = format!("camera       fake\n{opening}");
    assert!(said.starts_with(&begin), "{said}");
    assert_eq!(said.matches("opening ").count(), 1, "{said}");
}

#[test]
fn cameras_that_do_not_fit_are_refused_before_anything_starts() {
    let folder = Folder::new();
    let path = folder.file("camfeed.conf");
    fs::write(&path, "[a]\n--source test\n\n[A]\n--source test\n").unwrap();
    for (args, code, parts) in [
        (
            &["--camera", "stream=test"][..],
            1,
            ["--camera", "an address already"],
        ),
        (
            &["--camera=a=0", "--camera=b=/dev/video0"],
            1,
            ["--camera", "have one device"],
        ),
        (
            &["--camera", "a=test", "--source=all"],
            1,
            ["--source all", "--camera"],
        ),
        (
            &["--no-controls=off"],
            1,
            ["--no-controls", "takes no value"],
        ),
        (&["--config", &path], 78, [&path, "line 4: two cameras"]),
    ] {
        let output = run(env!("CARGO_BIN_EXE_camfeed"), args);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
        for part in parts {
            assert!(said.contains(part), "{args:?}: {said}");
        }
        assert!(!said.contains("panicked"), "{said}");
    }
}
