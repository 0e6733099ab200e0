//! Options with their values, as `--x y` or as `--x=y`; the parser behind it knows the first only.

use crate::config::shown_word;
use std::iter;

/// Options behind which no value stands.
pub const SWITCHES: [&str; 5] = ["--no-controls", "--list", "--check", "--version", "--help"];

/// An option, or a word that is none where one belongs. The value may be a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Given {
    /// With its dashes.
    pub name: String,
    /// What stands behind it.
    pub value: Option<String>,
}

impl Given {
    /// What `--x=y` says; the error where `--x` takes no value. `None` for any other word.
    pub fn of_word(word: &str) -> Option<Result<Given, String>> {
        let (name, value) = word.split_once('=')?;
        let given = Given {
            name: name.to_owned(),
            value: Some(value.to_owned()),
        };
        name.starts_with("--").then(|| given.checked())
    }

    /// This, unless it is a switch with a value.
    pub fn checked(self) -> Result<Given, String> {
        match &self.value {
            Some(value) if self.is_switch() => Err(format!(
                "`{}` takes no value: `{}` stands behind it",
                self.name,
                shown_word(value)
            )),
            _ => Ok(self),
        }
    }

    fn is_switch(&self) -> bool {
        SWITCHES.contains(&self.name.as_str())
    }

    /// It as the parser takes it.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        iter::once(self.name.as_str()).chain(self.value.as_deref())
    }
}

/// The options of a command line.
pub fn read(words: &[String]) -> Result<Vec<Given>, String> {
    let mut options = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let option = match Given::of_word(word) {
            Some(option) => option?,
            None => {
                let mut option = Given {
                    name: word.clone(),
                    value: None,
                };
                if word.starts_with("--") && !option.is_switch() {
                    option.value = words.next().cloned();
                }
                option
            }
        };
        options.push(option);
    }
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(words: &[&str]) -> Result<String, String> {
        let words: Vec<_> = words.iter().map(|&word| word.to_owned()).collect();
        let options = read(&words)?;
        let words: Vec<_> = options.iter().flat_map(Given::words).collect();
        Ok(words.join("|"))
    }

    #[test]
    fn a_value_stands_behind_a_blank_or_an_equals_sign() {
        for (words, parsed) in [
            (&["--fps=5", "--size", "8x8"][..], "--fps|5|--size|8x8"),
            (&["--set=a=1", "--set", "b=2"], "--set|a=1|--set|b=2"),
            (
                &["--camera=garden=http://host/?a=b"],
                "--camera|garden=http://host/?a=b",
            ),
            (&["--overlay", "--fps=5"], "--overlay|--fps=5"),
            (&["--list", "--overlay=--list"], "--list|--overlay|--list"),
            (&["--overlay="], "--overlay|"),
            (&["--fps"], "--fps"),
            (&["a=b", "-x=y", "--"], "a=b|-x=y|--"),
        ] {
            assert_eq!(said(words).as_deref(), Ok(parsed));
        }
    }

    #[test]
    fn a_switch_takes_no_value() {
        for (word, reason) in [
            (
                "--no-controls=yes",
                "`--no-controls` takes no value: `yes` stands behind it",
            ),
            ("--help=", "`--help` takes no value: `` stands behind it"),
            (
                "--list=http://ann:SECRET@cam/SECRET",
                "`--list` takes no value: `http://cam/…` stands behind it",
            ),
        ] {
            assert_eq!(said(&["--fps", "5", word]).expect_err(word), reason);
        }
    }
}
