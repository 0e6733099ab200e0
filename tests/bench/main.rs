//! `make bench`: what camfeed costs and delivers, beside its peers and the floor, in the same run.
//!
//! Each round starts one server with a fake camera of its own, looks at it as a section (`cases`)
//! does, and reads the server's CPU from /proc, without the camera's. Servers alternate; medians and
//! ratios are printed. `floor` is the measure: a bare thread-per-client sender of the same bytes.
//!
//!     args ─> cases ─> rounds: peers + camera ─> server <─ measures: client, probe, raw, sharpness
//!                                                              meter: CPU, and who else was busy
//!                      rounds ─> summary ─> limits, table, report (JSON), svg
//!
//! `--burst` (`bursts`), `--module` (`module`, `bare`: a camera module instead of the fake camera) and
//! `--page` (`page`: the viewer page in Chromium) and `--several` (`several`: four cameras in one process) are
//! modes of their own. The same program is the floor, the bare pipeline and the load client, when
//! started with a role. Loopback only.

mod args;
mod bare;
mod bursts;
mod camera;
mod cases;
mod children;
mod client;
mod floor;
mod limits;
mod load;
mod measures;
#[allow(dead_code)] // `camera` has the folders; the film is for `--also`.
mod media;
mod meter;
mod module;
mod page;
mod peers;
mod probe;
mod proc;
mod raw;
mod report;
mod rounds;
mod server;
mod several;
mod sharpness;
mod summary;
mod svg;
mod table;

use std::path::Path;
use std::process::ExitCode;

use args::Args;
use camera::Camera;
use peers::Entrant;

/// The machine that most people have and the bench has not seen.
const PLEA: &str = "
On a Raspberry Pi? Please send its model, its OS and the file of `make bench ARGS=\"--json FILE\"` in an issue.";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match words.first().map(String::as_str) {
        // `cargo test --all-targets` runs every bench so; that is no time to measure.
        None => {
            println!("the feed bench runs with `make bench`; see `--help`");
            Ok(true)
        }
        Some(peers::FLOOR_ROLE) => floor::run(&words[1..]).map(|()| true),
        Some(bare::ROLE) => bare::run(&words[1..]).map(|()| true),
        Some(client::ROLE) => client::run(&words[1..]).map(|()| true),
        Some(_) => bench(words),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("bench: {why}");
            ExitCode::from(2)
        }
    }
}

/// False when what must hold does not.
fn bench(words: Vec<String>) -> Result<bool, String> {
    let Some(args) = Args::parse(words.into_iter())? else {
        print!("{}", args::HELP);
        return Ok(true);
    };
    // Servers inherit it: some of them take as many viewers as they have descriptors.
    load::raise_file_limit();
    children::end_with_us()?;
    camera::tidy();
    let outcome = match &args {
        Args { module: true, .. } => module::run(&args),
        Args { page: true, .. } => page::run(&args),
        Args { several: true, .. } => several::run(&args),
        Args { burst: true, .. } => burst(&args, &peers::entrants(&args)),
        _ => measure(&args, &peers::entrants(&args)),
    };
    camera::tidy();
    outcome
}

fn measure(args: &Args, entrants: &[Entrant]) -> Result<bool, String> {
    let cases = cases::cases(args);
    if cases.is_empty() {
        return Err(format!("no case is called `{}`", args.case));
    }
    let (rounds, failures) = rounds::run_all(args, &cases, entrants);
    let rows = summary::rows(&rounds);
    println!("\n{}", report::describe_machine());
    println!("{}", table::tables(&rows));
    for line in summary::equal_sizes(&rows) {
        println!("{line}");
    }
    for note in summary::notes(&rows) {
        println!("note: {note}");
    }
    let verdicts = limits::verdicts(&rounds, &rows);
    for verdict in &verdicts {
        println!("{} {}", verdict.word(), verdict.text);
    }
    for failure in &failures {
        println!("FAILED {failure}");
    }
    if let Some(file) = &args.json {
        let json = report::json(&rounds, &rows, &verdicts, &failures);
        write(file, &format!("{json:#}\n"))?;
    }
    if let Some(file) = &args.svg {
        write(file, &svg::plot(&rows))?;
    }
    println!("{PLEA}");
    // A broken frame fails the bench always; a missed target, only where that was asked for. What
    // befalls a peer is told and is not camfeed's failure.
    let is_ours = |server: &str| [peers::OURS, peers::FLOOR].contains(&server);
    let is_whole = rows
        .iter()
        .all(|row| row.faults == 0.0 || !is_ours(&row.server));
    let has_run = rows.iter().any(|row| row.server == peers::OURS);
    let is_held = verdicts
        .iter()
        .all(|verdict| verdict.is_held != Some(false));
    Ok(has_run && is_whole && (is_held || !args.check))
}

fn burst(args: &Args, entrants: &[Entrant]) -> Result<bool, String> {
    let setting = cases::usual();
    let mut all = Vec::new();
    for entrant in entrants {
        let camera = Camera::new(&setting)?;
        all.extend(bursts::run(&entrant.recipe(&setting, &camera, args)?)?);
    }
    if let Some(file) = &args.json {
        write(file, &format!("{:#}\n", bursts::json(&all)))?;
    }
    let late = all
        .iter()
        .filter(|bursts| bursts.server == peers::OURS)
        .map(|bursts| bursts.late)
        .sum::<usize>();
    Ok(late == 0 || !args.check)
}

fn write(file: &Path, text: &str) -> Result<(), String> {
    std::fs::write(file, text).map_err(|error| format!("cannot write {file:?}: {error}"))
}
