//! The wire format of the stream: the boundary and how a frame becomes a part.
//!
//! A part is rendered once, when its frame is made, and every viewer writes those same bytes. It
//! *ends* with the delimiter of the next part: browsers treat a part as complete only when they
//! see the next delimiter, so it travels in the same write as the JPEG it closes. The stream's
//! head therefore ends with the first delimiter.
//!
//! ffmpeg and OpenCV want the body to begin with `--`; go2rtc and Mainsail want Content-Length;
//! ffmpeg wants exactly `image/jpeg`.

use std::{io::Write, ops::Range, time::Duration};

/// The token. Letters and digits only, unquoted: Safari freezes on a quoted one.
pub const BOUNDARY: &str = "camfeedframe";

/// Stands before the first part, and at the end of every part.
pub const DELIMITER: &str = "--camfeedframe\r\n";

/// Ends the stream: what follows the CRLF of the last part, in place of another delimiter's CRLF.
pub const CLOSE: &str = "--camfeedframe--\r\n";

/// Longest head of a part; see the test.
const HEAD_BYTES: usize = 128;

/// Renders a part; gives its bytes and where in them the JPEG stands.
///
/// `captured` is the time since the Unix epoch. `jpeg` appends the JPEG, `jpeg_len` bytes of it.
pub fn part(
    sequence: u64,
    captured: Duration,
    jpeg_len: usize,
    jpeg: impl FnOnce(&mut Vec<u8>),
) -> (Vec<u8>, Range<usize>) {
    let mut part = Vec::with_capacity(HEAD_BYTES + jpeg_len + 2 + DELIMITER.len());
    write!(
        part,
        "Content-Type: image/jpeg\r\nContent-Length: {jpeg_len}\r\n\
         X-Timestamp: {}.{:06}\r\nX-Sequence: {sequence}\r\n\r\n",
        captured.as_secs(),
        captured.subsec_micros(),
    )
    .expect("writing to a Vec cannot fail");
    let start = part.len();
    jpeg(&mut part);
    let end = part.len();
    debug_assert_eq!(end - start, jpeg_len, "the head says how long the JPEG is");
    part.extend_from_slice(b"\r\n");
    part.extend_from_slice(DELIMITER.as_bytes());
    (part, start..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_exact_to_the_byte() {
        let (part, jpeg) = part(7, Duration::from_micros(1_700_000_000_000_012), 4, |out| {
            out.extend_from_slice(b"JPEG");
        });
        assert_eq!(&part[jpeg], b"JPEG");
        assert_eq!(
            String::from_utf8(part).expect("ASCII"),
            "Content-Type: image/jpeg\r\nContent-Length: 4\r\nX-Timestamp: 1700000000.000012\r\n\
             X-Sequence: 7\r\n\r\nJPEG\r\n--camfeedframe\r\n"
        );
    }

    #[test]
    fn a_part_is_allocated_once() {
        let len = 99_999_999;
        let (_, jpeg) = part(u64::MAX, Duration::from_secs(u64::MAX / 1000), 0, |_| {});
        assert!(jpeg.start + len.to_string().len() <= HEAD_BYTES);
    }

    #[test]
    fn delimiters_carry_the_boundary() {
        assert_eq!(DELIMITER, format!("--{BOUNDARY}\r\n"));
        assert_eq!(CLOSE, format!("--{BOUNDARY}--\r\n"));
    }
}
