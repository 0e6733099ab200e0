//! The probe: asks the server something over its own listening address, as a stranger would.
//!
//! An answer proves that connections are accepted, read and answered; which answer it is does not
//! matter here. Asked by the watchdog, every few seconds.

use crate::http::net::listener::Listener;
use socket2::{Socket, Type};
use std::{
    io::{self, Read, Write},
    sync::Arc,
    time::Duration,
};

/// What the probe asks for; told from other requests only so that the log need not speak of it.
pub const TARGET: &str = "/healthz?probe";

/// How every answer begins.
const BEGINNING: [u8; 7] = *b"HTTP/1.";

/// A probe of the server that listens there.
#[derive(Debug)]
pub struct Probe(pub Arc<Listener>);

impl Probe {
    /// Asks, and says why there was no answer; connecting, asking and each read may take as long as
    /// `time`.
    ///
    /// # Errors
    ///
    /// `TimedOut` when that was too short, else what the system says.
    pub fn ask(&self, time: Duration) -> io::Result<()> {
        let address = self.0.own_address();
        let mut socket = Socket::new(address.domain(), Type::STREAM, None)?;
        socket.connect_timeout(&address, time)?;
        socket.set_write_timeout(Some(time))?;
        socket.set_read_timeout(Some(time))?;
        let request =
            format!("GET {TARGET} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        let mut answer = [0; BEGINNING.len()];
        let asked = socket.write_all(request.as_bytes());
        let answered = asked.and_then(|()| socket.read_exact(&mut answer));
        match answered {
            // What a socket's time-out gives.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                Err(io::ErrorKind::TimedOut.into())
            }
            Ok(()) if answer != BEGINNING => Err(io::ErrorKind::InvalidData.into()),
            answered => answered,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{net::TcpListener, thread};

    const SOON: Duration = Duration::from_secs(20);
    const AT_ONCE: Duration = Duration::from_millis(50);

    fn probe_of(listener: &TcpListener) -> Probe {
        let shared = listener.try_clone().expect("a descriptor");
        let server = Listener::new(shared.into()).expect("bound");
        listener.set_nonblocking(false).expect("the test waits");
        Probe(Arc::new(server))
    }

    #[test]
    fn any_answer_will_do_and_silence_and_nonsense_will_not() {
        for (said, is_answer) in [
            ("HTTP/1.1 503 Service Unavailable\r\n\r\n", true),
            ("HTTP/1.0 200 OK\r\n\r\n", true),
            ("220 mail ready\r\n", false),
            ("", false),
        ] {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
            let probe = probe_of(&listener);
            let server = thread::spawn(move || {
                let (mut stream, _) = listener.accept().expect("a probe");
                let mut request = [0; 512];
                let length = stream.read(&mut request).expect("a request");
                stream.write_all(said.as_bytes()).expect("said");
                String::from_utf8_lossy(&request[..length]).into_owned()
            });
            assert_eq!(probe.ask(SOON).is_ok(), is_answer, "{said:?}");
            let request = server.join().expect("no panic");
            assert!(request.starts_with("GET /healthz"), "{request}");
        }
    }

    #[test]
    fn a_server_that_never_answers_is_waited_for_no_longer_than_told() {
        // The kernel accepts, nobody reads.
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let failure = probe_of(&listener).ask(AT_ONCE).expect_err("no answer");
        assert_eq!(failure.kind(), io::ErrorKind::TimedOut);
    }
}
