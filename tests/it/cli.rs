//! The command line: what is refused, and how.

use crate::camfeed::{Camfeed, SMALL, run};
use std::process::Output;

fn camfeed(args: &[&str]) -> Output {
    run(env!("CARGO_BIN_EXE_camfeed"), args)
}

#[test]
fn a_bad_option_is_named_with_its_value_and_what_is_allowed() {
    for (option, value, allowed) in [
        ("--source", "tset", "allowed are auto"),
        ("--source", "test:9x9", "16 to 8192"),
        ("--source", "ftp://host", "allowed are auto"),
        ("--listen", "8080", "ADDR:PORT"),
        ("--name", "\u{200b}", "1 to 64 letters"),
        ("--size", "big", "WIDTHxHEIGHT"),
        ("--fps", "0", "0.1 to 240"),
        ("--quality", "101", "1 to 100"),
        ("--workers", "-1", "1 to 64"),
        ("--rotate", "45", "0, 90, 180 and 270"),
        ("--flip", "x", "h, v and hv"),
        ("--format", "motion jpeg", "mjpg"),
        ("--encode", "never", "auto and always"),
        ("--overlay", "%", "strftime"),
        ("--set", "brightness", "NAME=VALUE"),
        ("--camera-timeout", "0", "1 to 3600"),
        ("--idle-timeout", "soon", "1 to 3600"),
        ("--warmup", "-1", "0 to 300"),
        ("--max-viewers", "none", "1 to 10000"),
        ("--allow-origin", "mainsail.local", "http://mainsail.local"),
        ("--frame-ancestors", "ha.example", "https://ha.example:8123"),
        ("--allow-host", "http://cam.example.org", "cam.example.org"),
    ] {
        let output = camfeed(&[option, value]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            matches!(output.status.code(), Some(1 | 2)),
            "{option}: {:?}",
            output.status
        );
        for part in [option, value, allowed] {
            assert!(
                said.contains(part),
                "{option} {value}: no {part:?} in {said}"
            );
        }
        assert!(!said.contains("panicked"), "{said}");
    }
    let output = camfeed(&["--nonsense"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("--nonsense"));
}

#[test]
fn help_shows_every_option_with_its_default() {
    let output = camfeed(&["--help"]);
    assert!(output.status.success());
    let help = String::from_utf8(output.stdout).unwrap();
    for option in help
        .split("\n  --")
        .skip(1)
        .filter(|option| option.starts_with(|c: char| c.is_alphabetic()))
    {
        let name = option.split_whitespace().next().unwrap();
        if !matches!(name, "list" | "check" | "version" | "help,") {
            assert!(option.contains("default"), "--{name} says no default");
        }
    }
    assert!(help.contains("--allow-origin"));
}

#[test]
fn version_is_the_packages() {
    let output = camfeed(&["--version"]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(said, format!("camfeed {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn an_address_in_use_is_said_as_such() {
    let first = Camfeed::start(&["--source", SMALL]);
    let output = camfeed(&["--listen", &first.address.to_string()]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("the address is in use"), "{said}");
}

#[test]
fn the_log_begins_with_the_address_then_says_what_the_camera_gives() {
    let camfeed = Camfeed::online(&["--source", SMALL]);
    let line = camfeed.wait_log("camera online");
    for fact in ["test pattern", "320x240", "fps=30", "BGR"] {
        assert!(line.contains(fact), "{line}");
    }
    assert_ne!(camfeed.address.port(), 0);
}
