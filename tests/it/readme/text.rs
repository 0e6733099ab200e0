//! A page taken apart, the README or one of `docs/`: its blocks, and every command in it with its place.

/// A fenced block.
#[derive(Debug)]
pub struct Block {
    /// The heading it stands under.
    pub section: String,
    /// What stands behind its fence, such as `sh`.
    pub kind: String,
    /// Number of its first line.
    pub line: usize,
    pub text: String,
}

/// A command, with one space where there are several.
#[derive(Debug, PartialEq, Eq)]
pub struct Command {
    /// The heading it stands under.
    pub section: String,
    pub line: usize,
    pub text: String,
}

/// What has the shape of a command and is something else: words of files, answers and logs.
const QUOTES: [&str; 9] = [
    "no camera opens",
    "active (running)",
    "no camera found",
    "location /garden/",
    "proxy_pass http://127.0.0.1:8080/;",
    "proxy_set_header Host $http_host;",
    "no picture there: cannot open /dev/video0: …",
    "passed through",
    "not ok",
];

fn squeezed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The page's fenced blocks, and its other lines under their headings, with blank lines for blocks.
fn parts(page: &str) -> (Vec<Block>, Vec<(String, String)>) {
    let (mut blocks, mut prose) = (Vec::new(), Vec::new());
    let mut section = String::new();
    let mut open: Option<Block> = None;
    for (index, line) in page.lines().enumerate() {
        let is_inside = line.starts_with(' ') && line.trim_start().starts_with("```");
        assert!(!is_inside, "line {}: a block inside something", index + 1);
        let mut rest = "";
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(kind)) => {
                open = Some(Block {
                    section: section.clone(),
                    kind: kind.to_owned(),
                    line: index + 2,
                    text: String::new(),
                });
            }
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(block), None) => block.text += &format!("{line}\n"),
            (None, None) => {
                let heading = line.trim_start_matches('#').strip_prefix(' ');
                if let Some(heading) = heading.filter(|_| line.starts_with('#')) {
                    section = heading.to_owned();
                }
                rest = line;
            }
        }
        prose.push((section.clone(), rest.to_owned()));
    }
    assert!(open.is_none(), "a block without an end: {open:?}");
    (blocks, prose)
}

/// Of a page.
pub fn blocks(page: &str) -> Vec<Block> {
    parts(page).0
}

/// The only block of this kind under that heading.
pub fn block(page: &str, section: &str, kind: &str) -> Block {
    let mut found = blocks(page);
    found.retain(|block| block.section == section && block.kind == kind);
    assert_eq!(found.len(), 1, "{section}, {kind}: {found:?}");
    found.remove(0)
}

/// True for what somebody would type, of the code in a sentence.
fn is_command(code: &str) -> bool {
    let is_option_or_path = code.starts_with(['-', '/']);
    let words = code.split_once(' ').map(|(first, _)| first);
    // A program or a variable before it: `RUST_LOG=debug camfeed`.
    let is_program = words.is_some_and(|first| {
        let is_name = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
        let is_variable = first.contains('=') && first.starts_with(|c: char| c.is_uppercase());
        is_variable || first.chars().all(is_name) && !first.starts_with(|c: char| c.is_uppercase())
    });
    is_program && !is_option_or_path && !QUOTES.contains(&code)
}

/// Every option that a sentence or a table begins some code with, such as `--size 1280x720`.
pub fn options(page: &str) -> Vec<Command> {
    let code = code(&parts(page).1).into_iter();
    let code = code.map(|(command, _)| command);
    code.filter(|code| code.text.starts_with("--")).collect()
}

/// Every command: lines of `sh` and `crontab` blocks, all code in the right column of a table that says
/// what to write, and what has the shape of a command elsewhere.
pub fn commands(page: &str) -> Vec<Command> {
    let (blocks, prose) = parts(page);
    let mut found = Vec::new();
    for block in &blocks {
        if ["sh", "crontab"].contains(&block.kind.as_str()) {
            found.extend(typed(block));
        }
    }
    for (code, is_to_write) in code(&prose) {
        if is_to_write || is_command(&code.text) {
            found.push(code);
        }
    }
    found
}

/// The lines of a block.
fn typed(block: &Block) -> Vec<Command> {
    let mut found = Vec::new();
    let mut before = String::new();
    for (index, line) in block.text.lines().enumerate() {
        // A line that goes on is one with the next.
        if let Some(half) = line.strip_suffix('\\') {
            before += half;
            continue;
        }
        let text = squeezed(&(std::mem::take(&mut before) + line));
        if !text.is_empty() && !text.starts_with('#') {
            found.push(Command {
                section: block.section.clone(),
                line: block.line + index,
                text,
            });
        }
    }
    assert!(before.is_empty(), "goes on nowhere: {before}");
    found
}

/// Headings of a table's first column that holds what somebody sees, which nobody types.
const SEEN: [&str; 2] = ["|camfeedsays|", "|yousee|"];

/// All code between backticks; true for what stands in a table that says what to write.
fn code(prose: &[(String, String)]) -> Vec<(Command, bool)> {
    let mut found = Vec::new();
    // The backticks that it began with, and its first line.
    let mut open: Option<(usize, usize)> = None;
    let (mut code, mut is_to_write, mut is_seen) = (String::new(), false, false);
    for (index, (section, line)) in prose.iter().enumerate() {
        if line.trim().is_empty() {
            assert!(open.is_none(), "line {index}: a backtick too few");
            (is_to_write, is_seen) = (false, false);
        }
        let heads = line.replace(' ', "");
        is_to_write |= heads == "|in|write|";
        is_seen |= SEEN.iter().any(|head| heads.starts_with(head));
        let columns = line.split_once(" | ").filter(|_| is_seen);
        let mut rest = columns.map_or(line.as_str(), |(_, rest)| rest);
        while let Some((at, fence)) = fence(rest, open.map(|(fence, _)| fence)) {
            if let Some((_, line)) = open.take() {
                let text = squeezed(&(std::mem::take(&mut code) + &rest[..at]));
                let section = section.clone();
                let command = Command {
                    section,
                    line,
                    text,
                };
                found.push((command, is_to_write));
            } else {
                open = Some((fence, index + 1));
            }
            rest = &rest[at + fence..];
        }
        if open.is_some() {
            code += rest;
            code.push(' ');
        }
    }
    found
}

/// The first backticks in `text`, as many as asked for: where, and how many.
fn fence(text: &str, asked: Option<usize>) -> Option<(usize, usize)> {
    let mut from = 0;
    while let Some(at) = text[from..].find('`').map(|at| from + at) {
        let count = text[at..].len() - text[at..].trim_start_matches('`').len();
        if asked.is_none_or(|asked| asked == count) {
            return Some((at, count));
        }
        from = at + count;
    }
    None
}

/// What cron runs of a line; its times must be some.
pub fn cron_command(line: &str) -> String {
    let words: Vec<_> = line.split(' ').collect();
    let times = if words[0] == "@reboot" { 1 } else { 5 };
    let limits = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 7)];
    for (word, (least, most)) in words[..times].iter().zip(limits) {
        let number = word.strip_prefix("*/").unwrap_or(word).parse();
        let is_number = number.is_ok_and(|number: u32| (least..=most).contains(&number));
        assert!(
            is_number || ["*", "@reboot"].contains(word),
            "{word} in {line}"
        );
    }
    let command = words[times..].join(" ");
    assert!(
        !command.contains('%'),
        "cron takes % for a new line: {line}"
    );
    command
}

#[test]
fn commands_are_found_wherever_they_stand() {
    let page = "\
# top\n\n```sh\nmake \\\n  run   # now\n\n# a note\n```\n\n## Use\n\n\
Say `curl -f` or `sudo systemctl stop\ncamfeed` or `--flag x`, `passed through`, `{\"a\": 1}`, `A: b`.\n\n\
| in | write |\n|---|---|\n| C | `x(1)` |\n\n| a | b |\n|---|---|\n| `y(2)` | `LOG=1 run me` |\n\n\
| camfeed says | do |\n|---|---|\n| ``its `a` is b`` | ``run `it` now`` |\n\n\
```crontab\n* * * * * true\n```\n```yaml\na: b c\n```\n";
    let found = commands(page);
    let found: Vec<_> = found
        .iter()
        .map(|command| {
            (
                command.section.as_str(),
                command.line,
                command.text.as_str(),
            )
        })
        .collect();
    assert_eq!(
        found,
        [
            ("top", 5, "make run # now"),
            ("Use", 28, "* * * * * true"),
            ("Use", 12, "curl -f"),
            ("Use", 12, "sudo systemctl stop camfeed"),
            ("Use", 17, "x(1)"),
            ("Use", 21, "LOG=1 run me"),
            ("Use", 25, "run `it` now"),
        ]
    );
}
