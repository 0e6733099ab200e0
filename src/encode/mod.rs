//! The encoders: a small pool that turns pictures into frames.
//!
//! A picture that is only encoded is cut into stripes, one per worker, so that a frame is as young
//! as the cores allow; one that is turned or written on is one worker's. Whoever finishes a
//! picture's last stripe joins and publishes it; the slot drops whoever comes late. They never make
//! capture wait: the channel to them holds one picture, and a picture that finds it there is
//! skipped. Emptied pixel buffers go back to capture, so that a picture of some megabytes is not
//! allocated thirty times a second.

mod decode;
mod encoder;
mod planes;
#[cfg(test)]
mod tests;
pub mod text;

pub use decode::decodes_cleanly;
pub use encoder::Encoder;

use crate::{
    error::Error,
    feed::{
        camera::Camera,
        frame::{CaptureTime, Frame},
    },
    jpeg,
    system::{fault_injection, log_limit::LogLimiter},
};
use crossbeam_channel::{Receiver, Sender, bounded};
use log::{error, warn};
use opencv::{
    core::{self, Mat},
    prelude::*,
};
use std::{
    panic::{self, AssertUnwindSafe},
    sync::{Arc, OnceLock},
    thread,
    time::Instant,
};

/// A stripe has at least so many rows: below that its overhead counts.
const STRIPE_ROWS: usize = 128;

/// What a source yields.
#[derive(Debug)]
pub enum Picture {
    /// Raw pixels, rows × columns.
    Raw(Mat, Pixels),
    /// A JPEG straight from the device: 1 × bytes.
    Jpeg(Mat),
}

/// How raw pixels are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pixels {
    /// Three bytes a pixel: blue, green, red.
    Bgr,
    /// One byte a pixel.
    Gray,
    /// Two bytes a pixel: Y U Y V.
    Yuyv,
    /// Two bytes a pixel: U Y V Y.
    Uyvy,
}

impl Pixels {
    /// True when two pixels beside each other have one colour: their width is even.
    pub fn shares_colours(self) -> bool {
        matches!(self, Pixels::Yuyv | Pixels::Uyvy)
    }
}

/// A picture on its way to its frame. Its stripes are encoded apart, each by whichever worker is
/// free; who drops it last joins them.
#[derive(Debug)]
pub struct EncodeJob {
    /// What to encode.
    pub picture: Picture,
    /// The sequence its frame will have.
    pub sequence: u64,
    /// When it was taken.
    pub captured: CaptureTime,
    /// JPEG quality, the same for all its stripes.
    pub quality: i32,
}

/// A picture whose stripes are being encoded.
#[derive(Debug)]
struct StripedPicture {
    job: EncodeJob,
    begun: Instant,
    /// One for each stripe, top to bottom; `None` for one that failed.
    jpegs: Vec<OnceLock<Option<Vec<u8>>>>,
}

/// One worker's share of a picture.
#[derive(Debug)]
struct StripeTask {
    shared: Arc<StripedPicture>,
    stripe: usize,
}

/// The capture side of the pool.
#[derive(Debug, Clone)]
pub struct Encoders {
    tasks: Sender<StripeTask>,
    /// Pixel buffers to use again.
    spare: Receiver<Mat>,
    workers: usize,
    /// Pictures are only converted and encoded: stripes need not know of each other.
    is_plain: bool,
}

impl Encoders {
    /// True when a picture handed over now would have to wait.
    pub fn are_busy(&self) -> bool {
        !self.tasks.is_empty()
    }

    /// Hands a picture over; dropped when every encoder is busy.
    pub fn take(&self, job: EncodeJob) -> bool {
        let stripes = match &job.picture {
            Picture::Raw(mat, _) if self.is_plain => {
                self.workers.min(mat.rows() as usize / STRIPE_ROWS).max(1)
            }
            _ => 1,
        };
        // Nothing of the picture stays here: a worker that is quicker than this thread would find
        // that it is not the last to hold it, and nobody would join its stripes.
        let mut tasks = split(job, stripes).into_iter();
        tasks.all(|task| self.tasks.try_send(task).is_ok())
    }

    /// A pixel buffer to fill, used before if there is one.
    pub fn buffer(&self) -> Mat {
        self.spare.try_recv().unwrap_or_default()
    }
}

/// A task for each stripe; they alone hold the picture.
fn split(job: EncodeJob, stripes: usize) -> Vec<StripeTask> {
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

/// Starts the workers of `camera`; they run until every [`Encoders`] is dropped.
pub fn start(camera: &Arc<Camera>) -> Result<Encoders, Error> {
    let workers = camera.config.workers.0;
    let (tasks, queue) = bounded::<StripeTask>(workers);
    let (emptied, spare) = bounded(workers + 2);
    for number in 0..workers {
        let name = format!("encode-{number}");
        let (camera, queue, emptied) = (Arc::clone(camera), queue.clone(), emptied.clone());
        thread::Builder::new()
            .name(name.clone())
            .spawn(move || {
                let one =
                    || panic::catch_unwind(AssertUnwindSafe(|| work(&camera, &queue, &emptied)));
                while one().is_err() {
                    error!("an encoder failed and is begun again");
                }
            })
            .map_err(|source| Error::Thread { name, source })?;
    }
    let is_plain = camera.config.turn.is_none() && camera.config.overlay.is_none();
    Ok(Encoders {
        tasks,
        spare,
        workers,
        is_plain,
    })
}

/// Runs until the capture side is gone; a picture that cannot be encoded is dropped, with a line a minute.
fn work(camera: &Camera, queue: &Receiver<StripeTask>, emptied: &Sender<Mat>) {
    let mut encoder = Encoder::new(camera.quality());
    let dropped_lines = LogLimiter::per_minute(1);
    for StripeTask { shared, stripe } in queue {
        assert!(!fault_injection::is_due("encode"), "a fault on purpose");
        let jpeg = encode_stripe(&mut encoder, &shared, stripe, camera);
        if let Err(error) = &jpeg {
            if let Some(suppressed) = dropped_lines.permit() {
                warn!("picture dropped: {error}{suppressed}");
            }
        }
        let _ = shared.jpegs[stripe].set(jpeg.ok());
        // Exactly one of the workers gets the picture back: the last one to finish.
        if let Some(shared) = Arc::into_inner(shared) {
            finish(camera, &shared);
            let (Picture::Raw(mat, _) | Picture::Jpeg(mat)) = shared.job.picture;
            // Full means there are spare buffers enough.
            let _ = emptied.try_send(mat);
        }
    }
}

fn encode_stripe(
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
fn stripe_rows(rows: i32, stripes: usize, stripe: usize) -> std::ops::Range<i32> {
    let each = (rows + 16 * stripes as i32 - 1) / (16 * stripes as i32) * 16;
    let start = each * stripe as i32;
    start..if stripe + 1 == stripes {
        rows
    } else {
        start + each
    }
}

/// Joins the stripes and publishes the frame.
fn finish(camera: &Camera, shared: &StripedPicture) {
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
