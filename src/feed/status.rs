//! What the supervisor knows of a camera at present, and what its source really gives.

use crate::{
    config::Size,
    error::{Cause, Error},
};
use std::{path::PathBuf, time::Instant};

/// What the supervisor knows of a camera.
#[derive(Debug, Clone)]
pub struct Status {
    /// Opening, online, offline or idle.
    pub state: State,
    /// Since when.
    pub since: Instant,
    /// Why it is not online; advice included.
    pub reason: Option<String>,
    /// Why it was last offline, without the name of any source.
    pub nameless: Option<String>,
    /// Why it was last offline, for programs.
    pub cause: Option<Cause>,
    /// What was really opened.
    pub facts: SourceInfo,
}

impl Status {
    /// There has been no picture `since` then, at present because of `error`.
    pub fn go_offline(&mut self, error: &Error, since: Instant) {
        (self.state, self.since) = (State::Offline, since);
        self.reason = Some(error.to_string());
        self.nameless = Some(error.nameless().to_owned());
        self.cause = Some(error.cause());
    }

    /// True for a camera that is not there. One that is there and gives no picture is not gone, nor is one
    /// whose server does not answer.
    pub fn is_gone(&self) -> bool {
        self.state == State::Offline && self.cause == Some(Cause::Missing)
    }
}

/// State of a camera.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// The device is being opened for the first time.
    Opening,
    /// Pictures come.
    Online,
    /// No pictures; it is tried again and again.
    Offline,
    /// Released, because nobody watches; the first who does wakes it.
    Idle,
}

impl State {
    /// Every state there is.
    pub const ALL: [State; 4] = [State::Opening, State::Online, State::Offline, State::Idle];

    /// In `/state` and `/metrics`.
    pub fn name(self) -> &'static str {
        match self {
            State::Opening => "opening",
            State::Online => "online",
            State::Offline => "offline",
            State::Idle => "idle",
        }
    }
}

/// What a source really gives, as read back from it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SourceInfo {
    /// What was opened, as its user knows it.
    pub source: String,
    /// The V4L2 node behind it.
    pub node: Option<PathBuf>,
    /// That node's name which does not change with its number.
    pub stable: Option<PathBuf>,
    /// What the camera calls itself, such as `HD Pro Webcam C920`.
    pub card: Option<String>,
    /// The sensor of a camera module, such as `imx708`.
    pub sensor: Option<String>,
    /// Who reads it: V4L2, FFMPEG, GSTREAMER or built-in.
    pub backend: String,
    /// Its pixel or stream format, such as MJPG, YUYV, h264, BGR.
    pub format: String,
    /// Range of its raw pixels, where it is known.
    pub range: Option<ColorRange>,
    /// Size of its pictures, as they come.
    pub size: Option<Size>,
    /// Its nominal rate.
    pub fps: Option<f64>,
    /// What it was asked for.
    pub asked: RequestedFormat,
    /// Its JPEGs are sent as they come, never decoded.
    pub pass_through: bool,
    /// It is the test pattern in place of a camera that was not found.
    pub is_fallback: bool,
    /// Why a camera that is there is not shown instead, with what to do.
    pub hint: Option<String>,
    /// It never gives the very same picture twice while it works; the same one again and again is a
    /// fault. Not set by what may show a scene that stands still: streams, screens, files.
    pub can_freeze: bool,
}

/// The numbers that brightness and colours have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColorRange {
    /// Y is 16 to 235, U and V are 16 to 240, as cameras and films mostly have it.
    Limited,
    /// All are 0 to 255, as in a JPEG.
    Full,
}

impl ColorRange {
    /// In `/state`, the log and `--check`.
    pub fn name(self) -> &'static str {
        match self {
            ColorRange::Limited => "limited",
            ColorRange::Full => "full",
        }
    }
}

/// What a source was asked for; it may have given something else.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RequestedFormat {
    /// Pixel format, as four letters.
    pub format: Option<String>,
    /// Picture size.
    pub size: Option<Size>,
    /// Frames a second.
    pub fps: Option<f64>,
}
