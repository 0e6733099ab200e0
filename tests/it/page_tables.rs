//! The page's words in tables: `verdict.js` is pure, and each of its rows is evaluated in a browser.

use crate::{
    browser::{Browser, page},
    camfeed::{Camfeed, SMALL},
};
use serde_json::{Value, json};

/// A browser with a page's modules `names`, for which no camera is needed.
pub fn with_modules(names: &[&str]) -> (Camfeed, Browser) {
    let camfeed = Camfeed::start(&["--source", SMALL]);
    let mut browser = Browser::open(&page(camfeed.address, "/"));
    browser.wait_state("live");
    browser.import(names);
    (camfeed, browser)
}

/// Compares `function` of each row's input with what the row expects; all that is wrong is said at once.
pub fn check(browser: &mut Browser, function: &str, rows: &[(Value, Value)]) {
    let inputs: Vec<_> = rows.iter().map(|(input, _)| input).collect();
    let script = format!("{}.map(row => ({function})(row))", json!(inputs));
    let found = browser.eval(&script);
    let found = found.as_array().expect("a list");
    let wrong: Vec<_> = rows
        .iter()
        .zip(found)
        .filter(|((_, expected), found)| !is_same(expected, found))
        .map(|((input, expected), found)| format!("{input}: {found}, not {expected}"))
        .collect();
    assert!(wrong.is_empty(), "{function}\n{}", wrong.join("\n"));
}

/// A browser tells 2 as 2 or as 2.0.
fn is_same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(a, b)| is_same(a, b))
        }
        (Value::Number(one), Value::Number(other)) => {
            let (one, other) = (one.as_f64(), other.as_f64());
            one.zip(other).is_some_and(|(a, b)| (a - b).abs() < 1e-9)
        }
        _ => one == other,
    }
}

#[test]
fn the_verdict_and_its_words_are_those_of_the_tables() {
    let (_camfeed, mut browser) = with_modules(&["verdict"]);
    of_two_causes_the_page_tells_the_more_telling(&mut browser);
    a_report_that_is_old_tells_nothing_of_the_camera(&mut browser);
    each_state_has_its_words(&mut browser);
    what_is_not_live_is_live_again_only_when_it_clearly_is(&mut browser);
}

/// The verdict on a page that is live, but for what a row says of it.
const JUDGE: &str = "row => { \
    const merge = (into, from) => { for (const key of Object.keys(from)) { \
        if (from[key] && typeof from[key] === 'object' && into[key]) merge(into[key], from[key]); \
        else into[key] = from[key]; } return into; }; \
    const live = { before: 'live', pausedFor: null, isAsleep: false, \
        camera: { state: 'online' }, isFresh: true, reportAge: 0.4, silence: 0.1, phase: 'open', \
        failures: 0, failure: null, reads: true, slow: { is: false, since: 0, rates: '' }, \
        hasPicture: true, age: 0.06, liveAge: 0.04, isOnline: true, isAnotherLive: false }; \
    return verdict([].concat(row).reduceRight(merge, live)); }";

/// Causes, the most telling first: its state, its tone, and what of the page makes it.
fn causes() -> Vec<(&'static str, &'static str, Value)> {
    let failure = json!({"name": "Error", "message": "The stream ended", "isRefusal": false});
    let refusal = json!({"name": "Error", "message": "too many", "isRefusal": true});
    vec![
        ("paused", "quiet", json!({"pausedFor": 3})),
        ("hidden", "quiet", json!({"isAsleep": true})),
        ("full", "warn", json!({"phase": "full"})),
        (
            "full",
            "warn",
            json!({"phase": "connecting", "silence": 6, "isAnotherLive": true}),
        ),
        ("offline", "bad", json!({"camera": {"state": "offline"}})),
        (
            "refused",
            "bad",
            json!({"phase": "waiting", "failures": 1, "failure": refusal}),
        ),
        (
            "reconnecting",
            "bad",
            json!({"phase": "waiting", "failures": 1, "failure": failure}),
        ),
        (
            "reconnecting",
            "bad",
            json!({"phase": "connecting", "silence": 2.1}),
        ),
        ("idle", "quiet", json!({"camera": {"state": "idle"}})),
        ("connecting", "quiet", json!({"phase": "connecting"})),
        ("opening", "quiet", json!({"camera": {"state": "opening"}})),
        ("opening", "quiet", json!({"age": null})),
        ("frozen", "warn", json!({"camera": {"frozen": true}})),
        ("stale", "bad", json!({"age": 3.1})),
        ("stale", "warn", json!({"age": 1.1})),
        ("slow", "warn", json!({"slow": {"is": true}})),
        ("live", "warn", json!({"camera": {"fallback": true}})),
        ("live", "quiet", json!({"reads": false})),
        ("live", "good", json!({})),
    ]
}

fn of_two_causes_the_page_tells_the_more_telling(browser: &mut Browser) {
    let causes = causes();
    let mut rows = Vec::new();
    for (at, (state, tone, cause)) in causes.iter().enumerate() {
        rows.push((json!([cause]), json!([state, tone])));
        for (_, _, other) in &causes[at + 1..] {
            // How late it is, is one number; and a camera that is none has no state of a camera.
            let is_both = cause.get("age").is_some() && other.get("age").is_some();
            if !is_both {
                rows.push((json!([cause, other]), json!([state, tone])));
            }
        }
    }
    let function =
        format!("row => {{ const seen = ({JUDGE})(row); return [seen.state, seen.tone]; }}");
    check(browser, &function, &rows);
}

fn a_report_that_is_old_tells_nothing_of_the_camera(browser: &mut Browser) {
    let old = |camera: Value| json!({"isFresh": false, "reportAge": 9, "camera": camera});
    let rows = [
        (old(json!({"state": "offline"})), json!("live")),
        (old(json!({"state": "idle"})), json!("live")),
        (old(json!({"frozen": true})), json!("live")),
    ];
    check(browser, &format!("row => ({JUDGE})(row).state"), &rows);
}

fn each_state_has_its_words(browser: &mut Browser) {
    let words = format!(
        "row => {{ const seen = ({JUDGE})(row); \
         return [seen.label, seen.title || '', seen.text || '', seen.mark || '']; }}"
    );
    let offline = |more: Value| json!([{"camera": more}, {"camera": {"state": "offline"}}]);
    let wait = |more: Value| json!([more, {"phase": "waiting", "failures": 1}]);
    let error = |name: &str, message: &str, is_refusal: bool| json!({"failure": {"name": name, "message": message, "isRefusal": is_refusal}});
    let returns = "The picture returns by itself";
    let said = |reason: &str| format!("{reason}\n{returns}");
    let rows = [
        (json!({}), json!(["Live", "", "", ""])),
        (
            json!({"pausedFor": 61.9}),
            json!(["Paused 61 s", "", "", "Paused 61 s"]),
        ),
        (
            json!({"pausedFor": 120}),
            json!(["Paused 2 min", "", "", "Paused 2 min"]),
        ),
        (json!({"isAsleep": true}), json!(["Resting", "", "", ""])),
        (
            json!({"phase": "full"}),
            json!([
                "Too many windows",
                "Too many windows of this camera are open in this browser",
                "Close one of them, and the picture comes here",
                ""
            ]),
        ),
        // Nothing comes: too many windows only where another one hears from the server.
        (
            json!({"phase": "connecting", "silence": 6}),
            json!([
                "Reconnecting…",
                "Reconnecting…",
                "No answer from the server for 6 s",
                ""
            ]),
        ),
        (
            offline(json!({"reason": "unplugged", "gone": true, "since_s": 7})),
            json!([
                "Camera offline 7 s",
                "The camera is gone",
                said("unplugged"),
                ""
            ]),
        ),
        (
            offline(json!({"reason": "no such file", "gone": false, "since_s": 0})),
            json!([
                "Camera offline 0 s",
                "No picture from the camera",
                said("no such file"),
                ""
            ]),
        ),
        (
            offline(json!({})),
            json!([
                "Camera offline",
                "No picture from the camera",
                said("It gives no reason"),
                ""
            ]),
        ),
        (
            wait(error(
                "Error",
                "as many people as allowed are watching",
                true,
            )),
            json!([
                "No stream",
                "No stream for now",
                "As many people as allowed are watching\nTrying again…",
                ""
            ]),
        ),
        (
            wait(error("Error", "The stream ended", false)),
            json!(["Reconnecting…", "Reconnecting…", "The stream ended", ""]),
        ),
        (
            wait(error("TypeError", "Failed to fetch", false)),
            json!([
                "Reconnecting…",
                "Reconnecting…",
                "The connection was lost",
                ""
            ]),
        ),
        (
            json!([{"silence": 121}, wait(error("Error", "The stream ended", false))[0], {"failures": 1}]),
            json!([
                "Reconnecting…",
                "Reconnecting…",
                "No answer from the server for 2 min",
                ""
            ]),
        ),
        (
            json!({"failures": 1, "isOnline": false, "silence": 9}),
            json!([
                "Reconnecting…",
                "Reconnecting…",
                "This device has no network",
                ""
            ]),
        ),
        (
            json!({"camera": {"state": "idle"}}),
            json!([
                "Waking camera",
                "Waking the camera…",
                "It rests while nobody watches",
                ""
            ]),
        ),
        (
            json!({"phase": "connecting", "hasPicture": false}),
            json!(["Connecting…", "Connecting…", "", ""]),
        ),
        (
            json!({"phase": "connecting"}),
            json!(["Connecting…", "", "", ""]),
        ),
        (
            json!({"camera": {"state": "opening", "reason": "busy"}}),
            json!(["Opening camera", "Opening the camera…", "busy", ""]),
        ),
        (
            json!({"camera": {"frozen": true}}),
            json!([
                "Frozen",
                "",
                "",
                "The camera keeps sending the same picture"
            ]),
        ),
        (
            json!({"age": 1.2}),
            json!(["Not live", "", "", "This picture is 1.2 s old"]),
        ),
        (
            json!({"age": 75}),
            json!(["Not live", "", "", "This picture is 75 s old"]),
        ),
        (
            json!({"slow": {"is": true, "rates": ": 2 of 30 fps"}}),
            json!(["Slow connection: 2 of 30 fps", "", "", ""]),
        ),
        (
            json!({"camera": {"fallback": true}}),
            json!(["No camera", "", "", ""]),
        ),
        (json!({"reads": false}), json!(["Playing", "", "", ""])),
    ];
    check(browser, &words, &rows);
}

fn what_is_not_live_is_live_again_only_when_it_clearly_is(browser: &mut Browser) {
    let mut rows = Vec::new();
    for live_age in [0.04, 2.0] {
        for (before, late, state) in [
            ("live", 0.0, "live"),
            ("live", 0.95, "live"),
            ("live", 1.05, "stale"),
            ("slow", 0.95, "live"),
            ("stale", 0.95, "stale"),
            ("stale", 0.55, "stale"),
            ("stale", 0.45, "live"),
            ("reconnecting", 0.95, "live"),
            ("reconnecting", 1.05, "stale"),
        ] {
            let row = json!({"before": before, "age": live_age + late, "liveAge": live_age});
            rows.push((row, json!(state)));
        }
    }
    check(browser, &format!("row => ({JUDGE})(row).state"), &rows);
}
