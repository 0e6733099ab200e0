//! The pages of troubleshooting and the program say the same: what the pages quote is in the code, and no
//! message of a source is missing on them.
//!
//! Fixed words are compared: what a message puts in, and every number, stands as `…`. On the page, a
//! message is code in the first column of a table; in the code, it is a text with more than one word.

use crate::{fake_libcamera::CameraModule, http::get, shell::Running};
use rustix::process::Signal;
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// The pages, by their names in `docs`.
const PAGES: [(&str, &str); 2] = [
    (
        "troubleshooting.md",
        include_str!("../../docs/troubleshooting.md"),
    ),
    ("raspberry-pi.md", RASPBERRY_PI),
];

const RASPBERRY_PI: &str = include_str!("../../docs/raspberry-pi.md");

/// The files whose every message stands on one of the pages. What `libcamera/controls.rs` says but for its
/// titles passes.
const LISTED: [&str; 26] = [
    "capture/capture_thread.rs",
    "capture/source/gst/error_words.rs",
    "capture/source/gst/padding.rs",
    "capture/source/gst/pipeline.rs",
    "capture/source/gst/pipeline_text.rs",
    "capture/source/gst/sink.rs",
    "capture/source/libcamera/failure.rs",
    "capture/source/libcamera/modules.rs",
    "capture/source/libcamera/open.rs",
    "capture/source/libcamera/request.rs",
    "capture/source/mjpeg_http/answer.rs",
    "capture/source/mjpeg_http/content.rs",
    "capture/source/mjpeg_http/open.rs",
    "capture/source/mjpeg_http/parts.rs",
    "capture/source/mjpeg_http/relay.rs",
    "capture/source/mjpeg_http/request.rs",
    "capture/source/mjpeg_http/still.rs",
    "capture/source/mod.rs",
    "capture/source/open.rs",
    "capture/source/opencv_stream.rs",
    "capture/source/raw.rs",
    "capture/source/raw_refusals.rs",
    "capture/source/v4l2.rs",
    "capture/source/v4l2_errors.rs",
    "capture/source/video_capture.rs",
    "jpeg/error.rs",
];

/// Texts of those files that are no messages, or none that somebody looks up, and why.
const EXCEPTIONS: [(&str, &str); 29] = [
    ("camera module csi", "the same, of the hint"),
    ("cannot open csi", "before every message of that source"),
    ("already in use", "libcamera's words"),
    ("in use by another process", "the same"),
    ("resource busy", "the same"),
    ("Permission denied", "the same"),
    ("dma-buf provider", "the same"),
    ("dmaHeap allocation", "the same"),
    ("Cannot allocate memory", "the same"),
    ("Failed to allocate", "the same"),
    ("Could not find a camera named", "the same"),
    ("any supported camera", "the same"),
    ("libcamerasrc camera-name=", "a pipeline"),
    ("there is one", "cannot fail"),
    ("Authorization: {login}\r\n", "sent to a server"),
    ("GET {} HTTP/1.1\r\n", "sent to a server"),
    ("the pipeline gives {}: converted by videoconvert", "debug"),
    ("picture dropped: {flaw}", "debug"),
    ("MJPEG over HTTP", "name of a backend"),
    ("JPEG over HTTP", "name of a backend"),
    ("--set: {error}", "the system's words after `cannot set`"),
    ("a camera", "stands for the device"),
    ("good caps", "cannot fail"),
    ("sudo apt install gstreamer1.0-", "advice: a command"),
    (" ({} works)", "advice in the message of a format"),
    (" (`--format {}` works)", "the same"),
    (" (`--size {size}` works)", "the same"),
    ("`--format {}`", "the same"),
    ("{} shows them{lack}", "advice in the message of a pipeline"),
];

fn squeezed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The fixed pieces of `text`: what stands between `{…}`, `…` and whole numbers.
fn pieces(text: &str) -> Vec<String> {
    let (mut whole, mut depth) = (String::new(), 0_u32);
    for letter in text.chars() {
        match letter {
            '{' => depth += 1,
            '}' => {
                depth = depth.saturating_sub(1);
                whole.push('…');
            }
            _ if depth == 0 => whole.push(letter),
            _ => {}
        }
    }
    let is_word = |letter: char| letter.is_alphanumeric();
    let mut pieces = vec![String::new()];
    let mut rest = whole.as_str();
    while let Some(first) = rest.chars().next() {
        let end = rest.find(|letter| is_word(letter) != is_word(first));
        let (run, behind) = rest.split_at(end.unwrap_or(rest.len()));
        rest = behind;
        if run.chars().all(|letter| letter.is_ascii_digit()) {
            pieces.push(String::new());
            continue;
        }
        for (number, part) in run.split('…').enumerate() {
            if number > 0 {
                pieces.push(String::new());
            }
            *pieces.last_mut().unwrap() += part;
        }
    }
    let pieces = pieces.iter().map(|piece| squeezed(piece));
    pieces.filter(|piece| has_word(piece)).collect()
}

fn has_word(text: &str) -> bool {
    text.chars().any(char::is_alphabetic)
}

/// The texts of a Rust file before its unit tests, as the compiler reads them; bytes are left out.
fn literals(source: &str) -> Vec<String> {
    let code = source.split("#[cfg(test)]\nmod tests").next().unwrap();
    let code: Vec<char> = code.chars().collect();
    let mut found = Vec::new();
    let mut at = 0;
    let is_at = |at: usize, letter| code.get(at) == Some(&letter);
    while at < code.len() {
        match code[at] {
            '/' if is_at(at + 1, '/') => {
                while at < code.len() && code[at] != '\n' {
                    at += 1;
                }
            }
            // A letter, such as '"'; else a lifetime.
            '\'' if is_at(at + 1, '\\') => {
                at += 3;
                while at < code.len() && code[at] != '\'' {
                    at += 1;
                }
            }
            '\'' if is_at(at + 2, '\'') => at += 2,
            '"' => {
                let is_bytes = at > 0 && code[at - 1] == 'b';
                let mut text = String::new();
                at += 1;
                while code[at] != '"' {
                    match (code[at], code[at + 1]) {
                        ('\\', '\n') => {
                            while code[at + 1].is_whitespace() {
                                at += 1;
                            }
                        }
                        ('\\', escaped) => {
                            at += 1;
                            text.push(match escaped {
                                'n' => '\n',
                                'r' => '\r',
                                other => other,
                            });
                        }
                        (letter, _) => text.push(letter),
                    }
                    at += 1;
                }
                if !is_bytes {
                    found.push(text);
                }
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// What of a message is looked up: its words before the advice.
fn head(message: &str) -> &str {
    let joined = message.trim_start_matches([' ', ';', ',', ':', '(']);
    let end = [" (", ": ", "; "]
        .iter()
        .filter_map(|mark| joined.find(mark));
    &joined[..end.min().unwrap_or(joined.len())]
}

/// The fixed pieces of the messages of `source` that none of `pages` quotes.
fn missing(source: &str, pages: &[&str]) -> Vec<String> {
    let quotes = pages.iter().flat_map(|page| quotes(page));
    let quotes: Vec<_> = quotes.collect();
    let quoted: Vec<_> = quotes.iter().flat_map(|quote| pieces(quote)).collect();
    let is_exception = |text: &str| EXCEPTIONS.iter().any(|(known, _)| text.starts_with(known));
    let texts = literals(source).into_iter();
    let messages = texts.filter(|text| text.contains(' ') && !is_exception(text));
    let heads = messages.map(|text| head(&text).to_owned());
    // Pieces of pipelines are no words.
    let mut missing: Vec<_> = heads
        .filter(|head| !head.contains(" ! "))
        .flat_map(|head| pieces(&head))
        .filter(|piece| {
            piece
                .chars()
                .filter(|letter| letter.is_alphabetic())
                .count()
                > 3
        })
        .collect();
    missing.retain(|piece| !quoted.iter().any(|quote| quote.contains(piece)));
    missing
}

/// The code in a line of Markdown: between as many backticks as it begins with.
fn code(line: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = line;
    while let Some(start) = rest.find('`') {
        let fence = rest[start..].len() - rest[start..].trim_start_matches('`').len();
        let behind = &rest[start + fence..];
        let ends = behind.match_indices(&rest[start..start + fence]);
        let end = ends
            .map(|(at, _)| at)
            .find(|at| !behind[..*at].ends_with('`') && !behind[at + fence..].starts_with('`'));
        let end = end.unwrap_or_else(|| panic!("a backtick too few: {line}"));
        found.push(squeezed(&behind[..end]));
        rest = &behind[end + fence..];
    }
    found
}

/// The rows of the page's tables of messages: first column, and the rest.
fn rows(page: &str) -> Vec<(&str, &str)> {
    let mut is_messages = false;
    let mut rows = Vec::new();
    for line in page.lines() {
        let Some(row) = line.strip_prefix("| ") else {
            is_messages &= line.starts_with("|-");
            continue;
        };
        let (first, rest) = row.split_once(" | ").expect("two columns");
        if is_messages {
            assert_eq!(rest.matches(" | ").count(), 1, "three columns: {line}");
            rows.push((first, rest));
        }
        is_messages |= first == "camfeed says";
    }
    rows
}

fn quotes(page: &str) -> Vec<String> {
    let rows = rows(page).into_iter();
    rows.flat_map(|(first, _)| code(first)).collect()
}

fn sources() -> Vec<PathBuf> {
    fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            match path.is_dir() {
                true => walk(&path, files),
                false if path.extension().is_some_and(|end| end == "rs") => files.push(path),
                false => {}
            }
        }
    }
    let mut files = Vec::new();
    walk(&source_folder(), &mut files);
    files
}

fn source_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

#[test]
fn what_the_page_quotes_is_said_by_the_program() {
    let texts = sources()
        .iter()
        .flat_map(|path| literals(&fs::read_to_string(path).unwrap()))
        .flat_map(|text| pieces(&text))
        .collect::<Vec<_>>();
    let quotes = PAGES.map(|(_, page)| quotes(page)).concat();
    assert!(quotes.len() > 120, "only {} were found", quotes.len());
    let mut unsaid = Vec::new();
    for quote in quotes {
        let pieces = pieces(&quote);
        let longest = pieces.iter().map(String::len).max();
        assert!(longest > Some(6), "`{quote}` says too little");
        let is_said = |piece: &String| texts.iter().any(|text| text.contains(piece.as_str()));
        if !pieces.iter().all(is_said) {
            unsaid.push(quote);
        }
    }
    assert!(
        unsaid.is_empty(),
        "nobody says what the page quotes: {unsaid:#?}"
    );
}

#[test]
fn every_message_of_a_source_is_on_the_page() {
    for name in LISTED {
        let source = fs::read_to_string(source_folder().join(name)).unwrap();
        let missing = missing(&source, &PAGES.map(|(_, page)| page));
        assert!(
            missing.is_empty(),
            "src/{name}: on none of the pages: {missing:#?}"
        );
    }
}

#[test]
fn no_exception_outlives_its_text() {
    let texts = LISTED
        .iter()
        .flat_map(|name| literals(&fs::read_to_string(source_folder().join(name)).unwrap()))
        .collect::<Vec<_>>();
    for (text, why) in EXCEPTIONS {
        let is_there = texts.iter().any(|known| known.starts_with(text));
        assert!(is_there, "nobody says `{text}` any more ({why})");
    }
}

#[test]
fn a_new_or_reworded_message_is_found() {
    let page = "| camfeed says | it means | do |\n|---|---|---|\n\
        | `cut off at byte …`, ``its `…` is odd`` | x | `not quoted at all` |\n";
    let missing = |source: &str| missing(source, &[page]);
    assert_eq!(
        missing(r#"f("cut off at byte {at} (why?)", '"', "one")"#),
        [""; 0]
    );
    assert_eq!(
        missing(
            r#"f("its `{code}` is \
        odd: advice") // "a comment""#
        ),
        [""; 0]
    );
    assert_eq!(missing(r#"f("cut off at line {at}")"#), ["cut off at line"]);
    assert_eq!(missing(r#"f("not quoted at all")"#), ["not quoted at all"]);
    assert_eq!(missing(r#"f(b"some bytes", " Gone")"#), ["Gone"]);
    let tests = "#[cfg(test)]\nmod tests { f(\"of a test\") }";
    assert_eq!(missing(tests), [""; 0]);
}

/// The lines of the page's blocks for a shell.
fn typed_in_blocks(page: &str) -> Vec<String> {
    let blocks = page.split("```sh\n").skip(1);
    let lines = blocks.flat_map(|block| block.split("```").next().unwrap().lines());
    lines.map(str::to_owned).collect()
}

/// The state of a machine with two modules, as the page has them.
const TWO_MODULES: &str = "camera=/base/axi/pcie@120000/rp1/i2c@88000/imx708@1a \
     camera=/base/axi/pcie@120000/rp1/i2c@80000/imx708@1a";

#[test]
fn every_command_for_a_camera_module_gives_pictures() {
    let module = CameraModule::new(TWO_MODULES);
    let typed = typed_in_blocks(RASPBERRY_PI);
    let commands = typed.iter().filter(|line| {
        ["camfeed --source ", "camfeed --camera "]
            .iter()
            .any(|start| line.starts_with(start))
    });
    let commands: Vec<_> = commands.collect();
    assert!(commands.len() > 9, "{commands:?}");
    for line in commands {
        // The encoder is one of a Pi's chip, and the port may be somebody's.
        let here = line
            .replace("v4l2jpegenc", "jpegenc")
            .replace(" --listen 0.0.0.0:8081", "")
            .replacen("camfeed", "exec \"$CAMFEED\" --listen 127.0.0.1:0", 1);
        let mut command = module.command("sh", &["-c", &here]);
        command.env("CAMFEED", env!("CARGO_BIN_EXE_camfeed"));
        let mut running = Running::start(command);
        let cameras = line.matches("--camera ").count().max(1);
        running.wait_said("camera online", cameras);
        for control in settings(line) {
            let event = match control.strip_prefix("zoom=") {
                Some(_) => "set scaler-crop=".to_owned(),
                None => format!("set {}", control.replace('_', "-")),
            };
            module.wait_count(&event, 1);
        }
        assert_eq!(running.count(" WARN "), 0, "{line}: {}", running.said());
        running.end(Signal::TERM);
    }
}

/// What `--set` says in `line`.
fn settings(line: &str) -> impl Iterator<Item = &str> {
    let behind = line.split("--set ").skip(1);
    behind.flat_map(|rest| rest.split(' ').next().unwrap().split(','))
}

/// The page has the controls that a module has, with their values and defaults.
#[test]
fn the_controls_of_a_module_are_on_its_page() {
    let module = CameraModule::new("camera=/base/soc/i2c0mux/i2c@1/imx708@1a");
    let camfeed = module.online(&["--source", "csi"]);
    let text = get(camfeed.address, "/controls").text();
    let told: Value = serde_json::from_str(&text).expect("JSON");
    let told = told["controls"].as_array().expect("controls");
    let (_, table) = RASPBERRY_PI
        .split_once("| control | values | default |\n|---|---|---|\n")
        .expect("a table");
    let rows: Vec<Vec<&str>> = table
        .lines()
        .take_while(|line| line.starts_with('|'))
        .map(|line| line.trim_matches(['|', ' ']).split(" | ").collect())
        .collect();
    let names: Vec<_> = rows.iter().flat_map(|row| code(row[0])).collect();
    let known: Vec<_> = told
        .iter()
        .map(|control| control["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, known);
    for control in told {
        let name = control["name"].as_str().unwrap();
        let row = rows
            .iter()
            .find(|row| code(row[0]).contains(&name.to_owned()))
            .unwrap();
        let number = |field: &str| control[field].as_f64().unwrap().to_string();
        let default_title = || {
            let menu = control["menu"].as_array().unwrap();
            let choice = menu
                .iter()
                .find(|choice| choice["value"].as_f64() == control["default"].as_f64())
                .unwrap();
            choice["title"].as_str().unwrap().to_owned()
        };
        let (values, default) = match control["type"].as_str().unwrap() {
            "menu" => {
                let menu = control["menu"].as_array().unwrap().iter();
                let titles = menu.map(|choice| choice["title"].as_str().unwrap());
                (titles.collect::<Vec<_>>().join(", "), default_title())
            }
            "boolean" => ("on, off".to_owned(), "on".to_owned()),
            // The greatest depends on the rate; 0 is automatic.
            _ if name == "exposure_time" => ("0 is automatic".to_owned(), number("default")),
            _ if name == "analogue_gain" => (
                format!("to {}; 0 is automatic", number("max")),
                number("default"),
            ),
            _ => (
                format!("{} to {}", number("min"), number("max")),
                number("default"),
            ),
        };
        assert!(
            row[1].contains(&values),
            "{name}: {values} is not in {row:?}"
        );
        assert_eq!(row[2], default, "{name}");
    }
}
