//! What ends a capture thread's wait inside a library, from outside.
//!
//! A source that may wait for ever says how that wait is ended; the supervisor does it when it
//! abandons the thread. Where a source says nothing, the thread is left alone until it comes back.

use crate::system::threads;
use log::debug;
use parking_lot::Mutex;
use std::{fmt, mem};

type Action = Box<dyn FnOnce() + Send>;

/// Ends the wait of one capture thread, once.
#[derive(Default)]
pub struct Interrupt(Mutex<State>);

#[derive(Default)]
enum State {
    /// Nothing that waits is known.
    #[default]
    Idle,
    /// This ends the wait.
    Armed(Action),
    /// Every wait is over.
    Fired,
}

impl Interrupt {
    /// From now on `action` ends the wait; at once where that was asked for already. It runs in a
    /// thread of its own and may block.
    pub fn arm(&self, action: impl FnOnce() + Send + 'static) {
        let mut state = self.0.lock();
        match *state {
            State::Fired => run(Box::new(action)),
            _ => *state = State::Armed(Box::new(action)),
        }
    }

    /// Ends the wait, now or as soon as there is one. Does not block.
    pub fn fire(&self) {
        if let State::Armed(action) = mem::replace(&mut *self.0.lock(), State::Fired) {
            run(action);
        }
    }
}

fn run(action: Action) {
    if let Err(error) = threads::start("interrupt", action) {
        debug!("{error}");
    }
}

impl fmt::Debug for Interrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match *self.0.lock() {
            State::Idle => "Idle",
            State::Armed(_) => "Armed",
            State::Fired => "Fired",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{sync::mpsc, time::Duration};

    const SOON: Duration = Duration::from_secs(10);

    #[test]
    fn it_fires_once_and_late_waits_are_ended_at_once() {
        let (sender, fired) = mpsc::channel();
        let send = |word: &'static str| {
            let sender = sender.clone();
            move || sender.send(word).expect("heard")
        };
        let interrupt = Interrupt::default();
        interrupt.arm(send("replaced"));
        interrupt.arm(send("armed"));
        interrupt.fire();
        assert_eq!(fired.recv_timeout(SOON), Ok("armed"));
        interrupt.fire();
        interrupt.arm(send("late"));
        assert_eq!(fired.recv_timeout(SOON), Ok("late"));
        assert!(fired.try_recv().is_err());
    }
}
