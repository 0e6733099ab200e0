//! Pixel formats: whatever a camera or a pipeline gives comes out in its own colours and its own shape,
//! or not at all, with words that name it and a command that works.

use crate::{
    camfeed::{Camfeed, Folder, SOON, run},
    fakecam::{FakeCamera, decoded, difference, size_of},
    http::{Answer, get},
    status::state,
};
use opencv::{
    core::{Mat, Vec3b},
    imgproc,
    prelude::*,
};
use std::{collections::BTreeMap, fs, sync::Mutex, thread, time::Instant};

/// How far colours may be from what they should be: a JPEG's loss, and that of formats of few bits.
const CLOSE: f64 = 12.0;

/// The picture that is served, or the 503 that says why there is none.
pub fn outcome(camfeed: &Camfeed) -> Result<Mat, String> {
    let deadline = Instant::now() + SOON * 3;
    loop {
        assert!(Instant::now() < deadline, "neither a picture nor a reason");
        let answer: Answer = get(camfeed.address, "/snapshot.jpg");
        let text = answer.text();
        match answer.status {
            200 => return Ok(decoded(&answer.body).expect("a JPEG")),
            // It says so while there is no outcome yet, for three seconds at a time.
            503 if text.contains("is being opened") => (),
            503 => {
                let reason = text.trim_end().strip_prefix("no live picture: ");
                return Err(reason.expect("a reason").to_owned());
            }
            status => panic!("{status}: {text}"),
        }
    }
}

/// The source of the command in a refusal of `pipeline`, which the refusal does not repeat.
fn advised_for(text: &str, pipeline: &str) -> String {
    let before = pipeline
        .rsplit_once('!')
        .map_or(pipeline, |(before, _)| before);
    advised(text).replace('…', before.trim_end())
}

/// The source of the command in a refusal.
pub fn advised(text: &str) -> &str {
    let command = text.split_once("--source \"");
    let source = command.and_then(|(_, rest)| rest.split_once('"'));
    source.unwrap_or_else(|| panic!("no command in {text}")).0
}

fn grey(mat: &Mat) -> Mat {
    let (mut one, mut three) = (Mat::default(), Mat::default());
    imgproc::cvt_color_def(mat, &mut one, imgproc::COLOR_BGR2GRAY).unwrap();
    imgproc::cvt_color_def(&one, &mut three, imgproc::COLOR_GRAY2BGR).unwrap();
    three
}

/// Runs `check` for each of `rows`, some at a time, and shows all complaints.
pub fn each<T: Sync>(rows: &[T], check: impl Fn(&T) -> Result<(), String> + Sync) {
    let complaints = Mutex::new(Vec::new());
    let next = Mutex::new(rows.iter());
    let worker = || loop {
        let Some(row) = next.lock().unwrap().next() else {
            break;
        };
        if let Err(complaint) = check(row) {
            complaints.lock().unwrap().push(complaint);
        }
    };
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(worker);
        }
    });
    let complaints = complaints.into_inner().unwrap();
    assert!(complaints.is_empty(), "{complaints:#?}");
}

/// The same picture for ever, of one size.
const STILL: &str = "fault freeze\nsizes 640x480\n";

/// The inside of one of the fake camera's eight bars, below the blocks that tell the time.
fn bar(number: i32) -> (i32, i32, i32, i32) {
    (number * 80 + 8, 56, 64, 416)
}

/// The bars as YUYV gives them, whose way has no conversion that OpenCV could get wrong.
fn bars() -> Mat {
    let camera = FakeCamera::new(&format!("{STILL}format yuyv"));
    let camfeed = camera.online(&["--source", "/dev/video0"]);
    let bars = outcome(&camfeed).expect("a picture");
    let middle = |number: i32| *bars.at_2d::<Vec3b>(200, number * 80 + 40).unwrap();
    // Blue, green, red.
    let (green, red, blue) = (middle(3), middle(5), middle(6));
    assert!(
        green[1] > 200 && green[0] < 100 && green[2] < 100,
        "{green:?}"
    );
    assert!(red[2] > 150 && red[0] < 50 && red[1] < 50, "{red:?}");
    assert!(blue[0] > 200 && blue[1] < 80 && blue[2] < 80, "{blue:?}");
    bars
}

/// How far a picture of the fake camera is from its bars, in those of `numbers`.
fn off(bars: &Mat, got: &Mat, numbers: &[i32]) -> Result<(), String> {
    if size_of(got) != (640, 480) {
        return Err(format!("its size is {:?}", size_of(got)));
    }
    let far = numbers
        .iter()
        .map(|number| difference(bars, got, bar(*number)));
    let far: Vec<_> = far.collect();
    let is_close = far.iter().all(|far| *far < CLOSE);
    is_close
        .then_some(())
        .ok_or_else(|| format!("colours are off by {far:.1?}"))
}

const ALL: [i32; 8] = [0, 1, 2, 3, 4, 5, 6, 7];

#[test]
fn the_best_format_is_chosen_and_another_on_request() {
    for (offered, options, chosen) in [
        ("nv12,yuyv", &[][..], "YUYV"),
        ("nv12,mjpg", &[], "MJPG"),
        ("grey,nv12", &[], "NV12"),
        ("rgbp,nv21", &[], "NV21"),
        ("yuyv,nv12,mjpg", &["--format", "nv12"], "NV12"),
        ("yuyv,y16", &["--format", "y16"], "Y16"),
    ] {
        let camera = FakeCamera::new(&format!("format {offered}"));
        let camfeed = camera.online(&[&["--source", "/dev/video0"], options].concat());
        assert_eq!(
            state(camfeed.address)["camera"]["format"],
            chosen,
            "{offered}"
        );
    }
}

#[test]
fn a_refused_format_is_checked_in_the_same_words_and_another_one_is_named() {
    for (control, options) in [
        ("format rgbp", &[][..]),
        ("format nv12\nline_padding 64", &[]),
        ("format rgbp", &["--format", "rgbp"]),
    ] {
        let camera = FakeCamera::new(&format!("{STILL}{control}"));
        let options = [&["--source", "/dev/video0"], options].concat();
        let text = outcome(&camera.serve(&options)).expect_err(control);
        let checked = camera.run(&[&["--check"], &options[..]].concat());
        let said = String::from_utf8_lossy(&checked.stdout);
        assert_eq!(checked.status.code(), Some(6), "{said}");
        assert!(said.contains(&text), "{text} is not in {said}");
    }
    for (control, format, words) in [
        (
            "format rgbp,mjpg,yuyv",
            "rgbp",
            ["`RGBP`", "`--format mjpg` or `--format yuyv` works"],
        ),
        (
            "format yuyv,mjpg\nline_padding 32",
            "yuyv",
            [
                "`YUYV`",
                "padded to 1312 bytes, which OpenCV does not know (`--format mjpg` works)",
            ],
        ),
    ] {
        let camera = FakeCamera::new(&format!("{STILL}{control}"));
        let options = ["--source", "/dev/video0", "--format", format];
        let text = outcome(&camera.serve(&options)).expect_err(control);
        for words in words {
            assert!(text.contains(words), "{text}");
        }
    }
}

#[test]
fn films_and_what_no_program_can_feed_are_no_pictures() {
    let camera = FakeCamera::new("format h264,hevc");
    let text = outcome(&camera.serve(&["--source", "/dev/video0"])).expect_err("a film");
    assert!(text.contains("its format `H264` cannot be shown"), "{text}");
    // A Raspberry Pi's raw sensor node is no camera of its own.
    for (driver, is_listed) in [("unicam", false), ("rp1-cfe", false), ("uvcvideo", true)] {
        let camera = FakeCamera::new(&format!("driver {driver}"));
        let listed = camera.run(&["--list"]);
        let said = String::from_utf8_lossy(&listed.stdout);
        assert_eq!(said.contains("/dev/video0"), is_listed, "{driver}: {said}");
    }
}

/// What a pipeline serves.
fn served(pipeline: &str) -> Result<Mat, String> {
    outcome(&Camfeed::start(&["--source", &format!("gst:{pipeline}")]))
}

/// The raw formats that `videotestsrc` gives.
fn formats() -> Vec<String> {
    let output = run("gst-inspect-1.0", &["videotestsrc"]);
    let text = String::from_utf8(output.stdout).unwrap();
    let list = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("format: { (string)"));
    let list = list.expect("a list of formats").trim_end_matches('}');
    let formats: Vec<_> = list
        .split(", (string)")
        .map(|name| name.trim().to_owned())
        .collect();
    assert!(
        formats.len() > 50 && formats.contains(&"NV12".to_owned()),
        "{formats:?}"
    );
    formats
}

/// Whether the pipeline's picture, or that of the command it is refused with, is `right`.
fn is_right(pipeline: &str, name: &str, right: &Mat) -> Result<(), String> {
    let got = served(pipeline).or_else(|text| {
        if !text.contains(&format!("`{name}`")) {
            return Err(format!("{pipeline}: {name} is not named: {text}"));
        }
        let source = advised_for(&text, pipeline);
        outcome(&Camfeed::start(&["--source", &source]))
            .map_err(|text| format!("{pipeline}: {source} does not work: {text}"))
    })?;
    if size_of(&got) != size_of(right) {
        return Err(format!("{pipeline}: {:?}", size_of(&got)));
    }
    let (width, height) = size_of(right);
    // The upper two thirds are bars; below there are noise and blacks.
    let far = difference(&got, right, (0, 0, width, height * 6 / 10));
    let far_grey = difference(&got, &grey(right), (0, 0, width, height * 6 / 10));
    let is_right = far < CLOSE || name.starts_with("GRAY") && far_grey < CLOSE;
    is_right
        .then_some(())
        .ok_or_else(|| format!("{pipeline}: colours are off by {far:.1}"))
}

#[test]
fn every_format_of_a_pipeline_has_its_own_colours() {
    let size = "width=320,height=240";
    let source = "videotestsrc is-live=true ! video/x-raw";
    let right = served(&format!("{source},format=BGR,{size} ! appsink")).expect("a picture");
    let names = formats();
    each(&names, |name| {
        is_right(
            &format!("{source},format={name},{size} ! appsink"),
            name,
            &right,
        )
    });
}

#[test]
fn odd_and_large_sizes_keep_their_shape() {
    let rows: Vec<_> = ["321,height=241", "322,height=242", "1920,height=1080"]
        .iter()
        .flat_map(|size| ["NV12", "I420", "YUY2", "BGR", "GRAY8"].map(|name| (*size, name)))
        .collect();
    let source = "videotestsrc is-live=true ! video/x-raw";
    let rights: BTreeMap<_, _> = rows
        .iter()
        .map(|(size, _)| (*size, format!("{source},width={size} ! videoconvert")))
        .map(|(size, pipeline)| (size, served(&pipeline).expect("a picture")))
        .collect();
    let rights = Mutex::new(rights);
    each(&rows, |(size, name)| {
        let right = rights.lock().unwrap()[size].clone();
        is_right(
            &format!("{source},width={size},format={name} ! appsink"),
            name,
            &right,
        )
    });
}

#[test]
fn what_is_no_picture_of_ours_is_refused_by_name_with_a_command_that_works() {
    let source = "videotestsrc is-live=true ! video/x-raw,width=320,height=240";
    let right = served(source).expect("a picture");
    for (end, name) in [
        ("pngenc", "image/png"),
        ("vp8enc deadline=1", "video/x-vp8"),
    ] {
        let pipeline = format!("{source} ! {end} ! appsink");
        let text = served(&pipeline).expect_err(end);
        assert!(text.contains(&format!("`{name}`")), "{text}");
        is_right(&pipeline, name, &right).unwrap();
    }
    // The sink itself wants what it cannot have: the command has another.
    let own_caps = format!("{source},format=NV16 ! appsink caps=video/x-raw,format=NV16");
    let text = served(&own_caps).expect_err("caps of its own");
    assert!(text.ends_with("shows them"), "{text}");
    is_right(&own_caps, "NV16", &right).unwrap();
    // The sink's place is not in the text: the command has to be put together.
    let text = served("appsink name=appsink0 videotestsrc ! video/x-raw,format=NV16 ! appsink0.");
    let text = text.expect_err("no place for a converter");
    let end = "`! videoconvert ! video/x-raw,format=BGR ! appsink`";
    assert!(text.contains("`NV16`") && text.contains(end), "{text}");
    let text = served("audiotestsrc ! appsink").expect_err("sound");
    assert!(text.contains("`audio/x-raw`, no pictures"), "{text}");
}

#[test]
fn padded_lines_that_nobody_tells_of_are_refused() {
    let folder = Folder::new();
    let rows: Vec<_> = [
        ("NV12", 384 * 360),
        ("I420", 384 * 360),
        ("BGR", 384 * 3 * 240),
        ("YUY2", 384 * 2 * 240),
        ("GRAY8", 384 * 240),
    ]
    .into_iter()
    .flat_map(|(format, bytes)| ["", " ! appsink"].map(|end| (format, bytes, end)))
    .collect();
    for (format, bytes, _) in &rows {
        fs::write(folder.file(format), vec![100; *bytes]).unwrap();
    }
    each(&rows, |(format, _, end)| {
        let caps = format!("video/x-raw,format={format},width=322,height=240,framerate=30/1");
        let path = folder.file(format);
        // Bytes of lines of 384 pixels.
        let pipeline =
            format!("multifilesrc location={path} loop=true caps={caps} ! identity sync=true{end}");
        let name = format!("`{format}` pictures with padded lines");
        match served(&pipeline) {
            Err(text) if text.contains(&name) => Ok(()),
            Err(text) => Err(format!("{pipeline}: {text}")),
            Ok(_) => Err(format!("{pipeline}: a sheared picture is served")),
        }
    });
}

#[test]
fn padded_lines_that_are_told_of_are_no_harm() {
    let source = "videotestsrc is-live=true ! video/x-raw,width=384,height=240";
    let wide = served(source).expect("a picture");
    // The caps tell of a narrower picture than the buffers hold, which say where their lines are.
    let narrow = format!("{source},format=NV12 ! capssetter caps=video/x-raw,width=322 ! appsink");
    let got = served(&narrow).expect("a picture");
    assert_eq!(size_of(&got), (322, 240));
    let far = difference(&got, &wide, (0, 0, 320, 144));
    assert!(far < CLOSE, "off by {far:.1}");
}

#[test]
fn a_mosaic_is_converted_or_refused_with_what_it_needs() {
    let mosaic = "videotestsrc is-live=true ! video/x-bayer,format=bggr,width=320,height=240";
    let has_converter = run("gst-inspect-1.0", &["--exists", "bayer2rgb"])
        .status
        .success();
    match served(&format!("{mosaic} ! appsink")) {
        Ok(got) => {
            assert!(has_converter);
            let right = "videotestsrc is-live=true ! video/x-raw,width=320,height=240";
            let right = served(right).expect("a picture");
            assert!(difference(&got, &right, (0, 0, 320, 144)) < CLOSE);
        }
        Err(text) => {
            assert!(!has_converter, "{text}");
            for words in ["`bggr`", "! bayer2rgb !", "gstreamer1.0-plugins-bad"] {
                assert!(text.contains(words), "no {words:?} in {text}");
            }
        }
    }
}

#[test]
fn a_camera_behind_a_pipeline_has_its_own_colours_too() {
    let bars = bars();
    for (format, pipeline) in [
        ("yuyv", "v4l2src device=/dev/video0 ! appsink"),
        ("nv12", "v4l2src device=/dev/video0 ! appsink"),
        (
            "nv21",
            "v4l2src device=/dev/video0 ! video/x-raw,format=NV21 ! appsink",
        ),
        ("yu12", "v4l2src device=/dev/video0"),
        (
            "rgb3",
            "v4l2src device=/dev/video0 ! queue ! appsink sync=false",
        ),
    ] {
        let camera = FakeCamera::new(&format!("{STILL}format {format}"));
        let source = format!("gst:{pipeline}");
        let got = outcome(&camera.serve(&["--source", &source])).or_else(|text| {
            let camfeed = camera.serve(&["--source", &advised_for(&text, pipeline)]);
            outcome(&camfeed)
        });
        let got = got.unwrap_or_else(|text| panic!("{format}: {text}"));
        off(&bars, &got, &ALL).unwrap_or_else(|off| panic!("{format}, {pipeline}: {off}"));
    }
}
