//! `--source all`: cameras are found, named, come and go, and none is taken for another.

use crate::{
    camfeed::{Camfeed, SOON, eventually},
    fake_libcamera::CameraModule,
    fakecam::{FakeCamera, unmarked},
    http::{Parts, get},
};
use opencv::{core::Mat, imgcodecs, prelude::*};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Instant,
};

const ALL: [&str; 2] = ["--source", "all"];

/// Two of a model, told by their serial numbers, one of another, and one that hides its own.
const FOUR: &str = "\
    camera 0\nname HD Pro Webcam C920\nserial 8B1D8A3F\nsizes 1280x720\nformat mjpg\n\
    camera 1\nnode 2\nname HD Pro Webcam C920\nserial 8B1D11AF\nsizes 640x480\nformat mjpg\n\
    camera 2\nnode 4\nname Logitech BRIO\nsizes 320x240\nformat mjpg\nmetadata_node yes\n\
    camera 3\nnode 6\nname USB 2.0 Camera: USB Camera\nserial none\nsizes 160x120\nformat mjpg\n";

/// The names of all cameras in their order, as they are told who asks for another one.
fn names(address: SocketAddr) -> Vec<String> {
    let answer = get(address, "/nobody/stream").text();
    let (_, names) = answer.split_once("there are: ").expect("the names");
    names.trim().split(", ").map(str::to_owned).collect()
}

/// What a camera's own `/state` says of it.
fn camera(address: SocketAddr, name: &str) -> Value {
    let answer = get(address, &format!("/{name}/state"));
    assert_eq!(answer.status, 200, "{name}: {}", answer.text());
    let mut state: Value = serde_json::from_slice(&answer.body).expect("JSON");
    state["camera"].take()
}

/// Waits until the camera is in that state.
fn wait_state(camfeed: &Camfeed, name: &str, expected: &str) -> Value {
    let mut now = Value::Null;
    let is_so = eventually(SOON, || {
        now = camera(camfeed.address, name);
        now["state"] == expected
    });
    assert!(is_so, "{name} is never {expected}: {now:#}");
    now
}

/// Waits until the camera is read from the node of that number.
fn wait_node(camfeed: &Camfeed, name: &str, number: u32) {
    let source = format!("/dev/video{number}");
    let mut now = Value::Null;
    let is_so = eventually(SOON, || {
        now = camera(camfeed.address, name);
        now["state"] == "online" && now["source"] == source.as_str()
    });
    assert!(is_so, "{name} is never at {source}: {now:#}");
}

/// Waits until these are the cameras.
fn wait_names(camfeed: &Camfeed, expected: &[&str]) {
    let mut now = Vec::new();
    let are_so = eventually(SOON, || {
        now = names(camfeed.address);
        now == expected
    });
    assert!(are_so, "never {expected:?}: {now:?}");
}

/// The width of a picture that a fake camera took; `None` of a placeholder and of the test pattern.
fn width(jpeg: &[u8]) -> Option<i32> {
    let (_, own) = unmarked(jpeg)?;
    let bytes = Mat::from_slice(&own).expect("bytes");
    let mat = imgcodecs::imdecode(&bytes, imgcodecs::IMREAD_COLOR).expect("a JPEG");
    Some(mat.cols())
}

#[test]
fn every_camera_is_found_and_has_the_name_of_its_model() {
    let fake = FakeCamera::new(FOUR);
    let modules = CameraModule::new("camera=/base/soc/i2c0mux/i2c@1/imx708@1a");
    let camfeed = modules.serve_beside(&fake, &ALL);
    // Libcamera is not waited for where there are others.
    wait_names(
        &camfeed,
        &["c920-8a3f", "c920-11af", "brio", "usb-camera", "imx708"],
    );
    for (name, width) in [
        ("c920-8a3f", 1280),
        ("c920-11af", 640),
        ("brio", 320),
        ("usb-camera", 160),
        ("imx708", 1280),
    ] {
        let now = wait_state(&camfeed, name, "online");
        assert_eq!(now["width"], width, "{name}");
        let snapshot = get(camfeed.address, &format!("/{name}/snapshot.jpg"));
        assert_eq!(snapshot.status, 200, "{name}: {}", snapshot.text());
    }
    assert_eq!(
        camera(camfeed.address, "c920-8a3f")["stable"],
        "/dev/v4l/by-id/usb-Fake_Camera_8B1D8A3F-video-index0"
    );
    let unknown = get(camfeed.address, "/c920/stream");
    assert_eq!(unknown.status, 404);
    assert!(unknown.text().contains("c920-8a3f"), "{}", unknown.text());
}

#[test]
fn a_camera_that_may_not_be_opened_is_one_all_the_same_with_its_reason() {
    let fake = FakeCamera::new(
        "camera 0\nname Logitech BRIO\nforbidden yes\nmetadata_node yes\n\
         camera 1\nnode 2\nname StreamCam\nbusy open\n\
         camera 2\nnode 4\nname Kiyo\n",
    );
    let camfeed = fake.serve(&ALL);
    assert_eq!(names(camfeed.address), ["brio", "streamcam", "kiyo"]);
    for (name, words) in [
        ("brio", "permission denied"),
        ("streamcam", "another program"),
    ] {
        let now = wait_state(&camfeed, name, "offline");
        let reason = now["reason"].as_str().expect("a reason");
        assert!(reason.contains(words), "{name}: {reason}");
    }
    wait_state(&camfeed, "kiyo", "online");
    fake.set("camera 0\nname Logitech BRIO\nmetadata_node yes\ncamera 1\nnode 2\nname StreamCam\n");
    for name in ["brio", "streamcam"] {
        wait_state(&camfeed, name, "online");
    }
    assert_eq!(names(camfeed.address), ["brio", "streamcam", "kiyo"]);
}

#[test]
fn a_camera_that_does_not_answer_holds_up_no_other() {
    let fake = FakeCamera::new(
        "camera 0\nname Logitech BRIO\nopen_ms 3600000\ncamera 1\nnode 2\nname Kiyo\n",
    );
    let modules = CameraModule::new("list_ms=3600000");
    let camfeed = modules.serve_beside(&fake, &ALL);
    assert_eq!(names(camfeed.address), ["kiyo"]);
    wait_state(&camfeed, "kiyo", "online");
    // Nor one that comes.
    fake.set(
        "camera 0\nname Logitech BRIO\nopen_ms 3600000\ncamera 1\nnode 2\nname Kiyo\n\
         camera 2\nnode 4\nname StreamCam\n",
    );
    wait_names(&camfeed, &["kiyo", "streamcam"]);
    wait_state(&camfeed, "streamcam", "online");
}

#[test]
fn without_reports_of_nodes_a_camera_that_comes_is_found_by_looking() {
    let fake = FakeCamera::new("name Kiyo\n");
    let camfeed = fake.serve_without_inotify(&ALL);
    wait_state(&camfeed, "kiyo", "online");
    fake.set("name Kiyo\nplugged no\ncamera 1\nnode 2\nname StreamCam\n");
    wait_names(&camfeed, &["kiyo", "streamcam"]);
    wait_state(&camfeed, "streamcam", "online");
    fake.set("name Kiyo\nnode 5\ncamera 1\nnode 2\nname StreamCam\n");
    wait_node(&camfeed, "kiyo", 5);
}

/// Who watches a camera while others come and go.
struct Viewer {
    name: String,
    stop: Arc<AtomicBool>,
    /// Pictures of a camera that it got, by their width.
    got: Arc<Mutex<BTreeMap<i32, usize>>>,
    thread: JoinHandle<()>,
}

impl Viewer {
    fn start(camfeed: &Camfeed, name: &str) -> Viewer {
        let mut parts = Parts::open(camfeed.address, &format!("/{name}/stream"));
        let stop = Arc::<AtomicBool>::default();
        let got = Arc::<Mutex<BTreeMap<i32, usize>>>::default();
        let (is_over, seen) = (Arc::clone(&stop), Arc::clone(&got));
        let thread = thread::spawn(move || {
            let mut last = 0;
            while !is_over.load(Ordering::Relaxed) {
                let part = parts.next_part();
                // The last one is sent again where nothing newer comes.
                assert!(part.sequence >= last, "{} after {last}", part.sequence);
                last = part.sequence;
                if let Some(width) = width(&part.jpeg) {
                    let mut seen = seen.lock().expect("no panic");
                    *seen.entry(width).or_default() += 1;
                }
            }
        });
        Viewer {
            name: name.to_owned(),
            stop,
            got,
            thread,
        }
    }

    /// Pictures so far.
    fn count(&self) -> usize {
        self.got.lock().expect("no panic").values().sum()
    }

    /// Ends it; it has seen pictures of this width and of no other.
    fn end(self, expected: i32) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("its connection never ended");
        let got = self.got.lock().expect("no panic");
        let widths: Vec<_> = got.keys().copied().collect();
        assert_eq!(widths, [expected], "{}: {got:?}", self.name);
    }
}

#[test]
fn cameras_come_and_go_and_no_name_is_ever_another_devices() {
    // Each has a width of its own.
    let a = "name HD Pro Webcam C920\nserial 8B1D8A3F\nsizes 1280x720\nformat mjpg\n";
    let b = "name HD Pro Webcam C920\nserial 8B1D11AF\nsizes 640x480\nformat mjpg\n";
    let c = "name Logitech BRIO\nsizes 320x240\nformat mjpg\n";
    let d = "name HD Pro Webcam C920\nserial 5555AAAA\nsizes 160x120\nformat mjpg\n";
    let set = |fake: &FakeCamera, cameras: &[(u32, &str)]| {
        let each = cameras.iter().enumerate();
        let each = each.map(|(number, (node, said))| match said.is_empty() {
            true => format!("camera {number}\nplugged no\n"),
            false => format!("camera {number}\nnode {node}\n{said}"),
        });
        fake.set(&each.collect::<String>());
    };
    let fake = FakeCamera::new("plugged no\n");
    set(&fake, &[(0, a), (2, b), (4, c)]);
    let camfeed = fake.serve(&ALL);
    let at_first = ["c920-8a3f", "c920-11af", "brio"];
    assert_eq!(names(camfeed.address), at_first);
    for name in at_first {
        wait_state(&camfeed, name, "online");
    }
    let watched = ["c920-8a3f", "c920-11af", "brio"]
        .into_iter()
        .cycle()
        .take(9);
    let mut viewers: Vec<_> = watched.map(|name| Viewer::start(&camfeed, name)).collect();
    let is_gone = |name: &str| {
        let now = wait_state(&camfeed, name, "offline");
        let reason = now["reason"].as_str().expect("a reason").to_owned();
        assert!(
            reason.contains("unplugged") || reason.contains("plugged in"),
            "{reason}"
        );
    };
    for _ in 0..3 {
        // The first is pulled out, and the second gets its number.
        set(&fake, &[(0, ""), (0, b), (4, c)]);
        is_gone("c920-8a3f");
        wait_node(&camfeed, "c920-11af", 0);
        // The first comes back under the number that the second had.
        set(&fake, &[(2, a), (0, b), (4, c)]);
        wait_node(&camfeed, "c920-8a3f", 2);
        // Another one of the model is plugged in where the first was, under its number.
        let other = format!("{d}port 1\n");
        set(&fake, &[(0, ""), (0, b), (4, c), (2, &other)]);
        is_gone("c920-8a3f");
        wait_names(&camfeed, &["c920-8a3f", "c920-11af", "brio", "c920-aaaa"]);
        assert_eq!(wait_state(&camfeed, "c920-aaaa", "online")["width"], 160);
        assert_eq!(camera(camfeed.address, "c920-8a3f")["state"], "offline");
        if viewers.len() == 9 {
            viewers.push(Viewer::start(&camfeed, "c920-aaaa"));
        }
        // And all change their numbers and their ports at once.
        let (a, b) = (format!("{a}port 2\n"), format!("{b}port 1\n"));
        set(&fake, &[(4, &a), (2, &b), (0, c), (6, d)]);
        for (name, node) in [
            ("c920-8a3f", 4),
            ("c920-11af", 2),
            ("brio", 0),
            ("c920-aaaa", 6),
        ] {
            wait_node(&camfeed, name, node);
        }
        let before: Vec<_> = viewers.iter().map(Viewer::count).collect();
        let go_on = eventually(SOON, || {
            let mut viewers = viewers.iter().zip(&before);
            viewers.all(|(viewer, before)| viewer.count() > *before)
        });
        assert!(go_on, "a viewer gets no pictures any more");
    }
    let first = get(camfeed.address, "/snapshot.jpg");
    assert_eq!(
        width(&first.body),
        Some(1280),
        "the first is still the first"
    );
    for viewer in viewers {
        let width = match viewer.name.as_str() {
            "c920-8a3f" => 1280,
            "c920-11af" => 640,
            "brio" => 320,
            _ => 160,
        };
        viewer.end(width);
    }
}

#[test]
fn the_test_pattern_stands_in_until_the_first_camera_comes_and_its_viewers_stay() {
    let fake = FakeCamera::new("plugged no\n");
    let camfeed = fake.serve(&ALL);
    camfeed.wait_log("no camera found: showing the built-in test pattern");
    assert_eq!(names(camfeed.address), ["test"]);
    assert_eq!(get(camfeed.address, "/test/snapshot.jpg").status, 200);
    let now = wait_state(&camfeed, "test", "online");
    assert_eq!(
        (&now["fallback"], &now["source"]),
        (&true.into(), &"test pattern".into())
    );
    let mut all = Parts::open(camfeed.address, "/streams");
    let mut parts = Parts::open(camfeed.address, "/stream");
    let pattern = parts.next_part();
    assert_eq!(width(&pattern.jpeg), None, "the test pattern");
    fake.set("name Kiyo\nformat mjpg\n");
    // From the moment the camera is there no picture of the pattern is told as one of it.
    wait_names(&camfeed, &["kiyo"]);
    let snapshot = get(camfeed.address, "/snapshot.jpg");
    assert_eq!(snapshot.status, 200, "{}", snapshot.text());
    assert_eq!(width(&snapshot.body), Some(640));
    let deadline = Instant::now() + SOON;
    let mut last = pattern.sequence;
    loop {
        let part = parts.next_part();
        assert!(part.sequence >= last, "{} after {last}", part.sequence);
        last = part.sequence;
        if width(&part.jpeg).is_some() {
            break;
        }
        assert!(
            Instant::now() < deadline,
            "the viewer never sees the camera"
        );
    }
    for _ in 0..30 {
        let part = parts.next_part();
        assert!(
            part.sequence >= last && width(&part.jpeg).is_some(),
            "it was the camera before"
        );
        last = part.sequence;
    }
    assert_eq!(get(camfeed.address, "/test/snapshot.jpg").status, 404);
    let is_named = eventually(SOON, || all.next_part().head.contains("X-Camera: kiyo\r\n"));
    assert!(is_named, "all cameras in one stream");
    let state: Value = serde_json::from_slice(&get(camfeed.address, "/state").body).expect("JSON");
    assert_eq!(state["cameras"][0]["stream"]["viewers"], 2, "{state:#}");
    for viewer in 0..2 {
        assert_eq!(state["viewers"][viewer]["cameras"][0], "kiyo", "{state:#}");
    }
    assert_eq!(names(camfeed.address), ["kiyo"]);
    // Once there was a camera, nothing stands in for it.
    fake.set("name Kiyo\nplugged no\n");
    wait_state(&camfeed, "kiyo", "offline");
    let is_told = || get(camfeed.address, "/snapshot.jpg?fresh=1").status == 503;
    assert!(eventually(SOON, is_told), "another picture than its own");
}

#[test]
fn a_test_pattern_that_rests_makes_room_as_well() {
    let fake = FakeCamera::new("plugged no\n");
    let camfeed = fake.serve(&["--source", "all", "--idle-timeout", "1"]);
    wait_state(&camfeed, "test", "idle");
    fake.set("name Kiyo\nformat mjpg\n");
    wait_names(&camfeed, &["kiyo"]);
    let snapshot = get(camfeed.address, "/snapshot.jpg");
    assert_eq!(snapshot.status, 200, "{}", snapshot.text());
    assert_eq!(width(&snapshot.body), Some(640));
}

#[test]
fn a_camera_module_that_is_found_late_takes_the_place_of_the_test_pattern() {
    let modules = CameraModule::new("list_ms=6000 camera=/base/soc/i2c0mux/i2c@1/imx708@1a");
    let camfeed = modules.serve(&ALL);
    assert_eq!(names(camfeed.address), ["test"]);
    let hint = wait_state(&camfeed, "test", "online")["hint"].take();
    assert!(
        hint.as_str().is_some_and(|hint| hint.contains("imx219")),
        "{hint}"
    );
    wait_names(&camfeed, &["imx708"]);
    wait_state(&camfeed, "imx708", "online");
}

#[test]
fn two_camera_modules_of_one_sensor_are_told_by_their_connectors() {
    let modules = CameraModule::new(
        "camera=/base/axi/pcie@1000120000/rp1/i2c@88000/imx708@1a \
         camera=/base/axi/pcie@1000120000/rp1/i2c@80000/imx708@1a",
    );
    let camfeed = modules.serve(&ALL);
    wait_names(&camfeed, &["imx708-i2c88000", "imx708-i2c80000"]);
    for name in ["imx708-i2c88000", "imx708-i2c80000"] {
        wait_state(&camfeed, name, "online");
    }
}

#[test]
fn lists_and_checks_name_the_cameras_as_they_are_served() {
    let fake = FakeCamera::new("name Logitech BRIO\ncamera 1\nnode 2\nname Kiyo\nfault hang\n");
    let listed = fake.run(&["--list"]);
    let listed = String::from_utf8(listed.stdout).expect("UTF-8");
    for (name, path) in [("brio", "/dev/video0"), ("kiyo", "/dev/video2")] {
        let camera = listed.split(path).nth(1).expect(path);
        let line = camera.lines().nth(1).expect("a second line");
        assert_eq!(line, format!("    name         {name} (of `--source all`)"));
    }
    let checked = fake.run(&["--source", "all", "--check", "--camera-timeout", "2"]);
    assert_eq!(checked.status.code(), Some(6), "one of them hangs");
    let checked = String::from_utf8(checked.stdout).expect("UTF-8");
    let order = ["brio", "measured", "kiyo", "gives no picture"].map(|word| checked.find(word));
    assert!(
        order.is_sorted() && order.iter().all(Option::is_some),
        "{order:?}\n{checked}"
    );
    fake.set("plugged no\n");
    let none = fake.run(&["--source", "all", "--check"]);
    assert_eq!(none.status.code(), Some(3));
}

#[test]
fn a_camera_that_rests_and_is_unplugged_is_not_well_until_it_is_back() {
    let (kiyo, brio) = (
        "name Kiyo\nformat mjpg\n",
        "name Logitech BRIO\nformat mjpg\n",
    );
    let fake = FakeCamera::new(&format!("{kiyo}camera 1\nnode 2\n{brio}"));
    let camfeed = fake.serve(&[&ALL[..], &["--idle-timeout", "1"]].concat());
    for name in ["kiyo", "brio"] {
        wait_state(&camfeed, name, "idle");
    }
    assert_eq!(get(camfeed.address, "/healthz").status, 200);
    fake.set(&format!("{kiyo}camera 1\nplugged no\n"));
    let now = wait_state(&camfeed, "brio", "offline");
    assert!(
        now["reason"]
            .as_str()
            .expect("a reason")
            .contains("plugged in"),
        "{now:#}"
    );
    let health = get(camfeed.address, "/healthz");
    assert_eq!(health.status, 503, "{}", health.text());
    assert_eq!(camera(camfeed.address, "kiyo")["state"], "idle");
    // It is looked at when it comes, and rests again.
    fake.set(&format!("{kiyo}camera 1\nnode 4\n{brio}"));
    wait_state(&camfeed, "brio", "idle");
    assert_eq!(get(camfeed.address, "/healthz").status, 200);
}

#[test]
fn two_names_of_a_device_that_comes_later_are_told_of_each_other() {
    let fake = FakeCamera::new("plugged no\n");
    let stable = "b=/dev/v4l/by-id/usb-Fake_Camera_8B1D8A3F-video-index0";
    let camfeed = fake.serve(&["--camera", "a=/dev/video0", "--camera", stable]);
    for name in ["a", "b"] {
        wait_state(&camfeed, name, "offline");
    }
    fake.set("name Kiyo\nserial 8B1D8A3F\nformat mjpg\n");
    let mut now = Value::Null;
    let is_told = eventually(SOON, || {
        let both = ["a", "b"].map(|name| camera(camfeed.address, name));
        let is_online = |now: &Value| now["state"] == "online";
        let Some(at) = both.iter().position(|now| !is_online(now)) else {
            return false;
        };
        now = both[at].clone();
        let reason = now["reason"].as_str().unwrap_or_default();
        let other = ["`b`", "`a`"][at];
        is_online(&both[1 - at])
            && reason.contains(&format!("the camera {other} has it: "))
            && reason.contains("have one device")
    });
    assert!(is_told, "{now:#}");
}
