//! Where the server listens: the value of `--listen`.

use argh::FromArgValue;
use std::{fmt, path::PathBuf};

/// Every interface, for a port that stands alone.
const EVERYWHERE: &str = "0.0.0.0";

/// Where to listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listen {
    /// `ADDR:PORT` or `NAME:PORT`; resolved when bound.
    Tcp(String),
    /// A Unix socket at a path.
    Unix(PathBuf),
}

impl Default for Listen {
    fn default() -> Listen {
        Listen::Tcp(format!("{EVERYWHERE}:8080"))
    }
}

impl Listen {
    /// What `--listen` takes.
    pub const ALLOWED: &str =
        "allowed are ADDR:PORT, [::]:PORT, PORT alone (0 to 65535) and unix:/path";
}

impl FromArgValue for Listen {
    fn from_arg_value(value: &str) -> Result<Listen, String> {
        let allowed = || Listen::ALLOWED.to_owned();
        if let Some(path) = value.strip_prefix("unix:") {
            return if path.starts_with('/') {
                Ok(Listen::Unix(PathBuf::from(path)))
            } else {
                Err(allowed())
            };
        }
        let port = value.strip_prefix('*').unwrap_or(value);
        let port = port.strip_prefix(':').unwrap_or(value);
        if let Ok(port) = port.parse::<u16>() {
            return Ok(Listen::Tcp(format!("{EVERYWHERE}:{port}")));
        }
        match value.rsplit_once(':') {
            Some((host, port))
                if !host.is_empty()
                    && port.parse::<u16>().is_ok()
                    && (!host.contains(':') || (host.starts_with('[') && host.ends_with(']'))) =>
            {
                Ok(Listen::Tcp(value.to_owned()))
            }
            _ => Err(allowed()),
        }
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Listen::Tcp(address) => f.write_str(address),
            Listen::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listen_takes_addresses_names_and_unix_paths() {
        for good in [
            "0.0.0.0:8080",
            "[::]:0",
            "localhost:80",
            "unix:/run/camfeed.sock",
        ] {
            assert!(Listen::from_arg_value(good).is_ok(), "{good}");
        }
        for alone in ["8080", ":8080", "*:8080"] {
            assert_eq!(Listen::from_arg_value(alone), Ok(Listen::default()));
        }
        for wrong in [
            "",
            ":",
            "80800",
            "+80 80",
            "http://0.0.0.0:80",
            "::1:80",
            "0.0.0.0:70000",
            "unix:relative",
            "host",
            "*",
            "*8080",
        ] {
            assert!(Listen::from_arg_value(wrong).is_err(), "{wrong}");
        }
    }
}
