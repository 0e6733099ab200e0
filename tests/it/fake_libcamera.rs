//! Fake camera modules, and programs that see them: `tests/fakelibcamera`, built once for all tests.
//!
//! Each [`CameraModule`] has a folder of its own with its state file, its log and its part of `/sys`,
//! so that tests run side by side. GStreamer's registry is made once and only read by the tests.

use crate::{
    camfeed::{Camfeed, Folder, SOON, eventually},
    fakecam::{FakeCamera, make, wait_state},
    shell::Running,
};
use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::{Mutex, OnceLock},
};

/// The camera there is when a state names none.
pub const MODULE: &str = "/base/soc/i2c0mux/i2c@1/imx219@10";

/// What `tests/fakelibcamera/picture.h` shows from left to right: red, green, blue.
pub const BARS: [[u8; 3]; 8] = [
    [224, 224, 224],
    [224, 224, 32],
    [32, 224, 224],
    [32, 224, 32],
    [224, 32, 224],
    [224, 32, 32],
    [32, 32, 224],
    [32, 32, 32],
];

/// The libcamera that a program finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Libcamera {
    /// The stand-in, as the newest version.
    Newest,
    /// The stand-in, as this version: such as `0.3.2`, the last with no controls.
    Version(&'static str),
    /// GStreamer without the plugin.
    Missing,
}

/// A computer's camera modules. What its state does not say has the default of
/// `tests/fakelibcamera/fakelibcamera.c`.
pub struct CameraModule {
    folder: Folder,
    libcamera: Libcamera,
}

impl CameraModule {
    /// Modules as the state says, and the kernel sees an imx219.
    pub fn new(state: &str) -> CameraModule {
        CameraModule::with(Libcamera::Newest, state)
    }

    /// The same with this libcamera.
    pub fn with(libcamera: Libcamera, state: &str) -> CameraModule {
        let module = CameraModule {
            folder: Folder::new(),
            libcamera,
        };
        // What stands for /sys also stands for a root with `sys` in it.
        fs::create_dir(module.folder.file("sysfs")).expect("a folder");
        symlink(".", module.folder.file("sysfs/sys")).expect("a link");
        module.set(state);
        module.set_sensor(Some("imx219 10-0010"));
        module
    }

    /// From now on the modules are as `state` says, whatever they were.
    pub fn set(&self, state: &str) {
        let aside = self.folder.file("state.new");
        fs::write(&aside, state).expect("written");
        fs::rename(aside, self.folder.file("state")).expect("renamed");
    }

    /// What the kernel sees on the camera's connector, such as `imx708`; the state does not change.
    pub fn set_sensor(&self, sensor: Option<&str>) {
        let class = self.folder.0.join("sysfs/class/video4linux");
        let _ = fs::remove_dir_all(&class);
        fs::create_dir_all(&class).expect("a folder");
        // The ISP and the codecs are there without a camera.
        let mut nodes = vec![
            ("video10", "bcm2835-codec-decode"),
            ("video13", "bcm2835-isp-output0"),
        ];
        if let Some(sensor) = sensor {
            nodes.extend([("video0", "unicam-image"), ("v4l-subdev0", sensor)]);
        }
        for (node, name) in nodes {
            fs::create_dir(class.join(node)).expect("a folder");
            fs::write(class.join(node).join("name"), format!("{name}\n")).expect("written");
        }
    }

    /// What lets a program see them.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let plain = |path: &Path| path.to_str().expect("a plain path").to_owned();
        let mut environment = plugins(self.libcamera);
        environment.extend([
            ("GST_REGISTRY_1_0", plain(&registry(self.libcamera))),
            ("GST_REGISTRY_UPDATE", "no".to_owned()),
            ("FAKE_LIBCAMERA", self.folder.file("state")),
            ("FAKE_LIBCAMERA_LOG", self.folder.file("log")),
            ("CAMFEED_SYSFS", self.folder.file("sysfs")),
        ]);
        environment
    }

    /// A camfeed on a free port that sees them.
    pub fn serve(&self, args: &[&str]) -> Camfeed {
        start(args, &self.environment())
    }

    /// A camfeed on a free port that sees them, and a USB camera.
    pub fn serve_beside(&self, camera: &FakeCamera, args: &[&str]) -> Camfeed {
        let mut environment = self.environment();
        environment.extend(camera.environment());
        start(args, &environment)
    }

    /// A camfeed on a free port whose camera is online.
    pub fn online(&self, args: &[&str]) -> Camfeed {
        let camfeed = self.serve(args);
        wait_state(&camfeed, "online");
        camfeed
    }

    /// Runs camfeed to its end.
    pub fn run(&self, args: &[&str]) -> Output {
        self.command(env!("CARGO_BIN_EXE_camfeed"), args)
            .output()
            .expect("camfeed starts")
    }

    /// A program that sees them.
    pub fn command(&self, program: &str, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(args)
            .envs(self.environment())
            .stdin(Stdio::null());
        command
    }

    /// `gst-launch-1.0` with this pipeline, until it is interrupted.
    pub fn launch(&self, pipeline: &[&str]) -> Running {
        Running::start(self.command("gst-launch-1.0", pipeline))
    }

    /// What was noted so far, a line per event.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.file("log")).unwrap_or_default()
    }

    /// How often an event was noted whose line begins so, such as `open `.
    pub fn count(&self, event: &str) -> usize {
        let log = self.log();
        log.lines().filter(|line| line.starts_with(event)).count()
    }

    /// Waits until the event has been noted as often.
    pub fn wait_count(&self, event: &str, count: usize) {
        let has = eventually(SOON, || self.count(event) >= count);
        assert!(has, "{event:?} not {count} times in:\n{}", self.log());
    }

    /// A path for a file of the test's own.
    pub fn file(&self, name: &str) -> String {
        self.folder.file(name)
    }
}

fn start(args: &[&str], environment: &[(&'static str, String)]) -> Camfeed {
    let environment: Vec<_> = environment
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    Camfeed::start_with("127.0.0.1:0", args, &environment)
}

/// What tells GStreamer where its plugins are. The system's own plugin for libcamera is never there.
fn plugins(libcamera: Libcamera) -> Vec<(&'static str, String)> {
    let plain = |path: &Path| path.to_str().expect("a plain path").to_owned();
    let mut environment = vec![("GST_PLUGIN_SYSTEM_PATH_1_0", plain(other_plugins()))];
    match libcamera {
        Libcamera::Missing => environment.push(("GST_PLUGIN_PATH_1_0", String::new())),
        Libcamera::Newest => environment.push(("GST_PLUGIN_PATH_1_0", plain(plugin()))),
        Libcamera::Version(version) => environment.extend([
            ("GST_PLUGIN_PATH_1_0", plain(plugin())),
            ("FAKE_LIBCAMERA_OLD", version.to_owned()),
        ]),
    }
    environment
}

/// The folder with the stand-in.
fn plugin() -> &'static Path {
    static PLUGIN: OnceLock<PathBuf> = OnceLock::new();
    PLUGIN.get_or_init(|| {
        let source = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/fakelibcamera/fakelibcamera.c"
        );
        let script = "mkdir \"$1\" && cc -shared -fPIC -O2 -o \"$1/libgstlibcamera.so\" \"$2\" \
             $(pkg-config --cflags --libs gstreamer-video-1.0 gstreamer-base-1.0)";
        make("gst-libcamera", |path| {
            Command::new("sh")
                .args(["-c", script, "sh"])
                .arg(path)
                .arg(source)
                .status()
        })
    })
}

/// A folder with the system's plugins but libcamera's.
fn other_plugins() -> &'static Path {
    static OTHERS: OnceLock<PathBuf> = OnceLock::new();
    OTHERS.get_or_init(|| {
        let script = "mkdir \"$1\" && \
             ln -s \"$(pkg-config --variable=pluginsdir gstreamer-1.0)\"/*.so \"$1\" && \
             rm -f \"$1/libgstlibcamera.so\"";
        make("gst-others", |path| {
            Command::new("sh")
                .args(["-c", script, "sh"])
                .arg(path)
                .status()
        })
    })
}

/// GStreamer's list of these plugins, made when it is first asked for.
fn registry(libcamera: Libcamera) -> PathBuf {
    static REGISTRIES: Mutex<BTreeMap<Libcamera, PathBuf>> = Mutex::new(BTreeMap::new());
    let mut registries = REGISTRIES.lock().unwrap_or_else(|error| error.into_inner());
    let made = registries.entry(libcamera).or_insert_with(|| {
        let name = match libcamera {
            Libcamera::Newest => "gst-registry".to_owned(),
            Libcamera::Missing => "gst-registry-missing".to_owned(),
            Libcamera::Version(version) => format!("gst-registry-{version}"),
        };
        make(&name, |path| {
            Command::new("gst-inspect-1.0")
                .arg("--version")
                .envs(plugins(libcamera))
                .env("GST_REGISTRY_1_0", path)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .status()
        })
    });
    made.clone()
}
