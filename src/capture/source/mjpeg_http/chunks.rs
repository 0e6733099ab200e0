//! Undoes `Transfer-Encoding: chunked` (RFC 9112, 7.1), fed as the network splits it.

/// Longest line of a chunk's size, extensions included, or of a trailer.
const MOST_LINE_BYTES: usize = 4096;

/// A body being put together again.
#[derive(Debug, Default)]
pub struct Chunks {
    place: ChunkState,
    line: Vec<u8>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum ChunkState {
    #[default]
    Size,
    /// So many bytes of the chunk are to come.
    Data(usize),
    /// The line's end behind a chunk.
    DataEnd,
    Trailer,
    End,
}

impl Chunks {
    /// True when the last chunk has come.
    pub fn have_ended(&self) -> bool {
        self.place == ChunkState::End
    }

    /// Appends what `bytes` hold of the body to `body`; false when they are no chunks.
    pub fn decode(&mut self, mut bytes: &[u8], body: &mut Vec<u8>) -> bool {
        while let Some((&first, rest)) = bytes.split_first() {
            match self.place {
                ChunkState::End => return true,
                ChunkState::Data(left) => {
                    let (data, rest) = bytes.split_at(left.min(bytes.len()));
                    body.extend_from_slice(data);
                    bytes = rest;
                    self.place = match left - data.len() {
                        0 => ChunkState::DataEnd,
                        left => ChunkState::Data(left),
                    };
                }
                _ => {
                    bytes = rest;
                    if first != b'\n' {
                        self.line.push(first);
                        if self.line.len() > MOST_LINE_BYTES {
                            return false;
                        }
                    } else if !self.end_line() {
                        return false;
                    }
                }
            }
        }
        true
    }

    fn end_line(&mut self) -> bool {
        let line = String::from_utf8_lossy(self.line.trim_ascii());
        self.place = match self.place {
            ChunkState::Size => {
                let size = line.split(';').next().unwrap_or_default().trim();
                match usize::from_str_radix(size, 16) {
                    Ok(0) => ChunkState::Trailer,
                    Ok(size) => ChunkState::Data(size),
                    Err(_) => return false,
                }
            }
            ChunkState::DataEnd if !line.is_empty() => return false,
            ChunkState::DataEnd => ChunkState::Size,
            ChunkState::Trailer if line.is_empty() => ChunkState::End,
            place => place,
        };
        self.line.clear();
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] =
        b"5\r\nfirst\r\n1;name=value\r\n-\r\nA\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n";

    #[test]
    fn a_body_is_whole_however_it_is_split() {
        for at in 0..BODY.len() {
            let mut chunks = Chunks::default();
            let mut body = Vec::new();
            assert!(chunks.decode(&BODY[..at], &mut body) && !chunks.have_ended());
            assert!(chunks.decode(&BODY[at..], &mut body) && chunks.have_ended());
            assert_eq!(body, b"first-0123456789", "split at {at}");
        }
    }

    #[test]
    fn what_is_no_chunk_is_refused() {
        let endless = vec![b'1'; MOST_LINE_BYTES + 1];
        for wrong in [
            &b"--frame\r\n"[..],
            b"\r\n",
            b"2\r\nabc\r\n",
            b"fffffffffffffffff\r\n",
            &endless,
        ] {
            assert!(!Chunks::default().decode(wrong, &mut Vec::new()));
        }
    }
}
