//! The picture under fingers, and under what else only Chromium can be told: see `view`.

use crate::{
    browser::{Browser, Point, Scripts, page},
    camfeed::{Camfeed, SMALL},
    view::{COVERED, SEEN, assert_near, opened, seen},
};
use serde_json::{Value, json};

const AT: Point = (195.0, 330.0);

/// A phone with the page of a camera.
fn phone() -> (Camfeed, Browser) {
    let camfeed = Camfeed::online(&["--source", SMALL]);
    let mut browser = Browser::start();
    browser.be_touched(390, 844);
    browser.go(&page(camfeed.address, "/"));
    browser.wait_state("live");
    browser.eval(SEEN);
    (camfeed, browser)
}

/// The picture's zoom; the page itself has none.
fn zoom(browser: &mut Browser) -> f64 {
    let zoom = seen(browser).zoom;
    assert!((browser.page_scale() - 1.0).abs() < 1e-9);
    zoom
}

/// Draws two fingers from where they are to where they go, in so many steps.
fn draw(browser: &mut Browser, from: [Point; 2], to: [Point; 2], steps: u32) {
    let touch = |browser: &mut Browser, kind: &str, share: f64| {
        let points: Vec<Value> = (0..2)
            .map(|id| {
                let (a, b) = (from[id], to[id]);
                json!({"id": id, "x": a.0 + (b.0 - a.0) * share, "y": a.1 + (b.1 - a.1) * share})
            })
            .collect();
        let params = json!({"type": kind, "touchPoints": points});
        browser.call("Input.dispatchTouchEvent", params);
    };
    touch(browser, "touchStart", 0.0);
    for step in 1..=steps {
        touch(browser, "touchMove", f64::from(step) / f64::from(steps));
    }
    let params = json!({"type": "touchEnd", "touchPoints": []});
    browser.call("Input.dispatchTouchEvent", params);
}

#[test]
fn two_fingers_zoom_the_picture_and_move_it() {
    let (_camfeed, mut browser) = phone();
    let before = seen(&mut browser);
    browser.pinch(AT, 3.0);
    let zoomed = seen(&mut browser);
    assert!((zoomed.zoom - 3.0).abs() < 0.1, "{zoomed:?}");
    assert_near((zoomed.at(AT).0, 0.0), (before.at(AT).0, 0.0), 0.03); // High up there is room.
    let (x, y) = zoomed.corner;
    // Both go down to the right.
    let from = [(150.0, 300.0), (250.0, 300.0)];
    draw(&mut browser, from, [(190.0, 330.0), (290.0, 330.0)], 8);
    let moved = seen(&mut browser);
    assert!((moved.zoom - 3.0).abs() < 0.1, "{moved:?}");
    assert_near(moved.corner, (x + 40.0, y + 30.0), 1.0);
    browser.swipe(AT, (155.0, 300.0));
    assert_near(seen(&mut browser).corner, zoomed.corner, 1.0);
    browser.pinch(AT, 0.3);
    assert!((zoom(&mut browser) - 1.0).abs() < 1e-9);
    // Slowly, a pixel at a time.
    let to = [(100.0, 300.0), (300.0, 300.0)];
    draw(&mut browser, from, to, 50);
    let slow = zoom(&mut browser);
    assert!((slow - 2.0).abs() < 0.1, "{slow}");
    browser.pinch(AT, 4.0);
    browser.pinch(AT, 4.0);
    assert!((zoom(&mut browser) - 8.0).abs() < 1e-9);
    assert_eq!(browser.eval("getSelection().toString()"), "");
}

#[test]
fn a_double_tap_zooms_there_and_back() {
    let (_camfeed, mut browser) = phone();
    let at = (100.0, 330.0);
    let before = seen(&mut browser);
    browser.double_tap(at);
    let zoomed = seen(&mut browser);
    assert!((zoomed.zoom - 2.5).abs() < 1e-9, "{zoomed:?}");
    assert_near((zoomed.at(at).0, 0.0), (before.at(at).0, 0.0), 0.01); // High up there is room.
    browser.double_tap((300.0, 400.0));
    assert!((zoom(&mut browser) - 1.0).abs() < 1e-9);
    // One tap does nothing, nor do two that are apart, or come after two fingers.
    browser.tap((60.0, 330.0));
    browser.tap((330.0, 330.0));
    assert!((zoom(&mut browser) - 1.0).abs() < 1e-9);
    let still = [(195.0, 500.0), (330.0, 500.0)];
    draw(&mut browser, still, [still[0], (331.0, 500.0)], 1);
    browser.tap(still[0]);
    browser.tap((20.0, 100.0));
    assert!(zoom(&mut browser) < 1.1);
    assert_eq!(browser.eval("document.fullscreenElement"), Value::Null);
}

#[test]
fn fingers_on_the_badge_and_on_a_toast_do_what_they_should() {
    let (_camfeed, mut browser) = phone();
    browser.import(&["page"]);
    browser.pinch(AT, 3.0);
    browser.eval("toast('Saved camfeed-20260101T000000.000Z.jpg')");
    assert_eq!(browser.eval(COVERED), "");
    let toast = browser.middle("toast");
    draw(
        &mut browser,
        [toast, (toast.0, 300.0)],
        [toast, (toast.0, 200.0)],
        8,
    );
    assert!(zoom(&mut browser) > 3.2);
    let badge = browser.middle("zoom");
    browser.pinch((badge.0 + 60.0, badge.1), 2.0);
    zoom(&mut browser);
    browser.key("+");
    browser.tap(badge);
    browser.wait("document.getElementById('zoom').hidden");
    // The next tap there is the first of a picture.
    browser.tap(badge);
    assert!((zoom(&mut browser) - 1.0).abs() < 1e-9);
}

#[test]
fn on_a_phone_nothing_covers_the_buttons() {
    let (_camfeed, mut browser) = phone();
    browser.import(&["page"]);
    browser.pinch(AT, 4.0);
    browser.pinch(AT, 4.0);
    for (width, height) in [(390, 844), (844, 390), (360, 640)] {
        for keys in [&[][..], &["r", "m"], &["f"], &["f"]] {
            browser.be_touched(width, height);
            for key in keys {
                browser.key(key);
            }
            if keys == ["f"] {
                browser.wait("document.body.classList.contains('full') === Boolean(document.fullscreenElement)");
            }
            browser.eval("toast('Saved camfeed-20260101T000000.000Z.jpg')");
            let seen = seen(&mut browser);
            assert!((seen.zoom - 8.0).abs() < 1e-9);
            let when = format!("{width}x{height} after {keys:?}");
            assert_eq!(browser.eval(COVERED), "", "{when}");
            assert_eq!(browser.eval("scrollX + scrollY"), 0, "{when}");
        }
    }
}

#[test]
fn the_browser_s_own_keys_stay_its_own() {
    let camfeed = Camfeed::online(&["--source", SMALL]);
    let mut browser: Browser = opened(&camfeed);
    browser.eval(
        "window.kept = []; addEventListener('keydown', (event) => kept.push(event.defaultPrevented)); true",
    );
    browser.key("+");
    let before = browser.eval("document.getElementById('pane').style.transform");
    // Alt, Ctrl, Meta.
    for modifier in [1, 2, 4] {
        for key in ["r", "m", "+", "-", "0", "ArrowLeft", "p", "v"] {
            for kind in ["rawKeyDown", "keyUp"] {
                browser.call(
                    "Input.dispatchKeyEvent",
                    json!({"type": kind, "key": key, "modifiers": modifier}),
                );
            }
        }
    }
    assert_eq!(
        browser.eval("kept.length === 25 && kept.slice(1).includes(true)"),
        false
    );
    assert_eq!(browser.eval("kept.length"), 25);
    let after = browser.eval("document.getElementById('pane').style.transform");
    assert_eq!(after, before);
}

#[test]
fn a_double_click_fills_the_screen_and_two_drags_do_not() {
    let camfeed = Camfeed::online(&["--source", SMALL]);
    let mut browser: Browser = opened(&camfeed);
    browser.eval(
        "window.asked = 0; const root = document.documentElement; const fill = root.requestFullscreen; \
         root.requestFullscreen = () => { asked += 1; return fill.call(root); }; true",
    );
    browser.key("+");
    // Faster than two clicks may follow each other, from one place.
    for count in [1, 2] {
        for (kind, x, buttons) in [("Pressed", 300, 1), ("Moved", 330, 1), ("Released", 330, 0)] {
            browser.call(
                "Input.dispatchMouseEvent",
                json!({"type": format!("mouse{kind}"), "x": x, "y": 200, "button": "left",
                    "buttons": buttons, "clickCount": count}),
            );
        }
    }
    browser.double_click_at((300.0, 200.0));
    browser.wait("document.fullscreenElement !== null");
    assert_eq!(browser.eval("asked"), 1);
    browser.double_click_at((300.0, 200.0));
    browser.wait("document.fullscreenElement === null");
}

#[test]
fn the_notice_s_words_can_be_marked() {
    let camfeed = Camfeed::start(&["--source", "/none/such.avi"]);
    let mut browser = Browser::open(&page(camfeed.address, "/"));
    browser.wait_state("offline");
    browser.eval(SEEN);
    browser.key("+");
    let before = seen(&mut browser).corner;
    let at = browser.middle("notice-title");
    browser.double_click_at(at);
    browser.wait("getSelection().toString().trim().length > 1");
    browser.drag(at, (at.0 + 60.0, at.1));
    assert_near(seen(&mut browser).corner, before, 0.1);
    assert_eq!(browser.eval("document.fullscreenElement"), Value::Null);
}

#[test]
fn all_of_it_works_where_nothing_can_be_remembered() {
    let camfeed = Camfeed::online(&["--source", SMALL]);
    let mut browser = Browser::start();
    browser.call("Page.enable", json!({}));
    let script =
        "Object.defineProperty(window, 'localStorage', { get() { throw new Error('blocked'); } });";
    browser.call(
        "Page.addScriptToEvaluateOnNewDocument",
        json!({"source": script}),
    );
    browser.go(&page(camfeed.address, "/"));
    browser.wait_state("live");
    browser.eval(SEEN);
    for key in ["r", "m", "+"] {
        browser.key(key);
    }
    assert!((seen(&mut browser).zoom - 1.5).abs() < 0.01);
    let transform = browser.eval("document.getElementById('pane').style.transform");
    let transform = transform.as_str().expect("text");
    assert!(
        transform.ends_with("scaleX(-1) rotate(90deg)"),
        "{transform}"
    );
}

#[test]
fn without_javascript_the_page_itself_zooms() {
    let camfeed = Camfeed::online(&["--source", SMALL]);
    let mut browser: Browser = Browser::start_with(Scripts::Off);
    browser.be_touched(390, 844);
    browser.go(&page(camfeed.address, "/"));
    camfeed.wait_log("viewer joined");
    browser.wait("document.querySelector('#stage img.plain').naturalWidth === 320");
    browser.pinch(AT, 3.0);
    browser.wait("visualViewport.scale > 1.5");
}
