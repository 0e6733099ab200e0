//! Opens any device: the one place that knows all sources.

use crate::{
    capture::{
        interrupt::Interrupt,
        source::{
            Opened, gst,
            libcamera::{self, seen_by_kernel},
            mjpeg_http, opencv_stream, test_pattern, v4l2,
            v4l2_bandwidth::BandwidthAdvice,
        },
    },
    config::{CameraConfig, Device},
    error::{Cause, Error},
    system::shutdown::ShutdownFlag,
};
use std::sync::Arc;

/// What a device is opened with.
pub struct OpenContext<'a> {
    /// What is asked of it.
    pub config: &'a CameraConfig,
    /// Ends its waits with the program.
    pub stop: &'a Arc<ShutdownFlag>,
    /// Ends a wait inside a library.
    pub interrupt: &'a Arc<Interrupt>,
    /// Why a camera that is there was not opened before it.
    pub hint: Option<&'a str>,
    /// What fits on a bus that is full, if that was tried in this outage.
    pub advice: &'a Arc<BandwidthAdvice>,
}

/// Opens `device`; may block for seconds. [`Device::Auto`] is the supervisor's to resolve, [`Device::All`] the
/// discovery's; what is left of them opens the test pattern here.
pub fn open_device(device: &Device, context: &OpenContext) -> Result<Opened, Error> {
    let OpenContext {
        config,
        stop,
        interrupt,
        hint,
        advice,
    } = *context;
    match device {
        Device::Auto => test_pattern::open_instead(config, stop, hint),
        Device::All => {
            let hint = libcamera::unknown_module();
            test_pattern::open_instead(config, stop, hint.as_deref())
        }
        Device::Pattern(asked) => test_pattern::open(*asked, config, stop),
        Device::Number(_) | Device::Node(_) => v4l2::open(device, config, stop, advice),
        Device::Csi(name) => libcamera::open(name.as_deref(), device, config, interrupt),
        Device::Url(url) if mjpeg_http::handles(url) => mjpeg_http::open(url, device, config, stop),
        Device::File(_) => opencv_stream::open(device, config, stop),
        Device::Url(url) => {
            // One camera by itself keeps nobody waiting.
            if config.is_addressed {
                let answered = mjpeg_http::knock(url);
                answered.map_err(|(cause, reason)| Error::open(device, cause, reason))?;
            }
            opencv_stream::open(device, config, stop)
        }
        Device::Gst(text) => gst::open(text.secret(), device, interrupt),
    }
}

/// Why a camera that is there did not open; `None` where none is there.
pub fn hint(error: &Error) -> Option<String> {
    let is_found = !matches!(error.cause(), Cause::Missing | Cause::Unreachable);
    let is_there = is_found || seen_by_kernel().is_some();
    let words = error.to_string();
    // Nobody has asked for that by name.
    let words = match words.strip_prefix("cannot open csi") {
        Some(own) if own.contains("camera module") => own.trim_start_matches(": ").to_owned(),
        Some(own) => format!("camera module csi{own}"),
        None => words,
    };
    is_there.then_some(words)
}
