//! The listening socket: bound once, with the options every accepted connection inherits.
//!
//! tiny_http accepts on a duplicate of it, so that accepting can be begun again without closing
//! the socket.

use crate::config::Listen;
use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};
use std::{
    fs, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs, UdpSocket},
    os::unix::{
        fs::FileTypeExt,
        net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
    time::Duration,
};

/// Connections that may wait in the kernel to be accepted. The kernel's own cap is usually 4096.
const BACKLOG: i32 = 1024;

/// A peer that acknowledges nothing for this long is gone: its connection ends with an error, also
/// when it is alive and only its window stays shut.
const USER_TIMEOUT: Duration = Duration::from_secs(10);

/// Probes for peers that vanished while nothing was sent to them.
const KEEPALIVE: (Duration, Duration, u32) = (Duration::from_secs(10), Duration::from_secs(3), 3);

/// Bytes the kernel may hold unsent for a viewer before its writer waits: a slow viewer sees the
/// present, not a backlog of megabytes.
const UNSENT_BYTES: u32 = 128 * 1024;

/// A bound socket.
#[derive(Debug)]
pub enum Listening {
    /// With the address it really has.
    Tcp(TcpListener, SocketAddr),
    /// With its path.
    Unix(UnixListener, PathBuf),
}

/// How accepted connections are told from other sockets of this process.
#[derive(Debug, Clone)]
pub enum Identity {
    /// By the local port.
    Tcp(SocketAddr),
    /// By the local path.
    Unix(PathBuf),
}

/// Binds `listen` and begins to listen.
pub fn bind(listen: &Listen) -> io::Result<Listening> {
    match listen {
        Listen::Tcp(address) => bind_tcp(address),
        Listen::Unix(path) => bind_unix(path),
    }
}

fn bind_tcp(address: &str) -> io::Result<Listening> {
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in address.to_socket_addrs()? {
        match listen_on(address) {
            Ok(listener) => {
                let address = listener.local_addr()?;
                return Ok(Listening::Tcp(listener, address));
            }
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

fn listen_on(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    if address.is_ipv6() {
        // `[::]` is everybody, IPv4 included, whatever the system's default.
        socket.set_only_v6(false)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_user_timeout(Some(USER_TIMEOUT))?;
    socket.set_tcp_notsent_lowat(UNSENT_BYTES)?;
    socket.set_keepalive(true)?;
    let (time, interval, retries) = KEEPALIVE;
    let keepalive = TcpKeepalive::new()
        .with_time(time)
        .with_interval(interval)
        .with_retries(retries);
    socket.set_tcp_keepalive(&keepalive)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn bind_unix(path: &Path) -> io::Result<Listening> {
    if let Ok(existing) = fs::symlink_metadata(path) {
        if !existing.file_type().is_socket() {
            let reason = "there is something at that path which is no socket";
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, reason));
        }
        match UnixStream::connect(path) {
            // Left behind by a process that was killed.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                fs::remove_file(path)?;
            }
            _ => return Err(io::ErrorKind::AddrInUse.into()),
        }
    }
    Ok(Listening::Unix(UnixListener::bind(path)?, path.to_owned()))
}

impl Listening {
    /// A tiny_http server that accepts on this socket.
    pub fn serve(&self) -> io::Result<tiny_http::Server> {
        let listener: tiny_http::Listener = match self {
            Listening::Tcp(listener, _) => listener.try_clone()?.into(),
            Listening::Unix(listener, _) => listener.try_clone()?.into(),
        };
        tiny_http::Server::from_listener(listener, None).map_err(io::Error::other)
    }

    /// The path of a Unix socket, to be taken away in the end.
    pub fn unix_path(&self) -> Option<PathBuf> {
        match self {
            Listening::Tcp(..) => None,
            Listening::Unix(_, path) => Some(path.clone()),
        }
    }

    /// See [`Identity`].
    pub fn identity(&self) -> Identity {
        match self {
            Listening::Tcp(_, address) => Identity::Tcp(*address),
            Listening::Unix(_, path) => Identity::Unix(path.clone()),
        }
    }

    /// The address to open on this machine.
    pub fn address(&self) -> String {
        match self {
            Listening::Tcp(_, address) => format!("http://{}/", reachable(*address)),
            Listening::Unix(_, path) => format!("unix:{}", path.display()),
        }
    }

    /// The address to open on other machines, when every interface is served.
    pub fn address_elsewhere(&self) -> Option<String> {
        let Listening::Tcp(_, address) = self else {
            return None;
        };
        if !address.ip().is_unspecified() {
            return None;
        }
        // Connecting a UDP socket sends nothing; it asks the kernel which address would be used.
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
        socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9)).ok()?;
        let ip = socket.local_addr().ok()?.ip();
        (!ip.is_loopback() && !ip.is_unspecified())
            .then(|| format!("http://{}/", SocketAddr::new(ip, address.port())))
    }
}

/// `address`, with this machine's own in place of "every interface".
pub fn reachable(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => (Ipv4Addr::LOCALHOST, address.port()).into(),
        IpAddr::V6(ip) if ip.is_unspecified() => (Ipv6Addr::LOCALHOST, address.port()).into(),
        _ => address,
    }
}
