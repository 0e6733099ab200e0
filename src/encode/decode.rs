//! Decoding: the pixels of a JPEG, and whether one without its own end is whole.

use crate::{
    encode::backend::{cannot_encode, refused},
    error::Error,
};
use opencv::{core::Mat, imgcodecs, prelude::*};
use std::ffi::{c_int, c_ulong};
use turbojpeg_sys as turbo;

/// The pixels of a JPEG, upright or not as they stand in it.
pub fn decode(bytes: &Mat) -> Result<Mat, Error> {
    // An EXIF orientation is the camera's word on how it is mounted; leave it to `--rotate`, as
    // pass-through does.
    let flags = imgcodecs::IMREAD_COLOR | imgcodecs::IMREAD_IGNORE_ORIENTATION;
    match imgcodecs::imdecode(bytes, flags).map_err(refused)? {
        mat if mat.empty() => Err(cannot_encode("it is no whole JPEG")),
        mat => Ok(mat),
    }
}

/// True when the JPEG, of that width and height, decodes without a warning. A scan that was cut off
/// before its EOI gives one ("premature end of data segment").
///
/// Capture asks this about the few pictures of which the markers say too little. OpenCV's `imdecode`
/// keeps libjpeg's warnings to itself.
#[expect(unsafe_code, reason = "libjpeg-turbo is C")]
pub fn decodes_cleanly(jpeg: &[u8], width: u16, height: u16) -> bool {
    // An eighth of the size: all codes are read, and hardly a pixel is made.
    let (width, height) = (width.div_ceil(8), height.div_ceil(8));
    let mut pixels = vec![0; usize::from(width) * usize::from(height)];
    let Ok(length) = c_ulong::try_from(jpeg.len()) else {
        return false;
    };
    // SAFETY: takes nothing.
    let handle = unsafe { turbo::tjInitDecompress() };
    if handle.is_null() {
        return false;
    }
    // SAFETY: the handle is ours. `jpeg` has `length` bytes and is only read. A picture that cannot
    // be scaled down to `width` × `height` is refused, so grey pixels (one byte each, no gaps
    // between rows) fit `pixels`. The last use of the handle destroys it.
    let result = unsafe {
        let result = turbo::tjDecompress2(
            handle,
            jpeg.as_ptr(),
            length,
            pixels.as_mut_ptr(),
            c_int::from(width),
            0,
            c_int::from(height),
            turbo::TJPF_TJPF_GRAY,
            0,
        );
        turbo::tjDestroy(handle);
        result
    };
    // A warning is an error here, too.
    result == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cut_scan_does_not_decode_cleanly() {
        let jpeg = include_bytes!("../../tests/jpeg/420.jpg");
        let cut = |lost: usize| [&jpeg[..jpeg.len() - lost], b"\xff\xd9"].concat();
        assert!(decodes_cleanly(jpeg, 48, 32));
        assert!(decodes_cleanly(&cut(2), 48, 32), "the EOI alone was lost");
        assert!(decodes_cleanly(&cut(1), 48, 32), "half of it was");
        for lost in 6..300 {
            assert!(!decodes_cleanly(&cut(lost), 48, 32), "{lost} bytes lost");
        }
        let without_end = &jpeg[..jpeg.len() - 2];
        assert!(!decodes_cleanly(without_end, 48, 32), "no EOI put there");
        assert!(!decodes_cleanly(jpeg, 8, 8), "it is larger");
        for garbage in [&b""[..], b"\xff\xd8", b"garbage"] {
            assert!(!decodes_cleanly(garbage, 48, 32));
        }
    }
}
