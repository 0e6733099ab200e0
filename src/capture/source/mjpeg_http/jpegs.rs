//! JPEGs end to end, without anything that says where one ends: bytes in, as the network splits them;
//! pictures out, each as soon as its last byte is there.
//!
//! Pure. What it holds is bounded.

use crate::jpeg::{self, JpegError};
use memchr::memmem;
use std::{mem, ops::Range};

/// A picture is no longer than this.
const MOST_BYTES: usize = 32 << 20;

/// How every JPEG begins, and what separates two.
const SOI: &[u8] = b"\xff\xd8\xff";
const SEAM: &[u8] = b"\xff\xd9\xff\xd8\xff";

/// A stream being taken apart.
#[derive(Debug, Default)]
pub struct Jpegs {
    buffer: Vec<u8>,
    /// Bytes of the buffer that are done with.
    done: usize,
    /// The picture given last.
    jpeg: Range<usize>,
}

impl Jpegs {
    /// Takes in what came; [`Jpegs::next_picture`] until it gives none, then more.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The picture given last.
    pub fn jpeg(&self) -> &[u8] {
        &self.buffer[self.jpeg.clone()]
    }

    /// True when a whole picture is there, which is then to be had from [`Jpegs::jpeg`]. A damaged one
    /// ends where the next one begins.
    pub fn next_picture(&mut self) -> bool {
        self.buffer.drain(..mem::take(&mut self.done));
        self.jpeg = 0..0;
        let begin = memmem::find(&self.buffer, SOI);
        self.done = begin.unwrap_or(self.buffer.len().saturating_sub(SOI.len() - 1));
        if begin.is_none() {
            return false;
        }
        let rest = &self.buffer[self.done..];
        let end = match jpeg::inspect(rest) {
            Ok(layout) => Some(layout.len),
            // The end is missing: another picture begins there.
            Err(JpegError::UnexpectedMarker { at, .. }) if rest[at..].starts_with(SOI) => Some(at),
            // An EOI, too soon.
            Err(JpegError::Truncated { at }) if at < rest.len() => {
                memmem::find(&rest[at..], &SEAM[..2]).map(|end| at + end + 2)
            }
            // More bytes may be all that is missing.
            Err(JpegError::NoEoi(_) | JpegError::Truncated { .. }) => None,
            Err(_) => memmem::find(rest, SEAM).map(|at| at + 2),
        };
        // No picture is so long: what comes next is searched for.
        let end = end.or((rest.len() > MOST_BYTES).then_some(rest.len()));
        if let Some(length) = end {
            self.jpeg = self.done..self.done + length;
            self.done += length;
        }
        end.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PICTURE: &[u8] = include_bytes!("../../../../tests/jpeg/420.jpg");

    fn pictures<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Vec<u8>> {
        let mut jpegs = Jpegs::default();
        let mut seen = Vec::new();
        for piece in pieces {
            jpegs.push(piece);
            while jpegs.next_picture() {
                seen.push(jpegs.jpeg().to_vec());
            }
        }
        seen
    }

    #[test]
    fn each_picture_is_out_with_its_last_byte_however_the_stream_is_split() {
        let stream = [b"\r\n", PICTURE, PICTURE, b"\r\n\0\0", PICTURE].concat();
        for size in [1009, 4096, stream.len()] {
            assert_eq!(
                pictures(stream.chunks(size)),
                vec![PICTURE.to_vec(); 3],
                "{size}"
            );
        }
    }

    #[test]
    fn a_damaged_picture_costs_no_other() {
        let cut = &PICTURE[..PICTURE.len() - 40];
        let mut bad = PICTURE.to_vec();
        bad[4] = 0;
        bad[5] = 0;
        let short = [cut, b"\xff\xd9"].concat();
        let stream = [PICTURE, cut, PICTURE, &bad, PICTURE, &short, PICTURE].concat();
        let seen = pictures(stream.chunks(4096));
        let whole: Vec<_> = seen.iter().filter(|picture| *picture == PICTURE).collect();
        assert_eq!((whole.len(), seen.len()), (4, 7));
    }

    #[test]
    fn what_it_holds_is_bounded() {
        let mut jpegs = Jpegs::default();
        for _ in 0..40 {
            jpegs.push(&[b'x'; 1 << 20]);
            assert!(!jpegs.next_picture());
        }
        assert!(jpegs.buffer.len() <= 2 << 20, "garbage is let go");
        jpegs.push(SOI);
        let given = (0..40).any(|_| {
            jpegs.push(&[0xff; 1 << 20]);
            jpegs.next_picture()
        });
        assert!(given, "a picture without an end is given up");
    }
}
