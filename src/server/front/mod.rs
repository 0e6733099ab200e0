//! The front: where the network ends.
//!
//! One thread accepts all connections and keeps those that are not in a request: new ones until
//! their request is whole, kept ones until the next, and those that have not yet taken their
//! answer. Each costs a descriptor and a little memory, and no thread. A whole request goes on to
//! be read and answered, and its connection may come back. Nobody can make the front wait: it
//! never blocks but for news.
//!
//! What it answers of the facts of tiny_http 0.12, together with `reader`:
//!
//! - *An accept error ends accepting for good*: accepting is done here, and an error is an outage
//!   that passes. When descriptors are short, a connection that asks for nothing is closed.
//! - *A burst of connections can stall, and every silent one holds a thread*: there are no threads
//!   before there is a request.
//! - *No deadline and no limit for a head*: both are set in `waiting` and in `head`.
//! - *A body is read to its end, whatever its length*: a request is handed on with its body, whole
//!   and short, or not at all.
//! - *A dropped writer closes no socket*: the socket is ours.
//!
//! `desk` is the thread, `table` the connections it holds, `waiting` one of them; this file is what
//! the rest of the server knows of them.

mod desk;
mod table;
mod waiting;

use super::{connection::Connection, listen::Listening, places::Places};
use crossbeam_channel::{Receiver, Sender};
pub use desk::run;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64},
    },
    time::Duration,
};
use waiting::Phase;
pub use waiting::Waiting;

/// What the rest of the server knows of the front.
#[derive(Debug)]
pub struct Front {
    /// The connections' count.
    pub places: Arc<Places>,
    back: Sender<Waiting>,
    /// A client that takes no byte for so long has stalled.
    pub patience: Duration,
}

/// A connection and a whole request of it.
#[derive(Debug)]
pub struct Gathered {
    /// Where it came from and is answered.
    pub connection: Connection,
    /// The request.
    pub message: Vec<u8>,
    /// What came behind it.
    pub rest: Vec<u8>,
}

/// What the front's thread works with; given anew to its successor.
#[derive(Debug, Clone)]
pub struct Duty {
    /// Where connections come from.
    pub listening: Arc<Listening>,
    /// The connections' count.
    pub places: Arc<Places>,
    /// Where whole requests go.
    pub gathered: Sender<Gathered>,
    /// Where connections come back.
    pub back: Receiver<Waiting>,
    /// See [`Front::patience`].
    pub patience: Duration,
    /// Raised when a successor takes over.
    pub generation: Arc<AtomicU64>,
    /// The program ends: what was accepted is still answered, nothing more is accepted.
    pub is_ending: Arc<AtomicBool>,
}

impl Front {
    /// The handle of a front that connections come back to through `back`.
    pub fn new(places: Arc<Places>, back: Sender<Waiting>, patience: Duration) -> Front {
        Front {
            places,
            back,
            patience,
        }
    }

    /// Sends `answer` without waiting for a client that is slow to take it. Afterwards the
    /// connection waits for another request, if `keeps`; `rest` has come of that already.
    pub fn send(&self, connection: Connection, answer: Vec<u8>, keeps: bool, rest: Vec<u8>) {
        let taken = match connection.write_some(&answer) {
            Ok(taken) => taken.unwrap_or(0),
            // A client that left meanwhile is none of our business.
            Err(_) => return,
        };
        let phase = match (taken == answer.len(), keeps) {
            (true, true) => Phase::Idle,
            (true, false) => return,
            (false, _) => Phase::Taking {
                answer,
                taken,
                keeps,
                promised: connection.promised(),
            },
        };
        let waiting = Waiting::new(connection, phase, rest, self.patience);
        // There is a receiver as long as the program lives.
        let _ = self.back.send(waiting);
        self.places.ring();
    }
}
