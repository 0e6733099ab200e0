//! Every pixel format × what a camera may do with it: each picture that is served has its own colours in
//! their own places, or there is none, with words that name the format and say what works.

use crate::{
    camfeed::{Camfeed, Folder, SOON, eventually, run},
    fakecam::{FakeCamera, decoded, size_of},
    formats::{advised, each, outcome},
    http::{Parts, find, get},
    status::state,
};
use opencv::{
    core::{self, Mat, Rect, Scalar, Vec3b, Vector},
    imgcodecs, imgproc,
    prelude::*,
};
use std::{
    collections::BTreeMap,
    sync::Mutex,
    time::{Duration, Instant},
};

/// How far a colour may be from what it should be: a JPEG's loss, and that of formats of few bits.
const CLOSE: f64 = 8.0;

/// What a camera may offer. The first ten are shown whenever nothing is wrong with them.
const FORMATS: [&str; 20] = [
    "nv12", "nv21", "yu12", "yv12", "yuyv", "uyvy", "grey", "rgb3", "bgr3", "mjpg", "xr24", "yvyu",
    "rgbp", "ba81", "gbrg", "grbg", "rggb", "y10", "y12", "y16",
];
const ALWAYS_SHOWN: usize = 10;

/// Formats of brightness alone.
const GREY: [&str; 4] = ["grey", "y10", "y12", "y16"];

/// One column: what the camera is told beside its format, and camfeed's options.
struct Case {
    name: &'static str,
    control: &'static str,
    options: &'static [&'static str],
    /// One of these a refusal must say, beside the format's name; none is allowed without.
    reasons: &'static [&'static str],
}

const fn case(
    name: &'static str,
    control: &'static str,
    options: &'static [&'static str],
    reasons: &'static [&'static str],
) -> Case {
    Case {
        name,
        control,
        options,
        reasons,
    }
}

const RESIZED: &str = "size changes";
const CUT: &str = "short";
const TURNED: &str = "turned";
const HALF_TURNED: &str = "turned by a half";

/// Sizes of one camera: where the first is refused, the second is advised.
const CASES: [Case; 10] = [
    case("plain", "sizes 320x240", &[], &[]),
    case("padded", "sizes 320x240\nline_padding 32", &[], &["padded"]),
    case(
        "aligned",
        "sizes 322x242,320x240\nline_align 64",
        &[],
        &["padded"],
    ),
    case(
        "322x242",
        "sizes 322x242,320x240",
        &[],
        &["no multiple of 4"],
    ),
    case(
        "321x241",
        "sizes 321x241,320x240",
        &[],
        &["odd size", "no multiple of 4"],
    ),
    case(RESIZED, "sizes 320x240", &[], &[]),
    case(
        CUT,
        "sizes 320x240\nfault truncated\nfault_every 2",
        &[],
        &[],
    ),
    case(TURNED, "sizes 320x240", &["--rotate", "90"], &[]),
    // Tall enough for two stripes.
    case(HALF_TURNED, "sizes 320x288", &["--rotate", "180"], &[]),
    case("written on", "sizes 320x240", &["--overlay", "%T"], &[]),
];

/// The size that [`RESIZED`] has at last: of as many bytes as the first, so that none tells.
const NEW_SIZE: (i32, i32) = (240, 320);

/// Blue, green, red of the camera's six fields, three beside each other; of one frame the upper three
/// are below.
const FIELDS: [[i32; 3]; 6] = [
    [0, 0, 255],
    [0, 255, 0],
    [255, 0, 0],
    [255, 255, 255],
    [0, 0, 0],
    [128, 128, 128],
];

/// The fields in a format of brightness alone.
fn without_colour([blue, green, red]: [i32; 3]) -> [i32; 3] {
    [(blue * 114 + green * 587 + red * 299 + 500) / 1000; 3]
}

/// JPEGs of the fields in every size that a case has: their folder is a ring for the fake camera.
fn ring(folder: &Folder) {
    let sizes = [(320, 240), (320, 288), (322, 242), (321, 241), NEW_SIZE];
    for (width, height) in sizes {
        for number in 0..2 {
            let mut mat =
                Mat::new_rows_cols_with_default(height, width, core::CV_8UC3, Scalar::all(0.0))
                    .unwrap();
            for (at, [blue, green, red]) in FIELDS.iter().enumerate() {
                let (column, row) = (at as i32 % 3, (at as i32 / 3) ^ number);
                let (left, right) = (column * width / 3, (column + 1) * width / 3);
                let (top, bottom) = (row * height / 2, (row + 1) * height / 2);
                let field = Rect::new(left, top, right - left, bottom - top);
                let colour = Scalar::new((*blue).into(), (*green).into(), (*red).into(), 0.0);
                imgproc::rectangle(&mut mat, field, colour, imgproc::FILLED, imgproc::LINE_8, 0)
                    .unwrap();
            }
            let path = folder.file(&format!("{width}x{height}-{number}.jpg"));
            assert!(imgcodecs::imwrite(&path, &mat, &Vector::new()).unwrap());
        }
    }
}

/// How far the fields are from their colours, in the middle of each: the worst mean distance of a
/// channel. Of the camera's two frames the nearer one counts, but for the whole picture.
fn error(mat: &Mat, is_grey: bool) -> f64 {
    let (width, height) = size_of(mat);
    let of_frame = |frame: usize| {
        let far = FIELDS.iter().enumerate().map(|(at, colour)| {
            let colour = if is_grey {
                without_colour(*colour)
            } else {
                *colour
            };
            let (column, row) = (at as i32 % 3, ((at / 3) ^ frame) as i32);
            let (left, top) = ((3 * column + 1) * width / 9, (3 * row + 1) * height / 6);
            let mut sums = [0; 3];
            let mut count = 0;
            for y in top..top + height / 6 {
                for x in left..left + width / 9 {
                    let pixel = mat.at_2d::<Vec3b>(y, x).unwrap();
                    for channel in 0..3 {
                        sums[channel] += (i32::from(pixel[channel]) - colour[channel]).abs();
                    }
                    count += 1;
                }
            }
            f64::from(sums.into_iter().max().unwrap_or(0)) / f64::from(count)
        });
        far.fold(0.0, f64::max)
    };
    of_frame(0).min(of_frame(1))
}

/// What a cell says: the worst error of its pictures, or the refusal.
type Cell = Result<f64, String>;

/// The error of a picture that camfeed turned, turned back, is that of the camera's.
fn error_of(picture: &Mat, format: &str, case: &Case) -> f64 {
    let mut upright = picture.clone();
    let code = match case.name {
        TURNED => Some(core::ROTATE_90_COUNTERCLOCKWISE),
        HALF_TURNED => Some(core::ROTATE_180),
        _ => None,
    };
    if let Some(code) = code {
        core::rotate(picture, &mut upright, code).unwrap();
    }
    error(&upright, GREY.contains(&format))
}

/// A camera of `format` as the case says it.
fn camera(folder: &Folder, format: &str, case: &Case, more: &str) -> FakeCamera {
    let control = control(format, case, more);
    FakeCamera::showing(&folder.0, &control)
}

fn control(format: &str, case: &Case, more: &str) -> String {
    format!("picture patches\nformat {format}\n{}\n{more}", case.control)
}

/// The worst error of the pictures that are served while the camera changes its size, until they have
/// the new one, which `/state` says too.
fn resized(camera: &FakeCamera, camfeed: &Camfeed, format: &str, case: &Case) -> Cell {
    let (width, height) = NEW_SIZE;
    camera.set(&control(
        format,
        case,
        &format!("stream_size {width}x{height}"),
    ));
    let deadline = Instant::now() + SOON;
    let mut worst: f64 = 0.0;
    loop {
        // While it is opened again there is no picture.
        let picture = outcome_of(camfeed);
        if let Some(picture) = &picture {
            worst = worst.max(error_of(picture, format, case));
        }
        if picture.is_some_and(|picture| size_of(&picture) == NEW_SIZE) {
            break;
        }
        assert!(Instant::now() < deadline, "{format}: never of the new size");
    }
    let mut now = serde_json::Value::Null;
    let follows = eventually(SOON, || {
        now = state(camfeed.address)["camera"].take();
        now["width"] == width && now["height"] == height
    });
    assert!(follows, "{format}: {now:#}");
    Ok(worst)
}

/// The picture that is served now, if there is one.
fn outcome_of(camfeed: &Camfeed) -> Option<Mat> {
    let answer = get(camfeed.address, "/snapshot.jpg");
    (answer.status == 200).then(|| decoded(&answer.body).expect("a JPEG"))
}

/// What becomes of one format in one case.
fn cell(folder: &Folder, format: &str, case: &Case) -> Cell {
    let camera = camera(folder, format, case, "");
    let options = [&["--source", "/dev/video0"], case.options].concat();
    let camfeed = camera.serve(&options);
    // A snapshot waits for seconds whether the camera comes after all.
    let mut now = serde_json::Value::Null;
    let is_decided = eventually(SOON, || {
        now = state(camfeed.address)["camera"].take();
        now["state"] != "opening"
    });
    assert!(is_decided, "{format}, {}: {now:#}", case.name);
    if now["state"] == "offline" {
        return Err(now["reason"].as_str().expect("a reason").to_owned());
    }
    assert_eq!(now["format"], format.to_uppercase());
    let first = outcome(&camfeed)?;
    let worst = error_of(&first, format, case);
    match case.name {
        RESIZED => resized(&camera, &camfeed, format, case).map(|later| worst.max(later)),
        CUT => {
            let mut parts = Parts::open(camfeed.address, "/stream");
            let pictures = (0..10).map(|_| decoded(&parts.next_part().jpeg).expect("a JPEG"));
            Ok(pictures.fold(worst, |worst, picture| {
                worst.max(error_of(&picture, format, case))
            }))
        }
        _ => Ok(worst),
    }
}

/// The options of the command in a refusal, when it can be run here.
fn advised_options(text: &str, has_bayer: bool) -> Option<Vec<String>> {
    if text.contains("--source \"") {
        let source = advised(text).to_owned();
        let can_run = has_bayer || !source.contains("bayer2rgb");
        return can_run.then(|| vec!["--source".to_owned(), source]);
    }
    let (_, rest) = text
        .split_once("`--size ")
        .unwrap_or_else(|| panic!("no advice in {text}"));
    let size = rest.split('`').next().expect("a size").to_owned();
    Some(
        ["--source", "/dev/video0", "--size", &size]
            .map(str::to_owned)
            .to_vec(),
    )
}

/// What is wrong with a cell, where something is.
fn complaint(
    folder: &Folder,
    format: &str,
    case: &Case,
    cell: &Cell,
    has_bayer: bool,
) -> Option<String> {
    let name = format!("{format}, {}", case.name);
    let text = match cell {
        Ok(error) => return (*error > CLOSE).then(|| format!("{name}: off by {error:.1}")),
        Err(text) => text,
    };
    let is_always_shown = FORMATS[..ALWAYS_SHOWN].contains(&format);
    if is_always_shown && case.reasons.is_empty() {
        return Some(format!("{name}: refused: {text}"));
    }
    if !text.contains(&format!("`{}`", format.to_uppercase())) {
        return Some(format!("{name}: the format is not named: {text}"));
    }
    let is_reasoned = case.reasons.iter().any(|reason| text.contains(reason));
    if is_always_shown && !is_reasoned {
        return Some(format!("{name}: not the reason: {text}"));
    }
    // GStreamer knows neither; and what is refused as a format is so in each case.
    let is_known = !matches!(format, "y10" | "y12");
    let is_last = case.reasons.is_empty() && case.name != "plain";
    // GStreamer 1.26's `v4l2src` lays such lines at multiples of four bytes, whatever the driver says.
    let is_odd = case.name == "321x241" && text.contains("--source");
    if is_last || is_odd || !is_known && !text.contains("--size") {
        return None;
    }
    let options = advised_options(text, has_bayer)?;
    let options: Vec<_> = options.iter().map(String::as_str).collect();
    let camera = camera(folder, format, case, "");
    match outcome(&camera.serve(&options)) {
        Ok(picture) if error(&picture, GREY.contains(&format)) <= CLOSE => None,
        Ok(picture) => {
            let far = error(&picture, GREY.contains(&format));
            Some(format!("{name}: {options:?} is off by {far:.1}"))
        }
        Err(why) => Some(format!("{name}: {options:?} does not work: {why}")),
    }
}

#[test]
fn every_format_is_shown_rightly_or_refused_by_name_whatever_the_camera_does() {
    let folder = Folder::new();
    ring(&folder);
    let has_bayer = run("gst-inspect-1.0", &["--exists", "bayer2rgb"])
        .status
        .success();
    let cells: Vec<_> = FORMATS
        .iter()
        .flat_map(|format| CASES.iter().map(move |case| (*format, case)))
        .collect();
    let seen = Mutex::new(BTreeMap::new());
    let begun = Instant::now();
    let all = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        each(&cells, |(format, case)| {
            let cell = cell(&folder, format, case);
            let complaint = complaint(&folder, format, case, &cell, has_bayer);
            seen.lock().unwrap().insert((*format, case.name), cell);
            complaint.map_or(Ok(()), Err)
        });
    }));
    show(&seen.lock().unwrap(), begun.elapsed());
    if let Err(complaints) = all {
        std::panic::resume_unwind(complaints);
    }
}

#[test]
fn state_and_placeholder_have_the_size_of_the_newest_pictures() {
    let folder = Folder::new();
    ring(&folder);
    let plain = &CASES[0];
    for (format, options) in [
        ("mjpg", &[][..]),
        ("mjpg", &["--encode", "always"]),
        ("yuyv", &[]),
    ] {
        let camera = camera(&folder, format, plain, "");
        let camfeed = camera.online(&[&["--source", "/dev/video0"], options].concat());
        resized(&camera, &camfeed, format, plain).unwrap();
        camera.set(&control(format, plain, "plugged no"));
        let mut parts = Parts::open(camfeed.address, "/stream");
        let placeholder = std::iter::repeat_with(|| parts.next_part().jpeg)
            .find(|jpeg| find(jpeg, b"camfeed placeholder: ").is_some());
        let placeholder = decoded(&placeholder.expect("sooner or later")).expect("a JPEG");
        assert_eq!(size_of(&placeholder), NEW_SIZE, "{format} {options:?}");
    }
}

/// Prints the matrix, and each refusal once.
fn show(cells: &BTreeMap<(&str, &str), Cell>, time: Duration) {
    let mut refusals = Vec::new();
    let row = |name: &str, columns: Vec<String>| {
        let columns: String = columns
            .iter()
            .map(|column| format!("{column:>13}"))
            .collect();
        println!("{name:<5}{columns}");
    };
    row("", CASES.iter().map(|case| case.name.to_owned()).collect());
    for format in FORMATS {
        let columns = CASES
            .iter()
            .map(|case| match cells.get(&(format, case.name)) {
                Some(Ok(error)) => format!("{error:.1}"),
                Some(Err(text)) => {
                    refusals.push(format!("{format}, {}: refused: {text}", case.name));
                    format!("refused {}", refusals.len())
                }
                None => "-".to_owned(),
            });
        let columns = columns.collect();
        row(format, columns);
    }
    for (at, refusal) in refusals.iter().enumerate() {
        println!("{:>3}. {refusal}", at + 1);
    }
    println!("{} cells in {:.0} s", cells.len(), time.as_secs_f64());
}
