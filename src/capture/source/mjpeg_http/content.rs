//! What the body of an answer is: by its type, its length and its first bytes.
//!
//! Servers say all kinds of types for the same stream, so the bytes decide where they can. Pure. A type
//! is said only when it is a known one: the rest of a server's words may repeat what it was asked.

/// No decision needs more bytes than these.
const MOST_SAMPLE_BYTES: usize = 1024;

/// Types that may be said.
const KNOWN_TYPES: [&str; 16] = [
    "text/html",
    "text/plain",
    "text/xml",
    "application/xhtml+xml",
    "application/xml",
    "application/json",
    "application/octet-stream",
    "application/vnd.apple.mpegurl",
    "application/x-mpegurl",
    "audio/x-mpegurl",
    "audio/mpegurl",
    "audio/x-scpls",
    "image/jpeg",
    "image/png",
    "image/gif",
    "multipart/mixed",
];

/// What a body is.
#[derive(Debug, PartialEq, Eq)]
pub enum Content {
    /// Parts; between them a boundary of that name, or of one that shows (empty).
    Multipart(String),
    /// JPEGs end to end; perhaps no more than one.
    Jpegs,
    /// One JPEG.
    Still,
    /// Nothing of these; FFmpeg may know it.
    Film,
    /// No pictures, and why.
    Useless(String),
}

/// What a body of type `media_type` is that begins with `sample`; `has_length` says whether it has an end.
/// `None` when more bytes must tell, which `may_grow` says can come.
pub fn judge(media_type: &str, has_length: bool, sample: &[u8], may_grow: bool) -> Option<Content> {
    if let Some(boundary) = boundary(media_type) {
        return Some(Content::Multipart(boundary.to_owned()));
    }
    let family = media_type.split(';').next().unwrap_or_default().trim();
    let family = family.to_ascii_lowercase();
    let sample = sample.trim_ascii_start();
    let may_grow = may_grow && sample.len() < MOST_SAMPLE_BYTES;
    if may_grow && sample.len() < 4 {
        return None;
    }
    if sample.starts_with(b"\xff\xd8\xff") {
        return Some(match has_length {
            true => Content::Still,
            false => Content::Jpegs,
        });
    }
    if sample.starts_with(b"--") {
        let mut lines = sample.splitn(3, |&byte| byte == b'\n');
        let header = lines.nth(1).filter(|_| lines.next().is_some());
        match header {
            Some(header) if header.contains(&b':') => {
                return Some(Content::Multipart(String::new()));
            }
            None if may_grow => return None,
            _ => {}
        }
    }
    let is_playlist = family.contains("mpegurl") || family.contains("scpls");
    let what = if family.contains("html") || sample.starts_with(b"<") {
        "a web page, not a stream"
    } else if sample.starts_with(b"#EXT-X") || has(sample, b"#EXT-X-") {
        return Some(Content::Film);
    } else if is_playlist || sample.starts_with(b"#EXTM3U") || sample.starts_with(b"[playlist]") {
        if may_grow {
            return None;
        }
        "a playlist, not a stream"
    } else if sample.is_empty() {
        "nothing, not a stream"
    } else if is_text(sample) {
        // A delimiter may follow.
        if may_grow {
            return None;
        }
        "text, not a stream"
    } else {
        return Some(Content::Film);
    };
    Some(Content::Useless(format!(
        "it answers {}: {what}",
        shown(&family)
    )))
}

/// The type as it may be said.
fn shown(family: &str) -> &str {
    let known = KNOWN_TYPES.into_iter().find(|known| *known == family);
    let main = || {
        let mains = [
            "text",
            "image",
            "video",
            "audio",
            "application",
            "multipart",
        ];
        let main = family.split('/').next().unwrap_or_default();
        mains.into_iter().find(|known| *known == main)
    };
    known.or_else(main).unwrap_or("no known type")
}

fn has(bytes: &[u8], text: &[u8]) -> bool {
    memchr::memmem::find(bytes, text).is_some()
}

fn is_text(sample: &[u8]) -> bool {
    let is_control = |byte: &u8| *byte < b' ' && !byte.is_ascii_whitespace();
    !sample
        .iter()
        .any(|byte| is_control(byte) || *byte == 0x7f || *byte >= 0xf8)
}

/// The boundary that a Content-Type names (empty when it names none); `None` for another type.
fn boundary(content_type: &str) -> Option<&str> {
    let (kind, parameters) = content_type.split_once(';').unwrap_or((content_type, ""));
    if !kind.trim().to_ascii_lowercase().starts_with("multipart/") {
        return None;
    }
    let value = parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let is_it = name.trim().eq_ignore_ascii_case("boundary");
        is_it.then(|| value.trim().trim_matches('"'))
    });
    Some(value.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_boundary_is_found_quoted_or_not() {
        for (header, expected) in [
            (
                "multipart/x-mixed-replace; boundary=camfeedframe",
                Some("camfeedframe"),
            ),
            (
                "multipart/x-mixed-replace;boundary=\"my frame\"",
                Some("my frame"),
            ),
            (
                "Multipart/X-Mixed-Replace; charset=x; Boundary=--f ",
                Some("--f"),
            ),
            ("multipart/x-mixed-replace", Some("")),
            ("multipart/mixed; boundary=f", Some("f")),
            ("image/jpeg", None),
            ("", None),
        ] {
            assert_eq!(boundary(header), expected, "{header}");
        }
    }

    #[test]
    fn a_body_is_known_by_its_bytes_where_its_type_is_wrong() {
        let jpeg = b"\xff\xd8\xff\xe0\0\x10JFIF".as_slice();
        let part = b"--f\r\nContent-Type: image/jpeg\r\n\r\n\xff\xd8".as_slice();
        let unnamed = || Content::Multipart(String::new());
        let useless = |text: &str| Content::Useless(text.to_owned());
        let film = b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2".as_slice();
        for (media_type, has_length, sample, expected) in [
            (
                "multipart/x-mixed-replace;boundary=f",
                false,
                jpeg,
                Content::Multipart("f".to_owned()),
            ),
            ("text/html", false, part, unnamed()),
            ("", false, part, unnamed()),
            (
                "multipart/mixed; boundary=f",
                false,
                b"Words before it\n",
                Content::Multipart("f".to_owned()),
            ),
            ("", false, b"\r\n--f\nX: y\n\n", unnamed()),
            (
                "image/jpeg",
                true,
                b"",
                useless("it answers image/jpeg: nothing, not a stream"),
            ),
            ("image/jpeg", true, jpeg, Content::Still),
            ("application/octet-stream", true, jpeg, Content::Still),
            ("image/jpeg", false, jpeg, Content::Jpegs),
            ("video/x-motion-jpeg", false, jpeg, Content::Jpegs),
            ("video/mp4", true, film, Content::Film),
            (
                "text/html; charset=utf-8",
                true,
                b"",
                useless("it answers text/html: a web page, not a stream"),
            ),
            (
                "text/plain",
                true,
                b"<!doctype html>",
                useless("it answers text/plain: a web page, not a stream"),
            ),
            (
                "audio/x-mpegurl",
                true,
                b"rtsp://cam/1\n",
                useless("it answers audio/x-mpegurl: a playlist, not a stream"),
            ),
            (
                "audio/x-mpegurl",
                true,
                b"#EXTM3U\n#EXT-X-VERSION:3\n",
                Content::Film,
            ),
            (
                "application/json",
                true,
                b"{\"error\": \"no such camera\"}",
                useless("it answers application/json: text, not a stream"),
            ),
            (
                "x/secret",
                true,
                b"there is no camera here",
                useless("it answers no known type: text, not a stream"),
            ),
            (
                "image/secret",
                true,
                b"there is no camera here",
                useless("it answers image: text, not a stream"),
            ),
        ] {
            assert_eq!(
                judge(media_type, has_length, sample, false),
                Some(expected),
                "{media_type}"
            );
        }
    }

    #[test]
    fn what_is_not_sure_waits_for_more_bytes() {
        for (media_type, sample) in [
            ("text/html", b"".as_slice()),
            ("text/plain", b"there is no camera here"),
            ("text/html", b"\r\n--f"),
            ("text/plain", b"--f\r\n"),
            ("text/plain", b"--f\r\nContent-Type: image/"),
            ("audio/x-mpegurl", b"#EXTM3U\n"),
        ] {
            assert_eq!(judge(media_type, false, sample, true), None, "{sample:?}");
            assert!(
                judge(media_type, false, sample, false).is_some(),
                "{sample:?}"
            );
        }
    }
}
