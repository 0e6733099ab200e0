//! From rounds to what is said of them: medians, ratios to the floor and to camfeed, notes.

use crate::cases::Section;
use crate::client::{Figures, sorted};
use crate::peers::{FLOOR, OURS};
use crate::rounds::Round;

/// The figure that ratios are of, in general.
pub const COST: &str = "cpu_ms_per_frame";

/// One server in one case, over all its rounds.
pub struct Row {
    pub section: Section,
    pub label: String,
    pub viewers: usize,
    pub server: String,
    /// Of the rounds that count; of all when none does.
    pub medians: Figures,
    /// Its cost in units of the floor's.
    pub to_floor: Option<Ratio>,
    /// camfeed's cost in units of this one's.
    pub of_ours: Option<Ratio>,
    pub rounds: usize,
    /// Rounds that do not count because others used the machine.
    pub busy: usize,
    /// Rounds in which the machine was full.
    pub full: usize,
    /// Integrity faults in all rounds.
    pub faults: f64,
}

/// The median of the ratios within one round.
#[derive(Clone, Copy, Debug)]
pub struct Ratio {
    pub value: f64,
    /// It is of rounds in which the machine was quiet for both.
    pub counts: bool,
}

impl Row {
    pub fn get(&self, name: &str) -> Option<f64> {
        self.medians.get(name).copied()
    }
    pub fn counts(&self) -> bool {
        self.busy < self.rounds
    }
}

/// In order of sections and cases; of servers as they first ran.
pub fn rows(rounds: &[Round]) -> Vec<Row> {
    let mut firsts: Vec<&Round> = Vec::new();
    for round in rounds {
        if !firsts
            .iter()
            .any(|first| is_same_case(first, round) && first.server == round.server)
        {
            firsts.push(round);
        }
    }
    firsts.into_iter().map(|first| row(rounds, first)).collect()
}

fn is_same_case(one: &Round, other: &Round) -> bool {
    one.section == other.section && one.label == other.label
}

fn row(rounds: &[Round], first: &Round) -> Row {
    let all: Vec<&Round> = rounds
        .iter()
        .filter(|round| is_same_case(round, first) && round.server == first.server)
        .collect();
    let quiet: Vec<&Round> = all
        .iter()
        .copied()
        .filter(|round| !round.is_busy())
        .collect();
    let counted = if quiet.is_empty() { &all } else { &quiet };
    let is = |server: &str| first.server == server;
    let to = |one: &str, other: &str| ratio(rounds, first, COST, one, other);
    Row {
        section: first.section,
        label: first.label.clone(),
        viewers: first.viewers,
        server: first.server.clone(),
        medians: medians(counted.iter().map(|round| &round.figures)),
        to_floor: to(&first.server, FLOOR),
        of_ours: to(OURS, &first.server).filter(|_| !is(OURS)),
        rounds: all.len(),
        busy: all.len() - quiet.len(),
        full: all.iter().filter(|round| round.is_full()).count(),
        faults: all.iter().filter_map(|round| round.figure("faults")).sum(),
    }
}

/// How `one` stands to `other` in the case of `of`, by rounds in which both were measured; by quiet
/// ones where there are any.
fn ratio(rounds: &[Round], of: &Round, figure: &str, one: &str, other: &str) -> Option<Ratio> {
    let over = |is_quiet: bool| {
        let find = |server: &str, number: usize| {
            rounds.iter().find(|round| {
                is_same_case(round, of)
                    && round.server == server
                    && round.number == number
                    && !(is_quiet && round.is_busy())
            })
        };
        median((1..=of_rounds(rounds, of)).filter_map(|number| {
            let one = find(one, number)?.figure(figure)?;
            let other = find(other, number)?.figure(figure)?;
            (other > 0.0).then_some(one / other)
        }))
    };
    let quiet = over(true);
    let value = quiet.or_else(|| over(false))?;
    let counts = quiet.is_some();
    Some(Ratio { value, counts })
}

/// The same by a row's name, of any figure.
pub fn ratio_of(rounds: &[Round], row: &Row, figure: &str, other: &str) -> Option<Ratio> {
    let of = rounds
        .iter()
        .find(|round| round.section == row.section && round.label == row.label)?;
    ratio(rounds, of, figure, &row.server, other)
}

fn of_rounds(rounds: &[Round], of: &Round) -> usize {
    let same = rounds.iter().filter(|round| is_same_case(round, of));
    same.map(|round| round.number).max().unwrap_or(0)
}

/// The median of each figure over the rounds that have it.
pub fn medians<'a>(rounds: impl Iterator<Item = &'a Figures> + Clone) -> Figures {
    let names = rounds.clone().flat_map(Figures::keys);
    names
        .filter_map(|name| {
            let values = rounds.clone().filter_map(|figures| figures.get(name));
            Some((name.clone(), median(values.copied())?))
        })
        .collect()
}

pub fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let values = sorted(values);
    let upper = values.get(values.len() / 2)?;
    let lower = values[(values.len() - 1) / 2];
    Some((lower + upper) / 2.0)
}

/// What weakens the figures, in words; for each section and reason all rows that it befell.
pub fn notes(rows: &[Row]) -> Vec<String> {
    let mut notes = Vec::new();
    for section in Section::ALL {
        let of_section = || rows.iter().filter(move |row| row.section == section);
        let mut note = |befallen: Vec<String>, what: &str| {
            if !befallen.is_empty() {
                let list = befallen.join("; ");
                notes.push(format!("{}: {what}: {list}", section.name()));
            }
        };
        let partly = of_section().filter(|row| row.busy > 0 && row.counts());
        note(
            partly.map(|row| rounds_of(row, row.busy)).collect(),
            "others used the machine, these rounds do not count",
        );
        let wholly = of_section().filter(|row| !row.counts());
        note(
            wholly.map(who).collect(),
            "the machine was too busy with others, these figures do not count",
        );
        let full = of_section().filter(|row| row.full > 0);
        note(
            full.map(|row| rounds_of(row, row.full)).collect(),
            "the machine was full, ages and rates are its limit",
        );
        let foreign = of_section().filter(|row| row.get("foreign") > Some(0.0));
        note(
            foreign.map(who).collect(),
            "frames are not byte for byte the camera's",
        );
    }
    notes
}

fn who(row: &Row) -> String {
    format!("{}, {}", row.label, row.server)
}

fn rounds_of(row: &Row, some: usize) -> String {
    format!("{} ({some} of {})", who(row), row.rounds)
}

/// Sharpness at equal size: at the size of each picture of another server, what camfeed has there,
/// between the two of its own qualities around it.
pub fn equal_sizes(rows: &[Row]) -> Vec<String> {
    let points = |server: &str| -> Vec<(f64, f64, f64)> {
        let rows = rows
            .iter()
            .filter(|row| row.section == Section::Sharpness && row.server == server);
        rows.filter_map(|row| {
            Some((
                row.get("kb_per_frame")?,
                row.get("psnr_db")?,
                row.get("ssim")?,
            ))
        })
        .collect()
    };
    let ours = points(OURS);
    let mut lines = Vec::new();
    for row in rows
        .iter()
        .filter(|row| row.section == Section::Sharpness && row.server != OURS)
    {
        let (Some(size), Some(psnr), Some(ssim)) =
            (row.get("kb_per_frame"), row.get("psnr_db"), row.get("ssim"))
        else {
            continue;
        };
        let around = ours
            .windows(2)
            .find(|pair| pair[0].0 <= size && size <= pair[1].0);
        if let Some([low, high]) = around {
            // Decibels go about with the logarithm of the size.
            let share = (size / low.0).ln() / (high.0 / low.0).ln();
            let between = |low: f64, high: f64| low + share * (high - low);
            lines.push(format!(
                "at {size:.0} kB a picture ({}, {}): camfeed {:.2} dB, SSIM {:.4}; {} {psnr:.2} dB, SSIM {ssim:.4}",
                row.server,
                row.label,
                between(low.1, high.1),
                between(low.2, high.2),
                row.server
            ));
        }
    }
    lines
}
