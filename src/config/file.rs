//! The file of `--config`: options as on the command line, one a line.
//!
//! Read at start, before the command line, whose options win, and once more at each reload. Every
//! line is judged by the same parser as the command line, so that both take the same and refuse the
//! same; the parser knows nothing of lines, so it is asked for ever longer beginnings of the file.

use crate::{
    config::{
        args::{self, Args},
        shown_word,
    },
    error::Error,
};
use std::{
    collections::BTreeSet,
    fmt, fs, iter,
    path::{Path, PathBuf},
};

/// What is asked for at a terminal, never for good.
const ONLY_TYPED: [&str; 5] = ["--config", "--list", "--check", "--version", "--help"];

/// Given in both places it adds up; of anything else the command line's is taken.
const ADDS_UP: &str = "--set";

/// A file of options that was read and found good. Its values may be secrets.
#[derive(Clone)]
pub struct ConfigFile {
    path: PathBuf,
    /// What was typed on the command line.
    typed: Vec<String>,
    lines: Vec<Line>,
}

/// One option of the file.
#[derive(Clone, PartialEq, Eq)]
struct Line {
    number: usize,
    name: String,
    /// The rest of the line, without quotes around it.
    value: Option<String>,
}

impl ConfigFile {
    /// Reads the file at `path`, for a command line of `typed`.
    pub fn read(path: &Path, typed: Vec<String>) -> Result<ConfigFile, Error> {
        let text = fs::read_to_string(path).map_err(|source| Error::ConfigFile {
            path: path.to_owned(),
            source,
        })?;
        ConfigFile::parse(path, &text, typed)
    }

    /// Reads the file again.
    pub fn read_again(&self) -> Result<ConfigFile, Error> {
        ConfigFile::read(&self.path, self.typed.clone())
    }

    fn parse(path: &Path, text: &str, typed: Vec<String>) -> Result<ConfigFile, Error> {
        let lines: Vec<Line> = (1..)
            .zip(text.lines())
            .filter_map(|(number, line)| Line::parse(number, line))
            .collect();
        for (index, line) in lines.iter().enumerate() {
            let args: Vec<&str> = lines[..=index].iter().flat_map(Line::args).collect();
            judge(line, &args).map_err(|reason| Error::ConfigLine {
                path: path.to_owned(),
                line: line.number,
                reason,
            })?;
        }
        Ok(ConfigFile {
            path: path.to_owned(),
            typed,
            lines,
        })
    }

    /// The file's options and the command line's together.
    pub fn args(&self) -> Args {
        let typed = self.typed.iter().map(String::as_str);
        let args: Vec<&str> = self.effective().flat_map(Line::args).chain(typed).collect();
        // Its words would be in the panic of an `expect`.
        let Ok(args) = args::parse(&args) else {
            unreachable!("each half was parsed, and they have no option in common");
        };
        args
    }

    /// Names of the options that `other` gives differently, in alphabetical order.
    pub fn differences(&self, other: &ConfigFile) -> Vec<String> {
        let values = |file: &ConfigFile, name: &str| -> Vec<Option<String>> {
            let lines = file.effective().filter(|line| line.name == name);
            lines.map(|line| line.value.clone()).collect()
        };
        let names: BTreeSet<&String> = self
            .effective()
            .chain(other.effective())
            .map(|line| &line.name)
            .collect();
        names
            .into_iter()
            .filter(|name| values(self, name) != values(other, name))
            .cloned()
            .collect()
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The lines that no option of the command line overrules.
    fn effective(&self) -> impl Iterator<Item = &Line> {
        let is_overruled = |line: &&Line| line.name != ADDS_UP && self.typed.contains(&line.name);
        self.lines.iter().filter(move |line| !is_overruled(line))
    }
}

impl fmt::Debug for ConfigFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConfigFile({})", self.path.display())
    }
}

impl Line {
    /// `None` for a line that says nothing.
    fn parse(number: usize, line: &str) -> Option<Line> {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            return None;
        }
        let (name, rest) = match line.split_once(char::is_whitespace) {
            Some((name, rest)) => (name, Some(rest.trim())),
            None => (line, None),
        };
        Some(Line {
            number,
            name: name.to_owned(),
            value: rest.map(|rest| unquote(rest).to_owned()),
        })
    }

    fn args(&self) -> impl Iterator<Item = &str> {
        iter::once(self.name.as_str()).chain(self.value.as_deref())
    }
}

/// Removes quotes around a value. None are needed, because a value ends with its line.
fn unquote(value: &str) -> &str {
    let within = |quote| value.strip_prefix(quote)?.strip_suffix(quote);
    within('"').or_else(|| within('\'')).unwrap_or(value)
}

/// Why `line`, whose option is the last of `args`, is refused.
fn judge(line: &Line, args: &[&str]) -> Result<(), String> {
    let name = line.name.as_str();
    if !name.starts_with("--") {
        let shown = shown_word(name);
        return Err(format!(
            "`{shown}` is no option: allowed is one a line, as on the command line, such as \
             --quality 70, and lines that begin with #"
        ));
    }
    if ONLY_TYPED.contains(&name) {
        return Err(format!("`{name}` is for the command line only"));
    }
    match args::parse(args) {
        Ok(_) => Ok(()),
        Err(exit) => {
            let reason = exit.output.trim_end();
            let hint = if reason.contains("Unrecognized") {
                " (`camfeed --help` shows what is allowed)"
            } else if line
                .value
                .as_ref()
                .is_some_and(|value| value.contains(" --"))
            {
                " (allowed is one option a line)"
            } else {
                ""
            };
            Err(format!("{reason}{hint}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str, typed: &[&str]) -> Result<ConfigFile, String> {
        let typed = typed.iter().map(|&arg| arg.to_owned()).collect();
        ConfigFile::parse(Path::new("/etc/x"), text, typed).map_err(|error| error.to_string())
    }

    #[test]
    fn options_stand_one_a_line_with_comments_between() {
        let text = "# the garden\n\n--source test\n  --quality\t70 \r\n--no-controls\n";
        let args = parsed(text, &[]).expect("good").args();
        assert_eq!(args.quality, 70);
        assert!(args.no_controls);
    }

    #[test]
    fn a_value_with_spaces_needs_no_quotes_and_may_have_them() {
        for line in [
            "--overlay Garden %H:%M",
            "--overlay \"Garden %H:%M\"",
            "--overlay 'Garden %H:%M'",
        ] {
            let args = parsed(line, &[]).expect("good").args();
            assert_eq!(args.overlay.expect("given"), "Garden %H:%M");
        }
        for line in ["--overlay a --b", "--overlay \"a --b\""] {
            let dashes = parsed(line, &[]).expect("good").args();
            assert_eq!(dashes.overlay.expect("given"), "a --b");
        }
    }

    #[test]
    fn what_is_typed_wins_and_settings_add_up() {
        let text = "--quality 70\n--fps 5\n--set gain=1\n";
        let file = parsed(text, &["--quality", "90", "--set", "gain=2"]).expect("good");
        let args = file.args();
        assert_eq!(args.quality, 90);
        assert_eq!(args.fps.expect("given").0, 5.0);
        let settings: Vec<_> = args.set.concat();
        assert_eq!(settings[0].1, "1");
        assert_eq!(settings[1].1, "2", "the command line's is set last");
    }

    #[test]
    fn a_refusal_names_file_line_and_what_is_allowed() {
        for (text, line, said) in [
            ("--fps 5\n\n--quality 101\n", 3, "1 to 100"),
            ("quality 70\n", 1, "--quality 70"),
            ("--quality\n", 1, "--quality"),
            ("--qualty 70\n", 1, "--help"),
            ("--quality 1\n--quality 2\n", 2, "duplicate"),
            ("--no-controls yes\n", 1, "yes"),
            ("--config /etc/y\n", 1, "command line only"),
            ("--help\n", 1, "command line only"),
            ("--quality 70 --fps 5\n", 1, "one option a line"),
        ] {
            let error = parsed(text, &[]).expect_err(text);
            assert!(
                error.starts_with(&format!("`/etc/x`, line {line}: ")),
                "{error}"
            );
            assert!(error.contains(said), "{error}");
        }
    }

    #[test]
    fn a_refusal_names_no_secret() {
        for text in [
            "--source ftp://ann:SECRET@cam/SECRET\n",
            "--source cam/x?pwd=SECRET\n",
            "--source http:cam/SECRET\n",
            "--source http://cam/SECRET\n--source http://cam/SECRET\n",
            "--source=http://cam/SECRET\n",
            "--sorce http://cam/SECRET\n",
            "--source=http://cam/SECRET --fps 5\n",
            "--quality 70 --source http://ann:SECRET@cam/SECRET\n",
            "http://cam/SECRET\n",
            "source=http://cam/SECRET\n",
            "ann:SECRET@cam/x\n",
            "--listen http://cam/SECRET\n",
            "--no-controls http://cam/SECRET\n",
            "--source gst:\n gst:souphttpsrc user-pw=SECRET\n",
        ] {
            let error = parsed(text, &[]).expect_err(text);
            assert!(!error.contains("SECRET"), "{error}");
        }
        let file = parsed("--source http://cam/SECRET\n", &["--set", "SECRET=1"]).expect("good");
        assert_eq!(format!("{file:?}"), "ConfigFile(/etc/x)");
    }

    #[test]
    fn differences_are_those_that_the_command_line_does_not_overrule() {
        let before = parsed("--quality 70\n--fps 5\n--rotate 90\n", &["--fps", "9"]).expect("good");
        let after = parsed(
            "--flip h\n--quality 60\n--fps 6\n--rotate 90\n",
            &["--fps", "9"],
        )
        .expect("good");
        assert_eq!(before.differences(&after), ["--flip", "--quality"]);
        assert_eq!(after.differences(&after), [""; 0]);
    }
}
