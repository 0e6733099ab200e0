//! Table tests of the marker walk, on small real JPEGs made once with cjpeg (libjpeg-turbo) and
//! ffmpeg.
//!
//! The pictures are in `tests/jpeg/`; how each was made is in the README there. Everything else is
//! cut, glued and bent from them here, so that no test needs a tool or a camera.

mod cut;
mod garbage;
mod headers;
mod whole;

use super::{marker::END, segment::Segment, *};

const P420: &[u8] = include_bytes!("../../../tests/jpeg/420.jpg");
const P422: &[u8] = include_bytes!("../../../tests/jpeg/422.jpg");
const P444: &[u8] = include_bytes!("../../../tests/jpeg/444.jpg");
const GREY: &[u8] = include_bytes!("../../../tests/jpeg/grey.jpg");
const ODD: &[u8] = include_bytes!("../../../tests/jpeg/odd.jpg");
const SCANS: &[u8] = include_bytes!("../../../tests/jpeg/scans.jpg");
const OPTIMIZED: &[u8] = include_bytes!("../../../tests/jpeg/optimized.jpg");
const RESTART: &[u8] = include_bytes!("../../../tests/jpeg/restart.jpg");
const RESTART_ROWS: &[u8] = include_bytes!("../../../tests/jpeg/restart_rows.jpg");
const FFMPEG: &[u8] = include_bytes!("../../../tests/jpeg/ffmpeg.jpg");
const PROGRESSIVE: &[u8] = include_bytes!("../../../tests/jpeg/progressive.jpg");
const ARITHMETIC: &[u8] = include_bytes!("../../../tests/jpeg/arithmetic.jpg");

/// Every picture with its name and size; those that may lack their EOI come first.
const ALL: [(&str, &[u8], u16, u16); 12] = [
    ("420", P420, 48, 32),
    ("422", P422, 48, 32),
    ("444", P444, 41, 27),
    ("grey", GREY, 48, 32),
    ("odd", ODD, 41, 27),
    ("scans", SCANS, 48, 32),
    ("optimized", OPTIMIZED, 64, 48),
    ("restart", RESTART, 48, 32),
    ("restart_rows", RESTART_ROWS, 64, 48),
    ("ffmpeg", FFMPEG, 24, 16),
    ("progressive", PROGRESSIVE, 48, 32),
    ("arithmetic", ARITHMETIC, 48, 32),
];
const SEQUENTIAL: usize = 10;

impl JpegError {
    /// A short label.
    pub fn reason(&self) -> &'static str {
        match self {
            JpegError::Empty => "empty",
            JpegError::NotJpeg { .. } => "garbage",
            JpegError::StrayByte { .. } => "stray_byte",
            JpegError::BadSegment { .. } => "bad_segment",
            JpegError::NoFrameHeader => "no_frame_header",
            JpegError::ZeroSize => "zero_size",
            JpegError::NoScan => "no_scan",
            JpegError::Unsupported { .. } => "unsupported",
            JpegError::NoTables => "no_tables",
            JpegError::Truncated { .. } => "truncated",
            JpegError::NoEoi(_) => "no_eoi",
            JpegError::UnexpectedMarker { .. } => "unexpected_marker",
        }
    }
}

fn repaired(bytes: &[u8]) -> Result<Vec<u8>, JpegError> {
    let layout = inspect(bytes)?;
    let mut out = Vec::new();
    layout.write_to(bytes, &mut out);
    assert_eq!(out.len(), layout.repaired_len());
    Ok(out)
}

fn join(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

/// The picture with every segment of this marker before the scan taken out.
fn without(jpeg: &[u8], code: u8) -> Vec<u8> {
    let mut out = jpeg[..2].to_vec();
    let mut at = 2;
    loop {
        let segment = Segment::read(jpeg, at).expect("a whole picture");
        if segment.code == marker::SOS {
            out.extend_from_slice(&jpeg[at..]);
            return out;
        }
        if segment.code != code {
            out.extend_from_slice(&jpeg[at..segment.end]);
        }
        at = segment.end;
    }
}

/// Where the first segment of this marker begins.
fn place(jpeg: &[u8], code: u8) -> usize {
    let mut at = 2;
    loop {
        let segment = Segment::read(jpeg, at).expect("the marker is there");
        if segment.code == code {
            return at;
        }
        at = segment.end;
    }
}

/// The first byte of the first scan's data.
fn data_start(jpeg: &[u8]) -> usize {
    Segment::read(jpeg, place(jpeg, marker::SOS))
        .expect("a SOS")
        .end
}

fn put(jpeg: &[u8], at: usize, bytes: &[u8]) -> Vec<u8> {
    join(&[&jpeg[..at], bytes, &jpeg[at..]])
}

fn with_byte(jpeg: &[u8], at: usize, byte: u8) -> Vec<u8> {
    let mut out = jpeg.to_vec();
    out[at] = byte;
    out
}

struct Xorshift(u64);

impl Xorshift {
    fn next(&mut self) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize
    }
}
