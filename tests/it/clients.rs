//! The clients people have: curl, ffmpeg, OpenCV.

use crate::camfeed::{Camfeed, SMALL, SOON, run};
use opencv::{
    core::Mat,
    prelude::*,
    videoio::{CAP_FFMPEG, VideoCapture},
};
use std::time::Instant;

#[test]
fn ffprobe_and_ffmpeg_read_the_stream() {
    let camfeed = Camfeed::online(&["--source", SMALL]);
    let url = camfeed.url("/stream");
    let seen = run(
        "ffprobe",
        &[
            "-v",
            "error",
            "-show_entries",
            "stream=codec_name,width,height",
            "-of",
            "csv=p=0",
            &url,
        ],
    );
    assert_eq!(
        String::from_utf8_lossy(&seen.stdout).trim(),
        "mjpeg,320,240"
    );
    let read = run(
        "ffmpeg",
        &[
            "-v",
            "error",
            "-strict_mime_boundary",
            "1",
            "-i",
            &url,
            "-frames:v",
            "20",
            "-f",
            "null",
            "-",
        ],
    );
    assert!(read.status.success());
    assert!(
        read.stderr.is_empty(),
        "{}",
        String::from_utf8_lossy(&read.stderr)
    );
}

#[test]
fn opencv_reads_the_stream_back() {
    let camfeed = Camfeed::online(&["--source", SMALL]);
    let url = camfeed.url("/video_feed");
    let mut capture = VideoCapture::from_file(&url, CAP_FFMPEG).expect("opened");
    assert!(capture.is_opened().unwrap());
    let mut picture = Mat::default();
    let started = Instant::now();
    for _ in 0..20 {
        assert!(capture.read(&mut picture).unwrap());
        assert_eq!((picture.cols(), picture.rows()), (320, 240));
    }
    assert!(started.elapsed() < SOON);
}

#[test]
fn curl_reads_the_stream_over_either_version() {
    let camfeed = Camfeed::online(&["--source", SMALL]);
    for version in ["--http1.0", "--http1.1"] {
        let got = run(
            "curl",
            &["-s", "-m", "1", version, &camfeed.url("/stream.mjpg")],
        );
        assert_eq!(got.status.code(), Some(28), "ends by its own time-out");
        assert!(
            got.stdout
                .starts_with(b"--camfeedframe\r\nContent-Type: image/jpeg\r\n")
        );
        assert!(got.stdout.len() > 20_000, "{}", got.stdout.len());
    }
}

#[test]
fn a_unix_socket_serves_everything() {
    let folder = crate::camfeed::Folder::new();
    let path = folder.file("camfeed.sock");
    let _camfeed = Camfeed::start_at(&format!("unix:{path}"), &["--source", SMALL]);
    let get = |target: &str| {
        run(
            "curl",
            &[
                "-s",
                "-m",
                "2",
                "--unix-socket",
                &path,
                &format!("http://x{target}"),
            ],
        )
    };
    assert!(get("/state").stdout.starts_with(b"{"));
    assert!(get("/snapshot.jpg").stdout.starts_with(&[0xff, 0xd8]));
    assert!(get("/stream").stdout.starts_with(b"--camfeedframe\r\n"));
}
