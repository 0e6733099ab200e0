//! The pictures that `--check` read: how many were whole, what was wrong with the others, and what
//! becomes of them.

use crate::{
    capture::{
        missing_eoi::MissingEoi,
        online_log::{rate, refused},
        source::Source,
    },
    config::{CameraConfig, Size},
    encode::{Picture, Pixels, as_it_is, decodes_cleanly},
    feed::{camera::SourceInfo, frame::placeholder_reason},
    jpeg::JpegError,
    system::output::say,
};
use opencv::prelude::*;
use std::{cmp::Reverse, collections::BTreeMap, time::Instant};

/// What came of a source while it was read.
#[derive(Debug, Default)]
pub struct Tally {
    missing_eoi: MissingEoi,
    whole: u32,
    /// How many had which defect.
    broken: BTreeMap<&'static str, u32>,
    /// What was wrong with the last broken one.
    last_flaw: Option<JpegError>,
    /// Whole pictures that came with a wrong length, or behind other bytes.
    repaired: u64,
    /// Capture times of the first and the last picture.
    first: Option<Instant>,
    last: Option<Instant>,
    /// Of whole JPEGs: how many, and all their bytes.
    jpegs: u32,
    bytes: usize,
    /// As the last whole picture had it.
    size: Option<Size>,
    /// How the last raw picture was laid out.
    pixels: Option<Pixels>,
}

impl Tally {
    /// For the pictures of a source just opened.
    pub fn begin(&mut self, source: &dyn Source) {
        self.missing_eoi = MissingEoi::new(source);
    }

    /// Counts pictures that came with a fault and are whole.
    pub fn note_repaired(&mut self, count: u64) {
        self.repaired += count;
    }

    /// Counts a picture; the reason in a placeholder, which is none.
    pub fn take(&mut self, picture: &Picture, captured: Instant) -> Result<(), String> {
        let (width, height) = match picture {
            Picture::Raw(mat, pixels) => {
                self.pixels = Some(*pixels);
                (mat.cols(), pixels.rows(mat))
            }
            Picture::Jpeg(mat) => {
                let data = mat.data_bytes().unwrap_or_default();
                if let Some(reason) = placeholder_reason(data) {
                    return Err(reason);
                }
                match self.missing_eoi.inspect(data, decodes_cleanly) {
                    Ok(layout) => {
                        self.jpegs += 1;
                        self.bytes += layout.len;
                        (layout.width.into(), layout.height.into())
                    }
                    Err(flaw) => {
                        *self.broken.entry(flaw.defect()).or_default() += 1;
                        self.last_flaw = Some(flaw);
                        (0, 0)
                    }
                }
            }
        };
        self.first.get_or_insert(captured);
        self.last = Some(captured);
        if width > 0 && height > 0 {
            self.whole += 1;
            let (width, height) = (width as u32, height as u32);
            self.size = Some(Size { width, height });
        }
        Ok(())
    }

    /// Why these pictures are not usable; `None` when at least half of them are whole.
    pub fn verdict(&self) -> Option<String> {
        let (whole, broken) = (self.whole, self.broken());
        let Some((defect, _)) = self.defects().first().copied() else {
            return (whole == 0).then(|| "it is open and gives no picture".to_owned());
        };
        (whole < broken).then(|| {
            let all = whole + broken;
            let last = self.last_flaw.as_ref();
            let last = last.map_or(String::new(), |flaw| format!(" (the last one: {flaw})"));
            format!("{broken} of {all} pictures are broken, most often {defect}{last}")
        })
    }

    /// Capture time of the first picture.
    pub fn first(&self) -> Option<Instant> {
        self.first
    }

    fn broken(&self) -> u32 {
        self.broken.values().sum()
    }

    /// Each defect with how many pictures had it, the commonest first.
    fn defects(&self) -> Vec<(&'static str, u32)> {
        let mut defects: Vec<_> = self
            .broken
            .iter()
            .map(|(words, count)| (*words, *count))
            .collect();
        defects.sort_by_key(|(_, count)| Reverse(*count));
        defects
    }

    /// Pictures a second.
    fn rate(&self) -> f64 {
        let span = self
            .last
            .zip(self.first)
            .map(|(last, first)| last.duration_since(first));
        let span = span.unwrap_or_default().as_secs_f64();
        if span > 0.0 {
            f64::from(self.whole + self.broken() - 1) / span
        } else {
            0.0
        }
    }

    /// Prints all of it; `facts` is what the source said of itself.
    pub fn print(&self, facts: &SourceInfo, config: &CameraConfig) {
        if self.first.is_none() {
            self.print_counts();
            return;
        }
        if let Some(sensor) = &facts.sensor {
            say!("camera       {sensor} ({})", facts.source);
        }
        let asked = &facts.asked;
        let or_own = |text: Option<String>| text.unwrap_or_else(|| "its own".to_owned());
        say!(
            "asked for    format {}, size {}, rate {}",
            or_own(asked.format.clone()),
            or_own(asked.size.map(|size| size.to_string())),
            or_own(asked.fps.map(rate)),
        );
        let format = match facts.format.as_str() {
            // A pipeline says nothing of it.
            "" if self.pixels.is_none() => "JPEG",
            "" => "raw pixels",
            format => format,
        };
        say!(
            "it gives     format {format}, size {}, rate {}{}{}",
            or_own(self.size.or(facts.size).map(|size| size.to_string())),
            facts.fps.map_or_else(|| "unsaid".to_owned(), rate),
            facts.range.map_or_else(String::new, |range| format!(
                ", {} colour range",
                range.name()
            )),
            refused(facts),
        );
        say!("measured     {} frames a second", rate(self.rate()));
        self.print_counts();
        if self.repaired > 0 {
            say!(
                "repaired     {} with a wrong length, or behind other bytes",
                self.repaired
            );
        }
        if self.jpegs > 0 {
            let average = self.bytes / self.jpegs as usize;
            say!("JPEG size    {} kB on average", average / 1000);
        }
        say!("processing   {}", self.processing(facts, config));
    }

    /// Prints how many were whole, how many broken, and how.
    pub fn print_counts(&self) {
        let defects = self.defects();
        let defects: Vec<_> = defects
            .iter()
            .map(|(words, count)| format!("{count} {words}"))
            .collect();
        let colon = if defects.is_empty() { "" } else { ": " };
        let (whole, broken) = (self.whole, self.broken());
        say!(
            "pictures     {whole} whole, {broken} broken{colon}{}",
            defects.join("; ")
        );
    }

    /// What becomes of these pictures under these options.
    fn processing(&self, facts: &SourceInfo, config: &CameraConfig) -> String {
        if self.whole == 0 {
            return "none: broken pictures are dropped".to_owned();
        }
        let way = match self.pixels {
            None if config.passes_through() => "its JPEGs pass through untouched",
            None => "its JPEGs are decoded and encoded again, as the options ask",
            Some(pixels) if pixels.shares_colours() && as_it_is(pixels, config).is_some() => {
                "its pixels are encoded here, their planes as they are"
            }
            Some(pixels) if pixels.is_planar() => match (config.turn.is_none(), &config.overlay) {
                (false, None) => "its pixels are encoded here, their planes turned",
                (true, _) => "its pixels are encoded here, their planes written on",
                (false, _) => "its pixels are encoded here, their planes turned and written on",
            },
            Some(_) if facts.backend == "FFMPEG" => "its pictures are decoded and encoded here",
            Some(_)
                if matches!(
                    facts.format.as_str(),
                    "" | "BGR" | "BGR3" | "GREY" | "GRAY8"
                ) =>
            {
                "its pixels are encoded here"
            }
            Some(_) => "its pixels are converted and encoded here",
        };
        let rest = if self.broken.is_empty() {
            ""
        } else {
            "; broken ones are dropped"
        };
        format!("{way}{rest}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use opencv::core::Mat;

    #[test]
    fn the_commonest_defect_comes_first() {
        let mut tally = Tally::default();
        let jpeg = |bytes: &[u8]| {
            let row = Mat::from_slice(bytes).expect("a row");
            Picture::Jpeg(row.try_clone().expect("copied"))
        };
        let empty = Picture::Jpeg(Mat::default());
        let whole = jpeg(include_bytes!("../../../tests/jpeg/420.jpg"));
        for picture in [&jpeg(b"garbage"), &empty, &whole, &jpeg(b"more garbage")] {
            tally.take(picture, Instant::now()).expect("no placeholder");
        }
        assert_eq!((tally.whole, tally.broken()), (1, 3));
        assert_eq!(tally.defects(), [("not a JPEG", 2), ("empty", 1)]);
        let words = "3 of 4 pictures are broken, most often not a JPEG \
                     (the last one: it begins with `6D6F`, a JPEG with `FFD8`)";
        assert_eq!(tally.verdict().as_deref(), Some(words));
    }

    #[test]
    fn half_of_the_pictures_must_be_whole() {
        for (whole, broken, is_usable) in [
            (0, 0, false),
            (0, 1, false),
            (1, 2, false),
            (1, 1, true),
            (1, 0, true),
        ] {
            let mut tally = Tally {
                whole,
                ..Tally::default()
            };
            if broken > 0 {
                tally.broken.insert("empty", broken);
            }
            assert_eq!(
                tally.verdict().is_none(),
                is_usable,
                "{whole} whole, {broken} broken"
            );
        }
    }
}
