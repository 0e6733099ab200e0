//! The table of options: `--help` prints it, and the manual and the completions are made from that. Its rows in
//! docs/options.md are copied there. `args` parses the same options. Tests compare both with it.

use std::fmt::Write;

/// An option as people are told of it.
pub struct CommandOption {
    /// As it is typed: its name, another name behind a comma, and what its value is called.
    pub form: &'static str,
    /// Whom it is for.
    pub scope: Scope,
    /// What counts without it; empty where nothing does.
    default: &'static str,
    /// What it means.
    text: &'static str,
}

/// Whom an option is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// One camera: a section of the file of options takes it.
    Camera,
    /// The server, or all cameras.
    Server,
    /// Whoever is at the terminal; no file of options takes it.
    Terminal,
}

use Scope::{Camera, Server, Terminal};

const fn option(
    form: &'static str,
    scope: Scope,
    default: &'static str,
    text: &'static str,
) -> CommandOption {
    CommandOption {
        form,
        scope,
        default,
        text,
    }
}

const WHAT: &str =
    "camfeed shows the live picture of any camera to every browser, script and program on \
the network

Usage: camfeed [OPTIONS] [SOURCE]

Examples:
  camfeed
      show the first camera, or a test pattern, on port 8080
  camfeed /dev/video0 --size 1280x720
      show this camera in this size; `camfeed --list` shows which there are
  camfeed --camera garden=/dev/video0 --camera shed=/dev/video2
      show two cameras, below /garden/ and /shed/
";

const MORE: &str = "
A SOURCE without an option before it means `--source SOURCE`; --x=y means --x y.
Addresses: / is the page, /stream the live picture, /snapshot.jpg one JPEG, /state the numbers as
JSON, /metrics for Prometheus, /healthz one line.
Logging: RUST_LOG=debug says more, RUST_LOG=warn less.
";

/// Where the texts begin, in letters.
const TEXT_COLUMN: usize = 30;

/// Where lines end, in letters.
const LINE_LENGTH: usize = 100;

/// All options, by what they are about.
#[rustfmt::skip]
pub const GROUPS: [(&str, &[CommandOption]); 6] = [
    ("Camera", &[
        option("--source SOURCE", Camera, "auto",
            "what to show: `auto` (the first camera that opens, else the test pattern), `all` (every \
             camera there is, each below a name of its own), a camera number, /dev/… (also \
             /dev/v4l/by-id/…), `csi` (a Raspberry Pi camera module; csi:ID one of several), a file, an \
             http(s):// or rtsp:// address, gst:PIPELINE, or `test` (also test:1280x720@30)"),
        option("--camera NAME=SOURCE", Server, "none",
            "a camera below /NAME/, and what it shows, as for --source; addresses without a name are the \
             first one's; NAME is 1 to 32 of A-Z a-z 0-9 _ -; may be given several times"),
        option("--name NAME", Server,
            "the name of the only --camera, else NAME where the service is camfeed@NAME, else this \
             machine's host name",
            "what this camera is called, or all of several together, on the page, in file names of \
             snapshots, /state and /metrics, 1 to 64 letters"),
        option("--size WxH", Camera,
            "the source's own, of a camera module 1280x720, or 1280x960 where its sensor is 4:3",
            "picture size to ask of the camera or the test pattern"),
        option("--fps N", Camera, "the source's own, of a camera module 30",
            "frames a second to ask of the camera or the test pattern, or to play a file at"),
        option("--format CODE", Camera, "auto",
            "pixel format to ask of the camera: auto (its JPEGs, else raw pixels), mjpg, yuyv, uyvy, \
             nv12, grey or another V4L2 code"),
        option("--set NAME=VALUE,…", Camera, "none",
            "camera controls to set whenever the camera is opened, such as brightness=128,exposure=auto \
             or af_mode=manual,lens_position=2.5; may be given several times"),
        option("--camera-timeout SECONDS", Camera, "5",
            "time without a picture after which the camera counts as hanging, 1 to 3600"),
        option("--idle-timeout SECONDS", Camera, "never",
            "time without a viewer or snapshot after which the camera is released (its light goes off) \
             until somebody looks again, 1 to 3600"),
        option("--warmup N", Camera, "5",
            "pictures not shown after such a release, while the camera finds its exposure, 0 to 300"),
    ]),
    ("Picture", &[
        option("--rotate 0|90|180|270", Camera, "0", "turn the picture clockwise, by so many degrees"),
        option("--flip h|v|hv", Camera, "none",
            "mirror the picture: left to right (h), top to bottom (v) or both"),
        option("--overlay TEXT", Camera, "none",
            "text to burn into the picture: time (date and time) or any text with strftime fields and \
             {name} (`?` for its letters beyond ASCII), such as \"{name} %H:%M\"; decodes and encodes the \
             camera's JPEGs"),
        option("--quality N", Camera, "80", "JPEG quality of what is encoded here, 1 to 100"),
        option("--encode auto|always", Camera, "auto",
            "auto passes JPEGs of the camera through untouched, always decodes and encodes them"),
        option("--workers N", Camera, "one per core, at most 4",
            "encoder threads, 1 to 64, which all cameras share in turn"),
    ]),
    ("Network", &[
        option("--listen ADDR:PORT", Server, "0.0.0.0:8080, which is every interface",
            "where to serve: ADDR:PORT, `[::]:PORT`, PORT alone (of every interface) or unix:/path; port 0 \
             takes a free one"),
        option("--allow-host NAME", Server,
            "every name without a dot, this machine's host name, also with .local, .lan and the like, and \
             every IP address",
            "name this machine is reached by, when neither password nor token is set: a name, \
             *.example.org or * for any; may be given several times"),
        option("--allow-origin ORIGIN", Server, "off",
            "origin whose pages may read the feed from a browser (CORS), such as \
             `http://mainsail.local`, or *"),
        option("--frame-ancestors SOURCES", Server, "self",
            "who may show the page in a frame: origins such as `https://ha.example:8123` with commas \
             between them, *, self or none"),
    ]),
    ("Access", &[
        option("--password-file PATH", Server,
            "$CREDENTIALS_DIRECTORY/password, else the variable CAMFEED_PASSWORD, else none",
            "file with user:password, or only a password, that everybody is asked for"),
        option("--token-file PATH", Server,
            "$CREDENTIALS_DIRECTORY/token, else the variable CAMFEED_TOKEN, else none",
            "file with a token, 16 or more of A-Z a-z 0-9 . _ ~ -, that lets look at every address with \
             ?token=… behind it"),
        option("--no-controls", Camera, "off",
            "no /controls: nobody changes the camera's controls over the network"),
    ]),
    ("Limits", &[
        option("--max-viewers N", Server, "100, or what the system's limits hold",
            "streams served at once, 1 to 10000; one more gets 503"),
        option("--max-connections N", Server,
            "512, more for more viewers, or what the system's limits hold",
            "connections at once, viewers included, 8 to 20000; for one more the oldest that asks for \
             nothing is closed"),
        option("--max-per-address N", Server, "no limit",
            "connections of one address at once, 1 to 20000; a browser needs 6, a proxy is one address"),
        option("--client-timeout SECONDS", Server, "10",
            "time after which a viewer that takes no byte is let go, 1 to 3600"),
    ]),
    ("Tools", &[
        option("--list", Terminal, "",
            "list the cameras with their formats, mark what auto chooses, and exit"),
        option("--check", Terminal, "",
            "open the source, read it for three seconds, say what it really gives, and exit: 0 well, 3 \
             missing, 4 busy, 5 forbidden, 6 no usable picture, 7 not a camera, 78 a mistake in the file of \
             --config, 1 anything else"),
        option("--config FILE", Terminal, "none",
            "file of more options, one a line, as typed here, with comments in lines that \
             begin with #: those typed here win; a line `[NAME]` begins the options of a camera of that \
             name, what stands before the first is for the server and all cameras; SIGHUP reads it again, \
             and a new quality counts at once"),
        option("--version, -V", Terminal, "", "print the version and exit"),
        option("--help, -h", Terminal, "", "print this and exit"),
    ]),
];

/// All options, in their order.
pub fn all() -> impl Iterator<Item = &'static CommandOption> {
    GROUPS.iter().flat_map(|(_, options)| *options)
}

/// The option of that name, or of that short one.
pub fn find(name: &str) -> Option<&'static CommandOption> {
    all().find(|option| option.names().any(|known| known == name))
}

impl CommandOption {
    /// Its name, then its short one.
    fn names(&self) -> impl Iterator<Item = &'static str> {
        let words = self.form.split(' ').filter(|word| word.starts_with('-'));
        words.map(|word| word.trim_end_matches(','))
    }

    /// With its dashes.
    pub fn name(&self) -> &'static str {
        self.names().next().unwrap_or_default()
    }

    /// What its value is called; a switch has none.
    pub fn value(&self) -> Option<&'static str> {
        let (_, value) = self.form.rsplit_once(' ')?;
        Some(value).filter(|value| !value.starts_with('-'))
    }

    /// What it means, and what counts without it.
    pub fn meaning(&self) -> String {
        match self.default {
            "" => self.text.to_owned(),
            default => format!("{}; default {default}", self.text),
        }
    }
}

/// What `--help` prints.
pub fn help() -> String {
    let mut help = WHAT.to_owned();
    for (group, options) in GROUPS {
        help += &format!("\n{group}:\n");
        for option in options {
            let mut line = format!("  {:<width$}", option.form, width = TEXT_COLUMN - 2);
            let mut is_first = true;
            for word in option.meaning().split(' ') {
                if line.chars().count() + 1 + word.chars().count() > LINE_LENGTH {
                    let _ = writeln!(help, "{line}");
                    line = " ".repeat(TEXT_COLUMN);
                    is_first = true;
                }
                line += if is_first { "" } else { " " };
                line += word;
                is_first = false;
            }
            let _ = writeln!(help, "{line}");
        }
    }
    help + MORE
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::args::Args;
    use argh::{ArgsInfo, FlagInfoKind, Optionality};

    #[test]
    fn the_table_has_what_the_parser_knows_and_nothing_else() {
        let parsed = Args::get_args_info();
        let mut parsed: Vec<_> = parsed
            .flags
            .iter()
            .map(|flag| {
                let value = match flag.kind {
                    FlagInfoKind::Switch => None,
                    FlagInfoKind::Option { arg_name } => Some(arg_name),
                };
                let is_repeated = flag.optionality == Optionality::Repeating;
                (flag.long, value, is_repeated)
            })
            .collect();
        let mut told: Vec<_> = all()
            .map(|option| {
                let is_repeated = option.text.ends_with("; may be given several times");
                (option.name(), option.value(), is_repeated)
            })
            .collect();
        parsed.sort();
        told.sort();
        assert_eq!(told, parsed);
    }

    #[test]
    fn help_fits_a_terminal_and_stands_in_columns() {
        let help = help();
        for line in help.lines() {
            assert!(line.chars().count() <= LINE_LENGTH, "{line}");
            assert_eq!(line.trim_end(), line);
        }
        for option in all() {
            assert!(
                option.form.chars().count() + 4 <= TEXT_COLUMN,
                "{}",
                option.form
            );
        }
    }

    #[test]
    fn an_option_is_found_by_both_its_names() {
        for name in ["--help", "-h"] {
            assert_eq!(find(name).expect("known").name(), "--help");
        }
        assert_eq!(find("--source").expect("known").value(), Some("SOURCE"));
        assert!(find("--list").expect("known").value().is_none());
        assert!(find("-x").is_none() && find("").is_none() && find("SOURCE").is_none());
    }
}
