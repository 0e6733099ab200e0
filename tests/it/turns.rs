//! Turned and mirrored pictures, as they are on the screen, in all engines.

use crate::{
    browser::{Browser, Chromium, Driver, Firefox, Point, WebKit, page},
    camfeed::Camfeed,
    engines::engines,
    fakecam::decoded,
    tcp_proxy::{Rules, TcpProxy},
    view::{SEEN, assert_near, opened, seen},
};
use opencv::{core::Vec3b, prelude::*};

engines! {
    chromium: Chromium,
    firefox: Firefox,
    webkit: WebKit,
    {
        the_picture_turns_clockwise_and_mirrors,
        it_is_remembered_for_this_camera,
        a_picture_that_the_browser_plays_turns_and_moves_too,
    }
}

/// Seven bars of different colours, above a dark field.
const WIDE: &str = "test:640x360@15";

/// The bars from the second on: yellow, cyan, green, magenta, red, blue; bits of blue, green, red.
const COLOURS: [usize; 6] = [6, 3, 2, 5, 4, 1];

/// Where the pattern's bars are on the screen, relative to the middle of the stage.
#[derive(Debug)]
struct Bars {
    /// From the second to the last.
    order: Point,
    middle: Point,
    size: Point,
}

fn bars<D: Driver>(browser: &mut Browser<D>) -> Bars {
    // What is live brightens up in a moment.
    for id in ["picture", "fallback"] {
        browser.wait(&format!(
            "getComputedStyle(document.getElementById('{id}')).filter === 'none'"
        ));
    }
    let stage = seen(browser).stage;
    let mat = decoded(&browser.screenshot()).expect("a picture");
    let mut found = [(0.0, (0.0, 0.0)); 8];
    let (mut least, mut most) = ((f64::MAX, f64::MAX), (0.0_f64, 0.0_f64));
    for row in 0..mat.rows() {
        let pixels = mat.at_row::<Vec3b>(row).expect("a row").iter().enumerate();
        for (column, pixel) in pixels {
            let bits = pixel.iter().enumerate().try_fold(0, |bits, (at, &value)| {
                (!(50..=200).contains(&value)).then_some(bits | usize::from(value > 200) << at)
            });
            let Some(colour @ 1..=6) = bits else {
                continue;
            };
            let (x, y) = (column as f64, f64::from(row));
            let (count, (across, down)) = found[colour];
            found[colour] = (count + 1.0, (across + x, down + y));
            least = (least.0.min(x), least.1.min(y));
            most = (most.0.max(x), most.1.max(y));
        }
    }
    let middles = COLOURS.map(|colour| {
        let (count, (x, y)) = found[colour];
        assert!(count > 1000.0, "{found:?}");
        (x / count, y / count)
    });
    Bars {
        order: (middles[5].0 - middles[0].0, middles[5].1 - middles[0].1),
        middle: (
            (least.0 + most.0 - stage.0) / 2.0,
            (least.1 + most.1 - stage.1) / 2.0,
        ),
        size: (most.0 - least.0, most.1 - least.1),
    }
}

/// To the right, or downwards, or the other way; 0 for hardly.
fn sign((x, y): Point) -> (i8, i8) {
    let of = |value: f64| match value {
        -20.0..=20.0 => 0,
        value if value > 0.0 => 1,
        _ => -1,
    };
    (of(x), of(y))
}

/// Fails unless the bars follow each other towards `order`, and are on the side `side` of the picture,
/// none of it out of shape or out of sight.
#[track_caller]
fn check<D: Driver>(browser: &mut Browser<D>, order: (i8, i8), side: (i8, i8), when: &str) {
    let is_upright = order.1 == 0;
    let bars = bars(browser);
    // The seventh of a side that has no coloured bar moves the middle along.
    let across = if is_upright {
        (0.0, bars.middle.1)
    } else {
        (bars.middle.0, 0.0)
    };
    assert_eq!(
        (sign(bars.order), sign(across)),
        (order, side),
        "{when}: {bars:?}"
    );
    let seen = seen(browser);
    let (long, most, height) = if is_upright {
        (bars.size.0, seen.size.0, seen.size.1)
    } else {
        (bars.size.1, seen.size.1, seen.size.0)
    };
    let share = long / most;
    assert!((share - 6.0 / 7.0).abs() < 0.02, "{when}: {share} {bars:?}");
    assert!(
        (most / height - 16.0 / 9.0).abs() < 0.01,
        "{when}: {seen:?}"
    );
    let short = if is_upright { bars.size.1 } else { bars.size.0 };
    assert!(
        (short / height - 0.72).abs() < 0.02,
        "{when}: {short} of {height}"
    );
    let room = (seen.stage.0 / seen.size.0, seen.stage.1 / seen.size.1);
    assert!((room.0.min(room.1) - 1.0).abs() < 0.01, "{when}: {seen:?}");
}

fn the_picture_turns_clockwise_and_mirrors<D: Driver>() {
    let camfeed = Camfeed::online(&["--source", WIDE]);
    let mut browser = opened::<D>(&camfeed);
    let (mut order, mut side) = ((1, 0), (0, -1));
    check(&mut browser, order, side, "at first");
    let mut done = String::new();
    // However it stands, `r` turns what is on the screen clockwise, and `m` is a mirror beside it.
    for key in ["r", "r", "m", "r", "r", "r", "m"] {
        done += key;
        browser.key(key);
        let step = |(x, y): (i8, i8)| if key == "r" { (-y, x) } else { (-x, y) };
        (order, side) = (step(order), step(side));
        check(&mut browser, order, side, &done);
    }
    // By hand, too, and in a window that is high.
    browser.key("v");
    browser.resize(600, 900);
    browser.click("turn");
    browser.click("mirror");
    browser.key("v");
    let step = |(x, y): (i8, i8)| (y, x);
    check(&mut browser, step(order), step(side), "by hand");
    assert_eq!(
        browser.eval("document.getElementById('mirror').checked"),
        true
    );
}

fn it_is_remembered_for_this_camera<D: Driver>() {
    let camfeed = Camfeed::online(&["--source", WIDE]);
    let other = Camfeed::online(&["--source", WIDE]);
    let mut browser = opened::<D>(&camfeed);
    for key in ["r", "m"] {
        browser.key(key);
    }
    browser.key("+");
    let mut is_so = |server: &Camfeed, order, side, when| {
        browser.go(&page(server.address, "/"));
        browser.wait_state("live");
        browser.eval(SEEN);
        check(&mut browser, order, side, when);
    };
    is_so(&camfeed, (0, 1), (-1, 0), "loaded again");
    is_so(&other, (1, 0), (0, -1), "another camera");
    is_so(&camfeed, (0, 1), (-1, 0), "back");
}

fn a_picture_that_the_browser_plays_turns_and_moves_too<D: Driver>() {
    let camfeed = Camfeed::online(&["--source", WIDE]);
    let rules = Rules {
        cuts: Some("type=bytes"),
        ..Rules::default()
    };
    let link = TcpProxy::to(camfeed.address, rules);
    let mut browser = Browser::<D>::open_in(&page(link.address, "/"));
    browser.wait_state("live");
    browser.wait("document.getElementById('fallback').naturalWidth === 640");
    browser.eval(SEEN);
    check(&mut browser, (1, 0), (0, -1), "at first");
    browser.key("r");
    check(&mut browser, (0, 1), (1, 0), "turned");
    browser.key("m");
    check(&mut browser, (0, 1), (-1, 0), "and mirrored");
    for _ in 0..4 {
        browser.key("+");
    }
    let (x, y) = seen(&mut browser).corner;
    browser.drag((500.0, 300.0), (520.0, 200.0));
    assert_near(seen(&mut browser).corner, (x + 20.0, y - 100.0), 0.5);
    // What a pause keeps stands where it stood.
    let before = seen(&mut browser).corner;
    browser.key("Space");
    browser.wait_state("paused");
    browser.wait("document.getElementById('fallback').hidden");
    assert_near(seen(&mut browser).corner, before, 0.5);
    // Word of the last part may come later, and shows nothing any more.
    browser.eval("document.getElementById('fallback').dispatchEvent(new Event('load'))");
    assert_eq!(
        browser.eval("document.getElementById('fallback').hidden"),
        true
    );
}
