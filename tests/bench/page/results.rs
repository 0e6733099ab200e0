//! What the page mode says: the line of each measurement, the table, the targets, the JSON.

use serde_json::{Value, json};

use super::memory::LONG;
use super::{Case, IMG, OLD, PAGE};
use crate::args::Args;
use crate::client::Figures;
use crate::limits::Verdict;
use crate::rounds::is_busy;
use crate::summary::{Ratio, median, medians};
use crate::{report, table};

/// Of `<img>`'s, the page may take so much.
const CPU_OF_IMG: f64 = 1.05;
const MEMORY_OF_IMG: f64 = 0.35;
/// Of the camera's frames, so much less may be on the screen than with `<img>`.
const SHOWN_LESS_PERCENT: f64 = 0.5;
/// What is left of a garbage collection's whims after some minutes.
const HEAP_GROWTH_KB: f64 = 10.0;

const CPU: &str = "cpu_percent";
const MEMORY: &str = "pss_mb";
const SHOWN: &str = "shown_percent";
const AGE: &str = "age_p50_ms";
const HEAP_GROWTH: &str = "heap_growth_kb_per_min";

/// What the machine cannot show.
const NOTE: &str = "note: all is drawn by the CPU on a screen without a refresh: what a graphics chip takes \
                    over, and the wait of a real screen, are not in these figures";

/// One measurement.
pub struct Round {
    pub case: String,
    pub who: &'static str,
    pub number: usize,
    pub figures: Figures,
}

/// Of a measurement that has just ended.
pub fn tell(place: &str, figures: &Figures, is_busy: bool) {
    let show = |name: &str, decimals: usize| show(figures, name, decimals);
    let busy = if is_busy { " (busy)" } else { "" };
    eprintln!(
        "{place}: {} % CPU, {} MB, {} % of frames shown, {} ms old{busy}",
        show(CPU, 1),
        show(MEMORY, 1),
        show(SHOWN, 1),
        show(AGE, 1)
    );
}

/// Prints and keeps all; false when a measurement failed or none was made, or with `--check` when a target
/// is missed.
pub fn conclude(
    args: &Args,
    cases: &[Case],
    rounds: &[Round],
    failures: &[String],
) -> Result<bool, String> {
    println!(
        "\n{}\n\n{}",
        report::describe_machine(),
        text(cases, rounds)
    );
    println!("{NOTE}");
    let verdicts = verdicts(cases, rounds, args.seconds);
    for verdict in &verdicts {
        println!("{} {}", verdict.word(), verdict.text);
    }
    if args.seconds < LONG.as_secs_f64() {
        let long = LONG.as_secs();
        println!("note: whether the heap grows is told from `--seconds {long}` on");
    }
    for failure in failures {
        println!("FAILED {failure}");
    }
    if let Some(file) = &args.json {
        let json = json(cases, rounds, &verdicts, failures);
        crate::write(file, &format!("{json:#}\n"))?;
    }
    let mut held = verdicts.iter().map(|verdict| verdict.is_held);
    let is_held = held.all(|is_held| is_held != Some(false));
    let is_whole = failures.is_empty() && !rounds.is_empty();
    Ok(is_whole && (is_held || !args.check))
}

fn show(figures: &Figures, name: &str, decimals: usize) -> String {
    let value = figures.get(name);
    value.map_or("-".into(), |value| format!("{value:.decimals$}"))
}

/// The medians of the rounds that count; of all when none does. And whether they count.
fn of(rounds: &[Round], case: &Case, who: &str) -> (Figures, bool) {
    let all = || {
        let all = rounds.iter();
        all.filter(|round| round.case == case.label && round.who == who)
            .map(|round| &round.figures)
    };
    let quiet: Vec<&Figures> = all().filter(|figures| !is_busy(figures)).collect();
    match quiet.is_empty() {
        true => (medians(all()), false),
        false => (medians(quiet.into_iter()), true),
    }
}

/// How a figure of `who` stands to `<img>`'s, by `compare`: the median over the rounds, by quiet ones where
/// there are any.
fn beside_img(
    rounds: &[Round],
    case: &Case,
    who: &str,
    figure: &str,
    compare: fn(f64, f64) -> f64,
) -> Option<Ratio> {
    let over = |is_quiet: bool| {
        let find = |who: &str, number: usize| {
            let mut rounds = rounds.iter().filter(|round| {
                let is_one = round.case == case.label && round.who == who;
                is_one && round.number == number && !(is_quiet && is_busy(&round.figures))
            });
            rounds.next()?.figures.get(figure).copied()
        };
        let numbers = rounds.iter().map(|round| round.number).max().unwrap_or(0);
        median((1..=numbers).filter_map(|number| {
            let (own, img) = (find(who, number)?, find(IMG, number)?);
            Some(compare(own, img))
        }))
    };
    let quiet = over(true);
    let value = quiet.or_else(|| over(false))?;
    let counts = quiet.is_some();
    Some(Ratio { value, counts })
}

fn times(own: f64, img: f64) -> f64 {
    own / img
}

fn more(own: f64, img: f64) -> f64 {
    own - img
}

fn text(cases: &[Case], rounds: &[Round]) -> String {
    let titles = [
        "case",
        "shown by",
        "CPU %",
        "x img",
        "MB",
        "x img",
        "frames %",
        "age ms p50/p99/max",
        "heap MB",
        "+kB/min",
        "browser CPU %",
        "browser MB",
    ];
    let mut lines = vec![titles.map(String::from).to_vec()];
    for case in cases {
        for who in [IMG, PAGE, OLD] {
            let (figures, counts) = of(rounds, case, who);
            if figures.is_empty() {
                continue;
            }
            let show = |name: &str, decimals: usize| show(&figures, name, decimals);
            let ratio = |figure: &str| {
                let ratio = beside_img(rounds, case, who, figure, times);
                let ratio = ratio.filter(|_| who != IMG);
                ratio.map_or("-".into(), |ratio| format!("{:.2}", ratio.value))
            };
            let ages = [AGE, "age_p99_ms", "age_max_ms"].map(|name| show(name, 1));
            lines.push(vec![
                case.label.clone(),
                format!("{who}{}", if counts { "" } else { " (busy)" }),
                show(CPU, 1),
                ratio(CPU),
                show(MEMORY, 1),
                ratio(MEMORY),
                show(SHOWN, 1),
                ages.join(" / "),
                show("heap_mb", 2),
                show(HEAP_GROWTH, 1),
                show("all_cpu_percent", 1),
                show("all_pss_mb", 1),
            ]);
        }
    }
    table::align(&lines)
}

/// Of the page, in each case in which both were measured.
fn verdicts(cases: &[Case], rounds: &[Round], seconds: f64) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    for case in cases {
        let label = &case.label;
        let beside = |figure: &str, compare: fn(f64, f64) -> f64| {
            beside_img(rounds, case, PAGE, figure, compare)
        };
        let mut judge = |ratio: Option<Ratio>, is_held: &dyn Fn(f64) -> bool, text: &str| {
            if let Some(Ratio { value, counts }) = ratio {
                verdicts.push(Verdict {
                    is_held: counts.then(|| is_held(value)),
                    text: format!("{label}: {}", text.replace("{}", &format!("{value:.2}"))),
                });
            }
        };
        judge(
            beside(CPU, times),
            &|value| value <= CPU_OF_IMG,
            &format!("CPU {{}} x <img>'s, {CPU_OF_IMG} allowed"),
        );
        judge(
            beside(MEMORY, times),
            &|value| value <= MEMORY_OF_IMG,
            &format!("memory {{}} x <img>'s, {MEMORY_OF_IMG} allowed"),
        );
        judge(
            beside(SHOWN, more),
            &|value| value >= -SHOWN_LESS_PERCENT,
            &format!("frames shown, {{}} % more than <img>, -{SHOWN_LESS_PERCENT} allowed"),
        );
        judge(
            beside(AGE, more),
            &|value| value <= 0.0,
            &format!("{AGE} {{}} above <img>'s, 0 allowed"),
        );
        if seconds >= LONG.as_secs_f64() {
            let (figures, counts) = of(rounds, case, PAGE);
            let growth = figures.get(HEAP_GROWTH);
            judge(
                growth.map(|&value| Ratio { value, counts }),
                &|value| value <= HEAP_GROWTH_KB,
                &format!("the heap grows by {{}} kB a minute, {HEAP_GROWTH_KB} allowed"),
            );
        }
    }
    verdicts
}

fn json(cases: &[Case], rounds: &[Round], verdicts: &[Verdict], failures: &[String]) -> Value {
    let all = rounds.iter().map(|round| {
        json!({
            "case": round.case, "shown_by": round.who, "round": round.number,
            "busy": is_busy(&round.figures), "figures": round.figures,
        })
    });
    let medians = cases.iter().flat_map(|case| {
        [IMG, PAGE, OLD].into_iter().filter_map(|who| {
            let (figures, counts) = of(rounds, case, who);
            let ratio = |figure: &str| {
                let ratio = beside_img(rounds, case, who, figure, times);
                ratio.map(|ratio| ratio.value)
            };
            let is_measured = !figures.is_empty();
            is_measured.then(|| {
                json!({
                    "case": case.label, "shown_by": who, "counts": counts,
                    "cpu_ratio_to_img": ratio(CPU), "memory_ratio_to_img": ratio(MEMORY),
                    "figures": figures,
                })
            })
        })
    });
    json!({
        "machine": report::machine(),
        "rounds": all.collect::<Vec<Value>>(),
        "medians": medians.collect::<Vec<Value>>(),
        "targets": report::targets(verdicts),
        "failures": failures,
        "notes": [NOTE],
    })
}
