//! Which devices are tried when the camera is opened.
//!
//! A camera that has been online is looked for under the name that does not change with its number;
//! another one that got its number meanwhile is taken only when the first stays away.

use crate::{
    capture::{environment::Environment, source::v4l2_errors::NO_DEVICE},
    config::Device,
    error::{Cause, Error},
    feed::{camera::SourceInfo, place::Place},
};
use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// How long to wait for the original camera before accepting another one under the same number.
const LOYALTY: Duration = Duration::from_secs(60);

/// What an open may take beside the camera's time-out: network sources are slow, a camera module is not.
pub fn opening_time(is_module: bool) -> Duration {
    Duration::from_secs(if is_module { 2 } else { 10 })
}

/// The device to open for a camera that was found: its node, and no other one for as long as it is gone.
pub fn of_found(device: &Device, place: &Place) -> Result<Vec<Device>, Error> {
    let gone = || Error::open(device, Cause::Missing, NO_DEVICE);
    let node = place.node().ok_or_else(gone)?;
    Ok(vec![Device::Node(node.path)])
}

/// What is remembered of the camera that was online last.
#[derive(Default)]
pub struct Candidates {
    /// Its name that does not change with its number.
    stable: Option<PathBuf>,
    /// Once a real camera was online, `auto` waits for one and never shows the pattern again.
    has_had_camera: bool,
    /// The camera module that was online last, by its whole name.
    module: Option<String>,
    /// An opening was given up: the test pattern comes before camera modules, which are searched beside it.
    has_hung: bool,
}

impl Candidates {
    /// A device is online.
    pub fn note_online(&mut self, facts: &SourceInfo) {
        self.has_had_camera |= !facts.is_fallback;
        self.stable.clone_from(&facts.stable);
        let name = facts.source.strip_prefix("csi:").map(str::to_owned);
        self.module = name.filter(|_| facts.sensor.is_some());
    }

    /// What was opened was given up, before it gave a picture where `is_opening`.
    pub fn note_silence(&mut self, is_opening: bool) {
        self.has_hung |= is_opening;
    }

    /// Whether a camera module is what is tried for `device`, first of all.
    pub fn are_modules(&self, device: &Device) -> bool {
        matches!(device, Device::Csi(_)) || *device == Device::Auto && self.module.is_some()
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
            if let Some(module) = &self.module {
                devices.push(Device::Csi(Some(module.clone())));
                // It has no node that says whether it is there: others are not taken for it at once.
                if lost.is_none_or(|lost| now < lost + LOYALTY) {
                    return Ok(devices);
                }
            }
            // The camera that is known by its name has a node as well: it is tried once.
            let mut nodes = environment.cameras();
            nodes.retain(|node| known.is_none() || environment.node_behind(node) != known);
            devices.extend(nodes.into_iter().map(Device::Node));
            if !self.has_had_camera {
                let module = Some(Device::Csi(None)).filter(|_| !self.has_hung);
                devices.extend(module.into_iter().chain([Device::Auto]));
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
