//! The stripes of a picture: cut apart, encoded each by whichever worker is free, joined by the last.

use crate::{
    encode::{
        encoder::{self, Encoder},
        job::{EncodeJob, Picture, Pixels},
    },
    error::Error,
    feed::{camera::Camera, frame::Frame},
    jpeg,
};
use opencv::{
    core::{self, Mat},
    prelude::*,
};
use std::{
    sync::{Arc, OnceLock},
    time::Instant,
};

/// A stripe has at least so many rows: below that its overhead counts.
pub const STRIPE_ROWS: usize = 128;

/// A picture whose stripes are being encoded.
#[derive(Debug)]
pub struct StripedPicture {
    /// The whole picture.
    pub job: EncodeJob,
    begun: Instant,
    /// One for each stripe, top to bottom; `None` for one that failed.
    pub jpegs: Vec<OnceLock<Option<Vec<u8>>>>,
}

/// One worker's share of a picture.
#[derive(Debug)]
pub struct StripeTask {
    /// The picture.
    pub shared: Arc<StripedPicture>,
    /// Its number, from the top.
    pub stripe: usize,
}

/// A task for each stripe; they alone hold the picture.
pub fn split(job: EncodeJob, stripes: usize) -> Vec<StripeTask> {
    let shared = Arc::new(StripedPicture {
        job,
        begun: Instant::now(),
        jpegs: (0..stripes).map(|_| OnceLock::new()).collect(),
    });
    let task = |stripe| StripeTask {
        shared: Arc::clone(&shared),
        stripe,
    };
    (0..stripes).map(task).collect()
}

/// The JPEG of one stripe.
pub fn encode_stripe(
    encoder: &mut Encoder,
    shared: &StripedPicture,
    stripe: usize,
    camera: &Camera,
) -> Result<Vec<u8>, Error> {
    let EncodeJob {
        picture,
        captured,
        quality,
        ..
    } = &shared.job;
    encoder.set_quality(*quality);
    let stripes = shared.jpegs.len();
    if let (Picture::Raw(mat, pixels), 2..) = (picture, stripes) {
        let rows = stripe_rows(mat.rows(), stripes, stripe);
        let area = core::Rect::new(0, rows.start, mat.cols(), rows.len() as i32);
        let part = Mat::roi(mat, area).map_err(encoder::cannot_encode)?;
        return encoder.encode_plain(&part, *pixels).map(<[u8]>::to_vec);
    }
    let config = &camera.config;
    let text = config.overlay.as_ref();
    let text = text.map(|overlay| captured.local().strftime(&overlay.0).to_string());
    let decoded;
    let (mat, pixels) = match picture {
        Picture::Raw(mat, pixels) => (mat, *pixels),
        Picture::Jpeg(bytes) => {
            decoded = encoder::decode(bytes)?;
            (&decoded, Pixels::Bgr)
        }
    };
    encoder
        .encode(mat, pixels, config.turn, text.as_deref())
        .map(<[u8]>::to_vec)
}

/// The rows of one stripe: whole MCUs of the tallest kind, the rest in the last.
pub fn stripe_rows(rows: i32, stripes: usize, stripe: usize) -> std::ops::Range<i32> {
    let each = (rows + 16 * stripes as i32 - 1) / (16 * stripes as i32) * 16;
    let start = each * stripe as i32;
    start..if stripe + 1 == stripes {
        rows
    } else {
        start + each
    }
}

/// Joins the stripes and publishes the frame.
pub fn finish(camera: &Camera, shared: &StripedPicture) {
    let jpegs = shared
        .jpegs
        .iter()
        .map(|jpeg| jpeg.get().and_then(Option::as_deref));
    let Some(jpegs) = jpegs.collect::<Option<Vec<&[u8]>>>() else {
        camera.stats.dropped.increment();
        return;
    };
    let EncodeJob {
        picture,
        sequence,
        captured,
        ..
    } = &shared.job;
    let frame = match (jpegs.as_slice(), picture) {
        ([jpeg], _) => Frame::live(*sequence, *captured, jpeg.len(), |out| {
            out.extend_from_slice(jpeg)
        }),
        (_, Picture::Raw(mat, _) | Picture::Jpeg(mat)) => {
            let height = u16::try_from(mat.rows()).unwrap_or(0);
            let Some(joined) = jpeg::join(&jpegs, height) else {
                camera.stats.dropped.increment();
                return;
            };
            Frame::live(*sequence, *captured, joined.len(), |out| {
                joined.write_to(out)
            })
        }
    };
    let time = shared.begun.elapsed();
    camera.stats.encode_time.add(time);
    camera.stats.encode_times.add(time);
    camera.stats.encoded.increment();
    camera.publish(frame);
}
