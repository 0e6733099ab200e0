//! The page in real browsers: a headless browser with a new profile, told what to do.
//!
//! [`Browser`] is what tests use; a [`Driver`] is what one engine does in its own way. Only one
//! browser runs at a time, and none asks anybody but the servers of its test.

mod actions;
mod chromium;
mod firefox;
mod group;
mod hands;
mod proxy;
mod touch;
mod webkit;

pub use self::{chromium::Chromium, firefox::Firefox, webkit::WebKit};

use crate::camfeed::{SOON, eventually};
use serde_json::Value;
use std::{
    cell::Cell,
    net::SocketAddr,
    ops::{Deref, DerefMut},
    sync::{Condvar, Mutex, PoisonError},
    thread,
    time::Duration,
};

/// A name that every browser here finds at 127.0.0.1. People's pages are not at a loopback address,
/// which a browser trusts more than any other that has no TLS. camfeed answers to every name that has
/// no dot.
const NAME: &str = "cam";

/// How long a browser may take to start, or to answer, on a busy machine.
const PATIENCE: Duration = SOON.saturating_mul(2);

/// Whether pages may run JavaScript.
#[derive(Clone, Copy, PartialEq)]
pub enum Scripts {
    On,
    Off,
}

/// A place in a page's window: pixels of CSS from its left and its top.
pub type Point = (f64, f64);

/// One thing that the mouse does, with its left button.
#[derive(Clone, Copy)]
pub enum Mouse {
    Move(Point),
    Press,
    Release,
}

/// What an engine does in its own way.
pub trait Driver {
    /// One window of the browser, with one page.
    type Window: Clone;

    /// Starts it with an empty page.
    fn start(scripts: Scripts) -> Self;
    /// Shows the page at `url`; it may still be loading.
    fn go(&mut self, url: &str);
    /// The value of a JavaScript expression in the page, awaited when it is a promise.
    fn eval(&mut self, expression: &str) -> Value {
        self.ask(expression)
            .unwrap_or_else(|error| panic!("{expression}: {error}"))
    }
    /// The same, or why there is none: what it threw, or that another page took the place of this one.
    fn ask(&mut self, expression: &str) -> Result<Value, Value>;
    /// What the window shows, a PNG.
    fn screenshot(&mut self) -> Vec<u8>;
    /// Presses and releases a key: a letter, digit or sign by itself, or `Escape`, `Space`, `Enter`,
    /// `Tab`, `ArrowLeft`, `ArrowUp`, `ArrowRight`, `ArrowDown`.
    fn key(&mut self, name: &str);
    /// What the mouse does, in its order. A second press within one call makes a double click.
    fn mouse(&mut self, steps: &[Mouse]);
    /// Turns the mouse's wheel at a point, downwards where `delta_y` is positive.
    fn wheel(&mut self, at: Point, delta_y: f64);
    /// Makes the page so large.
    fn resize(&mut self, width: u32, height: u32);
    /// The window that all of this is about.
    fn window(&self) -> Self::Window;
    /// Opens one more window, of the same profile: all share the connections to a server. Does not
    /// wait for `url`, which may never be answered: until then, the page there is `about:blank`, and
    /// can be asked (in Chromium: unless it was started with a script, or without all).
    fn open_window(&mut self, url: &str) -> Self::Window;
    /// Goes on in another window.
    fn switch_to(&mut self, window: &Self::Window);
    /// Closes another window.
    fn close_window(&mut self, window: Self::Window);
    /// Minimizes the window, which makes its page hidden, or shows it again.
    fn minimize(&mut self, is_minimized: bool);
    /// Goes through the pages that the window has shown, back where `steps` is negative. Does not wait
    /// for the page.
    fn traverse(&mut self, steps: i32);
}

/// A driver that can run a script before all those of a page. WebKitWebDriver (2.50) cannot.
pub trait EarlyScripts: Driver {
    /// Runs the body of a function in each new page of this window and of those opened later, before
    /// the page's own scripts.
    fn at_start(&mut self, script: &str);
}

/// A browser with one window at first, ended when dropped: Chromium, where nothing else is said.
pub struct Browser<D = Chromium> {
    driver: D,
    _turn: Turn,
}

/// A Chromium.
impl Browser {
    pub fn start() -> Browser {
        Browser::start_with(Scripts::On)
    }

    pub fn open(url: &str) -> Browser {
        Browser::open_in(url)
    }
}

impl<D: Driver> Browser<D> {
    pub fn start_with(scripts: Scripts) -> Browser<D> {
        let turn = Turn::take();
        Browser {
            driver: D::start(scripts),
            _turn: turn,
        }
    }

    /// The same as [`Browser::open`], in the engine of the type.
    pub fn open_in(url: &str) -> Browser<D> {
        let mut browser: Browser<D> = Browser::start_with(Scripts::On);
        browser.go(url);
        browser
    }

    pub fn go(&mut self, url: &str) {
        self.driver.go(url);
    }

    /// The value of a JavaScript expression in the page, awaited when it is a promise.
    pub fn eval(&mut self, expression: &str) -> Value {
        self.driver.eval(expression)
    }

    /// What the window shows, a PNG.
    pub fn screenshot(&mut self) -> Vec<u8> {
        self.driver.screenshot()
    }

    /// Waits until `expression` is true. It may throw until then: a page that is still being read lacks
    /// elements.
    pub fn wait(&mut self, expression: &str) {
        let mut last = Ok(Value::Null);
        let is_true = eventually(SOON, || {
            last = self.driver.ask(expression);
            last == Ok(Value::Bool(true))
        });
        let text = self.driver.ask("document.body && document.body.innerText");
        let state = self
            .driver
            .ask("document.body && document.body.dataset.state");
        assert!(
            is_true,
            "never true: {expression}\nit is: {last:?}\nstate: {state:?}\npage: {text:?}"
        );
    }

    pub fn wait_state(&mut self, state: &str) {
        self.wait(&format!(
            "document.body && document.body.dataset.state === '{state}'"
        ));
    }

    /// What the picture looks like: a few pixels, each as red, green, blue, alpha.
    pub fn pixels(&mut self) -> Vec<u8> {
        let pixels = self.eval(
            "(() => { const p = document.getElementById('picture'); \
             const c = document.createElement('canvas'); c.width = 64; c.height = 48; \
             const d = c.getContext('2d'); d.drawImage(p, 0, 0, 64, 48); \
             return Array.from(d.getImageData(0, 0, 64, 48).data); })()",
        );
        serde_json::from_value(pixels).expect("bytes")
    }

    /// Waits until other pixels are painted than now.
    pub fn wait_moving(&mut self) {
        let first = self.pixels();
        let moves = eventually(SOON, || self.pixels() != first);
        assert!(moves, "the picture does not move");
    }
}

/// What only one engine can be told.
impl<D> Deref for Browser<D> {
    type Target = D;

    fn deref(&self) -> &D {
        &self.driver
    }
}

impl<D> DerefMut for Browser<D> {
    fn deref_mut(&mut self) -> &mut D {
        &mut self.driver
    }
}

/// The host that a page of the server at `address` has in a browser.
pub fn host(address: SocketAddr) -> String {
    format!("{NAME}:{}", address.port())
}

/// The address in a browser of `path` at the server at `address`.
pub fn page(address: SocketAddr, path: &str) -> String {
    format!("http://{}{path}", host(address))
}

/// The right to run a browser, which two tests have at a time, or one that judges times.
pub struct Turn {
    is_alone: bool,
}

/// The subjects whose tests judge how old a picture is or what a link carries: beside them no other browser
/// takes the processor.
const ALONE: [&str; 2] = ["page_links::", "page_windows::"];

/// Browsers at a time.
const MOST_TURNS: usize = 2;

/// Who has a turn: so many tests, or one alone.
struct Turns {
    count: usize,
    is_alone: bool,
}

static TURNS: Mutex<Turns> = Mutex::new(Turns {
    count: 0,
    is_alone: false,
});
static TURN_ENDED: Condvar = Condvar::new();

thread_local! {
    static HAS_TURN: Cell<bool> = const { Cell::new(false) };
}

impl Turn {
    /// Waits for the turn of the present test, which its thread is called after.
    pub fn take() -> Turn {
        // It would wait for itself.
        assert!(!HAS_TURN.get(), "a test has one browser at a time");
        let test = thread::current();
        let test = test.name().unwrap_or_default();
        let is_alone = ALONE.iter().any(|subject| test.starts_with(subject));
        let most = if is_alone { 0 } else { MOST_TURNS - 1 };
        let turns = TURNS.lock().unwrap_or_else(PoisonError::into_inner);
        let is_taken = |turns: &mut Turns| turns.is_alone || turns.count > most;
        let turns = TURN_ENDED.wait_while(turns, is_taken);
        let mut turns = turns.unwrap_or_else(PoisonError::into_inner);
        turns.count += 1;
        turns.is_alone = is_alone;
        HAS_TURN.set(true);
        Turn { is_alone }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut turns = TURNS.lock().unwrap_or_else(PoisonError::into_inner);
        turns.count -= 1;
        turns.is_alone &= !self.is_alone;
        HAS_TURN.set(false);
        TURN_ENDED.notify_all();
    }
}
