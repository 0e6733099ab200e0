//! Outages: what is counted, shown and tried meanwhile.

use super::*;
use crate::{
    feed::{camera::NoControls, controls::Control},
    system::threads,
};
use std::{io, sync::mpsc};

/// Controls of a camera that has none to show, and whether it keeps them.
#[derive(Debug)]
struct NoneToShow(bool);

impl CameraControls for NoneToShow {
    fn list(&self) -> io::Result<Vec<Control>> {
        Ok(Vec::new())
    }

    fn set(&self, _: &[(String, String)]) -> io::Result<Vec<String>> {
        Ok(Vec::new())
    }

    fn are_kept(&self) -> bool {
        self.0
    }
}

#[test]
fn a_camera_that_comes_and_goes_never_seems_to_have_no_controls() {
    const TIMES: u64 = 20_000;
    let mut bench = Bench::new(&NODE);
    bench.act();
    let camera = Arc::clone(&bench.camera);
    let (sender, had_none) = mpsc::channel();
    let ask = move || {
        let is_over = || camera.stats.reopened.get() == TIMES - 1;
        let mut answers = std::iter::repeat_with(|| camera.controls()).take_while(|_| !is_over());
        let is_never = |answer| matches!(answer, Err(NoControls::Never));
        sender.send(answers.any(is_never)).expect("heard");
    };
    threads::start("asking", ask).expect("a thread");
    for lease in 1..=TIMES {
        let event = CaptureEvent::Online {
            lease,
            facts: Box::new(facts()),
            controls: Some(Arc::new(NoneToShow(true))),
        };
        bench.supervisor.report(event, bench.now);
        if lease < TIMES {
            bench.fail(lease);
            bench.now += 5 * SECOND;
            bench.act();
        }
    }
    let had_none = had_none.recv_timeout(60 * SECOND);
    assert_eq!(had_none, Ok(false), "it had none for a moment");
}

#[test]
fn what_a_module_was_set_to_is_not_set_on_a_usb_camera_in_its_place() {
    let mut bench = Bench::new(&[]);
    bench.act();
    let event = CaptureEvent::Online {
        lease: 1,
        facts: Box::new(facts()),
        controls: Some(Arc::new(NoneToShow(false))),
    };
    bench.supervisor.report(event, bench.now);
    let settings = [("brightness".to_owned(), "1".to_owned())];
    assert!(
        matches!(bench.camera.set_controls(&settings), Ok(complaints) if complaints.is_empty())
    );
    assert_eq!(bench.camera.changed_controls(&NoneToShow(false)), settings);
    assert_eq!(bench.camera.changed_controls(&NoneToShow(true)), []);
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

#[test]
fn the_end_of_the_program_is_no_outage() {
    let mut bench = Bench::online(&NODE);
    bench.end(1, EndReason::Unwanted);
    assert_eq!(bench.state(), State::Online);
    assert_eq!(bench.supervisor.outages.began(), None);
    bench.supervisor.end(bench.now);
    assert!(bench.lease(1).is_revoked());
}

#[test]
fn a_camera_is_gone_when_it_is_not_there_and_for_no_other_cause() {
    for (cause, is_gone) in [
        (Cause::Missing, true),
        (Cause::Unreachable, false),
        (Cause::Busy, false),
        (Cause::Forbidden, false),
        (Cause::Silent, false),
        (Cause::NotACamera, false),
        (Cause::Other, false),
    ] {
        let mut bench = Bench::online(&IDLE);
        assert!(!bench.camera.status().is_gone(), "online");
        let reason = EndReason::Failed(Error::read(&"/dev/video0", cause, "words"));
        let event = CaptureEvent::Ended { lease: 1, reason };
        bench.supervisor.report(event, bench.now);
        assert_eq!(bench.camera.status().is_gone(), is_gone, "{cause:?}");
        // While it is tried again, too.
        bench.pass(bench.wait());
        assert_eq!(bench.camera.status().is_gone(), is_gone, "{cause:?}");
        bench.come_online(2, &facts());
        assert!(!bench.camera.status().is_gone(), "back");
        bench.pass(5 * SECOND);
        assert_eq!(bench.state(), State::Idle);
        assert!(!bench.camera.status().is_gone(), "it rests");
    }
    let mut bench = Bench::online(&NODE);
    bench.pass(10 * SECOND);
    assert_eq!(bench.state(), State::Offline);
    assert!(!bench.camera.status().is_gone(), "it hangs");
}
