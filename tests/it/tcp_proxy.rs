//! A TCP proxy between a client and camfeed: a slow link, a long one, or one that does not carry some
//! requests.

use crate::{
    camfeed::SOON,
    http::{read_exactly, read_until},
};
use socket2::{Domain, Socket, Type};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// What a link does to what goes through it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rules {
    /// Towards the client, all connections together.
    pub bytes_per_second: Option<f64>,
    /// A request whose first line has this in it is cut off without an answer.
    pub cuts: Option<&'static str>,
    /// Each response begins so long after its request, as on a long way; the rest of it follows at once.
    pub delay: Duration,
}

/// What all connections of a link share.
struct Pace {
    bytes_per_second: Option<f64>,
    /// Until then, the link is occupied.
    free_at: Instant,
}

/// A proxy that runs until it is dropped.
pub struct TcpProxy {
    pub address: SocketAddr,
    pace: Arc<Mutex<Pace>>,
    is_over: Arc<AtomicBool>,
}

impl TcpProxy {
    /// Leads to `upstream`, from a free port of the same host.
    pub fn to(upstream: SocketAddr, rules: Rules) -> TcpProxy {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        let is_over = Arc::new(AtomicBool::new(false));
        let ends = Arc::clone(&is_over);
        let pace = Arc::new(Mutex::new(Pace {
            bytes_per_second: rules.bytes_per_second,
            free_at: Instant::now(),
        }));
        let shared = Arc::clone(&pace);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if ends.load(Ordering::Relaxed) {
                    return;
                }
                let pace = Arc::clone(&shared);
                thread::spawn(move || {
                    let _ = lead(client, upstream, rules, &pace);
                });
            }
        });
        TcpProxy {
            address,
            pace,
            is_over,
        }
    }

    /// The link becomes slower or faster; `None` is without a limit.
    pub fn set_pace(&self, bytes_per_second: Option<f64>) {
        self.pace.lock().unwrap().bytes_per_second = bytes_per_second;
    }
}

impl Drop for TcpProxy {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address); // Ends the wait for the next one.
    }
}

/// Leads one connection; each request on it is looked at when it is the first.
fn lead(
    client: TcpStream,
    upstream: SocketAddr,
    rules: Rules,
    pace: &Mutex<Pace>,
) -> std::io::Result<()> {
    let server = Socket::new(Domain::for_address(upstream), Type::STREAM, None)?;
    if rules.bytes_per_second.is_some() {
        // What a slow link has under way, and an Ethernet's segments.
        server.set_recv_buffer_size(16 << 10)?;
        server.set_tcp_mss(1448)?;
    }
    server.connect(&upstream.into())?;
    let server: TcpStream = server.into();
    let (up, down) = (server.try_clone()?, client.try_clone()?);
    let asked = Arc::new(Mutex::new(None));
    let asks = Arc::clone(&asked);
    let upwards = thread::spawn(move || send_up(client, up, rules.cuts, &asks));
    let _ = send_down(server, down, rules.delay, pace, &asked);
    let _ = upwards.join();
    Ok(())
}

/// Requests, line by line. Those of a page have no body. What comes first after bytes of the server
/// begins a request: `asked` has its time until it is answered.
fn send_up(
    client: TcpStream,
    mut server: TcpStream,
    cuts: Option<&str>,
    asked: &Mutex<Option<Instant>>,
) {
    let mut lines = BufReader::new(&client);
    let mut line = Vec::new();
    while lines
        .read_until(b'\n', &mut line)
        .is_ok_and(|count| count > 0)
    {
        asked.lock().unwrap().get_or_insert_with(Instant::now);
        let is_cut = cuts.is_some_and(|text| String::from_utf8_lossy(&line).contains(text));
        if is_cut || server.write_all(&line).is_err() {
            break;
        }
        line.clear();
    }
    let _ = server.shutdown(Shutdown::Both);
    let _ = client.shutdown(Shutdown::Both);
}

fn send_down(
    mut server: TcpStream,
    mut client: TcpStream,
    delay: Duration,
    pace: &Mutex<Pace>,
    asked: &Mutex<Option<Instant>>,
) -> std::io::Result<()> {
    let mut bytes = [0; 2048];
    loop {
        let count = server.read(&mut bytes)?;
        if count == 0 {
            return client.shutdown(Shutdown::Both);
        }
        let request = asked.lock().unwrap().take();
        if let Some(request) = request {
            let due = request + delay;
            thread::sleep(due.saturating_duration_since(Instant::now()));
        }
        let mut now = pace.lock().unwrap();
        if let Some(rate) = now.bytes_per_second {
            // What is sent occupies the link for so long, and time unused is lost.
            now.free_at =
                Instant::now().max(now.free_at) + Duration::from_secs_f64(count as f64 / rate);
        }
        let until = now.free_at;
        drop(now);
        thread::sleep(until.saturating_duration_since(Instant::now()));
        client.write_all(&bytes[..count])?;
    }
}

#[test]
fn each_response_on_a_connection_is_delayed_once() {
    let delay = Duration::from_millis(150);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let server = listener.local_addr().expect("bound");
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("the proxy");
        // A response in two parts: the second is not told from the first by what the client does.
        for part in [&b"one "[..], b"two", b"three"] {
            if part != b"two" {
                read_until(&mut stream, b"\r\n\r\n");
            }
            stream.write_all(part).expect("the proxy reads");
        }
        let _ = stream.read(&mut [0]); // Until the client leaves.
    });
    let rules = Rules {
        delay,
        ..Rules::default()
    };
    let proxy = TcpProxy::to(server, rules);
    let mut stream = TcpStream::connect(proxy.address).expect("it listens");
    stream.set_read_timeout(Some(SOON)).expect("a time-out");
    for expected in ["one two", "three"] {
        let asked = Instant::now();
        stream
            .write_all(b"GET / HTTP/1.1\r\nHost: cam\r\n\r\n")
            .expect("it reads");
        let mut first = [0];
        stream.read_exact(&mut first).expect("a response");
        assert!(asked.elapsed() >= delay, "{:?}", asked.elapsed());
        let rest = read_exactly(&mut stream, expected.len() - 1);
        assert_eq!([&first[..], &rest].concat(), expected.as_bytes());
    }
}
