//! Text in pictures: what the test pattern, the placeholder and the overlay have in common.

use opencv::{
    core::{CV_8UC1, Mat, Point, Scalar, Size, ToInputOutputArray},
    imgproc,
    prelude::*,
};

const FONT: i32 = imgproc::FONT_HERSHEY_SIMPLEX;

/// Height of the font's capitals at scale 1, in pixels.
const CAPITALS: f64 = 22.0;

/// Size in pixels of `text` with capitals `height` pixels tall.
pub fn text_size(text: &str, height: f64) -> opencv::Result<Size> {
    let (scale, thickness) = stroke(height);
    imgproc::get_text_size(text, FONT, scale, thickness, &mut 0)
}

/// Writes `text` with its base line beginning at `at`. The font knows ASCII only.
pub fn text(
    mat: &mut Mat,
    text: &str,
    at: Point,
    height: f64,
    color: Scalar,
) -> opencv::Result<()> {
    put(mat, text, at, stroke(height), color)
}

fn put(
    mat: &mut impl ToInputOutputArray,
    text: &str,
    at: Point,
    (scale, thickness): (f64, i32),
    color: Scalar,
) -> opencv::Result<()> {
    imgproc::put_text(
        mat,
        text,
        at,
        FONT,
        scale,
        color,
        thickness,
        imgproc::LINE_AA,
        false,
    )
}

/// Writes `text` into the lower left corner, white with a black rim: legible on any background.
/// Shrinks it until it fits. `shades` are those of black and of white.
pub fn label(
    mat: &mut (impl MatTraitConst + ToInputOutputArray),
    text: &str,
    shades: [f64; 2],
) -> opencv::Result<()> {
    let place = LabelPlace::new(mat.cols(), mat.rows(), text)?;
    for (shade, thickness) in shades.into_iter().zip([place.rim, place.thickness]) {
        let stroke = (place.scale, thickness);
        put(mat, text, place.at, stroke, Scalar::all(shade))?;
    }
    Ok(())
}

/// The letters of `text` that can be written: the font knows ASCII only, and backticks are for terminals.
pub fn plain(text: &str) -> String {
    let letters = text.chars().filter(char::is_ascii);
    letters.filter(|&letter| letter != '`').collect()
}

/// How much of each two pixels by two the label of a picture covers, 0 to 255, and the first row of
/// these: nothing of the label is above it.
pub fn label_cover(width: i32, rows: i32, text: &str) -> opencv::Result<(i32, Mat)> {
    let place = LabelPlace::new(width, rows, text)?;
    let top = (place.at.y - place.height - place.rim).max(0) / 2;
    let size = (rows - 2 * top, width);
    let mut cover = Mat::new_rows_cols_with_default(size.0, size.1, CV_8UC1, Scalar::all(0.0))?;
    let at = Point::new(place.at.x, place.at.y - 2 * top);
    let stroke = (place.scale, place.rim);
    put(&mut cover, text, at, stroke, Scalar::all(255.0))?;
    let (mut half, size) = (Mat::default(), Size::new(width / 2, size.0 / 2));
    imgproc::resize(&cover, &mut half, size, 0.0, 0.0, imgproc::INTER_AREA)?;
    Ok((top, half))
}

/// Where and how large a label is.
struct LabelPlace {
    at: Point,
    /// Twice the capitals': more than any letter's above the base line.
    height: i32,
    scale: f64,
    thickness: i32,
    rim: i32,
}

impl LabelPlace {
    fn new(width: i32, rows: i32, text: &str) -> opencv::Result<LabelPlace> {
        let mut height = (f64::from(rows) / 26.0).max(10.0);
        let margin = rows / 36 + 2;
        let needed = text_size(text, height)?.width + 2 * margin;
        if needed > width {
            height *= f64::from(width) / f64::from(needed);
        }
        let (scale, thickness) = stroke(height);
        Ok(LabelPlace {
            at: Point::new(margin, rows - margin),
            height: (2.0 * height).ceil() as i32,
            scale,
            thickness,
            rim: thickness + (height / 6.0).ceil() as i32 * 2,
        })
    }
}

/// Breaks `text` between words into lines at most `width` pixels long.
pub fn wrap(text: &str, height: f64, width: i32) -> opencv::Result<Vec<String>> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        if let Some(line) = lines.last_mut() {
            let longer = format!("{line} {word}");
            if text_size(&longer, height)?.width <= width {
                *line = longer;
                continue;
            }
        }
        lines.push(word.to_owned());
    }
    Ok(lines)
}

fn stroke(height: f64) -> (f64, i32) {
    let scale = height / CAPITALS;
    (scale, (scale * 1.8).round().max(1.0) as i32)
}
