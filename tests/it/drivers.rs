//! What the tests tell browsers to do is really done, in each engine that can: on small pages of a
//! site of their own.

use crate::{
    browser::{Browser, Chromium, Driver, Firefox, Point, WebKit, page},
    engines::engines,
    site::Site,
};
use serde_json::{Value, json};

engines! {
    chromium: Chromium,
    firefox: Firefox,
    webkit: WebKit,
    {
        modules_are_the_page_s_own,
        keys_are_pressed,
        the_mouse_clicks,
        the_mouse_drags,
        the_wheel_turns,
        a_page_without_listeners_takes_all_of_it,
        the_page_is_as_large_as_told,
    }
}

/// A page that notes what is done to it, and one that does not care.
const PAGES: &[(&str, &str)] = &[
    (
        "/",
        "<!doctype html><meta name=viewport content='width=device-width'>
         <link rel=modulepreload href='static/notes.js'>
         <body><button id=button>button</button><script type=module src='static/main.js'></script>",
    ),
    (
        "/token/",
        "<!doctype html><body><script type=module src='static/main.js?token=a%2Bb'></script>",
    ),
    ("/plain", "<!doctype html><body>plain"),
    ("/static/main.js", MAIN),
    ("/static/notes.js", NOTES),
    (
        "/token/static/main.js",
        "import { notes } from './notes.js?token=a%2Bb'; window.pageNotes = notes;",
    ),
    ("/token/static/notes.js", NOTES),
];

const MAIN: &str = "import { notes, note } from './notes.js';
window.pageNotes = notes;
for (const type of ['click', 'dblclick']) addEventListener(type, () => note([type]));
for (const type of ['pointerdown', 'pointermove', 'pointerup']) {
  addEventListener(type, event => note([type, event.clientX, event.clientY, event.buttons]));
}
addEventListener('keydown', event => { event.preventDefault(); note([event.key]); });
addEventListener('wheel', event => note([event.clientX, event.clientY, event.deltaY]));
document.body.dataset.state = 'ready';";

const NOTES: &str = "export const notes = [];
export let count = 0;
export function note(what) { notes.push(what); count += 1; }";

/// A browser with the page that notes what is done to it.
fn noting<D: Driver>() -> Browser<D> {
    let site = Site::of(PAGES);
    let mut browser = Browser::<D>::open_in(&page(site.address, "/"));
    browser.wait_state("ready");
    browser
}

/// What was noted, once it is `count` notes.
fn notes<D: Driver>(browser: &mut Browser<D>, count: usize) -> Value {
    browser.wait(&format!("pageNotes.length >= {count}"));
    browser.eval("pageNotes.splice(0)")
}

fn modules_are_the_page_s_own<D: Driver>() {
    let mut browser = noting::<D>();
    browser.import(&["main", "notes"]);
    assert_eq!(browser.eval("notes === pageNotes"), true);
    browser.eval("note('by a test')");
    assert_eq!(
        browser.eval("[count, pageNotes]"),
        json!([1, ["by a test"]])
    );

    let site = Site::of(PAGES);
    browser.go(&page(site.address, "/token/?token=a%2Bb"));
    browser.wait("Boolean(window.pageNotes)");
    browser.import(&["notes"]);
    assert_eq!(browser.eval("notes === pageNotes"), true);
}

fn keys_are_pressed<D: Driver>() {
    let mut browser = noting::<D>();
    let names = [
        "a",
        "r",
        "+",
        "-",
        "0",
        "7",
        "?",
        "Escape",
        "Space",
        "Enter",
        "Tab",
        "ArrowLeft",
        "ArrowUp",
        "ArrowRight",
        "ArrowDown",
    ];
    for name in names {
        browser.key(name);
    }
    let expected: Vec<_> = names
        .map(|name| [if name == "Space" { " " } else { name }])
        .into();
    assert_eq!(notes(&mut browser, names.len()), json!(expected));
}

/// The middles of the places are whole pixels, which is all that WebDriver knows.
const AT: Point = (300.0, 200.0);

fn the_mouse_clicks<D: Driver>() {
    let mut browser = noting::<D>();
    browser.eval("document.getElementById('button').onclick = () => { pageNotes.push('button'); }");
    browser.click("button");
    let words = |notes: &Value| -> Vec<String> {
        let notes = notes.as_array().expect("a list").iter();
        let word = |note: &Value| note.as_str().or(note[0].as_str()).map(str::to_owned);
        notes
            .filter_map(word)
            .filter(|word| word != "pointermove")
            .collect()
    };
    let clicked = words(&notes(&mut browser, 5));
    assert_eq!(clicked, ["pointerdown", "pointerup", "button", "click"]);
    browser.double_click_at(AT);
    browser.wait("pageNotes.some(note => note[0] === 'dblclick')");
    let once = ["pointerdown", "pointerup", "click"];
    let twice = [&once[..], &once[..], &["dblclick"]].concat();
    assert_eq!(words(&notes(&mut browser, 1)), twice);
}

fn the_mouse_drags<D: Driver>() {
    let mut browser = noting::<D>();
    browser.drag(AT, (380.0, 160.0));
    browser.wait("pageNotes.some(note => note[0] === 'click')");
    let notes = notes(&mut browser, 1);
    let notes = notes.as_array().expect("a list");
    let down = json!(["pointerdown", 300, 200, 1]);
    let down = notes
        .iter()
        .position(|note| *note == down)
        .expect("pressed");
    let up = json!(["pointerup", 380, 160, 0]);
    let up = notes.iter().position(|note| *note == up).expect("released");
    let moves = &notes[down + 1..up];
    assert_eq!(moves.len(), 8, "{moves:?}");
    assert!(
        moves.contains(&json!(["pointermove", 340, 180, 1])),
        "{moves:?}"
    );
}

fn the_wheel_turns<D: Driver>() {
    let mut browser = noting::<D>();
    browser.eval("pageNotes.splice(0)");
    for delta in [120.0, 120.0, -240.0] {
        browser.wheel(AT, delta);
    }
    browser.wait("pageNotes.filter(note => note.length === 3).length === 3");
    assert_eq!(
        browser.eval("pageNotes.filter(note => note.length === 3)"),
        json!([[300, 200, 120], [300, 200, 120], [300, 200, -240]])
    );
}

fn a_page_without_listeners_takes_all_of_it<D: Driver>() {
    let site = Site::of(PAGES);
    let mut browser = Browser::<D>::open_in(&page(site.address, "/plain"));
    browser.click_at(AT);
    browser.double_click_at(AT);
    browser.drag(AT, (10.0, 10.0));
    browser.wheel(AT, 120.0);
    browser.key("a");
    assert_eq!(browser.eval("document.body.textContent"), "plain");
}

fn the_page_is_as_large_as_told<D: Driver>() {
    let mut browser = noting::<D>();
    for (width, height) in [(1280, 720), (500, 400), (1000, 700)] {
        browser.resize(width, height);
        browser.wait(&format!(
            "innerWidth === {width} && innerHeight === {height}"
        ));
    }
}
