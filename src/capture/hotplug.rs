//! Reports camera nodes that come, so that a camera plugged in is tried at once.
//!
//! Where the system cannot report them (no inotify instance left, no udev) the channel is closed, and
//! the supervisor looks for them now and then.

use crate::{capture::source::v4l2_devices::STABLE_NAMES, system::threads};
use crossbeam_channel::{Receiver, Sender, bounded};
use inotify::{EventMask, Inotify, WatchMask};
use log::debug;
use std::{io, time::Duration};

/// udev sets a new node's group, and makes its names, shortly after creating it: wait this long before opening.
pub const SETTLING: Duration = Duration::from_millis(50);

/// A channel that is told whenever a node may have come, as long as the system reports that.
pub fn start() -> Receiver<()> {
    let (changed, plugged) = bounded(1);
    let watch = move || {
        if let Err(error) = run(&changed) {
            debug!("camera nodes cannot be watched: {error}");
        }
    };
    if let Err(error) = threads::start("nodes", watch) {
        debug!("{error}");
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
            let name = event.name.unwrap_or_default().to_string_lossy();
            let is_node = name.starts_with("video") || name.starts_with("v4l");
            let is_overflow = event.mask.contains(EventMask::Q_OVERFLOW);
            if is_node || is_overflow {
                // The stable names come a little later; whether they are there changes nothing
                // for who has seen them before.
                let _ = inotify.watches().add(STABLE_NAMES, mask);
            }
            if is_node || is_overflow || name.contains("video-index") {
                let _ = changed.try_send(());
            }
        }
    }
}
