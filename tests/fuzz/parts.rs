//! Fuzz target: whatever a server sends, `mjpeg_http/parts` does not panic, holds no more than it says, and finds the same
//! parts however the bytes are split.
//!
//! The module is included as source, as in `jpeg.rs`.

#![no_main]

#[path = "../../src/capture/source/mjpeg_http/parts.rs"]
#[allow(dead_code)]
mod parts;

use parts::{PartError, Parts};

/// All parts of `pieces`, and what ended them.
fn all<'a>(boundary: &str, pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<Vec<u8>>, Option<PartError>) {
    let mut parts = Parts::new(boundary);
    let mut seen = Vec::new();
    for piece in pieces {
        parts.push(piece);
        loop {
            match parts.next_part() {
                Ok(Some(_)) => seen.push(parts.jpeg().to_vec()),
                Ok(None) => break,
                Err(flaw) => return (seen, Some(flaw)),
            }
        }
    }
    (seen, None)
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((&length, rest)) = bytes.split_first() else {
        return;
    };
    for boundary in ["f", "--f", ""] {
        let (whole, flaw) = all(boundary, std::iter::once(rest));
        assert!(whole.iter().all(|body| !body.is_empty() && body.len() <= rest.len()));
        let (split, split_flaw) = all(boundary, rest.chunks(usize::from(length).max(1)));
        // Long heads and lines may be found out sooner in pieces.
        if rest.len() <= 256 {
            assert_eq!((whole, flaw), (split, split_flaw));
        }
    }
});
