//! The encoder of raw pictures that are brightness and colour already, compressed as they are.
//!
//! What cameras call YUYV or NV12 holds what a JPEG stores: a Y for each pixel, a U and a V for two or
//! four. By way of BGR it would be converted twice, with two more passes over three bytes a pixel (OpenCV 4.6:
//! more than half of all its time for a picture). Here one pass takes it apart into planes, and
//! libjpeg-turbo, which OpenCV uses too, compresses those through an entry that `imencode` has
//! not. Quality and subsampling mean the same in both.

use crate::{
    encode::{
        backend::{JpegEncoder, cannot_encode, refused},
        job::{Pixels, PlaneOrder},
    },
    error::Error,
};
use opencv::{core::Mat, prelude::*};
use std::{
    ffi::{CStr, c_int, c_ulong, c_void},
    ops::Range,
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
    planes: Planes,
    /// Made for the first picture.
    handle: Option<NonNull<c_void>>,
    jpeg: Vec<u8>,
}

/// The planes of a picture: Y as large as the picture, made even; U and V half as wide and half as
/// tall, all in the range of JPEG, 0 to 255.
#[derive(Debug, Default)]
struct Planes {
    y: Vec<u8>,
    u: Vec<u8>,
    v: Vec<u8>,
}

impl JpegEncoder for YuvEncoder {
    fn takes(&self, pixels: Pixels) -> bool {
        pixels.shares_colours()
    }

    /// Refuses an odd width, of planes an odd height, and no picture at all.
    fn encode(
        &mut self,
        mat: &Mat,
        rows: Range<i32>,
        pixels: Pixels,
        quality: i32,
    ) -> Result<&[u8], Error> {
        let bytes = mat.data_bytes().map_err(refused)?;
        let (width, height) = (mat.cols() as usize, pixels.rows(mat) as usize);
        let rows = rows.start as usize..rows.end as usize;
        let depth = if pixels.is_planar() { 3 } else { 4 };
        let is_whole = bytes.len() == width * height * depth / 2 && rows.end <= height;
        if width == 0 || width % 2 != 0 || rows.is_empty() || !is_whole {
            return Err(cannot_encode(
                "its width or height is odd, or it holds no whole rows",
            ));
        }
        let row = 2 * width;
        match pixels {
            Pixels::Yuyv => self
                .planes
                .take_apart::<0>(&bytes[row * rows.start..row * rows.end], width),
            Pixels::Uyvy => self
                .planes
                .take_apart::<1>(&bytes[row * rows.start..row * rows.end], width),
            Pixels::Planar(order, _) => {
                self.planes.take_over(bytes, width, rows.clone(), order);
            }
            Pixels::Bgr | Pixels::Gray => return Err(cannot_encode("it is no Y, U and V")),
        }
        self.compress(width, rows.len(), quality)
    }
}

impl YuvEncoder {
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
    fn compress(&mut self, width: usize, rows: usize, quality: i32) -> Result<&[u8], Error> {
        let handle = self.handle()?;
        let too_large = || cannot_encode("it is too large");
        let whole = |number: usize| c_int::try_from(number).map_err(|_| too_large());
        let (width, rows) = (whole(width)?, whole(rows)?);
        // SAFETY: takes numbers only.
        let most = unsafe { turbo::tjBufSize(width, rows, SUBSAMPLING) };
        let most = usize::try_from(most).map_err(|_| too_large())?;
        if self.jpeg.len() < most {
            self.jpeg.resize(most, 0);
        }
        let Planes { y, u, v } = &self.planes;
        let mut planes = [y.as_ptr(), u.as_ptr(), v.as_ptr()];
        let mut jpeg = self.jpeg.as_mut_ptr();
        let mut length = c_ulong::try_from(self.jpeg.len()).unwrap_or(c_ulong::MAX);
        // SAFETY: the handle is ours and used by nobody else meanwhile. The planes are as large as
        // `Planes` says, which is what this subsampling reads for this size, without gaps (no
        // strides). `jpeg` has `tjBufSize` bytes, as many as a picture can take, and is not
        // reallocated under NOREALLOC.
        let result = unsafe {
            turbo::tjCompressFromYUVPlanes(
                handle.as_ptr(),
                planes.as_mut_ptr(),
                width,
                ptr::null(),
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

impl Drop for YuvEncoder {
    #[expect(unsafe_code, reason = "libjpeg-turbo is C")]
    fn drop(&mut self) {
        if let Some(handle) = self.handle {
            // SAFETY: the handle is ours, and this is its last use.
            unsafe { turbo::tjDestroy(handle.as_ptr()) };
        }
    }
}

impl Planes {
    /// Takes `rows`, an even number from an even one on, over from planes in the ranges of cameras.
    fn take_over(&mut self, bytes: &[u8], width: usize, rows: Range<usize>, order: PlaneOrder) {
        let pixels_of = bytes.len() / 3 * 2;
        let (y, colours) = bytes.split_at(pixels_of);
        self.y.clear();
        let y = &y[width * rows.start..width * rows.end];
        self.y.extend(y.iter().map(|&y| full_range_y(y)));
        // U and V together have as many bytes in two rows as a row has pixels.
        let pairs = width * rows.start / 2..width * rows.end / 2;
        self.u.clear();
        self.v.clear();
        let (first, second) = match order {
            PlaneOrder::Nv21 | PlaneOrder::Yv12 => (&mut self.v, &mut self.u),
            _ => (&mut self.u, &mut self.v),
        };
        let full_range = |&colour: &u8| mean_colour(colour, colour);
        if matches!(order, PlaneOrder::Nv12 | PlaneOrder::Nv21) {
            let pairs = colours[pairs].chunks_exact(2);
            first.extend(pairs.clone().map(|pair| full_range(&pair[0])));
            second.extend(pairs.map(|pair| full_range(&pair[1])));
        } else {
            let half = pairs.start / 2..pairs.end / 2;
            let (one, other) = colours.split_at(colours.len() / 2);
            first.extend(one[half.clone()].iter().map(full_range));
            second.extend(other[half].iter().map(full_range));
        }
    }

    /// Takes whole rows of `width` pixels, an even number, apart. Y is the `Y_AT`th byte of a pixel,
    /// U or V the other.
    fn take_apart<const Y_AT: usize>(&mut self, bytes: &[u8], width: usize) {
        let rows = bytes.len() / (2 * width);
        let (half_width, half_rows) = (width / 2, rows.div_ceil(2));
        self.y.resize(2 * half_rows * width, 0);
        self.u.resize(half_rows * half_width, 0);
        self.v.resize(half_rows * half_width, 0);
        let pairs = bytes
            .chunks(4 * width)
            .zip(self.y.chunks_exact_mut(2 * width));
        let colours = self
            .u
            .chunks_exact_mut(half_width)
            .zip(self.v.chunks_exact_mut(half_width));
        for ((pair, y), (u, v)) in pairs.zip(colours) {
            let (upper, lower) = pair.split_at(2 * width);
            // The last of an odd number of rows is its own neighbour.
            let lower = if lower.is_empty() { upper } else { lower };
            let (y_upper, y_lower) = y.split_at_mut(width);
            brightness::<Y_AT>(upper, y_upper);
            brightness::<Y_AT>(lower, y_lower);
            colour::<Y_AT>(upper, lower, u, v);
        }
    }
}

/// Y of each pixel, from the 16 to 235 of cameras to the 0 to 255 of JPEG.
fn brightness<const Y_AT: usize>(row: &[u8], out: &mut [u8]) {
    for (out, pixel) in out.iter_mut().zip(row.chunks_exact(2)) {
        *out = full_range_y(pixel[Y_AT]);
    }
}

/// 16 to 235 become 0 to 255.
fn full_range_y(y: u8) -> u8 {
    // 149/128 for 255/219: wrong by half a step at most, and it fits 16 bits, of which a processor does
    // eight at once.
    let above = u16::from(y.saturating_sub(16));
    ((above * 149 + 64) >> 7).min(255) as u8
}

/// The mean of two U or V, of which 16 to 240 become 0 to 255.
fn mean_colour(one: u8, other: u8) -> u8 {
    // Twice the distance from grey, times 73/64 for 255/224.
    let twice = i16::from(one) + i16::from(other) - 256;
    (((twice * 73 + 64) >> 7) + 128).clamp(0, 255) as u8
}

/// U and V of each two pixels by two, the mean of the rows, from the 16 to 240 of cameras to the 0
/// to 255 of JPEG.
fn colour<const Y_AT: usize>(upper: &[u8], lower: &[u8], u: &mut [u8], v: &mut [u8]) {
    let rows = upper.chunks_exact(4).zip(lower.chunks_exact(4));
    for (((one, other), u), v) in rows.zip(u).zip(v) {
        *u = mean_colour(one[1 - Y_AT], other[1 - Y_AT]);
        *v = mean_colour(one[3 - Y_AT], other[3 - Y_AT]);
    }
}
