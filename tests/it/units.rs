//! The units of systemd in `scripts`, judged by systemd's own tools.

use crate::camfeed::{Folder, run};
use std::fs;

const SERVICE: &str = "scripts/camfeed.service";

/// The units, with the binary of this build in place of the installed one.
fn units() -> (Folder, Vec<String>) {
    let folder = Folder::new();
    let paths = ["camfeed.service", "camfeed.socket"].map(|name| {
        let text = fs::read_to_string(format!("scripts/{name}")).unwrap();
        let binary = env!("CARGO_BIN_EXE_camfeed");
        let text = text.replace("/usr/local/bin/camfeed", binary);
        fs::write(folder.file(name), text).unwrap();
        folder.file(name)
    });
    (folder, paths.to_vec())
}

#[test]
fn systemd_finds_nothing_wrong_with_the_units() {
    let (_folder, paths) = units();
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    let output = run(
        "systemd-analyze",
        &[["verify", "--man=no"].as_slice(), &paths].concat(),
    );
    let said = String::from_utf8_lossy(&output.stderr);
    // What other units of this machine do is not ours.
    let ours: Vec<_> = said
        .lines()
        .filter(|line| line.contains("camfeed"))
        .collect();
    assert!(ours.is_empty(), "{said}");
    assert!(output.status.success(), "{said}");
}

#[test]
fn the_service_is_exposed_to_little() {
    let output = run(
        "systemd-analyze",
        &["security", "--offline=true", "--no-pager", SERVICE],
    );
    let said = String::from_utf8_lossy(&output.stdout);
    let exposure: f64 = said
        .lines()
        .find_map(|line| line.split_once("Overall exposure level for camfeed.service: "))
        .and_then(|(_, rest)| rest.split(' ').next()?.parse().ok())
        .unwrap_or_else(|| panic!("{said}"));
    assert!(exposure <= 2.0, "{exposure}\n{said}");
}

#[test]
fn the_sample_of_options_is_taken_with_every_line_that_is_commented_out() {
    let folder = Folder::new();
    let path = folder.file("camfeed.conf");
    let sample = fs::read_to_string("scripts/camfeed.conf").unwrap();
    let all = sample.replace("#--", "--");
    assert!(all.lines().filter(|line| line.starts_with("--")).count() > 5);
    for text in [&sample, &all] {
        fs::write(&path, text).unwrap();
        let output = run(
            env!("CARGO_BIN_EXE_camfeed"),
            &["--config", &path, "--list"],
        );
        let said = String::from_utf8_lossy(&output.stderr);
        assert_ne!(output.status.code(), Some(78), "{said}");
        assert!(!said.contains("line"), "{said}");
    }
}
