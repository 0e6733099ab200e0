//! From rounds to what is said of them: medians, ratios to the floor, the verdicts, the JSON.

use serde_json::{Value, json};

use crate::client::{Figures, sorted};
use crate::rounds::{FPS_MIN, Round};

/// CPU per delivered frame, at most, in units of the floor's.
pub const RATIO_MAX: f64 = 1.35;
/// From so many viewers on. Below, what a camera costs by itself is most of the figure.
const RATIO_FROM_VIEWERS: usize = 100;
pub const FLOOR: &str = "floor";
pub const OURS: &str = "camfeed";

/// One server at one number of viewers, over all its rounds.
pub struct Row {
    pub server: String,
    pub viewers: usize,
    /// Of the rounds that count; of all when none does.
    pub medians: Figures,
    /// Median of the ratios within one round, of CPU per frame to the floor's.
    pub ratio: Option<f64>,
    /// The ratio is of rounds in which the machine was quiet for both.
    pub ratio_counts: bool,
    pub rounds: usize,
    /// Rounds that do not count because others used the machine.
    pub busy: usize,
    /// Rounds in which the machine was full.
    pub full: usize,
    /// Integrity faults in all rounds.
    pub faults: f64,
}

impl Row {
    pub fn get(&self, name: &str) -> Option<f64> {
        self.medians.get(name).copied()
    }
    pub fn counts(&self) -> bool {
        self.busy < self.rounds
    }
}

pub fn rows(rounds: &[Round]) -> Vec<Row> {
    let mut keys: Vec<(usize, &str)> = Vec::new();
    for round in rounds {
        let key = (round.viewers, round.server.as_str());
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    // In order of viewers; of servers as they first ran.
    keys.sort_by_key(|&(viewers, _)| viewers);
    keys.into_iter()
        .map(|(viewers, server)| row(rounds, viewers, server))
        .collect()
}

fn row(rounds: &[Round], viewers: usize, server: &str) -> Row {
    let pick = |name: &str, is_counting: bool| -> Vec<&Round> {
        rounds
            .iter()
            .filter(|round| round.viewers == viewers && round.server == name)
            .filter(|round| !is_counting || !round.is_busy())
            .collect()
    };
    let all = pick(server, false);
    let quiet = pick(server, true);
    let counted = if quiet.is_empty() { &all } else { &quiet };
    let names = counted.iter().flat_map(|round| round.figures.keys());
    let medians = names
        .filter_map(|name| {
            let values = counted.iter().filter_map(|round| round.figures.get(name));
            Some((name.clone(), median(values.copied())?))
        })
        .collect();
    let ratio_of = |rounds: &[&Round], floors: &[&Round]| {
        let cost = |round: &Round| round.figures.get("cpu_ms_per_frame").copied();
        median(rounds.iter().filter_map(|round| {
            let floor = floors.iter().find(|floor| floor.number == round.number)?;
            Some(cost(round)? / cost(floor)?)
        }))
    };
    let quiet_ratio = ratio_of(&quiet, &pick(FLOOR, true));
    Row {
        server: server.into(),
        viewers,
        medians,
        ratio: quiet_ratio.or_else(|| ratio_of(&all, &pick(FLOOR, false))),
        ratio_counts: quiet_ratio.is_some(),
        rounds: all.len(),
        busy: all.len() - quiet.len(),
        full: all.iter().filter(|round| round.is_full()).count(),
        faults: all
            .iter()
            .filter_map(|round| round.figures.get("faults"))
            .sum(),
    }
}

fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let values = sorted(values);
    let upper = values.get(values.len() / 2)?;
    let lower = values[(values.len() - 1) / 2];
    Some((lower + upper) / 2.0)
}

/// What must hold for camfeed, each with whether it does. Rows that do not count decide nothing.
pub fn verdicts(rows: &[Row]) -> Vec<(bool, String)> {
    let mut verdicts = Vec::new();
    for row in rows.iter().filter(|row| row.server == OURS) {
        let viewers = row.viewers;
        verdicts.push((
            row.faults == 0.0,
            format!("{viewers} viewers: {} torn, mixed or lost", row.faults),
        ));
        if !row.counts() {
            continue;
        }
        if let Some(rate) = row.get("fps_min") {
            verdicts.push((
                rate >= FPS_MIN,
                format!("{viewers} viewers: {rate:.1} fps at least, {FPS_MIN} wanted"),
            ));
        }
        let is_judged = row.ratio_counts && viewers >= RATIO_FROM_VIEWERS;
        if let Some(ratio) = row.ratio.filter(|_| is_judged) {
            verdicts.push((
                ratio <= RATIO_MAX,
                format!("{viewers} viewers: CPU {ratio:.2} times the floor, {RATIO_MAX} allowed"),
            ));
        }
    }
    verdicts
}

/// What weakens the figures, in words.
pub fn notes(rows: &[Row]) -> Vec<String> {
    let mut notes = Vec::new();
    for row in rows {
        let who = format!("{} viewers, {}", row.viewers, row.server);
        if row.busy > 0 {
            notes.push(format!(
                "{who}: the machine was too busy with others in {} of {} rounds; {}",
                row.busy,
                row.rounds,
                match row.counts() {
                    true => "they do not count",
                    false => "these figures do not count",
                }
            ));
        }
        if row.full > 0 {
            notes.push(format!(
                "{who}: the machine was full in {} of {} rounds: ages and rates are its limit",
                row.full, row.rounds
            ));
        }
        if let Some(foreign) = row.get("foreign").filter(|&foreign| foreign > 0.0) {
            notes.push(format!(
                "{who}: {foreign} frames are not byte for byte the film's"
            ));
        }
    }
    notes
}

pub fn json(rounds: &[Round], rows: &[Row], failures: &[String]) -> Value {
    let rounds: Vec<Value> = rounds
        .iter()
        .map(|round| {
            json!({
                "server": round.server, "viewers": round.viewers, "round": round.number,
                "busy": round.is_busy(), "full": round.is_full(),
                "figures": round.figures, "faults": round.faults,
            })
        })
        .collect();
    let medians: Vec<Value> = rows
        .iter()
        .map(|row| {
            json!({
                "server": row.server, "viewers": row.viewers, "counts": row.counts(),
                "rounds": row.rounds,
                "cpu_ratio_to_floor": row.ratio, "cpu_ratio_counts": row.ratio_counts,
                "figures": row.medians,
            })
        })
        .collect();
    json!({ "rounds": rounds, "medians": medians, "failures": failures, "notes": notes(rows) })
}
