//! Readers of MJPEG streams that cannot be run here, rebuilt by the rules in their sources: what they
//! would trip over fails here. Those of OctoPrint, Mainsail and Fluidd are in
//! `printers`.

use crate::{
    auth::secret,
    camfeed::{Camfeed, Folder, SMALL, film},
    http::{ask_with, find, send},
};
use opencv::{core::Mat, imgcodecs, prelude::*};
use std::io::{BufRead, BufReader, Read};

/// The head of an answer, and what follows it.
struct Body {
    head: String,
    rest: BufReader<std::net::TcpStream>,
}

fn open(camfeed: &Camfeed, path: &str, headers: &str) -> Body {
    let host = camfeed.address;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n");
    let mut rest = BufReader::new(send(host, &request));
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert_ne!(rest.read_line(&mut head).expect("text"), 0, "{head}");
    }
    Body { head, rest }
}

impl Body {
    fn content_type(&self) -> &str {
        let lines = self.head.lines();
        let mut values = lines.filter_map(|line| line.strip_prefix("Content-Type: "));
        values.next().expect("a type")
    }
}

/// The size of a JPEG that a decoder finds nothing wrong with.
fn size(jpeg: &[u8]) -> (i32, i32) {
    let bytes = Mat::from_slice(jpeg).unwrap();
    let picture = imgcodecs::imdecode(&bytes, imgcodecs::IMREAD_COLOR).unwrap();
    (picture.cols(), picture.rows())
}

/// The streams that readers meet: encoded here, whole and in stripes, and passed through from a
/// film and through a relay; and that of a second camera.
fn streams(folder: &Folder) -> Vec<(&'static str, Camfeed, &'static str)> {
    let path = folder.file("clip.avi");
    film(&path, "mjpeg", "320x240", 20, 5);
    let large = Camfeed::online(&["--source", "test:1280x720@30"]);
    let relay = Camfeed::online(&["--source", &large.url("/stream")]);
    let second = format!("shed={path}");
    let two = Camfeed::start(&["--camera", "garden=test:160x120@5", "--camera", &second]);
    two.wait_logs("camera online", 2);
    let small = Camfeed::online(&["--source", SMALL]);
    let film = Camfeed::online(&["--source", &path]);
    vec![
        ("small", small, "/stream"),
        ("large", large, "/stream"),
        ("relay", relay, "/stream"),
        ("film", film, "/stream"),
        ("second", two, "/shed/stream"),
    ]
}

/// go2rtc (6f5d087, pkg/mpjpeg/multipart.go; 00b818b, internal/http/http.go): the type up to the `;`; empty
/// lines; a line that begins with `--`, and not the next one too; a MIME head with Content-Length;
/// so many bytes.
#[test]
fn go2rtc_reads_every_frame() {
    let folder = Folder::new();
    for (name, camfeed, path) in streams(&folder) {
        let mut body = open(&camfeed, path, "");
        assert!(body.head.starts_with("HTTP/1.1 200 "), "{}", body.head);
        let kind = body.content_type().split(';').next();
        assert_eq!(kind, Some("multipart/x-mixed-replace"));
        for _ in 0..12 {
            let jpeg = next_of_go2rtc(&mut body.rest);
            let expected = if ["small", "film", "second"].contains(&name) {
                (320, 240)
            } else {
                (1280, 720)
            };
            assert_eq!(size(&jpeg), expected, "{name}");
        }
    }
}

fn next_of_go2rtc(stream: &mut impl BufRead) -> Vec<u8> {
    let line = |stream: &mut dyn BufRead| {
        let mut line = String::new();
        assert_ne!(stream.read_line(&mut line).expect("text"), 0, "the end");
        line
    };
    loop {
        let boundary = line(stream);
        if boundary == "\r\n" {
            continue;
        }
        assert!(boundary.starts_with("--"), "wrong boundary: {boundary:?}");
        if !stream.fill_buf().expect("bytes").starts_with(b"--") {
            break;
        }
    }
    let mut length = None;
    loop {
        let field = line(stream);
        if field == "\r\n" {
            break;
        }
        // Go's textproto: a name without spaces and a colon, else the stream is over.
        let (name, value) = field.split_once(':').expect("a field");
        assert!(!name.is_empty() && !name.contains(' '), "{field:?}");
        if name.eq_ignore_ascii_case("Content-Length") {
            length = value.trim().parse().ok();
        }
    }
    let mut jpeg = vec![0; length.expect("a content length")];
    stream.read_exact(&mut jpeg).expect("as many bytes");
    jpeg
}

/// Home Assistant 2025.4, components/mjpeg/camera.py, without a still image URL: chunks of 102400
/// bytes until one of them is there with an end; from the first FFD8 to the first FFD9.
#[test]
fn home_assistant_cuts_a_whole_picture_out_of_the_stream() {
    let folder = Folder::new();
    for (name, camfeed, path) in streams(&folder) {
        let mut body = open(&camfeed, path, "");
        let mut data = Vec::new();
        let still = loop {
            let mut chunk = vec![0; 102_400];
            body.rest.read_exact(&mut chunk).expect("a chunk");
            data.append(&mut chunk);
            let (begin, end) = (find(&data, &[0xff, 0xd8]), find(&data, &[0xff, 0xd9]));
            if let (Some(begin), Some(end)) = (begin, end) {
                break data[begin..end + 2].to_vec();
            }
        };
        let length = String::from_utf8_lossy(&data);
        let length = length.split("Content-Length: ").nth(1).expect("a length");
        let length = length
            .split("\r\n")
            .next()
            .and_then(|text| text.parse().ok());
        assert_eq!(Some(still.len()), length, "{name}: no more and no less");
        assert!(size(&still).0 > 0, "{name}");
    }
}

/// The same, components/mjpeg/config_flow.py: both addresses must answer without an error, with
/// the password as Basic, else it says that the password is wrong: 401, and again for Digest.
#[test]
fn home_assistant_takes_the_password_and_knows_a_wrong_one() {
    let folder = Folder::new();
    let password = secret(&folder, "password", "ann:open sesame");
    let camfeed = Camfeed::online(&["--source", SMALL, "--password-file", &password]);
    // ann:open sesame and ann:open barley
    for (basic, status) in [
        ("YW5uOm9wZW4gc2VzYW1l", "HTTP/1.1 200 "),
        ("YW5uOm9wZW4gYmFybGV5", "HTTP/1.1 401 "),
    ] {
        let header = format!("Authorization: Basic {basic}\r\n");
        let head = open(&camfeed, "/stream", &header).head;
        assert!(head.starts_with(status), "{head}");
        let still = ask_with(camfeed.address, "GET", "/snapshot.jpg", &header);
        assert!(still.head.starts_with(status), "{}", still.head);
    }
}
