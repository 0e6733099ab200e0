//! Whole pictures, padding, and the tables that are put in.

use super::*;

#[test]
fn whole_pictures_come_out_bit_for_bit() {
    for (name, jpeg, width, height) in ALL {
        let layout = inspect(jpeg).unwrap_or_else(|flaw| panic!("{name}: {flaw}"));
        assert_eq!(
            (layout.width, layout.height, layout.len),
            (width, height, jpeg.len()),
            "{name}"
        );
        assert!(layout.is_untouched(), "{name}");
        assert_eq!(repaired(jpeg).as_deref(), Ok(jpeg), "{name}");
    }
}

#[test]
fn write_to_appends_and_survives_other_bytes() {
    let layout = inspect(P420).expect("a whole picture");
    let mut out = b"head".to_vec();
    layout.write_to(P420, &mut out);
    assert_eq!(out, join(&[b"head", P420]));
    let bare = without(P420, marker::DHT);
    inspect(&bare)
        .expect("tables can be put in")
        .write_to(b"other", &mut out);
}

#[test]
fn padding_and_garbage_after_the_end_are_cut_off() {
    let zeros = [0; 5000];
    let ones = [0xFF; 300];
    let tails: [&[u8]; 8] = [
        &[0],
        &zeros,
        &ones,
        &[0xFF],
        &[0x55; 64],
        b"\r\n",
        &[0xFF, 0xD9, 0xFF, 0xD9],
        FFMPEG,
    ];
    for (name, jpeg, ..) in ALL {
        for tail in tails {
            assert_eq!(
                repaired(&join(&[jpeg, tail])).as_deref(),
                Ok(jpeg),
                "{name}, {} bytes",
                tail.len()
            );
        }
    }
}

#[test]
fn fill_bytes_before_markers_are_kept() {
    for code in [
        marker::APP0,
        marker::DQT,
        marker::SOF0,
        marker::DHT,
        marker::SOS,
    ] {
        let jpeg = put(P420, place(P420, code), &[0xFF; 3]);
        assert_eq!(repaired(&jpeg), Ok(jpeg.clone()), "before FF{code:02X}");
    }
    let end = put(P420, P420.len() - 2, &[0xFF; 70]);
    assert_eq!(repaired(&end), Ok(end.clone()));
    let restart = RESTART
        .windows(2)
        .position(|pair| pair == [0xFF, 0xD0])
        .expect("a restart");
    let jpeg = put(RESTART, restart, &[0xFF; 2]);
    assert_eq!(repaired(&jpeg), Ok(jpeg.clone()));
    let bare = without(
        &put(P420, place(P420, marker::SOS), &[0xFF; 3]),
        marker::DHT,
    );
    assert!(
        repaired(&bare).is_ok_and(|out| inspect(&out).is_ok_and(|layout| layout.is_untouched()))
    );
}

#[test]
fn missing_huffman_tables_are_put_in() {
    for (name, jpeg, ..) in &ALL[..SEQUENTIAL] {
        let bare = without(jpeg, marker::DHT);
        let layout = inspect(&bare).unwrap_or_else(|flaw| panic!("{name}: {flaw}"));
        assert!(
            layout.needs_huffman && layout.lost == 0 && !layout.is_untouched(),
            "{name}"
        );
        assert_eq!(layout.insert_at, place(&bare, marker::SOS), "{name}");
        let out = repaired(&bare).expect("just inspected");
        assert_eq!(without(&out, marker::DHT), bare, "{name}");
        assert_eq!(out.len(), bare.len() + 420, "{name}");
        assert!(
            inspect(&out).is_ok_and(|layout| layout.is_untouched()),
            "{name}"
        );
    }
}

#[test]
fn own_tables_win_over_inserted_ones() {
    // The luminance tables are the picture's own (optimised), the chrominance tables are left out.
    let first = place(OPTIMIZED, marker::DHT);
    let mut at = first;
    let mut jpeg = OPTIMIZED[..first].to_vec();
    loop {
        let segment = Segment::read(OPTIMIZED, at).expect("a whole picture");
        if segment.code == marker::SOS {
            break;
        }
        if segment.code != marker::DHT || segment.body[0] & 15 == 0 {
            jpeg.extend_from_slice(&OPTIMIZED[at..segment.end]);
        }
        at = segment.end;
    }
    jpeg.extend_from_slice(&OPTIMIZED[at..]);
    let layout = inspect(&jpeg).expect("half the tables are there");
    assert!(layout.needs_huffman);
    assert_eq!(layout.insert_at, first, "before the tables that are to win");
}

#[test]
fn tables_that_no_standard_supplies_are_a_flaw() {
    for code in [marker::DHT, marker::DQT] {
        let jpeg = without(PROGRESSIVE, code);
        assert_eq!(
            inspect(&jpeg),
            Err(JpegError::NoTables),
            "progressive without FF{code:02X}"
        );
    }
    assert_eq!(
        inspect(&without(P420, marker::DQT)),
        Err(JpegError::NoTables)
    );
    let bare = without(P420, marker::DHT);
    let selector = place(&bare, marker::SOS) + 6;
    assert_eq!(
        inspect(&with_byte(&bare, selector, 0x20)),
        Err(JpegError::NoTables),
        "DC table 2"
    );
}

#[test]
fn standard_tables_are_libjpegs_and_ffmpegs() {
    let at = place(FFMPEG, marker::DHT);
    assert_eq!(FFMPEG[at..at + 420], tables::STANDARD_HUFFMAN);
    // libjpeg writes each table as a segment of its own.
    let mut count = 0;
    let mut at = place(P420, marker::DHT);
    while let Ok(Segment {
        code: marker::DHT,
        body,
        end,
        ..
    }) = Segment::read(P420, at)
    {
        let mut tables = tables::STANDARD_HUFFMAN.windows(body.len());
        assert!(tables.any(|table| table == body));
        (at, count) = (end, count + 1);
    }
    assert_eq!(count, 4);
}
