//! The load client as a process of its own: what it runs, and how the bench talks to it.
//!
//! The child says `begin` and `end` on stdout when the measured window does, then one line of JSON:
//! `{"figures": {name: number, …}, "faults": [text, …]}`. Its time is bounded by patience and window,
//! and the bench kills it when it is late all the same.

use std::collections::{BTreeMap, HashSet};
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use serde_json::{Value, json};

use crate::load::check::Hash;
use crate::load::viewers::{Report, Watch, watch};
use crate::{camera, children, load};

/// Named numbers: what a round yields, what the table, the JSON and the plot show.
pub type Figures = BTreeMap<String, f64>;

pub const ROLE: &str = "--role-viewers";
/// For all viewers to have a first frame.
const PATIENCE: Duration = Duration::from_secs(20);
/// Above so many viewers one thread may not be enough to read them all.
const ONE_THREAD_MAX: usize = 200;

/// The child's main: `words` are those after the role's name.
pub fn run(words: &[String]) -> Result<(), String> {
    let [address, path, viewers, seconds, verify, ring] = words else {
        return Err(format!("{ROLE} is for the bench itself"));
    };
    load::raise_file_limit();
    let viewers = viewers.parse().map_err(|_| "viewers")?;
    let order = Watch {
        address: address.parse().map_err(|_| "address")?,
        path: path.clone(),
        viewers,
        window: Duration::from_secs_f64(seconds.parse().map_err(|_| "seconds")?),
        threads: if viewers > ONE_THREAD_MAX { 2 } else { 1 },
        verify: verify == "true",
        patience: PATIENCE,
    };
    let report = watch(&order, |is_begin| {
        println!("{}", if is_begin { "begin" } else { "end" });
    });
    let known: HashSet<u64> = match camera::jpegs(Path::new(ring)) {
        Ok(jpegs) => jpegs.iter().map(|jpeg| Hash::of(jpeg)).collect(),
        Err(_) => HashSet::new(),
    };
    let figures = summarize(&report, &known, order.window);
    let line = json!({ "figures": figures, "faults": report.ledger.faults });
    println!("{line}");
    std::io::stdout().flush().map_err(|error| error.to_string())
}

fn summarize(report: &Report, known: &HashSet<u64>, window: Duration) -> Figures {
    let all = &report.viewers;
    let rates = sorted(all.iter().map(|viewer| viewer.rate(window)));
    let first = |pick: fn(&load::viewers::Viewer) -> Option<Duration>| {
        sorted(all.iter().filter_map(pick).map(millis))
    };
    let first_byte = first(|viewer| viewer.first_byte);
    let first_frame = first(|viewer| viewer.first_frame);
    let age = |share: f64| percentile(&report.ages_micros, share).map(|&age| f64::from(age) / 1e3);
    let total = |pick: fn(&load::viewers::Viewer) -> u64| all.iter().map(pick).sum::<u64>() as f64;
    let foreign = report.ledger.hashes().filter(|hash| !known.contains(hash));
    let named = [
        ("frames", Some(total(|viewer| viewer.frames))),
        ("fps_min", rates.first().copied()),
        ("fps_p50", percentile(&rates, 0.5).copied()),
        ("missed", Some(total(|viewer| viewer.track.missed))),
        ("repeats", Some(total(|viewer| viewer.track.repeats))),
        (
            "gap_max_ms",
            all.iter().map(|viewer| millis(viewer.gap)).reduce(f64::max),
        ),
        ("age_p50_ms", age(0.5)),
        ("age_p99_ms", age(0.99)),
        ("age_max_ms", age(1.0)),
        ("first_byte_p50_ms", percentile(&first_byte, 0.5).copied()),
        ("first_frame_p50_ms", percentile(&first_frame, 0.5).copied()),
        ("first_frame_max_ms", first_frame.last().copied()),
        ("no_frame", Some((all.len() - first_frame.len()) as f64)),
        ("faults", Some(report.ledger.fault_count as f64)),
        ("hashed", Some(report.ledger.hashed as f64)),
        // Distinct frames that are not byte for byte a JPEG of the camera.
        ("foreign", Some(foreign.count() as f64)),
    ];
    named
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_string(), value?)))
        .collect()
}

/// The client, or another role that reports as it does, as the bench sees it; killed by its id when
/// dropped.
pub struct Client {
    role: String,
    child: Child,
    lines: Receiver<String>,
}

impl Client {
    pub fn start(
        address: SocketAddr,
        path: &str,
        viewers: usize,
        seconds: f64,
        verify: bool,
        ring: &Path,
    ) -> Result<Client, String> {
        let words = [
            ROLE,
            &address.to_string(),
            path,
            &viewers.to_string(),
            &seconds.to_string(),
            &verify.to_string(),
            &ring.to_string_lossy(),
        ];
        Client::spawn(&words, &[])
    }

    /// Starts this program with the role and its words.
    pub fn spawn(words: &[&str], environment: &[(&str, &str)]) -> Result<Client, String> {
        let role = words[0].to_string();
        let fault = |error: std::io::Error| format!("cannot start `{role}`: {error}");
        let mut child = Command::new(std::env::current_exe().map_err(fault)?)
            .args(words)
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(fault)?;
        children::add(child.id());
        let (send, lines) = mpsc::channel();
        let stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let _ = send.send(line);
            }
        });
        Ok(Client { role, child, lines })
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for `begin` or `end`; `allowed` is beyond the client's own patience.
    pub fn wait_for(&self, word: &str, allowed: Duration) -> Result<(), String> {
        match self.lines.recv_timeout(PATIENCE + allowed) {
            Ok(line) if line == word => Ok(()),
            Ok(line) => Err(format!("`{}` said {line:?}, not {word}", self.role)),
            Err(_) => Err(format!("`{}` never said {word}", self.role)),
        }
    }

    /// The figures and the faults, after `end`.
    pub fn report(&self) -> Result<(Figures, Vec<String>), String> {
        let line = self.lines.recv_timeout(PATIENCE);
        let line = line.map_err(|_| format!("`{}` made no report", self.role))?;
        let report: Value = serde_json::from_str(&line).map_err(|error| error.to_string())?;
        let figures = report["figures"].as_object().into_iter().flatten();
        let faults = report["faults"].as_array().into_iter().flatten();
        Ok((
            figures
                .filter_map(|(name, value)| Some((name.clone(), value.as_f64()?)))
                .collect(),
            faults
                .filter_map(|fault| fault.as_str().map(String::from))
                .collect(),
        ))
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.child.kill();
        children::forget(self.child.id());
        let _ = self.child.wait();
    }
}

pub fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

pub fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

/// The value at `share` (0 to 1) of sorted values.
pub fn percentile<T>(sorted: &[T], share: f64) -> Option<&T> {
    let last = sorted.len().checked_sub(1)?;
    sorted.get((last as f64 * share).round() as usize)
}
