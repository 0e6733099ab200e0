//! A camera's controls (brightness, exposure and the like), asked of its driver beside whoever
//! streams from it.
//!
//! Names are the driver's in lower case with underscores, as `v4l2-ctl` shows them.

use crate::{
    capture::source::{
        control_names::{find, slug},
        v4l2_devices::lowercase_message,
    },
    feed::controls::{CameraControls, Choice, Control, ControlKind},
};
use linuxvideo::{
    Device as Node,
    controls::{Cid, ControlDesc, ControlFlags, CtrlType},
};
use std::{io, path::PathBuf};
use uoctl::Ioctl;

/// Those of V4L2 cameras.
#[derive(Debug)]
pub struct V4l2Controls {
    /// The camera's node.
    pub node: PathBuf,
}

impl CameraControls for V4l2Controls {
    fn list(&self) -> io::Result<Vec<Control>> {
        let controls = list_of(&Node::open(&self.node)?);
        Ok(controls.into_iter().map(|(_, control)| control).collect())
    }

    /// One after the other. What the driver refuses is tried once more after the others: one control may
    /// have to wake another.
    fn set(&self, settings: &[(String, String)]) -> io::Result<Vec<String>> {
        let mut node = Node::open(&self.node)?;
        let mut refused = Vec::new();
        for setting in settings {
            if set_one(&mut node, setting).is_err() {
                refused.push(setting);
            }
        }
        Ok(refused
            .into_iter()
            .filter_map(|setting| set_one(&mut node, setting).err())
            .collect())
    }

    fn are_kept(&self) -> bool {
        true
    }
}

/// The controls of a camera, each with the driver's number for it.
fn list_of(node: &Node) -> Vec<(Cid, Control)> {
    let others = node
        .controls()
        .map_while(Result::ok)
        .filter_map(|description| control(node, &description));
    let others = others.filter(|(id, _)| *id != Cid::BRIGHTNESS);
    brightness(node).into_iter().chain(others).collect()
}

/// `struct v4l2_queryctrl` of linux/videodev2.h.
#[repr(C)]
#[derive(Default)]
struct QueryControl {
    id: u32,
    kind: u32,
    name: [u8; 32],
    minimum: i32,
    maximum: i32,
    step: i32,
    default: i32,
    flags: u32,
    reserved: [u32; 2],
}

const VIDIOC_QUERYCTRL: Ioctl<*mut QueryControl> = uoctl::_IOWR(b'V', 36);

/// `V4L2_CID_BRIGHTNESS`, the first control of all.
const BRIGHTNESS: u32 = 0x0098_0900;

/// The brightness: linuxvideo 0.3.5 begins its list behind it.
#[expect(unsafe_code, reason = "the one question linuxvideo does not ask")]
fn brightness(node: &Node) -> Option<(Cid, Control)> {
    let mut query = QueryControl {
        id: BRIGHTNESS,
        ..QueryControl::default()
    };
    // SAFETY: the node is open, and the struct is the one this request reads and writes.
    unsafe { VIDIOC_QUERYCTRL.ioctl(node, &raw mut query) }.ok()?;
    let flags = ControlFlags::from_bits_truncate(query.flags);
    if flags.contains(ControlFlags::DISABLED) {
        return None;
    }
    let control = Control {
        name: "brightness".to_owned(),
        title: "Brightness".to_owned(),
        kind: ControlKind::Integer,
        value: node.read_control_raw(Cid::BRIGHTNESS).ok()?.into(),
        min: query.minimum.into(),
        max: query.maximum.into(),
        step: query.step.into(),
        default: query.default.into(),
        is_inactive: flags.contains(ControlFlags::INACTIVE),
        menu: Vec::new(),
    };
    Some((Cid::BRIGHTNESS, control))
}

fn control(node: &Node, description: &ControlDesc) -> Option<(Cid, Control)> {
    let kind = match description.control_type() {
        CtrlType::INTEGER | CtrlType::INTEGER_MENU => ControlKind::Integer,
        CtrlType::BOOLEAN => ControlKind::Boolean,
        CtrlType::MENU => ControlKind::Menu,
        // Headings, buttons and strings are nothing to slide.
        _ => return None,
    };
    let flags = description.flags();
    if flags.intersects(ControlFlags::READ_ONLY | ControlFlags::WRITE_ONLY) {
        return None;
    }
    let menu = match kind {
        ControlKind::Menu => node
            .enumerate_menu(description)
            .map_while(Result::ok)
            .filter_map(|item| {
                let value = i32::try_from(item.index()).ok()?;
                Some(Choice {
                    value,
                    title: item.name().to_owned(),
                })
            })
            .collect(),
        _ => Vec::new(),
    };
    let control = Control {
        name: slug(description.name()),
        title: description.name().to_owned(),
        kind,
        value: node.read_control_raw(description.id()).ok()?.into(),
        min: description.minimum().into(),
        max: description.maximum().into(),
        step: description.step().into(),
        default: description.default_value().into(),
        is_inactive: flags.contains(ControlFlags::INACTIVE),
        menu,
    };
    Some((description.id(), control))
}

fn set_one(node: &mut Node, (name, value): &(String, String)) -> Result<(), String> {
    let (ids, controls): (Vec<_>, Vec<_>) = list_of(node).into_iter().unzip();
    let (at, number) = find(&controls, name, value)?;
    let control = &controls[at];
    node.write_control_raw(ids[at], number as i32)
        .map_err(|error| {
            let hint = if control.is_inactive {
                " (it has no effect while the camera sets it by itself)"
            } else {
                ""
            };
            format!("`{name}={value}`: {}{hint}", lowercase_message(&error))
        })
}
