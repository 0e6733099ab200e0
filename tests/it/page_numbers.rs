//! The page's numbers in tables: ages, rates and what of them is live, or slow.

use crate::{
    browser::Browser,
    page_tables::{check, with_modules},
};
use serde_json::json;

#[test]
fn numbers_and_rates_are_those_of_the_tables() {
    let (_camfeed, mut browser) = with_modules(&["verdict"]);
    times_and_rates_are_told_in_few_figures(&mut browser);
    a_slow_link_is_offered_a_round_rate_that_it_carries(&mut browser);
    a_link_is_slow_when_it_has_been_so_for_seconds(&mut browser);
    a_picture_is_live_for_as_long_as_none_can_be_newer(&mut browser);
    what_ails_the_machine_is_said_a_line_each(&mut browser);
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
        (31.0, 20.0),
        (26.6, 15.0),
        (16.0, 12.0),
        (2.7, 2.0),
        (2.6, 1.0),
        (1.4, 1.0),
        (1.3, 0.5),
        (0.6, 0.3),
        (0.39, 0.2),
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
