//! The front's thread: a table of the connections that wait, and the news of them.

use super::{
    super::{
        connection::{Connection, Peer},
        head::{self, Look},
        reply,
    },
    Duty, Gathered,
    waiting::{Phase, Waiting},
};
use crate::fault;
use crate::seldom::{Seldom, Unsaid};
use log::{debug, error, warn};
use rustix::{
    buffer::spare_capacity,
    event::{Timespec, epoll},
    io::Errno,
};
use std::{
    cmp::Reverse,
    collections::HashMap,
    io,
    net::IpAddr,
    os::fd::OwnedFd,
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

/// Names the listening socket and the bell among the connections' numbers.
const LISTENER: u64 = 0;
const BELL: u64 = 1;

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
        desk.wait(&mut events)?;
        // Nothing is touched any more: not even the bell, which is the successor's.
        if duty.generation.load(Ordering::Relaxed) != own {
            return Ok(());
        }
        desk.deal_with(&events);
    }
}

/// The front's own table.
struct Desk<'a> {
    duty: &'a Duty,
    epoll: OwnedFd,
    waiting: HashMap<u64, Waiting>,
    next: u64,
    /// When a deadline is over at the earliest.
    sweep_at: Option<Instant>,
    /// Not accepting until then, or until a place is free.
    held_until: Option<Instant>,
    is_held: bool,
    untaken: usize,
    is_ending: bool,
    full: Seldom,
    short: Seldom,
}

impl<'a> Desk<'a> {
    fn new(duty: &'a Duty) -> io::Result<Desk<'a>> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let news = epoll::EventFlags::IN;
        epoll::add(
            &epoll,
            &*duty.listening,
            epoll::EventData::new_u64(LISTENER),
            news,
        )?;
        epoll::add(
            &epoll,
            &duty.places.bell,
            epoll::EventData::new_u64(BELL),
            news,
        )?;
        Ok(Desk {
            duty,
            epoll,
            waiting: HashMap::new(),
            next: BELL + 1,
            sweep_at: None,
            held_until: None,
            is_held: false,
            untaken: 0,
            is_ending: false,
            full: Seldom::lines(1),
            short: Seldom::lines(1),
        })
    }

    /// Waits for news, or for a deadline.
    fn wait(&self, events: &mut Vec<epoll::Event>) -> io::Result<()> {
        let until = [self.sweep_at, self.held_until].into_iter().flatten().min();
        let pause = until.map(|until| until.saturating_duration_since(Instant::now()));
        // Rounded up, lest the last millisecond be waited for in a hot loop.
        let pause =
            pause.and_then(|pause| Timespec::try_from(pause + Duration::from_millis(1)).ok());
        match epoll::wait(&self.epoll, spare_capacity(events), pause.as_ref()) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
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
                    if let Some(waiting) = self.remove(id) {
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
        if self.sweep_at.is_some_and(|at| now >= at) {
            self.sweep(now);
        }
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
            self.finish(connection, &reply::bare(503, line));
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
        let nothing = epoll::EventFlags::empty();
        self.set_accepting(nothing);
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
        let deadline = Instant::now() + QUIET;
        for waiting in self.waiting.values_mut().filter(|waiting| silent(waiting)) {
            waiting.deadline = deadline;
        }
        self.sweep_by(deadline);
    }

    fn resume(&mut self) {
        if self.is_ending {
            return;
        }
        self.set_accepting(epoll::EventFlags::IN);
        self.is_held = false;
        self.held_until = None;
    }

    fn set_accepting(&self, news: epoll::EventFlags) {
        let data = epoll::EventData::new_u64(LISTENER);
        if let Err(errno) = epoll::modify(&self.epoll, &*self.duty.listening, data, news) {
            error!(
                "cannot watch the listening socket: {}",
                io::Error::from(errno)
            );
        }
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
                        self.finish(waiting.connection, &reply::bare(status, line));
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
        let id = self.next;
        self.next += 1;
        let news = match waiting.phase {
            Phase::Taking { .. } => epoll::EventFlags::OUT,
            _ => epoll::EventFlags::IN,
        };
        let data = epoll::EventData::new_u64(id);
        if let Err(errno) = epoll::add(&self.epoll, &waiting.connection, data, news) {
            debug!("cannot watch a connection: {}", io::Error::from(errno));
            return;
        }
        self.sweep_by(waiting.deadline);
        self.untaken += waiting.untaken();
        self.waiting.insert(id, waiting);
        while self.untaken > UNTAKEN_BYTES {
            let victim = self.by_rank(|waiting| waiting.untaken() > 0).pop();
            if !self.displace(victim) {
                break;
            }
        }
    }

    fn remove(&mut self, id: u64) -> Option<Waiting> {
        let waiting = self.waiting.remove(&id)?;
        let _ = epoll::delete(&self.epoll, &waiting.connection);
        self.untaken -= waiting.untaken();
        Some(waiting)
    }

    fn sweep_by(&mut self, deadline: Instant) {
        self.sweep_at = Some(self.sweep_at.map_or(deadline, |at| at.min(deadline)));
    }

    /// Ends what has not come in time.
    fn sweep(&mut self, now: Instant) {
        let patience = self.duty.patience;
        let over: Vec<_> = self
            .waiting
            .iter_mut()
            .filter_map(|(&id, waiting)| waiting.is_over(now, patience).then_some(id))
            .collect();
        for waiting in over
            .into_iter()
            .filter_map(|id| self.remove(id))
            .collect::<Vec<_>>()
        {
            if !matches!(waiting.phase, Phase::Closing { .. }) {
                self.duty.places.timed_out.bump();
            }
            match waiting.phase {
                Phase::Asking { .. } if !waiting.bytes.is_empty() => {
                    let line = "the request did not come within 10 seconds\n";
                    self.finish(waiting.connection, &reply::bare(408, line));
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
        self.sweep_at = self.waiting.values().map(|waiting| waiting.deadline).min();
    }

    /// Closes `victim`; false when there is none.
    fn displace(&mut self, victim: Option<u64>) -> bool {
        let Some(waiting) = victim.and_then(|id| self.remove(id)) else {
            return false;
        };
        self.duty.places.displaced.bump();
        waiting.connection.abandon();
        true
    }

    /// The connections that are most easily done without, the last one most of all.
    fn dispensable(&self) -> Vec<u64> {
        let now = Instant::now();
        self.by_rank(|waiting| {
            waiting.untaken() == 0 || now.duration_since(waiting.since) > STALLED
        })
    }

    /// Up to [`BATCH`] of those that `may_go`: the lowest rank last, within it those of the address
    /// that has most of them, within these the oldest.
    fn by_rank(&self, may_go: impl Fn(&Waiting) -> bool) -> Vec<u64> {
        let mut of_address: HashMap<(u8, Option<IpAddr>), usize> = HashMap::new();
        let mut all: Vec<_> = self
            .waiting
            .iter()
            .filter(|(_, waiting)| may_go(waiting))
            .inspect(|(_, waiting)| {
                *of_address
                    .entry((waiting.rank(), waiting.address()))
                    .or_default() += 1;
            })
            .collect();
        all.sort_by_cached_key(|(_, waiting)| {
            let rank = waiting.rank();
            let others = of_address[&(rank, waiting.address())];
            Reverse((rank, Reverse(others), waiting.since))
        });
        let first = all.len().saturating_sub(BATCH);
        all[first..].iter().map(|(id, _)| **id).collect()
    }
}

#[cfg(test)]
mod tests;
