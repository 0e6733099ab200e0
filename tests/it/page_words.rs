//! What the page says, and saves, where it is easily wrong: on a slow link, while paused, and in a
//! browser that cannot read the stream.

use crate::{
    browser::{Browser, page},
    camfeed::{Camfeed, SMALL},
    hostile::serve_film,
    http::get,
    tcp_proxy::{Rules, TcpProxy},
};
use serde_json::Value;
use std::{thread, time::Duration};

/// Two frames a second of the film's 62 kB.
pub const MEGABIT: Rules = Rules {
    bytes_per_second: Some(125_000.0),
    cuts: None,
    delay: Duration::ZERO,
};

/// Notes each state, and each announcement to a screen reader, from now on.
pub const TAKE_NOTES: &str = "window.states = []; window.heard = []; \
    const note = (notes, value) => { if (notes[notes.length - 1] !== value) notes.push(value); }; \
    new MutationObserver(() => note(states, document.body.dataset.state)) \
        .observe(document.body, {attributes: true, attributeFilter: ['data-state']}); \
    new MutationObserver(() => note(heard, document.getElementById('announce').textContent)) \
        .observe(document.getElementById('announce'), {childList: true}); true";

/// Keeps what the page saves, with its name, in place of a download.
const KEEP_SAVED: &str = "window.saved = null; \
    URL.createObjectURL = (blob) => { window.saved = {blob}; return '#'; }; \
    HTMLAnchorElement.prototype.click = function () { saved.name = this.download; }; true";

/// Whether the saved picture is the one on the canvas, to the pixel.
const IS_THE_ONE_ON_THE_SCREEN: &str = "(async () => { const shown = document.getElementById('picture'); \
    const image = await createImageBitmap(saved.blob); \
    const pixels = (it) => { const c = document.createElement('canvas'); \
        c.width = shown.width; c.height = shown.height; const d = c.getContext('2d'); \
        d.drawImage(it, 0, 0); return d.getImageData(0, 0, c.width, c.height).data.join(); }; \
    return image.width === shown.width && pixels(image) === pixels(shown); })()";

pub fn text(browser: &mut Browser, id: &str) -> String {
    let value = browser.eval(&format!("document.getElementById('{id}').textContent"));
    value.as_str().expect("text").to_owned()
}

/// Of the camera's newest picture.
fn newest_sequence(camfeed: &Camfeed) -> u64 {
    let answer = get(camfeed.address, "/snapshot.jpg?fresh=1");
    let sequence = answer.header("X-Sequence").expect("a snapshot");
    sequence.parse().expect("a number")
}

#[test]
fn a_slow_link_is_called_slow_and_nothing_else() {
    let camfeed = serve_film(&[]);
    let link = TcpProxy::to(camfeed.address, MEGABIT);
    let mut browser = Browser::open(&page(link.address, "/"));
    browser.wait_state("live");
    browser.eval(TAKE_NOTES);
    browser.wait_state("slow");
    let label = text(&mut browser, "label");
    let (received, rest) = label
        .strip_prefix("Slow connection: ")
        .and_then(|rates| rates.split_once(" of "))
        .unwrap_or_else(|| panic!("{label}"));
    let received: f64 = received.parse().expect("a rate");
    assert!((0.5..4.0).contains(&received), "{label}");
    let offered = rest
        .strip_suffix(" fps")
        .and_then(|rate| rate.parse::<f64>().ok());
    // A film on a busy machine may be late, and is never early.
    assert!(
        offered.is_some_and(|rate| (25.0..=30.0).contains(&rate)),
        "{label}"
    );
    // Ten seconds of what is to be steady.
    thread::sleep(Duration::from_secs(10));
    let states = browser.eval("states.join()");
    assert_eq!(states, "live,slow", "{}", text(&mut browser, "mark"));
    let heard = browser.eval("heard.join()");
    let heard = heard.as_str().expect("text");
    assert_eq!(heard.trim_start_matches("Live,"), "Slow connection");
    assert!(text(&mut browser, "age").ends_with(" s old"));
}

#[test]
fn a_link_that_stalls_or_recovers_is_told_of_in_true_numbers() {
    let camfeed = Camfeed::online(&["--source", SMALL]);
    let mut browser = Browser::open(&page(camfeed.address, "/"));
    browser.wait_state("live");
    browser.import(&["parts", "player", "server", "verdict", "view"]);
    // A camera of 30 fps: the first frame comes through a stall 2.2 s old, the others as they are taken.
    let offered = "(() => { const rate = new Rate(); \
        rate.add(0, {timestamp: 6.8, sequence: 100}); \
        for (let i = 1; i <= 60; i += 1) rate.add(i * 1000 / 30, {timestamp: 9 + i / 30, sequence: 166 + i}); \
        return rateText(rate.offeredPerSecond()); })()";
    assert_eq!(browser.eval(offered), "30");
    // A link that has just recovered is not called slow with as many pictures as there are.
    browser.wait("link.rate.perSecond(now()) > 0");
    let label = "(() => { link.slow = {is: true, since: 0, rates: ': 1 of 30 fps'}; refresh(); \
        return document.getElementById('label').textContent; })()";
    assert_eq!(browser.eval(label), "Slow connection");
    // What is not live is live again when it clearly is.
    let states = "(() => { const known = { pausedFor: null, camera: {}, phase: 'open', liveAge: 2, reads: true, slow: QUICK }; \
        const at = (before, late) => verdict(Object.assign({ before, age: 2 + late }, known)).state; \
        return [at('live', 0.8), at('live', 1.1), at('stale', 0.8), at('stale', 0.4)].join(); })()";
    assert_eq!(browser.eval(states), "live,stale,stale,live");
}

#[test]
fn a_viewer_that_asked_for_few_pictures_is_not_slow() {
    let camfeed = serve_film(&[]);
    let link = TcpProxy::to(camfeed.address, MEGABIT);
    let mut browser = Browser::open(&page(link.address, "/"));
    browser.wait_state("live");
    browser.import(&["player", "server"]);
    browser.eval(
        "(() => { const rate = document.getElementById('rate'); rate.value = '1'; \
         rate.dispatchEvent(new Event('change')); })()",
    );
    browser.wait("link.phase === 'open' && link.rate.perSecond(now()) > 0");
    browser.eval(TAKE_NOTES);
    thread::sleep(Duration::from_secs(7)); // Longer than a slow link needs to be called slow.
    assert_eq!(browser.eval("states.includes('slow')"), false);
    browser.wait("document.getElementById('label').textContent === 'Live'");
}

#[test]
fn a_camera_that_slows_down_is_no_slow_link() {
    // Its frames all arrive: none is missing from the sequence.
    let rates = "(() => { const rate = new Rate(); \
        for (let i = 0; i < 20; i += 1) rate.add(i * 125, {timestamp: 9 + i / 8, sequence: 40 + i}); \
        return [rate.perSecond(19 * 125), rate.offeredPerSecond()]; })()";
    let camfeed = Camfeed::online(&["--source", SMALL]);
    let mut browser = Browser::open(&page(camfeed.address, "/"));
    browser.wait_state("live");
    browser.import(&["parts", "server"]);
    assert_eq!(browser.eval(rates), serde_json::json!([8, 8]));
    // Nor is one whose encoders have no time for two of three pictures.
    let share = "encodedShare({captured: 100, skipped: 5}, {captured: 160, skipped: 45})";
    let share = browser.eval(share).as_f64().expect("a number");
    assert!((share - 1.0 / 3.0).abs() < 1e-9, "{share}");
}

#[test]
fn the_rate_is_the_camera_s_from_its_first_number_on() {
    // 30 frames a second; the first ten arrive at once, as those of a new connection do.
    let rates = "(() => { const rate = new Rate(); const said = new Set(); \
        for (let i = 0; i < 240; i += 1) { \
            const time = Math.max(10, i) * 1000 / 30; \
            rate.add(time, {timestamp: 5 + i / 30, sequence: i}); \
            said.add(rateText(rate.perSecond(time))); } \
        return Array.from(said).sort().join(); })()";
    let camfeed = Camfeed::online(&["--source", SMALL]);
    let mut browser = Browser::open(&page(camfeed.address, "/"));
    browser.wait_state("live");
    browser.import(&["parts", "verdict"]);
    assert_eq!(browser.eval(rates), "0,30");
}

#[test]
fn while_paused_the_picture_on_the_screen_is_saved() {
    let camfeed = Camfeed::online(&["--source", SMALL, "--name", "Garden / north"]);
    let mut browser = Browser::open(&page(camfeed.address, "/"));
    browser.wait_state("live");
    browser.import(&["player"]);
    browser.eval(KEEP_SAVED);
    browser.key("Space");
    browser.wait_state("paused");
    browser.wait("!painter.busy");
    let sequence = browser.eval("Number(painter.painted.sequence)");
    assert!(newest_sequence(&camfeed) > sequence.as_u64().expect("a number"));
    let check = |browser: &mut Browser| {
        browser.eval("saved = null; document.getElementById('snapshot').click()");
        browser.wait("saved !== null && Boolean(saved.name)");
        assert_eq!(browser.eval(IS_THE_ONE_ON_THE_SCREEN), true);
        let name = browser.eval("saved.name");
        let time = browser
            .eval("new Date(Math.floor(painter.painted.timestamp * 1000 + 0.001)).toISOString()");
        let time = time.as_str().expect("text").replace(['-', ':'], "");
        assert_eq!(name, format!("camfeed-Garden-north-{time}.jpg"));
        assert!(text(browser, "toast").starts_with("Saved camfeed-Garden-north-"));
    };
    check(&mut browser);
    // And it is still there when nothing else is.
    let address = camfeed.address.to_string();
    drop(camfeed);
    check(&mut browser);
    // Live again, the server's newest is saved, under the server's name for it.
    let _camfeed = Camfeed::start_at(&address, &["--source", SMALL, "--name", "Garden"]);
    browser.key("Space");
    browser.wait_state("live");
    browser.eval("saved = null; document.getElementById('snapshot').click()");
    browser.wait("saved !== null && Boolean(saved.name)");
    let name = browser.eval("saved.name");
    let is_named = name
        .as_str()
        .is_some_and(|name| name.starts_with("camfeed-Garden-2"));
    assert!(is_named, "{name}");
}

#[test]
fn a_picture_that_is_being_decoded_does_not_replace_the_one_paused_on() {
    let camfeed = Camfeed::online(&["--source", SMALL]);
    let mut browser = Browser::open(&page(camfeed.address, "/"));
    browser.wait_state("live");
    browser.import(&["player"]);
    // As on a slow computer; each decode is noted at its end.
    browser.eval(
        "(() => { const decode = createImageBitmap; window.decoded = 0; \
         window.createImageBitmap = async (blob) => { const image = await decode(blob); \
             await new Promise((resolve) => setTimeout(resolve, 300)); \
             decoded += 1; return image; }; })()",
    );
    browser.wait("decoded > 0 && painter.busy");
    browser
        .eval("window.before = decoded; setPaused(true); window.shown = painter.painted.sequence");
    browser.wait("!painter.busy");
    assert_eq!(browser.eval("decoded > before"), true);
    assert_eq!(browser.eval("painter.painted.sequence === shown"), true);
    // And on it goes.
    browser.eval("setPaused(false)");
    browser.wait_state("live");
    browser.wait("painter.painted.sequence !== shown");
}

#[test]
fn a_placeholder_paused_on_is_no_picture() {
    let camfeed = Camfeed::start(&["--source", "/none/such.avi"]);
    let mut browser = Browser::open(&page(camfeed.address, "/"));
    browser.wait_state("offline");
    browser.import(&["player"]);
    browser.eval(KEEP_SAVED);
    browser.wait("painter.painted !== null");
    browser.key("Space");
    browser.wait_state("paused");
    browser.key("s");
    let toast = "document.getElementById('toast').textContent";
    browser.wait(&format!("/^No snapshot: /.test({toast})"));
    assert_eq!(
        browser.eval(toast),
        "No snapshot: there was no live picture to pause on"
    );
    assert_eq!(browser.eval("saved"), Value::Null);
}

/// A page that plays the stream, because no answer to its own reader comes through.
fn open_without_reading(camfeed: &Camfeed) -> (TcpProxy, Browser) {
    let rules = Rules {
        cuts: Some("type=bytes"),
        ..Rules::default()
    };
    let link = TcpProxy::to(camfeed.address, rules);
    let mut browser = Browser::open(&page(link.address, "/"));
    browser.wait_state("live");
    (link, browser)
}

#[test]
fn a_browser_that_cannot_read_the_stream_plays_it_and_says_what_is_unknown() {
    let camfeed = Camfeed::online(&["--source", SMALL, "--name", "Garden"]);
    let (_link, mut browser) = open_without_reading(&camfeed);
    browser.wait("document.getElementById('fallback').naturalWidth === 320");
    assert_eq!(text(&mut browser, "label"), "Playing");
    assert_ne!(browser.eval("document.body.dataset.tone"), "good");
    assert_eq!(text(&mut browser, "age"), "age unknown");
    assert!(text(&mut browser, "toast").contains("how old"));
    assert_eq!(text(&mut browser, "fps"), "");
    // A pause keeps what is on the screen here, too.
    browser.eval(KEEP_SAVED);
    browser.key("Space");
    browser.wait_state("paused");
    camfeed.wait_log("viewer left");
    browser.key("s");
    browser.wait("saved && /^camfeed-Garden-2.*Z.jpg$/.test(saved.name)");
    assert_eq!(browser.eval("saved.blob.type"), "image/jpeg");
    browser.key("Space");
    browser.wait_state("live");
    drop(camfeed);
    browser.wait_state("reconnecting");
}

#[test]
fn what_a_browser_plays_itself_returns_after_a_quick_restart_of_the_server() {
    let camfeed = Camfeed::online(&["--source", SMALL]);
    let address = camfeed.address.to_string();
    let (_link, mut browser) = open_without_reading(&camfeed);
    browser.wait("document.getElementById('label').textContent === 'Playing'");
    drop(camfeed);
    let again = Camfeed::start_at(&address, &["--source", SMALL]);
    again.wait_log("viewer joined");
    browser.wait("document.getElementById('label').textContent === 'Playing'");
    // Nor does it miss that a stream ends at a server that stays.
    browser.eval("document.getElementById('fallback').src = 'data:,'");
    again.wait_logs("viewer joined", 2);
}

#[test]
fn a_server_that_is_away_is_no_reason_to_give_up_reading() {
    let first = Camfeed::online(&["--source", SMALL]);
    let address = first.address.to_string();
    let mut browser = Browser::open(&page(first.address, "/"));
    browser.wait_state("live");
    browser.import(&["player"]);
    drop(first);
    // As if no picture had been shown before.
    browser.eval("painter.painted = null");
    browser.wait("link.failures >= 3");
    let _second = Camfeed::start_at(&address, &["--source", SMALL]);
    browser.wait("document.getElementById('label').textContent === 'Live'");
    assert_eq!(browser.eval("link.reads"), true);
}
