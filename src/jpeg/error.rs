//! Why a picture is refused.

use super::layout::JpegLayout;
use std::fmt;

/// Why a picture is refused. Offsets are in bytes from its beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JpegError {
    /// There are no bytes at all: OpenCV hands on an empty V4L2 buffer like this.
    Empty,
    /// The bytes do not begin with SOI.
    NotJpeg {
        /// They begin with these, zeros behind a single one.
        begin: [u8; 2],
    },
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
            JpegError::NotJpeg { .. } => "not a JPEG",
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
            JpegError::NotJpeg { begin: [one, two] } => {
                write!(f, "it begins with `{one:02X}{two:02X}`, a JPEG with `FFD8`")
            }
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
            JpegError::Truncated { at } => write!(f, "cut off at byte {at}"),
            JpegError::NoEoi(layout) => write!(f, "cut off at byte {}: no EOI", layout.len),
            JpegError::UnexpectedMarker { marker, at } => {
                write!(f, "unexpected marker `FF{marker:02X}` at byte {at}")
            }
        }
    }
}

impl std::error::Error for JpegError {}
