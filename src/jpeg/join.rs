//! Joins the stripes of a picture, encoded apart, into one JPEG.
//!
//! Every stripe is a baseline JPEG of the same width, made with the same tables. Scan data begins
//! anew behind a restart marker (T.81 E.1.4), so a picture whose restart interval is one stripe
//! holds their scan data one after the other, unchanged. Nothing is decoded.

use super::{
    header::FrameHeader,
    marker::{self, END},
    segment::Segment,
};

/// Bytes of a DRI segment.
const DRI_BYTES: usize = 6;

/// A picture made of stripes; borrows them.
pub struct Joined<'a> {
    /// Everything before the SOS segment of the first stripe, its SOF saying the full height.
    head: Vec<u8>,
    /// MCUs in a stripe; the last one may have fewer.
    interval: u16,
    sos: &'a [u8],
    scans: Vec<&'a [u8]>,
}

/// Joins `stripes`, top to bottom, into a picture `height` pixels tall; all but the last have the
/// same height, in whole MCUs. `None` when they do not fit together.
pub fn join<'a>(stripes: &[&'a [u8]], height: u16) -> Option<Joined<'a>> {
    let first = Stripe::read(stripes.first()?)?;
    let mut head = first.bytes[..first.sos.0].to_vec();
    head[first.sof + 1..first.sof + 3].copy_from_slice(&height.to_be_bytes());
    let mut scans = vec![first.scan];
    let mut rows = first.height;
    for (number, stripe) in stripes.iter().enumerate().skip(1) {
        let stripe = Stripe::read(stripe)?;
        let is_last = number + 1 == stripes.len();
        let fits = stripe.width == first.width
            && stripe.mcu == first.mcu
            && (stripe.height == first.height || is_last && stripe.height < first.height);
        if !fits {
            return None;
        }
        rows += stripe.height;
        scans.push(stripe.scan);
    }
    let (across, down) = first.mcu;
    let is_whole = stripes.len() == 1 || first.height % down == 0;
    let interval = first.width.div_ceil(across) * first.height.div_ceil(down);
    (rows == usize::from(height) && is_whole).then_some(())?;
    let sos = &first.bytes[first.sos.0..first.sos.1];
    Some(Joined {
        head,
        interval: u16::try_from(interval).ok()?,
        sos,
        scans,
    })
}

impl Joined<'_> {
    /// Bytes of the joined JPEG.
    pub fn len(&self) -> usize {
        let scans: usize = self.scans.iter().map(|scan| scan.len() + END.len()).sum();
        self.head.len() + DRI_BYTES + self.sos.len() + scans
    }

    /// Appends the joined JPEG.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.head);
        let [high, low] = self.interval.to_be_bytes();
        out.extend_from_slice(&[0xFF, marker::DRI, 0, 4, high, low]);
        out.extend_from_slice(self.sos);
        for (number, scan) in (0..).zip(&self.scans) {
            if number > 0 {
                out.extend_from_slice(&[0xFF, marker::RST0 + (number - 1) % 8]);
            }
            out.extend_from_slice(scan);
        }
        out.extend_from_slice(&END);
    }
}

/// One stripe, taken apart.
struct Stripe<'a> {
    bytes: &'a [u8],
    width: usize,
    height: usize,
    /// Pixels of an MCU, across and down.
    mcu: (usize, usize),
    /// Where the parameters of SOF begin.
    sof: usize,
    /// Where the SOS segment begins and ends.
    sos: (usize, usize),
    scan: &'a [u8],
}

impl<'a> Stripe<'a> {
    fn read(bytes: &'a [u8]) -> Option<Stripe<'a>> {
        let mut at = 2;
        let mut frame = None;
        loop {
            let segment = Segment::read(bytes, at).ok()?;
            at = segment.end;
            match segment.code {
                marker::SOF0 => {
                    let sof = segment.end - segment.body.len();
                    frame = Some((sof, FrameHeader::read(&segment).ok()?));
                }
                // Its own restarts would be out of step with the picture's.
                marker::DRI | marker::EOI => return None,
                marker::SOS => {
                    let (sof, header) = frame?;
                    return Some(Stripe {
                        bytes,
                        width: header.width.into(),
                        height: header.height.into(),
                        mcu: header.mcu(),
                        sof,
                        sos: (segment.at, segment.end),
                        scan: bytes.get(segment.end..)?.strip_suffix(&END)?,
                    });
                }
                _ => {}
            }
        }
    }
}
