//! `make bench`: what camfeed costs and delivers, against the floor, in the same run.
//!
//! Each round starts one server with the same film, lets so many viewers watch it for a while
//! from a process of their own, and reads the server's CPU from /proc. Servers alternate;
//! medians and ratios are printed. `floor` is the measure: a bare thread-per-client sender.
//!
//!     args ─> media (the film) ─> rounds: server + client ─> summary ─> table, JSON, svg
//!                                         floor   load/         `--burst`: bursts
//!
//! The same program is the floor and the load client, when started with a role. Loopback only.

mod args;
mod bursts;
mod client;
mod floor;
mod load;
mod media;
mod proc;
mod rounds;
mod server;
mod summary;
mod svg;
mod table;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use args::Args;
use server::Recipe;

const FLOOR_ROLE: &str = "--role-floor";
const MAX_VIEWERS: &str = "--max-viewers";
/// Streams in the largest burst, at most.
const BURST_MAX: usize = 100;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match words.first().map(String::as_str) {
        // `cargo test --all-targets` runs every bench so; that is no time to measure.
        None => {
            println!("the feed bench runs with `make bench`; see `--help`");
            Ok(true)
        }
        Some(FLOOR_ROLE) => floor::run(Path::new(&words[1..].concat())).map(|()| true),
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
    let film = media::film()?;
    let recipes = recipes(&args, &film)?;
    match args.burst {
        true => burst(&args, &recipes),
        false => feed(&args, &recipes, &film),
    }
}

fn feed(args: &Args, recipes: &[Recipe], film: &Path) -> Result<bool, String> {
    let (rounds, failures) = rounds::run_all(args, recipes, film);
    let rows = summary::rows(&rounds);
    println!("\n{}", table::table(&rows));
    for note in summary::notes(&rows) {
        println!("note: {note}");
    }
    let verdicts = summary::verdicts(&rows);
    for (is_held, verdict) in &verdicts {
        println!("{} {verdict}", if *is_held { "ok    " } else { "MISSED" });
    }
    for failure in &failures {
        println!("FAILED {failure}");
    }
    if let Some(file) = &args.json {
        let json = summary::json(&rounds, &rows, &failures);
        write(file, &format!("{json:#}\n"))?;
    }
    if let Some(file) = &args.svg {
        write(file, &svg::plot(&rows))?;
    }
    // A broken frame fails the bench always; a missed limit, only where that was asked for.
    let is_whole = rows.iter().all(|row| row.faults == 0.0);
    let is_held = verdicts.iter().all(|(is_held, _)| *is_held);
    Ok(failures.is_empty() && is_whole && (is_held || !args.check))
}

fn burst(args: &Args, recipes: &[Recipe]) -> Result<bool, String> {
    let mut all = Vec::new();
    for recipe in recipes {
        all.extend(bursts::run(recipe)?);
    }
    if let Some(file) = &args.json {
        write(file, &format!("{:#}\n", bursts::json(&all)))?;
    }
    let late = all
        .iter()
        .filter(|bursts| bursts.server == summary::OURS)
        .map(|bursts| bursts.late)
        .sum::<usize>();
    Ok(late == 0 || !args.check)
}

/// Who takes part: the floor always, camfeed when there is one, and whoever was asked for.
fn recipes(args: &Args, film: &Path) -> Result<Vec<Recipe>, String> {
    let own = std::env::current_exe().map_err(|error| format!("who am I: {error}"))?;
    let words = [path_text(&own)?, FLOOR_ROLE.into(), path_text(film)?];
    let mut recipes = vec![Recipe {
        name: summary::FLOOR.into(),
        command: words.into(),
        path: "/stream".into(),
    }];
    match args.bin.as_deref().filter(|bin| bin.exists()) {
        Some(bin) => recipes.push(camfeed(summary::OURS, bin, args, film)?),
        None => eprintln!("no camfeed to measure (--bin PATH); going on without it"),
    }
    if let Some(bin) = &args.against {
        recipes.push(camfeed("old", bin, args, film)?);
    }
    for peer in &args.also {
        let mut command = peer.command.replace("{film}", &path_text(film)?);
        if command.contains("{jpegs}") {
            command = command.replace("{jpegs}", &path_text(&media::folder(film)?)?);
        }
        recipes.push(Recipe {
            name: peer.name.clone(),
            // `exec`, so that the child measured and killed is the server and not the shell.
            command: vec!["sh".into(), "-c".into(), format!("exec {command}")],
            path: peer.path.clone(),
        });
    }
    Ok(recipes)
}

fn camfeed(name: &str, bin: &Path, args: &Args, film: &Path) -> Result<Recipe, String> {
    let source = match &args.source {
        Some(source) => source.clone(),
        None => path_text(film)?,
    };
    let mut command = vec![path_text(bin)?];
    command.extend(["--listen", "127.0.0.1:0", "--source"].map(String::from));
    command.push(source);
    // Its own limit is for a camera in a living room. The spare ones are for those that just left.
    if !args.extra.iter().any(|word| word == MAX_VIEWERS) {
        let most = args
            .viewers
            .iter()
            .max()
            .copied()
            .unwrap_or(0)
            .max(BURST_MAX);
        command.extend([MAX_VIEWERS.into(), (2 * most).to_string()]);
    }
    command.extend(args.extra.iter().cloned());
    Ok(Recipe {
        name: name.into(),
        command,
        path: "/stream".into(),
    })
}

fn path_text(path: &Path) -> Result<String, String> {
    let text = PathBuf::from(path).into_os_string().into_string();
    text.map_err(|path| format!("not a name in UTF-8: {path:?}"))
}

fn write(file: &Path, text: &str) -> Result<(), String> {
    std::fs::write(file, text).map_err(|error| format!("cannot write {file:?}: {error}"))
}
