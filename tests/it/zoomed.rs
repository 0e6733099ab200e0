//! The page in the small windows that a zoom of 200 and 400 % makes of a desk's, and on small phones: everything
//! can be reached and read there, by scrolling in one direction.

use crate::{
    browser::{Browser, page},
    camfeed::{Camfeed, Folder},
    fakecam::FakeCamera,
    grid,
};
use serde_json::json;

/// Width, height and whether it is a phone's: 1280x1024 and 1280x720 at 400 and 200 %, 1920x1080 at 400 %; a small
/// phone both ways.
const WINDOWS: [(u32, u32, bool); 7] = [
    (320, 256, false),
    (320, 180, false),
    (640, 512, false),
    (640, 360, false),
    (480, 270, false),
    (320, 568, true),
    (568, 320, true),
];

/// What cannot be reached: each link, button, menu and slider is focused, and then has to lie in the window with nothing
/// above it; what cannot have the focus, and code, is scrolled to. The state's label is scrolled to, and has to be whole.
/// All of it in one go: a number that comes or grows beside them moves what is below it.
const OUT_OF_REACH: &str = "(() => { \
    const root = document.documentElement; \
    const name = (it) => it.id || it.getAttribute('aria-label') + ' in ' + (it.closest('[data-control]') || root).dataset.control; \
    const isIn = ({ left, top, right, bottom }) => \
        left > -1 && top > -1 && right < root.clientWidth + 1 && bottom < root.clientHeight + 1; \
    const isOnTop = (it, x, y) => it.contains(document.elementFromPoint(x, y)); \
    const lost = []; \
    let found = 0; \
    for (const it of document.querySelectorAll('a[href], button, select, input, [tabindex=\"0\"]')) { \
        if (!it.getClientRects().length || getComputedStyle(it).visibility === 'hidden') continue; \
        found += 1; \
        it.focus(); \
        if (it.disabled || it.localName === 'code') it.scrollIntoView({ block: 'nearest' }); \
        const box = it.getBoundingClientRect(); \
        const isSeen = isOnTop(it, box.left + box.width / 2, box.top + box.height / 2); \
        if (!isIn(box) || !isSeen) lost.push(name(it) + (isSeen ? '' : ' (covered)') + ' ' + JSON.stringify(box)); } \
    const label = document.getElementById('label'); \
    label.scrollIntoView({ block: 'nearest' }); \
    for (const box of label.getClientRects()) { \
        const y = box.top + box.height / 2; \
        if (!isIn(box) || !isOnTop(label, box.left + 1, y) || !isOnTop(label, box.right - 1, y)) lost.push('label ' + JSON.stringify(box)); } \
    document.activeElement.blur(); \
    scrollTo(0, 0); \
    return found < 6 ? 'only ' + found : lost.join('\\n'); })()";

/// What scrolls sideways, but for a line of a program.
const SIDEWAYS: &str = "Array.from(document.querySelectorAll('html, body, body *')) \
    .filter((it) => it.scrollWidth > it.clientWidth + 1 && it.getClientRects().length && !it.matches('.program') \
        && (it.localName === 'html' || ['auto', 'scroll'].includes(getComputedStyle(it).overflowX))) \
    .map((it) => it.id || it.localName).join()";

fn resize(browser: &mut Browser, (width, height, mobile): (u32, u32, bool)) {
    let metrics =
        json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile});
    browser.call("Emulation.setDeviceMetricsOverride", metrics);
    browser.wait(&format!(
        "innerWidth === {width} && innerHeight === {height}"
    ));
}

/// Everything is in reach in each window.
fn are_in_reach(browser: &mut Browser, what: &str) {
    for window in WINDOWS {
        resize(browser, window);
        let at = format!("{window:?}, {what}");
        assert_eq!(browser.eval(OUT_OF_REACH), "", "{at}");
        assert_eq!(browser.eval(SIDEWAYS), "", "{at}");
    }
}

#[test]
fn everything_is_in_reach_at_400_percent_and_on_small_phones() {
    let camera = FakeCamera::new("");
    let camfeed = camera.online(&["--source", "/dev/video0", "--size", "640x480"]);
    let mut browser = Browser::open(&page(camfeed.address, "/"));
    browser.wait_state("live");
    browser.wait("!document.getElementById('toggle-controls').hidden");
    browser.wait(
        "Array.from(document.querySelectorAll('#fps, #viewers')).every((it) => it.textContent)",
    );
    are_in_reach(&mut browser, "as it is");
    // The longest that is said there.
    browser
        .eval("document.getElementById('label').textContent = 'Slow connection: 12.5 of 30 fps'");
    are_in_reach(&mut browser, "a long state");
    browser.eval("document.body.classList.add('full')");
    are_in_reach(&mut browser, "full screen");
    browser.eval("document.body.classList.remove('full')");
    browser.key("c");
    browser.wait("document.getElementById('control-brightness') !== null");
    are_in_reach(&mut browser, "controls");
    for (key, panel) in [("v", "view"), ("?", "addresses")] {
        browser.key(key);
        browser.wait(&format!("document.getElementById('{panel}').open"));
        are_in_reach(&mut browser, panel);
    }
}

#[test]
fn every_camera_of_several_is_in_reach_and_as_wide_as_the_window_allows() {
    let camfeed = grid::serve(&["a", "b", "c", "gone=a-film-that-is-not-there.avi", "d"]);
    let mut browser = Browser::open(&page(camfeed.address, "/"));
    browser.wait_state("some");
    are_in_reach(&mut browser, "all");
    // Of two columns, or of one: whatever the window was before.
    let narrowest = "Math.min.apply(null, Array.from(document.querySelectorAll('.tile'), (it) => it.offsetWidth))";
    for window in WINDOWS {
        resize(&mut browser, (1280, 720, false));
        browser.wait(&format!("{narrowest} > 300"));
        resize(&mut browser, window);
        browser.wait(&format!(
            "{narrowest} > 130 && {narrowest} < innerWidth / 2"
        ));
    }
    browser.key("4");
    browser.wait("document.querySelector('#wall.large') !== null");
    are_in_reach(&mut browser, "one large");
    // Its reason can be scrolled to.
    let is_cut = "(() => { const why = document.querySelector('.large .why:not([hidden])'); \
        return why.scrollHeight > why.clientHeight + 1 && getComputedStyle(why).overflowY === 'hidden'; })()";
    for window in WINDOWS {
        resize(&mut browser, window);
        assert_eq!(browser.eval(is_cut), false, "{window:?}");
    }
}

#[test]
fn words_on_the_picture_are_neither_cut_off_nor_above_each_other() {
    let folder = Folder::new();
    let clip = folder.file("a-film-with-a-long-name-that-is-not-there.avi");
    let camfeed = Camfeed::start(&["--source", &clip]);
    let mut browser = Browser::open(&page(camfeed.address, "/"));
    browser.wait_state("offline");
    let cut = "(() => { \
        const stage = document.getElementById('stage').getBoundingClientRect(); \
        return ['notice', 'mark', 'health'].filter((id) => { \
            const it = document.getElementById(id); \
            const box = it.getBoundingClientRect(); \
            return !it.hidden && (box.left < stage.left || box.right > stage.right || box.top < stage.top \
                || box.bottom > stage.bottom || it.scrollWidth > it.clientWidth + 1); }).join(); })()";
    for window in WINDOWS {
        resize(&mut browser, window);
        assert_eq!(browser.eval(cut), "", "{window:?}");
    }
    browser.eval(
        "(() => { for (const [id, words] of [['mark', 'The camera keeps sending the same picture'], \
            ['health', 'Under-voltage: use a better power supply\\nWeak Wi-Fi: -80 dBm']]) { \
            Object.assign(document.getElementById(id), {textContent: words, hidden: false}); } })()",
    );
    let apart = "(() => { const [one, two] = ['mark', 'health'].map((id) => document.getElementById(id).getBoundingClientRect()); \
        return one.right <= two.left || one.bottom <= two.top; })()";
    for window in WINDOWS {
        resize(&mut browser, window);
        assert_eq!(browser.eval(cut), "", "{window:?}");
        assert_eq!(browser.eval(apart), true, "{window:?}");
    }
}
