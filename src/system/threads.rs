//! Starting threads, each with a name.

use crate::{error::Error, system::logging};
use std::thread;

/// Starts a thread of that name, which runs `body`; its lines in the log have the label of this one's.
pub fn start(name: &str, body: impl FnOnce() + Send + 'static) -> Result<(), Error> {
    let label = logging::label();
    let thread = thread::Builder::new().name(name.to_owned());
    thread
        .spawn(move || {
            logging::set_label(label);
            body();
        })
        .map(drop)
        .map_err(|source| Error::Thread {
            name: name.to_owned(),
            source,
        })
}
