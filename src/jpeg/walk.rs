//! The memory of a marker walk: which segments came so far, and so which may come next.
//!
//! `inspect` feeds [`Walk`] one segment at a time and asks it, at the end, whether the picture may
//! end there. It never looks at scan data.

use super::header::{FrameHeader, Scan, Tables};
use super::segment::Segment;
use super::{error::JpegError, layout::JpegLayout, marker};

/// Everything remembered of the segments read so far.
#[derive(Default)]
pub struct Walk {
    picture: Option<FrameHeader>,
    tables: Tables,
    /// The restart interval in MCUs, 0 for none.
    interval: u16,
    /// The latest scan, and a bit per component that has had one.
    scan: Option<Scan>,
    scanned: u8,
    insert_at: Option<usize>,
    needs_huffman: bool,
}

impl Walk {
    /// Takes note of any segment but EOI.
    pub fn take(&mut self, segment: &Segment) -> Result<(), JpegError> {
        let unexpected = JpegError::UnexpectedMarker {
            marker: segment.code,
            at: segment.at,
        };
        match segment.code {
            marker::DHT => self.take_huffman(segment),
            marker::DQT => self.take_quantisation(segment),
            marker::DRI => match *segment.body {
                [high, low] => {
                    self.interval = u16::from_be_bytes([high, low]);
                    Ok(())
                }
                _ => Err(segment.bad()),
            },
            marker::SOS => self.take_scan(segment),
            marker::DAC | marker::COM | marker::APP0..=marker::APP15 => Ok(()),
            marker::JPG => Err(unexpected),
            _ if self.picture.is_some() => Err(unexpected),
            _ => {
                self.picture = Some(FrameHeader::read(segment)?);
                Ok(())
            }
        }
    }

    /// Notes which tables a DHT defines (B.2.4.2).
    fn take_huffman(&mut self, segment: &Segment) -> Result<(), JpegError> {
        self.insert_at.get_or_insert(segment.at);
        let mut body = segment.body;
        while let Some((&kind, rest)) = body.split_first() {
            let counts = rest.get(..16).ok_or_else(|| segment.bad())?;
            let symbols: usize = counts.iter().map(|&count| usize::from(count)).sum();
            body = rest.get(16 + symbols..).ok_or_else(|| segment.bad())?;
            let tables = match kind >> 4 {
                0 => &mut self.tables.dc,
                1 => &mut self.tables.ac,
                _ => return Err(segment.bad()),
            };
            if kind & 15 > 3 {
                return Err(segment.bad());
            }
            *tables |= 1 << (kind & 15);
        }
        Ok(())
    }

    /// Notes which tables a DQT defines (B.2.4.1).
    fn take_quantisation(&mut self, segment: &Segment) -> Result<(), JpegError> {
        let mut body = segment.body;
        while let Some((&kind, rest)) = body.split_first() {
            let len = match kind >> 4 {
                0 => 64,
                1 => 128,
                _ => return Err(segment.bad()),
            };
            if kind & 15 > 3 {
                return Err(segment.bad());
            }
            self.tables.quantisation |= 1 << (kind & 15);
            body = rest.get(len..).ok_or_else(|| segment.bad())?;
        }
        Ok(())
    }

    fn take_scan(&mut self, segment: &Segment) -> Result<(), JpegError> {
        let picture = self.picture.as_ref().ok_or(JpegError::NoFrameHeader)?;
        let scan = picture.scan(segment, &self.tables, self.interval)?;
        if picture.is_sequential() && scan.components & self.scanned != 0 {
            return Err(segment.bad());
        }
        self.insert_at.get_or_insert(segment.at);
        self.needs_huffman |= scan.needs_huffman;
        self.scanned |= scan.components;
        self.scan = Some(scan);
        Ok(())
    }

    /// The latest scan.
    pub fn scan(&self) -> Result<&Scan, JpegError> {
        self.scan.as_ref().ok_or(JpegError::NoScan)
    }

    /// Whether that marker may follow the latest scan: after the last one, only EOI may. Another is
    /// the rest of an older picture in the same buffer, or garbage.
    pub fn check_follower(&self, code: u8, at: usize) -> Result<(), JpegError> {
        let is_last = self
            .picture
            .as_ref()
            .is_some_and(|p| p.is_sequential() && p.is_complete(self.scanned));
        if is_last && code != marker::EOI {
            return Err(JpegError::UnexpectedMarker { marker: code, at });
        }
        Ok(())
    }

    /// Whether the picture may end here, at byte `at`.
    pub fn check_end(&self, at: usize) -> Result<(), JpegError> {
        let picture = self.picture.as_ref().ok_or(JpegError::NoFrameHeader)?;
        self.scan()?;
        if picture.is_complete(self.scanned) {
            Ok(())
        } else {
            Err(JpegError::Truncated { at })
        }
    }

    /// The result of the walk, for a picture of which `len` bytes are kept and `lost` are missing.
    pub fn layout(&self, len: usize, lost: usize) -> Result<JpegLayout, JpegError> {
        let picture = self.picture.as_ref().ok_or(JpegError::NoFrameHeader)?;
        Ok(JpegLayout {
            width: picture.width,
            height: picture.height,
            len,
            needs_huffman: self.needs_huffman,
            lost,
            last_byte: 0,
            insert_at: self.insert_at.ok_or(JpegError::NoScan)?,
        })
    }
}
