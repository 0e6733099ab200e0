//! Nobody is shown an old picture as live: what the page says is compared, each time that it paints,
//! with the age that the picture on the screen really has, and with whether it can be seen to move.

use crate::{
    attackers::{connect, request},
    browser::{Browser, page},
    camfeed::{Camfeed, SMALL, SOON, eventually},
    fakecam::FakeCamera,
    http::{Parts, get},
};
use rustix::process::Signal;
use std::{io::Write, thread, time::Duration};

/// What the page may be late by: a second is still live, it looks each quarter of one, and a browser on a
/// busy machine has its own pace.
const MOST_LIVE_SECONDS: f64 = 2.2;

/// A fake camera whose hanging is told of soon.
pub const CAMERA: [&str; 6] = [
    "--source",
    "/dev/video0",
    "--size",
    "640x480",
    "--camera-timeout",
    "2",
];

/// Notes from now on, at each frame that the browser draws: in `worst`, the greatest age of a picture on
/// the screen while it is called live; in `seen`, all states. The clock of the server is the browser's.
const WATCH: &str = "(() => { window.worst = 0; window.seen = []; \
    const look = () => { \
        const { state, tone } = document.body.dataset; \
        const part = painter.painted; \
        if (seen[seen.length - 1] !== state) seen.push(state); \
        if ((state === 'live' || state === 'slow') && part) { \
            worst = Math.max(worst, Date.now() / 1000 - part.timestamp); } \
        requestAnimationFrame(look); }; look(); })()";

/// The states since `WATCH`, when no old picture was called live.
fn honest(browser: &mut Browser) -> Vec<String> {
    let worst = browser.eval("worst").as_f64().expect("a number");
    let seen = browser.eval("seen");
    println!("{worst:.2} s at most: {seen}");
    assert!(
        worst > 0.0 && worst < MOST_LIVE_SECONDS,
        "{worst} s: {seen}"
    );
    serde_json::from_value(seen).expect("states")
}

fn watch(camfeed: &Camfeed) -> Browser {
    let mut browser = Browser::open(&page(camfeed.address, "/"));
    browser.wait_state("live");
    browser.import(&["player"]);
    browser.eval(WATCH);
    browser
}

#[test]
fn a_camera_that_fails_is_never_shown_as_live() {
    let camera = FakeCamera::new("");
    let camfeed = camera.online(&CAMERA);
    let mut browser = watch(&camfeed);
    for fault in [
        "plugged no",
        "fault hang",
        "fault garbage",
        "fault eio",
        "fault empty",
    ] {
        camera.set(fault);
        browser.wait_state("offline");
        let title = browser.eval("document.getElementById('notice-title').textContent");
        let is_gone = fault == "plugged no";
        assert_eq!(title == "The camera is gone", is_gone, "{fault}: {title}");
        assert_eq!(
            browser.eval("painter.painted.isPlaceholder"),
            true,
            "{fault}"
        );
        camera.set("");
        browser.wait_state("live");
        let states = honest(&mut browser);
        assert!(
            states.contains(&"offline".to_owned()),
            "{fault}: {states:?}"
        );
        browser.eval("seen.length = 0");
    }
}

#[test]
fn a_camera_that_comes_back_with_one_picture_is_live_for_no_longer_than_that() {
    let camera = FakeCamera::new("plugged no");
    let args = [
        "--source",
        "/dev/video0",
        "--size",
        "640x480",
        "--camera-timeout",
        "15",
    ];
    let camfeed = camera.serve(&args);
    let mut browser = Browser::open(&page(camfeed.address, "/"));
    browser.wait_state("offline");
    browser.import(&["player"]);
    browser.eval(WATCH);
    // One picture, later than the page remembers rates for, and the next as much later.
    camera.set("fault slow\nslow_ms 7000");
    browser.wait_state("live");
    browser.wait_state("stale");
    honest(&mut browser);
}

#[test]
fn a_camera_that_repeats_its_picture_is_called_frozen_for_as_long() {
    let camera = FakeCamera::new("");
    let camfeed = camera.online(&CAMERA);
    let mut browser = watch(&camfeed);
    camera.set("fault freeze");
    browser.wait_state("frozen");
    let mark = browser.eval("document.getElementById('mark').textContent");
    assert_eq!(mark, "The camera keeps sending the same picture");
    assert_eq!(browser.eval("document.getElementById('age').hidden"), true);
    browser.eval("seen.length = 0");
    thread::sleep(Duration::from_secs(15));
    assert_eq!(browser.eval("seen.join()"), "frozen");
    camera.set("");
    browser.wait_state("live");
}

#[test]
fn a_server_that_stops_or_dies_is_never_shown_as_live() {
    let camfeed = Camfeed::online(&["--source", SMALL]);
    let mut browser = watch(&camfeed);
    camfeed.signal(Signal::STOP);
    browser.wait_state("reconnecting");
    camfeed.signal(Signal::CONT);
    browser.wait_state("live");
    let states = honest(&mut browser);
    assert!(states.contains(&"stale".to_owned()), "{states:?}");
    let address = camfeed.address.to_string();
    drop(camfeed);
    browser.wait_state("reconnecting");
    let _again = Camfeed::start_at(&address, &["--source", SMALL]);
    browser.wait_state("live");
    honest(&mut browser);
}

#[test]
fn a_server_that_is_full_says_so_and_takes_who_waits() {
    let mut browser = Browser::start(); // Who watches must not wait for it.
    let camfeed = Camfeed::online(&["--source", SMALL, "--max-viewers", "1"]);
    let mut first = Parts::open(camfeed.address, "/stream");
    first.next_part();
    browser.go(&page(camfeed.address, "/"));
    browser.wait_state("refused");
    let text = "document.getElementById('notice-text').textContent";
    assert_eq!(
        browser.eval(text),
        "As many people as allowed are watching\nTrying again…"
    );
    let words = browser.eval("document.body.innerText");
    assert!(!words.to_string().contains("max-viewers"), "{words}");
    assert!(
        camfeed.count_log("--max-viewers") > 0,
        "the log names the option"
    );
    drop(first);
    browser.wait_state("live");
    assert_eq!(
        browser.eval("document.getElementById('notice').hidden"),
        true
    );
}

#[test]
fn an_address_that_has_all_its_connections_is_told_so_and_comes_back() {
    let first = Camfeed::online(&["--source", SMALL]);
    let address = first.address.to_string();
    let mut browser = Browser::open(&page(first.address, "/"));
    browser.wait_state("live");
    browser.eval("document.getElementById('pause').click()");
    first.wait_log("viewer left");
    drop(first);
    let camfeed = Camfeed::start_at(&address, &["--source", SMALL, "--max-per-address", "8"]);
    let mut others = Vec::new();
    let is_refused = eventually(SOON, || {
        while get(camfeed.address, "/nothing").status == 404 {
            let mut other = connect(camfeed.address).expect("it listens");
            // One that has not asked for anything may be let go.
            let asked = other.write_all(request("GET", "/stream").as_bytes());
            others.push(asked.map(|()| other));
            assert!(others.len() <= 20, "no limit");
        }
        browser.eval("document.getElementById('pause').click()");
        browser.wait("['refused', 'live'].includes(document.body.dataset.state)");
        let is_refused = browser.eval("document.body.dataset.state") == "refused";
        if !is_refused {
            // By a connection that it had kept, which ends with its stream: another takes its place.
            browser.eval("document.getElementById('pause').click()");
            browser.wait_state("paused");
            eventually(SOON, || get(camfeed.address, "/nothing").status == 404);
        }
        is_refused
    });
    assert!(is_refused, "it always has a connection");
    let words = browser.eval("document.body.innerText");
    assert!(
        words
            .to_string()
            .contains("As many connections as allowed come from this address"),
        "{words}"
    );
    assert!(!words.to_string().contains("max-per-address"), "{words}");
    others.clear();
    browser.wait_state("live");
}
