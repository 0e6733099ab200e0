//! camfeed turns a camera into a live feed.
//!
//! The way of the light, and of the reader, from top to bottom:
//!
//! ```text
//! device ─> capture/ ─ grab ─> encode.rs ─ imencode ─┐
//!              │  a JPEG already: passes through ────┤
//!              └─ lost: placeholder, back off ───────┤
//!                                                    v
//!                       slot.rs: latest frame, bell.rs: wakes all
//!                                                    │
//! socket <─ server/stream.rs: wait for newer, write <┘
//! ```
//!
//! Beside it `watchdog` asks the server for a sign of life, `service` talks with systemd and `reload`
//! reads options again.
//!
//! A `Camera` holds the slot and everything about one camera; `capture` and `encode` fill it,
//! `server` reads it. What holds by absence: OpenCV is named only in `capture/` and `encode.rs`,
//! `tiny_http` only in `server/`; no thread holds two locks or any lock while it reads a device,
//! encodes or writes; nobody sleeps to poll; every wait has a deadline or somebody who ends it.

mod bell;
mod camera;
mod capture;
mod cli;
mod clients;
mod config;
mod encode;
mod error;
mod fault;
mod frame;
mod freeze;
mod health;
mod journal;
mod jpeg;
mod limits;
mod liveness;
mod log_limit;
mod multipart;
mod process;
mod reload;
mod server;
mod service;
mod shutdown;
mod signals;
mod slot;
mod stats;
mod watchdog;

use crate::{
    camera::Camera,
    config::{Config, ConfigFile},
    error::Error,
    server::{Gate, Server},
    shutdown::Stop,
    signals::SignalEvent,
    watchdog::Watchdog,
};
use crossbeam_channel::{select, unbounded};
use log::{error, info};
use signal_hook::low_level;
use std::{os::fd::OwnedFd, sync::Arc, time::Duration};

/// Requests get this long to be answered when the program ends.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

/// Viewers get this long to take their last bytes when the program ends.
const FAREWELL: Duration = Duration::from_millis(1500);

/// The one exit. Allowed besides: a second signal, and the watchdog when this thread hangs.
fn main() {
    let code = run().unwrap_or_else(|error| {
        error!("{error}");
        error.exit_code()
    });
    log::logger().flush();
    // Not through `exit`: a capture thread may be inside OpenCV, whose static objects `exit` would
    // destroy under it.
    low_level::exit(code.into())
}

/// Does what the command line says; the exit code.
fn run() -> Result<u8, Error> {
    let (words, args) = match cli::from_env() {
        Ok(read) => read,
        Err(code) => return Ok(code),
    };
    if args.version {
        println!("camfeed {}", env!("CARGO_PKG_VERSION"));
        return Ok(0);
    }
    let talkative = capture::prepare_opencv();
    let passed = service::take_socket();
    journal::start();
    let (is_list, is_check) = (args.list, args.check);
    let (config, file) = read_config(words, args)?;
    capture::warn_of_messages(&talkative, &config.camera.device);
    if is_list {
        return Ok(capture::list(&config.camera));
    }
    if is_check {
        return Ok(capture::check(&config.camera));
    }
    serve(&config, file, passed?)?;
    Ok(0)
}

/// What the command line says, and the file it names.
fn read_config(words: Vec<String>, args: cli::Args) -> Result<(Config, Option<ConfigFile>), Error> {
    let Some(path) = &args.config else {
        return Ok((Config::from(args), None));
    };
    let file = ConfigFile::read(path, words)?;
    Ok((Config::from(file.args()), Some(file)))
}

/// Serves until a signal or a fatal error ends the program.
fn serve(config: &Config, file: Option<ConfigFile>, passed: Option<OwnedFd>) -> Result<(), Error> {
    let signals = signals::start()?;
    let (fatal, errors) = unbounded();
    let (stop, unwatched) = (Arc::new(Stop::default()), Arc::new(Stop::default()));
    let limits = config.server.limits.resolve()?;
    let camera = Arc::new(Camera::new(config.camera.clone()));
    let server = Server::bind(&config.server, passed)?;
    info!("listening on {}", server.address());
    if let Some(elsewhere) = server.address_elsewhere() {
        info!("on other machines: {elsewhere}");
    }
    let gate = server.gate();
    let unix_path = server.unix_path();
    capture::start(&camera, &stop, fatal.clone())?;
    let health = health::start(&stop);
    let serving = Arc::new(server.start(&config.server, limits, &camera, health)?);
    let watchdog = Watchdog {
        camera: Arc::clone(&camera),
        clients: Arc::clone(serving.clients()),
        probe: serving.probe(),
        stop: Arc::clone(&unwatched),
        fatal: fatal.clone(),
    };
    let watched = Arc::clone(&serving);
    watchdog.start(move || watched.is_full())?;
    let options = reload::Options::new(file, Arc::clone(&camera));
    let signal = loop {
        select! {
            recv(signals) -> event => match event.expect("the thread of signals never ends") {
                SignalEvent::Reload => reload(&options, &gate),
                SignalEvent::End(signal) => break signal,
            },
            recv(errors) -> error => return Err(error.expect("`fatal` is here")),
        }
    };
    let name = low_level::signal_name(signal).unwrap_or("a signal");
    info!("ending on {name}");
    service::tell_stopping();
    // A server that accepts nothing more is not deaf.
    unwatched.set();
    serving.drain(LAST_ANSWERS);
    stop.set();
    camera.slot.close();
    serving.clients().wait_gone(FAREWELL);
    if let Some(path) = unix_path {
        let _ = std::fs::remove_file(path);
    }
    Ok(())
}

/// Everything that is read again on SIGHUP, or `systemctl reload`.
fn reload(options: &reload::Options, gate: &Gate) {
    service::tell_reloading();
    options.read_again();
    gate.reload();
    service::tell_ready();
}
