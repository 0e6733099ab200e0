//! Several cameras in one program, of which one has every fault there is: the others lose nothing.

use crate::{
    camfeed::{Camfeed, SOON, eventually},
    fakecam::{FakeCamera, is_of_ring, unmarked},
    fault_viewers::Viewer,
    http::get,
    status::state,
};
use std::{
    env,
    sync::{Arc, Mutex},
    time::Instant,
};

/// Of the camera in the middle. What it does by itself, and what is done to it.
const FAULTS: [&str; 17] = [
    "plugged no",
    "fault hang",
    "fault eio",
    "fault slow",
    "fault truncated",
    "fault garbage",
    "fault empty",
    "fault nodht",
    "fault padding",
    "fault eoiloss",
    "fault freeze",
    "fault huge",
    "fault errflag",
    "fault drop",
    "fail_streamon ENOSPC",
    "busy yes",
    "forbidden yes",
];

/// Pictures of each other camera while the fault lasts.
const PICTURES: usize = 5;

/// Three cameras; slow ones, whose buffers last for as long as a busy machine may let the program wait.
fn control(fault: &str) -> String {
    let well = "format mjpg\nsizes 640x480\nrates 5\n";
    format!(
        "camera 0\n{well}camera 1\nformat mjpg\nsizes 640x480\nrates 15\n{fault}\ncamera 2\n{well}"
    )
}

fn camera_state(camfeed: &Camfeed, name: &str) -> String {
    let all = state(camfeed.address)["cameras"].take();
    let all = all.as_array().expect("a list").iter();
    let mut named = all.filter(|camera| camera["name"] == name);
    let camera = named.next().expect("it is listed");
    camera["camera"]["state"]
        .as_str()
        .expect("a word")
        .to_owned()
}

/// A viewer of one camera, with the camera's own numbers of the pictures that it got.
fn viewer(camfeed: &Camfeed, name: &str) -> (Viewer, Arc<Mutex<Vec<u64>>>) {
    let numbers = Arc::new(Mutex::new(Vec::new()));
    let noting = Arc::clone(&numbers);
    let judge = move |jpeg: &[u8]| {
        let (mark, rest) = unmarked(jpeg).ok_or("no picture of the camera")?;
        if !is_of_ring(&rest) {
            return Err(format!("picture {} was changed", mark.number));
        }
        noting.lock().unwrap().push(mark.number);
        Ok(Some(mark.number))
    };
    let path = format!("/{name}/stream");
    (Viewer::open_at(camfeed.address, &path, judge), numbers)
}

#[test]
fn a_camera_with_faults_takes_no_picture_from_the_others() {
    let camera = FakeCamera::new(&control(""));
    let camfeed = camera.serve(&[
        "--camera",
        "door=/dev/video0",
        "--camera",
        "yard=/dev/video1",
        "--camera",
        "shed=/dev/video2",
        "--camera-timeout",
        "1",
    ]);
    let is_state = |wanted: &str| eventually(SOON, || camera_state(&camfeed, "yard") == wanted);
    let others = ["door", "shed"].map(|name| viewer(&camfeed, name));
    let troubled = Viewer::open_at(camfeed.address, "/yard/stream", |_| Ok(Some(0)));
    assert!(is_state("online"));
    let rounds = env::var("CAMFEED_FAULT_ROUNDS").map_or(1, |text| text.parse().expect("a number"));
    for fault in FAULTS {
        for round in 0..rounds {
            let begun = Instant::now();
            camera.set(&control(fault));
            let have_more = || {
                others
                    .iter()
                    .all(|(viewer, _)| viewer.count(begun, true) >= PICTURES)
            };
            assert!(
                eventually(SOON, have_more),
                "{fault}, round {round}: a viewer waits"
            );
            if ["plugged no", "fault hang", "fault eio"].contains(&fault) {
                assert!(is_state("offline"), "{fault}");
                assert_eq!(get(camfeed.address, "/healthz").status, 503);
                assert_eq!(get(camfeed.address, "/yard/healthz").status, 503);
                assert_eq!(get(camfeed.address, "/door/healthz").status, 200);
            }
            camera.set(&control(""));
            assert!(
                is_state("online"),
                "{fault}: it stays {}",
                camera_state(&camfeed, "yard")
            );
        }
    }
    for (name, (viewer, numbers)) in ["door", "shed"].iter().zip(&others) {
        let sight = viewer.sight.lock().unwrap();
        assert_eq!(sight.bad, [""; 0], "{name}");
        assert_eq!(sight.lost, None, "{name}");
        let numbers = numbers.lock().unwrap();
        let gaps: Vec<_> = numbers
            .windows(2)
            .filter(|two| two[1] != two[0] + 1)
            .collect();
        assert!(gaps.is_empty(), "{name} lost pictures between {gaps:?}");
        assert!(numbers.len() > FAULTS.len() * PICTURES * rounds);
    }
    assert_eq!(
        troubled.sight.lock().unwrap().lost,
        None,
        "its viewer stays, too"
    );
}
