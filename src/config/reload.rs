//! Reloading: reads the file of `--config` again and takes over what can change while people watch.
//!
//! Quality is such an option. Of any other it is said that it waits for the next start; nothing is
//! opened anew, and no viewer notices. A file with a mistake changes nothing.

use crate::{
    config::{Config, ConfigFile},
    feed::camera::Camera,
};
use log::{error, info, warn};
use std::sync::Arc;

/// Options that count at once.
const AT_ONCE: [&str; 1] = ["--quality"];

/// What can be read again.
#[derive(Debug)]
pub struct Options {
    /// As it was at the start.
    file: Option<ConfigFile>,
    camera: Arc<Camera>,
}

impl Options {
    /// `file` as it was at the start.
    pub fn new(file: Option<ConfigFile>, camera: Arc<Camera>) -> Options {
        Options { file, camera }
    }

    /// Reads them again.
    pub fn read_again(&self) {
        let Some(started) = &self.file else {
            info!("there are no options to take over: no --config");
            return;
        };
        let file = match started.read_again() {
            Ok(file) => file,
            Err(error) => {
                error!("{error}; everything stays as it was");
                return;
            }
        };
        let config = Config::from(file.args());
        self.camera.set_quality(config.camera.quality);
        let path = file.path().display();
        info!(
            "options read again from `{path}`: quality={}",
            self.camera.quality()
        );
        let mut waiting = started.differences(&file);
        waiting.retain(|name| !AT_ONCE.contains(&name.as_str()));
        if !waiting.is_empty() {
            let names = waiting.join(", ");
            warn!("of `{path}` takes effect at the next start: {names}");
        }
    }
}
