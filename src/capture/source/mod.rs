//! A source: the opened device, behind one small trait.
//!
//! Lives on its capture thread from open to drop. `grab` waits for the next picture and says when
//! it was taken; `retrieve` fetches it. Apart, so that pictures nobody watches are grabbed (the
//! next one is fresh) but never converted or drawn.

pub mod control_names;
pub mod gst;
pub mod libcamera;
pub mod mjpeg_http;
pub mod open;
pub mod opencv_stream;
pub mod raw;
pub mod raw_refusals;
pub mod test_pattern;
pub mod v4l2;
pub mod v4l2_bandwidth;
pub mod v4l2_controls;
pub mod v4l2_devices;
pub mod v4l2_driver;
pub mod v4l2_errors;
pub mod v4l2_seen;
pub mod video_capture;

use crate::{
    config::Device,
    encode::Picture,
    error::Error,
    feed::{
        camera::SourceInfo,
        controls::CameraControls,
        frame::{CaptureTime, Frame},
    },
};
use opencv::core::Mat;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// The same bytes after longer than this are a new picture of a scene that stands still.
const LONGEST_REPEAT: Duration = Duration::from_secs(2);

/// An opened device.
pub trait Source {
    /// Waits for the next picture and gives the time it was taken; `None` when there is none yet
    /// and the wait may go on, so that whoever asks can see whether it is still wanted.
    fn grab(&mut self) -> Result<Option<CaptureTime>, Error>;

    /// Fetches the picture last grabbed; `buffer` may be filled with its pixels.
    fn retrieve(&mut self, buffer: Mat) -> Result<Picture, Error>;

    /// Whether the picture last grabbed is the one before, sent again.
    fn repeat(&self) -> Repeat {
        Repeat::No
    }

    /// How many parts were mended since this was last asked.
    fn take_repairs(&mut self) -> u64 {
        0
    }

    /// Whether its JPEGs may come without their last bytes, lost on the way from the camera.
    fn may_lose_bytes(&self) -> bool {
        false
    }
}

/// Whether a picture is the one before, sent again, as servers of slow streams do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// It is a new picture.
    No,
    /// Its server says that it is the one before.
    Yes,
    /// Only its bytes can tell.
    Unknown,
}

impl Repeat {
    /// True when a picture is the one that `shown` shows, sent again: its server says so and both
    /// have one capture time, or its bytes are the same and came soon after.
    pub fn is_of(self, shown: &Frame, captured: CaptureTime, jpeg: &[u8], now: Instant) -> bool {
        let age = now.saturating_duration_since(shown.captured().at);
        shown.is_live()
            && match self {
                Repeat::No => false,
                Repeat::Yes => shown.captured().unix == captured.unix,
                Repeat::Unknown => age < LONGEST_REPEAT && shown.jpeg() == jpeg,
            }
    }
}

/// A source and what it really gives.
pub struct Opened {
    /// The source.
    pub source: Box<dyn Source>,
    /// As read back from it.
    pub facts: SourceInfo,
    /// Its controls, if it is a camera that may have any.
    pub controls: Option<Arc<dyn CameraControls>>,
}

/// True for a device that comes as a camera's node: it may be plugged in at any time, and its driver
/// may be past help by this process.
pub fn is_plugged_in(device: &Device) -> bool {
    matches!(
        device,
        Device::Auto | Device::Number(_) | Device::Node(_) | Device::Csi(_)
    )
}

/// Said of a source that is another camfeed and sends its placeholder.
pub fn no_picture_there(reason: &str) -> String {
    format!("no picture there: {reason}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeat_is_known_by_its_server_or_by_its_bytes() {
        let shown_at = CaptureTime::now();
        let jpeg = b"\xff\xd8\xff\xd9".as_slice();
        let live = Frame::live(1, shown_at, jpeg.len(), |out| out.extend_from_slice(jpeg));
        let placeholder = Frame::placeholder(2, jpeg, "why");
        let later = CaptureTime {
            at: shown_at.at + Duration::from_secs(1),
            unix: shown_at.unix + Duration::from_secs(1),
        };
        let other = b"other".as_slice();
        // Whether it is a repeat, its capture time, its bytes, seconds since the shown one.
        for (repeat, captured, bytes, seconds, is_repeat) in [
            (Repeat::No, shown_at, jpeg, 0, false),
            (Repeat::Yes, shown_at, other, 0, true),
            (Repeat::Yes, shown_at, other, 60, true),
            (Repeat::Yes, later, jpeg, 1, false),
            (Repeat::Unknown, later, jpeg, 1, true),
            (Repeat::Unknown, later, jpeg, 2, false),
            (Repeat::Unknown, later, other, 1, false),
            (Repeat::Unknown, later, &[], 1, false),
        ] {
            let now = shown_at.at + Duration::from_secs(seconds);
            let is_of = |shown| repeat.is_of(shown, captured, bytes, now);
            assert_eq!(is_of(&live), is_repeat, "{repeat:?} after {seconds} s");
            assert!(!is_of(&placeholder), "{repeat:?}: no picture was shown");
        }
    }
}
