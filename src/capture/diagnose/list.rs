//! `--list`: the cameras there are, with their formats.

use crate::{
    capture::{
        online_log::rate,
        source::{raw, v4l2_devices, v4l2_errors},
    },
    config::{CameraConfig, PixelFormat},
    error::{Cause, Error},
};

/// Prints every camera with what it offers; the exit code.
pub fn list(config: &CameraConfig) -> u8 {
    let cameras = v4l2_devices::cameras();
    if cameras.is_empty() {
        println!("no camera found (is it plugged in? `ls /dev/video*` shows the nodes)");
        println!("a camera module of a Raspberry Pi is read through GStreamer:");
        println!("  sudo apt install gstreamer1.0-libcamera");
        println!("  camfeed --source \"gst:libcamerasrc\"");
        return Cause::Missing.exit_code();
    }
    for (number, path) in cameras.iter().enumerate() {
        match v4l2_devices::describe(path) {
            Ok(camera) => print_camera(&camera, number == 0, &config.format),
            Err(_) => {
                let (cause, reason) = v4l2_errors::diagnose(path);
                println!("{}", Error::open(&path.display(), cause, reason));
            }
        }
    }
    0
}

fn print_camera(camera: &v4l2_devices::CameraDevice, is_chosen: bool, format: &PixelFormat) {
    let mark = if is_chosen {
        "  <- auto chooses this"
    } else {
        ""
    };
    println!(
        "{}  {} ({}){mark}",
        camera.path.display(),
        camera.name,
        camera.bus
    );
    if let Some(stable) = &camera.stable {
        println!("    stable name  {}", stable.display());
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
        println!("    {}  {}{mark}", offer.fourcc, offer.description);
        for (size, rates) in &offer.modes {
            let rates: Vec<_> = rates.iter().map(|&fps| rate(fps)).collect();
            println!("        {:<10} {} fps", size.to_string(), rates.join(", "));
        }
    }
}
