//! The search for a camera beside the test pattern.

use super::*;
use crate::capture::supervisor::hanging::MOST_STUCK;

/// The test pattern stands in for a camera; pictures keep coming.
fn standing_in(args: &[&str]) -> Bench {
    let mut bench = Bench::new(args);
    bench.act();
    bench.come_online(1, &pattern());
    bench.keep_alive(1);
    bench
}

#[test]
fn a_camera_plugged_in_takes_over_from_the_test_pattern() {
    let mut bench = standing_in(&[]);
    bench.environment.0.borrow_mut().cameras = vec!["/dev/video0".into()];
    bench.supervisor.plugged(bench.now);
    bench.pass(SETTLING);
    assert_eq!(bench.launches()[1].0, "/dev/video0 csi");
    assert!(
        !bench.lease(1).is_revoked(),
        "the pattern goes on meanwhile"
    );
    bench.come_online(2, &facts());
    assert!(bench.lease(1).is_revoked());
    assert!(bench.lease(2).is_active());
    assert!(!bench.camera.status().facts.is_fallback);
    bench.end(1, EndReason::Unwanted);
    assert_eq!(bench.state(), State::Online);
    assert_eq!(bench.camera.stats.reopened.get(), 0, "it was never lost");
}

#[test]
fn a_search_that_fails_leaves_the_pattern_and_is_begun_again() {
    let mut bench = standing_in(&[]);
    bench.environment.0.borrow_mut().cameras = vec!["/dev/video0".into()];
    bench.pass(15 * SECOND);
    bench.fail(2);
    assert_eq!(bench.state(), State::Online);
    bench.pass(14 * SECOND);
    assert_eq!(bench.count(), 2);
    bench.pass(SECOND);
    assert_eq!(bench.count(), 3);
}

#[test]
fn searches_that_hang_are_few_and_leave_the_pattern() {
    let mut bench = standing_in(&["--camera-timeout", "3"]);
    bench.environment.0.borrow_mut().cameras = vec!["/dev/video0".into()];
    bench.pass(1000 * SECOND);
    assert_eq!(bench.count(), 1 + MOST_STUCK);
    assert_eq!(bench.state(), State::Online);
}

#[test]
fn a_search_that_succeeds_while_the_camera_rests_counts_no_thread_as_stuck() {
    let mut bench = standing_in(&["--idle-timeout", "2"]);
    bench.pass(3 * SECOND);
    assert_eq!(bench.state(), State::Idle);
    bench.end(1, EndReason::Unwanted);
    bench.environment.0.borrow_mut().cameras = vec!["/dev/video0".into()];
    bench.supervisor.plugged(bench.now);
    bench.pass(SETTLING);
    bench.come_online(2, &facts());
    assert!(bench.supervisor.abandoned.is_empty());
    bench.act();
    assert_eq!(bench.state(), State::Idle, "nobody watches");
}

#[test]
fn a_camera_found_by_another_way_ends_the_search() {
    let mut bench = standing_in(&[]);
    bench.environment.0.borrow_mut().cameras = vec!["/dev/video0".into()];
    bench.supervisor.plugged(bench.now);
    bench.pass(SETTLING);
    bench.fail(1);
    bench.pass(SECOND);
    bench.come_online(3, &facts());
    bench.keep_alive(3);
    assert!(bench.lease(2).is_revoked());
    bench.pass(5 * SECOND);
    assert_eq!(bench.state(), State::Online);
    assert_eq!(bench.count(), 3);
}
