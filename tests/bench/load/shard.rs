//! One thread's share of the viewers, on one epoll. Runs until the window is over.
//!
//! Cheap: one `recv` for a part's headers, one for its tail, and the body between is discarded
//! in the kernel, except at a sample of viewers (all of them with `verify`) that hash it.

use std::io::{self, ErrorKind, Read, Write};
use std::mem::MaybeUninit;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use rustix::fd::OwnedFd;
use socket2::Socket;

use super::check::Ledger;
use super::parse::Parser;
use super::viewers::{Clock, Report, Viewer, Watch};
use super::{age_micros, connect, request};

/// Between two arrivals of one thread: a crowd, not a flood of the accept queue (that is `burst`).
const ARRIVAL_GAP: Duration = Duration::from_millis(1);
/// The longest sleep; the end of the window is noticed this late.
const LONGEST_WAIT: Duration = Duration::from_millis(50);
/// Linux: with TCP, bytes are dropped in the kernel instead of copied.
const MSG_TRUNC: i32 = 0x20;
/// For headers when the body is skipped; one read of this size holds them all.
const HEAD_READ_BYTES: usize = 512;
const SCRATCH_BYTES: usize = 256 * 1024;
/// Of the viewers that do not verify, one in so many hashes all the same.
const SAMPLE_EVERY: usize = 50;

/// One viewer's connection.
struct Line {
    number: usize,
    socket: Socket,
    parser: Parser,
    is_asked: bool,
    started: Instant,
    /// When the last frame was complete, on the clock.
    last_micros: Option<u64>,
    viewer: Viewer,
}

pub struct Shard<'a> {
    watch: &'a Watch,
    clock: &'a Clock,
    poll: OwnedFd,
    lines: Vec<Line>,
    ages_micros: Vec<u32>,
    ledger: Ledger,
    /// One for all viewers; nothing stays in it between two reads.
    scratch: Vec<u8>,
    /// Never touched: the kernel only wants its length.
    nowhere: Vec<MaybeUninit<u8>>,
}

impl<'a> Shard<'a> {
    pub fn new(watch: &'a Watch, clock: &'a Clock) -> Shard<'a> {
        Shard {
            watch,
            clock,
            poll: epoll::create(epoll::CreateFlags::CLOEXEC).expect("an epoll for each thread"),
            lines: Vec::new(),
            ages_micros: Vec::new(),
            ledger: Ledger::default(),
            scratch: vec![0; SCRATCH_BYTES],
            nowhere: vec![MaybeUninit::uninit(); SCRATCH_BYTES],
        }
    }

    /// Runs the viewers `first`, `first + every`, … until the window is over.
    pub fn run(mut self, first: usize, every: usize) -> Report {
        let mut coming = (first..self.watch.viewers).step_by(every).peekable();
        let mut next_arrival = Instant::now();
        let mut events = Vec::with_capacity(256);
        while self.clock.window_at(self.clock.now_micros()) != Some(false) {
            let arriving = match Instant::now() >= next_arrival {
                true => coming.next(),
                false => None,
            };
            if let Some(number) = arriving {
                next_arrival += ARRIVAL_GAP;
                if let Err(error) = self.arrive(number) {
                    let fault = format!("viewer {number}: cannot connect: {error}");
                    self.ledger.fault(fault);
                    self.clock.ready.fetch_add(1, Ordering::AcqRel);
                }
            }
            let pause = match coming.peek() {
                Some(_) => next_arrival.saturating_duration_since(Instant::now()),
                None => LONGEST_WAIT,
            };
            let pause = Timespec::try_from(pause).expect("milliseconds fit");
            // Interrupted or not: the loop looks at the clock and comes back.
            let _ = epoll::wait(&self.poll, spare_capacity(&mut events), Some(&pause));
            for event in events.drain(..) {
                let index = event.data.u64() as usize;
                let had_frame = self.lines[index].viewer.first_frame.is_some();
                let outcome = self.serve(index);
                let line = &self.lines[index];
                if let Err(fault) = &outcome {
                    let fault = format!("viewer {}: {fault}", line.number);
                    self.ledger.fault(fault);
                    let _ = epoll::delete(&self.poll, &line.socket);
                }
                if !had_frame && (outcome.is_err() || line.viewer.first_frame.is_some()) {
                    self.clock.ready.fetch_add(1, Ordering::AcqRel);
                }
            }
        }
        Report {
            viewers: self.lines.into_iter().map(|line| line.viewer).collect(),
            ages_micros: self.ages_micros,
            ledger: self.ledger,
        }
    }

    fn arrive(&mut self, number: usize) -> io::Result<()> {
        let started = Instant::now();
        let socket = connect(self.watch.address)?;
        let key = epoll::EventData::new_u64(self.lines.len() as u64);
        let wanted = epoll::EventFlags::IN | epoll::EventFlags::OUT;
        epoll::add(&self.poll, &socket, key, wanted)?;
        self.lines.push(Line {
            number,
            socket,
            parser: Parser::lenient(self.watch.verify || number % SAMPLE_EVERY == 0),
            is_asked: false,
            started,
            last_micros: None,
            viewer: Viewer::default(),
        });
        Ok(())
    }

    /// Sends the request or takes what has come. An error ends this viewer.
    fn serve(&mut self, index: usize) -> Result<(), String> {
        let line = &mut self.lines[index];
        if !line.is_asked {
            if let Ok(Some(error)) | Err(error) = line.socket.take_error() {
                return Err(format!("cannot connect: {error}"));
            }
            line.socket
                .write_all(request(self.watch.address, &self.watch.path).as_bytes())
                .map_err(|error| format!("cannot ask: {error}"))?;
            line.is_asked = true;
            let key = epoll::EventData::new_u64(index as u64);
            return epoll::modify(&self.poll, &line.socket, key, epoll::EventFlags::IN)
                .map_err(|error| format!("cannot wait: {error}"));
        }
        loop {
            let line = &mut self.lines[index];
            let skippable = line.parser.skippable();
            let (limit, outcome) = if skippable > 0 {
                let limit = skippable.min(SCRATCH_BYTES);
                let nowhere = &mut self.nowhere[..limit];
                (limit, line.socket.recv_with_flags(nowhere, MSG_TRUNC))
            } else {
                let limit = match line.parser.is_hashing() {
                    true => SCRATCH_BYTES,
                    false => HEAD_READ_BYTES,
                };
                (limit, line.socket.read(&mut self.scratch[..limit]))
            };
            let count = match outcome {
                Ok(0) => return Err("closed by the server".into()),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(format!("cannot read: {error}")),
            };
            if skippable > 0 {
                line.parser.skipped(count);
            } else {
                self.take(index, count)?;
            }
            // A short read drained the socket; the next bytes raise the next event.
            if count < limit {
                return Ok(());
            }
        }
    }

    /// Takes the first `count` bytes of the scratch buffer as the line's next.
    fn take(&mut self, index: usize, count: usize) -> Result<(), String> {
        let Line {
            number,
            parser,
            started,
            last_micros,
            viewer,
            ..
        } = &mut self.lines[index];
        viewer.first_byte.get_or_insert_with(|| started.elapsed());
        let (clock, ledger, ages) = (self.clock, &mut self.ledger, &mut self.ages_micros);
        parser.feed(&self.scratch[..count], |part| {
            viewer.first_frame.get_or_insert_with(|| started.elapsed());
            let now_micros = clock.now_micros();
            let is_new = ledger.enter(*number, &mut viewer.track, part);
            if is_new && clock.window_at(now_micros) == Some(true) {
                viewer.frames += 1;
                if let Some(last) = *last_micros {
                    let gap = Duration::from_micros(now_micros - last);
                    viewer.gap = viewer.gap.max(gap);
                    if viewer.frames > 1 {
                        viewer.span += gap;
                    }
                }
                ages.extend(age_micros(part));
            }
            if is_new {
                *last_micros = Some(now_micros);
            }
        })
    }
}
