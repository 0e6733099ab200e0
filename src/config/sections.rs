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
    if let Some(reason) = known.and_then(|_| what_stands_behind(&line[name.len()..])) {
        return Err(format!("`{name}`: {reason}"));
    }
    let hint = match known {
        Some(_) => "",
        None => " (`camfeed --help` shows what is allowed)",
    };
    let value = value.map(|value| unquote(value).to_owned());
    Given::of(name, value).map_err(|reason| format!("{reason}{hint}"))
}

/// Why `rest`, what stands behind an option in its line, is no value: another option or a comment follows, which
/// would be a part of it. In quotes they are.
fn what_stands_behind(rest: &str) -> Option<String> {
    let is_quoted = |at: usize| {
        let (before, after) = rest.split_at(at);
        let is_within = |quote| before.matches(quote).count() % 2 == 1 && after.contains(quote);
        is_within('"') || is_within('\'')
    };
    let blanks = rest.match_indices(char::is_whitespace);
    let unquoted = blanks.filter(|(at, _)| !is_quoted(*at));
    unquoted
        .filter_map(|(at, blank)| rest[at + blank.len()..].split(char::is_whitespace).next())
        .find_map(|word| match word.split('=').next()? {
            "#" if word == "#" => Some("a comment stands in a line of its own".to_owned()),
            name if name.starts_with("--") => Some(format!(
                "allowed is one option a line, and `{}` stands behind it",
                options::find(name)?.name()
            )),
            _ => None,
        })
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The line of `text` that is refused, and why.
    fn refusal(text: &str) -> Option<String> {
        let refused = Lines::parse(text).err();
        refused.map(|(line, reason)| format!("{line}: {reason}"))
    }

    #[test]
    fn what_stands_behind_a_value_is_no_part_of_it() {
        for line in [
            "--name Door --no-controls",
            "--source /dev/video0 --size 640x480",
            "--source=/dev/video0\t--size=640x480",
            "--camera a=/dev/video0 --camera b=/dev/video1",
            "--source gst:videotestsrc ! appsink --fps 5",
            "--overlay \"SECRET\" --name \"b\"",
            "--overlay --fps 5",
            "--no-controls --fps 5",
            "--name SECRET --help",
        ] {
            for text in [format!("\n{line}\n"), format!("[a]\n{line}\n")] {
                let error = refusal(&text).expect(line);
                let said = "allowed is one option a line, and `--";
                assert!(error.starts_with("2: `--"), "{error}");
                assert!(error.contains(said) && !error.contains("SECRET"), "{error}");
            }
        }
        for line in [
            "--source /dev/video0 # my camera",
            "--overlay time # clock",
            "--name Front door # main",
            "--name Ann's door # main",
            "--name \"Front door\" # main",
            "--name=Front\t#\tmain",
            "--no-controls # safe",
            "--overlay # clock",
            "--source http://cam/SECRET #",
        ] {
            let error = refusal(line).expect(line);
            let said = "a comment stands in a line of its own";
            assert!(error.starts_with("1: `--"), "{error}");
            assert!(error.contains(said) && !error.contains("SECRET"), "{error}");
        }
        for line in [
            "--source gst:videotestsrc ! textoverlay text=\"Door # 3\" ! appsink",
            "--source http://cam/x#part",
            "--source http://cam/#",
            "--name Door #3",
            "--name C# major",
            "--name \"Door # 3\"",
            "--name 'Door # 3'",
            "--overlay=# %H",
            "--overlay \"a --fps 5\"",
            "--overlay a --b",
            "--overlay a -- fps",
        ] {
            assert_eq!(refusal(line), None, "{line}");
        }
    }
}
