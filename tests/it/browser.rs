//! The page in a real browser: headless Chromium, told what to do over its debugging pipe.

use crate::camfeed::{Camfeed, Folder, SMALL, SOON, eventually};
use serde_json::{Value, json};
use std::{
    fs::{File, OpenOptions},
    io::{BufRead, BufReader, Write},
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::Instant,
};

/// A browser with one tab, ended when dropped.
pub struct Browser {
    child: Child,
    to: File,
    /// What it tells.
    pub from: Receiver<Value>,
    session: String,
    next: u64,
    _folder: Folder,
}

impl Browser {
    pub fn open(url: &str) -> Browser {
        let mut browser = Browser::start();
        browser.go(url);
        browser
    }

    pub fn start() -> Browser {
        let folder = Folder::new();
        let (to, from, profile) = (
            folder.file("to"),
            folder.file("from"),
            folder.file("profile"),
        );
        assert!(
            crate::camfeed::run("mkfifo", &[&to, &from])
                .status
                .success()
        );
        let child = Command::new("sh")
            .args([
                "-c",
                "exec chromium \"$@\" 3<\"$TO\" 4>\"$FROM\"",
                "chromium",
            ])
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--disable-dev-shm-usage",
                "--remote-debugging-pipe",
                "--window-size=1000,700",
            ])
            .arg(format!("--user-data-dir={profile}"))
            .env("TO", &to)
            .env("FROM", &from)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromium (`make setup` brings it) starts");
        // Opened for both ways, a pipe never makes its opener wait.
        let both = |path: &str| {
            OpenOptions::new()
                .read(true)
                .write(true)
                .open(path)
                .expect("our own pipe")
        };
        let (sender, messages) = channel();
        let reader = BufReader::new(both(&from));
        let to = both(&to);
        thread::spawn(move || {
            for message in reader.split(0).map_while(Result::ok) {
                let Ok(message) = serde_json::from_slice(&message) else {
                    break;
                };
                if sender.send(message).is_err() {
                    break;
                }
            }
        });
        let mut browser = Browser {
            child,
            to,
            from: messages,
            session: String::new(),
            next: 0,
            _folder: folder,
        };
        let made = browser.call("Target.createTarget", json!({"url": "about:blank"}));
        let target = &made["targetId"];
        let attached = browser.call(
            "Target.attachToTarget",
            json!({"targetId": target, "flatten": true}),
        );
        browser.session = attached["sessionId"]
            .as_str()
            .expect("a session")
            .to_owned();
        browser
    }

    pub fn go(&mut self, url: &str) {
        self.call("Page.navigate", json!({"url": url}));
    }

    pub fn call(&mut self, method: &str, params: Value) -> Value {
        self.next += 1;
        let mut message = json!({"id": self.next, "method": method, "params": params});
        if !self.session.is_empty() {
            message["sessionId"] = json!(self.session);
        }
        let mut bytes = serde_json::to_vec(&message).unwrap();
        bytes.push(0);
        self.to.write_all(&bytes).expect("the browser lives");
        let deadline = Instant::now() + SOON * 2;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let answer = self.from.recv_timeout(left).expect("the browser answers");
            if answer["id"] == self.next {
                assert!(answer.get("error").is_none(), "{method}: {answer}");
                return answer["result"].clone();
            }
        }
    }

    /// The value of a JavaScript expression in the page.
    pub fn eval(&mut self, expression: &str) -> Value {
        let result = self.call(
            "Runtime.evaluate",
            json!({"expression": expression, "returnByValue": true, "awaitPromise": true}),
        );
        assert!(
            result.get("exceptionDetails").is_none(),
            "{expression}: {result}"
        );
        result["result"]["value"].clone()
    }

    /// Waits until `expression` is true.
    pub fn wait(&mut self, expression: &str) {
        let is_true = eventually(SOON, || self.eval(expression) == true);
        let text = self.eval("document.body.innerText");
        let state = self.eval("document.body.dataset.state");
        assert!(
            is_true,
            "never true: {expression}\nstate: {state}\npage: {text}"
        );
    }

    pub fn wait_state(&mut self, state: &str) {
        self.wait(&format!(
            "document.body && document.body.dataset.state === '{state}'"
        ));
    }

    /// Presses and releases a key: a letter, or one of these by its name.
    pub fn key(&mut self, name: &str) {
        let (key, text, code) = match name {
            "Escape" => ("Escape", "", 27),
            "Space" => (" ", " ", 32),
            "Enter" => ("Enter", "\r", 13),
            letter => (letter, letter, 0),
        };
        let down =
            json!({"type": "keyDown", "key": key, "text": text, "windowsVirtualKeyCode": code});
        self.call("Input.dispatchKeyEvent", down);
        let up = json!({"type": "keyUp", "key": key, "windowsVirtualKeyCode": code});
        self.call("Input.dispatchKeyEvent", up);
    }

    /// Clicks with the mouse on the middle of an element.
    pub fn click(&mut self, id: &str) {
        let place = self.eval(&format!(
            "(() => {{ const box = document.getElementById('{id}').getBoundingClientRect(); \
             return {{x: box.x + box.width / 2, y: box.y + box.height / 2}}; }})()"
        ));
        for kind in ["mousePressed", "mouseReleased"] {
            self.call(
                "Input.dispatchMouseEvent",
                json!({"type": kind, "x": place["x"], "y": place["y"], "button": "left", "clickCount": 1}),
            );
        }
    }

    /// Makes the window so large; one as narrow as a phone's is a phone's.
    pub fn resize(&mut self, width: u32, height: u32) {
        let mobile = width.min(height) < 500;
        self.call(
            "Emulation.setDeviceMetricsOverride",
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile}),
        );
    }

    /// What the picture looks like: a few pixels, as text.
    fn pixels(&mut self) -> String {
        let pixels = self.eval(
            "(() => { const p = document.getElementById('picture'); \
             const c = document.createElement('canvas'); c.width = 64; c.height = 48; \
             const d = c.getContext('2d'); d.drawImage(p, 0, 0, 64, 48); \
             return Array.from(d.getImageData(0, 0, 64, 48).data).join(); })()",
        );
        pixels.as_str().expect("text").to_owned()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_page_shows_a_moving_picture() {
    let camfeed = Camfeed::online(&["--source", SMALL]);
    let mut browser = Browser::open(&camfeed.url("/"));
    browser.wait_state("live");
    let first = browser.pixels();
    assert!(
        eventually(SOON, || browser.pixels() != first),
        "the picture moves"
    );
    // The bars of the pattern: something is really painted.
    assert!(
        first
            .split(',')
            .filter(|&value| value.parse::<u8>().is_ok_and(|v| v > 200))
            .count()
            > 500
    );
    browser.wait("/fps/.test(document.getElementById('fps').textContent)");
    browser.wait("/1 viewer/.test(document.getElementById('viewers').textContent)");
    let address = camfeed.address.to_string();
    let addresses = browser.eval("document.getElementById('addresses').textContent");
    assert!(
        addresses.as_str().unwrap().contains(&address),
        "addresses carry this host's name"
    );
}

#[test]
fn pausing_stops_the_stream_and_resuming_brings_it_back() {
    let camfeed = Camfeed::online(&["--source", SMALL]);
    let mut browser = Browser::open(&camfeed.url("/"));
    browser.wait_state("live");
    browser.eval("document.getElementById('pause').click()");
    browser.wait_state("paused");
    camfeed.wait_log("viewer left");
    browser.eval("document.getElementById('pause').click()");
    browser.wait_state("live");
}

#[test]
fn the_page_survives_a_restart_of_the_server() {
    let first = Camfeed::online(&["--source", SMALL]);
    let address = first.address.to_string();
    let mut browser = Browser::open(&first.url("/"));
    browser.wait_state("live");
    drop(first);
    browser.wait_state("reconnecting");
    let _second = Camfeed::start_at(&address, &["--source", SMALL]);
    browser.wait_state("live");
    let pixels = browser.pixels();
    assert!(
        eventually(SOON, || browser.pixels() != pixels),
        "the picture moves again"
    );
}

#[test]
fn the_page_says_when_the_camera_is_gone() {
    let folder = Folder::new();
    let film = folder.file("clip.avi");
    let camfeed = Camfeed::start(&["--source", &film]);
    let mut browser = Browser::open(&camfeed.url("/"));
    browser.wait_state("offline");
    browser.wait("/no such file/.test(document.body.innerText)");
    crate::camfeed::film(&film, "mjpeg", "320x240", 30, 1);
    browser.wait_state("live");
}

#[test]
fn without_javascript_the_picture_still_shows() {
    let camfeed = Camfeed::online(&["--source", SMALL]);
    let mut browser = Browser::start();
    browser.call(
        "Emulation.setScriptExecutionDisabled",
        json!({"value": true}),
    );
    browser.go(&camfeed.url("/"));
    camfeed.wait_log("viewer joined");
    browser.call(
        "Emulation.setScriptExecutionDisabled",
        json!({"value": false}),
    );
    browser.wait("document.querySelector('#stage img.plain').naturalWidth === 320");
}

#[test]
fn the_page_asks_nobody_else_and_breaks_none_of_its_rules() {
    let camfeed = Camfeed::online(&["--source", SMALL]);
    let mut browser = Browser::start();
    browser.call("Log.enable", json!({}));
    browser.call("Network.enable", json!({}));
    browser.call("Runtime.enable", json!({}));
    browser.go(&camfeed.url("/"));
    browser.wait_state("live");
    let resources = browser.eval(
        "performance.getEntriesByType('resource').map(entry => new URL(entry.name).host).join()",
    );
    let host = camfeed.address.to_string();
    let resources = resources.as_str().unwrap();
    assert!(
        !resources.is_empty() && resources.split(',').all(|name| name == host),
        "{resources}"
    );
    let answer = crate::http::get(camfeed.address, "/");
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
