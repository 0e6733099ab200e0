//! One connection: reads a request, has it answered, writes the answer, and again if it is kept.
//!
//! Runs on the client's own thread until the connection is closed. Every wait has a deadline.

use crate::http::{
    app::App,
    head::{self, Head, Parsed, parse_head},
    net::{connection::Connection, open_connections::ConnectionPhase},
    request::{Method, Request},
    response::minimal,
    routes::{self, Answer},
};
use log::debug;
use std::{
    io,
    time::{Duration, Instant},
};

/// A request must be whole so long after its connection came, or after its first byte.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// A kept connection may say nothing for so long.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// After a last answer what the client still sends is thrown away for so long, because closing on
/// unread bytes would take the answer back.
const CLOSING_TIMEOUT: Duration = Duration::from_secs(1);

/// Bytes thrown away after a last answer, at most.
const CLOSING_BYTES: usize = 64 * 1024;

/// Bytes read at once. On the stack: a silent connection is to cost little memory.
const READ_BYTES: usize = 2048;

/// Serves `connection` until it is closed. What it calls is not inlined: while the client says nothing,
/// its thread is to have touched no more of its stack than it must.
pub fn serve(mut connection: Connection, app: &App) {
    if !connection.is_allowed() {
        let line = "as many connections as allowed come from this address\n";
        return finish(&connection, 503, line);
    }
    let mut input = Input::new();
    loop {
        if let Err(end) = input.wait(&connection) {
            return end.finish(&connection, app);
        }
        match serve_one(connection, &mut input, app) {
            Some(kept) => connection = kept,
            None => return,
        }
    }
}

/// Reads a request that has begun, and has it answered; gives the connection back if it is kept.
#[inline(never)]
fn serve_one(connection: Connection, input: &mut Input, app: &App) -> Option<Connection> {
    let request = match input.next_request(&connection) {
        Ok(request) => request,
        Err(end) => {
            end.finish(&connection, app);
            return None;
        }
    };
    connection.enter(ConnectionPhase::Answering);
    let response = match routes::answer(&request, app) {
        Answer::Full(response) => response,
        Answer::Stream(stream) => {
            connection.enter(ConnectionPhase::Streaming);
            stream.run(connection, &request, app);
            return None;
        }
        Answer::Streams(streams) => {
            connection.enter(ConnectionPhase::Streaming);
            streams.run(connection, &request, app);
            return None;
        }
    };
    connection.enter(ConnectionPhase::Sending);
    let keeps =
        response.has_length() && request.keeps_alive() && !app.connections.limit.is_scarce();
    let head = response.head(request.is_http_1_0, keeps, app.allow_origin.as_ref());
    let is_head = request.method == Method::Head;
    let body = if is_head { &[] } else { response.body() };
    match connection.write_both(&head, body) {
        Ok(_) if keeps => {
            connection.enter(ConnectionPhase::Idle);
            return Some(connection);
        }
        Ok(_) => close(&connection),
        Err(failure) => {
            if failure.kind() == io::ErrorKind::TimedOut {
                app.connections.timed_out.increment();
                debug!("client {} stalled while it was answered", connection.id());
            }
            connection.reset();
        }
    }
    None
}

/// Tells a client that is not served, without waiting for it. What it has sent is read, because closing
/// on unread bytes would take the answer back.
pub fn refuse_at_once(connection: &Connection, line: &str) {
    let _ = connection.read(&mut [0; READ_BYTES], Instant::now());
    let _ = connection.try_write(&minimal(503, line));
    connection.end_writing();
}

/// Sends a last answer and closes when it is sure to arrive.
#[inline(never)]
fn finish(connection: &Connection, status: u16, line: &str) {
    // The kernel takes so few bytes at once, or never.
    if connection.try_write(&minimal(status, line)).is_ok() {
        close(connection);
    }
}

/// Ends the answer, and throws away what the client still sends until it closes, or for a moment.
fn close(connection: &Connection) {
    connection.enter(ConnectionPhase::Closing);
    connection.end_writing();
    let deadline = Instant::now() + CLOSING_TIMEOUT;
    let mut buffer = [0; READ_BYTES];
    let mut thrown_away = 0;
    while thrown_away < CLOSING_BYTES {
        match connection.read(&mut buffer, deadline) {
            Ok(count) if count > 0 => thrown_away += count,
            _ => return,
        }
    }
}

/// Why there is no further request.
enum End {
    /// The client has left, was displaced, or has nothing more to ask.
    Closed,
    /// It said nothing for too long.
    Silent,
    /// Its request did not come in time.
    Late,
    /// It sent no request that is answered here.
    Refused(u16, &'static str),
}

impl End {
    #[inline(never)]
    fn finish(self, connection: &Connection, app: &App) {
        let connections = &app.connections;
        match self {
            End::Closed => {}
            End::Silent => connections.timed_out.increment(),
            End::Late => {
                connections.timed_out.increment();
                let line = "the request did not come within 10 seconds\n";
                finish(connection, 408, line);
            }
            End::Refused(status, line) => {
                connections.malformed.increment();
                finish(connection, status, line);
            }
        }
    }
}

/// What a client has sent that no request was made of yet.
#[derive(Debug)]
struct Input {
    bytes: Vec<u8>,
    /// Of these, known to hold no end of a head.
    scanned: usize,
    /// When its first request began: with the connection. A later one begins with its first byte.
    first_begun: Option<Instant>,
}

impl Input {
    fn new() -> Input {
        Input {
            bytes: Vec::new(),
            scanned: 0,
            first_begun: Some(Instant::now()),
        }
    }

    /// Waits until a request begins.
    fn wait(&self, connection: &Connection) -> Result<(), End> {
        if !self.bytes.is_empty() {
            return Ok(());
        }
        let deadline = match self.first_begun {
            Some(begun) => begun + HEAD_TIMEOUT,
            None => Instant::now() + IDLE_TIMEOUT,
        };
        connection
            .wait_readable(deadline)
            .map_err(|failure| match failure.kind() {
                io::ErrorKind::TimedOut => End::Silent,
                _ => End::Closed,
            })
    }

    /// Reads the request that has begun and takes it out.
    fn next_request(&mut self, connection: &Connection) -> Result<Request, End> {
        let begun = self.first_begun.take().unwrap_or_else(|| {
            connection.enter(ConnectionPhase::Asking);
            Instant::now()
        });
        let deadline = begun + HEAD_TIMEOUT;
        let mut is_told = false;
        loop {
            match parse_head(&self.bytes, &mut self.scanned) {
                Parsed::Refused(status, line) => return Err(End::Refused(status, line)),
                Parsed::Complete(head) if self.has_body_of(&head) => {
                    return Ok(self.take(head, connection));
                }
                Parsed::Complete(head) if head.expects_continue && !is_told => {
                    is_told = true;
                    let _ = connection.try_write(b"HTTP/1.1 100 Continue\r\n\r\n");
                }
                Parsed::Complete(_) | Parsed::Incomplete => {}
            }
            self.read(connection, deadline)?;
        }
    }

    fn has_body_of(&self, head: &Head) -> bool {
        self.bytes.len() >= head.length + head.body_length
    }

    fn take(&mut self, head: Head, connection: &Connection) -> Request {
        let (start, end) = (head.length, head.length + head.body_length);
        let body = self.bytes[start..end].to_vec();
        self.bytes.drain(..end);
        self.scanned = 0;
        Request::new(head, body, connection.id(), connection.peer())
    }

    /// Waits for more, at most until `deadline`.
    fn read(&mut self, connection: &Connection, deadline: Instant) -> Result<(), End> {
        debug_assert!(self.bytes.len() <= head::HEAD_BYTES + head::BODY_BYTES + READ_BYTES);
        let mut buffer = [0; READ_BYTES];
        match connection.read(&mut buffer, deadline) {
            Ok(count) if count > 0 => {
                self.bytes.extend_from_slice(&buffer[..count]);
                Ok(())
            }
            Err(failure) if failure.kind() == io::ErrorKind::TimedOut => Err(End::Late),
            _ => Err(End::Closed),
        }
    }
}

#[cfg(test)]
mod tests;
