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

/// Every name, and what it says.
const HELP: &str = "\
camfeed_build_info Always 1, with the version of camfeed and the camera's name.
camfeed_start_time_seconds When it began to serve, Unix time.
camfeed_camera_up 1 while the camera gives pictures; 0 for a test pattern in its place, too.
camfeed_camera_state 1 for the state the camera is in, 0 for the others.
camfeed_camera_frozen 1 while the camera gives the very same picture again and again.
camfeed_camera_reopened_total Times the camera was opened again after it had been lost.
camfeed_frames_captured_total Pictures the camera gave.
camfeed_frames_encoded_total Frames made by the encoders; a camera's own JPEGs need none.
camfeed_frames_repaired_total Pictures that came with a wrong length or behind other bytes, and were whole all the same.
camfeed_frames_dropped_total Pictures nobody could see: skipped, every encoder was busy; late, a newer one was \
    ready before; broken, no whole JPEG.
camfeed_capture_rate_hertz Pictures a second, over the last three seconds.
camfeed_picture_age_seconds Age of the newest picture, watched or not; absent before the first.
camfeed_sequence Number of the newest frame.
camfeed_encode_seconds Time to encode a frame.
camfeed_viewers Streams being sent.
camfeed_viewers_max Streams sent at once, at most.
camfeed_viewer_frames_sent_total Frames sent to viewers, repeats not counted.
camfeed_viewer_frames_missed_total Frames never sent to a viewer that was too slow for them.
camfeed_viewer_sent_bytes_total Bytes of the stream sent to viewers.
camfeed_viewers_evicted_total Viewers that were let go: stalled, took no byte for too long.
camfeed_connections Open connections, those of viewers included.
camfeed_connections_max Connections at once, at most.
camfeed_connections_accepted_total Connections accepted.
camfeed_connections_refused_total Connections of an address that had as many as it may have.
camfeed_connections_displaced_total Connections that asked for nothing and made room for new ones.
camfeed_connections_timed_out_total Connections that said nothing, or took nothing of an \
    answer, for too long.
camfeed_connections_malformed_total Connections that sent no HTTP request, or one that was too long.
camfeed_machine_temperature_celsius Temperature of the processor.
camfeed_machine_under_voltage 1 while the power supply of a Raspberry Pi is too weak.
camfeed_machine_under_voltage_since_boot 1 when it has been too weak since the boot; \
    absent when that is not known.
camfeed_machine_throttled 1 while a Raspberry Pi slows its processor down.
camfeed_machine_wifi_signal_dbm Signal of the strongest Wi-Fi network the machine is in.
process_cpu_seconds_total Time on all processors together.
process_resident_memory_bytes Memory that is not swapped out.
process_open_fds Open file descriptors.
process_max_fds File descriptors that may be open.
process_threads Threads.
process_start_time_seconds When the process was started, Unix time.
";

/// Answers `/metrics`.
pub fn answer(app: &App) -> Response {
    let mut text = Exposition::new(HELP);
    describe_program(&mut text, app);
    let cameras = app.cameras.all();
    for camera in &*cameras {
        // Where there are several, its name tells its samples from those of the others.
        let label = ("camera", camera.config.name.as_str());
        text.label_all(Some(label).filter(|_| cameras.len() > 1));
        describe_camera(&mut text, camera);
    }
    text.label_all(None);
    describe_clients(&mut text, app);
    describe_machine(&mut text, app);
    describe_process(&mut text);
    Response::new(200, CONTENT_TYPE, text.finish().into_bytes()).with("Cache-Control", "no-store")
}

fn describe_program(text: &mut Exposition, app: &App) {
    let (version, name) = (env!("CARGO_PKG_VERSION"), app.cameras.name.as_str());
    let labels = [("version", version), ("name", name)];
    text.put_info("camfeed_build_info", &labels);
    // By the clock as it stands: a Raspberry Pi learns the time some while after it has started.
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let start = now
        .unwrap_or_default()
        .saturating_sub(app.started.elapsed());
    text.put("camfeed_start_time_seconds", start.as_secs_f64().round());
}

fn describe_camera(text: &mut Exposition, camera: &Camera) {
    let observation = camera.observe(Instant::now());
    let state = observation.status.state;
    let is_up = state == State::Online && !observation.status.facts.is_fallback;
    let states = State::ALL.map(|one| (one.name(), u64::from(one == state)));
    let age = observation.age().map(|age| age.as_secs_f64());
    let sequence = camera.slot.latest().map_or(0, |frame| frame.sequence());
    let stats = &camera.stats;
    let dropped = [
        ("skipped", stats.skipped.get()),
        ("late", stats.late.get()),
        ("broken", stats.dropped.get()),
    ];
    text.put("camfeed_camera_up", u8::from(is_up));
    text.put_each("camfeed_camera_state", "state", &states);
    text.put("camfeed_camera_frozen", u8::from(camera.is_frozen()));
    text.put("camfeed_camera_reopened_total", stats.reopened.get());
    text.put("camfeed_frames_captured_total", stats.captured.get());
    text.put("camfeed_frames_repaired_total", stats.repaired.get());
    text.put("camfeed_frames_encoded_total", stats.encoded.get());
    text.put_each("camfeed_frames_dropped_total", "reason", &dropped);
    text.put("camfeed_capture_rate_hertz", observation.measured_fps);
    text.put_known("camfeed_picture_age_seconds", age);
    text.put("camfeed_sequence", sequence);
    text.put_histogram("camfeed_encode_seconds", &stats.encode_times);
}

fn describe_clients(text: &mut Exposition, app: &App) {
    let (viewers, open) = (&app.viewers, &app.connections);
    let totals = viewers.totals();
    let evicted = [("stalled", viewers.evicted.get())];
    text.put("camfeed_viewers", viewers.count());
    text.put("camfeed_viewers_max", viewers.max_viewers());
    text.put("camfeed_viewer_frames_sent_total", totals.sent);
    text.put("camfeed_viewer_frames_missed_total", totals.missed);
    text.put("camfeed_viewer_sent_bytes_total", totals.bytes);
    text.put_each("camfeed_viewers_evicted_total", "reason", &evicted);
    text.put("camfeed_connections", open.limit.open());
    text.put("camfeed_connections_max", open.limit.max());
    text.put("camfeed_connections_accepted_total", open.accepted());
    text.put("camfeed_connections_refused_total", open.refused.get());
    text.put("camfeed_connections_displaced_total", open.displaced.get());
    text.put("camfeed_connections_timed_out_total", open.timed_out.get());
    text.put("camfeed_connections_malformed_total", open.malformed.get());
}

fn describe_machine(text: &mut Exposition, app: &App) {
    let health = app.health.get();
    let flag = |is_so: Option<bool>| is_so.map(u8::from);
    let was_weak = flag(health.under_voltage_since_boot);
    text.put_known("camfeed_machine_temperature_celsius", health.temperature);
    text.put_known("camfeed_machine_under_voltage", flag(health.under_voltage));
    text.put_known("camfeed_machine_under_voltage_since_boot", was_weak);
    text.put_known("camfeed_machine_throttled", flag(health.throttled));
    text.put_known("camfeed_machine_wifi_signal_dbm", health.wifi_signal);
}

fn describe_process(text: &mut Exposition) {
    let process = process_stats::look();
    text.put("process_cpu_seconds_total", process.cpu_seconds);
    text.put_known("process_resident_memory_bytes", process.resident_bytes);
    text.put_known("process_open_fds", process.open_fds);
    text.put_known("process_max_fds", process.max_fds);
    text.put_known("process_threads", process.threads);
    text.put_known("process_start_time_seconds", process.started);
}
