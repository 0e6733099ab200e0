//! The units of systemd in `scripts`, judged by systemd's own tools.

use crate::{
    attackers::wire::Wire,
    camfeed::{Camfeed, Folder, SMALL, SOON, eventually, run},
    http::get,
    limits::{BINARY, ask_streams, limited, stranger},
    load::raise_file_limit,
    status::state,
};
use std::{fs, process::Command};

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
fn the_service_may_open_what_cameras_need_also_those_that_come_later() {
    let unit = fs::read_to_string(SERVICE).unwrap();
    let has = |line: &str| unit.lines().any(|known| known == line);
    // Sub-devices of a camera module are of the first group, too.
    for group in ["video4linux", "media", "dma_heap"] {
        assert!(has(&format!("DeviceAllow=char-{group} rw")), "{group}");
    }
    // The first two are groups of a module, which systemd asks the kernel for when it starts the service.
    for relation in ["Wants", "After"] {
        assert!(has(&format!("{relation}=modprobe@videodev.service")));
    }
    assert!(has("SupplementaryGroups=video"));
}

/// What the service gives for the credential where there is no file of it.
fn default_of(credential: &str) -> String {
    let unit = fs::read_to_string(SERVICE).unwrap();
    let find = |start: String| {
        let line = unit.lines().find_map(|line| line.strip_prefix(&start));
        line.unwrap_or_else(|| panic!("no {start} in {unit}"))
            .to_owned()
    };
    let file = find(format!("LoadCredential={credential}:"));
    assert_eq!(file, format!("/etc/camfeed/{credential}"));
    find(format!("SetCredential={credential}:")).replace("\\n", "\n")
}

#[test]
fn the_service_asks_for_a_password_when_its_file_is_there() {
    let folder = Folder::new();
    let credentials = ("CREDENTIALS_DIRECTORY", folder.0.to_str().unwrap());
    let status = |environment: &[_]| {
        let camfeed = Camfeed::start_with("127.0.0.1:0", &["--source", SMALL], environment);
        assert_eq!(camfeed.count_log(" WARN "), 0);
        get(camfeed.address, "/state").status
    };
    let put = |name: &str, text: &str| fs::write(folder.file(name), text).unwrap();
    let (no_password, no_token) = (default_of("password"), default_of("token"));
    put("password", &no_password);
    put("token", &no_token);
    assert_eq!(status(&[credentials]), 200);
    let variable = ("CAMFEED_PASSWORD", "open sesame");
    assert_eq!(status(&[credentials, variable]), 401);
    put("password", "ann:open sesame\n");
    assert_eq!(status(&[credentials]), 401);
    put("password", &no_password);
    put("token", "0123456789abcdef\n");
    assert_eq!(status(&[credentials]), 401);
    // Whoever made an empty file wanted a password; and the default is one nowhere else.
    let refused = |option: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_camfeed"))
            .args(["--listen", "127.0.0.1:0", "--source", SMALL])
            .args(option)
            .env(credentials.0, credentials.1)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    let named = refused(&["--password-file", &folder.file("password")]);
    assert!(named.contains("more than one line"), "{named}");
    put("password", "");
    let empty = refused(&[]);
    assert!(empty.contains("is empty"), "{empty}");
}

/// A limit in the service; `M` is MiB.
fn limit_of(name: &str) -> u64 {
    let unit = fs::read_to_string(SERVICE).unwrap();
    let start = format!("{name}=");
    let value = unit.lines().find_map(|line| line.strip_prefix(&start));
    let value = value.unwrap_or_else(|| panic!("no {name}"));
    let mebibytes = value.strip_suffix('M').map(|number| number.parse::<u64>());
    mebibytes
        .map_or_else(|| value.parse(), |number| number.map(|number| number << 20))
        .unwrap()
}

#[test]
fn the_services_limits_hold_the_default_connections() {
    raise_file_limit();
    let files = format!("--nofile={}", limit_of("LimitNOFILE"));
    let threads = format!("--nproc={}", limit_of("TasksMax"));
    let stranger = stranger();
    let (uid, binary) = stranger
        .as_ref()
        .map_or((None, BINARY), |(uid, _, binary)| {
            (Some(*uid), binary.as_str())
        });
    let camfeed = Camfeed::launch(limited(&[&files, &threads], uid, binary, &[]));
    camfeed.wait_log("camera online");
    assert_eq!(camfeed.count_log("lowered"), 0);
    let number = |group: &str, name: &str| state(camfeed.address)[group][name].as_u64().unwrap();
    let (viewers, connections) = (
        number("stream", "max_viewers"),
        number("connections", "max"),
    );
    assert_eq!((viewers, connections), (100, 512));
    let streams = ask_streams(camfeed.address, viewers as usize);
    assert_eq!(streams.len() as u64, viewers);
    // The others bring a head as long as may be, but for its end. A few connections are left to us and to
    // the program's own probe.
    let head = format!("GET / HTTP/1.1\r\nCookie: {}", "c".repeat(16_000));
    let others: Vec<_> = (viewers + 8..connections)
        .map(|_| {
            let mut wire = Wire::open(camfeed.address).expect("it listens");
            wire.send(head.as_bytes()).expect("sent");
            wire
        })
        .collect();
    let are_held = || number("connections", "open") > connections - 8;
    assert!(eventually(SOON, are_held));
    assert_eq!(number("connections", "displaced"), 0);
    let (threads, memory) = (camfeed.threads() as u64, camfeed.memory_bytes());
    println!("{threads} threads, {} MiB", memory >> 20);
    // Some threads and half of the memory are left to the libraries and pictures of a real camera.
    assert!(threads > connections - 8, "{threads} threads");
    assert!(
        threads + 8 + 28 <= limit_of("TasksMax"),
        "{threads} threads"
    );
    assert!(memory <= limit_of("MemoryMax") / 2, "{memory} bytes");
    drop(others);
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
    let all = sample.replace("#--", "--").replace("#[", "[");
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
