//! `/metrics`, the numbers for Prometheus.
//!
//! The same numbers as in `/state`, under names that follow Prometheus' conventions: base units,
//! `_total` for what only rises. No series is made for a client: whoever connects must not be able
//! to fill somebody's database. What Prometheus can work out of these (rates, quantiles, sums) is
//! not here. The names are a promise: `scripts/` holds a dashboard and alerts that use them.

use crate::{
    feed::camera::{Camera, State},
    http::{
        answers::prometheus_text::{CONTENT_TYPE, Exposition},
        app::App,
        response::Response,
    },
    system::process_stats,
};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Answers `/metrics`.
pub fn answer(app: &App) -> Response {
    let mut text = Exposition::default();
    describe_program(&mut text, app.started);
    describe_camera(&mut text, &app.camera);
    describe_viewers(&mut text, app);
    describe_connections(&mut text, app);
    describe_machine(&mut text, app);
    describe_process(&mut text);
    Response::new(200, CONTENT_TYPE, text.finish().into_bytes()).with("Cache-Control", "no-store")
}

fn describe_program(text: &mut Exposition, started: Instant) {
    let version = [(env!("CARGO_PKG_VERSION"), 1)];
    text.gauges(
        "camfeed_build_info",
        "Always 1, with the version of camfeed.",
        "version",
        &version,
    );
    // By the clock as it stands: a Raspberry Pi learns the time some while after it has started.
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let start = now.unwrap_or_default().saturating_sub(started.elapsed());
    text.gauge(
        "camfeed_start_time_seconds",
        "When it began to serve, Unix time.",
        start.as_secs_f64().round(),
    );
}

fn describe_camera(text: &mut Exposition, camera: &Camera) {
    let snapshot = camera.snapshot(Instant::now());
    let state = snapshot.status.state;
    let is_fallback = snapshot.status.facts.is_fallback;
    text.flag(
        "camfeed_camera_up",
        "1 while the camera gives pictures; 0 for a test pattern in its place, too.",
        state == State::Online && !is_fallback,
    );
    let states = State::ALL.map(|one| (one.name(), u64::from(one == state)));
    text.gauges(
        "camfeed_camera_state",
        "1 for the state the camera is in, 0 for the others.",
        "state",
        &states,
    );
    text.flag(
        "camfeed_camera_frozen",
        "1 while the camera gives the very same picture again and again.",
        camera.is_frozen(),
    );
    let stats = &camera.stats;
    text.counter(
        "camfeed_camera_reopened_total",
        "Times the camera was opened again after it had been lost.",
        stats.reopened.get(),
    );
    text.counter(
        "camfeed_frames_captured_total",
        "Pictures the camera gave.",
        stats.captured.get(),
    );
    text.counter(
        "camfeed_frames_encoded_total",
        "Frames made by the encoders; a camera's own JPEGs need none.",
        stats.encoded.get(),
    );
    let dropped = [
        ("skipped", stats.skipped.get()),
        ("late", stats.late.get()),
        ("broken", stats.dropped.get()),
    ];
    text.counters(
        "camfeed_frames_dropped_total",
        "Pictures nobody could see: skipped, every encoder was busy; late, a newer one was ready \
         before; broken, no whole JPEG.",
        "reason",
        &dropped,
    );
    text.gauge(
        "camfeed_capture_rate_hertz",
        "Pictures a second, over the last three seconds.",
        snapshot.measured_fps,
    );
    text.gauge_if_known(
        "camfeed_picture_age_seconds",
        "Age of the newest picture, watched or not; absent before the first.",
        snapshot.age().map(|age| age.as_secs_f64()),
    );
    text.gauge(
        "camfeed_sequence",
        "Number of the newest frame.",
        camera.slot.latest().map_or(0, |frame| frame.sequence()),
    );
    text.histogram(
        "camfeed_encode_seconds",
        "Time to encode a frame.",
        &stats.encode_times,
    );
}

fn describe_viewers(text: &mut Exposition, app: &App) {
    let viewers = &app.viewers;
    text.gauge("camfeed_viewers", "Streams being sent.", viewers.count());
    text.gauge(
        "camfeed_viewers_max",
        "Streams sent at once, at most.",
        viewers.max_viewers(),
    );
    let totals = viewers.totals();
    text.counter(
        "camfeed_viewer_frames_sent_total",
        "Frames sent to viewers, repeats not counted.",
        totals.sent,
    );
    text.counter(
        "camfeed_viewer_frames_missed_total",
        "Frames never sent to a viewer that was too slow for them.",
        totals.missed,
    );
    text.counter(
        "camfeed_viewer_sent_bytes_total",
        "Bytes of the stream sent to viewers.",
        totals.bytes,
    );
    text.counters(
        "camfeed_viewers_evicted_total",
        "Viewers that were let go: stalled, took no byte for too long.",
        "reason",
        &[("stalled", viewers.evicted.get())],
    );
}

fn describe_connections(text: &mut Exposition, app: &App) {
    let connections = &app.connections;
    text.gauge(
        "camfeed_connections",
        "Open connections, those of viewers included.",
        connections.limit.open(),
    );
    text.gauge(
        "camfeed_connections_max",
        "Connections at once, at most.",
        connections.limit.max(),
    );
    text.counter(
        "camfeed_connections_accepted_total",
        "Connections accepted.",
        connections.accepted(),
    );
    text.counter(
        "camfeed_connections_refused_total",
        "Connections of an address that had as many as it may have.",
        connections.refused.get(),
    );
    text.counter(
        "camfeed_connections_displaced_total",
        "Connections that asked for nothing and made room for new ones.",
        connections.displaced.get(),
    );
    text.counter(
        "camfeed_connections_timed_out_total",
        "Connections that said nothing, or took nothing of an answer, for too long.",
        connections.timed_out.get(),
    );
    text.counter(
        "camfeed_connections_malformed_total",
        "Connections that sent no HTTP request, or one that was too long.",
        connections.malformed.get(),
    );
}

fn describe_machine(text: &mut Exposition, app: &App) {
    let health = app.health.get();
    text.gauge_if_known(
        "camfeed_machine_temperature_celsius",
        "Temperature of the processor.",
        health.temperature,
    );
    text.flag(
        "camfeed_machine_under_voltage",
        "1 while the power supply of a Raspberry Pi is too weak.",
        health.under_voltage,
    );
    text.flag(
        "camfeed_machine_under_voltage_since_boot",
        "1 when it has been too weak since the boot; absent when that is not known.",
        health.under_voltage_since_boot,
    );
    text.flag(
        "camfeed_machine_throttled",
        "1 while a Raspberry Pi slows its processor down.",
        health.throttled,
    );
    text.gauge_if_known(
        "camfeed_machine_wifi_signal_dbm",
        "Signal of the strongest Wi-Fi network the machine is in.",
        health.wifi_signal,
    );
}

fn describe_process(text: &mut Exposition) {
    let process = process_stats::look();
    text.counter(
        "process_cpu_seconds_total",
        "Time on all processors together.",
        process.cpu_seconds,
    );
    text.gauge_if_known(
        "process_resident_memory_bytes",
        "Memory that is not swapped out.",
        process.resident_bytes,
    );
    text.gauge_if_known(
        "process_open_fds",
        "Open file descriptors.",
        process.open_fds,
    );
    text.gauge_if_known(
        "process_max_fds",
        "File descriptors that may be open.",
        process.max_fds,
    );
    text.gauge_if_known("process_threads", "Threads.", process.threads);
    text.gauge_if_known(
        "process_start_time_seconds",
        "When the process was started, Unix time.",
        process.started,
    );
}
