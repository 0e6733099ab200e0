//! An options file line by line: the options before the first section, then a section for each camera.
//!
//! Every line is judged by the same parser as the command line, so that both take the same and refuse the
//! same; the parser knows nothing of lines, so it is asked for ever longer beginnings of a section.

use crate::config::{
    CameraName, args,
    given::Given,
    options::{self, CommandOption, Scope},
    other_programs, shown_word,
};

/// What a file says, in its order.
pub struct Lines {
    /// For the server, and for every camera that does not say otherwise.
    pub top: Vec<Line>,
    /// One for each camera.
    pub sections: Vec<Section>,
}

/// `[NAME]` and the lines below it.
pub struct Section {
    /// The line of its head, from 1.
    pub number: usize,
    /// Its camera's.
    pub name: CameraName,
    /// The options of its camera.
    pub lines: Vec<Line>,
}

/// One option of the file.
pub struct Line {
    /// From 1.
    pub number: usize,
    /// Its value without quotes around it.
    pub option: Given,
}

/// A line that is refused, by its number, and why.
pub type WrongLine = (usize, String);

impl Lines {
    /// What `text` says.
    pub fn parse(text: &str) -> Result<Lines, WrongLine> {
        let (mut top, mut sections) = (Vec::new(), Vec::<Section>::new());
        // Some editors begin a file with it.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        for (number, line) in (1..).zip(text.lines().map(str::trim)) {
            let refused = |reason| (number, reason);
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if line.starts_with('[') {
                sections.push(Section {
                    number,
                    name: head(line).map_err(refused)?,
                    lines: Vec::new(),
                });
                continue;
            }
            let option = option(line).map_err(refused)?;
            let lines = match sections.last_mut() {
                Some(section) => &mut section.lines,
                None => &mut top,
            };
            lines.push(Line { number, option });
            judge(lines).map_err(refused)?;
            if let Some(section) = sections.last() {
                section.judge_last().map_err(refused)?;
            }
        }
        Ok(Lines { top, sections })
    }

    /// The section of that name.
    pub fn section(&self, name: &str) -> Option<&Section> {
        let mut sections = self.sections.iter();
        sections.find(|section| section.name.as_str() == name)
    }
}

impl Section {
    /// Refuses a last line that is not about one camera.
    fn judge_last(&self) -> Result<(), String> {
        let Some(Line { option, .. }) = self.lines.last() else {
            return Ok(());
        };
        let name = option.name;
        let of_camera = options::all().filter(|option| option.scope == Scope::Camera);
        let of_camera: Vec<_> = of_camera.map(CommandOption::name).collect();
        if !of_camera.contains(&name) {
            return Err(format!(
                "`{name}` is for the server: allowed before the first section (for a camera are {})",
                of_camera.join(", ")
            ));
        }
        if name == "--source" && option.value.as_deref() == Some("all") {
            return Err(
                "`--source all` is for the server: a section is one camera, with a source of its own"
                    .to_owned(),
            );
        }
        Ok(())
    }
}

/// The name in the head of a section.
fn head(line: &str) -> Result<CameraName, String> {
    let name = line
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let Some(name) = name else {
        return Err("a section begins with [NAME] and nothing else in its line".to_owned());
    };
    CameraName::of_address(name.trim())
}

/// The option that `line` holds.
fn option(line: &str) -> Result<Given, String> {
    let (word, rest) = match line.split_once(char::is_whitespace) {
        Some((word, rest)) => (word, Some(rest.trim())),
        None => (line, None),
    };
    let (name, value) = match word.split_once('=') {
        Some((name, _)) => (name, Some(line[name.len() + 1..].trim())),
        None => (word, rest),
    };
    if !word.starts_with('-') {
        let shown = shown_word(word);
        let allowed = "allowed is one a line, as on the command line, such as --quality 70, [NAME] for a \
             section, and lines that begin with #";
        return Err(match other_programs::meant(name, value) {
            Some(meant) => format!("`{shown}` is no option: {meant} ({allowed})"),
            None => format!("`{shown}` is no option: {allowed}"),
        });
    }
    let known = options::find(name);
    if known.is_some_and(|option| option.scope == Scope::Terminal) {
        return Err(format!("`{name}` is for the command line only"));
    }
    let hint = match known {
        Some(_) => "",
        None => " (`camfeed --help` shows what is allowed)",
    };
    let value = value.map(|value| unquote(value).to_owned());
    Given::of(name, value).map_err(|reason| format!("{reason}{hint}"))
}

/// Removes quotes around a value. None are needed, because a value ends with its line.
fn unquote(value: &str) -> &str {
    let within = |quote| value.strip_prefix(quote)?.strip_suffix(quote);
    within('"').or_else(|| within('\'')).unwrap_or(value)
}

/// Why the last of `lines` is refused.
fn judge(lines: &[Line]) -> Result<(), String> {
    let words: Vec<&str> = lines.iter().flat_map(|line| line.option.words()).collect();
    let Err(exit) = args::parse(&words) else {
        return Ok(());
    };
    let reason = exit.output.trim_end();
    let value = lines.last().and_then(|line| line.option.value.as_deref());
    let hint = if value.is_some_and(|value| value.contains(" --")) {
        " (allowed is one option a line)"
    } else if value.is_some_and(|value| value.contains(" #")) {
        " (a comment stands in a line of its own)"
    } else if value.is_some_and(|value| value.starts_with('=')) {
        " (`=` stands right behind the option)"
    } else {
        ""
    };
    Err(format!("{reason}{hint}"))
}
