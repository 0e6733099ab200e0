//! Clients that mean harm: the tools of `hostile`, `limits` and `soak`.
//!
//! An attack runs in the thread that calls it and is over soon after its time. It tells what it
//! did, so that one that did nothing is noticed, and complains of answers no server should give.
//! What it does to others is not its business: `bystanders` see that.

mod bodies;
mod broken;
mod crowds;
mod greedy;
mod heads;
pub mod rows;
#[cfg(test)]
mod tests;
pub mod wire;

use socket2::{Domain, SockRef, Socket, Type};
use std::{
    collections::BTreeMap,
    io,
    net::{SocketAddr, TcpStream},
    thread,
    time::{Duration, Instant},
};
use wire::Wire;

/// Longest wait of a client for anything the server does at once.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// What the kernel's buffers of one connection hold at most without anybody reading: more than
/// that was read.
const BUFFERED_BYTES: u64 = 16 << 20;

/// Complaints kept word for word.
const KEPT: usize = 5;

/// Whom to attack, and until when.
#[derive(Clone, Copy)]
pub struct Aim {
    pub address: SocketAddr,
    pub until: Instant,
}

impl Aim {
    pub fn new(address: SocketAddr, time: Duration) -> Aim {
        let until = Instant::now() + time;
        Aim { address, until }
    }

    pub fn is_over(&self) -> bool {
        Instant::now() >= self.until
    }

    /// A new connection, counted; a complaint when there is none.
    pub fn open(&self, damage: &mut Damage) -> Option<Wire> {
        self.count(damage, connect(self.address))
    }

    fn count(&self, damage: &mut Damage, opened: io::Result<TcpStream>) -> Option<Wire> {
        match opened {
            Ok(stream) => {
                damage.opened += 1;
                Some(Wire::of(stream))
            }
            Err(error) => {
                damage.complain(format!("cannot connect: {error}"));
                None
            }
        }
    }

    /// Time left, at most `most`, never nothing: a time-out of nothing is none.
    fn left(&self, most: Duration) -> Duration {
        let left = self.until.saturating_duration_since(Instant::now());
        left.min(most).max(Duration::from_millis(1))
    }
}

/// What an attack did, and what it got.
#[derive(Debug, Default)]
pub struct Damage {
    /// Connections opened.
    pub opened: u64,
    /// Bytes sent.
    pub sent: u64,
    /// Connections that the server ended.
    pub ended: u64,
    /// Answers, by status.
    pub answers: BTreeMap<u16, u64>,
    /// The first complaints.
    pub complaints: Vec<String>,
}

impl Damage {
    pub fn note_answer(&mut self, status: u16) {
        *self.answers.entry(status).or_default() += 1;
    }

    pub fn complain(&mut self, of: String) {
        if self.complaints.len() < KEPT {
            self.complaints.push(of);
        }
    }

    fn merge(&mut self, other: Damage) {
        self.opened += other.opened;
        self.sent += other.sent;
        self.ended += other.ended;
        for (status, count) in other.answers {
            *self.answers.entry(status).or_default() += count;
        }
        for complaint in other.complaints {
            self.complain(complaint);
        }
    }
}

/// One way to attack.
pub struct Attack {
    pub name: &'static str,
    pub run: fn(Aim) -> Damage,
    /// Threads it may cost the server while it lasts: one for each connection that is open at once.
    pub threads: usize,
    /// What it does at least in a second and a half to a server that never answers: connections
    /// opened, connections held at once, bytes sent.
    least: (u64, usize, u64),
}

/// Threads of a few connections at a time.
const FEW: usize = 16;

/// Connections the server holds at once.
const CONNECTIONS: usize = 512;

/// All attacks.
pub const ATTACKS: [Attack; 17] = [
    attack(
        "2000 send a byte a second",
        crowds::dripping,
        CONNECTIONS + FEW,
        (2_000, 2_000, 3_000),
    ),
    attack(
        "3000 send nothing",
        crowds::silent,
        CONNECTIONS + FEW,
        (3_000, 3_000, 0),
    ),
    attack(
        "2000 a second are reset",
        crowds::resetting,
        CONNECTIONS + FEW,
        (2_000, 0, 50_000),
    ),
    attack(
        "200 half closed",
        crowds::half_closed,
        200 + FEW,
        (200, 0, 4_000),
    ),
    attack(
        "a header line without end",
        heads::endless_line,
        FEW,
        (1, 1, 1 << 20),
    ),
    attack("100000 headers", heads::many_headers, FEW, (1, 1, 1 << 20)),
    attack("what is no request", heads::nonsense, FEW, (4, 1, 100)),
    attack(
        "bodies announced, never sent",
        bodies::announced,
        FEW,
        (4, 1, 200),
    ),
    attack(
        "a body of 10 GB at full speed",
        bodies::poured,
        FEW,
        (1, 1, 1 << 20),
    ),
    attack("chunks without end", bodies::chunked, FEW, (1, 1, 1 << 20)),
    attack(
        "1000 requests at once",
        greedy::pipelines,
        FEW,
        (4, 4, 100_000),
    ),
    attack(
        "a stream, then 999 requests",
        greedy::after_a_stream,
        FEW,
        (4, 4, 100_000),
    ),
    attack(
        "20 times 1000 requests, unread",
        greedy::unread_pipelines,
        20 + FEW,
        (20, 20, 400_000),
    ),
    attack(
        "200 snapshots, unread",
        greedy::unread_snapshots,
        200 + FEW,
        (200, 200, 6_000),
    ),
    attack(
        "200 streams, unread",
        greedy::unread_streams,
        200 + FEW,
        (200, 200, 6_000),
    ),
    attack(
        "one request after the other",
        greedy::insatiable,
        FEW,
        (4, 4, 100),
    ),
    attack(
        "opened, asked, closed",
        greedy::hasty,
        CONNECTIONS + FEW,
        (100, 4, 4_000),
    ),
];

const fn attack(
    name: &'static str,
    run: fn(Aim) -> Damage,
    threads: usize,
    least: (u64, usize, u64),
) -> Attack {
    Attack {
        name,
        run,
        threads,
        least,
    }
}

/// Connects; reading and writing end after `PATIENCE`.
pub fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// The same with a receive buffer of `bytes` (the kernel doubles it), from its first window on.
pub fn connect_narrow(address: SocketAddr, bytes: usize) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_recv_buffer_size(bytes)?;
    socket.connect_timeout(&address.into(), PATIENCE)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.set_write_timeout(Some(PATIENCE))?;
    Ok(socket.into())
}

/// Begins to connect and comes back at once.
fn begin_to_connect(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    match socket.connect(&address.into()) {
        Err(error) if error.kind() != io::ErrorKind::WouldBlock && !is_underway(&error) => {
            Err(error)
        }
        _ => Ok(socket),
    }
}

fn is_underway(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error())
}

/// Ends a connection with a reset instead of a farewell.
pub fn reset(stream: TcpStream) {
    let _ = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
}

/// A request without a body.
pub fn request(method: &str, path: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

/// Runs `each` in `count` threads, until all have ended.
pub fn side_by_side(count: usize, each: impl Fn(usize) -> Damage + Sync) -> Damage {
    let each = &each;
    thread::scope(|scope| {
        let runs: Vec<_> = (0..count).map(|n| scope.spawn(move || each(n))).collect();
        let mut damage = Damage::default();
        for run in runs {
            damage.merge(run.join().expect("no attack panics"));
        }
        damage
    })
}

/// Sleeps until `at`, or until the attack is over.
fn sleep_until(at: Instant, aim: &Aim) {
    thread::sleep(at.min(aim.until).saturating_duration_since(Instant::now()));
}

/// Numbers that only look random: every run is the same.
pub struct Dice(pub u64);

impl Dice {
    /// 0 to `sides` - 1; `sides` is not 0.
    pub fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}
