//! What can go wrong, one variant per operation, each with its object in it.
//!
//! Messages are lower case, put the value in backticks and end without a full stop, so that they
//! read the same in the log, in `/state` and in the text of a 503. A viewer who leaves is an
//! outcome, not an error, and has no variant here.

use std::{error, fmt, io, path::PathBuf};

/// Every failure camfeed tells its user about.
#[derive(Debug)]
pub enum Error {
    /// The address of `--listen` could not be resolved, bound or listened on.
    Listen {
        /// What was asked for, as typed.
        address: String,
        /// What the system said.
        source: io::Error,
    },
    /// The system's limits cannot hold what an option asks for.
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
    Passed(String),
    /// The file of `--config` could not be read.
    ConfigFile {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// An option in the file of `--config` was refused.
    ConfigLine {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
        /// Why, with what is allowed.
        reason: String,
    },
    /// The system would not start a thread the program cannot do without.
    Thread {
        /// Name of the thread.
        name: String,
        /// What the system said.
        source: io::Error,
    },
    /// A password or token could not be read or is no good.
    Secret {
        /// Where it comes from: the option and the file, or the variable.
        place: String,
        /// Why, in words; never what was read.
        reason: String,
    },
    /// Signals could not be hooked at start.
    Signals(io::Error),
    /// The camera's supervisor panicked. Nobody else knows what is open and what is shown.
    Supervisor,
    /// This many capture threads were given up and never came back from the driver.
    Stuck(usize),
    /// The server did not answer its own requests for long.
    Deaf,
    /// A device could not be opened; `reason` is for people, with advice where there is any. It names
    /// no source before its first colon.
    Open {
        /// The device as its user knows it.
        device: String,
        /// Why, for programs.
        cause: Cause,
        /// Why, in words.
        reason: String,
    },
    /// A source that had been open stopped giving pictures; `reason` as above.
    Read {
        /// The device as its user knows it.
        device: String,
        /// Why, for programs.
        cause: Cause,
        /// Why, in words.
        reason: String,
    },
    /// OpenCV refused an operation on a picture.
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
    /// It is not there.
    Missing,
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
    /// A source that is open and gives no usable picture.
    pub fn silent(device: impl fmt::Display, reason: impl Into<String>) -> Error {
        Error::Read {
            device: device.to_string(),
            cause: Cause::Silent,
            reason: reason.into(),
        }
    }

    /// What the program ends with because of this, where sysexits.h has a number for it.
    pub fn exit_code(&self) -> u8 {
        match self {
            // EX_SOFTWARE: the service starts all anew.
            Error::Supervisor | Error::Deaf => 70,
            // EX_TEMPFAIL: the service starts all anew.
            Error::Stuck(_) => 75,
            // EX_CONFIG: the service is not started again.
            Error::ConfigFile { .. } | Error::ConfigLine { .. } => 78,
            _ => 1,
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
            Cause::Missing => 3,
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
            Cause::Busy => "another program is using it",
            Cause::Forbidden => "permission denied",
            Cause::Silent => "it gives no picture",
            Cause::NotACamera => "it is no camera",
            Cause::Other => "it cannot be read",
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Listen { address, source } if source.kind() == io::ErrorKind::AddrInUse => {
                write!(
                    f,
                    "cannot listen on `{address}`: the address is in use \
                     (is another camfeed running? `--listen` takes another port)"
                )
            }
            Error::Listen { address, source } => {
                write!(f, "cannot listen on `{address}`: {source}")
            }
            Error::Limit {
                option,
                value,
                most,
                reason,
            } => write!(
                f,
                "{option} `{value}`: at most {most} can be held: {reason}"
            ),
            Error::Passed(reason) => write!(f, "cannot use what systemd passed: {reason}"),
            Error::ConfigFile { path, source } => {
                write!(f, "cannot read `{}`: {source}", path.display())
            }
            Error::ConfigLine { path, line, reason } => {
                write!(f, "`{}`, line {line}: {reason}", path.display())
            }
            Error::Thread { name, source } => write!(f, "cannot start thread `{name}`: {source}"),
            Error::Secret { place, reason } => write!(f, "{place}: {reason}"),
            Error::Signals(source) => write!(f, "cannot hook signals: {source}"),
            Error::Supervisor => f.write_str("the camera's supervisor failed: ending"),
            Error::Stuck(count) => write!(
                f,
                "{count} capture threads hang in the driver and never come back; ending"
            ),
            Error::Deaf => f.write_str("the server does not answer itself; ending"),
            Error::Open { device, reason, .. } => write!(f, "cannot open {device}: {reason}"),
            Error::Read { device, reason, .. } => write!(f, "{device}: {reason}"),
            Error::Picture { operation, reason } => write!(f, "cannot {operation}: {reason}"),
        }
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Error::Listen { source, .. }
            | Error::ConfigFile { source, .. }
            | Error::Thread { source, .. } => Some(source),
            Error::Signals(source) => Some(source),
            _ => None,
        }
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
            (Error::Stuck(3), 75),
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
