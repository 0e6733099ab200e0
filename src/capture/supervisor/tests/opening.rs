//! Opening, trying again and abandoning.

use super::*;

#[test]
fn it_opens_at_once_and_is_online_with_the_first_picture() {
    let mut bench = Bench::new(&NODE);
    assert_eq!(bench.wait(), Duration::ZERO);
    bench.act();
    assert_eq!(bench.launches(), [("/dev/video0".to_owned(), 0)]);
    assert_eq!(bench.state(), State::Opening);
    assert!(!bench.lease(1).is_active());
    bench.come_online(1, &facts());
    assert_eq!(bench.state(), State::Online);
    assert!(bench.lease(1).is_active());
    assert_eq!(bench.camera.stats.reopened.get(), 0);
    assert_eq!(bench.camera.status().facts, facts());
}

#[test]
fn tries_become_rarer_and_never_cease() {
    let mut bench = Bench::new(&NODE);
    bench.act();
    for (lease, pause) in (1..).zip([500, 1000, 2000, 4000, 5000, 5000]) {
        bench.fail(lease);
        assert_eq!(bench.state(), State::Offline);
        assert_eq!(bench.wait(), pause * MILLISECOND, "after try {lease}");
        bench.pass(pause * MILLISECOND);
        assert_eq!(bench.count() as u64, lease + 1);
    }
    assert_eq!(bench.reason(), "cannot open /dev/video0: no such device");
}

#[test]
fn a_thread_that_cannot_be_started_is_tried_again() {
    let mut bench = Bench::new(&NODE);
    bench.environment.0.borrow_mut().is_full = true;
    bench.act();
    assert_eq!(bench.state(), State::Offline);
    bench.environment.0.borrow_mut().is_full = false;
    bench.pass(SECOND);
    assert_eq!(bench.count(), 1);
}

#[test]
fn a_device_that_does_not_answer_is_abandoned() {
    let mut bench = Bench::new(&["--source", "/dev/video0", "--camera-timeout", "3"]);
    bench.act();
    bench.pass(13 * SECOND - MILLISECOND);
    assert_eq!(bench.state(), State::Opening);
    bench.pass(MILLISECOND);
    assert_eq!(bench.state(), State::Offline);
    assert!(bench.reason().contains("it does not answer"));
    assert!(bench.lease(1).is_revoked());
    bench.come_online(1, &facts());
    assert_eq!(bench.state(), State::Offline, "it came back too late");
}

#[test]
fn an_abandoned_thread_that_comes_online_after_all_is_not_the_next_one() {
    let mut bench = Bench::new(&NODE);
    bench.act();
    while bench.count() < 2 {
        bench.pass(SECOND);
    }
    bench.come_online(1, &facts());
    assert_eq!(bench.state(), State::Offline);
    assert!(!bench.lease(2).is_active());
}

#[test]
fn a_camera_that_falls_silent_is_abandoned_after_its_time_out() {
    let mut bench = Bench::online(&["--source", "/dev/video0", "--camera-timeout", "3"]);
    bench.pass(2 * SECOND);
    bench.lease(1).note_picture(bench.now);
    bench.pass(3 * SECOND - MILLISECOND);
    assert_eq!(bench.state(), State::Online);
    bench.pass(MILLISECOND);
    assert_eq!(bench.state(), State::Offline);
    assert!(bench.reason().contains("it has given no picture for 3 s"));
    assert!(bench.lease(1).is_revoked());
}

#[test]
fn a_slow_source_has_three_of_its_intervals() {
    let mut bench = Bench::new(&NODE);
    bench.act();
    let slow = SourceInfo {
        fps: Some(0.1),
        ..facts()
    };
    bench.come_online(1, &slow);
    bench.pass(29 * SECOND);
    assert_eq!(bench.state(), State::Online);
    bench.pass(SECOND);
    assert_eq!(bench.state(), State::Offline);
}

#[test]
fn an_abandoned_thread_has_two_seconds_to_close_its_device() {
    let mut bench = Bench::online(&["--source", "/dev/video0", "--camera-timeout", "3"]);
    bench.pass(3 * SECOND);
    bench.pass(2 * SECOND - MILLISECOND);
    assert_eq!(bench.count(), 1, "it may still hold its device");
    bench.pass(MILLISECOND);
    assert_eq!(bench.count(), 2);
}

#[test]
fn a_device_that_is_closed_is_opened_soon() {
    let mut bench = Bench::online(&["--source", "/dev/video0", "--camera-timeout", "3"]);
    bench.pass(3 * SECOND);
    bench.pass(SECOND);
    bench.end(1, EndReason::Unwanted);
    bench.pass(500 * MILLISECOND);
    assert_eq!(bench.count(), 2);
}

/// A bench whose first three capture threads hang for ever.
fn hanging(source: &str) -> Bench {
    let mut bench = Bench::new(&["--source", source]);
    bench.act();
    while bench.supervisor.abandoned.len() < 3 {
        bench.pass(SECOND);
    }
    assert_eq!(bench.count(), 3);
    bench
}

#[test]
fn a_driver_that_hangs_for_ever_ends_the_program() {
    let mut bench = hanging("/dev/video0");
    bench.now += 5 * SECOND;
    let end = bench.supervisor.act(bench.now);
    assert!(matches!(end, Err(Error::Stuck(3, _))));
}

#[test]
fn beside_a_camera_that_is_well_a_driver_that_hangs_is_tried_rarely() {
    let mut bench = Bench::new(&["--source", "/dev/video0"]);
    bench.environment.0.borrow_mut().is_another_well = true;
    bench.act();
    bench.pass(300 * SECOND);
    assert_eq!(bench.count(), 3);
    bench.pass(600 * SECOND);
    assert_eq!(bench.count(), 4);
    bench.pass(100_000 * SECOND);
    assert_eq!(bench.count(), 12, "threads that hang are bounded");
    bench.end(12, EndReason::Unwanted);
    bench.pass(1000 * SECOND);
    assert_eq!(bench.count(), 13);
    bench.environment.0.borrow_mut().is_another_well = false;
    bench.now += 20 * SECOND;
    let end = bench.supervisor.act(bench.now);
    assert!(matches!(end, Err(Error::Stuck(..))), "{end:?}");
}

#[test]
fn a_pipeline_that_hangs_for_ever_is_let_be() {
    let mut bench = hanging("gst:videotestsrc");
    bench.pass(60 * SECOND);
    assert_eq!(bench.count(), 3, "no thread is added to those that hang");
    bench.end(1, EndReason::Unwanted);
    bench.pass(5 * SECOND);
    assert_eq!(bench.count(), 4);
}

#[test]
fn a_new_size_is_noted_of_the_camera_that_is_online() {
    let mut bench = Bench::online(&["--source", "0"]);
    let size = |bench: &Bench| bench.camera.status().facts.size;
    let before = size(&bench);
    let new = Size {
        width: 240,
        height: 320,
    };
    let resized = |lease, size| CaptureEvent::Resized { lease, size };
    bench.supervisor.report(resized(7, new), bench.now);
    assert_eq!(size(&bench), before, "another thread's");
    bench.supervisor.report(resized(1, new), bench.now);
    assert_eq!(size(&bench), Some(new));
    bench.fail(1);
    let late = resized(1, before.unwrap_or(new));
    bench.supervisor.report(late, bench.now);
    assert_eq!(size(&bench), Some(new), "it is lost");
}
