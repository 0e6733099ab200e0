//! The floor: what the machine takes for the same bytes with nothing around them.
//!
//! A bare std::net server in a process of its own: one thread per client, one source thread that
//! puts the camera's JPEGs, marked as the camera marks them, into a newest-frame slot (Mutex and
//! Condvar), the part rendered once, one `write_all` per frame and client. No camera, no accounts,
//! no limits, no checks. It answers `/snapshot.jpg` with the newest and any other path with `ok`,
//! kept alive.
//! Ends when its standard input does, so that it cannot outlive the bench.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::num::NonZeroU64;
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::{camera, load};

/// As the fake camera has it, so that both wake up alike.
const TIMER_SLACK_NS: NonZeroU64 = NonZeroU64::MIN;
const STACK_BYTES: usize = 128 * 1024;
const STREAM_HEAD: &[u8] = b"HTTP/1.1 200 OK\r\n\
    Content-Type: multipart/x-mixed-replace; boundary=floor\r\n\
    Cache-Control: no-store\r\nConnection: close\r\n\r\n--floor\r\n";
const PAGE: &[u8] = b"HTTP/1.1 200 OK\r\n\
    Content-Type: text/plain\r\nContent-Length: 3\r\n\r\nok\n";

/// A part, and where in it the JPEG stands.
#[derive(Default)]
struct Part {
    bytes: Vec<u8>,
    jpeg: Range<usize>,
}

/// The newest part and its sequence.
#[derive(Default)]
struct Slot {
    newest: Mutex<(u64, Arc<Part>)>,
    changed: Condvar,
}

/// Serves until standard input ends. Returns only when it cannot begin.
pub fn run(words: &[String]) -> Result<(), String> {
    let [ring, fps] = words else {
        return Err("the floor is for the bench itself".into());
    };
    let fps: u32 = fps.parse().map_err(|_| "fps")?;
    let jpegs = camera::jpegs(Path::new(ring))?;
    let listener = TcpListener::bind("127.0.0.1:0").map_err(|error| error.to_string())?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    let slot = Arc::new(Slot::default());
    let source = slot.clone();
    let frame_time = Duration::from_secs(1) / fps;
    thread::spawn(move || publish(&jpegs, frame_time, &source));
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
fn publish(jpegs: &[Vec<u8>], frame_time: Duration, slot: &Slot) {
    // Without it frames come a little later, which is no harm.
    let _ = rustix::thread::set_current_timer_slack(Some(TIMER_SLACK_NS));
    let begin = Duration::from_micros(load::monotonic_micros());
    for (number, jpeg) in jpegs.iter().cycle().enumerate() {
        let due = begin + frame_time * number as u32;
        // The camera's pace, which is what is measured.
        thread::sleep(due.saturating_sub(Duration::from_micros(load::monotonic_micros())));
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let mark = format!(
            "fakecam seq={number} mono_us={} unix_us={}",
            due.as_micros(),
            now.as_micros()
        );
        let length = jpeg.len() + 4 + mark.len();
        let sequence = number as u64 + 1;
        let head = format!(
            "Content-Type: image/jpeg\r\nContent-Length: {length}\r\n\
             X-Timestamp: {}.{:06}\r\nX-Sequence: {sequence}\r\n\r\n",
            now.as_secs(),
            now.subsec_micros()
        );
        let mut bytes = Vec::with_capacity(length + 256);
        bytes.extend_from_slice(head.as_bytes());
        bytes.extend_from_slice(&[0xff, 0xd8, 0xff, 0xfe, 0, 2 + mark.len() as u8]);
        bytes.extend_from_slice(mark.as_bytes());
        bytes.extend_from_slice(&jpeg[2..]);
        bytes.extend_from_slice(b"\r\n--floor\r\n");
        let jpeg = head.len()..head.len() + length;
        let part = Arc::new(Part { bytes, jpeg });
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
        if first.starts_with("GET /snapshot.jpg ") {
            let part = slot
                .newest
                .lock()
                .expect("no panic under the lock")
                .1
                .clone();
            let jpeg = &part.bytes[part.jpeg.clone()];
            let mut answer = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n",
                jpeg.len()
            )
            .into_bytes();
            answer.extend_from_slice(jpeg);
            stream.write_all(&answer)?;
            continue;
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
        stream.write_all(&part.bytes)?;
    }
}
