//! Table tests of the marker walk, on small real JPEGs made once with cjpeg (libjpeg-turbo) and
//! ffmpeg.
//!
//! The pictures are in `tests/jpeg/`; how each was made is in the README there. Everything else is
//! cut, glued and bent from them here, so that no test needs a tool or a camera.

use super::*;

const P420: &[u8] = include_bytes!("../../tests/jpeg/420.jpg");
const P422: &[u8] = include_bytes!("../../tests/jpeg/422.jpg");
const P444: &[u8] = include_bytes!("../../tests/jpeg/444.jpg");
const GREY: &[u8] = include_bytes!("../../tests/jpeg/grey.jpg");
const ODD: &[u8] = include_bytes!("../../tests/jpeg/odd.jpg");
const SCANS: &[u8] = include_bytes!("../../tests/jpeg/scans.jpg");
const OPTIMIZED: &[u8] = include_bytes!("../../tests/jpeg/optimized.jpg");
const RESTART: &[u8] = include_bytes!("../../tests/jpeg/restart.jpg");
const RESTART_ROWS: &[u8] = include_bytes!("../../tests/jpeg/restart_rows.jpg");
const FFMPEG: &[u8] = include_bytes!("../../tests/jpeg/ffmpeg.jpg");
const PROGRESSIVE: &[u8] = include_bytes!("../../tests/jpeg/progressive.jpg");
const ARITHMETIC: &[u8] = include_bytes!("../../tests/jpeg/arithmetic.jpg");

/// Every picture with its name and size; those that may lack their EOI come first.
const ALL: [(&str, &[u8], u16, u16); 12] = [
    ("420", P420, 48, 32),
    ("422", P422, 48, 32),
    ("444", P444, 41, 27),
    ("grey", GREY, 48, 32),
    ("odd", ODD, 41, 27),
    ("scans", SCANS, 48, 32),
    ("optimized", OPTIMIZED, 64, 48),
    ("restart", RESTART, 48, 32),
    ("restart_rows", RESTART_ROWS, 64, 48),
    ("ffmpeg", FFMPEG, 24, 16),
    ("progressive", PROGRESSIVE, 48, 32),
    ("arithmetic", ARITHMETIC, 48, 32),
];
const SEQUENTIAL: usize = 10;

fn repaired(bytes: &[u8]) -> Result<Vec<u8>, JpegError> {
    let layout = inspect(bytes)?;
    let mut out = Vec::new();
    layout.write_to(bytes, &mut out);
    assert_eq!(out.len(), layout.repaired_len());
    Ok(out)
}

fn join(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

/// The picture with every segment of this marker before the scan taken out.
fn without(jpeg: &[u8], code: u8) -> Vec<u8> {
    let mut out = jpeg[..2].to_vec();
    let mut at = 2;
    loop {
        let segment = Segment::read(jpeg, at).expect("a whole picture");
        if segment.code == marker::SOS {
            out.extend_from_slice(&jpeg[at..]);
            return out;
        }
        if segment.code != code {
            out.extend_from_slice(&jpeg[at..segment.end]);
        }
        at = segment.end;
    }
}

/// Where the first segment of this marker begins.
fn place(jpeg: &[u8], code: u8) -> usize {
    let mut at = 2;
    loop {
        let segment = Segment::read(jpeg, at).expect("the marker is there");
        if segment.code == code {
            return at;
        }
        at = segment.end;
    }
}

/// The first byte of the first scan's data.
fn data_start(jpeg: &[u8]) -> usize {
    Segment::read(jpeg, place(jpeg, marker::SOS))
        .expect("a SOS")
        .end
}

fn put(jpeg: &[u8], at: usize, bytes: &[u8]) -> Vec<u8> {
    join(&[&jpeg[..at], bytes, &jpeg[at..]])
}

fn with_byte(jpeg: &[u8], at: usize, byte: u8) -> Vec<u8> {
    let mut out = jpeg.to_vec();
    out[at] = byte;
    out
}

struct Xorshift(u64);

impl Xorshift {
    fn next(&mut self) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize
    }
}

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
fn marker_that_cannot_stand_in_a_scan_is_refused() {
    let start = data_start(P420);
    let at = start + 40;
    for code in [
        0x01, 0x02, 0xBF, 0xC0, 0xC2, 0xC4, 0xD0, 0xD7, 0xD8, 0xDA, 0xDB, 0xDC, 0xDD, 0xE0, 0xF0,
        0xFE,
    ] {
        let result = inspect(&put(P420, at, &[0xFF, code]));
        assert!(
            matches!(result, Err(JpegError::UnexpectedMarker { marker, .. }) if marker == code),
            "FF{code:02X}: {result:?}"
        );
    }
    assert_eq!(
        inspect(&put(P420, start + 4, &END)),
        Err(JpegError::Truncated { at: start + 4 }),
        "an end far too soon"
    );
}

#[test]
fn each_kind_of_bad_header_has_its_flaw() {
    let sof = place(P420, marker::SOF0);
    let sos = place(P420, marker::SOS);
    let dqt = place(P420, marker::DQT);
    let dht = place(P420, marker::DHT);
    let size = |bytes: [u8; 4]| join(&[&P420[..sof + 5], &bytes, &P420[sof + 9..]]);
    let bad = |marker, at| JpegError::BadSegment { marker, at };
    let cases: Vec<(&str, Vec<u8>, JpegError)> = vec![
        ("nothing", vec![], JpegError::Empty),
        ("one byte", vec![0xFF], JpegError::NotJpeg),
        ("zeros", vec![0; 100], JpegError::NotJpeg),
        ("FFs", vec![0xFF; 65536], JpegError::NotJpeg),
        ("text", b"<html>".to_vec(), JpegError::NotJpeg),
        (
            "SOI alone",
            vec![0xFF, 0xD8],
            JpegError::Truncated { at: 2 },
        ),
        (
            "SOI and FFs",
            join(&[&[0xFF, 0xD8], &[0xFF; 65536]]),
            JpegError::Truncated { at: 65538 },
        ),
        (
            "SOI and zeros",
            join(&[&[0xFF, 0xD8], &[0; 9]]),
            JpegError::StrayByte { at: 2 },
        ),
        (
            "SOI and EOI",
            vec![0xFF, 0xD8, 0xFF, 0xD9],
            JpegError::NoFrameHeader,
        ),
        (
            "FF00 for a marker",
            put(P420, dqt, &[0xFF, 0]),
            JpegError::StrayByte { at: dqt + 1 },
        ),
        (
            "stray byte",
            put(P420, dqt, &[7]),
            JpegError::StrayByte { at: dqt },
        ),
        ("length 0", with_byte(P420, dqt + 3, 0), bad(0xDB, dqt)),
        ("length 1", with_byte(P420, dqt + 3, 1), bad(0xDB, dqt)),
        (
            "length past the end",
            with_byte(P420, dqt + 2, 0xFF),
            JpegError::Truncated { at: P420.len() },
        ),
        ("short DQT", with_byte(P420, dqt + 3, 66), bad(0xDB, dqt)),
        ("DQT number 4", with_byte(P420, dqt + 4, 4), bad(0xDB, dqt)),
        (
            "DQT precision 2",
            with_byte(P420, dqt + 4, 0x20),
            bad(0xDB, dqt),
        ),
        (
            "DHT class 2",
            with_byte(P420, dht + 4, 0x20),
            bad(0xC4, dht),
        ),
        ("DHT number 4", with_byte(P420, dht + 4, 4), bad(0xC4, dht)),
        (
            "DHT counts too high",
            with_byte(P420, dht + 5, 200),
            bad(0xC4, dht),
        ),
        (
            "DRI of 3 bytes",
            put(P420, dqt, &[0xFF, 0xDD, 0, 5, 0, 0, 1]),
            bad(0xDD, dqt),
        ),
        ("no height", size([0, 0, 0, 48]), JpegError::ZeroSize),
        ("no width", size([0, 32, 0, 0]), JpegError::ZeroSize),
        (
            "7 bits",
            with_byte(P420, sof + 4, 7),
            JpegError::Unsupported { marker: 0xC0 },
        ),
        (
            "lossless",
            with_byte(P420, sof + 1, 0xC3),
            JpegError::Unsupported { marker: 0xC3 },
        ),
        (
            "hierarchical",
            with_byte(P420, sof + 1, 0xC5),
            JpegError::Unsupported { marker: 0xC5 },
        ),
        (
            "JPG",
            with_byte(P420, sof + 1, 0xC8),
            JpegError::UnexpectedMarker {
                marker: 0xC8,
                at: sof,
            },
        ),
        (
            "2 components of 3",
            with_byte(P420, sof + 9, 2),
            bad(0xC0, sof),
        ),
        ("0 components", with_byte(P420, sof + 9, 0), bad(0xC0, sof)),
        (
            "sampling factor 0",
            with_byte(P420, sof + 11, 0x20),
            bad(0xC0, sof),
        ),
        (
            "sampling factor 5",
            with_byte(P420, sof + 11, 0x52),
            bad(0xC0, sof),
        ),
        (
            "sampling 4x4",
            with_byte(P420, sof + 11, 0x44),
            bad(0xDA, sos),
        ),
        (
            "two frame headers",
            put(P420, sof, &P420[sof..sof + 19]),
            JpegError::UnexpectedMarker {
                marker: 0xC0,
                at: sof + 19,
            },
        ),
        (
            "second SOI",
            put(P420, sof, &[0xFF, 0xD8]),
            JpegError::UnexpectedMarker {
                marker: 0xD8,
                at: sof,
            },
        ),
        (
            "no frame header",
            without(P420, marker::SOF0),
            JpegError::NoFrameHeader,
        ),
        ("no scan", join(&[&P420[..sos], &END]), JpegError::NoScan),
        (
            "unknown component",
            with_byte(P420, sos + 5, 9),
            bad(0xDA, sos),
        ),
        (
            "component twice",
            with_byte(P420, sos + 7, 1),
            bad(0xDA, sos),
        ),
        (
            "0 components scanned",
            with_byte(P420, sos + 4, 0),
            bad(0xDA, sos),
        ),
        (
            "4 components scanned",
            with_byte(P420, sos + 4, 4),
            bad(0xDA, sos),
        ),
        (
            "table number 4",
            with_byte(P420, sos + 6, 0x40),
            bad(0xDA, sos),
        ),
    ];
    for (name, bytes, flaw) in cases {
        assert_eq!(inspect(&bytes), Err(flaw), "{name}");
    }
}

#[test]
fn picture_of_several_scans_needs_them_all() {
    let mut ends = Vec::new();
    let mut at = 2;
    while let Ok(segment) = Segment::read(SCANS, at) {
        at = segment.end;
        if segment.code == marker::SOS {
            at = scan::next_marker(SCANS, at).expect("an end").0;
            ends.push(at);
        }
    }
    assert_eq!(ends.len(), 3);
    for &end in &ends[..2] {
        assert_eq!(
            inspect(&join(&[&SCANS[..end], &END])),
            Err(JpegError::Truncated { at: end })
        );
    }
    let again = join(&[&SCANS[..ends[2]], &SCANS[ends[1]..]]);
    assert!(matches!(
        inspect(&again),
        Err(JpegError::UnexpectedMarker { .. })
    ));
}

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

#[test]
fn flaws_say_what_is_wrong() {
    let flaw = JpegError::UnexpectedMarker {
        marker: 0xD8,
        at: 17,
    };
    assert_eq!(flaw.to_string(), "unexpected marker `FFD8` at byte 17");
    assert_eq!(flaw.reason(), "unexpected_marker");
    assert_eq!(
        JpegError::Truncated { at: 9 }.to_string(),
        "truncated at byte 9"
    );
    let flaw = inspect(&P420[..P420.len() - 2]).expect_err("no EOI");
    let bytes = P420.len() - 2;
    assert_eq!(flaw.to_string(), format!("no EOI in its {bytes} bytes"));
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
    let plain = include_bytes!("../../tests/jpeg/420.jpg");
    let marked = with_comment(plain, b"words");
    assert_eq!(comment(&marked), Some(&b"words"[..]));
    let before = inspect(plain).expect("whole");
    let after = inspect(&marked).expect("whole");
    assert_eq!((after.width, after.height), (before.width, before.height));
    assert_eq!(after.len, before.len + 4 + 5);
}
