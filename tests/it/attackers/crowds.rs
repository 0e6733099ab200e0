//! Crowds that say little or nothing, or leave in the middle of a word.

use super::{Aim, Damage, PATIENCE, begin_to_connect, request, reset, sleep_until, wire};
use socket2::Socket;
use std::{
    io::{ErrorKind, Read, Write},
    net::Shutdown,
    thread,
    time::{Duration, Instant},
};

const DRIPPING: usize = 2_000;
const SILENT: usize = 3_000;
const RESETTING: usize = 2_000;
const HALF_CLOSED: usize = 200;

/// So many come at once, and then nobody for a moment: 20,000 a second are a flood for the server, and
/// more of them would only be one for the kernel, whose queue of connections is shared by all.
const TOGETHER: usize = 20;
const APART: Duration = Duration::from_millis(1);

/// Between two looks for what the server says to a crowd.
const LOOK: Duration = Duration::from_millis(100);

/// Requests that never end, a byte of each a second.
pub fn dripping(aim: Aim) -> Damage {
    let head = b"GET /snapshot HTTP/1.1\r\nHost: localhost\r\nX-Slow: ";
    crowd(aim, DRIPPING, |sent| Some(*head.get(sent).unwrap_or(&b'a')))
}

/// Connections that never say a word.
pub fn silent(aim: Aim) -> Damage {
    crowd(aim, SILENT, |_| None)
}

/// One of a crowd, and the bytes it sent.
struct Member(Socket, usize);

/// `count` connections kept up: once a second each says its next byte, and those that the server
/// ended are replaced.
fn crowd(aim: Aim, count: usize, next: impl Fn(usize) -> Option<u8>) -> Damage {
    let mut damage = Damage::default();
    let mut members = Vec::with_capacity(count);
    while !aim.is_over() {
        let second = Instant::now() + Duration::from_secs(1);
        while members.len() < count && !aim.is_over() {
            match begin_to_connect(aim.address) {
                Ok(socket) => members.push(Member(socket, 0)),
                Err(error) => {
                    damage.complain(format!("cannot connect: {error}"));
                    break;
                }
            }
            damage.opened += 1;
            if members.len() % TOGETHER == 0 {
                thread::sleep(APART);
            }
        }
        for Member(socket, sent) in &mut members {
            if let Some(byte) = next(*sent) {
                // Not connected yet, or ended: `is_there` finds out.
                let count = socket.write(&[byte]).unwrap_or(0);
                *sent += count;
                damage.sent += count as u64;
            }
        }
        while Instant::now() < second && !aim.is_over() {
            sleep_until(Instant::now() + LOOK, &aim);
            members.retain_mut(|member| is_there(&mut member.0, &mut damage));
        }
    }
    damage
}

/// Takes what the server says; false when it has ended the connection.
fn is_there(socket: &mut Socket, damage: &mut Damage) -> bool {
    let mut bytes = [0; 1024];
    match socket.read(&mut bytes) {
        Ok(0) => (),
        Ok(count) => {
            let text = String::from_utf8_lossy(&bytes[..count]);
            if let Some(code) = text.strip_prefix("HTTP/1.1 ") {
                let status = code.get(..3).and_then(|code| code.parse().ok());
                damage.note_answer(status.unwrap_or(0));
            }
            return true;
        }
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::WouldBlock | ErrorKind::NotConnected
            ) =>
        {
            return true;
        }
        Err(_) => (),
    }
    damage.ended += 1;
    false
}

/// Resets right after connecting, in a head, after a request, and in a stream.
pub fn resetting(aim: Aim) -> Damage {
    let words = [
        String::new(),
        "GET /snapshot HT".to_owned(),
        request("GET", "/snapshot"),
        request("GET", "/stream"),
    ];
    let mut damage = Damage::default();
    while !aim.is_over() {
        let second = Instant::now() + Duration::from_secs(1);
        for number in 0..RESETTING {
            if aim.is_over() {
                break;
            }
            let Some(mut wire) = aim.open(&mut damage) else {
                continue;
            };
            let _ = wire.send(words[number % words.len()].as_bytes());
            damage.sent += wire.sent;
            reset(wire.stream);
        }
        sleep_until(second, &aim);
    }
    damage
}

/// Connections that end their own half before, in and after the head, and stay. A whole request
/// is a request all the same: `nc` and scripts send it so.
pub fn half_closed(aim: Aim) -> Damage {
    let words = [
        String::new(),
        "GET /snapshot HTTP/1.1\r\nHost".to_owned(),
        request("GET", "/snapshot"),
        request("GET", "/stream"),
    ];
    let mut damage = Damage::default();
    let mut members = Vec::with_capacity(HALF_CLOSED);
    for number in 0..HALF_CLOSED {
        let Some(mut wire) = aim.open(&mut damage) else {
            continue;
        };
        let kind = number % words.len();
        let _ = wire.send(words[kind].as_bytes());
        damage.sent += wire.sent;
        if wire.stream.shutdown(Shutdown::Write).is_err() {
            damage.ended += 1;
        }
        members.push((kind, wire));
    }
    for (kind, wire) in &mut members {
        if *kind != 2 || aim.is_over() {
            continue;
        }
        match wire.answer(false, aim.until.min(Instant::now() + PATIENCE)) {
            Ok(answer) => {
                damage.note_answer(answer.status);
                if answer.status != 200 {
                    let status = answer.status;
                    damage.complain(format!("a half-closed snapshot request got {status}"));
                }
            }
            Err(wire::Missing::Late) => (),
            Err(missing) => damage.complain(format!("a half-closed request got {missing:?}")),
        }
    }
    thread::sleep(aim.until.saturating_duration_since(Instant::now()));
    damage
}
