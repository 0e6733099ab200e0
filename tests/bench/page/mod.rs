//! The page mode: what camfeed's page costs a viewer and shows it, beside a plain `<img>` of the stream at
//! the same place of the same screen.
//!
//! Each measurement starts a camera, camfeed, a screen in memory and a browser with a new profile; page
//! and `<img>` alternate, as servers do in `rounds`. CPU and memory are of the process that shows the
//! page. Frames are counted on the screen itself (`screen`, `frames`), against what a viewer in the bench
//! is sent.

mod chromium;
pub mod frames;
mod memory;
mod plain;
mod reader;
mod results;
pub mod screen;
mod view;

use std::thread;
use std::time::{Duration, Instant};

use self::chromium::Chromium;
use self::frames::shown;
use self::memory::Memory;
use self::reader::Reader;
use self::results::Round;
use self::screen::Watch;
use self::view::View;
use crate::args::Args;
use crate::cases::{Setting, usual};
use crate::client::{Figures, millis};
use crate::load::monotonic_micros;
use crate::measures::add_ages;
use crate::meter::{Meter, named};
use crate::proc::Cpu;
use crate::rounds::is_busy;

const ROUNDS: usize = 3;
const SIZES: [(usize, usize); 2] = [(1280, 720), (1920, 1080)];

/// Who shows the stream.
const IMG: &str = "img";
const PAGE: &str = "page";
/// The page of `--against`.
const OLD: &str = "old page";

/// Before the window: scripts have been compiled by then, and caches are full.
const SETTLE_TIME: Duration = Duration::from_secs(5);
/// After the window: for its last frames to come to the screen.
const LAST_TIME: Duration = Duration::from_secs(1);
/// Between two looks at the memory.
const LOOK_TIME: Duration = Duration::from_millis(500);
/// What is shown.
pub struct Case {
    pub label: String,
    setting: Setting,
    is_zoomed: bool,
}

/// What the pages have in common.
struct Layout {
    /// Of the stage: left, top, width and height, in pixels.
    stage: [f64; 4],
    /// How much larger the page's picture is when it is zoomed in; None: the page cannot.
    zoom: Option<f64>,
    /// The same of the page of `--against`.
    old_zoom: Option<f64>,
}

/// False when a measurement failed, or with `--check` when what must hold does not.
pub fn run(args: &Args) -> Result<bool, String> {
    let cases = cases(args);
    if cases.is_empty() {
        return Err(format!("no case is called `{}`", args.case));
    }
    let layout = Layout::find(args, &cases[0])?;
    let shows = |case: &Case, who: &str| match who {
        OLD => args.against.is_some() && (!case.is_zoomed || layout.old_zoom.is_some()),
        _ => !case.is_zoomed || layout.zoom.is_some(),
    };
    if cases.iter().any(|case| !shows(case, PAGE)) {
        println!("note: zoomed cases are left out: this page has no zoom");
    }
    let (mut rounds, mut failures) = (Vec::new(), Vec::new());
    for number in 1..=args.rounds.unwrap_or(ROUNDS) {
        for case in &cases {
            let mut turns = [IMG, PAGE, OLD].to_vec();
            turns.retain(|who| shows(case, who));
            let count = turns.len().max(1);
            turns.rotate_left((number - 1) % count);
            for who in turns {
                let place = format!("round {number}, {}, {who}", case.label);
                match measure(args, case, who, &layout) {
                    Ok((figures, faults)) => {
                        failures.extend(faults.iter().map(|fault| format!("{place}: {fault}")));
                        results::tell(&place, &figures, is_busy(&figures));
                        rounds.push(Round {
                            case: case.label.clone(),
                            who,
                            number,
                            figures,
                        });
                    }
                    Err(why) => {
                        eprintln!("{place}: failed: {why}");
                        failures.push(format!("{place}: {why}"));
                    }
                }
            }
        }
    }
    results::conclude(args, &cases, &rounds, &failures)
}

/// Those that were asked for.
fn cases(args: &Args) -> Vec<Case> {
    let all = SIZES.into_iter().flat_map(|size| {
        let setting = Setting {
            size,
            // The browser and the reader of the bench.
            viewers: 2,
            ..usual()
        };
        [false, true].map(|is_zoomed| Case {
            label: match is_zoomed {
                true => format!("{} zoomed", setting.size_text()),
                false => setting.size_text(),
            },
            setting: setting.clone(),
            is_zoomed,
        })
    });
    let is_asked = |case: &Case| case.label.contains(&args.case);
    all.filter(is_asked).collect()
}

impl Layout {
    /// As it is on the page.
    fn find(args: &Args, case: &Case) -> Result<Layout, String> {
        let mut view = View::open(args, case, PAGE)?;
        let stage = view.sides("stage")?;
        let zoom = view.zoom_in()?;
        drop(view);
        let old_zoom = match args.against {
            Some(_) => View::open(args, case, OLD)?.zoom_in()?,
            None => None,
        };
        Ok(Layout {
            stage,
            zoom,
            old_zoom,
        })
    }
}

/// Figures and faults.
fn measure(
    args: &Args,
    case: &Case,
    who: &'static str,
    layout: &Layout,
) -> Result<(Figures, Vec<String>), String> {
    let mut view = View::show(args, case, who, layout)?;
    let place = view.place(case)?;
    let reader = Reader::begin(&view.server);
    let renderer = settle(&view.chromium)?;
    let family = view.chromium.processes();
    let mut memory = Memory::begin(&mut view.chromium, renderer, &family)?;

    let length = Duration::from_secs_f64(args.seconds);
    let begun = monotonic_micros();
    let watch = Watch::begin(&view.screen, place);
    let others = family.iter().copied().filter(|&id| id != renderer);
    let helpers = others.chain([view.server.id(), view.screen.id()]);
    let mut meter = Meter::begin(renderer, helpers);
    let before: Vec<(u32, Cpu)> = family.iter().map(|&id| (id, Cpu::of(id))).collect();
    let clock = Instant::now();
    let mut is_half = false;
    while clock.elapsed() < length {
        // The pace of the looks.
        thread::sleep(LOOK_TIME);
        memory.look();
        if !is_half && clock.elapsed() >= length / 2 {
            is_half = true;
            memory.look_at_all(&mut view.chromium, length)?;
            meter.look();
        }
    }
    let window = clock.elapsed();
    let used = before.iter().map(|(id, cpu)| Cpu::of(*id).since(cpu));
    let used: Duration = used.sum();
    let mut figures = meter.end();
    let ended = monotonic_micros();
    // In which the window's last frames come to the screen.
    thread::sleep(LAST_TIME);
    let watched = watch.end();
    let taken = reader.end()?;
    figures.extend(memory.end(&mut view.chromium)?);

    let result = shown(&taken, &watched.seen, begun..ended);
    if result.taken == 0 {
        return Err("the camera gave no frame".into());
    }
    let share = result.shown as f64 / result.taken as f64;
    figures.extend(named([
        ("all_cpu_percent", millis(used) / millis(window) * 100.0),
        ("frames", result.taken as f64),
        ("shown_percent", 100.0 * share),
        ("unread_percent", watched.unread_percent),
    ]));
    add_ages(&mut figures, result.ages_ms);
    let mut faults = Vec::new();
    if result.back > 0 {
        faults.push(format!("an older frame came back {} times", result.back));
    }
    if who != IMG {
        faults.extend(view.fault(case)?);
    }
    Ok((figures, faults))
}

/// Lets some time pass, and finds the process that shows the page: the busiest of its kind.
fn settle(chromium: &Chromium) -> Result<u32, String> {
    let before = chromium.renderers().into_iter().map(|id| (id, Cpu::of(id)));
    let before: Vec<(u32, Cpu)> = before.collect();
    thread::sleep(SETTLE_TIME);
    let used = before.iter();
    let used = used.map(|(id, cpu)| (Cpu::of(*id).since(cpu), *id));
    let (_, renderer) = used.max().ok_or("`chromium` shows no page")?;
    Ok(renderer)
}
