//! The soak: everybody at once, and a camera that fails in every way, for as long as one likes.
//!
//! Ten seconds here; `CAMFEED_SOAK_MINUTES=60 cargo test soak:: -- --nocapture` is the long run,
//! and prints a line a minute.

use crate::{
    attackers::{ATTACKS, Aim, PATIENCE, request, wire::Wire},
    bystanders::{Cost, alone},
    camfeed::{Camfeed, SOON, eventually},
    churn::come_and_go,
    fakecam::{FakeCamera, wait_state},
    hostile::{recovery, settled},
    load::{parse::Parser, raise_file_limit},
};
use std::{
    io::Read,
    net::SocketAddr,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// Control files of the camera, each followed by a time in which it is well.
const FAULTS: [&str; 12] = [
    "plugged no",
    "node 3",
    "fault hang",
    "busy open",
    "fault eio",
    "forbidden yes",
    "fault truncated",
    "fault garbage\nfault_every 3",
    "fault empty",
    "fault freeze",
    "fault nodht",
    "fault slow\nslow_ms 1500",
];

/// Memory at the end against the first line: what leaks grows.
const GROWTH_BYTES: u64 = 32 << 20;

/// A silence longer than this ends the patience of most viewers.
const GAP: Duration = Duration::from_secs(3);

/// What all viewers together have seen since the last line.
#[derive(Default)]
struct Ledger {
    parts: AtomicU64,
    snapshots: AtomicU64,
    refused: AtomicU64,
    faults: Mutex<Vec<String>>,
}

/// Watches until the time is over; must never be lost.
fn watch(aim: Aim, ledger: &Ledger) {
    let fail = |how: String| ledger.faults.lock().unwrap().push(how);
    let mut wire = match Wire::open(aim.address) {
        Ok(wire) => wire,
        Err(error) => return fail(error.to_string()),
    };
    if let Err(error) = wire.send(request("GET", "/stream").as_bytes()) {
        return fail(error.to_string());
    }
    let mut parser = Parser::new(false);
    let mut bytes = vec![0; 64 * 1024];
    let mut last = Instant::now();
    while !aim.is_over() {
        let fed = match wire.stream.read(&mut bytes) {
            Ok(0) => Err("closed by the server".to_owned()),
            Ok(count) => parser.feed(&bytes[..count], |_| {
                ledger.parts.fetch_add(1, Ordering::Relaxed);
                last = Instant::now();
            }),
            Err(error) => Err(error.to_string()),
        };
        if let Err(how) = fed {
            return fail(how);
        }
        if last.elapsed() > GAP {
            fail(format!("{:?} without a part", last.elapsed()));
            last = Instant::now();
        }
    }
}

/// Takes snapshots until the time is over; each is answered, with a picture or the reason.
fn snap(aim: Aim, ledger: &Ledger) {
    while !aim.is_over() {
        let asked = Instant::now();
        let answer = one_snapshot(aim.address);
        match answer {
            Ok(200) => ledger.snapshots.fetch_add(1, Ordering::Relaxed),
            Ok(503) => ledger.refused.fetch_add(1, Ordering::Relaxed),
            other => {
                let line = format!("snapshot: {other:?} after {:?}", asked.elapsed());
                ledger.faults.lock().unwrap().push(line);
                0
            }
        };
        thread::sleep(Duration::from_millis(100));
    }
}

fn one_snapshot(address: SocketAddr) -> Result<u16, String> {
    let mut wire = Wire::open(address).map_err(|error| error.to_string())?;
    let sent = wire.send(request("GET", "/snapshot").as_bytes());
    sent.map_err(|error| error.to_string())?;
    match wire.answer(false, Instant::now() + PATIENCE) {
        Ok(answer) => Ok(answer.status),
        Err(missing) => Err(format!("{missing:?}")),
    }
}

/// One attack after the other, with a pause after each.
fn attack(aim: Aim, time: Duration) {
    for attack in ATTACKS.iter().cycle() {
        if aim.is_over() {
            return;
        }
        (attack.run)(Aim {
            address: aim.address,
            until: aim.until.min(Instant::now() + time),
        });
        thread::sleep(time.min(aim.until.saturating_duration_since(Instant::now())));
    }
}

/// The camera fails in every way, and is well again after each, until the time is over.
fn fail_in_turn(camera: &FakeCamera, aim: Aim, time: Duration) {
    for fault in FAULTS.iter().cycle() {
        for control in [fault, ""] {
            if aim.is_over() {
                return camera.set("");
            }
            camera.set(control);
            thread::sleep(time.min(aim.until.saturating_duration_since(Instant::now())));
        }
    }
}

fn print_line(camfeed: &Camfeed, begun: Instant, ledger: &Ledger) -> Cost {
    let cost = Cost::of(camfeed);
    let take = |count: &AtomicU64| count.swap(0, Ordering::Relaxed);
    println!(
        "{:7.1} | {:6.1} | {:7} | {:11} | {:7} | {:5} | {:3} | {}",
        begun.elapsed().as_secs_f64(),
        cost.memory_bytes as f64 / f64::from(1 << 20),
        cost.threads,
        cost.descriptors,
        take(&ledger.parts),
        take(&ledger.snapshots),
        take(&ledger.refused),
        ledger.faults.lock().unwrap().len(),
    );
    cost
}

#[test]
fn hours_of_everything_leave_nothing_behind() {
    let _alone = alone();
    let minutes: Option<u64> = std::env::var("CAMFEED_SOAK_MINUTES")
        .ok()
        .map(|text| text.parse().expect("CAMFEED_SOAK_MINUTES is a number"));
    let (time, line, turn) = match minutes {
        Some(minutes) => (minutes * 60, 60, 15),
        None => (10, 2, 1),
    };
    let [time, line, turn] = [time, line, turn].map(Duration::from_secs);
    raise_file_limit();
    let camera = FakeCamera::new("");
    let camfeed = camera.online(&[
        "--source",
        "/dev/video0",
        "--size",
        "640x480",
        "--camera-timeout",
        "2",
    ]);
    let before = settled(&camfeed);
    let ledger = Ledger::default();
    let aim = Aim::new(camfeed.address, time);
    println!("seconds | MiB    | threads | descriptors | parts   | snaps | 503 | faults");
    let first = thread::scope(|scope| {
        for _ in 0..5 {
            scope.spawn(|| watch(aim, &ledger));
            scope.spawn(|| snap(aim, &ledger));
        }
        scope.spawn(|| come_and_go(aim));
        scope.spawn(|| attack(aim, turn * 2));
        scope.spawn(|| fail_in_turn(&camera, aim, turn));
        let begun = Instant::now();
        let mut first = None;
        while !aim.is_over() {
            thread::sleep(line.min(aim.until.saturating_duration_since(Instant::now())));
            let cost = print_line(&camfeed, begun, &ledger);
            first = first.or(Some(cost));
        }
        first.expect("a line")
    });
    // Cleared, it comes back.
    wait_state(&camfeed, "online");
    let recovered = recovery(&camfeed, before);
    let after = Cost::of(&camfeed);
    println!("back after {recovered:?}: {before:?} {after:?}");
    let faults = ledger.faults.into_inner().unwrap();
    assert!(
        faults.is_empty(),
        "{} faults: {:#?}",
        faults.len(),
        &faults[..faults.len().min(10)]
    );
    assert!(recovered.is_some(), "{before:?} became {after:?}");
    let growth = after.memory_bytes.saturating_sub(first.memory_bytes);
    assert!(growth < GROWTH_BYTES, "{growth} bytes more than at first");
    assert!(eventually(SOON, || one_snapshot(camfeed.address) == Ok(200)));
}
