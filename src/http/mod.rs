//! The server: one thread accepts, and each connection has a thread of its own.
//!
//! ```text
//! accept ─ permit ─> client-N: loop { head ─> routes ─> answer }
//!                                │ response: written; the connection is kept or closed
//!                                └ stream: takes the connection over
//! ```
//!
//! `accept` is the accept loop, `serve` the loop of one connection; `net` has the sockets; `head` reads a
//! request; `auth` says who may look, `scope` whose camera an address is and `routes` which answer belongs to
//! it; the handlers in `answers` make them out of an `app`, as a value of `response`; `self_probe` asks the
//! server something from outside. Knows nothing of OpenCV, and sees a camera only through its slot, its
//! numbers, its status and its controls.

mod accept;
mod address_cache;
mod answers;
mod app;
mod auth;
mod head;
mod net;
mod query;
mod request;
mod response;
mod routes;
mod scope;
mod self_probe;
mod serve;
mod waiter_limit;

use crate::{
    config::ServerConfig,
    error::Error,
    feed::{cameras::Cameras, viewers::Viewers},
    system::{limits::Limits, machine::LatestHealth},
};
use accept::Acceptor;
use address_cache::AddressCache;
use app::App;
pub use auth::AccessControl;
use log::info;
use net::{
    listener::{self, Listener},
    open_connections::OpenConnections,
};
pub use self_probe::Probe;
use std::{
    os::fd::OwnedFd,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};
use waiter_limit::WaiterLimit;

/// When the program ends, a connection that was just accepted gets this long to bring its request.
const LAST_REQUESTS: Duration = Duration::from_millis(100);

/// A bound socket, not yet served.
#[derive(Debug)]
pub struct Server {
    listening: Arc<Listener>,
    /// Somebody else bound it and keeps it.
    is_passed: bool,
    access: Arc<AccessControl>,
}

/// A server that serves.
#[derive(Debug)]
pub struct Serving {
    app: Arc<App>,
    acceptor: Arc<Acceptor>,
}

impl Server {
    /// Reads the password and the token; takes the socket systemd passed, or binds the address of
    /// `--listen`.
    pub fn bind(config: &ServerConfig, passed: Option<OwnedFd>) -> Result<Server, Error> {
        let access = Arc::new(AccessControl::open(&config.access)?);
        let is_passed = passed.is_some();
        let listening = match passed {
            Some(passed) => listener::from_systemd(passed)
                .map_err(|failure| Error::Passed(failure.to_string()))?,
            None => listener::bind(&config.listen).map_err(|source| Error::Listen {
                address: config.listen.to_string(),
                source,
            })?,
        };
        if is_passed {
            info!("the socket comes from systemd; --listen is not used");
        }
        Ok(Server {
            listening: Arc::new(listening),
            is_passed,
            access,
        })
    }

    /// The address to open in a browser on this machine, with the real port.
    pub fn address(&self) -> String {
        self.listening.address()
    }

    /// What to open on other machines; empty where they do not reach it.
    pub fn urls_elsewhere(&self) -> Vec<String> {
        self.listening.urls_elsewhere()
    }

    /// The path of a Unix socket of our own, to be taken away in the end.
    pub fn unix_path(&self) -> Option<PathBuf> {
        self.listening.unix_path().filter(|_| !self.is_passed)
    }

    /// Who may look; can be told to read its files again.
    pub fn access(&self) -> Arc<AccessControl> {
        Arc::clone(&self.access)
    }

    /// Starts serving `cameras`, until the program ends.
    pub fn start(
        self,
        config: &ServerConfig,
        limits: Limits,
        cameras: &Arc<Cameras>,
        health: Arc<LatestHealth>,
    ) -> Result<Serving, Error> {
        self.access.announce(self.listening.ip());
        let app = Arc::new(App {
            cameras: Arc::clone(cameras),
            viewers: Viewers::new(limits.viewers),
            access: self.access,
            listening: Arc::clone(&self.listening),
            addresses: AddressCache::default(),
            health,
            connections: OpenConnections::new(limits.connections, config.max_per_address),
            waiters: WaiterLimit::new((limits.connections - limits.viewers) / 2),
            allow_origin: config.allow_origin.clone(),
            frame_ancestors: config.frame_ancestors.clone(),
            client_timeout: config.client_timeout,
            started: Instant::now(),
        });
        let acceptor = Acceptor::start(self.listening, Arc::clone(&app))?;
        Ok(Serving { app, acceptor })
    }
}

impl Serving {
    /// Who watches.
    pub fn viewers(&self) -> &Arc<Viewers> {
        &self.app.viewers
    }

    /// True when all connections are in use: one more waits, and a probe with it.
    pub fn is_full(&self) -> bool {
        self.app.connections.limit.is_full()
    }

    /// Asks the server over its own address.
    pub fn probe(&self) -> Probe {
        Probe(self.acceptor.listening())
    }

    /// Accepts nothing more, and waits until every request but the streams is answered, at most
    /// for `time`. Whoever connects from now on waits for the next program on the same socket, if
    /// systemd keeps it.
    pub fn drain(&self, time: Duration) {
        let deadline = Instant::now() + time;
        let connections = &self.app.connections;
        self.acceptor.end();
        let streams = || self.app.viewers.count();
        let limit = &connections.limit;
        if limit.wait_until_at_most(streams, Instant::now() + LAST_REQUESTS) {
            return;
        }
        connections.close_unasking();
        if !limit.wait_until_at_most(streams, deadline) {
            info!("ending with requests that are not answered");
        }
    }
}
