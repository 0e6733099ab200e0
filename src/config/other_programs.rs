//! What an option that camfeed does not have may mean: one of its own, or one that ustreamer, mjpg-streamer,
//! motion and programs like them have.

use crate::config::options;
use strsim::osa_distance;

/// Names of options without their dashes, `-` for `_`, and what takes their place. A value in `<…>` is an
/// example, in whose place a number, a size, an address or a device is put that was typed.
#[rustfmt::skip]
const OTHERS: &[(&str, &str)] = &[
    ("p port http-port stream-port webcontrol-port", "the port is `--listen <8080>`"),
    ("s host address bind ip l", "the address to serve is `--listen <0.0.0.0>:8080`"),
    ("stream-localhost webcontrol-localhost localhost",
     "for this machine alone it is `--listen 127.0.0.1:8080`"),
    ("U unix socket", "a Unix socket is `--listen unix:/path`"),
    ("S systemd", "a socket that systemd passes is taken without an option"),
    ("d device video-device videodevice cam", "the camera is `--source </dev/video0>`"),
    ("url netcam-url input-url rtsp stream-url", "a network stream is `--source http://…` or rtsp://…"),
    ("r resolution width height video-size geometry", "the size is `--size <1280x720>`"),
    ("f desired-fps framerate frame-rate rate", "the rate is `--fps <30>`"),
    ("stream-maxrate ratelimit", "the rate of the camera is `--fps <30>`, that of one viewer /stream?fps=5"),
    ("m y pixel-format fourcc v4l2-palette input-format",
     "the pixel format is `--format mjpg`, yuyv and so on"),
    ("q", "the quality is `--quality <80>`; to say less in the log, RUST_LOG=warn stands before the command"),
    ("stream-quality jpeg-quality", "the quality is `--quality <80>`"),
    ("quiet silent", "to say less in the log, RUST_LOG=warn stands before the command: RUST_LOG=warn camfeed"),
    ("verbose debug perf log-level loglevel log-type",
     "to say more in the log, RUST_LOG=debug stands before the command: RUST_LOG=debug camfeed"),
    ("v", "the version is `--version`; to say more in the log, RUST_LOG=debug stands before the command"),
    ("w", "encoder threads are `--workers <2>`; the page needs no folder"),
    ("threads jobs", "encoder threads are `--workers <2>`"),
    ("www static webroot", "the page is built in and needs no folder"),
    ("c", "a file of options is `--config FILE`, a password `--password-file PATH`"),
    ("config-file conf options", "a file of options is `--config FILE`"),
    ("encoder hwaccel", "whether the camera's JPEGs are encoded again is `--encode auto|always`"),
    ("u user username passwd password pass credentials auth stream-authentication webcontrol-authentication \
      stream-auth-method netcam-userpass",
     "a password stands in a file, where `ps` does not show it: `--password-file PATH`, with user:password \
      in it"),
    ("token api-key", "a token stands in a file: `--token-file PATH`"),
    ("cert key ssl tls https webcontrol-tls stream-tls",
     "TLS is done by a proxy in front, such as nginx or Caddy"),
    ("b background daemon daemonize fork setup-mode",
     "it stays in the foreground; the package's service runs it at every start: `sudo systemctl enable --now \
      camfeed`"),
    ("i input",
     "of input_uvc.so -d is `--source /dev/video0`, -r `--size 1280x720`, -f `--fps 30`, -q `--quality 80`, \
      -rot `--rotate 180`; another server is `--source http://…`"),
    ("o output",
     "of output_http.so -p is `--listen 8080`, -c `--password-file PATH`, -n `--no-controls`; -w is not \
      needed, the page is built in"),
    ("rot rotation", "to turn the picture is `--rotate <180>`"),
    ("hf hflip flip-horizontal", "to mirror the picture left to right is `--flip h`"),
    ("vf vflip flip-vertical", "to mirror the picture top to bottom is `--flip v`"),
    ("flip-axis", "to mirror the picture is `--flip v` for motion's h, `--flip h` for its v"),
    ("mirror", "to mirror the picture is `--flip h`, v or hv"),
    ("br co sa sh gain ex wb brightness contrast saturation hue gamma sharpness exposure white-balance \
      backlight-compensation focus zoom video-params image-default",
     "controls of the camera are `--set NAME=VALUE,…`, such as --set brightness=128"),
    ("n nocommands no-commands", "to let nobody change controls of the camera is `--no-controls`"),
    ("text text-left text-right timestamp", "text in the picture is `--overlay \"{name} %H:%M\"`"),
    ("camera-name instance-id title", "what the camera is called is `--name NAME`"),
    ("device-timeout device-tmo", "how long a camera may be silent is `--camera-timeout <5>`"),
    ("device-error-delay persistent retry reconnect", "a camera that is lost is tried again without an option"),
    ("server-timeout", "how long a viewer may take nothing is `--client-timeout <10>`"),
    ("max-clients", "how many may watch is `--max-viewers <100>`"),
    ("slowdown exit-on-no-clients on-demand",
     "nothing is encoded while nobody watches; `--idle-timeout <60>` lets the camera go, too"),
    ("tcp-nodelay drop-same-frames min-frame-size minimum-size allow-truncated-frames buffers unix-rm blank \
      last-as-blank dv-timings io-method z T K D e t",
     "nothing takes its place, none is needed"),
    ("cors", "who may read the feed from a browser is `--allow-origin ORIGIN`"),
    ("list-cameras list-devices devices cameras L", "the cameras are listed by `--list`"),
    ("info probe", "what a camera gives is said by `--check`"),
    ("log-file logfile syslog", "the log goes to standard error: `camfeed 2>camfeed.log`"),
    ("pid-file pidfile", "no file is written; systemd knows the process of the service"),
    ("target-dir snapshot-interval timelapse record movie-output picture-output",
     "pictures are kept by the scripts camfeed-snapshot and camfeed-timelapse"),
    ("threshold emulate-motion on-event-start on-motion-detected noise-level",
     "motion is not detected here; motion itself can read /stream"),
];

/// What is said of the word `name`, which names no option of camfeed, with `value` behind it; `None` when
/// nothing is known of it.
pub fn meant(name: &str, value: Option<&str>) -> Option<String> {
    let is_short = name.strip_prefix('-').is_some_and(|rest| rest.len() == 1);
    let bare = name.trim_start_matches('-').replace('_', "-");
    let bare = if is_short { bare } else { bare.to_lowercase() };
    let own = || options::all().map(options::CommandOption::name);
    let asked = |own: &str| format!("did you mean `{own}`?");
    if let Some(own) = own().find(|own| own[2..] == bare) {
        return Some(asked(own));
    }
    if value.is_some_and(|value| value.starts_with("/dev/")) {
        return Some(filled("the camera is `--source </dev/video0>`", value));
    }
    let mut others = OTHERS.iter();
    let is_known = |names: &str| names.split(' ').any(|known| known == bare);
    if let Some((_, instead)) = others.find(|(names, _)| is_known(names)) {
        return Some(filled(instead, value));
    }
    let nearest = own()
        .map(|own| (osa_distance(&own[2..], &bare), own))
        .min()?;
    // Of a short word nothing may be left.
    let is_near = nearest.0 <= 2 && nearest.0 * 3 <= bare.chars().count();
    is_near.then(|| asked(nearest.1))
}

/// `instead` with `value` in the place of its example, where that is sure to be no secret.
fn filled(instead: &str, value: Option<&str>) -> String {
    let Some((before, rest)) = instead.split_once('<') else {
        return instead.to_owned();
    };
    let (example, behind) = rest.split_once('>').unwrap_or((rest, ""));
    let is_alike = |value: &&str| match example.starts_with('/') {
        true => value.starts_with("/dev/") && !value.contains(char::is_whitespace),
        false => !value.is_empty() && value.bytes().all(|byte| b"0123456789.x".contains(&byte)),
    };
    let value = value.filter(is_alike).unwrap_or(example);
    format!("{before}{value}{behind}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_programs_option_is_told_with_what_takes_its_place() {
        for (name, value, said) in [
            ("-p", Some("8081"), "`--listen 8081`"),
            ("-p", Some("SECRET"), "`--listen 8080`"),
            ("--port", None, "`--listen 8080`"),
            ("stream_port", Some("8082"), "`--listen 8082`"),
            ("-d", Some("/dev/video2"), "`--source /dev/video2`"),
            ("-s", Some("/dev/video2"), "`--source /dev/video2`"),
            ("-d", Some("http://SECRET"), "`--source /dev/video0`"),
            ("--Resolution", Some("640x480"), "`--size 640x480`"),
            ("--passwd", Some("12345"), "`--password-file PATH`"),
            ("--flip-vertical", Some("1"), "`--flip v`"),
            ("text_left", None, "--overlay \"{name} %H:%M\""),
        ] {
            let meant = meant(name, value).expect(name);
            assert!(meant.contains(said), "{name}: {meant}");
            assert!(
                !meant.contains(['<', '>']) && !meant.contains("SECRET"),
                "{meant}"
            );
            assert!(!meant.contains("12345"), "{meant}");
        }
    }

    #[test]
    fn a_slip_of_the_finger_is_told_and_nothing_is_guessed() {
        for (name, own) in [
            ("--sorce", "--source"),
            ("--soruce", "--source"),
            ("-listen", "--listen"),
            ("--Size", "--size"),
            ("quality", "--quality"),
            ("--max_viewers", "--max-viewers"),
            ("--rotat", "--rotate"),
        ] {
            let said = format!("did you mean `{own}`?");
            assert_eq!(meant(name, None), Some(said), "{name}");
        }
        for name in ["--nonsense", "-x", "--", "--xy", "-", "--lust-of-gold"] {
            assert_eq!(meant(name, None), None, "{name}");
        }
    }

    #[test]
    fn no_name_is_told_twice_and_none_is_our_own() {
        let mut names: Vec<_> = OTHERS
            .iter()
            .flat_map(|(names, _)| names.split(' '))
            .collect();
        for name in &names {
            let dashes = if name.len() == 1 { "-" } else { "--" };
            assert!(
                options::find(&format!("{dashes}{name}")).is_none(),
                "{name}"
            );
        }
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
