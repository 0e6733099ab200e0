//! What there is and what a source really gives, told to a person: `--list`, `--check`, and the
//! log's line when a camera comes online.

use super::{
    node,
    source::{self, Opened, Repeat},
    v4l2,
};
use crate::{
    camera::Facts,
    config::{CameraConfig, Device, PixelFormat},
    encode::Picture,
    error::{Cause, Error},
    frame::placeholder_reason,
    jpeg,
    shutdown::Stop,
};
use log::{Level, log};
use opencv::{core::Mat, prelude::*};
use std::{
    os::unix::fs::MetadataExt,
    path::Path,
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

/// For how long a source is read.
const READING: Duration = Duration::from_secs(3);

/// Longer than any source takes to open or to fail.
const PATIENCE: Duration = Duration::from_secs(30);

/// Prints every camera with what it offers; the exit code.
pub fn list(config: &CameraConfig) -> u8 {
    let cameras = node::cameras();
    if cameras.is_empty() {
        println!("no camera found (is it plugged in? `ls /dev/video*` shows the nodes)");
        println!("a camera module of a Raspberry Pi is read through GStreamer:");
        println!("  sudo apt install gstreamer1.0-libcamera");
        println!("  camfeed --source \"gst:libcamerasrc\"");
        return code(Cause::Missing);
    }
    for (number, path) in cameras.iter().enumerate() {
        match node::describe(path) {
            Ok(camera) => print_camera(&camera, number == 0, &config.format),
            Err(_) => println!("{}", node::why_not(&Device::Node(path.clone()), path)),
        }
    }
    0
}

fn print_camera(camera: &node::Camera, is_chosen: bool, format: &PixelFormat) {
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
    let auto = v4l2::wanted_format(&PixelFormat::Auto, &offered);
    let wanted = v4l2::wanted_format(format, &offered);
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

/// Opens the source, reads it and prints what came; the exit code.
pub fn check(config: &CameraConfig) -> u8 {
    let device = match &config.device {
        Device::Auto => match node::cameras().into_iter().next() {
            Some(path) => Device::Node(path),
            None => {
                println!("no camera found; `camfeed` would show its test pattern");
                return code(Cause::Missing);
            }
        },
        device => device.clone(),
    };
    println!("opening {device} …");
    let (sender, receiver) = mpsc::channel();
    let (config, reading) = (config.clone(), device.clone());
    // A driver may hang for ever; the answer comes all the same.
    let spawned = thread::Builder::new()
        .name("check".to_owned())
        .spawn(move || sender.send(read(&reading, &config)));
    if let Err(error) = spawned {
        println!("cannot start thread `check`: {error}");
        return code(Cause::Other);
    }
    let outcome = receiver.recv_timeout(PATIENCE).unwrap_or_else(|_| {
        let reason = format!("it does not answer within {} s", PATIENCE.as_secs());
        Err(Error::Read {
            device: device.to_string(),
            cause: Cause::Silent,
            reason,
        })
    });
    if let Err(error) = &outcome {
        println!("{error}");
    }
    advise(&device);
    outcome.map_or_else(|error| code(error.cause()), |()| 0)
}

fn read(device: &Device, config: &CameraConfig) -> Result<(), Error> {
    let Opened { mut source, facts } = source::open(device, config, &Arc::new(Stop::default()))?;
    println!(
        "opened by {}, reading for {} s …",
        facts.backend,
        READING.as_secs()
    );
    let opened = Instant::now();
    let (mut pictures, mut broken, mut bytes, mut jpegs) = (0_u32, 0_u32, 0_usize, 0_u32);
    let (mut first, mut last) = (None, opened);
    let mut size = facts.size;
    while opened.elapsed() < READING.max(config.timeout.min(READING * 2)) {
        if first.is_some_and(|first: Instant| first.elapsed() >= READING) {
            break;
        }
        let Some(captured) = source.grab()? else {
            continue;
        };
        if source.repeat() == Repeat::Yes {
            continue;
        }
        first.get_or_insert(captured.at);
        last = captured.at;
        pictures += 1;
        if let Picture::Jpeg(mat) = source.retrieve(Mat::default())? {
            let data = mat.data_bytes().unwrap_or_default();
            if let Some(reason) = placeholder_reason(data) {
                let (device, cause) = (device.to_string(), Cause::Silent);
                let reason = source::no_picture_there(&reason);
                return Err(Error::Read {
                    device,
                    cause,
                    reason,
                });
            }
            match jpeg::inspect(data) {
                Ok(layout) => {
                    jpegs += 1;
                    bytes += layout.len;
                    let (width, height) = (layout.width.into(), layout.height.into());
                    size = Some(crate::config::Size { width, height });
                }
                Err(_) => broken += 1,
            }
        }
    }
    let Some(first) = first else {
        let reason = "it is open and gives no picture".to_owned();
        return Err(Error::Read {
            device: device.to_string(),
            cause: Cause::Silent,
            reason,
        });
    };
    let asked = &facts.asked;
    let or_own = |text: Option<String>| text.unwrap_or_else(|| "its own".to_owned());
    println!(
        "asked for    format {}, size {}, rate {}",
        or_own(asked.format.clone()),
        or_own(asked.size.map(|size| size.to_string())),
        or_own(asked.fps.map(rate)),
    );
    let format = match facts.format.as_str() {
        // A pipeline says nothing of it.
        "" if jpegs > 0 => "JPEG",
        "" => "raw pixels",
        format => format,
    };
    println!(
        "it gives     format {format}, size {}, rate {}",
        or_own(size.map(|size| size.to_string())),
        facts.fps.map_or_else(|| "unsaid".to_owned(), rate),
    );
    let span = last.duration_since(first).as_secs_f64();
    let fps = if span > 0.0 {
        f64::from(pictures - 1) / span
    } else {
        0.0
    };
    println!(
        "measured     {} frames a second ({pictures} pictures, {broken} broken)",
        rate(fps)
    );
    if jpegs > 0 {
        println!(
            "JPEG size    {} kB on average",
            bytes / jpegs as usize / 1000
        );
    }
    let way = match (jpegs > 0, config.passes_through()) {
        (true, true) => "its JPEGs pass through untouched",
        (true, false) => "its JPEGs are decoded and encoded again, as the options ask",
        (false, _) => "its pixels are encoded here",
    };
    println!("processing   {way}");
    Ok(())
}

/// What helps next time, whatever came out.
fn advise(device: &Device) {
    if let Device::Number(_) | Device::Node(_) = device {
        let path = device.to_string();
        if let Ok(node) = std::fs::metadata(&path) {
            println!(
                "permission   {path} has mode {:o}, group {}",
                node.mode() & 0o777,
                group_name(node.gid())
            );
        }
        if let Some(stable) = node::stable_name(Path::new(&path)) {
            println!(
                "stable name  {} (keeps when the number changes)",
                stable.display()
            );
        }
    }
}

/// The name of a group, or its number.
fn group_name(gid: u32) -> String {
    let number = gid.to_string();
    let groups = std::fs::read_to_string("/etc/group").unwrap_or_default();
    let name = groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == number).then(|| name.to_owned())
    });
    name.unwrap_or(number)
}

/// The exit code of a cause.
fn code(cause: Cause) -> u8 {
    match cause {
        Cause::Missing => 3,
        Cause::Busy => 4,
        Cause::Forbidden => 5,
        Cause::Silent => 6,
        Cause::NotACamera => 7,
        Cause::Other => 1,
    }
}

/// One line on what the camera really gave, and what it was asked for where that differs.
pub fn say(facts: &Facts, level: Level) {
    let size = facts
        .size
        .map_or_else(|| "unknown".to_owned(), |size| size.to_string());
    let fps = facts.fps.map_or_else(|| "unknown".to_owned(), rate);
    let way = if facts.pass_through {
        "passed through"
    } else {
        "encoded"
    };
    let mut line = format!(
        "camera online: source={} backend={} format={} size={size} fps={fps} {way}",
        facts.source, facts.backend, facts.format
    );
    if let Some(stable) = &facts.stable {
        line.push_str(&format!(" stable={}", stable.display()));
    }
    let asked = &facts.asked;
    let refused = [
        asked
            .format
            .clone()
            .filter(|format| *format != facts.format),
        asked
            .size
            .filter(|size| Some(*size) != facts.size)
            .map(|size| size.to_string()),
        asked
            .fps
            .filter(|asked| facts.fps.is_some_and(|fps| (fps - asked).abs() > 0.5))
            .map(rate),
    ];
    let refused: Vec<_> = refused.into_iter().flatten().collect();
    if !refused.is_empty() {
        line.push_str(&format!(
            " (asked for {}, which it does not have)",
            refused.join(", ")
        ));
    }
    log!(level, "{line}");
}

/// A rate as people write it: 30, 7.5.
pub fn rate(fps: f64) -> String {
    let text = format!("{fps:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
