//! Undoes `Transfer-Encoding: chunked` (RFC 9112, 7.1), fed as the network splits it.

/// Longest line of a chunk's size, extensions included, or of a trailer.
const MOST_LINE_BYTES: usize = 4096;

/// A body being put together again.
#[derive(Debug, Default)]
pub struct Chunks {
    place: Place,
    line: Vec<u8>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Place {
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
        self.place == Place::End
    }

    /// Appends what `bytes` hold of the body to `body`; false when they are no chunks.
    pub fn undo(&mut self, mut bytes: &[u8], body: &mut Vec<u8>) -> bool {
        while let Some((&first, rest)) = bytes.split_first() {
            match self.place {
                Place::End => return true,
                Place::Data(left) => {
                    let (data, rest) = bytes.split_at(left.min(bytes.len()));
                    body.extend_from_slice(data);
                    bytes = rest;
                    self.place = match left - data.len() {
                        0 => Place::DataEnd,
                        left => Place::Data(left),
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
            Place::Size => {
                let size = line.split(';').next().unwrap_or_default().trim();
                match usize::from_str_radix(size, 16) {
                    Ok(0) => Place::Trailer,
                    Ok(size) => Place::Data(size),
                    Err(_) => return false,
                }
            }
            Place::DataEnd if !line.is_empty() => return false,
            Place::DataEnd => Place::Size,
            Place::Trailer if line.is_empty() => Place::End,
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
            assert!(chunks.undo(&BODY[..at], &mut body) && !chunks.have_ended());
            assert!(chunks.undo(&BODY[at..], &mut body) && chunks.have_ended());
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
            assert!(!Chunks::default().undo(wrong, &mut Vec::new()));
        }
    }
}
