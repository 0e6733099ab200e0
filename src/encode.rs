//! The encoders: a small pool that turns pictures into frames.
//!
//! A picture that is only encoded is cut into stripes, one per worker, so that a frame is as young
//! as the cores allow; one that is turned or written on is one worker's. Whoever finishes a
//! picture's last stripe joins and publishes it; the slot drops whoever comes late. They never make
//! capture wait: the channel to them holds one picture, and a picture that finds it there is
//! skipped. Emptied pixel
//! buffers go back to capture, so that a picture of some megabytes is not allocated thirty times
//! a second.

use crate::{
    camera::Camera,
    capture::draw,
    config::{Flip, Rotate, Turn},
    error::Error,
    fault,
    frame::{Frame, Stamp},
    jpeg,
};
use crossbeam_channel::{Receiver, Sender, bounded};
use log::{debug, error, warn};
use opencv::{
    core::{self, Mat, Vector},
    imgcodecs, imgproc,
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
    /// OpenCV's code for the conversion its encoder needs, if it needs one.
    fn to_bgr(self) -> Option<i32> {
        match self {
            Pixels::Bgr | Pixels::Gray => None,
            Pixels::Yuyv => Some(imgproc::COLOR_YUV2BGR_YUYV),
            Pixels::Uyvy => Some(imgproc::COLOR_YUV2BGR_UYVY),
        }
    }
}

/// A picture on its way to its frame. Its stripes are encoded apart, each by whichever worker is
/// free; who drops it last joins them.
#[derive(Debug)]
pub struct Job {
    /// What to encode.
    pub picture: Picture,
    /// The sequence its frame will have.
    pub sequence: u64,
    /// When it was taken.
    pub captured: Stamp,
    /// JPEG quality, the same for all its stripes.
    pub quality: i32,
}

/// A picture whose stripes are being encoded.
#[derive(Debug)]
struct Shared {
    job: Job,
    begun: Instant,
    /// One for each stripe, top to bottom; `None` for one that failed.
    jpegs: Vec<OnceLock<Option<Vec<u8>>>>,
}

/// One worker's share of a picture.
#[derive(Debug)]
struct Task {
    shared: Arc<Shared>,
    stripe: usize,
}

/// The capture side of the pool.
#[derive(Debug, Clone)]
pub struct Encoders {
    tasks: Sender<Task>,
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
    pub fn take(&self, job: Job) -> bool {
        let stripes = match &job.picture {
            Picture::Raw(mat, _) if self.is_plain => {
                self.workers.min(mat.rows() as usize / STRIPE_ROWS).max(1)
            }
            _ => 1,
        };
        let jpegs = (0..stripes).map(|_| OnceLock::new()).collect();
        let shared = Arc::new(Shared {
            job,
            begun: Instant::now(),
            jpegs,
        });
        (0..stripes).all(|stripe| {
            let task = Task {
                shared: Arc::clone(&shared),
                stripe,
            };
            self.tasks.try_send(task).is_ok()
        })
    }

    /// A pixel buffer to fill, used before if there is one.
    pub fn buffer(&self) -> Mat {
        self.spare.try_recv().unwrap_or_default()
    }
}

/// Starts the workers of `camera`; they run until every [`Encoders`] is dropped.
pub fn start(camera: &Arc<Camera>) -> Result<Encoders, Error> {
    let workers = camera.config.workers.0;
    let (tasks, queue) = bounded::<Task>(workers);
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

/// Runs until the capture side is gone; a picture that cannot be encoded is dropped and said once.
fn work(camera: &Camera, queue: &Receiver<Task>, emptied: &Sender<Mat>) {
    let mut encoder = Encoder::new(camera.quality());
    let mut has_complained = false;
    for Task { shared, stripe } in queue {
        assert!(!fault::is_due("encode"), "a fault on purpose");
        let jpeg = encode_stripe(&mut encoder, &shared, stripe, camera);
        if let Err(error) = &jpeg {
            if has_complained {
                debug!("picture dropped: {error}");
            } else {
                warn!("picture dropped: {error} (further ones are counted in /state)");
                has_complained = true;
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
    shared: &Shared,
    stripe: usize,
    camera: &Camera,
) -> Result<Vec<u8>, Error> {
    let Job {
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
        let part = Mat::roi(mat, area).map_err(cannot_encode)?;
        return encoder.encode_plain(&part, *pixels).map(<[u8]>::to_vec);
    }
    let config = &camera.config;
    let text = config.overlay.as_ref();
    let text = text.map(|overlay| captured.local().strftime(&overlay.0).to_string());
    let decoded;
    let (mat, pixels) = match picture {
        Picture::Raw(mat, pixels) => (mat, *pixels),
        Picture::Jpeg(bytes) => {
            decoded = decode(bytes)?;
            (&decoded, Pixels::Bgr)
        }
    };
    encoder
        .encode(mat, pixels, config.turn, text.as_deref())
        .map(<[u8]>::to_vec)
}

fn decode(bytes: &Mat) -> Result<Mat, Error> {
    // An EXIF orientation is the camera's word on how it is mounted; leave it to `--rotate`, as
    // pass-through does.
    let flags = imgcodecs::IMREAD_COLOR | imgcodecs::IMREAD_IGNORE_ORIENTATION;
    let mat = imgcodecs::imdecode(bytes, flags).map_err(cannot_encode)?;
    if mat.empty() {
        return Err(cannot_encode(opencv::Error::new(
            core::StsError,
            "it is no whole JPEG",
        )));
    }
    Ok(mat)
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
fn finish(camera: &Camera, shared: &Shared) {
    let jpegs = shared
        .jpegs
        .iter()
        .map(|jpeg| jpeg.get().and_then(Option::as_deref));
    let Some(jpegs) = jpegs.collect::<Option<Vec<&[u8]>>>() else {
        camera.stats.dropped.bump();
        return;
    };
    let Job {
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
                camera.stats.dropped.bump();
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
    camera.stats.encoded.bump();
    camera.publish(frame);
}

fn cannot_encode(error: opencv::Error) -> Error {
    Error::Picture {
        operation: "encode a picture",
        reason: error.message,
    }
}

/// Everything one worker needs, used again for each picture.
#[derive(Debug)]
pub struct Encoder {
    params: Vector<i32>,
    /// What `params` says.
    quality: i32,
    converted: Mat,
    turned: Mat,
    mirrored: Mat,
    written: Mat,
    jpeg: Vector<u8>,
}

impl Encoder {
    /// `quality` is 1 to 100.
    pub fn new(quality: i32) -> Encoder {
        Encoder {
            params: parameters(quality),
            quality,
            converted: Mat::default(),
            turned: Mat::default(),
            mirrored: Mat::default(),
            written: Mat::default(),
            jpeg: Vector::new(),
        }
    }

    /// From now on; 1 to 100.
    fn set_quality(&mut self, quality: i32) {
        if self.quality != quality {
            self.quality = quality;
            self.params = parameters(quality);
        }
    }

    /// The JPEG of the pixels in `mat`, turned as asked, with `text` in its lower left corner.
    pub fn encode(
        &mut self,
        mat: &Mat,
        pixels: Pixels,
        turn: Turn,
        text: Option<&str>,
    ) -> Result<&[u8], Error> {
        self.encode_steps(mat, pixels, turn, text)
            .map_err(cannot_encode)?;
        Ok(self.jpeg.as_slice())
    }

    /// The JPEG of the pixels in `mat`, as they are.
    fn encode_plain(
        &mut self,
        mat: &impl core::ToInputArray,
        pixels: Pixels,
    ) -> Result<&[u8], Error> {
        match pixels.to_bgr() {
            None => compress(mat, &mut self.jpeg, &self.params),
            Some(code) => imgproc::cvt_color_def(mat, &mut self.converted, code)
                .and_then(|()| compress(&self.converted, &mut self.jpeg, &self.params)),
        }
        .map_err(cannot_encode)?;
        Ok(self.jpeg.as_slice())
    }

    fn encode_steps(
        &mut self,
        mat: &Mat,
        pixels: Pixels,
        turn: Turn,
        text: Option<&str>,
    ) -> opencv::Result<()> {
        let upright = match pixels.to_bgr() {
            None => mat,
            Some(code) => {
                imgproc::cvt_color_def(mat, &mut self.converted, code)?;
                &self.converted
            }
        };
        let rotated = match turn.rotate {
            Rotate::None => upright,
            angle => {
                let code = match angle {
                    Rotate::Quarter => core::ROTATE_90_CLOCKWISE,
                    Rotate::Half => core::ROTATE_180,
                    _ => core::ROTATE_90_COUNTERCLOCKWISE,
                };
                core::rotate(upright, &mut self.turned, code)?;
                &self.turned
            }
        };
        let finished = match turn.flip {
            Flip::None => rotated,
            flip => {
                let code = match flip {
                    Flip::Horizontal => 1,
                    Flip::Vertical => 0,
                    _ => -1,
                };
                core::flip(rotated, &mut self.mirrored, code)?;
                &self.mirrored
            }
        };
        let finished = match text {
            None => finished,
            Some(text) => {
                finished.copy_to(&mut self.written)?;
                draw::label(&mut self.written, text)?;
                &self.written
            }
        };
        compress(finished, &mut self.jpeg, &self.params)
    }
}

fn parameters(quality: i32) -> Vector<i32> {
    Vector::from_slice(&[imgcodecs::IMWRITE_JPEG_QUALITY, quality])
}

fn compress(
    mat: &impl core::ToInputArray,
    jpeg: &mut Vector<u8>,
    params: &Vector<i32>,
) -> opencv::Result<()> {
    if imgcodecs::imencode(".jpg", mat, jpeg, params)? {
        Ok(())
    } else {
        Err(opencv::Error::new(
            core::StsError,
            "OpenCV has no JPEG encoder",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
