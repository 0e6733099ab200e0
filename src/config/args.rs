//! The command line as it was typed; `config` says what it means.
//!
//! Each option is parsed by the type it becomes, so that a bad value is refused by name, with what
//! is allowed, before anything is started.

use crate::config::{
    CameraName, Device, EncodeMode, Flip, Fps, FrameAncestors, HostPattern, ListedCamera, Listen,
    Origin, PixelFormat, Rotate, Size,
    given::{self, Given, SWITCHES},
    listed, shown_word,
    values::{control_settings, number, overlay, seconds},
};
use argh::{EarlyExit, FromArgs};
use std::{borrow::Cow, cmp::Reverse, env, path::PathBuf, thread, time::Duration};

/// Turns a camera into a live feed that every browser, script and program on the network can
/// watch at once.
#[derive(Debug, FromArgs)]
#[argh(
    note = "Addresses: / is the page, /stream the live picture, /snapshot.jpg one JPEG, /state the\n\
    numbers as JSON, /metrics for Prometheus, /healthz one line.\n\
    Logging: RUST_LOG=debug says more, RUST_LOG=warn less.",
    example = "Show the first camera (or the test pattern) on port 8080:\n    {command_name}",
    example = "A USB camera at 1280x720, turned upside down:\n    {command_name} --source /dev/video0 --size 1280x720 --rotate 180",
    example = "Two cameras, below /garden/ and /shed/:\n    {command_name} --camera garden=/dev/video0 --camera shed=/dev/video2",
    example = "Pass another server's stream on:\n    {command_name} --source http://garden.local:8080/stream --listen 127.0.0.1:8081"
)]
pub struct Args {
    /// what to show: `auto` (the first camera that opens, else the test pattern), `all` (every camera
    /// there is, each under a name of its own), a camera number,
    /// /dev/… (also /dev/v4l/by-id/…), `csi` (a Raspberry Pi camera module; csi:ID one of several), a
    /// file, an http(s):// or rtsp:// address, gst:PIPELINE, or `test` (also test:1280x720@30); default
    /// auto
    #[argh(option, arg_name = "S")]
    pub source: Option<Device>,

    /// a camera below /NAME/, and what it shows, as for --source; addresses without a name are the first
    /// one's; NAME is 1 to 32 of A-Z a-z 0-9 _ -; may be given several times; default none
    #[argh(option, arg_name = "NAME=SOURCE")]
    pub camera: Vec<ListedCamera>,

    /// where to serve: ADDR:PORT, `[::]:PORT` or unix:/path; port 0 takes a free one;
    /// default 0.0.0.0:8080
    #[argh(option, default = "Listen::default()", arg_name = "A")]
    pub listen: Listen,

    /// what this camera is called, or all of several together, on the page, in file names, /state and
    /// /metrics, 1 to 64 letters; default the name of the only --camera, else NAME where the service is
    /// camfeed@NAME, else this machine's host name
    #[argh(option, arg_name = "NAME")]
    pub name: Option<CameraName>,

    /// picture size to ask of the camera or the test pattern; default the source's own, of a camera
    /// module 1280x720, or 1280x960 where its sensor is 4:3
    #[argh(option, arg_name = "WxH")]
    pub size: Option<Size>,

    /// frames a second to ask of the camera or the test pattern, or to play a file at;
    /// default the source's own, of a camera module 30
    #[argh(option, arg_name = "N")]
    pub fps: Option<Fps>,

    /// pixel format to ask of the camera: auto (its JPEGs, else raw pixels), mjpg, yuyv, uyvy,
    /// nv12, grey or another V4L2 code; default auto
    #[argh(option, default = "PixelFormat::Auto", arg_name = "F")]
    pub format: PixelFormat,

    /// auto passes JPEGs of the camera through untouched, always decodes and encodes them;
    /// default auto
    #[argh(option, default = "EncodeMode::Auto", arg_name = "auto|always")]
    pub encode: EncodeMode,

    /// JPEG quality, 1 to 100; default 80
    #[argh(option, default = "80", from_str_fn(number::<_, 1, 100>), arg_name = "N")]
    pub quality: i32,

    /// encoder threads, 1 to 64, which all cameras share in turn; default one per core, at most 4
    #[argh(option, default = "default_workers()", from_str_fn(number::<_, 1, 64>), arg_name = "N")]
    pub workers: usize,

    /// turn the picture clockwise by 0, 90, 180 or 270 degrees; default 0
    #[argh(option, default = "Rotate::None", arg_name = "0|90|180|270")]
    pub rotate: Rotate,

    /// mirror the picture: h (left to right), v (top to bottom) or hv; default none
    #[argh(option, default = "Flip::None", arg_name = "h|v|hv")]
    pub flip: Flip,

    /// text to burn into the picture: time (date and time) or any text with strftime fields and
    /// {name}, such as "{name} %H:%M"; decodes and encodes the camera's JPEGs; default none
    #[argh(option, from_str_fn(overlay), arg_name = "TEXT")]
    pub overlay: Option<String>,

    /// camera controls to set whenever the camera is opened, such as brightness=128,exposure=auto or
    /// af_mode=manual,lens_position=2.5; may be given several times; default none
    #[argh(option, from_str_fn(control_settings), arg_name = "NAME=VALUE,…")]
    pub set: Vec<Vec<(String, String)>>,

    /// no /controls: nobody changes the camera's controls over the network; default off
    #[argh(switch)]
    pub no_controls: bool,

    /// seconds without a picture after which the camera counts as hanging, 1 to 3600; default 5
    #[argh(
        option,
        default = "Duration::from_secs(5)",
        from_str_fn(seconds),
        arg_name = "S"
    )]
    pub camera_timeout: Duration,

    /// seconds without a viewer or snapshot after which the camera is released until somebody
    /// looks again, 1 to 3600; default never
    #[argh(option, from_str_fn(seconds), arg_name = "S")]
    pub idle_timeout: Option<Duration>,

    /// pictures not shown after such a release, while the camera finds its exposure, 0 to 300;
    /// default 5
    #[argh(option, default = "5", from_str_fn(number::<_, 0, 300>), arg_name = "N")]
    pub warmup: u32,

    /// streams served at once, 1 to 10000; one more gets 503; default 100, or what the system's
    /// limits hold
    #[argh(option, from_str_fn(number::<_, 1, 10_000>), arg_name = "N")]
    pub max_viewers: Option<usize>,

    /// connections at once, viewers included, 8 to 20000; for one more the oldest that asks for
    /// nothing is closed; default 512, or what the system's limits hold
    #[argh(option, from_str_fn(number::<_, 8, 20_000>), arg_name = "N")]
    pub max_connections: Option<usize>,

    /// connections of one address at once, 1 to 20000; a browser needs 6, a proxy is one address; default no limit
    #[argh(option, from_str_fn(number::<_, 1, 20_000>), arg_name = "N")]
    pub max_per_address: Option<usize>,

    /// seconds after which a viewer that takes no byte is let go, 1 to 3600; default 10
    #[argh(
        option,
        default = "Duration::from_secs(10)",
        from_str_fn(seconds),
        arg_name = "S"
    )]
    pub client_timeout: Duration,

    /// origin whose pages may read the feed from a browser (CORS), such as
    /// `http://mainsail.local`, or *; default off
    #[argh(option, arg_name = "O")]
    pub allow_origin: Option<Origin>,

    /// who may show the page in a frame: origins such as `https://ha.example:8123` with commas
    /// between them, *, self or none; default self
    #[argh(option, default = "FrameAncestors::default()", arg_name = "SOURCES")]
    pub frame_ancestors: FrameAncestors,

    /// file with user:password, or only a password, that everybody is asked for; default
    /// $CREDENTIALS_DIRECTORY/password, else the variable CAMFEED_PASSWORD, else none
    #[argh(option, arg_name = "PATH")]
    pub password_file: Option<PathBuf>,

    /// file with a token that lets look at every address with ?token=… behind it; default
    /// $CREDENTIALS_DIRECTORY/token, else the variable CAMFEED_TOKEN, else none
    #[argh(option, arg_name = "PATH")]
    pub token_file: Option<PathBuf>,

    /// name this machine is reached by, when neither password nor token is set: a name,
    /// *.example.org or * for any; may be given several times; default every name without a dot,
    /// its host name, also with .local, .lan and the like, and every IP address
    #[argh(option, arg_name = "NAME")]
    pub allow_host: Vec<HostPattern>,

    /// file of more options, one a line, as typed here, with # comments: those typed here win; a line
    /// `[NAME]` begins the options of a camera of that name, what stands before the first is for the server
    /// and all cameras; SIGHUP reads it again, and a new quality counts at once; default none
    #[argh(option, arg_name = "FILE")]
    pub config: Option<PathBuf>,

    /// list the cameras with their formats, mark what auto chooses, and exit
    #[argh(switch)]
    pub list: bool,

    /// open the source, read it for three seconds, say what it really gives, and exit: 0 well,
    /// 3 missing, 4 busy, 5 forbidden, 6 no usable picture, 7 not a camera, 1 anything else
    #[argh(switch)]
    pub check: bool,

    /// print the version and exit
    #[argh(switch)]
    pub version: bool,
}

/// One per core, at most 4.
fn default_workers() -> usize {
    thread::available_parallelism().map_or(1, |cores| cores.get().min(4))
}

/// Options behind which a source stands.
const SOURCES: [&str; 2] = ["--source", "--camera"];

/// The options of the command line, and what they say. When they ask for help or are wrong, prints that; the
/// error is the exit code.
pub fn from_env() -> Result<(Vec<Given>, Args), u8> {
    let words: Result<Vec<String>, _> = env::args_os()
        .skip(1)
        .map(|word| word.into_string())
        .collect();
    let Ok(words) = words else {
        eprintln!("an option is no UTF-8: allowed are letters in UTF-8, and %XX in addresses");
        return Err(1);
    };
    match read(&words) {
        Ok(read) => Ok(read),
        Err(EarlyExit {
            output,
            status: Ok(()),
        }) => {
            println!("{output}");
            Err(0)
        }
        Err(EarlyExit { output, .. }) => {
            eprintln!("{output}\nRun camfeed --help for more information.");
            Err(1)
        }
    }
}

/// The options of a whole command line, and what they say.
pub fn read(words: &[String]) -> Result<(Vec<Given>, Args), EarlyExit> {
    let given = given::read(words)?;
    let args = parse(&given.iter().flat_map(Given::words).collect::<Vec<_>>())?;
    listed::check(args.source.as_ref(), &args.camera)?;
    Ok((given, args))
}

/// What `words` say. An error quotes the word that is wrong, without secrets that it may hold.
pub fn parse(words: &[&str]) -> Result<Args, EarlyExit> {
    Args::from_args(&["camfeed"], words).map_err(|mut exit| {
        let before = [""].iter().chain(words);
        let mut quoted: Vec<(&str, Cow<str>)> = before
            .zip(words)
            .filter(|(before, word)| is_source(before, word))
            .map(|(before, word)| match *before {
                "--camera" => (*word, ListedCamera::shown(word)),
                _ => (*word, shown_word(word)),
            })
            .collect();
        // One may be a part of another.
        quoted.sort_by_key(|(word, _)| Reverse(word.len()));
        for (word, shown) in quoted {
            exit.output = exit.output.replace(word, &shown);
        }
        exit
    })
}

/// True for what may be meant as a source, behind the word `before`.
fn is_source(before: &str, word: &str) -> bool {
    let is_others =
        before.starts_with("--") && !SOURCES.contains(&before) && !SWITCHES.contains(&before);
    !word.is_empty() && (!is_others || word.contains("://") || word.contains("gst:"))
}
