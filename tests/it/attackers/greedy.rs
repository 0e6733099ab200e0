//! Whole requests, far too many of them, and answers that nobody reads.

use super::{
    Aim, Damage, PATIENCE, connect, connect_narrow, request, side_by_side, wire::Missing,
    wire::Wire,
};
use std::{
    io::Read,
    thread,
    time::{Duration, Instant},
};

/// Requests sent in one go.
const DEEP: usize = 1_000;

/// Connections of each kind of pipeline.
const PIPELINES: usize = 4;
const UNREAD_PIPELINES: usize = 20;
const UNREAD: usize = 200;

/// A receive buffer that holds no snapshot.
const NARROW: usize = 4 * 1024;

/// What is asked for in turn, and what answers it.
const IN_TURN: [(&str, &str); 3] = [
    ("/snapshot", "image/jpeg"),
    ("/state", "application/json"),
    ("/healthz", "text/plain; charset=utf-8"),
];

/// A thousand requests before the first answer is read: answered in order, or only some of them and
/// then no more.
pub fn pipelines(aim: Aim) -> Damage {
    let words: String = (0..DEEP)
        .map(|number| request("GET", IN_TURN[number % IN_TURN.len()].0))
        .collect();
    side_by_side(PIPELINES, |_| {
        let mut damage = Damage::default();
        while !aim.is_over() {
            let Some(mut wire) = aim.open(&mut damage) else {
                continue;
            };
            // An end after the first answers may come before all is sent.
            let _ = wire.send(words.as_bytes());
            damage.sent += wire.sent;
            in_order(&mut wire, &aim, &mut damage);
        }
        damage
    })
}

fn in_order(wire: &mut Wire, aim: &Aim, damage: &mut Damage) {
    for number in 0..DEEP {
        let (path, kind) = IN_TURN[number % IN_TURN.len()];
        match wire.answer(false, aim.until.min(Instant::now() + PATIENCE)) {
            Ok(answer) => {
                damage.note_answer(answer.status);
                if answer.status != 200 || answer.header("Content-Type") != Some(kind) {
                    let head = answer.head;
                    return damage.complain(format!("answer {number}, of {path}: {head}"));
                }
            }
            Err(_) if aim.is_over() => return,
            Err(Missing::Closed) if number > 0 => return damage.ended += 1,
            Err(missing) => {
                return damage.complain(format!("answer {number}, of {path}: {missing:?}"));
            }
        }
    }
}

/// A stream is asked for, and 999 other things behind it: only the stream comes.
pub fn after_a_stream(aim: Aim) -> Damage {
    let words = request("GET", "/stream") + &request("GET", "/snapshot").repeat(DEEP - 1);
    side_by_side(PIPELINES, |_| {
        let mut damage = Damage::default();
        while !aim.is_over() {
            let Some(mut wire) = aim.open(&mut damage) else {
                continue;
            };
            let _ = wire.send(words.as_bytes());
            damage.sent += wire.sent;
            match wire.answer(false, aim.until.min(Instant::now() + PATIENCE)) {
                Ok(answer) => damage.note_answer(answer.status),
                Err(_) if aim.is_over() => (),
                Err(missing) => damage.complain(format!("no stream: {missing:?}")),
            }
            let deadline = Instant::now() + Duration::from_millis(500);
            damage.ended += u64::from(wire.ends(deadline.min(aim.until)));
        }
        damage
    })
}

/// A thousand snapshots asked for in one go, and none read.
pub fn unread_pipelines(aim: Aim) -> Damage {
    let words = request("GET", "/snapshot").repeat(DEEP);
    unread(aim, UNREAD_PIPELINES, words.as_bytes())
}

/// A snapshot each, and none read.
pub fn unread_snapshots(aim: Aim) -> Damage {
    unread(aim, UNREAD, request("GET", "/snapshot").as_bytes())
}

/// A stream each, more than there are places, and none read.
pub fn unread_streams(aim: Aim) -> Damage {
    unread(aim, UNREAD, request("GET", "/stream").as_bytes())
}

/// `count` connections that ask, and then hold still until the time is over.
fn unread(aim: Aim, count: usize, words: &[u8]) -> Damage {
    let mut damage = Damage::default();
    let mut members = Vec::with_capacity(count);
    for number in 0..count {
        // Each second one as every client is.
        let stream = if number % 2 == 0 {
            connect_narrow(aim.address, NARROW)
        } else {
            connect(aim.address)
        };
        let Some(mut wire) = aim.count(&mut damage, stream) else {
            continue;
        };
        let _ = wire.stream.set_write_timeout(Some(aim.left(PATIENCE)));
        let _ = wire.send(words);
        damage.sent += wire.sent;
        members.push(wire.stream);
    }
    thread::sleep(aim.until.saturating_duration_since(Instant::now()));
    // Only now, when it helps nobody any more, the first bytes: they tell what was answered.
    for mut stream in members {
        let _ = stream.set_nonblocking(true);
        let mut bytes = [0; 12];
        if stream.read_exact(&mut bytes).is_ok() {
            let code = String::from_utf8_lossy(&bytes[9..]).parse().unwrap_or(0);
            damage.note_answer(code);
        }
    }
    damage
}

/// Kept connections that ask again as soon as they are answered.
pub fn insatiable(aim: Aim) -> Damage {
    side_by_side(PIPELINES, |number| {
        let mut damage = Damage::default();
        while !aim.is_over() {
            let Some(mut wire) = aim.open(&mut damage) else {
                continue;
            };
            one_after_the_other(&mut wire, number, &aim, &mut damage);
        }
        damage
    })
}

fn one_after_the_other(wire: &mut Wire, number: usize, aim: &Aim, damage: &mut Damage) {
    let (path, _) = IN_TURN[number % IN_TURN.len()];
    let words = request("GET", path);
    while !aim.is_over() {
        if wire.send(words.as_bytes()).is_err() {
            return damage.ended += 1;
        }
        damage.sent += words.len() as u64;
        match wire.answer(false, aim.until.min(Instant::now() + PATIENCE)) {
            Ok(answer) => {
                damage.note_answer(answer.status);
                if answer.status != 200 {
                    damage.complain(format!("{path}: {}", answer.head));
                }
            }
            Err(_) if aim.is_over() => return,
            // A kept connection may end between two requests.
            Err(Missing::Closed) => return damage.ended += 1,
            Err(missing) => return damage.complain(format!("{path}: {missing:?}")),
        }
    }
}

/// A new connection for each request, closed without reading the answer to its end.
pub fn hasty(aim: Aim) -> Damage {
    side_by_side(PIPELINES, |number| {
        let mut damage = Damage::default();
        let words = request("GET", IN_TURN[number % IN_TURN.len()].0);
        while !aim.is_over() {
            let Some(mut wire) = aim.open(&mut damage) else {
                continue;
            };
            let _ = wire.send(words.as_bytes());
            damage.sent += wire.sent;
            let timeout = Some(Duration::from_millis(20));
            let _ = wire.stream.set_read_timeout(timeout);
            let _ = wire.stream.read(&mut [0; 1]);
        }
        damage
    })
}
