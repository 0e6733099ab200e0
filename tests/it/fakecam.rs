//! A fake camera, and programs that see it: `tests/fakecam`, built and fed once for all tests.
//!
//! Each [`FakeCamera`] has a folder of its own with its control file, its `/dev` and its log, so
//! that tests run side by side. Nobody but the programs started here sees it.

use crate::{
    camfeed::{Camfeed, Folder, SOON, eventually},
    status::state,
};
use opencv::{
    core::{Mat, Vec3b},
    imgcodecs,
    prelude::*,
};
use serde_json::Value;
use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::OnceLock,
};

/// Where the tests keep what is made once.
const MADE: &str = env!("CARGO_TARGET_TMPDIR");

/// The sizes of which there are JPEGs; the camera gives a mosaic of its own for others.
const RING_SIZES: [&str; 2] = ["640x480", "1280x720"];

/// JPEGs of each size.
const RING_LENGTH: usize = 8;

/// A camera that can be pulled out, hang and lie. What its control file does not say has the
/// default of `tests/fakecam/fakecam.c`.
pub struct FakeCamera {
    folder: Folder,
    frames: PathBuf,
}

impl FakeCamera {
    /// A camera as the control file says, giving the pictures of [`ring`].
    pub fn new(control: &str) -> FakeCamera {
        FakeCamera::showing(ring(), control)
    }

    /// The same, giving the JPEGs at `frames`, a file or a folder.
    pub fn showing(frames: &Path, control: &str) -> FakeCamera {
        let camera = FakeCamera {
            folder: Folder::new(),
            frames: frames.to_owned(),
        };
        camera.set(control);
        camera
    }

    /// From now on the camera is as `control` says, whatever it was.
    pub fn set(&self, control: &str) {
        let aside = self.folder.file("control.new");
        fs::write(&aside, control).expect("written");
        fs::rename(aside, self.folder.file("control")).expect("renamed");
    }

    /// What lets a program see it.
    pub fn environment(&self) -> [(&'static str, String); 5] {
        let plain = |path: &Path| path.to_str().expect("a plain path").to_owned();
        [
            ("LD_PRELOAD", plain(library())),
            ("FAKECAM_CONTROL", self.folder.file("control")),
            ("FAKECAM_ROOT", self.folder.file("root")),
            ("FAKECAM_FRAMES", plain(&self.frames)),
            ("FAKECAM_LOG", self.folder.file("log")),
        ]
    }

    /// A camfeed on a free port that sees the camera.
    pub fn serve(&self, args: &[&str]) -> Camfeed {
        self.serve_at("127.0.0.1:0", args)
    }

    /// The same, at `listen`.
    pub fn serve_at(&self, listen: &str, args: &[&str]) -> Camfeed {
        let environment = self.environment();
        let environment: Vec<_> = environment
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        Camfeed::start_with(listen, args, &environment)
    }

    /// A camfeed that sees the camera and is never told of nodes that come.
    pub fn serve_without_inotify(&self, args: &[&str]) -> Camfeed {
        let environment = self.environment();
        let mut environment: Vec<_> = environment
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        environment.push(("FAKECAM_NO_INOTIFY", "1"));
        Camfeed::start_with("127.0.0.1:0", args, &environment)
    }

    /// A camfeed on a free port whose camera is online.
    pub fn online(&self, args: &[&str]) -> Camfeed {
        let camfeed = self.serve(args);
        wait_state(&camfeed, "online");
        camfeed
    }

    /// Runs camfeed to its end.
    pub fn run(&self, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_camfeed"))
            .args(args)
            .envs(self.environment())
            .stdin(Stdio::null())
            .output()
            .expect("camfeed starts")
    }

    /// How often the camera noted `event`, such as `streamon`; its log is shared by whoever sees it.
    pub fn count(&self, event: &str) -> usize {
        let log = fs::read_to_string(self.folder.file("log")).unwrap_or_default();
        log.lines().filter(|line| line.contains(event)).count()
    }

    /// The first event that the camera noted so, with all it says; waits for it.
    pub fn wait_event(&self, event: &str) -> String {
        self.wait_count(event, 1);
        let log = fs::read_to_string(self.folder.file("log")).expect("just read");
        let mut lines = log.lines().filter(|line| line.contains(event));
        lines.next().expect("just counted").to_owned()
    }

    /// Waits until the camera has noted `event` as often.
    pub fn wait_count(&self, event: &str, count: usize) {
        let has = eventually(SOON, || self.count(event) >= count);
        assert!(has, "{event:?} {} times, not {count}", self.count(event));
    }
}

/// Waits until `/state` calls the camera so: the log has it a moment earlier.
pub fn wait_state(camfeed: &Camfeed, expected: &str) {
    let mut now = Value::Null;
    let is_so = eventually(SOON, || {
        now = state(camfeed.address)["camera"].take();
        now["state"] == expected
    });
    assert!(is_so, "never {expected}: {now:#}");
}

/// The library that is the camera.
fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fakecam/fakecam.c");
        make("libfakecam.so", |path| {
            Command::new("cc")
                .args(["-shared", "-fPIC", "-O2", "-o"])
                .arg(path)
                .args([source, "-ldl", "-lpthread"])
                .status()
        })
    })
}

/// The folder with the camera's pictures.
pub fn ring() -> &'static Path {
    static RING: OnceLock<PathBuf> = OnceLock::new();
    RING.get_or_init(|| {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fakecam/make_frames.sh");
        make("fakecam-ring", |path| {
            Command::new("sh")
                .arg(script)
                .arg(path)
                .arg(RING_LENGTH.to_string())
                .args(RING_SIZES)
                .status()
        })
    })
}

/// Makes `name` anew, in a folder of this process: another one may be testing beside it.
pub fn make(
    name: &str,
    maker: impl FnOnce(&Path) -> std::io::Result<std::process::ExitStatus>,
) -> PathBuf {
    let folder = Path::new(MADE).join("fakecam");
    fs::create_dir_all(&folder).expect("a folder");
    // What processes that are no more have made.
    for entry in fs::read_dir(&folder).expect("just made").flatten() {
        let process = entry.file_name().to_string_lossy().into_owned();
        if !Path::new("/proc").join(&process).exists() {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
    let folder = folder.join(std::process::id().to_string());
    fs::create_dir_all(&folder).expect("a folder");
    let path = folder.join(name);
    let made = maker(&path).expect("the tools (`make setup` brings them) start");
    assert!(made.success(), "{name} cannot be made");
    path
}

/// One JPEG of the ring, by size and number from 1.
pub fn picture(size: &str, number: usize) -> PathBuf {
    ring().join(format!("{size}-{number:03}.jpg"))
}

/// What the camera writes into each of its JPEGs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mark {
    /// Frames since the camera was started.
    pub number: u64,
    /// When the picture was taken, Unix seconds.
    pub unix: f64,
}

/// A camera's JPEG without the camera's mark, and the mark. `None` for any other JPEG.
pub fn unmarked(jpeg: &[u8]) -> Option<(Mark, Vec<u8>)> {
    if !jpeg.starts_with(&[0xff, 0xd8, 0xff, 0xfe]) {
        return None;
    }
    let length = usize::from(u16::from_be_bytes([*jpeg.get(4)?, *jpeg.get(5)?]));
    let text = std::str::from_utf8(jpeg.get(6..4 + length)?).ok()?;
    let value = |name: &str| -> Option<u64> {
        let word = text.split(' ').find_map(|word| word.strip_prefix(name))?;
        word.parse().ok()
    };
    let mark = Mark {
        number: value("seq=")?,
        unix: value("unix_us=")? as f64 / 1e6,
    };
    let mut rest = jpeg[..2].to_vec();
    rest.extend_from_slice(&jpeg[4 + length..]);
    Some((mark, rest))
}

/// True for a JPEG exactly as it stands in the ring.
pub fn is_of_ring(jpeg: &[u8]) -> bool {
    static JPEGS: OnceLock<HashSet<Vec<u8>>> = OnceLock::new();
    let jpegs = JPEGS.get_or_init(|| {
        let files = fs::read_dir(ring()).expect("the ring");
        files
            .map(|file| fs::read(file.expect("a file").path()).expect("readable"))
            .collect()
    });
    jpegs.contains(jpeg)
}

/// The pixels of a JPEG, if it has any.
pub fn decoded(jpeg: &[u8]) -> Option<Mat> {
    let bytes = Mat::from_slice(jpeg).ok()?;
    let mat = imgcodecs::imdecode(&bytes, imgcodecs::IMREAD_COLOR).ok()?;
    (!mat.empty()).then_some(mat)
}

/// Width and height.
pub fn size_of(mat: &Mat) -> (i32, i32) {
    (mat.cols(), mat.rows())
}

/// How far two pictures of one size are apart in a part of them (x, y, width, height): the mean
/// difference of a channel, 0 to 255.
pub fn difference(one: &Mat, other: &Mat, (x, y, width, height): (i32, i32, i32, i32)) -> f64 {
    let mut sum = 0.0;
    for row in y..y + height {
        for column in x..x + width {
            let one = one.at_2d::<Vec3b>(row, column).expect("inside");
            let other = other.at_2d::<Vec3b>(row, column).expect("inside");
            for channel in 0..3 {
                sum += f64::from(one[channel].abs_diff(other[channel]));
            }
        }
    }
    sum / f64::from(width * height * 3)
}
