//! The supervisor's search for a camera beside the running test pattern.

use crate::{
    capture::{
        candidates::opening_time,
        environment::Environment,
        supervisor::{Supervisor, hanging::MOST_STUCK},
    },
    config::Device,
};
use log::debug;
use std::time::Instant;

impl<W: Environment> Supervisor<W> {
    /// No camera is searched any more.
    pub(super) fn end_search(&mut self, now: Instant) {
        if let Some(lease) = self.search.end() {
            self.abandon(&lease, now);
        }
    }

    /// Tries the cameras there are beside the running test pattern.
    pub(super) fn search_cameras(&mut self, now: Instant) {
        let search_timeout = self.camera.config.timeout + opening_time(false);
        if let Some(lease) = self.search.take_overdue(now, search_timeout) {
            self.abandon(&lease, now);
        }
        // Threads that hang on a node are not joined by more; the pattern goes on.
        if self.abandoned.len() >= MOST_STUCK {
            return;
        }
        let cameras = self.environment.cameras();
        if self.search.wants(&cameras, now) {
            let nodes = cameras.into_iter().map(Device::Node);
            let devices = nodes.chain([Device::Csi(None)]).collect();
            match self.launch(devices, 0, now) {
                Ok(lease) => self.search.launched(lease),
                Err(error) => debug!("{error}"),
            }
        }
    }
}
