//! How the log looks: for people at a terminal or in a file, and for the journal.
//!
//! The journal has the time already and takes a priority in angle brackets at the head of a line;
//! anywhere else those would be noise. What the threads of a camera with a name of its own say begins with
//! that. A panic is one line of the log like any other, so that the journal shows it among the errors;
//! `RUST_BACKTRACE=1` adds the backtrace.

use crate::system::output;
use env_logger::Logger;
use log::{Level, LevelFilter, Log, Metadata, Record, error, warn};
use rustix::fs::fstat;
use std::{
    any::Any,
    cell::RefCell,
    env, fmt,
    io::{self, IsTerminal, Write},
    panic,
    sync::{Arc, OnceLock},
    thread,
};

thread_local! {
    static LABEL: RefCell<Option<Arc<str>>> = const { RefCell::new(None) };
}

/// What the present thread's lines begin with; threads that it starts have the same.
pub fn label() -> Option<Arc<str>> {
    LABEL.with_borrow(Clone::clone)
}

/// From now on the present thread's lines begin with `label`.
pub fn set_label(label: Option<Arc<str>>) {
    LABEL.set(label);
}

/// What is logged where `RUST_LOG` does not say.
const DEFAULT: &str = "info";

/// The modules below the program's root: the parts that `RUST_LOG` may name.
const MODULES: [&str; 10] = [
    "capture", "config", "encode", "error", "feed", "http", "jpeg", "reload", "system", "watchdog",
];

/// The log, once it has started.
static LOGGER: OnceLock<LabelledLogger> = OnceLock::new();

/// Starts the log, which `RUST_LOG` sets; from then on panics go there too.
pub fn start() {
    let asked = env::var_os("RUST_LOG").unwrap_or_default();
    let asked = asked.to_string_lossy();
    let (filters, unknown) = filters(&asked);
    let mut builder = env_logger::Builder::new();
    builder.parse_filters(&filters);
    builder.parse_write_style(&env::var("RUST_LOG_STYLE").unwrap_or_default());
    builder.filter_module("tiny_http", LevelFilter::Off);
    if is_read_by_journal() {
        builder.format(|out, record| {
            let text = record.args().to_string();
            text.lines()
                .try_for_each(|line| writeln!(out, "<{}>{line}", priority(record.level())))
        });
    } else {
        builder.format_timestamp_secs().format_target(false);
    }
    let logger = LOGGER.get_or_init(|| LabelledLogger(builder.build()));
    log::set_max_level(logger.0.filter());
    log::set_logger(logger).expect("called once");
    log_panics();
    for part in unknown {
        warn!(
            "RUST_LOG: `{part}` names nothing: allowed are error, warn, info, debug, trace and off, and such a \
             level for a part, as in camfeed::http=debug (parts are {}); the log is as with `{filters}`",
            MODULES.join(", ")
        );
    }
}

/// Logs why the program ends, or prints it where `RUST_LOG` would hide it.
pub fn say_last(reason: &dyn fmt::Display) {
    error!("{reason}");
    let is_hidden = |logger: &LabelledLogger| {
        let mut line = Record::builder();
        line.level(Level::Error).target(module_path!());
        !logger
            .0
            .matches(&line.args(format_args!("{reason}")).build())
    };
    if LOGGER.get().is_none_or(is_hidden) {
        output::complain(format_args!("{reason}"));
    }
}

/// What of `RUST_LOG` counts, with the `/text` at its end that lines must hold, and the parts that name nothing.
/// What only names parts of the program leaves the rest of it as usual.
fn filters(asked: &str) -> (String, Vec<&str>) {
    let (parts, mut text) = asked.split_at(asked.find('/').unwrap_or(asked.len()));
    let parts = parts.split(',').filter(|part| !part.trim().is_empty());
    let (mut known, mut unknown): (Vec<_>, Vec<_>) = parts.partition(|part| names_something(part));
    // With a second slash in it nothing at all would count.
    if text.matches('/').count() > 1 {
        unknown.push(text);
        text = "";
    }
    if !known.iter().any(|part| is_level(part.trim())) {
        known.insert(0, DEFAULT);
    }
    (known.join(",") + text, unknown)
}

fn is_level(text: &str) -> bool {
    text.parse::<LevelFilter>().is_ok()
}

/// True for a part of `RUST_LOG` that is a level, or a part of this program with or without one.
fn names_something(part: &str) -> bool {
    let part = part.trim();
    let (target, level) = part.split_once('=').unwrap_or((part, "trace"));
    let mut names = target.split("::");
    let is_ours = names.next() == Some(env!("CARGO_CRATE_NAME"))
        && names.next().is_none_or(|name| MODULES.contains(&name));
    is_level(part) || is_ours && is_level(level)
}

/// True when people read the log as it comes.
pub fn is_at_terminal() -> bool {
    io::stderr().is_terminal()
}

/// Puts the present thread's label before what it says.
struct LabelledLogger(Logger);

impl Log for LabelledLogger {
    fn enabled(&self, metadata: &Metadata) -> bool {
        self.0.enabled(metadata)
    }

    fn log(&self, record: &Record) {
        let label = label();
        let Some(label) = label.filter(|_| self.0.matches(record)) else {
            return self.0.log(record);
        };
        let mut line = Record::builder();
        line.metadata(record.metadata().clone());
        line.module_path(record.module_path());
        let (file, number) = (record.file(), record.line());
        line.file(file).line(number);
        self.0.log(
            &line
                .args(format_args!("{label}: {}", record.args()))
                .build(),
        );
    }

    fn flush(&self) {
        self.0.flush();
    }
}

/// As syslog(3) counts.
fn priority(level: Level) -> u8 {
    match level {
        Level::Error => 3,
        Level::Warn => 4,
        Level::Info => 6,
        Level::Debug | Level::Trace => 7,
    }
}

/// True when standard error is the journal's; the variable alone is inherited by whoever a service
/// starts, wherever it writes. See systemd.exec(5), `JOURNAL_STREAM`.
fn is_read_by_journal() -> bool {
    let stream = env::var("JOURNAL_STREAM").unwrap_or_default();
    fstat(io::stderr()).is_ok_and(|stat| stream == format!("{}:{}", stat.st_dev, stat.st_ino))
}

fn log_panics() {
    let with_backtrace = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        error!("{}", describe(info.location(), info.payload()));
        if env::var_os("RUST_BACKTRACE").is_some_and(|value| value != "0") {
            with_backtrace(info);
        }
    }));
}

/// A panic of the present thread, in one line.
fn describe(at: Option<&panic::Location<'_>>, payload: &dyn Any) -> String {
    let message = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message");
    let message: Vec<&str> = message.lines().map(str::trim).collect();
    format!(
        "a thread panicked thread={} at={}: {}",
        thread::current().name().unwrap_or("unnamed"),
        at.map_or_else(|| "unknown".to_owned(), ToString::to_string),
        message.join(" "),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_names_nothing_is_told_and_the_rest_counts() {
        for (asked, counts, told) in [
            ("debug", "debug", &[][..]),
            ("warn,camfed=debug", "warn", &["camfed=debug"]),
            ("verbose", "info", &["verbose"]),
            ("debug/viewer", "debug/viewer", &[]),
            ("loud/viewer,joined", "info/viewer,joined", &["loud"]),
            ("", "info", &[]),
            (" ,", "info", &[]),
            ("/viewer", "info/viewer", &[]),
            ("warn/a/b", "warn", &["/a/b"]),
            ("camfeed::http=debug", "info,camfeed::http=debug", &[]),
            ("camfeed::http", "info,camfeed::http", &[]),
            ("camfeed::http=off", "info,camfeed::http=off", &[]),
            (
                "camfeed::http=debug, error",
                "camfeed::http=debug, error",
                &[],
            ),
            ("off,camfeed::feed=debug", "off,camfeed::feed=debug", &[]),
            (
                "camfeed::nonsense=debug",
                "info",
                &["camfeed::nonsense=debug"],
            ),
        ] {
            assert_eq!(
                filters(asked),
                (counts.to_owned(), told.to_vec()),
                "{asked}"
            );
        }
    }

    #[test]
    fn a_part_of_rust_log_is_a_level_or_names_this_program() {
        for known in [
            "debug",
            "WARN",
            "off",
            "camfeed",
            "camfeed=debug",
            "camfeed::http=trace",
            "camfeed::http::answers=trace",
            " info ",
        ] {
            assert!(names_something(known), "{known}");
        }
        for unknown in [
            "verbose",
            "camfed=debug",
            "camfeed=loud",
            "2",
            "=debug",
            "hyper=info",
            "camfeed::https",
            "camfeed::",
            "",
        ] {
            assert!(!names_something(unknown), "{unknown}");
        }
    }

    #[test]
    fn the_parts_that_may_be_named_are_the_modules_of_the_root() {
        let root = include_str!("../main.rs").lines();
        let modules = root.filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';'));
        assert_eq!(modules.collect::<Vec<_>>(), MODULES);
    }

    #[test]
    fn a_panic_is_one_line_with_thread_place_and_message() {
        let told = thread::Builder::new()
            .name("capture-1".to_owned())
            .spawn(|| {
                let payload: Box<dyn Any> = Box::new("left is not right\n  left: 1\n".to_owned());
                describe(Some(panic::Location::caller()), payload.as_ref())
            })
            .expect("a thread")
            .join()
            .expect("no panic");
        assert!(
            told.starts_with("a thread panicked thread=capture-1 at=src/system/logging.rs:"),
            "{told}"
        );
        assert!(told.ends_with(": left is not right left: 1"), "{told}");
    }
}
