//! The signals: which end the program, and which makes it read its options again.
//!
//! SIGHUP has two meanings. A service is told by it to reload; a program in a terminal, that its
//! terminal is gone. The second is known by the terminal: it was there at the start and cannot be
//! opened any more.

use crate::{error::Error, system::threads};
use crossbeam_channel::{Receiver, unbounded};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator, low_level,
};
use std::fs::{self, File};

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignalEvent {
    /// Read the options again.
    Reload,
    /// End, because of this signal.
    End(i32),
}

/// Starts the thread that receives signals from now on. The first one that ends the program is an event;
/// a second one ends it at once, whatever hangs.
pub fn start() -> Result<Receiver<SignalEvent>, Error> {
    let mut wanted = vec![SIGINT, SIGTERM];
    // Who starts a program with nohup wants it left alone.
    if !is_ignored(SIGHUP) {
        wanted.push(SIGHUP);
    }
    let mut signals = iterator::Signals::new(wanted).map_err(Error::Signals)?;
    let had_terminal = has_terminal();
    let (sender, events) = unbounded();
    threads::start("signals", move || {
        let mut is_ending = false;
        for signal in signals.forever() {
            let is_reload = signal == SIGHUP && (!had_terminal || has_terminal());
            let event = if is_reload {
                SignalEvent::Reload
            } else if is_ending {
                low_level::exit(1);
            } else {
                is_ending = true;
                SignalEvent::End(signal)
            };
            let _ = sender.send(event);
        }
    })?;
    Ok(events)
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
