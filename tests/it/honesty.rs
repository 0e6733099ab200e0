//! Nobody is shown an old picture as live, whatever has happened to the page meanwhile. A watcher in
//! the page compares what it says with the capture time of its picture, at every frame of the screen.

use crate::{
    browser::{Browser, Chromium, Driver, Firefox, WebKit, page},
    camfeed::{Camfeed, SMALL},
    engines::engines,
};
use rustix::process::{Signal, kill_process};
use serde_json::json;
use std::{thread, time::Duration};

engines! {
    chromium: Chromium,
    firefox: Firefox,
    webkit: WebKit,
    {
        a_page_that_was_left_shows_nothing_old_when_it_is_back,
    }
}

/// `lie`: for how long, in ms, a picture was called live that was too old for it. The page looks four
/// times a second. Its server has the same clock.
pub const WATCH: &str = "(() => { Object.assign(window, { lie: 0, frames: 0, since: 0 }); (function watch() { \
    const age = painter.painted ? Date.now() / 1000 - painter.painted.timestamp : 0; \
    const limit = 1 + liveAge([cameraNow().fps], link.period / 1000); \
    const isLie = ['live', 'slow'].includes(document.body.dataset.state) && age > limit; \
    since = isLie ? since || Date.now() : 0; \
    lie = Math.max(lie, since && Date.now() - since); \
    frames += 1; \
    requestAnimationFrame(watch); })(); })()";

/// A page takes some time to look, on a busy machine.
const MOST_LIE_MS: f64 = 600.0;

/// Longer than any picture is live for.
const AWAY: Duration = Duration::from_secs(5);

fn watched<D: Driver>(camfeed: &Camfeed) -> Browser<D> {
    let mut browser = Browser::<D>::open_in(&page(camfeed.address, "/"));
    browser.wait_state("live");
    browser.import(&["player", "server", "verdict"]);
    browser.eval(WATCH);
    browser.wait("frames > 10");
    browser
}

/// Fails unless the page is live again, and has never lied.
fn check<D: Driver>(browser: &mut Browser<D>) {
    browser.eval(
        "(() => { window.seenFrames = frames; window.seenSequence = painter.painted.sequence; })()",
    );
    browser.wait("frames > seenFrames + 10 && painter.painted.sequence !== seenSequence");
    browser.wait_state("live");
    let lie = browser.eval("lie").as_f64().expect("a number");
    assert!(lie < MOST_LIE_MS, "an old picture was live for {lie} ms");
}

/// Not every engine keeps a page that was left.
fn a_page_that_was_left_shows_nothing_old_when_it_is_back<D: Driver>() {
    let camfeed = Camfeed::online(&["--source", SMALL]);
    let mut browser = watched::<D>(&camfeed);
    browser.eval(
        "(() => { addEventListener('pageshow', (event) => { window.isBack = event.persisted; }); })()",
    );
    // Another site.
    browser.go(&camfeed.url("/healthz"));
    browser.wait("location.pathname === '/healthz'");
    thread::sleep(AWAY);
    browser.eval("void setTimeout(() => history.back())");
    browser.wait_state("live");
    if browser.eval("Boolean(window.isBack)") == true {
        check(&mut browser);
    }
}

#[test]
fn chromium_keeps_the_page_for_the_way_back() {
    let camfeed = Camfeed::online(&["--source", SMALL]);
    let mut browser = watched::<Chromium>(&camfeed);
    // Slower than the page looks.
    browser.eval(SLOW_DECODER);
    browser.eval(
        "(() => { addEventListener('pageshow', (event) => { window.isBack = event.persisted; }); })()",
    );
    browser.go(&camfeed.url("/healthz"));
    camfeed.wait_log("viewer left");
    thread::sleep(AWAY);
    browser.eval("void setTimeout(() => history.back())");
    browser.wait("window.isBack === true");
    check(&mut browser);
}

/// As on a slow computer.
const SLOW_DECODER: &str = "(() => { (() => { const decode = createImageBitmap; \
    window.createImageBitmap = async (blob) => { const image = await decode(blob); \
        await new Promise((resolve) => setTimeout(resolve, 700)); return image; }; })(); })()";

#[test]
fn a_hidden_page_rests_and_wakes_without_an_old_picture() {
    let camfeed = Camfeed::online(&["--source", SMALL]);
    let mut browser = watched::<Chromium>(&camfeed);
    browser.hide();
    browser.wait("document.hidden");
    browser.wait_state("hidden");
    camfeed.wait_log("viewer left");
    // Its picture does not look live, as a browser may show it in small.
    let veil = browser.eval("getComputedStyle(document.body).getPropertyValue('--veil')");
    assert_ne!(veil, "");
    thread::sleep(AWAY);
    browser.show();
    browser.wait("!document.hidden");
    check(&mut browser);
}

#[test]
fn a_page_that_was_frozen_shows_nothing_old() {
    let camfeed = Camfeed::online(&["--source", SMALL]);
    let mut browser = watched::<Chromium>(&camfeed);
    browser.hide();
    browser.wait("document.hidden");
    let be = |browser: &mut Browser, state: &str| {
        browser.call("Page.setWebLifecycleState", json!({"state": state}));
    };
    be(&mut browser, "frozen");
    thread::sleep(AWAY);
    be(&mut browser, "active");
    browser.show();
    browser.wait("!document.hidden");
    check(&mut browser);
}

fn stop_for_a_while(browser: &mut Browser) {
    let renderers = browser.renderers();
    assert!(!renderers.is_empty());
    let all = |signal| {
        for &process in &renderers {
            kill_process(process, signal).expect("it runs");
        }
    };
    all(Signal::STOP);
    thread::sleep(AWAY);
    all(Signal::CONT);
}

#[test]
fn a_page_that_was_stopped_shows_nothing_old() {
    let camfeed = Camfeed::online(&["--source", SMALL]);
    let mut browser = watched::<Chromium>(&camfeed);
    stop_for_a_while(&mut browser);
    check(&mut browser);
}

#[test]
fn a_device_that_slept_shows_nothing_old() {
    let camfeed = Camfeed::online(&["--source", SMALL]);
    let mut browser = watched::<Chromium>(&camfeed);
    // One of its clocks stands still meanwhile.
    browser.eval(
        "(() => { (() => { const clock = performance.now.bind(performance); let lost = 0; let last = clock(); \
         performance.now = () => { const time = clock(); if (time - last > 2000) lost += time - last; \
             last = time; return time - lost; }; })(); })()",
    );
    browser.eval(SLOW_DECODER);
    stop_for_a_while(&mut browser);
    check(&mut browser);
}
