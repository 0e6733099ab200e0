//! The stripes of a picture: cut apart, each encoded by whichever worker is free, and joined.
//!
//! Stripes are whole MCUs tall, so that the joined frame has the very pixels of the whole picture. A
//! picture that is decoded, turned or written on is a single stripe; planes that are only mirrored are
//! cut.

use crate::{
    config::{CameraConfig, Flip},
    encode::{
        decode::decode,
        encoder::Encoder,
        job::{EncodeJob, Picture, Pixels},
    },
    error::Error,
    feed::frame::Frame,
    jpeg,
};
use opencv::core::Mat;
use std::{
    ops::Range,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

/// A stripe has at least so many rows: below that its overhead counts.
const STRIPE_ROWS: usize = 128;

/// A picture whose stripes are being encoded.
#[derive(Debug)]
pub struct StripedPicture {
    job: EncodeJob,
    begun: Instant,
    /// One for each stripe, top to bottom; `None` for one that failed.
    jpegs: Vec<OnceLock<Option<Vec<u8>>>>,
}

/// One worker's share of a picture.
#[derive(Debug)]
pub struct StripeTask {
    pub(super) shared: Arc<StripedPicture>,
    stripe: usize,
}

/// Into how many stripes a picture of so many rows is cut for `workers`.
pub fn count(rows: i32, workers: usize) -> usize {
    workers.min(rows as usize / STRIPE_ROWS).max(1)
}

/// How a picture is mirrored while it is compressed as it is, in stripes that need not know of each other;
/// `None` when it is changed as a whole first.
pub fn as_it_is(pixels: Pixels, config: &CameraConfig) -> Option<Flip> {
    let is_direct = pixels.is_planar() && !config.turn.transposes() && config.overlay.is_none();
    (config.is_plain() || is_direct).then(|| config.turn.mirror())
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

impl StripeTask {
    /// The JPEG of the stripe, as `config` asks.
    pub fn encode(&self, encoder: &mut Encoder, config: &CameraConfig) -> Result<Vec<u8>, Error> {
        let (job, quality) = (&self.shared.job, self.shared.job.quality);
        let decoded;
        let (mat, pixels) = match &job.picture {
            Picture::Raw(mat, pixels) => (mat, *pixels),
            Picture::Jpeg(bytes) => {
                decoded = decode(bytes)?;
                (&decoded, Pixels::Bgr)
            }
        };
        let jpeg = if let Some(mirror) = as_it_is(pixels, config) {
            let rows = stripe_rows(pixels.rows(mat), self.shared.jpegs.len(), self.stripe);
            encoder.encode_mirrored(mat, rows, pixels, mirror, quality)
        } else {
            let text = config.overlay.as_ref();
            let text = text.map(|text| job.captured.local().strftime(text).to_string());
            encoder.encode_changed(mat, pixels, quality, config.turn, text.as_deref())
        };
        jpeg.map(<[u8]>::to_vec)
    }

    /// Keeps the stripe's JPEG, `None` if it failed. Exactly one worker gets the picture back: the
    /// last one to finish.
    pub fn finish(self, jpeg: Option<Vec<u8>>) -> Option<StripedPicture> {
        let _ = self.shared.jpegs[self.stripe].set(jpeg);
        Arc::into_inner(self.shared)
    }
}

impl StripedPicture {
    /// The frame of all stripes together; `None` when one failed or they do not fit.
    pub fn join(&self) -> Option<Frame> {
        let jpegs = self.jpegs.iter();
        let jpegs: Option<Vec<&[u8]>> = jpegs.map(|jpeg| jpeg.get()?.as_deref()).collect();
        let (jpegs, job) = (jpegs?, &self.job);
        if let [jpeg] = jpegs[..] {
            let append = |out: &mut Vec<u8>| out.extend_from_slice(jpeg);
            return Some(Frame::live(job.sequence, job.captured, jpeg.len(), append));
        }
        let (_, rows) = job.picture.shape()?;
        let joined = jpeg::join(&jpegs, u16::try_from(rows).ok()?)?;
        let append = |out: &mut Vec<u8>| joined.write_to(out);
        Some(Frame::live(
            job.sequence,
            job.captured,
            joined.len(),
            append,
        ))
    }

    /// How long it has been with the encoders.
    pub fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    /// The buffer of its pixels, to use again.
    pub fn into_buffer(self) -> Mat {
        self.job.picture.into_buffer()
    }
}

/// The rows of one stripe: whole MCUs of the tallest kind, the rest in the last.
pub fn stripe_rows(rows: i32, stripes: usize, stripe: usize) -> Range<i32> {
    let each = (rows + 16 * stripes as i32 - 1) / (16 * stripes as i32) * 16;
    let start = each * stripe as i32;
    start..if stripe + 1 == stripes {
        rows
    } else {
        start + each
    }
}
