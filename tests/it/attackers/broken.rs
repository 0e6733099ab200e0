//! What is no HTTP, or broken HTTP.

use super::{
    request,
    rows::{NO_WORD, Row},
};

const BAD: [u16; 2] = [400, NO_WORD];
const FINE_OR_BAD: [u16; 3] = [200, 400, NO_WORD];

/// All of them.
pub fn rows() -> Vec<Row> {
    // A ClientHello for TLS 1.2, cut after its random bytes, and whole.
    let mut hello = vec![0x16, 3, 1, 0, 0x41, 1, 0, 0, 0x3d, 3, 3];
    hello.extend((0..32).map(|byte| byte * 7));
    let cut = hello.clone();
    hello.extend([0, 0, 4, 0xc0, 0x2f, 0, 0x9c, 1, 0, 0, 0x10]);
    hello.extend([0, 0x0a, 0, 4, 0, 2, 0, 0x17, 0, 0x0b, 0, 2, 1, 0, 0, 0]);
    let http2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\x12\x04\0\0\0\0\0";
    let wrong = [400, 408, 505, NO_WORD];
    let with = |line: &str| format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\n{line}\r\n\r\n");
    let long = "a".repeat(1 << 20);
    let too_long = [400, 414, 431, NO_WORD];
    vec![
        Row::new("a TLS hello", hello, &wrong).and_ends(),
        Row::new("half a TLS hello", cut, &wrong).and_ends(),
        Row::new("HTTP/2", http2, &wrong).and_ends(),
        Row::new("HTTP/0.9", "GET /\r\n\r\n", &wrong).and_ends(),
        Row::new(
            "HTTP/3.0",
            "GET / HTTP/3.0\r\nHost: localhost\r\n\r\n",
            &wrong,
        )
        .and_ends(),
        Row::new("HTTP/x", "GET / HTTP/x\r\nHost: localhost\r\n\r\n", &wrong).and_ends(),
        Row::new(
            "no version",
            "GET /healthz\r\nHost: localhost\r\n\r\n",
            &wrong,
        )
        .and_ends(),
        Row::new("one word", "GET\r\n\r\n", &wrong).and_ends(),
        Row::new("empty lines", "\r\n".repeat(1000), &wrong).and_ends(),
        Row::new("only NULs", [0; 2048], &wrong).and_ends(),
        Row::new("noise", (0..=255u8).rev().collect::<Vec<_>>(), &wrong).and_ends(),
        Row::new("SSH", "SSH-2.0-OpenSSH_9.2\r\n", &wrong).and_ends(),
        Row::new(
            "NUL in the target",
            "GET /\0 HTTP/1.1\r\nHost: localhost\r\n\r\n",
            &[400, 404, NO_WORD],
        ),
        Row::new("NUL in a header", with("X: a\0b"), &BAD),
        Row::new("NUL in a name", with("X\0: a"), &BAD),
        Row::new("no ASCII in a name", with("Ü: a"), &BAD),
        Row::new("no ASCII in a header", with("X: ü"), &FINE_OR_BAD),
        Row::new("no UTF-8 in a header", latin("X: \u{fc}"), &FINE_OR_BAD),
        Row::new(
            "no UTF-8 in the target",
            latin_target(),
            &[400, 404, NO_WORD],
        ),
        Row::new("no colon", with("nonsense"), &BAD),
        Row::new("no name", with(": value"), &BAD),
        Row::new("a blank before the colon", with("Host : x"), &BAD),
        Row::new("a folded line", with("X: a\r\n b"), &FINE_OR_BAD),
        Row::new("a lonely CR", with("X: a\rY: b"), &BAD),
        Row::new(
            "lonely LFs",
            "GET /healthz HTTP/1.1\nHost: x\n\n",
            &[200, 400, 408, NO_WORD],
        ),
        Row::new(
            "a line of 17 KiB",
            with(&format!("X: {}", &long[..17 << 10])),
            &[431],
        )
        .and_ends(),
        Row::new("a line of a MB", with(&format!("X: {long}")), &too_long).and_ends(),
        Row::new(
            "a target of a MB",
            request("GET", &format!("/{long}")),
            &too_long,
        )
        .and_ends(),
        Row::new(
            "a query of a MB",
            request("GET", &format!("/state?{long}")),
            &too_long,
        )
        .and_ends(),
        Row::new("a method of a MB", request(&long, "/"), &too_long).and_ends(),
        Row::new("no host", "GET /healthz HTTP/1.1\r\n\r\n", &FINE_OR_BAD),
        Row::new(
            "another host",
            "GET /state HTTP/1.1\r\nHost: evil.example\r\n\r\n",
            &[421],
        ),
        Row::new("two hosts", with("Host: y"), &FINE_OR_BAD),
        Row::new(
            "an upgrade",
            with("Upgrade: websocket\r\nConnection: Upgrade"),
            &[200, 400, 426],
        ),
        Row::new(
            "a range",
            with("Range: bytes=0-,5-,-1"),
            &[200, 206, 400, 416],
        ),
    ]
}

/// A request whose header line is in Latin-1.
fn latin(line: &str) -> Vec<u8> {
    let head = format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\n{line}\r\n\r\n");
    head.chars().map(|letter| letter as u8).collect()
}

fn latin_target() -> Vec<u8> {
    b"GET /\xff\xfe\xc0\xaf HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec()
}
