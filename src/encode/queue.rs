//! The encoders: a small pool that turns pictures into frames.
//!
//! A picture that is only encoded is cut into stripes, one per worker, so that a frame is as young
//! as the cores allow; one that is changed as a whole before is one worker's. Whoever finishes a
//! picture's last stripe joins and publishes it; the slot drops whoever comes late. They never make
//! capture wait: the channel to them holds one picture, and a picture that finds it there is
//! skipped. Emptied pixel buffers go back to capture, so that a picture of some megabytes is not
//! allocated thirty times a second.

use crate::{
    encode::{
        encoder::Encoder,
        job::{EncodeJob, Picture},
        stripes::{self, StripeTask, StripedPicture},
    },
    error::Error,
    feed::camera::Camera,
    system::{fault_injection, log_limit::LogLimiter, threads},
};
use crossbeam_channel::{Receiver, Sender, bounded};
use log::{error, warn};
use opencv::core::Mat;
use std::{
    panic::{self, AssertUnwindSafe},
    sync::Arc,
};

/// The capture side of the pool.
#[derive(Debug, Clone)]
pub struct Encoders {
    tasks: Sender<StripeTask>,
    /// Pixel buffers to use again.
    spare: Receiver<Mat>,
    camera: Arc<Camera>,
}

impl Encoders {
    /// True when a picture handed over now would have to wait.
    pub fn are_busy(&self) -> bool {
        !self.tasks.is_empty()
    }

    /// Hands a picture over; dropped when every encoder is busy.
    pub fn take(&self, job: EncodeJob) -> bool {
        let config = &self.camera.config;
        let stripes = match &job.picture {
            Picture::Raw(mat, pixels) if stripes::as_it_is(*pixels, config).is_some() => {
                stripes::count(pixels.rows(mat), config.workers)
            }
            _ => 1,
        };
        // Nothing of the picture stays here: a worker that is quicker than this thread would find
        // that it is not the last to hold it, and nobody would join its stripes.
        let mut tasks = stripes::split(job, stripes).into_iter();
        tasks.all(|task| self.tasks.try_send(task).is_ok())
    }

    /// A pixel buffer to fill, used before if there is one.
    pub fn buffer(&self) -> Mat {
        self.spare.try_recv().unwrap_or_default()
    }
}

/// Starts the workers of `camera`; they run until every [`Encoders`] is dropped.
pub fn start(camera: &Arc<Camera>) -> Result<Encoders, Error> {
    let workers = camera.config.workers;
    let (tasks, queue) = bounded::<StripeTask>(workers);
    let (emptied, spare) = bounded(workers + 2);
    for number in 0..workers {
        let name = format!("encode-{number}");
        let (camera, queue, emptied) = (Arc::clone(camera), queue.clone(), emptied.clone());
        threads::start(&name, move || {
            let one = || panic::catch_unwind(AssertUnwindSafe(|| work(&camera, &queue, &emptied)));
            while one().is_err() {
                error!("an encoder failed and is begun again");
            }
        })?;
    }
    Ok(Encoders {
        tasks,
        spare,
        camera: Arc::clone(camera),
    })
}

/// Runs until the capture side is gone; a picture that cannot be encoded is dropped, with a line a minute.
fn work(camera: &Camera, queue: &Receiver<StripeTask>, emptied: &Sender<Mat>) {
    let mut encoder = Encoder::default();
    let dropped_lines = LogLimiter::per_minute(1);
    for task in queue {
        assert!(!fault_injection::is_due("encode"), "a fault on purpose");
        let jpeg = task.encode(&mut encoder, &camera.config);
        if let Err(error) = &jpeg {
            if let Some(suppressed) = dropped_lines.permit() {
                warn!("picture dropped: {error}{suppressed}");
            }
        }
        if let Some(picture) = task.finish(jpeg.ok()) {
            publish(camera, &picture);
            // Full means there are spare buffers enough.
            let _ = emptied.try_send(picture.into_buffer());
        }
    }
}

fn publish(camera: &Camera, picture: &StripedPicture) {
    let stats = &camera.stats;
    let Some(frame) = picture.join() else {
        stats.dropped.increment();
        return;
    };
    let time = picture.elapsed();
    stats.encode_time.add(time);
    stats.encode_times.add(time);
    stats.encoded.increment();
    camera.publish(frame);
}
