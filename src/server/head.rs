//! Whether bytes from the network are a whole request, and one that may be handed on.
//!
//! Looks only for what decides that: where the head ends and how long the body is. What the rest
//! means is tiny_http's to say. Pure, so that every odd input can stand in a table.

/// A request's head may be so long, with its line and the empty line.
pub const HEAD_BYTES: usize = 16 * 1024;

/// And its body: changes of a camera's controls have some hundred bytes.
pub const BODY_BYTES: usize = 16 * 1024;

/// What bytes from the start of a request amount to.
#[derive(Debug, PartialEq)]
pub enum Look {
    /// A whole request of so many bytes; more may follow.
    Whole(usize),
    /// More is to come.
    Begun {
        /// The client waits for a word before it sends the body.
        waits: bool,
    },
    /// Nothing that is answered here; with a status and a line of text.
    Refused(u16, &'static str),
}

/// Looks at `bytes`, which begin where a request begins.
pub fn look(bytes: &[u8]) -> Look {
    let Some(end) = find(bytes, b"\r\n\r\n").map(|at| at + 4) else {
        return look_at_part(bytes);
    };
    if end > HEAD_BYTES {
        return TOO_LONG;
    }
    if let Some(refused) = refused_line(bytes) {
        return refused;
    }
    match body_length(&bytes[..end]) {
        Err(refused) => refused,
        Ok(Body { length, .. }) if bytes.len() >= end + length => Look::Whole(end + length),
        Ok(Body { waits, .. }) => Look::Begun { waits },
    }
}

const TOO_LONG: Look = Look::Refused(431, "the head of a request may have 16384 bytes\n");

/// Refuses a request line that is none of HTTP/1.1 or HTTP/1.0. tiny_http 0.12 would wait for itself
/// for ever on one of HTTP/2.
fn refused_line(bytes: &[u8]) -> Option<Look> {
    let line = &bytes[..find(bytes, b"\r\n")?];
    let is_text = line.iter().all(|byte| (b' '..=b'~').contains(byte));
    let mut words = line.split(|&byte| byte == b' ');
    let is_complete = words.next().is_some_and(|method| !method.is_empty())
        && words.next().is_some_and(|target| !target.is_empty());
    match words.next() {
        Some(b"HTTP/1.1" | b"HTTP/1.0") if is_text && is_complete => None,
        Some(version) if is_text && is_complete && version.starts_with(b"HTTP/") => Some(
            Look::Refused(505, "HTTP/1.1 and HTTP/1.0 are answered here\n"),
        ),
        _ => Some(Look::Refused(400, "this is no HTTP request\n")),
    }
}

/// A head that has not ended yet.
fn look_at_part(bytes: &[u8]) -> Look {
    // What no request begins with need not be waited for: a TLS hello, most of all.
    let is_text = |byte: &u8| (b' '..=b'~').contains(byte) || matches!(byte, b'\r' | b'\n' | b'\t');
    if !bytes.iter().take(16).all(is_text) {
        return Look::Refused(400, "this is no HTTP; https:// is not answered here\n");
    }
    if bytes.len() >= HEAD_BYTES {
        return TOO_LONG;
    }
    Look::Begun { waits: false }
}

struct Body {
    length: usize,
    waits: bool,
}

/// The length of the body that belongs to `head`.
fn body_length(head: &[u8]) -> Result<Body, Look> {
    let mut length = None;
    let mut waits = false;
    for line in fields(head) {
        let (name, value) = name_and_value(line).ok_or(NO_HEADER)?;
        if name.eq_ignore_ascii_case(b"transfer-encoding") {
            return Err(Look::Refused(
                411,
                "a body is taken with a Content-Length only\n",
            ));
        }
        if name.eq_ignore_ascii_case(b"expect") {
            waits = value.eq_ignore_ascii_case(b"100-continue");
        }
        if name.eq_ignore_ascii_case(b"content-length") {
            let is_number = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
            if !is_number || length.is_some_and(|length| length != value) {
                return Err(Look::Refused(400, "the Content-Length is no length\n"));
            }
            length = Some(value);
        }
    }
    let length = length.map_or(Ok(0), |digits| {
        // Only digits: what does not fit is too long.
        let digits = std::str::from_utf8(digits).unwrap_or_default();
        digits
            .parse()
            .ok()
            .filter(|&length| length <= BODY_BYTES)
            .ok_or(Look::Refused(413, "a body may have 16384 bytes\n"))
    })?;
    Ok(Body { length, waits })
}

const NO_HEADER: Look = Look::Refused(400, "a header of the request is malformed\n");

/// The lines between a request's first and its empty one.
fn fields(head: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = head;
    std::iter::from_fn(move || {
        let end = find(rest, b"\r\n")?;
        let line = &rest[..end];
        rest = &rest[end + 2..];
        Some(line)
    })
    .skip(1)
    .take_while(|line| !line.is_empty())
}

/// A header taken apart; `None` when it is none by RFC 9110: a name of letters, digits and some
/// signs, and a value without control characters.
fn name_and_value(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = line.iter().position(|&byte| byte == b':')?;
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    let is_sign = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let is_name = !name.is_empty() && name.iter().copied().all(is_sign);
    let is_text = |byte: &u8| *byte == b'\t' || (*byte >= b' ' && *byte != 0x7f);
    (is_name && value.iter().all(is_text)).then(|| (name, value.trim_ascii()))
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEGUN: Look = Look::Begun { waits: false };

    #[test]
    fn a_whole_request_is_known_by_its_end() {
        for (bytes, seen) in [
            ("GET / HTTP/1.1\r\n\r\n", Look::Whole(18)),
            ("GET / HTTP/1.1\r\n\r\nGET / HT", Look::Whole(18)),
            ("GET / HTTP/1.1\r\nHost: pi\r\n\r\n", Look::Whole(28)),
            ("GET / HTTP/1.1\r\nHost: pi\r\n", BEGUN),
            ("GET / HTTP/1.1\n\n", BEGUN),
            ("", BEGUN),
            (
                "POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}",
                Look::Whole(40),
            ),
            ("POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{", BEGUN),
            (
                "POST / HTTP/1.1\r\nExpect: 100-Continue\r\ncontent-length:2 \r\n\r\n",
                Look::Begun { waits: true },
            ),
        ] {
            assert_eq!(look(bytes.as_bytes()), seen, "{bytes:?}");
        }
    }

    #[test]
    fn what_is_not_answered_here_is_refused_with_its_status() {
        let head = |fields: &str| format!("GET / HTTP/1.1\r\n{fields}\r\n\r\n").into_bytes();
        for (bytes, status) in [
            (
                b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
                400,
            ),
            (vec![b'a'; HEAD_BYTES], 431),
            (head(&format!("X: {}", "a".repeat(HEAD_BYTES))), 431),
            (b"PRI * HTTP/2.0\r\n\r\n".to_vec(), 505),
            (b"GET / HTTP/2.0 HTTP/1.1\r\n\r\n".to_vec(), 505),
            (b"\x0b GET HTTP/1.1 HTTP/2.0\r\n\r\n".to_vec(), 400),
            (b"GET /\r\n\r\n".to_vec(), 400),
            (b"GET  / HTTP/1.1\r\n\r\n".to_vec(), 400),
            (b"\r\n\r\n".to_vec(), 400),
            (head("Content-Length: 10000000000"), 413),
            (head("Content-Length: 99999999999999999999999999"), 413),
            (head("Content-Length: -1"), 400),
            (head("Content-Length: +1"), 400),
            (head("Content-Length:"), 400),
            (head("Content-Length: 1\r\nContent-Length: 2"), 400),
            (head("Transfer-Encoding: chunked"), 411),
            (head("no colon"), 400),
            (head(": no name"), 400),
            (head("Two words: a"), 400),
            (head("X\0: a"), 400),
            (head("X: a\0b"), 400),
            (head("X: a\rY: b"), 400),
            (head("X: a\nY: b"), 400),
        ] {
            let seen = look(&bytes);
            assert!(
                matches!(seen, Look::Refused(code, _) if code == status),
                "{status}: {seen:?}"
            );
        }
    }
}
