//! What the encoders make of pictures of planes: their colours, and where each pixel goes.

use super::{decoded, mat_of, stripe_rows};
use crate::{
    config::{Config, Flip, Orientation, Rotate, Size, args::Args},
    encode::{Encoder, Pixels, PlaneOrder, stripes::as_it_is},
    feed::camera::ColorRange,
    jpeg,
};
use argh::FromArgs;
use opencv::{
    core::{self, Mat},
    prelude::*,
};

const ORDERS: [PlaneOrder; 4] = [
    PlaneOrder::Nv12,
    PlaneOrder::Nv21,
    PlaneOrder::I420,
    PlaneOrder::Yv12,
];
const RANGES: [ColorRange; 2] = [ColorRange::Limited, ColorRange::Full];
const FLIPS: [Flip; 4] = [Flip::None, Flip::Horizontal, Flip::Vertical, Flip::Both];
const ROTATIONS: [Rotate; 4] = [
    Rotate::None,
    Rotate::Quarter,
    Rotate::Half,
    Rotate::ThreeQuarters,
];

/// Width and height. None but the first is whole MCUs, and half of some is odd.
const SIZES: [(usize, usize); 3] = [(64, 48), (322, 242), (640, 360)];

fn layouts() -> impl Iterator<Item = Pixels> {
    let of = |range| ORDERS.map(|order| Pixels::Planar(order, range));
    RANGES.into_iter().flat_map(of)
}

fn turns() -> impl Iterator<Item = Orientation> {
    let of = |rotate| FLIPS.map(|flip| Orientation { rotate, flip });
    ROTATIONS.into_iter().flat_map(of)
}

/// A picture of so many pixels: its Y, U and V.
#[derive(Clone)]
struct Yuv {
    width: usize,
    height: usize,
    planes: [Vec<u8>; 3],
}

impl Yuv {
    /// As `value` says for each plane, column and row.
    fn new((width, height): (usize, usize), value: impl Fn(usize, usize, usize) -> u8) -> Yuv {
        let plane = |at: usize| {
            let half = if at == 0 { 1 } else { 2 };
            let places = (0..height / half).flat_map(|y| (0..width / half).map(move |x| (x, y)));
            places.map(|(x, y)| value(at, x, y)).collect()
        };
        Yuv {
            width,
            height,
            planes: [0, 1, 2].map(plane),
        }
    }

    /// Everywhere different, so that no sample can be taken for another.
    fn textured(size: (usize, usize)) -> Yuv {
        Yuv::new(size, |at, x, y| {
            ((x * 5 + y * 11 + x * y / 7) % 97 + 50 + 20 * at) as u8
        })
    }

    /// Clockwise, then mirrored: sample by sample.
    fn turned(&self, turn: Orientation) -> Yuv {
        let (width, height) = (self.width, self.height);
        let size = match turn.rotate {
            Rotate::None | Rotate::Half => (width, height),
            Rotate::Quarter | Rotate::ThreeQuarters => (height, width),
        };
        Yuv::new(size, |at, x, y| {
            let half = if at == 0 { 1 } else { 2 };
            let (width, height) = (width / half, height / half);
            let (new_width, new_height) = (size.0 / half, size.1 / half);
            let x = if matches!(turn.flip, Flip::Horizontal | Flip::Both) {
                new_width - 1 - x
            } else {
                x
            };
            let y = if matches!(turn.flip, Flip::Vertical | Flip::Both) {
                new_height - 1 - y
            } else {
                y
            };
            let (x, y) = match turn.rotate {
                Rotate::None => (x, y),
                Rotate::Quarter => (y, height - 1 - x),
                Rotate::Half => (width - 1 - x, height - 1 - y),
                Rotate::ThreeQuarters => (width - 1 - y, x),
            };
            self.planes[at][y * width + x]
        })
    }

    fn mat(&self, order: PlaneOrder) -> Mat {
        let [y, u, v] = &self.planes;
        let mix = |one: &[u8], other: &[u8]| -> Vec<u8> {
            one.iter().zip(other).flat_map(|(a, b)| [*a, *b]).collect()
        };
        let bytes = match order {
            PlaneOrder::Nv12 => [&y[..], &mix(u, v)].concat(),
            PlaneOrder::Nv21 => [&y[..], &mix(v, u)].concat(),
            PlaneOrder::I420 => [&y[..], u, v].concat(),
            PlaneOrder::Yv12 => [&y[..], v, u].concat(),
        };
        mat_of(&bytes, self.height as i32 / 2 * 3, 1)
    }
}

fn mat_in(yuv: &Yuv, pixels: Pixels) -> Mat {
    match pixels {
        Pixels::Planar(order, _) => yuv.mat(order),
        _ => panic!("no planes"),
    }
}

#[test]
fn planes_that_are_only_mirrored_are_cut_into_stripes() {
    let nv12 = Pixels::Planar(PlaneOrder::Nv12, ColorRange::Full);
    for (options, of_planes, of_others) in [
        (&[][..], Some(Flip::None), Some(Flip::None)),
        (&["--rotate", "180"], Some(Flip::Both), None),
        (
            &["--rotate", "180", "--flip", "h"],
            Some(Flip::Vertical),
            None,
        ),
        (&["--flip", "hv"], Some(Flip::Both), None),
        (&["--rotate", "180", "--flip", "hv"], Some(Flip::None), None),
        (&["--rotate", "90"], None, None),
        (&["--overlay", "time"], None, None),
        (&["--flip", "v", "--overlay", "time"], None, None),
    ] {
        let args = Args::from_args(&["camfeed"], options).expect("good options");
        let config = Config::from(args).cameras.first().clone();
        assert_eq!(as_it_is(nv12, &config), of_planes, "{options:?}");
        for pixels in [Pixels::Bgr, Pixels::Yuyv] {
            assert_eq!(as_it_is(pixels, &config), of_others, "{options:?}");
        }
    }
}

#[test]
fn planes_are_turned_sample_by_sample() {
    let mut encoder = Encoder::default();
    for size in SIZES {
        let yuv = Yuv::textured(size);
        for turn in turns() {
            let expected = yuv.turned(turn).mat(PlaneOrder::I420);
            for range in RANGES {
                let pixels = Pixels::Planar(PlaneOrder::I420, range);
                let rows = 0..pixels.rows(&expected);
                let expected = encoder.encode(&expected, rows, pixels, 90);
                let expected = expected.expect("encoded").to_vec();
                for order in ORDERS {
                    let pixels = Pixels::Planar(order, range);
                    let jpeg = encoder.encode_changed(&yuv.mat(order), pixels, 90, turn, None);
                    assert!(
                        jpeg.expect("encoded") == expected,
                        "{size:?} {pixels:?} {turn:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn planes_of_an_odd_width_or_height_are_refused_however_they_are_turned() {
    let mut encoder = Encoder::default();
    for (rows, columns) in [(48, 31), (47, 32)] {
        let mat = mat_of(&vec![128; rows * columns], rows as i32, 1);
        for (pixels, turn) in layouts().flat_map(|pixels| turns().map(move |turn| (pixels, turn))) {
            for text in [None, Some("label")] {
                let refusal = encoder.encode_changed(&mat, pixels, 90, turn, text);
                let refusal = refusal.expect_err("no planes").to_string();
                assert!(refusal.contains("odd"), "{refusal}");
            }
        }
    }
}

#[test]
fn stripes_of_mirrored_planes_decode_to_the_very_pixels_of_the_whole() {
    let mut encoder = Encoder::default();
    for (size, stripes) in [((322, 242), 2), ((640, 360), 2), ((640, 360), 3)] {
        let (yuv, height) = (Yuv::textured(size), size.1 as i32);
        for (pixels, mirror) in layouts().flat_map(|pixels| FLIPS.map(|flip| (pixels, flip))) {
            let mat = mat_in(&yuv, pixels);
            let mut encode = |rows| {
                let jpeg = encoder.encode_mirrored(&mat, rows, pixels, mirror, 90);
                jpeg.expect("encoded").to_vec()
            };
            let whole = encode(0..height);
            let parts: Vec<_> = (0..stripes)
                .map(|stripe| encode(stripe_rows(height, stripes, stripe)))
                .collect();
            let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
            let mut joined = Vec::new();
            let join = jpeg::join(&parts, height as u16).expect("they fit");
            join.write_to(&mut joined);
            assert!(
                decoded(&joined) == decoded(&whole),
                "{size:?} {pixels:?} {mirror:?}"
            );
        }
    }
}

/// Blue, green and red of the patches: 5 by 3.
const PATCHES: [[u8; 3]; 15] = [
    [0, 0, 255],
    [0, 255, 0],
    [255, 0, 0],
    [0, 255, 255],
    [255, 0, 255],
    [255, 255, 0],
    [255, 255, 255],
    [0, 0, 0],
    [128, 128, 128],
    [0, 128, 255],
    [60, 20, 220],
    [40, 200, 90],
    [200, 90, 30],
    [30, 30, 30],
    [220, 210, 235],
];

fn patch((width, height): (usize, usize), x: usize, y: usize) -> [u8; 3] {
    PATCHES[y * 3 / height * 5 + x * 5 / width]
}

/// Flat patches, in BGR and in planes.
fn patches(size: (usize, usize), range: ColorRange) -> (Mat, Yuv) {
    let places = (0..size.1).flat_map(|y| (0..size.0).map(move |x| (x, y)));
    let bgr: Vec<u8> = places.flat_map(|(x, y)| patch(size, x, y)).collect();
    let yuv = Yuv::new(size, |at, x, y| {
        let sample = |x, y| {
            let [b, g, r] = patch(size, x, y).map(f64::from);
            let bright = 0.299 * r + 0.587 * g + 0.114 * b;
            [bright, (b - bright) / 1.772, (r - bright) / 1.402][at]
        };
        let four = [(0, 0), (1, 0), (0, 1), (1, 1)].map(|(right, down)| match at {
            0 => sample(x, y),
            _ => sample(2 * x + right, 2 * y + down),
        });
        let mean = four.iter().sum::<f64>() / 4.0;
        let value = match (range, at) {
            (ColorRange::Full, 0) => mean,
            (ColorRange::Full, _) => 128.0 + mean,
            (ColorRange::Limited, 0) => 16.0 + mean * 219.0 / 255.0,
            (ColorRange::Limited, _) => 128.0 + mean * 224.0 / 255.0,
        };
        value.round() as u8
    });
    (mat_of(&bgr, size.1 as i32, 3), yuv)
}

fn turned_bgr(bgr: &Mat, turn: Orientation) -> Mat {
    let (mut turned, mut mirrored) = (Mat::default(), Mat::default());
    let code = match turn.rotate {
        Rotate::None => None,
        Rotate::Quarter => Some(core::ROTATE_90_CLOCKWISE),
        Rotate::Half => Some(core::ROTATE_180),
        Rotate::ThreeQuarters => Some(core::ROTATE_90_COUNTERCLOCKWISE),
    };
    match code {
        Some(code) => core::rotate(bgr, &mut turned, code).expect("turned"),
        None => turned = bgr.clone(),
    }
    let code = match turn.flip {
        Flip::None => return turned,
        Flip::Horizontal => 1,
        Flip::Vertical => 0,
        Flip::Both => -1,
    };
    core::flip(&turned, &mut mirrored, code).expect("mirrored");
    mirrored
}

fn encoded(mat: &Mat, pixels: Pixels, turn: Orientation, text: Option<&str>) -> Mat {
    let mut encoder = Encoder::default();
    let jpeg = encoder.encode_changed(mat, pixels, 100, turn, text);
    let bytes = decoded(jpeg.expect("encoded"));
    let size = turn.of(Size {
        width: mat.cols() as u32,
        height: pixels.rows(mat) as u32,
    });
    mat_of(&bytes, size.height as i32, 3)
}

/// The largest and the mean difference of two pictures' bytes where `is_counted` is true of the other's
/// pixel, given as row and column.
fn differences(one: &Mat, other: &Mat, is_counted: impl Fn(usize, usize) -> bool) -> (u8, f64) {
    assert_eq!(one.size().expect("a size"), other.size().expect("a size"));
    let columns = one.cols() as usize;
    let bytes = |mat: &Mat| mat.data_bytes().expect("whole").to_vec();
    let (one, other) = (bytes(one), bytes(other));
    let pairs = one.iter().zip(&other).enumerate();
    let counted = pairs.filter(|(at, _)| is_counted(at / 3 / columns, at / 3 % columns));
    let found: Vec<u8> = counted.map(|(_, (a, b))| a.abs_diff(*b)).collect();
    let sum: u64 = found.iter().map(|&by| u64::from(by)).sum();
    let largest = found.iter().max().expect("some are counted");
    (*largest, sum as f64 / found.len() as f64)
}

/// True for each pixel of `bgr` that is of the same patch as those around it.
fn flat(bgr: &Mat) -> Vec<bool> {
    const FAR: usize = 6;
    let (rows, columns) = (bgr.rows() as usize, bgr.cols() as usize);
    let bytes = bgr.data_bytes().expect("whole");
    let pixel = |y: usize, x: usize| &bytes[3 * (y * columns + x)..][..3];
    let is_flat = |y: usize, x: usize| {
        let near = |at: usize, end: usize| [at.saturating_sub(FAR), (at + FAR).min(end - 1)];
        let rows = near(y, rows).into_iter();
        let mut corners = rows.flat_map(|y| near(x, columns).map(|x| (y, x)));
        corners.all(|(near_y, near_x)| pixel(near_y, near_x) == pixel(y, x))
    };
    let places = (0..rows).flat_map(|y| (0..columns).map(move |x| (y, x)));
    places.map(|(y, x)| is_flat(y, x)).collect()
}

#[test]
fn colours_of_planes_are_those_of_the_picture_however_it_is_turned() {
    for (size, range) in SIZES
        .into_iter()
        .flat_map(|size| RANGES.map(|range| (size, range)))
    {
        let (bgr, yuv) = patches(size, range);
        for turn in turns() {
            let expected = turned_bgr(&bgr, turn);
            let (flat, columns) = (flat(&expected), expected.cols() as usize);
            for order in ORDERS {
                let pixels = Pixels::Planar(order, range);
                let seen = encoded(&yuv.mat(order), pixels, turn, None);
                let is_counted = |y, x| flat[y * columns + x];
                let (largest, _) = differences(&seen, &expected, is_counted);
                assert!(largest <= 8, "{size:?} {pixels:?} {turn:?}: {largest}");
            }
        }
    }
}

#[test]
fn a_label_on_planes_looks_as_it_does_on_bgr() {
    let text = Some("2024-05-01 Garden (12:34:56) Qgj|");
    let turned = Orientation {
        rotate: Rotate::Quarter,
        flip: Flip::Vertical,
    };
    for (size, range) in SIZES
        .into_iter()
        .flat_map(|size| RANGES.map(|range| (size, range)))
    {
        let (bgr, yuv) = patches(size, range);
        for turn in [Orientation::default(), turned] {
            let by_bgr = encoded(&bgr, Pixels::Bgr, turn, text);
            let plain = encoded(&bgr, Pixels::Bgr, turn, None);
            let (unlike, _) = differences(&by_bgr, &plain, |_, _| true);
            assert!(unlike > 200, "there is no label: {unlike}");
            for order in ORDERS {
                let pixels = Pixels::Planar(order, range);
                let seen = encoded(&yuv.mat(order), pixels, turn, text);
                let (largest, mean) = differences(&seen, &by_bgr, |_, _| true);
                let is_alike = largest <= 30 && mean < 1.0;
                assert!(is_alike, "{size:?} {pixels:?} {turn:?}: {largest}, {mean}");
            }
        }
    }
}
