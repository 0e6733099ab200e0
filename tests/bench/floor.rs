//! The floor: what the machine takes for the same bytes with nothing around them.
//!
//! A bare std::net server in a process of its own: one thread per client, one source thread that
//! puts the film's JPEGs into a newest-frame slot (Mutex and Condvar) at 30 a second, the part
//! rendered once, one `write_all` per frame and client. No accounts, no limits, no checks. It
//! answers `/` and `/state` as well, kept alive, so that a burst can be tried on it.
//! Ends when its standard input does, so that it cannot outlive the bench.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::{load, media};

const FRAME_TIME: Duration = Duration::from_nanos(1_000_000_000 / 30);
const STACK_BYTES: usize = 128 * 1024;
const STREAM_HEAD: &[u8] = b"HTTP/1.1 200 OK\r\n\
    Content-Type: multipart/x-mixed-replace; boundary=floor\r\n\
    Cache-Control: no-store\r\nConnection: close\r\n\r\n--floor\r\n";
const PAGE: &[u8] = b"HTTP/1.1 200 OK\r\n\
    Content-Type: text/plain\r\nContent-Length: 3\r\n\r\nok\n";

/// The newest part and its sequence.
#[derive(Default)]
struct Slot {
    newest: Mutex<(u64, Arc<Vec<u8>>)>,
    changed: Condvar,
}

/// Serves until standard input ends. Returns only when it cannot begin.
pub fn run(film: &Path) -> Result<(), String> {
    load::raise_file_limit();
    let jpegs = media::jpegs(film)?;
    let listener = TcpListener::bind("127.0.0.1:0").map_err(|error| error.to_string())?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    let slot = Arc::new(Slot::default());
    let source = slot.clone();
    thread::spawn(move || publish(&jpegs, &source));
    thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    eprintln!("listening on http://{address}/");
    for stream in listener.incoming() {
        let Ok(stream) = stream else { continue };
        let slot = slot.clone();
        let client = move || {
            // A client that leaves is how each of these ends.
            let _ = serve(stream, &slot);
        };
        let _ = thread::Builder::new().stack_size(STACK_BYTES).spawn(client);
    }
    Ok(())
}

/// Puts one part after the other into the slot, each on its own date: a late one delays none after.
fn publish(jpegs: &[Vec<u8>], slot: &Slot) {
    let begin = Instant::now();
    for (number, jpeg) in jpegs.iter().cycle().enumerate() {
        let due = begin + FRAME_TIME * number as u32;
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let sequence = number as u64 + 1;
        let mut part = Vec::with_capacity(jpeg.len() + 256);
        let head = format!(
            "Content-Type: image/jpeg\r\nContent-Length: {}\r\n\
             X-Timestamp: {}.{:06}\r\nX-Sequence: {sequence}\r\n\r\n",
            jpeg.len(),
            now.as_secs(),
            now.subsec_micros()
        );
        part.extend_from_slice(head.as_bytes());
        part.extend_from_slice(jpeg);
        part.extend_from_slice(b"\r\n--floor\r\n");
        let part = Arc::new(part);
        *slot.newest.lock().expect("no panic under the lock") = (sequence, part);
        slot.changed.notify_all();
    }
}

/// Answers one connection's requests until it leaves or watches the stream.
fn serve(mut stream: TcpStream, slot: &Slot) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    loop {
        let mut first = String::new();
        if reader.read_line(&mut first)? == 0 {
            return Ok(());
        }
        let mut line = String::new();
        while reader.read_line(&mut line)? > 2 {
            line.clear();
        }
        if first.starts_with("GET /stream ") {
            break;
        }
        stream.write_all(PAGE)?;
    }
    drop(reader);
    stream.write_all(STREAM_HEAD)?;
    let mut seen = 0;
    loop {
        let part = {
            let newest = slot.newest.lock().expect("no panic under the lock");
            let newest = slot
                .changed
                .wait_while(newest, |newest| newest.0 <= seen)
                .expect("no panic under the lock");
            seen = newest.0;
            newest.1.clone()
        };
        stream.write_all(&part)?;
    }
}
