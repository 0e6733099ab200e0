//! `--check`: it counts whole and broken pictures, names what is wrong with them, says what becomes of
//! them, and its exit code means it.

use crate::{
    camfeed::{Folder, film, run},
    fakecam::{FakeCamera, picture},
    http::read_until,
};
use std::{fs, io::Write, net::TcpListener, thread, time::Duration};

/// Exit code, what was printed, and how many pictures were whole and how many broken.
struct Checked {
    code: Option<i32>,
    said: String,
    whole: u32,
    broken: u32,
}

impl Checked {
    fn new(output: std::process::Output) -> Checked {
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let line = said.lines().find_map(|line| line.strip_prefix("pictures "));
        let line = line.unwrap_or_else(|| panic!("no counts in {said}"));
        let count = |after: &str| {
            let (before, _) = line.split_once(after).expect("a count");
            before
                .split_whitespace()
                .last()
                .and_then(|word| word.parse().ok())
                .expect("a number")
        };
        Checked {
            code: output.status.code(),
            whole: count(" whole"),
            broken: count(" broken"),
            said,
        }
    }

    fn camera(control: &str, options: &[&str]) -> Checked {
        let camera = FakeCamera::new(control);
        Checked::new(camera.run(&[&["--check", "--source", "/dev/video0"], options].concat()))
    }

    fn source(source: &str) -> Checked {
        Checked::new(run(
            env!("CARGO_BIN_EXE_camfeed"),
            &["--check", "--source", source],
        ))
    }

    /// The words behind `name` on its line.
    fn line(&self, name: &str) -> &str {
        let line = self.said.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("no {name} in {}", self.said))
            .trim()
    }
}

/// No picture of it is whole, for that reason.
fn assert_none_whole(checked: &Checked, words: &str) {
    let said = &checked.said;
    assert_eq!((checked.code, checked.whole), (Some(6), 0), "{said}");
    assert!(checked.line("pictures").contains(words), "{said}");
}

#[test]
fn broken_pictures_are_counted_named_and_no_success() {
    for (fault, defect) in [
        ("truncated", "cut off: the end is missing"),
        ("garbage", "not a JPEG"),
        ("empty", "empty"),
    ] {
        let checked = Checked::camera(&format!("fault {fault}"), &[]);
        let Checked {
            code,
            said,
            whole,
            broken,
        } = &checked;
        assert_eq!((*code, *whole), (Some(6), 0), "{said}");
        assert!(*broken > 20, "{said}");
        assert!(
            said.contains(&format!("broken: {broken} {defect}")),
            "{said}"
        );
        let words = format!("{broken} of {broken} pictures are broken, most often {defect}");
        assert!(said.contains(&words), "{said}");
        assert_eq!(
            checked.line("processing"),
            "none: broken pictures are dropped"
        );
    }
}

#[test]
fn a_camera_with_fewer_than_half_whole_gives_no_usable_picture() {
    let whole = fs::read(picture("640x480", 1)).unwrap();
    let cut = &whole[..whole.len() / 2];
    for (ring, code) in [
        (&[&whole, cut, cut][..], 6),
        (&[&whole, &whole, cut], 0),
        (&[&whole, &whole, &whole, cut, cut], 0),
    ] {
        let folder = Folder::new();
        for (number, jpeg) in ring.iter().enumerate() {
            fs::write(folder.file(&format!("{number}.jpg")), jpeg).unwrap();
        }
        let camera = FakeCamera::showing(&folder.0, "");
        let checked = Checked::new(camera.run(&["--check", "--source", "/dev/video0"]));
        let said = &checked.said;
        assert!(checked.whole > 10 && checked.broken > 10, "{said}");
        assert_eq!(checked.code, Some(code), "{said}");
        let words = "its JPEGs pass through untouched; broken ones are dropped";
        assert_eq!(checked.line("processing"), words);
        assert_eq!(
            said.contains("pictures are broken, most often cut off"),
            code == 6,
            "{said}"
        );
    }
}

/// Serves these pictures to one client, one after the other and over again, until it leaves.
fn serve(listener: &TcpListener, pictures: &[&[u8]]) {
    let (mut client, _) = listener.accept().expect("a client");
    read_until(&mut client, b"\r\n\r\n");
    let head = "HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace;boundary=f\r\n\r\n";
    let mut is_there = client.write_all(head.as_bytes()).is_ok();
    for jpeg in pictures.iter().cycle() {
        if !is_there {
            break;
        }
        let length = jpeg.len();
        let head = format!("--f\r\nContent-Type: image/jpeg\r\nContent-Length: {length}\r\n\r\n");
        is_there = client
            .write_all(&[head.as_bytes(), jpeg, b"\r\n"].concat())
            .is_ok();
        // The rate of its pictures.
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_servers_broken_pictures_are_counted_too() {
    let whole = fs::read(picture("640x480", 1)).unwrap();
    let other = fs::read(picture("640x480", 2)).unwrap();
    let cut = &whole[..whole.len() / 2];
    for (pictures, code, defects) in [
        (
            &[cut, b"garbage", cut][..],
            6,
            &["cut off: the end is missing", "not a JPEG"][..],
        ),
        (&[&whole, b"garbage", b"more of it"], 6, &["not a JPEG"]),
        (
            &[&whole, cut, &other, b"garbage", &whole, cut, &other],
            0,
            &["cut off: the end is missing", "not a JPEG"],
        ),
        (&[&whole, &other], 0, &[]),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/stream", listener.local_addr().unwrap());
        let checked = thread::scope(|scope| {
            scope.spawn(|| serve(&listener, pictures));
            Checked::source(&url)
        });
        let said = &checked.said;
        assert_eq!(checked.code, Some(code), "{said}");
        let wholes = pictures
            .iter()
            .filter(|jpeg| jpeg.ends_with(&[0xff, 0xd9]))
            .count();
        let share = f64::from(checked.whole) / f64::from(checked.whole + checked.broken);
        assert!(
            (share - wholes as f64 / pictures.len() as f64).abs() < 0.1,
            "{said}"
        );
        // The commonest first, each with its count.
        let line = checked.line("pictures").split_once("broken: ");
        let named: Vec<_> = line.map_or(Vec::new(), |(_, named)| named.split("; ").collect());
        assert_eq!(named.len(), defects.len(), "{said}");
        for (named, defect) in named.iter().zip(defects) {
            assert!(
                named.ends_with(defect) && named.as_bytes()[0].is_ascii_digit(),
                "{said}"
            );
        }
    }
}

#[test]
fn a_films_and_a_pipelines_broken_pictures_are_counted_too() {
    let folder = Folder::new();
    let path = folder.file("clip.avi");
    film(&path, "mjpeg", "320x240", 30, 1);
    // Every picture loses its beginning.
    let mut bytes = fs::read(&path).unwrap();
    let soi: Vec<_> = (0..bytes.len() - 2)
        .filter(|at| bytes[*at..].starts_with(&[0xff, 0xd8, 0xff]))
        .collect();
    assert!(soi.len() >= 30);
    for at in soi {
        bytes[at] = 0;
    }
    fs::write(&path, bytes).unwrap();
    let checked = Checked::source(&path);
    assert_none_whole(&checked, "not a JPEG");

    let whole = fs::read(picture("640x480", 1)).unwrap();
    let path = folder.file("cut.jpg");
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let caps = "image/jpeg,width=640,height=480,framerate=30/1";
    let pipeline =
        format!("gst:multifilesrc location={path} loop=true caps={caps} ! appsink sync=true");
    let checked = Checked::source(&pipeline);
    assert_none_whole(&checked, "cut off");
}

#[test]
fn no_picture_at_all_is_counted_as_well() {
    let checked = Checked::camera("fault hang", &["--camera-timeout", "1"]);
    assert_eq!(checked.code, Some(6), "{}", checked.said);
    assert_eq!(checked.line("pictures"), "0 whole, 0 broken");
    assert!(
        checked.said.contains("it is open and gives no picture"),
        "{}",
        checked.said
    );
}

#[test]
fn what_becomes_of_the_pictures_is_what_the_options_make_of_them() {
    for (control, options, words) in [
        ("", &[][..], "its JPEGs pass through untouched"),
        (
            "",
            &["--encode", "always"],
            "its JPEGs are decoded and encoded again, as the options ask",
        ),
        (
            "format yuyv",
            &[],
            "its pixels are encoded here, their planes as they are",
        ),
        (
            "format yuyv",
            &["--flip", "h"],
            "its pixels are converted and encoded here",
        ),
        (
            "format nv12",
            &[],
            "its pixels are encoded here, their planes as they are",
        ),
        (
            "format nv12",
            &["--rotate", "180"],
            "its pixels are encoded here, their planes as they are",
        ),
        (
            "format nv12",
            &["--rotate", "90"],
            "its pixels are encoded here, their planes turned",
        ),
        (
            "format nv12",
            &["--overlay", "time"],
            "its pixels are encoded here, their planes written on",
        ),
        (
            "format rgb3",
            &[],
            "its pixels are converted and encoded here",
        ),
        ("format grey", &[], "its pixels are encoded here"),
    ] {
        let checked = Checked::camera(control, options);
        assert_eq!(checked.code, Some(0), "{}", checked.said);
        assert_eq!(checked.line("processing"), words, "{control} {options:?}");
        assert!(
            checked.line("pictures").ends_with(" 0 broken"),
            "{}",
            checked.said
        );
    }
}

#[test]
fn a_pipeline_that_is_refused_is_diagnosed_in_the_same_words() {
    let source = "gst:videotestsrc is-live=true ! pngenc ! appsink";
    let output = run(
        env!("CARGO_BIN_EXE_camfeed"),
        &["--check", "--source", source],
    );
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(6), "{said}");
    assert!(said.contains("the pipeline gives `image/png`"), "{said}");
    assert!(
        said.contains("\"gst:… ! decodebin ! videoconvert !"),
        "{said}"
    );
}

#[test]
fn help_and_manual_tell_what_the_codes_mean() {
    let output = run(env!("CARGO_BIN_EXE_camfeed"), &["--help"]);
    let help = String::from_utf8(output.stdout).unwrap();
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(help.contains("6 no usable picture"), "{help}");
    for file in ["docs/cameras.md", "scripts/package/camfeed.1.in"] {
        let path = format!("{}/{file}", env!("CARGO_MANIFEST_DIR"));
        let text = fs::read_to_string(path).unwrap();
        assert!(text.contains("no usable picture"), "{file}");
    }
}
