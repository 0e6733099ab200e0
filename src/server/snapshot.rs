//! Snapshots: one JPEG, at once or within three seconds, or an honest 503.
//!
//! Never a placeholder with a 200: a time-lapse would keep it. Never a hang: wget would wait for
//! a quarter of an hour.

use super::{Client, Shared, reply::Reply, routes::Query};
use crate::{
    frame::Frame,
    slot::{Slot, Waited},
};
use jiff::Timestamp;
use std::{
    sync::Arc,
    time::{Duration, Instant, UNIX_EPOCH},
};

/// A frame this young is as good as the next one.
const YOUNG: Duration = Duration::from_millis(500);

/// A client waits no longer than this for a live frame.
const PATIENCE: Duration = Duration::from_secs(3);

/// Answers with the newest frame; with `fresh=1` with one captured after the request.
pub fn answer(client: Client, query: &Query<'_>, shared: &Shared) {
    let is_fresh = query.get("fresh").is_some_and(|value| value != "0");
    let asked = Instant::now();
    match live_frame(&shared.camera.slot, asked, is_fresh) {
        Some(frame) => send(&frame, client, shared),
        None => {
            let line = format!("no live picture: {}\n", shared.camera.excuse());
            Reply::text(503, &line)
                .with("Retry-After", "2")
                .send(client, shared);
        }
    }
}

fn live_frame(slot: &Arc<Slot>, asked: Instant, is_fresh: bool) -> Option<Arc<Frame>> {
    let is_good = |frame: &Frame| {
        frame.is_live()
            && if is_fresh {
                frame.captured().at > asked
            } else {
                frame.age() < YOUNG
            }
    };
    let _watch = slot.watch();
    let mut newest = slot.latest();
    let mut sequence = 0;
    loop {
        if let Some(frame) = newest {
            if is_good(&frame) {
                return Some(frame);
            }
            sequence = frame.sequence();
        }
        newest = match slot.wait_newer(sequence, asked + PATIENCE) {
            // Slower than YOUNG to encode, or not: what comes after the request will do.
            Waited::Newer(frame) if !is_fresh && frame.is_live() => return Some(frame),
            Waited::Newer(frame) => Some(frame),
            Waited::TimedOut | Waited::Closed => return None,
        };
    }
}

fn send(frame: &Frame, client: Client, shared: &Shared) {
    let captured = frame.captured().unix;
    let name = file_name(captured);
    let modified = httpdate::HttpDate::from(UNIX_EPOCH + captured);
    Reply::new(200, "image/jpeg", frame.jpeg())
        .with("Cache-Control", "no-store")
        .with(
            "X-Timestamp",
            &format!("{}.{:06}", captured.as_secs(), captured.subsec_micros()),
        )
        .with("X-Sequence", &frame.sequence().to_string())
        .with("Last-Modified", &modified.to_string())
        .with(
            "Content-Disposition",
            &format!("inline; filename=\"{name}\""),
        )
        .send(client, shared);
}

/// `camfeed-20261122T134332.123Z.jpg`: sorts by time, in UTC, so that no summer time repeats one.
fn file_name(captured: Duration) -> String {
    let millis = i64::try_from(captured.as_millis()).unwrap_or(i64::MAX);
    let time = Timestamp::from_millisecond(millis).unwrap_or_default();
    format!("camfeed-{}Z.jpg", time.strftime("%Y%m%dT%H%M%S%.3f"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Stamp;

    fn frame(sequence: u64, age: Duration) -> Frame {
        Frame::live(sequence, Stamp::before_now(age), 4, |out| {
            out.extend_from_slice(b"JPEG")
        })
    }

    #[test]
    fn file_name_carries_the_capture_time() {
        let captured = Duration::from_millis(1_795_354_412_123);
        assert_eq!(file_name(captured), "camfeed-20261122T133332.123Z.jpg");
        assert_eq!(
            file_name(Duration::ZERO),
            "camfeed-19700101T000000.000Z.jpg"
        );
    }

    #[test]
    fn a_young_frame_is_taken_and_an_old_one_is_not() {
        let slot = Arc::new(Slot::default());
        let now = Instant::now();
        let nearly_late = now
            .checked_sub(PATIENCE - Duration::from_millis(20))
            .expect("later");
        slot.publish(frame(1, Duration::from_secs(2)));
        assert!(live_frame(&slot, nearly_late, false).is_none());
        slot.publish(frame(2, Duration::from_millis(100)));
        assert!(live_frame(&slot, now, false).is_some());
    }

    #[test]
    fn fresh_means_captured_after_the_request() {
        let slot = Arc::new(Slot::default());
        let asked = Instant::now();
        slot.publish(frame(1, Duration::from_millis(100)));
        let waiting = Arc::clone(&slot);
        let waiter = std::thread::spawn(move || live_frame(&waiting, asked, true));
        while !slot.is_watched() {
            std::thread::yield_now();
        }
        slot.publish(frame(2, Duration::ZERO));
        assert_eq!(
            waiter.join().expect("no panic").expect("fresh").sequence(),
            2
        );
    }

    #[test]
    fn a_placeholder_is_never_a_snapshot() {
        let slot = Arc::new(Slot::default());
        slot.publish(Frame::placeholder(1, b"CARD"));
        let asked = Instant::now().checked_sub(PATIENCE).expect("later");
        assert!(live_frame(&slot, asked, false).is_none());
    }
}
