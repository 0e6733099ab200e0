//! Scripts under test: by the shells and with the clients that users have, in front or behind.

use crate::camfeed::{Folder, SOON, eventually, run};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use std::{
    fs,
    os::unix::{fs::symlink, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::OnceLock,
};

/// Where the scripts are.
pub const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts");

/// What a script finds on the machine it runs on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Tools {
    /// GNU wget, with Debian's shell.
    Wget,
    /// No wget but curl.
    Curl,
    /// Nothing but busybox, its shell and its wget; and flock, which Debian's busybox leaves out.
    Busybox,
}

pub const ALL_TOOLS: [Tools; 3] = [Tools::Wget, Tools::Curl, Tools::Busybox];

impl Tools {
    /// A folder with these programs and no other.
    fn path(self) -> PathBuf {
        static CURL: OnceLock<Folder> = OnceLock::new();
        static BUSYBOX: OnceLock<Folder> = OnceLock::new();
        match self {
            Tools::Wget => PathBuf::from("/usr/local/bin:/usr/bin:/bin"),
            Tools::Curl => {
                let folder = CURL.get_or_init(|| {
                    linked(
                        "awk base64 cat chmod curl cut date dirname find flock mkdir mktemp mv od \
                         printf readlink rm rmdir sed sh sleep sort stat tail timeout touch tr wc",
                    )
                });
                folder.0.clone()
            }
            Tools::Busybox => {
                let folder = BUSYBOX.get_or_init(|| {
                    let folder = linked("flock");
                    let place = folder.0.to_str().unwrap();
                    let made = run("busybox", &["--install", "-s", place]);
                    assert!(made.status.success(), "{made:?}");
                    folder
                });
                folder.0.clone()
            }
        }
    }
}

/// A folder with links to `programs`.
fn linked(programs: &str) -> Folder {
    let folder = Folder::new();
    for program in programs.split_whitespace() {
        let found = ["/usr/bin", "/bin"].map(|place| Path::new(place).join(program));
        let found = found.iter().find(|path| path.exists());
        let found = found.unwrap_or_else(|| panic!("no {program} (`make setup` brings it)"));
        symlink(found, folder.0.join(program)).expect("a link");
    }
    folder
}

/// The script `name`, ready to run.
pub fn command(tools: Tools, name: &str, args: &[&str]) -> Command {
    let shell: &[&str] = match tools {
        Tools::Busybox => &["/bin/busybox", "sh"],
        Tools::Wget | Tools::Curl => &["/bin/dash"],
    };
    let mut command = Command::new(shell[0]);
    command
        .args(&shell[1..])
        .arg(format!("{SCRIPTS}/{name}"))
        .args(args)
        .env_clear()
        .env("PATH", tools.path())
        .stdin(Stdio::null());
    command
}

/// Runs the script `name` to its end, which is 124 when there is none.
pub fn script(tools: Tools, name: &str, args: &[&str]) -> Output {
    wrapped(tools, &["timeout", "60"], &command(tools, name, args))
}

/// Runs `script` behind `program`.
pub fn wrapped(tools: Tools, program: &[&str], script: &Command) -> Output {
    Command::new(program[0])
        .args(&program[1..])
        .arg(script.get_program())
        .args(script.get_args())
        .env_clear()
        .env("PATH", tools.path())
        .stdin(Stdio::null())
        .output()
        .expect("it starts")
}

/// A script that runs in the background; it and its children are ended when dropped.
pub struct Running {
    child: Child,
    /// What it says on both outputs.
    said: PathBuf,
    _folder: Folder,
}

impl Running {
    pub fn start(mut command: Command) -> Running {
        let folder = Folder::new();
        let said = folder.0.join("said");
        let out = fs::File::create(&said).expect("a file");
        let child = command
            .stdout(out.try_clone().expect("a descriptor"))
            .stderr(out)
            .process_group(0)
            .spawn()
            .expect("a shell");
        Running {
            child,
            said,
            _folder: folder,
        }
    }

    /// Its process.
    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// What it has said so far.
    pub fn said(&self) -> String {
        fs::read_to_string(&self.said).expect("readable")
    }

    /// How many lines it has said that contain `text`.
    pub fn count(&self, text: &str) -> usize {
        let said = self.said();
        said.lines().filter(|line| line.contains(text)).count()
    }

    /// Waits until it has said `text` in `count` lines.
    pub fn wait_said(&self, text: &str, count: usize) {
        let has = eventually(SOON, || self.count(text) >= count);
        assert!(has, "no {text:?} ({count}) in:\n{}", self.said());
    }

    /// Sends `signal` to the shell alone; how it ended.
    pub fn end(&mut self, signal: Signal) -> ExitStatus {
        kill_process(Pid::from_child(&self.child), signal).expect("it runs");
        self.wait()
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> ExitStatus {
        let mut status = None;
        let ended = eventually(SOON, || {
            status = self.child.try_wait().expect("our child");
            status.is_some()
        });
        assert!(ended, "it does not end:\n{}", self.said());
        status.expect("ended")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        let _ = self.child.wait();
    }
}

/// Names of everything under `folder`, in order; `.` is the folder itself.
pub fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).expect("a folder").flatten() {
            let path = entry.path();
            let name = path.strip_prefix(folder).expect("under it");
            found.push(name.to_str().expect("a plain name").to_owned());
            if path.is_dir() {
                folders.push(path);
            }
        }
    }
    found.sort();
    found
}
