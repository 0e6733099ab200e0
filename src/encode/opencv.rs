//! OpenCV's encoder, `imencode`: for pixels that are blue, green and red, or grey.

use crate::{
    config::Flip,
    encode::{
        backend::{JpegEncoder, PictureRows, cannot_encode, refused},
        job::Pixels,
    },
    error::Error,
};
use opencv::{
    core::{Mat, Rect, Vector},
    imgcodecs,
    prelude::*,
};

/// See the module.
#[derive(Debug, Default)]
pub struct OpenCvEncoder {
    /// What `params` says.
    quality: i32,
    params: Vector<i32>,
    jpeg: Vector<u8>,
}

impl JpegEncoder for OpenCvEncoder {
    fn takes(&self, pixels: Pixels, mirror: Flip) -> bool {
        matches!(pixels, Pixels::Bgr | Pixels::Gray) && mirror == Flip::None
    }

    fn encode(&mut self, picture: PictureRows<'_>, quality: i32) -> Result<&[u8], Error> {
        let PictureRows { mat, rows, .. } = picture;
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
