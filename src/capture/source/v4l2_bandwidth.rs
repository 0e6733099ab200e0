//! What fits on a USB bus that has no bandwidth left for what was asked of a camera. It is tried, not
//! computed: what a camera reserves is its firmware's secret.
//!
//! Only while nobody else has the camera open, and once an outage: each try starts it for a moment.

use crate::{
    capture::{
        online_log::rate,
        source::{
            raw,
            v4l2_devices::{self, FormatInfo, fourcc, fourcc_text},
            v4l2_driver,
        },
    },
    config::Size,
    system::shutdown::ShutdownFlag,
};
use linuxvideo::{
    BufType, Device as Node, Fract,
    format::{Format, PixFormat, PixelFormat},
};
use parking_lot::Mutex;
use std::{
    io,
    path::Path,
    time::{Duration, Instant},
};

/// As many starts at most, and as long: a camera needs some tenths of a second for one.
const MOST_TRIES: usize = 12;
const LONGEST: Duration = Duration::from_secs(3);

/// Rates this near are the same: a driver gives the time between two pictures.
const SAME_FPS: f64 = 0.01;

/// What is said to a user, tried once in an outage.
#[derive(Debug, Default)]
pub struct BandwidthAdvice {
    /// What came of it; held for the time of a copy.
    words: Mutex<Option<String>>,
}

/// What a camera is asked for.
#[derive(Debug, Clone, PartialEq)]
struct Mode {
    /// V4L2's code.
    format: String,
    size: Size,
    fps: f64,
}

impl BandwidthAdvice {
    /// Why the camera at `path` does not start, with options that let it start. Nobody has it open.
    pub fn of(&self, path: &Path, stop: &ShutdownFlag) -> String {
        let known = self.words.lock().clone();
        known.unwrap_or_else(|| {
            let words = asked_of(path).map(|asked| {
                let fits = what_fits(path, &asked, stop);
                words(&asked, &fits)
            });
            let words = words.unwrap_or_else(|_| no_bandwidth_for("it"));
            *self.words.lock() = Some(words.clone());
            words
        })
    }

    /// The camera is online: another outage has another reason.
    pub fn forget(&self) {
        *self.words.lock() = None;
    }
}

/// Said where nothing was tried, or nothing fits.
pub fn no_bandwidth_for(asked: &str) -> String {
    format!(
        "the USB bus has no bandwidth left for {asked}: another port or bus, `--format mjpg`, a smaller `--size` \
         or a lower `--fps` helps"
    )
}

fn words(asked: &Mode, fits: &[Mode]) -> String {
    let (format, size, fps) = (&asked.format, asked.size, rate(asked.fps));
    let what = format!("{size} {format} at {fps} fps");
    let options: Vec<_> = fits.iter().map(|mode| options(asked, mode)).collect();
    let options = match options.split_last() {
        None => {
            return format!(
                "the USB bus has no bandwidth left for {what}: nothing else that the camera offers was found to \
                 fit; another port or bus helps, or less from another camera there"
            );
        }
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
    };
    format!(
        "the USB bus has no bandwidth left for {what}: what fits is {options} (another port or bus helps, too)"
    )
}

/// What asks for `mode` in place of `asked`.
fn options(asked: &Mode, mode: &Mode) -> String {
    let mut options = Vec::new();
    if mode.format != asked.format {
        options.push(format!("--format {}", mode.format.to_lowercase()));
    }
    if mode.size != asked.size {
        options.push(format!("--size {}", mode.size));
    }
    if mode.fps < asked.fps - SAME_FPS {
        options.push(format!("--fps {}", rate(mode.fps)));
    }
    format!("`{}`", options.join(" "))
}

/// What OpenCV asked the camera for.
fn asked_of(path: &Path) -> io::Result<Mode> {
    let node = Node::open(path)?;
    let Format::VideoCapture(format) = node.format(BufType::VIDEO_CAPTURE)? else {
        return Err(io::ErrorKind::Unsupported.into());
    };
    Ok(Mode {
        format: fourcc_text(u32::from_le_bytes(format.pixel_format().as_fourcc())),
        size: Size {
            width: format.width(),
            height: format.height(),
        },
        fps: v4l2_driver::rate(&node).ok_or(io::ErrorKind::Unsupported)?,
    })
}

/// The best of each kind of what may fit, as far as it starts. The camera is asked for the same as before
/// then.
fn what_fits(path: &Path, asked: &Mode, stop: &ShutdownFlag) -> Vec<Mode> {
    let offers = v4l2_devices::describe(path).map(|camera| camera.formats);
    let (mut tries, until) = (0, Instant::now() + LONGEST);
    let mut starts = |mode: &Mode| {
        tries += 1;
        let is_over = tries > MOST_TRIES || Instant::now() >= until || stop.is_set();
        (!is_over).then(|| start(path, mode).is_ok())
    };
    let kinds = candidates(asked, &offers.unwrap_or_default());
    let fits = kinds
        .iter()
        .filter_map(|kind| first_that(kind, &mut starts));
    let fits = fits.collect();
    let _ = ask_for(path, asked);
    fits
}

/// What may fit in place of `asked`: its compressed formats, smaller pictures, fewer pictures; each from the
/// most to the least.
fn candidates(asked: &Mode, offers: &[FormatInfo]) -> [Vec<Mode>; 3] {
    let pixels = |size: Size| u64::from(size.width) * u64::from(size.height);
    let modes = |is_meant: &dyn Fn(&str) -> bool| {
        let offers = offers.iter().filter(|offer| is_meant(&offer.fourcc));
        let modes = offers.flat_map(|offer| {
            let modes = offer.modes.iter();
            modes.filter_map(|(size, rates)| {
                // The rates are in order, fastest first.
                let as_asked = rates.iter().find(|fps| **fps <= asked.fps + SAME_FPS);
                let mode = Mode {
                    format: offer.fourcc.clone(),
                    size: *size,
                    fps: *as_asked?,
                };
                (pixels(*size) <= pixels(asked.size)).then_some(mode)
            })
        });
        let mut modes: Vec<_> = modes.collect();
        modes.sort_by_key(|mode| std::cmp::Reverse(pixels(mode.size)));
        modes
    };
    let compressed = match raw::is_jpeg(&asked.format) {
        true => Vec::new(),
        false => modes(&raw::is_jpeg),
    };
    let mut smaller = modes(&|format| format == asked.format);
    smaller.retain(|mode| mode.size != asked.size);
    let own = offers.iter().filter(|offer| offer.fourcc == asked.format);
    let own = own.flat_map(|offer| &offer.modes);
    let rates = own.filter(|(size, _)| *size == asked.size);
    let slower = rates.flat_map(|(_, rates)| rates);
    let slower = slower
        .filter(|fps| **fps < asked.fps - SAME_FPS)
        .map(|fps| Mode {
            fps: *fps,
            ..asked.clone()
        });
    [compressed, smaller, slower.collect()]
}

/// The first of `modes` that `starts`, where all behind one that does do too; it says `None` when it is not
/// asked any more.
fn first_that(modes: &[Mode], starts: &mut dyn FnMut(&Mode) -> Option<bool>) -> Option<Mode> {
    let (mut from, mut to) = (0, modes.len());
    let mut found = None;
    while from < to {
        // The most there is, and then in halves.
        let at = if from == 0 && to == modes.len() {
            0
        } else {
            (from + to) / 2
        };
        match starts(&modes[at]) {
            Some(true) => (to, found) = (at, modes.get(at).cloned()),
            Some(false) => from = at + 1,
            None => break,
        }
    }
    found
}

/// Asks the camera for pictures as OpenCV does, and ends that at once.
fn start(path: &Path, mode: &Mode) -> io::Result<()> {
    ask_for(path, mode)?.into_stream().map(drop)
}

/// Asks for `mode`, of a camera that has it.
fn ask_for(path: &Path, mode: &Mode) -> io::Result<linuxvideo::VideoCaptureDevice> {
    let code = PixelFormat::from_fourcc(fourcc(&mode.format).to_le_bytes());
    let format = PixFormat::new(mode.size.width, mode.size.height, code);
    let device = Node::open(path)?.video_capture(format)?;
    let got = device.format();
    if (got.width(), got.height()) != (mode.size.width, mode.size.height) {
        return Err(io::ErrorKind::Unsupported.into());
    }
    let thousandths = (mode.fps * 1000.0).round() as u32;
    let interval = match thousandths % 1000 {
        0 => Fract::new(1, thousandths / 1000),
        _ => Fract::new(1000, thousandths),
    };
    device.set_frame_interval(interval)?;
    Ok(device)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::slice;

    fn mode(format: &str, width: u32, height: u32, fps: f64) -> Mode {
        Mode {
            format: format.to_owned(),
            size: Size { width, height },
            fps,
        }
    }

    fn offer(format: &str) -> FormatInfo {
        let size = |width, height| Size { width, height };
        FormatInfo {
            fourcc: format.to_owned(),
            description: String::new(),
            modes: vec![
                (size(640, 480), vec![30.0, 15.0]),
                (size(1920, 1080), vec![30.0, 5.0]),
                (size(1280, 720), vec![60.0, 30.0, 10.0]),
                (size(320, 240), vec![90.0]),
            ],
        }
    }

    #[test]
    fn what_may_fit_is_less_than_what_was_asked_the_most_first() {
        let offers = [offer("YUYV"), offer("MJPG"), offer("H264")];
        let asked = mode("YUYV", 1280, 720, 30.0);
        let [compressed, smaller, slower] = candidates(&asked, &offers);
        // What is too fast for the question is left out.
        assert_eq!(
            compressed,
            [mode("MJPG", 1280, 720, 30.0), mode("MJPG", 640, 480, 30.0)]
        );
        assert_eq!(smaller, [mode("YUYV", 640, 480, 30.0)]);
        assert_eq!(slower, [mode("YUYV", 1280, 720, 10.0)]);
        let asked = mode("MJPG", 1920, 1080, 5.0);
        let [compressed, smaller, slower] = candidates(&asked, &offers);
        assert!(compressed.is_empty() && smaller.is_empty() && slower.is_empty());
    }

    #[test]
    fn the_most_that_fits_is_found_with_few_tries() {
        let modes: Vec<_> = (0..20)
            .map(|at| mode("YUYV", 1000 - at, 1000, 30.0))
            .collect();
        for first in [0, 1, 7, 19, 20] {
            let mut tries = 0;
            let mut starts = |mode: &Mode| {
                tries += 1;
                Some(mode.size.width <= 1000 - first)
            };
            let found = first_that(&modes, &mut starts).map(|mode| 1000 - mode.size.width);
            assert_eq!(found, Some(first).filter(|first| *first < 20));
            assert!(tries <= 6, "{tries}");
        }
        assert_eq!(first_that(&modes, &mut |_| None), None, "there is no time");
    }

    #[test]
    fn the_advice_names_options_as_they_are_typed() {
        let asked = mode("YUYV", 1280, 720, 30.0);
        let beginning = "the USB bus has no bandwidth left for 1280x720 YUYV at 30 fps: ";
        let format = mode("MJPG", 1280, 720, 30.0);
        let size = mode("YUYV", 640, 480, 30.0);
        let both = mode("MJPG", 640, 480, 7.5);
        for (fits, said) in [
            (
                &[][..],
                "nothing else that the camera offers was found to fit; another port or bus",
            ),
            (
                slice::from_ref(&size),
                "what fits is `--size 640x480` (another",
            ),
            (
                &[format.clone(), size.clone()],
                "what fits is `--format mjpg` or `--size 640x480` (another",
            ),
            (
                &[format.clone(), size.clone(), both],
                "what fits is `--format mjpg`, `--size 640x480` or `--format mjpg --size 640x480 --fps 7.5` (",
            ),
        ] {
            let words = words(&asked, fits);
            assert!(words.starts_with(&format!("{beginning}{said}")), "{words}");
        }
    }
}
