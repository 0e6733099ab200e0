//! The results as JSON, with the machine they are of: what somebody elsewhere needs to read them.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::limits::Verdict;
use crate::proc;
use crate::rounds::Round;
use crate::summary::{Row, notes};

pub fn json(rounds: &[Round], rows: &[Row], verdicts: &[Verdict], failures: &[String]) -> Value {
    let all = rounds.iter().map(|round| {
        json!({
            "section": round.section.name(), "case": round.label, "viewers": round.viewers,
            "server": round.server, "round": round.number,
            "busy": round.is_busy(), "full": round.is_full(),
            "figures": round.figures, "faults": round.faults,
        })
    });
    let medians = rows.iter().map(|row| {
        json!({
            "section": row.section.name(), "case": row.label, "viewers": row.viewers,
            "server": row.server, "counts": row.counts(), "rounds": row.rounds,
            "cpu_ratio_to_floor": row.to_floor.map(|ratio| ratio.value),
            "cpu_ratio_to_floor_counts": row.to_floor.map(|ratio| ratio.counts),
            "camfeed_cpu_ratio_to_this": row.of_ours.map(|ratio| ratio.value),
            "camfeed_cpu_ratio_to_this_counts": row.of_ours.map(|ratio| ratio.counts),
            "figures": row.medians,
        })
    });
    json!({
        "machine": machine(),
        "rounds": all.collect::<Vec<Value>>(),
        "medians": medians.collect::<Vec<Value>>(),
        "targets": targets(verdicts),
        "failures": failures,
        "notes": notes(rows),
    })
}

pub fn targets(verdicts: &[Verdict]) -> Vec<Value> {
    verdicts
        .iter()
        .map(|verdict| json!({ "held": verdict.is_held, "target": verdict.text }))
        .collect()
}

/// The machine in a line, to stand over the tables.
pub fn describe_machine() -> String {
    let machine = machine();
    let named = |name: &str| machine[name].as_str().map(str::to_owned);
    let model = named("board")
        .or(named("processor"))
        .or(named("architecture"));
    format!(
        "{}, {} cores, {}, Linux {}; camfeed {}, ustreamer {}",
        model.unwrap_or_default(),
        machine["cores"],
        named("system").unwrap_or("unknown system".into()),
        named("kernel").unwrap_or_default(),
        env!("CARGO_PKG_VERSION"),
        named("ustreamer").unwrap_or("not installed".into())
    )
}

/// Model, system and the versions of what was measured; null where a machine does not say.
pub fn machine() -> Value {
    let read = |file: &str| fs::read_to_string(file).unwrap_or_default();
    let board = read("/proc/device-tree/model");
    let processor = field(&read("/proc/cpuinfo"), "model name");
    let memory = field(&read("/proc/meminfo"), "MemTotal");
    let system = read("/etc/os-release");
    let system = system
        .lines()
        .find_map(|line| line.strip_prefix("PRETTY_NAME="));
    json!({
        "board": Some(board.trim_end_matches('\0')).filter(|board| !board.is_empty()),
        "processor": processor,
        "cores": proc::cores(),
        "memory": memory,
        "system": system.map(|name| name.trim_matches('"')),
        "kernel": read("/proc/sys/kernel/osrelease").trim(),
        "architecture": std::env::consts::ARCH,
        "camfeed": env!("CARGO_PKG_VERSION"),
        "ustreamer": version("ustreamer"),
    })
}

/// The value behind `name` and a colon.
fn field(text: &str, name: &str) -> Option<String> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_string())
}

fn version(program: &str) -> Option<String> {
    let output = Command::new(program).arg("--version").output().ok()?;
    let said = String::from_utf8_lossy(&output.stdout).trim().to_string();
    output.status.success().then_some(said)
}
