//! Ten viewers of a server whose camera has faults: what each of them got, and the numbers of it.

use crate::{
    camfeed::{Camfeed, SOON, eventually},
    http::send,
};
use std::{
    collections::HashSet,
    io::{BufRead, BufReader},
    net::{Shutdown, SocketAddr, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

/// How many there are.
pub const VIEWERS: usize = 10;

/// Limits are what is promised times this: the machine may be busy.
pub const BUSY_MACHINE: u32 = 3;

/// While a stream lives, its parts are never further apart than this.
const PART_GAP: Duration = Duration::from_secs(1);

/// A part as one viewer got it.
#[derive(Clone, Copy)]
pub struct Seen {
    pub at: Instant,
    pub sequence: u64,
    /// A picture of the camera, not a placeholder.
    pub is_live: bool,
}

/// Everything one viewer got.
#[derive(Default)]
pub struct Sight {
    pub parts: Vec<Seen>,
    pub bad: Vec<String>,
    /// New frames with a picture that had been sent before.
    pub again: usize,
    /// The reason in the last placeholder.
    pub reason: String,
    /// How its connection ended.
    pub lost: Option<String>,
}

/// A viewer that judges each part; ended when dropped.
pub struct Viewer {
    socket: TcpStream,
    pub sight: Arc<Mutex<Sight>>,
}

impl Viewer {
    /// One that has each new picture looked at by `judge`: the camera's number of a good one, none for a
    /// placeholder.
    pub fn open(
        address: SocketAddr,
        judge: impl FnMut(&[u8]) -> Result<Option<u64>, String> + Send + 'static,
    ) -> Viewer {
        Viewer::open_at(address, "/stream", judge)
    }

    /// The same of the stream at `path`.
    pub fn open_at(
        address: SocketAddr,
        path: &str,
        judge: impl FnMut(&[u8]) -> Result<Option<u64>, String> + Send + 'static,
    ) -> Viewer {
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let socket = send(address, &request);
        let reading = socket.try_clone().expect("a descriptor");
        let sight = Arc::new(Mutex::new(Sight::default()));
        let noting = Arc::clone(&sight);
        thread::spawn(move || {
            let mut reader = BufReader::with_capacity(64 * 1024, reading);
            let lost = watch(&mut reader, &noting, judge).unwrap_or_else(|error| error.to_string());
            noting.lock().unwrap().lost = Some(lost);
        });
        Viewer { socket, sight }
    }

    /// The first part after `from` that `wanted` says.
    pub fn first(&self, from: Instant, wanted: impl Fn(&Seen) -> bool) -> Option<Seen> {
        let sight = self.sight.lock().unwrap();
        let mut late = sight.parts.iter().rev().take_while(|seen| seen.at > from);
        late.by_ref().filter(|seen| wanted(seen)).last().copied()
    }

    /// Different pictures (live) or placeholders (not) after `from`.
    pub fn count(&self, from: Instant, is_live: bool) -> usize {
        let sight = self.sight.lock().unwrap();
        let late = sight.parts.iter().rev().take_while(|seen| seen.at > from);
        let numbers = late.filter(|seen| seen.is_live == is_live);
        numbers
            .map(|seen| seen.sequence)
            .collect::<HashSet<_>>()
            .len()
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        let _ = self.socket.shutdown(Shutdown::Both);
    }
}

/// Reads parts until the connection ends, and tells how it did.
fn watch(
    reader: &mut impl BufRead,
    sight: &Mutex<Sight>,
    mut judge: impl FnMut(&[u8]) -> Result<Option<u64>, String>,
) -> std::io::Result<String> {
    let mut sequence = 0;
    let mut length = 0;
    let mut line = String::new();
    let mut is_part = false;
    let mut last_sequence = 0;
    // The camera counts anew when it is opened anew.
    let mut last_number = None;
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Ok("closed by the server".to_owned());
        }
        if let Some(value) = line.strip_prefix("Content-Length: ") {
            length = value.trim().parse().unwrap_or(0);
        } else if let Some(value) = line.strip_prefix("X-Sequence: ") {
            sequence = value.trim().parse().unwrap_or(0);
        } else if line.starts_with("--camfeedframe") {
            is_part = true;
        } else if line == "\r\n" && is_part && length > 0 {
            let mut jpeg = vec![0; length];
            reader.read_exact(&mut jpeg)?;
            let at = Instant::now();
            // A part that comes again has been judged.
            let judged = if sequence == last_sequence {
                None
            } else {
                Some(judge(&jpeg))
            };
            let reason = reason_in(&jpeg);
            let mut sight = sight.lock().unwrap();
            if let Some(reason) = reason {
                sight.reason = reason;
            }
            if sequence < last_sequence {
                let line = format!("{sequence} after {last_sequence}");
                sight.bad.push(line);
            }
            let is_live = match judged {
                None => sight.parts.last().is_some_and(|seen| seen.is_live),
                Some(Ok(Some(number))) => {
                    sight.again += usize::from(last_number >= Some(number));
                    last_number = Some(number);
                    true
                }
                Some(Ok(None)) => {
                    last_number = None;
                    false
                }
                Some(Err(reason)) => {
                    sight.bad.push(format!("{sequence}: {reason}"));
                    false
                }
            };
            sight.parts.push(Seen {
                at,
                sequence,
                is_live,
            });
            last_sequence = sequence;
            (is_part, length) = (false, 0);
        }
    }
}

/// The reason in a placeholder's comment.
fn reason_in(jpeg: &[u8]) -> Option<String> {
    let mark = b"camfeed placeholder: ";
    let at = jpeg.windows(mark.len()).position(|bytes| bytes == mark)?;
    let length = u16::from_be_bytes([jpeg[at - 2], jpeg[at - 1]]);
    let comment = &jpeg[at..at - 2 + usize::from(length)];
    Some(String::from_utf8_lossy(&comment[mark.len()..]).into_owned())
}

/// How often each fault is to come.
pub fn rounds() -> usize {
    std::env::var("CAMFEED_FAULT_ROUNDS").map_or(1, |text| {
        text.parse().expect("CAMFEED_FAULT_ROUNDS is a number")
    })
}

/// The numbers of one fault's rounds: the worst times, none where there was no outage.
#[derive(Default)]
pub struct Tally {
    pub rounds: u32,
    /// From the fault to the last viewer's first placeholder.
    pub noticed: Option<Duration>,
    /// From its end to the last viewer's first new picture.
    pub back: Duration,
    /// To a snapshot's 503.
    pub snapshot: Option<Duration>,
}

impl Tally {
    /// Prints the numbers; the server is to have as many threads and descriptors as `before`.
    pub fn finish(
        &self,
        name: &str,
        camfeed: &Camfeed,
        viewers: &[Viewer],
        before: (usize, usize),
    ) {
        let is_as_before = || {
            let now = (camfeed.threads(), camfeed.descriptors());
            now.0 <= before.0 && now.1 <= before.1
        };
        let healed = eventually(SOON, is_as_before);
        let now = (camfeed.threads(), camfeed.descriptors());
        assert!(
            healed,
            "{name}: {before:?} threads and descriptors became {now:?}"
        );
        let gap = viewers.iter().map(longest_gap).max().unwrap_or_default();
        let seconds = |time: Duration| format!("{:.2} s", time.as_secs_f64());
        println!(
            "fault | {name} | rounds {} | noticed {} | back {} | snapshot {} | gap {} | \
             threads {} to {} | descriptors {} to {}",
            self.rounds,
            self.noticed.map_or("-".to_owned(), seconds),
            seconds(self.back),
            self.snapshot.map_or("-".to_owned(), seconds),
            seconds(gap),
            before.0,
            now.0,
            before.1,
            now.1
        );
        assert!(gap <= PART_GAP * BUSY_MACHINE, "{name}: silent for {gap:?}");
    }
}

/// Waits until each viewer has seen five pictures.
pub fn wait_live(viewers: &[Viewer]) {
    let start = Instant::now().checked_sub(SOON).expect("later");
    each(viewers, SOON, |viewer| {
        (viewer.count(start, true) >= 5).then_some(())
    });
}

/// What `find` gives for each viewer; waits for it.
pub fn each<T>(viewers: &[Viewer], time: Duration, find: impl Fn(&Viewer) -> Option<T>) -> Vec<T> {
    let mut found: Vec<Option<T>> = viewers.iter().map(|_| None).collect();
    let is_complete = eventually(time, || {
        for (found, viewer) in found.iter_mut().zip(viewers) {
            if found.is_none() {
                *found = find(viewer);
            }
        }
        found.iter().all(Option::is_some)
    });
    let lost: Vec<_> = viewers
        .iter()
        .filter_map(|viewer| viewer.sight.lock().unwrap().lost.clone())
        .collect();
    assert!(
        is_complete,
        "{} of {} viewers still wait; lost: {lost:?}",
        found.iter().filter(|found| found.is_none()).count(),
        viewers.len()
    );
    found.into_iter().flatten().collect()
}

/// The longest time in which a viewer got nothing at all.
pub fn longest_gap(viewer: &Viewer) -> Duration {
    let sight = viewer.sight.lock().unwrap();
    let gaps = sight.parts.windows(2).map(|pair| pair[1].at - pair[0].at);
    gaps.max().unwrap_or_default()
}

/// Threads and descriptors, when they have been the same for a second.
pub fn settled(camfeed: &Camfeed) -> (usize, usize) {
    let count = || (camfeed.threads(), camfeed.descriptors());
    let mut last = (count(), Instant::now());
    let is_settled = eventually(SOON, || {
        let now = count();
        if now != last.0 {
            last = (now, Instant::now());
        }
        last.1.elapsed() >= Duration::from_secs(1)
    });
    assert!(is_settled, "threads and descriptors never settle");
    last.0
}
