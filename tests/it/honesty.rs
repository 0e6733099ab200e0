//! Nobody is shown an old picture as live, whatever has happened to the page meanwhile. A watcher in
//! the page compares what it says with the capture time of its picture, at every frame of the screen.

use crate::{
    browser::{Browser, Chromium, Driver, Firefox, WebKit, page},
    camfeed::{Camfeed, SMALL},
    engines::engines,
};
use rustix::process::{Signal, kill_process};
use serde_json::json;
use std::{any::type_name, thread, time::Duration};

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
pub const WATCH: &str = "(() => { Object.assign(window, { lie: 0, shots: 0, since: 0 }); (function watch() { \
    const age = painter.painted ? Date.now() / 1000 - painter.painted.timestamp : 0; \
    const limit = 1 + liveAge([cameraNow().fps], link.period / 1000, link.transit / 1000); \
    const isLie = ['live', 'slow'].includes(document.body.dataset.state) && !(age <= limit); \
    since = isLie ? since || Date.now() : 0; \
    lie = Math.max(lie, since && Date.now() - since); \
    shots += 1; \
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
    browser.wait("shots > 10");
    browser
}

/// Fails unless the page is live again, and has never lied.
fn check<D: Driver>(browser: &mut Browser<D>) {
    browser.eval("window.old = painter.painted.sequence");
    browser.wait("painter.painted.sequence !== old");
    browser.eval("(() => { window.slowness = 0; window.seenShots = shots; })()");
    browser.wait_state("live");
    browser.wait("shots > seenShots + 10");
    let lie = browser.eval("lie").as_f64().expect("a number");
    assert!(lie < MOST_LIE_MS, "an old picture was live for {lie} ms");
}

/// Chromium and WebKit keep a page that was left, with all that it had; Firefox keeps none that has a
/// stream, and loads it anew.
fn a_page_that_was_left_shows_nothing_old_when_it_is_back<D: Driver>() {
    let camfeed = Camfeed::online(&["--source", SMALL]);
    let mut browser = watched::<D>(&camfeed);
    browser.eval(DECODER);
    browser.eval("addEventListener('pageshow', () => { slowness = 1500; })");
    browser.go(&page(camfeed.address, "/healthz"));
    camfeed.wait_log("viewer left");
    thread::sleep(AWAY);
    browser.back();
    browser.wait("location.pathname === '/' && document.readyState !== 'loading'");
    let is_kept = browser.eval("'lie' in window") == true;
    assert!(is_kept || type_name::<D>() == type_name::<Firefox>());
    if is_kept {
        check(&mut browser);
    } else {
        browser.wait_state("live");
    }
}

/// A decoder that takes `slowness` ms more, as that of a slow computer does.
const DECODER: &str = "(() => { const decode = createImageBitmap; window.slowness = 0; \
    window.createImageBitmap = async (blob) => { const image = await decode(blob); \
        await new Promise((resolve) => setTimeout(resolve, slowness)); return image; }; })()";

// Not in WebKit: as its window comes back, its software renderer (Mesa 22.3) crashes now and then.
#[test]
fn a_hidden_page_rests_and_wakes_without_an_old_picture() {
    rests_and_wakes::<Chromium>();
    rests_and_wakes::<Firefox>();
}

fn rests_and_wakes<D: Driver>() {
    let camfeed = Camfeed::online(&["--source", SMALL]);
    let mut browser = watched::<D>(&camfeed);
    browser.hide();
    browser.wait_state("hidden");
    camfeed.wait_log("viewer left");
    // Its picture does not look live, as a browser may show it in small.
    let veil = browser.eval("getComputedStyle(document.body).getPropertyValue('--veil')");
    assert_ne!(veil, "");
    thread::sleep(AWAY);
    browser.show();
    check(&mut browser);
}

#[test]
fn a_page_that_was_frozen_shows_nothing_old() {
    let camfeed = Camfeed::online(&["--source", SMALL]);
    let mut browser = watched::<Chromium>(&camfeed);
    browser.hide();
    let be = |browser: &mut Browser, state: &str| {
        browser.call("Page.setWebLifecycleState", json!({"state": state}));
    };
    be(&mut browser, "frozen");
    thread::sleep(AWAY);
    be(&mut browser, "active");
    browser.show();
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
        "(() => { const clock = performance.now.bind(performance); let lost = 0; let last = clock(); \
         performance.now = () => { const time = clock(); if (time - last > 2000) { lost += time - last; slowness = 1500; } \
             last = time; return time - lost; }; })()",
    );
    browser.eval(DECODER);
    // And the other is not known for a while, as /state comes after the first picture.
    browser.eval(
        "(() => { const ask = fetch; window.fetch = async (url, options) => { \
             if (/state/.test(url)) await new Promise((resolve) => setTimeout(resolve, 3 * slowness)); \
             return ask(url, options); }; })()",
    );
    stop_for_a_while(&mut browser);
    check(&mut browser);
}
