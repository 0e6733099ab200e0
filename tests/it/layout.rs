//! The program's own shape: which part may know which, and the names that are not to come back.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// What a part must not import.
const FORBIDDEN: [(&str, &[&str]); 8] = [
    (
        "jpeg",
        &[
            "capture", "config", "encode", "error", "feed", "http", "system",
        ],
    ),
    (
        "error",
        &[
            "capture", "config", "encode", "feed", "http", "jpeg", "system",
        ],
    ),
    (
        "system",
        &["capture", "config", "encode", "feed", "http", "jpeg"],
    ),
    ("config", &["capture", "encode", "feed", "http", "jpeg"]),
    ("feed", &["capture", "encode", "http"]),
    ("encode", &["capture", "http"]),
    ("capture", &["http"]),
    ("http", &["capture", "encode", "jpeg"]),
];

/// A crate, and the only parts that may name it.
const CRATES: [(&str, &[&str]); 4] = [
    ("gstreamer", &["capture"]),
    ("opencv", &["capture", "encode"]),
    ("tiny_http", &["http"]),
    ("argh", &["config", "http"]),
];

/// Names that said less than those that stand in their place.
const OLD_NAMES: [&str; 54] = [
    "Bell",
    "Seldom",
    "Unsaid",
    "Vitals",
    "Supply",
    "Clients",
    "Leaving",
    "Wanted",
    "Room",
    "Wish",
    "Wishes",
    "despair",
    "beats",
    "Facts",
    "Asked",
    "excuse",
    "Stamp",
    "Waited",
    "Stop",
    "bump",
    "Lease",
    "Farewell",
    "Scout",
    "try_device",
    "hand_on",
    "give_up",
    "why_not",
    "complaint",
    "Front",
    "Duty",
    "Gathered",
    "Places",
    "are_taken",
    "Sight",
    "is_clear",
    "Wire",
    "promised",
    "Patients",
    "Reply",
    "Listening",
    "Gate",
    "Refusal",
    "is_old",
    "write_some",
    "Flaw",
    "Layout",
    "Turn",
    "Job",
    "Task",
    "may_read",
    "Trouble",
    "Offer",
    "World",
    "Threads",
];

/// Every source file of the program, with the part it belongs to.
fn sources() -> Vec<(String, PathBuf)> {
    fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                walk(&path, files);
            } else if path.extension().is_some_and(|end| end == "rs") {
                files.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    walk(&root, &mut files);
    let part = |path: &PathBuf| {
        let first = path.strip_prefix(&root).expect("below src").iter().next();
        let first = first.and_then(|name| name.to_str()).expect("UTF-8");
        first.trim_end_matches(".rs").to_owned()
    };
    files.into_iter().map(|path| (part(&path), path)).collect()
}

/// The words of the code that can be names, in their order, with `::`, `{`, `,` and `}` between them; what
/// stands in comments and texts is left out.
fn tokens(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).expect("readable");
    let mut tokens = Vec::new();
    for line in text.lines() {
        let mut is_text = false;
        let mut word = String::new();
        let mut before = ' ';
        for letter in line.chars().chain([' ']) {
            let is_name = letter.is_alphanumeric() || letter == '_';
            if is_name && !is_text {
                word.push(letter);
            } else if !word.is_empty() {
                tokens.push(std::mem::take(&mut word));
            }
            match letter {
                '/' if before == '/' && !is_text => break,
                '"' if before != '\\' && before != '\'' => is_text = !is_text,
                ':' if before == ':' => tokens.push("::".to_owned()),
                '{' | '}' | ',' | ';' if !is_text => tokens.push(letter.to_string()),
                _ => {}
            }
            before = letter;
        }
    }
    tokens
}

/// The parts that a file imports or names by `crate::…`.
fn imports(tokens: &[String]) -> BTreeSet<String> {
    let mut parts = BTreeSet::new();
    for (at, _) in tokens
        .windows(2)
        .enumerate()
        .filter(|(_, pair)| pair == &["crate", "::"])
    {
        if tokens[at + 2] != "{" {
            parts.insert(tokens[at + 2].clone());
            continue;
        }
        let mut depth = 1;
        let mut is_first = true;
        for token in &tokens[at + 3..] {
            match token.as_str() {
                "{" => depth += 1,
                "}" => depth -= 1,
                "," => is_first = depth == 1,
                name if depth == 1 && is_first => {
                    parts.insert(name.to_owned());
                    is_first = false;
                }
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
    }
    parts
}

#[test]
fn no_part_knows_what_it_must_not() {
    let mut seen = 0;
    for (part, path) in sources() {
        let is_in_tests = path
            .parent()
            .is_some_and(|folder| folder.ends_with("tests"));
        if is_in_tests || path.ends_with("tests.rs") {
            continue;
        }
        let tokens = tokens(&path);
        let end = tokens
            .windows(3)
            .position(|three| three == ["cfg", "test", "mod"]);
        let code = &tokens[..end.unwrap_or(tokens.len())];
        let imported = imports(code);
        seen += imported.len();
        for (_, forbidden) in FORBIDDEN.iter().filter(|(name, _)| *name == part) {
            for name in *forbidden {
                assert!(
                    !imported.contains(*name),
                    "{}: imports {name}",
                    path.display()
                );
            }
        }
        for (name, allowed) in CRATES {
            let is_named = code
                .windows(2)
                .any(|pair| pair[0] == name && pair[1] == "::");
            let is_allowed = allowed.contains(&part.as_str());
            assert!(!is_named || is_allowed, "{}: names {name}", path.display());
        }
    }
    assert!(seen > 150, "only {seen} imports were found");
}

#[test]
fn old_names_do_not_come_back() {
    for (_, path) in sources() {
        let tokens = tokens(&path);
        for name in OLD_NAMES {
            assert!(
                !tokens.iter().any(|token| token == name),
                "{}: {name}",
                path.display()
            );
        }
    }
}
