//! What all readers through OpenCV's `VideoCapture` share.

use crate::config::{Device, Size};
use opencv::{
    core::{self, Mat},
    prelude::*,
    videoio::{self, VideoCapture},
};

/// The capture, if it is open: OpenCV throws for some causes and returns a closed one for others.
pub fn opened(capture: opencv::Result<VideoCapture>) -> Option<VideoCapture> {
    capture
        .ok()
        .filter(|capture| capture.is_opened().unwrap_or(false))
}

/// The size and the rate of its pictures, as far as it knows them.
pub fn size_and_fps(capture: &VideoCapture) -> opencv::Result<(Option<Size>, Option<f64>)> {
    let size = Size {
        width: capture.get(videoio::CAP_PROP_FRAME_WIDTH)? as u32,
        height: capture.get(videoio::CAP_PROP_FRAME_HEIGHT)? as u32,
    };
    let fps = capture.get(videoio::CAP_PROP_FPS)?;
    Ok((
        Some(size).filter(|size| size.width > 0 && size.height > 0),
        Some(fps).filter(|fps| (0.1..=240.0).contains(fps)),
    ))
}

/// What OpenCV says of a failure; only its number where its words may hold a secret of the source.
pub fn opencv_words(device: &Device, error: &opencv::Error) -> String {
    match device {
        Device::Url(_) | Device::Gst(_) => format!("OpenCV fails (error {})", error.code),
        _ => format!("OpenCV fails: {}", error.message),
    }
}

/// Major and minor version of the OpenCV in use.
pub fn opencv_version() -> (i32, i32) {
    (core::get_version_major(), core::get_version_minor())
}

/// Raw bytes come as one row; only JPEGs are asked for in that form.
pub fn is_jpeg(mat: &Mat) -> bool {
    mat.rows() == 1 && mat.typ() == core::CV_8UC1 && mat.cols() > 3
}

/// Whether the picture is `size` large.
pub fn has_size(mat: &Mat, size: Size) -> bool {
    mat.cols() == size.width as i32 && mat.rows() == size.height as i32
}
