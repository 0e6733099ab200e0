//! What must hold for camfeed: targets as ratios to the floor and to every peer of the same run, and
//! a few in milliseconds where a ratio would say nothing.

use crate::cases::Section;
use crate::peers::{FLOOR, OURS, USTREAMER};
use crate::rounds::Round;
use crate::summary::{COST, Row, ratio_of};

/// One target.
struct Limit {
    section: Section,
    /// For so many viewers.
    viewers: std::ops::RangeInclusive<usize>,
    figure: &'static str,
    bound: Bound,
}

enum Bound {
    AtMost(f64),
    AtLeast(f64),
    OfFloor(f64),
    /// Of every server that is neither the floor nor another camfeed.
    OfPeers(f64),
    OfUstreamer(f64),
}

const ANY: std::ops::RangeInclusive<usize> = 1..=usize::MAX;
const ONE: std::ops::RangeInclusive<usize> = 1..=1;
/// Below, what a camera costs by itself is most of the figure.
const CROWD: std::ops::RangeInclusive<usize> = 100..=usize::MAX;
const FRAME_TIME_MS: f64 = 1000.0 / 30.0;

const LIMITS: [Limit; 14] = [
    limit(Section::Feed, ANY, "fps_min", Bound::AtLeast(29.9)),
    limit(Section::Feed, CROWD, COST, Bound::OfFloor(1.15)),
    limit(Section::Feed, CROWD, COST, Bound::OfPeers(0.6)),
    limit(Section::Feed, CROWD, "age_p50_ms", Bound::OfFloor(1.3)),
    limit(Section::Feed, CROWD, "age_p99_ms", Bound::OfFloor(1.3)),
    limit(Section::Feed, ONE, "age_p50_ms", Bound::AtMost(0.4)),
    limit(Section::Feed, ONE, COST, Bound::OfUstreamer(1.0)),
    limit(Section::Snapshots, ANY, "kept_p50_ms", Bound::AtMost(0.5)),
    limit(Section::Snapshots, ANY, "kept_p99_ms", Bound::AtMost(2.0)),
    limit(Section::Idle, ANY, "cpu_percent", Bound::AtMost(0.3)),
    limit(
        Section::First,
        ANY,
        "first_p99_ms",
        Bound::AtMost(FRAME_TIME_MS + 5.0),
    ),
    limit(Section::Yuyv, ANY, "age_p50_ms", Bound::AtMost(4.0)),
    limit(Section::Yuyv, ANY, "fps_min", Bound::AtLeast(29.9)),
    limit(Section::Yuyv, ANY, COST, Bound::OfUstreamer(0.85)),
];

const fn limit(
    section: Section,
    viewers: std::ops::RangeInclusive<usize>,
    figure: &'static str,
    bound: Bound,
) -> Limit {
    Limit {
        section,
        viewers,
        figure,
        bound,
    }
}

/// A target, and whether it was met; None: the machine was too busy to say.
pub struct Verdict {
    pub is_held: Option<bool>,
    pub text: String,
}

impl Verdict {
    pub fn word(&self) -> &'static str {
        match self.is_held {
            Some(true) => "ok    ",
            Some(false) => "not ok",
            None => "busy  ",
        }
    }
}

/// Each with whether it holds. Rounds that do not count decide nothing, except that no frame may be
/// torn, mixed or lost in any.
pub fn verdicts(rounds: &[Round], rows: &[Row]) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    for row in rows.iter().filter(|row| row.server == OURS) {
        if row.get("faults").is_some() {
            verdicts.push(Verdict {
                is_held: Some(row.faults == 0.0),
                text: format!("{}: {} torn, mixed or lost", place(row), row.faults),
            });
        }
        let limits = LIMITS
            .iter()
            .filter(|limit| limit.section == row.section && limit.viewers.contains(&row.viewers));
        for limit in limits {
            judge(limit, rounds, rows, row, &mut verdicts);
        }
    }
    verdicts
}

fn judge(limit: &Limit, rounds: &[Round], rows: &[Row], row: &Row, verdicts: &mut Vec<Verdict>) {
    let figure = limit.figure;
    let others: Vec<&str> = rows
        .iter()
        .filter(|other| other.section == row.section && other.label == row.label)
        .map(|other| other.server.as_str())
        .collect();
    let mut against = |others: &[&str], allowed: f64| {
        for other in others {
            let ratio = ratio_of(rounds, row, figure, other);
            let Some(ratio) = ratio else { continue };
            verdicts.push(Verdict {
                is_held: ratio.counts.then_some(ratio.value <= allowed),
                text: format!(
                    "{}: {figure} {:.2} x {other}'s, {allowed} allowed",
                    place(row),
                    ratio.value
                ),
            });
        }
    };
    let only = |wanted: &str| -> Vec<&str> {
        others
            .iter()
            .copied()
            .filter(|other| *other == wanted)
            .collect()
    };
    let (is_held, wanted) = match limit.bound {
        Bound::OfFloor(allowed) => return against(&only(FLOOR), allowed),
        Bound::OfUstreamer(allowed) => return against(&only(USTREAMER), allowed),
        Bound::OfPeers(allowed) => {
            let is_peer = |other: &&str| ![FLOOR, OURS, "old"].contains(other);
            let peers: Vec<&str> = others.iter().copied().filter(is_peer).collect();
            return against(&peers, allowed);
        }
        Bound::AtMost(most) => (row.get(figure) <= Some(most), format!("{most:.1} allowed")),
        Bound::AtLeast(least) => (row.get(figure) >= Some(least), format!("{least} wanted")),
    };
    let value = row.get(figure);
    let shown = value.map_or("not measured".into(), |value| format!("{value:.2}"));
    verdicts.push(Verdict {
        is_held: row.counts().then_some(is_held && value.is_some()),
        text: format!("{}: {figure} {shown}, {wanted}", place(row)),
    });
}

fn place(row: &Row) -> String {
    format!("{} {}", row.section.name(), row.label)
}
