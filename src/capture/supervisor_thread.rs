//! The supervisor thread: tells the supervisor what happened and when, for as long as the program
//! runs.
//!
//! It waits for capture threads, watchers and camera nodes with a deadline, never for a picture, so it
//! notices a device that hangs.

use crate::{
    capture::{
        capture_thread::CaptureContext, hotplug, lease::CaptureEvent, source,
        supervisor::Supervisor,
    },
    encode::{self, Encoders},
    error::Error,
    feed::{camera::Camera, cameras::Cameras},
    system::{fault_injection, logging, shutdown::ShutdownFlag, threads},
};
use crossbeam_channel::{Receiver, Sender, bounded, never, select, unbounded};
use std::{
    convert::Infallible,
    panic::{self, AssertUnwindSafe},
    sync::Arc,
    time::Instant,
};

/// Starts the encoders and the supervisor of `camera`, one of `cameras`, which run until `stop`. An error in
/// `fatal` is to end the program, and a service then starts all anew. The channel is closed when the
/// supervisor and its capture threads have ended.
pub fn start(
    camera: &Arc<Camera>,
    cameras: &Arc<Cameras>,
    stop: &Arc<ShutdownFlag>,
    fatal: Sender<Error>,
) -> Result<Receiver<Infallible>, Error> {
    let encoders = encode::start(camera)?;
    let (camera, cameras, stop) = (Arc::clone(camera), Arc::clone(cameras), Arc::clone(stop));
    let (running, ended) = bounded(0);
    threads::start("camera", move || {
        let _running = running;
        logging::set_label(camera.address().map(Arc::from));
        let outcome = panic::catch_unwind(AssertUnwindSafe(|| {
            assert!(!fault_injection::is_due("supervisor"), "a fault on purpose");
            run(camera, cameras, encoders, stop)
        }));
        if let Err(error) = outcome.unwrap_or(Err(Error::Supervisor)) {
            let _ = fatal.send(error);
        }
    })?;
    Ok(ended)
}

/// Runs until `stop`, and until the capture threads have ended then.
///
/// # Errors
///
/// [`Error::Stuck`] when capture threads hang and nothing but another process can help.
fn run(
    camera: Arc<Camera>,
    cameras: Arc<Cameras>,
    encoders: Encoders,
    stop: Arc<ShutdownFlag>,
) -> Result<(), Error> {
    let (events, reports) = unbounded();
    let (waker, watchers) = bounded(1);
    camera.slot.wake_on_change(waker);
    let plugged = match &camera.place {
        Some(place) => place.changes(),
        None if source::is_plugged_in(&camera.config.device) => hotplug::start(),
        None => never(),
    };
    let mut inbox = Inbox {
        reports,
        watchers,
        plugged,
    };
    let environment = CaptureContext {
        camera: Arc::clone(&camera),
        cameras,
        encoders,
        advice: Arc::default(),
        events,
        stop: Arc::clone(&stop),
    };
    let mut supervisor = Supervisor::new(camera, environment, Instant::now());
    while !stop.is_set() {
        supervisor.act(Instant::now())?;
        let news = inbox.wait(supervisor.deadline(Instant::now()));
        // What capture threads report when the program ends is no outage.
        if stop.is_set() {
            break;
        }
        let now = Instant::now();
        match news {
            News::Report(event) => supervisor.report(event, now),
            News::Plugged => supervisor.plugged(now),
            News::NoHotplug => supervisor.poll_nodes(now),
            // What is due now depends on who watches.
            News::Watchers | News::Nothing => {}
        }
    }
    supervisor.end(Instant::now());
    drop(supervisor);
    // Its capture threads end now, those that hang excepted: nothing of this camera comes any more.
    while inbox.reports.recv().is_ok() {}
    Ok(())
}

/// Where news come from.
struct Inbox {
    /// From capture threads.
    reports: Receiver<CaptureEvent>,
    /// Somebody begins to watch, or the last one has left.
    watchers: Receiver<()>,
    /// A camera node may have come.
    plugged: Receiver<()>,
}

/// What happened.
#[derive(Debug)]
enum News {
    Report(CaptureEvent),
    Watchers,
    Plugged,
    /// Nodes that come are not reported any more.
    NoHotplug,
    /// The deadline has passed.
    Nothing,
}

impl Inbox {
    /// Waits for news until `deadline`. A channel that was closed is always ready: it is replaced by
    /// one that never is.
    fn wait(&mut self, deadline: Instant) -> News {
        loop {
            let wait = deadline.saturating_duration_since(Instant::now());
            select! {
                recv(self.reports) -> event => match event {
                    Ok(event) => return News::Report(event),
                    Err(_) => self.reports = never(),
                },
                recv(self.watchers) -> change => match change {
                    Ok(()) => return News::Watchers,
                    Err(_) => self.watchers = never(),
                },
                recv(self.plugged) -> change => match change {
                    Ok(()) => return News::Plugged,
                    Err(_) => {
                        self.plugged = never();
                        return News::NoHotplug;
                    }
                },
                default(wait) => return News::Nothing,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// An inbox, and the senders of its three channels.
    fn inbox() -> (Inbox, Sender<CaptureEvent>, Sender<()>, Sender<()>) {
        let (events, reports) = unbounded();
        let (waker, watchers) = bounded(1);
        let (plug, plugged) = bounded(1);
        let inbox = Inbox {
            reports,
            watchers,
            plugged,
        };
        (inbox, events, waker, plug)
    }

    #[test]
    fn a_closed_channel_is_told_of_once_and_never_ready_again() {
        let (mut inbox, events, waker, plug) = inbox();
        drop((waker, plug));
        let far = Instant::now() + Duration::from_secs(60);
        assert!(matches!(inbox.wait(far), News::NoHotplug));
        let soon = Instant::now() + Duration::from_millis(20);
        assert!(matches!(inbox.wait(soon), News::Nothing));
        assert!(Instant::now() >= soon, "it returned before the deadline");
        drop(events);
        let soon = Instant::now() + Duration::from_millis(20);
        assert!(matches!(inbox.wait(soon), News::Nothing));
        assert!(Instant::now() >= soon, "it returned before the deadline");
    }

    #[test]
    fn news_end_the_wait_at_once() {
        let (mut inbox, _events, waker, plug) = inbox();
        let far = Instant::now() + Duration::from_secs(60);
        waker.send(()).expect("open");
        assert!(matches!(inbox.wait(far), News::Watchers));
        plug.send(()).expect("open");
        assert!(matches!(inbox.wait(far), News::Plugged));
    }
}
