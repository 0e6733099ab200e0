//! The supervisor of a camera, as a state machine: what is opened, when, and what is shown meanwhile.
//!
//! `supervisor_thread` tells it what happened and when; it does nothing but through [`Environment`],
//! waits for nothing and reads no clock. A capture thread it abandons keeps its device until OpenCV returns;
//! the next one waits a little for that. `hanging` says what becomes of threads that never come back. An outage
//! is logged once when it begins and once when it ends; the tries between are for `debug`.

mod hanging;
mod search;

use crate::{
    capture::{
        auto_search::AutoSearch,
        back_off::{self, BackOff},
        candidates::{self, Candidates, opening_time},
        environment::Environment,
        hotplug::SETTLING,
        lease::{CaptureEvent, CaptureLease, EndReason},
        online_log::{log_online, warn_of_fallback},
        outage_log::OutageLog,
        picture_timeout::PictureTimeout,
        source,
    },
    config::{Device, Size},
    error::Error,
    feed::{
        camera::{Camera, SourceInfo, State},
        controls::CameraControls,
    },
};
use log::{debug, info};
use std::{
    mem,
    sync::Arc,
    time::{Duration, Instant},
};

/// A device that stays online this long has its back-off forgiven.
const FORGIVEN: Duration = Duration::from_secs(10);

/// Placeholders come at this pace; a viewer's connection is never silent for longer.
const PLACEHOLDER_PERIOD: Duration = Duration::from_secs(1);

/// Longest time between two looks when nothing is due.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// See the module.
pub struct Supervisor<W> {
    camera: Arc<Camera>,
    environment: W,
    /// Capture threads launched so far.
    launched: u64,
    /// Threads that were abandoned and have not ended yet, with the time of that.
    abandoned: Vec<(u64, Instant)>,
    phase: Phase,
    started: Instant,
    back_off: BackOff,
    next_placeholder: Instant,
    outages: OutageLog,
    candidates: Candidates,
    /// Pictures the next thread to come online does not show.
    warmup: u32,
    /// What was launched last begins with a camera module.
    opens_module: bool,
    search: AutoSearch,
}

enum Phase {
    /// A capture thread opens the device, until then at most.
    Opening {
        lease: Arc<CaptureLease>,
        until: Instant,
    },
    /// Pictures come.
    Online {
        lease: Arc<CaptureLease>,
        since: Instant,
        timeout: PictureTimeout,
    },
    /// The device is tried again then.
    Waiting { until: Instant },
    /// The device is released until somebody watches.
    Idle,
}

impl<W: Environment> Supervisor<W> {
    /// A supervisor that has done nothing yet.
    pub fn new(camera: Arc<Camera>, environment: W, now: Instant) -> Supervisor<W> {
        let outages = OutageLog::new(source::is_plugged_in(&camera.config.device));
        Supervisor {
            camera,
            environment,
            launched: 0,
            abandoned: Vec::new(),
            phase: Phase::Waiting { until: now },
            started: now,
            back_off: BackOff::new(),
            next_placeholder: now + PLACEHOLDER_PERIOD,
            outages,
            candidates: Candidates::default(),
            warmup: 0,
            opens_module: false,
            search: AutoSearch::new(),
        }
    }

    /// Does what is due; [`Error::Stuck`] when capture threads hang and only a new process helps.
    pub fn act(&mut self, now: Instant) -> Result<(), Error> {
        match &self.phase {
            Phase::Waiting { until } if now >= *until => self.open(now)?,
            Phase::Opening { until, .. } if now >= *until => {
                self.lose("it does not answer".to_owned(), now);
            }
            Phase::Online { lease, timeout, .. } if now >= timeout.ends(lease) => {
                let seconds = timeout.of(lease).as_secs_f64().round();
                self.lose(format!("it has given no picture for {seconds} s"), now);
            }
            Phase::Online { .. } if self.idle_at().is_some_and(|idle| now >= idle) => {
                self.go_idle(now);
            }
            Phase::Idle if self.camera.slot.is_watched() => self.wake(now)?,
            // It is not well, and this says why.
            Phase::Idle if self.is_gone() => self.open(now)?,
            _ => {}
        }
        self.outages.remind(now);
        if self.shows_placeholder() && now >= self.next_placeholder {
            self.next_placeholder = now + PLACEHOLDER_PERIOD;
            self.environment.show_placeholder();
        }
        if self.search.is_due(now) {
            self.search_cameras(now);
        }
        Ok(())
    }

    /// When something may be due next, whatever else happens.
    pub fn deadline(&self, now: Instant) -> Instant {
        let phase = match &self.phase {
            Phase::Waiting { until } | Phase::Opening { until, .. } => Some(*until),
            Phase::Online { lease, timeout, .. } => self
                .idle_at()
                .into_iter()
                .chain([timeout.ends(lease)])
                .min(),
            Phase::Idle => None,
        };
        let placeholder = self.shows_placeholder().then_some(self.next_placeholder);
        [phase, placeholder, self.search.deadline()]
            .into_iter()
            .flatten()
            .fold(now + LONGEST_WAIT, Instant::min)
    }

    /// A capture thread has reported.
    pub fn report(&mut self, event: CaptureEvent, now: Instant) {
        match event {
            CaptureEvent::Online {
                lease,
                facts,
                controls,
            } => self.online(lease, &facts, controls, now),
            CaptureEvent::Resized { lease, size } => self.resized(lease, size),
            CaptureEvent::Ended { lease, reason } => self.ended(lease, &reason, now),
        }
    }

    /// A camera node may have come.
    pub fn plugged(&mut self, now: Instant) {
        let soon = now + SETTLING;
        if let Phase::Waiting { until } = &mut self.phase {
            *until = (*until).min(soon);
            self.back_off.reset();
        }
        self.search.plugged(soon);
    }

    /// Nobody reports camera nodes that come. A lost camera is tried at the pace of the back-off
    /// anyway.
    pub fn poll_nodes(&mut self, now: Instant) {
        self.search.poll(now);
    }

    /// The program ends: no thread's pictures count any more.
    pub fn end(&mut self, now: Instant) {
        self.abandon_capture(now);
        self.end_search(now);
    }

    /// Opens the device, unless a thread that was abandoned may still hold it.
    fn open(&mut self, now: Instant) -> Result<(), Error> {
        if let Some(until) = self.rests_until(now)? {
            self.phase = Phase::Waiting { until };
            return Ok(());
        }
        self.outages.note_try();
        let (device, lost) = (&self.camera.config.device, self.outages.began());
        let devices = match &self.camera.place {
            Some(place) => candidates::of_found(device, place),
            None => (self.candidates).list(device, lost, now, &self.environment),
        };
        match devices.and_then(|devices| self.launch(devices, self.warmup, now)) {
            Ok(lease) => {
                let until = now + self.camera.config.timeout + opening_time(self.opens_module);
                self.phase = Phase::Opening { lease, until };
            }
            Err(error) => self.offline(&error, now),
        }
        Ok(())
    }

    /// Whether a camera module is what is opened.
    fn are_modules(&self) -> bool {
        self.candidates.are_modules(&self.camera.config.device)
    }

    fn launch(
        &mut self,
        devices: Vec<Device>,
        warmup: u32,
        now: Instant,
    ) -> Result<Arc<CaptureLease>, Error> {
        self.opens_module = matches!(devices.first(), Some(Device::Csi(_)));
        self.launched += 1;
        let lease = Arc::new(CaptureLease::new(self.launched, now));
        self.environment.launch(&lease, devices, warmup)?;
        Ok(lease)
    }

    fn online(
        &mut self,
        id: u64,
        facts: &SourceInfo,
        controls: Option<Arc<dyn CameraControls>>,
        now: Instant,
    ) {
        let lease = match (&self.phase, self.search.take(id)) {
            (_, Some(lease)) => {
                self.abandon_capture(now);
                info!("a camera opens and takes over from the test pattern");
                lease
            }
            (Phase::Opening { lease, .. }, None) if lease.id == id => Arc::clone(lease),
            // It was abandoned meanwhile.
            _ => return,
        };
        if facts.is_fallback {
            warn_of_fallback(facts.hint.as_deref());
            if self.camera.config.device == Device::Auto {
                self.search.begin(self.environment.cameras(), now);
            }
        } else {
            self.end_search(now);
        }
        self.candidates.note_online(facts);
        self.warmup = 0;
        self.camera.use_controls(controls);
        lease.activate();
        let timeout = PictureTimeout::new(facts.fps, self.camera.config.timeout);
        let since = now;
        self.phase = Phase::Online {
            lease,
            since,
            timeout,
        };
        let known = {
            let mut status = self.camera.status();
            (status.state, status.since, status.reason) = (State::Online, now, None);
            mem::replace(&mut status.facts, facts.clone())
        };
        // Said last: whoever reads the log may ask at once.
        if self.outages.end(now) {
            self.camera.stats.reopened.increment();
        }
        let is_chosen = self.camera.config.device != Device::Auto;
        log_online(facts, known == *facts, is_chosen);
    }

    /// The pictures of the camera that is online have another size now.
    fn resized(&mut self, id: u64, size: Size) {
        if matches!(&self.phase, Phase::Online { lease, .. } if lease.id == id) {
            self.camera.status().facts.size = Some(size);
            info!("the camera's pictures are {size} now");
        }
    }

    fn ended(&mut self, id: u64, reason: &EndReason, now: Instant) {
        self.abandoned.retain(|(abandoned, _)| *abandoned != id);
        let is_search = self.search.take(id).is_some();
        match (&mut self.phase, reason) {
            (_, EndReason::Failed(error)) if is_search => debug!("{error}"),
            (Phase::Opening { lease, .. } | Phase::Online { lease, .. }, _) if lease.id == id => {
                // Unwanted is what ends with the program: no outage.
                if let EndReason::Failed(error) = reason {
                    self.offline(error, now);
                }
            }
            // The device is free again.
            (Phase::Waiting { until }, _) => *until = (*until).min(now + back_off::FIRST),
            _ => {}
        }
    }

    /// Somebody watches: opens the released device.
    fn wake(&mut self, now: Instant) -> Result<(), Error> {
        self.set_status(State::Opening, "the camera is being woken", now);
        self.next_placeholder = now + PLACEHOLDER_PERIOD;
        // Kept until a thread comes online, however many tries that takes.
        self.warmup = self.camera.config.warmup;
        self.open(now)
    }

    /// True for a camera that was found and is not there any more.
    fn is_gone(&self) -> bool {
        let place = self.camera.place.as_ref();
        place.is_some_and(|place| place.seen().is_none())
    }

    /// When the device is released, if nobody watches until then.
    fn idle_at(&self) -> Option<Instant> {
        let idle = self.camera.config.idle_timeout?;
        Some(self.camera.slot.unwatched_since(self.started)? + idle)
    }

    /// True while viewers are to be shown that there is no picture.
    fn shows_placeholder(&self) -> bool {
        !matches!(self.phase, Phase::Online { .. }) && self.camera.slot.is_watched()
    }

    /// Releases the device until somebody watches.
    fn go_idle(&mut self, now: Instant) {
        self.abandon_capture(now);
        self.phase = Phase::Idle;
        debug!("nobody watches: the camera is released");
        self.set_status(State::Idle, "the camera rests until somebody watches", now);
    }

    fn set_status(&self, state: State, reason: &str, since: Instant) {
        let reason = Some(reason.to_owned());
        let mut status = self.camera.status();
        (status.state, status.since, status.reason) = (state, since, reason);
    }

    /// The device is silent, because of `reason`: abandons its thread and tries again.
    fn lose(&mut self, mut reason: String, now: Instant) {
        let is_opening = matches!(self.phase, Phase::Opening { .. });
        if self.are_modules() || is_opening && self.opens_module {
            let asked = self.camera.config.size.filter(|_| is_opening);
            reason.push_str(&source::libcamera::silence_hint(asked));
        }
        self.candidates.note_silence(is_opening);
        let source = self.camera.status().facts.source.clone();
        let error = Error::silent(&source, reason);
        self.abandon_capture(now);
        self.offline(&error, now);
    }

    /// Nothing the current capture thread does counts any more; the phase is the caller's to change.
    fn abandon_capture(&mut self, now: Instant) {
        if let Phase::Opening { lease, .. } | Phase::Online { lease, .. } = &self.phase {
            self.abandon(&Arc::clone(lease), now);
        }
    }

    fn abandon(&mut self, lease: &CaptureLease, now: Instant) {
        lease.revoke();
        self.abandoned.push((lease.id, now));
        self.tell_hanging();
    }

    /// Notes that there is no picture and when to try again.
    fn offline(&mut self, error: &Error, now: Instant) {
        if let Phase::Online { since, .. } = self.phase {
            self.next_placeholder = now;
            if now >= since + FORGIVEN {
                self.back_off.reset();
            }
        }
        let pause = self.back_off.take(self.are_modules());
        self.phase = Phase::Waiting { until: now + pause };
        let since = self.outages.began().unwrap_or(now);
        self.camera.status().go_offline(error, since);
        self.camera.use_controls(None);
        // Said last: whoever reads the log may ask at once.
        debug!("{error}; next try in {} ms", pause.as_millis());
        self.outages.go_on(error, now);
    }
}

#[cfg(test)]
mod tests;
