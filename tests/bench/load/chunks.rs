//! Takes HTTP's chunked framing off a stream, piece by piece: some peers send their streams so.

/// A size line longer than this is no size line.
const LINE_MAX_BYTES: usize = 64;

/// Where in the framing a stream is.
#[derive(Default)]
pub struct Chunks {
    /// Of the present chunk, still to come.
    left: usize,
    /// The unfinished line between two chunks.
    line: Vec<u8>,
}

impl Chunks {
    /// How many of the next bytes are content.
    pub fn left(&self) -> usize {
        self.left
    }

    /// Takes framing and then content off the front of `bytes`. The content may be empty; None: the
    /// last chunk was before.
    pub fn take<'a>(&mut self, bytes: &mut &'a [u8]) -> Result<Option<&'a [u8]>, String> {
        while self.left == 0 {
            let Some((&byte, rest)) = bytes.split_first() else {
                return Ok(Some(&[]));
            };
            *bytes = rest;
            if byte != b'\n' {
                self.line.push(byte);
                if self.line.len() > LINE_MAX_BYTES {
                    return Err("no chunk size where one is due".into());
                }
                continue;
            }
            let line = String::from_utf8_lossy(&self.line).trim().to_string();
            self.line.clear();
            // The line that ends a chunk is empty.
            if !line.is_empty() {
                let size = line.split(';').next().unwrap_or_default();
                self.left = usize::from_str_radix(size, 16)
                    .map_err(|_| format!("no chunk size: {line:?}"))?;
                if self.left == 0 {
                    return Ok(None);
                }
            }
        }
        let (content, rest) = bytes.split_at(bytes.len().min(self.left));
        self.left -= content.len();
        *bytes = rest;
        Ok(Some(content))
    }

    /// Tells that `count` bytes of content, at most `left`, were discarded.
    pub fn skipped(&mut self, count: usize) {
        self.left -= count;
    }
}
