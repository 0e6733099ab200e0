//! `scripts/timelapse film`: what the film shows, and what is left when there is none.

use crate::{
    camfeed::{Folder, SOON, eventually, run},
    shell::{Running, Tools, command, files, script},
};
use opencv::{
    core::{self, Mat, Scalar, Size, Vector},
    imgcodecs,
    prelude::*,
    videoio::{CAP_FFMPEG, VideoCapture},
};
use rustix::process::Signal;
use std::{fs, path::Path, process::Output};

/// A grey picture, `level` bright, in a file.
fn write_grey(path: &Path, level: u8, width: i32, height: i32) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let level = Scalar::all(f64::from(level));
    let grey = Mat::new_size_with_default(Size::new(width, height), core::CV_8UC3, level).unwrap();
    let path = path.to_str().unwrap();
    assert!(imgcodecs::imwrite(path, &grey, &Vector::new()).unwrap());
}

/// Frames of a film: their mean brightness.
fn levels(path: &str) -> Vec<u8> {
    let mut film = VideoCapture::from_file(path, CAP_FFMPEG).unwrap();
    let mut frame = Mat::default();
    let mut levels = Vec::new();
    while film.read(&mut frame).unwrap() {
        let mean = core::mean(&frame, &core::no_array()).unwrap();
        levels.push(mean[0].round() as u8);
    }
    levels
}

#[test]
fn without_ffmpeg_the_command_that_brings_it_is_named() {
    let folder = Folder::new();
    let place = folder.0.to_str().unwrap();
    let output = script(Tools::Curl, "timelapse", &["film", place, "x.mp4"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(
        said,
        "timelapse: ffmpeg is needed: sudo apt install ffmpeg\n"
    );
}

fn make_film(tools: Tools, args: &[&str]) -> Output {
    let mut command = command(tools, "timelapse", args);
    // Where ffmpeg is, whatever else.
    let path = format!(
        "{}:/usr/bin",
        command
            .get_envs()
            .find_map(|(name, value)| {
                (name == "PATH").then(|| value.unwrap().to_str().unwrap().to_owned())
            })
            .unwrap()
    );
    command.env("PATH", path).output().expect("a shell")
}

#[test]
fn a_film_shows_every_whole_picture_in_the_order_of_time() {
    for tools in [Tools::Wget, Tools::Busybox] {
        let folder = Folder::new();
        let lapse = folder.0.join("my lapse");
        // A folder's day is local, a name's is not: the first two come before what their folder says. A camera
        // may have been renamed.
        for (name, level, width, height) in [
            ("2026-11-24/camfeed-20261123T233000.000Z.jpg", 40, 321, 241),
            (
                "2026-11-24/camfeed-zoo-20261123T234000.000Z.jpg",
                70,
                321,
                241,
            ),
            ("2026-11-23/camfeed-20261123T235000.000Z.jpg", 100, 321, 241),
            ("2026-11-24/camfeed-20261124T000000.000Z.jpg", 130, 640, 482),
            (
                "2026-11-24/camfeed-2-20261124T010000.000Z.jpg",
                160,
                160,
                120,
            ),
            ("2026-11-25/camfeed-20261125T000000.000Z.jpg", 190, 321, 241),
        ] {
            write_grey(&lapse.join(name), level, width, height);
        }
        let whole = fs::read(lapse.join("2026-11-25/camfeed-20261125T000000.000Z.jpg")).unwrap();
        let mut garbage = vec![0xff, 0xd8, 0xff, 0xda];
        garbage.extend((0..3000u32).map(|number| ((number * 7919) >> 3) as u8));
        garbage.extend([0xff, 0xd9]);
        fs::create_dir(lapse.join("2026-11-22")).unwrap();
        for (name, bytes) in [
            ("2026-11-22/camfeed-20261122T000000.000Z.jpg", &garbage[..]),
            ("2026-11-23/camfeed-20261123T000000.000Z.jpg", b""),
            (
                "2026-11-24/camfeed-20261124T003000.000Z.jpg",
                &whole[..whole.len() / 2],
            ),
            ("2026-11-24/camfeed-20261124T013000.000Z.jpg", &garbage),
            ("2026-11-24/.snapshot-abc123", &whole),
        ] {
            fs::write(lapse.join(name), bytes).unwrap();
        }
        let out = folder.file("my film.mp4");
        let args = ["film", lapse.to_str().unwrap(), &out, "-r", "5", "-v"];
        let made = make_film(tools, &args);
        let said = String::from_utf8_lossy(&made.stdout);
        assert!(made.status.success(), "{made:?}");
        assert!(
            said.contains("6 pictures, 4 broken ones left out"),
            "{said}"
        );
        let progress = String::from_utf8_lossy(&made.stderr);
        assert!(progress.contains(" of 10 pictures, 60 %"), "{progress}");
        for (level, expected) in levels(&out).iter().zip([40, 70, 100, 130, 160, 190]) {
            // The size of one differs in its shape too: bars beside it.
            assert!(level.abs_diff(expected) < 10, "{:?}", levels(&out));
        }
        let seen = run(
            "ffprobe",
            &[
                "-v",
                "error",
                "-count_frames",
                "-show_entries",
                "stream=codec_name,width,height,pix_fmt,r_frame_rate,nb_read_frames",
                "-of",
                "csv=p=0",
                &out,
            ],
        );
        let seen = String::from_utf8_lossy(&seen.stdout);
        assert_eq!(seen.trim(), "h264,320,240,yuv420p,5/1,6", "{tools:?}");
        let film = fs::read(&out).unwrap();
        let at = |name: &[u8]| crate::http::find(&film, name).unwrap();
        assert!(at(b"moov") < at(b"mdat"), "players cannot begin at once");
        assert_eq!(files(&folder.0).len(), 2 + 4 + 11, "nothing is left behind");
    }
}

#[test]
fn a_film_that_cannot_be_made_leaves_the_old_one() {
    let folder = Folder::new();
    let lapse = folder.0.join("lapse");
    fs::create_dir(&lapse).unwrap();
    let out = folder.file("film.mp4");
    fs::write(&out, "the old one").unwrap();
    let args = ["film", lapse.to_str().unwrap(), &out];
    for words in [
        "there are no pictures",
        "there is no whole picture",
        "ffmpeg made no film",
    ] {
        let made = make_film(Tools::Wget, &args);
        assert_eq!(made.status.code(), Some(4), "{made:?}");
        let said = String::from_utf8(made.stderr).unwrap();
        assert!(said.contains(words) && said.lines().count() == 1, "{said}");
        assert_eq!(fs::read(&out).unwrap(), b"the old one");
        let picture = lapse.join("camfeed-20261125T000000.000Z.jpg");
        if picture.exists() {
            // Whole, and too small for H.264.
            write_grey(&picture, 90, 1, 1);
        } else {
            fs::write(picture, "broken").unwrap();
        }
    }
    assert_eq!(files(&folder.0).len(), 3, "nothing is left behind");
}

#[test]
fn a_film_that_is_ended_leaves_nothing() {
    let folder = Folder::new();
    let lapse = folder.0.join("lapse");
    let picture = lapse.join("camfeed-20261125T000000.000Z.jpg");
    write_grey(&picture, 90, 1920, 1080);
    for number in 0..2000 {
        let name = format!("camfeed-20261125T01{number:04}.000Z.jpg");
        fs::hard_link(&picture, lapse.join(name)).unwrap();
    }
    let out = folder.file("film.mp4");
    let mut command = command(
        Tools::Wget,
        "timelapse",
        &["film", lapse.to_str().unwrap(), &out],
    );
    command.env("PATH", "/usr/bin:/bin");
    let mut running = Running::start(command);
    let is_begun = || {
        let names = fs::read_dir(&folder.0).unwrap().flatten();
        let mut films =
            names.filter(|name| name.file_name().to_str().unwrap().starts_with(".film"));
        films
            .next()
            .is_some_and(|film| film.metadata().unwrap().len() > 0)
    };
    assert!(eventually(SOON, is_begun), "{}", running.said());
    assert_eq!(running.end(Signal::TERM).code(), Some(143));
    let names = fs::read_dir(&folder.0).unwrap().count();
    assert_eq!(names, 1, "only the pictures");
}
