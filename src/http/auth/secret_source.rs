//! Where a secret comes from: a file an option names, a credential of systemd, the environment.
//!
//! Decided once, at start, so that a file that is taken away later opens nothing. What was read is
//! never said, also not in an error.

use crate::{error::Error, http::auth::secret::MAX_SECRET_BYTES};
use log::warn;
use std::{
    env,
    ffi::OsString,
    fmt, fs,
    io::{self, Read},
    os::unix::{ffi::OsStringExt, fs::PermissionsExt},
    path::{Path, PathBuf},
};

/// What the units of `scripts` give for a secret where there is no file of it. systemd's default must be
/// something; this has two lines, so it is nobody's secret, and an empty file stays an error.
const NO_FILE: &[u8] = b"no\nfile";

/// The names of a kind of secret.
#[derive(Debug)]
pub struct Names {
    /// The option that names a file.
    pub option: &'static str,
    /// The file's name among systemd's credentials.
    pub credential: &'static str,
    /// The variable in the environment.
    pub variable: &'static str,
}

/// Where a secret comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// A file, and the option that named it.
    Option(&'static str, PathBuf),
    /// A file that systemd made for LoadCredential=.
    Credential(PathBuf),
    /// A variable of the environment.
    Variable(&'static str),
}

impl SecretSource {
    /// The option, else systemd's file when it is there, else the environment. An empty file is one,
    /// and will be an error: whoever made it wanted a secret.
    pub fn find(
        names: &Names,
        file: Option<&Path>,
        variable: &dyn Fn(&str) -> Option<OsString>,
    ) -> Result<Option<SecretSource>, Error> {
        if let Some(file) = file {
            return Ok(Some(SecretSource::Option(names.option, file.to_owned())));
        }
        if let Some(folder) = credentials_folder(variable) {
            let path = folder.join(names.credential);
            let content = fs::File::open(&path).and_then(start);
            let source = SecretSource::Credential(path);
            match content {
                Ok(bytes) if bytes == NO_FILE => {}
                Ok(_) => return Ok(Some(source)),
                // A folder that is not there at all is one that systemd could not make.
                Err(error) if error.kind() == io::ErrorKind::NotFound && folder.is_dir() => {}
                // Serving without what may be there would let everybody in.
                Err(error) => return Err(source.error(error)),
            }
        }
        Ok(variable(names.variable).map(|_| SecretSource::Variable(names.variable)))
    }

    /// Reads it and makes a secret of its one line by `parse`.
    pub fn read<T>(&self, parse: impl Fn(&[u8]) -> Result<T, String>) -> Result<T, Error> {
        let bytes = self.bytes().map_err(|error| self.error(error))?;
        line(&bytes)
            .and_then(parse)
            .map_err(|reason| self.error(reason))
    }

    /// True when reading it again may give something new.
    pub fn is_file(&self) -> bool {
        !matches!(self, SecretSource::Variable(_))
    }

    fn bytes(&self) -> io::Result<Vec<u8>> {
        let path = match self {
            SecretSource::Variable(name) => {
                return Ok(env::var_os(name).unwrap_or_default().into_vec());
            }
            SecretSource::Option(_, path) | SecretSource::Credential(path) => path,
        };
        let file = fs::File::open(path)?;
        let metadata = file.metadata()?;
        let mode = metadata.permissions().mode();
        // systemd sees to its own, whichever way they were named.
        let is_systemds = credentials_folder(&|name: &str| env::var_os(name))
            .is_some_and(|at| path.starts_with(at));
        // A folder or a device keeps its mode: others need it.
        if mode & 0o077 != 0 && metadata.is_file() && !is_systemds {
            warn!(
                "others may read {self}, mode {:o}: `chmod 600 {}`",
                mode & 0o777,
                path.display()
            );
        }
        start(file)
    }

    fn error(&self, reason: impl fmt::Display) -> Error {
        let (place, reason) = match self {
            SecretSource::Option(option, path) if may_be_the_secret(path) => (
                (*option).to_owned(),
                "there is no such file: allowed is the path of a file that holds the secret, not the secret \
                 itself (what was given is not repeated here)"
                    .to_owned(),
            ),
            _ => (self.to_string(), reason.to_string()),
        };
        Error::Secret { place, reason }
    }
}

impl fmt::Display for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SecretSource::Option(option, path) => write!(f, "{option} `{}`", path.display()),
            SecretSource::Credential(path) => write!(f, "credential `{}`", path.display()),
            SecretSource::Variable(name) => f.write_str(name),
        }
    }
}

/// True where somebody may have given the secret in place of the path to it.
fn may_be_the_secret(path: &Path) -> bool {
    let text = path.to_string_lossy();
    let is_path = text.starts_with('/') || text.contains('/') && !text.contains(':');
    !is_path && !path.exists()
}

fn credentials_folder(variable: &dyn Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    variable("CREDENTIALS_DIRECTORY")
        .filter(|folder| !folder.is_empty())
        .map(PathBuf::from)
}

/// Enough of a file to see that it is too long.
fn start(file: fs::File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(2 * MAX_SECRET_BYTES as u64)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The one line of `bytes`, without the byte order mark that some editors put before it.
fn line(bytes: &[u8]) -> Result<&[u8], String> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
    if bytes.is_empty() {
        return Err("it is empty, and must have one line".to_owned());
    }
    if bytes.iter().any(|byte| b"\r\n".contains(byte)) {
        return Err("it has more than one line".to_owned());
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: Names = Names {
        option: "--password-file",
        credential: "password",
        variable: "CAMFEED_PASSWORD",
    };

    #[test]
    fn the_option_goes_before_systemd_and_systemd_before_the_environment() {
        let folder = env::temp_dir().join(format!("camfeed-source-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let variable = |name: &str| match name {
            "CREDENTIALS_DIRECTORY" => Some(folder.clone().into()),
            "CAMFEED_PASSWORD" => Some("y".into()),
            _ => None,
        };
        let found = |file: Option<&str>, variable: &dyn Fn(&str) -> Option<OsString>| {
            SecretSource::find(&NAMES, file.map(Path::new), variable).expect("readable")
        };
        let from_variable = Some(SecretSource::Variable("CAMFEED_PASSWORD"));
        assert_eq!(found(None, &variable), from_variable, "systemd has none");
        let path = folder.join("password");
        fs::write(&path, NO_FILE).expect("written");
        assert_eq!(found(None, &variable), from_variable, "the units' default");
        for there in ["", "\n", "x", "no\nfile\n"] {
            fs::write(&path, there).expect("written");
            let credential = Some(SecretSource::Credential(path.clone()));
            assert_eq!(found(None, &variable), credential, "{there:?}");
        }
        assert_eq!(
            found(Some("/p"), &variable),
            Some(SecretSource::Option("--password-file", "/p".into()))
        );
        assert_eq!(found(None, &|_| None), None);
        let is_empty = |name: &str| (name == "CREDENTIALS_DIRECTORY").then(OsString::new);
        assert_eq!(found(None, &is_empty), None);
        fs::remove_dir_all(&folder).expect("our own");
        assert!(
            SecretSource::find(&NAMES, None, &variable).is_err(),
            "no folder"
        );
    }

    #[test]
    fn one_line_is_taken_without_its_end_and_nothing_else() {
        for (bytes, expected) in [
            ("secret", Some("secret")),
            ("secret\n", Some("secret")),
            ("secret\r\n", Some("secret")),
            (" secret ", Some(" secret ")),
            ("\u{feff}secret\r\n", Some("secret")),
            ("\u{feff}\n", None),
            ("", None),
            ("\n", None),
            ("a\n\n", None),
            ("a\nb", None),
            ("a\rb", None),
        ] {
            let found = line(bytes.as_bytes()).ok();
            assert_eq!(found, expected.map(str::as_bytes), "{bytes:?}");
        }
    }
}
