//! One worker's encoder: a picture's pixels in, the bytes of a JPEG out.
//!
//! Keeps every buffer of its steps, so that none is allocated for each picture. OpenCV does the
//! work: conversion, turning, writing on it, `imencode`; but a raw picture that is neither turned
//! nor written on has its planes compressed as they are.

use crate::{
    config::{Flip, Orientation, Rotate},
    encode::{job::Pixels, text, yuv::YuvEncoder},
    error::Error,
};
use opencv::{
    core::{self, Mat, Vector},
    imgcodecs, imgproc,
    prelude::*,
};

/// Everything one worker needs, used again for each picture.
#[derive(Debug)]
pub struct Encoder {
    params: Vector<i32>,
    /// What `params` says.
    quality: i32,
    converted: Mat,
    turned: Mat,
    mirrored: Mat,
    written: Mat,
    jpeg: Vector<u8>,
    /// Made for the first raw picture.
    planes: Option<YuvEncoder>,
}

impl Encoder {
    /// `quality` is 1 to 100.
    pub fn new(quality: i32) -> Encoder {
        Encoder {
            params: parameters(quality),
            quality,
            converted: Mat::default(),
            turned: Mat::default(),
            mirrored: Mat::default(),
            written: Mat::default(),
            jpeg: Vector::new(),
            planes: None,
        }
    }

    /// From now on; 1 to 100.
    pub fn set_quality(&mut self, quality: i32) {
        if self.quality != quality {
            self.quality = quality;
            self.params = parameters(quality);
        }
    }

    /// The JPEG of the pixels in `mat`, turned as asked, with `text` in its lower left corner.
    pub fn encode(
        &mut self,
        mat: &Mat,
        pixels: Pixels,
        turn: Orientation,
        text: Option<&str>,
    ) -> Result<&[u8], Error> {
        if turn.is_none() && text.is_none() {
            return self.encode_plain(mat, pixels);
        }
        self.encode_steps(mat, pixels, turn, text)
            .map_err(cannot_encode)?;
        Ok(self.jpeg.as_slice())
    }

    /// The JPEG of the pixels in `mat`, as they are; its rows follow each other without gaps.
    pub fn encode_plain<M: MatTraitConst + core::ToInputArray>(
        &mut self,
        mat: &M,
        pixels: Pixels,
    ) -> Result<&[u8], Error> {
        if let Pixels::Yuyv | Pixels::Uyvy = pixels {
            let planes = match &mut self.planes {
                Some(planes) => planes,
                none => none.insert(YuvEncoder::new()?),
            };
            let bytes = mat.data_bytes().map_err(cannot_encode)?;
            return planes.encode(bytes, mat.cols() as usize, pixels, self.quality);
        }
        compress(mat, &mut self.jpeg, &self.params).map_err(cannot_encode)?;
        Ok(self.jpeg.as_slice())
    }

    fn encode_steps(
        &mut self,
        mat: &Mat,
        pixels: Pixels,
        turn: Orientation,
        text: Option<&str>,
    ) -> opencv::Result<()> {
        let upright = match pixels.to_bgr() {
            None => mat,
            Some(code) => {
                imgproc::cvt_color_def(mat, &mut self.converted, code)?;
                &self.converted
            }
        };
        let rotated = match turn.rotate {
            Rotate::None => upright,
            angle => {
                let code = match angle {
                    Rotate::Quarter => core::ROTATE_90_CLOCKWISE,
                    Rotate::Half => core::ROTATE_180,
                    _ => core::ROTATE_90_COUNTERCLOCKWISE,
                };
                core::rotate(upright, &mut self.turned, code)?;
                &self.turned
            }
        };
        let finished = match turn.flip {
            Flip::None => rotated,
            flip => {
                let code = match flip {
                    Flip::Horizontal => 1,
                    Flip::Vertical => 0,
                    _ => -1,
                };
                core::flip(rotated, &mut self.mirrored, code)?;
                &self.mirrored
            }
        };
        let finished = match text {
            None => finished,
            Some(text) => {
                finished.copy_to(&mut self.written)?;
                text::label(&mut self.written, text)?;
                &self.written
            }
        };
        compress(finished, &mut self.jpeg, &self.params)
    }
}

fn parameters(quality: i32) -> Vector<i32> {
    Vector::from_slice(&[imgcodecs::IMWRITE_JPEG_QUALITY, quality])
}

fn compress(
    mat: &impl core::ToInputArray,
    jpeg: &mut Vector<u8>,
    params: &Vector<i32>,
) -> opencv::Result<()> {
    if imgcodecs::imencode(".jpg", mat, jpeg, params)? {
        Ok(())
    } else {
        Err(opencv::Error::new(
            core::StsError,
            "OpenCV has no JPEG encoder",
        ))
    }
}

impl Pixels {
    /// OpenCV's code for the conversion its encoder needs, if it needs one.
    fn to_bgr(self) -> Option<i32> {
        match self {
            Pixels::Bgr | Pixels::Gray => None,
            Pixels::Yuyv => Some(imgproc::COLOR_YUV2BGR_YUYV),
            Pixels::Uyvy => Some(imgproc::COLOR_YUV2BGR_UYVY),
        }
    }
}

/// The pixels of a JPEG, upright or not as they stand in it.
pub fn decode(bytes: &Mat) -> Result<Mat, Error> {
    // An EXIF orientation is the camera's word on how it is mounted; leave it to `--rotate`, as
    // pass-through does.
    let flags = imgcodecs::IMREAD_COLOR | imgcodecs::IMREAD_IGNORE_ORIENTATION;
    let mat = imgcodecs::imdecode(bytes, flags).map_err(cannot_encode)?;
    if mat.empty() {
        return Err(cannot_encode(opencv::Error::new(
            core::StsError,
            "it is no whole JPEG",
        )));
    }
    Ok(mat)
}

/// OpenCV's refusal, in our words.
pub fn cannot_encode(error: opencv::Error) -> Error {
    Error::Picture {
        operation: "encode a picture",
        reason: error.message,
    }
}
