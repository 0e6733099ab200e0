//! Parts that fail and heal by themselves, with a viewer beside them who must not notice.

use crate::{
    camfeed::{Camfeed, SMALL, SOON, eventually},
    http::{Parts, get, send},
};
use rustix::process::{Resource, Rlimit, prlimit};
use std::{
    io::Read,
    net::SocketAddr,
    time::{Duration, Instant},
};

/// Within so long the server serves again.
const HEALED: Duration = Duration::from_secs(10);

fn with_fault(fault: &str) -> Camfeed {
    let args = ["--source", SMALL];
    let camfeed = Camfeed::start_with("127.0.0.1:0", &args, &[("CAMFEED_FAULT", fault)]);
    camfeed.wait_log("camera online");
    camfeed
}

/// Asks for the fault; it costs this one request its answer, or not.
fn cause(address: SocketAddr) {
    let request = format!("GET /fault HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    let _ = send(address, &request).read(&mut [0]);
}

/// The viewer sees frames without a gap, in order, for a while after `fault`; others are served.
fn heals(fault: &str, words: &str) {
    let camfeed = with_fault(fault);
    let mut viewer = Parts::open(camfeed.address, "/stream");
    let mut sequence = viewer.next_part().sequence;
    cause(camfeed.address);
    camfeed.wait_log(words);
    let mut last = Instant::now();
    for _ in 0..15 {
        let part = viewer.next_part();
        assert!(part.sequence > sequence);
        assert!(last.elapsed() < Duration::from_secs(1), "a gap");
        (sequence, last) = (part.sequence, Instant::now());
    }
    assert!(eventually(HEALED, || get(camfeed.address, "/healthz")
        .status
        == 200));
    assert_eq!(get(camfeed.address, "/fault").status, 404, "it came once");
}

#[test]
fn an_accept_loop_that_panics_is_begun_again() {
    heals("accept", "accepting failed and is begun again");
}

#[test]
fn a_client_that_panics_ends_its_own_answer_only() {
    heals("client", "a fault on purpose");
}

#[test]
fn descriptors_that_run_out_cost_nobody_who_is_there_anything() {
    let camfeed = Camfeed::online(&["--source", SMALL]);
    let mut viewer = Parts::open(camfeed.address, "/stream");
    viewer.next_part();
    let limit = |files: u64| {
        let limit = Rlimit {
            current: Some(files),
            maximum: Some(20_000),
        };
        prlimit(Some(camfeed.pid()), Resource::Nofile, limit).expect("root or its owner")
    };
    let before = limit(3);
    let request = format!("GET /healthz HTTP/1.1\r\nHost: {}\r\n\r\n", camfeed.address);
    let mut waiting = send(camfeed.address, &request);
    camfeed.wait_log("cannot accept a connection");
    for _ in 0..15 {
        viewer.next_part();
    }
    limit(before.current.unwrap_or(20_000));
    // Who waited is answered, and everybody who comes.
    let mut answer = [0; 12];
    waiting.read_exact(&mut answer).expect("an answer");
    assert_eq!(&answer, b"HTTP/1.1 200");
    assert_eq!(get(camfeed.address, "/healthz").status, 200);
    viewer.next_part();
}

#[test]
fn a_supervisor_that_panics_ends_the_program_for_its_service_to_start_it() {
    let args = ["--source", SMALL];
    let fault = [("CAMFEED_FAULT", "supervisor")];
    let camfeed = Camfeed::start_with("127.0.0.1:0", &args, &fault);
    camfeed.wait_log("ERROR] the camera's supervisor failed: ending");
    assert_eq!(camfeed.wait(SOON).code(), Some(70));
}

#[test]
fn an_encoder_that_panics_is_begun_again() {
    let camfeed = with_fault("encode");
    let mut viewer = Parts::open(camfeed.address, "/stream");
    camfeed.wait_log("an encoder failed and is begun again");
    for _ in 0..5 {
        viewer.next_part();
    }
}
