//! One worker's encoder: turns a picture, writes on it, and has a backend compress it.
//!
//! Keeps every buffer of its steps, so that none is allocated for each picture. A picture that is
//! neither turned nor written on is compressed as it is.

use crate::{
    config::{Flip, Orientation, Rotate},
    encode::{
        backend::{JpegEncoder, cannot_encode, refused},
        job::{Pixels, PlaneOrder},
        opencv::OpenCvEncoder,
        text,
        yuv::YuvEncoder,
    },
    error::Error,
};
use opencv::{
    core::{self, Mat},
    imgproc,
    prelude::*,
};
use std::ops::Range;

/// Everything one worker needs, used again for each picture.
#[derive(Debug)]
pub struct Encoder {
    steps: Steps,
    /// The preferred one first.
    backends: [Box<dyn JpegEncoder>; 2],
}

/// What is done to a picture before it is compressed, with a buffer for each step.
#[derive(Debug, Default)]
struct Steps {
    converted: Mat,
    turned: Mat,
    mirrored: Mat,
    written: Mat,
}

impl Default for Encoder {
    fn default() -> Encoder {
        Encoder {
            steps: Steps::default(),
            backends: backends(),
        }
    }
}

fn backends() -> [Box<dyn JpegEncoder>; 2] {
    let (yuv, opencv) = (YuvEncoder::default(), OpenCvEncoder::default());
    [Box::new(yuv), Box::new(opencv)]
}

impl Encoder {
    /// The JPEG of some `rows` of the pixels in `mat`, as they are; `quality` is 1 to 100.
    pub fn encode(
        &mut self,
        mat: &Mat,
        rows: Range<i32>,
        pixels: Pixels,
        quality: i32,
    ) -> Result<&[u8], Error> {
        compress(&mut self.backends, mat, rows, pixels, quality)
    }

    /// The JPEG of all pixels in `mat`, turned as asked, with `text` in its lower left corner.
    pub fn encode_changed(
        &mut self,
        mat: &Mat,
        pixels: Pixels,
        quality: i32,
        turn: Orientation,
        text: Option<&str>,
    ) -> Result<&[u8], Error> {
        let mat = self.steps.apply(mat, pixels, turn, text).map_err(refused)?;
        let pixels = pixels.converted();
        compress(&mut self.backends, mat, 0..mat.rows(), pixels, quality)
    }
}

/// Asks the first of `backends` that takes such pixels.
fn compress<'a>(
    backends: &'a mut [Box<dyn JpegEncoder>],
    mat: &Mat,
    rows: Range<i32>,
    pixels: Pixels,
    quality: i32,
) -> Result<&'a [u8], Error> {
    let mut backends = backends.iter_mut();
    match backends.find(|backend| backend.takes(pixels)) {
        Some(backend) => backend.encode(mat, rows, pixels, quality),
        None => Err(cannot_encode(format!("nothing takes {pixels:?} pixels"))),
    }
}

impl Steps {
    /// Converts, turns, mirrors and writes, in this order.
    fn apply<'a>(
        &'a mut self,
        mat: &'a Mat,
        pixels: Pixels,
        turn: Orientation,
        text: Option<&str>,
    ) -> opencv::Result<&'a Mat> {
        let mut finished = mat;
        let conversion = match pixels {
            Pixels::Bgr | Pixels::Gray => None,
            Pixels::Yuyv => Some(imgproc::COLOR_YUV2BGR_YUYV),
            Pixels::Uyvy => Some(imgproc::COLOR_YUV2BGR_UYVY),
            Pixels::Planar(order, _) => Some(match order {
                PlaneOrder::Nv12 => imgproc::COLOR_YUV2BGR_NV12,
                PlaneOrder::Nv21 => imgproc::COLOR_YUV2BGR_NV21,
                PlaneOrder::I420 => imgproc::COLOR_YUV2BGR_I420,
                PlaneOrder::Yv12 => imgproc::COLOR_YUV2BGR_YV12,
            }),
        };
        if let Some(code) = conversion {
            imgproc::cvt_color_def(finished, &mut self.converted, code)?;
            finished = &self.converted;
        }
        let rotation = match turn.rotate {
            Rotate::None => None,
            Rotate::Quarter => Some(core::ROTATE_90_CLOCKWISE),
            Rotate::Half => Some(core::ROTATE_180),
            Rotate::ThreeQuarters => Some(core::ROTATE_90_COUNTERCLOCKWISE),
        };
        if let Some(code) = rotation {
            core::rotate(finished, &mut self.turned, code)?;
            finished = &self.turned;
        }
        let mirror = match turn.flip {
            Flip::None => None,
            Flip::Horizontal => Some(1),
            Flip::Vertical => Some(0),
            Flip::Both => Some(-1),
        };
        if let Some(code) = mirror {
            core::flip(finished, &mut self.mirrored, code)?;
            finished = &self.mirrored;
        }
        if let Some(text) = text {
            finished.copy_to(&mut self.written)?;
            text::label(&mut self.written, text)?;
            finished = &self.written;
        }
        Ok(finished)
    }
}
