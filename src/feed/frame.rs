//! A frame: one finished JPEG with its sequence and capture time, immutable, shared by everybody
//! who sends it.
//!
//! The JPEG stands inside its rendered part, so a stream writes `part()` and a snapshot writes
//! `jpeg()` out of the same allocation.

use crate::{config::shown_words, feed::multipart, jpeg};
use jiff::{Timestamp, Zoned, tz::TimeZone};
use std::{
    ops::Range,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// The comment in a placeholder begins so; the reason follows.
const PLACEHOLDER: &[u8] = b"camfeed placeholder: ";

/// Longest reason in such a comment: each relay puts its own words before those it read.
const MOST_REASON_BYTES: usize = 400;

/// The reason in a placeholder; `None` for a picture. Its server may be an older camfeed, which says
/// more of its source than is to be shown.
pub fn placeholder_reason(jpeg: &[u8]) -> Option<String> {
    let reason = jpeg::comment(jpeg)?.strip_prefix(PLACEHOLDER)?;
    let reason: String = String::from_utf8_lossy(reason)
        .chars()
        .filter(|letter| !letter.is_control())
        .collect();
    Some(shown_words(&reason))
}

/// When a picture was taken, on both clocks.
#[derive(Debug, Clone, Copy)]
pub struct CaptureTime {
    /// For ages: never jumps.
    pub at: Instant,
    /// Since the Unix epoch; what viewers are told.
    pub unix: Duration,
}

impl CaptureTime {
    /// The present.
    pub fn now() -> CaptureTime {
        CaptureTime::before_now(Duration::ZERO)
    }

    /// The wall clock at that moment, local.
    pub fn local(self) -> Zoned {
        let micros = i64::try_from(self.unix.as_micros()).unwrap_or(i64::MAX);
        Timestamp::from_microsecond(micros)
            .unwrap_or_default()
            .to_zoned(TimeZone::system())
    }

    /// A moment `age` ago.
    pub fn before_now(age: Duration) -> CaptureTime {
        let at = Instant::now();
        let unix = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        CaptureTime {
            at: at.checked_sub(age).unwrap_or(at),
            unix: unix.saturating_sub(age),
        }
    }
}

/// One finished JPEG.
#[derive(Debug)]
pub struct Frame {
    sequence: u64,
    captured: CaptureTime,
    is_live: bool,
    part: Vec<u8>,
    jpeg: Range<usize>,
}

impl Frame {
    /// A frame of the camera. `jpeg` appends the JPEG's `jpeg_len` bytes: its only copy.
    pub fn live(
        sequence: u64,
        captured: CaptureTime,
        jpeg_len: usize,
        jpeg: impl FnOnce(&mut Vec<u8>),
    ) -> Frame {
        let (part, jpeg) = multipart::part(sequence, captured.unix, jpeg_len, jpeg);
        Frame {
            sequence,
            captured,
            is_live: true,
            part,
            jpeg,
        }
    }

    /// A placeholder: what viewers see while there is no live picture. Marked by a comment, so
    /// that another camfeed that reads it knows it for what it is, and why.
    pub fn placeholder(sequence: u64, jpeg: &[u8], reason: &str) -> Frame {
        let mut end = reason.len().min(MOST_REASON_BYTES);
        while !reason.is_char_boundary(end) {
            end -= 1;
        }
        let comment = [PLACEHOLDER, &reason.as_bytes()[..end]].concat();
        let jpeg = jpeg::with_comment(jpeg, &comment);
        let append = |out: &mut Vec<u8>| out.extend_from_slice(&jpeg);
        Frame {
            is_live: false,
            ..Frame::live(sequence, CaptureTime::now(), jpeg.len(), append)
        }
    }

    /// Its number: per camera, from 1, rising, never reused.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// When its picture was taken.
    pub fn captured(&self) -> CaptureTime {
        self.captured
    }

    /// How old its picture is.
    pub fn age(&self) -> Duration {
        self.captured.at.elapsed()
    }

    /// False for a placeholder.
    pub fn is_live(&self) -> bool {
        self.is_live
    }

    /// The bytes a stream sends.
    pub fn part(&self) -> &[u8] {
        &self.part
    }

    /// The bytes a snapshot sends.
    pub fn jpeg(&self) -> &[u8] {
        &self.part[self.jpeg.clone()]
    }
}
