//! Headers that contradict themselves, and pictures of several scans.

use super::*;

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
    let not_jpeg = |one, two| JpegError::NotJpeg { begin: [one, two] };
    let cases: Vec<(&str, Vec<u8>, JpegError)> = vec![
        ("nothing", vec![], JpegError::Empty),
        ("one byte", vec![0xFF], not_jpeg(0xFF, 0)),
        ("zeros", vec![0; 100], not_jpeg(0, 0)),
        ("FFs", vec![0xFF; 65536], not_jpeg(0xFF, 0xFF)),
        ("text", b"<html>".to_vec(), not_jpeg(b'<', b'h')),
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
fn flaws_say_what_is_wrong() {
    let flaw = JpegError::UnexpectedMarker {
        marker: 0xD8,
        at: 17,
    };
    assert_eq!(flaw.to_string(), "unexpected marker `FFD8` at byte 17");
    assert_eq!(flaw.reason(), "unexpected_marker");
    assert_eq!(
        JpegError::Truncated { at: 9 }.to_string(),
        "cut off at byte 9"
    );
    let flaw = inspect(&P420[..P420.len() - 2]).expect_err("no EOI");
    let bytes = P420.len() - 2;
    assert_eq!(flaw.to_string(), format!("cut off at byte {bytes}: no EOI"));
}

#[test]
fn a_few_bytes_before_the_soi_are_passed_over() {
    for (lead, expected) in [
        (b"".as_slice(), Some(0)),
        (b"\0", Some(1)),
        (b"\r\n", Some(2)),
        (b"\xff\xd8", Some(0)),
        (&[b'x'; 100], Some(100)),
        (&[b'x'; 4096], Some(4096)),
        (&[b'x'; 4097], None),
    ] {
        let bytes = [lead, P420].concat();
        assert_eq!(find_soi(&bytes), expected, "{}", lead.len());
    }
    assert_eq!(find_soi(b"\xff"), None);
}
