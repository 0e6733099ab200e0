//! How each section is measured at a running server. All return the figures of their window; what a
//! picture's age is, and who was busy meanwhile, means the same in all of them.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::args::Args;
use crate::camera;
use crate::cases::{Case, Section};
use crate::client::{Client, Figures, millis, percentile, sorted};
use crate::load::{self, age_micros, mark};
use crate::meter::{Meter, named};
use crate::probe::{Asker, Probe};
use crate::server::{Recipe, Server};
use crate::{raw, sharpness};

/// For a server to notice that those who looked while it started are gone.
pub const GRACE: Duration = Duration::from_secs(1);
const NEWCOMERS: usize = 60;
/// Some servers let each wait for seconds; then fewer come.
const NEWCOMERS_MAX: Duration = Duration::from_secs(6);
/// Snapshots on the kept connection, and as many on new ones.
const SNAPSHOTS: usize = 200;
/// Between two requests: no whole part of a frame's time, so that they meet every phase of it.
const UNEVEN: Duration = Duration::from_micros(7300);
/// A slow reader's first pictures are of before the buffers filled.
const SLOW_LEAD: f64 = 3.0;

/// Figures and faults.
pub type Outcome = Result<(Figures, Vec<String>), String>;

pub fn measure(args: &Args, case: &Case, recipe: &Recipe, server: &Server) -> Outcome {
    let is_fresh = |figures: Figures| (figures, Vec::new());
    match case.section {
        Section::Feed | Section::Growth => feed(args, case, recipe, server),
        Section::Slow => slow(case, recipe, server).map(is_fresh),
        Section::Snapshots => snapshots(case, recipe, server),
        Section::Idle => Ok(is_fresh(idle(case, server))),
        Section::First => first(recipe, server).map(is_fresh),
        Section::Yuyv | Section::Encode => raw::measure(case, recipe, server).map(is_fresh),
        Section::Sharpness => sharpness::measure(case, recipe, server).map(is_fresh),
    }
}

fn feed(args: &Args, case: &Case, recipe: &Recipe, server: &Server) -> Outcome {
    let (viewers, seconds) = (case.setting.viewers, case.seconds);
    let ring = camera::ring(&case.setting)?;
    let client = start(recipe, server, viewers, seconds, args.verify, &ring)?;
    watched(&client, server.id(), seconds)
}

/// What the process `server` used in the window that `client` tells of, and what that saw. They may be
/// the same process.
pub fn watched(client: &Client, server: u32, seconds: f64) -> Outcome {
    client.wait_for("begin", Duration::ZERO)?;
    let other = Some(client.id()).filter(|&id| id != server);
    let mut meter = Meter::begin(server, other);
    let half = Duration::from_secs_f64(seconds / 2.0);
    // To the middle of the measured window.
    thread::sleep(half);
    meter.look();
    client.wait_for("end", half)?;
    let mut figures = meter.end();
    let (seen, faults) = client.report()?;
    figures.extend(seen);
    match per_frame(&mut figures) {
        true => Ok((figures, faults)),
        false => Err(format!("no frame at all; {}", faults.join("; "))),
    }
}

fn start(
    recipe: &Recipe,
    server: &Server,
    viewers: usize,
    seconds: f64,
    verify: bool,
    ring: &Path,
) -> Result<Client, String> {
    Client::start(server.address, &recipe.path, viewers, seconds, verify, ring)
}

/// Puts the CPU in terms of the frames that were delivered; false when none was.
pub fn per_frame(figures: &mut Figures) -> bool {
    let frames = figures.get("frames").copied().unwrap_or(0.0);
    let cpu = figures.get("cpu_ms").copied().unwrap_or(0.0);
    figures.insert("cpu_ms_per_frame".into(), cpu / frames.max(1.0));
    frames > 0.0
}

fn slow(case: &Case, recipe: &Recipe, server: &Server) -> Result<Figures, String> {
    let meter = Meter::begin(server.id(), None);
    let begun = Instant::now();
    let (mut ages, mut frames, mut latest) = (Vec::new(), 0.0, None);
    Probe::open_slow(server.address, &recipe.path)?.watch(|part, _| {
        let at = begun.elapsed().as_secs_f64();
        if at > SLOW_LEAD {
            frames += 1.0;
            ages.extend(age_micros(part).map(|age| f64::from(age) / 1e3));
        }
        latest = Some(at);
        at < SLOW_LEAD + case.seconds
    })?;
    let mut figures = meter.end();
    let seconds = latest.unwrap_or_default() - SLOW_LEAD;
    figures.extend(named([("frames", frames), ("fps_min", frames / seconds)]));
    add_ages(&mut figures, ages);
    Ok(figures)
}

/// The percentiles of `ages`, milliseconds in any order.
pub fn add_ages(figures: &mut Figures, ages: Vec<f64>) {
    let ages = sorted(ages.into_iter());
    for (name, share) in [
        ("age_p50_ms", 0.5),
        ("age_p99_ms", 0.99),
        ("age_max_ms", 1.0),
    ] {
        figures.extend(percentile(&ages, share).map(|&age| (name.to_string(), age)));
    }
}

fn snapshots(case: &Case, recipe: &Recipe, server: &Server) -> Outcome {
    let viewers = case.setting.viewers;
    // The viewers stay for as long as this takes at most, and are not waited for.
    let lasting = UNEVEN.as_secs_f64() * 2.0 * SNAPSHOTS as f64 + 30.0;
    let client = start(recipe, server, viewers, lasting, false, Path::new("-"))?;
    client.wait_for("begin", Duration::ZERO)?;
    let mut meter = Meter::begin(server.id(), Some(client.id()));
    let (mut kept, mut fresh, mut ages) = (Vec::new(), Vec::new(), Vec::new());
    let mut asker = Asker::open(server.address)?;
    for _ in 0..SNAPSHOTS {
        // The pace of the requests, so that they meet every phase of a frame.
        thread::sleep(UNEVEN);
        let begun = Instant::now();
        let (jpeg, is_kept) = asker.ask(&recipe.snapshot)?;
        kept.push(millis(begun.elapsed()));
        let marked = mark::read(&jpeg);
        ages.extend(marked.map(|(mark, _)| {
            let now = load::monotonic_micros();
            now.saturating_sub(mark.taken_micros) as f64 / 1e3
        }));
        if !is_kept {
            kept.clear();
            break;
        }
    }
    meter.look();
    for _ in 0..SNAPSHOTS {
        // The same pace.
        thread::sleep(UNEVEN);
        let begun = Instant::now();
        Asker::open(server.address)?.ask(&recipe.snapshot)?;
        fresh.push(millis(begun.elapsed()));
    }
    let mut figures = meter.end();
    for (kind, times) in [("kept", kept), ("new", fresh)] {
        let times = sorted(times.into_iter());
        for (name, share) in [("p50", 0.5), ("p99", 0.99)] {
            let time = percentile(&times, share).copied();
            figures.extend(time.map(|time| (format!("{kind}_{name}_ms"), time)));
        }
    }
    add_ages(&mut figures, ages);
    Ok((figures, Vec::new()))
}

fn idle(case: &Case, server: &Server) -> Figures {
    // No server says when it has noticed that those who looked at its start are gone.
    thread::sleep(GRACE);
    let meter = Meter::begin(server.id(), None);
    // The measured window.
    thread::sleep(Duration::from_secs_f64(case.seconds));
    meter.end()
}

/// Each newcomer comes when the one before is gone.
fn first(recipe: &Recipe, server: &Server) -> Result<Figures, String> {
    // No server says when it has noticed that those who looked at its start are gone.
    thread::sleep(GRACE);
    let meter = Meter::begin(server.id(), None);
    let deadline = Instant::now() + NEWCOMERS_MAX;
    let (mut times, mut ages) = (Vec::new(), Vec::new());
    while times.len() < NEWCOMERS && Instant::now() < deadline {
        thread::sleep(UNEVEN);
        let begun = Instant::now();
        Probe::open(server.address, &recipe.path)?.watch(|part, _| {
            ages.extend(age_micros(part).map(|age| f64::from(age) / 1e3));
            false
        })?;
        times.push(millis(begun.elapsed()));
    }
    let mut figures = meter.end();
    let times = sorted(times.into_iter());
    for (name, share) in [
        ("first_p50_ms", 0.5),
        ("first_p99_ms", 0.99),
        ("first_max_ms", 1.0),
    ] {
        figures.extend(percentile(&times, share).map(|&time| (name.to_string(), time)));
    }
    add_ages(&mut figures, ages);
    Ok(figures)
}
