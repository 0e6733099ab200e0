//! A camera's controls (brightness, exposure and the like), asked of its driver beside whoever
//! streams from it.
//!
//! Names are the driver's in lower case with underscores, as `v4l2-ctl` shows them.

use crate::feed::controls::{CameraControls, Choice, Control, ControlKind};
use linuxvideo::{
    Device as Node,
    controls::{Cid, ControlDesc, ControlFlags, CtrlType},
};
use std::{io, path::Path};
use uoctl::Ioctl;

/// Those of V4L2 cameras.
#[derive(Debug)]
pub struct V4l2Controls;

impl CameraControls for V4l2Controls {
    fn list(&self, node: &Path) -> io::Result<Vec<Control>> {
        let controls = list_of(&Node::open(node)?);
        Ok(controls.into_iter().map(|(_, control)| control).collect())
    }

    fn set(&self, node: &Path, settings: &[(String, String)]) -> io::Result<Vec<String>> {
        set(node, settings)
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
        value: node.read_control_raw(Cid::BRIGHTNESS).ok()?,
        min: query.minimum,
        max: query.maximum,
        step: query.step,
        default: query.default,
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
        value: node.read_control_raw(description.id()).ok()?,
        min: description.minimum(),
        max: description.maximum(),
        step: description.step(),
        default: description.default_value(),
        is_inactive: flags.contains(ControlFlags::INACTIVE),
        menu,
    };
    Some((description.id(), control))
}

/// Sets `settings` one after the other; each that cannot be set is told in a sentence. What the
/// driver refuses is tried once more after the others: one control may have to wake another.
pub fn set(path: &Path, settings: &[(String, String)]) -> io::Result<Vec<String>> {
    let mut node = Node::open(path)?;
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

fn set_one(node: &mut Node, (name, value): &(String, String)) -> Result<(), String> {
    let (ids, controls): (Vec<_>, Vec<_>) = list_of(node).into_iter().unzip();
    let (at, number) = find(&controls, name, value)?;
    let control = &controls[at];
    node.write_control_raw(ids[at], number).map_err(|error| {
        let hint = if control.is_inactive {
            " (it has no effect while the camera sets it by itself)"
        } else {
            ""
        };
        format!(
            "`{name}={value}`: {}{hint}",
            super::v4l2_devices::lowercase_message(&error)
        )
    })
}

/// The place of the control and the number that `name=value` means.
fn find(controls: &[Control], name: &str, value: &str) -> Result<(usize, i32), String> {
    let name = slug(name);
    let is_mode = value.parse::<i32>().is_err();
    let at = controls
        .iter()
        .position(|control| control.name == name)
        // `exposure=auto` means the control that decides who sets the exposure, `exposure=100` the
        // one that is then set; drivers name them in half a dozen ways.
        .or_else(|| {
            controls.iter().position(|control| {
                control.name.contains(&name) && control.name.contains("auto") == is_mode
            })
        })
        .ok_or_else(|| {
            let names: Vec<_> = controls
                .iter()
                .map(|control| control.name.as_str())
                .collect();
            match names.as_slice() {
                [] => format!("`{name}={value}`: this camera has no controls"),
                names => format!("`{name}={value}`: this camera has {}", names.join(", ")),
            }
        })?;
    let control = &controls[at];
    number(control, value)
        .map(|number| (at, number))
        .ok_or_else(|| format!("`{name}={value}`: allowed are {}", allowed(control)))
}

fn number(control: &Control, value: &str) -> Option<i32> {
    let word = value.to_ascii_lowercase();
    let number = match (control.kind, word.as_str()) {
        (ControlKind::Boolean, "on" | "true" | "auto") => 1,
        (ControlKind::Boolean, "off" | "false" | "manual") => 0,
        (ControlKind::Menu, word) if word.parse::<i32>().is_err() => {
            // What cameras call automatic exposure is often only their aperture priority.
            let words: &[&str] = if word == "auto" {
                &["auto", "aperture"]
            } else {
                &[word]
            };
            words.iter().find_map(|word| {
                let is_it = |choice: &&Choice| choice.title.to_ascii_lowercase().contains(word);
                control.menu.iter().find(is_it).map(|choice| choice.value)
            })?
        }
        (_, word) => word.parse().ok()?,
    };
    let is_offered = control.kind != ControlKind::Menu
        || control.menu.iter().any(|choice| choice.value == number);
    ((control.min..=control.max).contains(&number) && is_offered).then_some(number)
}

fn allowed(control: &Control) -> String {
    match control.kind {
        ControlKind::Boolean => "on and off".to_owned(),
        ControlKind::Integer => format!("{} to {}", control.min, control.max),
        ControlKind::Menu => {
            let choices: Vec<_> = control
                .menu
                .iter()
                .map(|choice| format!("{} ({})", choice.value, choice.title))
                .collect();
            choices.join(", ")
        }
    }
}

/// `White Balance, Automatic` as `white_balance_automatic`.
fn slug(title: &str) -> String {
    let words = title.split(|letter: char| !letter.is_ascii_alphanumeric());
    let words: Vec<_> = words
        .filter(|word| !word.is_empty())
        .map(str::to_ascii_lowercase)
        .collect();
    words.join("_")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn control(title: &str, kind: ControlKind, menu: &[(i32, &str)]) -> Control {
        Control {
            name: slug(title),
            title: title.to_owned(),
            kind,
            value: 0,
            min: 0,
            max: if kind == ControlKind::Boolean { 1 } else { 255 },
            step: 1,
            default: 0,
            is_inactive: false,
            menu: menu
                .iter()
                .map(|&(value, title)| Choice {
                    value,
                    title: title.to_owned(),
                })
                .collect(),
        }
    }

    fn controls() -> Vec<Control> {
        vec![
            control("Brightness", ControlKind::Integer, &[]),
            control("White Balance, Automatic", ControlKind::Boolean, &[]),
            control(
                "Auto Exposure",
                ControlKind::Menu,
                &[(1, "Manual Mode"), (3, "Aperture Priority Mode")],
            ),
            control("Exposure Time, Absolute", ControlKind::Integer, &[]),
        ]
    }

    #[test]
    fn settings_find_their_control_and_number() {
        let controls = controls();
        for (name, value, expected, number) in [
            ("brightness", "128", "brightness", 128),
            ("Brightness", "0", "brightness", 0),
            (
                "white_balance_automatic",
                "off",
                "white_balance_automatic",
                0,
            ),
            ("white_balance", "auto", "white_balance_automatic", 1),
            ("exposure", "auto", "auto_exposure", 3),
            ("exposure", "manual", "auto_exposure", 1),
            ("auto_exposure", "3", "auto_exposure", 3),
            ("exposure", "100", "exposure_time_absolute", 100),
        ] {
            let (at, found) = find(&controls, name, value).expect(value);
            let control = &controls[at];
            assert_eq!(
                (control.name.as_str(), found),
                (expected, number),
                "{name}={value}"
            );
        }
    }

    #[test]
    fn what_cannot_be_set_is_told_with_what_is_allowed() {
        let controls = controls();
        for (name, value, said) in [
            (
                "brightness",
                "256",
                "`brightness=256`: allowed are 0 to 255",
            ),
            (
                "brightness",
                "much",
                "`brightness=much`: allowed are 0 to 255",
            ),
            (
                "auto_exposure",
                "2",
                "`auto_exposure=2`: allowed are 1 (Manual Mode), 3 (Aperture Priority Mode)",
            ),
            (
                "white_balance_automatic",
                "2",
                "`white_balance_automatic=2`: allowed are on and off",
            ),
        ] {
            assert_eq!(find(&controls, name, value).expect_err(value), said);
        }
        let said = find(&controls, "zoom", "1").expect_err("none");
        assert!(
            said.starts_with("`zoom=1`: this camera has brightness, white"),
            "{said}"
        );
    }
}
