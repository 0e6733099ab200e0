//! Fuzz target: whatever the bytes, `jpeg` does not panic, and what it takes comes out as a whole JPEG.
//!
//! The module is included as source, so that the main crate needs no library. How to run it: see Cargo.toml here.

#![no_main]

#[path = "../../src/jpeg/mod.rs"]
mod jpeg;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = jpeg::comment(bytes);
    match jpeg::inspect(bytes) {
        Ok(layout) | Err(jpeg::JpegError::NoEoi(layout)) => {
            assert!(layout.width > 0 && layout.height > 0);
            assert!(layout.len <= bytes.len() && layout.insert_at < layout.len);
            let mut out = Vec::new();
            layout.write_to(bytes, &mut out);
            assert_eq!(out.len(), layout.repaired_len());
            assert!(out.starts_with(&[0xFF, 0xD8]) && out.ends_with(&[0xFF, 0xD9]));
            if layout.is_untouched() {
                assert_eq!(out, bytes[..layout.len]);
            }
            // A repaired picture needs no repair, and is the same picture.
            let again = jpeg::inspect(&out).expect("a repaired picture is whole");
            assert!(again.is_untouched() && again.len == out.len());
            assert_eq!((again.width, again.height), (layout.width, layout.height));
        }
        Err(flaw) => assert!(!flaw.defect().is_empty() && !flaw.to_string().is_empty()),
    }
});
