//! What whoever works on camfeed is told: the files, the names and the tests that the page names are there, and
//! its commands run.

use super::{
    desk::Desk,
    text::{Block, block, blocks},
};
use crate::{manual::page, shell::files};
use std::{collections::BTreeSet, fs, path::Path};

const PAGE: &str = "docs/how-it-works.md";

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Files that the recipes make.
const MADE: [&str; 3] = [
    "src/capture/source/grey.rs",
    "src/encode/NAME.rs",
    "src/http/answers/uptime.rs",
];

/// Cargo itself would build for minutes: its options are good, and it makes what is run behind it.
pub fn builds(desk: &mut Desk, line: &str) {
    assert_eq!(line, "cargo build --locked");
    desk.mean("target/debug/camfeed", env!("CARGO_BIN_EXE_camfeed"));
}

/// Without a folder of pictures it has its own.
pub fn sees_the_fake_camera(desk: &mut Desk, line: &str) {
    let line = format!("exec env FAKECAM_ROOT=$PWD/nodes {line} --listen 127.0.0.1:0");
    desk.start(&line).wait_said("camera online", 1);
    let control = desk.path("camfeed/control");
    let off = fs::read_to_string(&control).unwrap().replace("yes", "no");
    fs::write(&control, off).unwrap();
    desk.last().wait_said("the camera was unplugged", 1);
}

/// `make check` does it.
pub fn is_checked(desk: &mut Desk, line: &str) {
    let done = desk.well("make check -n");
    assert!(done.lines().any(|done| done == line), "{done}");
}

/// There are such tests: each name is one, or with `::` behind it a file or a folder of them.
pub fn tests_some(_: &mut Desk, line: &str) {
    let (options, names) = line
        .split_once(" -- ")
        .unwrap_or_else(|| line.rsplit_once(' ').unwrap());
    let folder = match options {
        "cargo test --locked --bin camfeed" => format!("{ROOT}/src"),
        "cargo test --locked --test it" => format!("{ROOT}/tests/it"),
        other => panic!("{other}: what is tested?"),
    };
    for name in names.split(' ') {
        let is_there = sources(&folder).any(|(path, text)| match name.strip_suffix("::") {
            Some(module) => {
                let place = format!("/{}/", path.trim_end_matches(".rs"));
                let is_there = place.contains(&format!("/{}/", module.replace("::", "/")));
                is_there && text.contains("#[test]")
            }
            None => text.contains(&format!("fn {name}()")),
        });
        assert!(is_there, "no test {name}");
    }
}

/// The Rust files below `folder`, with their texts.
fn sources(folder: &str) -> impl Iterator<Item = (String, String)> {
    let names = files(Path::new(folder)).into_iter();
    let names = names.filter(|name| name.ends_with(".rs"));
    names.map(move |name| {
        let text = fs::read_to_string(Path::new(folder).join(&name)).unwrap();
        (name, text)
    })
}

/// The words of a text that can be names.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| !letter.is_alphanumeric() && letter != '_')
}

/// All code between backticks outside of blocks.
fn codes() -> Vec<&'static str> {
    let prose = page(PAGE).split("\n```").step_by(2);
    prose
        .flat_map(|part| part.split('`').skip(1).step_by(2))
        .collect()
}

#[test]
fn the_files_that_are_named_are_there() {
    let mut all: Vec<_> = ["src", "tests", "scripts", "static"]
        .iter()
        .flat_map(|top| {
            let below = files(&Path::new(ROOT).join(top)).into_iter();
            below.map(move |name| format!("{top}/{name}"))
        })
        .collect();
    all.extend(["src", "static"].map(str::to_owned));
    let mut looked = 0;
    for code in codes() {
        let is_file = code.ends_with(".rs") || code.ends_with(".c") || code.ends_with('/');
        if is_file && !MADE.contains(&code) && !code.starts_with("--") {
            let end = format!("/{}", code.trim_end_matches('/'));
            let is_there = all.iter().any(|path| format!("/{path}").ends_with(&end));
            assert!(is_there, "there is no {code}");
            looked += 1;
        }
    }
    assert!(looked > 70, "only {looked} were looked for");
}

/// `Type::name`, `file::name`: one file has both. A type alone: the program has it.
#[test]
fn the_names_that_are_named_are_there() {
    let all: Vec<BTreeSet<String>> = sources(&format!("{ROOT}/src"))
        .chain(sources(&format!("{ROOT}/tests/it")))
        .map(|(path, text)| {
            words(&text)
                .chain(words(&path))
                .map(str::to_owned)
                .collect()
        })
        .collect();
    let mut looked = 0;
    for code in codes() {
        let is_type = code.starts_with(|first: char| first.is_ascii_uppercase());
        let is_name = code
            .chars()
            .all(|letter| letter.is_alphanumeric() || "_:".contains(letter));
        if is_name && (is_type || code.contains("::")) && code != "Grey" {
            let parts: Vec<_> = words(code).filter(|word| !word.is_empty()).collect();
            let is_there = all
                .iter()
                .any(|file| parts.iter().all(|part| file.contains(*part)));
            assert!(is_there, "there is no {code}");
            looked += 1;
        }
    }
    assert!(looked > 50, "only {looked} were looked for");
}

/// What the examples use is there, under the paths by which they use it.
#[test]
fn what_the_examples_use_is_there() {
    let program: BTreeSet<String> = sources(&format!("{ROOT}/src"))
        .flat_map(|(_, text)| words(&text).map(str::to_owned).collect::<Vec<_>>())
        .collect();
    let mut looked = 0;
    for Block { text, .. } in blocks(page(PAGE))
        .iter()
        .filter(|block| block.kind == "rust")
    {
        let code = text.lines().filter(|line| !line.trim().starts_with("//"));
        for line in code {
            // A text is the example's own.
            let line: String = line.split('"').step_by(2).collect();
            for word in words(&line).filter(|word| word.starts_with(|c: char| c.is_uppercase())) {
                assert!(
                    word == "Grey" || program.contains(word),
                    "there is no {word}"
                );
                looked += 1;
            }
        }
    }
    assert!(looked > 40, "only {looked} were looked for");
}

#[test]
fn the_drawing_is_that_of_the_program() {
    let drawing = block(page(PAGE), "The whole", "text").text;
    let main = fs::read_to_string(format!("{ROOT}/src/main.rs")).unwrap();
    let lines = main
        .lines()
        .map(|line| line.trim_start_matches("//!").trim());
    let lines: Vec<_> = lines.collect();
    for line in drawing.lines() {
        let is_there = lines.iter().any(|own| own.starts_with(line.trim()));
        assert!(is_there, "not in main.rs: {line}");
    }
}
