//! A screen in memory (Xvfb) and what stands on it.
//!
//! Its pixels are a file, which the bench reads as often as it likes without the browser noticing: both
//! pages are watched at no cost to them. Each of the camera's pictures has its code in its middle, in
//! black and white blocks; a code that stands there half, while it is being painted, is none.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::frames::{CODES, Seen};
use crate::{camera, children, load};

/// As many have.
pub const SIZE: (usize, usize) = (1920, 1080);
/// Blocks of the code: the upper half is the number, the lower half its opposite.
const COLUMNS: usize = 3;
const ROWS: usize = 4;
/// A block is this part of the picture's width: 16 pixels of 1280, as large as what a JPEG encodes at once.
const BLOCKS_IN_WIDTH: usize = 80;
/// Between two looks at the screen: how exact ages are.
const LOOK_TIME: Duration = Duration::from_millis(1);
const BYTES_PER_PIXEL: u64 = 4;

/// ffmpeg's filter that draws the code of each picture into it.
pub fn code_filter(size: (usize, usize)) -> String {
    let side = size.0 / BLOCKS_IN_WIDTH;
    let (left, top) = (
        size.0 / 2 - side * COLUMNS / 2,
        size.1 / 2 - side * ROWS / 2,
    );
    let (width, height) = (side * COLUMNS, side * ROWS);
    let mut filter = format!("drawbox=x={left}:y={top}:w={width}:h={height}:t=fill:color=black");
    for block in 0..COLUMNS * ROWS {
        let (x, y) = (left + block % COLUMNS * side, top + block / COLUMNS * side);
        let bits = COLUMNS * ROWS / 2;
        let bit = 1 << (block % bits);
        let when = match block < bits {
            true => format!("bitand(n\\,{bit})"),
            false => format!("not(bitand(n\\,{bit}))"),
        };
        filter.push_str(&format!(
            ",drawbox=x={x}:y={y}:w={side}:h={side}:t=fill:color=white:enable='{when}'"
        ));
    }
    filter
}

/// Where the code of the picture stands: the middle of the picture, and how wide it is, in pixels.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    pub x: f64,
    pub y: f64,
    pub width: f64,
}

/// A running X server; ended by its id when dropped.
pub struct Screen {
    child: Child,
    pub display: String,
    pixels: File,
    /// Of the first pixel, in the file.
    start: u64,
    bytes_per_line: u64,
}

impl Screen {
    pub fn start() -> Result<Screen, String> {
        let folder = folder()?;
        let screen = Screen::start_in(&folder);
        // It stays as long as somebody has it open.
        let _ = fs::remove_dir_all(&folder);
        screen
    }

    fn start_in(folder: &Path) -> Result<Screen, String> {
        let mut child = Command::new("Xvfb")
            .args(["-displayfd", "1", "-nolisten", "tcp", "-noreset"])
            // A pointer would lie on the code.
            .arg("-nocursor")
            .args(["-screen", "0", &format!("{}x{}x24", SIZE.0, SIZE.1)])
            .arg("-fbdir")
            .arg(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("cannot start `Xvfb`: {error}"))?;
        children::add(child.id());
        let mut number = String::new();
        let mut stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
        let said = stdout.read_line(&mut number);
        let file = folder.join("Xvfb_screen0");
        let opened = match said {
            Ok(0) | Err(_) => Err("`Xvfb` told no display".to_string()),
            Ok(_) => header(&file).map_err(|error| format!("cannot read {file:?}: {error}")),
        };
        match opened {
            Ok((pixels, start, bytes_per_line)) => Ok(Screen {
                child,
                display: format!(":{}", number.trim()),
                pixels,
                start,
                bytes_per_line,
            }),
            Err(why) => {
                end(&mut child);
                Err(why)
            }
        }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The code that stands whole at `place`.
    fn code(&self, place: &Place) -> Option<u64> {
        let side = place.width / BLOCKS_IN_WIDTH as f64;
        let left = place.x - side * (COLUMNS - 1) as f64 / 2.0;
        let top = place.y - side * (ROWS - 1) as f64 / 2.0;
        let span = (side * (COLUMNS - 1) as f64) as u64 + 1;
        let mut line = vec![0; (span * BYTES_PER_PIXEL) as usize];
        let mut blocks = 0_u64;
        for row in 0..ROWS {
            let y = (top + side * row as f64) as u64;
            let at = self.start + y * self.bytes_per_line + left as u64 * BYTES_PER_PIXEL;
            self.pixels.read_exact_at(&mut line, at).ok()?;
            for column in 0..COLUMNS {
                let at = (side * column as f64) as usize * BYTES_PER_PIXEL as usize;
                // Green stands for all three.
                let is_white = line[at + 1] > 127;
                blocks |= u64::from(is_white) << (row * COLUMNS + column);
            }
        }
        let (code, opposite) = (blocks % CODES, blocks / CODES);
        (code == !opposite % CODES).then_some(code)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

fn end(child: &mut Child) {
    // Already gone or not, it is waited for.
    let _ = child.kill();
    children::forget(child.id());
    let _ = child.wait();
}

/// A new folder, in memory where the machine has such a place: no disk is to take part.
fn folder() -> Result<PathBuf, String> {
    let memory = Path::new("/dev/shm");
    let name = format!("camfeed-bench-screen-{}", std::process::id());
    let folder = match memory.is_dir() {
        true => memory.join(name),
        false => camera::room().join(name),
    };
    fs::create_dir_all(&folder).map_err(|error| format!("cannot make {folder:?}: {error}"))?;
    Ok(folder)
}

/// The file of the screen, where its pixels begin and how many bytes a line has: it is an X window dump
/// (XWDFile.h), whose header is of 32-bit numbers, highest byte first, and whose colours take 12 bytes each.
fn header(file: &Path) -> std::io::Result<(File, u64, u64)> {
    let pixels = File::open(file)?;
    let field = |index: u64| {
        let mut bytes = [0; 4];
        pixels.read_exact_at(&mut bytes, index * 4)?;
        Ok::<u64, std::io::Error>(u32::from_be_bytes(bytes).into())
    };
    let (length, bits_per_pixel, bytes_per_line, colours) =
        (field(0)?, field(11)?, field(12)?, field(19)?);
    if bits_per_pixel != BYTES_PER_PIXEL * 8 {
        let why = format!("{bits_per_pixel} bits per pixel");
        return Err(std::io::Error::other(why));
    }
    Ok((pixels, length + colours * 12, bytes_per_line))
}

/// A look at the screen each millisecond, by a thread, from `begin` to `end`.
pub struct Watch {
    is_over: Arc<AtomicBool>,
    watcher: JoinHandle<Watched>,
}

/// Each new code, and the share of looks that saw none.
#[derive(Debug, Default)]
pub struct Watched {
    pub seen: Vec<Seen>,
    pub unread_percent: f64,
}

impl Watch {
    pub fn begin(screen: &Arc<Screen>, place: Place) -> Watch {
        let is_over = Arc::new(AtomicBool::new(false));
        let (screen, over) = (screen.clone(), is_over.clone());
        let watcher = thread::spawn(move || {
            let mut watched = Watched::default();
            let (mut looks, mut unread) = (0_u64, 0_u64);
            while !over.load(Ordering::Relaxed) {
                // The pace of the looks.
                thread::sleep(LOOK_TIME);
                looks += 1;
                let micros = load::monotonic_micros();
                match screen.code(&place) {
                    None => unread += 1,
                    Some(code) if watched.seen.last().is_none_or(|last| last.code != code) => {
                        watched.seen.push(Seen { code, micros });
                    }
                    Some(_) => (),
                }
            }
            watched.unread_percent = 100.0 * unread as f64 / looks.max(1) as f64;
            watched
        });
        Watch { is_over, watcher }
    }

    pub fn end(self) -> Watched {
        self.is_over.store(true, Ordering::Relaxed);
        self.watcher.join().unwrap_or_default()
    }
}
