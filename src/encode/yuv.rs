//! The encoder of raw pictures that are brightness and colour already, compressed as they are.
//!
//! What cameras call YUYV or NV12 holds what a JPEG stores: a Y for each pixel, a U and a V for two or
//! four. By way of BGR it would be converted twice, with two more passes over three bytes a pixel (OpenCV 4.6:
//! more than half of all its time for a picture). `planes` makes planes of it where it is none, and
//! libjpeg-turbo, which OpenCV uses too, compresses those through an entry that `imencode` has
//! not. Quality and subsampling mean the same in both.

use crate::{
    config::Flip,
    encode::{
        backend::{JpegEncoder, PictureRows, cannot_encode, refused},
        job::Pixels,
        planes::{PlaneBuffers, Planes},
    },
    error::Error,
};
use opencv::prelude::*;
use std::{
    ffi::{CStr, c_int, c_ulong, c_void},
    ptr::{self, NonNull},
};
use turbojpeg_sys as turbo;

/// As `imencode` has it: one U and one V for two pixels by two.
const SUBSAMPLING: c_int = turbo::TJSAMP_TJSAMP_420 as c_int;

/// The slow cosine transform, which `imencode` uses too, into a buffer that is large enough.
const FLAGS: c_int = (turbo::TJFLAG_ACCURATEDCT | turbo::TJFLAG_NOREALLOC) as c_int;

/// Compresses raw pictures; keeps its buffers for the next.
#[derive(Debug, Default)]
pub struct YuvEncoder {
    buffers: PlaneBuffers,
    compressor: Compressor,
}

/// libjpeg-turbo's.
#[derive(Debug, Default)]
struct Compressor {
    /// Made for the first picture.
    handle: Option<NonNull<c_void>>,
    jpeg: Vec<u8>,
}

impl JpegEncoder for YuvEncoder {
    fn takes(&self, pixels: Pixels, mirror: Flip) -> bool {
        pixels.is_planar() || (pixels.shares_colours() && mirror == Flip::None)
    }

    /// Refuses an odd width, of planes an odd height, and no picture at all.
    fn encode(&mut self, picture: PictureRows<'_>, quality: i32) -> Result<&[u8], Error> {
        let (mat, pixels, mirror) = (picture.mat, picture.pixels, picture.mirror);
        let bytes = mat.data_bytes().map_err(refused)?;
        let (width, height) = (mat.cols() as usize, pixels.rows(mat) as usize);
        let rows = picture.rows.start as usize..picture.rows.end as usize;
        let depth = if pixels.is_planar() { 3 } else { 4 };
        let is_whole = bytes.len() == width * height * depth / 2 && rows.end <= height;
        if width == 0 || width % 2 != 0 || rows.is_empty() || !is_whole {
            return Err(cannot_encode(
                "its width or height is odd, or it holds no whole rows",
            ));
        }
        let count = rows.len();
        let packed = 2 * width * rows.start..2 * width * rows.end;
        let planes = match pixels {
            Pixels::Yuyv => self.buffers.packed::<0>(&bytes[packed], width),
            Pixels::Uyvy => self.buffers.packed::<1>(&bytes[packed], width),
            Pixels::Planar(order, range) => {
                let layout = (order, range);
                self.buffers.planar(bytes, width, rows, layout, mirror)
            }
            Pixels::Bgr | Pixels::Gray => return Err(cannot_encode("it is no Y, U and V")),
        };
        self.compressor.compress(&planes, width, count, quality)
    }
}

impl Compressor {
    #[expect(unsafe_code, reason = "libjpeg-turbo is C")]
    fn handle(&mut self) -> Result<NonNull<c_void>, Error> {
        if self.handle.is_none() {
            // SAFETY: takes nothing.
            self.handle = NonNull::new(unsafe { turbo::tjInitCompress() });
        }
        self.handle
            .ok_or_else(|| cannot_encode("no memory for a compressor"))
    }

    #[expect(unsafe_code, reason = "libjpeg-turbo is C")]
    fn compress(
        &mut self,
        planes: &Planes<'_>,
        width: usize,
        rows: usize,
        quality: i32,
    ) -> Result<&[u8], Error> {
        let handle = self.handle()?;
        let too_large = || cannot_encode("it is too large");
        let whole = |number: usize| c_int::try_from(number).map_err(|_| too_large());
        let half = (width / 2, rows.div_ceil(2));
        let sizes = [(width, 2 * half.1), half, half];
        let mut begins = [ptr::null(); 3];
        let mut strides = [0; 3];
        for (at, (plane, (stride, rows))) in planes.samples.iter().zip(sizes).enumerate() {
            if plane.len() != stride * rows {
                return Err(cannot_encode("its planes are not whole"));
            }
            strides[at] = whole(stride)?;
            begins[at] = plane.as_ptr();
            if planes.is_bottom_up {
                begins[at] = plane.as_ptr().wrapping_add(stride * (rows - 1));
                strides[at] = -strides[at];
            }
        }
        let (width, rows) = (whole(width)?, whole(rows)?);
        // SAFETY: takes numbers only.
        let most = unsafe { turbo::tjBufSize(width, rows, SUBSAMPLING) };
        let most = usize::try_from(most).map_err(|_| too_large())?;
        if self.jpeg.len() < most {
            // Zeros that the kernel gives when they are touched: a picture takes a twentieth of them.
            self.jpeg = vec![0; most];
        }
        let mut jpeg = self.jpeg.as_mut_ptr();
        let mut length = c_ulong::try_from(self.jpeg.len()).unwrap_or(c_ulong::MAX);
        // SAFETY: the handle is ours and used by nobody else meanwhile. The planes are only read, and
        // have the size, checked above, that this subsampling reads for this size: from their first
        // row down, or from their last row up. `jpeg` has `tjBufSize` bytes, as many as a picture
        // can take, and is not reallocated under NOREALLOC.
        let result = unsafe {
            turbo::tjCompressFromYUVPlanes(
                handle.as_ptr(),
                begins.as_mut_ptr(),
                width,
                strides.as_ptr(),
                rows,
                SUBSAMPLING,
                &raw mut jpeg,
                &raw mut length,
                quality,
                FLAGS,
            )
        };
        if result != 0 {
            // SAFETY: gives a string that lives until the handle's next call.
            let reason = unsafe { CStr::from_ptr(turbo::tjGetErrorStr2(handle.as_ptr())) };
            return Err(cannot_encode(reason.to_string_lossy()));
        }
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        self.jpeg.get(..length).ok_or_else(too_large)
    }
}

impl Drop for Compressor {
    #[expect(unsafe_code, reason = "libjpeg-turbo is C")]
    fn drop(&mut self) {
        if let Some(handle) = self.handle {
            // SAFETY: the handle is ours, and this is its last use.
            unsafe { turbo::tjDestroy(handle.as_ptr()) };
        }
    }
}
