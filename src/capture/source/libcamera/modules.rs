//! Which camera modules there are, as libcamera tells GStreamer. Asking takes none of them, so it goes
//! on beside a program that reads one.

use crate::{
    capture::source::{
        gst,
        libcamera::sensors::{forbidden_node, seen_by_kernel},
    },
    config::Size,
    error::Cause,
};
use gstreamer::{
    Device, DeviceProvider, DeviceProviderFactory, IntRange, List, Registry, StructureRef,
    prelude::*,
};

/// A camera module and what it gives.
#[derive(Debug, Clone)]
pub struct CameraModule {
    /// Libcamera's name for it, such as `/base/soc/i2c0mux/i2c@1/imx708@1a`.
    pub id: String,
    /// Such as `imx708_wide`.
    pub sensor: String,
    /// The raw formats, by GStreamer's names, in libcamera's order.
    pub formats: Vec<String>,
    /// Sizes it has by name, smallest first.
    pub sizes: Vec<Size>,
    /// The largest of the sizes between which it has any even one.
    pub largest: Option<Size>,
}

/// Why there is no camera module to open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoModule {
    /// For programs.
    pub cause: Cause,
    /// For people.
    pub reason: String,
}

/// What lets a user open cameras.
pub const GROUP: &str =
    "is this user in the group video? `sudo usermod -aG video $USER`, then log in again";

/// The packages with libcamera's part of GStreamer and its own parts for a Raspberry Pi, which Debian 12
/// does not bring along.
const INSTALL: &str =
    "a camera module needs `sudo apt install gstreamer1.0-libcamera libcamera-ipa`";

/// All camera modules, in libcamera's order, but for USB cameras, which it may list too; an error
/// where there is none.
pub fn modules() -> Result<Vec<CameraModule>, NoModule> {
    gst::start().map_err(|reason| NoModule {
        cause: Cause::Other,
        reason,
    })?;
    let unknown = |reason: String| NoModule {
        cause: Cause::Unreachable,
        reason,
    };
    let Some(provider) = provider() else {
        let seen = seen_by_kernel();
        let seen = seen.map_or_else(String::new, |sensor| {
            format!(" (the kernel sees one: {sensor})")
        });
        return Err(unknown(format!("{INSTALL}{seen}")));
    };
    let modules: Vec<_> = provider.devices().iter().filter_map(module).collect();
    if !modules.is_empty() {
        return Ok(modules);
    }
    let seen = seen_by_kernel();
    if let Some(node) = forbidden_node().filter(|_| seen.is_some()) {
        let node = node.display();
        return Err(NoModule {
            cause: Cause::Forbidden,
            reason: format!("permission denied for {node} ({GROUP})"),
        });
    }
    Err(match seen {
        Some(sensor) => unknown(format!(
            "the kernel sees a camera module ({sensor}) and libcamera {} does not know it (is libcamera-ipa \
             installed? Debian's own before 0.5 has no Raspberry Pi 5; Raspberry Pi OS has)",
            version()
        )),
        None => NoModule {
            cause: Cause::Missing,
            reason: "no camera module found (is its cable in, its contacts the right way? A Raspberry Pi \
                 looks when it starts only; a module of another maker needs its dtoverlay in \
                 /boot/firmware/config.txt)"
                .to_owned(),
        },
    })
}

/// Libcamera's part of GStreamer that knows its cameras; `None` where it is not installed.
fn provider() -> Option<DeviceProvider> {
    let find = || DeviceProviderFactory::find("libcameraprovider")?.get();
    find().or_else(|| {
        // It may have been installed since GStreamer was started, beside the other plugins.
        seen_by_kernel()?;
        let registry = Registry::get();
        let core = registry.find_plugin("coreelements")?.filename()?;
        registry.scan_path(core.parent()?);
        find()
    })
}

/// The module that `name` means: an id, its end behind a `/`, or a sensor; without a name, the first.
pub fn module_named(name: Option<&str>) -> Result<CameraModule, NoModule> {
    let modules = modules()?;
    let names: Vec<_> = modules.iter().map(|module| module.name(&modules)).collect();
    let Some(name) = name else {
        return Ok(modules.into_iter().next().expect("there is one"));
    };
    let names = names.join(", ");
    let mut meant = modules.into_iter().filter(|module| module.is_called(name));
    match (meant.next(), meant.next()) {
        (Some(module), None) => Ok(module),
        (None, _) => Err(NoModule {
            cause: Cause::Missing,
            reason: format!("no camera module `{name}`; there are: {names}"),
        }),
        (Some(_), Some(_)) => Err(NoModule {
            cause: Cause::Unreachable,
            reason: format!("`{name}` means more than one camera module; there are: {names}"),
        }),
    }
}

impl CameraModule {
    /// The shortest end of its id that means none of the `others`.
    pub fn name(&self, others: &[CameraModule]) -> String {
        let ends = self
            .id
            .rmatch_indices('/')
            .map(|(at, _)| &self.id[at + 1..]);
        let is_own = |end: &&str| others.iter().filter(|other| other.is_called(end)).count() == 1;
        let end = ends.chain([self.id.as_str()]).find(is_own);
        end.unwrap_or(&self.id).to_owned()
    }

    fn is_called(&self, name: &str) -> bool {
        let is_end = || {
            self.id
                .strip_suffix(name)
                .is_some_and(|rest| rest.ends_with('/'))
        };
        self.id == name || is_end() || self.sensor == name || sensor_of(&self.id) == name
    }

    /// In words, for people.
    pub fn sizes_in_words(&self) -> String {
        match self.largest {
            Some(largest) => format!("any even size up to {largest}"),
            None => {
                let sizes: Vec<_> = self.sizes.iter().map(Size::to_string).collect();
                sizes.join(", ")
            }
        }
    }
}

/// The version of libcamera's part of GStreamer.
pub fn version() -> String {
    let plugin = Registry::get().find_plugin("libcamera");
    plugin.map_or_else(String::new, |plugin| plugin.version().to_string())
}

fn module(device: &Device) -> Option<CameraModule> {
    let id = device.display_name().to_string();
    // A USB camera is read by its node; so are ACPI's cameras, whose ids begin so.
    if id.contains("/usb") || id.starts_with("\\_SB") {
        return None;
    }
    let properties = device.properties();
    let model = properties.and_then(|all| all.get::<String>("api.libcamera.Model").ok());
    let sensor = model.unwrap_or_else(|| sensor_of(&id).to_owned());
    let caps = device.caps()?;
    let mut module = CameraModule {
        id,
        sensor,
        formats: Vec::new(),
        sizes: Vec::new(),
        largest: None,
    };
    for structure in caps.iter().filter(|one| one.name() == "video/x-raw") {
        for format in formats(structure) {
            if !module.formats.contains(&format) {
                module.formats.push(format);
            }
        }
        match (sides(structure, "width"), sides(structure, "height")) {
            (Some(Side::One(width)), Some(Side::One(height))) => {
                module.sizes.push(Size { width, height });
            }
            (Some(Side::UpTo(width)), Some(Side::UpTo(height))) => {
                module.largest = module.largest.max(Some(Size { width, height }));
            }
            _ => {}
        }
    }
    module.sizes.sort_unstable();
    module.sizes.dedup();
    Some(module)
}

/// Such as `imx708` of `/base/soc/i2c0mux/i2c@1/imx708@1a`.
fn sensor_of(id: &str) -> &str {
    let end = id.rsplit('/').next().unwrap_or(id);
    end.split('@').next().unwrap_or(end)
}

enum Side {
    One(u32),
    UpTo(u32),
}

fn sides(structure: &StructureRef, name: &str) -> Option<Side> {
    if let Ok(range) = structure.get::<IntRange<i32>>(name) {
        return u32::try_from(range.max()).ok().map(Side::UpTo);
    }
    let one = structure.get::<i32>(name).ok()?;
    u32::try_from(one).ok().map(Side::One)
}

fn formats(structure: &StructureRef) -> Vec<String> {
    match (
        structure.get::<String>("format"),
        structure.get::<List>("format"),
    ) {
        (Ok(one), _) => vec![one],
        (_, Ok(list)) => list.iter().filter_map(|one| one.get().ok()).collect(),
        _ => Vec::new(),
    }
}
