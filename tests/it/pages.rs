//! The page in a real browser, open to all, and behind a password or a token.

use crate::{
    auth::{TOKEN, secret},
    browser::{Browser, host, page},
    camfeed::{Camfeed, Folder, SMALL, film, run},
    http::get,
};
use serde_json::json;
use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    thread,
};

#[test]
fn pausing_stops_the_stream_and_resuming_brings_it_back() {
    let camfeed = Camfeed::online(&["--source", SMALL]);
    let mut browser = Browser::open(&page(camfeed.address, "/"));
    browser.wait_state("live");
    browser.eval("document.getElementById('pause').click()");
    browser.wait_state("paused");
    camfeed.wait_log("viewer left");
    browser.eval("document.getElementById('pause').click()");
    browser.wait_state("live");
}

#[test]
fn the_page_says_why_there_is_no_picture_from_the_start() {
    let folder = Folder::new();
    let clip = folder.file("clip.avi");
    let camfeed = Camfeed::start(&["--source", &clip]);
    let mut browser = Browser::open(&page(camfeed.address, "/"));
    browser.wait_state("offline");
    browser.wait("/no such file/.test(document.body.innerText)");
    film(&clip, "mjpeg", "320x240", 30, 1);
    browser.wait_state("live");
}

#[test]
fn the_page_asks_nobody_else_and_breaks_none_of_its_rules() {
    let camfeed = Camfeed::online(&["--source", SMALL]);
    let mut browser = Browser::start();
    browser.call("Log.enable", json!({}));
    browser.call("Network.enable", json!({}));
    browser.call("Runtime.enable", json!({}));
    browser.go(&page(camfeed.address, "/"));
    browser.wait_state("live");
    let resources = browser.eval(
        "performance.getEntriesByType('resource').map(entry => new URL(entry.name).host).join()",
    );
    let host = host(camfeed.address);
    let resources = resources.as_str().unwrap();
    assert!(
        !resources.is_empty() && resources.split(',').all(|name| name == host),
        "{resources}"
    );
    let answer = get(camfeed.address, "/");
    let policy = answer.header("Content-Security-Policy").expect("a policy");
    assert!(
        policy.starts_with("default-src 'none'") && !policy.contains("unsafe"),
        "{policy}"
    );
    let complaints: Vec<_> = browser
        .from
        .try_iter()
        .filter(|event| {
            event["method"] == "Runtime.exceptionThrown"
                || (event["method"] == "Log.entryAdded"
                    && event["params"]["entry"]["level"] == "error")
        })
        .collect();
    assert!(complaints.is_empty(), "{complaints:?}");
}

#[test]
fn the_page_works_with_the_password_in_its_address() {
    let folder = Folder::new();
    let path = secret(&folder, "password", "ann:open sesame");
    let camfeed = Camfeed::online(&["--source", SMALL, "--password-file", &path]);
    let mut browser = Browser::start();
    browser.go(&format!(
        "http://ann:open%20sesame@{}/",
        host(camfeed.address)
    ));
    browser.wait_state("live");
    // Its addresses are for copying: they show no password.
    let addresses = browser.eval("document.getElementById('addresses').textContent");
    assert!(!addresses.to_string().contains("sesame"), "{addresses}");
}

#[test]
fn the_page_s_commands_work_with_the_password_filled_in() {
    let folder = Folder::new();
    let path = secret(&folder, "password", "ann:sesame");
    let camfeed = Camfeed::online(&["--source", SMALL, "--password-file", &path]);
    let mut browser = Browser::start();
    // Other programs have to find the host, too.
    browser.go(&format!("http://ann:sesame@{}/", camfeed.address));
    browser.wait_state("live");
    browser.wait("/PASSWORD/.test(document.querySelector('#addresses dd code').textContent)");
    let is_said = "!document.querySelector('#addresses [data-when=\"password\"]').hidden";
    assert_eq!(browser.eval(is_said), true);
    let commands = browser.eval(
        "Array.from(document.querySelectorAll('#addresses dd code'), code => code.textContent)",
    );
    let commands: Vec<_> = commands
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c.as_str().unwrap())
        .collect();
    let mut tried = Vec::new();
    for command in &commands {
        let program = command.split(' ').next().unwrap();
        if !["wget", "curl", "ffmpeg"].contains(&program) {
            continue;
        }
        let filled = command.replace("USER", "ann").replace("PASSWORD", "sesame");
        let filled = filled.replace("-t 60", "-t 1"); // Of ffmpeg: a second will do.
        for (line, works) in [(filled.replace("sesame", "wrong"), false), (filled, true)] {
            let place = folder.file("taken");
            fs::create_dir_all(&place).unwrap();
            let script = format!("cd '{place}' && {line} </dev/null");
            let made = run("sh", &["-ec", &script]);
            assert_eq!(made.status.success(), works, "{line}: {made:?}");
            let files = fs::read_dir(&place)
                .unwrap()
                .map(|file| file.unwrap().metadata().unwrap());
            assert_eq!(
                files.into_iter().any(|file| file.len() > 1000),
                works,
                "{line}"
            );
            fs::remove_dir_all(&place).unwrap();
        }
        tried.push(program);
    }
    assert_eq!(tried, ["wget", "wget", "curl", "ffmpeg"]);
    let has = |text: &str| commands.iter().any(|command| command.contains(text));
    let host = camfeed.address.to_string();
    assert!(
        has(&format!(
            "VideoCapture(\"http://USER:PASSWORD@{host}/stream\")"
        )),
        "{commands:?}"
    );
    assert!(
        has(&format!("--loop http://USER:PASSWORD@{host}/stream")),
        "{commands:?}"
    );
    // Home Assistant has fields for it; OctoPrint's page needs a token.
    assert!(
        commands.contains(&&*format!("http://{host}/stream")),
        "{commands:?}"
    );
    assert!(
        commands.contains(&&*format!("http://{host}/?action=stream&token=TOKEN")),
        "{commands:?}"
    );
}

#[test]
fn the_page_opened_with_a_token_passes_it_on() {
    let folder = Folder::new();
    let path = secret(&folder, "token", TOKEN);
    let password = secret(&folder, "password", "ann:open sesame");
    let secrets = ["--token-file", &path, "--password-file", &password];
    let camfeed = Camfeed::online(&[&["--source", SMALL], &secrets[..]].concat());
    let mut browser = Browser::start();
    browser.call("Log.enable", json!({}));
    browser.go(&page(camfeed.address, &format!("/?token={TOKEN}")));
    browser.wait_state("live");
    browser.wait("getComputedStyle(document.body).margin === '0px'");
    browser.eval("document.getElementById('snapshot').click()");
    browser.wait("/^Saved camfeed-/.test(document.getElementById('toast').textContent)");
    let addresses = browser.eval(
        "Array.from(document.querySelectorAll('#addresses dd code'), code => code.textContent).join('\\n')",
    );
    let addresses = addresses.as_str().unwrap();
    let base = page(camfeed.address, "/");
    for expected in [
        format!("curl -fOJ \"{base}snapshot.jpg?token={TOKEN}\""),
        format!("cv2.VideoCapture(\"{base}stream?token={TOKEN}\")"),
        format!("\n{base}?action=stream&token={TOKEN}"),
    ] {
        assert!(
            addresses.contains(&expected),
            "no {expected} in {addresses}"
        );
    }
    assert!(!addresses.contains("PASSWORD"), "{addresses}");
    assert_eq!(browser.eval("document.cookie"), "");
    let complaints: Vec<_> = browser
        .from
        .try_iter()
        .filter(|event| event["params"]["entry"]["level"] == "error")
        .collect();
    assert!(complaints.is_empty(), "{complaints:?}");
    assert_eq!(camfeed.count_log("wrong password"), 0);
}

#[test]
fn without_javascript_the_token_is_passed_on_too() {
    let folder = Folder::new();
    let path = secret(&folder, "token", TOKEN);
    let camfeed = Camfeed::online(&["--source", SMALL, "--token-file", &path]);
    let mut browser = Browser::start();
    browser.call(
        "Emulation.setScriptExecutionDisabled",
        json!({"value": true}),
    );
    browser.go(&page(camfeed.address, &format!("/?token={TOKEN}")));
    camfeed.wait_log("viewer joined");
}

#[test]
fn the_page_shows_in_a_frame_of_who_may_and_of_nobody_else() {
    let folder = Folder::new();
    let path = secret(&folder, "token", TOKEN);
    // Another site than 127.0.0.1: the browser gives its frames no cookies.
    let outer = TcpListener::bind("127.0.0.1:0").unwrap();
    let origin = format!("http://localhost:{}", outer.local_addr().unwrap().port());
    let args = ["--source", SMALL, "--token-file", &path];
    let open = Camfeed::online(&[&args[..], &["--frame-ancestors", &origin]].concat());
    let closed = Camfeed::online(&args);
    let frame = |camfeed: &Camfeed| {
        let url = camfeed.url(&format!("/?token={TOKEN}"));
        format!("<iframe src=\"{url}\" width=640 height=480></iframe>")
    };
    let body = format!("{}{}", frame(&closed), frame(&open));
    thread::spawn(move || serve(&outer, &body));
    let mut browser = Browser::start();
    browser.call("Log.enable", json!({}));
    browser.go(&origin);
    open.wait_log("viewer joined");
    let is_refused = |event: &serde_json::Value| {
        let text = event["params"]["entry"]["text"]
            .as_str()
            .unwrap_or_default();
        text.contains("frame-ancestors")
    };
    let deadline = crate::camfeed::SOON;
    let refused =
        std::iter::from_fn(|| browser.from.recv_timeout(deadline).ok()).any(|e| is_refused(&e));
    assert!(refused, "the browser says why the other frame is empty");
    assert_eq!(closed.count_log("viewer joined"), 0);
}

/// Answers everything with `body`, until the tests end.
pub fn serve(listener: &TcpListener, body: &str) {
    for mut stream in listener.incoming().map_while(Result::ok) {
        let lines = BufReader::new(&stream).lines().map_while(Result::ok);
        if lines.take_while(|line| !line.is_empty()).count() == 0 {
            continue; // A connection made ahead, and not used.
        }
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n";
        let length = body.len();
        let _ = write!(stream, "{head}Content-Length: {length}\r\n\r\n{body}");
    }
}
