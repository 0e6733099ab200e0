//! The page's reader of streams in tables: `parts.js` is pure, and gets its bytes cut in every way.

use crate::{
    browser::Browser,
    page_tables::{check, with_modules},
};
use serde_json::{Value, json};

#[test]
fn streams_are_read_as_the_tables_say() {
    let (_camfeed, mut browser) = with_modules(&["parts"]);
    parts_are_the_same_wherever_the_network_cuts_them(&mut browser);
    what_is_no_stream_is_given_up_and_not_kept(&mut browser);
    a_stream_takes_no_more_memory_the_longer_it_lasts(&mut browser);
    a_placeholder_is_told_by_its_comment(&mut browser);
    the_rate_goes_by_the_times_of_capture_and_falls_silent_with_the_stream(&mut browser);
}

/// Reads `wire` in each of many cuts; what its parts are, or `damaged`. `differ` when a cut matters.
const READ: &str = "([boundary, wire]) => { \
    const bytes = Uint8Array.from(wire, letter => letter.charCodeAt(0)); \
    const read = chunks => { const reader = new PartReader(boundary); const parts = []; \
        try { for (const chunk of chunks) { reader.push(chunk); \
            for (let part = reader.next(); part; part = reader.next()) { \
                parts.push([part.sequence, part.timestamp, String.fromCharCode(...part.jpeg)]); } } \
        } catch (error) { parts.push(error.message === 'The stream is damaged' ? 'damaged' : String(error)); } \
        return parts; }; \
    const inTwo = Array.from(bytes, (_, at) => [bytes.slice(0, at), bytes.slice(at)]); \
    const inBytes = Array.from(bytes, byte => Uint8Array.of(byte)); \
    const inThrees = Array.from(bytes.slice(0, Math.ceil(bytes.length / 3)), (_, at) => bytes.slice(3 * at, 3 * at + 3)); \
    const whole = read([bytes]); \
    const differs = inTwo.concat([inBytes, inThrees]).some(cut => JSON.stringify(read(cut)) !== JSON.stringify(whole)); \
    return differs ? ['differs', whole] : whole; }";

/// A part as the server writes it, up to and with the next delimiter.
fn part(sequence: u64, jpeg: &str) -> String {
    let length = jpeg.len();
    format!(
        "Content-Type: image/jpeg\r\nContent-Length: {length}\r\nX-Sequence: {sequence}\r\n\
         X-Timestamp: {sequence}.5\r\n\r\n{jpeg}\r\n--frame\r\n"
    )
}

/// As it is expected.
fn read(sequence: u64, jpeg: &str) -> Value {
    json!([sequence.to_string(), sequence as f64 + 0.5, jpeg])
}

fn parts_are_the_same_wherever_the_network_cuts_them(browser: &mut Browser) {
    let two = format!("--frame\r\n{}{}", part(1, "one"), part(2, "second"));
    let both = json!([read(1, "one"), read(2, "second")]);
    let one = json!([read(1, "one")]);
    let damaged = json!(["damaged"]);
    let length = |text: &str| format!("--frame\r\nContent-Length: {text}\r\n\r\none");
    let bare = |head: &str| format!("--frame\r\n{head}\r\n\r\none");
    let unmarked = json!([[null, 0, "one"]]);
    let rows: Vec<(&str, String, Value)> = vec![
        ("frame", two.clone(), both.clone()),
        ("--frame", two.clone(), both.clone()),
        ("frame", String::new(), json!([])),
        // Before, between and behind parts is what is not theirs.
        (
            "frame",
            format!("preamble\r\n--fram\r\n--{two}"),
            both.clone(),
        ),
        (
            "frame",
            two.replace("\r\n--frame\r\nC", "\r\n--fra\r\n--frame\r\nC"),
            both.clone(),
        ),
        (
            "frame",
            two.replace("\r\n--frame\r\n", "--frame\r\n"),
            both.clone(),
        ),
        ("frame", format!("{two}--frame--\r\n"), both.clone()),
        (
            "frame",
            format!("--frame\r\n{}", part(1, "one"))
                .replace("e\r\n--frame\r\n", "e\r\n--frame--\r\n"),
            one.clone(),
        ),
        // A body may hold anything.
        (
            "frame",
            format!("--frame\r\n{}", part(1, "a\r\n--frame\r\n\r\nb")),
            json!([read(1, "a\r\n--frame\r\n\r\nb")]),
        ),
        // One that repeats is a part, too: who reads tells by its sequence.
        (
            "frame",
            format!("--frame\r\n{0}{0}", part(1, "one")),
            json!([read(1, "one"), read(1, "one")]),
        ),
        // Lines of a head that came while nothing newer did.
        (
            "frame",
            format!(
                "--frame\r\nX-Waiting: 1\r\nX-Waiting: 1\r\n{}",
                part(1, "one")
            ),
            one.clone(),
        ),
        // What has not come whole is none yet.
        ("frame", two[..two.len() - 14].to_owned(), one),
        ("frame", bare("content-LENGTH:\t 3"), unmarked.clone()),
        (
            "frame",
            bare("X-Content-Length: 9\r\nContent-Length:3"),
            unmarked.clone(),
        ),
        (
            "frame",
            bare("Content-Length: 3\r\nX-Timestamp: soon"),
            unmarked,
        ),
        ("frame", bare("Content-Type: image/jpeg"), damaged.clone()),
        ("frame", "--frame\r\n\r\none".to_owned(), damaged.clone()),
        // Lines end with CR and LF: others are a head without an end.
        (
            "frame",
            "--frame\nContent-Length: 3\n\none".to_owned(),
            json!([]),
        ),
    ];
    let mut rows: Vec<_> = rows
        .into_iter()
        .map(|(boundary, wire, parts)| (json!([boundary, wire]), parts))
        .collect();
    for text in ["0", "-3", "33554433", "1e99", "many", "NaN", "Infinity", ""] {
        rows.push((json!(["frame", length(text)]), damaged.clone()));
    }
    check(browser, READ, &rows);
}

fn what_is_no_stream_is_given_up_and_not_kept(browser: &mut Browser) {
    // After how many KiB it is given up, and how much is kept of it then. `null`: never.
    let feed = "([before, most]) => { const reader = new PartReader('frame'); \
        const bytes = text => Uint8Array.from(text, letter => letter.charCodeAt(0)); \
        reader.push(bytes(before)); const chunk = new Uint8Array(1024).fill(120); let count = 0; \
        try { for (; count < most; count += 1) { reader.push(chunk); reader.next(); } } \
        catch (error) { return [count, error.message, reader.buffer.length <= 512 << 10]; } \
        return [null, null, reader.buffer.length <= 512 << 10]; }";
    let rows = [
        // A head has 16 KiB, and what lies before a delimiter 32 MiB.
        (
            json!(["--frame\r\n", 17]),
            json!([15, "The stream is damaged", true]),
        ),
        (json!(["--frame\r\n", 15]), json!([null, null, true])),
        (
            json!(["", 33 << 10]),
            json!([32 << 10, "The stream is damaged", true]),
        ),
        (json!(["", 31 << 10]), json!([null, null, true])),
    ];
    check(browser, feed, &rows);
}

fn a_stream_takes_no_more_memory_the_longer_it_lasts(browser: &mut Browser) {
    // 200 parts of a size in chunks of 64 KiB; whether all come whole, and the buffer in KiB.
    let feed = "kib => { const reader = new PartReader('frame'); \
        const bytes = text => Uint8Array.from(text, letter => letter.charCodeAt(0)); \
        const head = bytes('--frame\\r\\nContent-Length: ' + (kib << 10) + '\\r\\n\\r\\n'); \
        const part = new Uint8Array(head.length + (kib << 10) + 2); part.set(head); \
        let whole = 0; \
        for (let number = 0; number < 200; number += 1) { \
            part.fill(number, head.length, part.length - 2); \
            for (let at = 0; at < part.length; at += 65536) { \
                reader.push(part.subarray(at, at + 65536)); \
                for (let found = reader.next(); found; found = reader.next()) { \
                    whole += found.jpeg.length === kib << 10 && found.jpeg.every(byte => byte === number); } } } \
        return [whole, reader.buffer.length >> 10 <= Math.max(256, 2 * kib + 256)]; }";
    let rows = [1, 62, 255, 256, 300, 900].map(|kib| (json!(kib), json!([200, true])));
    check(browser, feed, &rows);
}

fn a_placeholder_is_told_by_its_comment(browser: &mut Browser) {
    let is = "text => isPlaceholder(Uint8Array.from(text, letter => letter.charCodeAt(0)))";
    let rows = [
        (
            "\u{ff}\u{d8}\u{ff}\u{fe}\u{0}\u{30}camfeed placeholder: no camera",
            true,
        ),
        (
            "\u{ff}\u{d8}\u{ff}\u{fe}\u{0}\u{30}camfeed placeholder",
            false,
        ),
        ("\u{ff}\u{d8}\u{ff}\u{e0}\u{0}\u{10}JFIF", false),
        ("", false),
    ];
    check(
        browser,
        is,
        &rows.map(|(text, is)| (json!(text), json!(is))),
    );
}

fn the_rate_goes_by_the_times_of_capture_and_falls_silent_with_the_stream(browser: &mut Browser) {
    // Frames as arrival (ms), capture (s), sequence; and when it is asked: what comes and what there is.
    let rate = "([frames, time]) => { const rate = new Rate(); \
        frames.forEach(([at, timestamp, sequence]) => rate.add(at, { timestamp, sequence: String(sequence) })); \
        const round = number => Math.round(number * 100) / 100; \
        return [round(rate.perSecond(time)), round(rate.offeredPerSecond()), rate.isSettled(time)]; }";
    let steady = |count: u64, every: f64, stride: u64, from: f64| -> Vec<Value> {
        (0..count)
            .map(|i| {
                json!([
                    i as f64 * every,
                    from + i as f64 * every / 1000.0,
                    100 + i * stride
                ])
            })
            .collect()
    };
    let with_time = |frames: Vec<Value>, time: f64| json!([frames, time]);
    // Its clock was set back an hour: arrivals tell.
    let mut jumped = steady(30, 100.0, 1, 9000.0);
    jumped.extend(
        (30..40).map(|i| json!([f64::from(i) * 100.0, 5000.0 + f64::from(i) / 10.0, 100 + i])),
    );
    let rows = [
        (with_time(vec![], 0.0), json!([0, 0, false])),
        (
            with_time(steady(1, 100.0, 1, 5.0), 0.0),
            json!([0, 0, false]),
        ),
        // Of less than two seconds, no rate.
        (
            with_time(steady(19, 100.0, 1, 5.0), 1800.0),
            json!([0, 10, false]),
        ),
        (
            with_time(steady(21, 100.0, 1, 5.0), 2000.0),
            json!([10, 10, false]),
        ),
        (
            with_time(steady(60, 100.0, 1, 5.0), 5900.0),
            json!([10, 10, true]),
        ),
        // Each third of the camera's arrives.
        (
            with_time(steady(60, 100.0, 3, 5.0), 5900.0),
            json!([10, 30, true]),
        ),
        // Of a server without times.
        (
            with_time(
                (0..30).map(|i| json!([i * 100, 0, 100 + i])).collect(),
                2900.0,
            ),
            json!([10, 10, false]),
        ),
        (with_time(jumped, 3900.0), json!([10, 10, false])),
        // The next is overdue after a second and twice its time.
        (
            with_time(steady(40, 100.0, 1, 5.0), 3900.0 + 1190.0),
            json!([10, 10, true]),
        ),
        (
            with_time(steady(40, 100.0, 1, 5.0), 3900.0 + 1210.0),
            json!([0, 10, true]),
        ),
        // After five seconds without any, nothing is left.
        (
            with_time(steady(40, 100.0, 1, 5.0), 9000.0),
            json!([0, 0, false]),
        ),
    ];
    check(browser, rate, &rows);
}
