//! Encoded pictures of a raw camera at one viewer: their age by the blocks that the fake camera
//! paints along the top of each, read from the JPEG itself, and what they cost.
//!
//! Bodies are kept while the window lasts and read only afterwards, so that reading takes no time
//! from the server.

use opencv::core::Mat;
use opencv::imgcodecs::{self, IMREAD_REDUCED_GRAYSCALE_8};
use opencv::prelude::*;

use crate::cases::Case;
use crate::client::Figures;
use crate::measures::{add_ages, per_frame};
use crate::meter::{Meter, named};
use crate::probe::Probe;
use crate::server::{Recipe, Server};

/// Blocks in a row, one bit each; see `compose_yuyv` in `tests/fakecam/pictures.h`.
const BITS: i32 = 40;
/// Pixels of a block's side, at an eighth of the size; for pictures at least 640 wide.
const SIDE: i32 = 2;
/// Times are painted modulo this.
const TIME_MASK: u64 = (1 << BITS) - 1;

/// A JPEG and when its last byte came, on CLOCK_MONOTONIC, in microseconds.
pub struct Seen {
    pub jpeg: Vec<u8>,
    pub at_micros: u64,
}

pub fn measure(case: &Case, recipe: &Recipe, server: &Server) -> Result<Figures, String> {
    let (seen, mut figures) = watch(case.seconds, recipe, server)?;
    let ages = seen.iter().filter_map(|seen| {
        let (_, taken) = stamp(&seen.jpeg)?;
        Some((seen.at_micros.wrapping_sub(taken) & TIME_MASK) as f64 / 1e3)
    });
    add_ages(&mut figures, ages.collect());
    Ok(figures)
}

/// Watches for so long from the first picture on.
pub fn watch(
    seconds: f64,
    recipe: &Recipe,
    server: &Server,
) -> Result<(Vec<Seen>, Figures), String> {
    let mut seen: Vec<Seen> = Vec::new();
    let mut window: Option<(Meter, u64)> = None;
    let mut last = 0;
    Probe::open(server.address, &recipe.path)?.watch(|part, now| {
        let Some((_, begun)) = &window else {
            window = Some((Meter::begin(server.id(), None), now));
            return true;
        };
        last = now - begun;
        seen.push(Seen {
            jpeg: part.body.clone(),
            at_micros: now,
        });
        (last as f64) < seconds * 1e6
    })?;
    let (meter, _) = window.ok_or("no picture")?;
    let mut figures = meter.end();
    let bytes: usize = seen.iter().map(|seen| seen.jpeg.len()).sum();
    let count = seen.len() as f64;
    figures.extend(named([
        ("frames", count),
        ("fps_min", count / (last as f64 / 1e6)),
        ("kb_per_frame", bytes as f64 / count / 1e3),
    ]));
    per_frame(&mut figures);
    Ok((seen, figures))
}

/// The camera's count and its time, as painted; None for a picture without.
pub fn stamp(jpeg: &[u8]) -> Option<(u32, u64)> {
    // An eighth of the size comes out of the decoder almost for nothing.
    let bytes = Mat::from_slice(jpeg).ok()?;
    let small = imgcodecs::imdecode(&bytes, IMREAD_REDUCED_GRAYSCALE_8).ok()?;
    if small.cols() < BITS * SIDE || small.rows() < 3 * SIDE {
        return None;
    }
    let mut rows = [0u64; 3];
    for (place, row) in (0..).zip(&mut rows) {
        for bit in 0..BITS {
            let mut sum = 0;
            for (y, x) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                let pixel = small.at_2d::<u8>(place * SIDE + y, bit * SIDE + x);
                sum += u32::from(*pixel.ok()?);
            }
            *row = *row << 1 | u64::from(sum > 4 * 128);
        }
    }
    let is_whole = rows[0] >> 32 == 0xa5 && rows[0] ^ rows[1] == rows[2];
    is_whole.then_some((rows[0] as u32, rows[1]))
}
