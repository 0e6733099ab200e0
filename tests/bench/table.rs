//! The medians as a table for a terminal. The CPU column and its ratio to the floor come first,
//! because they are what the bench is for.

use std::fmt::Write;

use crate::summary::Row;

/// Title, the figures of one column (joined by `/`), decimals.
const COLUMNS: [(&str, &[&str], usize); 7] = [
    ("fps min/p50", &["fps_min", "fps_p50"], 1),
    (
        "age ms p50/p99/max",
        &["age_p50_ms", "age_p99_ms", "age_max_ms"],
        1,
    ),
    (
        "first frame ms p50/max",
        &["first_frame_p50_ms", "first_frame_max_ms"],
        1,
    ),
    ("CPU %", &["cpu_percent"], 1),
    ("MB", &["memory_mb"], 1),
    ("threads", &["threads"], 0),
    ("files", &["files"], 0),
];

pub fn table(rows: &[Row]) -> String {
    let mut lines = vec![vec![
        "viewers".to_string(),
        "server".into(),
        "CPU ms/frame".into(),
        "x floor".into(),
    ]];
    lines[0].extend(COLUMNS.iter().map(|(title, ..)| title.to_string()));
    for row in rows {
        let mark = if row.counts() { "" } else { " (busy)" };
        let doubt = if row.ratio_counts { "" } else { "?" };
        let number = |name: &str, decimals: usize| {
            row.get(name)
                .map_or("-".into(), |value| format!("{value:.decimals$}"))
        };
        let mut line = vec![
            row.viewers.to_string(),
            format!("{}{mark}", row.server),
            number("cpu_ms_per_frame", 4),
            row.ratio
                .map_or("-".into(), |ratio| format!("{ratio:.2}{doubt}")),
        ];
        line.extend(COLUMNS.iter().map(|(_, names, decimals)| {
            let cells: Vec<String> = names.iter().map(|name| number(name, *decimals)).collect();
            cells.join(" / ")
        }));
        lines.push(line);
    }
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max();
    let widths: Vec<usize> = (0..lines[0].len()).filter_map(width).collect();
    let mut text = String::new();
    for line in &lines {
        for (cell, &width) in line.iter().zip(&widths) {
            let _ = write!(text, "{cell:>width$}  ");
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    text
}
