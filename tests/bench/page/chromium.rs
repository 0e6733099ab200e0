//! A Chromium that shows one page, full screen, on a screen in memory; told what to do over its debugging
//! pipe (Chrome DevTools Protocol), and ended with all its processes when dropped.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};

use super::screen;
use crate::{camera, children, proc};

/// A name that the browser finds at 127.0.0.1: people's pages are not at a loopback address.
pub const NAME: &str = "cam";
/// For the browser to start, and to answer.
const PATIENCE: Duration = Duration::from_secs(20);
/// For its processes to be gone.
const END_PATIENCE: Duration = Duration::from_secs(5);
const CHECK_TIME: Duration = Duration::from_millis(50);

/// The browser with one page.
pub struct Chromium {
    child: Child,
    to: ChildStdin,
    from: Receiver<Value>,
    /// Closed once the last process has ended: all of them have its standard error.
    ended: Receiver<()>,
    session: Option<String>,
    next: u64,
    profile: PathBuf,
}

impl Chromium {
    /// With a new profile and an empty page.
    pub fn start(display: &str) -> Result<Chromium, String> {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let profile = camera::room().join(format!("browser-{}-{number}", std::process::id()));
        fs::create_dir_all(&profile)
            .map_err(|error| format!("cannot make {profile:?}: {error}"))?;
        let mut child = Command::new("sh")
            .args(["-c", "exec chromium \"$@\" 3<&0 4>&1 </dev/null >/dev/null"])
            .arg("chromium")
            .args([
                "--no-sandbox",
                "--test-type",
                "--disable-gpu",
                "--disable-quic",
                "--no-first-run",
                "--disable-breakpad",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--disable-dev-shm-usage",
                "--remote-debugging-pipe",
                "--kiosk",
                "--window-position=0,0",
            ])
            .arg(format!(
                "--window-size={},{}",
                screen::SIZE.0,
                screen::SIZE.1
            ))
            .arg(format!(
                "--host-resolver-rules=MAP {NAME} 127.0.0.1, MAP * ~NOTFOUND, \
                 EXCLUDE localhost, EXCLUDE 127.0.0.1"
            ))
            .arg(format!("--user-data-dir={}", profile.display()))
            .arg("about:blank")
            .env("DISPLAY", display)
            .env("HOME", &profile)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("cannot start `chromium`: {error}"))?;
        children::add(child.id());
        let to = child.stdin.take().expect("stdin is piped");
        let stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
        let stderr = BufReader::new(child.stderr.take().expect("stderr is piped"));
        let (send, from) = mpsc::channel();
        thread::spawn(move || {
            for message in stdout.split(0).map_while(Result::ok) {
                let message = serde_json::from_slice(&message).unwrap_or_default();
                if send.send(message).is_err() {
                    break;
                }
            }
        });
        let (is_alive, ended) = mpsc::channel::<()>();
        thread::spawn(move || {
            // What it complains of is of this place, such as a bus that is not there.
            for _ in stderr.split(b'\n').map_while(Result::ok) {}
            drop(is_alive);
        });
        let mut chromium = Chromium {
            child,
            to,
            from,
            ended,
            session: None,
            next: 0,
            profile,
        };
        chromium.attach()?;
        Ok(chromium)
    }

    /// To the page that it starts with, once that is there.
    fn attach(&mut self) -> Result<(), String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let targets = self.call("Target.getTargets", json!({}))?;
            let targets = targets["targetInfos"].as_array().into_iter().flatten();
            let page = targets.into_iter().find(|target| target["type"] == "page");
            if let Some(page) = page {
                let wanted = json!({"targetId": page["targetId"], "flatten": true});
                let attached = self.call("Target.attachToTarget", wanted)?;
                self.session = attached["sessionId"].as_str().map(String::from);
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err("`chromium` has no page".into());
            }
            // It does not say when its first window is there; only asking tells.
            thread::sleep(CHECK_TIME);
        }
    }

    pub fn call(&mut self, method: &str, params: Value) -> Result<Value, String> {
        self.next += 1;
        let mut message = json!({"id": self.next, "method": method, "params": params});
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        let fault = |why: String| format!("`chromium`, {method}: {why}");
        self.to
            .write_all(&bytes)
            .map_err(|error| fault(error.to_string()))?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let answer = self.from.recv_timeout(left);
            let mut answer = answer.map_err(|_| fault("no answer".into()))?;
            if answer["id"] == self.next {
                return match answer.get("error") {
                    Some(error) => Err(fault(error.to_string())),
                    None => Ok(answer["result"].take()),
                };
            }
        }
    }

    /// Shows the page at `url`; it may still be loading.
    pub fn go(&mut self, url: &str) -> Result<(), String> {
        let answer = self.call("Page.navigate", json!({"url": url}))?;
        match answer.get("errorText") {
            Some(why) => Err(format!("`chromium` cannot show {url}: {why}")),
            None => Ok(()),
        }
    }

    /// The value of a JavaScript expression in the page.
    pub fn eval(&mut self, expression: &str) -> Result<Value, String> {
        let wanted = json!({"expression": expression, "returnByValue": true});
        let mut result = self.call("Runtime.evaluate", wanted)?;
        match result.get("exceptionDetails") {
            Some(details) => Err(format!("{expression}: {details}")),
            None => Ok(result["result"]["value"].take()),
        }
    }

    /// Waits until an expression is true.
    pub fn wait(&mut self, expression: &str) -> Result<(), String> {
        let deadline = Instant::now() + PATIENCE;
        while self.eval(expression)? != true {
            if Instant::now() > deadline {
                let text = self.eval("document.body ? document.body.innerText : ''")?;
                return Err(format!("never true: `{expression}`; the page says {text}"));
            }
            thread::sleep(CHECK_TIME);
        }
        Ok(())
    }

    /// Presses and releases a key that writes `text`.
    pub fn key(&mut self, text: &str) -> Result<(), String> {
        let down = json!({"type": "keyDown", "key": text, "text": text});
        self.call("Input.dispatchKeyEvent", down)?;
        let up = json!({"type": "keyUp", "key": text});
        self.call("Input.dispatchKeyEvent", up).map(drop)
    }

    /// The page's JavaScript heap in bytes, once what nobody needs is gone.
    pub fn heap(&mut self) -> Result<f64, String> {
        self.call("HeapProfiler.collectGarbage", json!({}))?;
        let usage = self.call("Runtime.getHeapUsage", json!({}))?;
        let used = usage["usedSize"].as_f64();
        used.ok_or(format!("`chromium` tells no size of the heap: {usage}"))
    }

    /// Its processes, the first one and all that came of it.
    pub fn processes(&self) -> Vec<u32> {
        proc::family(self.child.id())
    }

    /// Those that show pages; a browser has some in store, and some for parts of its window.
    pub fn renderers(&self) -> Vec<u32> {
        let mut all = self.processes();
        all.retain(|&id| proc::command(id).contains("--type=renderer"));
        all
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        // Already gone or not, it is waited for.
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        children::forget(self.child.id());
        let _ = self.child.wait();
        // They write into the profile until they are gone.
        let _ = self.ended.recv_timeout(END_PATIENCE);
        let _ = fs::remove_dir_all(&self.profile);
    }
}
