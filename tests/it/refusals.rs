//! What is no request is refused, what is one is answered, and nobody takes longer over it than
//! they may.

use crate::{
    attackers::{
        PATIENCE, request, rows,
        wire::{Missing, Wire},
    },
    camfeed::{Camfeed, SMALL, SOON, eventually},
    http::get,
};
use std::{
    net::SocketAddr,
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

#[test]
fn what_is_no_request_is_refused_and_what_is_one_is_answered() {
    let camfeed = Camfeed::online(&["--source", SMALL]);
    assert!(eventually(SOON, || get(camfeed.address, "/healthz").status == 200));
    let rows = [rows::heads(), rows::bodies()].concat();
    let complaints = Mutex::new(Vec::new());
    let next = Mutex::new(rows.iter());
    let worker = || loop {
        let Some(row) = next.lock().unwrap().next() else {
            break;
        };
        if let Err(complaint) = row.check(camfeed.address) {
            complaints.lock().unwrap().push(complaint);
        }
    };
    // Some wait for ten seconds.
    thread::scope(|scope| {
        for _ in 0..60 {
            scope.spawn(worker);
        }
    });
    let complaints = complaints.into_inner().unwrap();
    let count = complaints.len();
    assert!(
        complaints.is_empty(),
        "{count} of {}: {complaints:#?}",
        rows.len()
    );
    assert_eq!(get(camfeed.address, "/snapshot").status, 200);
}

#[test]
fn a_body_is_never_taken_for_the_next_request() {
    let camfeed = Camfeed::online(&["--source", SMALL]);
    assert!(eventually(SOON, || get(camfeed.address, "/healthz").status == 200));
    let hidden = request("GET", "/snapshot");
    let length = hidden.len();
    for head in [
        format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n"),
        format!("GET /snapshot HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n"),
        format!("GET /none HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n"),
        format!("POST /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n"),
        format!(
            "POST /controls HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n\r\n"
        ),
        format!("POST /controls HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n"),
    ] {
        let mut wire = Wire::open(camfeed.address).unwrap();
        let _ = wire.send((head.clone() + &hidden + &request("GET", "/state")).as_bytes());
        let first = wire
            .answer_soon()
            .unwrap_or_else(|missing| panic!("{head}{missing:?}"));
        let said = first.head.clone();
        match wire.answer_soon() {
            Err(Missing::Closed) => (),
            Ok(second) => {
                let kind = second.header("Content-Type");
                assert_eq!(
                    kind,
                    Some("application/json"),
                    "{head}{said}\n{}",
                    second.head
                );
            }
            Err(missing) => panic!("{head}{said}: {missing:?}"),
        }
    }
}

/// When the server ended the connection that said `words`, slowly or at once.
fn end_of(address: SocketAddr, words: &str, drips: bool, most: Duration) -> Option<Duration> {
    let begun = Instant::now();
    let mut wire = Wire::open(address).expect("it listens");
    wire.send(words.as_bytes()).expect("sent");
    while begun.elapsed() < most {
        if wire.ends(Instant::now() + Duration::from_millis(250)) {
            return Some(begun.elapsed());
        }
        if drips {
            let _ = wire.send(b"x");
        }
    }
    None
}

#[test]
fn who_does_not_finish_a_request_is_let_go_in_time() {
    let camfeed = Camfeed::online(&["--source", SMALL]);
    let half = "GET /snapshot HTTP/1.1\r\nX-Slow: ";
    let body = "POST /controls HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
                Content-Length: 1000\r\n\r\n{";
    let kept = request("GET", "/healthz");
    let kept_and_half = kept.clone() + half;
    // What is said, whether more of it comes byte by byte, and when the end may come: never while
    // the slowest honest client might still be at it.
    let cases = [
        ("nothing", "", false, 5, 40),
        ("half a head", half, false, 5, 20),
        ("a head byte by byte", half, true, 5, 20),
        ("half a body", body, false, 0, 20),
        ("a body byte by byte", body, true, 0, 20),
        ("a kept connection", &kept, false, 20, 40),
        ("half a second head", &kept_and_half, false, 5, 20),
        ("a second head byte by byte", &kept_and_half, true, 5, 20),
    ];
    let address = camfeed.address;
    let complaints: Vec<_> = thread::scope(|scope| {
        let runs = cases.map(|(name, words, drips, from, to)| {
            scope.spawn(move || {
                let (from, to) = (Duration::from_secs(from), Duration::from_secs(to));
                let end = end_of(address, words, drips, to + PATIENCE);
                println!("{name}: ended after {end:?}");
                let is_right = end.is_some_and(|end| end >= from && end <= to);
                (!is_right).then(|| format!("{name}: ended after {end:?}"))
            })
        });
        let ends = runs.into_iter().filter_map(|run| run.join().unwrap());
        ends.collect()
    });
    assert!(complaints.is_empty(), "{complaints:#?}");
}
