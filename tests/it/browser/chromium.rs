//! Chromium, told what to do over its debugging pipe (Chrome DevTools Protocol).

use super::{Driver, NAME, PATIENCE, Scripts, group::Group};
use crate::camfeed::{Folder, run};
use data_encoding::BASE64;
use serde_json::{Value, json};
use std::{
    fs::{File, OpenOptions},
    io::{BufRead, BufReader, Write},
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
}

impl Chromium {
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

    /// Presses and releases a key: a letter, or one of these by its name.
    pub fn key(&mut self, name: &str) {
        let (key, text, code) = match name {
            "Escape" => ("Escape", "", 27),
            "Space" => (" ", " ", 32),
            "Enter" => ("Enter", "\r", 13),
            "ArrowRight" => ("ArrowRight", "", 39),
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
}
