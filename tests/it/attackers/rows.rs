//! Requests that are wrong, strange or only look wrong, each with the answers it may get.

use super::{
    PATIENCE, broken, request,
    wire::{Missing, Wire},
};
use std::{
    io,
    net::SocketAddr,
    time::{Duration, Instant},
};

/// In a row's statuses: the connection was ended without a word.
pub const NO_WORD: u16 = 0;

/// A whole 10 s for a request that is not complete, and a margin.
const HEAD_PATIENCE: Duration = Duration::from_secs(15);

/// What is sent, and what may come.
#[derive(Clone)]
pub struct Row {
    pub name: String,
    bytes: Vec<u8>,
    /// Sent after a request that was answered on the same connection.
    is_second: bool,
    /// Statuses it may get.
    allowed: Vec<u16>,
    /// The server ends the connection.
    must_end: bool,
}

impl Row {
    pub fn new(name: &str, bytes: impl Into<Vec<u8>>, allowed: &[u16]) -> Row {
        Row {
            name: name.to_owned(),
            bytes: bytes.into(),
            is_second: false,
            allowed: allowed.to_vec(),
            must_end: false,
        }
    }

    /// The same, and the server must end the connection.
    pub fn and_ends(mut self) -> Row {
        self.must_end = true;
        self
    }

    fn second(mut self) -> Row {
        self.is_second = true;
        self.name = format!("second: {}", self.name);
        self
    }

    pub fn is_head(&self) -> bool {
        self.bytes.starts_with(b"HEAD ")
    }

    /// Sends it; what goes before it is answered by `deadline`.
    pub fn send(&self, wire: &mut Wire, deadline: Instant) -> io::Result<()> {
        if self.is_second {
            wire.send(request("GET", "/healthz").as_bytes())?;
            if wire.answer(false, deadline).is_err() {
                return Err(io::ErrorKind::NotConnected.into());
            }
        }
        wire.send(&self.bytes)
    }

    /// A complaint when `status` (none: ended without a word) is not among the allowed.
    pub fn judge(&self, status: Option<u16>) -> Result<(), String> {
        if self.allowed.contains(&status.unwrap_or(NO_WORD)) {
            return Ok(());
        }
        let Row { name, allowed, .. } = self;
        Err(format!("{name}: {status:?}, not one of {allowed:?}"))
    }

    /// Sends it on a connection of its own and waits for what may come.
    pub fn check(&self, address: SocketAddr) -> Result<(), String> {
        let complaint = |what: String| format!("{}: {what}", self.name);
        let mut wire = Wire::open(address).map_err(|error| complaint(error.to_string()))?;
        let asked = Instant::now();
        match self.send(&mut wire, asked + PATIENCE) {
            Err(error) if error.kind() == io::ErrorKind::NotConnected => {
                return Err(complaint(
                    "the request before it is not answered".to_owned(),
                ));
            }
            // Ended before all was sent: the answer tells why.
            _ => (),
        }
        match wire.answer(self.is_head(), asked + HEAD_PATIENCE) {
            Ok(answer) => self.judge(Some(answer.status))?,
            Err(Missing::Closed) => return self.judge(None),
            Err(missing) => return Err(complaint(format!("{missing:?}"))),
        }
        if self.must_end && !wire.ends(Instant::now() + PATIENCE) {
            return Err(complaint("the connection stays open".to_owned()));
        }
        Ok(())
    }
}

/// Heads of every wrong kind.
pub fn heads() -> Vec<Row> {
    [broken::rows(), targets(), methods(), numbers()].concat()
}

/// Targets: absolute ones, and ways out of a folder that is not there.
fn targets() -> Vec<Row> {
    let absolute = [
        "http://x/healthz",
        "HTTP://user:password@x:80/healthz",
        "https://x/healthz",
        "http://[::1]/healthz",
        "http://x",
        "http://",
        "ftp://x/healthz",
        "//x/healthz",
        "*",
        "x:443",
        "healthz",
        "?action=none",
        "/healthz#part",
    ];
    let out = [
        "/..",
        "/../../../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/..%2f..%2fetc/passwd",
        "/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "/%252e%252e/%252e%252e/etc/passwd",
        "/..%5c..%5cetc/passwd",
        "/..\\..\\etc\\passwd",
        "/%c0%ae%c0%ae/%c0%ae%c0%ae/etc/passwd",
        "/%u002e%u002e/etc/passwd",
        "/....//....//etc/passwd",
        "/static/../../Cargo.toml",
        "/static/..;/Cargo.toml",
        "/etc/passwd%00.jpg",
        "//etc/passwd",
        "/file:///etc/passwd",
        "../etc/passwd",
    ];
    let row = |target: &&str, allowed: &[u16]| Row::new(target, request("GET", target), allowed);
    let absolute = absolute
        .iter()
        .map(|target| row(target, &[200, 400, 404, 421, NO_WORD]));
    let out = out.iter().map(|target| row(target, &[400, 404, NO_WORD]));
    absolute.chain(out).collect()
}

/// Every method, and some that are none, everywhere.
fn methods() -> Vec<Row> {
    let methods = [
        "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PATCH", "PROPFIND", "BREW", "get",
        "G", "GET,POST", "\"GET\"",
    ];
    let paths = ["/", "/stream", "/snapshot", "/state", "/healthz", "/none"];
    let refused = [400, 404, 405, 411, 501, NO_WORD];
    methods
        .iter()
        .flat_map(|method| paths.map(|path| (method, path)))
        .map(|(method, path)| {
            Row::new(&format!("{method} {path}"), request(method, path), &refused)
        })
        .chain(
            paths.map(|path| Row::new(&format!("HEAD {path}"), request("HEAD", path), &[200, 404])),
        )
        .collect()
}

/// Numbers that are none, too large or too small, in every parameter.
fn numbers() -> Vec<Row> {
    let digits = "9".repeat(5_000);
    let values = [
        "",
        "0",
        "-1",
        "1e400",
        "-1e-400",
        "NaN",
        "inf",
        "-inf",
        "0x10",
        "1_000",
        "18446744073709551615",
        "18446744073709551616",
        "-9223372036854775809",
        "%00",
        "%ff%fe",
        "%",
        "%D9%A1",
        "1%0d%0aX-Injected:%201",
        "a&fps=b&fps=c",
        &digits,
    ];
    let parameters = [
        "/stream?fps",
        "/snapshot?fresh",
        "/snapshot?after",
        "/snapshot?max_age",
        "/snapshot?timeout",
        "/?action",
        "/state?after",
    ];
    let allowed = [200, 204, 304, 400, 404, 503];
    parameters
        .iter()
        .flat_map(|parameter| values.map(|value| format!("{parameter}={value}")))
        .map(|target| {
            let name: String = target.chars().take(60).collect();
            Row::new(&name, request("GET", &target), &allowed)
        })
        .collect()
}

/// Bodies that are announced in every size and never sent, first and second on a connection.
pub fn bodies() -> Vec<Row> {
    let targets = [
        "GET /state",
        "GET /snapshot",
        "GET /stream",
        "POST /controls",
        "POST /state",
    ];
    let refused = [400, 404, 405, 411, 413, 415];
    let refused_or_ended = [&refused[..], &[NO_WORD, 501]].concat();
    let lengths = [
        ("Content-Length: 65537", &refused[..]),
        ("Content-Length: 10000000000", &refused),
        ("Content-Length: 1000000000000000000", &refused),
        ("Content-Length: 18446744073709551615", &refused_or_ended),
        ("Content-Length: 18446744073709551616", &refused_or_ended),
        (
            "Content-Length: 99999999999999999999999999999999",
            &refused_or_ended,
        ),
        ("Content-Length: -1", &refused_or_ended),
        (
            "Content-Length: 10000000000\r\nExpect: 100-continue",
            &[&refused[..], &[417]].concat(),
        ),
        (
            "Content-Length: 5\r\nContent-Length: 10000000000",
            &refused_or_ended,
        ),
        ("Content-Length: 0x10", &refused_or_ended),
        ("Content-Length: +5", &refused_or_ended),
        ("Content-Length: 5, 6", &refused_or_ended),
        ("Content-Length: ", &refused_or_ended),
        ("Transfer-Encoding: chunked", &refused),
        ("Transfer-Encoding: gzip, chunked", &refused_or_ended),
        (
            "Transfer-Encoding: chunked\r\nContent-Length: 5",
            &refused_or_ended,
        ),
    ];
    let mut rows = Vec::new();
    for target in targets {
        for (length, allowed) in &lengths {
            let bytes = format!(
                "{target} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{length}\r\n\r\n"
            );
            let name = format!("{target} {}", length.replace("\r\n", ", "));
            let row = Row::new(&name, bytes, allowed).and_ends();
            rows.push(row.clone().second());
            rows.push(row);
        }
    }
    rows
}
