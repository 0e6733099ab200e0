//! The listening socket: bound once, with the options every accepted connection inherits.
//!
//! systemd may have bound it already and pass it; then it outlives the program, and whoever
//! connects meanwhile waits for the next one. Never blocks: the accept loop waits for connections.

use crate::{config::Listen, http::net::open_connection::Peer};
use rustix::{
    io::Errno,
    net::{SocketFlags, acceptfrom_with},
};
use socket2::{Domain, Protocol, SockAddr, Socket, TcpKeepalive, Type};
use std::{
    fs, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs, UdpSocket},
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::{
            fs::FileTypeExt,
            net::{UnixListener, UnixStream},
        },
    },
    path::{Path, PathBuf},
    time::Duration,
};

/// Connections that may wait in the kernel to be accepted; the kernel's own cap is usually the same.
const BACKLOG: i32 = 4096;

/// Probes for peers that vanished while nothing was sent to them.
const KEEPALIVE: (Duration, Duration, u32) = (Duration::from_secs(10), Duration::from_secs(3), 3);

/// Bytes the kernel may hold unsent for a viewer before its writer waits: a slow viewer sees the
/// present, not a backlog of megabytes.
const UNSENT_BYTES: u32 = 16 * 1024;

/// A bound socket.
#[derive(Debug)]
pub enum Listener {
    /// With the address it really has.
    Tcp(TcpListener, SocketAddr),
    /// With its path.
    Unix(UnixListener, PathBuf),
}

/// Binds `listen` and begins to listen.
pub fn bind(listen: &Listen) -> io::Result<Listener> {
    match listen {
        Listen::Tcp(address) => bind_tcp(address),
        Listen::Unix(path) => bind_unix(path),
    }
}

fn bind_tcp(address: &str) -> io::Result<Listener> {
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in address.to_socket_addrs()? {
        match listen_on(address) {
            Ok(listener) => {
                let address = listener.local_addr()?;
                return Ok(Listener::Tcp(listener, address));
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
    set_options(&socket)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// What every accepted connection inherits.
fn set_options(socket: &Socket) -> io::Result<()> {
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_notsent_lowat(UNSENT_BYTES)?;
    socket.set_keepalive(true)?;
    let (time, interval, retries) = KEEPALIVE;
    let keepalive = TcpKeepalive::new()
        .with_time(time)
        .with_interval(interval)
        .with_retries(retries);
    socket.set_tcp_keepalive(&keepalive)
}

/// Takes over a socket that somebody else bound and listens on; it stays theirs, also when this
/// program ends.
pub fn from_systemd(passed: OwnedFd) -> io::Result<Listener> {
    let wrong = |what| Err(io::Error::new(io::ErrorKind::InvalidInput, what));
    let socket = Socket::from(passed);
    if socket.r#type()? != Type::STREAM || !socket.is_listener()? {
        return wrong("it is no listening stream socket (ListenStream= and Accept=no make one)");
    }
    socket.set_nonblocking(true)?;
    let address = socket.local_addr()?;
    match (socket.domain()?, address.as_socket(), address.as_pathname()) {
        (Domain::IPV4 | Domain::IPV6, Some(address), _) => {
            set_options(&socket)?;
            Ok(Listener::Tcp(socket.into(), address))
        }
        (Domain::UNIX, _, Some(path)) => {
            let path = path.to_owned();
            Ok(Listener::Unix(socket.into(), path))
        }
        _ => wrong("it has neither a port nor a path"),
    }
}

fn bind_unix(path: &Path) -> io::Result<Listener> {
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
    let listener = UnixListener::bind(path)?;
    listener.set_nonblocking(true)?;
    Ok(Listener::Unix(listener, path.to_owned()))
}

impl Listener {
    /// The next connection that waits, without waiting for one.
    pub fn accept(&self) -> rustix::io::Result<Option<(Socket, Peer)>> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let (socket, address) = match acceptfrom_with(self, flags) {
            Ok(accepted) => accepted,
            Err(Errno::AGAIN) => return Ok(None),
            Err(errno) => return Err(errno),
        };
        let peer = match self {
            Listener::Tcp(..) => address
                .and_then(|address| SocketAddr::try_from(address).ok())
                .map_or(Err(Errno::CONNABORTED), |address| Ok(Peer::Tcp(address)))?,
            Listener::Unix(..) => Peer::Unix,
        };
        Ok(Some((socket.into(), peer)))
    }

    /// The path of a Unix socket, to be taken away in the end.
    pub fn unix_path(&self) -> Option<PathBuf> {
        match self {
            Listener::Tcp(..) => None,
            Listener::Unix(_, path) => Some(path.clone()),
        }
    }

    /// The address listened on; a Unix socket has none.
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Listener::Tcp(_, address) => Some(address.ip()),
            Listener::Unix(..) => None,
        }
    }

    /// Where it is reached from this machine.
    pub fn own_address(&self) -> io::Result<SockAddr> {
        match self {
            Listener::Tcp(_, address) => Ok(reachable(*address).into()),
            Listener::Unix(_, path) => SockAddr::unix(path),
        }
    }

    /// The address to open on this machine.
    pub fn address(&self) -> String {
        match self {
            Listener::Tcp(_, address) => format!("http://{}/", reachable(*address)),
            Listener::Unix(_, path) => format!("unix:{}", path.display()),
        }
    }

    /// The address to open on other machines, when every interface is served.
    pub fn address_elsewhere(&self) -> Option<String> {
        let Listener::Tcp(_, address) = self else {
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
fn reachable(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => (Ipv4Addr::LOCALHOST, address.port()).into(),
        IpAddr::V6(ip) if ip.is_unspecified() => (Ipv6Addr::LOCALHOST, address.port()).into(),
        _ => address,
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Listener::Tcp(listener, _) => listener.as_fd(),
            Listener::Unix(listener, _) => listener.as_fd(),
        }
    }
}
