//! The encoders: the program's pool of threads that turn pictures into frames.
//!
//! A picture that is only encoded is cut into stripes, one per worker, so that a frame is as young
//! as the cores allow; one that is changed as a whole before is one worker's. Whoever finishes a
//! picture's last stripe joins and publishes it; the slot drops whoever comes late. They never make
//! capture wait: the queue of a camera holds one picture, and a picture that finds it there is
//! skipped. Emptied pixel buffers go back to capture, so that a picture of some megabytes is not
//! allocated thirty times a second.
//!
//! All cameras share the threads, of which there are as many as the camera that asks for most has workers;
//! `turns` says whose picture is next. The lock is held for as long as it takes to say so.

use crate::{
    encode::{
        encoder::Encoder,
        job::{EncodeJob, Picture},
        stripes::{self, StripeTask, StripedPicture},
        turns::Turns,
    },
    error::Error,
    feed::camera::Camera,
    system::{fault_injection, log_limit::LogLimiter, logging, threads},
};
use crossbeam_channel::{Receiver, Sender, bounded};
use log::{error, warn};
use opencv::core::Mat;
use parking_lot::{Condvar, Mutex};
use std::{
    panic::{self, AssertUnwindSafe},
    sync::Arc,
};

/// The one of the program: its threads are the cores' share.
static POOL: EncoderPool = EncoderPool::new();

/// The workers of `camera`, which may be busy with other cameras' pictures.
pub fn start(camera: &Arc<Camera>) -> Result<Encoders, Error> {
    POOL.queue_for(camera)
}

/// See the module. Its threads run as long as the program.
#[derive(Debug)]
struct EncoderPool {
    /// Held for the time of an insert or a remove.
    state: Mutex<PoolState>,
    /// There is a task for one who waits.
    due: Condvar,
}

#[derive(Debug)]
struct PoolState {
    turns: Turns<(Arc<Outlet>, StripeTask)>,
    threads: usize,
    /// Of these, waiting.
    idle: usize,
}

/// Where a camera's frames and emptied buffers go.
#[derive(Debug)]
struct Outlet {
    camera: Arc<Camera>,
    emptied: Sender<Mat>,
    /// Begins the lines of the log about its pictures.
    label: Option<Arc<str>>,
}

/// The capture side of the pool, of one camera.
#[derive(Debug, Clone)]
pub struct Encoders {
    queue: Arc<CameraQueue>,
    outlet: Arc<Outlet>,
    /// Pixel buffers to use again.
    spare: Receiver<Mat>,
}

/// A camera's queue in the pool, which goes when this is dropped.
#[derive(Debug)]
struct CameraQueue {
    pool: &'static EncoderPool,
    id: u64,
}

impl Drop for CameraQueue {
    fn drop(&mut self) {
        let left = self.pool.state.lock().turns.remove(self.id);
        // Pictures are freed here, outside the lock.
        drop(left);
    }
}

impl Encoders {
    /// True when a picture handed over now would have to wait.
    pub fn are_busy(&self) -> bool {
        let queue = &self.queue;
        !queue.pool.state.lock().turns.is_empty(queue.id)
    }

    /// Hands a picture over; dropped when one of this camera waits already.
    pub fn take(&self, job: EncodeJob) -> bool {
        let config = &self.outlet.camera.config;
        let stripes = match &job.picture {
            Picture::Raw(mat, pixels) if stripes::as_it_is(*pixels, config).is_some() => {
                stripes::count(pixels.rows(mat), config.workers)
            }
            _ => 1,
        };
        let tasks = stripes::split(job, stripes).into_iter();
        let tasks = tasks.map(|task| (Arc::clone(&self.outlet), task));
        self.queue.pool.put(self.queue.id, tasks.collect())
    }

    /// A pixel buffer to fill, used before if there is one.
    pub fn buffer(&self) -> Mat {
        self.spare.try_recv().unwrap_or_default()
    }
}

impl EncoderPool {
    const fn new() -> EncoderPool {
        EncoderPool {
            state: Mutex::new(PoolState {
                turns: Turns::new(),
                threads: 0,
                idle: 0,
            }),
            due: Condvar::new(),
        }
    }

    /// A queue for `camera`, and more threads if it has more workers than there are.
    fn queue_for(&'static self, camera: &Arc<Camera>) -> Result<Encoders, Error> {
        let workers = camera.config.workers;
        let (emptied, spare) = bounded(workers + 2);
        let mut state = self.state.lock();
        while state.threads < workers {
            threads::start(&format!("encode-{}", state.threads), || self.run())?;
            state.threads += 1;
        }
        Ok(Encoders {
            queue: Arc::new(CameraQueue {
                pool: self,
                id: state.turns.add(workers),
            }),
            outlet: Arc::new(Outlet {
                camera: Arc::clone(camera),
                emptied,
                label: camera.address().map(Arc::from),
            }),
            spare,
        })
    }

    /// Puts the stripes of a picture into a queue and wakes as many as are needed.
    fn put(&self, id: u64, tasks: Vec<(Arc<Outlet>, StripeTask)>) -> bool {
        let count = tasks.len();
        let (is_taken, idle) = {
            let mut state = self.state.lock();
            (state.turns.put(id, tasks), state.idle)
        };
        if is_taken {
            for _ in 0..count.min(idle) {
                self.due.notify_one();
            }
        }
        is_taken
    }

    /// Runs as long as the program.
    fn run(&self) {
        let one = || panic::catch_unwind(AssertUnwindSafe(|| self.work()));
        while one().is_err() {
            error!("an encoder failed and is begun again");
        }
    }

    /// Encodes whatever comes next; a picture that cannot be encoded is dropped, with a line a minute.
    fn work(&self) {
        let mut encoder = Encoder::default();
        let dropped_lines = LogLimiter::per_minute(1);
        loop {
            let (id, (outlet, task)) = self.next();
            let _running = Running { pool: self, id };
            logging::set_label(outlet.label.clone());
            assert!(!fault_injection::is_due("encode"), "a fault on purpose");
            let jpeg = task.encode(&mut encoder, &outlet.camera.config);
            if let Err(error) = &jpeg {
                if let Some(suppressed) = dropped_lines.permit() {
                    warn!("picture dropped: {error}{suppressed}");
                }
            }
            if let Some(picture) = task.finish(jpeg.ok()) {
                publish(&outlet.camera, &picture);
                // Full means there are spare buffers enough.
                let _ = outlet.emptied.try_send(picture.into_buffer());
            }
        }
    }

    /// Waits for the task that comes next; its queue's id is told when it is done.
    fn next(&self) -> (u64, (Arc<Outlet>, StripeTask)) {
        let mut state = self.state.lock();
        loop {
            if let Some(next) = state.turns.take() {
                // What became due with the last that was done is somebody's who waits.
                if state.idle > 0 && state.turns.is_due() {
                    self.due.notify_one();
                }
                return next;
            }
            state.idle += 1;
            self.due.wait(&mut state);
            state.idle -= 1;
        }
    }
}

/// A task that a worker has taken; done when dropped, be it by a panic.
struct Running<'a> {
    pool: &'a EncoderPool,
    id: u64,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.pool.state.lock().turns.done(self.id);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::{Config, args},
        encode::job::Pixels,
        feed::{frame::CaptureTime, slot::WaitOutcome},
    };
    use opencv::{
        core::{CV_8UC3, Scalar},
        prelude::*,
    };
    use std::{
        sync::atomic::{AtomicBool, Ordering},
        thread,
        time::{Duration, Instant},
    };

    fn pool() -> &'static EncoderPool {
        Box::leak(Box::new(EncoderPool::new()))
    }

    fn camera(workers: &str) -> Arc<Camera> {
        let args = args::parse(&["--source", "test", "--workers", workers]).expect("good");
        Arc::new(Camera::new(Config::from(args).cameras.first().clone()))
    }

    fn picture(rows: i32, columns: i32) -> Mat {
        let mat = Mat::new_rows_cols_with_default(rows, columns, CV_8UC3, Scalar::all(9.0));
        mat.expect("made")
    }

    fn job(camera: &Camera, mat: Mat) -> EncodeJob {
        EncodeJob {
            picture: Picture::Raw(mat, Pixels::Bgr),
            sequence: camera.next_sequence(),
            captured: CaptureTime::now(),
            quality: 80,
        }
    }

    #[test]
    fn a_camera_that_floods_the_encoders_keeps_no_other_from_them() {
        let pool = pool();
        let (large, small) = (camera("1"), camera("1"));
        let flood = pool.queue_for(&large).expect("a thread");
        let encoders = pool.queue_for(&small).expect("no more threads");
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            // A picture of it waits whenever one is finished.
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    let used = Some(flood.buffer()).filter(|mat| !mat.empty());
                    let next = used.unwrap_or_else(|| picture(1080, 1920));
                    while flood.are_busy() {
                        thread::yield_now();
                    }
                    flood.take(job(&large, next));
                }
            });
            let far = Instant::now() + Duration::from_secs(60);
            large.slot.wait_newer(0, far);
            let are_well = (0..10).all(|number| {
                assert!(encoders.take(job(&small, picture(120, 160))));
                matches!(small.slot.wait_newer(number, far), WaitOutcome::Newer(_))
            });
            is_over.store(true, Ordering::Relaxed);
            assert!(are_well, "its pictures are not encoded");
        });
        assert!(large.stats.encoded.get() > 1, "both are served");
    }

    #[test]
    fn there_are_as_many_threads_as_the_camera_with_the_most_workers_has() {
        let pool = pool();
        let mut counts = Vec::new();
        for workers in ["2", "1", "3", "2"] {
            pool.queue_for(&camera(workers)).expect("threads");
            counts.push(pool.state.lock().threads);
        }
        assert_eq!(counts, [2, 2, 3, 3]);
    }

    #[test]
    fn a_queue_goes_with_the_last_of_its_encoders() {
        let pool = pool();
        let camera = camera("1");
        let encoders = pool.queue_for(&camera).expect("a thread");
        let same = encoders.clone();
        drop(encoders);
        assert!(same.take(job(&camera, picture(16, 16))));
        let far = Instant::now() + Duration::from_secs(60);
        assert!(matches!(
            camera.slot.wait_newer(0, far),
            WaitOutcome::Newer(_)
        ));
        let id = same.queue.id;
        drop(same);
        assert!(!pool.state.lock().turns.put(id, Vec::new()), "it is gone");
    }
}
