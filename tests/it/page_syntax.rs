//! The page's scripts are ES2018, which old tablets understand, and all its bodies together are small.

use crate::{
    camfeed::{Camfeed, SMALL},
    http::{ask_with, get},
};
use std::{collections::BTreeMap, fs, path::Path};

/// All files of the page together, as browsers get them.
const MOST_BYTES: usize = 50_000;

/// Signs that came after ES2018, in code without its texts and comments.
const LATER_SIGNS: [&str; 12] = [
    "?.",
    "??",
    "&&=",
    "||=",
    "#",
    "catch {",
    "catch{",
    "import(",
    "import.meta",
    "static {",
    "export * as",
    "await using",
];

/// Methods that came after ES2018, which scripts of a page could call.
const LATER_METHODS: [&str; 24] = [
    "at",
    "flat",
    "flatMap",
    "fromEntries",
    "trimStart",
    "trimEnd",
    "matchAll",
    "replaceAll",
    "allSettled",
    "any",
    "hasOwn",
    "findLast",
    "findLastIndex",
    "toSorted",
    "toReversed",
    "toSpliced",
    "with",
    "groupBy",
    "withResolvers",
    "replaceChildren",
    "randomUUID",
    "timeout",
    "throwIfAborted",
    "requestVideoFrameCallback",
];

/// Globals that came after ES2018.
const LATER_GLOBALS: [&str; 7] = [
    "globalThis",
    "BigInt",
    "WeakRef",
    "FinalizationRegistry",
    "AggregateError",
    "structuredClone",
    "queueMicrotask",
];

/// The page's files by name.
fn files() -> BTreeMap<String, Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("static");
    let files = fs::read_dir(folder).expect("a folder").map(|file| {
        let file = file.expect("a file");
        let name = file.file_name().into_string().expect("UTF-8");
        (name, fs::read(file.path()).expect("readable"))
    });
    files.collect()
}

/// Where a `/` begins a regular expression and does not divide: behind none of these.
fn ends_a_value(code: &str) -> bool {
    let code = code.trim_end();
    let word = code.rsplit(|letter: char| !letter.is_alphanumeric() && letter != '_');
    let is_keyword = matches!(
        word.clone().next(),
        Some("return" | "typeof" | "case" | "of" | "in")
    );
    !is_keyword
        && code.ends_with(|letter: char| letter.is_alphanumeric() || "_$)]\"".contains(letter))
}

/// JavaScript without what stands in its comments, texts and regular expressions: each of these is an
/// empty text. What a template computes stays code.
fn code_of(script: &str) -> String {
    let mut code = String::new();
    let mut rest = script;
    // Braces open within each `${…}` around.
    let mut templates: Vec<usize> = Vec::new();
    while let Some(letter) = rest.chars().next() {
        let is_back = letter == '}' && templates.last() == Some(&0);
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").expect("a comment ends") + 2
        } else if letter == '\'' || letter == '"' {
            code.push_str("\"\"");
            end_of(&rest[1..], letter) + 2
        } else if letter == '/' && !ends_a_value(&code) {
            code.push_str("\"\"");
            let mut is_class = false;
            let end = ends(&rest[1..], |letter| {
                is_class = (is_class || letter == '[') && letter != ']';
                letter == '/' && !is_class
            });
            end + 2
        } else if letter == '`' || is_back {
            if is_back {
                templates.pop();
                code.push(')');
            } else {
                code.push_str("\"\"");
            }
            let text = &rest[1..];
            let end = end_of(text, '`');
            match text[..end].find("${") {
                Some(begin) => {
                    templates.push(0);
                    code.push('(');
                    begin + 3
                }
                None => end + 2,
            }
        } else {
            match (letter, templates.last_mut()) {
                ('{', Some(depth)) => *depth += 1,
                ('}', Some(depth)) => *depth -= 1,
                _ => (),
            }
            code.push(letter);
            letter.len_utf8()
        };
        rest = &rest[length..];
    }
    code
}

fn end_of(text: &str, quote: char) -> usize {
    ends(text, |letter| letter == quote)
}

/// Where the first letter is that no backslash hides and for which `is_end`.
fn ends(text: &str, mut is_end: impl FnMut(char) -> bool) -> usize {
    let mut is_hidden = false;
    let end = text.char_indices().find(|&(_, letter)| {
        let was_hidden = std::mem::take(&mut is_hidden);
        is_hidden = letter == '\\' && !was_hidden;
        !was_hidden && is_end(letter)
    });
    end.expect("it ends").0
}

/// What of a script is later than ES2018.
fn later(script: &str) -> Vec<String> {
    let code = code_of(script);
    let is_name = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == '$';
    let mut found: Vec<_> = LATER_SIGNS
        .iter()
        .filter(|sign| code.contains(**sign))
        .map(|sign| (*sign).to_owned())
        .collect();
    let methods = LATER_METHODS.map(|name| format!(".{name}("));
    found.extend(methods.into_iter().filter(|call| code.contains(call)));
    let words = || code.split(|letter| !is_name(letter));
    let is_number = |word: &str| word.starts_with(|letter: char| letter.is_ascii_digit());
    found.extend(
        words()
            .filter(|word| {
                LATER_GLOBALS.contains(word)
                    || (is_number(word) && (word.contains('_') || word.ends_with('n')))
            })
            .map(str::to_owned),
    );
    // What stands in a class's braces, but not in deeper ones or parentheses: methods have no `=` or `;`.
    for (at, _) in code.match_indices("class ") {
        if code[..at].ends_with(is_name) {
            continue;
        }
        let body = code[at..].find('{').expect("a class has a body") + at;
        let mut depth = 0;
        for letter in code[body..].chars() {
            match letter {
                '{' | '(' => depth += 1,
                '}' | ')' => depth -= 1,
                '=' | ';' if depth == 1 => found.push("a field of a class".to_owned()),
                _ => (),
            }
            if depth == 0 {
                break;
            }
        }
    }
    for (at, _) in code.match_indices("await ") {
        let before = &code[..at];
        if before.matches('{').count() == before.matches('}').count() && !before.ends_with(is_name)
        {
            found.push("await of a module".to_owned());
        }
    }
    found
}

#[test]
fn what_is_later_than_es2018_is_found() {
    for script in [
        "a = b?.c;",
        "a = b ?? c",
        "a ||= b",
        "try { a() } catch { b() }",
        "const n = 1_000;",
        "2n;",
        "class A { b = 1; c() {} }",
        "class A { b() {}\n  c;\n}",
        "class A { #b() {} }",
        "await fetch('a')",
        "import('a')",
        "list.at(-1)",
        "text.replaceAll('a', 'b')",
        "`${a?.b}`",
        "`a ${`b ${c ?? d}`}`",
        "Object.fromEntries(a)",
        "globalThis.a",
        "a / b?.c / d",
        "import.meta.url",
    ] {
        assert!(!later(script).is_empty(), "{script}");
    }
    for script in [
        "// a?.b ?? c",
        "/* a?.b */ d",
        "'a?.b'",
        "\"it's ?.\"",
        "`a?.b ${c} d?.e`",
        "/a?.b[/]??/.test(c)",
        "return /??/",
        "a.at = 1; b(at)",
        "class A { b(c = 1) { this.d = 1; } get e() { return 2; } }",
        "async function a() { await b; }",
        "const f = async () => { await g(); };",
        "try { } catch (e) { }",
        "a ? .5 : 1",
        "x = a / b; y = c / d;",
        "async function a() { const { a, ...b } = c; for await (const d of e) f(); }",
    ] {
        assert_eq!(later(script), [""; 0], "{script}");
    }
}

#[test]
fn all_scripts_of_the_page_are_es2018() {
    let scripts: Vec<_> = files()
        .into_iter()
        .filter(|(name, _)| name.ends_with(".js"))
        .collect();
    assert!(scripts.len() >= 10, "{}", scripts.len());
    for (name, script) in scripts {
        let script = String::from_utf8(script).expect("UTF-8");
        assert_eq!(later(&script), [""; 0], "{name}");
    }
}

#[test]
fn all_bodies_of_the_page_are_small_on_the_wire_and_kept_by_browsers() {
    let one = Camfeed::start(&["--source", SMALL]);
    let (first, second) = (format!("a={SMALL}"), format!("b={SMALL}"));
    let several = Camfeed::start(&["--camera", &first, "--camera", &second]);
    let mut bytes = 0;
    for (name, file) in files() {
        let camfeed = if name == "grid.html" { &several } else { &one };
        let path = match &*name {
            "index.html" | "grid.html" => "/".to_owned(),
            "page.png" => continue, // For README.
            name => format!("/static/{name}"),
        };
        let answer = get(camfeed.address, &path);
        assert_eq!(answer.status, 200, "{path}");
        if !name.ends_with(".html") {
            assert!(answer.body == file, "{path} is another file");
        }
        let ending = name.rsplit('.').next();
        let expected = match ending {
            Some("js") => "text/javascript; charset=utf-8",
            Some("css") => "text/css; charset=utf-8",
            Some("svg") => "image/svg+xml; charset=utf-8",
            _ => "text/html; charset=utf-8",
        };
        assert_eq!(answer.header("Content-Type"), Some(expected), "{path}");
        assert_eq!(
            answer.header("X-Content-Type-Options"),
            Some("nosniff"),
            "{path}"
        );
        assert_eq!(answer.header("Cache-Control"), Some("no-cache"), "{path}");
        assert_eq!(answer.header("Content-Encoding"), None, "{path}");
        let packed = ask_with(camfeed.address, "GET", &path, "Accept-Encoding: gzip\r\n");
        assert_eq!(packed.header("Content-Encoding"), Some("gzip"), "{path}");
        assert!(packed.body.len() < answer.body.len(), "{path}");
        bytes += packed.body.len();
        let tag = |answer: &crate::http::Answer| answer.header("ETag").expect("a tag").to_owned();
        assert_ne!(tag(&answer), tag(&packed), "{path}: of other bytes");
        for (accepts, kept) in [("", &answer), ("Accept-Encoding: gzip\r\n", &packed)] {
            let headers = format!("{accepts}If-None-Match: {}\r\n", tag(kept));
            let again = ask_with(camfeed.address, "GET", &path, &headers);
            assert_eq!((again.status, again.body.len()), (304, 0), "{path}");
            assert_eq!(tag(&again), tag(kept), "{path}");
            assert!(again.header("Content-Security-Policy").is_some(), "{path}");
        }
    }
    println!("{bytes} bytes");
    assert!(bytes <= MOST_BYTES, "{bytes} bytes");
}
