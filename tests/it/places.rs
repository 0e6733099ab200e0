//! The caps on connections: who makes room for whom, and who is answered when all places are taken.

use crate::{
    attackers::{
        connect, request, reset,
        wire::{Missing, Wire},
    },
    camfeed::{Camfeed, SMALL, SOON, eventually},
    http::get,
    limits::ask_streams,
    load::raise_file_limit,
    status::state,
};
use socket2::{Domain, Socket, Type};
use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

#[test]
fn with_every_place_taken_state_and_snapshots_are_answered() {
    let camfeed = Camfeed::online(&["--source", SMALL, "--max-connections", "40"]);
    let streams = ask_streams(camfeed.address, 60);
    assert!((10..40).contains(&streams.len()), "{}", streams.len());
    let silent: Vec<_> = (0..100)
        .filter_map(|_| connect(camfeed.address).ok())
        .collect();
    assert_eq!(silent.len(), 100);
    for path in ["/snapshot", "/state", "/healthz"] {
        for _ in 0..10 {
            assert_eq!(get(camfeed.address, path).status, 200, "{path}");
        }
    }
    let connections = &state(camfeed.address)["connections"];
    assert_eq!(connections["max"], 40, "{connections}");
    assert!(
        connections["open"].as_u64().is_some_and(|open| open <= 40),
        "{connections}"
    );
}

#[test]
fn the_oldest_silent_connection_makes_room_for_a_new_one() {
    let camfeed = Camfeed::online(&["--source", SMALL, "--max-connections", "20"]);
    let mut silent: Vec<_> = (0..50)
        .map(|_| Wire::open(camfeed.address).expect("it listens"))
        .collect();
    assert_eq!(get(camfeed.address, "/state").status, 200);
    let soon = Instant::now() + Duration::from_secs(2);
    for (number, wire) in silent[..30].iter_mut().enumerate() {
        assert!(wire.ends(soon), "{number} is still there");
    }
    // The last ones can still ask.
    for wire in &mut silent[40..] {
        wire.send(request("GET", "/healthz").as_bytes())
            .expect("sent");
        let answer = wire.answer_soon();
        assert!(answer.is_ok(), "{answer:?}");
    }
}

#[test]
fn as_many_connections_as_allowed_are_held() {
    let camfeed = Camfeed::online(&["--source", SMALL, "--max-connections", "12"]);
    let mut silent: Vec<_> = (0..12)
        .map(|_| Wire::open(camfeed.address).expect("it listens"))
        .collect();
    // None of them was given up for a thirteenth that is not there.
    for (number, wire) in silent.iter_mut().enumerate() {
        let _ = wire.send(request("GET", "/healthz").as_bytes());
        let answer = wire.answer_soon();
        assert!(answer.is_ok(), "{number}: {answer:?}");
    }
}

#[test]
fn those_who_wait_for_a_picture_leave_places_for_others() {
    raise_file_limit();
    // A snapshot is waited for while there is no picture, for three seconds.
    let camfeed = Camfeed::start(&["--source", "/none/such.avi"]);
    camfeed.wait_log("cannot open");
    let words = request("GET", "/snapshot");
    let mut waiting = Vec::new();
    for number in 0..600 {
        let mut wire = Wire::open(camfeed.address).expect("it listens");
        let _ = wire.send(words.as_bytes());
        if number % 2 == 0 {
            reset(wire.stream);
        } else {
            waiting.push(wire);
        }
        if number % 50 == 0 {
            let asked = Instant::now();
            assert_eq!(get(camfeed.address, "/state").status, 200);
            let took = asked.elapsed();
            assert!(took < Duration::from_secs(2), "{number}: {took:?}");
        }
    }
    for wire in &mut waiting {
        assert_eq!(wire.answer_soon().map(|answer| answer.status), Ok(503));
    }
    camfeed.wait_log("wait for a picture (--max-connections)");
}

/// A connection that comes from `from`.
fn connect_from(from: [u8; 4], address: SocketAddr) -> Wire {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket
        .bind(&SocketAddr::from((from, 0)).into())
        .expect("loopback");
    socket.connect(&address.into()).expect("it listens");
    Wire::of(socket.into())
}

#[test]
fn one_address_gets_as_many_connections_as_it_may_have() {
    let camfeed = Camfeed::online(&["--source", SMALL, "--max-per-address", "5"]);
    let here = [127, 0, 0, 2];
    let mut streams: Vec<_> = (0..5)
        .map(|_| connect_from(here, camfeed.address))
        .collect();
    for wire in &mut streams {
        wire.send(request("GET", "/stream").as_bytes())
            .expect("sent");
        assert_eq!(wire.answer_soon().map(|answer| answer.status), Ok(200));
    }
    for _ in 0..3 {
        let mut wire = connect_from(here, camfeed.address);
        let _ = wire.send(request("GET", "/state").as_bytes());
        let refused = wire.answer_soon().map(|answer| answer.status);
        assert!(
            matches!(refused, Ok(503 | 429) | Err(Missing::Closed)),
            "{refused:?}"
        );
        assert_eq!(
            get(camfeed.address, "/state").status,
            200,
            "others are answered"
        );
    }
    let said = camfeed.wait_log("(--max-per-address)");
    assert!(said.contains(" peer=127.0.0.2:"), "{said}");
    assert_eq!(camfeed.count_log("(--max-per-address)"), 1);
    drop(streams);
    let is_let_in = eventually(SOON, || {
        let mut wire = connect_from(here, camfeed.address);
        let _ = wire.send(request("GET", "/state").as_bytes());
        wire.answer_soon().is_ok_and(|answer| answer.status == 200)
    });
    assert!(is_let_in, "again, when the others have left");
}
