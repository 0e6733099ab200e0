//! Bytes at random, and comments.

use super::*;

#[test]
fn comment_is_the_first_com_segment() {
    assert_eq!(comment(FFMPEG), Some(&b"Lavc59.37.100\0"[..]));
    assert_eq!(comment(P420), None);
    let at = place(P420, marker::SOF0);
    let jpeg = put(
        P420,
        at,
        &[0xFF, 0xFE, 0, 5, b'a', b'b', b'c', 0xFF, 0xFE, 0, 2],
    );
    assert_eq!(comment(&jpeg), Some(&b"abc"[..]));
    for bytes in [&b""[..], b"\xFF", b"garbage", &jpeg[..at + 5]] {
        assert_eq!(comment(bytes), None);
    }
}

#[test]
fn random_bytes_are_never_taken() {
    let mut random = Xorshift(42);
    for round in 0..2000 {
        let mut bytes: Vec<u8> = (0..random.next() % 3000)
            .map(|_| random.next() as u8)
            .collect();
        if round % 2 == 0 {
            bytes.splice(
                0..0,
                P420[..random.next() % data_start(P420)].iter().copied(),
            );
        }
        assert!(inspect(&bytes).is_err());
    }
}

#[test]
fn mutated_pictures_never_panic_and_come_out_whole() {
    let mut random = Xorshift(0x9E37_79B9_7F4A_7C15);
    let mut taken = 0;
    for _ in 0..100_000 {
        let (_, jpeg, ..) = ALL[random.next() % ALL.len()];
        let mut bytes = jpeg.to_vec();
        for _ in 0..random.next() % 4 {
            let at = random.next() % bytes.len().max(1);
            let other = ALL[random.next() % ALL.len()].1;
            match random.next() % 6 {
                0 => bytes.truncate(at),
                1 => bytes.truncate(bytes.len().saturating_sub(random.next() % 5)),
                2 => bytes.extend_from_slice(&other[random.next() % other.len()..]),
                3 => bytes.extend(vec![random.next() as u8; random.next() % 40]),
                4 => drop(
                    bytes.drain(at.min(bytes.len())..(at + random.next() % 9).min(bytes.len())),
                ),
                _ => {
                    if let Some(byte) = bytes.get_mut(at) {
                        *byte = [0, 1, 0xFF, 0xD9, 0xC4, random.next() as u8][random.next() % 6];
                    }
                }
            }
        }
        let end = match inspect(&bytes) {
            Err(JpegError::NoEoi(layout)) => {
                let mut out = Vec::new();
                layout.write_to(&bytes, &mut out);
                Some(out)
            }
            _ => None,
        };
        if let Some(out) = repaired(&bytes).ok().or(end) {
            taken += 1;
            assert!(out.starts_with(&[0xFF, marker::SOI]) && out.ends_with(&END));
            let layout = inspect(&out).expect("a repaired picture is whole");
            assert!(layout.is_untouched() && layout.len == out.len());
        }
    }
    assert!(
        taken > 1000,
        "the mutations must leave something to take: {taken}"
    );
}

#[test]
fn a_comment_put_in_is_found_again_and_harms_nothing() {
    let plain = include_bytes!("../../../tests/jpeg/420.jpg");
    let marked = with_comment(plain, b"words");
    assert_eq!(comment(&marked), Some(&b"words"[..]));
    let before = inspect(plain).expect("whole");
    let after = inspect(&marked).expect("whole");
    assert_eq!((after.width, after.height), (before.width, before.height));
    assert_eq!(after.len, before.len + 4 + 5);
}
