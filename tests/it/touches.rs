//! What only Chromium can be told is really done, too: see `drivers` for what all engines can.

use crate::{
    browser::{Browser, Point, page},
    site::Site,
};
use serde_json::json;

const PAGES: &[(&str, &str)] = &[
    (
        "/",
        "<!doctype html><meta name=viewport content='width=device-width'>
         <body><p>text</p><script src='static/main.js'></script>",
    ),
    ("/static/main.js", MAIN),
];

const MAIN: &str = "window.notes = [];
for (const type of ['click', 'touchstart', 'touchmove', 'touchend']) {
  addEventListener(type, event => {
    if (window.keeps) event.preventDefault();
    const fingers = Array.from(event.touches || [], finger => [finger.clientX, finger.clientY]);
    notes.push([type, ...fingers]);
  }, { passive: false });
}
document.documentElement.style.height = '100%';
document.body.dataset.state = 'ready';";

const AT: Point = (200.0, 300.0);

fn touched() -> Browser {
    let site = Site::of(PAGES);
    let mut browser = Browser::start();
    browser.be_touched(400, 800);
    browser.go(&page(site.address, "/"));
    browser.wait_state("ready");
    assert_eq!(
        browser.eval("['ontouchstart' in window, matchMedia('(pointer: coarse)').matches]"),
        json!([true, true])
    );
    browser
}

#[test]
fn fingers_tap() {
    let mut browser = touched();
    browser.tap(AT);
    browser.wait("notes.some(note => note[0] === 'click')");
    let tap = json!([["touchstart", [200, 300]], ["touchend"], ["click"]]);
    assert_eq!(browser.eval("notes.splice(0)"), tap);
    browser.double_tap(AT);
    browser.wait("notes.filter(note => note[0] === 'touchend').length === 2");
}

#[test]
fn a_finger_is_drawn_over_the_glass() {
    let mut browser = touched();
    browser.eval("window.keeps = true");
    browser.swipe(AT, (100.0, 500.0));
    browser.wait("notes.some(note => note[0] === 'touchend')");
    assert_eq!(browser.eval("notes[0]"), json!(["touchstart", [200, 300]]));
    assert_eq!(
        browser.eval("notes.filter(note => note[0] === 'touchmove').pop()"),
        json!(["touchmove", [100, 500]])
    );
}

#[test]
fn a_pinch_zooms_a_page_that_does_not_keep_it() {
    let mut browser = touched();
    browser.eval("window.keeps = true");
    browser.pinch(AT, 3.0);
    browser.wait("notes.some(note => note[0] === 'touchend')");
    assert_eq!(
        browser.eval("notes.filter(note => note[0] === 'touchmove').pop()"),
        json!(["touchmove", [80, 300], [320, 300]])
    );
    assert!((browser.page_scale() - 1.0).abs() < 1e-9);

    browser.eval("window.keeps = false");
    browser.pinch(AT, 3.0);
    browser.wait("visualViewport.scale > 1.5");
    let zoomed = browser.page_scale();
    browser.pinch(AT, 0.5);
    browser.wait(&format!("visualViewport.scale < {zoomed} * 0.8"));
}

#[test]
fn media_are_what_they_are_told_to_be() {
    let mut browser = Browser::start();
    let all = [
        ("prefers-color-scheme", "dark"),
        ("forced-colors", "active"),
        ("prefers-reduced-motion", "reduce"),
    ];
    let is_so = |browser: &mut Browser, (name, value): (&str, &str)| {
        browser.eval(&format!("matchMedia('({name}: {value})').matches")) == true
    };
    for one in all {
        assert!(!is_so(&mut browser, one), "{one:?}");
    }
    browser.emulate_media(&all);
    for one in all {
        assert!(is_so(&mut browser, one), "{one:?}");
    }
    browser.emulate_media(&[("prefers-color-scheme", "light")]);
    assert!(is_so(&mut browser, ("prefers-color-scheme", "light")));
    browser.emulate_media(&[]);
    for one in all {
        assert!(!is_so(&mut browser, one), "{one:?}");
    }
}
