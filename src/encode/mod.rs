//! Encoding: from pictures to frames.
//!
//! `queue` is the pool of workers that capture hands pictures to; `stripes` cuts them apart and joins
//! what comes out; `encoder` prepares and compresses. `text` writes in pictures.

mod decode;
mod encoder;
mod job;
mod queue;
mod stripes;
#[cfg(test)]
mod tests;
pub mod text;
mod yuv;

pub use decode::decodes_cleanly;
pub use encoder::Encoder;
pub use job::{EncodeJob, Picture, Pixels};
pub use queue::{Encoders, start};
