//! A running camfeed, ended when dropped.

use rustix::process::{Pid, Signal, kill_process};
use std::{
    fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// How long anything that should happen soon may take on a busy machine.
pub const SOON: Duration = Duration::from_secs(20);

/// A small, cheap picture.
pub const SMALL: &str = "test:320x240@30";

/// A running camfeed with its log.
pub struct Camfeed {
    child: Child,
    log: Arc<Log>,
    pub address: SocketAddr,
}

#[derive(Default)]
struct Log {
    lines: Mutex<Vec<String>>,
    grown: Condvar,
}

impl Camfeed {
    /// Starts it on a free port and waits until it serves.
    pub fn start(args: &[&str]) -> Camfeed {
        Camfeed::start_at("127.0.0.1:0", args)
    }

    /// Starts it and waits until its camera is online.
    pub fn online(args: &[&str]) -> Camfeed {
        let camfeed = Camfeed::start(args);
        camfeed.wait_log("camera online");
        camfeed
    }

    /// Starts it at `listen` and waits until it serves.
    pub fn start_at(listen: &str, args: &[&str]) -> Camfeed {
        Camfeed::start_with(listen, args, &[])
    }

    /// Starts it at `listen` with additions to its environment and waits until it serves.
    pub fn start_with(listen: &str, args: &[&str], environment: &[(&str, &str)]) -> Camfeed {
        let mut command = Command::new(env!("CARGO_BIN_EXE_camfeed"));
        command
            .args(["--listen", listen])
            .args(args)
            .envs(environment.iter().copied())
            .stdin(Stdio::null());
        Camfeed::launch(command)
    }

    /// Runs `command`, which becomes camfeed, and waits until it serves.
    pub fn launch(mut command: Command) -> Camfeed {
        if !command.get_envs().any(|(name, _)| name == "RUST_LOG") {
            command.env("RUST_LOG", "debug");
        }
        let mut child = command
            .stderr(Stdio::piped())
            .spawn()
            .expect("camfeed starts");
        let log = Arc::new(Log::default());
        let stderr = child.stderr.take().expect("piped");
        let filling = Arc::clone(&log);
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                filling.lines.lock().unwrap().push(line);
                filling.grown.notify_all();
            }
        });
        let mut camfeed = Camfeed {
            child,
            log,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
        };
        let line = camfeed.wait_log("listening on ");
        if let Some((_, rest)) = line.split_once("listening on http://") {
            let address = rest
                .split('/')
                .next()
                .and_then(|address| address.parse().ok());
            camfeed.address = address.expect("an address in the log");
        }
        camfeed
    }

    /// Waits for a line of the log that contains `text`.
    pub fn wait_log(&self, text: &str) -> String {
        self.wait_logs(text, 1)
    }

    /// Waits for the `count`th line of the log that contains `text`.
    pub fn wait_logs(&self, text: &str, count: usize) -> String {
        let deadline = Instant::now() + SOON;
        let mut lines = self.log.lines.lock().unwrap();
        loop {
            if let Some(line) = lines
                .iter()
                .filter(|line| line.contains(text))
                .nth(count - 1)
            {
                return line.clone();
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero(),
                "no {text:?} ({count}) in the log:\n{}",
                lines.join("\n")
            );
            lines = self.log.grown.wait_timeout(lines, left).unwrap().0;
        }
    }

    /// The log so far.
    pub fn log(&self) -> String {
        self.log.lines.lock().unwrap().join("\n")
    }

    /// Lines of the log that contain `text`, so far.
    pub fn count_log(&self, text: &str) -> usize {
        self.log
            .lines
            .lock()
            .unwrap()
            .iter()
            .filter(|line| line.contains(text))
            .count()
    }

    /// The address of `path`.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Its threads.
    pub fn threads(&self) -> usize {
        fs::read_dir(format!("/proc/{}/task", self.child.id()))
            .expect("it runs")
            .count()
    }

    /// Its descriptors.
    pub fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.child.id()))
            .expect("it runs")
            .count()
    }

    /// Its process.
    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Sends it `signal`.
    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("it runs");
    }

    /// How it ended, which it does by itself.
    pub fn wait(mut self, time: Duration) -> ExitStatus {
        let mut ended = None;
        let has_ended = eventually(time, || {
            ended = self.child.try_wait().expect("our child");
            ended.is_some()
        });
        assert!(has_ended, "it does not end");
        ended.expect("just seen")
    }

    /// Its resident memory.
    pub fn memory_bytes(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|text| text.trim().strip_suffix(" kB"));
        kib.and_then(|kib| kib.parse::<u64>().ok())
            .expect("it lives")
            * 1024
    }

    /// Sends it `signal`; how it ended, and after how long.
    pub fn end(mut self, signal: Signal) -> (ExitStatus, Duration) {
        let asked = Instant::now();
        self.signal(signal);
        loop {
            if let Some(status) = self.child.try_wait().expect("our child") {
                return (status, asked.elapsed());
            }
            assert!(asked.elapsed() < SOON, "it does not end");
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Camfeed {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            let lines = self
                .log
                .lines
                .lock()
                .unwrap_or_else(|poisoned| poisoned.into_inner());
            let from = lines.len().saturating_sub(60);
            eprintln!("--- the log's end ---\n{}", lines[from..].join("\n"));
        }
    }
}

/// Waits until `holds`, at most `time`; false when it never did.
pub fn eventually(time: Duration, mut holds: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + time;
    loop {
        if holds() {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// A folder of its own for a test, removed when dropped.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new() -> Folder {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("camfeed-test-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).expect("a folder for the test");
        Folder(path)
    }

    pub fn file(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("a plain path").to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Runs a program to its end; panics when it is not there.
pub fn run(program: &str, args: &[&str]) -> std::process::Output {
    Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{program} (`make setup` brings it): {error}"))
}

/// A film of numbered frames made with ffmpeg; `codec` is mjpeg or libx264.
pub fn film(path: &str, codec: &str, size: &str, rate: u32, seconds: u32) {
    let input = format!("testsrc2=size={size}:rate={rate}");
    let seconds = seconds.to_string();
    let made = run(
        "ffmpeg",
        &[
            "-v",
            "error",
            "-y",
            "-f",
            "lavfi",
            "-i",
            &input,
            "-t",
            &seconds,
            "-pix_fmt",
            if codec == "mjpeg" {
                "yuvj422p"
            } else {
                "yuv420p"
            },
            "-c:v",
            codec,
            path,
        ],
    );
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
}
