//! The server: the front gathers requests, tiny_http reads them, each is answered on a thread of
//! its own.
//!
//! ```text
//! listen ─> front ─ a whole request ─> reader ─> routes ─> stream, snapshot, status, …
//!             ^                                              │
//!             └──────────── the connection, if kept <────────┘
//! ```
//!
//! `listen` binds the socket; `front` holds the connections that are not in a request; `head` says
//! when one is whole, `reader` has it read by tiny_http; this file starts client threads; `gate`
//! says who may look and `routes` which answer belongs to which address; `stream`, `snapshot` (with
//! `wish` and `etag`), `status`, `metrics` (with `exposition`), `controls` and `pages` give them;
//! `response` is what they give; `probe` asks the server something from outside. Knows nothing of OpenCV, and
//! reads the camera only through its slot, its numbers and its status.

mod app;
mod connection;
mod controls;
mod etag;
mod exposition;
mod front;
mod gate;
mod head;
mod listen;
mod metrics;
mod pages;
mod places;
mod probe;
mod query;
mod reader;
mod request;
mod response;
mod routes;
mod sight;
mod snapshot;
mod status;
mod stream;
mod wire;
mod wish;

use crate::{
    camera::Camera, clients::Clients, config::ServerConfig, error::Error, health::Health,
    limits::Limits,
};
use app::App;
use connection::Connection;
use crossbeam_channel::{Receiver, unbounded};
use front::{Duty, Front, Gathered};
pub use gate::Gate;
use listen::Listening;
use log::{debug, error, info};
use parking_lot::Mutex;
use places::Places;
pub use probe::Probe;
use reader::{Reader, Unread};
use request::Request;
use response::{Answer, Response, minimal};
use snapshot::Patients;
use std::{
    os::fd::OwnedFd,
    panic::{self, AssertUnwindSafe},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// Stack of a client thread. It formats a little text and writes buffers it does not own.
const CLIENT_STACK: usize = 128 * 1024;

/// A pause before the front is begun again after it failed.
const FRONT_PAUSE: Duration = Duration::from_millis(200);

/// A bound socket, not yet served.
#[derive(Debug)]
pub struct Server {
    listening: Arc<Listening>,
    /// Somebody else bound it and keeps it.
    is_passed: bool,
    gate: Arc<Gate>,
}

/// A server that serves.
#[derive(Debug)]
pub struct Serving {
    shared: Arc<Shared>,
    duty: Duty,
    gathered: Receiver<Gathered>,
}

/// What every client thread works with.
#[derive(Debug)]
struct Shared {
    app: App,
    front: Front,
    /// Number of the last client.
    ids: AtomicU64,
}

/// One request and where it is answered.
#[derive(Debug)]
struct Client {
    request: Request,
    connection: Connection,
    /// What came behind the request.
    rest: Vec<u8>,
}

impl Server {
    /// Reads the password and the token; takes the socket systemd passed, or binds the address of
    /// `--listen`.
    pub fn bind(config: &ServerConfig, passed: Option<OwnedFd>) -> Result<Server, Error> {
        let gate = Arc::new(Gate::open(&config.access)?);
        if let Some(passed) = passed {
            let listening =
                listen::adopt(passed).map_err(|failure| Error::Passed(failure.to_string()))?;
            info!("the socket comes from systemd; --listen is not used");
            return Ok(Server {
                listening: Arc::new(listening),
                is_passed: true,
                gate,
            });
        }
        listen::bind(&config.listen)
            .map(|listening| Server {
                listening: Arc::new(listening),
                is_passed: false,
                gate,
            })
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

    /// The path of a Unix socket of our own, to be taken away in the end.
    pub fn unix_path(&self) -> Option<PathBuf> {
        self.listening.unix_path().filter(|_| !self.is_passed)
    }

    /// Who may look; can be told to read its files again.
    pub fn gate(&self) -> Arc<Gate> {
        Arc::clone(&self.gate)
    }

    /// Starts serving `camera`, until the program ends.
    pub fn start(
        self,
        config: &ServerConfig,
        limits: Limits,
        camera: &Arc<Camera>,
        health: Arc<Health>,
    ) -> Result<Serving, Error> {
        let listen_error = |source| Error::Listen {
            address: config.listen.to_string(),
            source,
        };
        let places = Places::new(limits.connections, config.max_per_address)
            .map_err(|errno| listen_error(errno.into()))?;
        let (gathered_in, gathered) = unbounded();
        let (back_in, back) = unbounded();
        let app = App {
            camera: Arc::clone(camera),
            clients: Clients::new(limits.viewers),
            gate: Arc::clone(&self.gate),
            health,
            places: Arc::clone(&places),
            patients: Patients::new((limits.connections - limits.viewers) / 2),
            allow_origin: config.allow_origin.clone(),
            frame_ancestors: config.frame_ancestors.clone(),
            has_controls: config.has_controls,
            client_timeout: config.client_timeout,
            started: Instant::now(),
        };
        let shared = Arc::new(Shared {
            app,
            front: Front::new(Arc::clone(&places), back_in, config.client_timeout),
            ids: AtomicU64::new(0),
        });
        self.gate.announce(self.listening.ip());
        let serving = Serving {
            shared,
            duty: Duty {
                listening: self.listening,
                places,
                gathered: gathered_in,
                back,
                patience: config.client_timeout,
                generation: Arc::default(),
                is_ending: Arc::default(),
            },
            gathered,
        };
        serving.spawn()?;
        Ok(serving)
    }
}

impl Serving {
    /// Who watches.
    pub fn clients(&self) -> &Arc<Clients> {
        &self.shared.app.clients
    }

    /// Asks the server over its own address.
    pub fn probe(&self) -> Probe {
        Probe::new(Arc::clone(&self.duty.listening))
    }

    /// Replaces the threads that accept and read, which do not answer any more. The listening
    /// socket stays and so do the streams.
    pub fn revive(&self) {
        self.duty.generation.fetch_add(1, Ordering::Relaxed);
        self.duty.places.ring();
        if let Err(failure) = self.spawn() {
            error!("{failure}");
        }
    }

    /// Accepts nothing more, and waits until every request but the streams is answered, at most
    /// for `time`. Whoever connects from now on waits for the next program on the same socket, if
    /// systemd keeps it.
    pub fn drain(&self, time: Duration) {
        let places = &self.duty.places;
        self.duty.is_ending.store(true, Ordering::Relaxed);
        places.ring();
        let streams = || self.shared.app.clients.viewers().len();
        if !places.wait_open(streams, Instant::now() + time) {
            info!("ending with requests that are not answered");
        }
    }

    fn spawn(&self) -> Result<(), Error> {
        let start = |name: &str, task: Box<dyn FnOnce() + Send>| {
            thread::Builder::new()
                .name(name.to_owned())
                .spawn(task)
                .map_err(|source| Error::Thread {
                    name: name.to_owned(),
                    source,
                })
        };
        let reader = Reader::start().map_err(|source| Error::Thread {
            name: "tiny_http".to_owned(),
            source,
        })?;
        let (duty, generation) = (self.duty.clone(), Arc::clone(&self.duty.generation));
        let own = generation.load(Ordering::Relaxed);
        start("front", Box::new(move || hold_front(&duty, own)))?;
        let (gathered, shared) = (self.gathered.clone(), Arc::clone(&self.shared));
        start(
            "http",
            Box::new(move || receive(&gathered, reader, (&generation, own), &shared)),
        )?;
        Ok(())
    }
}

/// Runs until the program ends or a successor has taken over; begins the front again when it fails
/// or panics. The connections that wait are lost with it, those in a request are not.
fn hold_front(duty: &Duty, own: u64) {
    loop {
        match panic::catch_unwind(AssertUnwindSafe(|| front::run(duty, own))) {
            Ok(Ok(())) => return,
            Ok(Err(failure)) => error!("accepting failed and is begun again: {failure}"),
            Err(_) => error!("accepting failed and is begun again"),
        }
        // What made it fail (descriptors, memory) takes a moment to pass.
        thread::sleep(FRONT_PAUSE);
    }
}

/// Runs until the program ends or a successor has taken over: has each request read and starts its
/// thread.
fn receive(
    gathered: &Receiver<Gathered>,
    mut reader: Reader,
    (generation, own): (&AtomicU64, u64),
    shared: &Arc<Shared>,
) {
    for gathered in gathered {
        let one = AssertUnwindSafe(|| receive_one(gathered, &mut reader, shared));
        if panic::catch_unwind(one).is_err() {
            error!("reading a request failed");
        }
        reader.prepare();
        if generation.load(Ordering::Relaxed) != own {
            return;
        }
    }
}

fn receive_one(gathered: Gathered, reader: &mut Reader, shared: &Arc<Shared>) {
    let refused = match reader.read(&gathered.message) {
        Ok(request) => {
            let request = Request {
                client: shared.ids.fetch_add(1, Ordering::Relaxed) + 1,
                peer: gathered.connection.peer,
                ..request
            };
            let client = Client {
                request,
                connection: gathered.connection,
                rest: gathered.rest,
            };
            return answer(client, shared);
        }
        Err(Unread::Malformed(status)) => {
            shared.app.places.malformed.bump();
            minimal(status, "this is no HTTP request\n")
        }
        Err(Unread::Failed(failure)) => {
            debug!("a request was not read: {failure}");
            minimal(503, "the server is short of something; try again\n")
        }
    };
    shared
        .front
        .send(gathered.connection, refused, false, Vec::new());
}

/// Answers on a thread of its own; when there is none to be had, says so.
fn answer(client: Client, shared: &Arc<Shared>) {
    let id = client.request.client;
    // The thread takes it out, or we do when there is no thread.
    let client = Arc::new(Mutex::new(Some(client)));
    let (taken, seen) = (Arc::clone(&client), Arc::clone(shared));
    let spawned = thread::Builder::new()
        .name(format!("client-{id}"))
        .stack_size(CLIENT_STACK)
        .spawn(move || {
            let client = taken.lock().take();
            if let Some(client) = client {
                drop(taken);
                client.answer(&seen);
            }
        });
    if let Err(failure) = spawned {
        debug!("no thread for client {id}: {failure}");
        let client = client.lock().take();
        if let Some(client) = client {
            let busy = Response::text(503, "no thread is free; try again\n");
            client.send(&busy.with("Retry-After", "5"), shared);
        }
    }
}

impl Client {
    fn answer(self, shared: &Shared) {
        match routes::answer(&self.request, &shared.app) {
            Answer::Full(response) => self.send(&response, shared),
            Answer::Stream(stream) => stream.run(self.connection, &self.request, &shared.app),
        }
    }

    /// Sends the response, and gives the connection back to the front.
    fn send(self, response: &Response, shared: &Shared) {
        let app = &shared.app;
        let keeps = response.has_length() && self.request.keeps_alive() && !app.places.are_scarce();
        let bytes = response.render(&self.request, keeps, app.allow_origin.as_ref());
        shared.front.send(self.connection, bytes, keeps, self.rest);
    }
}
