//! The page on links too slow for the camera: its word is steady, and the rate that it offers fits.

use crate::{
    browser::{Browser, page},
    camfeed::{Camfeed, SMALL},
    hostile::serve_film,
    page_words::{MEGABIT, TAKE_NOTES, text},
    tcp_proxy::{Rules, TcpProxy},
};
use serde_json::Value;
use std::{thread, time::Duration};

/// A frame of the film in two seconds, about.
const QUARTER_OF_A_MEGABIT: f64 = 33_000.0;

/// A few a second of the small test pattern.
const SMALL_PACE: f64 = 20_000.0;

/// The rate that the menu marks, or null.
const FITS: &str = "(() => { const fits = Array.from(document.getElementById('rate').options) \
    .filter(option => / fps \\(fits\\)$/.test(option.text)); \
    return fits.length ? Number(fits[0].value) : null; })()";

/// What the menu shows.
const SHOWN: &str = "document.getElementById('rate').selectedOptions[0].text";

/// A page that is live at the end of a link.
fn open(camfeed: &Camfeed, bytes_per_second: f64) -> (TcpProxy, Browser) {
    let rules = Rules {
        bytes_per_second: Some(bytes_per_second),
        ..Rules::default()
    };
    let link = TcpProxy::to(camfeed.address, rules);
    let mut browser = Browser::open(&page(link.address, "/"));
    browser.wait_state("live");
    browser.eval(TAKE_NOTES);
    (link, browser)
}

/// States from `TAKE_NOTES` on, or since this was asked before: each refresh tells the state again.
fn states(browser: &mut Browser) -> Value {
    browser.eval("states.splice(0).join()")
}

/// Chooses the marked rate as a keyboard does, from wherever the menu stands.
fn choose_the_fitting_rate(browser: &mut Browser) -> f64 {
    let fits = browser.eval(FITS).as_f64().expect("a rate that fits");
    browser.eval("document.getElementById('rate').focus()");
    let is_chosen = format!("Number(document.getElementById('rate').value) === {fits}");
    for _ in 0..8 {
        if browser.eval(&is_chosen) == true {
            break;
        }
        browser.key("ArrowDown");
    }
    assert_eq!(
        browser.eval(&is_chosen),
        true,
        "{fits}: {}",
        browser.eval(SHOWN)
    );
    browser.eval("document.getElementById('rate').blur()");
    fits
}

#[test]
fn on_a_slow_link_the_word_is_steady_for_a_minute_and_the_rate_offered_fits() {
    let camfeed = serve_film(&[]);
    let (link, mut browser) = open(&camfeed, MEGABIT.bytes_per_second.expect("a pace"));
    browser.wait_state("slow");
    browser.wait(&format!("{FITS} > 0"));
    // A menu that somebody has in hand keeps its options.
    let hold = "(() => { const menu = document.getElementById('rate'); menu.focus(); \
        window.held = Array.from(menu.options); })()";
    let is_held =
        "held.every((option, at) => document.getElementById('rate').options[at] === option)";
    browser.eval(hold);
    thread::sleep(Duration::from_secs(20));
    link.set_pace(Some(200_000.0)); // Three a second: another rate fits.
    thread::sleep(Duration::from_secs(15));
    assert_eq!(browser.eval(is_held), true);
    browser.eval("document.getElementById('rate').blur()");
    browser.wait(&format!("{FITS} === 2"));
    link.set_pace(MEGABIT.bytes_per_second);
    thread::sleep(Duration::from_secs(25));
    assert_eq!(
        states(&mut browser),
        "live,slow",
        "{}",
        text(&mut browser, "mark")
    );
    let fits = choose_the_fitting_rate(&mut browser);
    assert!(fits == 1.0, "{fits}");
    browser.wait_state("live");
    states(&mut browser);
    thread::sleep(Duration::from_secs(20));
    assert_eq!(
        states(&mut browser),
        "live",
        "{}",
        text(&mut browser, "mark")
    );
    // It is kept, and shown, by a page that is loaded again.
    browser.eval("window.isOld = setTimeout(() => location.reload(), 0) > 0");
    browser.wait("!window.isOld");
    browser.wait_state("live");
    let shown = format!("{SHOWN} === '{fits} fps'");
    browser.wait(&shown);
}

#[test]
fn on_a_link_that_has_recovered_no_rate_is_marked() {
    let camfeed = Camfeed::online(&["--source", SMALL]);
    let (link, mut browser) = open(&camfeed, SMALL_PACE);
    browser.wait_state("slow");
    browser.wait(&format!("{FITS} > 0"));
    link.set_pace(None);
    browser.wait_state("live");
    browser.wait(&format!("{FITS} === null"));
    assert_eq!(browser.eval(SHOWN), "Full rate");
}

#[test]
fn on_a_link_of_less_than_a_picture_a_second_the_rate_offered_is_live() {
    let camfeed = serve_film(&[]);
    let (_link, mut browser) = open(&camfeed, QUARTER_OF_A_MEGABIT);
    browser.wait_state("slow");
    browser.wait(&format!("{FITS} > 0"));
    thread::sleep(Duration::from_secs(8));
    assert_eq!(states(&mut browser), "live,slow");
    let fits = choose_the_fitting_rate(&mut browser);
    browser.wait_state("live");
    states(&mut browser);
    thread::sleep(Duration::from_secs(20));
    assert_eq!(fits, 0.3);
    assert_eq!(
        states(&mut browser),
        "live",
        "{}",
        text(&mut browser, "mark")
    );
}

#[test]
fn on_a_link_that_wavers_the_word_does_not() {
    let camfeed = serve_film(&[]);
    let (link, mut browser) = open(&camfeed, MEGABIT.bytes_per_second.expect("a pace"));
    browser.wait_state("slow");
    for pace in [60_000.0, 250_000.0].iter().cycle().take(10) {
        link.set_pace(Some(*pace));
        thread::sleep(Duration::from_secs(2));
    }
    assert_eq!(
        states(&mut browser),
        "live,slow",
        "{}",
        text(&mut browser, "mark")
    );
}
