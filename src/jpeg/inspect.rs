//! The walk over one picture's markers.

use super::{
    error::JpegError,
    layout::JpegLayout,
    marker::{self, END},
    scan,
    segment::Segment,
    walk::Walk,
};

/// Walks the markers of one picture and says whether, and with which repairs, it may be sent.
///
/// Cheap enough for every picture: a few microseconds for a 62 kB one.
pub fn inspect(bytes: &[u8]) -> Result<JpegLayout, JpegError> {
    if bytes.is_empty() {
        return Err(JpegError::Empty);
    }
    if !bytes.starts_with(&[0xFF, marker::SOI]) {
        let begin = [bytes[0], bytes.get(1).copied().unwrap_or_default()];
        return Err(JpegError::NotJpeg { begin });
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

/// Other bytes before the SOI are passed over up to this many.
const MOST_LEAD_BYTES: usize = 4096;

/// Where the JPEG in `bytes` begins: 0, or behind a few other bytes; `None` when none begins.
pub fn find_soi(bytes: &[u8]) -> Option<usize> {
    let soi = [0xFF, marker::SOI];
    if bytes.starts_with(&soi) {
        return Some(0);
    }
    // With the marker behind it: two bytes alone may be anything.
    let begin = &bytes[..bytes.len().min(MOST_LEAD_BYTES + 3)];
    begin
        .windows(3)
        .position(|three| three[..2] == soi && three[2] == 0xFF)
}
