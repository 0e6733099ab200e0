//! Windows, their history and what runs first in their pages, in each engine: what the tests tell
//! browsers to do is really done.

use crate::{
    browser::{Browser, Chromium, Driver, EarlyScripts, Firefox, WebKit, page},
    engines::engines,
    site::{NEVER, Site},
};
use serde_json::json;

engines! {
    chromium: Chromium,
    firefox: Firefox,
    webkit: WebKit,
    {
        windows_are_visible_side_by_side,
        a_window_whose_page_never_loads_can_be_asked,
        a_minimized_window_is_hidden,
        a_page_comes_back_as_it_was,
    }
}

/// What only two of them can do.
mod early {
    use super::{Chromium, Firefox, a_script_runs_before_those_of_the_page, engines};

    engines! {
        chromium: Chromium,
        firefox: Firefox,
        {
            a_script_runs_before_those_of_the_page,
        }
    }
}

const PAGES: &[(&str, &str)] = &[
    (
        "/",
        "<!doctype html><body>one<script src='main.js'></script>",
    ),
    ("/two", "<!doctype html><body>two"),
    (
        "/main.js",
        "window.found = window.early; window.keys = [];
         addEventListener('keydown', event => keys.push(event.key));
         addEventListener('pageshow', event => { window.persisted = event.persisted; });
         document.body.dataset.state = 'ready';",
    ),
];

const SHOWS_TWO: &str = "document.body && document.body.textContent === 'two'";

const IS_VISIBLE: &str = "document.visibilityState === 'visible'";

fn open<D: Driver>() -> (Site, Browser<D>) {
    let site = Site::of(PAGES);
    let mut browser = Browser::<D>::open_in(&page(site.address, "/"));
    browser.wait_state("ready");
    (site, browser)
}

fn windows_are_visible_side_by_side<D: Driver>() {
    let (site, mut browser) = open::<D>();
    let mut windows: Vec<_> = (0..6)
        .map(|_| browser.open_window(&page(site.address, "/")))
        .collect();
    for window in &windows {
        browser.in_window(window, |browser| {
            browser.wait_state("ready");
            browser.key("b");
            browser.wait("keys.join() === 'b'");
        });
    }
    browser.key("a");
    browser.wait("keys.join() === 'a'");
    assert_eq!(browser.eval(IS_VISIBLE), true);
    for window in &windows {
        let seen = format!("[{IS_VISIBLE}, keys.join()]");
        let seen = browser.in_window(window, |browser| browser.eval(&seen));
        assert_eq!(seen, json!([true, "b"]));
    }
    browser.close_window(windows.remove(0));
    browser.in_window(&windows[0], |browser| {
        browser.go(&page(site.address, "/two"));
        browser.wait(SHOWS_TWO);
    });
    assert_eq!(browser.eval("document.body.dataset.state"), "ready");
}

fn a_window_whose_page_never_loads_can_be_asked<D: Driver>() {
    let (site, mut browser) = open::<D>();
    let window = browser.open_window(&page(site.address, NEVER));
    browser.in_window(&window, |browser| {
        assert_eq!(browser.eval("location.href"), "about:blank");
        assert_eq!(browser.eval(IS_VISIBLE), true);
    });
    assert_eq!(browser.eval("document.body.dataset.state"), "ready");
    browser.in_window(&window, |browser| {
        browser.go(&page(site.address, "/two"));
        browser.wait(SHOWS_TWO);
    });
    let other = browser.open_window(&page(site.address, NEVER));
    browser.close_window(other);
    browser.close_window(window);
}

fn a_minimized_window_is_hidden<D: Driver>() {
    let (site, mut browser) = open::<D>();
    let other = browser.open_window(&page(site.address, "/"));
    browser.in_window(&other, |browser| browser.wait_state("ready"));
    browser.hide();
    assert!(browser.in_window(&other, |browser| browser.eval(IS_VISIBLE) == true));
    browser.show();
    browser.key("a");
    browser.wait("keys.join() === 'a'");
}

fn a_page_comes_back_as_it_was<D: Driver>() {
    let (site, mut browser) = open::<D>();
    browser.eval("window.mark = 7");
    browser.go(&page(site.address, "/two"));
    browser.back();
    browser.wait("window.persisted === true");
    assert_eq!(browser.eval("[mark, keys]"), json!([7, []]));
    browser.forward();
    browser.wait(SHOWS_TWO);
}

fn a_script_runs_before_those_of_the_page<D: EarlyScripts>() {
    let site = Site::of(PAGES);
    let mut browser = Browser::<D>::start_with(crate::browser::Scripts::On);
    browser.at_start("window.early = [document.readyState, Boolean(document.body)];");
    browser.go(&page(site.address, "/"));
    browser.wait_state("ready");
    let expected = json!(["loading", false]);
    assert_eq!(browser.eval("found"), expected);
    let other = browser.open_window(&page(site.address, "/"));
    browser.in_window(&other, |browser| {
        browser.wait_state("ready");
        assert_eq!(browser.eval("found"), expected);
    });
}
