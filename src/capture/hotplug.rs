//! Notices that camera nodes come and go, so that a camera plugged in is tried at once.
//!
//! Without it (no inotify left, no udev) the tries still come, at the pace of the back-off.

use super::node::STABLE_NAMES;
use crossbeam_channel::Sender;
use inotify::{EventMask, Inotify, WatchMask};
use log::debug;
use std::{io, thread};

/// Tells `changed` whenever a node may have come; runs until the program ends.
pub fn start(changed: Sender<()>) {
    let watching = thread::Builder::new()
        .name("nodes".to_owned())
        .spawn(move || {
            if let Err(error) = run(&changed) {
                debug!("camera nodes cannot be watched: {error}");
            }
        });
    if let Err(error) = watching {
        debug!("camera nodes cannot be watched: {error}");
    }
}

fn run(changed: &Sender<()>) -> io::Result<()> {
    let mut inotify = Inotify::init()?;
    // A node is made first and given to its group afterwards.
    let mask = WatchMask::CREATE | WatchMask::ATTRIB | WatchMask::MOVED_TO;
    inotify.watches().add("/dev", mask)?;
    let mut buffer = [0; 4096];
    loop {
        for event in inotify.read_events_blocking(&mut buffer)? {
            let is_node = event
                .name
                .and_then(|name| name.to_str())
                .is_some_and(|name| name.starts_with("video") || name.starts_with("v4l"));
            if is_node || event.mask.contains(EventMask::Q_OVERFLOW) {
                // The stable names come a little later; whether they are there changes nothing
                // for who has seen them before.
                let _ = inotify.watches().add(STABLE_NAMES, mask);
                let _ = changed.try_send(());
            } else if event
                .name
                .is_some_and(|name| name.to_string_lossy().contains("video-index"))
            {
                let _ = changed.try_send(());
            }
        }
    }
}
