//! The signals: which end the program, and which makes it read its options again.
//!
//! SIGHUP has two meanings. A service is told by it to reload; a program in a terminal, that its
//! terminal is gone. The second is known by the terminal: it was there at the start and cannot be
//! opened any more.

use crate::error::Error;
use log::debug;
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
    low_level,
};
use std::{
    fs::{self, File},
    thread,
};

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// Read the options again.
    Reload,
    /// End, because of this signal.
    End(i32),
}

/// See the module.
#[derive(Debug)]
pub struct Wishes {
    signals: Signals,
    had_terminal: bool,
}

impl Wishes {
    /// From now on signals come here.
    pub fn hook() -> Result<Wishes, Error> {
        let mut wanted = vec![SIGINT, SIGTERM];
        // Who starts a program with nohup wants it left alone.
        if !is_ignored(SIGHUP) {
            wanted.push(SIGHUP);
        }
        Ok(Wishes {
            signals: Signals::new(wanted).map_err(Error::Signals)?,
            had_terminal: has_terminal(),
        })
    }

    /// Waits for the next one.
    pub fn next(&mut self) -> Wish {
        match self.signals.forever().next() {
            Some(SIGHUP) if !self.had_terminal || has_terminal() => Wish::Reload,
            Some(signal) => Wish::End(signal),
            // Only when somebody closes the iterator, and nobody does.
            None => Wish::End(SIGTERM),
        }
    }

    /// From now on a signal to end ends the program at once, whatever hangs.
    pub fn end_at_next(mut self) {
        let waiting = thread::Builder::new().name("signals".to_owned());
        let spawned = waiting.spawn(move || {
            while let Wish::Reload = self.next() {}
            low_level::exit(1);
        });
        if let Err(error) = spawned {
            debug!("a second signal does not end the program at once: {error}");
        }
    }
}

fn has_terminal() -> bool {
    File::open("/dev/tty").is_ok()
}

/// True when the program was started with `signal` ignored.
fn is_ignored(signal: i32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}
