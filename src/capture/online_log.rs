//! What the log says of a camera that comes online.

use crate::{feed::camera::SourceInfo, system::logging};
use log::{debug, info, warn};

/// One line on what the camera really gave, and what it was asked for where that differs;
/// at `debug` where it `is_known` from the last time. One that was not `is_chosen` by name may be the wrong one.
pub fn log_online(facts: &SourceInfo, is_known: bool, is_chosen: bool) {
    let size = facts
        .size
        .map_or_else(|| "unknown size".to_owned(), |size| size.to_string());
    let fps = facts.fps.map_or_else(|| "unknown".to_owned(), rate);
    let way = if facts.pass_through {
        "passed through"
    } else {
        "encoded"
    };
    let source = &facts.source;
    let called = match &facts.card {
        Some(card) => format!("{card} ({source})"),
        None => source.to_string(),
    };
    let mut line = format!(
        "camera online: {called}, {size} at {fps} fps, {} {way} (backend={}",
        facts.format, facts.backend
    );
    if let Some(sensor) = &facts.sensor {
        line.push_str(&format!(" sensor={sensor}"));
    }
    if let Some(range) = facts.range {
        line.push_str(&format!(" range={}", range.name()));
    }
    if let Some(stable) = &facts.stable {
        line.push_str(&format!(" stable={}", stable.display()));
    }
    line.push(')');
    line.push_str(&refused(facts));
    if !is_chosen && !facts.is_fallback && logging::is_at_terminal() {
        line.push_str(" (not the right one? `camfeed --list` shows all)");
    }
    match is_known {
        true => debug!("{line}"),
        false => info!("{line}"),
    }
}

/// One line on why there is the test pattern instead of a camera; `hint` is what may bring one.
pub fn warn_of_fallback(hint: Option<&str>) {
    match hint {
        Some(hint) => warn!(
            "no camera opens: showing the built-in test pattern; the first that opens takes over: {hint}"
        ),
        None => warn!(
            "no camera found: showing the built-in test pattern; a camera plugged in later takes over \
             (a Raspberry Pi camera module: see `camfeed --list`)"
        ),
    }
}

/// What was asked of a camera and it does not do, in words that stand behind what it does; else nothing.
pub fn refused(facts: &SourceInfo) -> String {
    let asked = &facts.asked;
    let size = asked.size.filter(|asked| Some(*asked) != facts.size);
    let is_other = |asked: &f64| facts.fps.is_some_and(|fps| (fps - asked).abs() > 0.5);
    let refused = [
        asked.format.clone().filter(|asked| *asked != facts.format),
        size.map(|size| size.to_string()),
        asked.fps.filter(is_other).map(rate),
    ];
    let refused: Vec<_> = refused.into_iter().flatten().collect();
    if refused.is_empty() {
        return String::new();
    }
    format!(
        " (asked for {}, which it does not have)",
        refused.join(", ")
    )
}

/// A rate as people write it: 30, 7.5.
pub fn rate(fps: f64) -> String {
    ((fps * 100.0).round() / 100.0).to_string()
}
