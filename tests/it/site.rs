//! A small web site for what the tests do with browsers themselves, with no camera in it.

use std::{
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    thread,
};

/// What camfeed's page allows itself, which binds what a browser is told to run in it, too.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; base-uri 'none'";

/// A path without an answer: its page never loads.
pub const NEVER: &str = "/never";

/// A server that runs until the tests end.
pub struct Site {
    pub address: SocketAddr,
}

impl Site {
    /// Serves `files`, each a path and its text: JavaScript where the path says so, else HTML.
    pub fn of(files: &'static [(&'static str, &'static str)]) -> Site {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound");
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                // Browsers connect ahead: none may wait for another.
                thread::spawn(move || answer(&client, files));
            }
        });
        Site { address }
    }
}

/// Answers one request, whatever the query in its address.
fn answer(mut client: &TcpStream, files: &[(&str, &str)]) {
    let lines = BufReader::new(client).lines().map_while(Result::ok);
    let head: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
    let Some(target) = head.first().and_then(|line| line.split(' ').nth(1)) else {
        return; // A connection made ahead, and not used.
    };
    // Through a proxy, it is a whole address.
    let start = target.find("//").map_or(0, |at| at + 2);
    let start = target[start..].find('/').map_or(0, |at| at + start);
    let path = target[start..].split('?').next().unwrap_or_default();
    if path == NEVER {
        let _ = client.peek(&mut [0]); // Until it leaves.
        return;
    }
    let file = files.iter().find(|(name, _)| *name == path);
    let (status, body) = file.map_or(("404 Not Found", ""), |(_, body)| ("200 OK", body));
    let kind = if path.ends_with(".js") {
        "text/javascript"
    } else {
        "text/html"
    };
    let length = body.len();
    // A browser that has left asks no more.
    let _ = write!(
        client,
        "HTTP/1.1 {status}\r\nContent-Type: {kind}; charset=utf-8\r\nCache-Control: no-cache\r\n\
         Content-Security-Policy: {POLICY}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
}
