use super::*;
use crate::{
    config::{Config, args::Args},
    feed::slot::Watch,
};
use argh::FromArgs;
use std::{
    cell::RefCell,
    collections::HashMap,
    path::{Path, PathBuf},
    rc::Rc,
};

const SECOND: Duration = Duration::from_secs(1);
const MILLISECOND: Duration = Duration::from_millis(1);

/// What the supervisor did, and what it sees.
#[derive(Default)]
struct Record {
    /// Each launch: its lease, the devices as users know them, the warm-up.
    launches: Vec<(Arc<CaptureLease>, String, u32)>,
    placeholders: usize,
    cameras: Vec<PathBuf>,
    /// Where names lead; a node leads to itself.
    names: HashMap<PathBuf, PathBuf>,
    /// No thread can be started.
    is_full: bool,
}

#[derive(Clone, Default)]
struct Fake(Rc<RefCell<Record>>);

impl World for Fake {
    fn launch(
        &mut self,
        lease: &Arc<CaptureLease>,
        devices: Vec<Device>,
        warmup: u32,
    ) -> Result<(), Error> {
        let mut record = self.0.borrow_mut();
        if record.is_full {
            let (name, source) = ("capture".to_owned(), std::io::ErrorKind::WouldBlock.into());
            return Err(Error::Thread { name, source });
        }
        let devices: Vec<_> = devices.iter().map(Device::to_string).collect();
        let launch = (Arc::clone(lease), devices.join(" "), warmup);
        record.launches.push(launch);
        Ok(())
    }

    fn cameras(&self) -> Vec<PathBuf> {
        self.0.borrow().cameras.clone()
    }

    fn node_behind(&self, path: &Path) -> Option<PathBuf> {
        let record = self.0.borrow();
        let is_node = record.cameras.iter().any(|node| node == path);
        let node = is_node.then(|| path.to_owned());
        node.or_else(|| record.names.get(path).cloned())
    }

    fn stable_name(&self, path: &Path) -> Option<PathBuf> {
        let record = self.0.borrow();
        let mut names = record.names.iter();
        names
            .find(|(_, node)| *node == path)
            .map(|(name, _)| name.clone())
    }

    fn show_placeholder(&mut self) {
        self.0.borrow_mut().placeholders += 1;
    }
}

/// A supervisor, its world and a clock that is set by hand.
struct Bench {
    supervisor: Supervisor<Fake>,
    camera: Arc<Camera>,
    world: Fake,
    now: Instant,
}

impl Bench {
    fn new(args: &[&str]) -> Bench {
        let args = Args::from_args(&["camfeed"], args).expect("good options");
        let camera = Arc::new(Camera::new(Config::from(args).camera));
        let world = Fake::default();
        let now = Instant::now();
        Bench {
            supervisor: Supervisor::new(Arc::clone(&camera), world.clone(), now),
            camera,
            world,
            now,
        }
    }

    /// One that has opened its device and come online with it.
    fn online(args: &[&str]) -> Bench {
        let mut bench = Bench::new(args);
        bench.act();
        bench.come_online(1, &facts());
        bench
    }

    fn act(&mut self) {
        assert_eq!(self.supervisor.act(self.now), Ok(()));
    }

    /// Lets the time pass and everything happen that becomes due meanwhile.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        let mut looks = 0;
        while self.now < end {
            let due = self.supervisor.deadline(self.now);
            assert!(due > self.now || looks < 1000, "it spins");
            looks += 1;
            self.now = due.clamp(self.now, end);
            self.act();
        }
    }

    /// The time until something is due.
    fn wait(&self) -> Duration {
        self.supervisor.deadline(self.now) - self.now
    }

    fn come_online(&mut self, lease: u64, facts: &SourceInfo) {
        let facts = Box::new(facts.clone());
        let event = CaptureEvent::Online { lease, facts };
        self.supervisor.report(event, self.now);
    }

    /// From now on this thread's pictures never cease.
    fn keep_alive(&self, lease: u64) {
        self.lease(lease).note_picture(self.now + 10_000 * SECOND);
    }

    fn end(&mut self, lease: u64, reason: EndReason) {
        let event = CaptureEvent::Ended { lease, reason };
        self.supervisor.report(event, self.now);
    }

    fn fail(&mut self, lease: u64) {
        self.end(lease, EndReason::Failed(failure()));
    }

    fn lease(&self, id: u64) -> Arc<CaptureLease> {
        let record = self.world.0.borrow();
        let mut launches = record.launches.iter();
        let launch = launches.find(|(lease, _, _)| lease.id == id);
        Arc::clone(&launch.expect("launched").0)
    }

    /// The devices and the warm-up of each launch.
    fn launches(&self) -> Vec<(String, u32)> {
        let record = self.world.0.borrow();
        let launches = record.launches.iter();
        launches
            .map(|(_, devices, warmup)| (devices.clone(), *warmup))
            .collect()
    }

    fn count(&self) -> usize {
        self.world.0.borrow().launches.len()
    }

    fn placeholders(&self) -> usize {
        self.world.0.borrow().placeholders
    }

    fn state(&self) -> State {
        self.camera.status().state
    }

    fn reason(&self) -> String {
        self.camera.status().reason.clone().unwrap_or_default()
    }

    fn watch(&self) -> Watch {
        self.camera.slot.watch()
    }
}

fn facts() -> SourceInfo {
    SourceInfo {
        source: "/dev/video0".to_owned(),
        fps: Some(30.0),
        ..SourceInfo::default()
    }
}

fn pattern() -> SourceInfo {
    SourceInfo {
        source: "test pattern".to_owned(),
        is_fallback: true,
        ..facts()
    }
}

fn failure() -> Error {
    Error::Open {
        device: "/dev/video0".to_owned(),
        cause: Cause::Missing,
        reason: "no such device".to_owned(),
    }
}

const NODE: [&str; 2] = ["--source", "/dev/video0"];

#[test]
fn a_new_size_is_noted_of_the_camera_that_is_online() {
    let mut bench = Bench::online(&["--source", "0"]);
    let size = |bench: &Bench| bench.camera.status().facts.size;
    let (before, new) = (
        size(&bench),
        Size {
            width: 240,
            height: 320,
        },
    );
    bench.supervisor.report(
        CaptureEvent::Resized {
            lease: 7,
            size: new,
        },
        bench.now,
    );
    assert_eq!(size(&bench), before, "another thread's");
    bench.supervisor.report(
        CaptureEvent::Resized {
            lease: 1,
            size: new,
        },
        bench.now,
    );
    assert_eq!(size(&bench), Some(new));
    bench.fail(1);
    bench.supervisor.report(
        CaptureEvent::Resized {
            lease: 1,
            size: before.unwrap_or(new),
        },
        bench.now,
    );
    assert_eq!(size(&bench), Some(new), "it is lost");
}

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
    bench.world.0.borrow_mut().is_full = true;
    bench.act();
    assert_eq!(bench.state(), State::Offline);
    bench.world.0.borrow_mut().is_full = false;
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
    assert_eq!(bench.supervisor.act(bench.now), Err(Stuck(3)));
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
fn a_lost_camera_is_counted_when_it_is_back_and_its_back_off_forgiven() {
    let mut bench = Bench::new(&NODE);
    bench.act();
    bench.fail(1);
    bench.pass(SECOND);
    bench.come_online(2, &facts());
    assert_eq!(bench.camera.stats.reopened.get(), 1);
    assert_eq!(bench.camera.status().reason, None);
    bench.keep_alive(2);
    bench.pass(10 * SECOND);
    bench.fail(2);
    assert_eq!(bench.wait(), 500 * MILLISECOND, "ten seconds online");
    bench.pass(500 * MILLISECOND);
    bench.come_online(3, &facts());
    bench.fail(3);
    assert_eq!(bench.wait(), 1000 * MILLISECOND, "no time online");
}

#[test]
fn a_node_that_comes_is_tried_at_once() {
    let mut bench = Bench::new(&NODE);
    bench.act();
    for lease in 1..=4 {
        bench.fail(lease);
        if lease < 4 {
            bench.pass(5 * SECOND);
        }
    }
    bench.supervisor.plugged(bench.now);
    assert_eq!(bench.wait(), SETTLING);
    bench.pass(SETTLING);
    assert_eq!(bench.count(), 5);
    bench.fail(5);
    assert_eq!(bench.wait(), 500 * MILLISECOND, "its back-off is forgiven");
}

#[test]
fn without_reports_of_nodes_a_lost_camera_is_tried_at_the_back_offs_pace() {
    let mut bench = Bench::new(&NODE);
    bench.supervisor.poll_nodes(bench.now);
    bench.act();
    for lease in 1..=10 {
        bench.fail(lease);
        bench.pass(5 * SECOND);
    }
    assert_eq!(bench.count(), 11, "one try in five seconds");
}

#[test]
fn placeholders_come_once_a_second_to_whoever_watches() {
    let mut bench = Bench::new(&NODE);
    bench.act();
    bench.pass(10 * SECOND);
    assert_eq!(bench.placeholders(), 0, "nobody watches");
    let watch = bench.watch();
    bench.pass(3 * SECOND);
    assert!((3..=4).contains(&bench.placeholders()));
    drop(watch);
    let shown = bench.placeholders();
    bench.pass(3 * SECOND);
    assert_eq!(bench.placeholders(), shown);
}

#[test]
fn a_lost_camera_is_told_at_once() {
    let mut bench = Bench::online(&NODE);
    let _watch = bench.watch();
    bench.pass(3 * SECOND);
    assert_eq!(bench.placeholders(), 0);
    bench.fail(1);
    bench.act();
    assert_eq!(bench.placeholders(), 1);
}

const IDLE: [&str; 4] = ["--source", "/dev/video0", "--idle-timeout", "2"];

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

#[test]
fn the_end_of_the_program_is_no_outage() {
    let mut bench = Bench::online(&NODE);
    bench.end(1, EndReason::Unwanted);
    assert_eq!(bench.state(), State::Online);
    assert_eq!(bench.supervisor.outages.began(), None);
    bench.supervisor.end(bench.now);
    assert!(bench.lease(1).is_revoked());
}

const STABLE: &str = "/dev/v4l/by-id/usb-Camera-video-index0";

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
        let mut record = bench.world.0.borrow_mut();
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
    bench.world.0.borrow_mut().names = HashMap::from([other]);
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
    bench.world.0.borrow_mut().names = HashMap::from([(STABLE.into(), "/dev/video4".into())]);
    bench.pass(SECOND);
    assert_eq!(bench.launches()[1].0, STABLE);
}

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
    bench.world.0.borrow_mut().cameras = vec!["/dev/video0".into()];
    bench.supervisor.plugged(bench.now);
    bench.pass(SETTLING);
    assert_eq!(bench.launches()[1].0, "/dev/video0");
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
    bench.world.0.borrow_mut().cameras = vec!["/dev/video0".into()];
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
    bench.world.0.borrow_mut().cameras = vec!["/dev/video0".into()];
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
    bench.world.0.borrow_mut().cameras = vec!["/dev/video0".into()];
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
    bench.world.0.borrow_mut().cameras = vec!["/dev/video0".into()];
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
