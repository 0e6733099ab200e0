//! Comments: COM segments put in and found again.

use super::{marker, segment::Segment};

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
