//! Reads one `multipart/x-mixed-replace` stream as its bytes come, in pieces of any size.
//!
//! The caller feeds what it received and is told of each part when the last byte of its body
//! is in. Bodies are taken by Content-Length, never searched; unless they are to be hashed, the
//! caller may even discard most of a body unseen (`skippable`, `skipped`). Strict where a client
//! would break: status, boundary, delimiter, Content-Length.

use super::check::Hash;
use super::chunks::Chunks;
use super::head::{parse_micros, read_stream_head};
use super::mark::{self, Mark};

/// A head or a part's headers longer than this are a fault, not a page to buffer.
const HEAD_MAX_BYTES: usize = 16 * 1024;

/// Of each body so much is always looked at: the longest mark fits.
const OPENING_BYTES: usize = 128;

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
    /// Chunked streams are taken, not refused: camfeed must never send one.
    takes_chunks: bool,
    chunks: Option<Chunks>,
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
            takes_chunks: false,
            chunks: None,
        }
    }

    /// One that hands over whole bodies.
    pub fn keeping() -> Parser {
        Parser {
            is_keeping: true,
            ..Parser::lenient(false)
        }
    }

    /// One that also takes a chunked stream, which some peers send.
    pub fn lenient(is_hashing: bool) -> Parser {
        Parser {
            takes_chunks: true,
            ..Parser::new(is_hashing)
        }
    }

    pub fn is_hashing(&self) -> bool {
        self.hash.is_some()
    }

    /// How many of the next bytes may be discarded without being fed.
    /// Never the body's opening and its last bytes, which are looked at.
    pub fn skippable(&self) -> usize {
        let content = match self.state {
            State::Body { at }
                if at >= OPENING_BYTES && self.hash.is_none() && !self.is_keeping =>
            {
                self.part.length.saturating_sub(at + 2)
            }
            _ => 0,
        };
        let chunk = self.chunks.as_ref().map_or(content, Chunks::left);
        content.min(chunk)
    }

    /// Tells that `count` bytes, at most `skippable`, were discarded.
    pub fn skipped(&mut self, count: usize) {
        if let State::Body { at } = &mut self.state {
            *at += count;
        }
        if let Some(chunks) = &mut self.chunks {
            chunks.skipped(count);
        }
    }

    /// Takes the next bytes. `on_part` is called at the last byte of each body.
    pub fn feed(&mut self, mut bytes: &[u8], mut on_part: impl FnMut(&Part)) -> Result<(), String> {
        while !bytes.is_empty() {
            if let State::Head = self.state {
                if let Some(head) = self.take_head(&mut bytes)? {
                    let is_chunked;
                    (self.delimiter, is_chunked) = read_stream_head(&head, self.takes_chunks)?;
                    self.chunks = is_chunked.then(Chunks::default);
                    self.state = State::PartHead;
                }
                continue;
            }
            let content = match &mut self.chunks {
                Some(chunks) => chunks.take(&mut bytes)?.ok_or("the stream was ended")?,
                None => std::mem::take(&mut bytes),
            };
            self.feed_content(content, &mut on_part)?;
        }
        Ok(())
    }

    /// Takes what stands behind the head.
    fn feed_content(
        &mut self,
        mut bytes: &[u8],
        on_part: &mut impl FnMut(&Part),
    ) -> Result<(), String> {
        while !bytes.is_empty() {
            match self.state {
                State::Head => return Err("content before its head".into()),
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
        let marked = mark::read(&self.opening);
        self.part.mark = marked.map(|(mark, _)| mark);
        if let Some(hash) = &mut self.hash {
            let length = marked.map_or(0, |(_, length)| length);
            hash.update(&self.opening[..2]);
            hash.update(&self.opening[2 + length..]);
        }
    }
}
