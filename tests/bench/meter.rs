//! What a server used while it was measured, and whether others left it enough of the machine.

use std::time::Instant;

use crate::client::{Figures, millis};
use crate::proc::{self, Cpu, Machine};

/// A window that has begun.
pub struct Meter {
    begun: Instant,
    machine: Machine,
    server: u32,
    /// The server, the bench and its helpers.
    before: Vec<(u32, Cpu)>,
    halfway: Option<Figures>,
}

impl Meter {
    /// `helpers` are what else is the bench's: the load client, for one.
    pub fn begin(server: u32, helpers: impl IntoIterator<Item = u32>) -> Meter {
        let ids = [server, std::process::id()].into_iter().chain(helpers);
        Meter {
            begun: Instant::now(),
            machine: Machine::now(),
            server,
            before: ids.map(|id| (id, Cpu::of(id))).collect(),
            halfway: None,
        }
    }

    /// Looks at what the server holds; to be called while viewers are there.
    pub fn look(&mut self) {
        let held = [
            ("memory_mb", proc::memory(self.server) as f64 / 1e6),
            ("threads", proc::threads(self.server) as f64),
            ("files", proc::files(self.server) as f64),
        ];
        self.halfway = Some(named(held));
    }

    /// The figures of the window, which is over. `frames` were delivered in it, if that was counted.
    pub fn end(mut self) -> Figures {
        let (machine, window) = (Machine::now(), self.begun.elapsed());
        let used: Vec<f64> = self
            .before
            .iter()
            .map(|(id, before)| millis(Cpu::of(*id).since(before)))
            .collect();
        if self.halfway.is_none() {
            self.look();
        }
        let core = millis(window);
        let whole = core * proc::cores() as f64;
        let (busy, stolen) = machine.since(&self.machine);
        // What is busy and is none of ours, and what the host took.
        let others = (millis(busy) - used.iter().sum::<f64>()).max(0.0) + millis(stolen);
        let mut figures = self.halfway.unwrap_or_default();
        figures.extend(named([
            ("cpu_ms", used[0]),
            ("cpu_percent", used[0] / core * 100.0),
            ("machine_percent", millis(busy + stolen) / whole * 100.0),
            ("others_percent", others / whole * 100.0),
        ]));
        figures
    }
}

pub fn named<const COUNT: usize>(figures: [(&str, f64); COUNT]) -> Figures {
    figures
        .into_iter()
        .map(|(name, value)| (name.to_string(), value))
        .collect()
}
