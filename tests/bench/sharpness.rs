//! How near encoded pictures are to what the camera saw: PSNR of luma and chroma (6 : 1 : 1) and
//! SSIM of luma, to be compared at equal size.
//!
//! Servers differ in what they take a camera's Y, U and V for (16 to 235, or 0 to 255), which is
//! no matter of sharpness: each channel is first laid over the source's by the straight line that
//! fits best. The painted blocks along the top are left out.

use opencv::core::{Mat, Vec3b};
use opencv::imgcodecs::{self, IMREAD_COLOR};
use opencv::imgproc::{self, COLOR_BGR2YCrCb};
use opencv::prelude::*;

use crate::camera;
use crate::cases::Case;
use crate::client::Figures;
use crate::meter::named;
use crate::raw::{self, Seen};
use crate::server::{Recipe, Server};

/// Rows with blocks.
const STAMPED_ROWS: usize = 48;
/// Pictures that are compared, at most.
const PICTURES: usize = 8;
/// Side of a window of SSIM.
const WINDOW: usize = 8;
const WHITE: f64 = 255.0;

/// One channel's values, source and encoded, row by row.
#[derive(Default)]
struct Channel {
    source: Vec<f64>,
    encoded: Vec<f64>,
}

pub fn measure(case: &Case, recipe: &Recipe, server: &Server) -> Result<Figures, String> {
    let (seen, mut figures) = raw::watch(case.seconds, recipe, server)?;
    let file = camera::raw(&case.setting)?;
    let source = std::fs::read(&file).map_err(|error| format!("cannot read {file:?}: {error}"))?;
    let (width, height) = case.setting.size;
    let (mut psnr, mut psnr_y, mut ssim, mut count) = (0.0, 0.0, 0.0, 0.0);
    for Seen { jpeg, .. } in seen.iter().take(PICTURES) {
        let Some((number, _)) = raw::stamp(jpeg) else {
            continue;
        };
        let mut frames = source.chunks_exact(width * height * 2);
        let length = frames.len().max(1);
        let frame = frames
            .nth(number as usize % length)
            .ok_or("no raw picture")?;
        let channels = channels(frame, jpeg, width)?;
        let [luma, cb, cr] = channels.map(Channel::fitted);
        psnr += (6.0 * luma.psnr() + cb.psnr() + cr.psnr()) / 8.0;
        psnr_y += luma.psnr();
        ssim += luma.ssim(width);
        count += 1.0;
    }
    if count == 0.0 {
        return Err("no picture with the camera's blocks".into());
    }
    figures.extend(named([
        ("psnr_db", psnr / count),
        ("psnr_y_db", psnr_y / count),
        ("ssim", ssim / count),
    ]));
    Ok(figures)
}

/// Y, Cb and Cr of a YUYV picture and of the JPEG that was made of it. Chroma is compared at the
/// camera's resolution, half of luma's in width.
fn channels(yuyv: &[u8], jpeg: &[u8], width: usize) -> Result<[Channel; 3], String> {
    let mut encoded = Mat::default();
    Mat::from_slice(jpeg)
        .and_then(|bytes| imgcodecs::imdecode(&bytes, IMREAD_COLOR))
        .and_then(|bgr| imgproc::cvt_color_def(&bgr, &mut encoded, COLOR_BGR2YCrCb))
        .map_err(|error| format!("a picture cannot be decoded: {error}"))?;
    let pixels = encoded
        .data_typed::<Vec3b>()
        .map_err(|error| error.to_string())?;
    if pixels.len() * 2 != yuyv.len() {
        return Err("a picture has not the camera's size".into());
    }
    let mut channels: [Channel; 3] = Default::default();
    let [luma, cb, cr] = &mut channels;
    let from = STAMPED_ROWS * width;
    for (source, encoded) in yuyv[2 * from..]
        .chunks_exact(4)
        .zip(pixels[from..].chunks_exact(2))
    {
        let [left, right] =
            [encoded[0], encoded[1]].map(|pixel| [0, 1, 2].map(|i| f64::from(pixel[i])));
        luma.add(source[0], left[0]);
        luma.add(source[2], right[0]);
        cb.add(source[1], (left[2] + right[2]) / 2.0);
        cr.add(source[3], (left[1] + right[1]) / 2.0);
    }
    Ok(channels)
}

impl Channel {
    fn add(&mut self, source: u8, encoded: f64) {
        self.source.push(f64::from(source));
        self.encoded.push(encoded);
    }

    /// The encoded values brought to the source's scale: encoded = gain x source + offset, by least
    /// squares, turned round.
    fn fitted(mut self) -> Channel {
        let (source_mean, encoded_mean) = (mean(&self.source), mean(&self.encoded));
        let (mut together, mut alone) = (0.0, 0.0);
        for (source, encoded) in self.source.iter().zip(&self.encoded) {
            together += (source - source_mean) * (encoded - encoded_mean);
            alone += (source - source_mean).powi(2);
        }
        let gain = if together > 0.0 {
            together / alone
        } else {
            1.0
        };
        for encoded in &mut self.encoded {
            *encoded = (*encoded - encoded_mean) / gain + source_mean;
        }
        self
    }

    fn psnr(&self) -> f64 {
        let pairs = self.source.iter().zip(&self.encoded);
        let squares: f64 = pairs
            .map(|(source, encoded)| (source - encoded).powi(2))
            .sum();
        let mean = squares / self.source.len() as f64;
        10.0 * (WHITE * WHITE / mean.max(1e-9)).log10()
    }

    /// Mean of windows side by side (Wang et al. 2004, with its constants).
    fn ssim(&self, width: usize) -> f64 {
        let (c1, c2) = ((0.01 * WHITE).powi(2), (0.03 * WHITE).powi(2));
        let (mut sum, mut count) = (0.0, 0.0);
        let height = self.source.len() / width;
        for top in (0..=height - WINDOW).step_by(WINDOW) {
            for left in (0..=width - WINDOW).step_by(WINDOW) {
                let [mut a, mut b, mut aa, mut bb, mut ab] = [0.0; 5];
                for row in top..top + WINDOW {
                    let range = row * width + left..row * width + left + WINDOW;
                    for (x, y) in self.source[range.clone()].iter().zip(&self.encoded[range]) {
                        a += x;
                        b += y;
                        aa += x * x;
                        bb += y * y;
                        ab += x * y;
                    }
                }
                let n = (WINDOW * WINDOW) as f64;
                let (a, b) = (a / n, b / n);
                let (var_a, var_b, both) = (aa / n - a * a, bb / n - b * b, ab / n - a * b);
                sum += (2.0 * a * b + c1) * (2.0 * both + c2)
                    / ((a * a + b * b + c1) * (var_a + var_b + c2));
                count += 1.0;
            }
        }
        sum / count
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}
