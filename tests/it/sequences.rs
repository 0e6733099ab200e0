//! Snapshots of a script that comes again and again: no picture twice, none older than it allows.

use crate::{
    camfeed::{Camfeed, SMALL, SOON, eventually},
    fakecam::{FakeCamera, wait_state},
    http::{Answer, ask_with, get},
};
use std::{
    net::SocketAddr,
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// What a snapshot without `after` waits for a picture at most.
const PATIENCE: Duration = Duration::from_secs(3);

/// The newest picture of whatever age: nobody watches between two of these, so it stays the same.
const ANY_AGE: &str = "/snapshot.jpg?max_age=60000";

fn unix_now() -> f64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    now.as_secs_f64()
}

fn etag(answer: &Answer) -> &str {
    answer.header("ETag").expect("an ETag")
}

fn sequence(answer: &Answer) -> u64 {
    answer.header("X-Sequence").unwrap().parse().unwrap()
}

fn captured(answer: &Answer) -> f64 {
    answer.header("X-Timestamp").unwrap().parse().unwrap()
}

fn ask_unless(address: SocketAddr, method: &str, has: &str) -> Answer {
    ask_with(
        address,
        method,
        ANY_AGE,
        &format!("If-None-Match: {has}\r\n"),
    )
}

/// A server, and its newest picture, after which there comes no other by itself.
fn with_a_picture() -> (Camfeed, Answer) {
    let camfeed = Camfeed::online(&["--source", SMALL]);
    let mut newest = get(camfeed.address, ANY_AGE);
    let stays = eventually(SOON, || {
        let before = etag(&newest).to_owned();
        newest = get(camfeed.address, ANY_AGE);
        etag(&newest) == before
    });
    assert!(stays, "a new picture with nobody watching");
    (camfeed, newest)
}

#[test]
fn each_picture_has_a_strong_etag_of_its_own() {
    let (camfeed, first) = with_a_picture();
    assert!(etag(&first).starts_with('"') && etag(&first).ends_with('"'));
    assert!(
        etag(&first).ends_with(&format!("-{}\"", sequence(&first))),
        "{}",
        etag(&first)
    );
    let second = get(camfeed.address, "/snapshot.jpg?fresh=1");
    assert_ne!(etag(&first), etag(&second));
}

#[test]
fn a_picture_the_client_has_is_not_sent_again() {
    let (camfeed, picture) = with_a_picture();
    let tag = etag(&picture);
    for has in [
        tag.to_owned(),
        format!("W/{tag}"),
        format!("\"other\", W/\"more\", {tag}"),
        "*".to_owned(),
    ] {
        for method in ["GET", "HEAD"] {
            let answer = ask_unless(camfeed.address, method, &has);
            assert_eq!(answer.status, 304, "{method} {has}");
            assert!(answer.head.starts_with("HTTP/1.1 304 Not Modified"));
            assert!(answer.body.is_empty());
            assert_eq!(answer.header("Content-Length"), None);
            for name in [
                "Content-Type",
                "Cache-Control",
                "ETag",
                "X-Timestamp",
                "X-Sequence",
                "Last-Modified",
                "Content-Disposition",
            ] {
                assert_eq!(answer.header(name), picture.header(name), "{name}");
            }
        }
    }
    for has in ["\"other\"", tag.trim_matches('"'), "\"*\""] {
        let answer = ask_unless(camfeed.address, "GET", has);
        assert_eq!(answer.status, 200, "{has}");
        assert_eq!(answer.body, picture.body);
    }
}

#[test]
fn without_a_live_picture_nothing_is_called_unchanged() {
    let camfeed = Camfeed::start(&["--source", "/none/such.avi"]);
    camfeed.wait_log("cannot open");
    assert_eq!(ask_unless(camfeed.address, "GET", "*").status, 503);
}

#[test]
fn a_restart_makes_every_picture_another() {
    let (first, of_first) = with_a_picture();
    drop(first);
    let (second, of_second) = with_a_picture();
    // The same number, as if the second start had just got there.
    let (start, _) = etag(&of_first).rsplit_once('-').unwrap();
    let lookalike = format!("{start}-{}\"", sequence(&of_second));
    assert_ne!(lookalike, etag(&of_second));
    assert_eq!(
        ask_unless(second.address, "GET", &lookalike).status,
        200,
        "a picture of another start"
    );
}

#[test]
fn after_gives_one_new_picture_after_the_other() {
    let camfeed = Camfeed::online(&["--source", "test:320x240@20"]);
    let mut last = get(camfeed.address, "/snapshot.jpg");
    for _ in 0..20 {
        let path = format!("/snapshot.jpg?after={}", sequence(&last));
        let next = get(camfeed.address, &path);
        assert_eq!(next.status, 200);
        assert!(sequence(&next) > sequence(&last));
        assert!(captured(&next) > captured(&last));
        last = next;
    }
}

#[test]
fn after_waits_for_a_camera_that_comes_back() {
    let camera = FakeCamera::new("");
    let camfeed = camera.online(&["--source", "/dev/video0"]);
    let last = sequence(&get(camfeed.address, "/snapshot.jpg"));
    camera.set("plugged no");
    wait_state(&camfeed, "offline");
    let address = camfeed.address;
    let waiting =
        thread::spawn(move || get(address, &format!("/snapshot.jpg?after={last}&max_age=0")));
    camfeed.wait_logs("/snapshot.jpg?after=", 1);
    camera.set("");
    let answer = waiting.join().expect("an answer");
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(sequence(&answer) > last);
}

#[test]
fn after_gives_up_with_the_reason() {
    let camfeed = Camfeed::start(&["--source", "/none/such.avi"]);
    camfeed.wait_log("cannot open");
    let asked = Instant::now();
    let answer = get(camfeed.address, "/snapshot.jpg?after=0");
    assert!(asked.elapsed() > PATIENCE, "{:?}", asked.elapsed());
    assert_eq!(answer.status, 503);
    assert!(answer.header("Retry-After").is_some());
    assert!(answer.text().contains("no such file"), "{}", answer.text());
    assert_eq!(answer.text().lines().count(), 1);
}

#[test]
fn after_a_sequence_from_before_a_restart_the_newest_comes_at_once() {
    let (camfeed, newest) = with_a_picture();
    let path = format!("{ANY_AGE}&after={}", sequence(&newest) + 1_000_000);
    let answer = get(camfeed.address, &path);
    assert_eq!(etag(&answer), etag(&newest));
}

#[test]
fn max_age_is_the_age_allowed() {
    let (camfeed, newest) = with_a_picture();
    assert!(eventually(SOON, || unix_now() > captured(&newest) + 1.0));
    let same = get(camfeed.address, "/snapshot.jpg?max_age=59000");
    assert_eq!(etag(&same), etag(&newest));
    let asked = unix_now();
    let younger = get(camfeed.address, "/snapshot.jpg?max_age=900");
    assert!(captured(&younger) > asked - 0.9);
    for wish in ["max_age=0", "max_age=60000&fresh=1", "max_age=0&after=1"] {
        let asked = unix_now();
        let answer = get(camfeed.address, &format!("/snapshot.jpg?{wish}"));
        assert_eq!(answer.status, 200, "{wish}");
        assert!(captured(&answer) > asked, "{wish}");
    }
}

#[test]
fn a_bad_number_is_named_with_what_is_allowed() {
    let camfeed = Camfeed::online(&["--source", SMALL]);
    for (query, words) in [
        ("after=yesterday", "after=`yesterday`: allowed are"),
        ("after=-1", "after=`-1`"),
        ("after=", "after=``"),
        ("max_age=60001", "max_age=`60001`: allowed are 0 to 60000"),
        ("max_age=1.5", "max_age=`1.5`"),
        ("max_age=%0d%0aX-Evil:1", "max_age=`X-Evil:1`"),
    ] {
        let answer = get(camfeed.address, &format!("/?action=snapshot&{query}"));
        assert_eq!(answer.status, 400, "{query}");
        assert!(answer.text().contains(words), "{}", answer.text());
        assert_eq!(answer.text().lines().count(), 1);
    }
}
