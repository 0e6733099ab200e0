//! Who may look: the password, the token, names from elsewhere.

use crate::{
    camfeed::{Camfeed, Folder, SMALL, run},
    http::{Parts, ask, ask_with, exchange, get},
    manual::page,
};
use rustix::process::Signal;
use std::{fs, os::unix::fs::PermissionsExt, process::Command};

pub const TOKEN: &str = "vT3.rs_0~K-feed90";

/// `ann:open sesame`.
const RIGHT: &str = "Authorization: Basic YW5uOm9wZW4gc2VzYW1l\r\n";

/// `ann:open barley`.
const WRONG: &str = "Authorization: Basic YW5uOm9wZW4gYmFybGV5\r\n";

/// A file that only its owner may read.
pub fn secret(folder: &Folder, name: &str, text: &str) -> String {
    let path = folder.file(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    path
}

/// One that asks for ann's password.
fn with_password(folder: &Folder, more: &[&str]) -> Camfeed {
    let path = secret(folder, "password", "ann:open sesame\n");
    let args = ["--source", SMALL, "--password-file", &path];
    Camfeed::online(&[&args, more].concat())
}

/// Every address in the table of docs/options.md.
fn named() -> Vec<&'static str> {
    let table = page("docs/options.md")
        .split("\n## Addresses")
        .nth(1)
        .expect("a section");
    let table = table.split("\n## ").next().expect("its text");
    let rows = table.lines().filter_map(|row| row.split('|').nth(1));
    let named = rows.flat_map(|cell| cell.split('`').filter(|word| word.starts_with('/')));
    named.collect()
}

/// Every address that the pages name, and what else may lead somewhere.
fn paths() -> Vec<String> {
    let more = [
        "/index.html",
        "/static/main.js",
        "/static/player.js",
        "/static/style.css",
        "/static/icon.svg",
        "/favicon.ico",
        "/none",
        "//",
        "//healthz",
        "/healthz/",
        "/healthz/../stream",
        "/Healthz",
        "/%68ealthz",
        "/stream?/healthz",
        "/stream?path=/healthz",
        "/healthz%3f/../stream",
        "http://localhost/stream",
        "http://localhost/none?http://localhost/healthz",
        "healthz",
        "*",
    ];
    let all = named().into_iter().chain(more);
    let all: Vec<_> = all.map(ToOwned::to_owned).collect();
    assert!(all.len() > more.len() + 8, "{all:?}");
    all.into_iter().filter(|path| path != "/healthz").collect()
}

/// So that none is missed below.
#[test]
fn every_address_that_is_answered_stands_in_the_table() {
    let routes = include_str!("../../src/http/routes.rs");
    let (_, arms) = routes
        .split_once("    match &*scope.path {\n        \"")
        .expect("the routes");
    let (arms, _) = arms.split_once("        path => ").expect("the last one");
    let (named, mut count) = (named(), 0);
    for address in arms.split('"').filter(|text| text.starts_with('/')) {
        assert!(
            named.contains(&address),
            "{address} is not in docs/options.md"
        );
        count += 1;
    }
    assert!(count >= 9, "only {count}");
}

#[test]
fn with_a_password_nothing_but_healthz_answers_without_it() {
    let folder = Folder::new();
    let camfeed = with_password(&folder, &[]);
    for path in paths() {
        for method in ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "BREW"] {
            let answer = ask(camfeed.address, method, &path);
            assert_eq!(answer.status, 401, "{method} {path}");
            assert_eq!(
                answer.header("WWW-Authenticate"),
                Some("Basic realm=\"camfeed\", charset=\"UTF-8\"")
            );
            let lines = if method == "HEAD" { 0 } else { 1 };
            assert_eq!(answer.text().lines().count(), lines, "{}", answer.text());
        }
        // With it they are what they are. A stream has no end to be waited for.
        let answer = ask_with(camfeed.address, "HEAD", &path, RIGHT);
        assert_ne!(answer.status, 401, "{path}");
    }
    assert_eq!(get(camfeed.address, "/healthz").status, 200);
    assert_eq!(ask_with(camfeed.address, "GET", "/", RIGHT).status, 200);
    Parts::open_with(camfeed.address, "/stream", RIGHT).next_part();
}

#[test]
fn curl_wget_and_ffmpeg_get_in_with_the_password() {
    let folder = Folder::new();
    let camfeed = with_password(&folder, &[]);
    let url = camfeed.url("/snapshot.jpg");
    let code = |user: &str| {
        let args = [
            "-s",
            "-o",
            "/dev/null",
            "-w",
            "%{http_code}",
            "-u",
            user,
            &url,
        ];
        String::from_utf8(run("curl", &args).stdout).unwrap()
    };
    assert_eq!(code("ann:open sesame"), "200");
    assert_eq!(code("bob:open sesame"), "401");
    assert_eq!(code("ann:open sesam"), "401");
    let kept = folder.file("cam.jpg");
    let wget = [
        "-q",
        "--user=ann",
        "--password=open sesame",
        "-O",
        &kept,
        &url,
    ];
    assert!(run("wget", &wget).status.success());
    assert!(fs::read(&kept).unwrap().starts_with(&[0xff, 0xd8]));
    let stream = format!("http://ann:open%20sesame@{}/stream", camfeed.address);
    let codec = [
        "-v",
        "error",
        "-show_entries",
        "stream=codec_name",
        "-of",
        "csv=p=0",
    ];
    let seen = run("ffprobe", &[&codec[..], &[&stream]].concat());
    assert_eq!(String::from_utf8_lossy(&seen.stdout).trim(), "mjpeg");
}

#[test]
fn a_password_without_a_user_is_taken_from_the_environment_for_any_user() {
    let camfeed = Camfeed::start_with(
        "127.0.0.1:0",
        &["--source", SMALL],
        &[("CAMFEED_PASSWORD", "open sesame")],
    );
    assert_eq!(get(camfeed.address, "/state").status, 401);
    assert_eq!(
        ask_with(camfeed.address, "GET", "/state", RIGHT).status,
        200
    );
    assert_eq!(
        ask_with(camfeed.address, "GET", "/state", WRONG).status,
        401
    );
}

#[test]
fn wrong_tries_fill_no_log_and_the_right_password_never_waits() {
    let folder = Folder::new();
    let camfeed = with_password(&folder, &[]);
    let try_with = |headers| ask_with(camfeed.address, "GET", "/state", headers);
    // As a browser does: first without.
    for _ in 0..10 {
        assert_eq!(try_with("").status, 401);
    }
    assert_eq!(camfeed.count_log("wrong password"), 0, "nothing was tried");
    for _ in 0..50 {
        let refused = try_with(WRONG);
        assert_eq!(refused.status, 401);
        assert!(refused.header("WWW-Authenticate").is_some());
        assert_eq!(try_with(RIGHT).status, 200);
    }
    let line = camfeed.wait_log("wrong password");
    assert!(line.contains("peer=127.0.0.1"), "{line}");
    let lines = camfeed.count_log("wrong password");
    assert!(
        lines <= 8,
        "{lines} lines: a few a minute, and this takes no two"
    );
}

#[test]
fn a_token_lets_look_and_not_touch() {
    let folder = Folder::new();
    let path = secret(&folder, "token", TOKEN);
    let camfeed = Camfeed::online(&["--source", SMALL, "--token-file", &path]);
    for path in paths() {
        let gap = if path.contains('?') { '&' } else { '?' };
        let answer = get(camfeed.address, &path);
        assert_eq!(answer.status, 401, "{path}");
        assert_eq!(
            answer.header("WWW-Authenticate"),
            Some("Bearer realm=\"camfeed\"")
        );
        assert!(answer.text().contains("?token="), "{}", answer.text());
        let right = format!("{path}{gap}token={TOKEN}");
        assert_ne!(ask(camfeed.address, "HEAD", &right).status, 401, "{right}");
        assert_eq!(ask(camfeed.address, "POST", &right).status, 403, "{right}");
    }
    Parts::open(camfeed.address, &format!("/stream?fps=30&token={TOKEN}")).next_part();
    let bearer = format!("Authorization: Bearer {TOKEN}\r\n");
    assert_eq!(
        ask_with(camfeed.address, "GET", "/state", &bearer).status,
        200
    );
    assert_eq!(
        ask_with(camfeed.address, "POST", "/controls", &bearer).status,
        403
    );
    let wrong = format!("/state?token={TOKEN}x");
    assert_eq!(get(camfeed.address, &wrong).status, 401);
    camfeed.wait_log("wrong password or token peer=127.0.0.1");
    assert_eq!(
        get(camfeed.address, &format!("/state?token={TOKEN}")).status,
        200
    );
}

#[test]
fn no_secret_gets_into_the_log() {
    let folder = Folder::new();
    let password = secret(&folder, "password", "ann:open sesame");
    let token = secret(&folder, "token", TOKEN);
    let camfeed = Camfeed::start_with(
        "127.0.0.1:0",
        &[
            "--source",
            SMALL,
            "--password-file",
            &password,
            "--token-file",
            &token,
        ],
        &[("RUST_LOG", "trace")],
    );
    let address = camfeed.address;
    get(address, &format!("/state?token={TOKEN}"));
    get(
        address,
        &format!("http://ann:open%20sesame@localhost/?Token={TOKEN}&x=1"),
    );
    get(address, "/state?token=a-wrong-token-too");
    ask_with(address, "GET", "/state", RIGHT);
    ask_with(address, "GET", "/state", WRONG);
    camfeed.signal(Signal::HUP);
    camfeed.wait_logs("read again: ", 2);
    let told = camfeed.count_log("GET /state?token=…");
    assert!(told >= 2, "requests are logged, {told}");
    for hidden in [TOKEN, "sesame", "barley", "ann:", "a-wrong-token", "YW5uOm"] {
        assert_eq!(camfeed.count_log(hidden), 0, "{hidden} is in the log");
    }
}

#[test]
fn a_secret_that_is_no_good_ends_it_at_once_with_the_place_named() {
    let folder = Folder::new();
    let file = |name, text| secret(&folder, name, text);
    let none = folder.file("none");
    for (option, path, reason) in [
        ("--password-file", file("empty", ""), "is empty"),
        ("--password-file", file("blank", "\n"), "is empty"),
        ("--password-file", file("user", "ann:\n"), "is empty"),
        (
            "--password-file",
            file("lines", "hush\nhush\n"),
            "more than one line",
        ),
        (
            "--password-file",
            file("long", &"hush".repeat(65)),
            "longer than",
        ),
        ("--password-file", none, "No such file"),
        ("--password-file", folder.file(""), "directory"),
        (
            "--token-file",
            file("short", "hush-hush"),
            "openssl rand -hex 16",
        ),
        (
            "--token-file",
            file("odd", "hush hush hush hush"),
            "openssl rand -hex 16",
        ),
    ] {
        let output = run(
            env!("CARGO_BIN_EXE_camfeed"),
            &["--listen", "127.0.0.1:0", option, &path],
        );
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        for part in [option, &path, reason] {
            assert!(said.contains(part), "no {part:?} in {said}");
        }
        assert!(
            !said.contains("hush") && !said.contains("panicked"),
            "{said}"
        );
    }
    let credentials = Folder::new();
    secret(&credentials, "token", "hush");
    let at = credentials.file("token");
    for (variable, value, named) in [
        ("CAMFEED_PASSWORD", "", "CAMFEED_PASSWORD"),
        ("CAMFEED_TOKEN", "hush", "CAMFEED_TOKEN"),
        (
            "CREDENTIALS_DIRECTORY",
            credentials.0.to_str().unwrap(),
            &at,
        ),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_camfeed"))
            .args(["--listen", "127.0.0.1:0"])
            .env(variable, value)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(named) && !said.contains("hush"), "{said}");
    }
}

#[test]
fn a_file_others_may_read_is_warned_of_but_not_systemds_own() {
    let folder = Folder::new();
    let path = secret(&folder, "password", "open sesame");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let camfeed = Camfeed::start(&["--source", SMALL, "--password-file", &path]);
    let line = camfeed.wait_log("others may read");
    assert!(line.contains(&path) && line.contains("mode 640"), "{line}");
    camfeed.signal(Signal::HUP);
    camfeed.wait_log("read again: ");
    assert_eq!(camfeed.count_log("others may read"), 2, "at each reading");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    camfeed.signal(Signal::HUP);
    camfeed.wait_logs("read again: ", 2);
    assert_eq!(camfeed.count_log("others may read"), 2, "mended");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let systemds = Camfeed::start_with(
        "127.0.0.1:0",
        &["--source", SMALL],
        &[("CREDENTIALS_DIRECTORY", folder.0.to_str().unwrap())],
    );
    assert_eq!(get(systemds.address, "/state").status, 401);
    assert_eq!(systemds.count_log(" WARN "), 0);
}

#[test]
fn the_mode_of_a_device_or_a_folder_is_not_to_be_changed() {
    for path in ["/dev/null", "/tmp"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_camfeed"));
        let output = command.args(["--token-file", path]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(path) && !said.contains("chmod"), "{said}");
    }
}

#[test]
fn a_new_password_is_taken_at_sighup_and_who_watches_goes_on() {
    let folder = Folder::new();
    let camfeed = with_password(&folder, &[]);
    let status = |headers| ask_with(camfeed.address, "GET", "/state", headers).status;
    let mut viewer = Parts::open_with(camfeed.address, "/stream", RIGHT);
    viewer.next_part();
    secret(&folder, "password", "ann:open barley");
    assert_eq!(status(RIGHT), 200, "not before it is told");
    camfeed.signal(Signal::HUP);
    camfeed.wait_log("read again: ");
    assert_eq!((status(RIGHT), status(WRONG)), (401, 200));
    let path = secret(&folder, "password", "");
    camfeed.signal(Signal::HUP);
    let line = camfeed.wait_log("stays in force");
    assert!(line.contains(&path) && line.contains("ERROR"), "{line}");
    fs::remove_file(&path).unwrap();
    camfeed.signal(Signal::HUP);
    camfeed.wait_logs("stays in force", 2);
    assert_eq!((status(""), status(WRONG)), (401, 200), "still closed");
    for _ in 0..30 {
        viewer.next_part();
    }
    assert_eq!(camfeed.count_log("viewer left"), 0);
}

#[test]
fn that_everybody_can_watch_is_warned_of_once_and_only_where_it_is_so() {
    let folder = Folder::new();
    let path = secret(&folder, "password", "open sesame");
    let socket = format!("unix:{}", folder.file("camfeed.sock"));
    let warned = "everybody on the network";
    for (listen, args, warnings) in [
        ("0.0.0.0:0", &[][..], 1),
        ("0.0.0.0:0", &["--password-file", &path], 0),
        ("127.0.0.1:0", &[], 0),
        ("[::1]:0", &[], 0),
        (&socket, &[], 0),
    ] {
        let camfeed = Camfeed::start_at(listen, &[&["--source", SMALL], args].concat());
        camfeed.wait_log("camera online");
        assert_eq!(camfeed.count_log(warned), warnings, "{listen} {args:?}");
        assert_eq!(camfeed.count_log(" WARN "), warnings, "{listen} {args:?}");
        let told = usize::from(!args.is_empty());
        assert_eq!(camfeed.count_log("a password is asked for"), told);
    }
}

#[test]
fn a_name_that_is_not_this_machines_is_refused() {
    let nodename = run("uname", &["-n"]).stdout;
    let nodename = String::from_utf8(nodename).unwrap().trim().to_owned();
    let label = nodename.split('.').next().unwrap();
    let args = [
        "--allow-host",
        "cam.example.org",
        "--allow-host",
        "*.example.net",
    ];
    let camfeed = Camfeed::online(&[&["--source", SMALL], &args[..]].concat());
    let status = |path: &str, hosts: &[&str]| {
        let hosts: String = hosts
            .iter()
            .map(|host| format!("Host: {host}\r\n"))
            .collect();
        let request = format!("GET {path} HTTP/1.1\r\n{hosts}Connection: close\r\n\r\n");
        exchange(camfeed.address, &request).status
    };
    for (host, expected) in [
        ("127.0.0.1", 200),
        ("192.0.2.1:80", 200),
        ("[::1]:8080", 200),
        ("localhost", 200),
        ("LOCALHOST.:1", 200),
        (&nodename, 200),
        (&format!("{label}.local:8080"), 200),
        (&format!("{}.fritz.box", label.to_uppercase()), 200),
        ("cam.example.org:8443", 200),
        ("a.example.net", 200),
        ("mjpgstreamer1", 200),
        ("webcam:8080", 200),
        ("evil.example", 421),
        ("evil.example:8080", 421),
        (&format!("{label}.evil.example"), 421),
        ("127.0.0.1.evil.example", 421),
        ("example.net", 421),
        ("", 400),
    ] {
        assert_eq!(status("/state", &[host]), expected, "{host}");
        let health = status("/healthz", &[host]);
        assert!(matches!(health, 200 | 503), "{host}: {health}");
    }
    assert_eq!(status("/state", &[]), 400);
    assert_eq!(status("/state", &["localhost", "localhost"]), 400);
    assert_eq!(status("http://evil.example/state", &["localhost"]), 421);
    let old = exchange(camfeed.address, "GET /state HTTP/1.0\r\n\r\n");
    assert_eq!(old.status, 200);
    for path in paths() {
        assert_eq!(status(&path, &["localhost", "evil.example"]), 400, "{path}");
        let is_absolute = path.starts_with("http://");
        assert!(
            is_absolute || status(&path, &["evil.example"]) == 421,
            "{path}"
        );
    }
    let request = "GET / HTTP/1.1\r\nHost: evil.example:80\r\nConnection: close\r\n\r\n";
    let said = exchange(camfeed.address, request).text();
    assert!(
        said.contains("`evil.example`") && said.contains("--allow-host evil.example"),
        "{said}"
    );
    // However often it was asked for.
    let line = "refused requests for the name `evil.example`";
    assert!(camfeed.wait_log(line).contains("--allow-host evil.example"));
    assert_eq!(camfeed.count_log(line), 1);
}

#[test]
fn every_name_is_taken_where_names_say_nothing() {
    let folder = Folder::new();
    let evil = "GET /state HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n";
    let any = Camfeed::online(&["--source", SMALL, "--allow-host", "*"]);
    assert_eq!(exchange(any.address, &format!("{evil}\r\n")).status, 200);
    let closed = with_password(&folder, &[]);
    assert_eq!(
        exchange(closed.address, &format!("{evil}{RIGHT}\r\n")).status,
        200
    );
    let socket = folder.file("camfeed.sock");
    let _local = Camfeed::start_at(&format!("unix:{socket}"), &["--source", SMALL]);
    let url = "http://evil.example/state";
    let got = run("curl", &["-sf", "-m", "5", "--unix-socket", &socket, url]);
    assert!(got.status.success() && got.stdout.starts_with(b"{"));
}

#[test]
fn a_page_from_elsewhere_changes_no_controls_with_a_browsers_password() {
    let folder = Folder::new();
    let more = ["--allow-origin", "http://mainsail.local"];
    let camfeed = with_password(&folder, &more);
    let own = format!("Origin: http://{}\r\n", camfeed.address);
    let json = "Content-Type: application/json\r\nContent-Length: 0\r\n";
    for (headers, expected) in [
        ("", 400),
        (own.as_str(), 400),
        ("Origin: http://evil.example\r\n", 403),
        ("Origin: http://mainsail.local\r\n", 403),
        ("Origin: null\r\n", 403),
        ("Sec-Fetch-Site: cross-site\r\n", 403),
        ("Sec-Fetch-Site: same-site\r\n", 403),
    ] {
        let headers = format!("{RIGHT}{json}{headers}");
        let answer = ask_with(camfeed.address, "POST", "/controls", &headers);
        assert_eq!(answer.status, expected, "{headers}: {}", answer.text());
    }
    // A browser would send the password along for a page of another origin only if told to.
    for path in ["/", "/state", "/none"] {
        let answer = ask_with(camfeed.address, "GET", path, RIGHT);
        assert!(answer.header("Access-Control-Allow-Origin").is_some());
        assert_eq!(answer.header("Access-Control-Allow-Credentials"), None);
    }
}

#[test]
fn the_page_says_who_may_frame_it_and_pictures_may_be_shown_anywhere() {
    let plain = Camfeed::online(&["--source", SMALL]);
    let sources = "'self',https://ha.example:8123";
    let framed = Camfeed::start(&["--source", SMALL, "--frame-ancestors", sources]);
    for (camfeed, ancestors) in [
        (&plain, "; frame-ancestors 'self'"),
        (&framed, "; frame-ancestors 'self' https://ha.example:8123"),
    ] {
        for path in ["/", "/index.html"] {
            let answer = get(camfeed.address, path);
            let policy = answer.header("Content-Security-Policy").expect("a policy");
            assert!(policy.ends_with(ancestors), "{policy}");
            assert_eq!(answer.header("X-Frame-Options"), None);
            assert_eq!(answer.header("Referrer-Policy"), Some("no-referrer"));
            assert_eq!(answer.header("X-Content-Type-Options"), Some("nosniff"));
        }
    }
    let snapshot = get(plain.address, "/snapshot.jpg");
    assert_eq!(snapshot.status, 200);
    assert_eq!(snapshot.header("Cross-Origin-Resource-Policy"), None);
}
