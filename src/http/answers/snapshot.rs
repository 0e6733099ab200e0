//! Snapshots: one JPEG, at once or soon, or an honest 503.
//!
//! Never a placeholder with a 200: a time-lapse would keep it. A page's `<img>` gets it with the 503,
//! because Fluidd asks for no more snapshots after one that cannot be shown. Never a hang: wget would
//! wait for a quarter of an hour. What the client asks of the picture is a `snapshot_query`; each picture has an
//! `etag`, so that nobody fetches one twice.

use crate::{
    config::CameraName,
    feed::{
        camera::Camera,
        frame::Frame,
        slot::{Slot, WaitOutcome},
    },
    http::{
        answers::{
            etag::{etag, is_named},
            snapshot_query::SnapshotQuery,
        },
        app::App,
        request::Request,
        response::Response,
    },
};
use jiff::Timestamp;
use std::{
    sync::Arc,
    time::{Duration, Instant, UNIX_EPOCH},
};

/// Answers with the newest frame of `camera` that the query accepts.
pub fn answer(request: &Request, app: &App, camera: &Camera) -> Response {
    let asked_for = match SnapshotQuery::parse(&request.target.query, Instant::now()) {
        Ok(asked_for) => asked_for,
        Err(line) => return Response::text(400, line),
    };
    let Some(_place) = app.waiters.enter() else {
        let line = "as many people as allowed are waiting for a picture\n";
        return Response::text(503, line).with("Retry-After", "2");
    };
    let slot = &camera.slot;
    if let Some(frame) = live_frame(slot, asked_for) {
        return picture(frame, request, &camera.config.name);
    }
    let card = slot.latest().filter(|card| !card.is_live());
    let response = match card.filter(|_| is_from_image(request)) {
        Some(card) => Response::jpeg(503, card),
        None => Response::text(
            503,
            format!("no live picture: {}\n", camera.unavailable_reason()),
        ),
    };
    response.with("Retry-After", "2")
}

/// True for the `<img>` of a page: every browser then names picture types first. Programs accept
/// anything, and a browser that opens the address wants a text.
fn is_from_image(request: &Request) -> bool {
    let accept = request.header("Accept").unwrap_or_default();
    accept.trim_start().starts_with("image/")
}

fn live_frame(slot: &Arc<Slot>, asked_for: SnapshotQuery) -> Option<Arc<Frame>> {
    let deadline = asked_for.asked + asked_for.patience();
    let _watch = slot.watch();
    let mut newest = slot.latest();
    let asked_for = asked_for.at(newest.as_ref().map_or(0, |frame| frame.sequence()));
    let mut is_awaited = false;
    let mut sequence = 0;
    loop {
        if let Some(frame) = newest {
            if asked_for.accepts(&frame, is_awaited) {
                return Some(frame);
            }
            sequence = frame.sequence();
        }
        newest = match slot.wait_newer(sequence, deadline) {
            WaitOutcome::Newer(frame) => Some(frame),
            WaitOutcome::TimedOut | WaitOutcome::Closed => return None,
        };
        is_awaited = true;
    }
}

/// The frame, or only its headers when the client has it already.
fn picture(frame: Arc<Frame>, request: &Request, name: &CameraName) -> Response {
    let sequence = frame.sequence();
    let captured = frame.captured().unix;
    let name = file_name(name, captured);
    let modified = httpdate::HttpDate::from(UNIX_EPOCH + captured);
    let etag = etag(sequence);
    let has_it = request
        .header("If-None-Match")
        .is_some_and(|had| is_named(had, &etag));
    let response = if has_it {
        Response::new(304, "image/jpeg", &[][..]).with("Cache-Control", "no-store")
    } else {
        Response::jpeg(200, frame)
    };
    response
        .with("ETag", &etag)
        .with(
            "X-Timestamp",
            &format!("{}.{:06}", captured.as_secs(), captured.subsec_micros()),
        )
        .with("X-Sequence", &sequence.to_string())
        .with("Last-Modified", &modified.to_string())
        .with(
            "Content-Disposition",
            &format!("inline; filename=\"{name}\""),
        )
}

/// `camfeed-garden-20261122T134332.123Z.jpg`: sorts by time, in UTC, so that no summer time repeats one. Of
/// the camera's `name` it has what is the same to every system, shell and header.
fn file_name(name: &CameraName, captured: Duration) -> String {
    let plain = name.plain();
    let between = if plain.is_empty() { "" } else { "-" };
    let millis = i64::try_from(captured.as_millis()).unwrap_or(i64::MAX);
    let time = Timestamp::from_millisecond(millis).unwrap_or_default();
    let time = time.strftime("%Y%m%dT%H%M%S%.3f");
    format!("camfeed-{plain}{between}{time}Z.jpg")
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::{
        feed::frame::CaptureTime,
        http::{
            answers::snapshot_query::{ANSWER_TIMEOUT, NEXT_FRAME_TIMEOUT},
            query::Query,
        },
    };

    fn frame(sequence: u64, age: Duration) -> Frame {
        Frame::live(sequence, CaptureTime::before_now(age), 4, |out| {
            out.extend_from_slice(b"JPEG")
        })
    }

    fn named(name: &str) -> CameraName {
        argh::FromArgValue::from_arg_value(name).expect("a name")
    }

    #[test]
    fn file_name_carries_the_capture_time() {
        let captured = Duration::from_millis(1_795_354_412_123);
        for (captured, time) in [
            (captured, "20261122T133332.123Z"),
            (Duration::ZERO, "19700101T000000.000Z"),
        ] {
            assert_eq!(
                file_name(&named("庭"), captured),
                format!("camfeed-{time}.jpg")
            );
        }
    }

    #[test]
    fn file_name_has_of_the_cameras_what_is_plain() {
        for (name, plain) in [
            ("Garden", "Garden-"),
            ("front door_2.left", "front-door_2.left-"),
            ("a  b", "a-b-"),
            ("a - b", "a---b-"),
            ("a/b\\c:\"d\"", "a-b-c-d-"),
            ("../../etc", "etc-"),
            (".hidden.", "hidden-"),
            ("-rf", "rf-"),
            ("Gärten", "G-rten-"),
            ("庭", ""),
            ("...", ""),
            ("_", "_-"),
        ] {
            let expected = format!("camfeed-{plain}19700101T000000.000Z.jpg");
            assert_eq!(file_name(&named(name), Duration::ZERO), expected, "{name}");
        }
    }

    fn parsed(query: &str, asked: Instant) -> SnapshotQuery {
        SnapshotQuery::parse(&Query::new(query), asked).expect("well formed")
    }

    /// When the client of a request asked that has been waiting for nearly `patience`.
    fn nearly_late(patience: Duration) -> Instant {
        let waited = patience - Duration::from_millis(20);
        Instant::now().checked_sub(waited).expect("later")
    }

    /// The sequence that a client with this query gets when frame `sequence` is published while it
    /// waits.
    fn got_while_waiting(slot: &Arc<Slot>, query: &str, sequence: u64) -> Option<u64> {
        let asked_for = parsed(query, Instant::now());
        let waiting = Arc::clone(slot);
        let waiter = std::thread::spawn(move || live_frame(&waiting, asked_for));
        while !slot.is_watched() {
            std::thread::yield_now();
        }
        slot.publish(frame(sequence, Duration::ZERO));
        let got = waiter.join().expect("no panic");
        got.map(|frame| frame.sequence())
    }

    #[test]
    fn a_young_frame_is_taken_and_an_old_one_is_not() {
        let slot = Arc::new(Slot::default());
        slot.publish(frame(1, Duration::from_secs(2)));
        assert!(live_frame(&slot, parsed("", nearly_late(ANSWER_TIMEOUT))).is_none());
        slot.publish(frame(2, Duration::from_millis(100)));
        assert!(live_frame(&slot, parsed("", Instant::now())).is_some());
    }

    #[test]
    fn fresh_means_captured_after_the_request() {
        let slot = Arc::new(Slot::default());
        slot.publish(frame(1, Duration::from_millis(100)));
        assert_eq!(got_while_waiting(&slot, "fresh=1", 2), Some(2));
    }

    #[test]
    fn after_waits_for_a_later_sequence() {
        let slot = Arc::new(Slot::default());
        slot.publish(frame(4, Duration::ZERO));
        let late = parsed("after=4", nearly_late(NEXT_FRAME_TIMEOUT));
        assert!(live_frame(&slot, late).is_none());
        assert_eq!(got_while_waiting(&slot, "after=4", 5), Some(5));
    }

    #[test]
    fn after_a_sequence_of_an_earlier_start_comes_the_newest_at_once() {
        let slot = Arc::new(Slot::default());
        slot.publish(frame(4, Duration::ZERO));
        let got = live_frame(&slot, parsed("after=5", nearly_late(NEXT_FRAME_TIMEOUT)));
        assert_eq!(got.expect("at once").sequence(), 4);
    }

    #[test]
    fn a_placeholder_is_never_a_snapshot() {
        let slot = Arc::new(Slot::default());
        slot.publish(Frame::placeholder(1, b"CARD", "why"));
        assert!(live_frame(&slot, parsed("", nearly_late(ANSWER_TIMEOUT))).is_none());
    }
}
