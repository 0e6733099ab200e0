//! What the encoders make of pictures, judged by decoding it.

use super::*;
use crate::{
    config::{Flip, Rotate, Turn},
    jpeg,
};
use opencv::{core, imgcodecs, imgproc};

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

fn encoded(turn: Turn) -> Mat {
    let mut encoder = Encoder::new(95);
    let jpeg = encoder
        .encode(&picture(), Pixels::Bgr, turn, None)
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
fn picture_is_turned_clockwise_then_mirrored() {
    let plain = encoded(Turn::default());
    assert!(is_red(&plain, 8, 4) && !is_red(&plain, 8, 28));
    let quarter = encoded(Turn {
        rotate: Rotate::Quarter,
        flip: Flip::None,
    });
    assert_eq!((quarter.rows(), quarter.cols()), (32, 16));
    assert!(is_red(&quarter, 4, 8) && !is_red(&quarter, 28, 8));
    let half = encoded(Turn {
        rotate: Rotate::Half,
        flip: Flip::None,
    });
    assert!(is_red(&half, 8, 28));
    let mirrored = encoded(Turn {
        rotate: Rotate::None,
        flip: Flip::Horizontal,
    });
    assert!(is_red(&mirrored, 8, 28));
    let both = encoded(Turn {
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

#[test]
fn joined_stripes_decode_to_the_very_pixels_of_the_whole() {
    // A gradient with an odd size, so that neither edge falls on an MCU.
    let (rows, columns) = (599_i32, 333_i32);
    let mut mat = Mat::default();
    let pixels: Vec<u8> = (0..rows * columns * 3)
        .map(|at| (at.wrapping_mul(7) / 11 % 251) as u8)
        .collect();
    Mat::from_slice(&pixels)
        .and_then(|flat| flat.reshape(3, rows)?.copy_to(&mut mat))
        .expect("a picture");
    let decode = |jpeg: &[u8]| {
        let mat = Mat::from_slice(jpeg).expect("a slice");
        let mat = imgcodecs::imdecode(&mat, imgcodecs::IMREAD_COLOR).expect("decoded");
        mat.data_bytes().expect("whole").to_vec()
    };
    let mut encoder = Encoder::new(80);
    let whole = encoder
        .encode_plain(&mat, Pixels::Bgr)
        .expect("encoded")
        .to_vec();
    for stripes in [2, 3, 4] {
        let parts: Vec<Vec<u8>> = (0..stripes)
            .map(|stripe| {
                let range = stripe_rows(rows, stripes, stripe);
                let area = core::Rect::new(0, range.start, columns, range.len() as i32);
                let part = Mat::roi(&mat, area).expect("inside");
                encoder
                    .encode_plain(&part, Pixels::Bgr)
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
        assert_eq!((layout.width, layout.height), (333, 599));
        assert!(layout.is_untouched());
        let (one, other) = (decode(&bytes), decode(&whole));
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

#[test]
fn stripes_that_do_not_fit_are_not_joined() {
    let mut encoder = Encoder::new(80);
    let mat = picture();
    let jpeg = encoder
        .encode_plain(&mat, Pixels::Bgr)
        .expect("encoded")
        .to_vec();
    assert!(jpeg::join(&[&jpeg, &jpeg], 32).is_some());
    assert!(jpeg::join(&[&jpeg, &jpeg], 33).is_none());
    assert!(jpeg::join(&[&jpeg, b"\xff\xd8\xff\xd9"], 32).is_none());
    assert!(jpeg::join(&[], 0).is_none());
}
