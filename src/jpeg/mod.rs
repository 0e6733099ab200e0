//! The check every JPEG from a device passes before it may become a frame.
//!
//! A camera, an MJPEG file or a GStreamer sink hands over bytes that are passed through untouched
//! to the viewers. [`inspect`] walks the markers of one such picture (`capture/` calls it, once per
//! picture), says where the picture ends and what is missing, and refuses what must not be sent.
//! [`JpegLayout::write_to`] then copies it with the repairs: padding cut off, Huffman tables put in,
//! and an EOI put behind the last byte where the caller knows that nothing else is missing.
//!
//! Nothing is decoded: the scan data is only searched for markers. So a scan without an EOI may be
//! whole or cut off, and [`JpegError::NoEoi`] leaves it to the caller which. It never panics, whatever
//! the bytes, and never changes a byte it was given: repairs only add and cut. Section and table
//! numbers below are those of ITU T.81, which is the JPEG standard.

mod header;
mod join;
mod scan;
mod segment;
mod tables;
#[cfg(test)]
mod tests;
mod walk;

pub use join::join;

use std::fmt;

use segment::Segment;
use walk::Walk;

/// Marker codes: the byte after `FF` (T.81 table B.1).
mod marker {
    pub const SOF0: u8 = 0xC0;
    pub const SOF1: u8 = 0xC1;
    pub const SOF2: u8 = 0xC2;
    pub const SOF9: u8 = 0xC9;
    pub const SOF10: u8 = 0xCA;
    pub const SOF15: u8 = 0xCF;
    pub const DHT: u8 = 0xC4;
    pub const JPG: u8 = 0xC8;
    pub const DAC: u8 = 0xCC;
    pub const RST0: u8 = 0xD0;
    pub const RST7: u8 = 0xD7;
    pub const SOI: u8 = 0xD8;
    pub const EOI: u8 = 0xD9;
    pub const SOS: u8 = 0xDA;
    pub const DQT: u8 = 0xDB;
    pub const DRI: u8 = 0xDD;
    pub const APP0: u8 = 0xE0;
    pub const APP15: u8 = 0xEF;
    pub const COM: u8 = 0xFE;
}

/// The two bytes that end every JPEG.
const END: [u8; 2] = [0xFF, marker::EOI];

/// What [`inspect`] found: the picture's size, where it ends, and what it needs to be a whole JPEG.
///
/// It describes the very bytes that were inspected and borrows nothing from them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JpegLayout {
    /// Pixels per line, never 0.
    pub width: u16,
    /// Lines, never 0.
    pub height: u16,
    /// How many of the given bytes belong to the picture: up to and including the EOI, padding left
    /// out. Without an EOI, all of them.
    pub len: usize,
    /// The picture relies on Huffman tables it does not carry, as many UVC cameras' do.
    pub needs_huffman: bool,
    /// How many bytes are missing at the end, 0 to 3: of the EOI, and before it the scan's last.
    pub lost: usize,
    /// What stands for the scan's last byte.
    pub last_byte: u8,
    /// Where the tables go: before the first DHT, or before the first SOS where there is none.
    ///
    /// Both places are legal (T.81 B.2.4). After the frame header is where libjpeg itself writes
    /// tables and where go2rtc inserts them for Safari; ustreamer and mjpg-streamer insert before
    /// SOF0, with the same success. Before a DHT, so that a picture carrying only some of its
    /// tables keeps them: the later definition wins.
    pub insert_at: usize,
}

impl JpegLayout {
    /// Whether the given bytes, up to `len`, are a whole JPEG as they stand.
    #[cfg(any(test, fuzzing))]
    pub fn is_untouched(&self) -> bool {
        !self.needs_huffman && self.lost == 0
    }

    /// How many bytes [`JpegLayout::write_to`] appends.
    pub fn repaired_len(&self) -> usize {
        let tables = if self.needs_huffman {
            tables::STANDARD_HUFFMAN.len()
        } else {
            0
        };
        self.len + tables + self.lost
    }

    /// Appends the repaired JPEG to `out`, each byte copied once; `bytes` must be those that were
    /// inspected.
    ///
    /// An untouched picture comes out bit for bit. Bytes that were not inspected come out as
    /// nonsense, but never as a panic.
    pub fn write_to(&self, bytes: &[u8], out: &mut Vec<u8>) {
        out.reserve(self.repaired_len());
        let kept = bytes.get(..self.len).unwrap_or(bytes);
        if self.needs_huffman {
            let (head, tail) = kept.split_at(self.insert_at.min(kept.len()));
            out.extend_from_slice(head);
            out.extend_from_slice(&tables::STANDARD_HUFFMAN);
            out.extend_from_slice(tail);
        } else {
            out.extend_from_slice(kept);
        }
        let end = [self.last_byte, END[0], END[1]];
        out.extend_from_slice(&end[end.len().saturating_sub(self.lost)..]);
    }
}

/// Why a picture is refused. Offsets are in bytes from its beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JpegError {
    /// There are no bytes at all: OpenCV hands on an empty V4L2 buffer like this.
    Empty,
    /// The bytes do not begin with SOI.
    NotJpeg,
    /// Something other than a marker stands where one is due.
    StrayByte {
        /// Its place.
        at: usize,
    },
    /// A segment's length or content contradicts itself.
    BadSegment {
        /// The code after `FF`.
        marker: u8,
        /// Where the segment begins.
        at: usize,
    },
    /// A scan or the end comes before any frame header.
    NoFrameHeader,
    /// Width or height is 0 (a height given later, by DNL, is not supported by browsers either).
    ZeroSize,
    /// The picture ends before any scan.
    NoScan,
    /// Lossless or hierarchical coding, a precision or a number of components that no browser
    /// shows.
    Unsupported {
        /// The frame header's code.
        marker: u8,
    },
    /// A quantisation or Huffman table is used and neither carried nor standard.
    NoTables,
    /// The picture was cut off.
    Truncated {
        /// Where the bytes, or the trustworthy ones, end.
        at: usize,
    },
    /// The bytes end in the last scan of a sequential picture, after enough of them that it may be
    /// whole but for its EOI. The layout puts that behind the last byte.
    NoEoi(JpegLayout),
    /// A marker that cannot stand there: another picture's, or garbage.
    UnexpectedMarker {
        /// The code after `FF`.
        marker: u8,
        /// Its place.
        at: usize,
    },
}

impl JpegError {
    /// The defect in words, the same for every picture that has it.
    pub fn defect(&self) -> &'static str {
        match self {
            JpegError::Empty => "empty",
            JpegError::NotJpeg => "not a JPEG",
            JpegError::StrayByte { .. } => "garbage between the markers",
            JpegError::BadSegment { .. } => "with a bad segment",
            JpegError::NoFrameHeader => "without a frame header",
            JpegError::ZeroSize => "without a size",
            JpegError::NoScan => "without a scan",
            JpegError::Unsupported { .. } => "of a kind that browsers do not show",
            JpegError::NoTables => "without their tables",
            JpegError::Truncated { .. } | JpegError::NoEoi(_) => "cut off: the end is missing",
            JpegError::UnexpectedMarker { .. } => "with a marker that cannot stand there",
        }
    }
}

impl fmt::Display for JpegError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            JpegError::Empty => write!(f, "the picture is empty"),
            JpegError::NotJpeg => write!(f, "not a JPEG: it does not begin with `FFD8`"),
            JpegError::StrayByte { at } => write!(f, "no marker at byte {at}, where one is due"),
            JpegError::BadSegment { marker, at } => {
                write!(f, "bad segment `FF{marker:02X}` at byte {at}")
            }
            JpegError::NoFrameHeader => write!(f, "no frame header before the scan"),
            JpegError::ZeroSize => write!(f, "width or height is 0"),
            JpegError::NoScan => write!(f, "no scan before the end"),
            JpegError::Unsupported { marker } => write!(
                f,
                "unsupported kind of JPEG (frame header `FF{marker:02X}`)"
            ),
            JpegError::NoTables => write!(f, "a quantisation or Huffman table is missing"),
            JpegError::Truncated { at } => write!(f, "truncated at byte {at}"),
            JpegError::NoEoi(layout) => write!(f, "no EOI in its {} bytes", layout.len),
            JpegError::UnexpectedMarker { marker, at } => {
                write!(f, "unexpected marker `FF{marker:02X}` at byte {at}")
            }
        }
    }
}

impl std::error::Error for JpegError {}

/// Walks the markers of one picture and says whether, and with which repairs, it may be sent.
///
/// Cheap enough for every picture: a few microseconds for a 62 kB one.
pub fn inspect(bytes: &[u8]) -> Result<JpegLayout, JpegError> {
    if bytes.is_empty() {
        return Err(JpegError::Empty);
    }
    if !bytes.starts_with(&[0xFF, marker::SOI]) {
        return Err(JpegError::NotJpeg);
    }
    let mut walk = Walk::default();
    let mut at = 2;
    loop {
        let segment = Segment::read(bytes, at)?;
        if segment.code == marker::EOI {
            walk.check_end(segment.at)?;
            return walk.layout(segment.end, 0);
        }
        walk.take(&segment)?;
        at = segment.end;
        if segment.code != marker::SOS {
            continue;
        }
        match scan::find_end(bytes, walk.scan()?)? {
            Some((end, code)) => {
                walk.check_follower(code, end)?;
                at = end;
            }
            None => {
                walk.check_end(bytes.len())?;
                return Err(if walk.scan()?.is_sequential_huffman {
                    JpegError::NoEoi(walk.layout(bytes.len(), END.len())?)
                } else {
                    JpegError::Truncated { at: bytes.len() }
                });
            }
        }
    }
}

/// The JPEG with `text` in a COM segment right behind its SOI; `text` is short.
pub fn with_comment(jpeg: &[u8], text: &[u8]) -> Vec<u8> {
    let (soi, rest) = jpeg.split_at(jpeg.len().min(2));
    let length = u16::try_from(text.len() + 2).unwrap_or(2).to_be_bytes();
    [soi, &[0xff, marker::COM], &length, text, rest].concat()
}

/// The payload of the first COM segment before the scan.
pub fn comment(bytes: &[u8]) -> Option<&[u8]> {
    let mut at = 2;
    loop {
        let segment = Segment::read(bytes, at).ok()?;
        match segment.code {
            marker::COM => return Some(segment.body),
            marker::SOS | marker::EOI => return None,
            _ => at = segment.end,
        }
    }
}
