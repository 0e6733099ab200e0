//! The page in a small window of its own, which stays when the page is hidden. Only Chromium can be
//! asked for it here; no other engine of these tests has it.

use crate::{
    browser::{Browser, page},
    camfeed::{Camfeed, SOON, eventually},
    fakecam::FakeCamera,
    page_honesty::CAMERA,
    tcp_proxy::{Rules, TcpProxy},
};
use rustix::process::Signal;
use serde_json::{Value, json};

const WIDE: &str = "test:640x360@15";

/// `shown()`: size of the small window's picture, and its colours from left to right, or from top to
/// bottom when it is high, where the pattern has its bars, and no label lies.
/// `lies`: how often it looked bright when its picture was too old to be live.
const SHOWN: &str = "window.shown = () => { const video = document.pictureInPictureElement; \
    const canvas = document.createElement('canvas'); \
    const [width, height] = [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight]; \
    const brush = canvas.getContext('2d'); brush.drawImage(video, 0, 0); \
    const pixel = (x, y) => Array.from(brush.getImageData(x * width, y * height, 1, 1).data).slice(0, 3); \
    const places = [1, 3, 5, 7, 9, 11, 13].map((at) => at / 14); \
    return { width, height, across: places.map((at) => pixel(at, 0.2)), down: places.map((at) => pixel(0.8, at)), \
        label: Array.from(brush.getImageData(0, height / 2 - height / 10, width, height / 8).data) \
            .filter((value) => value > 250).length }; }; \
    window.isBright = () => Math.max(...[].concat(...shown().across)) > 150; \
    Object.assign(window, { lies: 0, looks: 0 }); setInterval(() => { if (!document.pictureInPictureElement) return; \
        const age = Date.now() / 1000 - painter.painted.timestamp; \
        looks += 1; \
        if (!(age <= 2 + liveAge([cameraNow().fps], link.period / 1000, link.transit / 1000)) && isBright()) lies += 1; }, 200); true";

/// A page with its small window.
fn opened(camfeed: &Camfeed) -> Browser {
    let mut browser = Browser::open(&page(camfeed.address, "/"));
    browser.wait_state("live");
    browser.import(&["player", "server", "verdict"]);
    browser.eval(SHOWN);
    browser.key("p");
    browser.wait(
        "document.pictureInPictureElement && document.pictureInPictureElement.videoWidth > 300",
    );
    browser
}

/// The names of colours, `-` for none of the pattern's.
fn names(colours: &Value) -> String {
    let colours: Vec<[u8; 3]> = serde_json::from_value(colours.clone()).expect("colours");
    let name = |[red, green, blue]: [u8; 3]| {
        let bits = [red, green, blue].map(|value| value > 150);
        match bits {
            [true, true, true] => 'w',
            [true, true, false] => 'y',
            [false, true, true] => 'c',
            [false, true, false] => 'g',
            [true, false, true] => 'm',
            [true, false, false] => 'r',
            [false, false, true] => 'b',
            _ => '-',
        }
    };
    colours.into_iter().map(name).collect()
}

#[test]
fn the_small_window_shows_what_the_stage_shows() {
    let camfeed = Camfeed::online(&["--source", WIDE]);
    let mut browser = opened(&camfeed);
    for (key, size, direction, colours) in [
        ("", [640, 360], "across", "wycgmrb"),
        ("r", [360, 640], "down", "wycgmrb"),
        ("m", [360, 640], "across", "yyyyy"), // The dark field is on the right now.
        ("r", [640, 360], "across", "brmgcyw"),
    ] {
        if !key.is_empty() {
            browser.key(key);
        }
        let mut shown = Value::Null;
        let is_so = eventually(SOON, || {
            shown = browser.eval("shown()");
            json!([shown["width"], shown["height"]]) == json!(size)
                && names(&shown[direction]).starts_with(colours)
        });
        assert!(is_so, "{key}: {shown}");
    }
    let first = browser.eval("painter.painted.sequence");
    browser.wait(&format!("painter.painted.sequence !== {first}"));
    browser.key("p");
    browser.wait("document.pictureInPictureElement === null");
    // And again.
    browser.key("p");
    browser.wait("document.pictureInPictureElement !== null");
    browser.wait("isBright()");
}

#[test]
fn with_it_a_hidden_page_stays_awake() {
    let camfeed = Camfeed::online(&["--source", WIDE]);
    let mut browser = opened(&camfeed);
    browser.hide();
    browser.eval("window.polls = 0; window.hiddenAt = now(); server.onReport.push(() => { polls += 1; }); true");
    browser.wait("now() - hiddenAt > 12000");
    assert_eq!(browser.eval("document.body.dataset.state"), "live");
    assert_eq!(camfeed.count_log("viewer left"), 0);
    let polls = browser.eval("polls").as_u64().expect("a number");
    assert!(polls >= 4, "{polls}");
    let first = browser.eval("painter.painted.sequence");
    browser.wait(&format!("painter.painted.sequence !== {first}"));
    browser.wait("isBright()");
    assert_eq!(browser.eval("lies"), 0);
    // Without it, nobody looks.
    browser.eval("document.exitPictureInPicture().then(() => true)");
    browser.wait_state("hidden");
    camfeed.wait_log("viewer left");
    browser.eval("polls = 0");
    browser.show();
    browser.wait_state("live");
}

#[test]
fn a_camera_s_trouble_is_seen_in_the_small_window() {
    let camera = FakeCamera::new("");
    let camfeed = camera.online(&CAMERA);
    let mut browser = opened(&camfeed);
    browser.hide();
    for (control, state) in [
        ("plugged no", "offline"),
        ("fault freeze", "frozen"),
        ("fault hang", "offline"),
        ("fault garbage", "offline"),
    ] {
        browser.wait_state("live");
        browser.wait("isBright()");
        camera.set(control);
        browser.wait_state(state);
        browser.wait("!isBright()");
        let label = browser.eval("shown().label").as_u64().expect("a number");
        assert!(
            label > 300,
            "{control}: {label} bright values where the label is"
        );
        camera.set("");
    }
    browser.wait_state("live");
    browser.wait("isBright()");
    assert_eq!(browser.eval("[lies, looks > 50]"), json!([0, true]));
}

#[test]
fn a_server_s_end_is_seen_in_the_small_window() {
    let camfeed = Camfeed::online(&["--source", WIDE]);
    let mut browser = opened(&camfeed);
    browser.hide();
    browser.wait("isBright()");
    camfeed.signal(Signal::STOP);
    browser.wait_state("reconnecting");
    browser.wait("!isBright()");
    camfeed.signal(Signal::CONT);
    browser.wait_state("live");
    browser.wait("isBright()");
    drop(camfeed);
    browser.wait_state("reconnecting");
    browser.wait("!isBright()");
    assert_eq!(browser.eval("lies"), 0);
}

#[test]
fn what_stops_the_video_does_not_keep_an_old_picture() {
    let camfeed = Camfeed::online(&["--source", WIDE]);
    let mut browser = opened(&camfeed);
    // As some browsers' small windows offer, and keyboards.
    browser.eval("document.pictureInPictureElement.pause()");
    browser.wait("!document.pictureInPictureElement.paused");
    // A pause of the page is one.
    browser.key("Space");
    browser.wait_state("paused");
    browser.wait("!isBright()");
    browser.key("p");
    browser.wait("document.pictureInPictureElement === null");
}

#[test]
fn a_picture_that_the_browser_plays_has_none() {
    let camfeed = Camfeed::online(&["--source", WIDE]);
    let rules = Rules {
        cuts: Some("type=bytes"),
        ..Rules::default()
    };
    let link = TcpProxy::to(camfeed.address, rules);
    let mut browser = Browser::open(&page(link.address, "/"));
    browser.wait_state("live");
    browser.wait("document.getElementById('label').textContent === 'Playing'");
    browser.key("p");
    browser.wait("/picture in picture/.test(document.getElementById('toast').textContent)");
    assert_eq!(
        browser.eval("document.pictureInPictureElement"),
        Value::Null
    );
}
