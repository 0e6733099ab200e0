//! Where a camera that was found is plugged in at present.
//!
//! Its discovery says so, its supervisor asks. A node's number is never enough: another device may have it
//! the next moment.

use crossbeam_channel::{Receiver, Sender, bounded};
use parking_lot::Mutex;
use std::{path::PathBuf, time::SystemTime};

/// A device node as it stood there once: the same number given again has another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeIdentity {
    /// In `/dev`, such as `/dev/video0`.
    pub path: PathBuf,
    /// The number of its file.
    pub inode: u64,
    /// When that was made, where the file system says so.
    pub made: Option<SystemTime>,
}

/// A device with a node, as it was seen last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenDevice {
    /// Its node then.
    pub node: NodeIdentity,
    /// What it calls itself, such as `HD Pro Webcam C920`.
    pub card: String,
    /// Of its maker; many have none, and some makers give all the same.
    pub serial: Option<String>,
    /// Where it is plugged in, down to the part of the device that this node is of.
    pub port: Option<String>,
}

/// See the module.
#[derive(Debug)]
pub struct Place {
    /// Held for the time of a copy.
    seen: Mutex<Option<SeenDevice>>,
    changed: Sender<()>,
    changes: Receiver<()>,
}

impl Place {
    /// It is there.
    pub fn new(seen: SeenDevice) -> Place {
        let (changed, changes) = bounded(1);
        Place {
            seen: Mutex::new(Some(seen)),
            changed,
            changes,
        }
    }

    /// The node it has; `None` while it is gone.
    pub fn node(&self) -> Option<NodeIdentity> {
        self.seen.lock().as_ref().map(|seen| seen.node.clone())
    }

    /// The device it has; `None` while it is gone.
    pub fn seen(&self) -> Option<SeenDevice> {
        self.seen.lock().clone()
    }

    /// From now on it is there, or gone.
    pub fn set(&self, now: Option<SeenDevice>) {
        let mut seen = self.seen.lock();
        if *seen != now {
            *seen = now;
            // Full means that the message is on its way already.
            let _ = self.changed.try_send(());
        }
    }

    /// Told whenever that changes.
    pub fn changes(&self) -> Receiver<()> {
        self.changes.clone()
    }
}
