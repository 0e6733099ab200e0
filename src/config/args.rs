//! The command line as it was typed; `config` says what it means.
//!
//! Each option is parsed by the type it becomes, so that a bad value is refused by name, with what
//! is allowed, before anything is started.

use crate::{
    config::{
        CameraName, Device, EncodeMode, Flip, Fps, FrameAncestors, HostPattern, ListedCamera,
        Listen, Origin, PixelFormat, Rotate, Size,
        given::{self, Given},
        listed,
        options::{self, CommandOption},
        shown_word,
        values::{control_settings, number, overlay, quality, seconds, viewers, workers},
    },
    system::output::{self, say},
};
use argh::{EarlyExit, FromArgs};
use std::{borrow::Cow, cmp::Reverse, env, path::PathBuf, thread, time::Duration};

/// The options as the parser takes them; the table of `options` tells people of them.
#[derive(Debug, FromArgs)]
#[cfg_attr(test, derive(argh::ArgsInfo))]
pub struct Args {
    /// what to show
    #[argh(option, arg_name = "SOURCE")]
    pub source: Option<Device>,
    /// cameras with names
    #[argh(option, arg_name = "NAME=SOURCE")]
    pub camera: Vec<ListedCamera>,
    /// where to serve
    #[argh(option, default = "Listen::default()", arg_name = "ADDR:PORT")]
    pub listen: Listen,
    /// what this camera is called
    #[argh(option, arg_name = "NAME")]
    pub name: Option<CameraName>,
    /// of the pictures, asked of the source
    #[argh(option, arg_name = "WxH")]
    pub size: Option<Size>,
    /// frames a second, asked of the source
    #[argh(option, arg_name = "N")]
    pub fps: Option<Fps>,
    /// pixel format, asked of the camera
    #[argh(option, default = "PixelFormat::Auto", arg_name = "CODE")]
    pub format: PixelFormat,
    /// whether JPEGs are encoded again
    #[argh(option, default = "EncodeMode::Auto", arg_name = "auto|always")]
    pub encode: EncodeMode,
    /// of JPEGs that are encoded here
    #[argh(option, default = "80", from_str_fn(quality), arg_name = "N")]
    pub quality: i32,
    /// encoder threads
    #[argh(
        option,
        default = "default_workers()",
        from_str_fn(workers),
        arg_name = "N"
    )]
    pub workers: usize,
    /// degrees, clockwise
    #[argh(option, default = "Rotate::None", arg_name = "0|90|180|270")]
    pub rotate: Rotate,
    /// mirror
    #[argh(option, default = "Flip::None", arg_name = "h|v|hv")]
    pub flip: Flip,
    /// text in the picture
    #[argh(option, from_str_fn(overlay), arg_name = "TEXT")]
    pub overlay: Option<String>,
    /// camera controls
    #[argh(option, from_str_fn(control_settings), arg_name = "NAME=VALUE,…")]
    pub set: Vec<Vec<(String, String)>>,
    /// no controls over the network
    #[argh(switch)]
    pub no_controls: bool,
    /// without a picture
    #[argh(
        option,
        default = "Duration::from_secs(5)",
        from_str_fn(seconds),
        arg_name = "SECONDS"
    )]
    pub camera_timeout: Duration,
    /// without a viewer
    #[argh(option, from_str_fn(seconds), arg_name = "SECONDS")]
    pub idle_timeout: Option<Duration>,
    /// pictures not shown
    #[argh(option, default = "5", from_str_fn(number::<_, 0, 300>), arg_name = "N")]
    pub warmup: u32,
    /// streams at once
    #[argh(option, from_str_fn(viewers), arg_name = "N")]
    pub max_viewers: Option<usize>,
    /// at once
    #[argh(option, from_str_fn(number::<_, 8, 20_000>), arg_name = "N")]
    pub max_connections: Option<usize>,
    /// at once, of one address
    #[argh(option, from_str_fn(number::<_, 1, 20_000>), arg_name = "N")]
    pub max_per_address: Option<usize>,
    /// of a viewer that takes no byte
    #[argh(
        option,
        default = "Duration::from_secs(10)",
        from_str_fn(seconds),
        arg_name = "SECONDS"
    )]
    pub client_timeout: Duration,
    /// who may read the feed
    #[argh(option, arg_name = "ORIGIN")]
    pub allow_origin: Option<Origin>,
    /// who may show the page
    #[argh(option, default = "FrameAncestors::default()", arg_name = "SOURCES")]
    pub frame_ancestors: FrameAncestors,
    /// holds the password
    #[argh(option, arg_name = "PATH")]
    pub password_file: Option<PathBuf>,
    /// holds the token
    #[argh(option, arg_name = "PATH")]
    pub token_file: Option<PathBuf>,
    /// names of this machine
    #[argh(option, arg_name = "NAME")]
    pub allow_host: Vec<HostPattern>,
    /// holds more options
    #[argh(option, arg_name = "FILE")]
    pub config: Option<PathBuf>,
    /// say what there is
    #[argh(switch)]
    pub list: bool,
    /// say what the source gives
    #[argh(switch)]
    pub check: bool,
    /// say it
    #[argh(switch)]
    pub version: bool,
}

/// One per core, at most 4.
fn default_workers() -> usize {
    thread::available_parallelism().map_or(1, |cores| cores.get().min(4))
}

/// Options behind which a source stands, or by mistake a password.
const SOURCES: [&str; 3] = ["--source", "--camera", "--password-file"];

/// The options of the command line, and what they say. When they ask for help or are wrong, prints that; the
/// error is the exit code.
pub fn from_env() -> Result<(Vec<Given>, Args), u8> {
    let words: Result<Vec<String>, _> = env::args_os()
        .skip(1)
        .map(|word| word.into_string())
        .collect();
    let read = match words {
        Ok(words) => read(&words),
        Err(word) => Err(format!(
            "`{}` is no UTF-8: allowed are letters in UTF-8, and %XX in addresses",
            shown_word(&word.to_string_lossy())
        )
        .into()),
    };
    read.map_err(|EarlyExit { output, status }| {
        let output = output.trim_end();
        if status.is_ok() {
            say!("{output}");
            return 0;
        }
        output::complain(format_args!(
            "{output}\n`camfeed --help` shows what is allowed"
        ));
        1
    })
}

/// The options of a whole command line, and what they say.
pub fn read(words: &[String]) -> Result<(Vec<Given>, Args), EarlyExit> {
    let given = given::read(words)?;
    if given.iter().any(|given| given.name == "--help") {
        return Err(EarlyExit {
            output: options::help(),
            status: Ok(()),
        });
    }
    let args = parse(&given.iter().flat_map(Given::words).collect::<Vec<_>>())?;
    listed::check(args.source.as_ref(), &args.camera)?;
    Ok((given, args))
}

/// What `words` say. An error quotes the word that is wrong, without secrets that it may hold.
pub fn parse(words: &[&str]) -> Result<Args, EarlyExit> {
    Args::from_args(&["camfeed"], words).map_err(|mut exit| {
        let twice = "duplicate values provided";
        let allowed = format!("{twice}, and it is allowed once");
        exit.output = exit.output.replace(twice, &allowed);
        let before = [""].iter().chain(words);
        let mut quoted: Vec<(&str, Cow<str>)> = before
            .zip(words)
            .filter(|(before, word)| is_source(before, word))
            .map(|(before, word)| match *before {
                "--camera" => (*word, ListedCamera::shown(word)),
                "--password-file" if word.contains(':') => (*word, "…".into()),
                _ => (*word, shown_word(word)),
            })
            .collect();
        // One may be a part of another.
        quoted.sort_by_key(|(word, _)| Reverse(word.len()));
        for (word, shown) in quoted {
            // What is allowed may have the word in it, too.
            let value = format!("with value '{word}': ");
            exit.output = match exit.output.split_once(&value) {
                Some((before, reason)) => format!("{before}with value '{shown}': {reason}"),
                None if exit.output.starts_with("Error parsing") => continue,
                None => exit.output.replace(word, &shown),
            };
        }
        exit
    })
}

/// True for what may be meant as a source, behind the word `before`.
fn is_source(before: &str, word: &str) -> bool {
    let takes_other =
        |option: &CommandOption| option.value().is_some() && !SOURCES.contains(&before);
    let is_others = options::find(before).is_some_and(takes_other);
    !word.is_empty() && (!is_others || word.contains("://") || word.contains("gst:"))
}
