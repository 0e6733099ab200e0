//! The encoders: a small pool that turns pictures into frames.
//!
//! Each worker takes a picture, converts and turns it where asked, encodes it and publishes it.
//! Workers finish in any order; the slot drops whoever comes late. They never make capture wait:
//! the channel to them holds one picture, and a full channel is a skipped picture. Emptied pixel
//! buffers go back to capture, so that a picture of some megabytes is not allocated thirty times
//! a second.

use crate::{
    camera::Camera,
    capture::draw,
    config::{Flip, Rotate, Turn},
    error::Error,
    frame::{Frame, Stamp},
};
use crossbeam_channel::{Receiver, Sender, bounded};
use log::{debug, warn};
use opencv::{
    core::{self, Mat, Vector},
    imgcodecs, imgproc,
    prelude::*,
};
use std::{sync::Arc, thread, time::Instant};

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

/// A picture on its way to an encoder.
#[derive(Debug)]
pub struct Job {
    /// What to encode.
    pub picture: Picture,
    /// The sequence its frame will have.
    pub sequence: u64,
    /// When it was taken.
    pub captured: Stamp,
}

/// The capture side of the pool.
#[derive(Debug, Clone)]
pub struct Encoders {
    jobs: Sender<Job>,
    /// Pixel buffers to use again.
    spare: Receiver<Mat>,
}

impl Encoders {
    /// True when a picture handed over now would have to wait.
    pub fn are_busy(&self) -> bool {
        self.jobs.is_full()
    }

    /// Hands a picture over; dropped when every encoder is busy.
    pub fn take(&self, job: Job) -> bool {
        self.jobs.try_send(job).is_ok()
    }

    /// A pixel buffer to fill, used before if there is one.
    pub fn buffer(&self) -> Mat {
        self.spare.try_recv().unwrap_or_default()
    }
}

/// Starts the workers of `camera`; they run until every [`Encoders`] is dropped.
pub fn start(camera: &Arc<Camera>) -> Result<Encoders, Error> {
    let workers = camera.config.workers.0;
    let (jobs, queue) = bounded::<Job>(1);
    let (emptied, spare) = bounded(workers + 2);
    for number in 0..workers {
        let name = format!("encode-{number}");
        let (camera, queue, emptied) = (Arc::clone(camera), queue.clone(), emptied.clone());
        thread::Builder::new()
            .name(name.clone())
            .spawn(move || work(&camera, &queue, &emptied))
            .map_err(|source| Error::Thread { name, source })?;
    }
    Ok(Encoders { jobs, spare })
}

/// Runs until the capture side is gone; a picture that cannot be encoded is dropped and said once.
fn work(camera: &Camera, queue: &Receiver<Job>, emptied: &Sender<Mat>) {
    let mut encoder = Encoder::new(camera.config.quality.0);
    let overlay = camera.config.overlay.as_ref();
    let mut has_complained = false;
    for Job {
        picture,
        sequence,
        captured,
    } in queue
    {
        let started = Instant::now();
        let text = overlay.map(|overlay| captured.local().strftime(&overlay.0).to_string());
        match encoder.encode(&picture, camera.config.turn, text.as_deref()) {
            Ok(jpeg) => {
                camera.stats.encode_time.add(started.elapsed());
                camera.stats.encoded.bump();
                let frame = Frame::live(sequence, captured, jpeg.len(), |out| {
                    out.extend_from_slice(jpeg)
                });
                camera.publish(frame);
            }
            Err(error) => {
                camera.stats.dropped.bump();
                if has_complained {
                    debug!("picture dropped: {error}");
                } else {
                    warn!("picture dropped: {error} (further ones are counted in /state)");
                    has_complained = true;
                }
            }
        }
        let (Picture::Raw(mat, _) | Picture::Jpeg(mat)) = picture;
        // Full means there are spare buffers enough.
        let _ = emptied.try_send(mat);
    }
}

/// Everything one worker needs, used again for each picture.
#[derive(Debug)]
pub struct Encoder {
    params: Vector<i32>,
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
            params: Vector::from_slice(&[imgcodecs::IMWRITE_JPEG_QUALITY, quality]),
            converted: Mat::default(),
            turned: Mat::default(),
            mirrored: Mat::default(),
            written: Mat::default(),
            jpeg: Vector::new(),
        }
    }

    /// The JPEG of `picture`, turned as asked, with `text` in its lower left corner.
    pub fn encode(
        &mut self,
        picture: &Picture,
        turn: Turn,
        text: Option<&str>,
    ) -> Result<&[u8], Error> {
        self.encode_steps(picture, turn, text)
            .map_err(|error| Error::Picture {
                operation: "encode a picture",
                reason: error.message,
            })?;
        Ok(self.jpeg.as_slice())
    }

    fn encode_steps(
        &mut self,
        picture: &Picture,
        turn: Turn,
        text: Option<&str>,
    ) -> opencv::Result<()> {
        let upright = match picture {
            Picture::Raw(mat, Pixels::Bgr | Pixels::Gray) => mat,
            Picture::Raw(mat, Pixels::Yuyv) => {
                imgproc::cvt_color_def(mat, &mut self.converted, imgproc::COLOR_YUV2BGR_YUYV)?;
                &self.converted
            }
            Picture::Raw(mat, Pixels::Uyvy) => {
                imgproc::cvt_color_def(mat, &mut self.converted, imgproc::COLOR_YUV2BGR_UYVY)?;
                &self.converted
            }
            Picture::Jpeg(bytes) => {
                // An EXIF orientation is the camera's word on how it is mounted; leave it to
                // `--rotate`, as pass-through does.
                let flags = imgcodecs::IMREAD_COLOR | imgcodecs::IMREAD_IGNORE_ORIENTATION;
                self.converted = imgcodecs::imdecode(bytes, flags)?;
                if self.converted.empty() {
                    return Err(opencv::Error::new(core::StsError, "it is no whole JPEG"));
                }
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
        if imgcodecs::imencode(".jpg", finished, &mut self.jpeg, &self.params)? {
            Ok(())
        } else {
            Err(opencv::Error::new(
                core::StsError,
                "OpenCV has no JPEG encoder",
            ))
        }
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
            .encode(&Picture::Raw(picture(), Pixels::Bgr), turn, None)
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
    fn a_broken_jpeg_is_refused_in_words() {
        let broken = Mat::from_slice(b"not a JPEG")
            .expect("a slice")
            .try_clone()
            .expect("cloned");
        let mut encoder = Encoder::new(80);
        let error = encoder
            .encode(&Picture::Jpeg(broken), Turn::default(), None)
            .expect_err("broken");
        assert!(
            error.to_string().starts_with("cannot encode a picture: "),
            "{error}"
        );
    }
}
