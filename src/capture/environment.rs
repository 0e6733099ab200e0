//! What surrounds a supervisor: capture threads, and the nodes under `/dev`. Tests have another.

use crate::{
    capture::{
        capture_thread::{CaptureContext, CaptureThread},
        lease::CaptureLease,
        placeholder,
        source::v4l2_devices,
    },
    config::Device,
    error::{Cause, Error},
    feed::camera::Camera,
};
use log::debug;
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

/// What the supervisor sees and does outside of itself.
pub trait Environment {
    /// Starts a capture thread under `lease` on the first of `devices` that gives a picture; it
    /// drops the first `warmup` pictures.
    fn launch(
        &mut self,
        lease: &Arc<CaptureLease>,
        devices: Vec<Device>,
        warmup: u32,
    ) -> Result<(), Error>;

    /// The nodes of all cameras, lowest number first.
    fn cameras(&self) -> Vec<PathBuf>;

    /// The node that `path` leads to; `None` when there is none.
    fn node_behind(&self, path: &Path) -> Option<PathBuf>;

    /// The name of the camera at `path` that does not change with its number.
    fn stable_name(&self, path: &Path) -> Option<PathBuf>;

    /// True while another camera is of use.
    fn is_another_well(&self) -> bool;

    /// Publishes a placeholder of the camera's status.
    fn show_placeholder(&mut self);
}

/// The real one: capture threads and the nodes under `/dev`.
impl Environment for CaptureContext {
    fn launch(
        &mut self,
        lease: &Arc<CaptureLease>,
        devices: Vec<Device>,
        warmup: u32,
    ) -> Result<(), Error> {
        let thread = CaptureThread {
            context: self.clone(),
            lease: Arc::clone(lease),
            warmup,
        };
        thread.launch(devices)
    }

    fn cameras(&self) -> Vec<PathBuf> {
        v4l2_devices::cameras()
    }

    fn node_behind(&self, path: &Path) -> Option<PathBuf> {
        fs::canonicalize(path).ok()
    }

    fn stable_name(&self, path: &Path) -> Option<PathBuf> {
        v4l2_devices::stable_name(path)
    }

    fn is_another_well(&self) -> bool {
        self.cameras.is_another_well(&self.camera)
    }

    fn show_placeholder(&mut self) {
        if let Err(error) = placeholder::publish(&self.camera) {
            debug!("{error}");
        }
    }
}

impl CaptureContext {
    /// `error`, or where no other program but another camera of this one has the device, that.
    pub fn explained(&self, error: Error) -> Error {
        let is_busy = error.cause() == Cause::Busy;
        let Some((rival, why)) = is_busy
            .then(|| self.cameras.rival_of(&self.camera))
            .flatten()
        else {
            return error;
        };
        let name = |camera: &Camera| format!("`{}`", camera.config.name.as_str());
        let (rival, own) = (name(&rival), name(&self.camera));
        let reason = format!("the camera {rival} has it: {rival} and {own} {why}");
        Error::open(&self.camera.config.device, Cause::Busy, reason)
    }
}
