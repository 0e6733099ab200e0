//! One client in the bench itself, which looks closely: whole bodies with the moment they came,
//! snapshots, first pictures, and a reader as slow as a bad link.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use crate::load::parse::{Parser, Part};
use crate::load::{self, request};

const PATIENCE: Duration = Duration::from_secs(10);
/// 1 Mbit/s, taken in small sips as a link would.
const SIP_BYTES: usize = 1250;
const SIP_TIME: Duration = Duration::from_millis(10);
/// A link holds little; what waits, waits at the server.
const SLOW_BUFFER_BYTES: usize = 16 * 1024;

/// A stream that was asked for.
pub struct Probe {
    stream: TcpStream,
    parser: Parser,
    bytes: Vec<u8>,
    pause: Duration,
}

impl Probe {
    pub fn open(address: SocketAddr, path: &str) -> Result<Probe, String> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE).map_err(text)?;
        Probe::ask(stream, address, path, 256 * 1024, Duration::ZERO)
    }

    /// One that reads 1 Mbit a second.
    pub fn open_slow(address: SocketAddr, path: &str) -> Result<Probe, String> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).map_err(text)?;
        socket
            .set_recv_buffer_size(SLOW_BUFFER_BYTES)
            .map_err(text)?;
        socket.connect(&address.into()).map_err(text)?;
        Probe::ask(socket.into(), address, path, SIP_BYTES, SIP_TIME)
    }

    fn ask(
        mut stream: TcpStream,
        address: SocketAddr,
        path: &str,
        size: usize,
        pause: Duration,
    ) -> Result<Probe, String> {
        stream.set_read_timeout(Some(PATIENCE)).map_err(text)?;
        stream
            .write_all(request(address, path).as_bytes())
            .map_err(text)?;
        Ok(Probe {
            stream,
            parser: Parser::keeping(),
            bytes: vec![0; size],
            pause,
        })
    }

    /// Hands over each part and the moment (CLOCK_MONOTONIC, microseconds) its last byte came, until
    /// `on_part` says false.
    pub fn watch(mut self, mut on_part: impl FnMut(&Part, u64) -> bool) -> Result<(), String> {
        let mut next = Instant::now();
        let mut is_on = true;
        while is_on {
            if !self.pause.is_zero() {
                // Time in which nothing came is lost, as on a link: none of it is made up for.
                next = next.max(Instant::now()) + self.pause;
                thread::sleep(next.saturating_duration_since(Instant::now()));
            }
            let count = match self.stream.read(&mut self.bytes) {
                Ok(0) => return Err("the stream was closed by the server".into()),
                Ok(count) => count,
                Err(error) => return Err(format!("the stream cannot be read: {error}")),
            };
            let now = load::monotonic_micros();
            self.parser
                .feed(&self.bytes[..count], |part| is_on &= on_part(part, now))?;
        }
        Ok(())
    }
}

/// A connection for snapshots.
pub struct Asker {
    address: SocketAddr,
    reader: BufReader<TcpStream>,
}

impl Asker {
    pub fn open(address: SocketAddr) -> Result<Asker, String> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE).map_err(text)?;
        stream.set_nodelay(true).map_err(text)?;
        stream.set_read_timeout(Some(PATIENCE)).map_err(text)?;
        Ok(Asker {
            address,
            reader: BufReader::with_capacity(256 * 1024, stream),
        })
    }

    /// One picture, and whether another may be asked for.
    pub fn ask(&mut self, path: &str) -> Result<(Vec<u8>, bool), String> {
        let (body, is_kept) = self.body(path)?;
        match body.starts_with(&[0xff, 0xd8]) {
            true => Ok((body, is_kept)),
            false => Err(format!("{path} is no JPEG")),
        }
    }

    /// Any body, and whether another may be asked for.
    pub fn body(&mut self, path: &str) -> Result<(Vec<u8>, bool), String> {
        let request = request(self.address, path);
        self.reader
            .get_mut()
            .write_all(request.as_bytes())
            .map_err(text)?;
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if self.reader.read_line(&mut head).map_err(text)? == 0 {
                return Err(format!("no answer to {path}: {head:?}"));
            }
        }
        let head = head.to_ascii_lowercase();
        if head.split(' ').nth(1) != Some("200") {
            return Err(format!("{path} was answered {:?}", head.lines().next()));
        }
        let header = |name: &str| {
            let mut lines = head.lines().filter_map(|line| line.split_once(':'));
            lines
                .find(|(key, _)| *key == name)
                .map(|(_, value)| value.trim())
        };
        let mut body = Vec::new();
        let is_kept = match header("content-length").and_then(|text| text.parse().ok()) {
            Some(length) => {
                body.resize(length, 0);
                self.reader.read_exact(&mut body).map_err(text)?;
                header("connection") != Some("close") && head.starts_with("http/1.1")
            }
            None => {
                self.reader.read_to_end(&mut body).map_err(text)?;
                false
            }
        };
        Ok((body, is_kept))
    }
}

fn text(error: std::io::Error) -> String {
    error.to_string()
}
