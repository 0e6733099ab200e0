//! Whoever takes no byte any more is let go, and leaves nothing behind.
//!
//! With a time-out of two seconds; `CAMFEED_SLOW_SECONDS=60` takes camfeed's own.

use crate::{
    attackers::{Aim, connect, connect_narrow, request, wire},
    bystanders::Cost,
    camfeed::{Camfeed, SOON, eventually},
    hostile::{recovery, serve_film, settled},
    slow::long,
    status::state,
};
use std::{
    io::{Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

/// Evictions `/state` has counted.
pub fn evicted(camfeed: &Camfeed) -> u64 {
    let state = state(camfeed.address);
    let places = ["/stream/evicted", "/connections/evicted"];
    let count = places
        .iter()
        .find_map(|place| state.pointer(place)?.as_u64());
    count.unwrap_or_else(|| panic!("no evictions in {state:#}"))
}

/// Waits until the server has ended it, reading what had been on its way.
fn is_ended(stream: &mut TcpStream) -> bool {
    let mut bytes = vec![0; 64 * 1024];
    loop {
        match stream.read(&mut bytes) {
            Ok(0) => return true,
            Ok(_) => (),
            Err(error) => return !wire::is_late(&error),
        }
    }
}

#[test]
fn fifty_viewers_that_stop_reading_are_let_go_and_leave_nothing_behind() {
    // Of the default of 10 s they are gone after 15.
    let (args, limit): (&[&str], _) = match long() {
        Some(_) => (&[], 15),
        None => (&["--client-timeout", "2"], 7),
    };
    let limit = Duration::from_secs(limit);
    let camfeed = serve_film(args);
    let before = settled(&camfeed);
    let mut stalled: Vec<_> = (0..50)
        .map(|number| {
            let stream = match number % 2 {
                0 => connect(camfeed.address),
                _ => connect_narrow(camfeed.address, 4 * 1024),
            };
            let mut stream = stream.expect("it listens");
            let words = request("GET", "/stream");
            stream.write_all(words.as_bytes()).expect("sent");
            stream.read_exact(&mut [0; 12]).expect("an answer");
            stream
        })
        .collect();
    let stopped = Instant::now();
    let are_gone = eventually(SOON, || evicted(&camfeed) == 50);
    let took = stopped.elapsed();
    println!("50 stalled viewers: gone after {took:?}");
    assert!(are_gone && took <= limit, "{took:?}");
    let recovered = recovery(&camfeed, before);
    assert!(recovered.is_some_and(|time| time <= limit), "{recovered:?}");
    let growth = Cost::of(&camfeed)
        .memory_bytes
        .saturating_sub(before.memory_bytes);
    assert!(growth < 8 << 20, "{growth} bytes more");
    assert!(stalled.iter_mut().all(is_ended), "their sockets are closed");
}

#[test]
fn an_answer_that_nobody_takes_is_given_up_and_leaves_nothing_behind() {
    let camfeed = serve_film(&["--client-timeout", "2"]);
    let before = settled(&camfeed);
    let words = request("GET", "/snapshot").repeat(100);
    let aim = Aim::new(camfeed.address, SOON);
    let mut unread: Vec<_> = (0..20)
        .map(|_| {
            let mut stream = connect_narrow(aim.address, 4 * 1024).expect("it listens");
            stream.write_all(words.as_bytes()).expect("sent");
            stream
        })
        .collect();
    assert!(
        eventually(SOON, || camfeed.descriptors() >= before.descriptors + 20),
        "they are being answered"
    );
    let asked = Instant::now();
    let recovered = recovery(&camfeed, before);
    println!(
        "20 answers never taken: given up after {:?}",
        asked.elapsed()
    );
    assert!(
        recovered.is_some_and(|time| time < Duration::from_secs(7)),
        "{recovered:?}"
    );
    assert!(unread.iter_mut().all(is_ended), "their sockets are closed");
}
