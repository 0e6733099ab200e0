//! Planes, as a JPEG stores a picture: a Y for each pixel, a U and a V for two pixels by two.
//!
//! What lies in planes in JPEG's range already is lent, not copied. The rest is scaled, taken apart or
//! reversed in one pass over each plane.

use crate::{
    config::Flip,
    encode::{
        job::{Pixels, PlaneOrder},
        text,
    },
    feed::camera::ColorRange,
};
use opencv::{
    core::{self, Mat, ToInputArray, ToOutputArray},
    prelude::*,
};
use std::ops::Range;

/// Some rows of a picture: Y as large as they are, made even; U and V half as wide and half as tall.
/// All are in the range of JPEG, 0 to 255, and have no gaps between rows.
#[derive(Debug)]
pub struct Planes<'a> {
    /// Y, U and V.
    pub samples: [&'a [u8]; 3],
    /// The lowest row comes first.
    pub is_bottom_up: bool,
}

/// Holds what had to be copied; used again for each picture.
#[derive(Debug, Default)]
pub struct PlaneBuffers {
    y: Vec<u8>,
    u: Vec<u8>,
    v: Vec<u8>,
}

impl PlaneBuffers {
    /// The planes of some `rows`, an even number from an even one on, of the picture that `bytes` are
    /// once it is mirrored.
    pub fn planar<'a>(
        &'a mut self,
        bytes: &'a [u8],
        width: usize,
        rows: Range<usize>,
        (order, range): (PlaneOrder, ColorRange),
        mirror: Flip,
    ) -> Planes<'a> {
        let pixels = bytes.len() / 3 * 2;
        let height = pixels / width;
        let rows = match mirror.is_vertical() {
            true => height - rows.end..height - rows.start,
            false => rows,
        };
        let (y, colours) = bytes.split_at(pixels);
        let y = &y[width * rows.start..width * rows.end];
        // U and V together have as many bytes in two rows as a row has pixels.
        let pairs = width * rows.start / 2..width * rows.end / 2;
        // A plane from its end to its begin is mirrored both ways: reading its rows bottom-up leaves
        // the horizontal one.
        let is_reversed = mirror.is_horizontal();
        let is_bottom_up = mirror.is_vertical() != is_reversed;
        let y = take(y, &mut self.y, is_reversed, range, full_range_y);
        let [first, second] = if matches!(order, PlaneOrder::Nv12 | PlaneOrder::Nv21) {
            let pairs = colours[pairs].chunks_exact(2);
            let one = pairs.clone().map(|pair| pair[0]);
            let other = pairs.map(|pair| pair[1]);
            [
                copy(one, &mut self.u, is_reversed, range, full_range_colour),
                copy(other, &mut self.v, is_reversed, range, full_range_colour),
            ]
        } else {
            let half = pairs.start / 2..pairs.end / 2;
            let (one, other) = colours.split_at(colours.len() / 2);
            let (one, other) = (&one[half.clone()], &other[half]);
            [
                take(one, &mut self.u, is_reversed, range, full_range_colour),
                take(other, &mut self.v, is_reversed, range, full_range_colour),
            ]
        };
        let (u, v) = match order {
            PlaneOrder::Nv12 | PlaneOrder::I420 => (first, second),
            PlaneOrder::Nv21 | PlaneOrder::Yv12 => (second, first),
        };
        Planes {
            samples: [y, u, v],
            is_bottom_up,
        }
    }

    /// The planes of whole rows of `width` pixels, an even number, two bytes each. Y is the `Y_AT`th
    /// byte of a pixel, U or V the other; both are in the range of cameras.
    pub fn packed<const Y_AT: usize>(&mut self, bytes: &[u8], width: usize) -> Planes<'_> {
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
        Planes {
            samples: [&self.y, &self.u, &self.v],
            is_bottom_up: false,
        }
    }
}

/// The samples of `plane`: where they lie, when nothing is to be done.
fn take<'a>(
    plane: &'a [u8],
    buffer: &'a mut Vec<u8>,
    is_reversed: bool,
    range: ColorRange,
    full_range: impl Fn(u8) -> u8,
) -> &'a [u8] {
    match range {
        ColorRange::Full if !is_reversed => plane,
        _ => copy(
            plane.iter().copied(),
            buffer,
            is_reversed,
            range,
            full_range,
        ),
    }
}

/// The samples in the range of JPEG, from the last on if `is_reversed`.
fn copy(
    samples: impl DoubleEndedIterator<Item = u8>,
    buffer: &mut Vec<u8>,
    is_reversed: bool,
    range: ColorRange,
    full_range: impl Fn(u8) -> u8,
) -> &[u8] {
    buffer.clear();
    match (range, is_reversed) {
        (ColorRange::Full, false) => buffer.extend(samples),
        (ColorRange::Full, true) => buffer.extend(samples.rev()),
        (ColorRange::Limited, false) => buffer.extend(samples.map(full_range)),
        (ColorRange::Limited, true) => buffer.extend(samples.rev().map(full_range)),
    }
    buffer
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

/// U or V: 16 to 240 become 0 to 255.
fn full_range_colour(colour: u8) -> u8 {
    mean_colour(colour, colour)
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

/// What is done to a whole picture, to each plane by itself.
#[derive(Debug, Clone, Copy)]
pub enum Change {
    /// Rows become columns.
    Transpose,
    /// Copied, mirrored so.
    Mirror(Flip),
}

impl Change {
    fn apply(self, from: &impl ToInputArray, to: &mut impl ToOutputArray) -> opencv::Result<()> {
        match self {
            Change::Transpose => core::transpose(from, to),
            Change::Mirror(Flip::None) => core::copy_to(from, to, &core::no_array()),
            Change::Mirror(Flip::Vertical) => core::flip(from, to, 0),
            Change::Mirror(Flip::Horizontal) => core::flip(from, to, 1),
            Change::Mirror(Flip::Both) => core::flip(from, to, -1),
        }
    }
}

/// Makes `out` the changed picture in `mat`, laid out as before. Refuses planes of an odd width or height.
pub fn change(mat: &Mat, pixels: Pixels, change: Change, out: &mut Mat) -> opencv::Result<()> {
    let Pixels::Planar(order, _) = pixels else {
        return change.apply(mat, out);
    };
    let (width, height) = (mat.cols(), pixels.rows(mat));
    if width == 0 || width % 2 != 0 || mat.rows() % 3 != 0 {
        let reason = "its width or height is odd, or it has none";
        return Err(opencv::Error::new(core::StsBadSize, reason));
    }
    let (new_width, new_height) = match change {
        Change::Transpose => (height, width),
        Change::Mirror(_) => (width, height),
    };
    if (out.cols(), out.rows(), out.typ()) != (new_width, new_height / 2 * 3, core::CV_8UC1) {
        let black = core::Scalar::all(0.0);
        *out =
            Mat::new_rows_cols_with_default(new_height / 2 * 3, new_width, core::CV_8UC1, black)?;
    }
    let (from, to) = (mat.data_bytes()?, out.data_bytes_mut()?);
    for plane in layout(order, from.len()) {
        let from = Mat::from_slice(&from[plane.bytes.clone()])?;
        let from = from.reshape(plane.channels, height / plane.divisor)?;
        let mut to = Mat::from_slice_mut(&mut to[plane.bytes])?;
        let mut to = to.reshape_mut(plane.channels, new_height / plane.divisor)?;
        change.apply(&from, &mut to)?;
    }
    Ok(())
}

/// Writes `text` into the lower left corner of the planes in `mat`, white and black on any colour.
pub fn label(
    mat: &mut Mat,
    order: PlaneOrder,
    range: ColorRange,
    text: &str,
) -> opencv::Result<()> {
    let (width, height) = (mat.cols(), mat.rows() / 3 * 2);
    let (top, cover) = text::label_cover(width, height, text)?;
    let cover = cover.data_bytes()?;
    let shades = match range {
        ColorRange::Limited => [16.0, 235.0],
        ColorRange::Full => [0.0, 255.0],
    };
    let bytes = mat.data_bytes_mut()?;
    for plane in layout(order, bytes.len()) {
        let (bytes, channels) = (&mut bytes[plane.bytes], plane.channels);
        if plane.divisor == 1 {
            let mut y = Mat::from_slice_mut(bytes)?;
            text::label(&mut y.reshape_mut(channels, height)?, text, shades)?;
        } else {
            let above = (top * width / plane.divisor * channels) as usize;
            fade(&mut bytes[above..], channels as usize, cover);
        }
    }
    Ok(())
}

/// Takes away as much of the colour of each sample as `cover` says, of 255.
fn fade(colours: &mut [u8], channels: usize, cover: &[u8]) {
    for (sample, &cover) in colours.chunks_exact_mut(channels).zip(cover) {
        for colour in sample {
            let left = (i32::from(*colour) - 128) * (255 - i32::from(cover)) / 255;
            *colour = (128 + left) as u8;
        }
    }
}

/// A plane, or two that are mixed.
struct PlaneLayout {
    /// Where it lies in the picture.
    bytes: Range<usize>,
    /// Bytes for a sample.
    channels: i32,
    /// Rows of the picture for a row of it.
    divisor: i32,
}

/// The planes of a picture of so many bytes.
fn layout(order: PlaneOrder, bytes: usize) -> Vec<PlaneLayout> {
    let plane = |bytes, channels, divisor| PlaneLayout {
        bytes,
        channels,
        divisor,
    };
    let (y, half) = (bytes / 3 * 2, bytes / 6 * 5);
    match order {
        PlaneOrder::Nv12 | PlaneOrder::Nv21 => vec![plane(0..y, 1, 1), plane(y..bytes, 2, 2)],
        PlaneOrder::I420 | PlaneOrder::Yv12 => {
            vec![
                plane(0..y, 1, 1),
                plane(y..half, 1, 2),
                plane(half..bytes, 1, 2),
            ]
        }
    }
}
