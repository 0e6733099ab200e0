//! The attacks do what they say: against a server that counts and never answers.

use super::{ATTACKS, Aim, Attack, rows};
use crate::{bystanders::alone, camfeed::SOON, load::raise_file_limit};
use socket2::{Domain, Socket, Type};
use std::{
    io::{ErrorKind, Read},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// Takes everything and says nothing.
struct Sink {
    address: SocketAddr,
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<Counts>,
}

/// What came.
#[derive(Debug, Default, Clone, Copy)]
struct Counts {
    opened: u64,
    received: u64,
    resets: u64,
    ends: u64,
    most_at_once: usize,
}

impl Sink {
    fn open() -> Sink {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket
            .bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())
            .unwrap();
        socket.listen(4096).unwrap();
        let listener: TcpListener = socket.into();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let is_over = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&is_over);
        let thread = thread::spawn(move || swallow(&listener, &over));
        Sink {
            address,
            is_over,
            thread,
        }
    }

    /// What had come when everybody had left.
    fn close(self) -> Counts {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

fn swallow(listener: &TcpListener, is_over: &AtomicBool) -> Counts {
    let mut counts = Counts::default();
    let mut streams: Vec<TcpStream> = Vec::new();
    let mut bytes = vec![0; 256 * 1024];
    let started = Instant::now();
    loop {
        let was_over = is_over.load(Ordering::Relaxed);
        while let Ok((stream, _)) = listener.accept() {
            stream.set_nonblocking(true).unwrap();
            streams.push(stream);
            counts.opened += 1;
        }
        counts.most_at_once = counts.most_at_once.max(streams.len());
        streams.retain_mut(|stream| {
            loop {
                match stream.read(&mut bytes) {
                    Ok(0) => {
                        counts.ends += 1;
                        return false;
                    }
                    Ok(count) => counts.received += count as u64,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
                    Err(_) => {
                        counts.resets += 1;
                        return false;
                    }
                }
            }
        });
        if was_over && streams.is_empty() {
            return counts;
        }
        assert!(
            started.elapsed() < 2 * SOON,
            "{} still there",
            streams.len()
        );
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn attacks_do_what_they_say() {
    raise_file_limit();
    let _alone = alone();
    thread::scope(|scope| {
        for attack in &ATTACKS {
            scope.spawn(|| does_what_it_says(attack));
        }
    });
}

fn does_what_it_says(attack: &Attack) {
    let sink = Sink::open();
    let started = Instant::now();
    let time = Duration::from_millis(2500);
    let damage = (attack.run)(Aim::new(sink.address, time));
    let took = started.elapsed();
    let name = attack.name;
    assert!(took >= time && took < time + SOON, "{name}: {took:?}");
    let counts = sink.close();
    println!("{name}: {damage:?} {counts:?} {took:?}");
    let (opened, at_once, sent) = attack.least;
    assert!(
        damage.opened >= opened && damage.sent >= sent,
        "{name}: {damage:?}"
    );
    assert!(counts.most_at_once >= at_once, "{name}: {counts:?}");
    // The last ones may not have got through before their end.
    let lost = damage.opened.abs_diff(counts.opened);
    assert!(lost <= damage.opened / 100, "{name}: {damage:?} {counts:?}");
    let is_resetting = name.contains("reset");
    let resets = if is_resetting { damage.opened } else { 0 };
    assert!(
        counts.resets.abs_diff(resets) <= resets / 10,
        "{name}: {counts:?}"
    );
    // A reset takes along what was not read.
    assert!(
        is_resetting || counts.received == damage.sent,
        "{name}: {damage:?} {counts:?}"
    );
}

#[test]
fn rows_have_names_of_their_own() {
    let mut names: Vec<_> = [rows::heads(), rows::bodies()]
        .concat()
        .into_iter()
        .map(|row| row.name)
        .collect();
    let count = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), count);
    assert!(count > 400, "{count}");
}
