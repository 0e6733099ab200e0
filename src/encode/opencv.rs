//! OpenCV's encoder, `imencode`: for pixels that are blue, green and red, or grey.

use crate::{
    encode::{
        backend::{JpegEncoder, cannot_encode, refused},
        job::Pixels,
    },
    error::Error,
};
use opencv::{
    core::{Mat, Rect, Vector},
    imgcodecs,
    prelude::*,
};
use std::ops::Range;

/// See the module.
#[derive(Debug, Default)]
pub struct OpenCvEncoder {
    /// What `params` says.
    quality: i32,
    params: Vector<i32>,
    jpeg: Vector<u8>,
}

impl JpegEncoder for OpenCvEncoder {
    fn takes(&self, pixels: Pixels) -> bool {
        matches!(pixels, Pixels::Bgr | Pixels::Gray)
    }

    fn encode(
        &mut self,
        mat: &Mat,
        rows: Range<i32>,
        _: Pixels,
        quality: i32,
    ) -> Result<&[u8], Error> {
        if self.quality != quality {
            self.quality = quality;
            self.params = Vector::from_slice(&[imgcodecs::IMWRITE_JPEG_QUALITY, quality]);
        }
        let area = Rect::new(0, rows.start, mat.cols(), rows.len() as i32);
        let rows = Mat::roi(mat, area).map_err(refused)?;
        match imgcodecs::imencode(".jpg", &rows, &mut self.jpeg, &self.params) {
            Ok(true) => Ok(self.jpeg.as_slice()),
            Ok(false) => Err(cannot_encode("OpenCV has no JPEG encoder")),
            Err(error) => Err(refused(error)),
        }
    }
}
