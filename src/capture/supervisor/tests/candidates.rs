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
    assert_eq!(bench.launches()[0].0, "/dev/video0 /dev/video2 auto");
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
