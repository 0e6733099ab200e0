//! The module mode: what camfeed costs on top of a camera module's own pipeline, and what the usual way
//! to read one, through videoconvert, costs.
//!
//! The camera works in the measured process, in all cases alike: the bare pipeline's CPU is what it
//! takes, and the rest is the reader's. Cases alternate, as servers do in `rounds`.

use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::args::Args;
use crate::bare;
use crate::cases::{Setting, usual};
use crate::client::{Client, Figures};
use crate::limits::Verdict;
use crate::measures::{GRACE, Outcome, per_frame, watched};
use crate::meter::Meter;
use crate::peers::{camfeed, size_and_rate};
use crate::probe::Asker;
use crate::rounds::is_busy;
use crate::server::{Recipe, Server};
use crate::summary::{COST, Ratio, median, medians};
use crate::{report, table};

const ROUNDS: usize = 3;
/// Of what videoconvert and BGR cost, camfeed may take so much.
const OF_CONVERTED: f64 = 0.6;
/// What a picture may cost that nobody watches.
const UNWATCHED_MS: f64 = 0.5;
/// For encoding and sending.
const AGE_MS: f64 = 5.0;
const AGE: &str = "age_p50_ms";

const BARE: &str = "bare";
const WATCHED: &str = "watched";
const UNWATCHED: &str = "unwatched";
const CONVERTED: &str = "converted";

/// Cases, with what they are.
const CASES: [(&str, &str); 6] = [
    (BARE, "the pipeline alone, nobody grabs"),
    (WATCHED, "camfeed, one viewer"),
    (UNWATCHED, "camfeed, nobody watches"),
    (CONVERTED, "camfeed through videoconvert to BGR, one viewer"),
    ("old watched", "the camfeed of --against, one viewer"),
    (
        "old converted",
        "the same through videoconvert to BGR, one viewer",
    ),
];

/// The module as camfeed reads it.
struct Module {
    /// In camfeed's words.
    source: String,
    /// As GStreamer was told it by camfeed.
    pipeline: String,
    setting: Setting,
}

/// One case, once.
struct Round {
    case: &'static str,
    number: usize,
    figures: Figures,
}

/// False when a case failed, or with `--check` when what must hold does not.
pub fn run(args: &Args) -> Result<bool, String> {
    let bin = args.bin.as_deref().filter(|bin| bin.exists());
    let bin = bin.ok_or("no camfeed to measure (--bin PATH)")?;
    let module = Module::find(bin, args)?;
    println!("pipeline: {}", module.pipeline);
    let is_asked = |case: &str| {
        let has_bin = args.against.is_some() || !case.starts_with("old");
        has_bin && case.contains(&args.case)
    };
    let cases = CASES.map(|(case, _)| case).into_iter();
    let cases: Vec<&str> = cases.filter(|case| is_asked(case)).collect();
    if cases.is_empty() {
        return Err(format!("no case is called `{}`", args.case));
    }
    let (mut rounds, mut failures) = (Vec::new(), Vec::new());
    for number in 1..=args.rounds.unwrap_or(ROUNDS) {
        for turn in 0..cases.len() {
            let case = cases[(number - 1 + turn) % cases.len()];
            match module.measure(case, bin, args) {
                Ok((figures, faults)) => {
                    let faults = faults
                        .iter()
                        .map(|fault| format!("{case}, round {number}: {fault}"));
                    failures.extend(faults);
                    let busy = if is_busy(&figures) { " (busy)" } else { "" };
                    let cost = figures.get(COST).copied().unwrap_or_default();
                    eprintln!("round {number}, {case}: {cost:.2} ms CPU a picture{busy}");
                    rounds.push(Round {
                        case,
                        number,
                        figures,
                    });
                }
                Err(why) => failures.push(format!("{case}, round {number}: {why}")),
            }
        }
    }
    println!("\n{}\n\n{}", report::describe_machine(), text(&rounds));
    let verdicts = verdicts(&rounds);
    for verdict in &verdicts {
        println!("{} {}", verdict.word(), verdict.text);
    }
    for failure in &failures {
        println!("FAILED {failure}");
    }
    if let Some(file) = &args.json {
        let json = json(&module, &rounds, &verdicts, &failures);
        crate::write(file, &format!("{json:#}\n"))?;
    }
    let mut held = verdicts.iter().map(|verdict| verdict.is_held);
    let is_held = held.all(|is_held| is_held != Some(false));
    Ok(failures.is_empty() && (is_held || !args.check))
}

impl Module {
    /// Has camfeed read the module for some seconds, and GStreamer tell of the pipeline.
    fn find(bin: &Path, args: &Args) -> Result<Module, String> {
        let source = args.source.clone().unwrap_or("csi".into());
        let setting = Setting {
            size: args.size,
            is_raw: true,
            ..usual()
        };
        let output = Command::new(bin)
            .args(["--check", "--source", &source])
            .args(size_and_rate(&setting))
            .args(&args.extra)
            .envs([("GST_DEBUG", "GST_PIPELINE:4"), ("GST_DEBUG_NO_COLOR", "1")])
            .env_remove("GST_DEBUG_FILE")
            .output()
            .map_err(|error| format!("cannot run {bin:?}: {error}"))?;
        let said = String::from_utf8_lossy(&output.stderr);
        // The last one: a width whose rows are padded is asked for once and given up.
        let mut told = said.lines().filter_map(|line| {
            let (_, after) = line.split_once("parsing pipeline description '")?;
            after.strip_suffix('\'')
        });
        match told.next_back().filter(|_| output.status.success()) {
            Some(pipeline) => Ok(Module {
                source,
                pipeline: pipeline.to_string(),
                setting,
            }),
            None => Err(format!(
                "no camera module to measure; it takes one that libcamera knows, and the package \
                 gstreamer1.0-libcamera. `camfeed --source {source} --check` says:\n{}{}",
                String::from_utf8_lossy(&output.stdout),
                said.lines()
                    .filter(|line| !line.contains("GST_PIPELINE"))
                    .collect::<Vec<_>>()
                    .join("\n")
            )),
        }
    }

    /// The same camera as one reads it who knows GStreamer and not camfeed's way: BGR for OpenCV.
    fn converted(&self) -> Result<String, String> {
        let parts = self.pipeline.split_once(" ! ").and_then(|(camera, rest)| {
            let caps = rest.split('"').nth(1)?;
            // The last of them asks for no rate and no range.
            Some((camera, caps.rsplit(';').next()?))
        });
        let (camera, caps) = parts.ok_or(format!("cannot read pipeline `{}`", self.pipeline))?;
        Ok(format!(
            "gst:{camera} ! {caps} ! videoconvert ! video/x-raw,format=BGR ! \
             appsink drop=true max-buffers=1"
        ))
    }

    fn measure(&self, case: &str, bin: &Path, args: &Args) -> Outcome {
        let seconds = args.seconds;
        let (mut figures, faults) = if case == BARE {
            let words = [bare::ROLE, &self.pipeline, &seconds.to_string()];
            // As camfeed tells libcamera.
            let child = Client::spawn(&words, &[("LIBCAMERA_LOG_LEVELS", "*:ERROR")])?;
            watched(&child, child.id(), seconds)?
        } else {
            let bin = match (case.starts_with("old"), &args.against) {
                (true, Some(old)) => old,
                _ => bin,
            };
            let recipe = self.recipe(case, bin, args)?;
            let server = Server::start(&recipe)?;
            match case {
                UNWATCHED => (unwatched(&server, seconds)?, Vec::new()),
                _ => {
                    let nowhere = Path::new("-");
                    let (address, path) = (server.address, &recipe.path);
                    let client = Client::start(address, path, 1, seconds, args.verify, nowhere)?;
                    watched(&client, server.id(), seconds)?
                }
            }
        };
        match per_frame(&mut figures) {
            true => Ok((figures, faults)),
            false => Err(format!("no picture at all; {}", faults.join("; "))),
        }
    }

    fn recipe(&self, case: &str, bin: &Path, args: &Args) -> Result<Recipe, String> {
        let command = if case.ends_with(CONVERTED) {
            camfeed(bin, &self.converted()?, &self.setting, args)?
        } else {
            let mut words = camfeed(bin, &self.source, &self.setting, args)?;
            words.extend(size_and_rate(&self.setting));
            words
        };
        Ok(Recipe {
            name: case.into(),
            command,
            path: "/stream".into(),
            snapshot: "/snapshot.jpg".into(),
            port: None,
            environment: Vec::new(),
        })
    }
}

/// The window of a server that nobody looks at, by the pictures that the camera gave meanwhile.
fn unwatched(server: &Server, seconds: f64) -> Result<Figures, String> {
    // It does not say when it has noticed that those who looked at its start are gone.
    thread::sleep(GRACE);
    let before = captured(server)?;
    let meter = Meter::begin(server.id(), None);
    // The measured window.
    thread::sleep(Duration::from_secs_f64(seconds));
    let mut figures = meter.end();
    let frames = captured(server)? - before;
    figures.insert("frames".into(), frames);
    figures.insert("fps_min".into(), frames / seconds);
    Ok(figures)
}

fn captured(server: &Server) -> Result<f64, String> {
    let (body, _) = Asker::open(server.address)?.body("/state")?;
    let state: Value = serde_json::from_slice(&body).map_err(|error| error.to_string())?;
    let captured = state["camera"]["captured"].as_f64();
    captured.ok_or("/state does not tell how many pictures were captured".into())
}

/// Of the rounds that count; of all when none does. And whether they count.
fn of_case(rounds: &[Round], case: &str) -> (Figures, bool) {
    let all = || {
        let all = rounds.iter().filter(|round| round.case == case);
        all.map(|round| &round.figures)
    };
    let quiet: Vec<&Figures> = all().filter(|figures| !is_busy(figures)).collect();
    match quiet.is_empty() {
        true => (medians(all()), false),
        false => (medians(quiet.into_iter()), true),
    }
}

/// The table.
fn text(rounds: &[Round]) -> String {
    let titles = ["case", "what it is", "CPU ms/picture", "above bare"];
    let mut lines = vec![titles.map(String::from).to_vec()];
    lines[0].extend(["CPU %", "fps", "age ms p50/p99/max", "MB"].map(String::from));
    for (case, what) in CASES {
        let (figures, counts) = of_case(rounds, case);
        if figures.is_empty() {
            continue;
        }
        let show = |name: &str, decimals: usize| {
            let value = figures.get(name);
            value.map_or("-".into(), |value| format!("{value:.decimals$}"))
        };
        let above = above_bare(rounds, case, COST).filter(|_| case != BARE);
        let ages = [AGE, "age_p99_ms", "age_max_ms"].map(|name| show(name, 2));
        lines.push(vec![
            format!("{case}{}", if counts { "" } else { " (busy)" }),
            what.into(),
            show(COST, 2),
            above.map_or("-".into(), |above| format!("{:.2}", above.value)),
            show("cpu_percent", 1),
            show("fps_min", 1),
            ages.join(" / "),
            show("memory_mb", 1),
        ]);
    }
    table::align(&lines)
}

/// What a figure has more than the bare pipeline's: the median over the rounds, by quiet ones where
/// there are any.
fn above_bare(rounds: &[Round], case: &str, figure: &str) -> Option<Ratio> {
    let over = |is_quiet: bool| {
        let of = |case: &str, number: usize| {
            let mut rounds = rounds
                .iter()
                .filter(|round| round.number == number && !(is_quiet && is_busy(&round.figures)));
            let round = rounds.find(|round| round.case == case)?;
            round.figures.get(figure).copied()
        };
        let all = rounds.iter().filter(|round| round.case == case);
        median(all.filter_map(|round| Some(of(case, round.number)? - of(BARE, round.number)?)))
    };
    let quiet = over(true);
    let value = quiet.or_else(|| over(false))?;
    let counts = quiet.is_some();
    Some(Ratio { value, counts })
}

/// Those of the cases that were measured.
fn verdicts(rounds: &[Round]) -> Vec<Verdict> {
    let above = |case: &str, figure: &str| above_bare(rounds, case, figure);
    let at_most = |above: Ratio, most: f64, text: String| Verdict {
        is_held: above.counts.then_some(above.value <= most),
        text,
    };
    let mut verdicts = Vec::new();
    if let (Some(watched), Some(converted)) = (above(WATCHED, COST), above(CONVERTED, COST)) {
        let both = Ratio {
            counts: watched.counts && converted.counts,
            ..watched
        };
        let text = format!(
            "{WATCHED}: {:.2} ms CPU a picture above bare, {:.2} x {CONVERTED}'s {:.2} ms, {OF_CONVERTED} allowed",
            watched.value,
            watched.value / converted.value,
            converted.value
        );
        verdicts.push(at_most(both, OF_CONVERTED * converted.value, text));
    }
    if let Some(unwatched) = above(UNWATCHED, COST) {
        let text = format!(
            "{UNWATCHED}: {:.2} ms CPU a picture above bare, {UNWATCHED_MS} allowed",
            unwatched.value
        );
        verdicts.push(at_most(unwatched, UNWATCHED_MS, text));
    }
    if let Some(age) = above(WATCHED, AGE) {
        let text = format!(
            "{WATCHED}: {AGE} {:.2} above bare, {AGE_MS} allowed",
            age.value
        );
        verdicts.push(at_most(age, AGE_MS, text));
    }
    verdicts
}

fn json(module: &Module, rounds: &[Round], verdicts: &[Verdict], failures: &[String]) -> Value {
    let all = rounds.iter().map(|round| {
        json!({
            "case": round.case, "round": round.number,
            "busy": is_busy(&round.figures), "figures": round.figures,
        })
    });
    let medians = CASES.iter().filter_map(|(case, _)| {
        let (figures, counts) = of_case(rounds, case);
        let is_measured = !figures.is_empty();
        is_measured.then(|| {
            json!({
                "case": case, "counts": counts, "figures": figures,
                "cpu_ms_above_bare": above_bare(rounds, case, COST).map(|above| above.value),
            })
        })
    });
    json!({
        "machine": report::machine(),
        "pipeline": module.pipeline,
        "rounds": all.collect::<Vec<Value>>(),
        "medians": medians.collect::<Vec<Value>>(),
        "targets": report::targets(verdicts),
        "failures": failures,
    })
}
