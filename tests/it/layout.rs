//! The program's own shape: which part may know which, and the names that are not to come back.

use std::{
    collections::{BTreeMap, BTreeSet},
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

/// Lines of one file, tests and comments included.
const MOST_FILE_LINES: usize = 400;

/// Lines that are neither blank, comment nor test. Whoever raises it says in the commit what for.
const MOST_CODE_LINES: usize = 19_200;

/// Names that said less than those that stand in their place.
const OLD_NAMES: [&str; 53] = [
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

fn read(path: &Path) -> String {
    fs::read_to_string(path).expect("readable")
}

/// The words of the code that can be names, in their order, with `::`, `{`, `,` and `}` between them; what
/// stands in comments and texts is left out.
fn tokens(text: &str) -> Vec<String> {
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

/// What stands before the file's unit tests.
fn without_tests(tokens: &[String]) -> &[String] {
    let end = tokens
        .windows(3)
        .position(|three| three == ["cfg", "test", "mod"]);
    &tokens[..end.unwrap_or(tokens.len())]
}

/// True for a file of tests alone.
fn is_test(path: &Path) -> bool {
    path.iter()
        .any(|name| name == "tests" || name == "tests.rs")
}

/// Every path that the code imports or names, one word a segment: the trees of `use` are taken apart.
/// Those that do not begin with `crate`, `self` or `super` are of another crate, or of a module beside.
fn paths(tokens: &[String]) -> Vec<Vec<String>> {
    let mut paths = Vec::new();
    // What stands before the braces that are open: nothing where they are of a block.
    let mut prefixes: Vec<Vec<String>> = vec![Vec::new()];
    let mut path: Vec<String> = Vec::new();
    let mut is_joined = false;
    for token in tokens {
        let is_name = !["::", "{", "}", ",", ";"].contains(&token.as_str());
        let is_end = ["}", ",", ";"].contains(&token.as_str());
        let is_end = is_end || (!is_joined && (is_name || token == "{"));
        let prefix = prefixes.last().cloned().unwrap_or_default();
        if is_end && !path.is_empty() {
            paths.push([prefix.clone(), std::mem::take(&mut path)].concat());
        }
        match token.as_str() {
            "{" => {
                let before = std::mem::take(&mut path);
                prefixes.push(match is_joined {
                    true => [prefix, before].concat(),
                    false => Vec::new(),
                });
            }
            "}" => drop(prefixes.pop()),
            _ if is_name => path.push(token.clone()),
            _ => {}
        }
        is_joined = token == "::";
    }
    paths.retain(|path| path.len() > 1);
    paths
}

/// The parts that a file imports or names by `crate::…`.
fn imports(tokens: &[String]) -> BTreeSet<String> {
    let ours = paths(tokens).into_iter().filter(|path| path[0] == "crate");
    ours.map(|path| path[1].clone()).collect()
}

/// A module: its place in the tree, what its code names, and whether it only declares and re-exports.
struct Module {
    paths: Vec<Vec<String>>,
    is_list: bool,
}

/// The modules of the program by their places, such as `["capture", "source", "v4l2"]`.
fn modules() -> BTreeMap<Vec<String>, Module> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut modules = BTreeMap::new();
    for (_, path) in sources().iter().filter(|(_, path)| !is_test(path)) {
        let inner = path.strip_prefix(&root).expect("below src");
        let mut place: Vec<_> = inner.iter().filter_map(|name| name.to_str()).collect();
        let file = place.pop().expect("a name").trim_end_matches(".rs");
        place.extend(Some(file).filter(|file| !["mod", "main"].contains(file)));
        let tokens = tokens(&read(path));
        let code = without_tests(&tokens);
        let is_list = file == "mod"
            && !["fn", "struct", "enum", "trait", "impl", "const", "static"]
                .iter()
                .any(|item| code.iter().any(|token| token == item));
        let place = place.into_iter().map(str::to_owned).collect();
        let paths = paths(code);
        modules.insert(place, Module { paths, is_list });
    }
    modules
}

/// The module that `path`, written in the module at `from`, leads to, through re-exports; `None` when it
/// is none of ours, or no more than a list of others.
fn target(
    modules: &BTreeMap<Vec<String>, Module>,
    from: &[String],
    path: &[String],
) -> Option<Vec<String>> {
    let (mut at, rest) = match path[0].as_str() {
        "crate" => (Vec::new(), &path[1..]),
        "self" => (from.to_vec(), &path[1..]),
        "super" => {
            let up = path.iter().take_while(|name| *name == "super").count();
            (from[..from.len().checked_sub(up)?].to_vec(), &path[up..])
        }
        first => {
            let child = [from, &[first.to_owned()]].concat();
            (modules.contains_key(&child).then(|| from.to_vec())?, path)
        }
    };
    let mut rest = rest.iter().peekable();
    while let Some(child) = rest
        .peek()
        .map(|name| [&at[..], &[(*name).clone()]].concat())
        .filter(|child| modules.contains_key(child))
    {
        at = child;
        rest.next();
    }
    let module = modules.get(&at)?;
    if !module.is_list {
        return Some(at);
    }
    let name = rest.next()?;
    let exported = module.paths.iter().find(|path| path.last() == Some(name))?;
    target(modules, &at, exported)
}

/// The edges that lie on a circle: there is a way back from where they lead.
fn on_circles(edges: &BTreeSet<(String, String)>) -> Vec<String> {
    let leads_back = |from: &String, to: &String| {
        let mut reached = BTreeSet::from([to]);
        loop {
            let next = edges.iter().filter(|(at, _)| reached.contains(at));
            let next: BTreeSet<_> = next.map(|(_, to)| to).collect();
            if next.is_subset(&reached) {
                return reached.contains(from);
            }
            reached.extend(next);
        }
    };
    let on_circle = edges.iter().filter(|(from, to)| leads_back(from, to));
    on_circle
        .map(|(from, to)| format!("{from} -> {to}"))
        .collect()
}

/// Who imports whom, among the files and folders of each folder: an import counts where the two places
/// part.
fn import_edges() -> BTreeSet<(String, String)> {
    let modules = modules();
    let mut edges = BTreeSet::new();
    for (from, module) in &modules {
        let targets = module
            .paths
            .iter()
            .filter_map(|path| target(&modules, from, path));
        for to in targets.filter(|to| to != from && !to.is_empty()) {
            let common = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
            let node = |place: &[String]| match place.get(common) {
                Some(_) => place[..=common].join("/"),
                None => format!("{}/mod.rs", place.join("/")),
            };
            edges.insert((node(from), node(&to)));
        }
    }
    edges
}

#[test]
fn no_file_and_no_folder_imports_itself_through_others() {
    let edges = import_edges();
    assert!(edges.len() > 150, "only {} imports were found", edges.len());
    let found = on_circles(&edges);
    assert!(found.is_empty(), "import circles: {found:#?}");
}

#[test]
fn a_circle_of_imports_is_found() {
    let found = |list: &[(&str, &str)]| {
        let edges = list.iter().map(|(from, to)| ((*from).into(), (*to).into()));
        on_circles(&edges.collect())
    };
    assert!(found(&[("a", "b"), ("b", "c"), ("a", "c")]).is_empty());
    let circle = found(&[("a", "b"), ("b", "c"), ("c", "d"), ("d", "b")]);
    assert_eq!(circle, ["b -> c", "c -> d", "d -> b"]);
}

#[test]
fn paths_are_taken_out_of_the_trees_of_imports() {
    let code = "use crate::{a::{B, c::D}, e};\nuse super::f;\nfn g(h: crate::i::J) { k::l(m) }\n";
    let found: Vec<_> = paths(&tokens(code))
        .into_iter()
        .map(|path| path.join("::"))
        .collect();
    for expected in [
        "crate::a::B",
        "crate::a::c::D",
        "crate::e",
        "super::f",
        "crate::i::J",
        "k::l",
    ] {
        assert!(
            found.iter().any(|path| path == expected),
            "{expected}: {found:?}"
        );
    }
}

/// Lines of a file, and of them those that are neither blank, comment nor test.
fn lines(path: &Path) -> (usize, usize) {
    let text = read(path);
    let code = match is_test(path) {
        true => "",
        false => text
            .split("#[cfg(test)]\nmod tests {")
            .next()
            .unwrap_or_default(),
    };
    let is_code = |line: &&str| !line.is_empty() && !line.starts_with("//");
    let code = code.lines().map(str::trim).filter(is_code).count();
    (text.lines().count(), code)
}

#[test]
fn no_file_is_too_long_and_the_program_stays_small() {
    let mut total = 0;
    for (_, path) in sources() {
        let (all, code) = lines(&path);
        assert!(
            all <= MOST_FILE_LINES,
            "{}: {all} lines, at most {MOST_FILE_LINES}",
            path.display()
        );
        total += code;
    }
    println!("{total} lines of code");
    assert!(total > 5_000, "only {total} lines were counted");
    if let Some(said) = excess(total) {
        panic!("{said}");
    }
}

/// What is said of a program with more lines of code than are allowed, with the value that would allow them.
fn excess(total: usize) -> Option<String> {
    let next = total.next_multiple_of(10);
    (total > MOST_CODE_LINES).then(|| {
        format!(
            "src has {total} lines of code, and MOST_CODE_LINES in tests/it/layout.rs is {MOST_CODE_LINES}: is \
             there a mechanism that is not worth its lines? Else make it {next}, and say in the commit what for"
        )
    })
}

#[test]
fn who_writes_too_many_lines_is_told_the_constant_and_its_next_value() {
    assert_eq!(excess(MOST_CODE_LINES), None);
    let said = excess(MOST_CODE_LINES + 3).unwrap();
    for part in [
        format!("{} lines", MOST_CODE_LINES + 3),
        format!("MOST_CODE_LINES in tests/it/layout.rs is {MOST_CODE_LINES}:"),
        format!("make it {},", MOST_CODE_LINES + 10),
    ] {
        assert!(said.contains(&part), "{said}");
    }
}

#[test]
fn no_part_knows_what_it_must_not() {
    let mut seen = 0;
    for (part, path) in sources() {
        if is_test(&path) {
            continue;
        }
        let tokens = tokens(&read(&path));
        let code = without_tests(&tokens);
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
        let tokens = tokens(&read(&path));
        for name in OLD_NAMES {
            assert!(
                !tokens.iter().any(|token| token == name),
                "{}: {name}",
                path.display()
            );
        }
    }
}
