//! What camfeed makes of a camera that works: negotiation, pass-through, encoding, controls, idling,
//! `--list` and `--check`. Cameras that fail are in `faults`.

use crate::{
    browser::Turn,
    camfeed::{Camfeed, Folder, SMALL, SOON, eventually, run},
    fakecam::{
        FakeCamera, decoded, difference, is_of_ring, picture, size_of, unmarked, wait_state,
    },
    http::{Answer, Part, Parts, find, get, send},
    status::state,
};
use opencv::{
    core::{Mat, Vec3b},
    imgcodecs,
    prelude::*,
};
use rustix::time::{ClockId, clock_gettime};
use serde_json::Value;
use std::{
    fs,
    io::Read,
    net::SocketAddr,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// How far `X-Timestamp` may be from the time the camera gave.
const CLOCKS: f64 = 0.020;

/// A camera takes its pictures this long before it hands them over, in milliseconds: reading time
/// and capture time are then told apart.
const LATENCY: &str = "latency_ms 300";

fn unix_now() -> f64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    now.as_secs_f64()
}

/// The middle one, so that a test that was held up for a moment judges nothing by it.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The next part with a picture of the camera in it as the camera made it.
fn next_own(parts: &mut Parts) -> Part {
    let deadline = Instant::now() + SOON;
    loop {
        let part = parts.next_part();
        if unmarked(&part.jpeg).is_some() {
            return part;
        }
        assert!(Instant::now() < deadline, "no picture of the camera");
    }
}

#[test]
fn jpegs_of_the_camera_pass_through_bit_for_bit() {
    let camera = FakeCamera::new("");
    let camfeed = camera.online(&["--source", "/dev/video0", "--size", "1280x720"]);
    let line = camfeed.wait_log("camera online");
    for word in ["Fake Camera", "1280x720 at 30 fps", "MJPG passed through"] {
        assert!(line.contains(word), "{word}: {line}");
    }
    let mut parts = Parts::open(camfeed.address, "/stream");
    let mut last = None;
    for _ in 0..30 {
        let part = parts.next_part();
        let (mark, own) = unmarked(&part.jpeg).expect("the camera's mark is still there");
        assert!(is_of_ring(&own), "not as the camera made it");
        assert!(last < Some(mark.number), "{} after {last:?}", mark.number);
        last = Some(mark.number);
    }
    let snapshot = get(camfeed.address, "/snapshot.jpg");
    let (_, own) = unmarked(&snapshot.body).expect("the camera's mark");
    assert!(is_of_ring(&own));
    let state = state(camfeed.address);
    assert_eq!(state["encoder"]["pass_through"], true);
    assert_eq!(state["encoder"]["encoded"], 0);
    assert_eq!(state["camera"]["format"], "MJPG");
    assert_eq!(state["camera"]["width"], 1280);
    assert_eq!(state["camera"]["dropped"], 0);
    let stable = "/dev/v4l/by-id/usb-Fake_Camera_0001-video-index0";
    assert_eq!(state["camera"]["stable"], stable);
}

#[test]
fn timestamp_is_when_the_camera_took_the_picture() {
    let camera = FakeCamera::new(LATENCY);
    let camfeed = camera.online(&["--source", "/dev/video0"]);
    let mut parts = Parts::open(camfeed.address, "/stream");
    let errors = (0..15).map(|_| {
        let part = next_own(&mut parts);
        let (mark, _) = unmarked(&part.jpeg).unwrap();
        (part.timestamp - mark.unix).abs()
    });
    let error = median(errors.collect());
    assert!(error < CLOCKS, "{error} s");
    let snapshot = get(camfeed.address, "/snapshot.jpg?fresh=1");
    let said: f64 = snapshot.header("X-Timestamp").unwrap().parse().unwrap();
    let (mark, _) = unmarked(&snapshot.body).unwrap();
    assert!((said - mark.unix).abs() < CLOCKS * 5.0);
}

/// What the fake camera writes into raw pictures: frame number and microseconds of the monotonic
/// clock, modulo 2^40, as black and white blocks (`compose_yuyv` in tests/fakecam/pictures.h).
fn read_blocks(mat: &Mat) -> Option<(u64, u64)> {
    let block = if mat.cols() >= 640 { 16 } else { 8 };
    let row = |row: i32| {
        (0..40).fold(0, |bits, column| {
            let at = |side: i32| side * block + block / 2;
            let pixel = mat.at_2d::<Vec3b>(at(row), at(column)).expect("inside");
            bits << 1 | u64::from(pixel[1] > 128)
        })
    };
    let (first, second, check) = (row(0), row(1), row(2));
    (first >> 32 == 0xa5 && first ^ second == check).then_some((first & 0xffff_ffff, second))
}

#[test]
fn raw_pixels_are_encoded_and_dated_by_the_camera() {
    let camera = FakeCamera::new(&format!("format yuyv\n{LATENCY}"));
    let camfeed = camera.online(&["--source", "/dev/video0", "--size", "1280x720"]);
    let line = camfeed.wait_log("camera online");
    assert!(line.contains("1280x720 at 30 fps, YUYV encoded"), "{line}");
    let mut parts = Parts::open(camfeed.address, "/stream");
    let (mut numbers, mut errors) = (Vec::new(), Vec::new());
    for _ in 0..8 {
        let part = parts.next_part();
        let mat = decoded(&part.jpeg).expect("a JPEG");
        assert_eq!(size_of(&mat), (1280, 720));
        let (number, micros) = read_blocks(&mat).expect("the blocks are legible");
        numbers.push(number);
        let monotonic = clock_gettime(ClockId::Monotonic);
        let now = monotonic.tv_sec as f64 + monotonic.tv_nsec as f64 / 1e9;
        let taken = unix_now() - now + micros as f64 / 1e6;
        errors.push((part.timestamp - taken).abs());
    }
    assert!(numbers.is_sorted_by(|one, next| one < next), "{numbers:?}");
    let error = median(errors);
    assert!(error < CLOCKS, "{error} s");
    let state = state(camfeed.address);
    assert_eq!(state["encoder"]["pass_through"], false);
    assert!(state["encoder"]["encoded"].as_u64() >= Some(8));
}

#[test]
fn the_format_asked_for_is_taken() {
    let camera = FakeCamera::new("");
    let camfeed = camera.online(&["--source", "0", "--format", "yuyv"]);
    let line = camfeed.wait_log("camera online");
    assert!(line.contains("YUYV encoded"), "{line}");
    assert!(!line.contains("asked for"), "{line}");
    let part = Parts::open(camfeed.address, "/stream").next_part();
    let mat = decoded(&part.jpeg).expect("a JPEG");
    assert!(read_blocks(&mat).is_some());
    assert_eq!(state(camfeed.address)["camera"]["asked"]["format"], "YUYV");
}

#[test]
fn what_the_camera_lacks_is_said_with_what_it_gave_instead() {
    let camera = FakeCamera::new("format yuyv");
    let options = [
        "--source",
        "/dev/video0",
        "--format",
        "mjpg",
        "--size",
        "800x600",
    ];
    let camfeed = camera.online(&options);
    let line = camfeed.wait_log("camera online");
    assert!(line.contains("640x480 at 30 fps, YUYV encoded"), "{line}");
    assert!(line.contains("asked for MJPG, 800x600"), "{line}");
    let state = state(camfeed.address);
    assert_eq!(state["camera"]["width"], 640);
    assert_eq!(state["camera"]["asked"]["width"], 800);
    assert_eq!(state["camera"]["asked"]["format"], "MJPG");
}

/// Exit code and everything said of a run to the end.
fn run_camfeed(camera: &FakeCamera, args: &[&str]) -> (Option<i32>, String) {
    let output = camera.run(args);
    let said = [output.stdout, output.stderr].concat();
    (
        output.status.code(),
        String::from_utf8_lossy(&said).into_owned(),
    )
}

#[test]
fn list_names_cameras_and_marks_what_auto_chooses() {
    let second = "metadata_node yes\ncamera 1\nnode 5\nname Garden Camera\nformat yuyv";
    let camera = FakeCamera::new(second);
    let (code, said) = run_camfeed(&camera, &["--list"]);
    assert_eq!(code, Some(0), "{said}");
    let line = |text: &str| -> &str {
        let found = said.lines().find(|line| line.contains(text));
        found.unwrap_or_else(|| panic!("no {text:?} in\n{said}"))
    };
    let chosen = "auto chooses this";
    assert!(line("/dev/video0").contains("Fake Camera"));
    assert!(line("/dev/video0").contains(chosen));
    assert!(line("/dev/video5").contains("Garden Camera"));
    assert!(!line("/dev/video5").contains(chosen));
    assert!(
        !said.contains("/dev/video1"),
        "it captures no pictures:\n{said}"
    );
    line("/dev/v4l/by-id/usb-Fake_Camera_0001-video-index0");
    line("/dev/v4l/by-id/usb-Fake_Camera_0002-video-index0");
    assert!(line("MJPG").contains(chosen));
    assert!(line("1920x1080").contains("30, 15, 10, 5 fps"));
    assert!(
        !line("YUYV").contains(chosen),
        "the first camera has better"
    );
}

#[test]
fn list_marks_what_format_takes_apart_from_what_auto_would() {
    let (code, said) = run_camfeed(&FakeCamera::new(""), &["--list", "--format", "yuyv"]);
    assert_eq!(code, Some(0), "{said}");
    let has = |format: &str, mark: &str| {
        let mut lines = said.lines();
        lines.any(|line| line.contains(format) && line.ends_with(mark))
    };
    assert!(has("MJPG", "<- auto chooses this"), "{said}");
    assert!(has("YUYV", "<- --format chooses this"), "{said}");
}

#[test]
fn list_without_a_camera_ends_with_3() {
    let camera = FakeCamera::new("plugged no");
    let (code, said) = run_camfeed(&camera, &["--list"]);
    assert_eq!(code, Some(3), "{said}");
    for words in ["no camera found", "camera module"] {
        assert!(said.contains(words), "no {words:?} in {said}");
    }
}

#[test]
fn check_says_what_a_camera_really_gives() {
    let camera = FakeCamera::new("fps 10");
    let (code, said) = run_camfeed(&camera, &["--check", "--size", "1280x720"]);
    assert_eq!(code, Some(0), "{said}");
    for words in ["MJPG", "1280x720", "pass through", "usb-Fake_Camera_0001"] {
        assert!(said.contains(words), "no {words:?} in\n{said}");
    }
    let line = said.lines().find(|line| line.contains("measured"));
    let fps = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok());
    let (_, said) = run_camfeed(&camera, &["--check", "--size", "800x600"]);
    let gives = said.lines().find(|line| line.starts_with("it gives "));
    let refused = "(asked for 800x600, which it does not have)";
    assert!(gives.is_some_and(|line| line.ends_with(refused)), "{said}");
    // As measured, not as the camera promised.
    assert!(fps.is_some_and(|fps| (fps - 10.0).abs() < 1.0), "{said}");
}

#[test]
fn check_says_the_format_of_a_pipeline_too() {
    for (end, format) in [("", "raw pixels"), (" ! jpegenc", "JPEG")] {
        let camera = FakeCamera::new("plugged no");
        let source = format!("gst:videotestsrc is-live=true ! video/x-raw,width=320{end}");
        let (code, said) = run_camfeed(&camera, &["--check", "--source", &source]);
        assert_eq!(code, Some(0), "{said}");
        let gives = format!("it gives     format {format}, size 320x");
        assert!(said.contains(&gives), "no {gives:?} in {said}");
    }
}

#[test]
fn check_ends_with_a_code_for_each_cause_and_names_it() {
    for (control, options, expected, words) in [
        (
            "plugged no",
            &["--source", "/dev/video0"][..],
            3,
            "no such device",
        ),
        ("plugged no", &[], 3, "no camera found"),
        (
            "busy yes",
            &["--source", "0"],
            4,
            "another program is using it",
        ),
        (
            "busy open",
            &["--source", "0"],
            4,
            "another program is using it",
        ),
        ("busy open", &[], 4, "another program is using it"),
        ("forbidden yes", &["--source", "0"], 5, "group video"),
        ("forbidden yes", &[], 5, "group video"),
        (
            "fault hang",
            &["--source", "0", "--camera-timeout", "1"],
            6,
            "no picture",
        ),
        (
            "metadata_node yes",
            &["--source", "1"],
            7,
            "no camera that captures",
        ),
        ("", &["--source", "/dev/null"], 7, "no camera that captures"),
    ] {
        let camera = FakeCamera::new(control);
        let options = [&["--check"], options].concat();
        let (code, said) = run_camfeed(&camera, &options);
        assert_eq!(code, Some(expected), "{control} {options:?}: {said}");
        assert!(said.contains(words), "{control} {options:?}: {said}");
    }
}

#[test]
fn why_a_camera_does_not_open_is_told_in_the_log_and_in_state() {
    for (control, source, words, is_gone) in [
        ("plugged no", "/dev/video0", "no such device", true),
        (
            "busy yes",
            "/dev/video0",
            "another program is using it",
            false,
        ),
        ("forbidden yes", "/dev/video0", "group video", false),
        (
            "metadata_node yes",
            "/dev/video1",
            "no camera that captures",
            false,
        ),
    ] {
        let camera = FakeCamera::new(control);
        let camfeed = camera.serve(&["--source", source]);
        assert!(camfeed.wait_log("WARN").contains(words), "{control}");
        let is_told = eventually(SOON, || {
            let now = state(camfeed.address);
            let reason = now["camera"]["reason"].as_str().unwrap_or_default();
            let is_so = reason.contains(words) && now["camera"]["gone"] == is_gone;
            now["camera"]["state"] == "offline" && is_so
        });
        assert!(is_told, "{control}: {:#}", state(camfeed.address));
        if source == "/dev/video0" {
            camera.set("");
            camfeed.wait_log("camera back");
            wait_state(&camfeed, "online");
            assert_eq!(state(camfeed.address)["camera"]["gone"], false);
        }
        assert_eq!(camfeed.count_log(" WARN "), 1, "{control}: one warning");
    }
}

#[test]
fn every_error_at_the_start_says_what_to_do_next() {
    for (control, code, words) in [
        ("fail_streamon ENOSPC", 6, "no bandwidth left"),
        ("fail_streamon EBUSY", 4, "another program is using it"),
        ("fail_streamon EACCES", 5, "may not be started"),
        ("fail_streamon EIO", 6, "unplug it and plug it in again"),
        ("fail_streamon EPROTO", 6, "USB protocol error"),
        ("fail_streamon EPIPE", 6, "lacks this format"),
        ("fail_streamon ENODEV", 3, "fell off the bus"),
        ("driver unicam", 7, "--source csi"),
        ("driver rp1-cfe", 7, "--source csi"),
        ("format h264,hevc", 6, "go2rtc"),
    ] {
        let camera = FakeCamera::new(control);
        let (seen, said) = run_camfeed(&camera, &["--check", "--source", "0"]);
        assert!(said.contains(words), "{control}: {said}");
        assert_eq!(seen, Some(code), "{control}: {said}");
        let camfeed = camera.serve(&["--source", "0"]);
        assert!(camfeed.wait_log("WARN").contains(words), "{control}");
        let reason = || state(camfeed.address)["camera"]["reason"].to_string();
        assert!(
            eventually(SOON, || reason().contains(words)),
            "{}",
            reason()
        );
    }
}

#[test]
fn a_first_picture_that_is_late_names_the_option() {
    let camera = FakeCamera::new("start_ms 60000");
    let camfeed = camera.serve(&["--source", "0", "--camera-timeout", "1"]);
    let line = camfeed.wait_log("WARN");
    assert!(
        line.contains("no picture within 1 s (`--camera-timeout`)"),
        "{line}"
    );
}

#[test]
fn bytes_before_the_soi_are_cut_off_and_counted() {
    for lead in ["lead 1", "lead 100", "lead line"] {
        let camera = FakeCamera::new(lead);
        let (code, said) = run_camfeed(&camera, &["--check", "--source", "0"]);
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains("repaired"), "{said}");
        let camfeed = camera.serve(&["--source", "0"]);
        let mut parts = Parts::open(camfeed.address, "/stream");
        let part = parts.next_part();
        assert!(part.jpeg.starts_with(&[0xff, 0xd8]) && part.jpeg.ends_with(&[0xff, 0xd9]));
        let repaired = state(camfeed.address)["camera"]["repaired"].as_u64();
        assert!(repaired.is_some_and(|repaired| repaired > 0), "{lead}");
    }
}

#[test]
fn auto_takes_a_camera_plugged_in_later_and_keeps_to_it() {
    let camera = FakeCamera::new("plugged no");
    let camfeed = camera.online(&["--size", "640x480"]);
    assert_eq!(state(camfeed.address)["camera"]["fallback"], true);
    let mut parts = Parts::open(camfeed.address, "/stream");
    assert!(
        unmarked(&parts.next_part().jpeg).is_none(),
        "the test pattern"
    );
    camera.set("");
    camfeed.wait_log("takes over from the test pattern");
    let first = next_own(&mut parts);
    wait_state(&camfeed, "online");
    let now = state(camfeed.address);
    assert_eq!(now["camera"]["fallback"], false);
    assert_eq!(now["camera"]["source"], "/dev/video0");
    camera.set("plugged no");
    camfeed.wait_log("was unplugged");
    wait_state(&camfeed, "offline");
    let mut now = Value::Null;
    // For as long as several tries take, there is a reason and never the pattern.
    let has_tried = eventually(SOON, || {
        now = state(camfeed.address);
        assert_eq!(now["camera"]["fallback"], false);
        assert_ne!(now["camera"]["source"], "test pattern");
        camfeed.count_log("next try") >= 3
    });
    assert!(has_tried, "{now:#}");
    assert_eq!(now["camera"]["state"], "offline");
    assert_eq!(get(camfeed.address, "/snapshot.jpg").status, 503);
    let is_told = || {
        let health = get(camfeed.address, "/healthz");
        health.status == 503 && health.text().contains("is it plugged in?")
    };
    assert!(eventually(SOON, is_told));
    camera.set("node 2");
    camfeed.wait_log("camera back");
    wait_state(&camfeed, "online");
    assert!(next_own(&mut parts).sequence > first.sequence);
}

#[test]
fn without_inotify_a_lost_camera_is_tried_at_the_back_offs_pace() {
    let camera = FakeCamera::new("");
    let camfeed = camera.serve_without_inotify(&["--source", "/dev/video0"]);
    wait_state(&camfeed, "online");
    assert_eq!(camfeed.count_log("camera nodes cannot be watched"), 1);
    camera.set("plugged no");
    // The third pause: nothing takes back the back-off.
    camfeed.wait_log("next try in 2000 ms");
    camera.set("");
    camfeed.wait_log("camera back");
    wait_state(&camfeed, "online");
}

#[test]
fn without_inotify_auto_finds_a_camera_plugged_in_later() {
    let camera = FakeCamera::new("plugged no");
    let camfeed = camera.serve_without_inotify(&[]);
    wait_state(&camfeed, "online");
    assert_eq!(state(camfeed.address)["camera"]["fallback"], true);
    camera.set("");
    camfeed.wait_log("takes over from the test pattern");
}

#[test]
fn a_camera_named_by_its_stable_name_is_found_under_another_number() {
    let camera = FakeCamera::new("");
    let name = "/dev/v4l/by-id/usb-Fake_Camera_0001-video-index0";
    let camfeed = camera.online(&["--source", name]);
    let mut parts = Parts::open(camfeed.address, "/stream");
    next_own(&mut parts);
    camera.set("plugged no");
    camfeed.wait_log("was unplugged");
    wait_state(&camfeed, "offline");
    camera.set("node 4");
    camfeed.wait_log("camera back");
    wait_state(&camfeed, "online");
    next_own(&mut parts);
    let now = state(camfeed.address);
    assert_eq!(now["camera"]["source"], "/dev/video4");
    assert_eq!(now["camera"]["stable"], name);
}

#[test]
fn a_replug_too_quick_to_be_seen_heals() {
    let camera = FakeCamera::new("");
    let camfeed = camera.online(&["--source", "/dev/video0"]);
    let mut parts = Parts::open(camfeed.address, "/stream");
    let number = |parts: &mut Parts| unmarked(&next_own(parts).jpeg).unwrap().0.number;
    while number(&mut parts) < 30 {}
    let pulled = Instant::now();
    camera.set("generation 1");
    camera.wait_count("plug camera=0 node=0", 1);
    while number(&mut parts) >= 30 {
        // Two seconds to notice and two to return, on a machine that may be busy.
        let time = pulled.elapsed();
        assert!(time < Duration::from_secs(4 * 3), "not after {time:?}");
    }
    camfeed.wait_log("camera back");
    wait_state(&camfeed, "online");
    assert_eq!(camfeed.count_log(" WARN "), 1);
}

#[test]
fn jpegs_without_huffman_tables_show_everywhere() {
    let shown = picture("640x480", 1);
    let camera = FakeCamera::showing(&shown, "fault nodht");
    let camfeed = camera.online(&["--source", "/dev/video0"]);
    let part = next_own(&mut Parts::open(camfeed.address, "/stream"));
    let expected = decoded(&fs::read(&shown).unwrap()).unwrap();
    let whole = (0, 0, 640, 480);
    let got = decoded(&part.jpeg).expect("OpenCV decodes it");
    assert_eq!(difference(&got, &expected, whole), 0.0);
    assert!(find(&part.jpeg, &[0xff, 0xc4]).is_some());
    let folder = Folder::new();
    let file = folder.file("snapshot.jpg");
    fs::write(&file, get(camfeed.address, "/snapshot.jpg").body).unwrap();
    let seen = run(
        "ffmpeg",
        &["-v", "error", "-xerror", "-i", &file, "-f", "null", "-"],
    );
    assert!(seen.status.success() && seen.stderr.is_empty(), "{seen:?}");
    let (shot, profile) = (folder.file("shot.png"), folder.file("profile"));
    let (shot_option, profile_option) = (
        format!("--screenshot={shot}"),
        format!("--user-data-dir={profile}"),
    );
    let turn = Turn::take();
    let seen = run(
        "chromium",
        &[
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            "--force-device-scale-factor=1",
            "--window-size=640,480",
            &profile_option,
            &shot_option,
            &camfeed.url("/snapshot.jpg"),
        ],
    );
    drop(turn);
    let painted = imgcodecs::imread(&shot, imgcodecs::IMREAD_COLOR).unwrap();
    assert_eq!(size_of(&painted), (640, 480), "{seen:?}");
    let error = difference(&painted, &expected, whole);
    assert!(error < 10.0, "Chromium paints something else: {error}");
}

#[test]
fn padding_is_cut_off() {
    let camera = FakeCamera::new("fault padding\npadding_bytes 3000\npadding_value 255");
    let camfeed = camera.online(&["--source", "/dev/video0"]);
    let part = next_own(&mut Parts::open(camfeed.address, "/stream"));
    let snapshot = get(camfeed.address, "/snapshot.jpg");
    for jpeg in [part.jpeg, snapshot.body] {
        assert!(is_of_ring(&unmarked(&jpeg).expect("the camera's").1));
    }
}

#[test]
fn bytes_that_opencv_loses_are_put_back() {
    // Of every second picture OpenCV up to 4.10 loses 1 to 3 bytes; later ones lose none.
    let camera = FakeCamera::new("fault uneven");
    let camfeed = camera.online(&["--source", "/dev/video0"]);
    let mut parts = Parts::open(camfeed.address, "/stream");
    let mut last = None;
    let mut guessed = 0;
    for _ in 0..60 {
        let part = next_own(&mut parts);
        let (mark, mut own) = unmarked(&part.jpeg).expect("the camera's");
        assert!(last < Some(mark.number), "{} after {last:?}", mark.number);
        last = Some(mark.number);
        if !is_of_ring(&own) {
            // The last byte of the scan is gone for good: a guess stands for it.
            let scan_end = own.len() - 3;
            let is_of_ring_with = |byte| {
                own[scan_end] = byte;
                is_of_ring(&own)
            };
            assert!((0..=255).any(is_of_ring_with), "cut off elsewhere");
            guessed += 1;
        }
    }
    assert!(guessed < 15, "{guessed}");
    let dropped = state(camfeed.address)["camera"]["dropped"].take();
    assert_eq!(dropped, 0, "{guessed} guessed");
}

#[test]
fn a_camera_that_never_sends_an_eoi_is_shown() {
    let camera = FakeCamera::new("fault noeoi");
    let camfeed = camera.online(&["--source", "/dev/video0", "--camera-timeout", "2"]);
    camfeed.wait_log("without an EOI");
    let mut parts = Parts::open(camfeed.address, "/stream");
    for _ in 0..20 {
        let part = next_own(&mut parts);
        assert!(is_of_ring(&unmarked(&part.jpeg).expect("the camera's").1));
    }
    assert_eq!(camfeed.count_log("without an EOI"), 1);
    assert_eq!(state(camfeed.address)["camera"]["dropped"], 0);
    // Once it has sent one, a picture without is a cut one.
    camera.set("fault noeoi\nfault_every 2");
    let drops = || state(camfeed.address)["camera"]["dropped"].as_u64() >= Some(5);
    assert!(eventually(SOON, drops));
    for _ in 0..20 {
        let part = next_own(&mut parts);
        assert!(is_of_ring(&unmarked(&part.jpeg).expect("the camera's").1));
    }
    assert_eq!(camfeed.count_log("without an EOI"), 1);
}

#[test]
fn turning_a_jpeg_camera_decodes_and_says_so() {
    let camera = FakeCamera::new("");
    let camfeed = camera.online(&["--source", "/dev/video0", "--rotate", "270"]);
    let line = camfeed.wait_log("camera online");
    assert!(line.contains("MJPG encoded"), "{line}");
    let part = Parts::open(camfeed.address, "/stream").next_part();
    assert_eq!(size_of(&decoded(&part.jpeg).expect("a JPEG")), (480, 640));
    assert_eq!(state(camfeed.address)["encoder"]["pass_through"], false);
}

#[test]
fn an_overlay_is_burnt_into_the_lower_left_corner() {
    let shown = picture("640x480", 1);
    let camera = FakeCamera::showing(&shown, "");
    let camfeed = camera.online(&["--source", "/dev/video0", "--overlay", "time"]);
    assert!(camfeed.wait_log("camera online").contains("encoded"));
    let got = decoded(&get(camfeed.address, "/snapshot.jpg").body).expect("a JPEG");
    let plain = decoded(&fs::read(&shown).unwrap()).unwrap();
    let (corner, rest) = ((0, 450, 200, 30), (0, 0, 640, 400));
    assert!(
        difference(&got, &plain, corner) > 20.0,
        "no text in the corner"
    );
    assert!(
        difference(&got, &plain, rest) < 8.0,
        "more than the corner changed"
    );
    let now = state(camfeed.address);
    assert_eq!(now["encoder"]["pass_through"], false);
    assert!(now["encoder"]["encoded"].as_u64() > Some(0));
}

#[test]
fn encode_always_encodes_jpegs_anew() {
    let camera = FakeCamera::new("");
    let camfeed = camera.online(&["--source", "/dev/video0", "--encode", "always"]);
    let part = Parts::open(camfeed.address, "/stream").next_part();
    assert!(unmarked(&part.jpeg).is_none(), "the camera's own bytes");
    assert_eq!(size_of(&decoded(&part.jpeg).expect("a JPEG")), (640, 480));
    let now = state(camfeed.address);
    assert_eq!(now["encoder"]["pass_through"], false);
    assert!(now["encoder"]["encoded"].as_u64() > Some(0));
}

#[test]
fn an_unwatched_camera_is_released_and_woken_by_a_snapshot() {
    let camera = FakeCamera::new("");
    let camfeed = camera.online(&["--source", "/dev/video0", "--idle-timeout", "1"]);
    for round in 1..=2 {
        camera.wait_count("streamoff", round);
        let is_closed = || camera.count(" open camera=0") == camera.count(" close camera=0");
        assert!(eventually(SOON, is_closed), "a descriptor is left open");
        wait_state(&camfeed, "idle");
        assert_eq!(get(camfeed.address, "/healthz").status, 200);
        let asked = unix_now();
        let snapshot = get(camfeed.address, "/snapshot.jpg");
        assert_eq!(snapshot.status, 200, "{}", snapshot.text());
        let taken: f64 = snapshot.header("X-Timestamp").unwrap().parse().unwrap();
        assert!(taken > asked, "{} s too old", asked - taken);
        let (mark, _) = unmarked(&snapshot.body).expect("the camera's picture");
        // One to learn what it gives, five to warm up.
        assert!(mark.number >= 6, "frame {} was served", mark.number);
        assert_eq!(camera.count("streamon"), round + 1);
    }
    assert_eq!(camfeed.count_log(" WARN "), 0, "resting is no outage");
}

#[test]
fn the_last_viewer_leaving_starts_the_idle_time_out() {
    let camera = FakeCamera::new("");
    let options = ["--idle-timeout", "1", "--camera-timeout", "60"];
    let camfeed = camera.online(&[&["--source", "/dev/video0"], &options[..]].concat());
    wait_state(&camfeed, "idle");
    let mut parts = Parts::open(camfeed.address, "/stream");
    next_own(&mut parts);
    wait_state(&camfeed, "online");
    drop(parts);
    // Within less than the camera's time-out.
    wait_state(&camfeed, "idle");
}

/// The answer to `POST /controls`.
fn post(address: SocketAddr, headers: &str, body: &str) -> Answer {
    let length = body.len();
    let request = format!(
        "POST /controls HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
         Content-Length: {length}\r\n{headers}\r\n{body}"
    );
    let mut bytes = Vec::new();
    send(address, &request)
        .read_to_end(&mut bytes)
        .expect("an answer");
    let end = find(&bytes, b"\r\n\r\n").expect("a head");
    let head = String::from_utf8(bytes[..end].to_vec()).expect("ASCII");
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    Answer {
        status: status.expect("a status"),
        head,
        body: bytes[end + 4..].to_vec(),
    }
}

const JSON: &str = "Content-Type: application/json\r\n";

fn control(address: SocketAddr, name: &str) -> Value {
    let answer = get(address, "/controls");
    assert_eq!(answer.status, 200, "{}", answer.text());
    let answer: Value = serde_json::from_slice(&answer.body).expect("JSON");
    let controls = answer["controls"].as_array().expect("a list");
    let found = controls.iter().find(|control| control["name"] == name);
    found
        .unwrap_or_else(|| panic!("no {name} in {answer:#}"))
        .clone()
}

#[test]
fn controls_are_set_at_each_opening_and_changed_over_http() {
    let camera = FakeCamera::new("");
    let camfeed = camera.online(&["--source", "/dev/video0", "--set", "brightness=77"]);
    let brightness = control(camfeed.address, "brightness");
    for (key, value) in [("value", 77), ("min", 0), ("max", 255), ("default", 128)] {
        assert_eq!(brightness[key], value, "{key}");
    }
    let answer = post(camfeed.address, JSON, "{\"brightness\": 200, \"hue\": -5}");
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(control(camfeed.address, "brightness")["value"], 200);
    assert_eq!(control(camfeed.address, "hue")["value"], -5);
    // What a camera forgets when it is unplugged.
    camera.set("plugged no");
    camfeed.wait_log("was unplugged");
    wait_state(&camfeed, "offline");
    let answer = get(camfeed.address, "/controls");
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert!(answer.text().contains("camera"), "{}", answer.text());
    camera.set("");
    camfeed.wait_log("camera back");
    wait_state(&camfeed, "online");
    assert_eq!(control(camfeed.address, "brightness")["value"], 77);
    assert_eq!(control(camfeed.address, "hue")["value"], 0);
}

#[test]
fn a_change_the_camera_cannot_make_is_refused_with_what_is_allowed() {
    let camera = FakeCamera::new("");
    let camfeed = camera.online(&["--source", "/dev/video0"]);
    for (body, words) in [
        ("{\"brightness\": 256}", "0 to 255"),
        ("{\"brightness\": \"much\"}", "0 to 255"),
        ("{\"auto_exposure\": 2}", "Manual Mode"),
        ("{\"zoom\": 1}", "brightness, contrast"),
        ("{\"brightness\": [1]}", "a number, a text"),
        ("brightness=3", "JSON object"),
        ("", "JSON object"),
    ] {
        let answer = post(camfeed.address, JSON, body);
        assert_eq!(answer.status, 400, "{body}: {}", answer.text());
        assert!(answer.text().contains(words), "{body}: {}", answer.text());
    }
    assert_eq!(control(camfeed.address, "brightness")["value"], 128);
}

#[test]
fn controls_are_out_of_reach_for_pages_from_elsewhere() {
    let camera = FakeCamera::new("");
    let camfeed = camera.online(&["--source", "/dev/video0", "--allow-origin", "*"]);
    let own = format!("{JSON}Origin: http://{}\r\n", camfeed.address);
    for (headers, expected) in [
        ("", 415),
        ("Content-Type: text/plain\r\n", 415),
        ("Content-Type: application/x-www-form-urlencoded\r\n", 415),
        (
            "Content-Type: application/json\r\nOrigin: http://evil.example\r\n",
            403,
        ),
        ("Content-Type: application/json\r\nOrigin: null\r\n", 403),
        (
            "Content-Type: application/json\r\nSec-Fetch-Site: cross-site\r\n",
            403,
        ),
        (own.as_str(), 200),
    ] {
        let answer = post(camfeed.address, headers, "{\"brightness\": 3}");
        assert_eq!(answer.status, expected, "{headers:?}: {}", answer.text());
        let value = if expected == 200 { 3 } else { 128 };
        assert_eq!(
            control(camfeed.address, "brightness")["value"],
            value,
            "{headers:?}"
        );
    }
}

#[test]
fn switched_off_controls_can_be_neither_read_nor_changed() {
    let camera = FakeCamera::new("");
    let camfeed = camera.online(&["--source", "/dev/video0", "--no-controls"]);
    for answer in [
        get(camfeed.address, "/controls"),
        post(camfeed.address, JSON, "{\"brightness\": 3}"),
    ] {
        assert_eq!(answer.status, 404, "{}", answer.text());
        assert_eq!(answer.text(), "controls are switched off\n");
    }
    assert_eq!(camera.count(" control camera=0"), 0, "nothing was set");
}

#[test]
fn a_source_without_controls_lists_none_and_changes_none() {
    let camfeed = Camfeed::online(&["--source", SMALL]);
    let answer = get(camfeed.address, "/controls");
    assert_eq!(answer.status, 200, "{}", answer.text());
    let answer: Value = serde_json::from_slice(&answer.body).expect("JSON");
    assert_eq!(answer["controls"], Value::Array(Vec::new()));
    let answer = post(camfeed.address, JSON, "{\"brightness\": 3}");
    assert_eq!(answer.status, 404, "{}", answer.text());
    assert!(answer.text().contains("no controls"), "{}", answer.text());
}
