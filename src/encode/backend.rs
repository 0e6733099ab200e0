//! What makes a JPEG of pixels: the trait of every encoder, in software or in hardware.
//!
//! `encoder` asks one for each picture or stripe, never for each pixel.

use crate::{config::Flip, encode::job::Pixels, error::Error};
use opencv::core::Mat;
use std::{fmt, ops::Range};

/// What an encoder compresses.
#[derive(Debug)]
pub struct PictureRows<'a> {
    /// A picture without gaps between its rows.
    pub mat: &'a Mat,
    /// What it holds.
    pub pixels: Pixels,
    /// How it is mirrored.
    pub mirror: Flip,
    /// The rows to compress, counted after that.
    pub rows: Range<i32>,
}

/// Compresses pixels. Each worker has its own, which keeps its buffers for the next picture.
pub trait JpegEncoder: fmt::Debug {
    /// True for pixels that it compresses as they are, mirrored so.
    fn takes(&self, pixels: Pixels, mirror: Flip) -> bool;

    /// The JPEG of these rows, at a quality of 1 to 100.
    fn encode(&mut self, picture: PictureRows<'_>, quality: i32) -> Result<&[u8], Error>;
}

/// Why a picture has no JPEG.
pub fn cannot_encode(reason: impl Into<String>) -> Error {
    Error::Picture {
        operation: "encode a picture",
        reason: reason.into(),
    }
}

/// OpenCV's refusal, in our words.
pub fn refused(error: opencv::Error) -> Error {
    cannot_encode(error.message)
}
