//! A stand-in for systemd: it holds the listening socket, and hears what the service tells.
//!
//! What it does is what sd_listen_fds(3), sd_notify(3) and sd_watchdog_enabled(3) say.

use crate::camfeed::{Camfeed, Folder, SOON};
use socket2::{SockFilter, SockRef};
use std::{
    net::{SocketAddr, TcpListener},
    os::{fd::OwnedFd, unix::net::UnixDatagram},
    process::{Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::{Duration, Instant},
};

/// The watchdog's time here; the program asks itself at a third of it.
pub const WATCHDOG: Duration = Duration::from_secs(3);

/// See the module.
pub struct Manager {
    _folder: Folder,
    heard: Receiver<String>,
    notify_path: String,
    /// The socket it passes.
    pub listener: TcpListener,
}

impl Manager {
    pub fn new() -> Manager {
        let folder = Folder::new();
        let notify_path = folder.file("notify");
        let notify = UnixDatagram::bind(&notify_path).expect("a socket");
        let (hearing, heard) = channel();
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(length) = notify.recv(&mut bytes) {
                let message = String::from_utf8_lossy(&bytes[..length]).into_owned();
                if hearing.send(message).is_err() {
                    return;
                }
            }
        });
        Manager {
            heard,
            notify_path,
            _folder: folder,
            listener: TcpListener::bind("127.0.0.1:0").expect("a port"),
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.listener.local_addr().expect("bound")
    }

    /// Starts the service.
    pub fn start(&self, args: &[&str]) -> Camfeed {
        let passed = self.listener.try_clone().expect("a descriptor");
        let mut command = activated(passed.into(), 1, args);
        command
            .env("NOTIFY_SOCKET", &self.notify_path)
            .env("WATCHDOG_USEC", WATCHDOG.as_micros().to_string());
        Camfeed::launch(command)
    }

    /// From now on the kernel drops who wants to connect; what is connected goes on.
    pub fn deafen(&self) {
        // A classic filter that accepts no byte of any packet: BPF_RET | BPF_K, 0.
        let nothing = [SockFilter::new(6, 0, 0, 0)];
        SockRef::from(&self.listener)
            .attach_filter(&nothing)
            .expect("a filter");
    }

    /// Undoes [`Manager::deafen`].
    pub fn undeafen(&self) {
        SockRef::from(&self.listener)
            .detach_filter()
            .expect("no filter");
    }

    /// The next message within `time`.
    pub fn hear(&self, time: Duration) -> Option<String> {
        self.heard.recv_timeout(time).ok()
    }

    /// Waits for a message of which `is_it` holds; gives it and those before it.
    pub fn wait_for(&self, is_it: impl Fn(&str) -> bool) -> Vec<String> {
        let deadline = Instant::now() + SOON;
        let mut heard = Vec::new();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "not heard, only {heard:?}");
            if let Some(message) = self.hear(left) {
                let is_last = is_it(&message);
                heard.push(message);
                if is_last {
                    return heard;
                }
            }
        }
    }

    /// Waits for a message with this line.
    pub fn wait_line(&self, line: &str) -> Vec<String> {
        self.wait_for(|message| message.lines().any(|heard| heard == line))
    }
}

/// camfeed with `passed` as its third descriptor, and the next ones, if `count` says so.
pub fn activated(passed: OwnedFd, count: u32, args: &[&str]) -> Command {
    // The process id is known only to the process itself.
    let script = format!(
        "exec 3<&0 4<&0 </dev/null; LISTEN_PID=$$ LISTEN_FDS={count} exec {} \"$@\"",
        env!("CARGO_BIN_EXE_camfeed")
    );
    let mut command = Command::new("sh");
    command
        .args(["-c", &script, "camfeed"])
        .args(args)
        .stdin(Stdio::from(passed));
    command
}
