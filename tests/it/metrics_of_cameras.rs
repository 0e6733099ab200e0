//! The dashboard and the alerts in `scripts/`, with a server of one camera, whose series have no label
//! `camera`, and with one of several.

use crate::{
    camfeed::{Camfeed, Folder, SMALL, run},
    http::get,
    metrics::metrics_in,
};
use serde_json::Value;
use std::{collections::BTreeSet, fs, process::Command};

fn script(name: &str) -> String {
    format!("{}/scripts/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// Metrics whose series have a label `camera` where there are several; with one camera none has.
fn of_cameras() -> BTreeSet<String> {
    let labelled = |camfeed: &Camfeed| -> BTreeSet<String> {
        let text = get(camfeed.address, "/metrics").text();
        let series = text.lines().filter(|line| !line.starts_with('#'));
        let series = series.filter(|line| line.contains("camera=\""));
        let names = series.map(|line| line.split('{').next().unwrap_or_default().to_owned());
        names.collect()
    };
    let one = Camfeed::online(&["--source", SMALL]);
    assert_eq!(labelled(&one), BTreeSet::new());
    let several = Camfeed::start(&["--camera", "a=test:320x240", "--camera", "b=test:160x120"]);
    several.wait_logs("camera online", 2);
    let found = labelled(&several);
    for name in ["camfeed_camera_up", "camfeed_encode_seconds_bucket"] {
        assert!(found.contains(name), "{found:?}");
    }
    assert!(!found.contains("camfeed_viewers"), "{found:?}");
    found
}

/// Whether `expression` asks for a camera's series; then it keeps cameras apart wherever it joins or adds.
fn is_of_cameras(expression: &str, of_cameras: &BTreeSet<String>) -> bool {
    let mut metrics = metrics_in(expression).into_iter();
    let is_so = metrics.any(|metric| of_cameras.contains(metric));
    for clause in ["by (", "on ("] {
        for rest in expression.split(clause).skip(1) {
            let labels = rest.split(')').next().expect("its end");
            assert_eq!(labels.contains("camera"), is_so, "{expression}");
        }
    }
    is_so
}

#[test]
fn the_dashboard_tells_one_camera_from_another_where_there_are_several() {
    let of_cameras = of_cameras();
    let text = fs::read_to_string(script("grafana-dashboard.json")).expect("a dashboard");
    let dashboard: Value = serde_json::from_str(&text).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels").iter();
    let (mut with, mut without) = (0, 0);
    for target in panels.flat_map(|panel| panel["targets"].as_array().expect("queries")) {
        let expression = target["expr"].as_str().expect("a query");
        let legend = target["legendFormat"].as_str().expect("a legend");
        let is_so = is_of_cameras(expression, &of_cameras);
        *(if is_so { &mut with } else { &mut without }) += 1;
        // `All` is `.*`, which a series without the label fits, too.
        let chosen = expression.matches("camera=~\"$camera\"").count();
        let by_server = expression.matches("instance=~\"$instance\"").count();
        assert_eq!(chosen, if is_so { by_server } else { 0 }, "{expression}");
        assert_eq!(
            legend.contains("{{camera}}"),
            is_so,
            "{expression}: {legend}"
        );
    }
    assert!(with >= 10 && without >= 10, "{with}, {without}");
    let variables = dashboard["templating"]["list"]
        .as_array()
        .expect("variables");
    let camera = variables
        .iter()
        .find(|variable| variable["name"] == "camera");
    let camera = camera.expect("to choose a camera by");
    assert_eq!(
        (&camera["allValue"], &camera["includeAll"]),
        (&".*".into(), &true.into())
    );
    assert_eq!(camera["query"]["query"], camera["definition"]);
}

#[test]
fn an_alert_names_its_camera_where_there_are_several() {
    let of_cameras = of_cameras();
    let text = fs::read_to_string(script("prometheus-alerts.yml")).expect("alerts");
    let mut named = 0;
    for alert in text.split("- alert: ").skip(1) {
        let line = |start: &str| {
            let mut lines = alert.lines();
            let found = lines.find_map(|line| line.trim().strip_prefix(start));
            found.unwrap_or_else(|| panic!("no {start} in {alert}"))
        };
        let is_so = is_of_cameras(line("expr: "), &of_cameras);
        named += usize::from(is_so);
        assert_eq!(
            line("summary: ").contains("$labels.camera"),
            is_so,
            "{alert}"
        );
    }
    assert_eq!(named, 3);
}

/// What Prometheus makes of them, of a server with one camera and of one with three: of these one is gone,
/// one rests and one has an old picture that does not change.
const CASES: &str = r#"
evaluation_interval: 30s
tests:
  - interval: 30s
    input_series:
      - {series: 'camfeed_camera_up{job="camfeed",instance="one"}', values: '0x20'}
      - {series: 'camfeed_camera_state{job="camfeed",instance="one",state="idle"}', values: '0x20'}
      - {series: 'camfeed_camera_up{job="camfeed",instance="all",camera="shed"}', values: '0x20'}
      - {series: 'camfeed_camera_state{job="camfeed",instance="all",camera="shed",state="idle"}', values: '0x20'}
      - {series: 'camfeed_camera_up{job="camfeed",instance="all",camera="attic"}', values: '0x20'}
      - {series: 'camfeed_camera_state{job="camfeed",instance="all",camera="attic",state="idle"}', values: '1x20'}
      - {series: 'camfeed_camera_up{job="camfeed",instance="all",camera="garden"}', values: '1x20'}
      - {series: 'camfeed_camera_state{job="camfeed",instance="all",camera="garden",state="online"}', values: '1x20'}
      - {series: 'camfeed_picture_age_seconds{job="camfeed",instance="all",camera="garden"}', values: '45x20'}
      - {series: 'camfeed_camera_state{job="camfeed",instance="all",camera="shed",state="online"}', values: '0x20'}
      - {series: 'camfeed_picture_age_seconds{job="camfeed",instance="all",camera="shed"}', values: '45x20'}
      - {series: 'camfeed_camera_frozen{job="camfeed",instance="all",camera="garden"}', values: '1x20'}
      - {series: 'camfeed_camera_state{job="camfeed",instance="one",state="online"}', values: '1x20'}
      - {series: 'camfeed_picture_age_seconds{job="camfeed",instance="one"}', values: '45x20'}
    alert_rule_test:
      - alertname: CamfeedCameraGone
        eval_time: 5m
        exp_alerts:
          - exp_labels: {severity: critical, job: camfeed, instance: one}
            exp_annotations:
              summary: the camera at one is gone
              description: The page and /state say why. It is tried again until it is back.
          - exp_labels: {severity: critical, job: camfeed, instance: all, camera: shed}
            exp_annotations:
              summary: the camera shed at all is gone
              description: The page and /state say why. It is tried again until it is back.
      - alertname: CamfeedPictureOld
        eval_time: 5m
        exp_alerts:
          - exp_labels: {severity: critical, job: camfeed, instance: one}
            exp_annotations: {summary: the picture of one is 45s old}
          - exp_labels: {severity: critical, job: camfeed, instance: all, camera: garden}
            exp_annotations: {summary: the picture of garden at all is 45s old}
      - alertname: CamfeedPictureFrozen
        eval_time: 5m
        exp_alerts:
          - exp_labels: {severity: warning, job: camfeed, instance: all, camera: garden}
            exp_annotations: {summary: the camera garden at all gives the same picture again and again}
"#;

#[test]
fn prometheus_tells_an_alert_of_the_right_camera() {
    if Command::new("promtool").arg("--version").output().is_err() {
        // The words are held to the metrics above.
        return;
    }
    let folder = Folder::new();
    let path = folder.file("cases.yml");
    let rules = script("prometheus-alerts.yml");
    fs::write(&path, format!("rule_files: [{rules}]\n{CASES}")).unwrap();
    let tested = run("promtool", &["test", "rules", &path]);
    let said = [tested.stdout, tested.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(tested.status.success(), "{said}");
}
