//! Reads one `multipart/x-mixed-replace` stream as its bytes come, in pieces of any size.
//!
//! The caller feeds what it received and is told of each part when the last byte of its body
//! is in. Bodies are taken by Content-Length, never searched; unless they are to be hashed, the
//! caller may even discard most of a body unseen (`skippable`, `skipped`). Strict where a client
//! would break: status, boundary, delimiter, Content-Length.
//!
//! The fake camera writes into each JPEG when it was taken (`tests/fakecam`): this mark tells the
//! true age of a picture at any server that passes the camera's bytes on.

use super::check::Hash;

/// A head or a part's headers longer than this are a fault, not a page to buffer.
const HEAD_MAX_BYTES: usize = 16 * 1024;

/// Of each body so much is always looked at: the longest mark fits.
const OPENING_BYTES: usize = 128;

/// What the fake camera wrote into a JPEG.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mark {
    pub number: u64,
    /// When it was taken, on CLOCK_MONOTONIC, in microseconds.
    pub taken_micros: u64,
}

/// The mark at the beginning of a JPEG, and how many bytes it has there, right after the first two.
pub fn mark(jpeg: &[u8]) -> Option<(Mark, usize)> {
    let rest = jpeg.strip_prefix(&[0xff, 0xd8, 0xff, 0xfe])?;
    let length = usize::from(u16::from_be_bytes([*rest.first()?, *rest.get(1)?]));
    let text = std::str::from_utf8(rest.get(2..length)?).ok()?;
    let words = text.strip_prefix("fakecam ")?;
    let value = |name: &str| -> Option<u64> {
        let word = words.split(' ').find_map(|word| word.strip_prefix(name))?;
        word.parse().ok()
    };
    let mark = Mark {
        number: value("seq=")?,
        taken_micros: value("mono_us=")?,
    };
    Some((mark, 2 + length))
}

/// What one part said and was. Times in Unix microseconds.
#[derive(Clone, Debug, Default)]
pub struct Part {
    pub sequence: Option<u64>,
    pub timestamp_micros: Option<u64>,
    pub length: usize,
    pub mark: Option<Mark>,
    /// Of the body without its mark, when the parser hashes.
    pub hash: Option<u64>,
    /// The body, when the parser keeps it.
    pub body: Vec<u8>,
    /// The first two and the last two bytes of the body.
    pub edges: [u8; 4],
}

enum State {
    Head,
    PartHead,
    Body { at: usize },
    Ended,
}

/// One stream's reader.
pub struct Parser {
    state: State,
    /// Bytes of an unfinished head.
    held: Vec<u8>,
    delimiter: String,
    part: Part,
    /// The first bytes of a body.
    opening: Vec<u8>,
    /// Some when bodies are hashed.
    hash: Option<Hash>,
    is_keeping: bool,
}

impl Parser {
    pub fn new(is_hashing: bool) -> Parser {
        Parser {
            state: State::Head,
            held: Vec::new(),
            delimiter: String::new(),
            part: Part::default(),
            opening: Vec::with_capacity(OPENING_BYTES),
            hash: is_hashing.then(Hash::default),
            is_keeping: false,
        }
    }

    /// One that hands over whole bodies.
    pub fn keeping() -> Parser {
        Parser {
            is_keeping: true,
            ..Parser::new(false)
        }
    }

    pub fn is_hashing(&self) -> bool {
        self.hash.is_some()
    }

    /// How many of the next bytes may be discarded without being fed.
    /// Never the body's opening and its last bytes, which are looked at.
    pub fn skippable(&self) -> usize {
        match self.state {
            State::Body { at }
                if at >= OPENING_BYTES && self.hash.is_none() && !self.is_keeping =>
            {
                self.part.length.saturating_sub(at + 2)
            }
            _ => 0,
        }
    }

    /// Tells that `count` bytes, at most `skippable`, were discarded.
    pub fn skipped(&mut self, count: usize) {
        if let State::Body { at } = &mut self.state {
            *at += count;
        }
    }

    /// Takes the next bytes. `on_part` is called at the last byte of each body.
    pub fn feed(&mut self, mut bytes: &[u8], mut on_part: impl FnMut(&Part)) -> Result<(), String> {
        while !bytes.is_empty() {
            match self.state {
                State::Head => {
                    if let Some(head) = self.take_head(&mut bytes)? {
                        self.delimiter = read_stream_head(&head)?;
                        self.state = State::PartHead;
                    }
                }
                State::PartHead => {
                    if let Some(head) = self.take_head(&mut bytes)? {
                        self.begin_part(&head)?;
                    }
                }
                State::Body { at } => {
                    let taken = bytes.len().min(self.part.length - at);
                    self.take_body(at, &bytes[..taken]);
                    bytes = &bytes[taken..];
                    if at + taken == self.part.length {
                        if let Some(hash) = &mut self.hash {
                            self.part.hash = Some(std::mem::take(hash).finish());
                        }
                        on_part(&self.part);
                        self.state = State::PartHead;
                    } else {
                        self.state = State::Body { at: at + taken };
                    }
                }
                State::Ended => return Err("bytes after the closing delimiter".into()),
            }
        }
        Ok(())
    }

    /// Moves bytes into `held` until the empty line; then hands the head over, as text.
    fn take_head(&mut self, bytes: &mut &[u8]) -> Result<Option<String>, String> {
        let before = self.held.len();
        let taken = bytes.len().min(1024);
        self.held.extend_from_slice(&bytes[..taken]);
        let from = before.saturating_sub(3);
        let Some(end) = self.held[from..].windows(4).position(|w| w == b"\r\n\r\n") else {
            *bytes = &bytes[taken..];
            if self.held.len() > HEAD_MAX_BYTES {
                return Err(format!("no end of headers in {HEAD_MAX_BYTES} bytes"));
            }
            if self.held.ends_with(b"--\r\n") && self.held.len() == self.delimiter.len() + 6 {
                self.state = State::Ended;
            }
            return Ok(None);
        };
        let end = from + end + 4;
        *bytes = &bytes[end - before..];
        self.held.truncate(end);
        let head = String::from_utf8(std::mem::take(&mut self.held))
            .map_err(|_| "headers are not text".to_string())?;
        Ok(Some(head))
    }

    fn begin_part(&mut self, head: &str) -> Result<(), String> {
        let mut lines = head.trim_start_matches("\r\n").split("\r\n");
        let first = lines.next().unwrap_or_default();
        if first != self.delimiter {
            return Err(format!(
                "expected the delimiter {:?}, found {first:?}",
                self.delimiter
            ));
        }
        self.part = Part::default();
        let mut length = None;
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            let value = value.trim();
            if name.eq_ignore_ascii_case("content-length") {
                length = value.parse().ok();
            } else if name.eq_ignore_ascii_case("x-sequence") {
                self.part.sequence = value.parse().ok();
            } else if name.eq_ignore_ascii_case("x-timestamp") {
                self.part.timestamp_micros = parse_micros(value);
            }
        }
        self.part.length = match length {
            Some(length) if length >= 4 => length,
            _ => return Err(format!("no usable Content-Length in {head:?}")),
        };
        self.opening.clear();
        self.state = State::Body { at: 0 };
        Ok(())
    }

    /// `bytes` stand at `at` in the body.
    fn take_body(&mut self, at: usize, bytes: &[u8]) {
        let length = self.part.length;
        let wanted = OPENING_BYTES.min(length);
        let (opening, rest) = bytes.split_at(bytes.len().min(wanted.saturating_sub(at)));
        if !opening.is_empty() {
            self.opening.extend_from_slice(opening);
            if self.opening.len() == wanted {
                self.open_body();
            }
        }
        if let Some(hash) = &mut self.hash {
            hash.update(rest);
        }
        if self.is_keeping {
            self.part.body.extend_from_slice(bytes);
        }
        for (edge, place) in [0, 1, length - 2, length - 1].into_iter().enumerate() {
            if (at..at + bytes.len()).contains(&place) {
                self.part.edges[edge] = bytes[place - at];
            }
        }
    }

    /// The opening is whole: reads its mark, and hashes the rest of it.
    fn open_body(&mut self) {
        let marked = mark(&self.opening);
        self.part.mark = marked.map(|(mark, _)| mark);
        if let Some(hash) = &mut self.hash {
            let length = marked.map_or(0, |(_, length)| length);
            hash.update(&self.opening[..2]);
            hash.update(&self.opening[2 + length..]);
        }
    }
}

/// Checks the response head; the delimiter line it announces.
fn read_stream_head(head: &str) -> Result<String, String> {
    let status = head.lines().next().unwrap_or_default();
    if status.split(' ').nth(1) != Some("200") {
        return Err(format!("answered {status:?}"));
    }
    let header = |name: &str| {
        head.lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
    };
    if let Some(coding) = header("transfer-encoding") {
        return Err(format!("a stream in transfer encoding {coding:?}"));
    }
    let kind = header("content-type").unwrap_or_default();
    let boundary = kind
        .split_once("boundary=")
        .map(|(_, name)| name.trim().trim_matches('"'))
        .filter(|name| !name.is_empty() && kind.starts_with("multipart/x-mixed-replace"))
        .ok_or_else(|| format!("not a stream: content type {kind:?}"))?;
    // Some servers put the dashes into the announced name as well, and mean one pair.
    let name = boundary.strip_prefix("--").unwrap_or(boundary);
    Ok(format!("--{name}"))
}

/// `seconds.micros`, with any number of decimals.
fn parse_micros(text: &str) -> Option<u64> {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits: String = fraction
        .chars()
        .chain(std::iter::repeat('0'))
        .take(6)
        .collect();
    Some(seconds.parse::<u64>().ok()? * 1_000_000 + digits.parse::<u64>().ok()?)
}
