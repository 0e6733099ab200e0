//! Reloading: reads the file of `--config` again and takes over what can change while people watch.
//!
//! Quality is such an option. Of any other it is said that it waits for the next start; nothing is
//! opened anew, and no viewer notices. A file with a mistake changes nothing.

use crate::{
    config::{Config, ConfigFile},
    feed::cameras::Cameras,
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
    let camera = cameras.first();
    camera.set_quality(Config::from(file.args()).cameras.first().quality);
    let path = file.path().display();
    info!(
        "options read again from `{path}`: quality={}",
        camera.quality()
    );
    let mut waiting = started.differences(&file);
    waiting.retain(|name| !AT_ONCE.contains(&name.as_str()));
    if !waiting.is_empty() {
        let names = waiting.join(", ");
        warn!("of `{path}` takes effect at the next start: {names}");
    }
}
