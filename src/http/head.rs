//! The head of a request: where it ends, whether it is one that is answered here, and what it says.
//!
//! tiny_http 0.12 is used for its types and their parsers, not for its server. That ends accepting for
//! good at one failed accept, lets a burst of connections stall, reads heads without a limit or a
//! deadline, allocates whatever length a body announces, and waits for itself for ever on HTTP/2.0
//! (tiny-http issues 143 and 283). Pure, so that every odd input can stand in a table.

use tiny_http::{HTTPVersion, Header, Method};

/// Longest head, with its request line and the empty line behind it.
pub const HEAD_BYTES: usize = 16 * 1024;

/// Longest body: changes of a camera's controls have some hundred bytes.
pub const BODY_BYTES: usize = 16 * 1024;

/// What the bytes of a request amount to so far.
#[derive(Debug)]
pub enum Parsed {
    /// A head; its body, if it has one, may still have to come.
    Complete(Head),
    /// More of the head is to come.
    Incomplete,
    /// Nothing that is answered here; with a status and a line of text.
    Refused(u16, &'static str),
}

/// A head, taken apart.
#[derive(Debug)]
pub struct Head {
    /// What is asked for.
    pub method: Method,
    /// The target as it was sent.
    pub target: String,
    /// 1.0 or 1.1.
    pub version: HTTPVersion,
    /// In their order. One whose value is not ASCII is left out, unless camfeed goes by it.
    pub headers: Vec<Header>,
    /// Bytes up to its end, an empty line before it included.
    pub length: usize,
    /// Bytes of the body behind it.
    pub body_length: usize,
    /// The client waits for a 100 before it sends the body.
    pub expects_continue: bool,
}

const TOO_LONG: Parsed = Parsed::Refused(431, "the head of a request may have 16384 bytes\n");
const NO_REQUEST: Parsed = Parsed::Refused(400, "this is no HTTP request\n");
const NO_HTTP: Parsed = Parsed::Refused(400, "this is no HTTP; https:// is not answered here\n");
const NO_HEADER: Parsed = Parsed::Refused(400, "a header of the request is malformed\n");
const NO_LENGTH: Parsed = Parsed::Refused(400, "the Content-Length is no length\n");
const NO_CHUNKS: Parsed = Parsed::Refused(411, "a body is taken with a Content-Length only\n");

/// Headers that decide what is done: one that cannot be read is refused, not left out.
const DECISIVE: [&str; 5] = [
    "host",
    "authorization",
    "content-length",
    "transfer-encoding",
    "connection",
];

/// Reads the head that `bytes` begin with. The first `scanned` bytes are known to hold no end of it;
/// `scanned` moves on, so that a head that comes byte by byte is looked through once.
pub fn parse_head(bytes: &[u8], scanned: &mut usize) -> Parsed {
    // One empty line before a request is ignored (RFC 9112, 2.2).
    let start = if bytes.starts_with(b"\r\n") { 2 } else { 0 };
    let from = (*scanned).max(start).min(bytes.len());
    let Some(end) = find(&bytes[from..], b"\r\n\r\n").map(|at| from + at + 2) else {
        *scanned = bytes.len().saturating_sub(3);
        return look_at_part(&bytes[start..]);
    };
    if end + 2 > HEAD_BYTES {
        return TOO_LONG;
    }
    match read_lines(&bytes[start..end]) {
        Ok(head) => Parsed::Complete(Head {
            length: end + 2,
            ..head
        }),
        Err(refused) => refused,
    }
}

/// A head that has not ended yet. What no request begins with is not waited for: a TLS hello, most of
/// all.
fn look_at_part(bytes: &[u8]) -> Parsed {
    let is_text = |byte: &u8| (b' '..=b'~').contains(byte) || matches!(byte, b'\r' | b'\n' | b'\t');
    if !bytes.iter().take(16).all(is_text) {
        NO_HTTP
    } else if bytes.starts_with(b"\r\n") {
        NO_REQUEST
    } else if bytes.len() >= HEAD_BYTES {
        TOO_LONG
    } else {
        Parsed::Incomplete
    }
}

/// The lines of a head, each with its CRLF, without the empty one.
fn read_lines(head: &[u8]) -> Result<Head, Parsed> {
    // A line that ends otherwise keeps its end, which neither a request line nor a header may hold.
    let mut lines = head
        .split_inclusive(|&byte| byte == b'\n')
        .map(|line| line.strip_suffix(b"\r\n").unwrap_or(line));
    let mut head = read_request_line(lines.next().unwrap_or_default())?;
    let mut length = None;
    for line in lines {
        let (name, value) = name_and_value(line).ok_or(NO_HEADER)?;
        let Ok(header) = Header::from_bytes(name, value) else {
            if DECISIVE
                .iter()
                .any(|one| name.eq_ignore_ascii_case(one.as_bytes()))
            {
                return Err(NO_HEADER);
            }
            continue;
        };
        if header.field.equiv("Transfer-Encoding") {
            return Err(NO_CHUNKS);
        }
        if header.field.equiv("Expect") {
            if !value.eq_ignore_ascii_case(b"100-continue") {
                return Err(Parsed::Refused(417, "Expect: allowed is 100-continue\n"));
            }
            head.expects_continue = true;
        }
        if header.field.equiv("Content-Length") {
            let is_number = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
            if !is_number || length.is_some_and(|length| length != value) {
                return Err(NO_LENGTH);
            }
            length = Some(value);
        }
        head.headers.push(header);
    }
    head.body_length = length.map_or(Ok(0), body_length)?;
    Ok(head)
}

/// The number in `digits`; one that is too long for a number is too long for a body.
fn body_length(digits: &[u8]) -> Result<usize, Parsed> {
    let digits = std::str::from_utf8(digits).unwrap_or_default();
    let length = digits.parse().ok().filter(|&length| length <= BODY_BYTES);
    length.ok_or(Parsed::Refused(413, "a body may have 16384 bytes\n"))
}

/// A request line of HTTP/1.1 or HTTP/1.0, as a head without headers.
fn read_request_line(line: &[u8]) -> Result<Head, Parsed> {
    let text = std::str::from_utf8(line).ok();
    let is_text = |text: &&str| text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    let text = text.filter(is_text).ok_or(NO_REQUEST)?;
    let mut words = text.split(' ');
    let (method, target, version) = (words.next(), words.next(), words.next());
    let (Some(method), Some(target), Some(version)) = (method, target, version) else {
        return Err(NO_REQUEST);
    };
    let version = match version {
        _ if method.is_empty() || target.is_empty() => return Err(NO_REQUEST),
        "HTTP/1.1" => HTTPVersion(1, 1),
        "HTTP/1.0" => HTTPVersion(1, 0),
        other if other.starts_with("HTTP/") => {
            let line = "HTTP/1.1 and HTTP/1.0 are answered here\n";
            return Err(Parsed::Refused(505, line));
        }
        _ => return Err(NO_REQUEST),
    };
    if words.next().is_some() {
        return Err(NO_REQUEST);
    }
    Ok(Head {
        method: method.parse().map_err(|()| NO_REQUEST)?,
        target: target.to_owned(),
        version,
        headers: Vec::new(),
        length: 0,
        body_length: 0,
        expects_continue: false,
    })
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

    fn parse(bytes: &[u8]) -> Parsed {
        parse_head(bytes, &mut 0)
    }

    fn complete(bytes: &[u8]) -> Head {
        match parse(bytes) {
            Parsed::Complete(head) => head,
            other => panic!("{:?}: {other:?}", String::from_utf8_lossy(bytes)),
        }
    }

    #[test]
    fn a_whole_request_is_known_by_its_end() {
        for (bytes, length, body_length, expects_continue) in [
            ("GET / HTTP/1.1\r\n\r\n", 18, 0, false),
            ("GET / HTTP/1.1\r\n\r\nGET / HT", 18, 0, false),
            ("GET / HTTP/1.1\r\nHost: pi\r\n\r\n", 28, 0, false),
            ("\r\nGET / HTTP/1.1\r\n\r\n", 20, 0, false),
            (
                "POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}",
                38,
                2,
                false,
            ),
            (
                "POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{",
                38,
                2,
                false,
            ),
            (
                "POST / HTTP/1.1\r\nExpect: 100-Continue\r\ncontent-length:2 \r\n\r\n",
                60,
                2,
                true,
            ),
        ] {
            let head = complete(bytes.as_bytes());
            let seen = (head.length, head.body_length, head.expects_continue);
            assert_eq!(seen, (length, body_length, expects_continue), "{bytes:?}");
        }
        for bytes in [
            "GET / HTTP/1.1\r\nHost: pi\r\n",
            "GET / HTTP/1.1\n\n",
            "",
            "\r",
            "\r\n",
            "\r\nGET / HTTP/1.1\r\n",
        ] {
            assert!(
                matches!(parse(bytes.as_bytes()), Parsed::Incomplete),
                "{bytes:?}"
            );
        }
    }

    #[test]
    fn a_head_is_read_however_it_is_cut() {
        let bytes = b"\r\nGET /a?b HTTP/1.0\r\nHost: pi\r\nX: y\r\n\r\nrest";
        let whole = complete(bytes);
        let mut scanned = 0;
        for count in 0..whole.length {
            let seen = parse_head(&bytes[..count], &mut scanned);
            assert!(matches!(seen, Parsed::Incomplete), "{count}: {seen:?}");
            assert!(scanned + 3 >= count, "looked through once");
        }
        let seen = parse_head(bytes, &mut scanned);
        assert!(matches!(seen, Parsed::Complete(head) if head.length == whole.length));
        assert_eq!((whole.target.as_str(), whole.headers.len()), ("/a?b", 2));
        assert_eq!(whole.version, HTTPVersion(1, 0));
    }

    #[test]
    fn a_value_that_is_not_ascii_is_left_out_unless_it_decides() {
        let head = |name: &str| format!("GET / HTTP/1.1\r\n{name}: \u{e4}\r\nX: y\r\n\r\n");
        let seen = complete(head("Cookie").as_bytes());
        assert_eq!(seen.headers.len(), 1);
        for name in ["Host", "AUTHORIZATION", "Content-Length", "Connection"] {
            let seen = parse(head(name).as_bytes());
            assert!(matches!(seen, Parsed::Refused(400, _)), "{name}: {seen:?}");
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
            (b"GET / HTTP/1.1 x\r\n\r\n".to_vec(), 400),
            (b"\x0b GET HTTP/1.1 HTTP/2.0\r\n\r\n".to_vec(), 400),
            (b"GET /\r\n\r\n".to_vec(), 400),
            (b"GET  / HTTP/1.1\r\n\r\n".to_vec(), 400),
            (b"\r\n\r\n".to_vec(), 400),
            (b"\r\n\r\nGET / HTTP/1.1\r\n\r\n".to_vec(), 400),
            (head("Content-Length: 10000000000"), 413),
            (head("Content-Length: 99999999999999999999999999"), 413),
            (head("Content-Length: -1"), 400),
            (head("Content-Length: +1"), 400),
            (head("Content-Length:"), 400),
            (head("Content-Length: 1\r\nContent-Length: 2"), 400),
            (head("Transfer-Encoding: chunked"), 411),
            (head("Expect: wonders"), 417),
            (head("no colon"), 400),
            (head(": no name"), 400),
            (head("Two words: a"), 400),
            (head("X\0: a"), 400),
            (head("X: a\0b"), 400),
            (head("X: a\rY: b"), 400),
            (head("X: a\nY: b"), 400),
        ] {
            let seen = parse(&bytes);
            assert!(
                matches!(seen, Parsed::Refused(code, _) if code == status),
                "{status}: {seen:?}"
            );
        }
    }

    #[test]
    fn no_mutation_of_a_request_makes_more_of_it_than_there_is() {
        let seed = b"POST /a?b=c HTTP/1.1\r\nHost: pi\r\nExpect: 100-continue\r\n\
            Connection: close, upgrade\r\nContent-Length: 2\r\n\r\n{}";
        let odd = [
            "\r",
            "\n",
            "\r\n",
            "\0",
            " ",
            "\t",
            "\x0b",
            ":",
            "HTTP/2.0",
            "HTTP/1.0",
            "0",
            "9",
            "\u{e4}",
            "Transfer-Encoding: x\r\n",
        ];
        // A linear congruence: as random as it must be, and the same each time.
        let mut state = 1u32;
        let mut next = |below: usize| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as usize % below
        };
        let mut read = 0;
        for _ in 0..20_000 {
            let mut message = seed.to_vec();
            for _ in 0..=next(3) {
                let at = next(message.len());
                let piece = odd[next(odd.len())].bytes();
                let until = (at + next(3)).min(message.len());
                message.splice(at..until, piece);
            }
            if let Parsed::Complete(head) = parse(&message) {
                assert!(message[..head.length].ends_with(b"\r\n\r\n"));
                assert!(head.body_length <= BODY_BYTES);
                assert!(matches!(head.version, HTTPVersion(1, 0 | 1)));
                read += 1;
            }
        }
        assert!(read > 1000, "{read}");
    }
}
