//! The page in the engines of all browsers there are: Blink, Gecko and WebKit.

use crate::{
    auth::{TOKEN, secret},
    browser::{Browser, Chromium, Driver, Firefox, Scripts, WebKit, host, page},
    camfeed::{Camfeed, Folder, SMALL, SOON, eventually},
    fakecam::{FakeCamera, decoded},
};
use opencv::{core::Vec3b, prelude::*};

/// A module of tests for each engine, of the functions below.
macro_rules! engines {
    ($($engine:ident: $driver:ident,)+ { $($test:ident,)+ }) => {
        engines!(@ [$($engine: $driver,)+] [$($test,)+]);
    };
    (@ [$($engine:ident: $driver:ident,)+] $tests:tt) => {
        $(mod $engine { super::engines!(# $driver $tests); })+
    };
    (# $driver:ident [$($test:ident,)+]) => {
        $(#[test] fn $test() { super::$test::<super::$driver>(); })+
    };
}

pub(crate) use engines;

engines! {
    chromium: Chromium,
    firefox: Firefox,
    webkit: WebKit,
    {
        the_page_shows_a_moving_picture,
        the_page_survives_a_restart_of_the_server,
        the_page_says_when_the_camera_is_gone,
        without_javascript_the_picture_still_shows,
        a_token_alone_loads_all_of_the_page,
        a_page_with_a_user_in_its_address_is_one_viewer,
    }
}

fn the_page_shows_a_moving_picture<D: Driver>() {
    let camfeed = Camfeed::online(&["--source", SMALL]);
    let mut browser = Browser::<D>::open_in(&page(camfeed.address, "/"));
    browser.wait_state("live");
    assert_eq!(browser.eval("isSecureContext"), false, "nor is a user's");
    browser.wait("document.getElementById('label').textContent === 'Live'");
    // The bars of the pattern: something is really painted.
    let bright = browser
        .pixels()
        .iter()
        .filter(|&&value| value > 200)
        .count();
    assert!(bright > 500, "{bright}");
    browser.wait_moving();
    browser.wait("/fps/.test(document.getElementById('fps').textContent)");
    browser.wait("/1 viewer/.test(document.getElementById('viewers').textContent)");
    let addresses = browser.eval("document.getElementById('addresses').textContent");
    assert!(
        addresses
            .as_str()
            .unwrap()
            .contains(&page(camfeed.address, "/stream")),
        "addresses carry the name that the page was opened with"
    );
}

fn the_page_survives_a_restart_of_the_server<D: Driver>() {
    let first = Camfeed::online(&["--source", SMALL]);
    let address = first.address.to_string();
    let mut browser = Browser::<D>::open_in(&page(first.address, "/"));
    browser.wait_state("live");
    drop(first);
    browser.wait_state("reconnecting");
    let _second = Camfeed::start_at(&address, &["--source", SMALL]);
    browser.wait_state("live");
    browser.wait_moving();
}

fn the_page_says_when_the_camera_is_gone<D: Driver>() {
    let camera = FakeCamera::new("");
    let camfeed = camera.online(&["--source", "/dev/video0", "--size", "640x480"]);
    let mut browser = Browser::<D>::open_in(&page(camfeed.address, "/"));
    browser.wait_state("live");
    camera.set("plugged no");
    browser.wait_state("offline");
    browser.wait("/Camera offline/.test(document.getElementById('label').textContent)");
    browser.wait(
        "/unplugged|no such device/.test(document.getElementById('notice-text').textContent)",
    );
    camera.set("");
    browser.wait_state("live");
    browser.wait_moving();
}

fn without_javascript_the_picture_still_shows<D: Driver>() {
    let camfeed = Camfeed::online(&["--source", SMALL]);
    let mut browser = Browser::<D>::start_with(Scripts::Off);
    browser.go(&page(camfeed.address, "/"));
    camfeed.wait_log("viewer joined");
    browser.wait("document.querySelector('#stage img.plain').naturalWidth === 320");
    let has_run = "document.documentElement.classList.contains('js')";
    assert_eq!(browser.eval(has_run), false, "a script has run");
    let mut seen = Vec::new();
    let shows = eventually(SOON, || {
        seen = bars(&browser.screenshot());
        seen.iter().all(|&pixels| pixels > 1000)
    });
    assert!(shows, "pixels of each bar: {seen:?}");
    let first = browser.screenshot();
    let moves = eventually(SOON, || browser.screenshot() != first);
    assert!(moves, "the picture does not move");
}

fn a_token_alone_loads_all_of_the_page<D: Driver>() {
    let folder = Folder::new();
    let path = secret(&folder, "token", TOKEN);
    let camfeed = Camfeed::online(&["--source", SMALL, "--token-file", &path]);
    let mut browser = Browser::<D>::open_in(&page(camfeed.address, &format!("/?token={TOKEN}")));
    browser.wait_state("live");
    browser.wait_moving();
    browser.wait("getComputedStyle(document.body).margin === '0px'");
    browser.key("?");
    browser.wait("document.getElementById('addresses').open");
    assert_eq!(browser.eval("document.cookie"), "");
    assert_eq!(camfeed.count_log("wrong password"), 0);
}

fn a_page_with_a_user_in_its_address_is_one_viewer<D: Driver>() {
    let folder = Folder::new();
    let path = secret(&folder, "password", "ann:secret");
    for more in [&[][..], &["--password-file", &path]] {
        let camfeed = Camfeed::online(&[&["--source", SMALL], more].concat());
        is_one_viewer_with_a_user_in_its_address::<D>(&camfeed);
    }
}

/// Opens the server's page as ann, once, and leaves it.
pub fn is_one_viewer_with_a_user_in_its_address<D: Driver>(camfeed: &Camfeed) {
    let url = format!("http://ann:secret@{}/", host(camfeed.address));
    let mut browser = Browser::<D>::open_in(&url);
    browser.wait_state("live");
    assert_eq!(camfeed.count_log("viewer joined"), 1);
    browser.go("about:blank");
    camfeed.wait_log("viewer left");
    assert_eq!(camfeed.count_log("viewer joined"), 1);
}

/// How many pixels of a picture have the colour of each coloured bar of the test pattern.
fn bars(png: &[u8]) -> Vec<usize> {
    let mat = decoded(png).expect("a picture");
    let mut bars = vec![0; 6];
    for pixel in mat.data_typed::<Vec3b>().expect("three channels") {
        // Yellow, cyan, green, magenta, red, blue: each channel is full or empty.
        let colour = pixel.iter().enumerate().try_fold(0, |bits, (at, &value)| {
            (!(50..=200).contains(&value)).then_some(bits | usize::from(value > 200) << at)
        });
        if let Some(colour @ 1..=6) = colour {
            bars[colour - 1] += 1;
        }
    }
    bars
}
