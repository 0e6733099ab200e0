//! The stand-in for libcamera's plugin does what the tests of camera modules take for granted.

use crate::{
    camfeed::SOON,
    fake_libcamera::{BARS, CameraModule, Libcamera, MODULE},
    fakecam::{FakeCamera, make},
    formats::outcome,
};
use opencv::{core::Vec3b, prelude::*};
use rustix::process::Signal;
use std::{fs, path::PathBuf, process::Command, sync::OnceLock};

/// Of the pictures here.
const SIZE: (usize, usize) = (1280, 720);

/// The caps that camfeed wants most, at 15 pictures a second.
const FULL: &str =
    "video/x-raw,format=NV12,width=1280,height=720,framerate=15/1,colorimetry=1:4:7:1";

/// Like [`FULL`], at any rate.
const FULL_AT_ANY_RATE: &str = "video/x-raw,format=NV12,width=1280,height=720,colorimetry=1:4:7:1";

/// Whatever the camera has in that size.
const ANY: &str = "video/x-raw,format=NV12,width=1280,height=720";

/// The capsfilter's property for these structures, the best one first.
fn caps(structures: &[&str]) -> String {
    format!("caps={}", structures.join(";"))
}

/// Runs a pipeline from a camera module through `structures` to `rest`, which must end by itself;
/// whether it went well, and what it said.
fn play(
    module: &CameraModule,
    source: &[&str],
    structures: &[&str],
    rest: &[&str],
) -> (bool, String) {
    let limit = SOON.as_secs().to_string();
    let caps = caps(structures);
    let args = [
        &["-k", "1", &limit, "gst-launch-1.0", "-q", "libcamerasrc"],
        source,
        &["!", "capsfilter", &caps, "!"],
        rest,
    ]
    .concat();
    let ended = module
        .command("timeout", &args)
        .output()
        .expect("it starts");
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_ne!(
        ended.status.code(),
        Some(124),
        "it hangs:\n{said}\n{}",
        module.log()
    );
    (ended.status.success(), said)
}

/// The NV12 bytes of one picture, and the caps that were agreed on.
fn picture(module: &CameraModule, source: &[&str], structures: &[&str]) -> (Vec<u8>, String) {
    let path = module.file("picture");
    let location = format!("location={path}");
    let source = [source, &["num-buffers=1"]].concat();
    let (is_good, said) = play(module, &source, structures, &["filesink", &location]);
    assert!(is_good, "{said}");
    let log = module.log();
    let agreed = log
        .lines()
        .rev()
        .find_map(|line| line.strip_prefix("caps "));
    (
        fs::read(path).expect("a picture"),
        agreed.expect("noted").to_owned(),
    )
}

/// Y, U and V in the middle of each bar, above the square.
fn bars(picture: &[u8]) -> Vec<[f64; 3]> {
    let (width, height) = SIZE;
    assert_eq!(picture.len(), width * height * 3 / 2);
    (0..8)
        .map(|bar| {
            let (x, y) = (width * (2 * bar + 1) / 16, height / 4);
            let chroma = width * height + y / 2 * width + x / 2 * 2;
            [picture[y * width + x], picture[chroma], picture[chroma + 1]].map(f64::from)
        })
        .collect()
}

/// How Y, U and V become colours: the matrix's weights of red and blue, and whether the range is full.
type Decoding = (f64, f64, bool);
const JPEG: Decoding = (0.299, 0.114, true);
const BT601: Decoding = (0.299, 0.114, false);
const BT709: Decoding = (0.2126, 0.0722, false);

/// The farthest that a colour is from the bar's, decoded so.
fn error(yuv: &[[f64; 3]], (red, blue, is_full): Decoding, added: f64) -> f64 {
    let mut farthest = 0.0_f64;
    for (yuv, bar) in yuv.iter().zip(BARS) {
        let (light, chroma) = if is_full {
            (yuv[0], 1.0)
        } else {
            ((yuv[0] - 16.0) * 255.0 / 219.0, 255.0 / 224.0)
        };
        let r = light + (yuv[2] - 128.0) * chroma * 2.0 * (1.0 - red);
        let b = light + (yuv[1] - 128.0) * chroma * 2.0 * (1.0 - blue);
        let g = (light - red * r - blue * b) / (1.0 - red - blue);
        for (decoded, bar) in [r, g, b].into_iter().zip(bar) {
            let expected = (f64::from(bar) + added).clamp(0.0, 255.0);
            farthest = farthest.max((decoded - expected).abs());
        }
    }
    farthest
}

/// A program that lists what the provider knows.
fn lister() -> &'static str {
    static LISTER: OnceLock<PathBuf> = OnceLock::new();
    let path = LISTER.get_or_init(|| {
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fakelibcamera/list.c");
        let script = "cc -o \"$1\" \"$2\" $(pkg-config --cflags --libs gstreamer-1.0)";
        make("list-libcamera", |path| {
            Command::new("sh")
                .args(["-c", script, "sh"])
                .arg(path)
                .arg(source)
                .status()
        })
    });
    path.to_str().expect("a plain path")
}

/// How the lister ends, and what it lists.
fn listed(module: &CameraModule) -> (Option<i32>, String) {
    let ended = module
        .command("timeout", &["20", lister()])
        .output()
        .expect("it starts");
    let said = String::from_utf8_lossy(&ended.stdout).into_owned();
    (ended.status.code(), said)
}

#[test]
fn the_provider_lists_the_cameras_there_are() {
    const USB: &str = "/base/scb/pcie@7d500000/pci@0,0/usb@0,0-1.1:1.0-0c45:6366";
    let module = CameraModule::new("");
    assert_eq!(listed(&module), (Some(0), format!("{MODULE} imx219\n")));
    module.set(&format!(
        "camera=/base/axi/i2c@88000/imx708@1a camera={USB}"
    ));
    let (_, said) = listed(&module);
    let mut lines = said.lines();
    assert_eq!(lines.next(), Some("/base/axi/i2c@88000/imx708@1a imx708"));
    assert!(
        lines.next().is_some_and(|line| line.starts_with(USB)),
        "{said}"
    );
    module.set("none");
    assert_eq!(listed(&module), (Some(0), String::new()));
    let old = CameraModule::with(Libcamera::Version("0.4.0"), "");
    assert_eq!(listed(&old), (Some(0), format!("{MODULE} -\n")));
    assert_eq!(module.count("open "), 0, "nothing is opened");
}

#[test]
fn without_the_plugin_there_is_nothing() {
    let module = CameraModule::with(Libcamera::Missing, "");
    assert_eq!(listed(&module).0, Some(2));
    // Not `--exists`: that wants GStreamer's own version of the plugin.
    let exists = |module: &CameraModule, element: &str| {
        let ended = module.command("gst-inspect-1.0", &[element]).output();
        ended.expect("it starts").status.success()
    };
    assert!(!exists(&module, "libcamerasrc"));
    // All else is there.
    assert!(exists(&module, "videotestsrc"));
    assert!(exists(&CameraModule::new(""), "libcamerasrc"));
}

#[test]
fn properties_follow_the_version() {
    let names = |libcamera| {
        let module = CameraModule::with(libcamera, "");
        let mut command = module.command("gst-inspect-1.0", &["libcamerasrc"]);
        let said = String::from_utf8(command.output().expect("it starts").stdout).expect("text");
        let version = said
            .lines()
            .find_map(|line| line.trim().strip_prefix("Version "));
        let version = version.expect("a version").trim().to_owned();
        let has = move |name: &str| said.contains(&format!("\n  {name} "));
        (version, has)
    };
    let (version, has) = names(Libcamera::Newest);
    assert_eq!(version, "0.7.1");
    for name in [
        "camera-name",
        "brightness",
        "scaler-crop",
        "awb-mode",
        "exposure-time-mode",
    ] {
        assert!(has(name), "no {name}");
    }
    assert!(!has("auto-focus-mode"));
    let (version, has) = names(Libcamera::Version("0.4.0"));
    assert_eq!(version, "0.4.0");
    assert!(has("brightness") && !has("exposure-time-mode"));
    let (version, has) = names(Libcamera::Version("0.3.2"));
    assert_eq!(version, "0.3.2");
    assert!(has("auto-focus-mode") && !has("brightness"));
    let (_, has) = names(Libcamera::Version("0.0.3"));
    assert!(has("camera-name") && !has("auto-focus-mode"));
}

#[test]
fn full_range_has_the_promised_colours() {
    let module = CameraModule::new("");
    let (bytes, agreed) = picture(&module, &[], &[FULL]);
    for word in [
        "NV12",
        "width=(int)1280",
        "height=(int)720",
        "(fraction)15/1",
        "1:4:7:1",
    ] {
        assert!(agreed.contains(word), "no {word} in {agreed}");
    }
    let bars = bars(&bytes);
    assert!(error(&bars, JPEG, 0.0) < 2.5, "{bars:?}");
    // The colours tell ranges and matrices apart.
    assert!(error(&bars, BT601, 0.0) > 12.0 && error(&bars, BT709, 0.0) > 12.0);
    assert_eq!((module.count("open "), module.count("close ")), (1, 1));
}

#[test]
fn limited_range_has_the_same_colours() {
    for (state, colorimetry, decoding) in
        [("limited", "2:4:16:3", BT601), ("bt709", "bt709", BT709)]
    {
        let module = CameraModule::new(state);
        let (bytes, agreed) = picture(&module, &[], &[FULL, FULL_AT_ANY_RATE, ANY]);
        assert!(
            agreed.contains(colorimetry) && agreed.contains("15/1"),
            "{agreed}"
        );
        let bars = bars(&bytes);
        assert!(error(&bars, decoding, 0.0) < 2.5, "{state}: {bars:?}");
        assert!(error(&bars, JPEG, 0.0) > 12.0, "{state}: {bars:?}");
    }
}

#[test]
fn brightness_and_crop_show_in_the_picture() {
    let module = CameraModule::new("");
    let (bytes, _) = picture(&module, &["brightness=0.125"], &[FULL]);
    let lit = bars(&bytes);
    assert!(error(&lit, JPEG, 16.0) < 2.5, "{lit:?}");
    module.wait_count("set brightness=0.125", 1);
    // A quarter of the sensor's width from its middle on: the fifth and the sixth bar.
    let (bytes, _) = picture(&module, &["scaler-crop=<1640,0,820,2464>"], &[FULL]);
    let (whole, _) = picture(&CameraModule::new(""), &[], &[FULL]);
    let (part, whole) = (bars(&bytes), bars(&whole));
    assert_eq!((part[0], part[3]), (whole[4], whole[4]));
    assert_eq!((part[4], part[7]), (whole[5], whole[5]));
}

#[test]
fn the_square_moves() {
    let module = CameraModule::new("");
    let path = module.file("pictures");
    let location = format!("location={path}");
    let source = ["num-buffers=2"];
    let (is_good, said) = play(&module, &source, &[FULL], &["filesink", &location]);
    assert!(is_good, "{said}");
    let bytes = fs::read(path).unwrap();
    let (width, height) = SIZE;
    let length = width * height * 3 / 2;
    let row = height / 2 * width;
    let [first, second] = [0, length].map(|at| &bytes[at + row..at + row + width]);
    let darkest = |row: &[u8]| row[..200].iter().filter(|value| **value < 100).count();
    assert_eq!((darkest(first), darkest(second)), (16, 16));
    assert!(first[..8].iter().all(|value| *value < 100));
    assert!(second[..8].iter().all(|value| *value > 100));
}

#[test]
fn a_lens_is_moved_only_where_there_is_one() {
    let module = CameraModule::new("");
    picture(&module, &["af-mode=continuous"], &[FULL]);
    assert_eq!(
        (
            module.count("ignored af-mode=continuous"),
            module.count("set ")
        ),
        (1, 0)
    );
    module.set("camera=/base/soc/i2c0mux/i2c@1/imx708@1a");
    picture(&module, &["af-mode=continuous"], &[FULL]);
    assert_eq!(module.count("set af-mode=continuous"), 1);
    let old = CameraModule::with(Libcamera::Version("0.3.2"), "");
    let source = ["auto-focus-mode=continuous-auto-focus", "num-buffers=1"];
    let (is_good, said) = play(&old, &source, &[FULL], &["fakesink"]);
    assert!(
        !is_good && said.contains("Failed to enable auto focus"),
        "{said}"
    );
}

/// Plays until `event` is noted, and then interrupts it: nothing was said, and the camera is let go.
fn is_silent_until_stopped(module: &CameraModule, structures: &[&str], event: &str) {
    let caps = caps(structures);
    let pipeline = [
        "-q",
        "libcamerasrc",
        "!",
        "capsfilter",
        &caps,
        "!",
        "fakesink",
    ];
    let mut playing = module.launch(&pipeline);
    module.wait_count(event, 1);
    assert_eq!((module.count("open "), module.count("close ")), (1, 0));
    playing.end(Signal::INT);
    let said = playing.said();
    assert!(!said.contains("ERROR"), "{said}");
    assert_eq!((module.count("close "), module.count("error ")), (1, 0));
}

#[test]
fn a_clamped_rate_is_refused_in_silence_unless_any_will_do() {
    let module = CameraModule::new("clamp=10");
    is_silent_until_stopped(&module, &[FULL], "refused video/x-raw");
    assert_eq!(module.count("caps "), 0);
    let (_, agreed) = picture(&module, &[], &[FULL, FULL_AT_ANY_RATE]);
    assert!(agreed.contains("10/1"), "{agreed}");
    module.set("clamp=15");
    assert!(picture(&module, &[], &[FULL]).1.contains("15/1"));
}

#[test]
fn another_size_is_refused_in_silence_or_not() {
    let module = CameraModule::new("adjust=640x480");
    is_silent_until_stopped(&module, &[FULL, ANY], "refused video/x-raw");
    module.set("adjust=640x480 told");
    let (is_good, said) = play(&module, &[], &[FULL, ANY], &["fakesink"]);
    assert!(!is_good && said.contains("not-negotiated (-4)"), "{said}");
}

#[test]
fn a_hang_ends_when_the_pipeline_is_stopped() {
    is_silent_until_stopped(&CameraModule::new("hang_open"), &[FULL], "hang opening");
    let module = CameraModule::new("hang");
    is_silent_until_stopped(&module, &[FULL], "hang running");
    module.set("");
    picture(&module, &[], &[FULL]);
}

#[test]
fn errors_have_libcamera_s_words() {
    let module = CameraModule::new("");
    let cases = [
        (
            "none",
            &[][..],
            "Could not find any supported camera on this system.",
        ),
        (
            "",
            &["camera-name=/base/x"],
            "Could not find a camera named '/base/x'.",
        ),
        ("busy", &[], "is already in use."),
        (&format!("busy={MODULE}"), &[], "is already in use."),
        ("error=busy", &[], "is already in use."),
        (
            "error=forbidden",
            &[],
            "Could not open any dma-buf provider",
        ),
        ("error=memory", &[], "Failed to allocate memory"),
        (
            "error=configure",
            &[],
            "Failed to configure camera: Cannot allocate memory",
        ),
        (
            "error",
            &[],
            "Failed to start the camera: Cannot allocate memory",
        ),
        ("error=negotiation", &[], "reason not-negotiated (-4)"),
        ("refuse", &[], "reason not-negotiated (-4)"),
    ];
    for (count, (state, source, words)) in cases.into_iter().enumerate() {
        module.set(state);
        let (is_good, said) = play(&module, source, &[FULL], &["fakesink"]);
        assert!(!is_good && said.contains(words), "{state}: {said}");
        assert_eq!(module.count("error "), count + 1, "{}", module.log());
    }
    assert_eq!(module.count("open "), module.count("close "));
    module.set("busy=/base/another");
    picture(&module, &[], &[FULL]);
}

#[test]
fn a_camera_is_for_one_at_a_time() {
    let module = CameraModule::new("");
    let mut first = module.launch(&["-q", "libcamerasrc", "!", "fakesink"]);
    module.wait_count("caps ", 1);
    let (is_good, said) = play(&module, &[], &[FULL], &["fakesink"]);
    assert!(!is_good && said.contains("is already in use."), "{said}");
    first.end(Signal::INT);
    picture(&module, &[], &[FULL]);
}

#[test]
fn the_stream_fails_and_ends_while_it_runs() {
    let module = CameraModule::new("open_ms=200");
    let mut playing = module.launch(&["-q", "libcamerasrc", "!", "fakesink"]);
    module.wait_count("caps ", 1);
    module.set("error=start");
    playing.wait();
    assert!(playing.said().contains("Failed to start the camera"));
    module.set("");
    let mut playing = module.launch(&["-q", "libcamerasrc", "!", "fakesink"]);
    module.wait_count("caps ", 2);
    module.set("eos");
    assert!(playing.wait().success(), "{}", playing.said());
    assert_eq!((module.count("eos"), module.count("close ")), (1, 2));
}

#[test]
fn without_a_format_a_fixed_size_gets_the_first_one() {
    let module = CameraModule::new("");
    let source = ["num-buffers=1"];
    let fixed = ["video/x-raw,width=1280,height=720"];
    assert!(play(&module, &source, &fixed, &["fakesink"]).0);
    assert!(
        module.log().contains("format=(string)GRAY8"),
        "{}",
        module.log()
    );
    assert!(play(&module, &source, &["video/x-raw"], &["fakesink"]).0);
    module.wait_count(
        "caps video/x-raw, format=(string)I420, width=(int)1920, height=(int)1080",
        1,
    );
}

#[test]
fn rows_are_aligned_on_demand() {
    let module = CameraModule::new("stride=64");
    let path = module.file("picture");
    let location = format!("location={path}");
    let narrow = ["video/x-raw,format=NV12,width=1000,height=480"];
    let (is_good, said) = play(
        &module,
        &["num-buffers=1"],
        &narrow,
        &["filesink", &location],
    );
    assert!(is_good, "{said}");
    assert_eq!(fs::metadata(path).unwrap().len(), 1024 * 480 * 3 / 2);
}

#[test]
fn camfeed_sees_a_module_beside_a_usb_camera() {
    let module = CameraModule::new("");
    let source = format!("gst:libcamerasrc ! {ANY} ! videoconvert ! video/x-raw,format=BGR");
    let camfeed = module.online(&["--source", &source]);
    let picture = outcome(&camfeed).expect("a picture");
    assert_eq!((picture.cols(), picture.rows()), (1280, 720));
    for (bar, [red, green, blue]) in BARS.into_iter().enumerate() {
        let at: &Vec3b = picture.at_2d(180, bar as i32 * 160 + 80).unwrap();
        let apart =
            [(at[0], blue), (at[1], green), (at[2], red)].map(|(is, should)| is.abs_diff(should));
        assert!(apart.iter().all(|apart| *apart < 12), "bar {bar}: {at:?}");
    }
    drop(camfeed);
    let camera = FakeCamera::new("");
    let camfeed = module.serve_beside(&camera, &["--source", "/dev/video0"]);
    camfeed.wait_log("camera online");
    drop(camfeed);
    let before = module.count("open ");
    let checked = module.run(&["--check", "--source", &source]);
    assert!(checked.status.success(), "{checked:?}");
    assert!(module.count("open ") > before, "{}", module.log());
}
