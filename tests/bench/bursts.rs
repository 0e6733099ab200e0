//! The burst mode: many keep-alive connections in one instant, again and again, at each server.
//! A connection is late when its first bytes take more than a second while all others stay open.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::client::millis;
use crate::load::{self, burst::burst};
use crate::server::{Recipe, Server};

const SIZES: [usize; 4] = [5, 12, 50, 100];
const TIMES: usize = 20;
const LATE: Duration = Duration::from_secs(1);
/// Between two bursts: time for the server to notice that everybody left.
const PAUSE: Duration = Duration::from_millis(100);

/// What came of the bursts of one size at one server.
pub struct Bursts {
    pub server: String,
    pub size: usize,
    /// Connections without first bytes in time, of all bursts.
    pub late: usize,
    /// Bursts in which at least one was late.
    pub bad: usize,
    /// Of those that were answered.
    pub worst: Duration,
    /// Answers by path and status.
    pub statuses: BTreeMap<String, usize>,
}

/// All sizes at one server, started once and kept, as a burst may leave it hurt for the next.
pub fn run(recipe: &Recipe) -> Result<Vec<Bursts>, String> {
    load::raise_file_limit();
    let mut server = Server::start(recipe)?;
    let paths = ["/", recipe.path.as_str(), "/state"];
    let mut all = Vec::new();
    for size in SIZES {
        let mut bursts = Bursts {
            server: recipe.name.clone(),
            size,
            late: 0,
            bad: 0,
            worst: Duration::ZERO,
            statuses: BTreeMap::new(),
        };
        for _ in 0..TIMES {
            let answers = burst(server.address, &paths, size, LATE)
                .map_err(|error| format!("{}: burst of {size}: {error}", recipe.name))?;
            let late = answers
                .iter()
                .filter(|answer| answer.wait.is_none_or(|wait| wait > LATE))
                .count();
            bursts.late += late;
            bursts.bad += usize::from(late > 0);
            for answer in answers {
                bursts.worst = bursts.worst.max(answer.wait.unwrap_or_default());
                let status = answer
                    .status
                    .map_or("none".into(), |status| status.to_string());
                let key = format!("{} {status}", answer.path);
                *bursts.statuses.entry(key).or_default() += 1;
            }
            // The server has no other word for having closed them all.
            std::thread::sleep(PAUSE);
        }
        println!("{}", describe(&bursts));
        all.push(bursts);
    }
    match server.is_running() {
        true => Ok(all),
        false => Err(format!("{}: it ended during the bursts", recipe.name)),
    }
}

fn describe(bursts: &Bursts) -> String {
    let answers: Vec<String> = bursts
        .statuses
        .iter()
        .map(|(key, count)| format!("{key}: {count}"))
        .collect();
    format!(
        "{:>10}  {:>3} at once, {TIMES} times: {} late in {} bursts, worst answer {:.1} ms  ({})",
        bursts.server,
        bursts.size,
        bursts.late,
        bursts.bad,
        millis(bursts.worst),
        answers.join(", ")
    )
}

pub fn json(bursts: &[Bursts]) -> Value {
    let all = bursts.iter().map(|bursts| {
        json!({
            "server": bursts.server, "connections": bursts.size, "times": TIMES,
            "late": bursts.late, "bad_bursts": bursts.bad, "worst_ms": millis(bursts.worst),
            "answers": bursts.statuses,
        })
    });
    json!({ "bursts": all.collect::<Vec<Value>>() })
}
