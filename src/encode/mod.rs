//! Encoding: from pictures to frames.
//!
//! `queue` is the pool of workers that capture hands pictures to, `turns` the order of the cameras in it;
//! `stripes` cuts pictures apart and joins what comes out; `encoder` prepares a picture and gives it to a `backend`: `yuv` for raw pixels of
//! cameras, of which `planes` makes planes, `opencv` for others. Another encoder is one more file and a
//! line in `encoder`.

mod backend;
mod decode;
mod encoder;
mod job;
mod opencv;
mod planes;
mod queue;
mod stripes;
#[cfg(test)]
mod tests;
pub mod text;
mod turns;
mod yuv;

pub use decode::decodes_cleanly;
pub use encoder::Encoder;
pub use job::{EncodeJob, Picture, Pixels, PlaneOrder};
pub use queue::{Encoders, start};
pub use stripes::as_it_is;
