//! What the encoders are given: pictures, and the jobs made of them.

use crate::{
    feed::{camera::ColorRange, frame::CaptureTime},
    jpeg,
};
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
    /// Columns and rows of raw pixels; of a JPEG nothing is known.
    pub fn shape(&self) -> Option<(i32, i32)> {
        match self {
            Picture::Raw(mat, pixels) => Some((mat.cols(), pixels.rows(mat))),
            Picture::Jpeg(_) => None,
        }
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
    /// Planes, in half as many rows again: all Y, then the colours of two pixels by two each.
    Planar(PlaneOrder, ColorRange),
}

/// In which order the colours of a picture of planes follow its Y.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlaneOrder {
    /// One plane: U V U V.
    Nv12,
    /// One plane: V U V U.
    Nv21,
    /// Two planes: all U, then all V.
    I420,
    /// Two planes: all V, then all U.
    Yv12,
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
        self.is_planar() || matches!(self, Pixels::Yuyv | Pixels::Uyvy)
    }

    /// True when brightness and colours lie in planes: width and height are even.
    pub fn is_planar(self) -> bool {
        matches!(self, Pixels::Planar(..))
    }

    /// Rows of the picture whose pixels `mat` holds.
    pub fn rows(self, mat: &Mat) -> i32 {
        match self.is_planar() {
            true => mat.rows() / 3 * 2,
            false => mat.rows(),
        }
    }
}
