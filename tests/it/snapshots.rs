//! Snapshots: what a script gets, live or not.

use crate::{
    camfeed::{Camfeed, Folder, SMALL, SOON, eventually, run},
    http::{ask_with, get},
};
use std::{
    fs,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

pub fn unix_now() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs_f64()
}

#[test]
fn a_snapshot_carries_its_capture_time() {
    let camfeed = Camfeed::online(&["--source", SMALL, "--name", "Gärten"]);
    for path in [
        "/snapshot",
        "/snapshot.jpg",
        "/?action=snapshot",
        "/?action=snapshot?1679189181050",
        "/?action=snapshot_0",
        "/snapshot?bypassCache=17",
    ] {
        let answer = get(camfeed.address, path);
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.header("Content-Type"), Some("image/jpeg"));
        assert_eq!(answer.header("Cache-Control"), Some("no-store"));
        assert_eq!(
            answer.header("Content-Length"),
            Some(answer.body.len().to_string().as_str())
        );
        assert_eq!(answer.header("Transfer-Encoding"), None);
        assert!(answer.body.starts_with(&[0xff, 0xd8]) && answer.body.ends_with(&[0xff, 0xd9]));
        assert!(answer.header("X-Sequence").unwrap().parse::<u64>().unwrap() > 0);
        let captured: f64 = answer.header("X-Timestamp").unwrap().parse().unwrap();
        assert!((unix_now() - captured).abs() < SOON.as_secs_f64());
        let name = answer.header("Content-Disposition").unwrap();
        let shape: String = name
            .chars()
            .map(|c| if c.is_ascii_digit() { '9' } else { c })
            .collect();
        assert_eq!(
            shape,
            "inline; filename=\"camfeed-G-rten-99999999T999999.999Z.jpg\""
        );
        let millis = ((captured * 1e3).floor() as u64 % 1000).to_string();
        assert!(
            name.contains(&format!(".{millis:0>3}Z")),
            "{name} {captured}"
        );
        assert!(answer.header("Last-Modified").unwrap().ends_with(" GMT"));
    }
}

#[test]
fn a_fresh_snapshot_is_captured_after_the_request() {
    let camfeed = Camfeed::online(&["--source", "test:320x240@5"]);
    for _ in 0..5 {
        get(camfeed.address, "/snapshot.jpg");
        let asked = unix_now();
        let answer = get(camfeed.address, "/snapshot.jpg?fresh=1");
        let captured: f64 = answer.header("X-Timestamp").unwrap().parse().unwrap();
        assert!(
            captured > asked,
            "captured {} s before the request",
            asked - captured
        );
    }
}

#[test]
fn wget_saves_a_snapshot_named_and_dated_by_its_capture_time() {
    let camfeed = Camfeed::online(&["--source", SMALL, "--name", "Garden"]);
    let folder = Folder::new();
    let got = run(
        "wget",
        &[
            "-q",
            "--content-disposition",
            "-P",
            folder.0.to_str().unwrap(),
            &camfeed.url("/snapshot.jpg"),
        ],
    );
    assert!(got.status.success());
    let file = fs::read_dir(&folder.0)
        .unwrap()
        .next()
        .expect("a file")
        .unwrap();
    let name = file.file_name().into_string().unwrap();
    assert!(
        name.starts_with("camfeed-Garden-20") && name.ends_with("Z.jpg"),
        "{name}"
    );
    let dated: jiff::Timestamp = file
        .metadata()
        .unwrap()
        .modified()
        .unwrap()
        .try_into()
        .unwrap();
    assert_eq!(name[15..30], dated.strftime("%Y%m%dT%H%M%S").to_string());
    let seen = run(
        "ffprobe",
        &[
            "-v",
            "error",
            "-show_entries",
            "stream=codec_name,width,height",
            "-of",
            "csv=p=0",
            file.path().to_str().unwrap(),
        ],
    );
    assert_eq!(
        String::from_utf8_lossy(&seen.stdout).trim(),
        "mjpeg,320,240"
    );
    assert!(
        seen.stderr.is_empty(),
        "{}",
        String::from_utf8_lossy(&seen.stderr)
    );
}

#[test]
fn without_a_live_picture_wget_ends_with_8_soon_and_keeps_no_file() {
    let camfeed = Camfeed::start(&["--source", "/none/such.avi"]);
    camfeed.wait_log("cannot open");
    let folder = Folder::new();
    let asked = Instant::now();
    let got = run(
        "wget",
        &[
            "-q",
            "--content-disposition",
            "-P",
            folder.0.to_str().unwrap(),
            &camfeed.url("/snapshot.jpg"),
        ],
    );
    assert_eq!(got.status.code(), Some(8));
    assert!(
        asked.elapsed() < Duration::from_secs(6),
        "{:?}",
        asked.elapsed()
    );
    assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 0);
    let answer = get(camfeed.address, "/snapshot");
    assert_eq!(answer.status, 503);
    assert!(answer.header("Retry-After").is_some());
    assert!(answer.text().contains("no such file"), "{}", answer.text());
}

/// An `<img>` shows a picture whatever the status; programs go by the status and save none.
#[test]
fn without_a_live_picture_an_image_in_a_page_gets_the_placeholder_with_the_503() {
    let camfeed = Camfeed::start(&["--source", "/none/such.avi"]);
    camfeed.wait_log("cannot open");
    for (accept, kind) in [
        ("image/avif,image/webp,image/apng,*/*;q=0.8", "image/jpeg"),
        ("image/*", "image/jpeg"),
        ("*/*", "text/plain; charset=utf-8"),
        (
            "text/html,image/avif,*/*;q=0.8",
            "text/plain; charset=utf-8",
        ),
    ] {
        let headers = format!("Accept: {accept}\r\n");
        let answer = ask_with(camfeed.address, "GET", "/snapshot.jpg", &headers);
        assert_eq!(answer.status, 503, "{accept}");
        assert_eq!(answer.header("Content-Type"), Some(kind), "{accept}");
        assert_eq!(answer.header("Cache-Control"), Some("no-store"));
        assert!(answer.header("Retry-After").is_some());
        // Nothing of a snapshot's: no time, no name to save it under.
        assert_eq!(answer.header("X-Timestamp"), None);
        assert_eq!(answer.header("Content-Disposition"), None);
        let is_picture = answer.body.starts_with(&[0xff, 0xd8]);
        assert_eq!(is_picture, kind == "image/jpeg", "{accept}");
    }
}

#[test]
fn the_cron_line_of_the_readme_never_loses_the_old_picture() {
    let camfeed = Camfeed::online(&["--source", SMALL]);
    let folder = Folder::new();
    let (new, kept) = (folder.file("cam.tmp"), folder.file("cam.jpg"));
    let line = |url: &str| format!("wget -q -T 10 -t 1 -O {new} {url} && mv {new} {kept}");
    assert!(
        run("sh", &["-c", &line(&camfeed.url("/snapshot.jpg"))])
            .status
            .success()
    );
    let first = fs::read(&kept).expect("a picture");
    drop(camfeed);
    let gone = Camfeed::start(&["--source", "/none/such.avi"]);
    assert!(
        !run("sh", &["-c", &line(&gone.url("/snapshot.jpg"))])
            .status
            .success()
    );
    assert_eq!(fs::read(&kept).expect("still there"), first);
}

#[test]
fn a_kept_connection_gives_one_snapshot_after_the_other() {
    let camfeed = Camfeed::online(&["--source", SMALL]);
    let url = camfeed.url("/snapshot.jpg");
    let output = run(
        "curl",
        &[
            "-sf",
            "-w",
            "%{http_code} %{num_connects}\n",
            "-o",
            "/dev/null",
            "-o",
            "/dev/null",
            "-o",
            "/dev/null",
            &url,
            &url,
            &url,
        ],
    );
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(
        said.lines().collect::<Vec<_>>(),
        ["200 1", "200 0", "200 0"]
    );
}

#[test]
fn a_snapshot_shows_now_when_nobody_watched_for_long() {
    let camfeed = Camfeed::online(&["--source", SMALL]);
    let first = get(camfeed.address, "/snapshot.jpg");
    let first: f64 = first.header("X-Timestamp").unwrap().parse().unwrap();
    assert!(eventually(SOON, || unix_now() > first + 1.0));
    let asked = unix_now();
    let second = get(camfeed.address, "/snapshot.jpg");
    let second: f64 = second.header("X-Timestamp").unwrap().parse().unwrap();
    assert!(second > asked - 0.6, "{} s old", asked - second);
}
