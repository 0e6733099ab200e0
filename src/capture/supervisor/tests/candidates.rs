//! Which device is tried under which name.

use super::*;

/// Facts of a camera that has a name of its own.
fn named() -> SourceInfo {
    SourceInfo {
        stable: Some(STABLE.into()),
        ..facts()
    }
}

#[test]
fn auto_tries_a_camera_it_knows_once_whatever_its_names() {
    let mut bench = Bench::new(&[]);
    {
        let mut record = bench.environment.0.borrow_mut();
        record.cameras = vec!["/dev/video0".into(), "/dev/video2".into()];
        record.names = HashMap::from([(STABLE.into(), "/dev/video2".into())]);
    }
    bench.act();
    assert_eq!(bench.launches()[0].0, "/dev/video0 /dev/video2 csi auto");
    bench.come_online(1, &named());
    bench.fail(1);
    bench.pass(SECOND);
    let tried = format!("{STABLE} /dev/video0");
    assert_eq!(bench.launches()[1].0, tried, "never the pattern again");
}

#[test]
fn another_camera_under_the_number_is_taken_after_a_minute() {
    let mut bench = Bench::new(&NODE);
    bench.act();
    bench.come_online(1, &named());
    bench.fail(1);
    let other = (
        "/dev/v4l/by-id/usb-Other-video-index0".into(),
        "/dev/video0".into(),
    );
    bench.environment.0.borrow_mut().names = HashMap::from([other]);
    bench.pass(59 * SECOND);
    assert_eq!(bench.count(), 1);
    assert!(bench.reason().contains("another camera has its number"));
    bench.pass(10 * SECOND);
    assert_eq!(bench.launches()[1].0, "/dev/video0");
}

#[test]
fn the_original_camera_is_found_under_another_number() {
    let mut bench = Bench::new(&NODE);
    bench.act();
    bench.come_online(1, &named());
    bench.fail(1);
    bench.environment.0.borrow_mut().names = HashMap::from([(STABLE.into(), "/dev/video4".into())]);
    bench.pass(SECOND);
    assert_eq!(bench.launches()[1].0, STABLE);
}

/// Facts of a camera module.
fn module() -> SourceInfo {
    SourceInfo {
        source: "csi:/base/x/imx708@1a".to_owned(),
        sensor: Some("imx708".to_owned()),
        ..facts()
    }
}

#[test]
fn auto_keeps_to_its_camera_module_for_a_minute() {
    let mut bench = Bench::new(&[]);
    bench.act();
    assert_eq!(bench.launches()[0].0, "csi auto");
    bench.come_online(1, &module());
    bench.environment.0.borrow_mut().cameras = vec!["/dev/video0".into()];
    bench.fail(1);
    bench.pass(SECOND);
    let own = "csi:/base/x/imx708@1a";
    assert_eq!(bench.launches()[1].0, own);
    for lease in 2..100 {
        if bench.count() < lease {
            break;
        }
        bench.fail(lease as u64);
        bench.pass(SECOND + MILLISECOND);
    }
    let tried = bench.launches();
    assert!(
        tried[1..50].iter().all(|(devices, _)| devices == own),
        "{tried:?}"
    );
    assert_eq!(tried.last().expect("some").0, format!("{own} /dev/video0"));
}

#[test]
fn a_module_is_tried_every_second_and_given_up_soon() {
    let mut bench = Bench::new(&["--source", "csi", "--camera-timeout", "3"]);
    for lease in 1..=10 {
        bench.act();
        assert_eq!(bench.count(), lease);
        bench.fail(lease as u64);
        assert!(bench.wait() <= SECOND, "{:?}", bench.wait());
        bench.pass(SECOND);
    }
    // It opens, and nothing comes.
    bench.act();
    bench.pass(5 * SECOND);
    assert_eq!(bench.state(), State::Offline);
    let reason = bench.reason();
    assert!(
        reason.ends_with("it does not answer (is its cable loose?)"),
        "{reason}"
    );
}

#[test]
fn a_module_that_hangs_does_not_keep_auto_from_the_test_pattern() {
    let mut bench = Bench::new(&["--camera-timeout", "3"]);
    bench.act();
    assert_eq!(bench.launches()[0].0, "csi auto");
    bench.pass(5 * SECOND);
    let reason = bench.reason();
    assert!(reason.contains("is its cable loose?"), "{reason}");
    bench.end(1, EndReason::Unwanted);
    bench.pass(SECOND);
    assert_eq!(bench.launches()[1].0, "auto");
    bench.come_online(2, &pattern());
    bench.keep_alive(2);
    bench.pass(15 * SECOND);
    assert_eq!(bench.launches()[2].0, "csi", "it is searched");
}
