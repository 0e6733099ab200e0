//! What the browser holds during a window: the memory of its processes, and the page's JavaScript heap.

use std::time::{Duration, Instant};

use super::chromium::Chromium;
use crate::client::{Figures, sorted};
use crate::meter::named;
use crate::proc;

/// The heap is looked at so often and the least taken: a picture may be on its way.
const HEAP_LOOKS: usize = 3;
/// From this window on the heap's growth is that of its second half: by then all code has been compiled.
pub const LONG: Duration = Duration::from_secs(240);

/// Of a window that has begun.
pub struct Memory {
    renderer: u32,
    family: Vec<u32>,
    begun: Instant,
    /// Of the renderer, in bytes.
    looks: Vec<f64>,
    /// Of all processes, halfway.
    all: f64,
    /// And the moment.
    heap: (f64, Instant),
}

impl Memory {
    pub fn begin(chromium: &mut Chromium, renderer: u32, family: &[u32]) -> Result<Memory, String> {
        let heap = least_heap(chromium)?;
        let begun = Instant::now();
        Ok(Memory {
            renderer,
            family: family.to_vec(),
            begun,
            looks: Vec::new(),
            all: 0.0,
            heap: (heap, begun),
        })
    }

    pub fn look(&mut self) {
        let memory = proc::shared_out_memory(self.renderer);
        self.looks.push(memory as f64);
    }

    /// To be called in the middle of a window of `length`.
    pub fn look_at_all(&mut self, chromium: &mut Chromium, length: Duration) -> Result<(), String> {
        let each = self.family.iter().copied().map(proc::shared_out_memory);
        self.all = each.sum::<u64>() as f64;
        if length >= LONG {
            self.heap = (least_heap(chromium)?, Instant::now());
        }
        Ok(())
    }

    /// The window is over.
    pub fn end(self, chromium: &mut Chromium) -> Result<Figures, String> {
        let minutes = self.begun.elapsed().as_secs_f64() / 60.0;
        let (heap_before, then) = self.heap;
        let heap_minutes = then.elapsed().as_secs_f64() / 60.0;
        let heap = least_heap(chromium)?;
        let growth = growth(&self.looks) / minutes;
        Ok(named([
            ("pss_mb", middle(&self.looks) / 1e6),
            ("pss_growth_kb_per_min", growth / 1e3),
            ("all_pss_mb", self.all / 1e6),
            ("heap_mb", heap / 1e6),
            (
                "heap_growth_kb_per_min",
                (heap - heap_before) / 1e3 / heap_minutes,
            ),
        ]))
    }
}

fn least_heap(chromium: &mut Chromium) -> Result<f64, String> {
    let mut least = f64::MAX;
    for _ in 0..HEAP_LOOKS {
        least = least.min(chromium.heap()?);
    }
    Ok(least)
}

fn middle(looks: &[f64]) -> f64 {
    let looks = sorted(looks.iter().copied());
    looks.get(looks.len() / 2).copied().unwrap_or(0.0)
}

/// Over the whole window, by its first and its last quarter, which are three quarters of it apart.
fn growth(looks: &[f64]) -> f64 {
    let quarter = looks.len() / 4;
    let last = &looks[looks.len() - quarter..];
    (middle(last) - middle(&looks[..quarter])) * 4.0 / 3.0
}
