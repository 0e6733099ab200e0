//! A server under test: started as a child, found by the address it logs (or, for peers, on a port
//! chosen for it), killed by its id when dropped.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::{children, load};

const START_PATIENCE: Duration = Duration::from_secs(15);
const RETRY_TIME: Duration = Duration::from_millis(20);
/// Of what the server says on stderr, for the message when it fails.
const LINES_KEPT: usize = 12;

/// How to start one of the servers that are compared.
#[derive(Clone, Debug)]
pub struct Recipe {
    pub name: String,
    pub command: Vec<String>,
    /// Of the stream.
    pub path: String,
    /// Of one picture.
    pub snapshot: String,
    /// Where it will listen, when it was told; else the address is read from its stderr.
    pub port: Option<u16>,
    pub environment: Vec<(String, String)>,
}

/// A running server that has shown its first frame.
pub struct Server {
    child: Child,
    /// Held open: the floor ends when it closes.
    _stdin: Option<ChildStdin>,
    pub address: SocketAddr,
    /// From being started to the first frame at a viewer.
    pub start: Duration,
}

type Lines = Arc<Mutex<VecDeque<String>>>;

impl Server {
    /// Starts and waits for the first frame.
    pub fn start(recipe: &Recipe) -> Result<Server, String> {
        let started = Instant::now();
        let deadline = started + START_PATIENCE;
        let words = &recipe.command;
        let mut child = Command::new(&words[0])
            .args(&words[1..])
            .envs(recipe.environment.iter().cloned())
            // Each server is measured with its own default log.
            .env_remove("RUST_LOG")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("cannot start `{}`: {error}", words.join(" ")))?;
        children::add(child.id());
        let (send, announced) = mpsc::channel();
        let lines = Lines::default();
        if let Some(stderr) = child.stderr.take() {
            let lines = lines.clone();
            std::thread::spawn(move || listen_in(BufReader::new(stderr), &lines, &send));
        }
        let mut server = Server {
            _stdin: child.stdin.take(),
            child,
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, recipe.port.unwrap_or(0))),
            start: Duration::ZERO,
        };
        let fault = |why: String| {
            let said = lines.lock().expect("no panic under the lock");
            let said: Vec<&str> = said.iter().map(String::as_str).collect();
            format!("{}: {why}; it said: {}", recipe.name, said.join(" / "))
        };
        if recipe.port.is_some() {
            wait_for_port(server.address, deadline).map_err(fault)?;
        } else {
            server.address = announced
                .recv_timeout(START_PATIENCE)
                .map_err(|_| fault("announced no address on stderr".into()))?;
        }
        // Some listen before they have a camera, and send the first who ask away.
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match load::first_frame(server.address, &recipe.path, left) {
                Ok(_) => break,
                Err(why) if left.is_zero() || !server.is_running() => return Err(fault(why)),
                Err(_) => std::thread::sleep(RETRY_TIME),
            }
        }
        server.start = started.elapsed();
        Ok(server)
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// False when it ended by itself.
    pub fn is_running(&mut self) -> bool {
        let is_running = matches!(self.child.try_wait(), Ok(None));
        if !is_running {
            children::forget(self.child.id());
        }
        is_running
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Already gone or not, it is waited for.
        let _ = self.child.kill();
        children::forget(self.child.id());
        let _ = self.child.wait();
    }
}

/// Keeps the last lines and finds the address. Runs until the server's stderr is closed.
fn listen_in(stderr: impl BufRead, lines: &Lines, send: &mpsc::Sender<SocketAddr>) {
    for line in stderr.lines().map_while(Result::ok) {
        if let Some(address) = announced_address(&line) {
            let _ = send.send(address);
        }
        let mut lines = lines.lock().expect("no panic under the lock");
        if lines.len() == LINES_KEPT {
            lines.pop_front();
        }
        lines.push_back(line);
    }
}

/// Of a line with `listening on http://ADDRESS:PORT/`.
fn announced_address(line: &str) -> Option<SocketAddr> {
    let (_, after) = line.split_once("listening on ")?;
    let (_, url) = after.split_once("http://")?;
    let end = url.find(|letter: char| letter == '/' || letter.is_whitespace());
    url[..end.unwrap_or(url.len())].parse().ok()
}

/// For peers that cannot be told to choose a port and say which.
pub fn free_port() -> Result<u16, String> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|error| format!("no free port: {error}"))
}

fn wait_for_port(address: SocketAddr, deadline: Instant) -> Result<(), String> {
    while Instant::now() < deadline {
        if TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok() {
            return Ok(());
        }
        // A foreign server says nothing when it begins to listen; only trying tells.
        std::thread::sleep(RETRY_TIME);
    }
    Err(format!("nothing listens on {address}"))
}
