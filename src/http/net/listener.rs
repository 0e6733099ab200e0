//! The listening socket: bound once, with the options every accepted connection inherits.
//!
//! systemd may have bound it already and pass it; then it outlives the program, and whoever
//! connects meanwhile waits for the next one. Never blocks: the accept loop waits for connections.

use crate::{
    config::Listen,
    http::net::{local_addresses::local_addresses, tcp_info},
    system::machine,
};
use rustix::{
    io::Errno,
    net::{SocketFlags, acceptfrom_with},
};
use socket2::{Domain, Protocol, SockAddr, Socket, TcpKeepalive, Type};
use std::{
    fmt, fs, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs},
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
const ACCEPT_QUEUE: i32 = 4096;

/// Bytes the kernel may hold unsent for a viewer before its writer waits: a slow viewer sees the
/// present, not a backlog of megabytes.
const UNSENT_BYTES: u32 = 16 * 1024;

/// A bound socket.
#[derive(Debug)]
pub struct Listener {
    socket: Socket,
    /// As it really is.
    address: SockAddr,
}

/// The other end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Peer {
    /// Its address.
    Tcp(SocketAddr),
    /// A Unix socket's peer has no name.
    Unix,
}

impl Peer {
    /// Its address; a Unix socket's has none. An IPv4 address is one, also on an IPv6 socket.
    pub fn ip(self) -> Option<IpAddr> {
        match self {
            Peer::Tcp(address) => Some(address.ip().to_canonical()),
            Peer::Unix => None,
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Peer::Tcp(address) => address.fmt(f),
            Peer::Unix => f.write_str("unix"),
        }
    }
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
    let found = address.to_socket_addrs();
    let found = found.map_err(|error| io::Error::other(format!("{error}: {}", Listen::ALLOWED)))?;
    for address in found {
        match listen_on(address) {
            Ok(socket) => return Listener::new(socket),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

fn listen_on(address: SocketAddr) -> io::Result<Socket> {
    let domain = Domain::for_address(address);
    let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        // `[::]` is everybody, IPv4 included, whatever the system's default.
        socket.set_only_v6(false)?;
    }
    socket.set_reuse_address(true)?;
    set_options(&socket)?;
    socket.bind(&address.into())?;
    socket.listen(ACCEPT_QUEUE)?;
    Ok(socket)
}

/// What every accepted connection inherits.
fn set_options(socket: &Socket) -> io::Result<()> {
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_notsent_lowat(UNSENT_BYTES)?;
    socket.set_keepalive(true)?;
    // Probes for peers that vanished while nothing was sent to them.
    let keepalive = TcpKeepalive::new()
        .with_time(Duration::from_secs(10))
        .with_interval(Duration::from_secs(3))
        .with_retries(3);
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
    match (socket.domain()?, socket.local_addr()?.as_pathname()) {
        (Domain::IPV4 | Domain::IPV6, _) => set_options(&socket)?,
        (Domain::UNIX, Some(_)) => {}
        _ => return wrong("it has neither a port nor a path"),
    }
    Listener::new(socket)
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
    Listener::new(UnixListener::bind(path)?.into())
}

impl Listener {
    /// Takes over a listening socket.
    pub fn new(socket: Socket) -> io::Result<Listener> {
        socket.set_nonblocking(true)?;
        let address = socket.local_addr()?;
        Ok(Listener { socket, address })
    }

    /// The next connection that waits, without waiting for one.
    pub fn accept(&self) -> rustix::io::Result<Option<(Socket, Peer)>> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let (socket, address) = match acceptfrom_with(self, flags) {
            Ok(accepted) => accepted,
            Err(Errno::AGAIN) => return Ok(None),
            Err(errno) => return Err(errno),
        };
        if self.address.is_unix() {
            return Ok(Some((socket.into(), Peer::Unix)));
        }
        let address = address.and_then(|address| SocketAddr::try_from(address).ok());
        let peer = Peer::Tcp(address.ok_or(Errno::CONNABORTED)?);
        Ok(Some((socket.into(), peer)))
    }

    /// Connections that wait to be accepted; 0 where the kernel does not say.
    pub fn waiting(&self) -> usize {
        tcp_info::waiting(self.as_fd()).unwrap_or(0) as usize
    }

    /// The path of a Unix socket, to be taken away in the end.
    pub fn unix_path(&self) -> Option<PathBuf> {
        self.address.as_pathname().map(Path::to_owned)
    }

    /// The address listened on; a Unix socket has none.
    pub fn ip(&self) -> Option<IpAddr> {
        self.address.as_socket().map(|address| address.ip())
    }

    /// Where it is reached from this machine.
    pub fn own_address(&self) -> SockAddr {
        match self.address.as_socket() {
            Some(address) => reachable(address).into(),
            None => self.address.clone(),
        }
    }

    /// The address to open on this machine.
    pub fn address(&self) -> String {
        match self.address.as_socket() {
            Some(address) => format!("http://{}/", reachable(address)),
            None => format!("unix:{}", self.unix_path().unwrap_or_default().display()),
        }
    }

    /// What to open on other machines, when every interface is served: the best address, and the one with the
    /// name of this machine.
    pub fn urls_elsewhere(&self) -> Vec<String> {
        let address = self.address.as_socket();
        let Some(address) = address.filter(|own| own.ip().to_canonical().is_unspecified()) else {
            return Vec::new();
        };
        let best = self.addresses_elsewhere().into_iter().next();
        let named = machine::local_name().map(|name| format!("http://{name}:{}/", address.port()));
        let best = best.map(|address| format!("http://{address}/"));
        best.into_iter().chain(named).collect()
    }

    /// By which addresses other machines reach it, best first.
    pub fn addresses_elsewhere(&self) -> Vec<SocketAddr> {
        let Some(address) = self.address.as_socket() else {
            return Vec::new();
        };
        let ip = address.ip().to_canonical();
        let ips = match (ip.is_unspecified(), ip.is_loopback()) {
            (true, _) => {
                let only_v6 = ip.is_ipv6() && self.socket.only_v6().unwrap_or(false);
                local_addresses(!only_v6, ip.is_ipv6())
            }
            (false, true) => Vec::new(),
            (false, false) => vec![ip],
        };
        let with_port = |ip| SocketAddr::new(ip, address.port());
        ips.into_iter().map(with_port).collect()
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
        self.socket.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elsewhere(listen: &str) -> Vec<SocketAddr> {
        let listener = bind(&Listen::Tcp(listen.to_owned())).expect("bound");
        listener.addresses_elsewhere()
    }

    #[test]
    fn others_reach_what_listens_on_more_than_this_machine() {
        for inner in ["127.0.0.1:0", "127.1.2.3:0", "[::ffff:127.0.0.1]:0"] {
            assert_eq!(elsewhere(inner), [], "{inner}");
        }
        let all = elsewhere("0.0.0.0:0");
        assert!(all.iter().all(SocketAddr::is_ipv4), "{all:?}");
        let ips: Vec<IpAddr> = all.iter().map(SocketAddr::ip).collect();
        assert_eq!(ips, local_addresses(true, false));
        for ip in ips {
            let one = elsewhere(&SocketAddr::new(ip, 0).to_string());
            assert_eq!(one.len(), 1, "{ip}");
            assert!(one[0].ip() == ip && one[0].port() != 0, "{one:?}");
        }
    }

    #[test]
    fn a_socket_of_ipv6_alone_has_no_address_of_ipv4() {
        let Ok(socket) = Socket::new(Domain::IPV6, Type::STREAM, Some(Protocol::TCP)) else {
            return;
        };
        let everybody: SocketAddr = (Ipv6Addr::UNSPECIFIED, 0).into();
        socket.set_only_v6(true).expect("set");
        socket.bind(&everybody.into()).expect("bound");
        socket.listen(1).expect("listening");
        let found = Listener::new(socket).expect("bound").addresses_elsewhere();
        assert!(found.iter().all(SocketAddr::is_ipv6), "{found:?}");
        let both = elsewhere("[::]:0").into_iter().map(|address| address.ip());
        assert_eq!(both.collect::<Vec<_>>(), local_addresses(true, true));
    }
}
