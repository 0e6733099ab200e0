//! Reports camera nodes that come, so that a camera plugged in is tried at once.
//!
//! Where the system cannot report them (no inotify instance left, no udev) the channel is closed, and
//! the supervisor looks for them now and then.

use crate::capture::source::v4l2_devices::STABLE_NAMES;
use crossbeam_channel::{Receiver, Sender, bounded};
use inotify::{EventMask, Inotify, WatchMask};
use log::debug;
use std::{io, thread};

/// A channel that is told whenever a node may have come, as long as the system reports that.
pub fn start() -> Receiver<()> {
    let (changed, plugged) = bounded(1);
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
    plugged
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
