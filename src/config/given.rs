//! The command line as words: options with their values, as `--x y` or as `--x=y`, and a source without an
//! option. The parser behind it knows `--x y` only.

use crate::config::{
    options::{self, CommandOption},
    other_programs, shown_word,
};
use std::{
    borrow::Cow,
    iter::{self, Peekable},
    slice::Iter,
};

/// Letters of a word, with its dash, that is too short for a letter with a secret behind it.
const SHORT_WORD: usize = 4;

/// An option of the table, with its value. That may be a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Given {
    /// With its dashes.
    pub name: &'static str,
    /// What stands behind it; a switch has none.
    pub value: Option<String>,
}

impl Given {
    /// The option that `name` means, with `value`; the error where there is none, or where one of the two is
    /// missing or too much.
    pub fn of(name: &str, value: Option<String>) -> Result<Given, String> {
        let option = options::find(name).ok_or_else(|| unknown(name, value.as_deref()))?;
        let name = option.name();
        match (option.value(), &value) {
            (None, Some(value)) => Err(format!(
                "`{name}` takes no value: `{}` stands behind it",
                shown_word(value)
            )),
            (Some(form), None) => Err(format!(
                "`{name}` needs a value: {name} {form}, {}",
                option.meaning()
            )),
            _ => Ok(Given { name, value }),
        }
    }

    /// It as the parser takes it.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        iter::once(self.name).chain(self.value.as_deref())
    }
}

/// Why the word `name`, which is no option, is refused, with what may be meant.
pub fn unknown(name: &str, value: Option<&str>) -> String {
    let is_long = name.starts_with("--");
    // `--source:test`
    let colon = name
        .split_once(':')
        .filter(|(name, _)| is_long && shown_word(name) == *name);
    let (name, value) = colon.map_or((name, value), |(name, value)| (name, Some(value)));
    let meant = other_programs::meant(name, value);
    // `-pSECRET`: what stands behind the letter may be a value.
    let letter = name.char_indices().nth(2).map(|(at, _)| name.split_at(at));
    let letter = letter.filter(|_| meant.is_none() && name.starts_with('-') && !is_long);
    let by_letter = letter.and_then(|(name, value)| other_programs::meant_by_letter(name, value));
    let shown: Cow<str> = match (letter, colon) {
        _ if by_letter.is_none() && name.chars().count() <= SHORT_WORD => name.into(),
        (Some((letter, _)), _) => format!("{letter}…").into(),
        (None, Some((_, value))) => {
            let value = options::find(name).map_or("…".into(), |_| shown_word(value));
            format!("{name}:{value}").into()
        }
        (None, None) => shown_word(name),
    };
    let meant = meant.or(by_letter);
    let meant = meant.map_or_else(String::new, |meant| format!(": {meant}"));
    format!("there is no option `{shown}`{meant}")
}

/// The option that `word` is, alone or with its value behind `=`, as it is typed.
fn option(word: &str) -> Option<&str> {
    let name = word.split('=').next()?;
    options::find(name).map(|_| name)
}

/// The options of a command line.
pub fn read(words: &[String]) -> Result<Vec<Given>, String> {
    let mut options: Vec<Given> = Vec::new();
    let mut words = words.iter().peekable();
    let mut source: Option<&str> = None;
    let mut is_over = false;
    while let Some(word) = words.next() {
        if word == "--" && !is_over {
            is_over = true;
        } else if word.starts_with('-') && word != "-" && !is_over {
            options.push(match word.split_once('=') {
                Some((name, value)) => Given::of(name, Some(value.to_owned()))?,
                None => Given::of(word, value_behind(word, &mut words)?)?,
            });
        } else if let Some(before) = source {
            return Err(format!(
                "`{}`: one source stands without an option, and it is `{}` (several cameras are \
                 --camera NAME=SOURCE each)",
                shown_word(word),
                shown_word(before)
            ));
        } else {
            match switch(word) {
                Some("--help") => options.push(Given::of("--help", None)?),
                Some(name) => return Err(format!("`{word}` is no source: did you mean `{name}`?")),
                None => source = Some(word),
            }
        }
    }
    let Some(source) = source else {
        return Ok(options);
    };
    if options.iter().any(|option| option.name == "--source") {
        return Err(format!(
            "`{}` stands without an option, which is a source as `--source` is: one of them is allowed",
            shown_word(source)
        ));
    }
    options.push(Given::of("--source", Some(source.to_owned()))?);
    Ok(options)
}

/// The value that stands behind the option `name`: the next of `words`, unless that is an option itself.
fn value_behind(
    name: &str,
    words: &mut Peekable<Iter<'_, String>>,
) -> Result<Option<String>, String> {
    let takes = options::find(name).map(|option| option.value().is_some());
    let value = words.next_if(|next| takes != Some(false) && option(next).is_none());
    let next = words.peek().and_then(|next| option(next));
    match (takes, value, next) {
        (Some(true), None, Some(next)) => {
            Err(format!("`{name}` needs a value: `{next}` stands behind it"))
        }
        (_, value, _) => Ok(value.cloned()),
    }
}

/// The option without a value that is called `word`, but for its hyphens.
fn switch(word: &str) -> Option<&'static str> {
    options::find(&format!("--{word}"))
        .filter(|option| option.value().is_none())
        .map(CommandOption::name)
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
            (&["--overlay=--fps=5", "--list"], "--overlay|--fps=5|--list"),
            (
                &["--overlay", "-x", "--set", "--y=1"],
                "--overlay|-x|--set|--y=1",
            ),
            (&["--list", "--overlay=--list"], "--list|--overlay|--list"),
            (&["--overlay="], "--overlay|"),
            (&["-V", "-h"], "--version|--help"),
            (&["help"], "--help"),
            (&["test", "--fps", "5"], "--fps|5|--source|test"),
            (&["--list", "--", "-x"], "--list|--source|-x"),
            (&["--"], ""),
            (&["http://host/?a=b"], "--source|http://host/?a=b"),
        ] {
            assert_eq!(said(words).as_deref(), Ok(parsed));
        }
    }

    #[test]
    fn a_wrong_word_is_named_with_what_is_allowed_and_without_secrets() {
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
            (
                "--quality",
                "`--quality` needs a value: --quality N, JPEG quality of what is encoded here, 1 to 100; \
                 default 80",
            ),
            ("--nonsense=SECRET", "there is no option `--nonsense`"),
            ("-xSECRET", "there is no option `-x…`"),
            (
                "-p8081",
                "there is no option `-p…`: the port is `--listen 8081`",
            ),
            ("-pSECRET", "there is no option `-p…`"),
            ("-p:SECRET", "there is no option `-p…`"),
            (
                "-ss",
                "there is no option `-ss`: controls of the camera are `--set NAME=VALUE,…`, such as --set \
              brightness=128",
            ),
            ("-hV", "there is no option `-hV`"),
            ("-?", "there is no option `-?`"),
            (
                "--source:http://ann:SECRET@cam/SECRET",
                "there is no option `--source:http://cam/…`: did you mean `--source`?",
            ),
            (
                "--source:test",
                "there is no option `--source:test`: did you mean `--source`?",
            ),
            ("--nonsense:SECRET", "there is no option `--nonsense:…`"),
            ("--ann@SECRET:SECRET", "there is no option `…`"),
            ("list", "`list` is no source: did you mean `--list`?"),
        ] {
            assert_eq!(said(&["--fps", "5", word]).expect_err(word), reason);
        }
    }

    #[test]
    fn an_option_is_no_value_of_the_one_before_it() {
        for (words, reason) in [
            (
                &["--name", "--no-controls", "test"][..],
                "`--name` needs a value: `--no-controls` stands behind it",
            ),
            (
                &["--overlay", "--listen=unix:SECRET"],
                "`--overlay` needs a value: `--listen` stands behind it",
            ),
            (
                &["--config", "-h"],
                "`--config` needs a value: `-h` stands behind it",
            ),
            (
                &["--port", "--fps", "5"],
                "there is no option `--port`: the port is `--listen 8080`",
            ),
        ] {
            assert_eq!(said(words).expect_err("no value"), reason);
        }
    }
}
