//! What `make install` and `make deb` make of the program: its page, completions, units and package,
//! each judged by the tools that will read it.

use crate::camfeed::{Folder, run};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Write,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output, Stdio},
};

const BINARY: &str = env!("CARGO_BIN_EXE_camfeed");

/// Where the rooms of a usual system are before anything is installed.
const EVERYWHERE: [&str; 9] = [
    "usr/local/bin",
    "usr/local/lib",
    "usr/local/share/man/man1",
    "usr/local/share/doc",
    "usr/bin",
    "usr/lib",
    "usr/share/man/man1",
    "usr/share/doc",
    "etc",
];

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Runs a program with variables of its own; it must do well.
fn well(program: &str, args: &[&str], environment: &[(&str, &str)]) -> String {
    let output = Command::new(program)
        .args(args)
        .env_remove("MAKEFLAGS")
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{program} (`make setup-test` brings it): {error}"));
    let said = text(&output.stdout) + &text(&output.stderr);
    assert!(output.status.success(), "{program} {args:?}: {said}");
    said
}

/// What a filter of `scripts/package` makes of `--help`.
fn made_of_help(filter: &str, arg: &str) -> Output {
    let help = run(BINARY, &["--help"]).stdout;
    let mut child = Command::new(format!("scripts/package/{filter}"))
        .arg(arg)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&help).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{filter} {arg}");
    output
}

/// Names of all options of `--help`.
fn options() -> BTreeSet<String> {
    let help = text(&run(BINARY, &["--help"]).stdout);
    let options: BTreeSet<String> = help
        .lines()
        .filter_map(|line| line.strip_prefix("  --"))
        .map(|line| line.split([' ', ',']).next().unwrap().to_owned())
        .collect();
    assert!(options.len() > 20, "{options:?}");
    options
}

/// Every path below `root`, with what tells whether it was changed.
fn tree(root: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let data = fs::symlink_metadata(&path).unwrap();
            let about = format!("{:o} {}", data.permissions().mode(), data.len());
            if data.is_dir() {
                folders.push(path.clone());
            }
            let name = path.strip_prefix(root).unwrap().to_str().unwrap();
            let size = if data.is_dir() { "folder" } else { &about };
            found.insert(name.to_owned(), size.to_owned());
        }
    }
    found
}

/// A folder that stands for `/`, with what every system has.
fn system() -> Folder {
    let folder = Folder::new();
    for path in EVERYWHERE {
        fs::create_dir_all(folder.0.join(path)).unwrap();
    }
    folder
}

fn make(target: &str, root: &Folder, prefix: &str) -> String {
    let root = root.0.to_str().unwrap();
    let settings = [("DESTDIR", root), ("PREFIX", prefix), ("BIN", BINARY)];
    well("make", &["--silent", target], &settings)
}

#[test]
fn uninstall_takes_away_what_install_put_there_and_nothing_else() {
    for prefix in ["/usr/local", "/usr"] {
        let root = system();
        fs::write(root.0.join("etc/camfeed-not.conf"), "somebody else's").unwrap();
        let before = tree(&root.0);
        make("install", &root, prefix);
        let installed = tree(&root.0);
        for path in [
            "bin/camfeed",
            "share/man/man1/camfeed.1",
            "share/doc/camfeed/docs/troubleshooting.md",
            "share/doc/camfeed/docs/raspberry-pi.md",
            "share/bash-completion/completions/camfeed",
            "share/fish/vendor_completions.d/camfeed.fish",
            "lib/systemd/system/camfeed.service",
            "lib/systemd/system/camfeed@.service",
        ] {
            let path = format!("{}/{path}", &prefix[1..]);
            assert!(installed.contains_key(&path), "{path} in {installed:?}");
        }
        make("install", &root, prefix);
        assert_eq!(installed, tree(&root.0), "twice is once");
        make("uninstall", &root, prefix);
        assert_eq!(before, tree(&root.0));
    }
}

#[test]
fn what_to_do_next_is_said_to_who_installs_and_not_to_packagers() {
    let root = system();
    assert_eq!(make("install", &root, "/usr/local"), "");
    assert_eq!(make("uninstall", &root, "/usr/local"), "");
    let (prefix, etc) = (root.file("usr/local"), root.file("etc"));
    let made = |target| {
        let settings = [("PREFIX", prefix.as_str()), ("SYSCONFDIR", &etc)];
        let settings = [&settings[..], &[("BIN", BINARY), ("DESTDIR", "")]].concat();
        well("make", &["--silent", target], &settings)
    };
    let said = made("install");
    for words in [
        &format!("{etc}/camfeed.conf"),
        "sudo systemctl daemon-reload && sudo systemctl enable --now camfeed\n",
        ":8080/",
    ] {
        assert!(said.contains(words), "no {words} in {said}");
    }
    let said = made("uninstall");
    assert!(
        said.contains(&prefix) && said.lines().count() == 1,
        "{said}"
    );
}

#[test]
fn options_that_somebody_changed_are_kept() {
    let root = system();
    make("install", &root, "/usr/local");
    let path = root.0.join("etc/camfeed.conf");
    fs::write(&path, "--quality 70\n").unwrap();
    make("install", &root, "/usr/local");
    let said = make("uninstall", &root, "/usr/local");
    assert_eq!(fs::read_to_string(&path).unwrap(), "--quality 70\n");
    assert!(said.contains("etc/camfeed.conf"), "{said}");
    assert!(!root.0.join("usr/local/bin/camfeed").exists());
}

#[test]
fn what_is_installed_runs_and_every_link_leads_to_something() {
    let root = system();
    make("install", &root, "/usr/local");
    let bin = root.0.join("usr/local/bin");
    for entry in fs::read_dir(&bin).unwrap() {
        let path = entry.unwrap().path();
        let said = well(path.to_str().unwrap(), &["--help"], &[]);
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(said.contains(&format!("Usage: {name}")), "{said}");
    }
}

#[test]
fn systemd_finds_nothing_wrong_with_the_installed_units() {
    let root = system();
    make("install", &root, "/usr");
    let folder = root.0.join("usr/lib/systemd/system");
    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
    let (one, many) = (read("camfeed.service"), read("camfeed@.service"));
    assert!(one.contains("\nExecStart=/usr/bin/camfeed --config /etc/camfeed.conf"));
    assert!(many.contains("\nExecStart=/usr/bin/camfeed --config /etc/camfeed/%i.conf"));
    // Of two instances neither may own what the other needs.
    for line in many.lines().filter(|line| line.contains("Directory=")) {
        assert!(line.ends_with("-%i"), "{line}");
    }
    assert!(!one.contains("CAMFEED_NAME"));
    assert!(
        many.lines()
            .any(|line| { line.starts_with("Environment=") && line.ends_with(" CAMFEED_NAME=%i") })
    );
    assert_eq!(
        one.lines().count(),
        many.lines().count(),
        "the same sandbox"
    );
    let lib = root.file("usr/lib/camfeed/");
    for (name, unit) in [
        ("camfeed.service", one),
        ("camfeed@garden.service", many),
        (
            "camfeed-timelapse@pi.service",
            read("camfeed-timelapse@.service"),
        ),
    ] {
        assert!(!unit.contains("/usr/local"), "{unit}");
        // The files are not in / here.
        let unit = unit
            .replace("/usr/bin/camfeed", BINARY)
            .replace("/usr/lib/camfeed/", &lib);
        let path = root.file(name);
        fs::write(&path, unit).unwrap();
        let output = run("systemd-analyze", &["verify", "--man=no", &path]);
        let said = text(&output.stderr);
        assert!(!said.contains("camfeed"), "{said}");
        assert!(output.status.success(), "{said}");
    }
}

#[test]
fn the_page_names_every_option_and_no_other() {
    let page = text(&made_of_help("man", "1.2.3").stdout);
    let named: BTreeSet<String> = page
        .lines()
        .filter_map(|line| line.strip_prefix(".It Fl Fl "))
        .map(|line| line.split(' ').next().unwrap().to_owned())
        .collect();
    assert_eq!(named, options());
    for said in ["1.2.3", "/snapshot.jpg", "RUST_LOG", "/stream"] {
        assert!(page.contains(said), "{said}");
    }
    assert!(!page.contains('@') || !page.contains("@OPTIONS@"), "{page}");
}

#[test]
fn the_tables_of_options_in_the_docs_are_made_of_help() {
    let tables = text(&made_of_help("options-table", "").stdout);
    let named = tables.lines().filter_map(|line| line.strip_prefix("| `--"));
    let named: BTreeSet<String> = named
        .map(|line| line.split([' ', '`']).next().unwrap().to_owned())
        .collect();
    assert_eq!(named, options());
    let page = fs::read_to_string("docs/options.md").unwrap();
    assert!(
        page.contains(&format!("\n\n{tables}\n")),
        "docs/options.md has not what `camfeed --help | scripts/package/options-table` makes:\n{tables}"
    );
}

#[test]
fn the_page_renders_without_a_warning() {
    let folder = Folder::new();
    let path = folder.file("camfeed.1");
    fs::write(&path, made_of_help("man", "1.2.3").stdout).unwrap();
    let lint = run("mandoc", &["-T", "lint", "-W", "warning", &path]);
    assert_eq!(text(&lint.stdout) + &text(&lint.stderr), "");
    let output = Command::new("man")
        .args(["--warnings", "-E", "UTF-8", "-l", &path])
        .envs([("LC_ALL", "C.UTF-8"), ("MANWIDTH", "80")])
        .env("MAN_KEEP_FORMATTING", "")
        .output()
        .expect("man (`make setup-test` brings it)");
    assert_eq!(text(&output.stderr), "");
    let page = text(&output.stdout);
    for option in options() {
        assert!(page.contains(&format!("--{option}")), "{option}");
    }
    assert!(page.contains("--rotate 0|90|180|270"), "{page}");
}

/// What bash offers for the last of `words`.
fn offered(words: &[&str]) -> Vec<String> {
    let folder = Folder::new();
    let path = folder.file("camfeed.bash");
    fs::write(&path, made_of_help("completions", "bash").stdout).unwrap();
    well("bash", &["-n", &path], &[]);
    let script = r#"
        . "$1"; shift
        complete -p camfeed >/dev/null || exit 1
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
        _camfeed camfeed
        printf '%s\n' "${COMPREPLY[@]}""#;
    let args = [["-c", script, "bash", &path].as_slice(), words].concat();
    let said = well("bash", &args, &[]);
    said.lines().map(str::to_owned).collect()
}

#[test]
fn bash_completes_options_known_values_and_files() {
    let all: BTreeSet<String> = offered(&["camfeed", "--"])
        .iter()
        .map(|option| option[2..].to_owned())
        .collect();
    assert_eq!(all, options());
    assert_eq!(offered(&["camfeed", "--rot"]), ["--rotate"]);
    assert_eq!(
        offered(&["camfeed", "--rotate", ""]),
        ["0", "90", "180", "270"]
    );
    assert_eq!(offered(&["camfeed", "--encode", "al"]), ["always"]);
    assert_eq!(offered(&["camfeed", "--flip", ""]), ["h", "v", "hv"]);
    assert_eq!(offered(&["camfeed", "--source", "te"]), ["test"]);
    assert_eq!(offered(&["camfeed", "--source", "cs"]), ["csi"]);
    assert_eq!(
        offered(&["camfeed", "--password-file", "Cargo.l"]),
        ["Cargo.lock"]
    );
    assert_eq!(offered(&["camfeed", "--quality", ""]), [""]);
    assert_eq!(offered(&["camfeed", "--fps", "5", "te"]), ["test"]);
    assert_eq!(offered(&["camfeed", "--list", "--sour"]), ["--source"]);
}

#[test]
fn completions_for_zsh_and_fish_name_every_option() {
    let folder = Folder::new();
    for (shell, before) in [("zsh", "--"), ("fish", "-l ")] {
        let made = made_of_help("completions", shell).stdout;
        for option in options() {
            let named = format!("{before}{option}");
            let is_named = text(&made).lines().any(|line| {
                line.split_once(&named)
                    .is_some_and(|(_, rest)| rest.starts_with(['[', ' ']))
            });
            assert!(is_named, "{shell}: {option}");
        }
        let path = folder.file(shell);
        fs::write(&path, made).unwrap();
        // Not everybody has these shells.
        if let Ok(output) = Command::new(shell).args(["-n", &path]).output() {
            assert!(output.status.success(), "{}", text(&output.stderr));
        }
    }
}

/// What a word is that is a source by itself, such as `auto`: no path, address or form with a value.
fn is_word(text: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    !text.is_empty() && text.bytes().all(is_inner)
}

#[test]
fn every_shell_completes_the_words_that_are_sources() {
    let refusal = run(BINARY, &["--source", "tset"]).stderr;
    let refusal = text(&refusal);
    let (_, allowed) = refusal.split_once("allowed are ").expect(&refusal);
    let allowed = allowed
        .lines()
        .next()
        .unwrap_or_default()
        .split(", ")
        .flat_map(|part| part.split(" or "));
    let words: BTreeSet<&str> = allowed.filter(|part| is_word(part)).collect();
    for word in ["auto", "all", "csi", "test"] {
        assert!(words.contains(word), "{word} in {refusal}");
    }

    let help = text(&run(BINARY, &["--help"]).stdout);
    let (_, told) = help.split_once("--source SOURCE ").expect("an option");
    let (told, _) = told.split_once("\n  --").expect("an option behind it");
    let told = told.split('`').skip(1).step_by(2);
    let told: BTreeSet<&str> = told.filter(|word| is_word(word)).collect();
    assert_eq!(told, words, "--help and the refusal");

    let of_option = offered(&["camfeed", "--source", ""]);
    let alone = offered(&["camfeed", ""]);
    assert_eq!(
        offered(&["camfeed", "--rotate", "="]),
        offered(&["camfeed", "--rotate", ""])
    );
    assert_eq!(offered(&["camfeed", "--rotate", "=", "9"]), ["90"]);
    let of_files = offered(&["camfeed", "/etc/passw"]);
    assert!(
        of_files.iter().any(|file| file == "/etc/passwd"),
        "{of_files:?}"
    );
    let of_file = |shell, before: &str, after: &str| {
        let made = text(&made_of_help("completions", shell).stdout);
        let (_, list) = made.split_once(before).expect(shell);
        let (list, _) = list.split_once(after).expect(shell);
        list.split(' ').map(str::to_owned).collect()
    };
    for (shell, offered) in [
        ("bash, of --source", of_option),
        ("bash, without an option", alone),
        ("zsh", of_file("zsh", "sources=(", ")\n")),
        ("fish", of_file("fish", "set -l sources ", "\n")),
    ] {
        let offered: BTreeSet<&str> = offered.iter().map(String::as_str).collect();
        let offered: BTreeSet<&str> = offered.into_iter().filter(|word| is_word(word)).collect();
        assert_eq!(offered, words, "{shell}");
    }
}

#[test]
fn the_debian_package_is_as_debian_wants_it() {
    let folder = Folder::new();
    let out = folder.0.to_str().unwrap();
    let said = well(
        "make",
        // The program is there.
        &["--silent", "-o", "build", "deb"],
        &[
            ("OUT", out),
            ("BIN", BINARY),
            ("DEBFULLNAME", "Ann"),
            ("DEBEMAIL", "ann@example.org"),
        ],
    );
    // What installs it, to be pasted.
    let line = said.lines().last().unwrap();
    let package = line
        .strip_prefix("sudo apt install --reinstall ")
        .expect(line);
    let contents = well("dpkg-deb", &["--contents", package], &[]);
    for (mode, path) in [
        ("-rwxr-xr-x root/root", "./usr/bin/camfeed"),
        ("-rw-r--r-- root/root", "./etc/camfeed.conf"),
        (
            "-rw-r--r-- root/root",
            "./usr/lib/systemd/system/camfeed@.service",
        ),
        ("-rw-r--r-- root/root", "./usr/share/man/man1/camfeed.1.gz"),
        ("-rw-r--r-- root/root", "./usr/share/doc/camfeed/copyright"),
        (
            "-rw-r--r-- root/root",
            "./usr/share/doc/camfeed/docs/troubleshooting.md.gz",
        ),
    ] {
        let line = contents
            .lines()
            .find(|line| line.ends_with(&format!(" {path}")));
        let line = line.unwrap_or_else(|| panic!("{path} in {contents}"));
        assert!(line.starts_with(mode), "{line}");
    }
    let fields = well("dpkg-deb", &["--field", package], &[]);
    assert!(fields.contains("libopencv-videoio"), "{fields}");
    let recommended = fields
        .lines()
        .find_map(|line| line.strip_prefix("Recommends: "));
    let recommended: Vec<_> = recommended.expect("some").split(", ").collect();
    // What reads a camera module, as apt brings it unless it is told not to.
    for package in ["gstreamer1.0-libcamera", "libcamera-ipa"] {
        assert!(recommended.contains(&package), "{fields}");
    }
    assert!(fields.contains(env!("CARGO_PKG_VERSION")), "{fields}");
    let conffiles = well("dpkg-deb", &["--info", package, "conffiles"], &[]);
    assert!(conffiles.contains("/etc/camfeed.conf\n"), "{conffiles}");
    // Lintian says so by its exit code, too, when it is told what counts.
    let lintian = run("lintian", &["--fail-on", "error,warning", package]);
    assert!(
        lintian.status.success(),
        "{}{}",
        text(&lintian.stdout),
        text(&lintian.stderr)
    );
}
