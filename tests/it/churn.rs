//! Viewers that come and go a hundred times a second, at any point of the stream.
//!
//! `CAMFEED_CHURN_SECONDS=120 cargo test churn:: -- --nocapture` is the long run.

use crate::{
    attackers::{Aim, Damage, Dice, request, reset, side_by_side},
    bystanders::alone,
    hostile::{recovery, serve_film, settled, trial},
    http::{Parts, get, read_exactly, read_until, send},
};
use std::{
    io::{Read, Write},
    net::Shutdown,
    thread,
    time::{Duration, Instant},
};

/// Threads that come and go, and the time from one coming to the next of each.
const WORKERS: usize = 10;
const PERIOD: Duration = Duration::from_millis(100);

/// A viewer stays at most this long and takes at most this much: some frames.
const STAY_MILLIS: u64 = 90;
const BYTES: u64 = 250_000;

/// Nothing of them is left after this.
const AT_ONCE: Duration = Duration::from_secs(3);

/// A hundred viewers a second until the time is over.
pub fn come_and_go(aim: Aim) -> Damage {
    side_by_side(WORKERS, |worker| {
        let mut damage = Damage::default();
        let mut dice = Dice(0x9e37_79b9 + worker as u64);
        let mut next = Instant::now() + PERIOD * worker as u32 / WORKERS as u32;
        while !aim.is_over() {
            thread::sleep(next.saturating_duration_since(Instant::now()));
            next += PERIOD;
            visit(&aim, &mut dice, &mut damage);
        }
        damage
    })
}

/// One viewer, from coming to going.
fn visit(aim: &Aim, dice: &mut Dice, damage: &mut Damage) {
    let leave_at = Instant::now() + Duration::from_millis(dice.roll(STAY_MILLIS));
    // In one of four before or in its head.
    let most = if dice.roll(4) == 0 {
        dice.roll(400)
    } else {
        dice.roll(BYTES)
    };
    let Some(mut wire) = aim.open(damage) else {
        return;
    };
    let _ = wire.send(request("GET", "/stream").as_bytes());
    damage.sent += wire.sent;
    let mut stream = wire.stream;
    let mut taken = 0;
    let mut bytes = [0; 8 * 1024];
    while taken < most {
        let left = leave_at.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        let _ = stream.set_read_timeout(Some(left));
        let size = bytes.len().min((most - taken) as usize);
        match stream.read(&mut bytes[..size]) {
            Ok(0) => {
                damage.complain(format!("ended by the server after {taken} bytes"));
                break;
            }
            Ok(count) => {
                if taken == 0 && count >= 12 {
                    let code = String::from_utf8_lossy(&bytes[9..12]).parse();
                    damage.note_answer(code.unwrap_or(0));
                }
                taken += count as u64;
            }
            Err(_) => break,
        }
    }
    match dice.roll(3) {
        0 => reset(stream),
        1 => stream.shutdown(Shutdown::Write).unwrap_or_default(),
        _ => drop(stream),
    }
}

#[test]
fn viewers_that_come_and_go_leave_nothing_behind() {
    let _alone = alone();
    let time = match std::env::var("CAMFEED_CHURN_SECONDS") {
        Ok(text) => text.parse().expect("CAMFEED_CHURN_SECONDS is a number"),
        Err(_) => 5,
    };
    let time = Duration::from_secs(time);
    let camfeed = serve_film(&[]);
    let before = settled(&camfeed);
    let mut damage = Damage::default();
    let come = || {
        damage = come_and_go(Aim::new(camfeed.address, time));
        Damage {
            opened: damage.opened,
            answers: damage.answers.clone(),
            complaints: damage.complaints.clone(),
            ..Damage::default()
        }
    };
    let (complaints, recovered) = trial(&camfeed, before, "100 come and go a second", 50, come);
    assert!(complaints.is_empty(), "{complaints:#?}");
    assert!(
        recovered.is_some_and(|time| time <= AT_ONCE),
        "{recovered:?}"
    );
    // A machine that is busy may have made it fewer.
    let expected = 100 * time.as_secs();
    assert!(
        damage.opened >= expected / 2,
        "{} of {expected}",
        damage.opened
    );
    assert_eq!(damage.answers.keys().collect::<Vec<_>>(), [&200]);
}

/// A dashboard that loads its picture again and again, and an old client that keeps its connection.
#[test]
fn pictures_loaded_again_and_again_leave_nothing_behind() {
    let _alone = alone();
    let camfeed = serve_film(&[]);
    let before = settled(&camfeed);
    let old = "GET /snapshot.jpg HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
    let mut kept = send(camfeed.address, "");
    for _ in 0..50 {
        assert_eq!(get(camfeed.address, "/snapshot.jpg?nocache=1").status, 200);
        drop(Parts::open(camfeed.address, "/?action=stream&_=1"));
        kept.write_all(old.as_bytes()).expect("kept");
        let head = read_until(&mut kept, b"\r\n\r\n");
        let head = String::from_utf8_lossy(&head).into_owned();
        assert!(head.starts_with("HTTP/1.0 200 OK\r\n"), "{head}");
        let line = head
            .lines()
            .find_map(|line| line.strip_prefix("Content-Length: "));
        let length = line.and_then(|text| text.parse().ok()).expect("a length");
        read_exactly(&mut kept, length);
    }
    drop(kept);
    assert!(
        recovery(&camfeed, before).is_some(),
        "threads or descriptors are left"
    );
}
