//! The film that all servers show: an MJPEG AVI of 720p30 frames of about 62 kB, made by ffmpeg
//! once and kept for the next run, and its JPEGs as they stand in the file.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A camera's usual 720p MJPG frame; the film's mean may be off by `TOLERANCE`.
const FRAME_BYTES: usize = 62_000;
const TOLERANCE: f64 = 0.05;
/// Tried in turn, noise strength and quality; ffmpeg versions differ a little in what comes out.
const RECIPES: [(u32, u32); 6] = [(6, 5), (7, 6), (7, 5), (5, 4), (8, 6), (8, 8)];

/// Where films and other leftovers of the bench live.
pub fn room() -> PathBuf {
    match option_env!("CARGO_TARGET_TMPDIR") {
        Some(folder) => PathBuf::from(folder),
        None => std::env::temp_dir(),
    }
}

/// The film; made when it is not there yet.
pub fn film() -> Result<PathBuf, String> {
    let room = room();
    fs::create_dir_all(&room).map_err(|error| format!("cannot make {room:?}: {error}"))?;
    let film = room.join("feed-720p30.avi");
    if is_right_size(&film) {
        return Ok(film);
    }
    // Made aside and moved: a run that is stopped half-way leaves no half film.
    let draft = room.join(format!("feed-720p30.{}.avi", std::process::id()));
    for (noise, quality) in RECIPES {
        make(&draft, noise, quality)?;
        if is_right_size(&draft) {
            fs::rename(&draft, &film).map_err(|error| format!("cannot keep {film:?}: {error}"))?;
            return Ok(film);
        }
    }
    let _ = fs::remove_file(&draft);
    Err(format!(
        "no recipe of this ffmpeg gives {FRAME_BYTES} bytes a frame"
    ))
}

fn make(film: &Path, noise: u32, quality: u32) -> Result<(), String> {
    let picture = format!("testsrc2=size=1280x720:rate=30,noise=alls={noise}:allf=t");
    let output = Command::new("ffmpeg")
        .args(["-v", "error", "-y", "-f", "lavfi", "-i"])
        .arg(picture)
        .args(["-c:v", "mjpeg", "-q:v"])
        .arg(quality.to_string())
        .args(["-t", "4"])
        .arg(film)
        .output()
        .map_err(|error| format!("cannot run `ffmpeg`: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("ffmpeg made no film: {}", said.trim()))
}

fn is_right_size(film: &Path) -> bool {
    let Ok(frames) = jpegs(film) else {
        return false;
    };
    let mean = frames.iter().map(Vec::len).sum::<usize>() as f64 / frames.len() as f64;
    (mean / FRAME_BYTES as f64 - 1.0).abs() <= TOLERANCE
}

/// The JPEGs of an MJPEG AVI, in order: every `00dc` chunk of the `movi` list. At least one.
pub fn jpegs(film: &Path) -> Result<Vec<Vec<u8>>, String> {
    let bytes = fs::read(film).map_err(|error| format!("cannot read {film:?}: {error}"))?;
    let mut frames = Vec::new();
    // RIFF: four letters, a length, the content, padded to even; 12 bytes of file header before.
    let mut at = 12;
    while let Some(header) = bytes.get(at..at + 8) {
        let length = u32::from_le_bytes(header[4..].try_into().expect("4 bytes")) as usize;
        let content = at + 8;
        match &header[..4] {
            b"LIST" if bytes.get(content..content + 4) == Some(b"movi") => {
                at = content + 4;
                continue;
            }
            b"00dc" => frames.extend(bytes.get(content..content + length).map(<[u8]>::to_vec)),
            _ => (),
        }
        at = content + length + length % 2;
    }
    match frames.is_empty() {
        true => Err(format!("no JPEG in {film:?}")),
        false => Ok(frames),
    }
}

/// The JPEGs as files `0001.jpg`, …, for servers that read a folder.
pub fn folder(film: &Path) -> Result<PathBuf, String> {
    let folder = room().join("feed-720p30");
    fs::create_dir_all(&folder).map_err(|error| format!("cannot make {folder:?}: {error}"))?;
    for (number, jpeg) in jpegs(film)?.iter().enumerate() {
        let file = folder.join(format!("{:04}.jpg", number + 1));
        fs::write(&file, jpeg).map_err(|error| format!("cannot write {file:?}: {error}"))?;
    }
    Ok(folder)
}
