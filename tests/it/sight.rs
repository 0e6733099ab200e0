//! What people with weak eyes see of the page: its contrasts, dark and light, and in the few colours that a
//! system may force on every page. Parts that are drawn are judged by the pixels of a screenshot. And what
//! a screen reader speaks by itself.

use crate::{
    browser::{Browser, page},
    camfeed::{Camfeed, SMALL},
    fakecam::{FakeCamera, decoded},
};
use opencv::{core::Vec3b, prelude::*};
use serde_json::{Value, json};

/// Of what must be seen to use the page, beside what it stands on (WCAG 2.2, 1.4.11).
const PART: f64 = 3.0;

/// Of text (WCAG 2.2, 1.4.3).
const TEXT: f64 = 4.5;

/// High and wide enough to have all controls in view.
const WINDOW: (u32, u32) = (1280, 2200);

/// The parts of the bar and of the controls, each as `[name, [x, y, width, height], [x, y]]`: in that box is a
/// pixel that stands out against the one beside it. Brightness is at 60 of 255, 128 being its default.
const CONTROLS: &str = "(() => { \
    const box = (selector) => document.querySelector(selector).getBoundingClientRect(); \
    const middle = (it) => it.top + it.height / 2; \
    const line = box('[data-control=brightness] .track svg'); \
    const along = (share) => line.left + share * line.width; \
    const y = middle(line); \
    const on = box('#control-white_balance_automatic'); \
    const off = box('#control-exposure_dynamic_framerate'); \
    const [rate, menu] = [box('#rate'), box('#control-power_line_frequency')]; \
    const [open, focused, dot] = [box('#toggle-controls'), box('#pause'), box('#dot')]; \
    const arrow = (it) => [[it.right - 26, it.top + 12, 20, it.height - 24], [it.right - 8, it.top + 8]]; \
    return [ \
        ['rail', [along(0.9), y - 1, 4, 2], [along(0.9), y - 12]], \
        ['change line', [along(0.4), y - 1, 4, 2], [along(0.4), y - 12]], \
        ['change line on the rail', [along(0.4), y - 3, 1, 6], [along(0.4), y - 12]], \
        ['default mark', [along(128 / 255) - 1, y - 8, 3, 3], [along(128 / 255) + 10, y - 8]], \
        ['thumb', [along(60 / 255) - 2, y - 2, 4, 4], [along(60 / 255), y - 18]], \
        ['switch that is off', [off.left + 2, middle(off), 3, 2], [off.left - 4, middle(off)]], \
        ['its knob', [off.left + 14, middle(off), 4, 2], [off.left + 38, middle(off)]], \
        ['switch that is on', [on.left + 10, middle(on), 4, 2], [on.left - 4, middle(on)]], \
        ['its knob', [on.left + 34, middle(on), 4, 2], [on.left + 12, middle(on)]], \
        ['dot', [dot.left + 3, middle(dot) - 1, 3, 3], [dot.right + 3, middle(dot)]], \
        ['arrow of the rate', ...arrow(rate)], \
        ['arrow of a menu', ...arrow(menu)], \
        ['edge of a menu', [menu.left, middle(menu), 3, 1], [menu.left - 5, middle(menu)]], \
        ['edge of an open panel’s button', [open.left, middle(open), 3, 1], [open.left - 2, middle(open)]], \
        ['focus ring', [focused.left - 5, middle(focused), 4, 1], [focused.left + 4, middle(focused)]], \
    ]; })()";

/// The same of the panel with addresses.
const ADDRESSES: &str = "(() => { \
    const key = document.querySelector('kbd').getBoundingClientRect(); \
    return [['edge of a key', [key.left + 4, key.top - 1, 4, 3], [key.left + 6, key.top - 4]]]; })()";

/// Each text of the page as `[what, its colour, the colours behind it]`; what stands on the picture, on black and on
/// white. Then the pill, its dot and the mark in each tone.
const TEXTS: &str = "(() => { \
    const parse = (colour) => { const [r, g, b, a = 1] = colour.match(/[\\d.]+/g).map(Number); return [r, g, b, a]; }; \
    const over = ([r, g, b, a], below) => [r, g, b].map((c, i) => c * a + below[i] * (1 - a)); \
    const behind = (it, bottom) => { \
        const colour = parse(getComputedStyle(it).backgroundColor); \
        if (colour[3] === 1) return colour.slice(0, 3); \
        const isOnPicture = it.id === 'stage' || !it.parentElement; \
        return over(colour, isOnPicture ? bottom : behind(it.parentElement, bottom)); }; \
    const found = []; \
    const judge = (name, it, property = 'color', ground = it) => { \
        for (const bottom of ground.closest('#stage') ? [[0, 0, 0], [255, 255, 255]] : [[0, 0, 0]]) { \
            const back = ground.closest('#stage') && ground.id !== 'stage' ? behindOnPicture(ground, bottom) : behind(ground, bottom); \
            found.push([name, over(parse(getComputedStyle(it)[property]), back), back]); } }; \
    const behindOnPicture = (it, bottom) => it.id === 'stage' ? bottom \
        : over(parse(getComputedStyle(it).backgroundColor), behindOnPicture(it.parentElement, bottom)); \
    document.querySelector('dd button').classList.add('done'); \
    for (const it of document.querySelectorAll('body *:not(script):not(noscript):not(template):not(:disabled)')) { \
        const text = Array.from(it.childNodes).filter((node) => node.nodeType === 3).map((node) => node.data.trim()).join(''); \
        const isSaid = ['mark', 'health', 'toast', 'notice-title', 'notice-text'].includes(it.id); \
        if ((text || isSaid) && !it.closest('option:disabled, :disabled') && !it.closest('.unseen')) \
            judge((it.id || it.className || it.localName) + ' ' + text.slice(0, 20), it); } \
    for (const tone of ['quiet', 'good', 'warn', 'bad']) { \
        const place = document.createElement('div'); \
        place.dataset.tone = tone; \
        place.append(document.getElementById('pill').cloneNode(true), document.getElementById('mark').cloneNode(true)); \
        document.getElementById('bar').append(place); \
        judge('label, ' + tone, place.querySelector('b')); \
        judge('mark, ' + tone, place.querySelector('#mark')); \
        judge('dot, ' + tone, place.querySelector('#dot'), 'backgroundColor', place.querySelector('#pill')); \
        place.remove(); } \
    return found; })()";

/// The relative luminance of red, green and blue, 0 to 255 (WCAG 2.2).
fn luminance(colour: [f64; 3]) -> f64 {
    let linear = colour.map(|value| match value / 255.0 {
        low if low <= 0.04045 => low / 12.92,
        high => ((high + 0.055) / 1.055).powf(2.4),
    });
    0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
}

/// From 1, for two of one luminance, to 21, for black and white.
fn contrast(one: [f64; 3], other: [f64; 3]) -> f64 {
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

fn numbers<const N: usize>(value: &Value) -> [f64; N] {
    serde_json::from_value::<Vec<f64>>(value.clone())
        .ok()
        .and_then(|all| all.try_into().ok())
        .unwrap_or_else(|| panic!("{N} numbers, not {value}"))
}

/// What a browser shows, by pixels.
struct Seen(Mat);

impl Seen {
    fn of(browser: &mut Browser) -> Seen {
        Seen(decoded(&browser.screenshot()).expect("a picture"))
    }

    fn pixel(&self, x: f64, y: f64) -> [f64; 3] {
        let pixel = self.0.at_2d::<Vec3b>(y as i32, x as i32);
        let pixel = pixel.unwrap_or_else(|_| panic!("{x}, {y} is not in the window"));
        [2, 1, 0].map(|channel| f64::from(pixel[channel]))
    }

    /// The most that a pixel of a box stands out against the one at a point.
    fn contrast(&self, part: &Value) -> f64 {
        let [x, y, width, height] = numbers(&part[1]);
        let [beside_x, beside_y] = numbers(&part[2]);
        let beside = self.pixel(beside_x, beside_y);
        let places = (0..width as u32).flat_map(|dx| (0..height as u32).map(move |dy| (dx, dy)));
        places
            .map(|(dx, dy)| contrast(self.pixel(x + f64::from(dx), y + f64::from(dy)), beside))
            .fold(1.0, f64::max)
    }
}

/// From now on the page's colours are these, and nothing fades.
fn use_colours(browser: &mut Browser, theme: &str, forced: &str) {
    browser.call(
        "Emulation.setEmulatedMedia",
        json!({"features": [
            {"name": "prefers-color-scheme", "value": theme},
            {"name": "forced-colors", "value": forced},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]}),
    );
    browser.wait(&format!(
        "matchMedia('(prefers-color-scheme: {theme})').matches && \
         matchMedia('(forced-colors: {forced})').matches"
    ));
}

/// A page with the controls of a camera open, as [`CONTROLS`] says.
fn with_controls(camfeed: &Camfeed) -> Browser {
    let mut browser = Browser::open(&page(camfeed.address, "/"));
    browser.resize(WINDOW.0, WINDOW.1);
    browser.wait_state("live");
    browser.wait("!document.getElementById('toggle-controls').hidden");
    browser.key("c");
    browser.wait("document.getElementById('control-exposure_dynamic_framerate') !== null");
    browser.eval(
        "(() => { const slider = document.getElementById('control-brightness'); \
         slider.value = 60; slider.dispatchEvent(new Event('input')); \
         document.getElementById('pause').focus(); })()",
    );
    browser.wait(
        "document.getElementById('control-white_balance_automatic').checked && \
         !document.getElementById('control-exposure_dynamic_framerate').checked",
    );
    browser
}

/// Every part of `parts` stands out.
fn are_seen(browser: &mut Browser, parts: &str, at: &str) {
    let parts = browser.eval(parts);
    let seen = Seen::of(browser);
    let faint: Vec<_> = parts
        .as_array()
        .expect("parts")
        .iter()
        .map(|part| (part[0].to_string(), seen.contrast(part)))
        .filter(|(_, contrast)| *contrast < PART)
        .collect();
    assert!(faint.is_empty(), "{at}: {faint:?}");
}

#[test]
fn parts_stand_out_in_every_theme_and_in_forced_colours() {
    let camera = FakeCamera::new("");
    let camfeed = camera.online(&["--source", "/dev/video0", "--size", "640x480"]);
    let mut browser = with_controls(&camfeed);
    let all = [
        ("dark", "none"),
        ("light", "none"),
        ("dark", "active"),
        ("light", "active"),
    ];
    for (theme, forced) in all {
        let at = format!("{theme}, forced: {forced}");
        use_colours(&mut browser, theme, forced);
        are_seen(&mut browser, CONTROLS, &at);
    }
    browser.key("?");
    for (theme, forced) in all {
        let at = format!("{theme}, forced: {forced}");
        use_colours(&mut browser, theme, forced);
        are_seen(&mut browser, ADDRESSES, &at);
    }
}

#[test]
fn text_stands_out_in_every_theme() {
    let camera = FakeCamera::new("");
    let camfeed = camera.online(&["--source", "/dev/video0", "--size", "640x480"]);
    let mut browser = with_controls(&camfeed);
    for theme in ["dark", "light"] {
        use_colours(&mut browser, theme, "none");
        let texts = browser.eval(TEXTS);
        let texts = texts.as_array().expect("texts");
        assert!(texts.len() > 80, "{}", texts.len());
        let faint: Vec<_> = texts
            .iter()
            .map(|text| {
                let contrast = contrast(numbers(&text[1]), numbers(&text[2]));
                (text[0].as_str().expect("a name"), contrast)
            })
            .filter(|(name, contrast)| {
                *contrast < if name.starts_with("dot") { PART } else { TEXT }
            })
            .collect();
        assert!(faint.is_empty(), "{theme}: {faint:?}");
    }
}

#[test]
fn forced_colours_tell_states_apart() {
    let camera = FakeCamera::new("");
    let camfeed = camera.online(&["--source", "/dev/video0", "--size", "640x480"]);
    let mut browser = with_controls(&camfeed);
    for theme in ["dark", "light"] {
        use_colours(&mut browser, theme, "active");
        // A background tells nothing here: what lies on something else has an edge.
        let bare = browser.eval(
            "['#mark', '#health', '#toast', '#notice', '#pill', '#addresses dd', '#snapshot', '#rate', 'kbd'] \
             .filter((it) => parseFloat(getComputedStyle(document.querySelector(it)).borderTopWidth) < 1).join()",
        );
        assert_eq!(bare, "", "{theme}");
        // A slider that cannot be moved, and a button that cannot be pressed.
        let looks = "((selector, property, pseudo) => \
            getComputedStyle(document.querySelector(selector), pseudo)[property])";
        for (selector, property, other) in [
            (
                "[data-control=brightness] .rail",
                "stroke",
                "[data-control=white_balance_temperature] .rail",
            ),
            (
                "[data-control=brightness] .less",
                "color",
                "[data-control=white_balance_temperature] .less",
            ),
            ("#toggle-addresses", "backgroundColor", "#toggle-controls"),
        ] {
            let one = browser.eval(&format!("{looks}('{selector}', '{property}')"));
            let two = browser.eval(&format!("{looks}('{other}', '{property}')"));
            assert_ne!(one, two, "{theme}: {selector} and {other}");
        }
        // The pill of each tone.
        let pills = browser.eval(
            "new Set(['quiet', 'good', 'bad'].map((tone) => { \
                const place = document.createElement('div'); \
                place.dataset.tone = tone; \
                place.append(document.getElementById('pill').cloneNode(true)); \
                document.documentElement.append(place); \
                const look = ['pill', 'dot'].map((id) => getComputedStyle(place.querySelector('#' + id)).backgroundColor); \
                place.remove(); \
                return look.join(); })).size",
        );
        assert_eq!(pills, 3, "{theme}");
    }
}

#[test]
fn forced_colours_keep_the_veil_of_a_picture_that_is_not_live() {
    let camfeed = Camfeed::online(&["--source", SMALL]);
    let mut browser = Browser::open(&page(camfeed.address, "/"));
    browser.wait_state("live");
    use_colours(&mut browser, "dark", "active");
    // The middle of the pattern's white bar, the first one.
    let bar = "(() => { const it = document.getElementById('stage').getBoundingClientRect(); \
        const scale = Math.min(it.width / 320, it.height / 240); \
        return [it.left + it.width / 2 - 140 * scale, it.top + it.height / 2]; })()";
    let [x, y] = numbers(&browser.eval(bar));
    let live = luminance(Seen::of(&mut browser).pixel(x, y));
    browser.key("Space");
    browser.wait_state("paused");
    let paused = luminance(Seen::of(&mut browser).pixel(x, y));
    assert!(paused < 0.7 * live, "{paused} of {live}");
}

#[test]
fn only_the_state_s_words_and_the_toast_are_spoken_by_themselves() {
    let camera = FakeCamera::new("");
    let camfeed = camera.online(&["--source", "/dev/video0", "--size", "640x480"]);
    let mut browser = with_controls(&camfeed);
    // An <output> speaks unless told not to, and the numbers of the controls and the bar change all the time.
    let spoken = browser.eval(
        "Array.from(document.querySelectorAll('[role=status], [role=alert], [role=log], [aria-live], output')) \
         .filter((it) => it.getAttribute('aria-live') !== 'off').map((it) => it.id || it.localName).sort().join()",
    );
    assert_eq!(spoken, "announce,toast");
    // What is not rendered when it gets its text is not spoken.
    let is_rendered = browser.eval(
        "['announce', 'toast'].every((id) => { \
            const look = getComputedStyle(document.getElementById(id)); \
            return look.display !== 'none' && look.visibility === 'visible'; })",
    );
    assert_eq!(is_rendered, true);
}
