//! An HTTP proxy that finds every name at 127.0.0.1, for a browser that cannot be told where a name
//! is. It hands bytes on as they are, but for the user in an address: the server is asked for whole
//! addresses (RFC 9112, 3.2.2).

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    thread,
};

/// Starts one, which runs until the tests end.
pub fn start() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    thread::spawn(move || {
        for browser in listener.incoming().map_while(Result::ok) {
            // That one side has ended is told to the other, and is no concern of the tests.
            thread::spawn(move || lead(browser).unwrap_or_default());
        }
    });
    address
}

/// Leads a connection, all of whose requests are for the server of the first.
fn lead(browser: TcpStream) -> io::Result<()> {
    let mut from = BufReader::new(browser.try_clone()?);
    let mut line = Vec::new();
    from.read_until(b'\n', &mut line)?;
    let line = String::from_utf8_lossy(&without_user(&line)).into_owned();
    // Such as `GET http://cam:8080/stream HTTP/1.1`.
    let host = line.split('/').nth(2);
    let port = host.and_then(|host| host.split(':').nth(1)?.parse::<u16>().ok());
    let Some(port) = port else {
        return Ok(()); // It was made ahead and not used.
    };
    let mut server = TcpStream::connect(("127.0.0.1", port))?;
    server.write_all(line.as_bytes())?;
    let (up, down) = (server.try_clone()?, browser);
    thread::spawn(move || {
        let _ = ask(from, &up);
        up.shutdown(Shutdown::Both)
    });
    pump(&server, &down);
    let _ = server.shutdown(Shutdown::Both);
    let _ = down.shutdown(Shutdown::Both);
    Ok(())
}

/// Hands on the requests of `from`, each of which begins what is read at once: it waits for the answer to
/// the one before.
fn ask(mut from: impl BufRead, mut to: &TcpStream) -> io::Result<()> {
    loop {
        let bytes = from.fill_buf()?;
        let count = bytes.len();
        if count == 0 {
            return Ok(());
        }
        to.write_all(&without_user(bytes))?;
        from.consume(count);
    }
}

/// `request` without the user that WebKit (2.50) leaves in its address, which no proxy hands on
/// (RFC 9110, 4.2.4).
fn without_user(request: &[u8]) -> Vec<u8> {
    let start = b"GET http://";
    let rest = request.strip_prefix(start).unwrap_or_default();
    let host = rest.split(|&byte| byte == b'/').next().unwrap_or_default();
    match host.iter().rposition(|&byte| byte == b'@') {
        Some(at) => [start, &rest[at + 1..]].concat(),
        None => request.to_vec(),
    }
}

/// Hands on all of `from`; its end is the end of `to`.
fn pump(mut from: impl Read, mut to: &TcpStream) {
    let _ = io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Both);
}
