//! What there is and what a source really gives, told to a person: `--list`, `--check`, and the
//! log's line when a camera comes online.

pub mod tally;

use crate::{
    capture::{
        diagnose::tally::Tally,
        source::{self, Opened, Repeat, raw, v4l2_devices},
    },
    config::{CameraConfig, Device, PixelFormat},
    error::{Cause, Error},
    feed::camera::SourceInfo,
    system::shutdown::ShutdownFlag,
};
use log::{Level, log};
use opencv::core::Mat;
use parking_lot::Mutex;
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
const CHECK_TIMEOUT: Duration = Duration::from_secs(30);

/// Prints every camera with what it offers; the exit code.
pub fn list(config: &CameraConfig) -> u8 {
    let cameras = v4l2_devices::cameras();
    if cameras.is_empty() {
        println!("no camera found (is it plugged in? `ls /dev/video*` shows the nodes)");
        println!("a camera module of a Raspberry Pi is read through GStreamer:");
        println!("  sudo apt install gstreamer1.0-libcamera");
        println!("  camfeed --source \"gst:libcamerasrc\"");
        return code(Cause::Missing);
    }
    for (number, path) in cameras.iter().enumerate() {
        match v4l2_devices::describe(path) {
            Ok(camera) => print_camera(&camera, number == 0, &config.format),
            Err(_) => println!(
                "{}",
                v4l2_devices::diagnose_open(&Device::Node(path.clone()), path)
            ),
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

/// Opens the source, reads it and prints what came; the exit code.
pub fn check(config: &CameraConfig) -> u8 {
    let device = match &config.device {
        Device::Auto => match v4l2_devices::cameras().into_iter().next() {
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
    let tally = Arc::new(Mutex::new(Tally::default()));
    let counting = Arc::clone(&tally);
    // A driver may hang for ever; the answer comes all the same.
    let spawned = thread::Builder::new()
        .name("check".to_owned())
        .spawn(move || sender.send(read(&reading, &config, &counting)));
    if let Err(error) = spawned {
        println!("cannot start thread `check`: {error}");
        return code(Cause::Other);
    }
    let outcome = receiver.recv_timeout(CHECK_TIMEOUT).unwrap_or_else(|_| {
        tally.lock().print_counts();
        let reason = format!("it does not answer within {} s", CHECK_TIMEOUT.as_secs());
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

fn read(device: &Device, config: &CameraConfig, tally: &Mutex<Tally>) -> Result<(), Error> {
    let Opened { mut source, facts } =
        source::open::open_device(device, config, &Arc::new(ShutdownFlag::default()))?;
    println!(
        "opened by {}, reading for {} s …",
        facts.backend,
        READING.as_secs()
    );
    let silent = |reason| Error::Read {
        device: device.to_string(),
        cause: Cause::Silent,
        reason,
    };
    tally.lock().begin(source.as_ref());
    let opened = Instant::now();
    let patience = READING.max(config.timeout.min(READING * 2));
    let is_over = || {
        let first = tally.lock().first();
        opened.elapsed() >= patience || first.is_some_and(|first| first.elapsed() >= READING)
    };
    let mut end = Ok(());
    while end.is_ok() && !is_over() {
        let captured = match source.grab() {
            Ok(Some(captured)) if source.repeat() != Repeat::Yes => captured,
            Ok(_) => continue,
            Err(error) => {
                end = Err(error);
                break;
            }
        };
        end = source.retrieve(Mat::default()).and_then(|picture| {
            let taken = tally.lock().take(&picture, captured.at);
            taken.map_err(|reason| silent(source::no_picture_there(&reason)))
        });
    }
    let tally = tally.lock();
    tally.print(&facts, config);
    end?;
    tally.verdict().map_or(Ok(()), |reason| Err(silent(reason)))
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
        if let Some(stable) = v4l2_devices::stable_name(Path::new(&path)) {
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
pub fn say(facts: &SourceInfo, level: Level) {
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
