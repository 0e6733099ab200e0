//! `/state`, the numbers as JSON, and `/healthz`, one line for scripts.

use crate::{
    feed::{
        camera::{State, Status},
        frame::CaptureTime,
        liveness::{Health, Snapshot},
    },
    http::{app::App, response::Response},
    system::machine::MachineHealth,
};
use serde::Serialize;
use std::time::{Duration, Instant};

/// The clock of the newest picture is shown while that picture is younger than this.
const CURRENT: Duration = Duration::from_secs(5);

#[derive(Serialize)]
struct StateAnswer {
    version: &'static str,
    uptime_s: f64,
    /// The clock of the capture times, Unix seconds: pages compare them with it. It is the
    /// server's own, unless the pictures come from a server with another one.
    now: f64,
    name: String,
    access: AccessAnswer,
    camera: CameraAnswer,
    encoder: EncoderAnswer,
    stream: StreamAnswer,
    connections: ConnectionsAnswer,
    /// Left out where nothing of it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    health: Option<HealthAnswer>,
    viewers: Vec<ViewerAnswer>,
}

/// What everybody is asked for: the page shows commands that bring it.
#[derive(Serialize)]
struct AccessAnswer {
    password: bool,
}

#[derive(Serialize)]
struct CameraAnswer {
    state: &'static str,
    /// As `/healthz` says it.
    healthy: bool,
    since_s: f64,
    source: String,
    /// The node's name that does not change with its number.
    stable: Option<String>,
    backend: String,
    format: String,
    width: u32,
    height: u32,
    /// As measured; as the source says it, before there is a measure.
    fps: f64,
    captured: u64,
    skipped: u64,
    dropped: u64,
    reopened: u64,
    reason: Option<String>,
    /// The very same picture comes again and again.
    frozen: bool,
    /// The test pattern stands in for a camera that was not found.
    fallback: bool,
    asked: AskedAnswer,
}

/// What the camera was asked for; null leaves it to the camera.
#[derive(Serialize)]
struct AskedAnswer {
    format: Option<String>,
    width: Option<u32>,
    height: Option<u32>,
    fps: Option<f64>,
}

#[derive(Serialize)]
struct EncoderAnswer {
    workers: usize,
    quality: i32,
    pass_through: bool,
    encoded: u64,
    late: u64,
    encode_ms: f64,
}

#[derive(Serialize)]
struct StreamAnswer {
    viewers: usize,
    max_viewers: usize,
    sequence: u64,
    /// Age of the newest picture, watched or not.
    age_ms: Option<f64>,
    bytes_sent: u64,
    /// Viewers that took no byte for too long and were let go.
    evicted: u64,
}

/// Everybody, viewers included.
#[derive(Serialize)]
struct ConnectionsAnswer {
    open: usize,
    max: usize,
    accepted: u64,
    /// Of an address that had as many as it may have.
    refused: u64,
    /// Asked for nothing and made room for new ones.
    displaced: u64,
    /// Said nothing, or took nothing of an answer, for too long.
    timed_out: u64,
    /// Sent no request, or one that was too long.
    malformed: u64,
}

/// The machine; null is unknown.
#[derive(Serialize)]
struct HealthAnswer {
    temperature_c: Option<f64>,
    under_voltage: Option<bool>,
    under_voltage_since_boot: Option<bool>,
    throttled: Option<bool>,
    wifi_signal_dbm: Option<i32>,
}

#[derive(Serialize)]
struct ViewerAnswer {
    id: u64,
    peer: String,
    since_s: f64,
    fps: f64,
    sent: u64,
    missed: u64,
    bytes: u64,
}

/// Answers `/state`.
pub fn state(app: &App) -> Response {
    Response::json(&describe(app))
}

/// Answers `/healthz`, which needs no password and so names no source.
pub fn health(app: &App) -> Response {
    let text = match app.camera.snapshot(Instant::now()).health() {
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

fn describe(app: &App) -> StateAnswer {
    let now = Instant::now();
    let (camera, connections) = (&app.camera, &app.connections);
    let snapshot = camera.snapshot(now);
    let (healthy, age) = (snapshot.health().is_well(), snapshot.age());
    let time_in_state = snapshot.since();
    let Snapshot {
        status,
        measured_fps,
        ..
    } = snapshot;
    let Status {
        state,
        reason,
        facts,
        ..
    } = status;
    let is_new = time_in_state < Duration::from_secs(2);
    let fps = if state == State::Online && is_new && measured_fps == 0.0 {
        facts.fps.unwrap_or(0.0)
    } else {
        measured_fps
    };
    // Of the picture as it is served.
    let size = facts.size.map(|size| camera.config.turn.of(size));
    let viewers: Vec<_> = app
        .viewers
        .viewers()
        .iter()
        .map(|viewer| ViewerAnswer {
            id: viewer.id,
            peer: viewer.peer.clone(),
            since_s: rounded(viewer.since.elapsed().as_secs_f64()),
            fps: rounded(viewer.fps()),
            sent: viewer.sent.get(),
            missed: viewer.missed.get(),
            bytes: viewer.bytes.get(),
        })
        .collect();
    StateAnswer {
        version: env!("CARGO_PKG_VERSION"),
        uptime_s: rounded(app.started.elapsed().as_secs_f64()),
        now: clock(app).as_secs_f64(),
        name: rustix::system::uname()
            .nodename()
            .to_string_lossy()
            .into_owned(),
        access: AccessAnswer {
            password: app.access.has_password(),
        },
        camera: CameraAnswer {
            state: state.name(),
            healthy,
            since_s: rounded(time_in_state.as_secs_f64()),
            source: facts.source,
            stable: facts.stable.map(|name| name.display().to_string()),
            backend: facts.backend,
            format: facts.format,
            width: size.map_or(0, |size| size.width),
            height: size.map_or(0, |size| size.height),
            fps: rounded(fps),
            captured: camera.stats.captured.get(),
            skipped: camera.stats.skipped.get(),
            dropped: camera.stats.dropped.get(),
            reopened: camera.stats.reopened.get(),
            reason,
            frozen: camera.is_frozen(),
            fallback: facts.is_fallback,
            asked: AskedAnswer {
                format: facts.asked.format,
                width: facts.asked.size.map(|size| size.width),
                height: facts.asked.size.map(|size| size.height),
                fps: facts.asked.fps,
            },
        },
        encoder: EncoderAnswer {
            workers: camera.config.workers.0,
            quality: camera.quality(),
            pass_through: facts.pass_through,
            encoded: camera.stats.encoded.get(),
            late: camera.stats.late.get(),
            encode_ms: rounded(camera.stats.encode_time.millis()),
        },
        stream: StreamAnswer {
            viewers: viewers.len(),
            max_viewers: app.viewers.max_viewers(),
            sequence: camera.slot.latest().map_or(0, |frame| frame.sequence()),
            age_ms: age.map(|age| rounded(age.as_secs_f64() * 1e3)),
            bytes_sent: app.viewers.totals().bytes,
            evicted: app.viewers.evicted.get(),
        },
        connections: ConnectionsAnswer {
            open: connections.limit.open(),
            max: connections.limit.max(),
            accepted: connections.accepted(),
            refused: connections.refused.get(),
            displaced: connections.displaced.get(),
            timed_out: connections.timed_out.get(),
            malformed: connections.malformed.get(),
        },
        health: describe_health(app.health.get()),
        viewers,
    }
}

fn describe_health(health: MachineHealth) -> Option<HealthAnswer> {
    health.is_known().then_some(HealthAnswer {
        temperature_c: health.temperature.map(rounded),
        under_voltage: health.under_voltage,
        under_voltage_since_boot: health.under_voltage_since_boot,
        throttled: health.throttled,
        wifi_signal_dbm: health.wifi_signal,
    })
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
