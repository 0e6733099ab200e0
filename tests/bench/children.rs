//! The processes that the bench started and has not waited for yet, so that a bench that is told to
//! stop leaves none behind: not every server ends with its terminal.

use std::sync::Mutex;
use std::thread;

use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::camera;

/// Ids of running children; guards that none is waited for, and its id given away, while it is here.
static CHILDREN: Mutex<Vec<u32>> = Mutex::new(Vec::new());

pub fn add(id: u32) {
    CHILDREN.lock().expect("no panic under the lock").push(id);
}

/// To be called before the child is waited for.
pub fn forget(id: u32) {
    let mut children = CHILDREN.lock().expect("no panic under the lock");
    children.retain(|&child| child != id);
}

/// From now on SIGINT, SIGTERM and SIGHUP end the children and then the bench.
pub fn end_with_us() -> Result<(), String> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])
        .map_err(|error| format!("cannot listen to signals: {error}"))?;
    thread::spawn(move || {
        if let Some(signal) = signals.forever().next() {
            let children = CHILDREN.lock().expect("no panic under the lock");
            for id in children.iter().filter_map(|&id| Pid::from_raw(id as i32)) {
                // One that has ended meanwhile is a zombie, and nobody else.
                let _ = kill_process(id, Signal::KILL);
            }
            camera::tidy();
            std::process::exit(128 + signal);
        }
    });
    Ok(())
}
