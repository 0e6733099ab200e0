//! The command line as it was typed; `config` says what it means.
//!
//! Each option is parsed by the type it becomes, so that a bad value is refused by name, with what
//! is allowed, before anything is started.

use crate::config::{Device, Flip, Fps, Listen, Quality, Rotate, Size, Viewers, Workers};
use argh::FromArgs;

/// Turns a camera into a live feed that every browser, script and program on the network can
/// watch at once.
#[derive(Debug, FromArgs)]
#[argh(
    note = "Addresses: / is the page, /stream the live picture, /snapshot.jpg one JPEG, /state the\n\
    numbers as JSON, /healthz one line. Logging: RUST_LOG=debug says more, RUST_LOG=warn less.",
    example = "Show the first camera (or the test pattern) on port 8080:\n    {command_name}",
    example = "A USB camera at 1280x720, turned upside down:\n    {command_name} --source /dev/video0 --size 1280x720 --rotate 180",
    example = "Pass another server's stream on:\n    {command_name} --source http://garden.local:8080/stream --listen 127.0.0.1:8081"
)]
pub struct Args {
    /// what to show: `auto` (the first camera that opens, else the test pattern), a camera number,
    /// /dev/… (also /dev/v4l/by-id/…), a file, an http(s):// or rtsp:// address, gst:PIPELINE,
    /// or `test` (also test:1280x720@30); default auto
    #[argh(option, default = "Device::Auto", arg_name = "S")]
    pub source: Device,

    /// where to serve: ADDR:PORT, `[::]:PORT` or unix:/path; port 0 takes a free one;
    /// default 0.0.0.0:8080
    #[argh(option, default = "Listen::default()", arg_name = "A")]
    pub listen: Listen,

    /// picture size to ask of the camera or the test pattern; default the source's own
    #[argh(option, arg_name = "WxH")]
    pub size: Option<Size>,

    /// frames a second to ask of the camera or the test pattern, or to play a file at;
    /// default the source's own
    #[argh(option, arg_name = "N")]
    pub fps: Option<Fps>,

    /// JPEG quality, 1 to 100; default 80
    #[argh(option, default = "Quality::default()", arg_name = "N")]
    pub quality: Quality,

    /// encoder threads, 1 to 64; default one per core, at most 4
    #[argh(option, default = "Workers::default()", arg_name = "N")]
    pub workers: Workers,

    /// turn the picture clockwise by 0, 90, 180 or 270 degrees; default 0
    #[argh(option, default = "Rotate::None", arg_name = "DEGREES")]
    pub rotate: Rotate,

    /// mirror the picture: h (left to right), v (top to bottom) or hv; default none
    #[argh(option, default = "Flip::None", arg_name = "h|v|hv")]
    pub flip: Flip,

    /// streams served at once, 1 to 10000; one more gets 503; default 100
    #[argh(option, default = "Viewers::default()", arg_name = "N")]
    pub max_viewers: Viewers,

    /// origin whose pages may read the feed from a browser (CORS), such as
    /// `http://mainsail.local`, or *; default off
    #[argh(option, arg_name = "O")]
    pub allow_origin: Option<crate::config::Origin>,

    /// print the version and exit
    #[argh(switch)]
    pub version: bool,
}
