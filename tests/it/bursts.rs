//! Bursts of keep-alive connections: tiny_http alone leaves one of five without an answer until
//! another one disconnects.

use crate::{
    camfeed::{Camfeed, SMALL},
    load::burst::burst,
};
use std::time::Duration;

/// Generous, because the machine may be busy; a stalled connection would wait for ever.
const PATIENCE: Duration = Duration::from_secs(5);

fn every_one_is_answered(count: usize, rounds: usize) {
    let viewers = count.to_string();
    let camfeed = Camfeed::online(&["--source", SMALL, "--max-viewers", &viewers]);
    for round in 0..rounds {
        let answers = burst(
            camfeed.address,
            &["/", "/stream", "/state"],
            count,
            PATIENCE,
        )
        .expect("connected");
        assert_eq!(answers.len(), count);
        let unanswered: Vec<_> = answers
            .iter()
            .filter(|answer| answer.wait.is_none())
            .collect();
        assert!(unanswered.is_empty(), "round {round}: {unanswered:?}");
    }
}

#[test]
fn a_burst_of_5_is_answered() {
    every_one_is_answered(5, 20);
}

#[test]
fn a_burst_of_12_is_answered() {
    every_one_is_answered(12, 20);
}

#[test]
fn a_burst_of_50_is_answered() {
    every_one_is_answered(50, 20);
}

#[test]
fn a_burst_of_100_is_answered() {
    every_one_is_answered(100, 20);
}
