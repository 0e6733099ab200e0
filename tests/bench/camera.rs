//! The fake camera (`tests/fakecam`) for the bench: the library that servers are started with, the
//! pictures it shows, and a camera for each server of its own.
//!
//! What takes time to make (pictures, by ffmpeg) is kept in the bench's room for the next run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::cases::Setting;
use crate::page::{frames, screen};

/// JPEGs of a size; a second of them.
const RING_LENGTH: usize = 30;
/// JPEGs with a code, one of each.
const CODED_LENGTH: u64 = frames::CODES;
/// Raw pictures of a size: some, as each is megabytes.
const RAW_LENGTH: usize = 8;

/// Where pictures and other leftovers of the bench live.
pub fn room() -> PathBuf {
    match option_env!("CARGO_TARGET_TMPDIR") {
        Some(folder) => Path::new(folder).join("bench"),
        None => std::env::temp_dir().join("camfeed-bench"),
    }
}

/// What a server needs to see a camera; its folder goes when it is dropped.
pub struct Camera {
    folder: PathBuf,
    pub environment: Vec<(String, String)>,
}

impl Camera {
    pub fn new(setting: &Setting) -> Result<Camera, String> {
        match setting.is_raw {
            true => Camera::showing(setting, ("FAKECAM_RAW", raw_folder(setting)?)),
            false => Camera::showing(setting, ("FAKECAM_FRAMES", ring(setting)?)),
        }
    }

    /// One whose JPEGs have their code in their middle.
    pub fn coded(setting: &Setting) -> Result<Camera, String> {
        Camera::showing(setting, ("FAKECAM_FRAMES", coded_ring(setting)?))
    }

    fn showing(setting: &Setting, pictures: (&str, PathBuf)) -> Result<Camera, String> {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = room().join(format!("camera-{}-{number}", std::process::id()));
        fs::create_dir_all(&folder).map_err(|error| format!("cannot make {folder:?}: {error}"))?;
        let control = format!(
            "format {}\nsizes {}\nrates {}\n",
            if setting.is_raw { "yuyv" } else { "mjpg" },
            setting.size_text(),
            setting.fps
        );
        let mut camera = Camera {
            folder,
            environment: Vec::new(),
        };
        camera.write("control", &control)?;
        let plain = [
            ("LD_PRELOAD", library()?),
            ("FAKECAM_CONTROL", camera.folder.join("control")),
            ("FAKECAM_ROOT", camera.folder.join("root")),
            pictures,
        ];
        camera.environment = plain
            .into_iter()
            .map(|(name, path)| (name.to_string(), path.to_string_lossy().into_owned()))
            .collect();
        Ok(camera)
    }

    /// Writes a file of the server's, such as its configuration, beside the camera.
    pub fn write(&self, name: &str, text: &str) -> Result<PathBuf, String> {
        let file = self.folder.join(name);
        fs::write(&file, text).map_err(|error| format!("cannot write {file:?}: {error}"))?;
        Ok(file)
    }
}

impl Drop for Camera {
    fn drop(&mut self) {
        // What stays behind is small and in the build's own folder.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// The library; built anew by each run of the bench, which takes a second.
fn library() -> Result<PathBuf, String> {
    static BUILT: std::sync::OnceLock<Result<PathBuf, String>> = std::sync::OnceLock::new();
    let build = || {
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fakecam/fakecam.c");
        keep(
            &room().join(format!("libfakecam-{}.so", std::process::id())),
            true,
            |draft| {
                let mut command = Command::new("cc");
                command.args(["-shared", "-fPIC", "-O2", "-o"]).arg(draft);
                command.args([source, "-ldl", "-lpthread"]);
                command
            },
        )
    };
    BUILT.get_or_init(build).clone()
}

/// Removes what only runs that are over used, this one's too.
pub fn tidy() {
    for entry in fs::read_dir(room()).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let mut words = name.split(['-', '.']);
        let is_ours = matches!(
            words.next(),
            Some("camera" | "browser" | "libfakecam" | "draft")
        );
        let Some(Ok(id)) = words.next().map(str::parse::<u32>) else {
            continue;
        };
        let is_over = id == std::process::id() || !Path::new(&format!("/proc/{id}")).exists();
        if is_ours && is_over {
            let _ = fs::remove_dir_all(entry.path());
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// The folder with the JPEGs of this size, `WxH-001.jpg` and on.
pub fn ring(setting: &Setting) -> Result<PathBuf, String> {
    let size = setting.size_text();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fakecam/make_frames.sh");
    keep(&room().join(format!("ring-{size}")), false, |draft| {
        let mut command = Command::new("sh");
        command.arg(script).arg(draft);
        command.args([&RING_LENGTH.to_string(), &size]);
        command
    })
}

/// The folder with JPEGs like those, but for the code in the middle of each (`page::screen`): the camera's
/// frame `number` has the code `number` modulo their count.
fn coded_ring(setting: &Setting) -> Result<PathBuf, String> {
    let size = setting.size_text();
    keep(&room().join(format!("coded-{size}")), false, |draft| {
        // A folder cannot be made by ffmpeg; one that cannot be made is told by it.
        let _ = fs::create_dir_all(draft);
        let mut command = Command::new("ffmpeg");
        command.args(["-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i"]);
        command.arg(format!(
            "testsrc2=size={size}:rate=30,noise=alls=9:allf=t,{}",
            screen::code_filter(setting.size)
        ));
        command.args(["-frames:v", &CODED_LENGTH.to_string()]);
        command.args([
            "-pix_fmt", "yuvj422p", "-c:v", "mjpeg", "-huffman", "default",
        ]);
        command.args(["-q:v", "9", "-start_number", "0"]);
        command.arg(draft.join("%03d.jpg"));
        command
    })
}

/// The JPEGs of a ring, in the camera's order. At least one.
pub fn jpegs(ring: &Path) -> Result<Vec<Vec<u8>>, String> {
    let fault = |error: std::io::Error| format!("cannot read {ring:?}: {error}");
    let mut files: Vec<PathBuf> = fs::read_dir(ring)
        .map_err(fault)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    files.sort();
    let jpegs: Result<Vec<Vec<u8>>, _> = files.iter().map(fs::read).collect();
    match jpegs.map_err(fault)? {
        jpegs if jpegs.is_empty() => Err(format!("no JPEG in {ring:?}")),
        jpegs => Ok(jpegs),
    }
}

/// The folder with the raw pictures: the same moving picture with the noise of a sensor.
fn raw_folder(setting: &Setting) -> Result<PathBuf, String> {
    let folder = room().join("raw");
    fs::create_dir_all(&folder).map_err(|error| format!("cannot make {folder:?}: {error}"))?;
    raw(setting)?;
    Ok(folder)
}

/// The file with the raw pictures of this size, 2 bytes a pixel (YUYV), one after the other.
pub fn raw(setting: &Setting) -> Result<PathBuf, String> {
    let size = setting.size_text();
    keep(
        &room().join("raw").join(format!("{size}.yuyv")),
        false,
        |draft| {
            let mut command = Command::new("ffmpeg");
            command.args(["-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i"]);
            command.arg(format!("testsrc2=size={size}:rate=30,noise=alls=5:allf=t"));
            command.args(["-frames:v", &RAW_LENGTH.to_string()]);
            command
                .args(["-pix_fmt", "yuyv422", "-f", "rawvideo"])
                .arg(draft);
            command
        },
    )
}

/// Has `path` made, unless it is there and `is_anew` is false. Made aside and moved: a run that is
/// stopped half-way leaves nothing half made.
fn keep(
    path: &Path,
    is_anew: bool,
    maker: impl FnOnce(&Path) -> Command,
) -> Result<PathBuf, String> {
    if path.exists() && !is_anew {
        return Ok(path.to_owned());
    }
    let folder = room();
    fs::create_dir_all(&folder).map_err(|error| format!("cannot make {folder:?}: {error}"))?;
    let draft = folder.join(format!("draft-{}", std::process::id()));
    let mut command = maker(&draft);
    let output = command
        .output()
        .map_err(|error| format!("cannot run {:?}: {error}", command.get_program()))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{path:?} cannot be made: {}", said.trim()));
    }
    fs::rename(&draft, path).map_err(|error| format!("cannot keep {path:?}: {error}"))?;
    Ok(path.to_owned())
}
