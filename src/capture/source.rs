//! A source: the opened device, behind one small trait.
//!
//! Lives on its capture thread from open to drop. `grab` waits for the next picture and says when
//! it was taken; `retrieve` fetches it. Apart, so that pictures nobody watches are grabbed (the
//! next one is fresh) but never converted or drawn.

use super::{pattern, relay, stream, v4l2};
use crate::{
    camera::Facts,
    config::{CameraConfig, Device},
    encode::Picture,
    error::Error,
    frame::Stamp,
    shutdown::Stop,
};
use opencv::core::Mat;
use std::sync::Arc;

/// An opened device.
pub trait Source {
    /// Waits for the next picture and gives the time it was taken; `None` when there is none yet
    /// and the wait may go on, so that whoever asks can see whether it is still wanted.
    fn grab(&mut self) -> Result<Option<Stamp>, Error>;

    /// Fetches the picture last grabbed; `buffer` may be filled with its pixels.
    fn retrieve(&mut self, buffer: Mat) -> Result<Picture, Error>;

    /// Whether the picture last grabbed is the one before, sent again.
    fn repeat(&self) -> Repeat {
        Repeat::No
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
    Unsaid,
}

/// A source and what it really gives.
pub struct Opened {
    /// The source.
    pub source: Box<dyn Source>,
    /// As read back from it.
    pub facts: Facts,
}

/// Opens `device` as `config` asks; may block for seconds. [`Device::Auto`] is the supervisor's
/// to resolve and opens the test pattern here.
pub fn open(device: &Device, config: &CameraConfig, stop: &Arc<Stop>) -> Result<Opened, Error> {
    match device {
        Device::Auto => pattern::open(Default::default(), config, stop, &["no camera found"]),
        Device::Pattern(asked) => pattern::open(*asked, config, stop, &[]),
        Device::Number(_) | Device::Node(_) => v4l2::open(device, config, stop),
        Device::Url(url) if relay::may_read(url) => relay::open(url, device, config, stop),
        Device::File(_) | Device::Url(_) | Device::Gst(_) => stream::open(device, config, stop),
    }
}

/// True for a device that comes as a camera's node: it may be plugged in at any time, and its driver
/// may be past help by this process.
pub fn is_plugged_in(device: &Device) -> bool {
    matches!(device, Device::Auto | Device::Number(_) | Device::Node(_))
}

/// Said of a source that is another camfeed and sends its placeholder.
pub fn no_picture_there(reason: &str) -> String {
    format!("no picture there: {reason}")
}
