//! The server: tiny_http accepts and reads requests, each is answered on a thread of its own.
//!
//! `listen` binds the socket; this file receives requests and starts client threads; `routes`
//! says which answer belongs to which address; `stream`, `snapshot`, `status`, `controls` and
//! `pages` give them; `reply` writes them; `guard` makes up for what tiny_http leaves open. Knows nothing of
//! OpenCV, and reads the camera only through its slot, its numbers and its status.

mod controls;
mod guard;
mod listen;
mod pages;
mod reply;
mod routes;
mod snapshot;
mod status;
mod stream;

use crate::{
    camera::Camera,
    clients::Clients,
    config::{Origin, ServerConfig},
    error::Error,
};
use guard::Guard;
use listen::Listening;
use log::{debug, error};
use std::{
    path::PathBuf,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

/// Stack of a client thread. It formats a little text and writes buffers it does not own.
const CLIENT_STACK: usize = 128 * 1024;

/// A pause before accepting is tried again after it failed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// A bound socket, not yet served.
#[derive(Debug)]
pub struct Server {
    listening: Listening,
}

/// What every client thread may read.
#[derive(Debug)]
struct Shared {
    camera: Arc<Camera>,
    clients: Arc<Clients>,
    guard: Guard,
    allow_origin: Option<Origin>,
    has_controls: bool,
    started: Instant,
}

impl Server {
    /// Binds the address of `--listen`.
    pub fn bind(config: &ServerConfig) -> Result<Server, Error> {
        listen::bind(&config.listen)
            .map(|listening| Server { listening })
            .map_err(|source| Error::Listen {
                address: config.listen.to_string(),
                source,
            })
    }

    /// The address to open in a browser on this machine, with the real port.
    pub fn address(&self) -> String {
        self.listening.address()
    }

    /// The address to open on other machines, where there is one.
    pub fn address_elsewhere(&self) -> Option<String> {
        self.listening.address_elsewhere()
    }

    /// The path of a Unix socket, to be taken away in the end.
    pub fn unix_path(&self) -> Option<PathBuf> {
        self.listening.unix_path()
    }

    /// Starts serving `camera`, until the program ends.
    pub fn start(self, config: &ServerConfig, camera: &Arc<Camera>) -> Result<Arc<Clients>, Error> {
        let clients = Clients::new(config.max_viewers);
        let listen_error = |source| Error::Listen {
            address: config.listen.to_string(),
            source,
        };
        let shared = Arc::new(Shared {
            camera: Arc::clone(camera),
            clients: Arc::clone(&clients),
            guard: Guard::start(self.listening.identity())?,
            allow_origin: config.allow_origin.clone(),
            has_controls: config.has_controls,
            started: Instant::now(),
        });
        let server = self.listening.serve().map_err(listen_error)?;
        let name = "http".to_owned();
        thread::Builder::new()
            .name(name.clone())
            .spawn(move || receive(&self.listening, server, &shared))
            .map_err(|source| Error::Thread { name, source })?;
        Ok(clients)
    }
}

/// Runs until the program ends. When accepting has failed with an error, it is taken up again on
/// the same socket and nobody who is connected notices.
fn receive(listening: &Listening, mut server: tiny_http::Server, shared: &Arc<Shared>) {
    let mut id = 0;
    loop {
        match server.recv() {
            Ok(request) => {
                id += 1;
                shared.guard.note_request(request.remote_addr());
                answer(id, request, shared);
            }
            Err(failure) => {
                error!("accepting failed and is taken up again: {failure}");
                // Dropping a server knocks at its address and removes a Unix socket's path: neither
                // is wanted while its successor serves there.
                std::mem::forget(std::mem::replace(&mut server, successor(listening)));
            }
        }
    }
}

/// A server on the same socket; tried until there is one, because its predecessor, whose accepting
/// has ended, would be waited for in vain.
fn successor(listening: &Listening) -> tiny_http::Server {
    loop {
        // What made accepting fail (descriptors, threads, memory) takes a moment to pass.
        thread::sleep(ACCEPT_PAUSE);
        match listening.serve() {
            Ok(server) => return server,
            Err(failure) => error!("cannot accept again: {failure}"),
        }
    }
}

/// Answers `request` on a thread of its own.
fn answer(id: u64, request: tiny_http::Request, shared: &Arc<Shared>) {
    let shared = Arc::clone(shared);
    let spawned = thread::Builder::new()
        .name(format!("client-{id}"))
        .stack_size(CLIENT_STACK)
        .spawn(move || routes::answer(id, request, &shared));
    if let Err(failure) = spawned {
        // The request went down with the closure, which answers it with a 500.
        debug!("no thread for client {id}: {failure}");
    }
}
