//! A connection that is not in a request: what it waits for, and until when.

use super::super::connection::{Connection, Peer};
use std::{
    net::IpAddr,
    time::{Duration, Instant},
};

/// A request must be whole so long after its connection came, or after its first byte.
const HEAD_TIME: Duration = Duration::from_secs(10);

/// A kept connection may say nothing for so long.
const IDLE_TIME: Duration = Duration::from_secs(30);

/// After a last answer what the client still sends is thrown away for so long, because closing on
/// unread bytes would take the answer back.
const CLOSING_TIME: Duration = Duration::from_secs(1);

/// A connection that is not in a request.
#[derive(Debug)]
pub struct Waiting {
    /// Its socket.
    pub connection: Connection,
    /// What it waits for.
    pub phase: Phase,
    /// When it entered its phase.
    pub since: Instant,
    /// When its phase ends at the latest.
    pub deadline: Instant,
    /// What it has sent of its next request.
    pub bytes: Vec<u8>,
}

/// What a connection waits for.
#[derive(Debug)]
pub enum Phase {
    /// Its request is not whole.
    Asking {
        is_first: bool,
        /// To go on with its body.
        was_told: bool,
    },
    /// It has been answered and may ask again.
    Idle,
    /// It has not taken all of its answer.
    Taking {
        answer: Vec<u8>,
        taken: usize,
        keeps: bool,
        /// See [`Connection::promised`]; at the last look.
        promised: u64,
    },
    /// It has been answered for the last time, and so much came since.
    Closing { thrown_away: usize },
}

impl Waiting {
    /// A connection that enters `phase`, having sent `bytes`; see `enter`.
    pub fn new(
        connection: Connection,
        phase: Phase,
        bytes: Vec<u8>,
        patience: Duration,
    ) -> Waiting {
        let now = Instant::now();
        let mut waiting = Waiting {
            connection,
            phase: Phase::Idle,
            since: now,
            deadline: now,
            bytes,
        };
        waiting.enter(phase, patience);
        waiting
    }

    /// Enters another phase, whose time begins now; an answer may go untaken for `patience`.
    pub fn enter(&mut self, phase: Phase, patience: Duration) {
        let time = match phase {
            Phase::Asking { .. } => HEAD_TIME,
            Phase::Idle => IDLE_TIME,
            Phase::Taking { .. } => patience,
            Phase::Closing { .. } => CLOSING_TIME,
        };
        self.phase = phase;
        self.since = Instant::now();
        self.deadline = self.since + time;
    }

    /// True when its time is over. Of an answer that is not when the peer has taken some of what
    /// the kernel holds.
    pub fn is_over(&mut self, now: Instant, patience: Duration) -> bool {
        if now < self.deadline {
            return false;
        }
        if let Phase::Taking { promised, .. } = &mut self.phase {
            let before = *promised;
            *promised = self.connection.promised();
            if *promised != before {
                self.deadline = now + patience;
                return false;
            }
        }
        true
    }

    /// Notes that a request has begun; tells a client that waits for it to go on.
    pub fn note_begun(&mut self, waits: bool) {
        if let Phase::Idle = self.phase {
            let phase = Phase::Asking {
                is_first: false,
                was_told: false,
            };
            // Of no answer.
            self.enter(phase, Duration::ZERO);
        }
        if let Phase::Asking { was_told, .. } = &mut self.phase {
            if waits && !*was_told {
                *was_told = true;
                let _ = self.connection.write_some(b"HTTP/1.1 100 Continue\r\n\r\n");
            }
        }
    }

    /// The address it comes from.
    pub fn address(&self) -> Option<IpAddr> {
        match self.connection.peer {
            Peer::Tcp(address) => Some(address.ip()),
            Peer::Unix => None,
        }
    }

    /// Bytes of its answer it has not taken.
    pub fn untaken(&self) -> usize {
        match &self.phase {
            Phase::Taking { answer, taken, .. } => answer.len() - taken,
            _ => 0,
        }
    }

    /// How dear it is, when one must go.
    pub fn rank(&self) -> u8 {
        match self.phase {
            Phase::Closing { .. } => 0,
            Phase::Asking { is_first: true, .. } => 1,
            Phase::Idle => 2,
            Phase::Asking { .. } => 3,
            Phase::Taking { .. } => 4,
        }
    }
}
