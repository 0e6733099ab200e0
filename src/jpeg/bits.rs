//! The bits of a scan's data: without stuffing, up to the next marker, one Huffman code after the
//! other.
//!
//! `entropy` drives a [`Reader`] through the MCUs. Values are stepped over, never looked at.

use super::scan::next_marker;
use super::tables::Huffman;

/// Bytes that a camera may leave between its last code and the next marker. Logitech's do so
/// ("extraneous bytes before marker" is libjpeg's word for it), and decoders skip them.
pub const EXTRA_BYTES: usize = 16;

/// How far a walk has come: the bits it holds and the place of the next byte. A walk can go on from
/// a copy.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mark {
    pub mcu: usize,
    pub at: usize,
    /// The next bits, from the top; below `count` of them all is 0.
    bits: u64,
    count: u32,
}

impl Mark {
    /// The same mark over data that begins with the next byte.
    pub fn rebased(self) -> Self {
        Mark { at: 0, ..self }
    }
}

/// Why a block could not be read.
pub enum Stop {
    Short,
    Broken,
}

/// The bits of a scan, without its stuffing.
pub struct Reader<'a> {
    data: &'a [u8],
    at: usize,
    bits: u64,
    count: u32,
    /// A marker or the end of the data was met: no more bits from here.
    is_stopped: bool,
}

impl<'a> Reader<'a> {
    /// Goes on from a mark, perhaps of another walk over the same data.
    pub fn new(data: &'a [u8], mark: Mark) -> Self {
        Reader {
            data,
            at: mark.at,
            bits: mark.bits,
            count: mark.count,
            is_stopped: false,
        }
    }

    /// The mark to come back to, before the MCU of that number.
    pub fn mark(&self, mcu: usize) -> Mark {
        Mark {
            mcu,
            at: self.at,
            bits: self.bits,
            count: self.count,
        }
    }

    /// Tops up the bits to more than 56, or to all there are.
    fn fill(&mut self) {
        while self.count <= 56 && !self.is_stopped {
            let Some(&byte) = self.data.get(self.at) else {
                self.is_stopped = true;
                return;
            };
            self.at += 1;
            if byte == 0xFF {
                let fill = self.data[self.at..]
                    .iter()
                    .take_while(|&&byte| byte == 0xFF)
                    .count();
                if self.data.get(self.at + fill) != Some(&0) {
                    self.at -= 1;
                    self.is_stopped = true;
                    return;
                }
                self.at += fill + 1;
            }
            self.bits |= u64::from(byte) << (56 - self.count);
            self.count += 8;
        }
    }

    fn drop_bits(&mut self, count: u32) -> Result<(), Stop> {
        if count > self.count {
            return Err(Stop::Short);
        }
        self.bits <<= count;
        self.count -= count;
        Ok(())
    }

    /// Decodes one symbol. A code has up to 16 bits, the value after it up to 15: one filling
    /// serves both.
    fn symbol(&mut self, table: &Huffman) -> Result<u8, Stop> {
        if self.count < 32 {
            self.fill();
        }
        match table.decode((self.bits >> 48) as u16) {
            Some((len, symbol)) => {
                self.drop_bits(len)?;
                Ok(symbol)
            }
            // Of 16 bits none is a code; with fewer, the missing ones might have made it one.
            None if self.count < 16 => Err(Stop::Short),
            None => Err(Stop::Broken),
        }
    }

    /// Reads over one block: a DC difference, then runs of zeros and values up to the end of the
    /// block (F.2.2).
    pub fn skip_block(&mut self, dc: &Huffman, ac: &Huffman) -> Result<(), Stop> {
        let size = self.symbol(dc)?;
        if size > 15 {
            return Err(Stop::Broken);
        }
        self.drop_bits(u32::from(size))?;
        let mut index = 1;
        while index < 64 {
            let symbol = self.symbol(ac)?;
            let (run, size) = (symbol >> 4, symbol & 15);
            match (run, size) {
                (15, 0) => index += 16,
                // Runs with size 0 belong to progressive pictures; libjpeg, too, takes them for an
                // end of block.
                (_, 0) => return Ok(()),
                _ => {
                    index += u32::from(run) + 1;
                    if index > 64 {
                        return Err(Stop::Broken);
                    }
                    self.drop_bits(u32::from(size))?;
                }
            }
        }
        Ok(())
    }

    /// Leaves the rest of the interval and steps over the RST marker that ends it.
    pub fn restart(&mut self) -> Result<(), Stop> {
        let from = self.used();
        let Some((place, _, after)) = next_marker(self.data, from) else {
            return Err(Stop::Short);
        };
        if place - from > EXTRA_BYTES {
            return Err(Stop::Broken);
        }
        (self.at, self.bits, self.count, self.is_stopped) = (after, 0, 0, false);
        Ok(())
    }

    /// The place after the last byte of which at least one bit was read: steps back over the whole
    /// bytes still held.
    pub fn used(&self) -> usize {
        let mut at = self.at;
        for _ in 0..self.count / 8 {
            at = at.saturating_sub(1);
            // A 0 after `FF` is stuffing: the byte was the `FF`, perhaps with fill before it.
            if self.data.get(at) == Some(&0) && at > 0 && self.data[at - 1] == 0xFF {
                while at > 0 && self.data[at - 1] == 0xFF {
                    at -= 1;
                }
            }
        }
        at
    }

    /// How many bits of the last byte used were not needed.
    pub fn spare(&self) -> u32 {
        self.count % 8
    }
}
