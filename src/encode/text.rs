//! Text in pictures: what the test pattern, the placeholder and the overlay have in common.

use opencv::{
    core::{Mat, Point, Scalar, Size},
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
    mat: &mut Mat,
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
/// Shrinks it until it fits.
pub fn label(mat: &mut Mat, text: &str) -> opencv::Result<()> {
    let (width, rows) = (mat.cols(), mat.rows());
    let mut height = (f64::from(rows) / 26.0).max(10.0);
    let margin = rows / 36 + 2;
    let needed = text_size(text, height)?.width + 2 * margin;
    if needed > width {
        height *= f64::from(width) / f64::from(needed);
    }
    let (scale, thickness) = stroke(height);
    let at = Point::new(margin, rows - margin);
    let rim = thickness + (height / 6.0).ceil() as i32 * 2;
    for (shade, thickness) in [(0.0, rim), (255.0, thickness)] {
        put(mat, text, at, (scale, thickness), Scalar::all(shade))?;
    }
    Ok(())
}

/// The letters of `text` that can be written: the font knows ASCII only, and backticks are for terminals.
pub fn plain(text: &str) -> String {
    let letters = text.chars().filter(char::is_ascii);
    letters.filter(|&letter| letter != '`').collect()
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
