//! The picture as a viewer wants it: zoomed and moved with keys and the mouse, in all engines. See
//! `turns` for turned pictures, and `view_touch` for fingers.

use crate::{
    browser::{Browser, Chromium, Driver, Firefox, Point, WebKit, page},
    camfeed::{Camfeed, SMALL},
    engines::engines,
    fakecam::FakeCamera,
};
use serde_json::json;

engines! {
    chromium: Chromium,
    firefox: Firefox,
    webkit: WebKit,
    {
        the_wheel_zooms_at_the_mouse,
        keys_and_buttons_zoom,
        dragging_and_arrow_keys_move_a_zoomed_picture,
        arrow_keys_belong_to_what_has_the_focus,
        a_double_click_is_full_screen_and_nothing_else_is,
        a_snapshot_is_the_whole_picture,
        what_is_in_the_middle_stays_there,
        nothing_covers_the_buttons,
    }
}

/// `seen()`: the zoom, and the place of the picture on the stage, which is in the window's corner.
pub const SEEN: &str = "(() => { window.seen = () => { const it = (id) => document.getElementById(id); \
    const shown = it('fallback').hidden ? it('picture') : it('fallback'); \
    const box = shown.getBoundingClientRect(); \
    const size = [shown.naturalWidth || shown.width, shown.naturalHeight || shown.height]; \
    if (/rotate\\((90|270)/.test(it('pane').style.transform)) size.reverse(); \
    const fit = Math.min(box.width / size[0], box.height / size[1]); \
    const [width, height] = size.map((length) => length * fit); \
    return [Number(it('stage').dataset.zoom), box.x + (box.width - width) / 2, \
        box.y + (box.height - height) / 2, width, height, it('stage').clientWidth, it('stage').clientHeight]; }; })()";

/// Keeps what the page saves in place of a download.
const KEEP_SAVED: &str = "(() => { window.saved = null; URL.createObjectURL = (blob) => { saved = blob; return '#'; }; \
    HTMLAnchorElement.prototype.click = () => {}; })()";

/// What `seen()` said.
#[derive(Debug)]
pub struct Seen {
    pub zoom: f64,
    pub corner: Point,
    pub size: Point,
    pub stage: Point,
}

impl Seen {
    /// The part of the picture at a point of the window: (0, 0) is its left upper corner.
    pub fn at(&self, (x, y): Point) -> Point {
        (
            (x - self.corner.0) / self.size.0,
            (y - self.corner.1) / self.size.1,
        )
    }

    pub fn middle(&self) -> Point {
        self.at((self.stage.0 / 2.0, self.stage.1 / 2.0))
    }

    /// Fails unless the picture covers the stage, or stands in its middle, each way.
    pub fn check(&self) {
        for (corner, size, stage) in [
            (self.corner.0, self.size.0, self.stage.0),
            (self.corner.1, self.size.1, self.stage.1),
        ] {
            let is_covering = corner < 0.6 && corner + size > stage - 0.6;
            let is_centred = (corner + size / 2.0 - stage / 2.0).abs() < 0.6;
            assert!(
                if size > stage {
                    is_covering
                } else {
                    is_centred
                },
                "{self:?}"
            );
        }
    }
}

/// Once all that was done is on the screen.
pub fn seen<D: Driver>(browser: &mut Browser<D>) -> Seen {
    let values = browser.eval(
        "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(seen()))))",
    );
    let [zoom, x, y, width, height, across, down]: [f64; 7] =
        serde_json::from_value(values).expect("numbers");
    let seen = Seen {
        zoom,
        corner: (x, y),
        size: (width, height),
        stage: (across, down),
    };
    seen.check();
    seen
}

#[track_caller]
pub fn assert_near(one: Point, other: Point, most: f64) {
    let apart = (one.0 - other.0).hypot(one.1 - other.1);
    assert!(apart <= most, "{one:?} is not {other:?}");
}

pub fn opened<D: Driver>(camfeed: &Camfeed) -> Browser<D> {
    let mut browser = Browser::<D>::open_in(&page(camfeed.address, "/"));
    browser.resize(1000, 700);
    browser.wait_state("live");
    browser.eval(SEEN);
    browser
}

const AT: Point = (300.0, 200.0);

fn the_wheel_zooms_at_the_mouse<D: Driver>() {
    let camfeed = Camfeed::online(&["--source", SMALL]);
    let mut browser = opened::<D>(&camfeed);
    let before = seen(&mut browser);
    assert!(before.zoom == 1.0, "{before:?}");
    // From where it covers the stage on.
    browser.wheel(AT, -120.0);
    browser.wheel(AT, -120.0);
    let under = seen(&mut browser).at(AT);
    for zoom in [5.4, 8.0, 8.0] {
        for _ in 0..5 {
            browser.wheel(AT, -120.0);
            assert_near(seen(&mut browser).at(AT), under, 0.002);
        }
        let zoomed = seen(&mut browser).zoom;
        assert!((zoomed - zoom).abs() < 0.1, "{zoomed}, not {zoom}");
    }
    // Out again elsewhere, further than there is.
    for _ in 0..30 {
        browser.wheel((40.0, 500.0), 120.0);
        seen(&mut browser);
    }
    let out = seen(&mut browser);
    assert!(out.zoom == 1.0, "{out:?}");
    assert_near(out.corner, before.corner, 0.1);
    // A touchpad turns it by a few pixels at a time.
    for _ in 0..40 {
        browser.wheel(AT, -4.0);
    }
    let zoomed = seen(&mut browser);
    assert!((1.3..1.5).contains(&zoomed.zoom), "{zoomed:?}");
}

fn keys_and_buttons_zoom<D: Driver>() {
    let camfeed = Camfeed::online(&["--source", SMALL]);
    let mut browser = opened::<D>(&camfeed);
    let badge =
        "document.getElementById('zoom').hidden || document.getElementById('zoom').textContent";
    assert_eq!(browser.eval(badge), true);
    for (key, zoom) in [
        ("+", 1.5),
        ("-", 1.0),
        ("-", 1.0),
        ("=", 1.5),
        ("+", 2.25),
        ("0", 1.0),
    ] {
        browser.key(key);
        let now = seen(&mut browser).zoom;
        assert!((now - zoom).abs() < 0.01, "{key}: {now}, not {zoom}");
    }
    for _ in 0..7 {
        browser.key("+");
    }
    assert!((seen(&mut browser).zoom - 8.0).abs() < 0.01);
    assert_eq!(browser.eval(badge), "8×");
    browser.click("zoom");
    assert!((seen(&mut browser).zoom - 1.0).abs() < 0.01);
    assert_eq!(browser.eval(badge), true);

    browser.key("v");
    browser.click("zoom-in");
    browser.click("zoom-in");
    browser.click("zoom-out");
    assert!((seen(&mut browser).zoom - 1.5).abs() < 0.01);
    let said = "document.getElementById('zoom-now').textContent";
    assert_eq!(browser.eval(said), "1.5×");
    // Keys still come from a button that is of no more use. (Firefox's driver presses none by Enter.)
    browser.eval(
        "['focus', 'click'].forEach((what) => document.getElementById('zoom-whole')[what]())",
    );
    assert!((seen(&mut browser).zoom - 1.0).abs() < 0.01);
    browser.key("+");
    assert!((seen(&mut browser).zoom - 1.5).abs() < 0.01);
}

fn dragging_and_arrow_keys_move_a_zoomed_picture<D: Driver>() {
    let camfeed = Camfeed::online(&["--source", SMALL]);
    let mut browser = opened::<D>(&camfeed);
    let start = seen(&mut browser);
    for action in ["drag", "ArrowLeft", "ArrowDown"] {
        match action {
            "drag" => browser.drag(AT, (400.0, 300.0)),
            key => browser.key(key),
        }
        assert_near(seen(&mut browser).corner, start.corner, 0.1);
    }
    for _ in 0..3 {
        browser.key("+");
    }
    let before = seen(&mut browser);
    browser.drag(AT, (380.0, 150.0));
    let after = seen(&mut browser);
    let (x, y) = before.corner;
    assert_near(after.corner, (x + 80.0, y - 50.0), 0.5);
    for (key, right, down) in [
        ("ArrowRight", 1.0, 0.0),
        ("ArrowUp", 0.0, -1.0),
        ("ArrowLeft", -1.0, 0.0),
        ("ArrowDown", 0.0, 1.0),
    ] {
        let (x, y) = seen(&mut browser).corner;
        browser.key(key);
        let (across, down) = (before.stage.0 * 0.15 * right, before.stage.1 * 0.15 * down);
        assert_near(seen(&mut browser).corner, (x - across, y - down), 0.5);
    }
    // However far it is drawn, it covers the stage, to its corner.
    for (to, corner) in [((990.0, 570.0), true), ((10.0, 10.0), false)] {
        let from = if corner { (10.0, 10.0) } else { (990.0, 570.0) };
        for _ in 0..8 {
            browser.drag(from, to);
            seen(&mut browser);
        }
        let Seen {
            corner: at,
            size,
            stage,
            ..
        } = seen(&mut browser);
        let end = if corner {
            (0.0, 0.0)
        } else {
            (stage.0 - size.0, stage.1 - size.1)
        };
        assert_near(at, end, 0.6);
    }
    let marked = "getSelection().toString()";
    assert_eq!(browser.eval(marked), "");
    let pages = "[scrollX, scrollY, document.documentElement.scrollWidth > innerWidth]";
    assert_eq!(browser.eval(pages), json!([0, 0, false]));
}

fn arrow_keys_belong_to_what_has_the_focus<D: Driver>() {
    let camera = FakeCamera::new("");
    let camfeed = camera.online(&["--source", "/dev/video0", "--size", "640x480"]);
    let mut browser = opened::<D>(&camfeed);
    browser.key("+");
    browser.key("+");
    browser.wait("!document.getElementById('toggle-controls').hidden");
    browser.key("c");
    browser.wait("document.querySelector('#controls [type=range]') !== null");
    for focus in ["#controls [type=range]", "#rate"] {
        browser.eval(&format!("document.querySelector('{focus}').focus()"));
        let before = seen(&mut browser);
        for key in ["ArrowRight", "ArrowDown", "ArrowLeft", "ArrowUp"] {
            browser.key(key);
            assert_near(seen(&mut browser).corner, before.corner, 0.1);
        }
    }
}

fn a_double_click_is_full_screen_and_nothing_else_is<D: Driver>() {
    let camfeed = Camfeed::online(&["--source", SMALL]);
    let mut browser = opened::<D>(&camfeed);
    browser.eval(
        "(() => { window.asked = 0; document.documentElement.requestFullscreen = () => { asked += 1; }; })()",
    );
    browser.double_click_at(AT);
    browser.wait("asked === 1");
    assert_eq!(browser.eval("getSelection().toString()"), "");
    // Not two that are apart.
    browser.click_at(AT);
    browser.eval("new Promise((done) => setTimeout(done, 1500))");
    browser.click_at(AT);
    // Nor a click on the badge, which goes away at once, and another.
    browser.key("+");
    let badge = browser.middle("zoom");
    browser.double_click_at(badge);
    let now = seen(&mut browser);
    assert!(now.zoom == 1.0, "{now:?}");
    browser.key("+");
    browser.drag(AT, (330.0, 200.0));
    browser.drag(AT, (330.0, 200.0));
    seen(&mut browser);
    assert_eq!(browser.eval("asked"), 1);
}

fn a_snapshot_is_the_whole_picture<D: Driver>() {
    let camfeed = Camfeed::online(&["--source", SMALL]);
    let mut browser = opened::<D>(&camfeed);
    browser.eval(KEEP_SAVED);
    let size = "createImageBitmap(saved).then((image) => [image.width, image.height])";
    for keys in [&["+", "+", "ArrowLeft"][..], &["r"], &["m"], &["Space"]] {
        for key in keys {
            browser.key(key);
        }
        if keys == ["Space"] {
            browser.wait_state("paused");
        }
        browser.eval("saved = null");
        browser.key("s");
        browser.wait("saved !== null");
        assert_eq!(browser.eval(size), json!([320, 240]), "after {keys:?}");
    }
}

fn what_is_in_the_middle_stays_there<D: Driver>() {
    let camfeed = Camfeed::online(&["--source", SMALL]);
    let address = camfeed.address.to_string();
    let mut browser = opened::<D>(&camfeed);
    for _ in 0..6 {
        browser.wheel((350.0, 300.0), -120.0);
    }
    let middle = seen(&mut browser).middle();
    for (width, height) in [(1280, 720), (600, 800), (900, 500), (1000, 700)] {
        browser.resize(width, height);
        assert_near(seen(&mut browser).middle(), middle, 0.005);
    }
    browser.key("v");
    assert_near(seen(&mut browser).middle(), middle, 0.005);
    browser.key("v");
    // A quarter clockwise, and as in a mirror: the same part, from its new left upper corner.
    browser.key("r");
    let turned = (1.0 - middle.1, middle.0);
    assert_near(seen(&mut browser).middle(), turned, 0.01);
    browser.key("m");
    assert_near(
        seen(&mut browser).middle(),
        (1.0 - turned.0, turned.1),
        0.01,
    );
    browser.key("m");
    for _ in 0..3 {
        browser.key("r");
    }
    assert_near(seen(&mut browser).middle(), middle, 0.01);
    // A camera with other pictures.
    drop(camfeed);
    let _camfeed = Camfeed::start_at(&address, &["--source", "test:320x180@30"]);
    browser.wait("document.getElementById('picture').height === 180");
    browser.wait_state("live");
    assert_near(seen(&mut browser).middle(), middle, 0.05);
}

fn nothing_covers_the_buttons<D: Driver>() {
    let camfeed = Camfeed::online(&["--source", SMALL]);
    let mut browser = opened::<D>(&camfeed);
    browser.import(&["page"]);
    for _ in 0..7 {
        browser.key("+");
    }
    for (width, height) in [(1280, 800), (1000, 700), (700, 900)] {
        browser.resize(width, height);
        browser.eval("toast('Saved camfeed-20260101T000000.000Z.jpg')");
        seen(&mut browser);
        assert_eq!(browser.eval(COVERED), "", "{width}x{height}");
    }
}

/// What of the bar, and which badge, is not wholly in the window or not on top.
pub const COVERED: &str = "Array.from(document.querySelectorAll('#bar button, #bar select, #pill, #age, #zoom')) \
    .filter((it) => it.offsetParent).filter((it) => { const box = it.getBoundingClientRect(); \
        const top = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2); \
        return box.left < 0 || box.top < 0 || box.right > innerWidth || box.bottom > innerHeight || !it.contains(top); }) \
    .map((it) => it.id).join()";
