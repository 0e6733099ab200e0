//! The supervisor of a camera: what is opened, when, and what is shown meanwhile.
//!
//! One thread per camera for as long as the program runs. It waits for the word of its capture
//! threads with a deadline, never for a device, so it notices a device that hangs. A thread it
//! gives up keeps its device until OpenCV comes back to it; the next one waits a little for that,
//! and threads that never come back end the program, which its service starts anew. An outage is
//! said once when it begins and once when it ends; the tries between are for `debug`.

use super::{
    node,
    outage::Outages,
    placeholder, report,
    thread::{Capture, Event, Lease, What},
    watch,
};
use crate::{
    camera::{Camera, Facts, State},
    config::Device,
    encode::Encoders,
    error::{Cause, Error},
    shutdown::Stop,
};
use crossbeam_channel::{Receiver, Sender, bounded, select, unbounded};
use log::{Level, debug, info, warn};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

/// First and longest wait before a lost device is tried again.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(5));

/// A device that stays online this long has its back-off forgiven.
const FORGIVEN: Duration = Duration::from_secs(10);

/// An open may take this much longer than the camera's time-out: network sources are slow.
const OPENING: Duration = Duration::from_secs(10);

/// A node that just appeared is given to its group a moment later.
const SETTLING: Duration = Duration::from_millis(50);

/// Placeholders come at this pace; a viewer's connection is never silent for longer.
const PLACEHOLDER_PERIOD: Duration = Duration::from_secs(1);

/// Nodes that did not open in place of the test pattern are tried again after this long even if
/// nothing was plugged in.
const SCOUT_AGAIN: Duration = Duration::from_secs(15);

/// For so long the camera that was there is waited for when another one has its number.
const LOYALTY: Duration = Duration::from_secs(60);

/// How long a thread that was given up may keep its device before the next one is launched.
const LETTING_GO: Duration = Duration::from_secs(2);

/// As many threads that never come back end the program.
const MOST_STUCK: usize = 3;

/// See the module.
pub struct Supervisor {
    camera: Arc<Camera>,
    encoders: Encoders,
    stop: Arc<Stop>,
    events: Sender<Event>,
    inbox: Receiver<Event>,
    /// Told when somebody begins to watch.
    watched: Receiver<()>,
    /// Told when a camera node may have come.
    plugged: Receiver<()>,
    /// Capture threads launched so far.
    launched: u64,
    /// The capture thread whose pictures count, or whose first picture is awaited.
    lease: Arc<Lease>,
    /// Threads that were given up and have not ended yet, with the time of that.
    given_up: Vec<(u64, Instant)>,
    phase: Phase,
    started: Instant,
    back_off: Duration,
    next_placeholder: Instant,
    outages: Outages,
    /// The camera's name that does not change with its number; kept while it is away.
    stable: Option<PathBuf>,
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
    /// The device is released until somebody watches.
    Idle,
}

/// The search for a camera while `auto` shows the test pattern.
struct Scout {
    is_needed: bool,
    next: Instant,
    lease: Option<Arc<Lease>>,
}

impl Supervisor {
    /// A supervisor that has done nothing yet.
    pub fn new(camera: Arc<Camera>, encoders: Encoders, stop: Arc<Stop>) -> Supervisor {
        let (events, inbox) = unbounded();
        let (waker, watched) = bounded(1);
        camera.slot.wake_on_watch(waker);
        let (plug, plugged) = bounded(1);
        if is_node(&camera.config.device) {
            watch::start(plug);
        } else {
            // Never told anything; forgotten, so that the channel stays open.
            std::mem::forget(plug);
        }
        let outages = Outages::new(is_node(&camera.config.device));
        let now = Instant::now();
        Supervisor {
            camera,
            encoders,
            stop,
            events,
            inbox,
            watched,
            plugged,
            launched: 0,
            lease: Arc::new(Lease::new(0)),
            given_up: Vec::new(),
            phase: Phase::Waiting { until: now },
            started: now,
            back_off: BACK_OFF.0,
            next_placeholder: now + PLACEHOLDER_PERIOD,
            outages,
            stable: None,
            has_had_camera: false,
            scout: Scout {
                is_needed: false,
                next: now,
                lease: None,
            },
        }
    }

    /// Runs until the program ends; an error is to end it.
    pub fn run(mut self) -> Result<(), Error> {
        while !self.stop.is_set() {
            self.act(Instant::now())?;
            let wait = self.deadline().saturating_duration_since(Instant::now());
            select! {
                recv(self.inbox) -> event => match event {
                    Ok(Event { lease, what: What::Online(facts) }) => self.online(lease, facts),
                    Ok(Event { lease, what: What::Ended(error) }) => self.ended(lease, &error),
                    Err(_) => break,
                },
                recv(self.watched) -> _ => self.watched()?,
                recv(self.plugged) -> _ => self.plugged(),
                default(wait) => {}
            }
        }
        self.lease.revoke();
        Ok(())
    }

    /// Does what is due.
    fn act(&mut self, now: Instant) -> Result<(), Error> {
        let timeout = self.camera.config.timeout;
        match self.phase {
            Phase::Waiting { until } if now >= until => self.open(now, 0)?,
            Phase::Opening { since } if now >= since + timeout + OPENING => {
                self.give_up(now);
                self.offline(&self.silent("it does not answer"), now);
            }
            Phase::Online { patience, .. } if now >= self.lease.last_picture() + patience => {
                self.give_up(now);
                let reason = format!("it has given no picture for {} s", patience.as_secs());
                self.offline(&self.silent(&reason), now);
            }
            Phase::Online { .. } if self.is_unwanted() => self.rest(now),
            _ => {}
        }
        self.outages.remind(now);
        let shows_placeholder = !matches!(self.phase, Phase::Online { .. });
        if shows_placeholder && now >= self.next_placeholder && self.camera.slot.is_watched() {
            self.next_placeholder = now + PLACEHOLDER_PERIOD;
            if let Err(error) = placeholder::publish(&self.camera) {
                debug!("{error}");
            }
        }
        if self.scout.is_needed && now >= self.scout.next {
            self.scout.next = now + SCOUT_AGAIN;
            self.look_for_cameras(now);
        }
        Ok(())
    }

    /// When something may be due next, whatever else happens.
    fn deadline(&self) -> Instant {
        let now = Instant::now();
        let timeout = self.camera.config.timeout;
        let mut due = match self.phase {
            Phase::Waiting { until } => until,
            Phase::Opening { since } => since + timeout + OPENING,
            Phase::Online { patience, .. } => self.lease.last_picture() + patience,
            Phase::Idle => now + PLACEHOLDER_PERIOD,
        };
        if self.scout.is_needed {
            due = due.min(self.scout.next);
        }
        let left_to_rest = self.camera.config.idle_timeout.and_then(|idle| {
            let unwatched = self.camera.slot.unwatched_for(self.started)?;
            Some(now + idle.saturating_sub(unwatched))
        });
        if let (Phase::Online { .. }, Some(rest)) = (&self.phase, left_to_rest) {
            due = due.min(rest);
        }
        if !matches!(self.phase, Phase::Online { .. }) && self.camera.slot.is_watched() {
            due = due.min(self.next_placeholder);
        }
        due
    }

    /// Opens the device, unless a thread that was given up may still hold it.
    fn open(&mut self, now: Instant, warmup: u32) -> Result<(), Error> {
        let letting_go = self
            .given_up
            .iter()
            .map(|(_, since)| *since + LETTING_GO)
            .max();
        if let Some(until) = letting_go.filter(|until| *until > now) {
            self.phase = Phase::Waiting { until };
            return Ok(());
        }
        if self.given_up.len() >= MOST_STUCK {
            if !self.is_node() {
                // A pipeline or a file that blocks is its user's to mend; more threads would only
                // hang beside those.
                self.phase = Phase::Waiting {
                    until: now + BACK_OFF.1,
                };
                return Ok(());
            }
            return Err(Error::Stuck(self.given_up.len()));
        }
        self.outages.note_try();
        match self
            .devices(now)
            .and_then(|devices| self.launch(devices, warmup))
        {
            Ok(lease) => {
                self.lease = lease;
                self.phase = Phase::Opening { since: now };
            }
            Err(error) => self.offline(&error, now),
        }
        Ok(())
    }

    /// What to try, best first. A camera that has been online is looked for under the name that
    /// does not change with its number; another one that got its number meanwhile is taken only
    /// when the first stays away.
    fn devices(&self, now: Instant) -> Result<Vec<Device>, Error> {
        let known = self.stable.iter().filter(|name| name.exists());
        let mut devices: Vec<Device> = known.cloned().map(Device::Node).collect();
        match &self.camera.config.device {
            Device::Auto => {
                devices.extend(node::cameras().into_iter().map(Device::Node));
                if !self.has_had_camera {
                    devices.push(Device::Auto);
                }
            }
            device if devices.is_empty() => {
                let other = node::stable_name(Path::new(&device.to_string()));
                let is_early = self
                    .outages
                    .began()
                    .is_some_and(|began| now < began + LOYALTY);
                match &self.stable {
                    Some(stable) if other.is_some() && is_early => {
                        let stable = stable.display();
                        let reason = format!("another camera has its number: waiting for {stable}");
                        let (device, cause) = (device.to_string(), Cause::Missing);
                        return Err(Error::Open {
                            device,
                            cause,
                            reason,
                        });
                    }
                    _ => devices.push(device.clone()),
                }
            }
            _ => {}
        }
        Ok(devices)
    }

    fn launch(&mut self, devices: Vec<Device>, warmup: u32) -> Result<Arc<Lease>, Error> {
        self.launched += 1;
        let lease = Arc::new(Lease::new(self.launched));
        let capture = Capture {
            camera: Arc::clone(&self.camera),
            encoders: self.encoders.clone(),
            events: self.events.clone(),
            lease: Arc::clone(&lease),
            stop: Arc::clone(&self.stop),
            warmup,
        };
        capture.launch(devices).map(|()| lease)
    }

    fn online(&mut self, id: u64, facts: Facts) {
        let now = Instant::now();
        if let Some(lease) = self.scout.lease.take_if(|lease| lease.id == id) {
            self.give_up(now);
            self.lease = lease;
            info!("a camera was plugged in and takes over from the test pattern");
        } else if id != self.lease.id {
            return;
        }
        if facts.is_fallback {
            warn!(
                "no camera found: showing the built-in test pattern; \
                 a camera plugged in later takes over \
                 (a Raspberry Pi camera module: see `camfeed --list`)"
            );
        } else {
            self.has_had_camera = true;
        }
        self.scout.is_needed = facts.is_fallback;
        self.scout.next = now + SCOUT_AGAIN;
        self.stable.clone_from(&facts.stable);
        // A source slower than the time-out is not hanging between two pictures.
        let period = Duration::from_secs_f64(facts.fps.map_or(0.0, |fps| 3.0 / fps));
        let patience = self.camera.config.timeout.max(period);
        self.phase = Phase::Online {
            since: now,
            patience,
        };
        let is_known = {
            let mut status = self.camera.status();
            let is_known = status.facts == facts;
            status.state = State::Online;
            status.since = now;
            status.reason = None;
            status.facts = facts.clone();
            is_known
        };
        self.lease.activate();
        // Said last: whoever reads the log may ask at once.
        if self.outages.end(now) {
            self.camera.stats.reopened.increment();
        }
        report::say(&facts, if is_known { Level::Debug } else { Level::Info });
    }

    fn ended(&mut self, id: u64, error: &Error) {
        self.given_up.retain(|(given_up, _)| *given_up != id);
        if self.scout.lease.take_if(|lease| lease.id == id).is_some() {
            debug!("{error}");
        } else if id == self.lease.id
            && matches!(self.phase, Phase::Opening { .. } | Phase::Online { .. })
        {
            self.offline(error, Instant::now());
        } else if let Phase::Waiting { until } = &mut self.phase {
            // The device is free again.
            *until = (*until).min(Instant::now() + BACK_OFF.0);
        }
    }

    /// Somebody begins to watch.
    fn watched(&mut self) -> Result<(), Error> {
        let now = Instant::now();
        if matches!(self.phase, Phase::Idle) {
            let mut status = self.camera.status();
            status.state = State::Opening;
            status.since = now;
            status.reason = Some("the camera is being woken".to_owned());
            drop(status);
            self.next_placeholder = now + PLACEHOLDER_PERIOD;
            self.open(now, self.camera.config.warmup)?;
        }
        Ok(())
    }

    /// A camera node may have come.
    fn plugged(&mut self) {
        let soon = Instant::now() + SETTLING;
        if let Phase::Waiting { until } = &mut self.phase {
            *until = (*until).min(soon);
            self.back_off = BACK_OFF.0;
        }
        self.scout.next = self.scout.next.min(soon);
    }

    /// True when nobody has watched for the idle time-out.
    fn is_unwanted(&self) -> bool {
        let unwatched = self.camera.slot.unwatched_for(self.started);
        match (self.camera.config.idle_timeout, unwatched) {
            (Some(idle), Some(unwatched)) => unwatched >= idle,
            _ => false,
        }
    }

    /// Releases the device until somebody watches.
    fn rest(&mut self, now: Instant) {
        self.give_up(now);
        self.phase = Phase::Idle;
        debug!("nobody watches: the camera is released");
        let mut status = self.camera.status();
        status.state = State::Idle;
        status.since = now;
        status.reason = Some("the camera rests until somebody watches".to_owned());
    }

    /// Nothing the current capture thread does counts any more.
    fn give_up(&mut self, now: Instant) {
        self.lease.revoke();
        self.given_up.push((self.lease.id, now));
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
        {
            let mut status = self.camera.status();
            status.state = State::Offline;
            status.since = self.outages.began().unwrap_or(now);
            status.reason = Some(error.to_string());
            status.nameless = Some(error.nameless().to_owned());
        }
        self.outages.go_on(error, now);
    }

    fn silent(&self, reason: &str) -> Error {
        let device = self.camera.status().facts.source.clone();
        Error::Read {
            device,
            cause: Cause::Silent,
            reason: reason.to_owned(),
        }
    }

    /// True when the device is a camera's node: its driver may be past help by this process.
    fn is_node(&self) -> bool {
        is_node(&self.camera.config.device)
    }

    /// Tries the cameras there are beside the running test pattern.
    fn look_for_cameras(&mut self, now: Instant) {
        if let Some(lease) = &self.scout.lease {
            if now < lease.last_picture() + self.camera.config.timeout + OPENING {
                return;
            }
            lease.revoke();
            self.scout.lease = None;
        }
        let devices: Vec<_> = node::cameras().into_iter().map(Device::Node).collect();
        if !devices.is_empty() {
            match self.launch(devices, 0) {
                Ok(lease) => self.scout.lease = Some(lease),
                Err(error) => debug!("{error}"),
            }
        }
    }
}

fn is_node(device: &Device) -> bool {
    matches!(device, Device::Auto | Device::Number(_) | Device::Node(_))
}
