//! Which devices are tried when the camera is opened.
//!
//! A camera that has been online is looked for under the name that does not change with its number;
//! another one that got its number meanwhile is taken only when the first stays away.

use crate::{
    capture::environment::Environment,
    config::Device,
    error::{Cause, Error},
    feed::camera::SourceInfo,
};
use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// How long to wait for the original camera before accepting another one under the same number.
const LOYALTY: Duration = Duration::from_secs(60);

/// What is remembered of the camera that was online last.
#[derive(Default)]
pub struct Candidates {
    /// Its name that does not change with its number.
    stable: Option<PathBuf>,
    /// Once a real camera was online, `auto` waits for one and never shows the pattern again.
    has_had_camera: bool,
}

impl Candidates {
    /// A device is online.
    pub fn note_online(&mut self, facts: &SourceInfo) {
        self.has_had_camera |= !facts.is_fallback;
        self.stable.clone_from(&facts.stable);
    }

    /// The devices to try for `device`, best first. `lost` is when the camera was lost.
    pub fn list(
        &self,
        device: &Device,
        lost: Option<Instant>,
        now: Instant,
        environment: &impl Environment,
    ) -> Result<Vec<Device>, Error> {
        let stable = self.stable.as_ref();
        let known = stable.and_then(|name| environment.node_behind(name));
        let mut devices = Vec::new();
        if let (Some(stable), Some(_)) = (stable, &known) {
            devices.push(Device::Node(stable.clone()));
        }
        if *device == Device::Auto {
            // The camera that is known by its name has a node as well: it is tried once.
            let mut nodes = environment.cameras();
            nodes.retain(|node| known.is_none() || environment.node_behind(node) != known);
            devices.extend(nodes.into_iter().map(Device::Node));
            if !self.has_had_camera {
                devices.push(Device::Auto);
            }
        } else if devices.is_empty() {
            let other = || environment.stable_name(Path::new(&device.to_string()));
            let is_early = lost.is_some_and(|lost| now < lost + LOYALTY);
            if let Some(stable) = stable.filter(|_| is_early && other().is_some()) {
                let stable = stable.display();
                return Err(Error::Open {
                    device: device.to_string(),
                    cause: Cause::Missing,
                    reason: format!("another camera has its number: waiting for {stable}"),
                });
            }
            devices.push(device.clone());
        }
        Ok(devices)
    }
}
