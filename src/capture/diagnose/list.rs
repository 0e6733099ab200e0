//! `--list`: the cameras there are, with their formats.

use crate::{
    capture::{
        look::{self, FoundDevice},
        online_log::rate,
        source::{
            libcamera::{self, CameraModule, Request},
            raw,
            v4l2_bandwidth::no_bandwidth_for,
            v4l2_devices, v4l2_errors,
        },
    },
    config::{CameraConfig, CameraName, Device, PixelFormat},
    error::Error,
    system::output::say,
};

/// Prints every camera with what it offers; the exit code.
pub fn list(config: &CameraConfig) -> u8 {
    let cameras = v4l2_devices::cameras();
    let modules = libcamera::modules();
    let named = look::named_now(modules.as_deref().unwrap_or_default());
    for (number, path) in cameras.iter().enumerate() {
        let name = name_of(&named, |found| {
            let seen = found.seen.as_ref();
            seen.is_some_and(|seen| seen.node.path == *path)
        });
        match v4l2_devices::describe(path) {
            Ok(camera) => print_camera(&camera, number == 0, name, &config.format),
            Err(_) => {
                let (cause, reason) = v4l2_errors::diagnose(path, || no_bandwidth_for("it"));
                say!("{}", Error::open(&path.display(), cause, reason));
                print_name(name);
            }
        }
    }
    match modules {
        Ok(modules) => {
            for (number, module) in modules.iter().enumerate() {
                let is_chosen = cameras.is_empty() && number == 0;
                let device = Device::Csi(Some(module.id.clone()));
                let name = name_of(&named, |found| found.device == device);
                print_module(module, &modules, is_chosen, name, config);
            }
            0
        }
        // What nobody has plugged in is no news beside a camera.
        Err(_) if !cameras.is_empty() && libcamera::seen_by_kernel().is_none() => 0,
        Err(none) => {
            if cameras.is_empty() {
                say!("no camera found (is it plugged in? `ls /dev/video*` shows the nodes)");
            }
            say!("{}", none.reason);
            if cameras.is_empty() {
                none.cause.exit_code()
            } else {
                0
            }
        }
    }
}

/// What stands behind the name of the camera that `auto` takes.
fn mark(is_chosen: bool) -> &'static str {
    if is_chosen {
        "  <- auto chooses this"
    } else {
        ""
    }
}

/// What the one of `named` is called that `is_it`.
fn name_of(
    named: &[(CameraName, FoundDevice)],
    is_it: impl Fn(&FoundDevice) -> bool,
) -> Option<&str> {
    let mut own = named.iter().filter(|(_, device)| is_it(device));
    own.next().map(|(name, _)| name.as_str())
}

/// Under which name `--source all` serves it.
fn print_name(name: Option<&str>) {
    if let Some(name) = name {
        say!("    name         {name} (of `--source all`)");
    }
}

fn print_module(
    module: &CameraModule,
    all: &[CameraModule],
    is_chosen: bool,
    name: Option<&str>,
    config: &CameraConfig,
) {
    let (own, mark) = (module.name(all), mark(is_chosen));
    say!("csi:{own}  {} ({}){mark}", module.sensor, module.id);
    print_name(name);
    say!("    formats  {}", module.formats.join(", "));
    say!("    sizes    {}", module.sizes_in_words());
    match Request::new(module, config) {
        Ok(Request {
            format, size, fps, ..
        }) => say!(
            "    asked for {format}, {size}, {} fps, full colour range",
            rate(fps.0)
        ),
        Err(reason) => say!("    {reason}"),
    }
}

fn print_camera(
    camera: &v4l2_devices::CameraDevice,
    is_chosen: bool,
    name: Option<&str>,
    format: &PixelFormat,
) {
    let mark = mark(is_chosen);
    say!(
        "{}  {} ({}){mark}",
        camera.path.display(),
        camera.name,
        camera.bus
    );
    print_name(name);
    if let Some(stable) = &camera.stable {
        say!("    stable name  {}", stable.display());
    }
    let offered: Vec<_> = camera
        .formats
        .iter()
        .map(|offer| offer.fourcc.clone())
        .collect();
    let auto = raw::wanted(&PixelFormat::Auto, &offered);
    let wanted = raw::wanted(format, &offered);
    for offer in &camera.formats {
        let mark = if auto.as_ref() == Some(&offer.fourcc) {
            "  <- auto chooses this"
        } else if wanted.as_ref() == Some(&offer.fourcc) {
            "  <- --format chooses this"
        } else {
            ""
        };
        say!("    {}  {}{mark}", offer.fourcc, offer.description);
        for (size, rates) in &offer.modes {
            let rates: Vec<_> = rates.iter().map(|&fps| rate(fps)).collect();
            say!("        {:<10} {} fps", size.to_string(), rates.join(", "));
        }
    }
}
