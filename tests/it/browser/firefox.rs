//! Firefox, told what to do by WebDriver BiDi: JSON in a WebSocket that it offers by itself.

use super::{Driver, EarlyScripts, Mouse, NAME, PATIENCE, Point, Scripts, actions, group::Group};
use crate::camfeed::Folder;
use data_encoding::BASE64;
use serde_json::{Value, json};
use std::{fs, net::TcpStream};
use tungstenite::{Message, WebSocket};

/// A headless Firefox.
pub struct Firefox {
    to: WebSocket<TcpStream>,
    context: String,
    scripts: Scripts,
    next: u64,
    _group: Group,
    _folder: Folder,
}

/// Preferences of a profile: the name is where the servers are, and nobody else is asked anything.
/// Firefox sets more of this kind by itself when it is told what to do from outside.
fn preferences(scripts: Scripts) -> String {
    let nobody = "\"http://127.0.0.1:9/\"";
    let name = format!("\"{NAME}\"");
    let javascript = if scripts == Scripts::On {
        "true"
    } else {
        "false"
    };
    [
        ("javascript.enabled", javascript),
        ("network.dns.localDomains", &name),
        ("network.dns.disableIPv6", "true"),
        ("network.proxy.type", "0"),
        ("network.trr.mode", "5"),
        ("network.captive-portal-service.enabled", "false"),
        ("network.connectivity-service.enabled", "false"),
        ("network.prefetch-next", "false"),
        ("dom.security.https_first", "false"),
        ("dom.push.connection.enabled", "false"),
        ("services.settings.server", nobody),
        ("toolkit.telemetry.server", nobody),
        ("toolkit.telemetry.unified", "false"),
        ("datareporting.policy.dataSubmissionEnabled", "false"),
        ("app.normandy.enabled", "false"),
        ("app.update.disabledForTesting", "true"),
        ("browser.region.network.url", "\"\""),
        ("browser.safebrowsing.malware.enabled", "false"),
        ("browser.safebrowsing.phishing.enabled", "false"),
        ("browser.safebrowsing.provider.google4.updateURL", "\"\""),
        ("browser.safebrowsing.provider.mozilla.updateURL", "\"\""),
        ("browser.shell.checkDefaultBrowser", "false"),
        ("browser.startup.page", "0"),
        ("browser.aboutwelcome.enabled", "false"),
        ("extensions.getAddons.cache.enabled", "false"),
        ("extensions.systemAddon.update.enabled", "false"),
        ("extensions.update.enabled", "false"),
        ("media.gmp-manager.updateEnabled", "false"),
    ]
    .iter()
    .map(|(name, value)| format!("user_pref(\"{name}\", {value});\n"))
    .collect()
}

impl Driver for Firefox {
    type Window = String;

    fn start(scripts: Scripts) -> Firefox {
        let folder = Folder::new();
        let profile = folder.file("profile");
        fs::create_dir(&profile).expect("a folder of ours");
        fs::write(format!("{profile}/user.js"), preferences(scripts)).expect("written");
        let mut group = Group::start("firefox-esr", |command| {
            command
                .args(["--headless", "--no-remote", "--remote-debugging-port=0"])
                .args(["--profile", &profile, "about:blank"])
                .env("HOME", &folder.0)
                .env("MOZ_CRASHREPORTER_DISABLE", "1")
                // Only with this does it heed `services.settings.server`.
                .env("MOZ_REMOTE_SETTINGS_DEVTOOLS", "1");
        });
        let url = group.wait_line(|line| {
            let (_, url) = line.split_once("WebDriver BiDi listening on ")?;
            Some(format!("{url}/session"))
        });
        let address = url.trim_start_matches("ws://").split('/').next();
        let stream = TcpStream::connect(address.expect("an address")).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        let (to, _) = tungstenite::client(&url, stream).expect("a WebSocket");
        let mut firefox = Firefox {
            to,
            context: String::new(),
            scripts,
            next: 0,
            _group: group,
            _folder: folder,
        };
        firefox.call("session.new", json!({"capabilities": {}}));
        let tabs = firefox.call("browsingContext.getTree", json!({}));
        let context = tabs["contexts"][0]["context"].as_str();
        firefox.context = context.expect("a tab").to_owned();
        firefox
    }

    fn go(&mut self, url: &str) {
        // A page with an endless picture never loads completely.
        let params = json!({"context": self.context, "url": url, "wait": "interactive"});
        self.call("browsingContext.navigate", params);
    }

    fn ask(&mut self, expression: &str) -> Result<Value, Value> {
        // Where pages may run no JavaScript, no promise is ever kept.
        let script = match self.scripts {
            Scripts::On => format!("(async () => JSON.stringify(await ({expression})))()"),
            Scripts::Off => format!("JSON.stringify({expression})"),
        };
        let params = json!({
            "expression": script,
            "target": {"context": self.context},
            "awaitPromise": self.scripts == Scripts::On,
        });
        self.send("script.evaluate", params);
        let result = self.answer()?;
        if result["type"] != "success" {
            return Err(result);
        }
        let text = result["result"]["value"].as_str();
        Ok(text.map_or(Value::Null, |text| serde_json::from_str(text).unwrap()))
    }

    fn screenshot(&mut self) -> Vec<u8> {
        let params = json!({"context": self.context});
        let result = self.call("browsingContext.captureScreenshot", params);
        let data = result["data"].as_str().expect("a picture");
        BASE64.decode(data.as_bytes()).expect("base64")
    }

    fn key(&mut self, name: &str) {
        self.act(actions::key(name));
    }

    fn mouse(&mut self, steps: &[Mouse]) {
        self.act(actions::mouse(steps));
    }

    fn wheel(&mut self, at: Point, delta_y: f64) {
        self.act(actions::wheel(at, delta_y, "wheel"));
    }

    fn resize(&mut self, width: u32, height: u32) {
        let viewport = json!({"width": width, "height": height});
        let params = json!({"context": self.context, "viewport": viewport});
        self.call("browsingContext.setViewport", params);
    }

    fn window(&self) -> String {
        self.context.clone()
    }

    fn open_window(&mut self, url: &str) -> String {
        let made = self.call("browsingContext.create", json!({"type": "window"}));
        let window = made["context"].as_str().expect("a window").to_owned();
        let params = json!({"context": window, "url": url, "wait": "none"});
        // It is answered when the page is.
        self.send("browsingContext.navigate", params);
        window
    }

    fn switch_to(&mut self, window: &String) {
        self.context.clone_from(window);
    }

    fn close_window(&mut self, window: String) {
        self.call("browsingContext.close", json!({"context": window}));
    }

    fn minimize(&mut self, is_minimized: bool) {
        let tree = self.call("browsingContext.getTree", json!({"root": self.context}));
        let window = &tree["contexts"][0]["clientWindow"];
        // It is as large as the screen at its start.
        let state = if is_minimized {
            "minimized"
        } else {
            "maximized"
        };
        let params = json!({"clientWindow": window, "state": state});
        self.call("browser.setClientWindowState", params);
    }

    fn traverse(&mut self, steps: i32) {
        let params = json!({"context": self.context, "delta": steps});
        self.call("browsingContext.traverseHistory", params);
    }
}

impl EarlyScripts for Firefox {
    fn at_start(&mut self, script: &str) {
        let function = format!("() => {{ {script} }}");
        let params = json!({"functionDeclaration": function});
        self.call("script.addPreloadScript", params);
    }
}

impl Firefox {
    fn act(&mut self, actions: Value) {
        let params = json!({"context": self.context, "actions": actions});
        self.call("input.performActions", params);
    }

    fn send(&mut self, method: &str, params: Value) {
        self.next += 1;
        let command = json!({"id": self.next, "method": method, "params": params});
        let sent = self.to.send(Message::text(command.to_string()));
        sent.expect("the browser lives");
    }

    fn call(&mut self, method: &str, params: Value) -> Value {
        self.send(method, params);
        let answer = self.answer();
        answer.unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    /// What is answered to the last message, or the error.
    fn answer(&mut self) -> Result<Value, Value> {
        loop {
            let message = self.to.read().expect("the browser answers");
            let Ok(text) = message.to_text() else {
                continue;
            };
            let mut answer: Value = serde_json::from_str(text).unwrap_or_default();
            if answer["id"] == self.next {
                return match answer["type"] == "success" {
                    true => Ok(answer["result"].take()),
                    false => Err(answer),
                };
            }
        }
    }
}
