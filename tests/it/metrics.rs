//! `/metrics`, held to the format by a strict reader of our own and by Prometheus' readers, and the
//! dashboard and the alerts in `scripts/`, held to `/metrics`.

use crate::{
    auth::secret,
    camfeed::{Camfeed, Folder, SMALL, SOON, eventually, run},
    fakecam::FakeCamera,
    health::Machine,
    http::{Parts, get},
};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    net::SocketAddr,
    process::{Command, Output, Stdio},
};

/// A camera's name with all that is anything to the format.
const NAME: &str = "C:\\n \"left\", {1}";

/// Series with their values.
type Series = BTreeMap<String, f64>;

/// `/metrics`, read strictly.
fn metrics(address: SocketAddr) -> Series {
    let answer = get(address, "/metrics");
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.header("Content-Type"),
        Some("text/plain; version=0.0.4; charset=utf-8")
    );
    read(&String::from_utf8(answer.body).expect("UTF-8"))
}

/// A family whose samples are being read.
struct Family<'a> {
    name: &'a str,
    kind: &'a str,
    /// Value of `le`, and count, of each bucket so far.
    buckets: Vec<(f64, f64)>,
}

/// Reads the text format, and no more of it than is needed: HELP, TYPE, samples, and the next
/// family. Panics at whatever is not exactly so.
fn read(text: &str) -> Series {
    assert!(text.ends_with('\n'), "the last line is whole");
    let mut series = Series::new();
    let mut seen = BTreeSet::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let help = line.strip_prefix("# HELP ").expect("a family's HELP");
        let (name, words) = help.split_once(' ').expect("words of help");
        assert!(!words.trim().is_empty() && is_name(name), "{line}");
        assert!(seen.insert(name), "{name} twice");
        let line = lines.next().expect("a TYPE");
        let kind = line.strip_prefix("# TYPE ").expect("a TYPE after the HELP");
        let kind = kind.strip_prefix(name).expect("of the same name").trim();
        let mut family = Family {
            name,
            kind,
            buckets: Vec::new(),
        };
        match kind {
            "counter" => assert!(name.ends_with("_total"), "{name}"),
            "gauge" | "histogram" => assert!(!name.ends_with("_total"), "{name}"),
            _ => panic!("{line}"),
        }
        let before = series.len();
        while let Some(line) = lines.next_if(|line| !line.starts_with('#')) {
            let (one, value) = family.sample(line);
            assert!(
                series.insert(one.to_owned(), value).is_none(),
                "{one} twice"
            );
        }
        assert!(series.len() > before, "{name} has samples");
        family.check_buckets(&series);
    }
    series
}

impl Family<'_> {
    /// The series and the value of a line.
    fn sample<'a>(&mut self, line: &'a str) -> (&'a str, f64) {
        let (series, value) = line.rsplit_once(' ').expect("a value");
        let value: f64 = value.parse().expect("a number");
        assert!(value.is_finite(), "{line}");
        let (name, labels) = series
            .split_once('{')
            .map_or((series, None), |(name, rest)| {
                (name, Some(rest.strip_suffix('}').expect("a closing brace")))
            });
        let suffix = name.strip_prefix(self.name).expect("of the family");
        let is_info = self.name.ends_with("_info");
        let label = labels.map(|labels| {
            // Only those of an info are many.
            let end = labels.find("\",").filter(|_| is_info).map(|at| at + 1);
            let labels = &labels[..end.unwrap_or(labels.len())];
            let (label, value) = labels.split_once("=\"").expect("a label");
            let value = value.strip_suffix('"').expect("a closing quote");
            assert!(is_name(label) && !label.contains(':'), "{line}");
            assert!(!value.contains(['"', '\\', ',']), "one plain label: {line}");
            (label, value)
        });
        match (self.kind, suffix, label) {
            ("counter", "", label) => {
                assert!(value >= 0.0, "{line}");
                assert!(label.is_none_or(|(name, _)| name != "le"), "{line}");
            }
            ("gauge", "", label) => assert!(label.is_none_or(|(name, _)| name != "le"), "{line}"),
            ("histogram", "_bucket", Some(("le", bound))) => {
                let bound = bound.replace("+Inf", "inf").parse().expect("a bound");
                self.buckets.push((bound, value));
            }
            ("histogram", "_sum" | "_count", None) => assert!(value >= 0.0, "{line}"),
            _ => panic!("{line}"),
        }
        (series, value)
    }

    fn check_buckets(&self, series: &Series) {
        if self.kind != "histogram" {
            return;
        }
        for pair in self.buckets.windows(2) {
            assert!(pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1, "{pair:?}");
        }
        let (bound, all) = *self.buckets.last().expect("buckets");
        assert_eq!(bound, f64::INFINITY);
        assert_eq!(series[&format!("{}_count", self.name)], all);
        assert!(series.contains_key(&format!("{}_sum", self.name)));
    }
}

fn is_name(name: &str) -> bool {
    let is_letter = |letter: char| letter.is_ascii_lowercase() || "_:".contains(letter);
    name.starts_with(is_letter) && name.chars().all(|c| is_letter(c) || c.is_ascii_digit())
}

/// The name of a series, without its labels.
fn name_of(series: &str) -> &str {
    series.split('{').next().unwrap_or_default()
}

/// Runs a program with `text` on its standard input, if it is there.
fn feed(program: &str, args: &[&str], text: &str) -> Option<Output> {
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .ok()?;
    let mut input = child.stdin.take().expect("piped");
    std::io::Write::write_all(&mut input, text.as_bytes()).expect("it reads");
    drop(input);
    Some(child.wait_with_output().expect("it ends"))
}

/// Waits until `holds` of the metrics.
fn wait(camfeed: &Camfeed, what: &str, holds: impl Fn(&Series) -> bool) -> Series {
    let mut series = Series::new();
    let does = eventually(SOON, || {
        series = metrics(camfeed.address);
        holds(&series)
    });
    assert!(does, "never {what}: {series:#?}");
    series
}

#[test]
fn the_text_is_read_by_strict_readers() {
    let machine = Machine::ill();
    let camfeed = machine.serve(&["--source", SMALL, "--name", NAME]);
    wait(&camfeed, "a temperature", |series| {
        series.contains_key("camfeed_machine_temperature_celsius")
    });
    let text = get(camfeed.address, "/metrics").text();
    let series = read(&text);
    let read_by_python = "import sys\n\
        from prometheus_client.parser import text_string_to_metric_families as read\n\
        samples = [sample for family in read(sys.stdin.read()) for sample in family.samples]\n\
        print(len(samples))\n\
        print(*[sample.labels['name'] for sample in samples if sample.name == 'camfeed_build_info'])";
    // Debian's, for which its package is.
    let python = feed("/usr/bin/python3", &["-c", read_by_python], &text)
        .expect("python3 (`make test` brings it) starts");
    let errors = String::from_utf8_lossy(&python.stderr);
    let count = String::from_utf8_lossy(&python.stdout);
    let expected = format!("{}\n{NAME}", series.len());
    assert_eq!(count.trim(), expected, "{errors}");
    // Knows more rules than the format, such as that of base units.
    if let Some(promtool) = feed("promtool", &["check", "metrics"], &text) {
        let complaints = String::from_utf8_lossy(&promtool.stderr);
        assert!(
            promtool.status.success() && complaints.is_empty(),
            "{complaints}"
        );
    }
}

#[test]
fn what_is_promised_is_there() {
    let machine = Machine::ill();
    let args = ["--source", SMALL, "--max-viewers", "7", "--name", "Garden"];
    let camfeed = machine.serve(&args);
    let series = wait(&camfeed, "up", |series| {
        series["camfeed_camera_up"] == 1.0 && series.contains_key("camfeed_machine_wifi_signal_dbm")
    });
    let version = env!("CARGO_PKG_VERSION");
    let one_hot = series
        .iter()
        .filter(|(name, _)| name_of(name) == "camfeed_camera_state");
    assert_eq!(one_hot.map(|(_, value)| value).sum::<f64>(), 1.0);
    for (name, expected) in [
        (
            format!("camfeed_build_info{{version=\"{version}\",name=\"Garden\"}}").as_str(),
            1.0,
        ),
        ("camfeed_camera_state{state=\"online\"}", 1.0),
        ("camfeed_viewers_max", 7.0),
        ("camfeed_machine_temperature_celsius", 81.5),
        ("camfeed_machine_under_voltage", 1.0),
        ("camfeed_machine_under_voltage_since_boot", 1.0),
        ("camfeed_machine_throttled", 1.0),
        ("camfeed_machine_wifi_signal_dbm", -82.0),
        ("camfeed_viewers_evicted_total{reason=\"stalled\"}", 0.0),
        ("camfeed_connections_refused_total", 0.0),
        ("camfeed_connections_displaced_total", 0.0),
        ("camfeed_connections_timed_out_total", 0.0),
        ("camfeed_connections_malformed_total", 0.0),
    ] {
        assert_eq!(series.get(name), Some(&expected), "{name}");
    }
    for name in [
        "camfeed_connections",
        "camfeed_connections_max",
        "camfeed_connections_accepted_total",
        "process_resident_memory_bytes",
        "process_open_fds",
        "process_max_fds",
        "process_cpu_seconds_total",
        "process_threads",
    ] {
        assert!(series.get(name).is_some_and(|&value| value > 0.0), "{name}");
    }
    let now = std::time::SystemTime::now();
    let now = now
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs_f64();
    for name in ["camfeed_start_time_seconds", "process_start_time_seconds"] {
        assert!((now - series[name]).abs() < 60.0, "{name} {}", series[name]);
    }
}

#[test]
fn counters_rise_with_the_frames_and_stay_when_a_viewer_leaves() {
    let camfeed = Camfeed::online(&["--source", SMALL]);
    let before = metrics(camfeed.address);
    assert_eq!(before["camfeed_viewer_frames_sent_total"], 0.0);
    let mut viewers = [(); 3].map(|()| Parts::open(camfeed.address, "/stream"));
    for viewer in &mut viewers {
        for _ in 0..10 {
            viewer.next_part();
        }
    }
    // Counted a moment after it is sent.
    let watched = wait(&camfeed, "sent", |series| {
        series["camfeed_viewer_frames_sent_total"] >= 30.0
    });
    assert_eq!(watched["camfeed_viewers"], 3.0);
    assert!(watched["camfeed_picture_age_seconds"] < 5.0);
    assert!(watched["camfeed_sequence"] > 0.0);
    drop(viewers);
    let after = wait(&camfeed, "left", |series| series["camfeed_viewers"] == 0.0);
    for (name, least) in [
        ("camfeed_viewer_frames_sent_total", 30.0),
        ("camfeed_viewer_sent_bytes_total", 30_000.0),
        ("camfeed_frames_captured_total", 9.0),
        ("camfeed_frames_encoded_total", 9.0),
        ("camfeed_encode_seconds_count", 9.0),
        ("camfeed_connections_accepted_total", 4.0),
    ] {
        let rise = watched[name] - before[name];
        assert!(rise >= least, "{name} rose by {rise}");
        assert!(after[name] >= watched[name], "{name} fell");
    }
    assert!(after["camfeed_encode_seconds_sum"] > 0.0);
    for (name, value) in &before {
        let is_counter = name_of(name).ends_with("_total");
        assert!(!is_counter || after[name] >= *value, "{name} fell");
    }
    // Viewers make no series.
    let names = |series: &Series| series.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&watched), names(&after));
}

#[test]
fn camera_up_is_0_while_the_camera_is_unplugged() {
    let camera = FakeCamera::new("");
    let camfeed = camera.online(&["--source", "/dev/video0"]);
    let online = metrics(camfeed.address);
    assert_eq!(online["camfeed_camera_up"], 1.0);
    assert_eq!(online["camfeed_camera_reopened_total"], 0.0);
    camera.set("plugged no\n");
    let offline = wait(&camfeed, "gone", |series| {
        series["camfeed_camera_up"] == 0.0
    });
    assert_eq!(offline["camfeed_camera_state{state=\"offline\"}"], 1.0);
    assert_eq!(offline["camfeed_camera_state{state=\"online\"}"], 0.0);
    camera.set("");
    let back = wait(&camfeed, "back", |series| {
        series["camfeed_camera_up"] == 1.0 && series["camfeed_camera_reopened_total"] > 0.0
    });
    assert_eq!(back["camfeed_camera_state{state=\"offline\"}"], 0.0);
}

#[test]
fn camera_up_is_0_while_a_test_pattern_stands_in() {
    let camera = FakeCamera::new("plugged no\n");
    let camfeed = camera.online(&["--source", "auto"]);
    let series = metrics(camfeed.address);
    assert_eq!(series["camfeed_camera_state{state=\"online\"}"], 1.0);
    assert_eq!(series["camfeed_camera_up"], 0.0);
}

#[test]
fn broken_pictures_are_counted_by_their_reason() {
    let camera = FakeCamera::new("fault truncated\nfault_every 3\n");
    let camfeed = camera.serve(&["--source", "/dev/video0"]);
    let mut _viewer = Parts::open(camfeed.address, "/stream");
    wait(&camfeed, "broken", |series| {
        series["camfeed_frames_dropped_total{reason=\"broken\"}"] > 0.0
    });
}

#[test]
fn metrics_are_behind_the_password() {
    let folder = Folder::new();
    let path = secret(&folder, "password", "ann:open sesame");
    let camfeed = Camfeed::online(&["--source", SMALL, "--password-file", &path]);
    assert_eq!(get(camfeed.address, "/metrics").status, 401);
}

/// Every text under a key `expr` or `definition`, wherever it stands.
fn expressions(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                match value {
                    Value::String(text) if key == "expr" || key == "definition" => {
                        found.push(text.clone());
                    }
                    _ => expressions(value, found),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| expressions(value, found)),
        _ => {}
    }
}

/// What PromQL and Grafana have names for, beside metrics.
const NO_METRICS: [&str; 4] = [
    "histogram_quantile",
    "label_values",
    "max_over_time",
    "__rate_interval",
];

/// The metrics in an expression: every word with a `_` in it that means nothing else.
pub fn metrics_in(expression: &str) -> Vec<&str> {
    let is_of_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    expression
        .split(|c| !is_of_word(c))
        .filter(|word| word.contains('_') && !NO_METRICS.contains(word))
        .collect()
}

#[test]
fn the_dashboard_and_the_alerts_ask_for_metrics_there_are() {
    let script = |name: &str| format!("{}/scripts/{name}", env!("CARGO_MANIFEST_DIR"));
    let dashboard = fs::read_to_string(script("grafana-dashboard.json")).expect("a dashboard");
    let mut asked = Vec::new();
    let dashboard: Value = serde_json::from_str(&dashboard).expect("JSON");
    expressions(&dashboard, &mut asked);
    let panels = dashboard["panels"].as_array().expect("panels").len();
    assert!(asked.len() >= panels, "{} for {panels} panels", asked.len());
    let alerts = script("prometheus-alerts.yml");
    let text = fs::read_to_string(&alerts).expect("alerts");
    let rules = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("expr: "));
    let rules: Vec<_> = rules.map(str::to_owned).collect();
    assert_eq!(rules.len(), text.matches("- alert: ").count());
    asked.extend(rules);

    let machine = Machine::ill();
    let camfeed = machine.serve(&["--source", SMALL]);
    let series = wait(&camfeed, "everything", |series| {
        series.contains_key("camfeed_machine_wifi_signal_dbm")
            && series.contains_key("camfeed_picture_age_seconds")
    });
    let names: BTreeSet<_> = series.keys().map(|series| name_of(series)).collect();
    for expression in &asked {
        let metrics = metrics_in(expression);
        // Prometheus' own, of whether it got an answer at all.
        assert!(
            !metrics.is_empty() || expression.starts_with("up{"),
            "{expression}"
        );
        for metric in metrics {
            assert!(names.contains(metric), "no {metric}: {expression}");
        }
    }
    if Command::new("promtool").arg("--version").output().is_ok() {
        let checked = run("promtool", &["check", "rules", &alerts]);
        let words = String::from_utf8_lossy(&checked.stderr);
        assert!(checked.status.success(), "{words}");
    }
}
