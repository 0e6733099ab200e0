//! What cameras there are: one look at all nodes, and the question to libcamera for its modules.
//!
//! Whoever may not answer is asked on a thread of its own, with a deadline: no camera waits for another.

use crate::{
    capture::{
        camera_names::{CameraNames, Described, model_of_card},
        source::{
            libcamera::{self, CameraModule},
            v4l2_devices::stable_name,
            v4l2_seen::{self, Kind},
        },
    },
    config::{CameraName, Device},
    feed::place::{NodeIdentity, SeenDevice},
    system::threads,
};
use crossbeam_channel::{Receiver, bounded};
use log::debug;
use std::time::Duration;

/// What stands in while there is no camera is called so.
pub const STAND_IN: &str = "test";

/// How long a node may take to say what it is.
const NODE_TIMEOUT: Duration = Duration::from_secs(2);

/// A camera that was found.
#[derive(Debug)]
pub struct FoundDevice {
    /// As `--source` names it, by what does not change with its number where there is such a name.
    pub device: Device,
    /// What it calls itself.
    pub card: String,
    /// What its name is made of.
    pub described: Described,
    /// Where it is plugged in, if it has a node.
    pub seen: Option<SeenDevice>,
}

impl FoundDevice {
    /// One with a node.
    pub fn with_node(seen: SeenDevice) -> FoundDevice {
        let node = &seen.node.path;
        FoundDevice {
            device: Device::Node(stable_name(node).unwrap_or_else(|| node.clone())),
            card: seen.card.clone(),
            described: Described {
                model: model_of_card(&seen.card),
                serial: seen.serial.clone(),
                port: seen.port.as_deref().and_then(v4l2_seen::port_name),
            },
            seen: Some(seen),
        }
    }

    /// A camera module, as libcamera has it.
    pub fn module(module: &CameraModule) -> FoundDevice {
        FoundDevice {
            device: Device::Csi(Some(module.id.clone())),
            card: module.sensor.clone(),
            described: Described {
                model: module.sensor.clone(),
                serial: None,
                // Such as `i2c@1` before its own part of the name.
                port: module.id.rsplit('/').nth(1).map(|bus| bus.replace('@', "")),
            },
            seen: None,
        }
    }
}

/// The names of a run, before the first was given.
pub fn new_names() -> CameraNames {
    CameraNames::new(&[STAND_IN])
}

/// What is found now, with the names that `--source all` gives at its start.
pub fn named_now(modules: &[CameraModule]) -> Vec<(CameraName, FoundDevice)> {
    let nodes = NodeLook::default().cameras().into_iter();
    let nodes = nodes.map(FoundDevice::with_node);
    let modules = modules.iter().map(FoundDevice::module);
    let found: Vec<_> = nodes.chain(modules).collect();
    named(&mut new_names(), found)
}

/// Each of `found`, which were found together, with a name of `names`.
pub fn named(names: &mut CameraNames, found: Vec<FoundDevice>) -> Vec<(CameraName, FoundDevice)> {
    let described: Vec<_> = found.iter().map(|one| one.described.clone()).collect();
    names.give(&described).into_iter().zip(found).collect()
}

/// Finds the nodes of cameras; remembers what each has answered.
#[derive(Default)]
pub struct NodeLook {
    asked: Vec<AskedNode>,
}

struct AskedNode {
    node: NodeIdentity,
    answer: Receiver<Kind>,
    kind: Option<Kind>,
}

impl NodeLook {
    /// The devices with nodes that capture pictures, and those that may and may not be opened; lowest number
    /// first. One that does not answer in time is there at a later look.
    pub fn cameras(&mut self) -> Vec<SeenDevice> {
        let mut seen = v4l2_seen::seen();
        self.asked
            .retain(|asked| seen.iter().any(|seen| seen.node == asked.node));
        seen.retain_mut(|device| match self.kind(device) {
            Some(Kind::Camera { port }) => {
                device.port = port;
                true
            }
            Some(Kind::Closed { is_likely }) => is_likely,
            Some(Kind::Other) | None => false,
        });
        seen
    }

    fn kind(&mut self, device: &SeenDevice) -> Option<Kind> {
        let known = self
            .asked
            .iter_mut()
            .find(|asked| asked.node == device.node);
        if let Some(asked) = known {
            if asked.kind.is_none() {
                asked.kind = asked.answer.try_recv().ok();
            }
            return asked.kind.clone();
        }
        let question = device.clone();
        let answer = ask("node", move || v4l2_seen::kind(&question));
        let kind = answer.recv_timeout(NODE_TIMEOUT).ok();
        // What could not be opened may be another time.
        if !matches!(kind, Some(Kind::Closed { .. })) {
            self.asked.push(AskedNode {
                node: device.node.clone(),
                answer,
                kind: kind.clone(),
            });
        }
        kind
    }
}

/// All camera modules, once libcamera has said which there are; it may never.
pub fn ask_for_modules() -> Receiver<Vec<CameraModule>> {
    ask("modules", || match libcamera::modules() {
        Ok(modules) => modules,
        Err(none) => {
            debug!("{}", none.reason);
            Vec::new()
        }
    })
}

/// Asks on a thread of its own.
fn ask<T: Send + 'static>(
    name: &str,
    question: impl FnOnce() -> T + Send + 'static,
) -> Receiver<T> {
    let (answered, answer) = bounded(1);
    let asking = move || {
        // Whoever asked may have gone.
        let _ = answered.send(question());
    };
    if let Err(error) = threads::start(name, asking) {
        debug!("{error}");
    }
    answer
}
