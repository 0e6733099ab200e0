//! What makes a JPEG of pixels: the trait of every encoder, in software or in hardware.
//!
//! `encoder` asks one for each picture or stripe, never for each pixel.

use crate::{encode::job::Pixels, error::Error};
use opencv::core::Mat;
use std::{fmt, ops::Range};

/// Compresses pixels. Each worker has its own, which keeps its buffers for the next picture.
pub trait JpegEncoder: fmt::Debug {
    /// True for pixels that it compresses as they are.
    fn takes(&self, pixels: Pixels) -> bool;

    /// The JPEG of some `rows` of the picture that `mat` holds without gaps, at a quality of 1 to 100.
    fn encode(
        &mut self,
        mat: &Mat,
        rows: Range<i32>,
        pixels: Pixels,
        quality: i32,
    ) -> Result<&[u8], Error>;
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
