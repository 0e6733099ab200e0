//! What a picture needs to be a whole JPEG, and the copy with those repairs.

use super::{marker::END, tables};

/// What [`inspect`](super::inspect()) found: the picture's size, where it ends, and what it needs to
/// be a whole JPEG.
///
/// It describes the very bytes that were inspected and borrows nothing from them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JpegLayout {
    /// Pixels per line, never 0.
    pub width: u16,
    /// Lines, never 0.
    pub height: u16,
    /// How many of the given bytes belong to the picture: up to and including the EOI, padding left
    /// out. Without an EOI, all of them.
    pub len: usize,
    /// The picture relies on Huffman tables it does not carry, as many UVC cameras' do.
    pub needs_huffman: bool,
    /// How many bytes are missing at the end, 0 to 3: of the EOI, and before it the scan's last.
    pub lost: usize,
    /// What stands for the scan's last byte.
    pub last_byte: u8,
    /// Where the tables go: before the first DHT, or before the first SOS where there is none.
    ///
    /// Both places are legal (T.81 B.2.4). After the frame header is where libjpeg itself writes
    /// tables and where go2rtc inserts them for Safari; ustreamer and mjpg-streamer insert before
    /// SOF0, with the same success. Before a DHT, so that a picture carrying only some of its
    /// tables keeps them: the later definition wins.
    pub insert_at: usize,
}

impl JpegLayout {
    /// Whether the given bytes, up to `len`, are a whole JPEG as they stand.
    #[cfg(any(test, fuzzing))]
    pub fn is_untouched(&self) -> bool {
        !self.needs_huffman && self.lost == 0
    }

    /// How many bytes [`JpegLayout::write_to`] appends.
    pub fn repaired_len(&self) -> usize {
        let tables = if self.needs_huffman {
            tables::STANDARD_HUFFMAN.len()
        } else {
            0
        };
        self.len + tables + self.lost
    }

    /// Appends the repaired JPEG to `out`, each byte copied once; `bytes` must be those that were
    /// inspected.
    ///
    /// An untouched picture comes out bit for bit. Bytes that were not inspected come out as
    /// nonsense, but never as a panic.
    pub fn write_to(&self, bytes: &[u8], out: &mut Vec<u8>) {
        out.reserve(self.repaired_len());
        let kept = bytes.get(..self.len).unwrap_or(bytes);
        if self.needs_huffman {
            let (head, tail) = kept.split_at(self.insert_at.min(kept.len()));
            out.extend_from_slice(head);
            out.extend_from_slice(&tables::STANDARD_HUFFMAN);
            out.extend_from_slice(tail);
        } else {
            out.extend_from_slice(kept);
        }
        let end = [self.last_byte, END[0], END[1]];
        out.extend_from_slice(&end[end.len().saturating_sub(self.lost)..]);
    }
}
