//! What can go wrong, one variant per operation, each with its object in it.
//!
//! Messages are lower case, put the value in backticks and end without a full stop, so that they
//! read the same in the log, in `/state` and in the text of a 503. A viewer who leaves is an
//! outcome, not an error, and has no variant here.

use std::{fmt, io, path::PathBuf};

/// Every failure camfeed tells its user about.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address of `--listen` could not be resolved, bound or listened on.
    #[error(
        "cannot listen on `{address}` (--listen): {}",
        listen_failure(address, source)
    )]
    Listen {
        /// What was asked for, as typed.
        address: String,
        /// What the system said.
        source: io::Error,
    },
    /// The system's limits cannot hold what an option asks for.
    #[error("{option} `{value}`: at most {most} can be held: {reason}")]
    Limit {
        /// The option.
        option: &'static str,
        /// Its value.
        value: usize,
        /// What can be held.
        most: usize,
        /// By which limit.
        reason: String,
    },
    /// systemd passed something else than one listening stream socket.
    #[error("cannot use what systemd passed: {0}")]
    Passed(String),
    /// The file of `--config` could not be read.
    #[error("cannot read `{path}`, the file of --config: {source}")]
    ConfigFile {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// An option in the file of `--config` was refused.
    #[error("`{path}`, line {line}: {reason}")]
    ConfigLine {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
        /// Why, with what is allowed.
        reason: String,
    },
    /// What an option in the file of `--config` asks for failed.
    #[error("`{path}`, line {line}: {error}")]
    OfLine {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
        /// What failed.
        error: Box<Error>,
    },
    /// The system would not start a thread the program cannot do without.
    #[error("cannot start thread `{name}`: {source}")]
    Thread {
        /// Name of the thread.
        name: String,
        /// What the system said.
        source: io::Error,
    },
    /// A password or token could not be read or is no good.
    #[error("{place}: {reason}")]
    Secret {
        /// Where it comes from: the option and the file, or the variable.
        place: String,
        /// Why, in words; never what was read.
        reason: String,
    },
    /// Signals could not be hooked at start.
    #[error("cannot hook signals: {0}")]
    Signals(#[source] io::Error),
    /// The camera's supervisor panicked. Nobody else knows what is open and what is shown.
    #[error("the camera's supervisor failed: ending")]
    Supervisor,
    /// So many capture threads were given up and never came back from the driver; of the camera with this name
    /// before it, where there are several.
    #[error("{1}{0} capture threads hang in the driver and never come back; ending")]
    Stuck(usize, String),
    /// The server did not answer its own requests for long.
    #[error("the server does not answer itself; ending")]
    Deaf,
    /// A device could not be opened; `reason` is for people, with advice where there is any. It names
    /// no source before its first colon.
    #[error("cannot open {device}: {reason}")]
    Open {
        /// The device as its user knows it.
        device: String,
        /// Why, for programs.
        cause: Cause,
        /// Why, in words.
        reason: String,
    },
    /// A source that had been open stopped giving pictures; `reason` as above.
    #[error("{device}: {reason}")]
    Read {
        /// The device as its user knows it.
        device: String,
        /// Why, for programs.
        cause: Cause,
        /// Why, in words.
        reason: String,
    },
    /// OpenCV refused an operation on a picture.
    #[error("cannot {operation}: {reason}")]
    Picture {
        /// What was being done.
        operation: &'static str,
        /// OpenCV's own words.
        reason: String,
    },
}

/// Why a device gives no pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// It is not there: unplugged, or no such node, module or file.
    Missing,
    /// It may be there and is not found: its server does not answer or has no such stream, or what reads it
    /// does not know it.
    Unreachable,
    /// Another program has it.
    Busy,
    /// This user may not open it.
    Forbidden,
    /// It is there and open, and gives no usable picture.
    Silent,
    /// It is something else than a camera.
    NotACamera,
    /// None of these.
    Other,
}

impl Error {
    /// [`Error::Open`] of `device`.
    pub fn open(device: &impl fmt::Display, cause: Cause, reason: impl Into<String>) -> Error {
        Error::Open {
            device: device.to_string(),
            cause,
            reason: reason.into(),
        }
    }

    /// [`Error::Read`] of `device`.
    pub fn read(device: &impl fmt::Display, cause: Cause, reason: impl Into<String>) -> Error {
        Error::Read {
            device: device.to_string(),
            cause,
            reason: reason.into(),
        }
    }

    /// A source that is open and gives no usable picture.
    pub fn silent(device: &impl fmt::Display, reason: impl Into<String>) -> Error {
        Error::read(device, Cause::Silent, reason)
    }

    /// What the program ends with because of this, where sysexits.h has a number for it.
    pub fn exit_code(&self) -> u8 {
        match self {
            // EX_SOFTWARE: the service starts all anew.
            Error::Supervisor | Error::Deaf => 70,
            // EX_TEMPFAIL: the service starts all anew.
            Error::Stuck(..) => 75,
            // EX_CONFIG: the service is not started again.
            Error::ConfigFile { .. } | Error::ConfigLine { .. } => 78,
            Error::OfLine { error, .. } => error.exit_code(),
            _ => 1,
        }
    }

    /// The option that asked for what failed.
    pub fn option(&self) -> Option<&str> {
        match self {
            Error::Listen { .. } => Some("--listen"),
            Error::Limit { option, .. } => Some(option),
            Error::Secret { place, .. } => place.split(' ').next(),
            _ => None,
        }
    }

    /// Why a device gives no pictures.
    pub fn cause(&self) -> Cause {
        match self {
            Error::Open { cause, .. } | Error::Read { cause, .. } => *cause,
            _ => Cause::Other,
        }
    }

    /// Why a device gives no pictures, in words that name no source: for those who may not know it.
    pub fn nameless(&self) -> &str {
        let reason = match self {
            Error::Open { reason, .. } | Error::Read { reason, .. } => reason.split(": ").next(),
            _ => None,
        };
        // Nor does advice name a path.
        reason
            .filter(|reason| !reason.contains('/'))
            .unwrap_or(self.cause().words())
    }
}

impl Cause {
    /// What `--check` and `--list` end with because of it.
    pub fn exit_code(self) -> u8 {
        match self {
            Cause::Missing | Cause::Unreachable => 3,
            Cause::Busy => 4,
            Cause::Forbidden => 5,
            Cause::Silent => 6,
            Cause::NotACamera => 7,
            Cause::Other => 1,
        }
    }

    /// In a few words, of the device.
    fn words(self) -> &'static str {
        match self {
            Cause::Missing => "it is not there",
            Cause::Unreachable => "it cannot be reached",
            Cause::Busy => "another program is using it",
            Cause::Forbidden => "permission denied",
            Cause::Silent => "it gives no picture",
            Cause::NotACamera => "it is no camera",
            Cause::Other => "it cannot be read",
        }
    }
}

/// What the system said of an address, with advice where there is any.
fn listen_failure(address: &str, source: &io::Error) -> String {
    match source.kind() {
        io::ErrorKind::AddrInUse => {
            "the address is in use (by another camfeed, be it the service? \
             `sudo ss -ltnp` names the program; `--listen` takes another port)"
                .to_owned()
        }
        io::ErrorKind::AddrNotAvailable => {
            format!("{source} (this machine has no such address: `--listen 8080` takes all it has)")
        }
        io::ErrorKind::PermissionDenied if !address.starts_with("unix:") => format!(
            "{source} (ports below 1024 are root's: allowed is one from 1024 on; for the service \
             `camfeed.socket` takes any: `sudo systemctl edit camfeed.socket`)"
        ),
        _ => source.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_the_program_has_the_exit_code_that_its_service_knows() {
        let line = Error::ConfigLine {
            path: PathBuf::from("x"),
            line: 1,
            reason: String::new(),
        };
        for (error, code) in [
            (Error::Supervisor, 70),
            (Error::Deaf, 70),
            (Error::Stuck(3, String::new()), 75),
            (line, 78),
            (Error::Passed(String::new()), 1),
        ] {
            assert_eq!(error.exit_code(), code, "{error}");
        }
    }

    #[test]
    fn without_names_an_error_still_says_why() {
        for (cause, reason, nameless) in [
            (
                Cause::Missing,
                "no such device (is the camera plugged in?)",
                "no such device (is the camera plugged in?)",
            ),
            (
                Cause::Silent,
                "no picture there: cannot open /dev/video0: no such device",
                "no picture there",
            ),
            (
                Cause::Busy,
                "another program is using it (`sudo fuser -v /dev/video*` names it)",
                "another program is using it",
            ),
        ] {
            let (device, reason) = ("/dev/video7".to_owned(), reason.to_owned());
            let error = Error::Open {
                device,
                cause,
                reason,
            };
            assert_eq!(error.nameless(), nameless);
        }
    }
}
