//! What the encoders make of pictures, judged by decoding it.

use super::{
    EncodeJob, Encoder, Picture, Pixels, PlaneOrder,
    stripes::{split, stripe_rows},
};
use crate::{
    config::{Flip, Orientation, Rotate},
    feed::{camera::ColorRange, frame::CaptureTime},
    jpeg,
};
use opencv::{
    core::{self, Mat},
    imgcodecs, imgproc,
    prelude::*,
};
use std::sync::Arc;

mod planes;

/// A 32x16 picture, left half red, right half blue, top row of blocks brighter.
fn picture() -> Mat {
    let mut mat = Mat::new_rows_cols_with_default(
        16,
        32,
        core::CV_8UC3,
        core::Scalar::from((255., 0., 0., 0.)),
    )
    .expect("made");
    let red = core::Rect::new(0, 0, 16, 16);
    imgproc::rectangle(
        &mut mat,
        red,
        core::Scalar::from((0., 0., 255., 0.)),
        -1,
        8,
        0,
    )
    .expect("drawn");
    mat
}

fn encoded(turn: Orientation) -> Mat {
    let mut encoder = Encoder::default();
    let jpeg = encoder
        .encode_changed(&picture(), Pixels::Bgr, 95, turn, None)
        .expect("encoded");
    imgcodecs::imdecode(
        &Mat::from_slice(jpeg).expect("a slice"),
        imgcodecs::IMREAD_COLOR,
    )
    .expect("decoded")
}

fn is_red(mat: &Mat, row: i32, column: i32) -> bool {
    let pixel = mat.at_2d::<core::Vec3b>(row, column).expect("inside");
    pixel[2] > 200 && pixel[0] < 60
}

#[test]
fn whoever_drops_the_last_stripe_of_a_picture_joins_them() {
    let job = EncodeJob {
        picture: Picture::Raw(picture(), Pixels::Bgr),
        sequence: 1,
        captured: CaptureTime::now(),
        quality: 80,
    };
    // Each dropped before the next is handed over: by a worker quicker than the capture thread.
    let mut tasks = split(job, 3).into_iter();
    let ends = std::array::from_fn(|_| {
        let task = tasks.next().expect("three");
        Arc::into_inner(task.shared).is_some()
    });
    assert_eq!(ends, [false, false, true]);
}

#[test]
fn picture_is_turned_clockwise_then_mirrored() {
    let plain = encoded(Orientation::default());
    assert!(is_red(&plain, 8, 4) && !is_red(&plain, 8, 28));
    let quarter = encoded(Orientation {
        rotate: Rotate::Quarter,
        flip: Flip::None,
    });
    assert_eq!((quarter.rows(), quarter.cols()), (32, 16));
    assert!(is_red(&quarter, 4, 8) && !is_red(&quarter, 28, 8));
    let half = encoded(Orientation {
        rotate: Rotate::Half,
        flip: Flip::None,
    });
    assert!(is_red(&half, 8, 28));
    let mirrored = encoded(Orientation {
        rotate: Rotate::None,
        flip: Flip::Horizontal,
    });
    assert!(is_red(&mirrored, 8, 28));
    let both = encoded(Orientation {
        rotate: Rotate::ThreeQuarters,
        flip: Flip::Vertical,
    });
    assert!(is_red(&both, 4, 8));
}

#[test]
fn stripes_cover_every_row_once_in_whole_mcus() {
    for (rows, stripes) in [(720, 2), (1080, 4), (480, 3), (600, 4), (719, 2)] {
        let ranges: Vec<_> = (0..stripes)
            .map(|stripe| stripe_rows(rows, stripes, stripe))
            .collect();
        assert_eq!((ranges[0].start, ranges[stripes - 1].end), (0, rows));
        for pair in ranges.windows(2) {
            assert_eq!(pair[0].end, pair[1].start);
            assert_eq!(pair[0].len() % 16, 0);
            assert!(!pair[1].is_empty());
        }
    }
}

/// A picture of `rows` × `columns` pixels of `channels` bytes, nowhere flat.
fn textured(rows: i32, columns: i32, channels: i32) -> Mat {
    let bytes: Vec<u8> = (0..rows * columns * channels)
        .map(|at| (at.wrapping_mul(7) / 11 % 251) as u8)
        .collect();
    mat_of(&bytes, rows, channels)
}

fn mat_of(bytes: &[u8], rows: i32, channels: i32) -> Mat {
    let mut mat = Mat::default();
    Mat::from_slice(bytes)
        .and_then(|flat| flat.reshape(channels, rows)?.copy_to(&mut mat))
        .expect("a picture");
    mat
}

fn decoded(jpeg: &[u8]) -> Vec<u8> {
    let mat = Mat::from_slice(jpeg).expect("a slice");
    let mat = imgcodecs::imdecode(&mat, imgcodecs::IMREAD_COLOR).expect("decoded");
    mat.data_bytes().expect("whole").to_vec()
}

#[test]
fn joined_stripes_decode_to_the_very_pixels_of_the_whole() {
    // An odd size, so that neither edge falls on an MCU; raw pixels come in pairs.
    for (pixels, channels, columns) in [(Pixels::Bgr, 3, 333), (Pixels::Yuyv, 2, 334)] {
        let rows = 599_i32;
        let mat = textured(rows, columns, channels);
        let mut encoder = Encoder::default();
        let whole = encoder
            .encode(&mat, 0..mat.rows(), pixels, 80)
            .expect("encoded")
            .to_vec();
        for stripes in [2, 3, 4] {
            let parts: Vec<Vec<u8>> = (0..stripes)
                .map(|stripe| {
                    let range = stripe_rows(rows, stripes, stripe);
                    encoder
                        .encode(&mat, range, pixels, 80)
                        .expect("encoded")
                        .to_vec()
                })
                .collect();
            let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
            let joined = jpeg::join(&parts, rows as u16).expect("they fit");
            let mut bytes = Vec::new();
            joined.write_to(&mut bytes);
            assert_eq!(bytes.len(), joined.len());
            let layout = jpeg::inspect(&bytes).expect("a whole JPEG");
            assert_eq!(i32::from(layout.width), columns);
            assert_eq!(i32::from(layout.height), rows);
            assert!(layout.is_untouched());
            let (one, other) = (decoded(&bytes), decoded(&whole));
            // A decoder may smooth colours across rows differently next to a restart: not here,
            // where MCUs and their neighbours are the same.
            assert_eq!(one.len(), other.len());
            let differing = one
                .iter()
                .zip(&other)
                .filter(|(a, b)| a.abs_diff(**b) > 1)
                .count();
            assert_eq!(differing, 0, "{stripes} stripes");
        }
    }
}

/// YUYV of smooth colours within the range of cameras, `rows` × 320.
fn raw(rows: usize) -> Vec<u8> {
    let pair = |at: usize| {
        let (x, y) = (at % 160, at / 160);
        let bright = |x: usize| (16 + (x * 3 + y * 5) % 220) as u8;
        let (u, v) = (64 + (x / 2 + y / 3) % 120, 70 + (y / 2 + x / 5) % 110);
        [bright(2 * x), u as u8, bright(2 * x + 1), v as u8]
    };
    (0..rows * 160).flat_map(pair).collect()
}

#[test]
fn raw_pictures_look_as_they_do_by_way_of_bgr() {
    // 121 rows: the last one has no neighbour.
    for rows in [120, 121] {
        let mat = mat_of(&raw(rows), rows as i32, 2);
        let mut encoder = Encoder::default();
        let planes = encoder
            .encode(&mat, 0..mat.rows(), Pixels::Yuyv, 90)
            .expect("encoded");
        let planes = planes.to_vec();
        let mut bgr = Mat::default();
        imgproc::cvt_color_def(&mat, &mut bgr, imgproc::COLOR_YUV2BGR_YUYV).expect("converted");
        let by_bgr = encoder
            .encode(&bgr, 0..bgr.rows(), Pixels::Bgr, 90)
            .expect("encoded");
        let by_bgr = by_bgr.to_vec();
        let (one, other) = (decoded(&planes), decoded(&by_bgr));
        assert_eq!(one.len(), other.len());
        let pairs = one.iter().zip(&other);
        let error: u64 = pairs.map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
        let mean = error as f64 / one.len() as f64;
        assert!(mean < 2.5, "{rows} rows: {mean}");
        let sizes = planes.len() as f64 / by_bgr.len() as f64;
        assert!((0.9..1.1).contains(&sizes), "{sizes}");
    }
}

#[test]
fn raw_pixels_in_the_other_order_give_the_same_picture() {
    let yuyv = raw(48);
    let uyvy: Vec<u8> = yuyv.chunks(2).flat_map(|pair| [pair[1], pair[0]]).collect();
    let encode = |bytes: &[u8], pixels| {
        let mut encoder = Encoder::default();
        let jpeg = encoder.encode(&mat_of(bytes, 48, 2), 0..48, pixels, 80);
        jpeg.expect("encoded").to_vec()
    };
    assert_eq!(encode(&yuyv, Pixels::Yuyv), encode(&uyvy, Pixels::Uyvy));
}

/// The planes of smooth colours, `rows` × 320: Y, U and V.
fn planes(rows: usize) -> [Vec<u8>; 3] {
    let pairs = raw(rows);
    let y = pairs.iter().step_by(2).copied().collect();
    let colour = |at: usize| {
        let rows = pairs.chunks_exact(640).step_by(2);
        rows.flat_map(|row| row[at..].iter().step_by(4).copied())
            .collect::<Vec<_>>()
    };
    [y, colour(1), colour(3)]
}

#[test]
fn planes_in_every_order_give_the_same_picture_in_stripes_too() {
    let rows = 144;
    let [y, u, v] = planes(rows);
    let mix = |one: &[u8], other: &[u8]| -> Vec<u8> {
        one.iter().zip(other).flat_map(|(a, b)| [*a, *b]).collect()
    };
    let layouts = [
        (PlaneOrder::I420, [&y[..], &u, &v].concat()),
        (PlaneOrder::Yv12, [&y[..], &v, &u].concat()),
        (PlaneOrder::Nv12, [&y[..], &mix(&u, &v)].concat()),
        (PlaneOrder::Nv21, [&y[..], &mix(&v, &u)].concat()),
    ];
    let mut encoder = Encoder::default();
    let mut encode = |mat: &Mat, rows, pixels| {
        let jpeg = encoder.encode(mat, rows, pixels, 90);
        jpeg.expect("encoded").to_vec()
    };
    let mut seen = Vec::new();
    for (order, bytes) in &layouts {
        let pixels = Pixels::Planar(*order, ColorRange::Limited);
        let mat = mat_of(bytes, rows as i32 / 2 * 3, 1);
        let whole = encode(&mat, 0..rows as i32, pixels);
        let upper = encode(&mat, 0..80, pixels);
        let lower = encode(&mat, 80..rows as i32, pixels);
        let joined = jpeg::join(&[&upper, &lower], rows as u16).expect("they fit");
        let mut out = Vec::new();
        joined.write_to(&mut out);
        assert_eq!(decoded(&out), decoded(&whole), "{pixels:?}: stripes");
        seen.push(whole);
    }
    assert!(seen.iter().all(|jpeg| *jpeg == seen[0]));
    let mut bgr = Mat::default();
    let i420 = mat_of(&layouts[0].1, rows as i32 / 2 * 3, 1);
    imgproc::cvt_color_def(&i420, &mut bgr, imgproc::COLOR_YUV2BGR_I420).expect("converted");
    let by_bgr = decoded(&encode(&bgr, 0..rows as i32, Pixels::Bgr));
    let here = decoded(&seen[0]);
    let error: u64 = here
        .iter()
        .zip(&by_bgr)
        .map(|(a, b)| u64::from(a.abs_diff(*b)))
        .sum();
    let mean = error as f64 / here.len() as f64;
    assert!(mean < 2.5, "{mean}");
}

#[test]
fn black_and_white_of_a_camera_are_those_of_a_jpeg() {
    for (y, seen) in [(16, 0), (235, 255), (0, 0), (255, 255), (126, 128)] {
        let bytes = [y, 128].repeat(32 * 32);
        let mut encoder = Encoder::default();
        let jpeg = encoder.encode(&mat_of(&bytes, 32, 2), 0..32, Pixels::Yuyv, 95);
        for byte in decoded(jpeg.expect("encoded")) {
            assert!(byte.abs_diff(seen) <= 1, "{y}: {byte}");
        }
    }
}

#[test]
fn a_raw_picture_of_an_odd_width_is_refused() {
    let mut encoder = Encoder::default();
    let refusal = encoder.encode(&textured(4, 3, 2), 0..4, Pixels::Yuyv, 80);
    let refusal = refusal.expect_err("no pairs").to_string();
    assert!(refusal.contains("width"), "{refusal}");
}

#[test]
fn stripes_that_do_not_fit_are_not_joined() {
    let mut encoder = Encoder::default();
    let mat = picture();
    let jpeg = encoder
        .encode(&mat, 0..mat.rows(), Pixels::Bgr, 80)
        .expect("encoded")
        .to_vec();
    assert!(jpeg::join(&[&jpeg, &jpeg], 32).is_some());
    assert!(jpeg::join(&[&jpeg, &jpeg], 33).is_none());
    assert!(jpeg::join(&[&jpeg, b"\xff\xd8\xff\xd9"], 32).is_none());
    assert!(jpeg::join(&[], 0).is_none());
}
