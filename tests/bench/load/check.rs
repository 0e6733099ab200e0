//! Judges frames: whole, in order, and the same for every viewer.
//!
//! One ledger per client thread, merged at the end. Where the server sends `X-Sequence`, or the
//! camera's mark counts the frames, a viewer's sequence may never go back, an equal one must be the same frame again (a repeat),
//! and the same sequence must be the same body at every viewer. Bodies are compared by hash
//! where they were hashed and by length and time stamp elsewhere.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::parse::Part;

/// Faults kept word for word; the rest are counted.
const FAULTS_KEPT: usize = 10;

/// A hash of a body that came in pieces: eight bytes a step, because every byte of hundreds of
/// megabytes a second is looked at. Each step is a bijection of the state, so that a single
/// changed word always shows.
#[derive(Clone, Default)]
pub struct Hash {
    state: u64,
    length: u64,
    tail: [u8; 8],
    held: usize,
}

impl Hash {
    pub fn update(&mut self, mut bytes: &[u8]) {
        self.length += bytes.len() as u64;
        if self.held > 0 {
            let taken = bytes.len().min(8 - self.held);
            self.tail[self.held..self.held + taken].copy_from_slice(&bytes[..taken]);
            self.held += taken;
            bytes = &bytes[taken..];
            if self.held < 8 {
                return;
            }
            self.state = step(self.state, u64::from_le_bytes(self.tail));
            self.held = 0;
        }
        let mut words = bytes.chunks_exact(8);
        let mut state = self.state;
        for word in &mut words {
            state = step(state, u64::from_le_bytes(word.try_into().expect("8 bytes")));
        }
        self.state = state;
        let rest = words.remainder();
        self.tail[..rest.len()].copy_from_slice(rest);
        self.held = rest.len();
    }

    pub fn finish(mut self) -> u64 {
        self.tail[self.held..].fill(0);
        let state = step(self.state, u64::from_le_bytes(self.tail));
        step(state, self.length)
    }

    pub fn of(bytes: &[u8]) -> u64 {
        let mut hash = Hash::default();
        hash.update(bytes);
        hash.finish()
    }
}

fn step(state: u64, word: u64) -> u64 {
    // An odd multiplier (the golden ratio's bits), so that multiplying loses nothing.
    ((state ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15)).rotate_left(29)
}

/// The last frame one viewer saw, and what it saw so far.
#[derive(Clone, Debug, Default)]
pub struct Track {
    pub last: Option<Part>,
    /// The same frame once more.
    pub repeats: u64,
    /// Sequence numbers this viewer was never sent.
    pub missed: u64,
}

/// What is known of one frame from whoever saw it.
#[derive(Clone, Copy)]
struct Known {
    length: usize,
    taken_micros: Option<u64>,
    /// Only beside a sequence of the server's own: others stamp the moment of sending.
    timestamp_micros: Option<u64>,
    hash: Option<u64>,
}

/// The server's own count, else the camera's.
fn sequence_of(part: &Part) -> Option<u64> {
    part.sequence.or(part.mark.map(|mark| mark.number))
}

/// All frames seen, by sequence, and the faults.
#[derive(Default)]
pub struct Ledger {
    frames: HashMap<u64, Known>,
    pub faults: Vec<String>,
    pub fault_count: u64,
    /// Bodies whose every byte was looked at.
    pub hashed: u64,
}

impl Ledger {
    /// Enters one part; true when it is a new frame, false for a repeat.
    pub fn enter(&mut self, viewer: usize, track: &mut Track, part: &Part) -> bool {
        self.hashed += u64::from(part.hash.is_some());
        if part.edges != [0xff, 0xd8, 0xff, 0xd9] {
            let edges = part.edges;
            self.fault(format!("viewer {viewer}: torn frame, edges {edges:02x?}"));
        }
        if let Some(sequence) = sequence_of(part) {
            let known = Known {
                length: part.length,
                taken_micros: part.mark.map(|mark| mark.taken_micros),
                timestamp_micros: match part.sequence {
                    Some(_) => part.timestamp_micros,
                    None => None,
                },
                hash: part.hash,
            };
            self.compare(viewer, sequence, known);
        }
        let is_new = match (track.last.as_ref().and_then(sequence_of), sequence_of(part)) {
            (Some(last), Some(now)) if now < last => {
                self.fault(format!("viewer {viewer}: sequence {now} after {last}"));
                true
            }
            (Some(last), Some(now)) if now == last => false,
            (Some(last), Some(now)) => {
                track.missed += now - last - 1;
                true
            }
            _ => true,
        };
        track.repeats += u64::from(!is_new);
        track.last = Some(part.clone());
        is_new
    }

    /// Takes in what another thread saw.
    pub fn merge(&mut self, other: Ledger) {
        for (sequence, known) in other.frames {
            self.compare(usize::MAX, sequence, known);
        }
        self.fault_count += other.fault_count;
        self.hashed += other.hashed;
        self.faults.extend(other.faults);
        self.faults.truncate(FAULTS_KEPT);
    }

    /// The hashes of all frames that were hashed.
    pub fn hashes(&self) -> impl Iterator<Item = u64> + '_ {
        self.frames.values().filter_map(|known| known.hash)
    }

    pub fn fault(&mut self, what: String) {
        self.fault_count += 1;
        if self.faults.len() < FAULTS_KEPT {
            self.faults.push(what);
        }
    }

    fn compare(&mut self, viewer: usize, sequence: u64, seen: Known) {
        let known = match self.frames.entry(sequence) {
            Entry::Vacant(vacant) => {
                vacant.insert(seen);
                return;
            }
            Entry::Occupied(occupied) => occupied.into_mut(),
        };
        let is_same = known.length == seen.length
            && known.taken_micros == seen.taken_micros
            && known.timestamp_micros == seen.timestamp_micros
            && (known.hash.is_none() || seen.hash.is_none() || known.hash == seen.hash);
        known.hash = known.hash.or(seen.hash);
        if !is_same {
            self.fault(format!(
                "viewer {viewer}: frame {sequence} is not what another got"
            ));
        }
    }
}
