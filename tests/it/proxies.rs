//! Behind nginx, as docs/security.md sets it up: TLS in front, and the feed as live as without.

use crate::{
    auth::secret,
    camfeed::{Camfeed, Folder, SMALL, SOON, eventually},
    fakecam::{decoded, size_of},
    manual::{block_for, blocks},
    snapshots::unix_now,
};
use std::{
    fs,
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Output, Stdio},
};

/// A running nginx, ended when dropped; it listens on a Unix socket, so that no port is guessed.
struct Nginx {
    child: Child,
    socket: String,
    certificate: String,
    _folder: Folder,
}

impl Nginx {
    /// Serves what `site`, a `server` block, says; its certificate is made here.
    fn start(site: &str) -> Nginx {
        let folder = Folder::new();
        let (certificate, key) = (folder.file("cam.pem"), folder.file("cam.key"));
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-nodes", "-days", "2"])
            .args(["-pkeyopt", "ec_paramgen_curve:prime256v1"])
            .args(["-subj", "/CN=cam.example.org"])
            .args(["-addext", "subjectAltName=DNS:cam.example.org"])
            .args(["-out", &certificate, "-keyout", &key])
            .output()
            .expect("openssl (`make setup` brings it) starts");
        assert!(made.status.success(), "{made:?}");
        let socket = folder.file("nginx.sock");
        let site = site
            .replace("listen 443", &format!("listen unix:{socket}"))
            .replace("/etc/ssl/cam.pem", &certificate)
            .replace("/etc/ssl/cam.key", &key);
        let root = folder.0.display();
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {root}/{kind};"))
            .concat();
        let config = format!(
            "daemon off; master_process off; pid {root}/pid; error_log {root}/log;\n\
             events {{}}\n\
             http {{ access_log off; {temporary}\n{site} }}\n"
        );
        let path = folder.file("nginx.conf");
        fs::write(&path, config).unwrap();
        let child = Command::new("/usr/sbin/nginx")
            .args(["-c", &path, "-p", &root.to_string()])
            .args(["-e", &folder.file("log")])
            .stdin(Stdio::null())
            .spawn()
            .expect("nginx (`make setup` brings it) starts");
        let nginx = Nginx {
            child,
            socket,
            certificate,
            _folder: folder,
        };
        let answers = || nginx.curl("/healthz", &[]).status.code() == Some(0);
        assert!(eventually(SOON, answers), "nginx does not answer");
        nginx
    }

    /// A curl that trusts its certificate and knows the password, on its way to `path`.
    fn command(&self, path: &str, args: &[&str]) -> Command {
        let mut command = Command::new("curl");
        command
            .args(["-s", "-N", "-m", "60", "-u", "ann:open sesame"])
            .args(["--unix-socket", &self.socket])
            .args(["--cacert", &self.certificate])
            .args(args)
            .arg(format!("https://cam.example.org{path}"));
        command
    }

    fn curl(&self, path: &str, args: &[&str]) -> Output {
        self.command(path, args).output().expect("curl starts")
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The `server` block of the page, in front of `camfeed`.
fn readme_site(camfeed: &Camfeed) -> String {
    block_for(camfeed, "TLS: nginx or Caddy in front", "nginx")
}

fn behind(folder: &Folder, source: &str) -> Camfeed {
    let path = secret(folder, "password", "ann:open sesame");
    Camfeed::online(&["--source", source, "--password-file", &path])
}

/// Ages of the first `count` frames of a stream at the moment they are complete, in seconds.
pub fn ages(stream: impl Read, count: usize) -> Vec<f64> {
    let mut stream = BufReader::new(stream);
    let mut ages = Vec::new();
    let (mut length, mut captured) = (0, 0.0);
    let mut last = 0.0;
    let mut line = String::new();
    while ages.len() < count {
        line.clear();
        let read = stream.read_line(&mut line).expect("text");
        assert_ne!(read, 0, "the stream ended");
        match line.trim_end().split_once(": ") {
            Some(("Content-Length", value)) => length = value.parse().expect("a length"),
            Some(("X-Timestamp", value)) => captured = value.parse().expect("a time"),
            _ if line == "\r\n" && length > 0 => {
                let mut jpeg = vec![0; length];
                stream.read_exact(&mut jpeg).expect("a frame");
                length = 0;
                if captured > last {
                    ages.push(unix_now() - captured);
                }
                last = captured;
            }
            _ => {}
        }
    }
    ages
}

#[test]
fn nginx_passes_the_page_snapshots_and_state_on_over_tls() {
    let folder = Folder::new();
    let camfeed = behind(&folder, SMALL);
    let nginx = Nginx::start(&readme_site(&camfeed));
    let page = nginx.curl("/", &["-f"]).stdout;
    assert!(page.starts_with(b"<!doctype html>"));
    let snapshot = nginx.curl("/snapshot.jpg", &["-f"]).stdout;
    assert!(snapshot.starts_with(&[0xff, 0xd8]) && snapshot.ends_with(&[0xff, 0xd9]));
    assert!(nginx.curl("/state", &["-f"]).stdout.starts_with(b"{"));
    let code = |path: &str, args: &[&str]| {
        let format = ["-o", "/dev/null", "-w", "%{http_code}"];
        let said = nginx.curl(path, &[&format, args].concat()).stdout;
        String::from_utf8(said).expect("a number")
    };
    assert_eq!(code("/state", &["-u", "ann:open barley"]), "401");
    assert_eq!(code("/healthz", &["-u", ":"]), "200");
    let post = |origin: &str| {
        let origin = format!("Origin: {origin}");
        let json = "Content-Type: application/json";
        code(
            "/controls",
            &["-H", json, "-H", &origin, "-d", "{\"brightness\": 1}"],
        )
    };
    // The test pattern has no controls: 404 is beyond the check.
    assert_eq!(post("https://cam.example.org"), "404");
    assert_eq!(post("https://evil.example"), "403");
}

#[test]
fn nginx_holds_no_frame_of_the_stream_back() {
    let folder = Folder::new();
    // Few and small frames: held back, each would wait for the next to push it.
    let camfeed = behind(&folder, "test:320x240@2");
    let nginx = Nginx::start(&readme_site(&camfeed));
    let mut curl = nginx
        .command("/stream", &[])
        .stdout(Stdio::piped())
        .spawn()
        .expect("curl starts");
    let mut ages = ages(curl.stdout.take().expect("piped"), 9);
    let _ = curl.kill();
    let _ = curl.wait();
    ages.sort_by(f64::total_cmp);
    // The middle one: a busy machine may be late with some.
    assert!(ages[4] < 0.3, "ages in seconds: {ages:?}");
    camfeed.wait_log("viewer left");
}

#[test]
fn nginx_serves_it_below_a_prefix_and_with_a_name_that_is_allowed() {
    let camfeed = Camfeed::online(&["--source", SMALL, "--allow-host", "cam.example.org"]);
    let site = readme_site(&camfeed)
        .replace("location /", "location /garden/")
        .replace(";\n        proxy_set", "/;\n        proxy_set");
    let nginx = Nginx::start(&site);
    for path in ["/garden/", "/garden/static/main.js", "/garden/snapshot.jpg"] {
        assert!(nginx.curl(path, &["-f"]).status.success(), "{path}");
    }
}

#[test]
fn nginx_leads_the_path_of_printers_to_it() {
    let cameras = [
        "--camera",
        "garden=test:640x480@30",
        "--camera",
        "shed=test:320x240@30",
    ];
    let camfeed = Camfeed::start(&cameras);
    camfeed.wait_logs("camera online", 2);
    let location = block_for(&camfeed, "Mainsail and Fluidd", "nginx");
    let site = readme_site(&camfeed);
    let (before, _) = site.split_once("    location / {").expect("the site's own");
    let nginx = Nginx::start(&format!("{before}{location}}}"));
    let webcams = blocks("Mainsail and Fluidd", "ini");
    for (webcam, size) in webcams.iter().zip([(640, 480), (320, 240)]) {
        let url = |key: &str| {
            let line = webcam.lines().find_map(|line| line.strip_prefix(key));
            line.expect(key).trim_start_matches(": ").to_owned()
        };
        let snapshot = nginx.curl(&url("snapshot_url"), &["-f"]).stdout;
        assert!(snapshot.starts_with(&[0xff, 0xd8]) && snapshot.ends_with(&[0xff, 0xd9]));
        assert_eq!(size_of(&decoded(&snapshot).expect("a JPEG")), size);
        let mut curl = nginx.command(&url("stream_url"), &["-f"]);
        let mut curl = curl.stdout(Stdio::piped()).spawn().expect("curl starts");
        ages(curl.stdout.take().expect("piped"), 3);
        let _ = curl.kill();
        let _ = curl.wait();
    }
    assert_eq!(webcams.len(), 2);
}

/// The nginx of MainsailOS, FluiddPi and KIAUH: an upstream block, whose name it asks for because
/// nothing sets Host.
#[test]
fn nginx_asks_for_the_name_of_its_upstream_block() {
    let camfeed = Camfeed::online(&["--source", SMALL]);
    let address = camfeed.address;
    let site = readme_site(&camfeed);
    let (before, _) = site.split_once("    location / {").expect("the site's own");
    let upstream = format!("upstream mjpgstreamer1 {{ ip_hash; server {address}; }}");
    let location = "location /webcam/ { postpone_output 0; proxy_buffering off; \
        proxy_ignore_headers X-Accel-Buffering; proxy_pass http://mjpgstreamer1/; }";
    let nginx = Nginx::start(&format!("{upstream}\n{before}{location}}}"));
    let page = nginx.curl("/webcam/", &["-f"]).stdout;
    assert!(page.starts_with(b"<!doctype html>"));
    for path in ["/webcam/snapshot.jpg", "/webcam/?action=snapshot"] {
        let snapshot = nginx.curl(path, &["-f"]).stdout;
        assert!(snapshot.starts_with(&[0xff, 0xd8]), "{path}");
    }
    for path in ["/webcam/?action=stream", "/webcam/stream?type=bytes"] {
        let mut curl = nginx.command(path, &["-f"]);
        let mut curl = curl.stdout(Stdio::piped()).spawn().expect("curl starts");
        ages(curl.stdout.take().expect("piped"), 3);
        let _ = curl.kill();
        let _ = curl.wait();
    }
    assert_eq!(camfeed.count_log("refused requests"), 0);
}
