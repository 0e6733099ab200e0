//! A look at a picture that came: whether it can be sent, and how large it is.

use crate::{
    capture::{missing_eoi::MissingEoi, source},
    config::Size,
    encode::{Picture, decodes_cleanly},
    feed::frame::placeholder_reason,
    jpeg::{JpegError, JpegLayout},
};
use opencv::prelude::*;

/// Why a picture is not sent.
pub enum Unusable {
    /// It is no whole JPEG.
    Broken(JpegError),
    /// It says that there is none, and why.
    Placeholder(String),
}

/// The layout of a JPEG that can be sent; `None` for raw pixels.
pub fn inspect(
    picture: &Picture,
    missing_eoi: &mut MissingEoi,
) -> Result<Option<JpegLayout>, Unusable> {
    let Picture::Jpeg(mat) = picture else {
        return Ok(None);
    };
    let bytes = mat.data_bytes().unwrap_or_default();
    let layout = missing_eoi
        .inspect(bytes, decodes_cleanly)
        .map_err(Unusable::Broken)?;
    match placeholder_reason(bytes) {
        Some(reason) => Err(Unusable::Placeholder(source::no_picture_there(&reason))),
        None => Ok(Some(layout)),
    }
}

/// Said of a source whose pictures all are broken, the last one by `flaw`.
pub fn broken_only(flaw: &JpegError) -> String {
    format!("it gives broken pictures only, the last one: {flaw}")
}

/// Its size; of a JPEG as its layout says.
pub fn size_of(picture: &Picture, layout: Option<&JpegLayout>) -> Option<Size> {
    let (width, height) = match (picture, layout) {
        (_, Some(layout)) => (layout.width.into(), layout.height.into()),
        (picture, None) => picture.shape()?,
    };
    Some(Size {
        width: u32::try_from(width).ok()?,
        height: u32::try_from(height).ok()?,
    })
}

/// The bytes of a JPEG; none of raw pixels.
pub fn jpeg_of(picture: &Picture) -> &[u8] {
    match picture {
        Picture::Jpeg(mat) => mat.data_bytes().unwrap_or_default(),
        Picture::Raw(..) => &[],
    }
}
