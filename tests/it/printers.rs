//! The pages and servers of 3D printers, by the rules in their sources: OctoPrint, Mainsail, Fluidd.
//!
//! The readers of Mainsail and Fluidd run in a real browser, in a page of another origin as theirs is.

use crate::{
    browser::Browser,
    camfeed::{Camfeed, Folder, SMALL, film},
    http::get,
    manual::{block_for, blocks, with_address},
    pages::serve,
};
use serde_json::json;
use std::{net::TcpListener, thread};

/// A page of another origin, which this is.
fn printer() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let origin = format!("http://{}", listener.local_addr().expect("bound"));
    let page = "<!doctype html><title>printer</title><img id=picture>";
    thread::spawn(move || serve(&listener, page));
    origin
}

/// A browser that shows it.
fn open(printer: &str) -> Browser {
    let mut browser = Browser::open(printer);
    browser.wait("document.title === 'printer' && document.readyState === 'complete'");
    browser
}

/// Mainsail (04433fc, components/webcams/streamers/Mjpegstreamer.vue; a worker since 568dbd9): fetches the stream with a time
/// behind its address; all before an FFD8 is a head, whose Content-Length says how many bytes
/// follow; the byte after these has the frame painted.
const MAINSAIL: &str = "async (address, count) => {
    const url = new URL(address);
    url.searchParams.append('timestamp', Date.now().toString());
    const answer = await fetch(url, {mode: 'cors'});
    if (!answer.ok || !answer.body) throw new Error(`answer ${answer.status}`);
    const lengthIn = head => head.split('\\n').map(line => line.split(':'))
        .filter(([name]) => name.toLowerCase() === 'content-length').map(([, value]) => +value).pop();
    const reader = answer.body.getReader();
    const frames = [];
    let [head, length, frame, filled] = ['', -1, null, 0];
    while (frames.length < count) {
        const {done, value} = await reader.read();
        if (done) throw new Error('the stream ended');
        for (let at = 0; at < value.length; at++) {
            if (value[at] === 0xff && value[at + 1] === 0xd8) {
                length = lengthIn(head) ?? -1;
                frame = new Uint8Array(length);
            }
            if (length <= 0) {
                head += String.fromCharCode(value[at]);
            } else if (filled < length) {
                frame[filled++] = value[at];
            } else {
                const taken = /X-Timestamp: ([0-9.]+)/.exec(head)[1];
                const age = Date.now() / 1000 - taken;
                frames.push({age, blob: new Blob([frame], {type: 'image/jpeg'})});
                [head, length, filled] = ['', 0, 0];
            }
        }
    }
    await reader.cancel();
    return Promise.all(frames.map(async ({age, blob}) => {
        const {width, height} = await createImageBitmap(blob);
        return {age, size: `${width}x${height}`};
    }));
}";

/// Mainsail's and Fluidd's adaptive modes (2b36160 and 07e94a5, MjpegstreamerAdaptive.vue and
/// MjpegstreamerAdaptiveCamera.vue): the next snapshot is asked for when the last one is
/// shown, ten a second at most, with a time behind its address. Fluidd's has `crossorigin`, with
/// which the picture is refused or can be read, and does nothing more after an error.
const ADAPTIVE: &str = "async (address, parameter, count) => {
    const picture = document.getElementById('picture');
    const sizes = [];
    while (sizes.length < count) {
        const begun = performance.now();
        const url = new URL(address);
        url.searchParams.set(parameter, Date.now().toString());
        await new Promise((shown, failed) => {
            picture.onload = shown;
            picture.onerror = () => failed(new Error('not shown'));
            picture.crossOrigin = 'anonymous';
            picture.src = url;
        });
        const canvas = document.createElement('canvas').getContext('2d');
        canvas.drawImage(picture, 0, 0);
        canvas.getImageData(0, 0, 1, 1);
        sizes.push(`${picture.naturalWidth}x${picture.naturalHeight}`);
        const rest = Math.max(0, 100 - (performance.now() - begun));
        await new Promise(over => setTimeout(over, rest));
    }
    return sizes;
}";

fn allowing(printer: &str, source: &str) -> Camfeed {
    Camfeed::online(&["--source", source, "--allow-origin", printer])
}

#[test]
fn mainsail_paints_each_frame_when_it_comes() {
    let printer = printer();
    let folder = Folder::new();
    let path = folder.file("clip.avi");
    film(&path, "mjpeg", "320x240", 20, 5);
    let mut browser = open(&printer);
    for source in ["test:1280x720@30", &path, "test:320x240@2"] {
        let camfeed = allowing(&printer, source);
        let url = json!(camfeed.url("/?action=stream"));
        let frames = browser.eval(&format!("({MAINSAIL})({url}, 8)"));
        let frames = frames.as_array().expect("frames");
        let expected = if source.contains("1280") {
            "1280x720"
        } else {
            "320x240"
        };
        assert!(
            frames.iter().all(|frame| frame["size"] == expected),
            "{source}: {frames:?}"
        );
        let ages = frames.iter().map(|frame| frame["age"].as_f64().unwrap());
        let mut ages: Vec<_> = ages.collect();
        ages.sort_by(f64::total_cmp);
        // The middle one. One that waited for the next would be half a second old at the last.
        assert!(ages[4] < 0.3, "{source}: {ages:?}");
    }
}

#[test]
fn mainsail_and_fluidd_poll_snapshots() {
    let printer = printer();
    let camfeed = allowing(&printer, SMALL);
    let mut browser = open(&printer);
    for parameter in ["bypassCache", "cacheBust"] {
        let url = json!(camfeed.url("/?action=snapshot"));
        let sizes = browser.eval(&format!("({ADAPTIVE})({url}, '{parameter}', 10)"));
        assert_eq!(sizes, json!(vec!["320x240"; 10]), "{parameter}");
    }
}

#[test]
fn fluidd_polls_on_while_the_camera_is_gone() {
    let printer = printer();
    let folder = Folder::new();
    let path = folder.file("clip.avi");
    let origin = ["--allow-origin", &printer];
    let camfeed =
        Camfeed::start(&[&["--source", &path, "--size", "640x480"][..], &origin].concat());
    camfeed.wait_log("cannot open");
    let mut browser = open(&printer);
    let url = json!(camfeed.url("/?action=snapshot"));
    let placeholders = browser.eval(&format!("({ADAPTIVE})({url}, 'cacheBust', 2)"));
    assert_eq!(placeholders, json!(["640x480", "640x480"]));
    film(&path, "mjpeg", "320x240", 20, 5);
    camfeed.wait_log("camera online");
    let pictures = browser.eval(&format!("({ADAPTIVE})({url}, 'cacheBust', 2)"));
    assert_eq!(pictures, json!(["320x240", "320x240"]));
}

#[test]
fn fluidd_shows_the_stream_in_an_image() {
    let printer = printer();
    let camfeed = allowing(&printer, SMALL);
    let mut browser = open(&printer);
    let url = camfeed.url("/?action=stream&cacheBust=1700000000000");
    browser.eval(&format!(
        "const picture = document.getElementById('picture'); picture.crossOrigin = 'anonymous'; \
         picture.src = '{url}'"
    ));
    browser.wait("document.getElementById('picture').naturalWidth === 320");
    browser.eval("document.getElementById('picture').src = ''");
    camfeed.wait_log("viewer left");
}

#[test]
fn a_page_of_another_origin_reads_nothing_unless_it_may() {
    let printer = printer();
    let camfeed = Camfeed::online(&["--source", SMALL]);
    let mut browser = open(&printer);
    let url = json!(camfeed.url("/?action=stream"));
    let failure = format!("({MAINSAIL})({url}, 1).then(() => 'read', error => error.name)");
    assert_eq!(browser.eval(&failure), "TypeError");
}

/// OctoPrint 1.11, plugins/classicwebcam: the browser's image may have a time behind its address,
/// without a name; the server's snapshot is a plain GET whose status must be no error.
#[test]
fn octoprint_takes_what_the_readme_tells_it() {
    let camfeed = Camfeed::online(&["--source", SMALL]);
    let config = block_for(&camfeed, "OctoPrint", "yaml");
    let url = |key: &str| {
        let line = config
            .lines()
            .find_map(|line| line.trim().strip_prefix(key));
        let (_, path) = line.expect(key).rsplit_once('/').expect("an address");
        format!("/{path}")
    };
    let snapshot = get(camfeed.address, &url("snapshot: "));
    assert_eq!(snapshot.status, 200);
    assert!(snapshot.body.ends_with(&[0xff, 0xd9]));
    let mut browser = open(&printer());
    let stream = camfeed.url(&format!("{}&1700000000000", url("stream: ")));
    browser.eval(&format!(
        "document.getElementById('picture').src = '{stream}'"
    ));
    browser.wait("document.getElementById('picture').naturalWidth === 320");
}

/// Two cameras, of which the second is [`SMALL`].
fn garden_and_shed(more: &[&str]) -> Camfeed {
    let second = format!("shed={SMALL}");
    let cameras = ["--camera", "garden=test:640x480@30", "--camera", &second];
    let camfeed = Camfeed::start(&[&cameras, more].concat());
    camfeed.wait_logs("camera online", 2);
    camfeed
}

#[test]
fn mainsail_and_fluidd_show_a_second_camera() {
    let printer = printer();
    let camfeed = garden_and_shed(&["--allow-origin", &printer]);
    let mut browser = open(&printer);
    for stream in ["/shed/?action=stream", "/?action=stream_1"] {
        let snapshot = stream.replace("stream", "snapshot");
        let url = json!(camfeed.url(stream));
        let frames = browser.eval(&format!("({MAINSAIL})({url}, 3)"));
        let frames = frames.as_array().expect("frames");
        assert!(
            frames.iter().all(|frame| frame["size"] == "320x240"),
            "{stream}: {frames:?}"
        );
        for parameter in ["bypassCache", "cacheBust"] {
            let url = json!(camfeed.url(&snapshot));
            let sizes = browser.eval(&format!("({ADAPTIVE})({url}, '{parameter}', 3)"));
            assert_eq!(sizes, json!(vec!["320x240"; 3]), "{snapshot} {parameter}");
        }
    }
}

/// MultiCam for OctoPrint (08d9903, octoprint_multicam/__init__.py): profiles with these keys, of which each
/// becomes a webcam; a picture is a plain GET whose status must be no error, the stream an image whose address
/// may have a time behind it.
#[test]
fn multicam_takes_what_the_readme_tells_it() {
    let camfeed = garden_and_shed(&[]);
    let blocks = blocks("OctoPrint", "yaml");
    let config = with_address(&camfeed, &blocks[1]);
    let known = "name URL snapshot streamRatio flipH flipV rotate90 isButtonEnabled";
    let mut browser = open(&printer());
    let profiles: Vec<_> = config.split("    - ").skip(1).collect();
    assert_eq!(profiles.len(), 2, "{config}");
    for (profile, width) in profiles.into_iter().zip([640, 320]) {
        let pairs = profile
            .lines()
            .filter_map(|line| line.trim().split_once(": "));
        let pairs: Vec<_> = pairs.collect();
        let keys: Vec<_> = pairs.iter().map(|(key, _)| *key).collect();
        assert_eq!(keys.join(" "), known);
        let value = |name: &str| pairs.iter().find(|(key, _)| *key == name).expect("a key").1;
        let path = value("snapshot").split(&camfeed.address.to_string()).nth(1);
        let snapshot = get(camfeed.address, path.expect("an address"));
        assert_eq!(snapshot.status, 200);
        assert!(snapshot.body.ends_with(&[0xff, 0xd9]));
        let stream = format!("{}&1700000000000", value("URL"));
        browser.eval(&format!(
            "document.getElementById('picture').src = '{stream}'"
        ));
        browser.wait(&format!(
            "document.getElementById('picture').naturalWidth === {width}"
        ));
    }
}

/// Moonraker hands on what stands there; the names are those its configuration reference has.
#[test]
fn moonraker_knows_every_key() {
    let known = [
        "location",
        "service",
        "target_fps",
        "target_fps_idle",
        "stream_url",
        "snapshot_url",
    ];
    let sections = blocks("Mainsail and Fluidd", "ini");
    assert_eq!(sections.len(), 2, "one for a second camera");
    for section in sections {
        assert!(section.starts_with("[webcam "), "{section}");
        for line in section.lines().skip(1) {
            let key = line.split_once(": ").map(|(key, _)| key);
            assert!(key.is_some_and(|key| known.contains(&key)), "{line}");
        }
    }
}
