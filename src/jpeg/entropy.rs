//! Reads a baseline scan's Huffman codes to learn whether it is complete. No coefficients, no
//! pixels.
//!
//! `inspect` calls it only where the markers leave a doubt: the EOI is missing, or something other
//! than padding follows it. One walk over a 62 kB picture takes up to a millisecond, too long for
//! every picture of every camera, and that is why it is not the rule.
//!
//! It must not take a cut-off picture for a whole one; refusing a whole one now and then is the
//! lesser harm. What is left in doubt is the end of the very last MCU: a cut there may pass for a
//! lost byte.

use super::Flaw;
use super::bits::{EXTRA_BYTES, Mark, Reader, Stop};
use super::header::Scan;
use super::scan::is_padding;
use super::tables::{self, Huffman};

/// More MCUs than fit into one byte: each takes 2 bits at least, and the first may be begun
/// already.
const MCUS_IN_A_BYTE: usize = 5;

/// Checks that the data from `scan.start` to the marker at `end` is this picture's whole scan, not
/// the beginning of one with another's tail behind it.
pub fn check_whole(bytes: &[u8], scan: &Scan, end: usize) -> Result<(), Flaw> {
    let data = bytes.get(scan.start..end).unwrap_or_default();
    let plan = Plan::new(bytes, scan)?;
    match plan.walk(data, Mark::default()) {
        Outcome::Done { at, .. } if is_harmless(&data[at..]) => Ok(()),
        Outcome::Done { at, .. } => Err(Flaw::Truncated {
            at: scan.start + at,
        }),
        Outcome::Short(_) => Err(Flaw::Truncated { at: end }),
        Outcome::Broken => Err(Flaw::BrokenScan),
    }
}

/// Judges a picture whose data runs to the last byte without an EOI. Gives how many bytes to keep
/// and, where the scan's own last byte was lost too, a byte to put in its place. Padding may follow
/// a lost EOI.
///
/// OpenCV up to 4.10 hands on a V4L2 frame in an image header left over from the one before, when
/// that one's length rounded up to a multiple of 4 is this one's length (`frame.imageSize !=
/// bytesused` in cap_v4l.cpp). So up to three bytes are lost: half the EOI, the EOI, or the EOI and
/// one byte of the scan, and in this last case what is left is one byte more than a multiple of 4.
/// Whatever is shorter was cut off elsewhere and is refused.
pub fn find_lost_end(bytes: &[u8], scan: &Scan) -> Result<(usize, Option<u8>), Flaw> {
    let truncated = Flaw::Truncated { at: bytes.len() };
    let data = bytes.get(scan.start..).unwrap_or_default();
    let plan = Plan::new(bytes, scan)?;
    let padding_at = padding_start(data);
    // Up to three equal bytes at the end may be the scan's own; more are padding.
    let has_padding = data.len() - padding_at > 3;
    match plan.walk(data, Mark::default()) {
        Outcome::Done { at, spare } => {
            // Padding read as codes completes nothing. But the scan's own last byte may look like
            // padding, and the whole end of a flat picture may be one value: then it ends as an
            // encoder ends it.
            let is_encoded = at > 0 && is_filled(data[at - 1], spare);
            let is_own = !has_padding
                || at <= padding_at
                || is_encoded && (at == padding_at + 1 || at == data.len());
            if is_own && is_harmless(&data[at..]) {
                Ok((scan.start + at, None))
            } else {
                Err(truncated)
            }
        }
        Outcome::Short(mark) if !has_padding && bytes.len() % 4 == 1 => {
            let byte = plan.find_lost_byte(data, mark).ok_or(truncated)?;
            Ok((bytes.len(), Some(byte)))
        }
        Outcome::Short(_) => Err(truncated),
        Outcome::Broken => Err(Flaw::BrokenScan),
    }
}

/// What may stand between the last code and the end: half an EOI, padding, a few bytes too many.
fn is_harmless(rest: &[u8]) -> bool {
    rest.len() <= EXTRA_BYTES || is_padding(rest.strip_prefix(&[0xFF]).unwrap_or(rest))
}

/// Whether the unused bits of the scan's last byte are ones, as the standard has them (F.1.2.3).
fn is_filled(last: u8, spare: u32) -> bool {
    let ones = (1u8 << spare) - 1;
    last & ones == ones
}

/// Where the run of equal bytes at the end begins; the 0 of a stuffed `FF 00` is not of the run.
fn padding_start(data: &[u8]) -> usize {
    let Some(&last) = data.last() else { return 0 };
    let start = data
        .iter()
        .rposition(|&byte| byte != last)
        .map_or(0, |at| at + 1);
    let is_stuffing = last == 0 && start > 0 && data[start - 1] == 0xFF;
    if is_stuffing { start + 1 } else { start }
}

enum Outcome {
    /// Every MCU is there; `at` is after the last byte used, of which `spare` bits were not needed.
    Done { at: usize, spare: u32 },
    /// The data ended first, somewhere after this mark at the beginning of an MCU.
    Short(Mark),
    /// No code, or a code that leads out of its block.
    Broken,
}

/// A scan ready to be walked: the tables of each block of an MCU, in order.
struct Plan {
    blocks: Vec<(usize, usize)>,
    tables: Vec<Huffman>,
    mcus: usize,
    interval: usize,
}

impl Plan {
    fn new(bytes: &[u8], scan: &Scan) -> Result<Self, Flaw> {
        let mut plan = Plan {
            blocks: Vec::new(),
            tables: Vec::new(),
            mcus: scan.mcus,
            interval: scan.interval,
        };
        for share in scan.shares() {
            let pair = plan.tables.len();
            for (class, id, table) in [(0, share.dc_id, share.dc), (1, share.ac_id, share.ac)] {
                let spec = match table {
                    Some(at) => bytes.get(at..).unwrap_or_default(),
                    None => tables::standard(class, id),
                };
                plan.tables
                    .push(Huffman::new(spec).ok_or(Flaw::BrokenScan)?);
            }
            plan.blocks
                .extend(std::iter::repeat_n((pair, pair + 1), share.blocks));
        }
        Ok(plan)
    }

    /// Reads on from `mark` until the last MCU or the end of `data`.
    fn walk(&self, data: &[u8], mark: Mark) -> Outcome {
        let mut reader = Reader::new(data, mark);
        for mcu in mark.mcu..self.mcus {
            // `mark.mcu` begins after its restart marker.
            if self.interval != 0 && mcu % self.interval == 0 && mcu != mark.mcu {
                match reader.restart() {
                    Ok(()) => {}
                    // The marker itself is gone: more than a byte is missing, and no byte will do
                    // from here.
                    Err(Stop::Short) => return Outcome::Short(mark),
                    Err(Stop::Broken) => return Outcome::Broken,
                }
            }
            let begin = reader.mark(mcu);
            for &(dc, ac) in &self.blocks {
                match reader.skip_block(&self.tables[dc], &self.tables[ac]) {
                    Ok(()) => {}
                    Err(Stop::Short) => return Outcome::Short(begin),
                    Err(Stop::Broken) => return Outcome::Broken,
                }
            }
        }
        Outcome::Done {
            at: reader.used(),
            spare: reader.spare(),
        }
    }

    /// The byte that completes the scan after `kept`, where one byte can.
    ///
    /// The true one is gone; what is wrong then is the last MCU, a corner of 16×16 pixels at most.
    /// Of those that fit, the one with the shortest codes and the longest filling of ones is taken:
    /// that is the likeliest, and a decoder reads it without a warning. A lone `FF` at the end can
    /// only have lost its stuffing.
    fn find_lost_byte(&self, kept: &[u8], mark: Mark) -> Option<u8> {
        if self.mcus - mark.mcu > MCUS_IN_A_BYTE {
            return None;
        }
        let mut data = kept.get(mark.at..)?.to_vec();
        let last = data.len();
        let candidates = if data.last() == Some(&0xFF) {
            0..=0
        } else {
            0..=0xFEu8
        };
        data.push(0);
        let mut best = None;
        for byte in candidates {
            data[last] = byte;
            if let Outcome::Done { at, spare } = self.walk(&data, mark.rebased()) {
                let is_stuffing = last > 0 && data[last - 1] == 0xFF;
                let fits = at == data.len() && (is_stuffing || is_filled(byte, spare));
                if fits && best.is_none_or(|(most, _)| spare > most) {
                    best = Some((spare, byte));
                }
            }
        }
        best.map(|(_, byte)| byte)
    }
}
