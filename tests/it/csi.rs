//! Camera modules, as libcamera gives them: found, listed, checked, served in the right colours, and
//! controlled while they run.

use crate::{
    camfeed::{Camfeed, SOON, eventually},
    fake_libcamera::{BARS, CameraModule, Libcamera, MODULE},
    fakecam::{FakeCamera, decoded, size_of, wait_state},
    formats::{each, outcome},
    http::{Answer, Parts, exchange, get},
    snapshots::unix_now,
    status::state,
};
use opencv::{
    core::{Mat, Vec3b},
    prelude::*,
};
use serde_json::Value;
use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
};

/// A module whose lens moves.
const WITH_LENS: &str = "/base/soc/i2c0mux/i2c@1/imx708@1a";

/// How far a colour may be off: a JPEG's loss, and rounding.
const CLOSE: i32 = 8;

fn camera_state(camfeed: &Camfeed) -> Value {
    state(camfeed.address)["camera"].take()
}

fn said(output: &std::process::Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The colour in the middle of `of` equal parts along one side of the picture.
fn colour(picture: &Mat, part: usize, of: usize, is_across: bool) -> [u8; 3] {
    let (width, height) = size_of(picture);
    let at = |side: i32| (side as usize * (2 * part + 1) / (2 * of)) as i32;
    // A quarter away from the middle, where the square of the stand-in runs.
    let (x, y) = if is_across {
        (at(width), height / 4)
    } else {
        (width / 4, at(height))
    };
    let pixel = picture.at_2d::<Vec3b>(y, x).expect("a pixel");
    [pixel[2], pixel[1], pixel[0]]
}

/// Why the picture does not show the bars in that order.
fn complaint(picture: &Mat, is_across: bool, is_reversed: bool) -> Option<String> {
    let mut wanted = BARS;
    if is_reversed {
        wanted.reverse();
    }
    (0..BARS.len()).find_map(|bar| {
        let seen = colour(picture, bar, BARS.len(), is_across);
        let is_close = |(a, b): (&u8, &u8)| (i32::from(*a) - i32::from(*b)).abs() <= CLOSE;
        let fits = seen.iter().zip(&wanted[bar]).all(is_close);
        (!fits).then(|| format!("bar {bar} is {seen:?}, not {:?}", wanted[bar]))
    })
}

#[test]
fn a_module_is_found_by_itself_listed_checked_and_served() {
    let module = CameraModule::new("");
    let camfeed = module.online(&[]);
    let now = camera_state(&camfeed);
    assert_eq!(now["sensor"], "imx219");
    assert_eq!(now["source"], format!("csi:{MODULE}"));
    assert_eq!(
        (&now["format"], &now["range"]),
        (&"NV12".into(), &"full".into())
    );
    assert_eq!(
        (&now["width"], &now["height"]),
        (&1280.into(), &960.into()),
        "its whole view"
    );
    assert_eq!(now["fallback"], false);
    let line = camfeed.wait_log("camera online");
    for words in [
        MODULE,
        "sensor=imx219",
        "1280x960 at 30 fps",
        "NV12 encoded",
        "range=full",
    ] {
        assert!(line.contains(words), "no {words} in {line}");
    }
    let picture = outcome(&camfeed).expect("a picture");
    assert_eq!(size_of(&picture), (1280, 960));
    assert_eq!(complaint(&picture, true, false), None);
    // Beside the program that reads it.
    let listed = module.run(&["--list"]);
    assert_eq!(listed.status.code(), Some(0));
    let listed = said(&listed);
    for words in [
        format!("csi:imx219@10  imx219 ({MODULE})  <- auto chooses this").as_str(),
        "any even size up to 3280x2464",
        "asked for NV12, 1280x960, 30 fps, full colour range",
    ] {
        assert!(listed.contains(words), "no {words} in {listed}");
    }
    drop(camfeed);
    for source in [
        &[][..],
        &["--source", "csi"],
        &["--source", "csi:imx219@10"],
    ] {
        let checked = module.run(&[&["--check"], source].concat());
        let words = said(&checked);
        assert_eq!(checked.status.code(), Some(0), "{words}");
        for part in [
            format!("camera       imx219 (csi:{MODULE})").as_str(),
            "asked for    format NV12, size 1280x960, rate 30\n",
            "size 1280x960, rate 30, full colour range",
            "0 broken",
            "their planes as they are",
        ] {
            assert!(words.contains(part), "no {part} in {words}");
        }
    }
}

#[test]
fn colours_are_right_in_every_range_format_and_turn() {
    let mut rows = Vec::new();
    for colours in ["", "limited", "bt709"] {
        for format in ["nv12", "yu12", "nv21", "yuyv"] {
            // Behind the options, where the bars run and in which order.
            let turns: [(&[&str], bool, bool); 5] = [
                (&[], true, false),
                (&["--rotate", "90"], false, false),
                (&["--rotate", "180"], true, true),
                (&["--flip", "h"], true, true),
                (&["--overlay", "time"], true, false),
            ];
            rows.extend(turns.map(|turn| (colours, format, turn)));
        }
    }
    each(
        &rows,
        |(colours, format, (options, is_across, is_reversed))| {
            let module = CameraModule::new(colours);
            let size = ["--source", "csi", "--size", "640x480", "--format", format];
            let picture = outcome(&module.serve(&[&size, *options].concat()))?;
            match complaint(&picture, *is_across, *is_reversed) {
                None => Ok(()),
                Some(complaint) => Err(format!("{colours} {format} {options:?}: {complaint}")),
            }
        },
    );
}

#[test]
fn the_range_that_was_agreed_on_is_said() {
    for (colours, range) in [("", "full"), ("limited", "limited"), ("bt709", "limited")] {
        let module = CameraModule::new(colours);
        let camfeed = module.online(&["--source", "csi"]);
        assert_eq!(camera_state(&camfeed)["range"], range, "{colours}");
    }
}

#[test]
fn padded_rows_are_shown_right_or_at_a_size_that_has_none() {
    for (padding, size, served) in [
        ("stride=64", "1280x720", (1280, 720)),
        ("stride=64", "1000x720", (1024, 720)),
        ("stride=64 meta", "1296x972", (1280, 972)),
        ("", "1000x720", (1000, 720)),
        ("", "998x720", (998, 720)),
    ] {
        let module = CameraModule::new(padding);
        let camfeed = module.serve(&["--source", "csi", "--size", size]);
        let picture = outcome(&camfeed).expect("a picture");
        // OpenCV obeys what a picture says of its lines from 4.10 on.
        let is_told = padding.contains("meta") && size_of(&picture) == (1296, 972);
        assert!(
            size_of(&picture) == served || is_told,
            "{padding}: {:?}",
            size_of(&picture)
        );
        assert_eq!(complaint(&picture, true, false), None, "{padding} {size}");
        if served != (1280, 720) && padding == "stride=64" {
            camfeed.wait_log("1024x720 instead");
        }
    }
}

#[test]
fn what_is_wrong_is_said_in_words_and_by_the_exit_code() {
    for (state, options, code, words) in [
        ("none", &[][..], 3, "no camera module found"),
        ("busy", &[], 4, "another program is using it"),
        ("error=forbidden", &[], 5, "permission denied"),
        (
            "error=memory",
            &[],
            6,
            "not enough of the memory that cameras share (CMA) for 1280x960",
        ),
        ("error=start", &[], 6, "cma-512"),
        (
            "refuse",
            &[],
            6,
            "it does not give NV12 pictures of 1280x960",
        ),
        (
            "adjust=800x600",
            &["--camera-timeout", "1"],
            6,
            "it does not answer",
        ),
        (
            "hang",
            &["--camera-timeout", "1"],
            6,
            "it does not answer within 6 s (is its cable loose?)",
        ),
        ("eos", &[], 6, "the stream ended"),
        (
            "",
            &["--size", "1281x720"],
            6,
            "any even size up to 3280x2464",
        ),
        (
            "",
            &["--size", "3282x2464"],
            6,
            "any even size up to 3280x2464",
        ),
        (
            "",
            &["--format", "mjpg"],
            6,
            "--format `mjpg`: imx219 gives",
        ),
        (
            "imx708",
            &[],
            3,
            "no camera module `imx708`; there are: imx219@10",
        ),
    ] {
        let module = CameraModule::new(state);
        if state == "none" {
            module.set_sensor(None);
        }
        let source = if state == "imx708" {
            "csi:imx708"
        } else {
            "csi"
        };
        let checked = module.run(&[&["--check", "--source", source], options].concat());
        let text = said(&checked);
        assert!(text.contains(words), "{state} {options:?}: {text}");
        assert_eq!(
            checked.status.code(),
            Some(code),
            "{state} {options:?}: {text}"
        );
    }
}

#[test]
fn a_rate_that_it_does_not_have_is_no_hindrance() {
    let module = CameraModule::new("clamp=10");
    let camfeed = module.online(&["--source", "csi", "--fps", "25"]);
    let line = camfeed.wait_log("camera online");
    assert!(
        line.contains(" at 10 fps") && line.contains("asked for 25"),
        "{line}"
    );
    outcome(&camfeed).expect("a picture");
}

#[test]
fn what_the_kernel_sees_and_libcamera_does_not_is_told() {
    let missing = CameraModule::with(Libcamera::Missing, "");
    let unknown = CameraModule::new("none");
    unknown.set_sensor(Some("imx708"));
    for (module, words) in [
        (
            &missing,
            "a camera module needs `sudo apt install gstreamer1.0-libcamera libcamera-ipa` (the kernel sees one: imx219)",
        ),
        (
            &unknown,
            "the kernel sees a camera module (imx708) and libcamera 0.7.1 does not know it",
        ),
    ] {
        let camfeed = module.serve(&[]);
        let line = camfeed.wait_log("no camera opens");
        assert!(line.contains(words), "{line}");
        wait_state(&camfeed, "online");
        let now = camera_state(&camfeed);
        assert_eq!(now["fallback"], true, "the test pattern");
        assert!(
            now["hint"].as_str().unwrap_or_default().contains(words),
            "{now:#}"
        );
        for option in ["--list", "--check"] {
            let output = module.run(&[option]);
            assert!(said(&output).contains(words), "{}", said(&output));
            assert_eq!(output.status.code(), Some(3));
        }
        let camfeed = module.serve(&["--source", "csi"]);
        wait_state(&camfeed, "offline");
        let reason = camera_state(&camfeed)["reason"].take();
        assert!(
            reason.as_str().unwrap_or_default().contains(words),
            "{reason}"
        );
    }
    // Nobody is told of what nobody has.
    missing.set_sensor(None);
    let camfeed = missing.serve(&[]);
    let line = camfeed.wait_log("no camera found");
    assert!(!line.contains("apt install"), "{line}");
    assert_eq!(camera_state(&camfeed)["hint"], Value::Null);
}

#[test]
fn what_keeps_a_module_away_says_that_it_is_one() {
    let module = CameraModule::new("busy");
    let camfeed = module.serve(&[]);
    let line = camfeed.wait_log("no camera opens");
    let words = format!(
        "the first that opens takes over: camera module csi:{MODULE}: another program is using it"
    );
    assert!(line.contains(&words), "{line}");
}

#[test]
fn a_usb_camera_is_checked_without_a_look_for_modules() {
    let module = CameraModule::new("");
    let registry = module.file("registry");
    let output = module
        .command(env!("CARGO_BIN_EXE_camfeed"), &["--check"])
        .envs(FakeCamera::new("").environment())
        .env("GST_REGISTRY_1_0", &registry)
        .env_remove("GST_REGISTRY_UPDATE")
        .output()
        .expect("camfeed starts");
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    // GStreamer writes it when it is started.
    assert!(
        !fs::exists(registry).expect("a folder"),
        "GStreamer is started"
    );
}

#[test]
fn a_user_who_may_not_open_it_is_told_so() {
    let module = CameraModule::new("none");
    let nodes = module.file("sysfs/dev");
    fs::create_dir(&nodes).expect("a folder");
    fs::write(format!("{nodes}/media0"), "").expect("written");
    let forbidden = Permissions::from_mode(0o000);
    fs::set_permissions(format!("{nodes}/media0"), forbidden).expect("changed");
    // Root may open it all the same, unless it lets go of that.
    let less = ["--bounding-set=-dac_override,-dac_read_search", "--"];
    let program = [env!("CARGO_BIN_EXE_camfeed"), "--check", "--source", "csi"];
    let checked = match rustix::process::geteuid().is_root() {
        true => module
            .command("setpriv", &[&less[..], &program].concat())
            .output(),
        false => module.command(program[0], &program[1..]).output(),
    };
    let checked = checked.expect("it starts");
    let text = said(&checked);
    assert!(
        text.contains("/dev/media0 (is this user in the group video?"),
        "{text}"
    );
    assert_eq!(checked.status.code(), Some(5), "{text}");
}

#[test]
fn auto_takes_a_usb_camera_first_and_stays_with_what_it_has() {
    let module = CameraModule::new("");
    let usb = FakeCamera::new("");
    let camfeed = module.serve_beside(&usb, &[]);
    wait_state(&camfeed, "online");
    assert_eq!(camera_state(&camfeed)["source"], "/dev/video0");
    assert_eq!(module.count("open "), 0);
    drop(camfeed);
    // It was there first: a USB camera that is plugged in does not take over, nor while it is away.
    usb.set("plugged no");
    let camfeed = module.serve_beside(&usb, &["--camera-timeout", "1"]);
    wait_state(&camfeed, "online");
    assert_eq!(camera_state(&camfeed)["sensor"], "imx219");
    usb.set("");
    module.set("busy error=start");
    wait_state(&camfeed, "offline");
    let opened = usb.count("streamon");
    module.set("");
    wait_state(&camfeed, "online");
    assert_eq!(camera_state(&camfeed)["sensor"], "imx219");
    assert_eq!(usb.count("streamon"), opened);
}

#[test]
fn a_module_that_comes_late_takes_over_from_the_test_pattern() {
    let module = CameraModule::new("none");
    module.set_sensor(None);
    let camfeed = module.online(&[]);
    assert_eq!(camera_state(&camfeed)["fallback"], true);
    module.set("");
    module.set_sensor(Some("imx219 10-0010"));
    let has_come = eventually(SOON, || camera_state(&camfeed)["sensor"] == "imx219");
    assert!(has_come, "{}", camfeed.log());
    let explicit = CameraModule::new("none");
    let camfeed = explicit.serve(&["--source", "csi"]);
    wait_state(&camfeed, "offline");
    explicit.set("");
    wait_state(&camfeed, "online");
}

#[test]
fn two_modules_are_told_apart_and_usb_cameras_left_out() {
    let (one, other) = (
        "/base/axi/pcie@120000/rp1/i2c@88000/imx708@1a",
        "/base/axi/pcie@120000/rp1/i2c@80000/imx708@1a",
    );
    let usb = "/base/scb/pcie@7d500000/pci@0,0/usb@0,0-1.1:1.0-0c45:6366";
    let module = CameraModule::new(&format!("camera={one} camera={other} camera={usb}"));
    let listed = said(&module.run(&["--list"]));
    for words in [
        format!("csi:i2c@88000/imx708@1a  imx708 ({one})  <- auto chooses this").as_str(),
        format!("csi:i2c@80000/imx708@1a  imx708 ({other})\n").as_str(),
        "asked for NV12, 1280x720",
    ] {
        assert!(listed.contains(words), "no {words} in {listed}");
    }
    assert!(!listed.contains("usb"), "{listed}");
    for (name, id) in [
        (other, other),
        ("i2c@80000/imx708@1a", other),
        ("i2c@88000/imx708@1a", one),
    ] {
        let camfeed = module.online(&["--source", &format!("csi:{name}")]);
        assert_eq!(camera_state(&camfeed)["source"], format!("csi:{id}"));
    }
    for name in ["imx708", "imx708@1a"] {
        let checked = said(&module.run(&["--check", "--source", &format!("csi:{name}")]));
        let words =
            format!("`{name}` means more than one camera module; there are: i2c@88000/imx708@1a");
        assert!(checked.contains(&words), "{checked}");
    }
}

fn control(camfeed: &Camfeed, name: &str) -> Option<Value> {
    let answer: Value =
        serde_json::from_slice(&get(camfeed.address, "/controls").body).expect("JSON");
    let controls = answer["controls"].as_array().expect("a list").clone();
    controls.into_iter().find(|control| control["name"] == name)
}

fn set(camfeed: &Camfeed, changes: &str) -> Answer {
    exchange(
        camfeed.address,
        &format!(
            "POST /controls HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{changes}",
            changes.len()
        ),
    )
}

/// How red the green bar is: it grows with the brightness.
pub fn light(camfeed: &Camfeed) -> u8 {
    let answer: Answer = get(camfeed.address, "/snapshot.jpg?fresh=1");
    let picture = decoded(&answer.body).expect("a JPEG");
    colour(&picture, 3, 8, true)[0]
}

/// Whether both come to be set, `second` right after `first`.
fn are_set(module: &CameraModule, first: &str, second: &str) -> bool {
    let both = format!("set {first}\nset {second}\n");
    eventually(SOON, || module.log().contains(&both))
}

#[test]
fn controls_are_set_while_it_runs_and_set_again_when_it_is_opened_again() {
    let module = CameraModule::new(&format!("camera={WITH_LENS}"));
    let options = [
        "--source",
        "csi",
        "--set",
        "contrast=1.5,exposure_time=8000",
        "--camera-timeout",
        "1",
    ];
    let camfeed = module.online(&options);
    module.wait_count("set af-mode=continuous", 1);
    module.wait_count("set contrast=1.5", 1);
    // The mode first: libcamera takes no value while the camera sets it by itself, and each may come
    // with a picture of its own.
    assert!(are_set(
        &module,
        "exposure-time-mode=manual",
        "exposure-time=8000"
    ));
    let dark = light(&camfeed);
    let answer = set(&camfeed, r#"{"brightness": 0.5}"#);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(eventually(SOON, || light(&camfeed) > dark.saturating_add(30)));
    assert_eq!(
        control(&camfeed, "brightness").expect("there")["value"],
        0.5
    );
    // What cannot be set is said, and nothing changes.
    for (changes, words) in [
        (
            r#"{"brightness": 2}"#,
            "`brightness=2`: allowed are -1 to 1",
        ),
        (
            r#"{"af_mode": "never"}"#,
            "allowed are 0 (manual), 1 (auto), 2 (continuous)",
        ),
        (r#"{"nothing": 1}"#, "this camera has brightness"),
        (r#"{"exposure_time": 1e9}"#, "allowed are 0 to 33333"),
    ] {
        let answer = set(&camfeed, changes);
        assert_eq!(answer.status, 400, "{changes}");
        assert!(answer.text().contains(words), "{}", answer.text());
    }
    // A lens that is moved by hand stays.
    assert_eq!(set(&camfeed, r#"{"lens_position": 2.5}"#).status, 200);
    assert!(are_set(&module, "af-mode=manual", "lens-position=2.5"));
    assert_eq!(control(&camfeed, "af_mode").expect("there")["value"], 0);
    assert_eq!(
        control(&camfeed, "lens_position").expect("there")["value"],
        2.5
    );
    // A zoom shows the middle: half of the bars.
    assert_eq!(set(&camfeed, r#"{"zoom": 2}"#).status, 200);
    module.wait_count("set scaler-crop=", 1);
    let is_zoomed = || {
        let picture = outcome(&camfeed).expect("a picture");
        let blue = |part| colour(&picture, part, 8, true)[2];
        blue(0).abs_diff(blue(1)) < 10 && blue(0).abs_diff(blue(2)) > 50
    };
    assert!(eventually(SOON, is_zoomed), "{}", module.log());
    // What is good of several is set, and stays.
    assert_eq!(
        set(&camfeed, r#"{"contrast": 2, "nothing": 1}"#).status,
        400
    );
    let bright = light(&camfeed);
    module.set(&format!("camera={WITH_LENS} error=start"));
    wait_state(&camfeed, "offline");
    assert_eq!(set(&camfeed, r#"{"brightness": 0}"#).status, 503);
    module.set(&format!("camera={WITH_LENS}"));
    wait_state(&camfeed, "online");
    assert_eq!(
        control(&camfeed, "brightness").expect("there")["value"],
        0.5
    );
    assert_eq!(control(&camfeed, "contrast").expect("there")["value"], 2);
    assert!(eventually(SOON, || light(&camfeed).abs_diff(bright) < 10));
}

#[test]
fn controls_go_by_the_size_and_the_rate_that_it_gives() {
    let module = CameraModule::new("clamp=20");
    let options = ["--source", "csi", "--size", "1280x720", "--fps", "60"];
    let camfeed = module.online(&options);
    // A part of a sensor of 4:3 that has the shape of the picture.
    assert_eq!(set(&camfeed, r#"{"zoom": 2}"#).status, 200);
    module.wait_count(
        "set scaler-crop=< (int)820, (int)771, (int)1640, (int)922 >",
        1,
    );
    assert_eq!(
        control(&camfeed, "exposure_time").expect("there")["max"],
        50000
    );
}

#[test]
fn what_an_old_libcamera_lacks_is_left_out() {
    for (id, has_lens) in [(WITH_LENS, true), (MODULE, false)] {
        let module = CameraModule::with(Libcamera::Version("0.3.2"), &format!("camera={id}"));
        let options = ["--source", "csi", "--set", "brightness=0.5"];
        let camfeed = module.online(&options);
        outcome(&camfeed).expect("a picture");
        assert_eq!(module.count("set auto-focus-mode=") > 0, has_lens, "{id}");
        assert!(control(&camfeed, "brightness").is_none());
        camfeed.wait_log("cannot set `brightness=0.5`: this camera has no controls");
    }
}

#[test]
fn a_picture_has_the_time_when_the_sensor_took_it() {
    let module = CameraModule::new("");
    let camfeed = module.online(&["--source", "csi"]);
    let mut parts = Parts::open(camfeed.address, "/stream");
    // The stand-in stamps its pictures one interval, a thirtieth of a second, before it gives them.
    let ages: Vec<f64> = (0..10)
        .map(|_| {
            let part = parts.next_part();
            unix_now() - part.timestamp
        })
        .collect();
    assert!(
        ages.iter().all(|age| (0.033..1.0).contains(age)),
        "{ages:?}"
    );
}

#[test]
fn a_module_nobody_watches_is_let_go() {
    let module = CameraModule::new("");
    let camfeed = module.online(&["--source", "csi", "--idle-timeout", "1"]);
    module.wait_count("close ", 1);
    wait_state(&camfeed, "idle");
    assert_eq!(outcome_after_waking(&camfeed), (1280, 960));
    assert_eq!(module.count("open "), 2);
}

fn outcome_after_waking(camfeed: &Camfeed) -> (i32, i32) {
    let mut size = (0, 0);
    let has_woken = eventually(SOON, || {
        let answer: Answer = get(camfeed.address, "/snapshot.jpg");
        size = decoded(&answer.body).as_ref().map_or((0, 0), size_of);
        answer.status == 200
    });
    assert!(has_woken);
    size
}
