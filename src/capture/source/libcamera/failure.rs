//! What libcamera says of a camera module that gives no pictures, in our words, with what to do next.

use crate::{
    capture::source::{
        gst::{Failure, Stage},
        libcamera::{modules::GROUP, request::Request},
    },
    config::Size,
    error::Cause,
};

/// What a module's silence may come from. Before 0.5.2, libcamera says nothing of a size that it does
/// not give, `asked` when it was opened.
pub fn silence_hint(asked: Option<Size>) -> String {
    match asked {
        Some(size) => format!(" (is its cable loose, or has it no pictures of {size}?)"),
        None => " (is its cable loose?)".to_owned(),
    }
}

/// Why the module that was asked for `request` gives no pictures.
pub fn explain(
    request: &Request,
    sizes: &str,
    stage: Stage,
    failure: Option<&Failure>,
) -> (Cause, String) {
    let Some(failure) = failure else {
        let Request { format, size, .. } = request;
        return match stage {
            Stage::Start => (
                Cause::Silent,
                format!(
                    "it does not give {format} pictures of {size}, and does not say why; it has {sizes}"
                ),
            ),
            Stage::Running => (Cause::Silent, "the stream ended".to_owned()),
        };
    };
    let said = format!("{} {}", failure.message, failure.details);
    let has = |words: &[&str]| words.iter().any(|words| said.contains(words));
    let (cause, reason) = if has(&[
        "already in use",
        "in use by another process",
        "resource busy",
    ]) {
        (
            Cause::Busy,
            "another program is using it (`sudo fuser -v /dev/media*` names it; \
             `sudo systemctl stop camfeed` ends camfeed's service)"
                .to_owned(),
        )
    } else if has(&[
        "Permission denied",
        "dma-buf provider",
        "dmaHeap allocation",
    ]) {
        (Cause::Forbidden, format!("permission denied ({GROUP})"))
    } else if has(&["Cannot allocate memory", "Failed to allocate"]) {
        let size = request.size;
        (
            Cause::Silent,
            format!(
                "not enough of the memory that cameras share (CMA) for {size}: a smaller `--size` helps, or \
                 `dtoverlay=vc4-kms-v3d,cma-512` in /boot/firmware/config.txt"
            ),
        )
    } else if has(&["Could not find a camera named", "any supported camera"]) {
        (
            Cause::Missing,
            "libcamera does not find it any more (is its cable loose?)".to_owned(),
        )
    } else if has(&["not-negotiated"]) {
        let Request { format, size, .. } = request;
        (
            Cause::Silent,
            format!("it does not give {format} pictures of {size}; it has {sizes}"),
        )
    } else {
        (
            Cause::Silent,
            format!("libcamera says: {}", failure.message.trim_end_matches('.')),
        )
    };
    (cause, reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Fps;

    #[test]
    fn every_cause_has_its_words() {
        let request = Request {
            id: "/base/x/imx219@10".to_owned(),
            format: "NV12".to_owned(),
            size: Size {
                width: 4056,
                height: 3040,
            },
            fps: Fps(30.0),
        };
        let explained = |message: &str, details: &str| {
            let failure = Failure {
                element: "libcamerasrc".to_owned(),
                message: message.to_owned(),
                details: details.to_owned(),
            };
            explain(
                &request,
                "any even size up to 3280x2464",
                Stage::Start,
                Some(&failure),
            )
        };
        for (message, details, cause, words) in [
            (
                "Camera '/base/x/imx219@10' is already in use.",
                "",
                Cause::Busy,
                "another program",
            ),
            (
                "Failed to acquire",
                "Pipeline handler in use by another process",
                Cause::Busy,
                "fuser",
            ),
            (
                "Could not open any dma-buf provider",
                "",
                Cause::Forbidden,
                "group video",
            ),
            (
                "Failed to allocate memory",
                "",
                Cause::Silent,
                "for 4056x3040",
            ),
            (
                "Failed to start the camera: Cannot allocate memory",
                "",
                Cause::Silent,
                "cma-512",
            ),
            (
                "Failed to configure camera: Invalid argument",
                "",
                Cause::Silent,
                "libcamera says: Failed to configure camera: Invalid argument",
            ),
            (
                "Could not find a camera named 'x'.",
                "",
                Cause::Missing,
                "loose",
            ),
            (
                "Internal data stream error.",
                "streaming stopped, reason not-negotiated (-4)",
                Cause::Silent,
                "NV12 pictures of 4056x3040; it has any even size up to 3280x2464",
            ),
            (
                "Something new.",
                "",
                Cause::Silent,
                "libcamera says: Something new",
            ),
        ] {
            let (said_cause, said) = explained(message, details);
            assert_eq!(said_cause, cause, "{message}");
            assert!(said.contains(words), "{said}");
        }
    }
}
