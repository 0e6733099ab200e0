//! The frame header (SOFn) and the scan header (SOS), read and checked as strictly as libjpeg does.
//!
//! `walk` reads one [`FrameHeader`] and then a [`Scan`] per SOS: all that the search for a scan's end
//! needs to know. The order of the segments, and which tables are defined, are `walk`'s business.

use super::segment::Segment;
use super::{error::JpegError, marker};

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
pub struct FrameHeader {
    code: u8,
    precision: u8,
    pub width: u16,
    pub height: u16,
    components: [Component; 4],
    count: usize,
}

/// The tables defined so far, a bit per number.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tables {
    pub dc: u8,
    pub ac: u8,
    pub quantisation: u8,
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
    /// A bit per component that takes part.
    pub components: u8,
    /// It relies on the standard Huffman tables.
    pub needs_huffman: bool,
    pub is_sequential_huffman: bool,
}

impl FrameHeader {
    /// Reads a SOFn segment.
    pub fn read(segment: &Segment) -> Result<Self, JpegError> {
        let code = segment.code;
        if !matches!(
            code,
            marker::SOF0 | marker::SOF1 | marker::SOF2 | marker::SOF9 | marker::SOF10
        ) {
            return Err(JpegError::Unsupported { marker: code });
        }
        let &[precision, y1, y0, x1, x0, count, ref list @ ..] = segment.body else {
            return Err(segment.bad());
        };
        let (height, width) = (u16::from_be_bytes([y1, y0]), u16::from_be_bytes([x1, x0]));
        if width == 0 || height == 0 {
            return Err(JpegError::ZeroSize);
        }
        let count = usize::from(count);
        if list.len() != count * 3 || count == 0 {
            return Err(segment.bad());
        }
        if count > 4 || !(precision == 8 || precision == 12 && code != marker::SOF0) {
            return Err(JpegError::Unsupported { marker: code });
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
        Ok(FrameHeader {
            code,
            precision,
            width,
            height,
            components,
            count,
        })
    }

    /// Reads a SOS segment (B.2.3) against this frame header and the tables defined so far.
    pub fn scan(
        &self,
        segment: &Segment,
        tables: &Tables,
        interval: u16,
    ) -> Result<Scan, JpegError> {
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
            components: 0,
            needs_huffman: false,
            is_sequential_huffman: matches!(self.code, marker::SOF0 | marker::SOF1),
        };
        // There are no standard tables for progressive pictures; which one a scan needs is not
        // looked into.
        let mut is_hopeless = self.code == marker::SOF2 && tables.dc | tables.ac == 0;
        let used = &self.components[..self.count];
        for item in list.chunks_exact(2).take(count) {
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
                return Err(JpegError::NoTables);
            }
            for (id, defined) in [(item[1] >> 4, tables.dc), (item[1] & 15, tables.ac)] {
                if id > 3 {
                    return Err(segment.bad());
                }
                if scan.is_sequential_huffman && defined & (1 << id) == 0 {
                    scan.needs_huffman = true;
                    // The standard has two of each kind, for 8 bits (K.3).
                    is_hopeless |= id > 1 || self.precision != 8;
                }
            }
            let (blocks, mcus) = self.mcus(component, count);
            scan.mcus = mcus;
            scan.blocks += blocks;
        }
        // B.2.3 allows ten blocks in an MCU of several components.
        if count > 1 && scan.blocks > 10 {
            return Err(segment.bad());
        }
        if is_hopeless {
            return Err(JpegError::NoTables);
        }
        Ok(scan)
    }

    /// How many blocks of `component` are in one MCU, and how many MCUs make the picture, in a scan
    /// of `count` components (A.2).
    fn mcus(&self, component: &Component, count: usize) -> (usize, usize) {
        let (across_max, down_max) = self.sampling();
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

    /// The greatest sampling factors, across and down.
    fn sampling(&self) -> (usize, usize) {
        let used = &self.components[..self.count];
        let across = used.iter().map(|component| component.horizontal).max();
        let down = used.iter().map(|component| component.vertical).max();
        (across.unwrap_or(1).into(), down.unwrap_or(1).into())
    }

    /// Pixels across and down of an MCU of all components (A.2).
    pub fn mcu(&self) -> (usize, usize) {
        match (self.count, self.sampling()) {
            (1, _) => (8, 8),
            (_, (across, down)) => (8 * across, 8 * down),
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

impl Scan {
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
