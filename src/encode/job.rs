//! What the encoders are given: pictures, and the jobs made of them.

use crate::{feed::frame::CaptureTime, jpeg};
use opencv::{core::Mat, prelude::*};

/// What a source yields.
#[derive(Debug)]
pub enum Picture {
    /// Raw pixels, rows × columns.
    Raw(Mat, Pixels),
    /// A JPEG straight from the device: 1 × bytes.
    Jpeg(Mat),
}

impl Picture {
    /// Its pixels, or the bytes of its JPEG.
    pub fn mat(&self) -> &Mat {
        let (Picture::Raw(mat, _) | Picture::Jpeg(mat)) = self;
        mat
    }

    /// Cuts off what comes before the SOI of a JPEG, up to a bound; true when there was something.
    pub fn cut_to_soi(&mut self) -> bool {
        let Picture::Jpeg(mat) = self else {
            return false;
        };
        let bytes = mat.data_bytes().unwrap_or_default();
        let begin = jpeg::find_soi(bytes).filter(|&begin| begin > 0);
        let cut = begin.and_then(|begin| Mat::from_slice(&bytes[begin..]).ok()?.try_clone().ok());
        let is_cut = cut.is_some();
        if let Some(cut) = cut {
            *mat = cut;
        }
        is_cut
    }

    /// The buffer, to use again.
    pub fn into_buffer(self) -> Mat {
        let (Picture::Raw(mat, _) | Picture::Jpeg(mat)) = self;
        mat
    }
}

/// How raw pixels are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pixels {
    /// Three bytes a pixel: blue, green, red.
    Bgr,
    /// One byte a pixel.
    Gray,
    /// Two bytes a pixel: Y U Y V.
    Yuyv,
    /// Two bytes a pixel: U Y V Y.
    Uyvy,
}

/// A picture on its way to its frame.
#[derive(Debug)]
pub struct EncodeJob {
    /// What to encode.
    pub picture: Picture,
    /// The sequence its frame will have.
    pub sequence: u64,
    /// When it was taken.
    pub captured: CaptureTime,
    /// JPEG quality, the same for all its stripes.
    pub quality: i32,
}

impl Pixels {
    /// True when two pixels beside each other have one colour: their width is even.
    pub fn shares_colours(self) -> bool {
        matches!(self, Pixels::Yuyv | Pixels::Uyvy)
    }

    /// What they are after they were turned or written on.
    pub fn converted(self) -> Pixels {
        match self {
            Pixels::Gray => Pixels::Gray,
            Pixels::Bgr | Pixels::Yuyv | Pixels::Uyvy => Pixels::Bgr,
        }
    }
}
