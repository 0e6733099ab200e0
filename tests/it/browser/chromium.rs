//! Chromium, told what to do over its debugging pipe (Chrome DevTools Protocol).

use super::{Driver, Mouse, NAME, PATIENCE, Point, Scripts, group::Group};
use crate::camfeed::{Folder, run};
use data_encoding::BASE64;
use rustix::process::Pid;
use serde_json::{Value, json};
use std::{
    fs::{File, OpenOptions},
    io::{BufRead, BufReader, Write},
    mem,
    sync::mpsc::{Receiver, channel},
    thread,
    time::Instant,
};

/// A headless Chromium.
pub struct Chromium {
    to: File,
    /// What it tells.
    pub from: Receiver<Value>,
    session: String,
    next: u64,
    _group: Group,
    _folder: Folder,
}

impl Driver for Chromium {
    fn start(scripts: Scripts) -> Chromium {
        let folder = Folder::new();
        let (to, from, profile) = (
            folder.file("to"),
            folder.file("from"),
            folder.file("profile"),
        );
        assert!(run("mkfifo", &[&to, &from]).status.success());
        let group = Group::start("sh", |command| {
            command
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
                .arg(format!(
                    "--host-resolver-rules=MAP {NAME} 127.0.0.1, MAP * ~NOTFOUND, \
                     EXCLUDE localhost, EXCLUDE 127.0.0.1"
                ))
                .arg(format!("--user-data-dir={profile}"))
                .env("TO", &to)
                .env("FROM", &from);
        });
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
        let mut chromium = Chromium {
            to,
            from: messages,
            session: String::new(),
            next: 0,
            _group: group,
            _folder: folder,
        };
        let made = chromium.call("Target.createTarget", json!({"url": "about:blank"}));
        let target = &made["targetId"];
        let attached = chromium.call(
            "Target.attachToTarget",
            json!({"targetId": target, "flatten": true}),
        );
        chromium.session = attached["sessionId"]
            .as_str()
            .expect("a session")
            .to_owned();
        if scripts == Scripts::Off {
            let off = json!({"value": true});
            chromium.call("Emulation.setScriptExecutionDisabled", off);
        }
        chromium
    }

    fn go(&mut self, url: &str) {
        self.call("Page.navigate", json!({"url": url}));
    }

    fn eval(&mut self, expression: &str) -> Value {
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

    fn screenshot(&mut self) -> Vec<u8> {
        let result = self.call("Page.captureScreenshot", json!({}));
        let data = result["data"].as_str().expect("a picture");
        BASE64.decode(data.as_bytes()).expect("base64")
    }

    fn key(&mut self, name: &str) {
        let (key, text, code) = match name {
            "Escape" => ("Escape", "", 27),
            "Space" => (" ", " ", 32),
            "Enter" => ("Enter", "\r", 13),
            "Tab" => ("Tab", "", 9),
            "ArrowLeft" => ("ArrowLeft", "", 37),
            "ArrowUp" => ("ArrowUp", "", 38),
            "ArrowRight" => ("ArrowRight", "", 39),
            "ArrowDown" => ("ArrowDown", "", 40),
            letter => (letter, letter, 0),
        };
        assert!(
            code > 0 || key.chars().count() == 1,
            "no key is called `{name}`"
        );
        let down =
            json!({"type": "keyDown", "key": key, "text": text, "windowsVirtualKeyCode": code});
        self.call("Input.dispatchKeyEvent", down);
        let up = json!({"type": "keyUp", "key": key, "windowsVirtualKeyCode": code});
        self.call("Input.dispatchKeyEvent", up);
    }

    fn mouse(&mut self, steps: &[Mouse]) {
        let (mut at, mut presses, mut is_pressed) = ((0.0, 0.0), 0, false);
        for &step in steps {
            let kind = match step {
                Mouse::Move(to) => {
                    (at, presses) = (to, 0);
                    "mouseMoved"
                }
                Mouse::Press => {
                    (presses, is_pressed) = (presses + 1, true);
                    "mousePressed"
                }
                Mouse::Release => {
                    is_pressed = false;
                    "mouseReleased"
                }
            };
            let is_move = matches!(step, Mouse::Move(_));
            let button = if is_move && !is_pressed {
                "none"
            } else {
                "left"
            };
            self.call(
                "Input.dispatchMouseEvent",
                json!({"type": kind, "x": at.0, "y": at.1, "button": button,
                    "buttons": u8::from(is_pressed), "clickCount": presses}),
            );
        }
    }

    fn wheel(&mut self, at: Point, delta_y: f64) {
        self.call(
            "Input.dispatchMouseEvent",
            json!({"type": "mouseWheel", "x": at.0, "y": at.1, "deltaX": 0, "deltaY": delta_y}),
        );
    }

    /// One as narrow as a phone's is a phone's.
    fn resize(&mut self, width: u32, height: u32) {
        let mobile = width.min(height) < 500;
        self.call(
            "Emulation.setDeviceMetricsOverride",
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile}),
        );
    }
}

impl Chromium {
    /// Another tab comes before the page's, as when somebody looks at something else.
    pub fn hide(&mut self) {
        self.call("Target.createTarget", json!({"url": "about:blank"}));
    }

    /// The page's tab is the one in front again.
    pub fn show(&mut self) {
        self.call("Page.bringToFront", json!({}));
    }

    /// The processes in which pages run.
    pub fn renderers(&mut self) -> Vec<Pid> {
        let session = mem::take(&mut self.session);
        let all = self.call("SystemInfo.getProcessInfo", json!({}));
        self.session = session;
        let all = all["processInfo"].as_array().expect("a list").iter();
        all.filter(|process| process["type"] == "renderer")
            .filter_map(|process| Pid::from_raw(process["id"].as_i64()?.try_into().ok()?))
            .collect()
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
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let answer = self.from.recv_timeout(left).expect("the browser answers");
            if answer["id"] == self.next {
                assert!(answer.get("error").is_none(), "{method}: {answer}");
                return answer["result"].clone();
            }
        }
    }
}
