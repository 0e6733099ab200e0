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
mod multipart;
mod process;
mod reload;
mod seldom;
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
    signals::{Wish, Wishes},
    watchdog::Watchdog,
};
use log::{error, info};
use signal_hook::low_level;
use std::{convert::Infallible, os::fd::OwnedFd, process::ExitCode, sync::Arc, time::Duration};

/// Requests get this long to be answered when the program ends.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

/// A file of options that is refused: the service is not started again. By sysexits.h.
const EXIT_CONFIG: u8 = 78;

/// Viewers get this long to take their last bytes when the program ends.
const FAREWELL: Duration = Duration::from_millis(1500);

fn main() -> ExitCode {
    let (words, args) = cli::from_env();
    if args.version {
        println!("camfeed {}", env!("CARGO_PKG_VERSION"));
        return ExitCode::SUCCESS;
    }
    let talkative = capture::prepare_opencv();
    let passed = service::take_socket();
    journal::start();
    let (is_list, is_check) = (args.list, args.check);
    let (config, file) = match read_config(words, args) {
        Ok(read) => read,
        Err(error) => {
            error!("{error}");
            return ExitCode::from(EXIT_CONFIG);
        }
    };
    capture::warn_of_messages(&talkative, &config.camera.device);
    if is_list {
        return ExitCode::from(capture::list(&config.camera));
    }
    if is_check {
        let code = capture::check(&config.camera);
        // Not through `exit`; see the end of `run`.
        low_level::exit(code.into());
    }
    match passed.and_then(|passed| run(&config, file, passed)) {
        Ok(never) => match never {},
        Err(error) => {
            error!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// What the command line says, and the file it names.
fn read_config(words: Vec<String>, args: cli::Args) -> Result<(Config, Option<ConfigFile>), Error> {
    let Some(path) = &args.config else {
        return Ok((Config::from(args), None));
    };
    let file = ConfigFile::read(path, words)?;
    Ok((Config::from(file.args()), Some(file)))
}

/// Serves until a signal ends the program.
fn run(
    config: &Config,
    file: Option<ConfigFile>,
    passed: Option<OwnedFd>,
) -> Result<Infallible, Error> {
    let mut wishes = Wishes::hook()?;
    let (stop, unwatched) = (Arc::new(Stop::default()), Arc::new(Stop::default()));
    let limits = config.server.wanted.fit()?;
    let camera = Arc::new(Camera::new(config.camera.clone()));
    let server = Server::bind(&config.server, passed)?;
    info!("listening on {}", server.address());
    if let Some(elsewhere) = server.address_elsewhere() {
        info!("on other machines: {elsewhere}");
    }
    let gate = server.gate();
    let unix_path = server.unix_path();
    capture::start(&camera, &stop)?;
    let health = health::start(&stop);
    let serving = Arc::new(server.start(&config.server, limits, &camera, health)?);
    let watchdog = Watchdog {
        camera: Arc::clone(&camera),
        clients: Arc::clone(serving.clients()),
        probe: serving.probe(),
        stop: Arc::clone(&unwatched),
    };
    let watched = Arc::clone(&serving);
    watchdog.start(move || watched.is_full())?;
    let options = reload::Options::new(file, Arc::clone(&camera));
    let signal = loop {
        match wishes.next() {
            Wish::Reload => reload(&options, &gate),
            Wish::End(signal) => break signal,
        }
    };
    let name = low_level::signal_name(signal).unwrap_or("a signal");
    info!("ending on {name}");
    service::tell_stopping();
    wishes.end_at_next();
    // A server that accepts nothing more is not deaf.
    unwatched.set();
    serving.drain(LAST_ANSWERS);
    stop.set();
    camera.slot.close();
    serving.clients().wait_gone(FAREWELL);
    if let Some(path) = unix_path {
        let _ = std::fs::remove_file(path);
    }
    log::logger().flush();
    // Not through `exit`: a capture thread may be inside OpenCV, whose static objects `exit` would
    // destroy under it.
    low_level::exit(0)
}

/// Everything that is read again on SIGHUP, or `systemctl reload`.
fn reload(options: &reload::Options, gate: &Gate) {
    service::tell_reloading();
    options.read_again();
    gate.reload();
    service::tell_ready();
}
