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

#[test]
fn numbers_and_rates_are_those_of_the_tables() {
    let (_camfeed, mut browser) = with_modules(&["verdict"]);
    times_and_rates_are_told_in_few_figures(&mut browser);
    a_slow_link_is_offered_a_round_rate_that_it_carries(&mut browser);
    a_link_is_slow_when_it_has_been_so_for_seconds(&mut browser);
    a_picture_is_live_for_as_long_as_none_can_be_newer(&mut browser);
    what_ails_the_machine_is_said_a_line_each(&mut browser);
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

fn times_and_rates_are_told_in_few_figures(browser: &mut Browser) {
    let rows = |rows: &[(f64, &str)]| -> Vec<_> {
        rows.iter()
            .map(|&(value, text)| (json!(value), json!(text)))
            .collect()
    };
    check(
        browser,
        "span",
        &rows(&[
            (0.0, "0 s"),
            (0.99, "0 s"),
            (119.9, "119 s"),
            (120.0, "2 min"),
            (7199.0, "119 min"),
            (7200.0, "2 h"),
            (200_000.0, "55 h"),
        ]),
    );
    check(
        browser,
        "ageText",
        &rows(&[
            (0.0, "now"),
            (0.049, "now"),
            (0.05, "0.1 s old"),
            (0.36, "0.4 s old"),
            (9.94, "9.9 s old"),
            (10.0, "10 s old"),
            (130.0, "2 min old"),
        ]),
    );
    check(
        browser,
        "rateText",
        &rows(&[
            (0.0, "0"),
            (0.234, "0.2"),
            (0.96, "1"),
            (2.04, "2"),
            (7.25, "7.3"),
            (9.44, "9.4"),
            (9.5, "10"),
            (29.97, "30"),
        ]),
    );
    let labels = [
        ("Paused 12 s", "Paused"),
        ("Camera offline 3 min", "Camera offline"),
        ("Slow connection: 2.5 of 30 fps", "Slow connection"),
        ("Not live", "Not live"),
    ];
    let labels = labels.map(|(label, spoken)| (json!(label), json!(spoken)));
    check(browser, "withoutNumbers", &labels);
    let words = [
        (json!(["Error", "busy"]), json!("busy")),
        (
            json!(["TypeError", "Failed to fetch"]),
            json!("no answer from the server"),
        ),
        (
            json!(["AbortError", "aborted"]),
            json!("no answer from the server"),
        ),
    ];
    check(
        browser,
        "([name, message]) => wordsOf({ name, message })",
        &words,
    );
}

fn a_slow_link_is_offered_a_round_rate_that_it_carries(browser: &mut Browser) {
    let rows = [
        (60.0, 25.0),
        (28.0, 25.0),
        (27.7, 20.0),
        (14.0, 12.0),
        (2.3, 2.0),
        (2.2, 1.0),
        (1.2, 1.0),
        (1.1, 0.5),
        (0.6, 0.5),
        (0.5, 0.2),
        (0.01, 0.2),
    ];
    check(
        browser,
        "fittingRate",
        &rows.map(|(received, fits)| (json!(received), json!(fits))),
    );
}

fn a_link_is_slow_when_it_has_been_so_for_seconds(browser: &mut Browser) {
    // Whether it was slow, and since when it was otherwise; the rate that comes; and when. Of 10 a second.
    let rows = [
        (json!([false, 0, 9, 100]), json!([false, 0])),
        (json!([false, 0, 6.9, 100]), json!([false, 100])),
        (json!([false, 0, 7.1, 100]), json!([false, 0])),
        (json!([false, 100, 6.9, 4100]), json!([false, 100])),
        (json!([false, 100, 6.9, 4101]), json!([true, 0])),
        (json!([false, 100, 7.1, 3000]), json!([false, 0])),
        (json!([true, 0, 8.4, 100]), json!([true, 0])),
        (json!([true, 0, 8.6, 100]), json!([true, 100])),
        (json!([true, 100, 8.4, 4101]), json!([true, 0])),
        (json!([true, 100, 8.6, 4101]), json!([false, 0])),
        // Too early to tell, or silent: as it was.
        (json!([true, 100, 0, 9000]), json!([true, 100])),
        (json!([false, 100, 0, 9000]), json!([false, 100])),
    ];
    let pace = "([is, since, received, time]) => { \
        const after = pace({ is, since, rates: '' }, received, 10, time); return [after.is, after.since]; }";
    check(browser, pace, &rows);
    let rates = [(json!(2.04), json!(": 2 of 10 fps")), (json!(9), json!(""))];
    check(
        browser,
        "received => pace({ is: true, since: 0, rates: '' }, received, 10, 9).rates",
        &rates,
    );
}

fn a_picture_is_live_for_as_long_as_none_can_be_newer(browser: &mut Browser) {
    // The viewer's rate, the camera's, seconds between arrivals, and of one; and how old it may be.
    let rows = [
        (json!([0, 10, 0.1, 0]), json!(0.1)),
        (json!([0, 10, 0.05, 0]), json!(0.1)),
        (json!([0, 10, 0.1, 0.02]), json!(0.12)),
        // The slower of the two rates counts, and what is not known does not.
        (json!([1, 10, 1, 0]), json!(1)),
        (json!([10, 0.5, 2, 0]), json!(2)),
        (json!([1, null, 1, 0]), json!(1)),
        (json!([0, null, 0, 0]), json!(0)),
        // Half a link is full, or all of it: three are on their way then.
        (json!([1, 10, 1, 0.5]), json!(1.5)),
        (json!([0.5, 10, 2, 1.6]), json!(3.6)),
        (json!([0, 10, 0.6, 0.6]), json!(0.1 + 0.1 + 1.5)),
        // One that took long says little of the next.
        (json!([0, 10, 0.1, 4]), json!(0.2)),
    ];
    let age = "([viewer, camera, period, transit]) => liveAge([viewer, camera || undefined], period, transit)";
    check(browser, age, &rows);
}

fn what_ails_the_machine_is_said_a_line_each(browser: &mut Browser) {
    let (power, heat) = (
        "Under-voltage: use a better power supply",
        "Too hot: the processor is slowed down",
    );
    let rows = [
        (json!({}), json!("")),
        (
            json!({"under_voltage": false, "throttled": false, "wifi_signal_dbm": null}),
            json!(""),
        ),
        (
            json!({"under_voltage": true, "throttled": true}),
            json!(power),
        ),
        (json!({"throttled": true}), json!(heat)),
        (json!({"wifi_signal_dbm": -75}), json!("")),
        (
            json!({"wifi_signal_dbm": -76}),
            json!("Weak Wi-Fi: -76 dBm"),
        ),
        (
            json!({"throttled": true, "wifi_signal_dbm": -80}),
            json!(format!("{heat}\nWeak Wi-Fi: -80 dBm")),
        ),
    ];
    check(browser, "complaints", &rows);
}
