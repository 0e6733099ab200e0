//! Asks whether a server that FFmpeg is to read answers at all.
//!
//! OpenCV opens one stream at a time through FFmpeg: while a server lets it wait, no other camera that FFmpeg
//! reads can be opened. So whoever does not answer is found out here, where nobody else waits.

use crate::{
    capture::source::mjpeg_http::{
        address::Address,
        answer::{Failure, left},
        request::{connect, lost},
    },
    config::SourceText,
};
use std::{
    io::{self, Read, Write},
    time::{Duration, Instant},
};

/// A server has this long for its first byte.
const PATIENCE: Duration = Duration::from_secs(5);

/// The schemes behind which a server listens for many, with their ports. One behind `tcp://` may be there for
/// one connection only.
const PORTS: [(&str, u16); 4] = [
    ("https", 443),
    ("rtsp", 554),
    ("rtsps", 322),
    ("rtmp", 1935),
];

/// Connects to the server of `url`, and waits for its first byte where one can be asked for.
///
/// # Errors
///
/// Why no stream can be expected there.
pub fn knock(url: &SourceText) -> Result<(), Failure> {
    let url = url.secret();
    let scheme = url.split("://").next().unwrap_or_default();
    let scheme = scheme.to_ascii_lowercase();
    let known = PORTS.iter().find(|(known, _)| *known == scheme);
    // What listens nowhere, or cannot be taken apart, is FFmpeg's.
    let Some(address) = known.and_then(|(scheme, port)| Address::of_scheme(url, scheme, *port))
    else {
        return Ok(());
    };
    let deadline = Instant::now() + PATIENCE;
    let mut stream = connect(&address, deadline)?;
    if scheme != "rtsp" {
        return Ok(());
    }
    let mut ask = || -> io::Result<()> {
        let place = format!("rtsp://{}:{}/", address.bracketed_host(), address.port);
        let request = format!("OPTIONS {place} RTSP/1.0\r\nCSeq: 1\r\nUser-Agent: camfeed\r\n\r\n");
        stream.set_write_timeout(Some(left(deadline)?))?;
        stream.write_all(request.as_bytes())?;
        stream.set_read_timeout(Some(left(deadline)?))?;
        stream.read_exact(&mut [0])
    };
    ask().map_err(|error| lost(&error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Cause;
    use std::{net::TcpListener, thread};

    /// A listener, and its address under `scheme`.
    fn listener(scheme: &str) -> (TcpListener, SourceText) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("bound").port();
        (
            listener,
            SourceText::url(&format!("{scheme}://ann:x@127.0.0.1:{port}/1")),
        )
    }

    #[test]
    fn a_server_that_answers_lets_pass_and_learns_no_secret() {
        let (listener, url) = listener("RTSP");
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("somebody knocks");
            let mut asked = [0; 256];
            let count = stream.read(&mut asked).expect("asked");
            stream
                .write_all(b"RTSP/1.0 401 Unauthorized\r\n\r\n")
                .expect("answered");
            String::from_utf8_lossy(&asked[..count]).into_owned()
        });
        assert_eq!(knock(&url), Ok(()));
        let asked = server.join().expect("no panic");
        assert!(asked.starts_with("OPTIONS rtsp://127.0.0.1:"), "{asked}");
        assert!(!asked.contains("ann"), "{asked}");
    }

    #[test]
    fn a_server_that_is_not_there_or_says_nothing_is_found_out() {
        let (closed, url) = listener("rtsp");
        let silent = thread::spawn(move || {
            let (mut stream, _) = closed.accept().expect("somebody knocks");
            // Unread bytes would make it a reset.
            stream.read(&mut [0; 256]).expect("asked")
        });
        let (cause, reason) = knock(&url).expect_err("it closes");
        assert_eq!(cause, Cause::Silent);
        assert!(reason.contains("without an answer"), "{reason}");
        assert!(silent.join().expect("no panic") > 0);
        for scheme in ["rtsp", "https", "rtmp"] {
            let (gone, url) = listener(scheme);
            drop(gone);
            let (cause, _) = knock(&url).expect_err("nobody listens");
            assert_eq!(cause, Cause::Unreachable, "{scheme}");
        }
        assert_eq!(knock(&SourceText::url("udp://127.0.0.1:9")), Ok(()));
    }
}
