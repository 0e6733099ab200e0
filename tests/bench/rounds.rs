//! One round: a server, so many viewers, a measured window. And all rounds, alternating.
//!
//! Every server is started afresh for each round, and who goes first changes from round to
//! round, so that a machine that grows warm or busy does not favour one of them.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::args::Args;
use crate::client::{Client, Figures, millis};
use crate::proc::{self, Cpu, Machine};
use crate::server::{Recipe, Server};

/// Above this share of the machine, others made the figures worthless.
const OTHERS_MAX_PERCENT: f64 = 10.0;
/// Above this share the machine was full: viewers and server waited for each other.
const FULL_PERCENT: f64 = 95.0;
/// A viewer of a 30 fps stream must get this.
pub const FPS_MIN: f64 = 29.5;

/// What one round gave.
#[derive(Clone, Debug)]
pub struct Round {
    pub server: String,
    pub viewers: usize,
    pub number: usize,
    pub figures: Figures,
    pub faults: Vec<String>,
}

impl Round {
    fn figure(&self, name: &str) -> f64 {
        self.figures.get(name).copied().unwrap_or(0.0)
    }
    /// Others used too much of the machine for the figures to count.
    pub fn is_busy(&self) -> bool {
        self.figure("others_percent") > OTHERS_MAX_PERCENT
    }
    /// Server and client together wanted more than the machine has.
    pub fn is_full(&self) -> bool {
        self.figure("machine_percent") > FULL_PERCENT
    }
}

/// Runs all rounds, telling of each as it ends. A server that fails is told of and left out until
/// the next number of viewers.
pub fn run_all(args: &Args, recipes: &[Recipe], film: &Path) -> (Vec<Round>, Vec<String>) {
    let (mut rounds, mut failures) = (Vec::new(), Vec::new());
    for &viewers in &args.viewers {
        let mut failed: Vec<&str> = Vec::new();
        for number in 0..args.rounds {
            for turn in 0..recipes.len() {
                let recipe = &recipes[(number + turn) % recipes.len()];
                if failed.contains(&recipe.name.as_str()) {
                    continue;
                }
                match run(args, recipe, viewers, number + 1, film) {
                    Ok(round) => {
                        tell(&round, args.rounds);
                        rounds.push(round);
                    }
                    Err(why) => {
                        eprintln!("{viewers} viewers: failed: {why}");
                        failures.push(format!("{viewers} viewers: {why}"));
                        failed.push(&recipe.name);
                    }
                }
            }
        }
    }
    (rounds, failures)
}

fn run(
    args: &Args,
    recipe: &Recipe,
    viewers: usize,
    number: usize,
    film: &Path,
) -> Result<Round, String> {
    let mut server = Server::start(recipe)?;
    let client = Client::start(
        server.address,
        &recipe.path,
        viewers,
        args.seconds,
        args.verify,
        film,
    )?;
    let (ours, half) = (
        [server.id(), client.id(), std::process::id()],
        Duration::from_secs_f64(args.seconds / 2.0),
    );
    client.wait_for("begin", Duration::ZERO)?;
    let (begun, machine_before) = (Instant::now(), Machine::now());
    let before = ours.map(Cpu::of);
    std::thread::sleep(half);
    let (memory, threads, files) = (
        proc::memory(server.id()),
        proc::threads(server.id()),
        proc::files(server.id()),
    );
    client.wait_for("end", half)?;
    let (machine_after, window) = (Machine::now(), begun.elapsed());
    let mut used = ours.map(Cpu::of).into_iter().zip(&before);
    let [server_cpu, client_cpu, own_cpu] = std::array::from_fn(|_| {
        used.next()
            .map_or(0.0, |(now, then)| millis(now.since(then)))
    });
    if !server.is_running() {
        return Err(format!("{}: ended while measured", recipe.name));
    }
    let (mut figures, faults) = client.report()?;
    let frames = figures.get("frames").copied().unwrap_or(0.0);
    if frames == 0.0 {
        let faults = faults.join("; ");
        return Err(format!("{}: no frame at all; {faults}", recipe.name));
    }
    let core = millis(window);
    let machine = core * proc::cores() as f64;
    let (busy, stolen) = machine_after.since(&machine_before);
    // What is busy and is none of ours, and what the host took.
    let others = (millis(busy) - server_cpu - client_cpu - own_cpu).max(0.0) + millis(stolen);
    for (name, value) in [
        ("cpu_ms_per_frame", server_cpu / frames),
        ("cpu_percent", server_cpu / core * 100.0),
        ("client_cpu_percent", client_cpu / core * 100.0),
        ("machine_percent", millis(busy + stolen) / machine * 100.0),
        ("others_percent", others / machine * 100.0),
        ("memory_mb", memory as f64 / 1e6),
        ("threads", threads as f64),
        ("files", files as f64),
        ("start_ms", millis(server.start)),
    ] {
        figures.insert(name.into(), value);
    }
    Ok(Round {
        server: recipe.name.clone(),
        viewers,
        number,
        figures,
        faults,
    })
}

fn tell(round: &Round, rounds: usize) {
    eprintln!(
        "{} viewers, round {} of {rounds}, {}: {:.1} fps at least, {:.4} ms CPU a frame{}{}",
        round.viewers,
        round.number,
        round.server,
        round.figure("fps_min"),
        round.figure("cpu_ms_per_frame"),
        match round.is_busy() {
            true => format!(", others used {:.0} %", round.figure("others_percent")),
            false => String::new(),
        },
        if round.is_full() {
            ", machine full"
        } else {
            ""
        },
    );
    for fault in &round.faults {
        eprintln!("    fault: {fault}");
    }
}
