//! The supervisor of a camera: what is opened, when, and what is shown meanwhile.
//!
//! One thread per camera for as long as the program runs. It waits for the word of its capture
//! threads with a deadline, never for a device, so it notices a device that hangs. An outage is
//! said once when it begins and once when it ends; the tries between are for `debug`.

use super::{
    nodes, placeholder,
    thread::{Capture, Event, Lease, What},
};
use crate::{
    camera::{Camera, Facts, State},
    config::Device,
    encode::Encoders,
    error::Error,
    shutdown::Stop,
};
use crossbeam_channel::{Receiver, Sender, unbounded};
use log::{debug, info, warn};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// First and longest wait before a lost device is tried again.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(5));

/// A device that stays online this long has its back-off forgiven.
const FORGIVEN: Duration = Duration::from_secs(10);

/// A device that gives no picture for this long hangs; slow sources get longer, see `patience`.
const CAMERA_TIMEOUT: Duration = Duration::from_secs(5);

/// An open that takes longer than this hangs.
const OPEN_TIMEOUT: Duration = Duration::from_secs(15);

/// Placeholders come at this pace; a viewer's connection is never silent for longer.
const PLACEHOLDER_PERIOD: Duration = Duration::from_secs(1);

/// How often `auto`, on the test pattern, looks whether a camera was plugged in.
const SCOUT_PERIOD: Duration = Duration::from_secs(1);

/// Nodes that did not open are tried again after this long even if nothing was plugged in.
const SCOUT_AGAIN: Duration = Duration::from_secs(15);

/// See the module.
pub struct Supervisor {
    camera: Arc<Camera>,
    encoders: Encoders,
    stop: Arc<Stop>,
    events: Sender<Event>,
    inbox: Receiver<Event>,
    /// Capture threads launched so far.
    launched: u64,
    /// The capture thread whose pictures count, or whose first picture is awaited.
    lease: Arc<Lease>,
    phase: Phase,
    back_off: Duration,
    next_placeholder: Instant,
    outage: Option<Outage>,
    /// Once a real camera was online, `auto` waits for one and never shows the pattern again.
    has_had_camera: bool,
    scout: Scout,
}

enum Phase {
    /// A capture thread opens the device.
    Opening { since: Instant },
    /// Pictures come.
    Online { since: Instant, patience: Duration },
    /// The device is tried again then.
    Waiting { until: Instant },
}

struct Outage {
    began: Instant,
    tries: u32,
}

/// The search for a camera while `auto` shows the test pattern.
struct Scout {
    is_needed: bool,
    next: Instant,
    seen: Vec<Device>,
    tried: Instant,
    lease: Option<Arc<Lease>>,
}

impl Supervisor {
    /// A supervisor that has done nothing yet.
    pub fn new(camera: Arc<Camera>, encoders: Encoders, stop: Arc<Stop>) -> Supervisor {
        let (events, inbox) = unbounded();
        let now = Instant::now();
        Supervisor {
            camera,
            encoders,
            stop,
            events,
            inbox,
            launched: 0,
            lease: Arc::new(Lease::new(0)),
            phase: Phase::Waiting { until: now },
            back_off: BACK_OFF.0,
            next_placeholder: now + PLACEHOLDER_PERIOD,
            outage: None,
            has_had_camera: false,
            scout: Scout {
                is_needed: false,
                next: now,
                seen: Vec::new(),
                tried: now,
                lease: None,
            },
        }
    }

    /// Runs until the program ends.
    pub fn run(mut self) {
        while !self.stop.is_set() {
            self.act(Instant::now());
            match self.inbox.recv_deadline(self.next_deadline(Instant::now())) {
                Ok(Event {
                    lease,
                    what: What::Online(facts),
                }) => self.online(lease, facts),
                Ok(Event {
                    lease,
                    what: What::Ended(error),
                }) => self.ended(lease, &error),
                Err(_) => {}
            }
        }
        self.lease.revoke();
    }

    /// Does what is due.
    fn act(&mut self, now: Instant) {
        match self.phase {
            Phase::Waiting { until } if now >= until => self.open(now),
            Phase::Opening { since } if now >= since + OPEN_TIMEOUT => {
                self.lease.revoke();
                let reason = "it does not answer";
                self.offline(&self.lost(reason), now);
            }
            Phase::Online { patience, .. } if now >= self.lease.last_picture() + patience => {
                self.lease.revoke();
                let reason = format!("it has given no picture for {} s", patience.as_secs());
                self.offline(&self.lost(&reason), now);
            }
            _ => {}
        }
        if !matches!(self.phase, Phase::Online { .. })
            && now >= self.next_placeholder
            && self.camera.slot.is_watched()
        {
            self.next_placeholder = now + PLACEHOLDER_PERIOD;
            if let Err(error) = placeholder::publish(&self.camera) {
                debug!("{error}");
            }
        }
        if self.scout.is_needed && now >= self.scout.next {
            self.scout.next = now + SCOUT_PERIOD;
            self.look_for_cameras(now);
        }
    }

    /// When something may be due next, whatever else happens.
    fn next_deadline(&self, now: Instant) -> Instant {
        let due = match self.phase {
            Phase::Waiting { until } => until,
            Phase::Opening { since } => since + OPEN_TIMEOUT,
            Phase::Online { patience, .. } => {
                let due = self.lease.last_picture() + patience;
                return if self.scout.is_needed {
                    due.min(self.scout.next)
                } else {
                    due
                };
            }
        };
        // Looks for new viewers a few times a second while it has only placeholders to show.
        due.min(self.next_placeholder.max(now + PLACEHOLDER_PERIOD / 4))
    }

    fn open(&mut self, now: Instant) {
        let config = &self.camera.config;
        let mut devices = match &config.device {
            Device::Auto => nodes::cameras(),
            device => vec![device.clone()],
        };
        if config.device == Device::Auto && !self.has_had_camera {
            self.scout.seen.clone_from(&devices);
            self.scout.tried = now;
            devices.push(Device::Auto);
        }
        if let Some(outage) = &mut self.outage {
            outage.tries += 1;
        }
        match self.launch(devices) {
            Ok(lease) => {
                self.lease = lease;
                self.phase = Phase::Opening { since: now };
            }
            Err(error) => self.offline(&error, now),
        }
    }

    fn launch(&mut self, devices: Vec<Device>) -> Result<Arc<Lease>, Error> {
        self.launched += 1;
        let lease = Arc::new(Lease::new(self.launched));
        let capture = Capture {
            camera: Arc::clone(&self.camera),
            encoders: self.encoders.clone(),
            events: self.events.clone(),
            lease: Arc::clone(&lease),
            stop: Arc::clone(&self.stop),
        };
        capture.launch(devices).map(|()| lease)
    }

    fn online(&mut self, id: u64, facts: Facts) {
        let now = Instant::now();
        let scouted = self.scout.lease.take_if(|lease| lease.id == id);
        if let Some(lease) = scouted {
            self.lease.revoke();
            self.lease = lease;
            info!("a camera was plugged in and takes over from the test pattern");
        } else if id != self.lease.id {
            return;
        }
        let is_pattern = facts.backend == "built-in";
        let is_stopgap = is_pattern && self.camera.config.device == Device::Auto;
        if is_stopgap {
            warn!(
                "no camera found: showing the built-in test pattern; \
                 a camera plugged in later takes over"
            );
        }
        self.has_had_camera |= !is_pattern;
        self.scout.is_needed = is_stopgap;
        if let Some(outage) = self.outage.take() {
            info!(
                "camera back after {} tries={}",
                placeholder::spoken(outage.began.elapsed()),
                outage.tries
            );
            self.camera.stats.reopened.bump();
        }
        say(&facts);
        // A source slower than the time-out is not hanging between two pictures.
        let period = facts.fps.map_or(0.0, |fps| 3.0 / fps);
        let patience = CAMERA_TIMEOUT.max(Duration::from_secs_f64(period));
        self.phase = Phase::Online {
            since: now,
            patience,
        };
        {
            let mut status = self.camera.status();
            status.state = State::Online;
            status.since = now;
            status.reason = None;
            status.facts = facts;
        }
        self.lease.activate();
    }

    fn ended(&mut self, id: u64, error: &Error) {
        if self.scout.lease.take_if(|lease| lease.id == id).is_some() {
            debug!("{error}");
        } else if id == self.lease.id {
            self.offline(error, Instant::now());
        }
    }

    /// Notes that there is no picture and when to try again.
    fn offline(&mut self, error: &Error, now: Instant) {
        if let Phase::Online { since, .. } = self.phase {
            self.next_placeholder = now;
            if now >= since + FORGIVEN {
                self.back_off = BACK_OFF.0;
            }
        }
        debug!("{error}; next try in {} ms", self.back_off.as_millis());
        self.phase = Phase::Waiting {
            until: now + self.back_off,
        };
        self.back_off = (self.back_off * 2).min(BACK_OFF.1);
        let began = self.outage.as_ref().map_or(now, |outage| outage.began);
        if self.outage.is_none() {
            warn!("{error}; trying again until it comes back");
            self.outage = Some(Outage { began, tries: 0 });
        }
        let mut status = self.camera.status();
        status.state = State::Offline;
        status.since = began;
        status.reason = Some(error.to_string());
    }

    fn lost(&self, reason: &str) -> Error {
        let device = self.camera.status().facts.source.clone();
        Error::Read {
            device,
            reason: reason.to_owned(),
        }
    }

    /// Tries the cameras that were plugged in since the last look, beside the running pattern.
    fn look_for_cameras(&mut self, now: Instant) {
        if let Some(lease) = &self.scout.lease {
            if now < lease.last_picture() + OPEN_TIMEOUT {
                return;
            }
            lease.revoke();
            self.scout.lease = None;
        }
        let found = nodes::cameras();
        let again = !found.is_empty() && now >= self.scout.tried + SCOUT_AGAIN;
        let is_new = found.iter().any(|device| !self.scout.seen.contains(device));
        if is_new || again {
            self.scout.tried = now;
            match self.launch(found.clone()) {
                Ok(lease) => self.scout.lease = Some(lease),
                Err(error) => debug!("{error}"),
            }
        }
        self.scout.seen = found;
    }
}

/// One line on what the camera really gave.
fn say(facts: &Facts) {
    let Facts {
        source,
        backend,
        format,
        size,
        fps,
        pass_through,
    } = facts;
    let size = size.map_or_else(|| "unknown".to_owned(), |size| size.to_string());
    let fps = fps.map_or_else(|| "unknown".to_owned(), |fps| format!("{fps:.4}"));
    let fps = fps.trim_end_matches('0').trim_end_matches('.');
    let way = if *pass_through {
        "passed through"
    } else {
        "encoded"
    };
    info!(
        "camera online: source={source} backend={backend} format={format} size={size} fps={fps} {way}"
    );
}
