//! Many windows of one browser: it has six connections to a server, of which their streams take five.
//! Each window is live or says why it is not, and takes over when there is room.

use crate::{
    browser::{Browser, Chromium, Driver, Firefox, Scripts, WebKit, page},
    camfeed::{Camfeed, SMALL, SOON, eventually},
    engines::engines,
    http::get,
};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::net::SocketAddr;

engines! {
    chromium: Chromium,
    firefox: Firefox,
    webkit: WebKit,
    {
        seven_windows_are_live_or_say_why,
    }
}

const TOO_MANY: &str = "Too many windows of this camera are open in this browser";

/// What a window shows: its state, the camera's name, how many watch, and the title of its notice.
const SEEN: &str = "document.body && document.body.dataset.state \
    ? ['label', 'name', 'viewers', 'notice-title'].reduce((seen, id) => { \
        const element = document.getElementById(id); \
        seen[id] = element.hidden ? '' : element.textContent; return seen; }, \
        { state: document.body.dataset.state }) : null";

/// Notes each state of a window from now on.
const NOTE_STATES: &str = "(() => { window.states = [document.body.dataset.state]; \
    new MutationObserver(() => { const { state } = document.body.dataset; \
        if (states[states.length - 1] !== state) states.push(state); }) \
        .observe(document.body, { attributes: true, attributeFilter: ['data-state'] }); })()";

/// Windows side by side, and the first's browser.
struct Row<D: Driver> {
    browser: Browser<D>,
    windows: Vec<D::Window>,
}

impl<D: Driver> Row<D> {
    /// Opens as many windows of `url` at once.
    fn open(mut browser: Browser<D>, url: &str, count: usize) -> Row<D> {
        browser.go(url);
        let first = browser.window();
        let others = (1..count).map(|_| browser.open_window(url));
        let mut windows: Vec<_> = others.collect();
        windows.insert(0, first);
        Row { browser, windows }
    }

    fn eval(&mut self, at: usize, expression: &str) -> Value {
        let window = self.windows[at].clone();
        self.browser
            .in_window(&window, |browser| browser.eval(expression))
    }

    fn wait(&mut self, at: usize, expression: &str) {
        let window = self.windows[at].clone();
        self.browser
            .in_window(&window, |browser| browser.wait(expression));
    }

    fn import(&mut self, at: usize) {
        let window = self.windows[at].clone();
        self.browser
            .in_window(&window, |browser| browser.import(&["server", "player"]));
    }

    /// What each window shows.
    fn seen(&mut self) -> Vec<Value> {
        (0..self.windows.len())
            .map(|at| self.eval(at, SEEN))
            .collect()
    }

    /// Which windows are in `state`.
    fn which(&mut self, state: &str) -> Vec<usize> {
        let seen = self.seen();
        (0..seen.len())
            .filter(|&at| seen[at]["state"] == state)
            .collect()
    }

    /// Waits until as many windows are live, and as many say that there are too many.
    fn wait_states(&mut self, live: usize, full: usize) {
        let mut seen = Vec::new();
        let is_so = eventually(SOON, || {
            seen = self.seen();
            let count = |state: &str| seen.iter().filter(|seen| seen["state"] == state).count();
            (count("live"), count("full")) == (live, full)
        });
        assert!(is_so, "not {live} live and {full} full: {seen:#?}");
    }

    fn close(&mut self, at: usize) {
        assert!(at > 0, "the first window stays");
        let window = self.windows.remove(at);
        self.browser.close_window(window);
    }

    /// One that is in `state`, and not the first.
    fn one(&mut self, state: &str) -> usize {
        let all = self.which(state);
        *all.iter()
            .find(|&&at| at > 0)
            .expect("a window in this state")
    }
}

fn viewers(address: SocketAddr) -> u64 {
    let state: Value = serde_json::from_slice(&get(address, "/state").body).expect("JSON");
    state["stream"]["viewers"].as_u64().expect("a number")
}

fn seven_windows_are_live_or_say_why<D: Driver>() {
    let camfeed = Camfeed::online(&["--source", SMALL, "--name", "Garden"]);
    let url = page(camfeed.address, "/");
    let mut row = Row::<D>::open(Browser::start_with(Scripts::On), &url, 7);
    row.wait_states(5, 2);
    for at in 0..7 {
        row.wait(
            at,
            "document.getElementById('name').textContent === 'Garden'",
        );
    }
    for seen in row.seen() {
        if seen["state"] == "full" {
            assert_eq!(seen["label"], "Too many windows");
            assert_eq!(seen["notice-title"], TOO_MANY);
            assert_eq!(seen["viewers"], "", "it does not watch");
        } else {
            assert_eq!(
                (&seen["label"], &seen["notice-title"]),
                (&json!("Live"), &json!(""))
            );
        }
    }
    for at in row.which("live") {
        row.wait(
            at,
            "document.getElementById('viewers').textContent === '5 viewers'",
        );
    }
    assert_eq!(viewers(camfeed.address), 5);
    // Exactly one takes the place of one that is closed, and of one that pauses.
    let live = row.one("live");
    row.close(live);
    row.wait_states(5, 1);
    let live = row.one("live");
    row.eval(live, "document.getElementById('pause').click()");
    row.wait_states(5, 0);
    // Who comes back waits until there is room.
    row.eval(live, "document.getElementById('pause').click()");
    row.wait_states(5, 1);
    assert_eq!(row.which("full"), [live]);
    // A page that is loaded again is one of them as before, whichever has the place then.
    for state in ["full", "live"] {
        let at = row.one(state);
        row.eval(
            at,
            "window.isOld = setTimeout(() => location.reload(), 0) > 0",
        );
        row.wait(at, "!window.isOld");
        row.wait_states(5, 1);
    }
    // A window that ends without a word has left a place, too.
    let live = row.one("live");
    row.import(live);
    row.eval(
        live,
        "windows.channel.postMessage = windows.channel.onmessage = () => {}, true",
    );
    row.close(live);
    row.wait_states(5, 0);
}

#[test]
fn a_hidden_window_gives_its_place_to_one_that_waits() {
    let camfeed = Camfeed::online(&["--source", SMALL]);
    let url = page(camfeed.address, "/");
    let mut row = Row::<Chromium>::open(Browser::start(), &url, 6);
    row.wait_states(5, 1);
    let live = row.one("live");
    let window = row.windows[live].clone();
    row.browser.in_window(&window, |browser| browser.hide());
    row.wait(live, "document.body.dataset.state === 'hidden'");
    row.wait_states(5, 0);
    row.browser.in_window(&window, |browser| browser.show());
    row.wait_states(5, 1);
    assert_eq!(row.which("full"), [live]);
}

#[test]
fn windows_of_another_camera_do_not_count() {
    let camfeed = Camfeed::online(&["--source", SMALL]);
    let other = Camfeed::online(&["--source", SMALL]);
    let mut row = Row::<Chromium>::open(Browser::start(), &page(camfeed.address, "/"), 5);
    let window = row.browser.open_window(&page(other.address, "/"));
    row.windows.push(window);
    row.wait_states(6, 0);
    assert_eq!((viewers(camfeed.address), viewers(other.address)), (5, 1));
}

#[test]
fn where_one_connection_carries_all_streams_there_are_never_too_many() {
    let camfeed = Camfeed::online(&["--source", SMALL]);
    let mut browser = Browser::start();
    // As behind a proxy that speaks HTTP/2.
    browser.at_start(
        "const entries = performance.getEntriesByType.bind(performance); \
         performance.getEntriesByType = type => type === 'navigation' ? [{ nextHopProtocol: 'h2' }] : entries(type);",
    );
    let mut row = Row::open(browser, &page(camfeed.address, "/"), 6);
    row.wait_states(6, 0);
    assert_eq!(viewers(camfeed.address), 6);
}

#[test]
fn a_browser_whose_windows_cannot_talk_says_so_once_the_server_does_not_answer() {
    let camfeed = Camfeed::online(&["--source", SMALL, "--name", "Garden"]);
    let mut browser = Browser::start();
    browser.at_start("delete window.BroadcastChannel;");
    let mut row = Row::open(browser, &page(camfeed.address, "/"), 6);
    assert!(eventually(SOON, || viewers(camfeed.address) == 6));
    // Their streams have all connections: pictures come, and nothing else.
    let health = format!("document.getElementById('health').textContent === '{TOO_MANY}'");
    row.wait(5, &health);
    assert_eq!(row.eval(5, "document.body.dataset.state"), "live");
    row.close(1);
    row.wait(4, &format!("!({health})"));
    row.wait(
        4,
        "document.getElementById('name').textContent === 'Garden'",
    );
}

#[test]
fn a_picture_does_not_wait_for_other_windows() {
    let camfeed = Camfeed::online(&["--source", SMALL]);
    let mut browser = Browser::start();
    browser.at_start("window.BroadcastChannel = class { postMessage() {} close() {} };");
    browser.go(&page(camfeed.address, "/"));
    browser.wait_state("live");
}

#[test]
fn streams_of_other_tabs_that_hold_all_connections_are_told_of() {
    let camfeed = Camfeed::online(&["--source", SMALL, "--name", "Garden"]);
    let url = page(camfeed.address, "/");
    let mut row = Row::<Chromium>::open(Browser::start(), &url, 2);
    row.wait_states(2, 0);
    row.eval(1, "document.getElementById('pause').click()");
    assert!(eventually(SOON, || viewers(camfeed.address) == 1));
    let raw: Vec<_> = (0..5)
        .map(|_| row.browser.open_window(&page(camfeed.address, "/stream")))
        .collect();
    assert!(eventually(SOON, || viewers(camfeed.address) == 6));
    row.eval(1, "document.getElementById('pause').click()");
    row.wait(
        1,
        &format!("document.getElementById('notice-title').textContent === '{TOO_MANY}'"),
    );
    row.wait(
        0,
        &format!("document.getElementById('health').textContent === '{TOO_MANY}'"),
    );
    assert_eq!(row.eval(0, "document.body.dataset.state"), "live");
    for window in raw {
        row.browser.close_window(window);
    }
    row.wait_states(2, 0);
    row.wait(0, "document.getElementById('health').hidden");
}

#[test]
fn a_server_that_has_stopped_is_no_crowd_of_windows() {
    let camfeed = Camfeed::online(&["--source", SMALL]);
    let mut row = Row::<Chromium>::open(Browser::start(), &page(camfeed.address, "/"), 2);
    row.wait_states(2, 0);
    for at in 0..2 {
        row.eval(at, NOTE_STATES);
    }
    camfeed.signal(Signal::STOP);
    for at in 0..2 {
        row.import(at);
        row.wait(at, "link.failures >= 2");
    }
    camfeed.signal(Signal::CONT);
    row.wait_states(2, 0);
    for at in 0..2 {
        let states = row.eval(at, "states");
        let states = states.as_array().expect("a list");
        assert!(states.contains(&json!("reconnecting")), "{states:?}");
        assert!(!states.contains(&json!("full")), "{states:?}");
    }
}
