//! A USB bus that has no bandwidth left for a camera: what fits is told, and others do not notice.

use crate::{
    camfeed::{Camfeed, SOON, eventually},
    fakecam::{FakeCamera, wait_state},
    http::Parts,
    status::state,
};

/// Enough for JPEGs of 1280x720 at 30, and for raw pictures of 640x480 at 10.
const TIGHT: &str = "bandwidth 7000000\n";

/// The reason in `/state`, once it says so.
fn reason_with(camfeed: &Camfeed, words: &str) -> String {
    let mut reason = String::new();
    let is_told = eventually(SOON, || {
        reason = state(camfeed.address)["camera"]["reason"].to_string();
        reason.contains(words)
    });
    assert!(is_told, "not {words:?}: {reason}");
    reason
}

#[test]
fn sizes_and_rates_that_fit_are_told_and_fit() {
    for (control, asked, fits) in [
        (
            TIGHT,
            &["--size", "1280x720", "--format", "yuyv"][..],
            &["--format mjpg"][..],
        ),
        (
            TIGHT,
            &["--size", "640x480", "--format", "yuyv"],
            &["--format mjpg", "--fps 10"],
        ),
        (
            "format yuyv\nbandwidth 20000000\n",
            &["--size", "1280x720"],
            &["--size 640x480", "--fps 10"],
        ),
        (
            TIGHT,
            &["--size", "1920x1080"],
            &["--size 1280x720", "--fps 10"],
        ),
    ] {
        let camera = FakeCamera::new(control);
        let asked = [&["--source", "/dev/video0"], asked].concat();
        let camfeed = camera.serve(&asked);
        let line = camfeed.wait_log("WARN");
        let reason = reason_with(&camfeed, "no bandwidth left for");
        let said = fits.iter().map(|options| format!("`{options}`"));
        let said = said.collect::<Vec<_>>().join(" or ");
        for told in [line, reason] {
            let words = format!("what fits is {said} (another");
            assert!(told.contains(&words), "{asked:?}: {told}");
        }
        for options in fits {
            let mut better: Vec<&str> = asked.clone();
            for word in options.split(' ').collect::<Vec<_>>().chunks(2) {
                match better.iter().position(|asked| *asked == word[0]) {
                    Some(at) => better[at + 1] = word[1],
                    None => better.extend(word),
                }
            }
            drop(FakeCamera::new(control).online(&better));
        }
    }
}

#[test]
fn what_fits_is_tried_once_in_an_outage_and_changes_nothing_of_the_camera() {
    let camera = FakeCamera::new(TIGHT);
    let camfeed = camera.serve(&[
        "--source",
        "/dev/video0",
        "--format",
        "yuyv",
        "--size",
        "1280x720",
    ]);
    camfeed.wait_log("no bandwidth left for");
    let before = camera.count("rate=15");
    assert_eq!(before, 1, "one rate that is lower");
    // Again and again it is asked for what it was told, and for nothing else.
    camera.wait_count("size=1280x720 rate=30", 8);
    assert_eq!(camera.count("rate=15"), 1);
    camera.set("");
    camfeed.wait_log("camera back");
    wait_state(&camfeed, "online");
    let now = state(camfeed.address)["camera"].take();
    assert_eq!(
        (&now["width"], &now["format"]),
        (&1280.into(), &"YUYV".into())
    );
    let started = |rate: &str| {
        camera.count(&format!(
            "streamon camera=0 format=YUYV size=1280x720 rate={rate}"
        ))
    };
    assert!(started("30") > 0);
    assert_eq!(started("30"), started(""), "a rate that was tried was left");
    // The next outage is tried anew.
    camera.set(&format!("generation 1\n{TIGHT}"));
    camera.wait_count("rate=15", 2);
}

#[test]
fn nobody_else_loses_a_frame_while_it_is_tried() {
    // A slow one, whose buffers last for as long as a busy machine may let the program wait.
    let well = "name Kiyo\nformat mjpg\nrates 5\n";
    let camera = FakeCamera::new(well);
    let camfeed = camera.serve(&["--source", "all", "--size", "1280x720"]);
    wait_state(&camfeed, "online");
    let _viewer = Parts::open(camfeed.address, "/kiyo/stream");
    // Of a second camera the bus holds no raw pictures.
    let other = "camera 1\nnode 2\nname BRIO\nformat yuyv\nbandwidth 1000000\n";
    camera.set(&format!("{well}{other}"));
    let line = camfeed.wait_log("no bandwidth left for");
    assert!(line.contains("brio: "), "{line}");
    camera.wait_count("nospace camera=1", 8);
    camera.set(&format!("{well}plugged no\n{other}"));
    let told = camera.wait_event("streamoff camera=0");
    assert!(told.ends_with(" lost=0"), "frames found no buffer: {told}");
}
