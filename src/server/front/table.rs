//! The front's table: the connections that wait, their news and their deadlines.

use super::{
    super::listen::Listening,
    waiting::{Phase, Waiting},
};
use log::{debug, error};
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
    time::{Duration, Instant},
};

/// Names the listening socket and the bell among the connections' numbers.
pub const LISTENER: u64 = 0;
/// See [`LISTENER`].
pub const BELL: u64 = 1;

/// See the module.
#[derive(Debug)]
pub struct Table {
    epoll: OwnedFd,
    waiting: HashMap<u64, Waiting>,
    /// Number of the next one.
    next: u64,
    /// When a deadline is over at the earliest.
    sweep_at: Option<Instant>,
    /// Bytes of answers, in all.
    untaken: usize,
}

impl Table {
    /// A table without connections, which hears of `listening` and `bell` too.
    ///
    /// # Errors
    ///
    /// Those of epoll, which needs a descriptor and memory.
    pub fn new(listening: &Listening, bell: &OwnedFd) -> io::Result<Table> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let news = epoll::EventFlags::IN;
        epoll::add(&epoll, listening, epoll::EventData::new_u64(LISTENER), news)?;
        epoll::add(&epoll, bell, epoll::EventData::new_u64(BELL), news)?;
        Ok(Table {
            epoll,
            waiting: HashMap::new(),
            next: BELL + 1,
            sweep_at: None,
            untaken: 0,
        })
    }

    /// Waits for news, for a deadline, or until `held_until`.
    pub fn wait(
        &self,
        events: &mut Vec<epoll::Event>,
        held_until: Option<Instant>,
    ) -> io::Result<()> {
        let until = [self.sweep_at, held_until].into_iter().flatten().min();
        let pause = until.map(|until| until.saturating_duration_since(Instant::now()));
        // Rounded up, lest the last millisecond be waited for in a hot loop.
        let pause =
            pause.and_then(|pause| Timespec::try_from(pause + Duration::from_millis(1)).ok());
        match epoll::wait(&self.epoll, spare_capacity(events), pause.as_ref()) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    /// From now on there is news of connections that want to be accepted, or not.
    pub fn set_accepting(&self, listening: &Listening, is_accepting: bool) {
        let news = if is_accepting {
            epoll::EventFlags::IN
        } else {
            epoll::EventFlags::empty()
        };
        let data = epoll::EventData::new_u64(LISTENER);
        if let Err(errno) = epoll::modify(&self.epoll, listening, data, news) {
            let error = io::Error::from(errno);
            error!("cannot watch the listening socket: {error}");
        }
    }

    /// Puts a connection in; closes it when there can be no news of it.
    pub fn insert(&mut self, waiting: Waiting) {
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
    }

    /// Takes a connection out.
    pub fn remove(&mut self, id: u64) -> Option<Waiting> {
        let waiting = self.waiting.remove(&id)?;
        let _ = epoll::delete(&self.epoll, &waiting.connection);
        self.untaken -= waiting.untaken();
        Some(waiting)
    }

    /// Bytes of answers that were not taken yet, in all.
    pub fn untaken(&self) -> usize {
        self.untaken
    }

    /// Those that are `hurried` have until `deadline`.
    pub fn hurry(&mut self, deadline: Instant, hurried: impl Fn(&Waiting) -> bool) {
        for waiting in self.waiting.values_mut().filter(|waiting| hurried(waiting)) {
            waiting.deadline = deadline;
        }
        self.sweep_by(deadline);
    }

    /// Takes out those whose time is over at `now`.
    pub fn take_over(&mut self, now: Instant, patience: Duration) -> Vec<Waiting> {
        if self.sweep_at.is_none_or(|at| now < at) {
            return Vec::new();
        }
        let over: Vec<_> = self
            .waiting
            .iter_mut()
            .filter_map(|(&id, waiting)| waiting.is_over(now, patience).then_some(id))
            .collect();
        let over = over.into_iter().filter_map(|id| self.remove(id)).collect();
        self.sweep_at = self.waiting.values().map(|waiting| waiting.deadline).min();
        over
    }

    /// Up to `most` of those that `may_go`: the lowest rank last, within it those of the address that
    /// has most of them, within these the oldest.
    pub fn by_rank(&self, most: usize, may_go: impl Fn(&Waiting) -> bool) -> Vec<u64> {
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
        let first = all.len().saturating_sub(most);
        all[first..].iter().map(|(id, _)| **id).collect()
    }

    fn sweep_by(&mut self, deadline: Instant) {
        self.sweep_at = Some(self.sweep_at.map_or(deadline, |at| at.min(deadline)));
    }
}
