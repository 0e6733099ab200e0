//! Whatever some do to the server, the others notice nothing of it, and nothing of it stays.
//!
//! Each attack of `attackers` beside the bystanders, then all at once. A few seconds each;
//! `CAMFEED_HOSTILE_SECONDS=120 cargo test hostile:: -- --nocapture` is the long run, and prints
//! the table.

use crate::{
    attackers::{ATTACKS, Aim, Damage},
    bystanders::{Cost, Seen, alone, beside},
    camfeed::{Camfeed, SOON, eventually},
    http::{Parts, get},
    load::raise_file_limit,
    media,
};
use std::{
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

/// Nobody waits longer than this for a part or a snapshot.
const GAP: Duration = Duration::from_secs(1);

/// Or than this many times as long, where the machine is busy with other tests, the server is
/// not optimized, and a connection that the kernel had no room for is tried again after a second.
const BUSY_MACHINE: u32 = 3;

/// The server's memory grows by no more than this.
const GROWTH_BYTES: u64 = 64 << 20;

/// Threads and descriptors are as before within this.
const RECOVERY: Duration = Duration::from_secs(60);

/// Default of `--max-connections`.
const CONNECTIONS: usize = 512;

/// Descriptors of the bystanders, and of files and pipes that are open for a moment.
const FEW: usize = 32;

/// Time for each attack in the long run, if it is one.
fn long() -> Option<Duration> {
    let text = std::env::var("CAMFEED_HOSTILE_SECONDS").ok()?;
    let seconds = text.parse().expect("CAMFEED_HOSTILE_SECONDS is a number");
    Some(Duration::from_secs(seconds))
}

fn longest_gap() -> Duration {
    if cfg!(debug_assertions) && long().is_none() {
        GAP * BUSY_MACHINE
    } else {
        GAP
    }
}

/// A camfeed that shows 720p frames of 62 kB, 30 a second.
pub fn serve_film(args: &[&str]) -> Camfeed {
    let film = media::film().expect("ffmpeg (`make setup` brings it) makes a film");
    let film = film.to_str().expect("a plain path");
    let args = [&["--source", film], args].concat();
    // A line for each request is too much here.
    let camfeed = Camfeed::start_with("127.0.0.1:0", &args, &[("RUST_LOG", "info")]);
    camfeed.wait_log("camera online");
    camfeed
}

/// Its cost with nobody there, after it has served: what is made once is made.
pub fn settled(camfeed: &Camfeed) -> Cost {
    let mut parts = Parts::open(camfeed.address, "/stream");
    for _ in 0..3 {
        parts.next_part();
    }
    drop(parts);
    for path in ["/", "/snapshot", "/state"] {
        get(camfeed.address, path);
    }
    let mut last = (Cost::of(camfeed), Instant::now());
    let is_settled = eventually(SOON, || {
        let now = Cost::of(camfeed);
        if (now.threads, now.descriptors) != (last.0.threads, last.0.descriptors) {
            last = (now, Instant::now());
        }
        last.1.elapsed() >= Duration::from_secs(1)
    });
    assert!(is_settled, "its threads and descriptors never settle");
    Cost::of(camfeed)
}

/// Waits until its threads and descriptors are no more than `before`; how long that took.
pub fn recovery(camfeed: &Camfeed, before: Cost) -> Option<Duration> {
    let from = Instant::now();
    let is_back = || {
        let now = Cost::of(camfeed);
        now.threads <= before.threads && now.descriptors <= before.descriptors
    };
    eventually(RECOVERY, is_back).then(|| from.elapsed())
}

/// Runs `attack` beside the bystanders, prints its line of the table and judges; gives the
/// complaints, and the time after which nothing of it was left.
pub fn trial(
    camfeed: &Camfeed,
    before: Cost,
    name: &str,
    threads: usize,
    attack: impl FnOnce() -> Damage,
) -> (Vec<String>, Option<Duration>) {
    let (damage, seen) = beside(camfeed, attack);
    let recovered = recovery(camfeed, before);
    let after = Cost::of(camfeed);
    let Seen { most, .. } = seen;
    let growth = most.memory_bytes.saturating_sub(before.memory_bytes);
    let snapshots = seen.fresh.gap.max(seen.kept.gap);
    println!(
        "{name:32} | {:6.2} | {:6.2} | {:6.1} | {:4} {:4} {:4} | {:4} {:4} {:4} | {:>6} | {:6} {:8} {:?}",
        seen.stream.gap.as_secs_f64(),
        snapshots.as_secs_f64(),
        growth as f64 / f64::from(1 << 20),
        before.threads,
        most.threads,
        after.threads,
        before.descriptors,
        most.descriptors,
        after.descriptors,
        recovered.map_or("never".to_owned(), |time| format!(
            "{:.1}",
            time.as_secs_f64()
        )),
        damage.opened,
        damage.sent >> 10,
        damage.answers,
    );
    let mut complaints = seen.complaints(longest_gap());
    complaints.extend(damage.complaints);
    if growth > GROWTH_BYTES {
        complaints.push(format!("its memory grew by {growth} bytes"));
    }
    if most.threads > before.threads + threads {
        let of = before.threads;
        complaints.push(format!("{} threads, {of} before", most.threads));
    }
    if most.descriptors > before.descriptors + CONNECTIONS + FEW {
        let of = before.descriptors;
        complaints.push(format!("{} descriptors, {of} before", most.descriptors));
    }
    if recovered.is_none() {
        complaints.push(format!("still {after:?}, before {before:?}"));
    }
    if damage.opened == 0 {
        complaints.push("nothing was done".to_owned());
    }
    let complaints = complaints.into_iter();
    let complaints = complaints.map(|complaint| format!("{name}: {complaint}"));
    (complaints.collect(), recovered)
}

#[test]
fn nobody_notices_an_attack_on_the_others() {
    let _alone = alone();
    raise_file_limit();
    let short = (Duration::from_millis(1500), Duration::from_secs(8));
    let (time, time_together) = long().map_or(short, |time| (time, time));
    let mut camfeed = serve_film(&[]);
    let mut before = settled(&camfeed);
    println!(
        "attack                           | stream | snap s | MiB    | threads: before \
         most after | descriptors | back s | opened, KiB sent, answers"
    );
    let mut complaints = Vec::new();
    for attack in &ATTACKS {
        let run = || (attack.run)(Aim::new(camfeed.address, time));
        let (found, recovered) = trial(&camfeed, before, attack.name, attack.threads, run);
        if recovered.is_none() {
            // What it left behind is not to be held against the next.
            camfeed = serve_film(&[]);
            before = settled(&camfeed);
        }
        complaints.extend(found);
    }
    let aim = Aim::new(camfeed.address, time_together);
    let complaints_of_all = Mutex::new(Vec::new());
    let all = || {
        thread::scope(|scope| {
            for attack in &ATTACKS {
                let complaints = &complaints_of_all;
                scope.spawn(move || {
                    let damage = (attack.run)(aim);
                    // Each alone may be given up for another; what is answered must be right.
                    complaints.lock().unwrap().extend(damage.complaints);
                });
            }
        });
        Damage {
            opened: 1,
            ..Damage::default()
        }
    };
    let threads = ATTACKS.iter().map(|attack| attack.threads).sum();
    complaints.extend(trial(&camfeed, before, "all at once", threads, all).0);
    println!(
        "complaints of all at once: {:#?}",
        complaints_of_all.lock().unwrap()
    );
    // Its log, thousands of viewers that came and went, would stand between a reader and the complaints.
    drop(camfeed);
    assert!(complaints.is_empty(), "{complaints:#?}");
}
