//! The medians as tables for a terminal, one for each section. The CPU column and its ratios come
//! first where there is one, because they are what the bench is for.

use std::fmt::Write;

use crate::cases::Section;
use crate::summary::{COST, Ratio, Row};

/// Title, the figures of one column (joined by `/`), decimals.
type Column = (&'static str, &'static [&'static str], usize);

const CPU_FRAME: Column = ("CPU ms/frame", &[COST], 3);
const CPU: Column = ("CPU %", &["cpu_percent"], 1);
const FPS: Column = ("fps min/p50", &["fps_min", "fps_p50"], 1);
const AGES: Column = (
    "age ms p50/p99/max",
    &["age_p50_ms", "age_p99_ms", "age_max_ms"],
    2,
);
const SIZE: Column = ("kB/frame", &["kb_per_frame"], 1);

const fn column(title: &'static str, figures: &'static [&'static str], decimals: usize) -> Column {
    (title, figures, decimals)
}

fn columns(section: Section) -> Vec<Column> {
    let memory = [
        column("MB", &["memory_mb"], 1),
        column("threads", &["threads"], 0),
    ];
    let mut columns = match section {
        Section::Feed | Section::Growth => vec![
            CPU_FRAME,
            FPS,
            AGES,
            (
                "first frame ms p50/max",
                &["first_frame_p50_ms", "first_frame_max_ms"],
                1,
            ),
            CPU,
        ],
        Section::Slow => vec![column("fps", &["fps_min"], 1), AGES, CPU],
        Section::Snapshots => vec![
            column("kept ms p50/p99", &["kept_p50_ms", "kept_p99_ms"], 2),
            column("new ms p50/p99", &["new_p50_ms", "new_p99_ms"], 2),
            AGES,
        ],
        Section::Idle => vec![column("CPU %", &["cpu_percent"], 2)],
        Section::First => vec![
            column(
                "first ms p50/p99/max",
                &["first_p50_ms", "first_p99_ms", "first_max_ms"],
                1,
            ),
            AGES,
        ],
        Section::Yuyv | Section::Encode => {
            vec![CPU_FRAME, column("fps", &["fps_min"], 1), AGES, SIZE, CPU]
        }
        Section::Sharpness => {
            return vec![
                SIZE,
                column("PSNR dB", &["psnr_db"], 2),
                column("of luma", &["psnr_y_db"], 2),
                column("SSIM", &["ssim"], 4),
            ];
        }
    };
    columns.extend(memory);
    columns
}

/// All tables, each under its section's title.
pub fn tables(rows: &[Row]) -> String {
    let mut text = String::new();
    for section in Section::ALL {
        let rows: Vec<&Row> = rows.iter().filter(|row| row.section == section).collect();
        if !rows.is_empty() {
            let _ = writeln!(text, "\n{}: {}\n", section.name(), section.title());
            text.push_str(&table(section, &rows));
        }
    }
    text
}

fn table(section: Section, rows: &[&Row]) -> String {
    let columns = columns(section);
    let has_ratios =
        rows.iter().any(|row| row.get(COST).is_some()) && section != Section::Sharpness;
    let mut lines = vec![vec!["case".to_string(), "server".into()]];
    for (title, ..) in &columns {
        lines[0].push(title.to_string());
        if has_ratios && *title == CPU_FRAME.0 {
            lines[0].extend(["x floor", "camfeed is"].map(String::from));
        }
    }
    for row in rows {
        let mark = if row.counts() { "" } else { " (busy)" };
        let mut line = vec![row.label.clone(), format!("{}{mark}", row.server)];
        for (title, names, decimals) in &columns {
            let number = |name: &&str| {
                let value = row.get(name);
                value.map_or("-".into(), |value| format!("{value:.decimals$}"))
            };
            let cells: Vec<String> = names.iter().map(number).collect();
            line.push(cells.join(" / "));
            if has_ratios && *title == CPU_FRAME.0 {
                line.extend([ratio(row.to_floor), ratio(row.of_ours)]);
            }
        }
        lines.push(line);
    }
    align(&lines)
}

fn ratio(ratio: Option<Ratio>) -> String {
    ratio.map_or("-".into(), |ratio| {
        let doubt = if ratio.counts { "" } else { "?" };
        format!("{:.2}{doubt}", ratio.value)
    })
}

/// Lines of equally many cells as text, in columns.
pub fn align(lines: &[Vec<String>]) -> String {
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max();
    let widths: Vec<usize> = (0..lines[0].len()).filter_map(width).collect();
    let mut text = String::new();
    for line in lines {
        for (cell, &width) in line.iter().zip(&widths) {
            let _ = write!(text, "{cell:>width$}  ");
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    text
}
