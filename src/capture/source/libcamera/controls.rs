//! A camera module's controls: the properties of GStreamer's element `libcamerasrc`, changed while it
//! runs.
//!
//! Which properties there are depends on the version of libcamera; those that this one lacks are left out.
//! Their ranges are those of a Raspberry Pi, for the element says none. What is set here is what is
//! shown: read back, they say what the camera made of the last picture.

use crate::{
    capture::source::control_names::find,
    config::{Fps, Size},
    feed::controls::{CameraControls, Choice, Control, ControlKind},
};
use gstreamer::{Array, Element, ElementFactory, glib, prelude::*};
use parking_lot::Mutex;
use std::{collections::BTreeMap, io};

/// A property that is a control.
struct Property {
    name: &'static str,
    title: &'static str,
    /// Least, greatest, between two values, default. Of a menu and a switch only the default counts.
    range: (f64, f64, f64, f64),
}

const fn property(
    name: &'static str,
    title: &'static str,
    range: (f64, f64, f64, f64),
) -> Property {
    Property { name, title, range }
}

/// In the order in which they are shown.
const PROPERTIES: [Property; 18] = [
    property("brightness", "Brightness", (-1.0, 1.0, 0.02, 0.0)),
    property("contrast", "Contrast", (0.0, 32.0, 0.1, 1.0)),
    property("saturation", "Saturation", (0.0, 32.0, 0.1, 1.0)),
    property("sharpness", "Sharpness", (0.0, 16.0, 0.1, 1.0)),
    property("gamma", "Gamma", (0.1, 10.0, 0.1, 2.2)),
    property("exposure-value", "Exposure Value", (-8.0, 8.0, 0.25, 0.0)),
    property("ae-enable", "Automatic Exposure", (0.0, 1.0, 1.0, 1.0)),
    property(
        EXPOSURE_TIME,
        "Exposure Time, µs (0: automatic)",
        (0.0, 0.0, 1.0, 0.0),
    ),
    property(GAIN, "Gain (0: automatic)", (0.0, 16.0, 0.1, 0.0)),
    property("ae-exposure-mode", "Exposure Mode", (0.0, 0.0, 1.0, 0.0)),
    property("ae-metering-mode", "Metering Mode", (0.0, 0.0, 1.0, 0.0)),
    property(
        "awb-enable",
        "Automatic White Balance",
        (0.0, 1.0, 1.0, 1.0),
    ),
    property("awb-mode", "White Balance", (0.0, 0.0, 1.0, 0.0)),
    property(FOCUS_MODE, "Focus Mode", (0.0, 0.0, 1.0, 0.0)),
    property("af-range", "Focus Range", (0.0, 0.0, 1.0, 0.0)),
    property("af-speed", "Focus Speed", (0.0, 0.0, 1.0, 0.0)),
    property(LENS, "Lens Position, dioptres", (0.0, 32.0, 0.1, 1.0)),
    property(CROP, "Zoom", (1.0, 10.0, 0.1, 1.0)),
];

const EXPOSURE_TIME: &str = "exposure-time";
const GAIN: &str = "analogue-gain";
const FOCUS_MODE: &str = "af-mode";
const LENS: &str = "lens-position";
const CROP: &str = "scaler-crop";

/// What the control of [`CROP`] is called: a factor, of which the property is made.
const ZOOM: &str = "zoom";

/// Before libcamera 0.4.
const OLD_FOCUS_MODE: &str = "auto-focus-mode";

/// Sensors with a lens that moves; before 0.4 others answer with an error.
const SENSORS_WITH_LENS: [&str; 3] = ["imx519", "imx708", "ov64a40"];

/// The property with its value that keeps a lens in focus, as it stands in a pipeline; empty where this
/// version or sensor has none. Left alone, a lens stays where it is.
pub fn autofocus(sensor: &str) -> String {
    let Ok(element) = ElementFactory::make("libcamerasrc").build() else {
        return String::new();
    };
    let has_lens = SENSORS_WITH_LENS
        .iter()
        .any(|name| sensor.starts_with(name));
    let name = [(FOCUS_MODE, true), (OLD_FOCUS_MODE, has_lens)]
        .into_iter()
        .find(|(name, is_wanted)| *is_wanted && element.has_property(name));
    let continuous = name.and_then(|(name, _)| {
        let choices = choices(&element.find_property(name)?);
        let choice = choices
            .iter()
            .find(|choice| choice.title.contains("ontinuous"))?;
        Some(format!("{name}={}", choice.value))
    });
    continuous.unwrap_or_default()
}

/// Those of an opened camera module.
#[derive(Debug)]
pub struct ModuleControls {
    /// Not kept alive: it is OpenCV's.
    element: glib::WeakRef<Element>,
    /// Time between two pictures in microseconds, which no exposure exceeds.
    period: f64,
    /// What was set, by the property's name.
    set: Mutex<BTreeMap<&'static str, f64>>,
    /// All that the sensor sees: what a zoom is a part of. It is not read back: libcamera 0.4 gets that
    /// wrong.
    view: Option<Size>,
    /// Of the pictures.
    size: Size,
}

impl ModuleControls {
    /// Of the `element` that gives `fps` pictures of that `size` a second, of a sensor with that `view`.
    pub fn new(element: &Element, fps: Fps, size: Size, view: Option<Size>) -> ModuleControls {
        let controls = ModuleControls {
            element: element.downgrade(),
            period: (1e6 / fps.0).floor(),
            set: Mutex::default(),
            view,
            size,
        };
        if let Some(mode) = element.find_property(FOCUS_MODE).map(|spec| choices(&spec)) {
            let continuous = mode.iter().find(|choice| choice.title == "continuous");
            let continuous = continuous.map(|choice| (FOCUS_MODE, choice.value.into()));
            controls.set.lock().extend(continuous);
        }
        controls
    }

    fn element(&self) -> io::Result<Element> {
        let closed = || io::Error::other("the camera is being closed");
        self.element.upgrade().ok_or_else(closed)
    }

    fn controls(&self, element: &Element) -> Vec<(&'static Property, Control)> {
        let set = self.set.lock();
        let described = PROPERTIES.iter().filter_map(|property| {
            let spec = element.find_property(property.name)?;
            let (min, max, step, default) = property.range;
            let mut control = Control {
                name: property.name.replace('-', "_"),
                title: property.title.to_owned(),
                kind: kind(&spec),
                value: set.get(property.name).copied().unwrap_or(default),
                min,
                max,
                step,
                default,
                is_inactive: false,
                menu: choices(&spec),
            };
            match property.name {
                EXPOSURE_TIME => control.max = self.period,
                // As it is opened.
                FOCUS_MODE => {
                    let mut menu = control.menu.iter();
                    let continuous = menu.find(|choice| choice.title == "continuous");
                    control.default = continuous.map_or(default, |choice| choice.value.into());
                }
                CROP => {
                    self.view?;
                    control.name = ZOOM.to_owned();
                    control.kind = ControlKind::Decimal;
                }
                _ => {}
            }
            if control.kind == ControlKind::Menu {
                let values = || control.menu.iter().map(|choice| f64::from(choice.value));
                (control.min, control.max) =
                    (values().fold(0.0, f64::min), values().fold(0.0, f64::max));
            }
            Some((property, control))
        });
        described.collect()
    }

    /// Sets what `name=value` means; a sentence where it means nothing.
    fn set_one(&self, element: &Element, name: &str, value: &str) -> Result<(), String> {
        let (properties, controls): (Vec<_>, Vec<_>) = self.controls(element).into_iter().unzip();
        let (at, number) = find(&controls, name, value)?;
        let property = properties[at].name;
        // What says who sets it goes before: a value that comes with an earlier picture does not count.
        let mode = match property {
            // A lens that the camera moves by itself would not stay.
            LENS => word(element, FOCUS_MODE, "manual"),
            // From libcamera 0.5 on.
            EXPOSURE_TIME | GAIN => {
                let mode = if property == GAIN {
                    "analogue-gain-mode"
                } else {
                    "exposure-time-mode"
                };
                let who = if number == 0.0 { "auto" } else { "manual" };
                word(element, mode, who)
            }
            _ => None,
        };
        for (property, number) in mode.into_iter().chain([(property, number)]) {
            match self.view.filter(|_| property == CROP) {
                Some(view) => {
                    element.set_property(CROP, Array::new(zoomed(view, self.size, number)));
                }
                None => set_number(element, property, number),
            }
            self.set.lock().insert(property, number);
        }
        Ok(())
    }
}

impl CameraControls for ModuleControls {
    fn list(&self) -> io::Result<Vec<Control>> {
        let controls = self.controls(&self.element()?);
        Ok(controls.into_iter().map(|(_, control)| control).collect())
    }

    fn set(&self, settings: &[(String, String)]) -> io::Result<Vec<String>> {
        let element = self.element()?;
        let outcomes = settings
            .iter()
            .map(|(name, value)| self.set_one(&element, name, value));
        Ok(outcomes.filter_map(Result::err).collect())
    }

    fn are_kept(&self) -> bool {
        false
    }
}

fn kind(spec: &glib::ParamSpec) -> ControlKind {
    match spec.value_type() {
        glib::Type::BOOL => ControlKind::Boolean,
        glib::Type::I32 | glib::Type::I64 => ControlKind::Integer,
        kind if kind.is_a(glib::Type::ENUM) => ControlKind::Menu,
        _ => ControlKind::Decimal,
    }
}

/// The choices of a property that is an enumeration, by their short names.
fn choices(spec: &glib::ParamSpec) -> Vec<Choice> {
    let class = glib::EnumClass::with_type(spec.value_type());
    let values = class.as_ref().map_or(&[][..], |class| class.values());
    values
        .iter()
        .map(|value| Choice {
            value: value.value(),
            title: value.nick().to_owned(),
        })
        .collect()
}

/// The number of a word of an enumeration; `None` where this version has no such property.
fn word(element: &Element, property: &'static str, word: &str) -> Option<(&'static str, f64)> {
    let choices = choices(&element.find_property(property)?);
    let choice = choices.into_iter().find(|choice| choice.title == word)?;
    Some((property, choice.value.into()))
}

/// Sets a property of whatever kind of number it is.
fn set_number(element: &Element, name: &str, number: f64) {
    let Some(spec) = element.find_property(name) else {
        return;
    };
    let kind = spec.value_type();
    let value = match glib::EnumClass::with_type(kind) {
        Some(class) => class.to_value(number as i32),
        None if kind == glib::Type::BOOL => Some((number != 0.0).to_value()),
        None => number.to_value().transform_with_type(kind).ok(),
    };
    if let Some(value) = value {
        element.set_property_from_value(name, &value);
    }
}

/// The middle of `view`, magnified by `zoom`: x, y, width, height. It has the shape of the `picture`, to
/// which libcamera stretches it.
fn zoomed(view: Size, picture: Size, zoom: f64) -> [i32; 4] {
    let times = |whole: u32, side: u32| f64::from(whole) / f64::from(side);
    let fitting = times(view.width, picture.width).min(times(view.height, picture.height));
    let part = |side: u32| (f64::from(side) * fitting / zoom).round() as i32 / 2 * 2;
    let (width, height) = (part(picture.width), part(picture.height));
    [
        (view.width as i32 - width) / 2,
        (view.height as i32 - height) / 2,
        width,
        height,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zoom_shows_the_middle_in_the_shape_of_the_picture() {
        let size = |(width, height)| Size { width, height };
        for (view, picture, zoom, part) in [
            ((3280, 2464), (1640, 1232), 1.0, [0, 0, 3280, 2464]),
            ((3280, 2464), (1640, 1232), 2.0, [820, 616, 1640, 1232]),
            ((3280, 2464), (1640, 1232), 10.0, [1476, 1109, 328, 246]),
            ((3280, 2464), (1280, 720), 1.0, [0, 310, 3280, 1844]),
            ((3280, 2464), (1280, 720), 2.0, [820, 771, 1640, 922]),
            ((4608, 2592), (1280, 960), 1.0, [576, 0, 3456, 2592]),
            ((4608, 2592), (1280, 720), 1.0, [0, 0, 4608, 2592]),
        ] {
            let zoomed = zoomed(size(view), size(picture), zoom);
            assert_eq!(zoomed, part, "{picture:?} of {view:?}, {zoom}");
        }
    }
}
