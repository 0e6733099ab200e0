//! One segment of a JPEG: a marker, and the parameters that belong to it.
//!
//! Shared by everything that walks markers. It knows which markers have parameters and where a
//! segment ends, and nothing of what they mean. Whatever cannot stand outside a scan ends the walk
//! here.

use super::{error::JpegError, marker};

/// One marker with its parameters, if it has any.
pub struct Segment<'a> {
    pub code: u8,
    /// Where it begins: at the first fill byte before the marker, if there are any.
    pub at: usize,
    /// Its parameters, after the length.
    pub body: &'a [u8],
    pub end: usize,
}

impl<'a> Segment<'a> {
    /// Reads the segment that begins at `at`; a marker may have any number of fill bytes `FF`
    /// before it (B.1.1.2).
    pub fn read(bytes: &'a [u8], at: usize) -> Result<Self, JpegError> {
        let truncated = JpegError::Truncated { at: bytes.len() };
        let rest = bytes.get(at..).unwrap_or_default();
        let Some(fill) = rest.iter().position(|&byte| byte != 0xFF) else {
            return Err(truncated);
        };
        let code = rest[fill];
        if fill == 0 || code == 0 {
            return Err(JpegError::StrayByte { at: at + fill });
        }
        let after = at + fill + 1;
        match code {
            marker::EOI => {
                return Ok(Segment {
                    code,
                    at,
                    body: &[],
                    end: after,
                });
            }
            marker::SOF0..=marker::SOF15
            | marker::SOS
            | marker::DQT
            | marker::DRI
            | marker::APP0..=marker::APP15
            | marker::COM => {}
            // SOI: a second picture glued on. RSTn outside a scan, DNL, hierarchical, reserved:
            // nothing that a camera sends on purpose.
            _ => return Err(JpegError::UnexpectedMarker { marker: code, at }),
        }
        let Some(&[high, low]) = bytes.get(after..after + 2) else {
            return Err(truncated);
        };
        let end = after + usize::from(u16::from_be_bytes([high, low]));
        if end < after + 2 {
            return Err(JpegError::BadSegment { marker: code, at });
        }
        match bytes.get(after + 2..end) {
            Some(body) => Ok(Segment {
                code,
                at,
                body,
                end,
            }),
            None => Err(truncated),
        }
    }

    /// The flaw of a segment that contradicts itself.
    pub fn bad(&self) -> JpegError {
        JpegError::BadSegment {
            marker: self.code,
            at: self.at,
        }
    }
}
