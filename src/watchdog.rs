//! The watchdog: asks the server for a sign of life every few seconds and looks whether pictures, or
//! honest placeholders, still flow.
//!
//! Its first answer is when systemd hears that the program is ready; every later one, together with
//! a camera whose threads live, is what systemd hears instead of silence. When the server does not answer
//! itself for long the program ends, for its service to start it anew. Without systemd all of that
//! happens too, only nobody is told.

use crate::{
    error::Error,
    feed::{
        camera::{Camera, State},
        cameras::Cameras,
        viewers::Viewers,
    },
    http::Probe,
    system::{shutdown::ShutdownFlag, systemd, threads},
};
use crossbeam_channel::Sender;
use log::{debug, info};
use signal_hook::low_level;
use std::{
    io, mem,
    sync::Arc,
    time::{Duration, Instant},
};

/// Between two questions while all is well.
const PERIOD: Duration = Duration::from_secs(5);

/// And while there is no answer, or the camera is being opened.
const SHORT_PERIOD: Duration = Duration::from_secs(1);

/// An answer that takes longer is none.
const PROBE_TIMEOUT: Duration = Duration::from_secs(3);

/// As many questions in a row without an answer: the server does not accept any more.
const MOST_UNANSWERED: u32 = 5;

/// When the main thread has not ended the program after this long, it hangs, too.
const LAST_RESORT: Duration = Duration::from_secs(5);

/// The supervisor notices a silent camera; only when it is this late itself, it hangs.
const SLACK: Duration = Duration::from_secs(5);

/// See the module.
pub struct Watchdog {
    /// Whose pictures are awaited.
    pub cameras: Arc<Cameras>,
    /// Who watches.
    pub viewers: Arc<Viewers>,
    /// Asks the server.
    pub probe: Probe,
    /// Ends the watchdog before the program stops accepting.
    pub stop: Arc<ShutdownFlag>,
    /// Ends the program.
    pub fatal: Sender<Error>,
}

impl Watchdog {
    /// Starts its thread. While `is_full`, a question waits as every new connection does, and is no
    /// sign of a server that does not accept.
    pub fn start(self, is_full: impl Fn() -> bool + Send + 'static) -> Result<(), Error> {
        threads::start("watchdog", move || self.run(&is_full))
    }

    /// Runs until the program ends, or ends it.
    fn run(self, is_full: &dyn Fn() -> bool) {
        let period = systemd::watchdog_period().map_or(PERIOD, |period| PERIOD.min(period / 3));
        let timeout = PROBE_TIMEOUT.min(period);
        // Of each camera, in their order.
        let mut liveness: Vec<CameraLiveness> = Vec::new();
        let mut is_ready = false;
        let mut last_status = String::new();
        // Questions in a row without an answer.
        let mut unanswered = 0;
        loop {
            let answer = self.probe.ask(timeout);
            if self.stop.is_set() {
                return;
            }
            match answer {
                Err(failure) if !is_full() || failure.kind() != io::ErrorKind::TimedOut => {
                    unanswered += 1;
                    debug!("no answer of the own server: {failure}");
                    if unanswered >= MOST_UNANSWERED {
                        return self.escalate();
                    }
                }
                _ => {
                    if mem::take(&mut unanswered) > 0 {
                        info!("the server answers itself again");
                    }
                    if !mem::replace(&mut is_ready, true) {
                        systemd::tell_ready();
                    }
                }
            }
            let (all, now) = (self.cameras.all(), Instant::now());
            liveness.resize_with(all.len(), || CameraLiveness::new(now));
            let each = liveness.iter_mut().zip(&*all);
            let alive: Vec<_> = each
                .map(|(one, camera)| one.is_alive(camera, now))
                .collect();
            if unanswered == 0 && alive.contains(&true) {
                systemd::tell_alive();
            }
            let status = self.status(unanswered, &all, &alive);
            if status != last_status {
                systemd::tell_status(&status);
                last_status = status;
            }
            let mut states = all.iter().map(|camera| camera.status().state);
            let is_opening = states.any(|state| state == State::Opening);
            let pause = if unanswered > 0 || is_opening {
                period.min(SHORT_PERIOD)
            } else {
                period
            };
            if self.stop.wait_until(Instant::now() + pause) {
                return;
            }
        }
    }

    /// What `systemctl status` shows: rounded, so that it changes only when something does.
    fn status(&self, unanswered: u32, all: &[Arc<Camera>], alive: &[bool]) -> String {
        if unanswered > 0 {
            return "the server does not answer itself".to_owned();
        }
        let cameras = all.iter().zip(alive).map(|(camera, is_alive)| {
            let words = words_of(camera, *is_alive);
            match all.len() {
                1 => words,
                _ => format!("{}: {words}", camera.config.name),
            }
        });
        let cameras: Vec<_> = cameras.collect();
        let viewers = match self.viewers.viewers().len() {
            1 => "1 viewer".to_owned(),
            count => format!("{count} viewers"),
        };
        format!("{}, {viewers}", cameras.join("; "))
    }

    /// Has the main thread end the program, or ends it when that one hangs.
    fn escalate(&self) {
        let _ = self.fatal.send(Error::Deaf);
        if !self.stop.wait_until(Instant::now() + LAST_RESORT) {
            log::logger().flush();
            low_level::exit(Error::Deaf.exit_code().into());
        }
    }
}

/// How `camera` is, in the words of a status.
fn words_of(camera: &Camera, is_alive: bool) -> String {
    if !is_alive {
        return "the camera's threads give no sign of life".to_owned();
    }
    let (state, reason, source) = {
        let status = camera.status();
        let source = status.facts.source.clone();
        (status.state, status.reason.clone(), source)
    };
    match state {
        State::Opening => format!("{source}: opening"),
        State::Online => {
            let fps = camera.stats.rate.per_second(Instant::now());
            format!("{source}: online, {fps:.0} fps")
        }
        // The reason names the source.
        State::Offline => format!("offline: {}", reason.unwrap_or_default()),
        State::Idle => format!("{source}: idle, released until somebody watches"),
    }
}

/// Whether a camera's threads do their work, as last seen.
struct CameraLiveness {
    sequence: u64,
    /// When nothing was missing from the slot: a frame had come, or nobody wanted one.
    fed: Instant,
}

impl CameraLiveness {
    fn new(now: Instant) -> CameraLiveness {
        CameraLiveness {
            sequence: 0,
            fed: now,
        }
    }

    /// True while the camera side does its work: what is online gives pictures, and whoever watches
    /// gets frames, be they placeholders.
    fn is_alive(&mut self, camera: &Camera, now: Instant) -> bool {
        let observation = camera.observe(now);
        // Between two pictures of a slow source, or before the first one that counts, none is late.
        let timeout = observation.picture_timeout(observation.timeout) + SLACK;
        let sequence = camera.slot.latest().map_or(0, |frame| frame.sequence());
        if sequence != self.sequence || !camera.slot.is_watched() {
            self.sequence = sequence;
            self.fed = now;
        }
        (observation.status.state != State::Online || observation.silence() < timeout)
            && now.saturating_duration_since(self.fed) < timeout
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::{Config, args::Args},
        feed::frame::Frame,
    };
    use argh::FromArgs;

    const LONG: Duration = Duration::from_secs(3600);

    fn camera(args: &[&str]) -> Camera {
        let args = Args::from_args(&["camfeed"], args).expect("good");
        Camera::new(Config::from(args).cameras.first().clone())
    }

    fn set_state(camera: &Camera, state: State, since: Instant) {
        let mut status = camera.status();
        (status.state, status.since) = (state, since);
    }

    #[test]
    fn a_camera_online_must_give_pictures() {
        let camera = camera(&["--source", "test"]);
        let now = Instant::now();
        let mut liveness = CameraLiveness::new(now);
        set_state(&camera, State::Online, now);
        assert!(liveness.is_alive(&camera, now), "it has only begun");
        assert!(!liveness.is_alive(&camera, now + LONG), "and gave nothing");
        camera.note_picture(now + LONG);
        assert!(
            liveness.is_alive(&camera, now + LONG),
            "a picture came just now"
        );
    }

    #[test]
    fn a_camera_that_rests_or_is_gone_owes_nobody_a_picture() {
        let camera = camera(&["--source", "test"]);
        let now = Instant::now();
        for state in [State::Idle, State::Offline, State::Opening] {
            set_state(&camera, state, now);
            assert!(
                CameraLiveness::new(now).is_alive(&camera, now + LONG),
                "{state:?}, unwatched"
            );
        }
    }

    #[test]
    fn whoever_watches_must_get_frames_or_placeholders() {
        let camera = camera(&["--source", "test"]);
        let now = Instant::now();
        let mut liveness = CameraLiveness::new(now);
        set_state(&camera, State::Offline, now);
        let _watch = camera.slot.watch();
        assert!(liveness.is_alive(&camera, now), "the watch has only begun");
        assert!(
            !liveness.is_alive(&camera, now + LONG),
            "no placeholder came"
        );
        let placeholder = Frame::placeholder(camera.next_sequence(), b"\xff\xd8\xff\xd9", "why");
        camera.slot.publish(placeholder);
        assert!(liveness.is_alive(&camera, now + LONG));
        assert!(
            !liveness.is_alive(&camera, now + LONG + LONG),
            "it was the last"
        );
    }

    #[test]
    fn a_slow_source_is_given_its_time() {
        let camera = camera(&["--source", "test", "--warmup", "0"]);
        let now = Instant::now();
        set_state(&camera, State::Online, now);
        camera.status().facts.fps = Some(0.1);
        let half_a_minute = Duration::from_secs(30);
        assert!(CameraLiveness::new(now).is_alive(&camera, now + half_a_minute));
        assert!(!CameraLiveness::new(now).is_alive(&camera, now + 2 * half_a_minute));
    }
}
