//! What becomes of a camera whose capture threads do not come back.
//!
//! A thread inside a driver that hangs cannot be ended. Only a new process helps the camera then, and that is
//! what its service starts when the program ends. While another camera is of use the program goes on
//! instead: the one that hangs rests and is tried rarely, with a thread more each time, up to a bound.

use crate::{
    capture::{environment::Environment, source, supervisor::Supervisor},
    error::Error,
};
use log::warn;
use std::time::{Duration, Instant};

/// As many threads that never come back end the program.
pub(super) const MOST_STUCK: usize = 3;

/// And as many are the most where it goes on.
const MOST_HANGING: usize = 12;

/// How long an abandoned thread may keep its device before the next one is launched.
const LETTING_GO: Duration = Duration::from_secs(2);

/// Between two looks whether threads that hang have come back.
const LOOK: Duration = Duration::from_secs(5);

/// Between two tries of a camera whose threads hang.
const RARELY: Duration = Duration::from_secs(600);

impl<W: Environment> Supervisor<W> {
    /// Says once that threads hang, where the program goes on without this camera.
    pub(super) fn tell_hanging(&self) {
        let is_first = self.abandoned.len() == MOST_STUCK;
        if is_first && self.is_past_help() && self.environment.is_another_well() {
            let minutes = RARELY.as_secs() / 60;
            warn!(
                "{MOST_STUCK} capture threads hang in the driver and never come back: the camera is tried every \
                 {minutes} min; a restart helps when its driver does"
            );
        }
    }

    /// Only another process frees the device.
    fn is_past_help(&self) -> bool {
        // A pipeline or a file that blocks is its user's to mend: more threads would only hang beside those.
        source::is_plugged_in(&self.camera.config.device)
    }

    /// Until when nothing may be opened, because threads may still hold the device; `None` when something may.
    ///
    /// # Errors
    ///
    /// [`Error::Stuck`] when only a new process helps, and no other camera would miss this one.
    pub(super) fn rests_until(&self, now: Instant) -> Result<Option<Instant>, Error> {
        let abandoned = &self.abandoned;
        let letting_go = abandoned.iter().map(|(_, at)| *at + LETTING_GO).max();
        if letting_go.is_some_and(|until| until > now) {
            return Ok(letting_go);
        }
        if abandoned.len() < MOST_STUCK {
            return Ok(None);
        }
        if self.is_past_help() && !self.environment.is_another_well() {
            let camera = self.camera.address().map(|name| format!("{name}: "));
            return Err(Error::Stuck(abandoned.len(), camera.unwrap_or_default()));
        }
        let last = abandoned.iter().map(|(_, at)| *at).max();
        let is_due = last.is_none_or(|last| now >= last + RARELY);
        let is_tried = self.is_past_help() && is_due && abandoned.len() < MOST_HANGING;
        Ok((!is_tried).then(|| now + LOOK))
    }
}
