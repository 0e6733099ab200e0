//! Starting threads, each with a name.

use crate::error::Error;
use std::thread;

/// Starts a thread of that name, which runs `body`.
pub fn start(name: &str, body: impl FnOnce() + Send + 'static) -> Result<(), Error> {
    let thread = thread::Builder::new().name(name.to_owned());
    thread
        .spawn(body)
        .map(drop)
        .map_err(|source| Error::Thread {
            name: name.to_owned(),
            source,
        })
}
