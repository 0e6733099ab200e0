//! What whoever comes from another program is told to write: the commands and options files give what the
//! other program's configuration, which stands above them, asked for; each of its options has a row.

use super::{
    desk::Desk,
    text::{Block, block, blocks},
};
use crate::{
    camfeed::{SOON, eventually, run},
    fakecam::{decoded, is_of_ring, size_of, unmarked},
    http::{Parts, get, read_until, send},
    manual::page,
    shell::SCRIPTS,
};
use serde_json::Value;
use std::{fs, net::SocketAddr, path::Path};

/// The page.
pub const PAGE: &str = "docs/migrating.md";

/// The camera that `path` belongs to is online and gives `source` at 640x480.
fn gives(address: SocketAddr, path: &str, source: &str) -> Value {
    let mut camera = Value::Null;
    let is_so = eventually(SOON, || {
        let state = get(address, &format!("{path}/state"));
        let mut state: Value = serde_json::from_slice(&state.body).unwrap_or_default();
        camera = state["camera"].take();
        camera["state"] == "online"
    });
    let size = (camera["width"].as_u64(), camera["height"].as_u64());
    let is_so = is_so && camera["source"] == source && size == (Some(640), Some(480));
    assert!(is_so, "{path}: {camera:#}");
    camera
}

/// A second camera, and a port that is free in place of the one that is written.
fn have_two_cameras(desk: &mut Desk) {
    desk.camera.set("camera 1\n");
    desk.mean("0.0.0.0:80", "127.0.0.1:0");
}

/// The file of options below `heading` is read and served.
fn serves_file(desk: &mut Desk, heading: &str) -> SocketAddr {
    let Block { text, .. } = block(page(PAGE), heading, "conf");
    have_two_cameras(desk);
    for port in ["127.0.0.1:8080", "127.0.0.1:8081"] {
        desk.mean(port, "127.0.0.1:0");
    }
    let text = desk.translate(&text);
    fs::write(desk.path("camfeed/options.conf"), text).unwrap();
    desk.serve("camfeed --config options.conf")
}

pub fn serves_the_second(desk: &mut Desk, line: &str) {
    have_two_cameras(desk);
    let address = desk.serve(line);
    gives(address, "", "/dev/video1");
}

pub fn serves_as_asked(desk: &mut Desk, line: &str) {
    let address = desk.serve(line);
    assert_eq!(gives(address, "", "/dev/video0")["fps"], 30.0);
    desk.end_last();
}

/// As mjpg-streamer counts them, and below their names.
pub fn serves_both_by_number(desk: &mut Desk, line: &str) {
    have_two_cameras(desk);
    let address = desk.serve(line);
    gives_both_by_number(address, ["first", "second"]);
}

/// `/dev/video0` and `/dev/video1` are the cameras of these names.
fn gives_both_by_number(address: SocketAddr, names: [&str; 2]) {
    for (number, name) in names.into_iter().enumerate() {
        gives(address, &format!("/{name}"), &format!("/dev/video{number}"));
        let mut parts = Parts::open(address, &format!("/?action=stream_{number}"));
        let (_, own) = unmarked(&parts.next_part().jpeg).expect("a camera's");
        assert!(
            is_of_ring(&own),
            "stream_{number}: not as the camera sent it"
        );
        assert_eq!(get(address, &format!("/{name}/")).status, 200);
    }
}

pub fn sets_focus(desk: &mut Desk, line: &str) {
    let address = desk.serve(line);
    let value = |name: &str| {
        let all: Value = serde_json::from_slice(&get(address, "/controls").body).ok()?;
        let mut controls = all["controls"].as_array()?.iter();
        Some(controls.find(|control| control["name"] == name)?["value"].clone())
    };
    let is_set = eventually(SOON, || value("focus_absolute") == Some(30.into()));
    assert!(is_set, "{:?}", value("focus_absolute"));
    assert_eq!(value("focus_automatic_continuous"), Some(0.into()));
}

#[test]
fn the_options_of_crowsnest_give_what_its_configuration_gave() {
    let mut desk = Desk::new();
    let address = serves_file(&mut desk, "crowsnest");
    assert_eq!(gives(address, "", "/dev/video0")["fps"], 15.0);
    for action in ["stream", "snapshot"] {
        let path = format!("/?action={action}");
        let mut stream = send(address, &format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n"));
        let head = read_until(&mut stream, b"\r\n\r\n");
        let head = String::from_utf8_lossy(&head).into_owned();
        assert!(
            head.contains("\r\nAccess-Control-Allow-Origin: *\r\n"),
            "{path}: {head}"
        );
    }
}

#[test]
fn two_cameras_of_crowsnest_are_told_apart_by_number() {
    let mut desk = Desk::new();
    let address = serves_file(&mut desk, "Two cameras of crowsnest");
    gives_both_by_number(address, ["cam1", "cam2"]);
    for number in 0..2 {
        let snapshot = get(address, &format!("/?action=snapshot_{number}"));
        let name = snapshot.header("Content-Disposition").unwrap_or_default();
        let is_its = name.contains(&format!("-cam{}-", number + 1));
        assert!(is_its, "{number}: {}", snapshot.head);
    }
}

#[test]
fn the_options_of_motion_give_what_its_configuration_gave() {
    let mut desk = Desk::new();
    let address = serves_file(&mut desk, "motion");
    assert_eq!(gives(address, "", "/dev/video0")["fps"], 15.0);
    let with_text = Parts::open(address, "/stream").next_part().jpeg;
    assert!(unmarked(&with_text).is_none(), "the text is not written");
    assert_eq!(
        size_of(&decoded(&with_text).expect("a picture")),
        (640, 480)
    );
}

/// The rows of the tables below `heading`, or of all: what their first two cells and the third hold.
fn rows(heading: Option<&str>) -> Vec<[&'static str; 3]> {
    let mut section = "";
    let mut rows = Vec::new();
    for line in page(PAGE).lines() {
        if line.starts_with('#') {
            section = line.trim_start_matches(['#', ' ']);
        }
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        let is_row = cells.len() == 5 && !cells[1].starts_with("---");
        if is_row && heading.is_none_or(|heading| heading == section) {
            rows.push([cells[1], cells[2], cells[3]]);
        }
    }
    assert!(rows.len() > 10, "{heading:?}: {rows:?}");
    rows
}

/// What stands between backticks.
fn codes(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

#[test]
fn the_addresses_in_the_table_answer_as_it_says() {
    let mut desk = Desk::new();
    let address = serves_file(&mut desk, "Two cameras of motion");
    for (name, source) in [("/1", "/dev/video0"), ("/2", "/dev/video1")] {
        gives(address, name, source);
    }
    let mut asked = 0;
    for [there, _, here] in rows(Some("Addresses that keep working"))
        .into_iter()
        .skip(1)
    {
        let expected = match here.split(['.', ':', ',', ' ']).next() {
            Some("The") => 200,
            status => status.and_then(|status| status.parse().ok()).expect(here),
        };
        // Whose nginx takes the first segment away is asked in `proxies`.
        for code in codes(there).filter(|code| !code.starts_with("/webcam")) {
            let (method, path) = code.split_once(' ').unwrap_or(("GET", code));
            let path = path.trim_end_matches('…');
            let request =
                format!("{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
            let mut stream = send(address, &request);
            let head = read_until(&mut stream, b"\r\n\r\n");
            let head = String::from_utf8_lossy(&head).into_owned();
            assert!(
                head.starts_with(&format!("HTTP/1.1 {expected} ")),
                "{code}: {head}"
            );
            asked += 1;
        }
    }
    assert!(asked > 15, "only {asked} were asked");
}

#[test]
fn each_option_of_a_configuration_that_is_translated_has_a_row() {
    let rows = rows(None);
    let known: Vec<_> = rows.iter().flat_map(|[there, ..]| codes(there)).collect();
    let mut looked = 0;
    for block in blocks(page(PAGE))
        .iter()
        .filter(|block| block.kind == "text")
    {
        for line in block.text.lines().filter(|line| !line.is_empty()) {
            let words: Vec<_> = line.split([' ', '=', ':', '"']).collect();
            let is_command = line.contains(" -");
            let options = words
                .iter()
                .enumerate()
                .filter(|(place, word)| match is_command {
                    true => {
                        word.starts_with('-') && !["-i", "-o"].contains(word)
                            || word.ends_with(".so")
                    }
                    false => *place == 0 && !word.starts_with('['),
                });
            for (_, option) in options {
                let stands = known.contains(option)
                    || page(PAGE).contains(&format!("| `{option}` | camfeed |"));
                assert!(stands, "line {}: no row for {option}", block.line);
                looked += 1;
            }
        }
    }
    assert!(looked > 20, "only {looked} were looked at");
}

#[test]
fn what_stands_beside_other_options_is_there() {
    let help = run(env!("CARGO_BIN_EXE_camfeed"), &["--help"]).stdout;
    let help = String::from_utf8(help).unwrap();
    let mut named = 0;
    for [_, here, words] in rows(None) {
        for code in codes(here).chain(codes(words)) {
            let name = code.split(' ').next().expect("one word");
            let is_there = match name.strip_prefix("camfeed-") {
                Some(script) => Path::new(SCRIPTS).join(script).exists(),
                None if name.starts_with("--") => {
                    let is_option = |end| help.contains(&format!("\n  {name}{end}"));
                    is_option(' ') || is_option(',')
                }
                None => continue,
            };
            assert!(is_there, "there is no `{code}`");
            named += 1;
        }
    }
    assert!(named > 80, "only {named} are named");
}
