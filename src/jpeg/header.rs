//! The frame header (SOFn) and the scan header (SOS), read and checked as strictly as libjpeg does.
//!
//! `walk` reads one [`Picture`] and then a [`Scan`] per SOS: all that the search for a scan's end
//! and the entropy walk need to know. The order of the segments, and which tables are defined, are
//! `walk`'s business.

use super::segment::Segment;
use super::{Flaw, marker};

/// A component as the frame header gives it (B.2.2).
#[derive(Clone, Copy, Debug, Default)]
struct Component {
    id: u8,
    horizontal: u8,
    vertical: u8,
    quantisation: u8,
}

/// What the frame header says. Not called a frame: here that is a finished JPEG.
#[derive(Clone, Debug)]
pub struct Picture {
    code: u8,
    precision: u8,
    pub width: u16,
    pub height: u16,
    components: [Component; 4],
    count: usize,
}

/// The tables defined so far, by number; a Huffman table by the byte where its 16 counts begin.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tables {
    pub dc: [Option<usize>; 4],
    pub ac: [Option<usize>; 4],
    /// A bit per quantisation table.
    pub quantisation: u8,
}

/// One component's share of a scan.
#[derive(Clone, Copy, Debug, Default)]
pub struct Share {
    /// Blocks of 8×8 in one MCU.
    pub blocks: usize,
    pub dc_id: usize,
    pub ac_id: usize,
    /// The picture's own table of that number; none: the standard one is meant.
    pub dc: Option<usize>,
    pub ac: Option<usize>,
}

/// What is known of a scan before its data is looked at.
#[derive(Clone, Copy, Debug)]
pub struct Scan {
    /// Where its data begins.
    pub start: usize,
    /// How many MCUs it holds, and how many blocks each.
    pub mcus: usize,
    pub blocks: usize,
    /// MCUs between two RST markers; 0: there are none.
    pub interval: usize,
    pub shares: [Share; 4],
    pub share_count: usize,
    /// A bit per component that takes part.
    pub components: u8,
    is_sequential_huffman: bool,
    is_8_bit: bool,
}

impl Picture {
    /// Reads a SOFn segment.
    pub fn read(segment: &Segment) -> Result<Self, Flaw> {
        let code = segment.code;
        if !matches!(
            code,
            marker::SOF0 | marker::SOF1 | marker::SOF2 | marker::SOF9 | marker::SOF10
        ) {
            return Err(Flaw::Unsupported { marker: code });
        }
        let &[precision, y1, y0, x1, x0, count, ref list @ ..] = segment.body else {
            return Err(segment.bad());
        };
        let (height, width) = (u16::from_be_bytes([y1, y0]), u16::from_be_bytes([x1, x0]));
        if width == 0 || height == 0 {
            return Err(Flaw::ZeroSize);
        }
        let count = usize::from(count);
        if list.len() != count * 3 || count == 0 {
            return Err(segment.bad());
        }
        if count > 4 || !(precision == 8 || precision == 12 && code != marker::SOF0) {
            return Err(Flaw::Unsupported { marker: code });
        }
        let mut components = [Component::default(); 4];
        for (component, item) in components.iter_mut().zip(list.chunks_exact(3)) {
            let (horizontal, vertical, quantisation) = (item[1] >> 4, item[1] & 15, item[2]);
            if !(1..=4).contains(&horizontal) || !(1..=4).contains(&vertical) || quantisation > 3 {
                return Err(segment.bad());
            }
            *component = Component {
                id: item[0],
                horizontal,
                vertical,
                quantisation,
            };
        }
        Ok(Picture {
            code,
            precision,
            width,
            height,
            components,
            count,
        })
    }

    /// Reads a SOS segment (B.2.3) against this frame header and the tables defined so far.
    pub fn scan(&self, segment: &Segment, tables: &Tables, interval: u16) -> Result<Scan, Flaw> {
        let (&count, list) = segment.body.split_first().ok_or_else(|| segment.bad())?;
        let count = usize::from(count);
        if !(1..=self.count).contains(&count) || list.len() != count * 2 + 3 {
            return Err(segment.bad());
        }
        let mut scan = Scan {
            start: segment.end,
            mcus: 0,
            blocks: 0,
            interval: usize::from(interval),
            shares: [Share::default(); 4],
            share_count: count,
            components: 0,
            is_sequential_huffman: matches!(self.code, marker::SOF0 | marker::SOF1),
            is_8_bit: self.precision == 8,
        };
        let used = &self.components[..self.count];
        for (share, item) in scan.shares.iter_mut().zip(list.chunks_exact(2)).take(count) {
            // Some encoders give every component the same number; libjpeg takes them in order, so
            // do we.
            let (index, component) = used
                .iter()
                .enumerate()
                .find(|(index, component)| {
                    component.id == item[0] && scan.components & (1 << index) == 0
                })
                .ok_or_else(|| segment.bad())?;
            scan.components |= 1 << index;
            if tables.quantisation & (1 << component.quantisation) == 0 {
                return Err(Flaw::NoTables);
            }
            let (dc_id, ac_id) = (usize::from(item[1] >> 4), usize::from(item[1] & 15));
            if dc_id > 3 || ac_id > 3 {
                return Err(segment.bad());
            }
            (share.dc_id, share.ac_id, share.dc, share.ac) =
                (dc_id, ac_id, tables.dc[dc_id], tables.ac[ac_id]);
            (share.blocks, scan.mcus) = self.mcus(component, count);
            scan.blocks += share.blocks;
        }
        // B.2.3 allows ten blocks in an MCU of several components.
        if count > 1 && scan.blocks > 10 {
            return Err(segment.bad());
        }
        self.check_huffman(&scan, tables)?;
        Ok(scan)
    }

    /// How many blocks of `component` are in one MCU, and how many MCUs make the picture, in a scan
    /// of `count` components (A.2).
    fn mcus(&self, component: &Component, count: usize) -> (usize, usize) {
        let used = &self.components[..self.count];
        let across_max = usize::from(used.iter().map(|c| c.horizontal).max().unwrap_or(1));
        let down_max = usize::from(used.iter().map(|c| c.vertical).max().unwrap_or(1));
        let (width, height) = (usize::from(self.width), usize::from(self.height));
        let (horizontal, vertical) = (
            usize::from(component.horizontal),
            usize::from(component.vertical),
        );
        if count == 1 {
            // Alone, a component's blocks are the MCUs, without those that only fill up the last
            // MCU.
            let across = (width * horizontal).div_ceil(across_max).div_ceil(8);
            let down = (height * vertical).div_ceil(down_max).div_ceil(8);
            (1, across * down)
        } else {
            (
                horizontal * vertical,
                width.div_ceil(8 * across_max) * height.div_ceil(8 * down_max),
            )
        }
    }

    /// Refuses a scan whose Huffman tables are neither defined nor standard.
    fn check_huffman(&self, scan: &Scan, tables: &Tables) -> Result<(), Flaw> {
        let is_hopeless = if scan.is_sequential_huffman {
            // The standard has two of each kind, for 8 bits (K.3).
            scan.shares().iter().any(|share| {
                share.needs_standard()
                    && (!scan.is_8_bit
                        || share.dc.is_none() && share.dc_id > 1
                        || share.ac.is_none() && share.ac_id > 1)
            })
        } else {
            // There are no standard tables for progressive pictures; which one a scan needs is not
            // looked into.
            self.code == marker::SOF2 && tables.dc.iter().chain(&tables.ac).all(Option::is_none)
        };
        if is_hopeless {
            Err(Flaw::NoTables)
        } else {
            Ok(())
        }
    }

    /// Whether each component has its data in one scan only.
    pub fn is_sequential(&self) -> bool {
        !matches!(self.code, marker::SOF2 | marker::SOF10)
    }

    /// Whether the set `scanned` has all the components.
    pub fn is_complete(&self, scanned: u8) -> bool {
        scanned.count_ones() as usize == self.count
    }
}

impl Share {
    fn needs_standard(&self) -> bool {
        self.dc.is_none() || self.ac.is_none()
    }
}

impl Scan {
    pub fn shares(&self) -> &[Share] {
        &self.shares[..self.share_count]
    }

    /// Whether it relies on the standard Huffman tables.
    pub fn needs_huffman(&self) -> bool {
        self.is_sequential_huffman && self.shares().iter().any(Share::needs_standard)
    }

    /// Whether `entropy` can read it: sequential, Huffman-coded, 8 bits. The others are taken or
    /// refused by their markers alone.
    pub fn is_readable(&self) -> bool {
        self.is_sequential_huffman && self.is_8_bit
    }

    /// The fewest bytes its data can have: a block takes a DC code and an end-of-block code of 1
    /// bit each at least.
    pub fn min_bytes(&self) -> usize {
        if self.is_sequential_huffman {
            (self.mcus * self.blocks).div_ceil(4)
        } else {
            1
        }
    }
}
