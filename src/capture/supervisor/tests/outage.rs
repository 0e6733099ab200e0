//! Outages: what is counted, shown and tried meanwhile.

use super::*;

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
