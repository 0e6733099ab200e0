//! The page's panels and keys.

use crate::{
    browser::Browser,
    camfeed::{Camfeed, SMALL},
};

fn opened(camfeed: &Camfeed) -> Browser {
    let mut browser = Browser::open(&camfeed.url("/"));
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
        browser.wait("!controls.isDue && !controls.isBusy");
        browser.key("c");
        assert_eq!(browser.eval(toast), words);
    }
}
