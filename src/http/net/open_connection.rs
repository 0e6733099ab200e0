//! What the list of all connections shares with a connection's own thread: its socket, its peer and what
//! it is in.

use rustix::net::{Shutdown, shutdown};
use socket2::{SockRef, Socket};
use std::{
    fmt,
    net::SocketAddr,
    sync::atomic::{AtomicU8, AtomicU64, Ordering},
    time::{Duration, Instant},
};

/// An accepted socket and what its client thread is doing with it.
#[derive(Debug)]
pub struct OpenConnection {
    socket: Socket,
    peer: Peer,
    accepted: Instant,
    phase: AtomicU8,
    /// When the phase began, in nanoseconds since `accepted`.
    since_nanos: AtomicU64,
}

/// What a connection is in; the earlier in this list, the sooner it makes room for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConnectionPhase {
    /// It has had its last answer; what still comes is thrown away.
    Closing,
    /// Its first request is not whole.
    Silent,
    /// It has been answered and may ask again.
    Idle,
    /// A later request is not whole.
    Asking,
    /// It has not taken all of an answer.
    Sending,
    /// A handler is at work.
    Answering,
    /// A stream is sent.
    Streaming,
    /// It made room.
    Evicted,
}

impl ConnectionPhase {
    const ALL: [ConnectionPhase; 8] = [
        ConnectionPhase::Closing,
        ConnectionPhase::Silent,
        ConnectionPhase::Idle,
        ConnectionPhase::Asking,
        ConnectionPhase::Sending,
        ConnectionPhase::Answering,
        ConnectionPhase::Streaming,
        ConnectionPhase::Evicted,
    ];
}

impl OpenConnection {
    /// Takes over an accepted socket.
    pub fn new(socket: Socket, peer: Peer) -> OpenConnection {
        OpenConnection {
            socket,
            peer,
            accepted: Instant::now(),
            phase: AtomicU8::new(ConnectionPhase::Silent as u8),
            since_nanos: AtomicU64::new(0),
        }
    }

    /// The socket, which does not block.
    pub fn socket(&self) -> &Socket {
        &self.socket
    }

    /// Who is at the other end.
    pub fn peer(&self) -> Peer {
        self.peer
    }

    /// Enters `phase` now, unless it was evicted.
    pub fn enter(&self, phase: ConnectionPhase) {
        let nanos = u64::try_from(self.accepted.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.since_nanos.store(nanos, Ordering::Relaxed);
        let keep_evicted = |old| (old != ConnectionPhase::Evicted as u8).then_some(phase as u8);
        let _ = self
            .phase
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, keep_evicted);
    }

    /// What it is in.
    pub fn phase(&self) -> ConnectionPhase {
        ConnectionPhase::ALL[usize::from(self.phase.load(Ordering::Relaxed))]
    }

    /// When its phase began.
    pub fn phase_since(&self) -> Instant {
        self.accepted + Duration::from_nanos(self.since_nanos.load(Ordering::Relaxed))
    }

    /// How long it has been in its phase.
    pub fn phase_age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.phase_since())
    }

    /// Closes it from outside: its thread finds it at its end, and the kernel keeps nothing for it but
    /// a last answer that is on its way.
    pub fn evict(&self) {
        let before = self
            .phase
            .swap(ConnectionPhase::Evicted as u8, Ordering::Relaxed);
        if before == ConnectionPhase::Closing as u8 {
            return self.close_reading();
        }
        let _ = SockRef::from(&self.socket).set_linger(Some(Duration::ZERO));
        let _ = shutdown(&self.socket, Shutdown::Both);
    }

    /// Lets its thread find the end of what the peer sends.
    pub fn close_reading(&self) {
        let _ = shutdown(&self.socket, Shutdown::Read);
    }
}

/// The other end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Peer {
    /// Its address.
    Tcp(SocketAddr),
    /// A Unix socket's peer has no name.
    Unix,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Peer::Tcp(address) => address.fmt(f),
            Peer::Unix => f.write_str("unix"),
        }
    }
}
