//! `/streams`: all cameras in one answer, each part of the camera it names, whatever the others do.

use crate::{
    camfeed::{Camfeed, SOON, eventually},
    http::{Part, Parts, ask, find, get, read_exactly, read_until, send},
    status::state,
    tcp_proxy::{Rules, TcpProxy},
};
use rustix::process::Signal;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    io::Read,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

const TWO: [&str; 4] = [
    "--camera",
    "a=test:320x240@30",
    "--camera",
    "Shed-2=test:160x120@15",
];

/// Both cameras of [`TWO`], online.
fn two(more: &[&str]) -> Camfeed {
    let camfeed = Camfeed::start(&[&TWO, more].concat());
    camfeed.wait_logs("camera online", 2);
    camfeed
}

/// Whose part it is.
fn camera(part: &Part) -> &str {
    let name = part
        .head
        .lines()
        .next()
        .and_then(|line| line.strip_prefix("X-Camera: "));
    name.unwrap_or_else(|| panic!("no camera comes first in {:?}", part.head))
}

/// The next `count` parts with new frames; fails where a sequence of a camera falls.
fn next_new(parts: &mut Parts, count: usize) -> Vec<Part> {
    let mut last = BTreeMap::new();
    let mut new: Vec<Part> = Vec::new();
    while new.len() < count {
        let part = parts.next_part();
        let before = last
            .insert(camera(&part).to_owned(), part.sequence)
            .unwrap_or(0);
        assert!(part.sequence >= before, "{before} before {}", part.head);
        if part.sequence > before {
            new.push(part);
        }
    }
    new
}

/// The numbers of the only viewer.
fn viewer(camfeed: &Camfeed) -> Value {
    state(camfeed.address)["viewers"][0].clone()
}

/// How many parts there are of each camera.
fn counts(parts: &[Part]) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for part in parts {
        *counts.entry(camera(part)).or_default() += 1;
    }
    counts
}

#[test]
fn each_part_names_its_camera_and_is_that_cameras_frame_byte_for_byte() {
    let camfeed = two(&[]);
    let mut all = Parts::open(camfeed.address, "/streams");
    let mut own = [("a", "/a/stream"), ("Shed-2", "/shed-2/stream")]
        .map(|(name, path)| (name, Parts::open(camfeed.address, path), BTreeMap::new()));
    let mut common = BTreeMap::from([("a", 0), ("Shed-2", 0)]);
    let mut of_all: Vec<Part> = Vec::new();
    let deadline = Instant::now() + SOON;
    while common.values().any(|&count| count < 5) {
        assert!(Instant::now() < deadline, "{common:?}");
        of_all.extend(next_new(&mut all, 6));
        for (_, parts, frames) in &mut own {
            let part = parts.next_part();
            assert!(!part.head.contains("X-Camera"), "{}", part.head);
            frames.insert(part.sequence, part);
        }
        for (name, _, frames) in &own {
            let both = of_all.iter().filter(|part| camera(part) == *name);
            let both = both.filter_map(|part| Some((part, frames.get(&part.sequence)?)));
            common.insert(*name, 0);
            for (part, same) in both {
                assert_eq!(part.head, format!("X-Camera: {name}\r\n{}", same.head));
                assert!(part.jpeg == same.jpeg, "{}", part.head);
                *common.entry(*name).or_default() += 1;
            }
        }
    }
}

#[test]
fn the_stream_of_all_begins_as_that_of_one() {
    let camfeed = two(&[]);
    let head = |path: &str| {
        let mut stream = send(
            camfeed.address,
            &format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        );
        let head = String::from_utf8(read_until(&mut stream, b"\r\n\r\n")).unwrap();
        assert_eq!(read_exactly(&mut stream, 16), b"--camfeedframe\r\n");
        let lines = head.lines().filter(|line| !line.starts_with("Date: "));
        lines.collect::<Vec<_>>().join("\n")
    };
    assert_eq!(head("/streams"), head("/stream"));
    assert_eq!(
        head("//Streams/?type=bytes&x"),
        head("/a/stream?type=bytes")
    );
    let only = ask(camfeed.address, "HEAD", "/streams");
    assert_eq!((only.status, only.body.len()), (200, 0));
}

#[test]
fn cameras_are_chosen_by_their_names() {
    let camfeed = two(&["--camera", "c=test:160x120@15"]);
    for (query, names) in [
        ("", vec!["Shed-2", "a", "c"]),
        ("?cameras=SHED-2,A", vec!["Shed-2", "a"]),
        ("?cameras=c&_=1", vec!["c"]),
        ("?cameras=c%2Ca", vec!["a", "c"]),
    ] {
        let mut parts = Parts::open(camfeed.address, &format!("/streams{query}"));
        let parts = next_new(&mut parts, 20);
        assert_eq!(
            counts(&parts).into_keys().collect::<Vec<_>>(),
            names,
            "{query}"
        );
    }
}

#[test]
fn each_camera_comes_at_the_rate_asked_for() {
    let camfeed = two(&[]);
    let mut parts = Parts::open(camfeed.address, "/streams?fps=5");
    let parts = next_new(&mut parts, 22);
    for name in ["a", "Shed-2"] {
        let own = parts.iter().filter(|part| camera(part) == name);
        let times: Vec<_> = own.map(|part| part.timestamp).collect();
        // Capture times, so that a busy machine's late delivery does not count.
        let rate = (times.len() - 1) as f64 / (times[times.len() - 1] - times[0]);
        assert!((rate - 5.0).abs() < 1.0, "{name}: {rate}");
    }
    let missed = viewer(&camfeed)["missed"].as_u64().unwrap();
    assert!(missed <= 2, "frames nobody wanted are not missed: {missed}");
    // A part is counted when it is written.
    let bytes: usize = parts.iter().map(|part| part.jpeg.len()).sum();
    let are_counted = || {
        let viewer = viewer(&camfeed);
        viewer["sent"].as_u64() >= Some(22) && viewer["bytes"].as_u64() >= Some(bytes as u64)
    };
    assert!(eventually(SOON, are_counted), "{}", viewer(&camfeed));
}

#[test]
fn what_cannot_be_streamed_is_said() {
    let camfeed = two(&[]);
    for (path, status, said) in [
        (
            "/streams?cameras=a,attic",
            404,
            "there is no camera `attic`; there are: a, Shed-2\n",
        ),
        (
            "/streams?cameras=",
            400,
            "cameras=``: allowed are names of cameras",
        ),
        (
            "/streams?cameras",
            400,
            "cameras=``: allowed are names of cameras",
        ),
        ("/streams?fps=0", 400, "fps=`0`: allowed are 0.1 to 120"),
        ("/streams?type=x", 400, "type=`x`: allowed is bytes\n"),
        ("/a/streams", 404, "there is nothing here"),
        ("/streams/a", 404, "there is nothing here"),
    ] {
        let answer = get(camfeed.address, path);
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
        assert!(answer.text().starts_with(said), "{path}: {}", answer.text());
    }
    assert_eq!(ask(camfeed.address, "POST", "/streams").status, 405);
}

#[test]
fn one_who_watches_all_is_one_viewer_and_watches_each() {
    let camfeed = two(&["--max-viewers", "1"]);
    let mut parts = Parts::open(camfeed.address, "/streams");
    next_new(&mut parts, 4);
    let watched = state(camfeed.address);
    let viewers = watched["viewers"].as_array().unwrap();
    assert_eq!(viewers.len(), 1);
    assert_eq!(viewers[0]["cameras"], serde_json::json!(["a", "Shed-2"]));
    for camera in watched["cameras"].as_array().unwrap() {
        assert_eq!(camera["stream"]["viewers"], 1, "{camera}");
    }
    assert_eq!(get(camfeed.address, "/streams").status, 503);
    assert_eq!(get(camfeed.address, "/a/stream").status, 503);
    drop(parts);
    let line = camfeed.wait_log("viewer left");
    assert!(line.contains("camera=a,Shed-2 "), "{line}");
    // Only the camera that is watched is encoded for.
    let mut parts = Parts::open(camfeed.address, "/streams?cameras=a");
    let count = |path: &str| {
        let state = state(camfeed.address);
        state
            .pointer(path)
            .and_then(|count| count.as_u64())
            .unwrap()
    };
    let counts = || {
        (
            count("/cameras/1/camera/captured"),
            count("/cameras/1/encoder/encoded"),
        )
    };
    let before = counts();
    next_new(&mut parts, 30);
    let after = counts();
    assert!(after.0 > before.0 + 5, "{before:?} {after:?}");
    assert!(
        after.1 <= before.1 + 1,
        "nobody watches it: {before:?} {after:?}"
    );
}

#[test]
fn a_camera_that_is_gone_shows_why_and_the_others_go_on() {
    let cameras = [
        "--camera",
        "gone=/none/such.avi",
        "--camera",
        "a=test:160x120@30",
    ];
    let camfeed = Camfeed::start(&cameras);
    camfeed.wait_log("camera online");
    camfeed.wait_log("cannot open");
    let mut parts = Parts::open(camfeed.address, "/streams");
    let mut seen = Vec::new();
    let deadline = Instant::now() + SOON;
    while counts(&seen).get("gone").is_none_or(|&cards| cards < 2) {
        assert!(Instant::now() < deadline, "{:?}", counts(&seen));
        seen.push(parts.next_part());
    }
    let cards = seen.iter().filter(|part| camera(part) == "gone");
    for card in cards {
        assert!(find(&card.jpeg, b"camfeed placeholder: ").is_some());
    }
    let others = counts(&seen)["a"];
    assert!(others >= 10, "{:?}", counts(&seen));
}

#[test]
fn a_stream_of_slow_cameras_is_never_silent_for_long() {
    let cameras = [
        "--camera",
        "a=test:160x120@0.3",
        "--camera",
        "b=test:160x120@0.3",
    ];
    let camfeed = Camfeed::start(&cameras);
    camfeed.wait_logs("camera online", 2);
    let mut parts = Parts::open(camfeed.address, "/streams");
    let mut last = parts.next_part();
    let mut repeats = 0;
    let deadline = Instant::now() + SOON;
    while repeats < 4 {
        assert!(Instant::now() < deadline, "{repeats} repeats");
        let part = parts.next_part();
        if part.sequence == last.sequence && camera(&part) == camera(&last) {
            assert_eq!((&part.head, &part.jpeg), (&last.head, &last.jpeg));
            repeats += 1;
        }
        last = part;
    }
}

#[test]
fn on_a_slow_link_all_cameras_come_in_turn_and_none_late() {
    let cameras: Vec<_> = (0..12)
        .map(|number| format!("cam{number}=test:320x180@10"))
        .collect();
    let options: Vec<_> = cameras
        .iter()
        .flat_map(|camera| ["--camera", camera])
        .collect();
    let camfeed = Camfeed::start(&options);
    camfeed.wait_logs("camera online", 12);
    // A tenth of what they give together.
    let jpeg = get(camfeed.address, "/cam11/snapshot.jpg").body.len();
    let rules = Rules {
        bytes_per_second: Some(jpeg as f64 * 12.0),
        ..Rules::default()
    };
    let link = TcpProxy::to(camfeed.address, rules);
    let mut parts = Parts::open(link.address, "/streams");
    // Until the link is full.
    next_new(&mut parts, 36);
    let seen = next_new(&mut parts, 60);
    let counts = counts(&seen);
    assert_eq!(counts.len(), 12, "{counts:?}");
    assert!(
        counts.values().all(|count| (3..=7).contains(count)),
        "{counts:?}"
    );
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs_f64();
    let age = now - seen[seen.len() - 1].timestamp;
    println!("{age:.2} s old, {counts:?}");
    assert!(age < 6.0, "{age} s old");
    let missed = viewer(&camfeed)["missed"].as_u64();
    assert!(missed > Some(60), "nothing is queued: {missed:?}");
}

#[test]
fn a_camera_without_a_name_of_its_own_is_the_only_one() {
    let camfeed = Camfeed::online(&["--source", "test:160x120@30", "--name", "Gärten 2"]);
    let mut parts = Parts::open(camfeed.address, "/streams");
    let seen = next_new(&mut parts, 5);
    assert_eq!(counts(&seen), BTreeMap::from([("G-rten-2", 5)]));
    assert_eq!(viewer(&camfeed)["cameras"], serde_json::json!([]));
    assert_eq!(get(camfeed.address, "/streams?cameras=x").status, 404);
}

#[test]
fn at_its_end_the_program_ends_the_stream_and_every_watch() {
    let camfeed = two(&[]);
    let mut parts = Parts::open(camfeed.address, "/streams");
    next_new(&mut parts, 4);
    let mut left = Parts::open(camfeed.address, "/streams");
    left.next_part();
    drop(left);
    let are_left = || state(camfeed.address)["viewers"].as_array().unwrap().len() == 1;
    assert!(eventually(SOON, are_left));
    let (status, time) = camfeed.end(Signal::TERM);
    assert!(status.success(), "{status}");
    assert!(time < Duration::from_secs(10), "{time:?}");
    let mut rest = Vec::new();
    parts.0.read_to_end(&mut rest).expect("an orderly end");
    assert!(rest.ends_with(b"\r\n--camfeedframe\r\n--camfeedframe--\r\n"));
}
