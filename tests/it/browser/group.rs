//! A program and all it starts, in a process group of its own: browsers are many processes.

use super::PATIENCE;
use rustix::process::{Pid, Signal, kill_process_group};
use std::{
    io::{BufRead, BufReader, Read},
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, Sender, channel},
    thread,
    time::{Duration, Instant},
};

/// The group, ended when dropped.
pub struct Group {
    pub child: Child,
    /// What it has said and nobody has read. It ends when the last process of the group does.
    lines: Receiver<String>,
    said: Vec<String>,
}

impl Group {
    /// Runs `program`, which ends with this thread even when nobody is left to drop it.
    pub fn start(program: &str, set_up: impl FnOnce(&mut Command)) -> Group {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", program]);
        set_up(&mut command);
        let mut child = command
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("setpriv (`make setup-test` brings it): {error}"));
        let (sender, lines) = channel();
        read(child.stdout.take().expect("piped"), sender.clone());
        read(child.stderr.take().expect("piped"), sender);
        Group {
            child,
            lines,
            said: Vec::new(),
        }
    }

    /// What `find` makes of the first line in which it finds something.
    pub fn wait_line<T>(&mut self, find: impl Fn(&str) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(line) = self.lines.recv_timeout(left) else {
                panic!("it only said:\n{}", self.said.join("\n"));
            };
            if let Some(found) = find(&line) {
                return found;
            }
            self.said.push(line);
        }
    }
}

/// Hands on what is said, until nobody can say anything any more.
fn read(output: impl Read + Send + 'static, lines: Sender<String>) {
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            // Whoever is not listened to may go on talking.
            let _ = lines.send(line);
        }
    });
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        let _ = self.child.wait();
        // Their profile can only be removed once all have ended.
        while let Ok(line) = self.lines.recv_timeout(Duration::from_secs(5)) {
            self.said.push(line);
        }
        if thread::panicking() {
            let from = self.said.len().saturating_sub(20);
            eprintln!("--- the browser said ---\n{}", self.said[from..].join("\n"));
        }
    }
}
