//! `scripts/timelapse run`: months of pictures in seconds, over everything that happens in months.

use crate::{
    camfeed::{Camfeed, Folder, SMALL, SOON, eventually},
    fakecam::{FakeCamera, is_of_ring, unmarked},
    shell::{ALL_TOOLS, Running, Tools, command, files, script},
    stub::{Stub, answer},
};
use rustix::process::Signal;
use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

/// The pictures of a time-lapse under `folder` in the order of their names, and nothing else there.
fn pictures(folder: &Path) -> Vec<String> {
    let mut pictures = Vec::new();
    for name in files(folder) {
        let is_day = |day: &str| {
            let shape = day.replace(|c: char| c.is_ascii_digit(), "9");
            shape == "9999-99-99"
        };
        match name.split_once('/') {
            Some((day, picture)) if is_day(day) && is_picture(picture) => pictures.push(name),
            None if is_day(&name) || name == ".timelapse" => {}
            _ => panic!("{name} is neither a picture nor a day"),
        }
    }
    pictures.sort_by(|one, other| {
        one.split_once('/')
            .unwrap()
            .1
            .cmp(other.split_once('/').unwrap().1)
    });
    pictures
}

/// A picture of a camera that is called as its host, or of an older camfeed's.
fn is_picture(name: &str) -> bool {
    let uname = rustix::system::uname();
    let host = uname.nodename().to_str().unwrap();
    let time = name.strip_prefix(&format!("camfeed-{host}-"));
    let time = time.or_else(|| name.strip_prefix("camfeed-"));
    let shape = time.map(|time| time.replace(|c: char| c.is_ascii_digit(), "9"));
    shape.as_deref() == Some("99999999T999999.999Z.jpg")
}

fn count(folder: &Path) -> usize {
    let names = files(folder);
    names.iter().filter(|name| name.ends_with("Z.jpg")).count()
}

/// Waits until there are `more` pictures than now.
fn wait_more(running: &Running, folder: &Path, more: usize) {
    let before = count(folder);
    let came = eventually(SOON, || count(folder) >= before + more);
    assert!(came, "no {more} more pictures:\n{}", running.said());
}

#[test]
fn a_time_lapse_over_every_outage_holds_whole_pictures_in_order_and_none_twice() {
    let camera = FakeCamera::new("");
    let args = ["--source", "/dev/video0"];
    // An address of its own, so that nobody else takes the port meanwhile.
    let first = camera.serve_at("127.0.0.73:0", &args);
    let address = first.address.to_string();
    drop(first);
    let folder = Folder::new();
    let place = folder.file("lapse");
    let root = Path::new(&place);
    let args_of_script = ["run", "-e", "0.3", "-t", "5", &address, &place];
    let mut running = Running::start(command(Tools::Wget, "timelapse", &args_of_script));
    // The server is not there yet.
    running.wait_said("no picture: no answer from 127.0.0.73", 1);
    let camfeed = camera.serve_at(&address, &args);
    running.wait_said("pictures again after", 1);
    wait_more(&running, root, 3);
    // The camera is pulled out, and back.
    camera.set("plugged no");
    running.wait_said("no picture: no live picture", 1);
    // For more than one picture.
    let asked = camfeed.count_log("GET /snapshot.jpg");
    camfeed.wait_logs("GET /snapshot.jpg", asked + 2);
    camera.set("");
    running.wait_said("pictures again after", 2);
    wait_more(&running, root, 3);
    // The server is killed, and started again.
    camfeed.end(Signal::KILL);
    running.wait_said("no picture: no answer", 2);
    let _camfeed = camera.serve_at(&address, &args);
    running.wait_said("pictures again after", 3);
    wait_more(&running, root, 3);
    let asked = Instant::now();
    assert_eq!(running.end(Signal::TERM).code(), Some(0));
    assert!(asked.elapsed() < Duration::from_secs(10));

    assert_eq!(running.count("no picture:"), 3, "{}", running.said());
    assert_eq!(running.count("pictures again after"), 3);
    let pictures = pictures(root);
    // The signal may have come before the last one was counted.
    let counts = [pictures.len() - 1, pictures.len()];
    let is_counted = |count| running.count(&format!("ended, {count} pictures taken")) == 1;
    assert!(counts.into_iter().any(is_counted), "{}", running.said());
    let mut last = 0.0;
    for name in &pictures {
        let jpeg = fs::read(root.join(name)).unwrap();
        let (mark, own) = unmarked(&jpeg).unwrap_or_else(|| panic!("{name}: not of the camera"));
        assert!(is_of_ring(&own), "{name}: not as the camera made it");
        assert!(
            mark.unix > last,
            "{name}: taken at {} after {last}",
            mark.unix
        );
        last = mark.unix;
    }
}

#[test]
fn a_time_lapse_runs_with_every_client() {
    let camfeed = Camfeed::online(&["--source", SMALL]);
    let address = camfeed.address.to_string();
    for tools in ALL_TOOLS {
        let folder = Folder::new();
        let place = folder.0.to_str().unwrap();
        let args = ["run", &address, place, "-e", ".2", "-n", "4", "-b", "0.1"];
        let mut running = Running::start(command(tools, "timelapse", &args));
        assert_eq!(running.wait().code(), Some(0), "{}", running.said());
        assert_eq!(pictures(&folder.0).len(), 4, "{tools:?}");
        assert_eq!(running.said().lines().count(), 2, "{}", running.said());
    }
}

#[test]
fn a_time_lapse_keeps_its_pace() {
    let camfeed = Camfeed::online(&["--source", SMALL]);
    let address = camfeed.address.to_string();
    let folder = Folder::new();
    let place = folder.0.to_str().unwrap();
    let args = ["run", &address, place, "-e", "0.5", "-n", "14"];
    let mut running = Running::start(command(Tools::Wget, "timelapse", &args));
    assert_eq!(running.wait().code(), Some(0), "{}", running.said());
    let seconds = |name: &str| -> f64 {
        let time = &name[name.find('T').unwrap() + 1..name.len() - "Z.jpg".len()];
        let number = |text: &str| text.parse::<f64>().unwrap();
        number(&time[..2]) * 3600.0 + number(&time[2..4]) * 60.0 + number(&time[4..])
    };
    let times: Vec<_> = pictures(&folder.0)
        .iter()
        .map(|name| seconds(name))
        .collect();
    // In steps of the first one's beat, from a half before to a half after. What a picture takes adds up
    // to more than a step when it is not made up for; a busy machine makes some late.
    let off_beat = |time: &f64| ((time - times[0]) / 0.5 + 0.5).rem_euclid(1.0) - 0.5;
    let on_beat = times
        .iter()
        .filter(|time| off_beat(time).abs() < 0.2)
        .count();
    assert!(on_beat * 3 >= times.len() * 2, "{times:?}");
}

#[test]
fn the_same_picture_is_never_kept_twice() {
    let camfeed = Camfeed::online(&["--source", SMALL]);
    // Nobody watches, so there is no newer picture.
    let url = format!("{}?max_age=60000", camfeed.url("/snapshot.jpg"));
    let folder = Folder::new();
    let place = folder.0.to_str().unwrap();
    let mut taken = 0;
    for _ in 0..2 {
        let before = camfeed.count_log("GET /snapshot.jpg?max_age=60000");
        let args = ["run", "-e", "0.1", &url, place];
        let mut running = Running::start(command(Tools::Wget, "timelapse", &args));
        camfeed.wait_logs("GET /snapshot.jpg?max_age=60000", before + 10);
        assert_eq!(running.end(Signal::TERM).code(), Some(0));
        let said = running.said();
        let count = said.rsplit("ended, ").next().unwrap().split(' ').next();
        taken += count.unwrap().parse::<usize>().unwrap();
    }
    // One that was on its way when the first had been taken may have come after it.
    let pictures = pictures(&folder.0);
    assert!((1..=2).contains(&pictures.len()), "{pictures:?}");
    assert_eq!(taken, pictures.len(), "one was taken again");
}

#[test]
fn the_oldest_pictures_make_room_and_nothing_else_does() {
    let camfeed = Camfeed::online(&["--source", SMALL]);
    let address = camfeed.address.to_string();
    let folder = Folder::new();
    let old = "2001-02-03/camfeed-20010203T000000.000Z.jpg";
    let kept = [
        "2001-02-04",
        "2001-02-04/mine.jpg",
        "2001-02-04/notes Z.txt",
        "film.mp4",
    ];
    for day in ["2001-02-03", "2001-02-04"] {
        fs::create_dir(folder.0.join(day)).unwrap();
    }
    fs::write(folder.0.join(old), [0; 30_000]).unwrap();
    for name in &kept[1..] {
        fs::write(folder.0.join(name), [0; 500_000]).unwrap();
    }
    let place = folder.0.to_str().unwrap();
    let args = [
        "run", &address, place, "-e", "0.1", "-b", "0.15", "-n", "20",
    ];
    let mut running = Running::start(command(Tools::Wget, "timelapse", &args));
    let mut seen = Vec::new();
    let mut most = 0;
    let watched = eventually(SOON, || {
        let names = files(&folder.0);
        let names: Vec<_> = names
            .into_iter()
            .filter(|name| name.ends_with("Z.jpg"))
            .collect();
        let sizes = names.iter().map(|name| {
            let about = fs::metadata(folder.0.join(name));
            about.map_or(0, |about| about.len())
        });
        most = most.max(sizes.sum::<u64>());
        seen.extend(names);
        running.count("ended") == 1
    });
    assert!(watched && running.wait().success(), "{}", running.said());
    seen.sort();
    seen.dedup();
    let names = files(&folder.0);
    for name in kept {
        assert!(names.iter().any(|there| there == name), "{name} is gone");
    }
    assert!(!folder.0.join("2001-02-03").exists(), "{names:?}");
    let pictures: Vec<_> = names
        .iter()
        .filter(|name| name.ends_with("Z.jpg"))
        .collect();
    // A picture more than the budget stands there before the oldest goes.
    assert!(most < 150_000 + 20_000, "{most} bytes");
    assert!(pictures.len() >= 5, "{pictures:?}");
    let newest = &seen[seen.len() - pictures.len()..];
    assert!(
        pictures.iter().copied().eq(newest),
        "{pictures:?} of {seen:?}"
    );
}

#[test]
fn one_time_lapse_at_a_time_and_the_next_after_any_end() {
    let camfeed = Camfeed::online(&["--source", SMALL]);
    let url = camfeed.url("/snapshot.jpg?fresh=1");
    let folder = Folder::new();
    let place = folder.0.to_str().unwrap();
    let args = ["run", "-e", "3600", &url, place];
    let mut first = Running::start(command(Tools::Wget, "timelapse", &args));
    wait_more(&first, &folder.0, 1);
    let second = script(Tools::Wget, "timelapse", &args);
    assert_eq!(second.status.code(), Some(1));
    let said = String::from_utf8(second.stderr).unwrap();
    assert!(said.contains("another time-lapse is at work"), "{said}");
    // Its sleep lives on for an hour, and must not hold the lock.
    first.end(Signal::KILL);
    fs::write(folder.0.join(".snapshot-abc123"), "half a picture").unwrap();
    let mut third = Running::start(command(Tools::Wget, "timelapse", &args));
    wait_more(&third, &folder.0, 1);
    assert_eq!(third.end(Signal::TERM).code(), Some(0));
    assert_eq!(
        pictures(&folder.0).len(),
        2,
        "and what was left behind is gone"
    );
}

#[test]
fn a_signal_ends_a_time_lapse_while_a_picture_is_on_its_way() {
    let headers = "Content-Type: image/jpeg\r\nContent-Length: 1000\r\n";
    for tools in ALL_TOOLS {
        let stub = Stub::holding(answer("200 OK", headers, &[0xff; 1000]), 300);
        let folder = Folder::new();
        let place = folder.0.to_str().unwrap();
        let url = stub.url();
        let args = ["run", "-t", "600", &url, place];
        let mut running = Running::start(command(tools, "timelapse", &args));
        stub.request();
        let is_coming = || {
            files(&folder.0)
                .iter()
                .any(|name| name.starts_with(".snapshot-"))
        };
        assert!(eventually(SOON, is_coming));
        assert_eq!(running.end(Signal::TERM).code(), Some(0), "{tools:?}");
        assert_eq!(files(&folder.0), [".timelapse"], "{tools:?}");
    }
}
