//! One round: a server, a case, a measured window. And all rounds, alternating.
//!
//! Every server is started afresh for each round with a camera of its own, and who goes first changes
//! from round to round, so that a machine that grows warm or busy does not favour one of them.

use std::time::Instant;

use crate::args::Args;
use crate::camera::Camera;
use crate::cases::{Case, Section};
use crate::client::{Figures, millis};
use crate::measures;
use crate::peers::Entrant;
use crate::server::Server;

/// Above this share of the machine, others made the figures worthless.
const OTHERS_MAX_PERCENT: f64 = 10.0;
/// Above this share the machine was full: viewers and server waited for each other.
const FULL_PERCENT: f64 = 95.0;

/// What one round gave.
#[derive(Clone, Debug)]
pub struct Round {
    pub section: Section,
    /// The case's label.
    pub label: String,
    pub viewers: usize,
    pub server: String,
    pub number: usize,
    pub figures: Figures,
    pub faults: Vec<String>,
}

impl Round {
    pub fn figure(&self, name: &str) -> Option<f64> {
        self.figures.get(name).copied()
    }
    /// Others used too much of the machine for the figures to count.
    pub fn is_busy(&self) -> bool {
        is_busy(&self.figures)
    }
    /// Server and client together wanted more than the machine has.
    pub fn is_full(&self) -> bool {
        self.figure("machine_percent") > Some(FULL_PERCENT)
    }
}

/// Others used too much of the machine for the figures of a window to count.
pub fn is_busy(figures: &Figures) -> bool {
    figures.get("others_percent") > Some(&OTHERS_MAX_PERCENT)
}

/// Runs all rounds, telling of each as it ends. A server that fails is told of and left out until
/// the next case.
pub fn run_all(args: &Args, cases: &[Case], entrants: &[Entrant]) -> (Vec<Round>, Vec<String>) {
    let (mut rounds, mut failures) = (Vec::new(), Vec::new());
    let count_in = |case: &Case| {
        entrants
            .iter()
            .filter(|entrant| entrant.is_in(case))
            .count()
    };
    let whole: usize = cases.iter().map(|case| case.rounds * count_in(case)).sum();
    let (begun, mut done) = (Instant::now(), 0);
    eprintln!("{whole} measurements");
    for case in cases {
        let mut failed: Vec<&str> = Vec::new();
        let entrants: Vec<&Entrant> = entrants
            .iter()
            .filter(|entrant| entrant.is_in(case))
            .collect();
        for number in 0..case.rounds {
            for turn in 0..entrants.len() {
                let entrant = entrants[(number + turn) % entrants.len()];
                done += 1;
                if failed.contains(&entrant.name.as_str()) {
                    continue;
                }
                let place = format!(
                    "[{done}/{whole} {:.0} s] {} {}, {}",
                    begun.elapsed().as_secs_f64(),
                    case.section.name(),
                    case.label,
                    entrant.name
                );
                match run(args, case, entrant, number + 1) {
                    Ok(round) => {
                        tell(&place, &round);
                        rounds.push(round);
                    }
                    Err(why) => {
                        eprintln!("{place}: failed: {why}");
                        failures.push(format!("{} {}: {why}", case.section.name(), case.label));
                        failed.push(&entrant.name);
                    }
                }
            }
        }
    }
    (rounds, failures)
}

fn run(args: &Args, case: &Case, entrant: &Entrant, number: usize) -> Result<Round, String> {
    let camera = Camera::new(&case.setting)?;
    let recipe = entrant.recipe(&case.setting, &camera, args)?;
    let mut server = Server::start(&recipe)?;
    let measured = measures::measure(args, case, &recipe, &server);
    if !server.is_running() {
        return Err(format!("{}: ended while measured", entrant.name));
    }
    let (mut figures, faults) = measured.map_err(|why| format!("{}: {why}", entrant.name))?;
    figures.insert("start_ms".into(), millis(server.start));
    Ok(Round {
        section: case.section,
        label: case.label.clone(),
        viewers: case.setting.viewers,
        server: entrant.name.clone(),
        number,
        figures,
        faults,
    })
}

fn tell(place: &str, round: &Round) {
    let told = [
        ("fps_min", "fps"),
        ("cpu_ms_per_frame", "ms CPU a frame"),
        ("cpu_percent", "% CPU"),
        ("age_p50_ms", "ms old"),
        ("first_p50_ms", "ms to the first picture"),
        ("kept_p50_ms", "ms a snapshot"),
        ("psnr_db", "dB"),
    ];
    let told: Vec<String> = told
        .into_iter()
        .filter_map(|(name, unit)| Some(format!("{} {unit}", digits(round.figure(name)?))))
        .collect();
    let busy = match round.is_busy() {
        true => format!(
            " (others used {:.0} %: does not count)",
            round.figure("others_percent").unwrap_or_default()
        ),
        false => String::new(),
    };
    let full = if round.is_full() {
        " (machine full)"
    } else {
        ""
    };
    eprintln!("{place}: {}{busy}{full}", told.join(", "));
    for fault in &round.faults {
        eprintln!("    fault: {fault}");
    }
}

/// Three digits or so.
fn digits(value: f64) -> String {
    match value.abs() {
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 0.1 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}
