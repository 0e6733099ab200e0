//! How it ends.

use crate::{
    camfeed::{Camfeed, SMALL},
    http::{Parts, get},
};
use rustix::process::Signal;
use std::{io::Read, net::TcpListener, time::Duration};

const LIMIT: Duration = Duration::from_secs(3);

#[test]
fn a_signal_ends_it_cleanly_with_fifty_viewers_attached() {
    for signal in [Signal::INT, Signal::TERM] {
        let camfeed = Camfeed::online(&["--source", SMALL]);
        let mut viewers: Vec<_> = (0..50)
            .map(|_| Parts::open(camfeed.address, "/stream"))
            .collect();
        viewers[0].next_part();
        let (status, took) = camfeed.end(signal);
        assert_eq!(status.code(), Some(0), "{signal:?}");
        assert!(took < LIMIT, "{signal:?}: {took:?}");
        let mut rest = Vec::new();
        viewers[1]
            .0
            .read_to_end(&mut rest)
            .expect("its connection ends");
        assert!(
            rest.ends_with(b"--camfeedframe--\r\n"),
            "the stream is closed as it should be"
        );
    }
}

#[test]
fn a_signal_ends_it_while_opening_hangs() {
    // Accepts, and never says a word.
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", mute.local_addr().unwrap());
    let camfeed = Camfeed::start(&["--source", &url]);
    let _held = mute.accept().unwrap();
    assert_eq!(get(camfeed.address, "/healthz").status, 503);
    let (status, took) = camfeed.end(Signal::INT);
    assert_eq!(status.code(), Some(0));
    assert!(took < LIMIT, "{took:?}");
}

/// A server with a viewer that takes no bytes.
fn with_stalled_viewer() -> (Camfeed, Parts) {
    let camfeed = Camfeed::online(&["--source", "test:1280x720@30"]);
    let mut stalled = Parts::open(camfeed.address, "/stream");
    stalled.next_part();
    // Until its thread waits in a write. While it only lags behind, its thread waits for frames, and would end at
    // once; after two seconds without an acknowledgement the next one is written in any case.
    let (mut sent, mut since) = (None, 0);
    assert!(crate::camfeed::eventually(Duration::from_secs(20), || {
        let state = crate::status::state(camfeed.address);
        let sequence = state["stream"]["sequence"].as_u64().unwrap();
        let now = state["viewers"][0]["sent"].as_u64();
        if now != sent {
            (sent, since) = (now, sequence);
        }
        now.is_some() && sequence > since + 90
    }));
    (camfeed, stalled)
}

#[test]
fn a_signal_ends_it_while_a_viewer_takes_no_bytes() {
    let (camfeed, _stalled) = with_stalled_viewer();
    let (status, took) = camfeed.end(Signal::TERM);
    assert_eq!(status.code(), Some(0));
    assert!(took < LIMIT, "{took:?}");
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let (camfeed, _stalled) = with_stalled_viewer();
    // Both are there before it can end on the first, which takes it a second and a half.
    for signal in [Signal::STOP, Signal::TERM, Signal::INT] {
        camfeed.signal(signal);
    }
    let (status, _) = camfeed.end(Signal::CONT);
    assert_eq!(status.code(), Some(1));
}
