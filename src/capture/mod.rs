//! Capture: from the device to the slot or the encoders.
//!
//! Each camera has two kinds of threads. Its *supervisor thread* runs the supervisor for as long as the program
//! runs: it decides what is opened and when, notices that pictures stop, and shows the placeholder meanwhile.
//! A *capture thread* owns one opened device from open to drop: it grabs pictures, and publishes them
//! or gives them to the encoders. OpenCV may block in open or grab for as long as it likes; only the
//! capture thread waits there, and one that does not come back is abandoned and replaced. The
//! supervisor itself opens nodes only to ask what they are. With `--source all` the *discovery* finds the
//! cameras and starts their supervisors.
//!
//! Capture never waits for encoders or viewers, and knows nothing of the server.

mod auto_search;
mod back_off;
mod camera_names;
mod candidates;
mod capture_thread;
mod diagnose;
mod discovery;
mod environment;
mod hotplug;
mod interrupt;
mod known_devices;
mod lease;
mod look;
mod missing_eoi;
mod online_log;
mod outage_log;
mod picture_check;
mod picture_timeout;
mod placeholder;
pub mod source;
mod supervisor;
mod supervisor_thread;

pub use diagnose::{check, list};
pub use discovery::start as discover;
pub use supervisor_thread::start;

use crate::config::{CameraConfig, Device};
use log::warn;
use std::env;

/// FFmpeg's own number for silence.
const AV_LOG_QUIET: &str = "-8";

/// Libcamera says what it is and does, in colours; its errors stand in the log as they are.
const LIBCAMERA_LOG: [(&str, &str); 2] = [
    ("LIBCAMERA_LOG_LEVELS", "*:ERROR"),
    ("LIBCAMERA_LOG_NO_COLOR", "1"),
];

/// What makes libraries say on standard error what they do, with addresses and properties as they are.
const TALKATIVE: [&str; 7] = [
    "OPENCV_LOG_LEVEL",
    "OPENCV_FFMPEG_LOGLEVEL",
    "OPENCV_FFMPEG_DEBUG",
    "OPENCV_VIDEOIO_DEBUG",
    "GST_DEBUG",
    "GST_DEBUG_FILE",
    "G_MESSAGES_DEBUG",
];

/// Says so where `asked` libraries for messages that may hold a secret of a source of `cameras`.
pub fn warn_of_messages(asked: &[&str], cameras: &[CameraConfig]) {
    let may_hold = |camera: &CameraConfig| matches!(camera.device, Device::Url(_) | Device::Gst(_));
    if !asked.is_empty() && cameras.iter().any(may_hold) {
        let names = asked.join(", ");
        warn!("{names}: libraries may print the source here as it is, with its passwords");
    }
}

/// Keeps OpenCV's own thread pool small and its waits short, and its and FFmpeg's messages out of
/// the log unless their environment variables ask for them: those, of all libraries. Called first of
/// all, before there are threads.
#[expect(
    unsafe_code,
    reason = "some settings of OpenCV go through the environment only"
)]
pub fn prepare_opencv() -> Vec<&'static str> {
    use opencv::core::{LogLevel, set_log_level, set_num_threads};
    let mut asked = TALKATIVE.to_vec();
    asked.retain(|name| env::var_os(name).is_some());
    if env::var_os("OPENCV_LOG_LEVEL").is_none() {
        let _ = set_log_level(LogLevel::LOG_LEVEL_SILENT);
    }
    if env::var_os("OPENCV_FFMPEG_LOGLEVEL").is_none() {
        // SAFETY: no other thread exists yet that could read the environment.
        unsafe { env::set_var("OPENCV_FFMPEG_LOGLEVEL", AV_LOG_QUIET) };
    }
    for (name, value) in LIBCAMERA_LOG {
        if env::var_os(name).is_none() {
            // SAFETY: as above.
            unsafe { env::set_var(name, value) };
        }
    }
    let (name, seconds) = source::v4l2::GRAB_TIMEOUT;
    // SAFETY: as above.
    unsafe { env::set_var(name, seconds) };
    // A pool thread per core would spin for operations of a millisecond.
    let _ = set_num_threads(1);
    asked
}
