//! The pages' blocks: each has a test that uses it, and a new one is not overlooked. What a shell
//! reads of them is judged by shellcheck.

use super::{
    desk::Desk,
    machine::serve_both,
    steps::ffmpeg_reads,
    text::{self, Block, blocks, commands},
};
use crate::{
    camfeed::{Camfeed, SMALL, SOON, eventually},
    health::Machine,
    http::{Parts, get},
    manager::Manager,
    manual::{PAGES, page},
    status::state,
};
use serde_json::Value;
use std::{
    fs,
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

/// Every kind of block, the page and the section where it stands (none: anywhere), and what uses it.
const OWNERS: &[(&str, &str, &str, &str)] = &[
    ("sh", "", "", "tests/it/readme/mod.rs"),
    ("crontab", "", "", "tests/it/readme/text.rs"),
    (
        "text",
        "README.md",
        "Choose the camera",
        "tests/it/readme/machine.rs",
    ),
    (
        "conf",
        "README.md",
        "Choose the camera",
        "tests/it/readme/machine.rs",
    ),
    ("conf", "README.md", "Use it", "tests/it/readme/blocks.rs"),
    (
        "conf",
        "docs/cameras.md",
        "By sections",
        "tests/it/readme/machine.rs",
    ),
    (
        "yaml",
        "docs/monitoring.md",
        "Watch it with Prometheus and Grafana",
        "tests/it/readme/blocks.rs",
    ),
    (
        "json",
        "docs/monitoring.md",
        "Is the Pi well?",
        "tests/it/readme/blocks.rs",
    ),
    (
        "ini",
        "docs/pictures.md",
        "Time-lapse",
        "tests/it/readme/pictures.rs",
    ),
    (
        "html",
        "docs/programs.md",
        "HTML",
        "tests/it/readme/blocks.rs",
    ),
    (
        "yaml",
        "docs/programs.md",
        "OctoPrint",
        "tests/it/printers.rs",
    ),
    (
        "ini",
        "docs/programs.md",
        "Mainsail and Fluidd",
        "tests/it/proxies.rs",
    ),
    (
        "nginx",
        "docs/programs.md",
        "Mainsail and Fluidd",
        "tests/it/proxies.rs",
    ),
    (
        "conf",
        "docs/programs.md",
        "motion and motionEye",
        "tests/it/programs.rs",
    ),
    (
        "yaml",
        "docs/programs.md",
        "go2rtc and Frigate",
        "tests/it/readme/blocks.rs",
    ),
    (
        "yaml",
        "docs/programs.md",
        "MediaMTX",
        "tests/it/programs.rs",
    ),
    (
        "python",
        "docs/programs.md",
        "OpenCV",
        "tests/it/programs.rs",
    ),
    (
        "text",
        "docs/raspberry-pi.md",
        "Show it",
        "tests/it/readme/trouble.rs",
    ),
    // Files of a Pi's own.
    ("conf", "docs/raspberry-pi.md", "Upside down", ""),
    ("conf", "docs/raspberry-pi.md", "Memory", ""),
    (
        "conf",
        "docs/raspberry-pi.md",
        "Modules of other makers",
        "",
    ),
    (
        "text",
        "docs/how-it-works.md",
        "The whole",
        "tests/it/readme/how_it_works.rs",
    ),
    (
        "rust",
        "docs/how-it-works.md",
        "Add a source",
        "tests/it/readme/how_it_works.rs",
    ),
    (
        "rust",
        "docs/how-it-works.md",
        "Add an answer",
        "tests/it/readme/how_it_works.rs",
    ),
    (
        "text",
        "docs/migrating.md",
        "ustreamer",
        "tests/it/readme/migrating.rs",
    ),
    (
        "text",
        "docs/migrating.md",
        "mjpg-streamer",
        "tests/it/readme/migrating.rs",
    ),
    (
        "text",
        "docs/migrating.md",
        "crowsnest",
        "tests/it/readme/migrating.rs",
    ),
    (
        "conf",
        "docs/migrating.md",
        "crowsnest",
        "tests/it/readme/migrating.rs",
    ),
    (
        "text",
        "docs/migrating.md",
        "Two cameras of crowsnest",
        "tests/it/readme/migrating.rs",
    ),
    (
        "conf",
        "docs/migrating.md",
        "Two cameras of crowsnest",
        "tests/it/readme/migrating.rs",
    ),
    (
        "text",
        "docs/migrating.md",
        "motion",
        "tests/it/readme/migrating.rs",
    ),
    (
        "conf",
        "docs/migrating.md",
        "motion",
        "tests/it/readme/migrating.rs",
    ),
    (
        "text",
        "docs/migrating.md",
        "Two cameras of motion",
        "tests/it/readme/migrating.rs",
    ),
    (
        "conf",
        "docs/migrating.md",
        "Two cameras of motion",
        "tests/it/readme/migrating.rs",
    ),
    // A drawing.
    ("", "docs/relay.md", "Fan out through a relay", ""),
    (
        "html",
        "docs/security.md",
        "For pictures in other pages: a token",
        "tests/it/readme/steps.rs",
    ),
    (
        "nginx",
        "docs/security.md",
        "TLS: nginx or Caddy in front",
        "tests/it/proxies.rs",
    ),
    (
        "caddy",
        "docs/security.md",
        "TLS: nginx or Caddy in front",
        "tests/it/caddy.rs",
    ),
    (
        "text",
        "docs/service.md",
        "Run it as a service",
        "tests/it/readme/blocks.rs",
    ),
];

/// The page's only block of this kind under that heading.
pub fn block(name: &str, section: &str, kind: &str) -> Block {
    text::block(page(name), section, kind)
}

/// The block of this number, of several.
pub fn shown(name: &str, section: &str, kind: &str, number: usize) -> String {
    let mut found = blocks(page(name));
    found.retain(|block| block.section == section && block.kind == kind);
    found.swap_remove(number).text
}

/// All blocks, with the pages' names.
fn all_blocks() -> impl Iterator<Item = (&'static str, Block)> {
    let pages = PAGES.iter();
    pages.flat_map(|(name, page)| blocks(page).into_iter().map(|block| (*name, block)))
}

#[test]
fn every_block_has_a_test_that_uses_it() {
    let owns = |owner: &(&str, &str, &str, &str), name: &str, block: &Block| {
        let (kind, page, section, _) = *owner;
        kind == block.kind && (page.is_empty() || (page, section) == (name, &block.section))
    };
    for (name, block) in all_blocks() {
        assert!(
            OWNERS.iter().any(|owner| owns(owner, name, &block)),
            "{name} line {}: a block of `{}` in \"{}\" that no test uses",
            block.line,
            block.kind,
            block.section
        );
    }
    for owner in OWNERS {
        let (kind, page, section, file) = owner;
        let stands = all_blocks().any(|(name, block)| owns(owner, name, &block));
        assert!(stands, "{page}: no block of `{kind}` in \"{section}\"");
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        if !file.is_empty() {
            let text = fs::read_to_string(path).expect(file);
            assert!(
                text.contains(kind),
                "{file} does not use the block of `{kind}`"
            );
        }
    }
}

/// What shellcheck says of `text`, as typed or as cron runs it.
fn checked(text: &str) -> String {
    let mut child = Command::new("shellcheck")
        // `ls` is good enough for people who type, and an architecture has no spaces. They see it when
        // `cd` fails. What their own system says of itself need not be read here.
        .args(["-s", "sh", "-e", "SC1091,SC2012,SC2046,SC2164", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("shellcheck (`make setup` brings it) starts");
    child
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn shellcheck_finds_nothing_in_what_is_typed() {
    assert_ne!(checked("rm $x/*"), "", "it does check");
    for (name, block) in all_blocks().filter(|(_, block)| block.kind == "sh") {
        let said = checked(&block.text);
        assert!(said.is_empty(), "{name} line {}: {said}", block.line);
    }
    for (name, page) in PAGES {
        for command in commands(page) {
            if let Some(line) = command.text.strip_prefix("* * * * * ") {
                let said = checked(line);
                assert!(said.is_empty(), "{name} line {}: {said}", command.line);
            }
        }
    }
}

/// A YAML text as JSON, by Python.
fn yaml(text: &str) -> Value {
    let script = "import json, sys, yaml; json.dump(yaml.safe_load(sys.argv[1]), sys.stdout)";
    let output = Command::new("/usr/bin/python3")
        .args(["-c", script, text])
        .output()
        .expect("python3 (`make setup` brings it) starts");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn an_image_in_a_page_has_the_stream() {
    let text = block("docs/programs.md", "HTML", "html").text;
    ffmpeg_reads(&mut Desk::new(), &text);
}

#[test]
fn two_cameras_are_served_as_the_readme_says() {
    let mut desk = Desk::new();
    serve_both(&mut desk, &block("README.md", "Use it", "conf").text);
}

#[test]
fn the_addresses_for_programs_answer() {
    let camfeed = Camfeed::online(&["--source", SMALL]);
    let (_, table) = page("README.md")
        .split_once("| program | address |\n")
        .expect("a table");
    let table = table.split("\n\n").next().expect("its rows");
    // `/webcam` is the proxy's.
    let named = table.split(['`', '"', '\'']).filter_map(|code| {
        let path = code.split_once(":8080/").map(|(_, path)| path);
        path.or(code.strip_prefix("/webcam/"))
    });
    let mut paths: Vec<_> = named.map(|path| format!("/{path}")).collect();
    paths.sort();
    paths.dedup();
    assert!(paths.len() >= 5, "{paths:?}");
    for path in paths {
        if path.contains("stream") {
            Parts::open(camfeed.address, &path).next_part();
        } else {
            assert_eq!(get(camfeed.address, &path).status, 200, "{path}");
        }
    }
}

/// go2rtc alone and in Frigate: the same streams, of which the second is made of the first, and
/// Frigate takes the second.
#[test]
fn go2rtc_makes_one_stream_of_the_other() {
    let mut configs = blocks(page("docs/programs.md"));
    configs.retain(|block| block.section == "go2rtc and Frigate");
    let [alone, frigate] = configs.as_slice() else {
        panic!("{configs:?}")
    };
    let (alone, frigate) = (yaml(&alone.text), yaml(&frigate.text));
    let streams = &alone["streams"];
    assert_eq!(&frigate["go2rtc"]["streams"], streams);
    let mut desk = Desk::new();
    desk.serve("camfeed --listen 127.0.0.1:8080 --camera garden=test --camera shed=test");
    desk.last().wait_said("camera online", 2);
    for name in ["garden", "shed"] {
        assert_eq!(streams[name], format!("ffmpeg:{name}_mjpeg#video=h264"));
        ffmpeg_reads(
            &mut desk,
            streams[format!("{name}_mjpeg")].as_str().unwrap(),
        );
        let input = &frigate["cameras"][name]["ffmpeg"]["inputs"][0];
        assert_eq!(input["path"], format!("rtsp://127.0.0.1:8554/{name}"));
    }
}

#[test]
fn prometheus_is_told_where_the_metrics_and_the_alerts_are() {
    let block = block(
        "docs/monitoring.md",
        "Watch it with Prometheus and Grafana",
        "yaml",
    );
    let config = yaml(&block.text);
    let alerts = config["rule_files"][0].as_str().expect("a path");
    let alerts = Path::new("scripts").join(Path::new(alerts).file_name().expect("a name"));
    assert!(yaml(&fs::read_to_string(alerts).unwrap())["groups"].is_array());
    let job = &config["scrape_configs"][0];
    assert_eq!(job["static_configs"][0]["targets"][0], "pi.local:8080");
    let camfeed = Camfeed::online(&["--source", SMALL]);
    // It asks for that when nothing else is said.
    assert_eq!(job["metrics_path"], Value::Null);
    let metrics = get(camfeed.address, "/metrics").text();
    assert!(metrics.contains("camfeed_"), "{metrics}");
    // And with the password.
    let all = yaml(&block.text.replace("# basic_auth", "basic_auth"));
    let login = &all["scrape_configs"][0]["basic_auth"];
    assert_eq!(login["username"], "ann");
    assert!(login["password_file"].is_string(), "{all}");
}

#[test]
fn the_health_is_told_as_shown() {
    let shown: Value = serde_json::from_str(&format!(
        "{{{}}}",
        block("docs/monitoring.md", "Is the Pi well?", "json").text
    ))
    .unwrap();
    let machine = Machine::ill();
    let camfeed = machine.serve(&["--source", SMALL]);
    let shape = |health: &Value| {
        let fields = health.as_object().into_iter().flatten();
        let fields = fields.map(|(name, value)| (name.clone(), value.is_number()));
        fields.collect::<Vec<_>>()
    };
    let mut told = Value::Null;
    let is_so = eventually(SOON, || {
        told = state(camfeed.address)["health"].take();
        shape(&told) == shape(&shown["health"])
    });
    assert!(is_so, "{told}");
}

#[test]
fn systemctl_status_shows_what_is_told() {
    is_told(&block("docs/service.md", "Run it as a service", "text").text);
}

/// With any source and any numbers, systemd is told the status in `text`, which `systemctl status` has printed.
pub fn is_told(text: &str) {
    let status = text.split('"').nth(1).expect("a status").to_owned();
    // Without the source, and with any numbers.
    let shape = |status: &str| {
        let (_, rest) = status.split_once(": ").expect("a source");
        let words = rest.split(' ').map(|word| match word.parse::<f64>() {
            Ok(_) => "N",
            Err(_) => word,
        });
        words.collect::<Vec<_>>().join(" ")
    };
    let manager = Manager::new();
    let _camfeed = manager.start(&["--source", SMALL]);
    manager.wait_for(|message| {
        let told = message
            .lines()
            .find_map(|line| line.strip_prefix("STATUS="));
        told.is_some_and(|told| told.contains(": ") && shape(told) == shape(&status))
    });
}
