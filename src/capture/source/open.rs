//! Opens any device: the one place that knows all sources.

use crate::{
    capture::{
        interrupt::Interrupt,
        source::{Opened, gst, mjpeg_http, opencv_stream, test_pattern, v4l2},
    },
    config::{CameraConfig, Device},
    error::Error,
    system::shutdown::ShutdownFlag,
};
use std::sync::Arc;

/// Opens `device` as `config` asks; may block for seconds, or until `interrupt` ends its wait. [`Device::Auto`] is the supervisor's
/// to resolve and opens the test pattern here.
pub fn open_device(
    device: &Device,
    config: &CameraConfig,
    stop: &Arc<ShutdownFlag>,
    interrupt: &Arc<Interrupt>,
) -> Result<Opened, Error> {
    match device {
        Device::Auto => test_pattern::open(Default::default(), config, stop, &["no camera found"]),
        Device::Pattern(asked) => test_pattern::open(*asked, config, stop, &[]),
        Device::Number(_) | Device::Node(_) => v4l2::open(device, config, stop),
        Device::Url(url) if mjpeg_http::handles(url) => mjpeg_http::open(url, device, config, stop),
        Device::File(_) | Device::Url(_) => opencv_stream::open(device, config, stop),
        Device::Gst(text) => gst::open(text.secret(), device, interrupt),
    }
}
