//! Many connections in the same instant, each asking for one page and staying open until all are
//! answered: a server with a pool of threads too small, or one that miscounts its idle
//! threads, leaves some waiting until another client goes away. Only first bytes count.

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use socket2::Socket;

use super::{connect, request};

/// One connection's answer.
#[derive(Clone, Debug)]
pub struct Answer {
    pub path: String,
    /// From connecting to the first bytes of the answer; None when none came in time.
    pub wait: Option<Duration>,
    /// Of the status line, when it came with the first bytes.
    pub status: Option<u16>,
}

/// Opens `count` connections at once, which ask for `paths` in turn, and waits until all have
/// first bytes or `patience` is over; only then are they closed.
pub fn burst(
    address: SocketAddr,
    paths: &[&str],
    count: usize,
    patience: Duration,
) -> io::Result<Vec<Answer>> {
    let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let mut sockets: Vec<(Socket, Instant)> = Vec::with_capacity(count);
    let mut answers: Vec<Answer> = Vec::with_capacity(count);
    let wanted = epoll::EventFlags::IN | epoll::EventFlags::OUT;
    for number in 0..count {
        let started = Instant::now();
        let socket = connect(address)?;
        let key = epoll::EventData::new_u64(number as u64);
        epoll::add(&poll, &socket, key, wanted)?;
        sockets.push((socket, started));
        answers.push(Answer {
            path: paths[number % paths.len()].to_string(),
            wait: None,
            status: None,
        });
    }
    let mut is_asked = vec![false; count];
    let mut waiting = count;
    let deadline = Instant::now() + patience;
    let mut events = Vec::with_capacity(count);
    while waiting > 0 {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        let left = Timespec::try_from(left).expect("seconds fit");
        let _ = epoll::wait(&poll, spare_capacity(&mut events), Some(&left));
        for event in events.drain(..) {
            let number = event.data.u64() as usize;
            let (socket, started) = &mut sockets[number];
            if !is_asked[number] {
                is_asked[number] = true;
                let asked = socket.write_all(request(address, &answers[number].path).as_bytes());
                if asked.is_ok() {
                    epoll::modify(&poll, &*socket, event.data, epoll::EventFlags::IN)?;
                    continue;
                }
            }
            let mut bytes = [0; 256];
            match socket.read(&mut bytes) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
                Ok(received) if received > 0 => {
                    answers[number].wait = Some(started.elapsed());
                    answers[number].status = status_of(&bytes[..received]);
                }
                // Refused, reset or closed without a word: it stays without an answer.
                _ => (),
            }
            epoll::delete(&poll, &*socket)?;
            waiting -= 1;
        }
    }
    Ok(answers)
}

fn status_of(head: &[u8]) -> Option<u16> {
    let line = head.split(|&byte| byte == b'\r').next()?;
    let text = std::str::from_utf8(line).ok()?;
    text.split(' ').nth(1)?.parse().ok()
}
