//! When each frame was taken, as a viewer of the stream learns it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use super::frames::Taken;
use crate::probe::Probe;
use crate::server::Server;

/// A viewer that notes when each frame was taken, by a thread, from `begin` to `end`.
pub struct Reader {
    is_over: Arc<AtomicBool>,
    reader: JoinHandle<Result<Vec<Taken>, String>>,
}

impl Reader {
    pub fn begin(server: &Server) -> Reader {
        let is_over = Arc::new(AtomicBool::new(false));
        let (address, over) = (server.address, is_over.clone());
        let reader = thread::spawn(move || {
            let mut taken = Vec::new();
            Probe::open(address, "/stream")?.watch(|part, _| {
                taken.extend(part.mark.map(|mark| Taken {
                    number: mark.number,
                    micros: mark.taken_micros,
                }));
                !over.load(Ordering::Relaxed)
            })?;
            Ok(taken)
        });
        Reader { is_over, reader }
    }

    pub fn end(self) -> Result<Vec<Taken>, String> {
        self.is_over.store(true, Ordering::Relaxed);
        let taken = self.reader.join();
        taken.map_err(|_| "the reader of the stream panicked")?
    }
}
