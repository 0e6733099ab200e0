//! Whoever does nothing wrong while others attack: one who watches, one who takes snapshots over a
//! new connection each, one over a kept one. And what the server costs meanwhile.

use crate::{
    attackers::{
        PATIENCE, request,
        wire::{Missing, Wire},
    },
    camfeed::Camfeed,
    load::parse::Parser,
};
use std::{
    io::Read,
    net::SocketAddr,
    sync::{
        Arc, Barrier, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// Between two snapshots, and two looks at the server's cost.
const PAUSE: Duration = Duration::from_millis(50);

/// Sleep of the clock by which a machine too busy to run anybody is told from a server that waits.
const TICK: Duration = Duration::from_millis(10);

/// Holds the machine for one of the tests that load it or measure time: they would disturb each
/// other.
pub fn alone() -> MutexGuard<'static, ()> {
    static MACHINE: Mutex<()> = Mutex::new(());
    // Who failed before has let go of it all the same.
    MACHINE
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// What one of them got.
#[derive(Debug, Default)]
pub struct Sight {
    /// The longest time between two parts or snapshots.
    pub gap: Duration,
    pub count: u64,
    pub failures: Vec<String>,
    last: Option<Instant>,
}

impl Sight {
    fn note(&mut self, now: Instant) {
        let since = self.last.replace(now).map(|last| now - last);
        self.gap = self.gap.max(since.unwrap_or_default());
        self.count += 1;
    }

    fn fail(&mut self, how: String) {
        if self.failures.len() < 5 {
            self.failures.push(how);
        }
    }

    /// Counts the time since the last one as well.
    fn end(mut self) -> Sight {
        if self.last.is_some() {
            self.note(Instant::now());
            self.count -= 1;
        }
        self
    }
}

/// The most a server cost.
#[derive(Debug, Default, Clone, Copy)]
pub struct Cost {
    pub memory_bytes: u64,
    pub threads: usize,
    pub descriptors: usize,
}

impl Cost {
    /// Now.
    pub fn of(camfeed: &Camfeed) -> Cost {
        Cost {
            memory_bytes: camfeed.memory_bytes(),
            threads: camfeed.threads(),
            descriptors: camfeed.descriptors(),
        }
    }

    fn or_more(&mut self, other: Cost) {
        self.memory_bytes = self.memory_bytes.max(other.memory_bytes);
        self.threads = self.threads.max(other.threads);
        self.descriptors = self.descriptors.max(other.descriptors);
    }
}

/// Everything seen.
#[derive(Debug)]
pub struct Seen {
    pub stream: Sight,
    /// Snapshots over a new connection each.
    pub fresh: Sight,
    /// Snapshots over a kept connection; when it was given up between two of them, over the next.
    pub kept: Sight,
    pub most: Cost,
    /// By how much the machine overslept a sleep at most.
    pub overslept: Duration,
}

impl Seen {
    /// Complaints: a failure, or `limit` without a part or a snapshot.
    pub fn complaints(&self, limit: Duration) -> Vec<String> {
        let limit = limit + self.overslept;
        let mut complaints = Vec::new();
        for (who, sight) in [
            ("the viewer", &self.stream),
            ("snapshots", &self.fresh),
            ("snapshots of a kept connection", &self.kept),
        ] {
            if sight.gap > limit || sight.count == 0 {
                let Sight { gap, count, .. } = sight;
                complaints.push(format!("{who}: {gap:?} without one (of {count})"));
            }
            for failure in &sight.failures {
                complaints.push(format!("{who}: {failure}"));
            }
        }
        complaints
    }
}

/// Runs `attack` beside the bystanders, all of whom have begun.
pub fn beside<T>(camfeed: &Camfeed, attack: impl FnOnce() -> T) -> (T, Seen) {
    let is_over = Arc::new(AtomicBool::new(false));
    let begun = Arc::new(Barrier::new(4));
    let start = |run: fn(SocketAddr, &AtomicBool, &Barrier) -> Sight| -> JoinHandle<Sight> {
        let (address, is_over, begun) = (camfeed.address, Arc::clone(&is_over), Arc::clone(&begun));
        thread::spawn(move || run(address, &is_over, &begun))
    };
    let stream = start(view);
    let fresh = start(|address, is_over, begun| snap(address, is_over, begun, false));
    let kept = start(|address, is_over, begun| snap(address, is_over, begun, true));
    begun.wait();
    thread::scope(|scope| {
        let meter = scope.spawn(|| measure(camfeed, &is_over));
        let ticker = scope.spawn(|| tick(&is_over));
        let done = attack();
        is_over.store(true, Ordering::Relaxed);
        let join = |thread: JoinHandle<Sight>| thread.join().expect("a bystander does not panic");
        let seen = Seen {
            stream: join(stream),
            fresh: join(fresh),
            kept: join(kept),
            most: meter.join().expect("the meter does not panic"),
            overslept: ticker.join().expect("the clock does not panic"),
        };
        (done, seen)
    })
}

/// Watches the stream.
fn view(address: SocketAddr, is_over: &AtomicBool, begun: &Barrier) -> Sight {
    let mut sight = Sight::default();
    let mut has_begun = false;
    let mut parser = Parser::new(false);
    let mut bytes = vec![0; 64 * 1024];
    let mut wire = match Wire::open(address) {
        Ok(wire) => wire,
        Err(error) => {
            begun.wait();
            sight.fail(error.to_string());
            return sight;
        }
    };
    let outcome = wire
        .send(request("GET", "/stream").as_bytes())
        .map_err(|error| error.to_string())
        .and_then(|()| {
            loop {
                if has_begun && is_over.load(Ordering::Relaxed) {
                    break Ok(());
                }
                match wire.stream.read(&mut bytes) {
                    Ok(0) => break Err("closed by the server".to_owned()),
                    Err(error) => break Err(error.to_string()),
                    Ok(count) => {
                        let fed = parser.feed(&bytes[..count], |_| sight.note(Instant::now()));
                        if fed.is_err() {
                            break fed;
                        }
                    }
                }
                if sight.count > 0 && !has_begun {
                    has_begun = true;
                    begun.wait();
                }
            }
        });
    if !has_begun {
        begun.wait();
    }
    if let Err(error) = outcome {
        sight.fail(format!("lost: {error}"));
    }
    sight.end()
}

/// Takes snapshots.
fn snap(address: SocketAddr, is_over: &AtomicBool, begun: &Barrier, keeps: bool) -> Sight {
    let mut sight = Sight::default();
    let mut kept = None;
    let mut has_begun = false;
    while !(has_begun && is_over.load(Ordering::Relaxed)) {
        match one_snapshot(address, &mut kept, keeps) {
            Ok(()) => sight.note(Instant::now()),
            Err(failure) => sight.fail(failure),
        }
        if !has_begun {
            has_begun = true;
            begun.wait();
        }
        thread::sleep(PAUSE);
    }
    sight.end()
}

fn one_snapshot(address: SocketAddr, kept: &mut Option<Wire>, keeps: bool) -> Result<(), String> {
    let asked = Instant::now();
    let words = request("GET", "/snapshot");
    let mut used = kept.take();
    loop {
        let is_used = used.is_some();
        let mut wire = match used.take() {
            Some(wire) => wire,
            None => Wire::open(address).map_err(|error| format!("cannot connect: {error}"))?,
        };
        let answer = match wire.send(words.as_bytes()) {
            Ok(()) => wire.answer(false, asked + PATIENCE),
            Err(_) => Err(Missing::Closed),
        };
        match answer {
            // A kept connection may end between two requests; every client asks again then.
            Err(Missing::Closed) if is_used => continue,
            Err(missing) => return Err(format!("{missing:?} after {:?}", asked.elapsed())),
            Ok(answer) if answer.status != 200 => {
                return Err(format!("{} {}", answer.head, answer.text()));
            }
            Ok(answer) if !answer.body.ends_with(&[0xff, 0xd9]) => {
                return Err(format!("no JPEG: {}", answer.head));
            }
            Ok(_) => {
                *kept = keeps.then_some(wire);
                return Ok(());
            }
        }
    }
}

fn measure(camfeed: &Camfeed, is_over: &AtomicBool) -> Cost {
    let mut most = Cost::of(camfeed);
    while !is_over.load(Ordering::Relaxed) {
        thread::sleep(PAUSE);
        most.or_more(Cost::of(camfeed));
    }
    most
}

fn tick(is_over: &AtomicBool) -> Duration {
    let mut most = Duration::ZERO;
    while !is_over.load(Ordering::Relaxed) {
        let before = Instant::now();
        thread::sleep(TICK);
        most = most.max(before.elapsed().saturating_sub(TICK));
    }
    most
}
