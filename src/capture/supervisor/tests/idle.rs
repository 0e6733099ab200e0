//! Releasing the camera and waking it.

use super::*;

#[test]
fn nobody_watching_releases_the_camera_after_the_idle_time_out() {
    let mut bench = Bench::online(&IDLE);
    bench.keep_alive(1);
    let watch = bench.watch();
    bench.pass(9 * SECOND);
    assert_eq!(bench.state(), State::Online);
    drop(watch);
    // By the real clock.
    bench.now = bench
        .camera
        .slot
        .unwatched_since(bench.now)
        .expect("nobody");
    assert_eq!(bench.wait(), 2 * SECOND);
    bench.pass(2 * SECOND - MILLISECOND);
    assert_eq!(bench.state(), State::Online);
    bench.pass(MILLISECOND);
    assert_eq!(bench.state(), State::Idle);
    assert!(bench.lease(1).is_revoked());
    bench.pass(1000 * SECOND);
    assert_eq!(bench.count(), 1);
    assert!(bench.wait() >= 10 * SECOND, "nothing is due");
}

/// A camera that was released, and is watched now.
fn woken() -> (Bench, Watch) {
    let mut bench = Bench::online(&[
        "--source",
        "/dev/video0",
        "--idle-timeout",
        "2",
        "--warmup",
        "7",
    ]);
    bench.pass(3 * SECOND);
    assert_eq!(bench.state(), State::Idle);
    let watch = bench.watch();
    (bench, watch)
}

#[test]
fn a_viewer_wakes_a_released_camera_with_a_warm_up() {
    let (mut bench, _watch) = woken();
    bench.end(1, EndReason::Unwanted);
    bench.act();
    assert_eq!(bench.state(), State::Opening);
    assert_eq!(bench.launches()[1], ("/dev/video0".to_owned(), 7));
}

#[test]
fn the_warm_up_is_kept_while_the_released_thread_still_ends() {
    let (mut bench, _watch) = woken();
    bench.act();
    assert_eq!(bench.count(), 1, "the device is not closed yet");
    bench.end(1, EndReason::Unwanted);
    bench.pass(2 * SECOND);
    assert_eq!(bench.launches()[1], ("/dev/video0".to_owned(), 7));
}

#[test]
fn the_warm_up_is_kept_over_an_opening_that_fails_and_used_once() {
    let (mut bench, _watch) = woken();
    bench.end(1, EndReason::Unwanted);
    bench.act();
    bench.fail(2);
    bench.pass(SECOND);
    assert_eq!(bench.launches()[2], ("/dev/video0".to_owned(), 7));
    bench.come_online(3, &facts());
    bench.fail(3);
    bench.pass(5 * SECOND);
    assert_eq!(bench.launches()[3].1, 0, "only after a release");
}
