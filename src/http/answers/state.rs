//! `/state`, the numbers as JSON, and `/healthz`, one line for scripts.

use crate::{
    feed::{
        camera::{Camera, ColorRange, State},
        frame::CaptureTime,
        health::Health,
        viewers::Viewer,
    },
    http::{app::App, response::Response, scope::Scope},
};
use serde_json::{Map, Value, json};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// The clock of the newest picture is shown while that picture is younger than this.
const CURRENT: Duration = Duration::from_secs(5);

/// Answers `/state`: of one camera, below its name; else of all.
pub fn state(app: &App, scope: &Scope) -> Response {
    Response::json(&describe(app, scope))
}

/// Answers `/healthz`, which needs no password and so names no source: a line for each camera.
pub fn health(app: &App, scope: &Scope) -> Response {
    let all = app.cameras.all();
    if scope.is_named || all.len() == 1 {
        let (is_well, line) = line_of(&scope.camera);
        return health_response(is_well, format!("{line}\n"));
    }
    let mut text = String::new();
    let mut are_well = true;
    for camera in &*all {
        let (is_well, line) = line_of(camera);
        text += &format!("{}: {line}\n", camera.config.name);
        are_well &= is_well;
    }
    health_response(are_well, text)
}

fn health_response(is_well: bool, text: String) -> Response {
    match is_well {
        true => Response::text(200, text),
        false => Response::text(503, text).with("Retry-After", "2"),
    }
}

/// Whether nobody has to look after `camera`, and how it is.
fn line_of(camera: &Camera) -> (bool, String) {
    let health = camera.observe(Instant::now()).health();
    let line = match health {
        Health::Live(age) => {
            let age = age.as_secs_f64();
            format!("ok, the newest picture is {age:.1} s old")
        }
        Health::Starting => "ok, the camera is online and its first picture is due".to_owned(),
        Health::Resting => "ok, the camera rests until somebody watches".to_owned(),
        Health::Overdue | Health::Down => {
            format!("no live picture: {}", camera.nameless_reason())
        }
    };
    (health.is_well(), line)
}

/// The names of the cameras that `viewer` watches; that of `first` for what stood in for it.
fn names_of(viewer: &Viewer, first: &Camera) -> Vec<String> {
    let names = viewer.cameras().into_iter();
    let now = |name: String| match first.address() {
        Some(own) if first.stand_in.as_ref() == Some(&name) => own.to_owned(),
        _ => name,
    };
    names.map(now).collect()
}

/// All numbers; null is unknown.
fn describe(app: &App, scope: &Scope) -> Value {
    let now = Instant::now();
    let connections = &app.connections;
    let viewers = app.viewers.viewers();
    let first = app.cameras.first();
    let addresses = app
        .addresses
        .get(now, || app.listening.addresses_elsewhere());
    let mut state = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "uptime_s": rounded(app.started.elapsed().as_secs_f64()),
        // The clock of the capture times, Unix seconds: pages compare them with it. It is the
        // server's own, unless the pictures come from a server with another one.
        "now": clock(&scope.camera).as_secs_f64(),
        // What everybody is asked for: the page shows commands that bring it.
        // And by which addresses other machines reach it, best first.
        "access": {
            "password": app.access.has_password(),
            "addresses": *addresses,
        },
        // Everybody's, viewers included; the fields say what became of them.
        "connections": {
            "open": connections.limit.open(),
            "max": connections.limit.max(),
            "accepted": connections.accepted(),
            "refused": connections.refused.get(),
            "displaced": connections.displaced.get(),
            "timed_out": connections.timed_out.get(),
            "malformed": connections.malformed.get(),
        },
        "viewers": viewers.iter().map(|viewer| json!({
            "id": viewer.id,
            "peer": viewer.peer,
            // By the names of their addresses; empty for a camera without.
            "cameras": names_of(viewer, &first),
            "since_s": rounded(viewer.since.elapsed().as_secs_f64()),
            "fps": rounded(viewer.fps()),
            "sent": viewer.sent.get(),
            "missed": viewer.missed.get(),
            "bytes": viewer.bytes.get(),
        })).collect::<Vec<_>>(),
    });
    let own = describe_camera(&scope.camera, &viewers, now);
    // Of all viewers together, whichever camera they watch.
    let totals = json!({
        "max_viewers": app.viewers.max_viewers(),
        "bytes_sent": app.viewers.totals().bytes,
        // Viewers that took no byte for too long and were let go.
        "evicted": app.viewers.evicted.get(),
    });
    for (key, value) in own {
        state[key] = value;
    }
    for (key, value) in totals.as_object().into_iter().flatten() {
        state["stream"][key] = value.clone();
    }
    if !scope.is_named {
        let all = app.cameras.all();
        let each = all.iter().map(|camera| {
            let mut own = describe_camera(camera, &viewers, now);
            // As `/healthz` says it.
            own.push(("health", line_of(camera).1.into()));
            own.push(("now", clock(camera).as_secs_f64().into()));
            own.into_iter()
                .map(|(key, value)| (key.to_owned(), value))
                .collect::<Map<_, _>>()
                .into()
        });
        state["cameras"] = Value::Array(each.collect());
    }
    let health = app.health.get();
    if health.is_known() {
        state["health"] = json!({
            "temperature_c": health.temperature.map(rounded),
            "under_voltage": health.under_voltage,
            "under_voltage_since_boot": health.under_voltage_since_boot,
            "throttled": health.throttled,
            "wifi_signal_dbm": health.wifi_signal,
        });
    }
    state
}

/// The numbers of one camera.
fn describe_camera(
    camera: &Camera,
    viewers: &[Arc<Viewer>],
    now: Instant,
) -> Vec<(&'static str, Value)> {
    let stats = &camera.stats;
    let observation = camera.observe(now);
    let (healthy, age) = (observation.health().is_well(), observation.age());
    let time_in_state = observation.since();
    let (status, measured_fps) = (observation.status, observation.measured_fps);
    let is_gone = status.is_gone();
    let facts = status.facts;
    let is_new = time_in_state < Duration::from_secs(2);
    // As measured; as the source says it, before there is a measure.
    let fps = if status.state == State::Online && is_new && measured_fps == 0.0 {
        facts.fps.unwrap_or(0.0)
    } else {
        measured_fps
    };
    // Of the picture as it is served.
    let size = facts.size.map(|size| camera.config.turn.of(size));
    let watching = viewers.iter().filter(|viewer| {
        let stand_in = camera.stand_in.as_deref();
        viewer.watches(camera.address()) || stand_in.is_some() && viewer.watches(stand_in)
    });
    vec![
        ("name", camera.config.name.as_str().into()),
        (
            "camera",
            json!({
                "state": status.state.name(),
                // As `/healthz` says it.
                "healthy": healthy,
                "since_s": rounded(time_in_state.as_secs_f64()),
                "source": facts.source,
                // Of a camera module: its sensor, such as imx708.
                "sensor": facts.sensor,
                // The node's name that does not change with its number.
                "stable": facts.stable.map(|name| name.display().to_string()),
                "backend": facts.backend,
                "format": facts.format,
                // Of raw pixels, where it is known: full or limited.
                "range": facts.range.map(ColorRange::name),
                "width": size.map_or(0, |size| size.width),
                "height": size.map_or(0, |size| size.height),
                "fps": rounded(fps),
                "captured": stats.captured.get(),
                "skipped": stats.skipped.get(),
                "dropped": stats.dropped.get(),
                // Whole for all that they came with a wrong length or behind other bytes.
                "repaired": stats.repaired.get(),
                "reopened": stats.reopened.get(),
                "reason": status.reason,
                // It is not there; false for one that is there and gives no picture, or whose server does
                // not answer.
                "gone": is_gone,
                // The very same picture comes again and again.
                "frozen": camera.is_frozen(),
                // The test pattern stands in for a camera that was not found.
                "fallback": facts.is_fallback,
                // Why a camera that is there is not shown instead, with what to do.
                "hint": facts.hint,
                // What the camera was asked for; null leaves it to the camera.
                "asked": {
                    "format": facts.asked.format,
                    "width": facts.asked.size.map(|size| size.width),
                    "height": facts.asked.size.map(|size| size.height),
                    "fps": facts.asked.fps,
                },
            }),
        ),
        (
            "encoder",
            json!({
                "workers": camera.config.workers,
                "quality": camera.quality(),
                "pass_through": facts.pass_through,
                "encoded": stats.encoded.get(),
                "late": stats.late.get(),
                "encode_ms": rounded(stats.encode_time.millis()),
            }),
        ),
        (
            "stream",
            json!({
                "viewers": watching.count(),
                "sequence": camera.slot.latest().map_or(0, |frame| frame.sequence()),
                // Of the newest picture, watched or not.
                "age_ms": age.map(|age| rounded(age.as_secs_f64() * 1e3)),
            }),
        ),
    ]
}

/// What the newest picture's clock shows now.
fn clock(camera: &Camera) -> Duration {
    let newest = camera.slot.latest();
    let newest = newest.filter(|frame| frame.is_live() && frame.age() < CURRENT);
    newest.map_or_else(
        || CaptureTime::now().unix,
        |frame| frame.captured().unix + frame.age(),
    )
}

/// To a hundredth: what people read.
fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}
