//! The medians as a plot: CPU per delivered frame and the age of pictures, over the number of viewers.
//! Written by hand: two panels of lines, even steps from one number of viewers to the next.

use std::fmt::Write;

use crate::cases::Section;
use crate::summary::{COST, Row};

const PANEL: (f64, f64) = (420.0, 260.0);
const MARGIN: (f64, f64) = (60.0, 50.0);
const COLOURS: [&str; 6] = [
    "#888888", "#0b6e99", "#c2410c", "#3f7d20", "#7a4fa3", "#b08900",
];

/// Of the feed section, or of growth when that was measured without it.
pub fn plot(rows: &[Row]) -> String {
    let of = |section: Section| -> Vec<&Row> {
        let is_by_viewers = |row: &&Row| row.section == section && row.label.contains("viewer");
        rows.iter().filter(is_by_viewers).collect()
    };
    let rows = match of(Section::Feed) {
        rows if rows.is_empty() => of(Section::Growth),
        rows => rows,
    };
    let mut servers: Vec<&str> = Vec::new();
    let mut viewers: Vec<usize> = Vec::new();
    for row in &rows {
        if !servers.contains(&row.server.as_str()) {
            servers.push(&row.server);
        }
        if !viewers.contains(&row.viewers) {
            viewers.push(row.viewers);
        }
    }
    let (width, height) = (
        2.0 * (PANEL.0 + MARGIN.0) + 20.0,
        PANEL.1 + 2.0 * MARGIN.1 + 20.0 * servers.len() as f64,
    );
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    let panels = [
        ("CPU ms per delivered frame", COST),
        ("picture age, ms, p99", "age_p99_ms"),
    ];
    for (place, (title, figure)) in panels.into_iter().enumerate() {
        let left = MARGIN.0 + place as f64 * (PANEL.0 + MARGIN.0);
        panel(&mut text, left, title, figure, &rows, &servers, &viewers);
    }
    for (number, server) in servers.iter().enumerate() {
        let y = PANEL.1 + 2.0 * MARGIN.1 + 20.0 * number as f64;
        let colour = COLOURS[number % COLOURS.len()];
        let _ = writeln!(
            text,
            "<rect x=\"{}\" y=\"{}\" width=\"14\" height=\"4\" fill=\"{colour}\"/>\
             <text x=\"{}\" y=\"{y}\">{}</text>",
            MARGIN.0,
            y - 6.0,
            MARGIN.0 + 22.0,
            escape(server)
        );
    }
    text.push_str("</svg>\n");
    text
}

fn panel(
    text: &mut String,
    left: f64,
    title: &str,
    figure: &str,
    rows: &[&Row],
    servers: &[&str],
    viewers: &[usize],
) {
    let top = rows
        .iter()
        .filter_map(|row| row.get(figure))
        .fold(0.0, f64::max);
    let top = round_up(top);
    let bottom = MARGIN.1 + PANEL.1;
    let x = |step: usize| left + (step as f64 + 0.5) * PANEL.0 / viewers.len() as f64;
    let y = |value: f64| bottom - value / top * PANEL.1;
    let _ = writeln!(
        text,
        "<text x=\"{left}\" y=\"{}\" font-weight=\"bold\">{title}</text>",
        MARGIN.1 - 16.0
    );
    for quarter in 0..=4 {
        let value = top * f64::from(quarter) / 4.0;
        let line = y(value);
        let _ = writeln!(
            text,
            "<path d=\"M{left} {line}h{}\" stroke=\"#dddddd\"/>\
             <text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>",
            PANEL.0 - 20.0,
            left - 6.0,
            line + 4.0,
            // Three digits are enough to tell the lines apart.
            (value * 1e4).round() / 1e4
        );
    }
    for (step, count) in viewers.iter().enumerate() {
        let _ = writeln!(
            text,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{count}</text>",
            x(step),
            bottom + 18.0
        );
    }
    for (number, server) in servers.iter().enumerate() {
        let colour = COLOURS[number % COLOURS.len()];
        let value_at = |count: usize| {
            rows.iter()
                .find(|row| row.server == *server && row.viewers == count)
                .and_then(|row| row.get(figure))
        };
        let points: Vec<(f64, f64)> = viewers
            .iter()
            .enumerate()
            .filter_map(|(step, &count)| Some((x(step), y(value_at(count)?))))
            .collect();
        let path: Vec<String> = points
            .iter()
            .map(|(x, y)| format!("{x:.1},{y:.1}"))
            .collect();
        let _ = writeln!(
            text,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
            path.join(" ")
        );
        for (x, y) in points {
            let _ = writeln!(
                text,
                "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{colour}\"/>"
            );
        }
    }
}

/// To the next 1, 2 or 5 times a power of ten.
fn round_up(value: f64) -> f64 {
    let power = 10f64.powf(value.max(1e-6).log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * power);
    steps
        .into_iter()
        .find(|&step| step >= value)
        .unwrap_or(power * 10.0)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
