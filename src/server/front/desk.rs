//! The front's thread: what is done at which news.

use super::{
    super::{
        connection::{Connection, Peer},
        head::{self, Look},
        response::minimal,
    },
    Duty, Gathered,
    table::{BELL, LISTENER, Table},
    waiting::{Phase, Waiting},
};
use crate::fault;
use crate::seldom::{Seldom, Unsaid};
use log::{debug, error, warn};
use rustix::{event::epoll, io::Errno};
use std::{
    io,
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

/// Bytes thrown away after a last answer, at most.
const CLOSING_BYTES: usize = 64 * 1024;

/// Connections accepted before those that are there are looked at again.
const BATCH: usize = 32;

/// News taken at one turn; more than there are connections at most times.
const NEWS: usize = 1024;

/// A pause when the system has no descriptor or memory for another connection.
const SHORTAGE: Duration = Duration::from_millis(100);

/// Bytes of answers that clients have not taken yet, in all.
const UNTAKEN_BYTES: usize = 16 * 1024 * 1024;

/// A client that has taken nothing of its answer for so long may be displaced.
const STALLED: Duration = Duration::from_secs(1);

/// When the program ends, a connection that was just accepted gets this long to bring its request.
const QUIET: Duration = Duration::from_millis(100);

/// Runs until the program ends or a successor has taken over, of a later generation than `own`.
///
/// # Errors
///
/// Those of epoll, which needs a descriptor and memory.
pub fn run(duty: &Duty, own: u64) -> io::Result<()> {
    let mut desk = Desk::new(duty)?;
    let mut events = Vec::with_capacity(NEWS);
    loop {
        events.clear();
        desk.table.wait(&mut events, desk.held_until)?;
        // Nothing is touched any more: not even the bell, which is the successor's.
        if duty.generation.load(Ordering::Relaxed) != own {
            return Ok(());
        }
        desk.deal_with(&events);
    }
}

/// The front at work.
struct Desk<'a> {
    duty: &'a Duty,
    table: Table,
    /// Not accepting until then, or until a place is free.
    held_until: Option<Instant>,
    is_held: bool,
    is_ending: bool,
    full: Seldom,
    short: Seldom,
}

impl<'a> Desk<'a> {
    fn new(duty: &'a Duty) -> io::Result<Desk<'a>> {
        Ok(Desk {
            duty,
            table: Table::new(&duty.listening, &duty.places.bell)?,
            held_until: None,
            is_held: false,
            is_ending: false,
            full: Seldom::lines(1),
            short: Seldom::lines(1),
        })
    }

    /// Deals with the news of connections first, so that a request that is there is not displaced
    /// by a connection that asks for nothing yet.
    fn deal_with(&mut self, events: &[epoll::Event]) {
        let mut is_accepting = false;
        for event in events {
            match event.data.u64() {
                LISTENER => is_accepting = true,
                BELL => self.take_back(),
                id => {
                    if let Some(waiting) = self.table.remove(id) {
                        self.hear(waiting);
                    }
                }
            }
        }
        if self.duty.is_ending.load(Ordering::Relaxed) && !self.is_ending {
            self.end();
        }
        let now = Instant::now();
        if self.held_until.is_some_and(|until| now >= until) {
            self.resume();
        }
        self.sweep(now);
        if is_accepting && !self.is_ending {
            self.accept();
        }
    }

    fn accept(&mut self) {
        // Looked for once: who is accepted now has not been heard yet, and is none.
        let mut victims = Vec::new();
        if self.duty.places.are_taken() {
            victims = self.dispensable();
        }
        for _ in 0..BATCH {
            let is_full = self.duty.places.are_taken();
            // Known before one is accepted: if nobody can go, it waits in the kernel.
            let victim = if is_full { victims.pop() } else { None };
            if is_full && victim.is_none() {
                if !self.dispensable().is_empty() {
                    // At the next turn, when all have been heard.
                    return;
                }
                if let Some(unsaid) = self.full.note() {
                    warn!(
                        "all {} connections are in a request and new ones wait \
                         (--max-connections){}",
                        self.duty.places.max(),
                        Unsaid(unsaid)
                    );
                }
                return self.hold(None);
            }
            match self.duty.listening.accept() {
                Ok(Some((socket, peer))) => {
                    self.displace(victim);
                    self.admit(socket, peer);
                }
                Ok(None) => return,
                // It left while it waited.
                Err(Errno::CONNABORTED | Errno::INTR | Errno::PROTO | Errno::PERM) => {}
                Err(errno) => {
                    if let Some(unsaid) = self.short.note() {
                        let error = io::Error::from(errno);
                        error!(
                            "cannot accept a connection, trying on: {error}{}",
                            Unsaid(unsaid)
                        );
                    }
                    let is_shortage = matches!(
                        errno,
                        Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM
                    );
                    let victim = self.dispensable().pop().filter(|_| is_shortage);
                    if !self.displace(victim) {
                        return self.hold(Some(Instant::now() + SHORTAGE));
                    }
                }
            }
        }
    }

    fn admit(&mut self, socket: socket2::Socket, peer: Peer) {
        let places = &self.duty.places;
        places.accepted.bump();
        let address = match peer {
            Peer::Tcp(address) => Some(address.ip().to_canonical()),
            Peer::Unix => None,
        };
        if let Some(place) = places.take(address) {
            let connection = Connection::new(socket, peer, place);
            let phase = Phase::Asking {
                is_first: true,
                was_told: false,
            };
            // Most have sent their request by now.
            return self.hear(Waiting::new(
                connection,
                phase,
                Vec::new(),
                self.duty.patience,
            ));
        }
        places.refused.bump();
        if let Some(place) = places.take(None) {
            let connection = Connection::new(socket, peer, place);
            let line = "this address has as many connections as it may have (--max-per-address)\n";
            self.finish(connection, &minimal(503, line));
        }
    }

    /// Sends a last answer and closes as soon as it is sure to arrive.
    fn finish(&mut self, connection: Connection, answer: &[u8]) {
        if connection.write_some(answer).is_ok() {
            connection.end_writing();
            let phase = Phase::Closing { thrown_away: 0 };
            self.keep(Waiting::new(
                connection,
                phase,
                Vec::new(),
                self.duty.patience,
            ));
        }
    }

    /// Stops accepting until `until`, or until a place is free.
    fn hold(&mut self, until: Option<Instant>) {
        self.table.set_accepting(&self.duty.listening, false);
        self.is_held = true;
        self.held_until = until;
        self.duty.places.want();
        // One may have become free before it was wanted.
        if until.is_none() && !self.duty.places.are_taken() {
            self.resume();
        }
    }

    /// Stops accepting for good; connections that say nothing are let go.
    fn end(&mut self) {
        self.is_ending = true;
        self.hold(None);
        let silent = |waiting: &Waiting| match waiting.phase {
            Phase::Idle => true,
            Phase::Asking { .. } => waiting.bytes.is_empty(),
            _ => false,
        };
        self.table.hurry(Instant::now() + QUIET, silent);
    }

    fn resume(&mut self) {
        if self.is_ending {
            return;
        }
        self.table.set_accepting(&self.duty.listening, true);
        self.is_held = false;
        self.held_until = None;
    }

    /// Takes connections back that have been answered.
    fn take_back(&mut self) {
        let mut count = [0; 8];
        let _ = rustix::io::read(&self.duty.places.bell, &mut count);
        while let Ok(waiting) = self.duty.back.try_recv() {
            self.hear(waiting);
        }
        // A place is free, or what came back can make room.
        if self.is_held && self.held_until.is_none() {
            self.resume();
        }
    }

    /// Deals with what there is of a connection, and keeps it if there is more to come.
    fn hear(&mut self, mut waiting: Waiting) {
        if !self.is_taken(&mut waiting) {
            return self.keep(waiting);
        }
        let more = match waiting.phase {
            Phase::Closing { thrown_away } => self.throw_away(waiting, thrown_away),
            Phase::Taking { keeps: false, .. } => None,
            _ => self.gather(waiting),
        };
        if let Some(waiting) = more {
            self.keep(waiting);
        }
    }

    /// True when there is no answer to be taken any more; a kept connection is then idle.
    fn is_taken(&mut self, waiting: &mut Waiting) -> bool {
        let Phase::Taking {
            answer,
            taken,
            keeps,
            ..
        } = &mut waiting.phase
        else {
            return true;
        };
        match waiting.connection.write_some(&answer[*taken..]) {
            Ok(None) => return false,
            Ok(Some(more)) => {
                *taken += more;
                if *taken < answer.len() {
                    waiting.since = Instant::now();
                    waiting.deadline = waiting.since + self.duty.patience;
                    return false;
                }
            }
            // Nothing follows for a client that is gone.
            Err(_) => *keeps = false,
        }
        if *keeps {
            waiting.enter(Phase::Idle, self.duty.patience);
        }
        true
    }

    /// Reads what has come; hands it on when it is a request, and gives the connection back when
    /// it is none yet.
    fn gather(&mut self, mut waiting: Waiting) -> Option<Waiting> {
        let mut buffer = [0; head::HEAD_BYTES];
        loop {
            if !waiting.bytes.is_empty() {
                match head::look(&waiting.bytes) {
                    Look::Whole(length) => {
                        self.hand_on(waiting, length);
                        return None;
                    }
                    Look::Refused(status, line) => {
                        self.duty.places.malformed.bump();
                        self.finish(waiting.connection, &minimal(status, line));
                        return None;
                    }
                    Look::Begun { waits } => waiting.note_begun(waits),
                }
            }
            match waiting.connection.read(&mut buffer) {
                Ok(None) => return Some(waiting),
                Ok(Some(read)) if read > 0 => waiting.bytes.extend_from_slice(&buffer[..read]),
                // It has nothing to ask any more, or cannot.
                _ => return None,
            }
        }
    }

    fn hand_on(&self, waiting: Waiting, length: usize) {
        let is_asked_for = waiting.bytes.starts_with(b"GET /fault ");
        assert!(
            !(is_asked_for && fault::is_due("front")),
            "a fault on purpose"
        );
        let mut message = waiting.bytes;
        let rest = message.split_off(length);
        let gathered = Gathered {
            connection: waiting.connection,
            message,
            rest,
        };
        // There is a receiver as long as the program lives.
        let _ = self.duty.gathered.send(gathered);
    }

    fn throw_away(&self, mut waiting: Waiting, mut thrown_away: usize) -> Option<Waiting> {
        let mut buffer = [0; head::HEAD_BYTES];
        while thrown_away < CLOSING_BYTES {
            match waiting.connection.read(&mut buffer) {
                Ok(None) => {
                    waiting.phase = Phase::Closing { thrown_away };
                    return Some(waiting);
                }
                Ok(Some(read)) if read > 0 => thrown_away += read,
                _ => break,
            }
        }
        None
    }

    fn keep(&mut self, waiting: Waiting) {
        if self.is_ending && matches!(waiting.phase, Phase::Idle) {
            return;
        }
        self.table.insert(waiting);
        while self.table.untaken() > UNTAKEN_BYTES {
            let victim = self.table.by_rank(1, |waiting| waiting.untaken() > 0).pop();
            if !self.displace(victim) {
                break;
            }
        }
    }

    /// Ends what has not come in time.
    fn sweep(&mut self, now: Instant) {
        for waiting in self.table.take_over(now, self.duty.patience) {
            if !matches!(waiting.phase, Phase::Closing { .. }) {
                self.duty.places.timed_out.bump();
            }
            match waiting.phase {
                Phase::Asking { .. } if !waiting.bytes.is_empty() => {
                    let line = "the request did not come within 10 seconds\n";
                    self.finish(waiting.connection, &minimal(408, line));
                }
                Phase::Taking { .. } => {
                    debug!(
                        "client {} stalled while it was answered",
                        waiting.connection.peer
                    );
                    waiting.connection.abandon();
                }
                _ => {}
            }
        }
    }

    /// Closes `victim`; false when there is none.
    fn displace(&mut self, victim: Option<u64>) -> bool {
        let Some(waiting) = victim.and_then(|id| self.table.remove(id)) else {
            return false;
        };
        self.duty.places.displaced.bump();
        waiting.connection.abandon();
        true
    }

    /// The connections that are most easily done without, the last one most of all.
    fn dispensable(&self) -> Vec<u64> {
        let now = Instant::now();
        self.table.by_rank(BATCH, |waiting| {
            waiting.untaken() == 0 || now.duration_since(waiting.since) > STALLED
        })
    }
}

#[cfg(test)]
mod tests;
