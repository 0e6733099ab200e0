//! The page's panels, its keys, and what its bar shows on a desk, a tablet and a phone.

use crate::{
    browser::{Browser, page},
    camfeed::{Camfeed, SMALL, SOON, eventually},
    csi,
    fake_libcamera::CameraModule,
    fakecam::FakeCamera,
};
use serde_json::json;

/// Windows: a desk's, a laptop's, a tablet's both ways, a phone's both ways, a small phone's.
const WINDOWS: [(u32, u32); 7] = [
    (1280, 800),
    (1000, 700),
    (1024, 768),
    (768, 1024),
    (390, 844),
    (844, 390),
    (320, 640),
];

/// `seen(id)`: the element is wholly inside the window.
const SEEN: &str = "const seen = (id) => { \
    const box = document.getElementById(id).getBoundingClientRect(); \
    return box.width > 8 && box.left >= 0 && box.top >= 0 && box.right <= innerWidth && box.bottom <= innerHeight; };";

fn opened(camfeed: &Camfeed) -> Browser {
    let mut browser = Browser::open(&page(camfeed.address, "/"));
    browser.wait_state("live");
    browser
}

fn is_open(browser: &mut Browser) -> bool {
    browser.eval("document.getElementById('addresses').open") == true
}

#[test]
fn space_pauses_whatever_a_key_opened_and_closed() {
    let camfeed = Camfeed::online(&["--source", SMALL]);
    let mut browser = opened(&camfeed);
    for close in ["?", "Escape"] {
        browser.key("?");
        assert!(is_open(&mut browser));
        browser.key("Space");
        browser.wait_state("paused");
        assert!(is_open(&mut browser), "Space leaves the panel alone");
        browser.key(close);
        assert!(!is_open(&mut browser), "{close}");
        browser.key("Space");
        browser.wait_state("live");
        assert!(!is_open(&mut browser), "Space after {close} opens nothing");
    }
}

#[test]
fn a_closed_panel_gives_the_focus_back() {
    let camfeed = Camfeed::online(&["--source", SMALL]);
    let mut browser = opened(&camfeed);
    let focus = "document.activeElement.id || document.activeElement.tagName";
    browser.eval("document.getElementById('toggle-addresses').focus()");
    browser.key("Enter");
    assert_eq!(browser.eval(focus), "H2");
    browser.key("Escape");
    assert_eq!(browser.eval(focus), "toggle-addresses");
    // Who went elsewhere meanwhile stays there.
    browser.key("?");
    browser.eval("document.getElementById('snapshot').focus()");
    browser.key("?");
    assert_eq!(browser.eval(focus), "snapshot");
}

#[test]
fn space_pauses_after_the_mouse_has_used_a_button() {
    let camfeed = Camfeed::online(&["--source", SMALL]);
    let mut browser = opened(&camfeed);
    browser.click("toggle-addresses");
    assert!(is_open(&mut browser));
    browser.key("Escape");
    browser.key("Space");
    browser.wait_state("paused");
    assert!(!is_open(&mut browser));
    browser.key("?");
    browser.click("close-addresses");
    browser.key("Space");
    browser.wait_state("live");
    assert!(!is_open(&mut browser));
    browser.eval(
        "(() => { const rate = document.getElementById('rate'); rate.focus(); \
         for (const name of ['pointerdown', 'change']) rate.dispatchEvent(new Event(name)); })()",
    );
    browser.key("Space");
    browser.wait_state("paused");
}

#[test]
fn the_key_for_controls_says_why_there_are_none() {
    let toast = "document.getElementById('toast').textContent";
    let none = Camfeed::online(&["--source", SMALL]);
    let off = Camfeed::online(&["--source", SMALL, "--no-controls"]);
    for (camfeed, words) in [
        (none, "This camera has no controls"),
        (off, "Camera controls are switched off here"),
    ] {
        let mut browser = opened(&camfeed);
        browser.import(&["panels"]);
        browser.wait("!controls.isDue && !controls.isBusy");
        browser.key("c");
        assert_eq!(browser.eval(toast), words);
    }
}

#[test]
fn the_bar_says_that_the_pattern_stands_in_for_a_camera() {
    let camera = FakeCamera::new("plugged no");
    let camfeed = camera.online(&["--size", "640x480"]);
    let mut browser = opened(&camfeed);
    browser.wait("document.getElementById('label').textContent === 'No camera'");
    assert_eq!(browser.eval("document.body.dataset.tone"), "warn");
    // The pattern has the words, too: nothing covers it.
    let above = "Array.from(document.getElementById('stage').children) \
        .filter(it => it.id !== 'pane' && it.textContent.trim() && it.offsetParent \
            && !it.matches('.unseen, noscript')) \
        .map(it => it.id).join()";
    assert_eq!(browser.eval(above), "");
    browser.key("c");
    let toast = browser.eval("document.getElementById('toast').textContent");
    assert_eq!(toast, "No camera now, and so no controls");
    camera.set("");
    browser.wait("document.getElementById('label').textContent === 'Live'");
    browser.wait("!document.getElementById('toggle-controls').hidden");
    browser.key("c");
    assert_eq!(
        browser.eval("document.getElementById('controls').open"),
        true
    );
}

#[test]
fn name_and_age_are_seen_in_every_window() {
    let camfeed = Camfeed::online(&["--source", SMALL]);
    let mut browser = opened(&camfeed);
    browser.wait("/^(now|\\d+(\\.\\d)? s old)$/.test(document.getElementById('age').textContent)");
    browser.wait("document.getElementById('name').textContent !== ''");
    let parts = "['pill', 'facts', 'name', 'rate', 'snapshot', 'pause'].filter(id => \
        document.getElementById(id).offsetParent).map(id => [id, document.getElementById(id).getBoundingClientRect()])";
    for is_open in [false, true] {
        for (width, height) in WINDOWS {
            browser.resize(width, height);
            let at = format!("{width}x{height} open={is_open}");
            browser.wait(&format!(
                "innerWidth === {width} && innerHeight === {height}"
            ));
            let seen = browser.eval(&format!(
                "(() => {{ {SEEN} return seen('pill') && seen('age') && seen('name'); }})()"
            ));
            assert_eq!(seen, true, "{at}");
            let over = browser.eval(&format!(
                "(() => {{ const all = {parts}; return all.flatMap(([a, p], i) => all.slice(i + 1) \
                 .filter(([, q]) => p.left < q.right - 1 && q.left < p.right - 1 && p.top < q.bottom - 1 && q.top < p.bottom - 1) \
                 .map(([b]) => a + ' over ' + b)).join(); }})()"
            ));
            assert_eq!(over, "", "{at}");
            let is_wide = browser.eval("document.documentElement.scrollWidth > innerWidth");
            assert_eq!(is_wide, false, "{at}");
        }
        browser.key("?");
    }
}

#[test]
fn no_address_is_broken_in_two() {
    let camfeed = Camfeed::online(&["--source", SMALL]);
    let mut browser = opened(&camfeed);
    browser.key("?");
    for (width, height) in WINDOWS {
        browser.resize(width, height);
        browser.wait(&format!("innerWidth === {width}"));
        let broken = browser.eval(
            "Array.from(document.querySelectorAll('#addresses dd code span')) \
             .filter(word => word.getClientRects().length > 1 || word.offsetHeight > 25) \
             .map(word => word.textContent).join()",
        );
        assert_eq!(broken, "", "{width}x{height}");
        // The line of a program is one.
        let lines = browser.eval(
            "(() => { const all = document.querySelectorAll('#addresses .program span'); \
             return new Set(Array.from(all, word => word.offsetTop)).size; })()",
        );
        assert_eq!(lines, 3, "{width}x{height}");
    }
}

#[test]
fn a_slider_with_decimals_changes_the_picture_of_a_camera_module() {
    let module = CameraModule::new("");
    let camfeed = module.online(&["--source", "csi"]);
    let dark = csi::light(&camfeed);
    let mut browser = opened(&camfeed);
    browser.key("c");
    browser.wait("document.getElementById('control-brightness') !== null");
    browser.eval("document.getElementById('control-brightness').focus()");
    // A fiftieth each.
    for _ in 0..20 {
        browser.key("ArrowRight");
    }
    module.wait_count("set brightness=0.4", 1);
    assert!(eventually(SOON, || csi::light(&camfeed) > dark.saturating_add(20)));
    let shown = "document.querySelector('[data-control=brightness] output').value";
    assert_eq!(browser.eval(shown), "0.4");
    browser.eval("document.querySelector('[data-control=brightness] .reset').click()");
    assert!(eventually(SOON, || csi::light(&camfeed).abs_diff(dark) < 5));
    assert_eq!(browser.eval(shown), "0");
}

#[test]
fn a_page_opened_on_the_server_itself_names_its_address_on_the_network() {
    let camfeed = Camfeed::online(&["--source", SMALL]);
    // What /state says of a server that listens on more than this machine's own address.
    let first = "((addresses) => { const report = Object.assign({}, server.report, \
            { access: { password: false, addresses } }); \
        server.onReport.forEach((listener) => listener({ report, before: server.report, asked: 0, answered: 0 })); \
        return [document.querySelector('#addresses dd code').textContent.split(' ').pop(), \
            document.getElementById('local-only').hidden]; })";
    let told = format!("{first}(['192.168.1.2:8080', '[fd00::2]:8080'])");
    let alone = format!("{first}([])");
    for (url, expected) in [
        (camfeed.url("/"), "http://192.168.1.2:8080/".to_owned()),
        (page(camfeed.address, "/"), page(camfeed.address, "/")),
    ] {
        let mut browser = Browser::open(&url);
        browser.wait_state("live");
        browser.import(&["server"]);
        let is_local = url.contains("127.0.0.1");
        assert_eq!(
            browser.eval(&told),
            json!([format!("{expected}snapshot.jpg"), true])
        );
        assert_eq!(
            browser.eval(&alone),
            json!([format!("{url}snapshot.jpg"), !is_local])
        );
    }
}
