//! One worker's encoder: turns a picture, writes on it, and has a backend compress it.
//!
//! Keeps every buffer of its steps, so that none is allocated for each picture. A picture that is
//! neither turned nor written on is compressed as it is, and so are planes that are only mirrored.

use crate::{
    config::{Flip, Orientation},
    encode::{
        backend::{JpegEncoder, PictureRows, cannot_encode, refused},
        job::Pixels,
        opencv::OpenCvEncoder,
        planes::{self, Change},
        text,
        yuv::YuvEncoder,
    },
    error::Error,
};
use opencv::{core::Mat, imgproc};
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
    transposed: Mat,
    /// Mirrored, or copied to be written on.
    changed: Mat,
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
        self.encode_mirrored(mat, rows, pixels, Flip::None, quality)
    }

    /// The JPEG of some `rows` of the picture that the pixels in `mat` are once they are mirrored.
    pub fn encode_mirrored(
        &mut self,
        mat: &Mat,
        rows: Range<i32>,
        pixels: Pixels,
        mirror: Flip,
        quality: i32,
    ) -> Result<&[u8], Error> {
        let picture = PictureRows {
            mat,
            pixels,
            mirror,
            rows,
        };
        compress(&mut self.backends, picture, quality)
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
        let picture = self.steps.apply(mat, pixels, turn, text).map_err(refused)?;
        compress(&mut self.backends, picture, quality)
    }
}

/// Asks the first of `backends` that takes such pixels.
fn compress<'a>(
    backends: &'a mut [Box<dyn JpegEncoder>],
    picture: PictureRows<'_>,
    quality: i32,
) -> Result<&'a [u8], Error> {
    let (pixels, mirror) = (picture.pixels, picture.mirror);
    let mut backends = backends.iter_mut();
    match backends.find(|backend| backend.takes(pixels, mirror)) {
        Some(backend) => backend.encode(picture, quality),
        None => Err(cannot_encode(format!("nothing takes {pixels:?} pixels"))),
    }
}

impl Steps {
    /// Converts what is neither BGR, grey nor planes; transposes, mirrors and writes, in this order.
    fn apply<'a>(
        &'a mut self,
        mat: &'a Mat,
        pixels: Pixels,
        turn: Orientation,
        text: Option<&str>,
    ) -> opencv::Result<PictureRows<'a>> {
        let mut finished = mat;
        let (pixels, conversion) = match pixels {
            Pixels::Bgr | Pixels::Gray | Pixels::Planar(..) => (pixels, None),
            Pixels::Yuyv => (Pixels::Bgr, Some(imgproc::COLOR_YUV2BGR_YUYV)),
            Pixels::Uyvy => (Pixels::Bgr, Some(imgproc::COLOR_YUV2BGR_UYVY)),
        };
        if let Some(code) = conversion {
            imgproc::cvt_color_def(finished, &mut self.converted, code)?;
            finished = &self.converted;
        }
        if turn.transposes() {
            planes::change(finished, pixels, Change::Transpose, &mut self.transposed)?;
            finished = &self.transposed;
        }
        let mut mirror = turn.mirror();
        // The mirror of planes is left to their encoder, unless text is written on what it shows.
        if text.is_some() || (mirror != Flip::None && !pixels.is_planar()) {
            planes::change(finished, pixels, Change::Mirror(mirror), &mut self.changed)?;
            mirror = Flip::None;
            if let Some(text) = text {
                match pixels {
                    Pixels::Planar(order, range) => {
                        planes::label(&mut self.changed, order, range, text)?;
                    }
                    _ => text::label(&mut self.changed, text, [0.0, 255.0])?,
                }
            }
            finished = &self.changed;
        }
        Ok(PictureRows {
            mat: finished,
            pixels,
            mirror,
            rows: 0..pixels.rows(finished),
        })
    }
}
