//! The desk of somebody who follows a page: a checkout, a home, a folder that stands for `/`, a
//! camera, and the programs of `tests/standins` first on the PATH.
//!
//! A line of the page is run as it stands, but for the words that [`Desk::translate`] names.

use super::text::cron_command;
use crate::{
    camfeed::{Camfeed, Folder, SOON, eventually},
    fake_libcamera::CameraModule,
    fakecam::FakeCamera,
    shell::Running,
};
use rustix::process::Signal;
use std::{
    env, fs,
    net::SocketAddr,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

const REPOSITORY: &str = env!("CARGO_MANIFEST_DIR");

/// What runs for a test instead of what would change the machine.
pub const STANDINS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/standins");

/// See the module.
pub struct Desk {
    /// What is followed.
    pub page: &'static str,
    folder: Folder,
    pub camera: FakeCamera,
    /// On the camera's connector, once somebody has plugged it in.
    module: Option<CameraModule>,
    /// What the page says, and what is meant here; the last one said first.
    meanings: Vec<(String, String)>,
    /// What `cargo build` makes here: the wrapper of `tests/standins`, or the binary itself.
    builds: String,
    /// What was started and goes on.
    serving: Vec<Running>,
    pi: Option<Camfeed>,
}

impl Desk {
    /// Where no page is followed.
    pub fn new() -> Desk {
        Desk::of("")
    }

    /// Where `page` is followed.
    pub fn of(page: &'static str) -> Desk {
        let folder = Folder::new();
        for name in ["home", "root/etc/systemd/system"] {
            fs::create_dir_all(folder.0.join(name)).unwrap();
        }
        let checkout = folder.0.join("camfeed");
        fs::create_dir(&checkout).unwrap();
        for name in ["src", "static", "tests"] {
            symlink(Path::new(REPOSITORY).join(name), checkout.join(name)).unwrap();
        }
        // Not links: they look for what is beside them.
        let copied = Command::new("cp")
            .arg("-R")
            .args(["scripts", "Makefile", "Cargo.toml", "Cargo.lock"])
            .args(["README.md", "CHANGELOG.md", "LICENSE", "docs"])
            .arg(&checkout)
            .current_dir(REPOSITORY)
            .status();
        assert!(copied.unwrap().success());
        let root = folder.file("root");
        let mut desk = Desk {
            page,
            folder,
            camera: FakeCamera::new(""),
            module: None,
            meanings: Vec::new(),
            builds: format!("{STANDINS}/camfeed"),
            serving: Vec::new(),
            pi: None,
        };
        for place in ["/etc/", "/usr/local/"] {
            desk.mean(place, &format!("{root}{place}"));
        }
        // A port that is free.
        desk.mean("127.0.0.1:8080", "127.0.0.1:0");
        desk.mean("0.0.0.0:8081", "127.0.0.1:0");
        desk
    }

    /// From now on `word` means `by`.
    pub fn mean(&mut self, word: &str, by: &str) {
        self.meanings.insert(0, (word.to_owned(), by.to_owned()));
    }

    /// `text` with what is meant here.
    pub fn translate(&mut self, text: &str) -> String {
        if text.contains("//pi.local:8080") && !self.is_meant("pi.local:8080") {
            let pi = self.camera.online(&[]);
            self.mean("pi.local:8080", &pi.address.to_string());
            self.pi = Some(pi);
        }
        // What is typed on the machine itself.
        let own = "//127.0.0.1:8080";
        if text.contains(own) && !self.is_meant(own) {
            let address = self.translate("//pi.local:8080");
            self.mean(own, &address);
        }
        let mut out = String::new();
        let mut rest = text;
        while let Some(next) = rest.chars().next() {
            let meaning = self
                .meanings
                .iter()
                .find(|(word, _)| rest.starts_with(word));
            let length = match meaning {
                Some((word, by)) => {
                    out += by;
                    word.len()
                }
                None => {
                    out.push(next);
                    next.len_utf8()
                }
            };
            rest = &rest[length..];
        }
        out
    }

    fn is_meant(&self, word: &str) -> bool {
        self.meanings.iter().any(|(known, _)| known == word)
    }

    /// From now on there is a camera module.
    pub fn have_module(&mut self) {
        self.have_modules("");
    }

    /// The same with modules as `state` says.
    pub fn have_modules(&mut self, state: &str) {
        self.module.get_or_insert_with(|| CameraModule::new(state));
    }

    /// From now on `cargo build` makes the binary, for packages.
    pub fn build_binary(&mut self) {
        self.builds = env!("CARGO_BIN_EXE_camfeed").to_owned();
    }

    /// A file of the checkout, of the home or of the root.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.0.join(name)
    }

    pub fn read(&self, name: &str) -> String {
        let path = self.path(name);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"))
    }

    /// A stand-in was asked to do this.
    pub fn noted(&self, line: &str) {
        let notes = fs::read_to_string(self.path("root/notes")).unwrap_or_default();
        let is_there = notes.lines().any(|noted| noted.trim_end() == line);
        assert!(is_there, "no stand-in was asked for `{line}`: {notes}");
    }

    /// Without what the tests' own make and cargo have set.
    fn shell(&mut self, place: &str, line: &str) -> Command {
        let home = env::var("HOME").unwrap_or_default();
        let cargo_home = env::var("CARGO_HOME").unwrap_or(format!("{home}/.cargo"));
        let camera: Vec<_> = self.camera.environment().into_iter().collect();
        let camera: Vec<_> = camera
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let root = self.path("root");
        let line = self.translate(line);
        let mut command = Command::new("/bin/sh");
        command
            .args(["-ec", &line])
            .current_dir(self.path(place))
            .env_clear()
            .env(
                "PATH",
                format!("{STANDINS}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"),
            )
            .env("LC_ALL", "C.UTF-8")
            .env("HOME", self.path("home"))
            .env("USER", "root")
            .env("CARGO_HOME", cargo_home)
            .env("DESTDIR", &root)
            .env("STAND_ROOT", &root)
            .env("STAND_BUILT", &self.builds)
            .env("STAND_CAMFEED", env!("CARGO_BIN_EXE_camfeed"))
            .env("STAND_CAMERA", camera.join(" "))
            .env("STAND_CARGO", env!("CARGO"))
            .stdin(Stdio::null());
        if let Some(module) = &self.module {
            command.envs(module.environment());
        }
        command
    }

    /// `line` as typed in the checkout.
    pub fn command(&mut self, line: &str) -> Command {
        self.shell("camfeed", line)
    }

    /// What cron would run of `line`, and as it would.
    pub fn cron(&mut self, line: &str) -> Command {
        let command = cron_command(line);
        // The shell itself becomes one that is alone, and hears its signals.
        let exec = if command.contains("&&") { "" } else { "exec " };
        let mut command = self.shell("home", &format!("{exec}{command}"));
        command.env("PATH", format!("{STANDINS}:/usr/bin:/bin"));
        command
    }

    /// Runs `command` to its end, which must be a good one; what it said.
    pub fn well_run(mut command: Command) -> String {
        let output = command.output().expect("a shell");
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        assert!(
            output.status.success(),
            "{command:?}: {}: {said}",
            output.status
        );
        said
    }

    /// Types `line`; what it said.
    pub fn well(&mut self, line: &str) -> String {
        Desk::well_run(self.command(line))
    }

    /// Types `line`, which goes on until the desk is left.
    pub fn start(&mut self, line: &str) -> &Running {
        let is_plain = line.starts_with("camfeed ") || line.starts_with("scripts/");
        // The shell itself becomes it, and hears its signals.
        let line = if is_plain {
            format!("exec {line}")
        } else {
            line.to_owned()
        };
        let running = Running::start(self.command(&line));
        self.serving.push(running);
        &self.serving[self.serving.len() - 1]
    }

    /// Types `line`, which serves from now on; where.
    pub fn serve(&mut self, line: &str) -> SocketAddr {
        let running = self.start(line);
        running.wait_said("listening on http://", 1);
        let said = running.said();
        let rest = said.split("listening on http://").nth(1).unwrap();
        let address = rest.split('/').next().unwrap().parse().expect("an address");
        self.mean("pi.local:8080", &format!("{address}"));
        address
    }

    /// The last one started.
    pub fn last(&mut self) -> &mut Running {
        self.serving.last_mut().expect("something runs")
    }

    /// Ends what was started.
    pub fn leave(&mut self) {
        self.serving.clear();
        if self.pi.take().is_some() {
            self.meanings.retain(|(word, _)| word != "pi.local:8080");
        }
    }

    /// Ends the last one started, and which must take that for a good end.
    pub fn end_last(&mut self) {
        let status = self.last().end(Signal::TERM);
        assert_eq!(status.code(), Some(0), "{}", self.last().said());
        self.serving.pop();
    }

    /// Waits for the first files in `place` whose names end like this; their names.
    pub fn wait_files(&self, place: &str, end: &str) -> Vec<String> {
        let mut names = Vec::new();
        let came = eventually(SOON, || {
            let place = self.path(place);
            names = if place.exists() {
                crate::shell::files(&place)
            } else {
                Vec::new()
            };
            names.retain(|name| name.ends_with(end));
            !names.is_empty()
        });
        assert!(came, "no {end} in {place}");
        names
    }
}
