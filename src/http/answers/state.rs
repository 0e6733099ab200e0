//! `/state`, the numbers as JSON, and `/healthz`, one line for scripts.

use crate::{
    feed::{
        camera::{ColorRange, State},
        frame::CaptureTime,
        health::Health,
    },
    http::{app::App, response::Response},
};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// The clock of the newest picture is shown while that picture is younger than this.
const CURRENT: Duration = Duration::from_secs(5);

/// Answers `/state`.
pub fn state(app: &App) -> Response {
    Response::json(&describe(app))
}

/// Answers `/healthz`, which needs no password and so names no source.
pub fn health(app: &App) -> Response {
    let text = match app.camera.observe(Instant::now()).health() {
        Health::Live(age) => {
            let age = age.as_secs_f64();
            format!("ok, the newest picture is {age:.1} s old\n")
        }
        Health::Starting => "ok, the camera is online and its first picture is due\n".to_owned(),
        Health::Resting => "ok, the camera rests until somebody watches\n".to_owned(),
        Health::Overdue | Health::Down => {
            let reason = app.camera.nameless_reason();
            let text = format!("no live picture: {reason}\n");
            return Response::text(503, text).with("Retry-After", "2");
        }
    };
    Response::text(200, text)
}

/// All numbers; null is unknown.
fn describe(app: &App) -> Value {
    let now = Instant::now();
    let (camera, stats, connections) = (&app.camera, &app.camera.stats, &app.connections);
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
    let viewers = app.viewers.viewers();
    let addresses = app
        .addresses
        .get(now, || app.listening.addresses_elsewhere());
    let mut state = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "uptime_s": rounded(app.started.elapsed().as_secs_f64()),
        // The clock of the capture times, Unix seconds: pages compare them with it. It is the
        // server's own, unless the pictures come from a server with another one.
        "now": clock(app).as_secs_f64(),
        "name": camera.config.name.as_str(),
        // What everybody is asked for: the page shows commands that bring it.
        // And by which addresses other machines reach it, best first.
        "access": {
            "password": app.access.has_password(),
            "addresses": *addresses,
        },
        "camera": {
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
        },
        "encoder": {
            "workers": camera.config.workers,
            "quality": camera.quality(),
            "pass_through": facts.pass_through,
            "encoded": stats.encoded.get(),
            "late": stats.late.get(),
            "encode_ms": rounded(stats.encode_time.millis()),
        },
        "stream": {
            "viewers": viewers.len(),
            "max_viewers": app.viewers.max_viewers(),
            "sequence": camera.slot.latest().map_or(0, |frame| frame.sequence()),
            // Of the newest picture, watched or not.
            "age_ms": age.map(|age| rounded(age.as_secs_f64() * 1e3)),
            "bytes_sent": app.viewers.totals().bytes,
            // Viewers that took no byte for too long and were let go.
            "evicted": app.viewers.evicted.get(),
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
            "since_s": rounded(viewer.since.elapsed().as_secs_f64()),
            "fps": rounded(viewer.fps()),
            "sent": viewer.sent.get(),
            "missed": viewer.missed.get(),
            "bytes": viewer.bytes.get(),
        })).collect::<Vec<_>>(),
    });
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

/// What the newest picture's clock shows now.
fn clock(app: &App) -> Duration {
    let newest = app.camera.slot.latest();
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
