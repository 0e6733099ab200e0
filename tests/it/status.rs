//! `/state`, `/healthz`, the answers to what does not exist, and what holds for short answers of any address.

use crate::{
    camfeed::{Camfeed, Folder, SMALL, SOON, eventually, run},
    http::{Parts, ask, get},
};
use serde_json::Value;
use std::{fs, net::SocketAddr};

/// `/state`, parsed.
pub fn state(address: SocketAddr) -> Value {
    serde_json::from_slice(&get(address, "/state").body).expect("JSON")
}

#[test]
fn state_has_every_promised_field() {
    let camfeed = Camfeed::online(&["--source", SMALL, "--max-viewers", "7", "--quality", "70"]);
    let mut parts = Parts::open(camfeed.address, "/stream");
    // The eleventh is written after the tenth was counted.
    for _ in 0..11 {
        parts.next_part();
    }
    let state = state(camfeed.address);
    let fields = [
        ("/version", ""),
        ("/uptime_s", ""),
        ("/access", "password"),
        (
            "/camera",
            "state source backend format width height \
          fps captured skipped reopened reason",
        ),
        (
            "/encoder",
            "workers quality pass_through encoded late encode_ms",
        ),
        ("/stream", "viewers max_viewers sequence age_ms bytes_sent"),
        ("/viewers/0", "id peer since_s fps sent missed bytes"),
    ];
    for (parent, children) in fields {
        let parent = state
            .pointer(parent)
            .unwrap_or_else(|| panic!("no {parent} in {state:#}"));
        for child in children.split_whitespace() {
            assert!(parent.get(child).is_some(), "no {child} in {parent}");
        }
    }
    assert_eq!(state["access"]["password"], false);
    assert_eq!(state["camera"]["state"], "online");
    assert_eq!(state["camera"]["width"], 320);
    assert_eq!(state["encoder"]["quality"], 70);
    assert_eq!(state["stream"]["max_viewers"], 7);
    assert_eq!(state["stream"]["viewers"], 1);
    assert!(state["viewers"][0]["sent"].as_u64().unwrap() >= 10);
    assert!(state["stream"]["age_ms"].as_f64().unwrap() < 1000.0);
}

#[test]
fn a_camera_is_called_by_its_option_else_its_instance_else_its_host() {
    let host = String::from_utf8(run("uname", &["-n"]).stdout).unwrap();
    let folder = Folder::new();
    let path = folder.file("garden.conf");
    let instance: &[(&str, &str)] = &[("CAMFEED_NAME", "garden")];
    for (options, environment, name, title) in [
        ("", &[][..], host.trim(), host.trim()),
        ("", &[("CAMFEED_NAME", "")], host.trim(), host.trim()),
        ("", instance, "garden", "garden"),
        (
            "--name Front & back",
            instance,
            "Front & back",
            "Front &amp; back",
        ),
    ] {
        fs::write(&path, format!("--source {SMALL}\n{options}\n")).unwrap();
        let args = ["--config", path.as_str()];
        let camfeed = Camfeed::start_with("127.0.0.1:0", &args, environment);
        assert_eq!(state(camfeed.address)["name"], name);
        // Also without a script.
        let page = get(camfeed.address, "/").text();
        assert!(page.contains(&format!("<title>{title}</title>")), "{page}");
    }
}

#[test]
fn state_names_the_addresses_that_other_machines_open() {
    let addresses = |address: SocketAddr| -> Vec<SocketAddr> {
        let state = state(address);
        let texts = state["access"]["addresses"].as_array().expect("a list");
        let texts = texts.iter().map(|text| text.as_str().expect("a text"));
        texts.map(|text| text.parse().expect("host:port")).collect()
    };
    for (listen, serves_v6) in [("0.0.0.0:0", false), ("[::]:0", true)] {
        let camfeed = Camfeed::start_at(listen, &["--source", SMALL]);
        let found = addresses(camfeed.address);
        assert!(found.len() <= 4, "{found:?}");
        assert!(
            serves_v6 || found.iter().all(SocketAddr::is_ipv4),
            "{found:?}"
        );
        for address in &found {
            assert!(!address.ip().is_loopback(), "{address}");
            assert_eq!(address.port(), camfeed.address.port());
            // It is this very server.
            let there = get(*address, "/state");
            assert_eq!(there.status, 200, "{address}");
        }
        // The best of them is in the log, too.
        camfeed.wait_log("camera online");
        let said = camfeed.log();
        match found.first() {
            Some(best) => assert!(
                said.contains(&format!("machines: http://{best}/")),
                "{said}"
            ),
            None => assert!(!said.contains("on other machines"), "{said}"),
        }
    }
    let inner = Camfeed::start(&["--source", SMALL]);
    assert_eq!(addresses(inner.address), []);
}

#[test]
fn nothing_is_encoded_while_nobody_watches() {
    let camfeed = Camfeed::online(&["--source", SMALL]);
    let captured = |state: &Value| state["camera"]["captured"].as_u64().unwrap();
    assert!(eventually(SOON, || captured(&state(camfeed.address)) > 30));
    let state = state(camfeed.address);
    assert_eq!(state["encoder"]["encoded"], 0);
    assert!(
        state["stream"]["age_ms"].as_f64().unwrap() < 1000.0,
        "still read: {state:#}"
    );
}

#[test]
fn healthz_tells_a_picture_from_none() {
    let well = Camfeed::online(&["--source", SMALL]);
    assert!(eventually(SOON, || get(well.address, "/healthz").status == 200));
    assert_eq!(get(well.address, "/healthz").text().lines().count(), 1);
    let ill = Camfeed::start(&["--source", "/none/such.avi"]);
    ill.wait_log("cannot open");
    let answer = get(ill.address, "/healthz");
    assert_eq!(answer.status, 503);
    assert!(answer.text().contains("no such file"), "{}", answer.text());
}

#[test]
fn only_a_camera_that_is_not_there_is_gone() {
    let folder = Folder::new();
    let (sound, none) = (folder.file("sound.wav"), folder.file("none.avi"));
    fs::write(&sound, "no film").unwrap();
    for (source, is_gone) in [
        (none.as_str(), true),
        ("/dev/video254", true),
        (&sound, false),
        ("http://127.0.0.1:1/stream", false),
        ("rtsp://127.0.0.1:1/stream", false),
    ] {
        let camfeed = Camfeed::start(&["--source", source]);
        camfeed.wait_log("cannot open");
        let camera = state(camfeed.address)["camera"].take();
        assert_eq!(camera["state"], "offline", "{camera:#}");
        assert_eq!(camera["gone"], is_gone, "{camera:#}");
    }
    let camfeed = Camfeed::online(&["--source", SMALL]);
    assert_eq!(state(camfeed.address)["camera"]["gone"], false);
}

#[test]
fn a_slow_source_is_healthy_from_its_first_picture_on() {
    let camfeed = Camfeed::online(&["--source", "test:320x240@0.5"]);
    // Until the second picture, which is the first that counts.
    while state(camfeed.address)["camera"]["captured"] == 0 {
        let health = get(camfeed.address, "/healthz");
        assert_eq!(health.status, 200, "{}", health.text());
        assert_eq!(state(camfeed.address)["camera"]["healthy"], true);
    }
    assert_eq!(get(camfeed.address, "/healthz").status, 200);
}

#[test]
fn what_does_not_exist_is_404_and_other_methods_are_405() {
    let camfeed = Camfeed::online(&["--source", SMALL]);
    for path in [
        "/none",
        "/static/",
        "/static/../Cargo.toml",
        "/%2e%2e/etc/passwd",
    ] {
        let answer = get(camfeed.address, path);
        assert_eq!(answer.status, 404, "{path}");
        assert!(answer.body.len() < 200);
    }
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "BREW"] {
        let answer = ask(camfeed.address, method, "/stream");
        assert_eq!(answer.status, 405, "{method}");
        assert_eq!(answer.header("Allow"), Some("GET, HEAD"));
    }
}

#[test]
fn head_is_answered_without_a_body_everywhere() {
    let camfeed = Camfeed::online(&["--source", SMALL]);
    for path in [
        "/",
        "/state",
        "/healthz",
        "/snapshot.jpg",
        "/stream",
        "/none",
    ] {
        let answer = ask(camfeed.address, "HEAD", path);
        assert!(answer.body.is_empty(), "{path}");
        assert_eq!(
            answer.header("Content-Length").is_some(),
            path != "/stream",
            "{path}"
        );
    }
}

#[test]
fn other_origins_read_the_feed_only_when_allowed() {
    let header = "Access-Control-Allow-Origin";
    let closed = Camfeed::online(&["--source", SMALL]);
    assert_eq!(get(closed.address, "/state").header(header), None);
    let open = Camfeed::online(&["--source", SMALL, "--allow-origin", "http://mainsail.local"]);
    for path in ["/state", "/snapshot.jpg", "/", "/none"] {
        assert_eq!(
            get(open.address, path).header(header),
            Some("http://mainsail.local"),
            "{path}"
        );
    }
}
