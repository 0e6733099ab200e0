//! An HTTP proxy that finds every name at 127.0.0.1, for a browser that cannot be told where a name
//! is. It hands bytes on as they are: the server is asked for whole addresses (RFC 9112, 3.2.2).

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
    let mut line = String::new();
    from.read_line(&mut line)?;
    // Such as `GET http://cam:8080/stream HTTP/1.1`.
    let host = line.split('/').nth(2);
    let port = host.and_then(|host| host.split(':').nth(1)?.parse::<u16>().ok());
    let Some(port) = port else {
        return Ok(()); // It was made ahead and not used.
    };
    let mut server = TcpStream::connect(("127.0.0.1", port))?;
    server.write_all(line.as_bytes())?;
    let (up, down) = (server.try_clone()?, browser);
    thread::spawn(move || pump(from, &up));
    pump(&server, &down);
    let _ = server.shutdown(Shutdown::Both);
    let _ = down.shutdown(Shutdown::Both);
    Ok(())
}

/// Hands on all of `from`; its end is the end of `to`.
fn pump(mut from: impl Read, mut to: &TcpStream) {
    let _ = io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Both);
}
