//! camfeed turns a camera into a live feed.
//!
//! The path of a frame:
//!
//! ```text
//! device ─> capture/ ─ grab ─> encode/ ─ planes or imencode ─┐
//!              │  a JPEG already: passes through ────────────┤
//!              └─ lost: placeholder, back off ───────────────┤
//!                                                            v
//!                   feed/slot.rs: latest frame, feed/notify.rs: wakes all
//!                                                            │
//! socket <─ http/answers/stream.rs: wait for newer, write <──┘   (streams.rs: of several cameras)
//! ```
//!
//! `docs/how-it-works.md` has the modules, the paths of a frame and of a request, the threads, the rules,
//! and how a source, an encoder or an answer is added.

mod capture;
mod config;
mod encode;
mod error;
mod feed;
mod http;
mod jpeg;
mod reload;
mod system;
mod watchdog;

use crate::{
    config::{CamerasConfig, Config, ConfigFile, Given, args},
    error::Error,
    feed::{camera::Camera, cameras::Cameras},
    http::{AccessControl, Server},
    system::{
        logging, machine,
        output::{self, say},
        shutdown::ShutdownFlag,
        signals::{self, SignalEvent},
        systemd,
    },
    watchdog::Watchdog,
};
use crossbeam_channel::{Sender, select, unbounded};
use log::{info, warn};
use signal_hook::low_level;
use std::{os::fd::OwnedFd, sync::Arc, time::Duration};

/// Requests get this long to be answered when the program ends.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

/// Viewers get this long to take their last bytes when the program ends.
const FAREWELL: Duration = Duration::from_millis(1500);

/// The one exit. Allowed besides: a second signal, and the watchdog when this thread hangs.
fn main() {
    let code = run().unwrap_or_else(|error| {
        logging::say_last(&error);
        error.exit_code()
    });
    let code = output::finish(code);
    log::logger().flush();
    // Not through `exit`: a capture thread may be inside OpenCV, whose static objects `exit` would
    // destroy under it.
    low_level::exit(code.into())
}

/// Does what the command line says; the exit code.
fn run() -> Result<u8, Error> {
    let (typed, args) = match args::from_env() {
        Ok(read) => read,
        Err(code) => return Ok(code),
    };
    if args.version {
        say!("camfeed {}", env!("CARGO_PKG_VERSION"));
        return Ok(0);
    }
    let talkative = capture::prepare_opencv();
    let passed = systemd::take_socket();
    logging::start();
    let (is_list, is_check) = (args.list, args.check);
    let (config, file) = read_config(typed, args)?;
    capture::warn_of_messages(&talkative, &config.cameras.listed);
    let in_file = file.as_ref().and_then(ConfigFile::unused);
    let is_own =
        |name: &_, option: &_| file.as_ref().is_some_and(|file| file.has_own(name, option));
    for warning in config.cameras.unused(is_own).iter().chain(&in_file) {
        warn!("{warning}");
    }
    if is_list {
        return Ok(capture::list(config.cameras.first()));
    }
    if is_check {
        return Ok(capture::check(&config.cameras));
    }
    let passed = passed?;
    match (serve(&config, file.as_ref(), passed), file) {
        (Err(error), Some(file)) => Err(file.with_line(error)),
        (served, _) => served.map(|()| 0),
    }
}

/// What the command line says, and the file it names.
fn read_config(typed: Vec<Given>, args: args::Args) -> Result<(Config, Option<ConfigFile>), Error> {
    let Some(path) = &args.config else {
        return Ok((Config::from(args), None));
    };
    let file = ConfigFile::read(path, typed)?;
    Ok((file.config(), Some(file)))
}

/// Serves until a signal or a fatal error ends the program.
fn serve(config: &Config, file: Option<&ConfigFile>, passed: Option<OwnedFd>) -> Result<(), Error> {
    let signals = signals::start()?;
    let (fatal, errors) = unbounded();
    let (stop, stop_watchdog) = (
        Arc::new(ShutdownFlag::default()),
        Arc::new(ShutdownFlag::default()),
    );
    let limits = config.server.limits.resolve(config.cameras.count())?;
    let server = Server::bind(&config.server, passed)?;
    let elsewhere = match &*server.urls_elsewhere() {
        [] => String::new(),
        urls => format!(" (on other machines: {})", urls.join(" or ")),
    };
    let end = match logging::is_at_terminal() {
        true => "; Ctrl-C ends it",
        false => "",
    };
    info!("listening on {}{elsewhere}{end}", server.address());
    let access = server.access();
    let unix_path = server.unix_path();
    let all = start_cameras(&config.cameras, &stop, &fatal)?;
    let health = machine::start(&stop);
    let serving = Arc::new(server.start(&config.server, limits, &all, health)?);
    let watchdog = Watchdog {
        cameras: Arc::clone(&all),
        viewers: Arc::clone(serving.viewers()),
        probe: serving.probe(),
        stop: Arc::clone(&stop_watchdog),
        fatal: fatal.clone(),
    };
    let watched = Arc::clone(&serving);
    watchdog.start(move || watched.is_full())?;
    let signal = loop {
        select! {
            recv(signals) -> event => match event.expect("the thread of signals never ends") {
                SignalEvent::Reload => read_again(file, &all, &access),
                SignalEvent::End(signal) => break signal,
            },
            recv(errors) -> error => return Err(error.expect("`fatal` is here")),
        }
    };
    let name = low_level::signal_name(signal).unwrap_or("a signal");
    info!("ending on {name}");
    systemd::tell_stopping();
    // A server that accepts nothing more is not deaf.
    stop_watchdog.set();
    serving.drain(LAST_ANSWERS);
    stop.set();
    for camera in &*all.all() {
        camera.slot.close();
    }
    serving.viewers().wait_gone(FAREWELL);
    if let Some(path) = unix_path {
        let _ = std::fs::remove_file(path);
    }
    Ok(())
}

/// Starts the cameras that are listed, or those that are found.
fn start_cameras(
    config: &CamerasConfig,
    stop: &Arc<ShutdownFlag>,
    fatal: &Sender<Error>,
) -> Result<Arc<Cameras>, Error> {
    if let Some(template) = &config.found {
        return capture::discover(template, config.name.clone(), stop, fatal.clone());
    }
    let cameras = config.listed.iter();
    let mut cameras = cameras.map(|config| Arc::new(Camera::new(config.clone())));
    let first = cameras.next().expect("one is listed");
    let all = Arc::new(Cameras::new(config.name.clone(), first));
    cameras.for_each(|camera| all.add(camera));
    for camera in &*all.all() {
        capture::start(camera, &all, stop, fatal.clone())?;
    }
    Ok(all)
}

/// Everything that is read again on SIGHUP, or `systemctl reload`.
fn read_again(file: Option<&ConfigFile>, cameras: &Cameras, access: &AccessControl) {
    systemd::tell_reloading();
    reload::read_again(file, cameras);
    access.reload();
    systemd::tell_ready();
}
