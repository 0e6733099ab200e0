//! A load client for MJPEG servers, cheap enough to share a machine with the server.
//!
//! Used by the bench (as a child process, so that its CPU is not counted with the server's)
//! and, through `#[path = "../bench/load/mod.rs"] mod load;`, by the integration tests.
//! It needs std, `socket2` and `rustix` (features `event`, `process`, `time`) and nothing of the bench.
//!
//! `viewers` watches with many viewers at once, `burst` opens many connections at once,
//! `parse` reads one stream (`head`, `chunks`, `mark`), `check` judges what came. Loopback is assumed: connecting
//! and sending a request of one line never take long.

// Each user takes the half it needs.
#![allow(dead_code)]

pub mod burst;
pub mod check;
mod chunks;
mod head;
pub mod mark;
pub mod parse;
mod shard;
#[cfg(test)]
mod tests;
pub mod viewers;

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use socket2::{Domain, Socket, Type};

/// Lets this process open as many sockets as it may (the usual soft limit of 1024 is
/// too small for 1000 viewers). Failing is left to show itself as a failing connect.
pub fn raise_file_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    let _ = setrlimit(Resource::Nofile, limit);
}

/// Watches `path` until one whole frame has come; how long that took from connecting.
pub fn first_frame(
    address: SocketAddr,
    path: &str,
    patience: Duration,
) -> Result<Duration, String> {
    let started = Instant::now();
    let fault = |error: io::Error| format!("no first frame of {path}: {error}");
    let mut stream = TcpStream::connect_timeout(&address, patience).map_err(fault)?;
    stream
        .write_all(request(address, path).as_bytes())
        .map_err(fault)?;
    let mut parser = parse::Parser::lenient(false);
    let mut bytes = [0; 16 * 1024];
    loop {
        let left = patience.saturating_sub(started.elapsed());
        if left.is_zero() {
            return Err(format!("no first frame of {path} within {patience:?}"));
        }
        stream.set_read_timeout(Some(left)).map_err(fault)?;
        let count = match stream.read(&mut bytes) {
            Ok(0) => return Err(format!("no first frame of {path}: closed by the server")),
            Ok(count) => count,
            Err(error) => return Err(fault(error)),
        };
        let mut frames = 0;
        parser.feed(&bytes[..count], |_| frames += 1)?;
        if frames > 0 {
            return Ok(started.elapsed());
        }
    }
}

/// How old a frame that came just now is: by the camera's mark, else by what the server says of it.
/// 0 when the clock was set back meanwhile.
pub fn age_micros(part: &parse::Part) -> Option<u32> {
    let (now, taken) = match (part.mark, part.timestamp_micros) {
        (Some(mark), _) => (monotonic_micros(), mark.taken_micros),
        (None, Some(timestamp)) => {
            let now = SystemTime::now().duration_since(UNIX_EPOCH);
            (now.unwrap_or_default().as_micros() as u64, timestamp)
        }
        (None, None) => return None,
    };
    Some(now.saturating_sub(taken).min(u32::MAX.into()) as u32)
}

/// CLOCK_MONOTONIC, on which cameras date their pictures.
pub fn monotonic_micros() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000 + now.tv_nsec as u64 / 1000
}

/// The request every client here sends: HTTP/1.1, so kept alive unless the server closes.
pub fn request(address: SocketAddr, path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nUser-Agent: camfeed-bench\r\n\r\n")
}

/// Begins to connect without waiting: a full accept queue must not stop the other sockets.
fn connect(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    match socket.connect(&address.into()) {
        Err(error) if !is_underway(&error) => Err(error),
        _ => Ok(socket),
    }
}

fn is_underway(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error())
        || error.kind() == io::ErrorKind::WouldBlock
}
