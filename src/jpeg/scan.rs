//! The search for the end of a scan, the only part that touches every byte of every picture.
//!
//! `inspect` calls [`find_end`] after each SOS. It looks at nothing but markers: the RSTn that
//! belong into the data are counted, and the first other marker ends the scan. Whether that one may
//! stand there is for the caller.

use super::header::Scan;
use super::{error::JpegError, marker};

/// Bytes looked at per step: enough for the compiler to make vector code of the loop, few enough to
/// search again byte by byte where something was found.
const STEP: usize = 64;

/// Finds the marker that ends the scan: its place (that of the first fill byte before it) and its
/// code; `None` where the bytes end first, but not too soon.
pub fn find_end(bytes: &[u8], scan: &Scan) -> Result<Option<(usize, u8)>, JpegError> {
    let restarts = scan.mcus.div_ceil(scan.interval.max(1)).saturating_sub(1);
    let restarts = if scan.interval == 0 { 0 } else { restarts };
    // Too few bytes or intervals: something was lost on the way, and the EOI is an older picture's
    // or the camera's own.
    let is_short = |seen, place: usize| seen < restarts || place - scan.start < scan.min_bytes();
    let mut seen = 0;
    let mut at = scan.start;
    while let Some((place, code, after)) = next_marker(bytes, at) {
        at = after;
        if !(marker::RST0..=marker::RST7).contains(&code) {
            if is_short(seen, place) {
                return Err(match code {
                    marker::EOI => JpegError::Truncated { at: place },
                    _ => JpegError::UnexpectedMarker {
                        marker: code,
                        at: place,
                    },
                });
            }
            return Ok(Some((place, code)));
        }
        // The numbers go round from 0 to 7; a gap means a lost interval. One too many, after the
        // last interval, is a known habit of encoders and harmless.
        let is_due = scan.interval != 0 && usize::from(code - marker::RST0) == seen % 8;
        if !is_due || seen > restarts {
            return Err(JpegError::UnexpectedMarker {
                marker: code,
                at: place,
            });
        }
        seen += 1;
    }
    // An `FF` at the very end is half a marker.
    let fill = bytes.iter().rev().take_while(|&&byte| byte == 0xFF).count();
    match is_short(seen, (bytes.len() - fill).max(scan.start)) {
        true => Err(JpegError::Truncated { at: bytes.len() }),
        false => Ok(None),
    }
}

/// The next marker at or after `at`: its place, its code, and where its bytes end. Stuffing (`FF
/// 00`) is no marker, and `FF`s before a marker are fill.
pub fn next_marker(bytes: &[u8], mut at: usize) -> Option<(usize, u8, usize)> {
    loop {
        at = find_unstuffed(bytes, at)?;
        let fill = bytes[at..].iter().position(|&byte| byte != 0xFF)?;
        match bytes[at + fill] {
            0 => at += fill + 1,
            code => return Some((at, code, at + fill + 1)),
        }
    }
}

/// The first `FF` at or after `at` that has a byte after it other than 0.
fn find_unstuffed(bytes: &[u8], mut at: usize) -> Option<usize> {
    // Both bytes of each pair are compared in one go, so that the many `FF 00` of a scan cost
    // nothing.
    while let Some(step) = bytes.get(at..at + STEP + 1) {
        let mut found = 0u8;
        for (&byte, &next) in step[..STEP].iter().zip(&step[1..]) {
            found |= u8::from(byte == 0xFF) & u8::from(next != 0);
        }
        if found != 0 {
            break;
        }
        at += STEP;
    }
    let rest = bytes.get(at..)?;
    rest.windows(2)
        .position(|pair| pair[0] == 0xFF && pair[1] != 0)
        .map(|found| at + found)
}
