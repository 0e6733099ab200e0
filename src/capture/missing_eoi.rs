//! Which JPEGs without an EOI are whole all the same, and what is put behind them.
//!
//! The capture thread and `--check` show each JPEG of an opened device to a [`MissingEoi`], in
//! order. A picture without an EOI was cut off and is dropped, with two exceptions: OpenCV up to
//! 4.10 loses a picture's last bytes now and then ([`bytes_lost`]), and some cameras send no EOI at
//! all. A decoder confirms both; the caller brings it.

use crate::{
    capture::source::Source,
    jpeg::{self, JpegError, JpegLayout},
};
use log::warn;

/// A camera that sends so many pictures without an EOI first, and none with one, sends no EOI.
const FIRST_PICTURES: u32 = 10;

/// What is known of one opened device's pictures.
#[derive(Debug)]
pub struct MissingEoi {
    /// They come from an OpenCV that loses bytes.
    may_lose_bytes: bool,
    /// The length of the picture before, where it was whole or could be mended.
    whole_before: Option<usize>,
    habit: Habit,
}

/// What a camera does about the EOI.
#[derive(Debug)]
enum Habit {
    /// So many pictures came, all without it. The first was whole but for that.
    Open(u32),
    /// It never sends one.
    Omits,
    /// It has sent one, or its first picture was cut off.
    Sends,
}

impl Default for MissingEoi {
    fn default() -> MissingEoi {
        MissingEoi::of(false)
    }
}

impl MissingEoi {
    /// For the pictures of a source just opened.
    pub fn new(source: &dyn Source) -> MissingEoi {
        MissingEoi::of(source.may_lose_bytes())
    }

    fn of(may_lose_bytes: bool) -> MissingEoi {
        MissingEoi {
            may_lose_bytes,
            whole_before: None,
            habit: Habit::Open(0),
        }
    }

    /// The layout of the next picture, if it may be sent. `decodes` says whether a JPEG of that
    /// width and height decodes without a warning.
    pub fn inspect(
        &mut self,
        bytes: &[u8],
        decodes: impl Fn(&[u8], u16, u16) -> bool,
    ) -> Result<JpegLayout, JpegError> {
        let whole_before = self.whole_before.take();
        let layout = match jpeg::inspect(bytes) {
            Ok(layout) => {
                self.habit = Habit::Sends;
                layout
            }
            Err(JpegError::NoEoi(layout)) => {
                let is_whole = |layout: JpegLayout| {
                    let mut out = Vec::new();
                    layout.write_to(bytes, &mut out);
                    decodes(&out, layout.width, layout.height)
                };
                let lost = match self.may_lose_bytes {
                    true => bytes_lost(bytes.len(), whole_before),
                    false => 0,
                };
                let mut mended = last_bytes(bytes, lost).iter().map(|&last_byte| JpegLayout {
                    lost,
                    last_byte,
                    ..layout
                });
                if let Some(mended) = mended.find(|&layout| is_whole(layout)) {
                    mended
                } else if self.omits_eoi(|| is_whole(layout)) {
                    layout
                } else {
                    return Err(JpegError::NoEoi(layout));
                }
            }
            Err(flaw) => return Err(flaw),
        };
        self.whole_before = Some(bytes.len());
        Ok(layout)
    }

    /// Takes note of a picture without an EOI; true when all are so.
    fn omits_eoi(&mut self, is_whole: impl Fn() -> bool) -> bool {
        self.habit = match self.habit {
            Habit::Open(0) if !is_whole() => Habit::Sends,
            Habit::Open(before) if before + 1 < FIRST_PICTURES => Habit::Open(before + 1),
            Habit::Open(_) => {
                warn!("the camera ends its JPEGs without an EOI marker; it is added");
                Habit::Omits
            }
            Habit::Omits => Habit::Omits,
            Habit::Sends => Habit::Sends,
        };
        matches!(self.habit, Habit::Omits)
    }
}

/// How many bytes OpenCV up to 4.10 has lost at the end of a raw V4L2 picture of which it gave
/// `len`, the picture before having had `whole_before` if it was whole; 0 for none.
///
/// It keeps the image header of the picture before when that one's length, rounded up to a multiple
/// of 4, is this one's true length (`frame.imageSize != bytesused` in cap_v4l.cpp). So both come
/// with the same length, and what is lost is the difference to that multiple.
fn bytes_lost(len: usize, whole_before: Option<usize>) -> usize {
    match whole_before {
        Some(before) if before == len => len.next_multiple_of(4) - len,
        _ => 0,
    }
}

/// What the last byte of the scan may have been, the likeliest first, where `lost` bytes are lost
/// behind these; nothing where none is.
///
/// An encoder fills the last byte up with ones, and the codes before them, the end of a flat
/// corner's blocks, are zeros in the usual tables. Another guess would differ in the last MCU.
fn last_bytes(bytes: &[u8], lost: usize) -> &'static [u8] {
    match (lost, bytes.last()) {
        (0, _) => &[],
        // A 0 follows each `FF` of a scan.
        (3, Some(last)) if *last != 0xff => &[0x7f, 0x3f, 0x1f, 0x0f, 0x07, 0x03, 0x01, 0x00],
        _ => &[0],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encode::decodes_cleanly;

    const P420: &[u8] = include_bytes!("../../tests/jpeg/420.jpg");
    const P422: &[u8] = include_bytes!("../../tests/jpeg/422.jpg");
    const FFMPEG: &[u8] = include_bytes!("../../tests/jpeg/ffmpeg.jpg");
    const RESTART: &[u8] = include_bytes!("../../tests/jpeg/restart.jpg");
    const ENOUGH: u32 = FIRST_PICTURES;

    const NOISY: &[u8] = include_bytes!("../../tests/jpeg/noisy.jpg");

    /// The picture with a comment that makes it so many bytes longer, 4 at least.
    fn longer(jpeg: &[u8], bytes: usize) -> Vec<u8> {
        jpeg::with_comment(jpeg, &vec![b'.'; bytes - 4])
    }

    /// The picture with a comment that makes it `rest` bytes longer than some multiple of 4.
    fn of_rest(jpeg: &[u8], rest: usize) -> Vec<u8> {
        longer(jpeg, 8 - jpeg.len() % 4 + rest)
    }

    fn cut(jpeg: &[u8], lost: usize) -> &[u8] {
        &jpeg[..jpeg.len() - lost]
    }

    /// What is sent of these pictures, one after the other; none for a dropped one.
    fn sent(pictures: &[&[u8]], state: &mut MissingEoi) -> Vec<Option<Vec<u8>>> {
        let send = |bytes: &&[u8]| {
            let layout = state.inspect(bytes, decodes_cleanly).ok()?;
            let mut out = Vec::new();
            layout.write_to(bytes, &mut out);
            Some(out)
        };
        pictures.iter().map(send).collect()
    }

    #[test]
    fn bytes_are_lost_where_the_length_stays_and_is_no_multiple_of_4() {
        let cases = [
            // given, the picture before, lost
            (1000, Some(1000), 0),
            (1001, Some(1001), 3),
            (1002, Some(1002), 2),
            (1003, Some(1003), 1),
            (1003, None, 0),
            (1003, Some(1002), 0),
            (1003, Some(1004), 0),
            (1003, Some(999), 0),
            (0, Some(0), 0),
        ];
        for (len, before, lost) in cases {
            assert_eq!(bytes_lost(len, before), lost, "{len} after {before:?}");
        }
    }

    #[test]
    fn bytes_that_opencv_loses_are_put_back() {
        for jpeg in [P420, P422, RESTART, NOISY, FFMPEG] {
            let next = of_rest(jpeg, 4);
            for lost in 1..=3 {
                let before = of_rest(jpeg, 4 - lost);
                let given = cut(&next, lost);
                assert_eq!(before.len(), given.len());
                let mut state = MissingEoi::of(true);
                // The header stays for as long as the length does.
                let pictures = [&before, given, given, &before, given];
                for (picture, out) in pictures.iter().zip(sent(&pictures, &mut state)) {
                    let mut out = out.expect("none is dropped");
                    let expected = match *picture == before {
                        true => &before,
                        false => &next,
                    };
                    // The scan's last byte is a guess, right where a flat corner ends the picture.
                    let guess_at = expected.len() - 3;
                    if lost == 3 && ![P422, FFMPEG].contains(&jpeg) {
                        out[guess_at] = expected[guess_at];
                    }
                    assert_eq!(&out, expected, "{lost} lost");
                }
                // Not so where OpenCV is newer, or not the reader.
                let all = sent(&[&before, given], &mut MissingEoi::of(false));
                assert_eq!(all, [Some(before), None], "{lost} lost elsewhere");
            }
        }
    }

    #[test]
    fn picture_cut_elsewhere_is_dropped() {
        for jpeg in [P420, RESTART, NOISY] {
            for rest in 0..4 {
                let whole = of_rest(jpeg, rest);
                // Cut by any number of bytes after a picture of another length.
                for lost in 1..jpeg.len() {
                    let all = sent(&[&whole, cut(&whole, lost)], &mut MissingEoi::of(true));
                    assert_eq!(all, [Some(whole.clone()), None], "{lost} of {rest}");
                }
                // After a broken picture, though OpenCV gives it the length of the one before that.
                for broken in [&b"garbage"[..], cut(&whole, 20)] {
                    let given = cut(&of_rest(jpeg, 4), 4 - rest).to_vec();
                    let all = sent(&[&whole, broken, &given], &mut MissingEoi::of(true));
                    assert_eq!(all[1], None);
                    assert_eq!(all[2].is_some(), jpeg::inspect(&given).is_ok(), "{rest}");
                }
                // By chance as long as the one before: the decoder tells, but for cuts in the
                // last MCU.
                for lost in 64..130 {
                    let all = sent(
                        &[&whole, cut(&longer(&whole, lost), lost)],
                        &mut MissingEoi::of(true),
                    );
                    assert_eq!(
                        all,
                        [Some(whole.clone()), None],
                        "{lost} of {rest}, as long"
                    );
                }
            }
        }
    }

    #[test]
    fn camera_that_never_sends_an_eoi_is_shown_from_its_tenth_picture_on() {
        for lost in [1, 2] {
            let mut state = MissingEoi::of(true);
            for number in 1..=3 * ENOUGH {
                let all = sent(&[cut(P420, lost)], &mut state);
                let expected = (number >= ENOUGH).then_some(());
                assert_eq!(all[0].as_ref().map(drop), expected, "{number}");
                if let Some(out) = &all[0] {
                    let layout = jpeg::inspect(out).expect("whole");
                    assert_eq!((layout.lost, layout.len), (0, out.len()));
                    assert!(out.starts_with(cut(P420, 2)));
                }
            }
            // Garbage between does not change what is known of it; an EOI does, for good.
            assert_eq!(sent(&[b"garbage"], &mut state), [None]);
            assert!(sent(&[cut(P420, lost)], &mut state)[0].is_some());
            assert!(sent(&[P420], &mut state)[0].is_some());
            for _ in 0..2 * ENOUGH {
                assert_eq!(sent(&[cut(P420, lost)], &mut state), [None]);
            }
        }
    }

    #[test]
    fn cut_pictures_alone_are_never_shown() {
        let state = &mut MissingEoi::of(true);
        for lost in 0..3 * ENOUGH as usize {
            let all = sent(&[cut(P420, 8 + 7 * lost)], state);
            assert_eq!(all, [None], "{lost}");
        }
        // Nor those that come after one whole picture among nine.
        let state = &mut MissingEoi::of(true);
        for _ in 1..ENOUGH {
            assert_eq!(sent(&[cut(P420, 2)], state), [None]);
        }
        assert!(sent(&[P420], state)[0].is_some());
        for _ in 0..2 * ENOUGH {
            assert_eq!(sent(&[cut(P420, 2)], state), [None]);
        }
    }

    #[test]
    fn decoder_is_asked_where_it_is_needed_alone() {
        let asked = std::cell::Cell::new(0);
        let decodes = |bytes: &[u8], width, height| {
            asked.set(asked.get() + 1);
            decodes_cleanly(bytes, width, height)
        };
        let mut state = MissingEoi::of(true);
        for _ in 0..3 * ENOUGH {
            let _ = state.inspect(cut(P420, 2), decodes);
        }
        assert_eq!(asked.get(), 1, "the first picture without an EOI");
        for bytes in [P420, cut(P420, 2), cut(P420, 100)] {
            let _ = state.inspect(bytes, decodes);
        }
        assert_eq!(asked.get(), 1, "one with an EOI, and cut ones");
    }
}
