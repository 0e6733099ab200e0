//! What an option that camfeed does not have may mean: one of its own, or one that ustreamer, mjpg-streamer,
//! motion and programs like them have.

use crate::config::{
    Fps, Listen, Rotate, Size, options,
    values::{quality, seconds, viewers, workers},
};
use argh::FromArgValue;
use std::net::{IpAddr, SocketAddr};
use strsim::osa_distance;

/// Names of options without their dashes, `-` for `_`, and what takes their place. A value in `<…>` is an
/// example. In its place stands the value that was typed, or what the option's value is called where that is
/// not allowed. Programs differ in what one letter means: all their meanings are told.
#[rustfmt::skip]
const OTHERS: &[(&str, &str)] = &[
    ("p port http-port stream-port", "the port is `--listen <8080>`"),
    ("host address bind ip http-listen", "the address to serve is `--listen <127.0.0.1:8080>`"),
    ("s", "the address to serve is `--listen <127.0.0.1:8080>`; the size of output_file.so is \
           `camfeed-timelapse -b`"),
    ("l", "the address to serve is `--listen <127.0.0.1:8080>`; ustreamer's -l is not needed: nothing is encoded \
           while nobody watches"),
    ("stream-localhost localhost no-proxy", "for this machine alone it is `--listen 127.0.0.1:8080`"),
    ("webcontrol-port webcontrol-localhost webcontrol-authentication webcontrol-tls webcontrol-parms",
     "nothing takes its place: the page and /controls are on the port of the pictures"),
    ("U unix socket", "a Unix socket is `--listen unix:/path`"),
    ("M unix-mode", "the umask decides who may use a Unix socket"),
    ("S systemd", "a socket that systemd passes is taken without an option"),
    ("d", "the camera is `--source </dev/video0>`; the delay of output_file.so is `camfeed-timelapse -e`"),
    ("device video-device videodevice v4l2-device camera-path cam", "the camera is `--source </dev/video0>`"),
    ("mmalcam-name libcam-device", "a camera module is `--source csi`"),
    ("url netcam-url input-url rtsp stream-url", "a network stream is `--source http://…` or rtsp://…"),
    ("netcam-userpass", "it stands before the host: `--source http://user:password@cam/stream`"),
    ("camera-dir", "a camera is a section of the file of options, or --camera NAME=SOURCE"),
    ("resolution width height video-size geometry camera-width camera-height", "the size is `--size <1280x720>`"),
    ("r", "the size is `--size <1280x720>`; of output_http.so nothing takes its place"),
    ("f", "the rate is `--fps <30>`; pictures are kept in a folder by `camfeed-timelapse`"),
    ("desired-fps framerate frame-rate rate max-fps camera-fps", "the rate is `--fps <30>`"),
    ("stream-maxrate softfps every-frame", "each viewer asks for the rate it wants: /stream?fps=5"),
    ("ratelimit", "how many there are is bounded by `--max-viewers N` and `--max-per-address N`"),
    ("y", "the pixel format is `--format yuyv`; a height is a part of `--size <1280x720>`"),
    ("yuv", "the pixel format is `--format yuyv`"),
    ("uyvy", "the pixel format is `--format uyvy`"),
    ("m pixel-format pix-fmt v4l2-palette input-format camera-format", "the pixel format is `--format mjpg`, yuyv and so on"),
    ("q", "the quality is `--quality <80>`; to say less in the log, RUST_LOG=warn stands before the command"),
    ("stream-quality jpeg-quality", "the quality is `--quality <80>`"),
    ("quiet silent", "to say less in the log, RUST_LOG=warn stands before the command: RUST_LOG=warn camfeed"),
    ("vv vvv verbose debug perf log-level loglevel log-type",
     "to say more in the log, RUST_LOG=debug stands before the command: RUST_LOG=debug camfeed"),
    ("v", "the version is `--version`; to say more in the log, RUST_LOG=debug stands before the command"),
    ("w", "encoder threads are `--workers <2>`; the page needs no folder"),
    ("threads jobs", "encoder threads are `--workers <2>`"),
    ("www static webroot", "the page is built in and needs no folder"),
    ("c", "a file of options is `--config FILE`, a password `--password-file PATH`, whether JPEGs are encoded \
           again `--encode auto|always`; a command on each picture is a script with `camfeed-snapshot`"),
    ("command", "a command on each picture is a script with `camfeed-snapshot`"),
    ("config-file conf options", "a file of options is `--config FILE`"),
    ("encoder hwaccel", "whether the camera's JPEGs are encoded again is `--encode auto|always`"),
    ("u", "the pixel format is `--format uyvy`; a password stands in a file: `--password-file PATH`, with \
           user:password in it"),
    ("user username passwd password pass credentials auth stream-authentication stream-auth-method",
     "a password stands in a file, where `ps` does not show it: `--password-file PATH`, with user:password \
      in it"),
    ("token api-key", "a token stands in a file: `--token-file PATH`"),
    ("cert key ssl tls https stream-tls", "TLS is done by a proxy in front, such as nginx or Caddy"),
    ("b", "it stays in the foreground; in the background the service runs it: `sudo systemctl enable --now \
           camfeed`; ustreamer's buffers are not needed"),
    ("background daemon daemonize fork setup-mode",
     "it stays in the foreground; the package's service runs it at every start: `sudo systemctl enable --now \
      camfeed`"),
    ("i input",
     "of input_uvc.so -d is `--source /dev/video0`, -r `--size 1280x720`, -f `--fps 30`, -q `--quality 80`, \
      -rot `--rotate 180`; another server is `--source http://…`"),
    ("o output",
     "of output_http.so -p is `--listen 8080`, -c `--password-file PATH`, -n `--no-controls`; -w is not \
      needed, the page is built in"),
    ("rot rotation", "to turn the picture is `--rotate <180>`"),
    ("hf hflip flip-horizontal",
     "to mirror the picture left to right is `--flip h`, or `--set horizontal_flip=on` where the camera can"),
    ("vf vflip flip-vertical",
     "to mirror the picture top to bottom is `--flip v`, or `--set vertical_flip=on` where the camera can"),
    ("flip-axis", "to mirror the picture is `--flip v` for motion's h, `--flip h` for its v"),
    ("mirror", "to mirror the picture is `--flip h`, v or hv"),
    ("br co sa sh gain ex wb bk pl cb cagc ss brightness contrast saturation hue gamma sharpness exposure \
      white-balance backlight-compensation focus zoom video-params v4l2-params libcam-params camera-options v4l2ctl",
     "controls of the camera are `--set NAME=VALUE,…`, such as --set brightness=128"),
    ("n", "to let nobody change controls of the camera is `--no-controls`; ustreamer's and motion's -n are not \
           needed"),
    ("nocommands no-commands no-dynctrl", "to let nobody change controls of the camera is `--no-controls`"),
    ("text text-left text-right timestamp", "text in the picture is `--overlay \"{name} %H:%M\"`"),
    ("camera-name camera-id device-name device-id instance-id title", "what the camera is called is `--name NAME`"),
    ("timeout device-timeout device-tmo watchdog-tmo",
     "how long a camera may be silent is `--camera-timeout <5>`"),
    ("device-error-delay persistent retry reconnect", "a camera that is lost is tried again without an option"),
    ("server-timeout", "how long a viewer may take nothing is `--client-timeout <10>`"),
    ("max-clients http-maxcons", "how many may watch is `--max-viewers <100>`"),
    ("slowdown exit-on-no-clients on-demand",
     "nothing is encoded while nobody watches; `--idle-timeout <60>` lets the camera go, too"),
    ("led", "the camera's light goes off with the camera: `--idle-timeout <60>` lets it go"),
    ("tcp-nodelay drop-same-frames min-frame-size minimum-size allow-truncated-frames buffers unix-rm blank \
      last-as-blank dv-timings io-method tvnorm tv-standard fake-resolution image-default fourcc preview stats \
      usestills m2m-device h264-m2m-device a z I k R T K D e t",
     "nothing takes its place, none is needed"),
    ("jpeg-sink raw-sink h264-sink", "programs on the same machine read /stream, which is JPEGs"),
    ("cors stream-cors-header stream-header-params",
     "who may read the feed from a browser is `--allow-origin ORIGIN`"),
    ("list-cameras list-devices devices cameras L", "the cameras are listed by `--list`"),
    ("info probe", "what a camera gives is said by `--check`"),
    ("log-file logfile log-path syslog", "the log goes to standard error: `camfeed 2>camfeed.log`"),
    ("pid-file pidfile", "no file is written; systemd knows the process of the service"),
    ("snapshot-interval snapshot-filename", "pictures are kept by the script `camfeed-snapshot`"),
    ("timelapse timelapse-interval timelapse-mode timelapse-fps",
     "pictures are kept, and made films of, by the script `camfeed-timelapse`"),
    ("target-dir record movie-output picture-output",
     "pictures are kept by the scripts camfeed-snapshot and camfeed-timelapse"),
    ("on-camera-lost on-camera-found", "a command for that is run by the script `camfeed-watch`"),
    ("threshold emulate-motion on-event-start on-motion-detected noise-level",
     "motion is not detected here; motion itself can read /stream"),
];

/// What is said of the word `name`, which names no option of camfeed, with `value` behind it; `None` when
/// nothing is known of it.
pub fn meant(name: &str, value: Option<&str>) -> Option<String> {
    let bare = bare(name);
    let own = || options::all().map(options::CommandOption::name);
    let asked = |own: &str| format!("did you mean `{own}`?");
    if let Some(own) = own().find(|own| own[2..] == bare) {
        return Some(asked(own));
    }
    if value.is_some_and(is_camera) && !bare.ends_with("m2m-device") {
        return Some(filled("the camera is `--source </dev/video0>`", value));
    }
    if let Some(instead) = instead_of(&bare) {
        return Some(filled(instead, value));
    }
    let nearest = own()
        .map(|own| (osa_distance(&own[2..], &bare), own))
        .min()?;
    // Of a short word nothing may be left.
    let is_near = nearest.0 <= 2 && nearest.0 * 3 <= bare.chars().count();
    is_near.then(|| asked(nearest.1))
}

/// What is said of `letter`, such as `-p`, when `value` stands right behind it; `None` where that is no value
/// of it.
pub fn meant_by_letter(letter: &str, value: &str) -> Option<String> {
    let (before, _) = instead_of(&bare(letter))?.split_once('<')?;
    let is_its = value.starts_with("/dev/") || carried(option_of(before), value).is_some();
    is_its.then(|| meant(letter, Some(value)))?
}

/// True for a node of a camera, or a name that leads to one.
fn is_camera(value: &str) -> bool {
    value.starts_with("/dev/video") || value.starts_with("/dev/v4l/")
}

/// `name` as the table has it.
fn bare(name: &str) -> String {
    let is_short = name.strip_prefix('-').is_some_and(|rest| rest.len() == 1);
    let bare = name.trim_start_matches('-').replace('_', "-");
    if is_short { bare } else { bare.to_lowercase() }
}

fn instead_of(bare: &str) -> Option<&'static str> {
    let mut others = OTHERS.iter();
    let (_, instead) = others.find(|(names, _)| names.split(' ').any(|known| known == bare))?;
    Some(instead)
}

/// The option whose value stands behind `text`.
fn option_of(text: &str) -> &str {
    text.trim_end().rsplit('`').next().unwrap_or_default()
}

/// `instead` with `value` in the place of its example.
fn filled(instead: &str, value: Option<&str>) -> String {
    let Some((before, rest)) = instead.split_once('<') else {
        return instead.to_owned();
    };
    let (example, behind) = rest.split_once('>').unwrap_or((rest, ""));
    let option = option_of(before);
    let form = || options::find(option).and_then(options::CommandOption::value);
    let value = match value.filter(|value| !value.is_empty()) {
        Some(value) => carried(option, value).unwrap_or_else(|| form().unwrap_or(example).into()),
        None => example.into(),
    };
    format!("{before}{value}{behind}")
}

/// `value` of another program as `option` takes it; `None` where it does not, or where it may be a secret.
fn carried(option: &str, value: &str) -> Option<String> {
    let value = match option {
        "--source" => match value.strip_prefix("video").unwrap_or(value).parse::<u8>() {
            Ok(number) => format!("/dev/video{number}"),
            Err(_) => value.to_owned(),
        },
        "--listen" => match value.parse::<IpAddr>() {
            Ok(address) => SocketAddr::new(address, 8080).to_string(),
            Err(_) if value == "localhost" => format!("{value}:8080"),
            Err(_) => value.to_owned(),
        },
        _ => value.to_owned(),
    };
    let is_allowed = match option {
        "--source" => value.starts_with("/dev/") && !value.contains(char::is_whitespace),
        "--listen" => {
            let number = value.strip_prefix("localhost:").unwrap_or(&value);
            let is_plain = number
                .bytes()
                .all(|byte| b"0123456789abcdef.:[]".contains(&byte));
            is_plain && Listen::from_arg_value(&value).is_ok()
        }
        "--size" => Size::from_arg_value(&value).is_ok(),
        "--fps" => Fps::from_arg_value(&value).is_ok(),
        "--rotate" => Rotate::from_arg_value(&value).is_ok(),
        "--quality" => quality(&value).is_ok(),
        "--workers" => workers(&value).is_ok(),
        "--max-viewers" => viewers(&value).is_ok(),
        _ => seconds(&value).is_ok(),
    };
    is_allowed.then_some(value)
}

#[cfg(test)]
mod tests;
