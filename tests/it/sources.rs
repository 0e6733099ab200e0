//! The sources that need no camera: files, pipelines, other servers.

use crate::{
    camfeed::{Camfeed, Folder, SOON, eventually, film, run},
    http::{Parts, get},
    status::state,
};
use std::time::Duration;

#[test]
fn a_file_loops_at_its_own_pace() {
    let folder = Folder::new();
    let path = folder.file("clip.mp4");
    film(&path, "libx264", "320x240", 20, 1);
    let camfeed = Camfeed::online(&["--source", &path]);
    let mut parts = Parts::open(camfeed.address, "/stream");
    let first = parts.next_part();
    let mut last = parts.next_part();
    // Three times its length.
    while last.timestamp < first.timestamp + 3.0 {
        last = parts.next_part();
    }
    // A machine that is busy may take its time.
    assert!(eventually(SOON, || {
        let fps = state(camfeed.address)["camera"]["fps"].as_f64().unwrap();
        assert!(fps < 21.0, "{fps}");
        (fps - 20.0).abs() < 1.0
    }));
    assert_eq!(camfeed.count_log("trying again"), 0, "looping is no outage");
}

#[test]
fn an_mjpeg_file_passes_through_untouched() {
    let folder = Folder::new();
    let path = folder.file("clip.avi");
    film(&path, "mjpeg", "320x240", 30, 1);
    let film = std::fs::read(&path).unwrap();
    let camfeed = Camfeed::online(&["--source", &path]);
    let mut parts = Parts::open(camfeed.address, "/stream");
    for _ in 0..40 {
        let part = parts.next_part();
        assert!(
            crate::http::find(&film, &part.jpeg).is_some(),
            "a frame that is not in the file"
        );
    }
    let state = state(camfeed.address);
    assert_eq!(state["encoder"]["pass_through"], true);
    assert_eq!(state["encoder"]["encoded"], 0);
}

#[test]
fn fps_overrides_the_pace_of_a_file() {
    let folder = Folder::new();
    let path = folder.file("clip.avi");
    film(&path, "mjpeg", "320x240", 30, 1);
    let camfeed = Camfeed::online(&["--source", &path, "--fps", "10"]);
    assert!(camfeed.wait_log("camera online").contains(" at 10 fps"));
    assert!(eventually(SOON, || {
        let fps = state(camfeed.address)["camera"]["fps"].as_f64().unwrap();
        (fps - 10.0).abs() < 0.5
    }));
}

#[test]
fn what_is_wrong_with_a_pipeline_is_said_in_gstreamers_words() {
    for (pipeline, said) in [
        ("nosuchthing ! videoconvert", "no element \"nosuchthing\""),
        ("videotestsrc ! nosuchthing", "no element \"nosuchthing\""),
        ("videotestsrc nosuch=1", "no property \"nosuch\""),
        ("videotestsrc ! ! videoconvert", "syntax"),
    ] {
        let source = format!("gst:{pipeline}");
        let output = run(
            env!("CARGO_BIN_EXE_camfeed"),
            &["--check", "--source", &source],
        );
        let printed =
            String::from_utf8_lossy(&output.stderr) + String::from_utf8_lossy(&output.stdout);
        assert!(printed.contains(said), "{pipeline}: {printed}");
        assert!(!output.status.success(), "{pipeline}");
    }
}

#[test]
fn turning_decodes_and_turns() {
    let folder = Folder::new();
    let path = folder.file("clip.avi");
    film(&path, "mjpeg", "320x240", 30, 1);
    let camfeed = Camfeed::online(&["--source", &path, "--rotate", "90"]);
    let state = state(camfeed.address);
    assert_eq!(state["encoder"]["pass_through"], false);
    let jpeg = get(camfeed.address, "/snapshot.jpg").body;
    let size = opencv::imgcodecs::imdecode(
        &opencv::core::Mat::from_slice(&jpeg).unwrap(),
        opencv::imgcodecs::IMREAD_COLOR,
    )
    .map(|mat| opencv::prelude::MatTraitConst::size(&mat).unwrap())
    .unwrap();
    assert_eq!((size.width, size.height), (240, 320));
}

#[test]
fn a_pipeline_is_a_source_with_and_without_jpeg() {
    for (pipeline, pass_through) in [
        (
            "gst:videotestsrc is-live=true ! video/x-raw,width=320,height=240",
            false,
        ),
        (
            "gst:videotestsrc is-live=true ! video/x-raw,width=320,height=240 ! jpegenc",
            true,
        ),
    ] {
        let camfeed = Camfeed::online(&["--source", pipeline]);
        let mut parts = Parts::open(camfeed.address, "/stream");
        parts.next_part();
        let state = state(camfeed.address);
        assert_eq!(state["camera"]["backend"], "GSTREAMER");
        assert_eq!(state["camera"]["width"], 320);
        assert_eq!(state["encoder"]["pass_through"], pass_through, "{pipeline}");
    }
}

#[test]
fn a_scene_that_stands_still_is_no_fault_of_a_pipeline() {
    let black = "gst:videotestsrc is-live=true pattern=black \
                 ! video/x-raw,width=320,height=240,framerate=10/1";
    let camfeed = Camfeed::online(&["--source", black, "--camera-timeout", "1"]);
    let mut parts = Parts::open(camfeed.address, "/stream");
    let first = parts.next_part();
    let mut last = parts.next_part();
    while last.timestamp < first.timestamp + 3.0 {
        last = parts.next_part();
        assert_eq!(last.jpeg, first.jpeg, "it stands still");
    }
    assert_eq!(state(camfeed.address)["camera"]["frozen"], false);
    assert_eq!(camfeed.count_log("frozen"), 0);
}

#[test]
fn with_no_camera_auto_shows_the_test_pattern_and_says_so() {
    let camfeed = Camfeed::online(&[]);
    assert_eq!(camfeed.count_log("no camera found"), 1);
    assert_eq!(camfeed.count_log("a Raspberry Pi camera module: see"), 1);
    assert_eq!(state(camfeed.address)["camera"]["source"], "test pattern");
}

#[test]
fn an_explicit_source_never_falls_back_and_is_not_tried_in_a_hot_loop() {
    let camfeed = Camfeed::start(&["--source", "/dev/video-none"]);
    camfeed.wait_log("cannot open");
    assert!(eventually(Duration::from_secs(10), || camfeed
        .count_log("next try")
        >= 3));
    let state = state(camfeed.address);
    assert_eq!(state["camera"]["state"], "offline");
    assert!(
        state["camera"]["reason"]
            .as_str()
            .unwrap()
            .contains("no such device")
    );
    assert!(camfeed.count_log("next try") < 10);
    assert_eq!(camfeed.count_log("WARN"), 1);
}
