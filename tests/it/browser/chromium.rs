//! Chromium, told what to do over its debugging pipe (Chrome DevTools Protocol).

use super::{Driver, EarlyScripts, Mouse, NAME, PATIENCE, Point, Scripts, group::Group};
use crate::camfeed::{Folder, run};
use data_encoding::BASE64;
use rustix::process::Pid;
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
    window: Window,
    scripts: Scripts,
    /// What every new page runs first.
    early: Vec<String>,
    next: u64,
    _group: Group,
    _folder: Folder,
}

/// A window's page, and how it is talked to.
#[derive(Clone, Default)]
pub struct Window {
    target: String,
    session: String,
}

impl Driver for Chromium {
    type Window = Window;

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
            window: Window::default(),
            scripts,
            early: Vec::new(),
            next: 0,
            _group: group,
            _folder: folder,
        };
        chromium.window = chromium.make_window("about:blank");
        chromium
    }

    fn go(&mut self, url: &str) {
        self.call("Page.navigate", json!({"url": url}));
    }

    fn ask(&mut self, expression: &str) -> Result<Value, Value> {
        let (method, session) = ("Runtime.evaluate", self.window.session.clone());
        let params = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let id = self.send(&session, method, params);
        let result = self.answer(id)?;
        match result.get("exceptionDetails") {
            Some(thrown) => Err(thrown.clone()),
            None => Ok(result["result"]["value"].clone()),
        }
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

    fn window(&self) -> Window {
        self.window.clone()
    }

    fn open_window(&mut self, url: &str) -> Window {
        if self.scripts == Scripts::On && self.early.is_empty() {
            return self.make_window(url);
        }
        // Until the page comes, Chromium (156) answers nothing to who has been there before.
        let window = self.make_window("about:blank");
        self.send(&window.session, "Page.navigate", json!({"url": url}));
        window
    }

    fn switch_to(&mut self, window: &Window) {
        self.window.clone_from(window);
    }

    fn close_window(&mut self, window: Window) {
        let params = json!({"targetId": window.target});
        self.call_in("", "Target.closeTarget", params);
    }

    fn minimize(&mut self, is_minimized: bool) {
        let params = json!({"targetId": self.window.target});
        let window = self.call_in("", "Browser.getWindowForTarget", params);
        let state = if is_minimized { "minimized" } else { "normal" };
        let params = json!({"windowId": window["windowId"], "bounds": {"windowState": state}});
        self.call_in("", "Browser.setWindowBounds", params);
    }

    fn traverse(&mut self, steps: i32) {
        // A page on its way has no history yet; nor has it ears.
        self.eval("null");
        let history = self.call("Page.getNavigationHistory", json!({}));
        let at = history["currentIndex"].as_i64().expect("a number") + i64::from(steps);
        let at = usize::try_from(at).expect("not before the first page");
        let id = &history["entries"][at]["id"];
        self.call("Page.navigateToHistoryEntry", json!({"entryId": id}));
    }
}

impl EarlyScripts for Chromium {
    fn at_start(&mut self, script: &str) {
        let session = self.window.session.clone();
        self.add_early(&session, script);
        self.early.push(script.to_owned());
    }
}

impl Chromium {
    /// The processes in which pages run.
    pub fn renderers(&mut self) -> Vec<Pid> {
        let all = self.call_in("", "SystemInfo.getProcessInfo", json!({}));
        let all = all["processInfo"].as_array().expect("a list").iter();
        all.filter(|process| process["type"] == "renderer")
            .filter_map(|process| Pid::from_raw(process["id"].as_i64()?.try_into().ok()?))
            .collect()
    }

    pub fn call(&mut self, method: &str, params: Value) -> Value {
        let session = self.window.session.clone();
        self.call_in(&session, method, params)
    }

    /// Calls several of the same kind at once, with nothing between them.
    pub fn call_all(&mut self, method: &str, all: &[Value]) {
        let session = self.window.session.clone();
        let ids: Vec<_> = all
            .iter()
            .map(|params| self.send(&session, method, params.clone()))
            .collect();
        // They are answered in their order.
        for id in ids {
            let answer = self.answer(id);
            answer.unwrap_or_else(|error| panic!("{method}: {error}"));
        }
    }

    /// Calls a method of a window's page, or of the browser itself where `session` is empty.
    fn call_in(&mut self, session: &str, method: &str, params: Value) -> Value {
        let id = self.send(session, method, params);
        let answer = self.answer(id);
        answer.unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    fn send(&mut self, session: &str, method: &str, params: Value) -> u64 {
        self.next += 1;
        let mut message = json!({"id": self.next, "method": method, "params": params});
        if !session.is_empty() {
            message["sessionId"] = json!(session);
        }
        let mut bytes = serde_json::to_vec(&message).unwrap();
        bytes.push(0);
        self.to.write_all(&bytes).expect("the browser lives");
        self.next
    }

    /// What was answered to message `id`, or the error.
    fn answer(&mut self, id: u64) -> Result<Value, Value> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let mut answer = self.from.recv_timeout(left).expect("the browser answers");
            if answer["id"] == id {
                return match answer.get_mut("error") {
                    Some(error) => Err(error.take()),
                    None => Ok(answer["result"].take()),
                };
            }
        }
    }

    /// Opens a window with the page at `url`, which need not have come.
    fn make_window(&mut self, url: &str) -> Window {
        let text = |value: &Value| value.as_str().expect("a name").to_owned();
        let params = json!({"url": url, "newWindow": true});
        let target = text(&self.call_in("", "Target.createTarget", params)["targetId"]);
        let params = json!({"targetId": target, "flatten": true});
        let session = text(&self.call_in("", "Target.attachToTarget", params)["sessionId"]);
        if self.scripts == Scripts::Off {
            let off = json!({"value": true});
            self.call_in(&session, "Emulation.setScriptExecutionDisabled", off);
        }
        for script in self.early.clone() {
            self.add_early(&session, &script);
        }
        Window { target, session }
    }

    fn add_early(&mut self, session: &str, script: &str) {
        self.call_in(session, "Page.enable", json!({}));
        let source = format!("(() => {{ {script} }})()");
        let method = "Page.addScriptToEvaluateOnNewDocument";
        self.call_in(session, method, json!({"source": source}));
    }
}
