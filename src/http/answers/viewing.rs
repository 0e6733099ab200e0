//! What `/stream` and `/streams` have in common: what their viewers may ask for, the head, the place that a
//! viewer takes, and how it ends.

use crate::{
    feed::{
        camera::Camera,
        frame::Frame,
        multipart,
        slot::Slot,
        viewers::{Admission, LeaveReason},
    },
    http::{
        answers::{pace::Pace, sign_of_life::SignsOfLife},
        app::App,
        net::connection::Connection,
        query,
        request::{Method, Request},
        response::Response,
    },
};
use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

/// A frame this old is not worth beginning with; the next one is.
const STALE: Duration = Duration::from_millis(500);

/// Range of `?fps=`.
const FPS: std::ops::RangeInclusive<f64> = 0.1..=120.0;

/// A viewer that was admitted and whose stream has not begun.
#[derive(Debug)]
pub struct Viewing {
    head: Response,
    admission: Admission,
    pace: Option<Pace>,
    signs: SignsOfLife,
}

impl Viewing {
    /// Admits a viewer of the cameras `watched`, or says why not.
    ///
    /// `?type=bytes` asks for the same parts under a type that no browser interprets: WebKit's network
    /// layer takes a `multipart/x-mixed-replace` answer apart itself (seen with WebKitGTK 2.50), so
    /// that `fetch()` never sees its bytes. Who cuts them apart needs no repeated ones.
    ///
    /// # Errors
    ///
    /// The response that says so; also the head alone, where a HEAD asks for it.
    pub fn admit(
        request: &Request,
        app: &App,
        watched: Vec<Arc<Camera>>,
    ) -> Result<Viewing, Response> {
        let asked = &request.target.query;
        let rates = "are 0.1 to 120 frames a second";
        let fps = asked.number("fps", |fps| FPS.contains(fps), rates);
        let fps = fps.map_err(|line| Response::text(400, line))?;
        let (media_type, has_lines) = match asked.get("type").as_deref() {
            None => ("multipart/x-mixed-replace", false),
            Some("bytes") => ("application/octet-stream", true),
            Some(text) => return Err(Response::text(400, query::wrong("type", text, "is bytes"))),
        };
        let head = Response::endless(&format!("{media_type}; boundary={}", multipart::BOUNDARY))
            .with(
                "Cache-Control",
                "no-store, no-cache, must-revalidate, max-age=0",
            )
            .with("Pragma", "no-cache")
            .with("Expires", "0")
            .with("X-Accel-Buffering", "no");
        if request.method == Method::Head {
            return Err(head);
        }
        let Some(admission) = app
            .viewers
            .admit(request.client, request.peer.to_string(), watched)
        else {
            let line = "as many people as allowed are watching\n";
            return Err(Response::text(503, line).with("Retry-After", "5"));
        };
        Ok(Viewing {
            head,
            admission,
            pace: fps.map(|fps| Pace::new(fps, Instant::now())),
            signs: SignsOfLife::new(has_lines),
        })
    }

    /// Sends the head and has `feed` write parts, until the viewer is gone (an error) or the program ends.
    pub fn run(
        self,
        connection: Connection,
        request: &Request,
        app: &App,
        feed: impl FnOnce(&Connection, &Admission, Option<Pace>, SignsOfLife) -> io::Result<()>,
    ) {
        let head = self
            .head
            .head(request.is_http_1_0, false, app.allow_origin.as_ref());
        let outcome = connection
            .write_both(&head, multipart::DELIMITER.as_bytes())
            .and_then(|_| feed(&connection, &self.admission, self.pace, self.signs));
        match outcome {
            Ok(()) => self.admission.leave(LeaveReason::Ending),
            Err(failure) => {
                // Closed before its place is free, and with what it did not take.
                connection.reset();
                self.admission.leave(LeaveReason::Gone(failure.kind()));
            }
        }
    }
}

/// What a viewer was sent last of a camera.
#[derive(Debug)]
pub struct LastSent {
    /// The frame.
    pub frame: Arc<Frame>,
    /// Frames since then that its pace had no place for.
    pub unwanted: u64,
}

impl LastSent {
    /// Frames that came and went between it and `next` although they were wanted.
    pub fn missed_until(&self, next: &Frame) -> u64 {
        (next.sequence() - self.frame.sequence() - 1).saturating_sub(self.unwanted)
    }
}

/// The sequence that a new viewer needs none up to: the newest frame is worth beginning with while it is
/// young.
pub fn seen_before(slot: &Slot) -> u64 {
    match slot.latest() {
        Some(frame) if frame.age() < STALE => frame.sequence() - 1,
        Some(frame) => frame.sequence(),
        None => 0,
    }
}
