//! The stream: one viewer's loop from admission to farewell.
//!
//! Waits for a newer frame, writes its part, and when it comes back from writing takes the newest
//! again: a slow viewer misses frames, it never queues them. While nothing newer comes there are signs of
//! life.

use crate::{
    feed::{
        camera::Camera,
        frame::Frame,
        multipart,
        slot::{Slot, WaitOutcome},
        viewers::Admission,
    },
    http::{
        answers::{
            pace::Pace,
            sign_of_life::{self, SignsOfLife},
            viewing::{LastSent, Viewing, seen_before},
        },
        app::App,
        net::{
            connection::{Connection, Written},
            viewer_backlog::ViewerBacklog,
        },
        request::Request,
        response::Response,
    },
};
use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

/// A viewer that was behind is looked at again after this long, when nothing newer comes before.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// A viewer's stream that was admitted and has not begun.
#[derive(Debug)]
pub struct Stream {
    camera: Arc<Camera>,
    viewing: Viewing,
}

/// Admits a viewer of `camera`, or says why not.
///
/// # Errors
///
/// As [`Viewing::admit`].
pub fn answer(request: &Request, app: &App, camera: &Arc<Camera>) -> Result<Stream, Response> {
    Ok(Stream {
        camera: Arc::clone(camera),
        viewing: Viewing::admit(request, app, vec![Arc::clone(camera)])?,
    })
}

impl Stream {
    /// Streams to the viewer until it leaves or the program ends.
    pub fn run(self, connection: Connection, request: &Request, app: &App) {
        let camera = self.camera;
        let feed = |connection: &Connection, admission: &Admission, pace, signs| {
            feed(connection, &camera, admission, pace, signs)
        };
        self.viewing.run(connection, request, app, feed);
    }
}

/// Writes parts to a viewer until it is gone (an error) or the program ends.
fn feed(
    connection: &Connection,
    camera: &Camera,
    admission: &Admission,
    mut pace: Option<Pace>,
    signs: SignsOfLife,
) -> io::Result<()> {
    let slot = &camera.slot;
    let _watch = slot.watch();
    let mut signs = signs.that_paint(pace.as_ref().map(|pace| pace.interval));
    let mut backlog = ViewerBacklog::default();
    let mut last: Option<LastSent> = None;
    // The newest frame, when the viewer was behind.
    let mut held_back: Option<Arc<Frame>> = None;
    // The newest frame considered, sent or not.
    let mut seen = seen_before(slot);
    let mut sign_at = Instant::now() + sign_of_life::INTERVAL;
    loop {
        let opens_at = pace.as_ref().map(Pace::opens_at);
        if let Some(opens_at) = opens_at {
            slot.wait_closed(opens_at.min(sign_at));
        }
        let is_open = opens_at.is_none_or(|opens_at| opens_at <= sign_at);
        if opens_at.is_some() && is_open {
            // Frames that passed meanwhile are not missed: nobody wanted them.
            let newest = slot.latest().map_or(0, |frame| frame.sequence());
            seen = seen.max(newest);
            if let Some(last) = &mut last {
                last.unwanted = newest.saturating_sub(last.frame.sequence());
            }
        }
        // A pace that opens after the sign has no place for any frame until then.
        let newer_than = if is_open { seen } else { u64::MAX };
        let frame = match slot.wait_newer(newer_than, sign_at) {
            WaitOutcome::Newer(frame) => Some(frame),
            // One that was not sent because the viewer was behind, or none.
            WaitOutcome::TimedOut => held_back.take(),
            WaitOutcome::Closed => {
                let farewell = multipart::CLOSE.as_bytes();
                return connection.write_all(farewell).map(drop);
            }
        };
        if !backlog.may_send(|| Some((connection.tcp_info()?, Instant::now()))) {
            held_back = frame.or(held_back);
            seen = seen.max(held_back.as_ref().map_or(0, |frame| frame.sequence()));
            sign_at = Instant::now() + LOOK_AGAIN;
            continue;
        }
        let is_new = |frame: &Arc<Frame>| {
            last.as_ref()
                .is_none_or(|last| frame.sequence() > last.frame.sequence())
        };
        match frame.filter(is_new) {
            Some(frame) => {
                held_back = None;
                let (frame, written) = send_newest(connection, slot, frame)?;
                let missed = last.as_ref().map_or(0, |last| last.missed_until(&frame));
                let (bytes, now) = (frame.part().len(), Instant::now());
                backlog.note_sent(written, now);
                admission.note_frame(bytes, missed, now);
                sign_at = signs.after_frame(now);
                if let Some(pace) = &mut pace {
                    pace.sent(now, camera.stats.rate.per_second(now));
                }
                seen = frame.sequence();
                last = Some(LastSent { frame, unwanted: 0 });
            }
            None => {
                let mut now = Instant::now();
                if let Some(last) = &last {
                    let sign = signs.line().unwrap_or(last.frame.part());
                    let written = connection.write_all(sign)?;
                    now = Instant::now();
                    backlog.note_sent(written, now);
                    admission.note_repeat(sign.len());
                }
                sign_at = now + sign_of_life::INTERVAL;
            }
        }
    }
}

/// Sends `frame`, or the newest there is by the time the kernel takes bytes; gives what it sent and
/// whether it had to wait.
fn send_newest(
    connection: &Connection,
    slot: &Slot,
    mut frame: Arc<Frame>,
) -> io::Result<(Arc<Frame>, Written)> {
    let mut outcome = Written::AtOnce;
    loop {
        if let Some(written) = connection.try_write(frame.part())? {
            let rest = &frame.part()[written..];
            if connection.write_all(rest)? == Written::Waiting {
                outcome = Written::Waiting;
            }
            return Ok((frame, outcome));
        }
        outcome = Written::Waiting;
        connection.wait_writable()?;
        frame = slot.latest().unwrap_or(frame);
    }
}
