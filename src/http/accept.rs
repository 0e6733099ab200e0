//! The accept loop: one thread that accepts every connection and starts a thread for each.
//!
//! It waits for connections, and never for a client. With all permits taken the connection that can best
//! be done without makes room; when there is none, new ones wait in the kernel. In a flood, those that have
//! long waited and said nothing are closed before they cost a thread, so that who asks comes to its turn. When
//! the system has no descriptor or thread, room is made the same way, and accepting pauses for a moment. An
//! accept error is an outage that passes; a panic begins the loop again.

use crate::{
    error::Error,
    http::{
        app::App,
        net::{connection::Connection, connection_limit::ConnectionLimit, listener::Listener},
        serve,
    },
    system::{fault_injection, log_limit::LogLimiter},
};
use log::{debug, error, warn};
use parking_lot::Mutex;
use rustix::{
    event::{EventfdFlags, PollFd, PollFlags, eventfd, poll},
    io::Errno,
};
use socket2::Socket;
use std::{
    io,
    os::fd::OwnedFd,
    panic::{self, AssertUnwindSafe},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

/// Stack of a client thread. It formats a little text and writes buffers it does not own. While the client
/// says nothing, three pages are touched: the thread-local data of OpenCV's libraries, most of all.
const CLIENT_STACK: usize = 128 * 1024;

/// A pause when the system has no descriptor or memory for another connection.
const SHORTAGE_PAUSE: Duration = Duration::from_millis(100);

/// While all connections are in a request it is looked this often whether one has stalled.
const FULL_PAUSE: Duration = Duration::from_millis(250);

/// Connections that make room for one for which there is no thread, at most.
const MOST_DISPLACED: u32 = 4;

/// Between two tries to start a thread in place of one that ends: it ends a moment after it has closed its
/// connection, and nothing tells when the system counts it no more.
const SPAWN_PAUSE: Duration = Duration::from_millis(2);

/// Connections that are displaced at once, and more than which are a flood: one after the other the kernel's
/// queue of those that wait would overflow, and whoever finds it full tries again after a second, then two.
const MOST_AT_ONCE: usize = 8;

/// A pause before the loop is begun again after a panic.
const PANIC_PAUSE: Duration = Duration::from_millis(200);

/// Accepts connections until the program ends.
#[derive(Debug)]
pub struct Acceptor {
    listening: Arc<Listener>,
    app: Arc<App>,
    /// Ends the wait for connections.
    wake: OwnedFd,
    /// Log lines about connections that wait because all are in a request.
    full_lines: LogLimiter,
    /// Log lines about accept errors.
    failure_lines: LogLimiter,
}

impl Acceptor {
    /// Starts the accept thread.
    pub fn start(listening: Arc<Listener>, app: Arc<App>) -> Result<Arc<Acceptor>, Error> {
        let name = "accept";
        let thread_error = |source| Error::Thread {
            name: name.to_owned(),
            source,
        };
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK);
        let acceptor = Arc::new(Acceptor {
            listening,
            app,
            wake: wake.map_err(|errno| thread_error(errno.into()))?,
            full_lines: LogLimiter::per_minute(1),
            failure_lines: LogLimiter::per_minute(1),
        });
        let running = Arc::clone(&acceptor);
        thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || running.run())
            .map_err(thread_error)?;
        Ok(acceptor)
    }

    /// Ends accepting; whoever connects from now on waits in the kernel.
    pub fn end(&self) {
        self.limit().end();
        let _ = rustix::io::write(&self.wake, &1u64.to_ne_bytes());
    }

    /// What it accepts from.
    pub fn listening(&self) -> Arc<Listener> {
        Arc::clone(&self.listening)
    }

    fn limit(&self) -> &ConnectionLimit {
        &self.app.connections.limit
    }

    /// Runs until the program ends; a panic begins it again.
    fn run(&self) {
        while panic::catch_unwind(AssertUnwindSafe(|| self.accept_all())).is_err() {
            error!("accepting failed and is begun again");
            self.limit().wait_end(Instant::now() + PANIC_PAUSE);
        }
    }

    fn accept_all(&self) {
        while self.wait_for_connection() {
            if self.limit().is_full() && !self.is_flooded() {
                self.make_room();
                continue;
            }
            match self.listening.accept() {
                Ok(Some((socket, peer))) => {
                    let app = &self.app;
                    let Some(socket) = self.keep(socket) else {
                        continue;
                    };
                    let connection =
                        Connection::new(&app.connections, socket, peer, app.client_timeout);
                    assert!(
                        !fault_injection::is_due_after_request("accept"),
                        "a fault on purpose"
                    );
                    self.spawn(connection);
                }
                Ok(None) => {}
                // It left while it waited.
                Err(Errno::CONNABORTED | Errno::INTR | Errno::PROTO | Errno::PERM) => {}
                Err(errno) => self.note_failure(errno),
            }
        }
    }

    /// Waits until somebody connects; false when the program ends.
    fn wait_for_connection(&self) -> bool {
        let mut fds = [
            PollFd::new(&*self.listening, PollFlags::IN),
            PollFd::new(&self.wake, PollFlags::IN),
        ];
        let _ = poll(&mut fds, None);
        !self.limit().is_ending()
    }

    /// True when more wait in the kernel than room is made for at once.
    fn is_flooded(&self) -> bool {
        self.listening.waiting() > MOST_AT_ONCE
    }

    /// A connection that was accepted, once there is a place for it; `None` when it can be done without.
    fn keep(&self, mut socket: Socket) -> Option<Socket> {
        while self.limit().is_full() && !self.limit().is_ending() {
            socket = self.app.connections.turn_away_mute(socket)?;
            self.make_room();
        }
        Some(socket)
    }

    /// Displaces connections for those that wait, and waits until one is closed.
    fn make_room(&self) {
        let max = self.limit().max();
        let waiting = self.listening.waiting().clamp(1, MOST_AT_ONCE);
        if !self.app.connections.make_room(waiting) {
            if let Some(suppressed) = self.full_lines.permit() {
                warn!(
                    "all {max} connections are in a request and new ones wait (--max-connections){suppressed}"
                );
            }
        }
        self.limit().wait_below(max, Instant::now() + FULL_PAUSE);
    }

    fn note_failure(&self, errno: Errno) {
        if let Some(suppressed) = self.failure_lines.permit() {
            let error = io::Error::from(errno);
            error!("cannot accept a connection, trying on: {error}{suppressed}");
        }
        if matches!(
            errno,
            Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM
        ) {
            self.app.connections.displace(None);
        }
        // A connection that is closed gives its descriptor back.
        let open = self.limit().open();
        self.limit()
            .wait_below(open, Instant::now() + SHORTAGE_PAUSE);
    }

    /// Serves `connection` on a thread of its own. When the system has none, the connections that can
    /// best be done without make room; when there is none either, says so.
    fn spawn(&self, connection: Connection) {
        let id = connection.id();
        // The thread takes it out, or we do when there is no thread.
        let shared = Arc::new(Mutex::new(Some(connection)));
        let Err(failure) = self.try_spawn(id, &shared) else {
            return;
        };
        debug!("no thread for a client: {failure}");
        for _ in 0..MOST_DISPLACED {
            let open = self.limit().open();
            if !self.app.connections.displace(Some(id)) {
                break;
            }
            let deadline = Instant::now() + SHORTAGE_PAUSE;
            self.limit().wait_below(open, deadline);
            while Instant::now() < deadline && !self.limit().is_ending() {
                if self.try_spawn(id, &shared).is_ok() {
                    return;
                }
                self.limit().wait_end(Instant::now() + SPAWN_PAUSE);
            }
        }
        // Apart, so that the lock is not held while writing.
        let connection = shared.lock().take();
        if let Some(connection) = connection {
            serve::refuse_at_once(
                &connection,
                "the server has no room for another connection\n",
            );
        }
    }

    fn try_spawn(&self, id: u64, shared: &Arc<Mutex<Option<Connection>>>) -> io::Result<()> {
        let (shared, app) = (Arc::clone(shared), Arc::clone(&self.app));
        let thread = thread::Builder::new()
            .name(format!("client-{id}"))
            .stack_size(CLIENT_STACK);
        let spawned = thread.spawn(move || {
            let connection = shared.lock().take();
            drop(shared);
            if let Some(connection) = connection {
                serve::serve(connection, &app);
            }
        });
        spawned.map(drop)
    }
}
