//! `--check`: what a source really gives while it is read for some seconds.

use crate::{
    capture::{
        candidates::opening_time,
        diagnose::tally::Tally,
        look,
        source::{self, Opened, Repeat, libcamera, open::OpenContext, v4l2_devices},
    },
    config::{CameraConfig, CamerasConfig, Device},
    error::{Cause, Error},
    system::output::say,
};
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

/// Opens the source of each of `cameras`, one after the other, reads it and prints what came; the exit code
/// of the first that is not well.
pub fn check(cameras: &CamerasConfig) -> u8 {
    let found = cameras.found.iter().flat_map(every_camera);
    let all: Vec<_> = cameras.listed.iter().cloned().chain(found).collect();
    let codes = all.iter().enumerate().map(|(number, config)| {
        if number > 0 {
            say!("");
        }
        if config.is_addressed {
            say!("camera       {}", config.name);
        }
        check_one(config)
    });
    let codes: Vec<u8> = codes.collect();
    codes.into_iter().find(|&code| code != 0).unwrap_or(0)
}

/// All cameras there are, by their names, as `template` says; with none what says so.
fn every_camera(template: &CameraConfig) -> Vec<CameraConfig> {
    // Asked of a thread that may never answer.
    let modules = look::ask_for_modules().recv_timeout(CHECK_TIMEOUT);
    let found = look::named_now(&modules.unwrap_or_default()).into_iter();
    let found: Vec<_> = found
        .map(|(name, found)| template.addressed(name, found.device))
        .collect();
    match found.is_empty() {
        true => vec![CameraConfig {
            device: Device::Auto,
            ..template.clone()
        }],
        false => found,
    }
}

/// Opens the source, reads it and prints what came; the exit code.
fn check_one(config: &CameraConfig) -> u8 {
    let device = match &config.device {
        Device::Auto | Device::All => {
            if let Some(path) = v4l2_devices::cameras().into_iter().next() {
                Device::Node(path)
            } else if let Err(none) = libcamera::modules() {
                say!("no camera found; `camfeed` would show its test pattern");
                say!("{}", none.reason);
                return none.cause.exit_code();
            } else {
                Device::Csi(None)
            }
        }
        device => device.clone(),
    };
    say!("opening {device} …");
    let (sender, receiver) = mpsc::channel();
    let (timeout, asked) = (config.timeout, config.size);
    let (config, reading) = (config.clone(), device.clone());
    let tally = Arc::new(Mutex::new(Tally::default()));
    let counting = Arc::clone(&tally);
    // A driver may hang for ever; the answer comes all the same.
    let spawned = thread::Builder::new()
        .name("check".to_owned())
        .spawn(move || sender.send(read(&reading, &config, &counting)));
    if let Err(error) = spawned {
        say!("cannot start thread `check`: {error}");
        return Cause::Other.exit_code();
    }
    let limit = match device {
        // It is near: whoever waits longer waits for nothing.
        Device::Csi(_) => opening_time(true) + timeout + READING,
        _ => CHECK_TIMEOUT,
    };
    let outcome = receiver.recv_timeout(limit).unwrap_or_else(|_| {
        tally.lock().print_counts();
        let seconds = limit.as_secs();
        let hint = match device {
            Device::Csi(_) => libcamera::silence_hint(asked),
            _ => String::new(),
        };
        Err(Error::silent(
            &device,
            format!("it does not answer within {seconds} s{hint}"),
        ))
    });
    if let Err(error) = &outcome {
        say!("{error}");
    }
    advise(&device);
    outcome.map_or_else(|error| error.cause().exit_code(), |()| 0)
}

fn read(device: &Device, config: &CameraConfig, tally: &Mutex<Tally>) -> Result<(), Error> {
    let context = OpenContext {
        config,
        stop: &Arc::default(),
        interrupt: &Arc::default(),
        hint: None,
        advice: &Arc::default(),
    };
    let Opened {
        mut source, facts, ..
    } = source::open::open_device(device, &context)?;
    say!(
        "opened by {}, reading for {} s …",
        facts.backend,
        READING.as_secs()
    );
    tally.lock().begin(source.as_ref());
    let opened = Instant::now();
    let timeout = READING.max(config.timeout.min(READING * 2));
    let is_over = || {
        let first = tally.lock().first();
        opened.elapsed() >= timeout || first.is_some_and(|first| first.elapsed() >= READING)
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
        let repairs = source.take_repairs();
        end = source.retrieve(Mat::default()).and_then(|mut picture| {
            let mut tally = tally.lock();
            tally.note_repaired(repairs + u64::from(picture.cut_to_soi()));
            let taken = tally.take(&picture, captured.at);
            taken.map_err(|reason| Error::silent(device, source::no_picture_there(&reason)))
        });
    }
    let tally = tally.lock();
    tally.print(&facts, config);
    end?;
    let verdict = tally.verdict();
    verdict.map_or(Ok(()), |reason| Err(Error::silent(device, reason)))
}

/// What helps next time, whatever came out.
fn advise(device: &Device) {
    if let Device::Number(_) | Device::Node(_) = device {
        let path = device.to_string();
        if let Ok(node) = std::fs::metadata(&path) {
            say!(
                "permission   {path} has mode {:o}, group {}",
                node.mode() & 0o777,
                group_name(node.gid())
            );
        }
        if let Some(stable) = v4l2_devices::stable_name(Path::new(&path)) {
            say!(
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
