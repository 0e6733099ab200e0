//! Pictures that were cut off, and what may be mended.

use super::*;

#[test]
fn picture_cut_anywhere_is_refused() {
    for (number, (name, jpeg, ..)) in ALL.iter().enumerate() {
        let bare = without(jpeg, marker::DHT);
        for jpeg in [jpeg.to_vec(), bare] {
            if inspect(&jpeg).is_err() {
                continue; // no standard table is its own
            }
            for len in 0..jpeg.len() {
                let lost = jpeg.len() - len;
                let flaw = inspect(&jpeg[..len]).expect_err("a cut picture");
                let reasons = ["empty", "garbage", "truncated", "no_eoi"];
                assert!(
                    reasons.contains(&flaw.reason()),
                    "{name}: {lost} bytes lost: {flaw}"
                );
                // Without its EOI alone, a picture whose scan has no more than one.
                let is_candidate = matches!(flaw, JpegError::NoEoi(_));
                assert!(is_candidate || lost > 2 || number >= SEQUENTIAL, "{name}");
                assert!(!is_candidate || number < SEQUENTIAL, "{name}");
                assert!(!is_candidate || len > data_start(&jpeg), "{name}");
            }
        }
    }
}

#[test]
fn picture_without_its_end_gets_one() {
    for (name, jpeg, ..) in &ALL[..SEQUENTIAL] {
        let bare = without(jpeg, marker::DHT);
        for jpeg in [jpeg.to_vec(), bare] {
            for len in 0..jpeg.len() {
                let Err(JpegError::NoEoi(layout)) = inspect(&jpeg[..len]) else {
                    continue;
                };
                assert_eq!((layout.len, layout.lost), (len, 2), "{name} cut at {len}");
                let tables = if layout.needs_huffman { 420 } else { 0 };
                let mut out = Vec::new();
                layout.write_to(&jpeg[..len], &mut out);
                assert_eq!(out.len(), len + tables + 2);
                assert_eq!(out.len(), layout.repaired_len());
                let whole = inspect(&out).expect("it has an EOI now");
                assert!(
                    whole.is_untouched() && whole.len == out.len(),
                    "{name} at {len}"
                );
            }
        }
    }
}

#[test]
fn up_to_three_lost_bytes_are_put_back() {
    for (name, jpeg, ..) in &ALL[..SEQUENTIAL] {
        for lost in 1..=3 {
            let bytes = &jpeg[..jpeg.len() - lost];
            let Err(JpegError::NoEoi(layout)) = inspect(bytes) else {
                panic!("{name}, {lost} lost: {:?}", inspect(bytes));
            };
            let mut out = Vec::new();
            JpegLayout { lost, ..layout }.write_to(bytes, &mut out);
            let mut expected = jpeg.to_vec();
            if lost == 3 {
                expected[jpeg.len() - 3] = 0;
            }
            assert_eq!(out, expected, "{name}, {lost} lost");
            assert!(inspect(&out).is_ok_and(|layout| layout.is_untouched()));
        }
    }
}

#[test]
fn padding_does_not_complete_a_cut_picture() {
    let paddings: [&[u8]; 4] = [&[0; 64], &[0; 4096], &[0xFF; 64], &[0x55; 4096]];
    for (name, jpeg, ..) in &ALL[..SEQUENTIAL] {
        for padding in paddings {
            for len in data_start(jpeg)..jpeg.len() - 3 {
                let result = inspect(&join(&[&jpeg[..len], padding]));
                assert!(
                    result.is_err(),
                    "{name} cut at {len} of {}, {:02X}",
                    jpeg.len(),
                    padding[0]
                );
            }
        }
    }
}

#[test]
fn lost_stuffing_is_put_back() {
    // One grey block. DC: code 0, then a value of 8 bits. AC: code 1 is the end of the block. Ones
    // to the end.
    let head = join(&[
        &[0xFF, marker::SOI, 0xFF, marker::DQT, 0, 67, 0],
        &[1; 64],
        &[0xFF, marker::SOF0, 0, 11, 8, 0, 8, 0, 8, 1, 1, 0x11, 0],
        &join(&[&[0xFF, marker::DHT, 0, 20, 0x00, 1], &[0; 15], &[8]]),
        &join(&[&[0xFF, marker::DHT, 0, 21, 0x10, 2], &[0; 15], &[1, 0]]),
        &[0xFF, marker::SOS, 0, 8, 1, 1, 0, 0, 63, 0],
    ]);
    let jpeg = join(&[&head, &[0x00, 0xFF, 0x00], &END]);
    for lost in 1..=3 {
        let bytes = &jpeg[..jpeg.len() - lost];
        let Err(JpegError::NoEoi(layout)) = inspect(bytes) else {
            panic!("{lost} lost: {:?}", inspect(bytes));
        };
        let mut out = Vec::new();
        JpegLayout { lost, ..layout }.write_to(bytes, &mut out);
        assert_eq!(out, jpeg, "{lost} lost");
    }
}

#[test]
fn cut_picture_before_another_is_refused() {
    for (name, jpeg, ..) in ALL {
        for len in 2..jpeg.len() - 2 {
            for other in [P420, RESTART, FFMPEG] {
                let result = inspect(&join(&[&jpeg[..len], other]));
                let is_in_segment = len < data_start(jpeg);
                assert!(
                    result.is_err() || is_in_segment,
                    "{name} cut at {len}: {result:?}"
                );
            }
        }
    }
}

#[test]
fn lost_restart_interval_is_noticed() {
    let places: Vec<usize> = (0..RESTART.len() - 1)
        .filter(|&at| RESTART[at] == 0xFF && (0xD0..=0xD7).contains(&RESTART[at + 1]))
        .collect();
    assert_eq!(places.len(), 5);
    let gap = join(&[&RESTART[..places[1]], &RESTART[places[2]..]]);
    assert_eq!(
        inspect(&gap),
        Err(JpegError::UnexpectedMarker {
            marker: 0xD2,
            at: places[1]
        })
    );
    let early_end = join(&[&RESTART[..places[4]], &END]);
    assert_eq!(
        inspect(&early_end),
        Err(JpegError::Truncated { at: places[4] })
    );
    let one_more = put(RESTART, RESTART.len() - 2, &[0xFF, 0xD5]);
    assert_eq!(
        repaired(&one_more),
        Ok(one_more.clone()),
        "a habit of some encoders"
    );
    let two_more = put(&one_more, one_more.len() - 2, &[0xFF, 0xD6]);
    assert_eq!(
        inspect(&two_more).map_err(|flaw| flaw.reason()),
        Err("unexpected_marker")
    );
}

#[test]
fn end_marker_is_found_at_every_place_of_a_step() {
    for len in 0..200 {
        let mut bytes = vec![0x11; len];
        bytes.extend_from_slice(&END);
        assert_eq!(
            scan::next_marker(&bytes, 0),
            Some((len, marker::EOI, len + 2))
        );
        bytes[..len].fill(0xFF);
        assert_eq!(
            scan::next_marker(&bytes, 0),
            Some((0, marker::EOI, len + 2))
        );
        let stuffed = join(&[&[0xFF, 0].repeat(len), &END]);
        assert_eq!(
            scan::next_marker(&stuffed, 0),
            Some((2 * len, marker::EOI, 2 * len + 2))
        );
        assert_eq!(scan::next_marker(&stuffed[..2 * len + 1], 0), None);
    }
}
