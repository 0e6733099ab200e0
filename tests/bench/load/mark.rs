//! The fake camera (`tests/fakecam`) writes into each JPEG when it was taken: this mark tells the true
//! age of a picture at any server that passes the camera's bytes on.

/// What the fake camera wrote into a JPEG.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mark {
    pub number: u64,
    /// When it was taken, on CLOCK_MONOTONIC, in microseconds.
    pub taken_micros: u64,
}

/// The mark at the beginning of a JPEG, and how many bytes it has there, right after the first two.
pub fn read(jpeg: &[u8]) -> Option<(Mark, usize)> {
    let rest = jpeg.strip_prefix(&[0xff, 0xd8, 0xff, 0xfe])?;
    let length = usize::from(u16::from_be_bytes([*rest.first()?, *rest.get(1)?]));
    let text = std::str::from_utf8(rest.get(2..length)?).ok()?;
    let words = text.strip_prefix("fakecam ")?;
    let value = |name: &str| -> Option<u64> {
        let word = words.split(' ').find_map(|word| word.strip_prefix(name))?;
        word.parse().ok()
    };
    let mark = Mark {
        number: value("seq=")?,
        taken_micros: value("mono_us=")?,
    };
    Some((mark, 2 + length))
}
