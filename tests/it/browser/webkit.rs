//! WebKit's MiniBrowser in an X server without a screen, told what to do by WebKitWebDriver over
//! HTTP (W3C WebDriver).

use super::{Driver, Mouse, PATIENCE, Point, Scripts, actions, group::Group, proxy};
use crate::{
    camfeed::{Folder, SOON, eventually},
    http::{receive, send},
};
use data_encoding::BASE64;
use serde_json::{Value, json};
use std::{fs, net::SocketAddr, time::Duration};

/// How long an answer may take that can be asked for again.
const SHORT: Duration = Duration::from_secs(2);

/// A MiniBrowser.
pub struct WebKit {
    driver: SocketAddr,
    session: String,
    /// How often the mouse's wheel was turned.
    turns: u32,
    _group: Group,
    _display: Group,
    _folder: Folder,
}

impl Driver for WebKit {
    type Window = String;

    fn start(scripts: Scripts) -> WebKit {
        let folder = Folder::new();
        // It takes a display that is free, and says which once it can be used.
        let mut display = Group::start("Xvfb", |command| {
            command.args(["-displayfd", "1", "-nolisten", "tcp"]);
            command.args(["-screen", "0", "1024x768x24"]);
        });
        let number: u32 = display.wait_line(|line| line.parse().ok());
        let group = Group::start("WebKitWebDriver", |command| {
            command
                .arg("--port=0")
                .env("DISPLAY", format!(":{number}"))
                .env("GDK_BACKEND", "x11")
                .env("GSETTINGS_BACKEND", "memory")
                .env("NO_AT_BRIDGE", "1")
                .env("HOME", &folder.0)
                .env("XDG_RUNTIME_DIR", &folder.0)
                // Not everybody may make the namespaces of its sandbox.
                .env("WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS", "1");
        });
        let mut port = None;
        eventually(PATIENCE, || {
            port = listening(group.child.id());
            port.is_some()
        });
        let port = port.expect("WebKitWebDriver (`make setup-test` brings it) listens");
        let mut webkit = WebKit {
            driver: SocketAddr::from(([127, 0, 0, 1], port)),
            session: String::new(),
            turns: 0,
            _group: group,
            _display: display,
            _folder: folder,
        };
        let arguments = [
            "--automation".to_owned(),
            format!("--enable-javascript={}", scripts == Scripts::On),
        ];
        let proxy = proxy::start().to_string();
        let wanted = json!({"capabilities": {"alwaysMatch": {
            // Else nothing can be asked of a window whose page never loads.
            "pageLoadStrategy": "none",
            "proxy": {"proxyType": "manual", "httpProxy": proxy},
            "webkitgtk:browserOptions": {"args": arguments},
        }}});
        let made = webkit.call("POST", "/session", &wanted);
        let session = made["sessionId"].as_str().expect("a session");
        webkit.session = format!("/session/{session}");
        webkit
    }

    fn go(&mut self, url: &str) {
        // A page that never came is not to meet the new one, which does not know that it is left.
        self.eval("(location.href === 'about:blank' && stop(), window.isLeft = true)");
        self.tell("POST", "/url", &json!({"url": url}));
        let is_new = "!window.isLeft && document.readyState !== 'loading'";
        let is_there = eventually(PATIENCE, || self.ask(is_new) == Ok(Value::Bool(true)));
        let now = self.ask("[location.href, document.readyState]");
        assert!(is_there, "{url} does not load: {now:?}");
    }

    fn eval(&mut self, expression: &str) -> Value {
        self.execute(expression, SOON)
            .unwrap_or_else(|error| panic!("{expression}: {error}"))
    }

    /// A page that goes into the cache for the way back takes a question with it, and the time-out that
    /// WebKitWebDriver (2.50) has for scripts.
    fn ask(&mut self, expression: &str) -> Result<Value, Value> {
        self.execute(expression, SHORT)
    }

    fn screenshot(&mut self) -> Vec<u8> {
        let data = self.tell("GET", "/screenshot", &Value::Null);
        let data = data.as_str().expect("a picture");
        BASE64.decode(data.as_bytes()).expect("base64")
    }

    fn key(&mut self, name: &str) {
        self.act(actions::key(name));
    }

    fn mouse(&mut self, steps: &[Mouse]) {
        self.act(actions::mouse(steps));
    }

    /// A wheel of its own for each turn: to one that it knows, WebKitWebDriver (2.50) gives the
    /// difference to the turn before.
    fn wheel(&mut self, at: Point, delta_y: f64) {
        self.turns += 1;
        self.act(actions::wheel(
            at,
            delta_y,
            &format!("wheel {}", self.turns),
        ));
    }

    /// No window is narrower than what stands in its bar, about 450 pixels.
    fn resize(&mut self, width: u32, height: u32) {
        let frame = self.eval("[outerWidth - innerWidth, outerHeight - innerHeight]");
        let frame: [u32; 2] = serde_json::from_value(frame).expect("numbers");
        let rect = json!({"width": width + frame[0], "height": height + frame[1]});
        self.tell("POST", "/window/rect", &rect);
        let is_so = format!("innerWidth === {width} && innerHeight === {height}");
        let becomes_so = eventually(SOON, || self.eval(&is_so) == true);
        assert!(becomes_so, "WebKit has no window of {width}x{height}");
    }

    fn window(&self) -> String {
        let handle = self.tell("GET", "/window", &Value::Null);
        handle.as_str().expect("a window").to_owned()
    }

    fn open_window(&mut self, url: &str) -> String {
        let before = self.window();
        let made = self.tell("POST", "/window/new", &json!({"type": "window"}));
        let window = made["handle"].as_str().expect("a window").to_owned();
        self.switch_to(&window);
        self.tell("POST", "/url", &json!({"url": url}));
        self.switch_to(&before);
        window
    }

    fn switch_to(&mut self, window: &String) {
        self.tell("POST", "/window", &json!({"handle": window}));
    }

    fn close_window(&mut self, window: String) {
        let before = self.window();
        self.switch_to(&window);
        self.tell("DELETE", "/window", &Value::Null);
        self.switch_to(&before);
    }

    fn minimize(&mut self, is_minimized: bool) {
        if is_minimized {
            self.tell("POST", "/window/minimize", &json!({}));
        } else {
            let rect = self.tell("GET", "/window/rect", &Value::Null);
            self.tell("POST", "/window/rect", &rect);
        }
    }

    fn traverse(&mut self, steps: i32) {
        let command = if steps < 0 { "/back" } else { "/forward" };
        for _ in 0..steps.abs() {
            self.tell("POST", command, &json!({}));
        }
    }
}

impl WebKit {
    /// The value of an expression, or the driver's error.
    fn execute(&self, expression: &str, limit: Duration) -> Result<Value, Value> {
        let script = format!("return (async () => JSON.stringify(await ({expression})))()");
        let command = format!("{}/execute/sync", self.session);
        let body = json!({"script": script, "args": []});
        let value = self.ask_driver("POST", &command, &body, limit)?;
        let text = value.as_str();
        Ok(text.map_or(Value::Null, |text| serde_json::from_str(text).unwrap()))
    }

    fn act(&self, actions: Value) {
        self.tell("POST", "/actions", &json!({"actions": actions}));
    }

    fn tell(&self, method: &str, command: &str, body: &Value) -> Value {
        self.call(method, &format!("{}{command}", self.session), body)
    }

    fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        self.ask_driver(method, path, body, SOON)
            .unwrap_or_else(|error| panic!("{method} {path} {body}: {error}"))
    }

    /// The value that the driver answers within `limit`, or its error.
    fn ask_driver(
        &self,
        method: &str,
        path: &str,
        body: &Value,
        limit: Duration,
    ) -> Result<Value, Value> {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let head = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n", self.driver);
        let length = body.len();
        let rest = format!("Connection: close\r\nContent-Length: {length}\r\n\r\n{body}");
        let stream = send(self.driver, &(head + &rest));
        stream.set_read_timeout(Some(limit)).expect("a time-out");
        let answer = receive(stream).map_err(|error| json!(error.to_string()))?;
        let mut answered: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let value = answered["value"].take();
        if answer.status == 200 {
            Ok(value)
        } else {
            Err(value)
        }
    }
}

/// The port on which process `id` listens: this driver does not say which it took.
fn listening(id: u32) -> Option<u16> {
    let descriptors = fs::read_dir(format!("/proc/{id}/fd")).ok()?;
    let sockets: Vec<_> = descriptors
        .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
        .filter_map(|link| {
            let inode = link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']');
            inode.map(str::to_owned)
        })
        .collect();
    let table = fs::read_to_string(format!("/proc/{id}/net/tcp")).ok()?;
    table.lines().skip(1).find_map(|line| {
        // Number, own address, peer, state (0A: it listens), and the inode in the tenth place.
        let columns: Vec<_> = line.split_whitespace().collect();
        let is_ours = columns[3] == "0A" && sockets.iter().any(|inode| inode == columns[9]);
        let (_, port) = columns[1].split_once(':')?;
        is_ours
            .then(|| u16::from_str_radix(port, 16).ok())
            .flatten()
    })
}
