//! The built-in test pattern: colour bars, a dot that runs, the wall clock to the millisecond and
//! the frame number, at an exact pace and without any asset.
//!
//! The bars are drawn once; each picture is a copy of them with the moving parts on top.

use crate::{
    capture::source::{Opened, Source},
    config::{CameraConfig, Pattern, Size},
    encode::{Picture, Pixels, text},
    error::Error,
    feed::{
        camera::{RequestedFormat, SourceInfo},
        frame::CaptureTime,
    },
    system::shutdown::ShutdownFlag,
};
use opencv::{
    core::{CV_8UC3, Mat, Point, Rect, Scalar},
    imgproc,
    prelude::*,
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// White, yellow, cyan, green, magenta, red, blue: the bars of every test card, as B, G, R.
const BARS: [[f64; 3]; 7] = [
    [235., 235., 235.],
    [16., 235., 235.],
    [235., 235., 16.],
    [16., 235., 16.],
    [235., 16., 235.],
    [16., 16., 235.],
    [235., 16., 16.],
];

/// Time in which the dot crosses the picture once.
const CROSSING: f64 = 4.0;

struct TestPattern {
    background: Mat,
    size: Size,
    period: Duration,
    started: Instant,
    /// Number of the picture last grabbed.
    number: u64,
    taken: CaptureTime,
    stop: Arc<ShutdownFlag>,
}

/// The test pattern as `asked`, else as `config` says.
pub fn open(
    asked: Pattern,
    config: &CameraConfig,
    stop: &Arc<ShutdownFlag>,
) -> Result<Opened, Error> {
    open_with(asked, config, stop, &[], None)
}

/// The test pattern in place of a camera; `hint` is why one that was found does not open.
pub fn open_instead(
    config: &CameraConfig,
    stop: &Arc<ShutdownFlag>,
    hint: Option<&str>,
) -> Result<Opened, Error> {
    let note = hint.map_or("no camera found", |_| "no camera opens");
    let mut opened = open_with(Pattern::default(), config, stop, &[note], hint)?;
    opened.facts.is_fallback = true;
    opened.facts.hint = hint.map(str::to_owned);
    Ok(opened)
}

/// `notes` and `hint` are written into the picture.
fn open_with(
    asked: Pattern,
    config: &CameraConfig,
    stop: &Arc<ShutdownFlag>,
    notes: &[&str],
    hint: Option<&str>,
) -> Result<Opened, Error> {
    let asked = RequestedFormat {
        format: None,
        size: asked.size.or(config.size),
        fps: asked.fps.or(config.fps).map(|fps| fps.0),
    };
    let size = asked.size.unwrap_or(Pattern::SIZE);
    let fps = asked.fps.unwrap_or(Pattern::FPS.0);
    let background = background(size, notes, hint).map_err(cannot_draw)?;
    let facts = SourceInfo {
        source: "test pattern".to_owned(),
        backend: "built-in".to_owned(),
        format: "BGR".to_owned(),
        size: Some(size),
        fps: Some(fps),
        asked,
        ..SourceInfo::default()
    };
    let source = Box::new(TestPattern {
        background,
        size,
        period: Duration::from_secs_f64(1.0 / fps),
        started: Instant::now(),
        number: 0,
        taken: CaptureTime::now(),
        stop: Arc::clone(stop),
    });
    Ok(Opened {
        source,
        facts,
        controls: None,
    })
}

impl Source for TestPattern {
    fn grab(&mut self) -> Result<Option<CaptureTime>, Error> {
        // After a machine slept or was overloaded it goes on from the present, as a camera would.
        let passed = self.started.elapsed().div_duration_f64(self.period) as u64;
        self.number = passed.max(self.number + 1);
        let due = self.started + self.period.mul_f64(self.number as f64);
        self.stop.wait_until(due);
        self.taken = CaptureTime::now();
        Ok(Some(self.taken))
    }

    fn retrieve(&mut self, mut buffer: Mat) -> Result<Picture, Error> {
        self.draw(&mut buffer).map_err(cannot_draw)?;
        Ok(Picture::Raw(buffer, Pixels::Bgr))
    }
}

impl TestPattern {
    fn draw(&self, picture: &mut Mat) -> opencv::Result<()> {
        self.background.copy_to(picture)?;
        let (width, height) = (f64::from(self.size.width), f64::from(self.size.height));
        let seconds = self.taken.at.duration_since(self.started).as_secs_f64();
        let way = (seconds / CROSSING) % 2.0;
        let along = if way < 1.0 { way } else { 2.0 - way };
        let radius = height / 18.0;
        let dot = Point::new(
            (radius + along * (width - 2.0 * radius)) as i32,
            (height * 0.62) as i32,
        );
        let (black, white) = (Scalar::all(16.0), Scalar::all(235.0));
        for (radius, colour) in [(radius, black), (radius * 0.8, white)] {
            let (radius, filled) = (radius as i32, -1);
            imgproc::circle(picture, dot, radius, colour, filled, imgproc::LINE_AA, 0)?;
        }

        let time = self.taken.local().strftime("%F %T%.3f").to_string();
        let letters = unit(self.size) / 19.0;
        let line = |row: f64| Point::new((width * 0.03) as i32, (height * row) as i32);
        text::text(picture, &time, line(0.83), letters, white)?;
        let number = format!("frame {}", self.number);
        text::text(picture, &number, line(0.94), letters, white)
    }
}

/// Bars above, a dark strip for the text below.
fn background(size: Size, notes: &[&str], hint: Option<&str>) -> opencv::Result<Mat> {
    let (width, height) = (size.width as i32, size.height as i32);
    let mut mat = Mat::new_rows_cols_with_default(height, width, CV_8UC3, Scalar::all(24.0))?;
    let bars = BARS.len() as i32;
    for (index, [blue, green, red]) in (0..).zip(BARS) {
        let left = width * index / bars;
        let bar = Rect::new(
            left,
            0,
            width * (index + 1) / bars - left,
            height * 72 / 100,
        );
        let color = Scalar::new(blue, green, red, 0.0);
        imgproc::rectangle(&mut mat, bar, color, -1, imgproc::LINE_8, 0)?;
    }
    let letters = unit(size) / 30.0;
    for (row, note) in std::iter::once(&"camfeed test pattern")
        .chain(notes)
        .enumerate()
    {
        let right = text::text_size(note, letters)?.width + width * 3 / 100;
        let base = f64::from(height) * (0.82 + 0.06 * row as f64);
        let at = Point::new(width - right, base as i32);
        text::text(&mut mat, note, at, letters, Scalar::all(190.0))?;
    }
    if let Some(hint) = hint {
        write_hint(&mut mat, hint, letters)?;
    }
    Ok(mat)
}

/// Writes `hint` on a dark ground across the bars.
fn write_hint(mat: &mut Mat, hint: &str, letters: f64) -> opencv::Result<()> {
    let (left, wide) = (mat.cols() / 12, mat.cols() * 10 / 12);
    let lines = text::wrap(&text::plain(hint), letters, wide - 2 * letters as i32)?;
    let step = (letters * 2.1) as i32;
    let ground = Rect::new(left, step, wide, step * lines.len() as i32 + step / 2);
    imgproc::rectangle(mat, ground, Scalar::all(24.0), -1, imgproc::LINE_8, 0)?;
    for (row, line) in (0..).zip(&lines) {
        let at = Point::new(left + letters as i32, ground.y + step + step * row);
        text::text(mat, line, at, letters, Scalar::all(235.0))?;
    }
    Ok(())
}

/// What letters are measured by: the height of a 16:9 picture that fits in.
fn unit(size: Size) -> f64 {
    f64::from(size.height).min(f64::from(size.width) * 9.0 / 16.0)
}

fn cannot_draw(error: opencv::Error) -> Error {
    Error::Picture {
        operation: "draw the test pattern",
        reason: error.message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, args::Args};
    use argh::FromArgs;

    fn config(args: &[&str]) -> CameraConfig {
        Config::from(Args::from_args(&["camfeed"], args).expect("good options"))
            .cameras
            .first()
            .clone()
    }

    #[test]
    fn pattern_has_the_size_and_pace_asked_for() {
        let stop = Arc::default();
        let config = config(&["--size", "320x240", "--fps", "100"]);
        let Opened {
            mut source, facts, ..
        } = open_instead(&config, &stop, Some("a hint")).expect("opened");
        assert_eq!(
            facts.size,
            Some(Size {
                width: 320,
                height: 240
            })
        );
        assert_eq!(facts.fps, Some(100.0));
        let first = source.grab().expect("a picture").expect("at once").at;
        for _ in 0..10 {
            source.grab().expect("a picture");
        }
        let tenth = source.grab().expect("a picture").expect("at once").at;
        assert!(
            tenth.duration_since(first) >= Duration::from_millis(99),
            "never faster"
        );
        let Picture::Raw(mat, Pixels::Bgr) = source.retrieve(Mat::default()).expect("drawn") else {
            panic!("the pattern is raw")
        };
        assert_eq!((mat.rows(), mat.cols()), (240, 320));
    }

    #[test]
    fn what_the_source_says_goes_before_the_options() {
        let stop = Arc::default();
        let config = config(&["--size", "320x240", "--fps", "5"]);
        let own = Pattern {
            size: Some(Size {
                width: 64,
                height: 48,
            }),
            fps: None,
        };
        let facts = open(own, &config, &stop).expect("opened").facts;
        assert_eq!(facts.size, own.size);
        assert_eq!(facts.fps, Some(5.0));
        assert_eq!((facts.asked.size, facts.asked.fps), (own.size, Some(5.0)));
    }

    #[test]
    fn what_it_was_asked_for_is_known() {
        let size = |width, height| Some(Size { width, height });
        for (options, asked, given) in [
            (&[][..], (None, None), (Some(Pattern::SIZE), Some(30.0))),
            (
                &["--size", "321x241", "--fps", "7.5"],
                (size(321, 241), Some(7.5)),
                (size(321, 241), Some(7.5)),
            ),
        ] {
            let (config, stop) = (config(options), Arc::default());
            for opened in [
                open(Pattern::default(), &config, &stop),
                open_instead(&config, &stop, None),
            ] {
                let facts = opened.expect("opened").facts;
                assert_eq!((facts.asked.size, facts.asked.fps), asked, "{options:?}");
                assert_eq!((facts.size, facts.fps), given, "{options:?}");
            }
        }
    }
}
