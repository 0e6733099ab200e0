//! Reloading: reads the file of `--config` again and takes over what can change while people watch.
//!
//! Quality is such an option. Of any other it is said that it waits for the next start; nothing is
//! opened anew, and no viewer notices. A file with a mistake changes nothing.

use crate::{
    config::{CamerasConfig, ConfigFile},
    feed::{camera::Camera, cameras::Cameras},
};
use log::{error, info, warn};

/// Options that count at once.
const AT_ONCE: [&str; 1] = ["--quality"];

/// Reads the options again; `started` is the file as it was at the start.
pub fn read_again(started: Option<&ConfigFile>, cameras: &Cameras) {
    let Some(started) = started else {
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
    let config = file.config().cameras;
    let mut qualities = Vec::new();
    for camera in &*cameras.all() {
        if let Some(quality) = quality(&config, camera) {
            camera.set_quality(quality);
        }
        let name = camera.address().map(|name| format!("{name} "));
        let name = name.unwrap_or_default();
        qualities.push(format!("{name}quality={}", camera.quality()));
    }
    let path = file.path().display();
    let qualities = qualities.join(", ");
    info!("options read again from `{path}`: {qualities}");
    let mut waiting = started.differences(&file);
    // Of a section it is `[NAME] --quality`.
    let counts_now = |name: &str| AT_ONCE.iter().any(|option| name.ends_with(option));
    waiting.retain(|name| !counts_now(name));
    if !waiting.is_empty() {
        let names = waiting.join(", ");
        warn!("of `{path}` takes effect at the next start: {names}");
    }
}

/// What `config` says of the quality of `camera`; `None` when it knows no such camera.
fn quality(config: &CamerasConfig, camera: &Camera) -> Option<i32> {
    let mut listed = config.listed.iter();
    let own = listed.find(|own| own.address() == camera.address());
    own.or(config.found.as_ref()).map(|own| own.quality)
}
