//! A multipart stream taken apart: bytes in, as the network splits them; parts out, each as soon as
//! its last byte is there.
//!
//! The format is that of `multipart.rs`, and what other servers make of it. Their boundaries come
//! with more, fewer or other dashes than their header says, some quote it, some say no length or a wrong
//! one, some begin with a line of their own: so the delimiter is taken as it first comes, and the
//! header is but a hint. A length is believed where a JPEG ends there; else the next delimiter ends the
//! part.
//!
//! Pure: no clock, no socket, nothing of the rest of the program, so that the fuzz target beside
//! `tests/fuzz` can include it. What it holds is bounded.

use memchr::memmem;
use std::{fmt, mem, ops::Range, time::Duration};

/// A part is no longer than this.
const MOST_PART_BYTES: usize = 32 << 20;

/// And its head no longer than this.
const MOST_HEAD_BYTES: usize = 16 << 10;

/// What ends a JPEG.
const EOI: &[u8] = b"\xff\xd9";

/// A line longer than this is no delimiter (RFC 2046 allows 70 and some dashes).
const MOST_DELIMITER_BYTES: usize = 256;

/// What a part says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Head {
    /// Bytes of its body.
    length: Option<usize>,
    /// `X-Timestamp`, whatever clock it is of.
    pub timestamp: Option<Duration>,
    /// `X-Sequence`.
    pub sequence: Option<u64>,
    /// `X-Camera`: the stream is of several cameras.
    pub is_of_several: bool,
}

/// What no reader should put up with.
#[derive(Debug, PartialEq, Eq)]
pub enum PartError {
    /// A part of more than [`MOST_PART_BYTES`].
    LongPart,
    /// A head of more than [`MOST_HEAD_BYTES`].
    LongHead,
}

impl fmt::Display for PartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PartError::LongPart => write!(f, "a part is over {} MiB", MOST_PART_BYTES >> 20),
            PartError::LongHead => write!(f, "a part's head is over {} KiB", MOST_HEAD_BYTES >> 10),
        }
    }
}

/// A stream being taken apart.
#[derive(Debug)]
pub struct Parts {
    /// As the header says, without dashes before it.
    boundary: Vec<u8>,
    /// As it really comes, dashes included; from the first one on.
    delimiter: Option<Vec<u8>>,
    buffer: Vec<u8>,
    /// Bytes of the buffer that are done with.
    done: usize,
    /// The JPEG of the part given last.
    jpeg: Range<usize>,
    place: PartState,
    /// A right length ended a part that has no EOI: its server's pictures have none.
    omits_eoi: bool,
    /// Parts that did not end where their length says.
    wrong_lengths: u64,
}

/// What comes next.
#[derive(Debug, Clone, Copy)]
enum PartState {
    /// A delimiter, perhaps after something else.
    Between {
        is_line_start: bool,
    },
    Head,
    /// So many bytes of the body hold no delimiter.
    Body(Head, usize),
    /// Nothing: the last delimiter came.
    End,
}

enum Line {
    Delimiter,
    Close,
    Other,
}

impl Parts {
    /// A stream whose header names `boundary`, or none (empty).
    pub fn new(boundary: &str) -> Parts {
        Parts {
            boundary: boundary.trim_start_matches('-').into(),
            delimiter: None,
            buffer: Vec::new(),
            done: 0,
            jpeg: 0..0,
            place: PartState::Between {
                is_line_start: true,
            },
            omits_eoi: false,
            wrong_lengths: 0,
        }
    }

    /// How many parts did not end where their length says.
    pub fn wrong_lengths(&self) -> u64 {
        self.wrong_lengths
    }

    /// Takes in what came; [`Parts::next_part`] until it gives none, then more.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// True once the server has closed the stream in so many words.
    pub fn has_ended(&self) -> bool {
        matches!(self.place, PartState::End)
    }

    /// The body of the part given last.
    pub fn jpeg(&self) -> &[u8] {
        &self.buffer[self.jpeg.clone()]
    }

    /// The next whole part, whose body is then to be had from [`Parts::jpeg`].
    pub fn next_part(&mut self) -> Result<Option<Head>, PartError> {
        self.buffer.drain(..mem::take(&mut self.done));
        self.jpeg = 0..0;
        loop {
            let is_further = match self.place {
                PartState::Between { is_line_start } => self.pass_delimiter(is_line_start),
                PartState::Head => self.read_head()?,
                PartState::Body(head, searched) => {
                    let is_whole = self.take_body(head, searched)?;
                    if is_whole && !self.jpeg.is_empty() {
                        return Ok(Some(head));
                    }
                    is_whole
                }
                PartState::End => {
                    self.done = self.buffer.len();
                    false
                }
            };
            if !is_further {
                return Ok(None);
            }
        }
    }

    /// Goes on behind the next line when that is a delimiter or nothing of interest; false when
    /// there is no whole line.
    fn pass_delimiter(&mut self, is_line_start: bool) -> bool {
        let rest = &self.buffer[self.done..];
        let Some(end) = memchr::memchr(b'\n', rest) else {
            if rest.len() > MOST_DELIMITER_BYTES {
                self.done = self.buffer.len();
                self.place = PartState::Between {
                    is_line_start: false,
                };
            }
            return false;
        };
        let line = rest[..end].trim_ascii_end().to_vec();
        self.done += end + 1;
        self.place = match self.judge(&line) {
            Line::Delimiter if is_line_start => {
                self.delimiter.get_or_insert(line);
                PartState::Head
            }
            Line::Close if is_line_start => PartState::End,
            _ => PartState::Between {
                is_line_start: true,
            },
        };
        true
    }

    fn judge(&self, line: &[u8]) -> Line {
        let dashes = line.iter().take_while(|&&byte| byte == b'-').count();
        let (rest, known) = match &self.delimiter {
            Some(delimiter) => (line, delimiter),
            None => (&line[dashes..], &self.boundary),
        };
        match rest.strip_prefix(known.as_slice()) {
            Some(b"") if !rest.is_empty() => Line::Delimiter,
            Some(b"--") if !known.is_empty() => Line::Close,
            // Another one than the header says.
            _ if self.delimiter.is_none() && dashes >= 2 && line.len() > dashes => Line::Delimiter,
            _ => Line::Other,
        }
    }

    /// Reads the part's head up to its empty line; false when that is not there yet.
    fn read_head(&mut self) -> Result<bool, PartError> {
        let rest = &self.buffer[self.done..];
        let mut head = Head::default();
        let mut at = 0;
        while let Some(length) = memchr::memchr(b'\n', &rest[at..]) {
            let line = rest[at..at + length].trim_ascii();
            at += length + 1;
            if line.is_empty() {
                self.done += at;
                self.place = PartState::Body(head, 0);
                return Ok(true);
            }
            head.note(&String::from_utf8_lossy(line));
        }
        if rest.len() > MOST_HEAD_BYTES {
            return Err(PartError::LongHead);
        }
        Ok(false)
    }

    /// Sets `jpeg` to the body; false when it is not all there yet.
    fn take_body(&mut self, head: Head, searched: usize) -> Result<bool, PartError> {
        let rest = &self.buffer[self.done..];
        let found = self.find_delimiter(rest, searched);
        let before = |at: usize| without_line_end(&rest[..at]).len();
        let is_jpeg = |length: usize| rest.get(..length).is_some_and(|body| body.ends_with(EOI));
        let told = head.length.filter(|&length| length <= MOST_PART_BYTES);
        let (length, next) = match (told, found) {
            // The length is too long, and ends with a later picture by chance.
            (Some(_), Ok(at)) if is_jpeg(before(at)) => (before(at), at),
            // The delimiter may come with the next picture only.
            (Some(told), _) if is_jpeg(told) => (told, told),
            (Some(told), Err(_)) if self.omits_eoi && rest.len() >= told => (told, told),
            // No picture ends there: the delimiter may be a part of it.
            (Some(told), Ok(at)) if at < told && rest.len() < told => {
                self.place = PartState::Body(head, at);
                return Ok(false);
            }
            (_, Ok(at)) => (before(at), at),
            (_, Err(_)) if rest.len() > MOST_PART_BYTES => return Err(PartError::LongPart),
            (_, Err(searched)) => {
                self.place = PartState::Body(head, searched);
                return Ok(false);
            }
        };
        if let Some(told) = head.length {
            let is_right = (length..=next).contains(&told);
            self.wrong_lengths += u64::from(!is_right);
            self.omits_eoi = is_right && !is_jpeg(length);
        }
        self.jpeg = self.done..self.done + length;
        self.done += next;
        self.place = PartState::Between {
            is_line_start: true,
        };
        Ok(true)
    }

    /// Where the next delimiter begins in `rest`, of which the first `from` bytes hold none; else how many
    /// bytes hold none.
    fn find_delimiter(&self, rest: &[u8], mut from: usize) -> Result<usize, usize> {
        let delimiter = self.delimiter.as_deref().unwrap_or_default();
        while let Some(found) = memmem::find(&rest[from..], delimiter) {
            from += found;
            let behind = rest[from + delimiter.len()..].trim_ascii_start();
            let line_end = &rest[from + delimiter.len()..rest.len() - behind.len()];
            if line_end.contains(&b'\n') || behind.starts_with(b"--") {
                return Ok(from);
            }
            if behind.is_empty() || behind == b"-" {
                return Err(from);
            }
            from += 1;
        }
        // Its beginning may be there.
        Err(from.max((rest.len() + 1).saturating_sub(delimiter.len())))
    }
}

/// A body without the line's end that belongs to the delimiter behind it.
fn without_line_end(body: &[u8]) -> &[u8] {
    let body = body.strip_suffix(b"\n").unwrap_or(body);
    body.strip_suffix(b"\r").unwrap_or(body)
}

impl Head {
    fn note(&mut self, line: &str) {
        let Some((name, value)) = line.split_once(':') else {
            return;
        };
        let value = value.trim();
        if name.eq_ignore_ascii_case("content-length") {
            // A length of 0 is what servers say that do not know it.
            self.length = value.parse().ok().filter(|&length| length > 0);
        } else if name.eq_ignore_ascii_case("x-timestamp") {
            self.timestamp = seconds(value);
        } else if name.eq_ignore_ascii_case("x-sequence") {
            self.sequence = value.parse().ok();
        } else if name.eq_ignore_ascii_case("x-camera") {
            self.is_of_several = true;
        }
    }
}

/// `1795354412.123456`, digit by digit: a float would not keep the microseconds.
fn seconds(text: &str) -> Option<Duration> {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits: String = fraction.chars().take(9).collect();
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let nanos = format!("{digits:0<9}").parse().ok()?;
    Some(Duration::new(seconds.parse().ok()?, nanos))
}

#[cfg(test)]
mod tests;
