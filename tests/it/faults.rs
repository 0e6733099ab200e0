//! Faults of a camera, with ten viewers attached: nobody is lost, no bad frame leaves the server,
//! what is wrong is said in words, and the picture comes back by itself.
//!
//! One round of each fault; `CAMFEED_FAULT_ROUNDS=20 cargo test faults:: -- --nocapture` is the
//! long run and prints a line of numbers for each.

use crate::{
    camfeed::{Camfeed, SOON, eventually},
    fakecam::{FakeCamera, decoded, is_of_ring, ring, size_of, unmarked, wait_state},
    fault_viewers::{BUSY_MACHINE, Tally, VIEWERS, Viewer, each, rounds, settled, wait_live},
    http::{Answer, get},
    status::state,
};
use serde_json::Value;
use std::{
    collections::HashSet,
    fs,
    sync::OnceLock,
    time::{Duration, Instant},
};

/// An unplugged camera is noticed within this, and a picture is back this soon after a replug.
const PLUG: Duration = Duration::from_secs(2);

/// `--camera-timeout` here, in seconds; camfeed's own default only takes longer.
const TIMEOUT: &str = "2";

/// And what is noticed by it, with the time to say so.
const SILENCE: Duration = Duration::from_secs(3);

/// A camera whose return nobody announces is back when it is tried next: the longest pause
/// between two tries, and an opening.
const RETRY: Duration = Duration::from_secs(7);

/// What a client waits at most for a snapshot's 503.
const SNAPSHOT: Duration = Duration::from_secs(3);

/// What a fault does.
enum Effect {
    /// There is no picture. The control files of its steps, each with the words of `/state` and
    /// of snapshots that tell it (any of those between bars).
    Outage {
        steps: &'static [(&'static str, &'static str)],
        noticed: Duration,
        back: Duration,
    },
    /// The picture stays, under this control file, and `/state` becomes so from what it was.
    Online {
        control: &'static str,
        shows: fn(&Value, &Value) -> bool,
        /// It is the very same picture for ever, which is warned of.
        is_frozen: bool,
    },
}

/// The camera's number of a whole picture, none for a placeholder.
fn judge(jpeg: &[u8]) -> Result<Option<u64>, String> {
    if !(jpeg.starts_with(&[0xff, 0xd8]) && jpeg.ends_with(&[0xff, 0xd9])) {
        return Err("its ends are missing".to_owned());
    }
    match unmarked(jpeg) {
        Some((mark, own)) if is_of_ring(&own) || is_of_ring_with_other_tables(&own) => {
            Ok(Some(mark.number))
        }
        Some(_) => Err("not as the camera took it".to_owned()),
        None => match decoded(jpeg).map(|mat| size_of(&mat)) {
            Some((640, 480)) => Ok(None),
            size => Err(format!("a placeholder of {size:?}")),
        },
    }
}

/// True for a picture of the ring to which other Huffman tables were given.
fn is_of_ring_with_other_tables(jpeg: &[u8]) -> bool {
    static BARE: OnceLock<HashSet<Vec<u8>>> = OnceLock::new();
    let bare = BARE.get_or_init(|| {
        let files = fs::read_dir(ring()).expect("the ring").flatten();
        files
            .filter_map(|file| without_tables(&fs::read(file.path()).ok()?))
            .collect()
    });
    without_tables(jpeg).is_some_and(|jpeg| bare.contains(&jpeg))
}

/// The JPEG without its Huffman tables; `None` when it had none.
fn without_tables(jpeg: &[u8]) -> Option<Vec<u8>> {
    let (mut at, mut tables) = (2, 0);
    let mut bare = jpeg[..2].to_vec();
    while let [0xff, marker, high, low, ..] = jpeg[at..] {
        let end = at + 2 + usize::from(u16::from_be_bytes([high, low]));
        match marker {
            0xda => break,
            0xc4 => tables += 1,
            _ => bare.extend_from_slice(jpeg.get(at..end)?),
        }
        at = end;
    }
    bare.extend_from_slice(&jpeg[at..]);
    (tables > 0).then_some(bare)
}

/// Puts ten viewers through the fault, and looks at them.
fn fault(name: &str, timeout: &str, effect: &Effect, after: &[&str]) {
    let rounds = rounds();
    let camera = FakeCamera::new(after[after.len() - 1]);
    let mut options = vec!["--source", "/dev/video0", "--fps", "15"];
    options.extend(["--camera-timeout", timeout]);
    let camfeed = camera.online(&options);
    let viewers: Vec<_> = (0..VIEWERS)
        .map(|_| Viewer::open(camfeed.address, judge))
        .collect();
    wait_live(&viewers);
    let before = settled(&camfeed);
    let mut tally = Tally::default();
    for round in 0..rounds {
        let warned = camfeed.count_log(" WARN ");
        let returned = camfeed.count_log("camera back");
        let cleared = after[round % after.len()];
        let (warnings, returns) = match effect {
            Effect::Outage {
                steps,
                noticed,
                back,
            } => {
                outage(&camera, &camfeed, &viewers, steps, cleared, &mut tally);
                assert!(
                    tally.noticed <= Some(*noticed * BUSY_MACHINE),
                    "{name}: noticed after {:?}",
                    tally.noticed
                );
                assert!(
                    tally.back <= *back * BUSY_MACHINE,
                    "{name}: back after {:?}",
                    tally.back
                );
                assert!(
                    tally.snapshot <= Some(SNAPSHOT * BUSY_MACHINE),
                    "{name}: {:?}",
                    tally.snapshot
                );
                (1, 1)
            }
            Effect::Online {
                control,
                shows,
                is_frozen,
            } => {
                flaw(
                    &camera, &camfeed, &viewers, control, *shows, cleared, &mut tally,
                );
                (usize::from(*is_frozen), 0)
            }
        };
        for viewer in &viewers {
            let sight = viewer.sight.lock().unwrap();
            assert_eq!(sight.lost, None, "{name}: a viewer was lost");
            assert!(sight.bad.is_empty(), "{name}: {:?}", sight.bad);
            let is_frozen = matches!(
                effect,
                Effect::Online {
                    is_frozen: true,
                    ..
                }
            );
            assert_eq!(
                sight.again > 0,
                is_frozen,
                "{name}: {} old pictures",
                sight.again
            );
        }
        assert_eq!(
            camfeed.count_log(" WARN ") - warned,
            warnings,
            "{name}: one warning"
        );
        assert_eq!(
            camfeed.count_log("camera back") - returned,
            returns,
            "{name}: one summary"
        );
        tally.rounds += 1;
    }
    tally.finish(name, &camfeed, &viewers, before);
}

/// One round of a fault that takes the picture away.
fn outage(
    camera: &FakeCamera,
    camfeed: &Camfeed,
    viewers: &[Viewer],
    steps: &[(&str, &str)],
    cleared: &str,
    tally: &mut Tally,
) {
    let begun = Instant::now();
    for (number, (control, words)) in steps.iter().enumerate() {
        camera.set(control);
        let is_said = |text: &str| words.split('|').any(|word| text.contains(word));
        if number == 0 {
            let noticed = each(viewers, SOON, |viewer| {
                viewer.first(begun, |seen| !seen.is_live)
            });
            let last = noticed.iter().map(|seen| seen.at - begun).max();
            tally.noticed = tally.noticed.max(last);
        }
        let mut now = Value::Null;
        let is_told = eventually(SOON, || {
            now = state(camfeed.address)["camera"].take();
            now["state"] == "offline" && is_said(now["reason"].as_str().unwrap_or_default())
        });
        assert!(is_told, "{control}: never {words:?} but {now:#}");
    }
    // Placeholders come one a second, meanwhile too.
    let from = Instant::now();
    let (_, words) = steps[steps.len() - 1];
    let asked = Instant::now();
    let answer: Answer = get(camfeed.address, "/snapshot.jpg");
    tally.snapshot = tally.snapshot.max(Some(asked.elapsed()));
    let text = answer.text();
    assert_eq!(answer.status, 503, "{text}");
    assert!(words.split('|').any(|word| text.contains(word)), "{text}");
    each(viewers, SOON, |viewer| {
        (viewer.count(from, false) >= 2).then_some(())
    });
    let most = from.elapsed().as_secs() as usize + 2;
    for viewer in viewers {
        let count = viewer.count(from, false);
        assert!(
            count <= most,
            "{count} placeholders in {:?}",
            from.elapsed()
        );
        assert_eq!(viewer.count(from, true), 0, "a picture from nowhere");
    }
    back(camera, viewers, cleared, tally);
    wait_state(camfeed, "online");
    camfeed.wait_logs("camera back", tally.rounds as usize + 1);
}

/// One round of a fault that leaves the picture.
fn flaw(
    camera: &FakeCamera,
    camfeed: &Camfeed,
    viewers: &[Viewer],
    control: &str,
    shows: fn(&Value, &Value) -> bool,
    cleared: &str,
    tally: &mut Tally,
) {
    let before = state(camfeed.address);
    let changes = camera.count("fault camera=0");
    camera.set(control);
    camera.wait_count("fault camera=0", changes + 1);
    let begun = Instant::now();
    let mut now = Value::Null;
    let is_shown = eventually(SOON, || {
        now = state(camfeed.address);
        shows(&before, &now)
    });
    assert!(is_shown, "never so: {now:#}");
    assert_eq!(now["camera"]["state"], "online");
    let from = Instant::now();
    each(viewers, SOON, |viewer| {
        (viewer.count(from, true) >= 3).then_some(())
    });
    for viewer in viewers {
        assert_eq!(viewer.count(begun, false), 0, "a placeholder");
    }
    back(camera, viewers, cleared, tally);
    let is_well = || state(camfeed.address)["camera"]["frozen"] == false;
    assert!(eventually(SOON, is_well));
}

/// Ends the fault and waits for new pictures on the same connections.
fn back(camera: &FakeCamera, viewers: &[Viewer], cleared: &str, tally: &mut Tally) {
    let mended = Instant::now();
    camera.set(cleared);
    let newest: Vec<_> = viewers
        .iter()
        .map(|viewer| {
            viewer
                .sight
                .lock()
                .unwrap()
                .parts
                .last()
                .map_or(0, |seen| seen.sequence)
        })
        .collect();
    let newest = newest.into_iter().max().unwrap_or_default();
    let returned = each(viewers, SOON, |viewer| {
        viewer.first(mended, |seen| seen.is_live && seen.sequence > newest)
    });
    let last = returned
        .iter()
        .map(|seen| seen.at.saturating_duration_since(mended))
        .max();
    tally.back = tally.back.max(last.unwrap_or_default());
}

#[test]
fn unplugged_and_plugged_in_again() {
    let effect = Effect::Outage {
        steps: &[("plugged no", "was unplugged|no such device")],
        noticed: PLUG,
        back: PLUG,
    };
    fault("unplug", TIMEOUT, &effect, &[""]);
}

#[test]
fn plugged_in_again_under_another_number() {
    let effect = Effect::Outage {
        steps: &[("plugged no", "was unplugged|no such device")],
        noticed: PLUG,
        back: PLUG,
    };
    // Each round under the other number than the one before.
    fault("renumber", TIMEOUT, &effect, &["node 3", ""]);
}

#[test]
fn back_but_busy() {
    let effect = Effect::Outage {
        steps: &[
            ("plugged no", "was unplugged|no such device"),
            ("busy open", "another program is using it"),
            ("busy yes", "another program is using it"),
        ],
        noticed: PLUG,
        back: RETRY,
    };
    fault("busy", TIMEOUT, &effect, &[""]);
}

#[test]
fn back_but_forbidden() {
    let effect = Effect::Outage {
        steps: &[
            ("plugged no", "was unplugged|no such device"),
            ("forbidden yes", "permission denied"),
        ],
        noticed: PLUG,
        back: RETRY,
    };
    fault("forbidden", TIMEOUT, &effect, &[""]);
}

#[test]
fn hanging() {
    let effect = Effect::Outage {
        steps: &[("fault hang", "no picture")],
        noticed: SILENCE,
        back: RETRY,
    };
    fault("hang", TIMEOUT, &effect, &[""]);
}

#[test]
fn errors_instead_of_pictures() {
    let effect = Effect::Outage {
        steps: &[("fault eio", "errors instead of pictures|no picture")],
        noticed: SILENCE,
        back: RETRY,
    };
    fault("eio", TIMEOUT, &effect, &[""]);
}

const BROKEN: &str = "broken pictures|no whole picture";

#[test]
fn truncated_pictures_only() {
    let effect = Effect::Outage {
        steps: &[("fault truncated", BROKEN)],
        noticed: SILENCE,
        back: RETRY,
    };
    fault("truncated", TIMEOUT, &effect, &[""]);
}

#[test]
fn garbage_only() {
    let effect = Effect::Outage {
        steps: &[("fault garbage", BROKEN)],
        noticed: SILENCE,
        back: RETRY,
    };
    fault("garbage", TIMEOUT, &effect, &[""]);
}

#[test]
fn empty_pictures_only() {
    let effect = Effect::Outage {
        steps: &[("fault empty", BROKEN)],
        noticed: SILENCE,
        back: RETRY,
    };
    fault("empty", TIMEOUT, &effect, &[""]);
}

/// Enough to have dropped some of each kind of cut.
fn drops(before: &Value, state: &Value) -> bool {
    let dropped = |state: &Value| state["camera"]["dropped"].as_u64().expect("a number");
    dropped(state) >= dropped(before) + 8
}

#[test]
fn each_third_picture_truncated() {
    let effect = Effect::Online {
        control: "fault truncated\nfault_every 3",
        shows: drops,
        is_frozen: false,
    };
    fault("truncated, each 3rd", TIMEOUT, &effect, &[""]);
}

#[test]
fn each_third_picture_garbage() {
    let effect = Effect::Online {
        control: "fault garbage\nfault_every 3",
        shows: drops,
        is_frozen: false,
    };
    fault("garbage, each 3rd", TIMEOUT, &effect, &[""]);
}

#[test]
fn each_third_picture_empty() {
    let effect = Effect::Online {
        control: "fault empty\nfault_every 3",
        shows: drops,
        is_frozen: false,
    };
    fault("empty, each 3rd", TIMEOUT, &effect, &[""]);
}

#[test]
fn an_error_now_and_then() {
    let effect = Effect::Online {
        control: "fault eio\nfault_every 5",
        shows: |_, state| state["camera"]["state"] == "online",
        is_frozen: false,
    };
    fault("eio, each 5th", TIMEOUT, &effect, &[""]);
}

#[test]
fn slow() {
    let effect = Effect::Online {
        control: "fault slow\nslow_ms 1500",
        shows: |_, state| state["camera"]["fps"].as_f64().is_some_and(|fps| fps < 3.0),
        is_frozen: false,
    };
    // Slower than the parts of a stream may come, faster than what counts as hanging.
    fault("slow", "5", &effect, &[""]);
}

#[test]
fn without_huffman_tables() {
    let effect = Effect::Online {
        control: "fault nodht",
        shows: |_, state| state["camera"]["state"] == "online",
        is_frozen: false,
    };
    fault("no DHT", TIMEOUT, &effect, &[""]);
}

#[test]
fn padded() {
    let effect = Effect::Online {
        control: "fault padding",
        shows: |_, state| state["camera"]["state"] == "online",
        is_frozen: false,
    };
    fault("padding", TIMEOUT, &effect, &[""]);
}

#[test]
fn each_third_picture_without_its_last_bytes() {
    let effect = Effect::Online {
        control: "fault eoiloss\nfault_every 3",
        shows: drops,
        is_frozen: false,
    };
    fault("EOI lost, each 3rd", TIMEOUT, &effect, &[""]);
}

#[test]
fn frozen() {
    let effect = Effect::Online {
        control: "fault freeze",
        shows: |_, state| state["camera"]["frozen"] == true,
        is_frozen: true,
    };
    fault("freeze", TIMEOUT, &effect, &[""]);
}

#[test]
fn a_camera_that_nobody_watches_is_not_well_when_all_it_gives_is_broken() {
    for (fault, args) in [
        ("garbage", &[][..]),
        ("empty", &["--encode", "always"]),
        ("truncated", &[]),
    ] {
        let fake = FakeCamera::new("format mjpg\n");
        let always = ["--source", "/dev/video0", "--camera-timeout", "1"];
        let camfeed = fake.serve(&[&always[..], args].concat());
        wait_state(&camfeed, "online");
        assert_eq!(get(camfeed.address, "/healthz").status, 200);
        fake.set(&format!("format mjpg\nfault {fault}\n"));
        wait_state(&camfeed, "offline");
        let health = get(camfeed.address, "/healthz");
        assert_eq!(health.status, 503, "{fault}");
        assert!(
            health.text().contains("broken pictures only"),
            "{}",
            health.text()
        );
        fake.set("format mjpg\n");
        wait_state(&camfeed, "online");
    }
}
