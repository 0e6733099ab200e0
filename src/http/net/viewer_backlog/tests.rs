//! What viewers of all kinds see, and how old; and the rule's own cases.

mod viewer;

use super::*;
use viewer::Viewer;

/// The program reads all there is.
fn all(_: u32) -> f64 {
    f64::MAX
}

#[test]
fn a_fast_viewer_is_not_held_back_however_far_it_is() {
    // Round trip in milliseconds, bytes a millisecond, bytes of a frame: 20 Mbit/s first.
    for (round_trip, link, frame) in [
        (80, 2_500.0, 58_000),
        (200, 2_500.0, 58_000),
        (80, 12_500.0, 110_000),
        (2, 12_500.0, 110_000),
    ] {
        let viewer = Viewer::new(round_trip, link, all).buffer(65_536.0, 6e6);
        let seen = viewer.frame(frame).watch(20_000);
        let case = format!("{round_trip} ms, {link} bytes a millisecond, {frame} bytes");
        let rate = seen.since(10_000).len() as f64 / 10.0;
        assert!(rate >= 29.0, "{case}: {rate} frames a second");
        assert!(!seen.is_slow && seen.asked < 100, "{case}: {}", seen.asked);
    }
}

#[test]
fn a_viewer_on_a_slow_link_sees_the_present_and_the_link_is_used() {
    for link in [60.0, 125.0, 500.0] {
        for round_trip in [2, 20, 80, 200] {
            for (capacity, grows_to) in [(65_536.0, 65_536.0), (65_536.0, 6e6)] {
                let viewer = Viewer::new(round_trip, link, all).buffer(capacity, grows_to);
                let case = format!("{link} bytes a millisecond, {round_trip} ms, {grows_to} bytes");
                judge(viewer, link, &case);
            }
        }
    }
}

#[test]
fn a_viewer_that_reads_slowly_sees_the_present_and_is_not_idle() {
    for reads in [|_| 60.0, |_| 125.0, |_| 500.0, |_| 1200.0] {
        for capacity in [8_192.0, 65_536.0, 131_072.0] {
            let viewer = Viewer::new(1, 125e3, reads).buffer(capacity, capacity);
            let case = format!("{} bytes a millisecond, {capacity} bytes", reads(0));
            judge(viewer, reads(0), &case);
        }
    }
}

#[test]
fn a_viewer_of_several_cameras_on_a_slow_link_sees_the_present() {
    // Frames as often as `streams` sends them to a slow viewer; 1 and 4 Mbit/s.
    for (frame, period, link) in [
        (58_000, 29, 125.0),
        (58_000, 29, 500.0),
        (20_000, 10, 500.0),
    ] {
        for round_trip in [2, 20, 80] {
            for grows_to in [65_536.0, 6e6] {
                let viewer = Viewer::new(round_trip, link, all).buffer(65_536.0, grows_to);
                let case = format!("{frame} bytes, {link} a millisecond, {round_trip} ms");
                judge(viewer.frame(frame).period(period), link, &case);
            }
        }
    }
}

/// Frames are at most 1.5 s old at 1 Mbit/s and more; 60 % of the link is used.
fn judge(viewer: Viewer, bytes_per_milli: f64, case: &str) {
    let frame = viewer.frame as f64;
    let ages = viewer.watch(40_000).since(10_000);
    let oldest = ages.iter().max().copied().unwrap_or(u32::MAX);
    let allowed = 1500.0 * (125.0 / bytes_per_milli).max(1.0);
    assert!(f64::from(oldest) <= allowed, "{case}: {oldest} ms");
    let share = ages.len() as f64 * frame / (30e3 * bytes_per_milli);
    assert!(share >= 0.6, "{case}: {share} of the link");
}

#[test]
fn a_viewer_with_a_small_window_is_not_kept_waiting() {
    for capacity in [6_000.0, 16_384.0] {
        let viewer = Viewer::new(1, 125e3, |_| 125.0).buffer(capacity, capacity);
        let ages = viewer.watch(5_000).ages;
        // A frame takes 464 ms, and the next look may be a frame later.
        let longest = ages.windows(2).map(|pair| pair[1].0 - pair[0].0).max();
        assert!(longest.is_some_and(|gap| gap < 600), "{capacity}: {ages:?}");
    }
}

#[test]
fn a_near_viewer_misses_next_to_nothing_whatever_its_kernel_does() {
    // Frames larger than the buffer at first, of an odd number of segments: the last acknowledgement is
    // 40 ms late, when the next frame is there already. Held up for a moment now and then.
    fn reads(at: u32) -> f64 {
        if at % 5000 < 40 { 0.0 } else { 50e3 }
    }
    for grows_to in [65_536.0, 6e6] {
        let viewer = Viewer::new(1, 125e3, reads).buffer(65_536.0, grows_to);
        let late = viewer.frame(108_000).watch(20_000).since(5_000).len();
        assert!(late >= 440, "{grows_to}: {late} of 454");
    }
}

#[test]
fn a_viewer_that_is_held_up_now_and_then_misses_no_more_than_that() {
    // For 80 ms of every 400, as on a machine that is full: three frames of twelve fall into each such
    // time, and one of them waits for its end.
    fn reads(at: u32) -> f64 {
        if at % 400 < 80 { 0.0 } else { 20e3 }
    }
    for capacity in [65_536.0, 1e6] {
        let viewer = Viewer::new(1, 125e3, reads).buffer(capacity, capacity);
        let rate = viewer.watch(20_000).ages.len() as f64 / 20.0;
        assert!(rate > 23.0, "{capacity}: {rate} frames a second");
    }
}

#[test]
fn a_viewer_that_becomes_faster_gets_every_frame() {
    fn reads(at: u32) -> f64 {
        if at < 10_000 { 125.0 } else { 5e3 }
    }
    for capacity in [65_536.0, 1e6] {
        let viewer = Viewer::new(1, 125e3, reads).buffer(capacity, capacity);
        let late = viewer.watch(20_000).since(15_000).len();
        assert!(late >= 145, "{capacity}: {late} of 150");
    }
}

#[test]
fn a_viewer_that_was_held_up_once_is_slow_no_more() {
    fn reads(at: u32) -> f64 {
        if (1000..1500).contains(&at) { 0.0 } else { 5e3 }
    }
    let viewer = Viewer::new(1, 125e3, reads).buffer(131_072.0, 131_072.0);
    let seen = viewer.watch(5_000);
    assert!(seen.asked > 0 && !seen.is_slow, "{}", seen.asked);
    assert!(seen.since(3_000).len() >= 59, "{:?}", seen.since(3_000));
}

#[test]
fn a_viewer_that_never_blocks_is_never_asked() {
    let viewer = Viewer::new(1, 125e3, |_| 20e3).buffer(131_072.0, 131_072.0);
    let seen = viewer.frame(20_000).watch(5_000);
    assert_eq!((seen.asked, seen.is_slow), (0, false));
    assert!(seen.ages.len() >= 151, "{}", seen.ages.len());
}

/// A window of this many bytes is the largest seen.
const LARGEST: u32 = 64 * 1024;

/// A backlog of a viewer whose write has just blocked, and when.
fn blocked() -> (ViewerBacklog, Instant) {
    let now = Instant::now();
    let mut backlog = ViewerBacklog {
        largest_window: LARGEST,
        ..ViewerBacklog::default()
    };
    backlog.note_sent(Written::Waiting, now);
    (backlog, now)
}

#[test]
fn a_frame_has_arrived_when_no_byte_of_it_waits() {
    // Bytes in flight and unsent; round trip and the least one, milliseconds.
    for (in_flight, unsent, round_trip, least, has_arrived) in [
        (0, 0, 400, 1, true),
        (0, 1, 1, 1, false),
        // An acknowledgement that is delayed.
        (1448, 0, 40, 1, true),
        // A viewer that is far away, and one behind a queue.
        (200_000, 0, 320, 300, true),
        (58_000, 0, 320, 20, false),
        // The kernel has measured nothing yet.
        (1448, 0, 0, u32::MAX, true),
    ] {
        let info = TcpInfo {
            in_flight,
            unsent,
            window: LARGEST,
            round_trip: Duration::from_millis(round_trip),
            least_round_trip: Duration::from_micros(u64::from(least).saturating_mul(1000)),
            ..TcpInfo::default()
        };
        let (mut backlog, now) = blocked();
        assert_eq!(
            backlog.may_send(|| Some((info, now))),
            has_arrived,
            "{info:?}"
        );
    }
}

#[test]
fn bytes_in_flight_take_some_of_the_window_unless_the_viewer_is_far() {
    // Over loopback one segment is a whole frame, and its acknowledgement may be delayed: the window is
    // that from before it came. Milliseconds since the frame was sent, and the least round trip.
    for (window, in_flight, age, least, may_send) in [
        (70_000, 0, 33, 1, true),
        (70_000, 60_000, 33, 1, false),
        (70_000, 60_000, 33, 80, true),
        (20_000, 0, 33, 80, false),
    ] {
        let info = TcpInfo {
            in_flight,
            window,
            round_trip: Duration::from_millis(least),
            least_round_trip: Duration::from_millis(least),
            ..TcpInfo::default()
        };
        let (mut backlog, sent) = blocked();
        let now = sent + Duration::from_millis(age);
        assert_eq!(backlog.may_send(|| Some((info, now))), may_send, "{info:?}");
    }
}

#[test]
fn a_window_that_opens_no_more_silences_nobody() {
    let window = |window| TcpInfo {
        window,
        ..TcpInfo::default()
    };
    let (mut backlog, now) = blocked();
    assert!(backlog.may_send(|| Some((window(1_000_000), now))));
    backlog.note_sent(Written::AtOnce, now);
    // Its kernel has taken most of the buffer back.
    let shut = |backlog: &mut ViewerBacklog, bytes, after| {
        !backlog.may_send(|| Some((window(bytes), now + SILENCE.mul_f64(after))))
    };
    assert!(!shut(&mut backlog, 380_000, 0.1));
    assert!(shut(&mut backlog, 90_000, 0.5));
    // Room that still grows is waited for.
    assert!(shut(&mut backlog, 100_000, 1.4));
    assert!(shut(&mut backlog, 100_000, 2.3));
    assert!(!shut(&mut backlog, 100_000, 2.5));
    backlog.note_sent(Written::AtOnce, now + SILENCE.mul_f64(2.5));
    assert!(!shut(&mut backlog, 60_000, 2.6));
}

#[test]
fn a_viewer_is_asked_until_it_has_accepted_enough_in_a_row() {
    let open = TcpInfo {
        window: LARGEST,
        ..TcpInfo::default()
    };
    let shut = TcpInfo::default();
    let (mut backlog, now) = blocked();
    let mut asked = 0;
    let mut look = |backlog: &mut ViewerBacklog, info| {
        backlog.may_send(|| {
            asked += 1;
            Some((info, now))
        })
    };
    for _ in 1..ACCEPTED {
        assert!(look(&mut backlog, open));
        backlog.note_sent(Written::AtOnce, now);
    }
    // A frame that was held back was not accepted at once.
    assert!(!look(&mut backlog, shut));
    for _ in 0..ACCEPTED {
        assert!(look(&mut backlog, open));
        backlog.note_sent(Written::AtOnce, now);
    }
    assert!(look(&mut backlog, shut));
    assert_eq!(asked, 2 * ACCEPTED);
}

#[test]
fn a_socket_without_tcp_info_gets_every_frame() {
    let (mut backlog, _) = blocked();
    assert!(backlog.may_send(|| None));
}
