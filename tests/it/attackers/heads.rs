//! Heads without end, and what is no request at all.

use super::{
    Aim, BUFFERED_BYTES, Damage, PATIENCE,
    rows::{self, Row},
    wire::Missing,
};
use std::{
    io::Write,
    time::{Duration, Instant},
};

const HEADERS: usize = 100_000;

/// Statuses of a head that is too long.
const TOO_LONG: [u16; 2] = [431, 400];

/// How long the nonsensical wait for an answer: the server may take its ten seconds.
const SHORT: Duration = Duration::from_millis(250);

/// A header line that goes on at full speed.
pub fn endless_line(aim: Aim) -> Damage {
    let fill = vec![b'a'; 64 * 1024];
    let mut damage = Damage::default();
    while !aim.is_over() {
        let opening = b"GET /snapshot HTTP/1.1\r\nX-Endless: ";
        pour(&aim, &mut damage, opening, &fill, &TOO_LONG);
    }
    damage
}

/// As many headers as nobody needs.
pub fn many_headers(aim: Aim) -> Damage {
    let mut head = "GET /snapshot HTTP/1.1\r\nHost: localhost\r\n".to_owned();
    for number in 0..HEADERS {
        head.push_str(&format!("X-Header-{number}: {number}\r\n"));
    }
    head.push_str("\r\n");
    let mut damage = Damage::default();
    while !aim.is_over() {
        pour(&aim, &mut damage, head.as_bytes(), b"", &TOO_LONG);
    }
    damage
}

/// Every row of `rows`, again and again.
pub fn nonsense(aim: Aim) -> Damage {
    let rows: Vec<_> = rows::heads();
    wrong_again_and_again(aim, &rows)
}

/// Sends the rows until the time is over and looks at the answers that come at once.
pub fn wrong_again_and_again(aim: Aim, rows: &[Row]) -> Damage {
    let mut damage = Damage::default();
    for row in rows.iter().cycle() {
        if aim.is_over() {
            break;
        }
        let Some(mut wire) = aim.open(&mut damage) else {
            continue;
        };
        let deadline = Instant::now() + aim.left(SHORT);
        // Ended before all was sent: the answer tells why.
        let _ = row.send(&mut wire, deadline);
        damage.sent += wire.sent;
        match wire.answer(row.is_head(), deadline) {
            Ok(answer) => {
                damage.note_answer(answer.status);
                if let Err(complaint) = row.judge(Some(answer.status)) {
                    damage.complain(complaint);
                }
            }
            Err(Missing::Closed) => damage.ended += 1,
            Err(Missing::Late) => (),
            Err(Missing::Torn(_)) if aim.is_over() => (),
            Err(Missing::Torn(what)) => damage.complain(format!("{}: {what}", row.name)),
        }
    }
    damage
}

/// Sends `opening` and then `fill`, if any, again and again, until the server ends the connection
/// or the time is over. What it says must be among `allowed`.
pub fn pour(aim: &Aim, damage: &mut Damage, opening: &[u8], fill: &[u8], allowed: &[u16]) {
    let Some(mut wire) = aim.open(damage) else {
        return;
    };
    let mut sent = 0;
    let mut piece = opening;
    let is_ended = loop {
        if piece.is_empty() {
            if fill.is_empty() {
                break false;
            }
            piece = fill;
        }
        if aim.is_over() {
            break false;
        }
        let _ = wire.stream.set_write_timeout(Some(aim.left(PATIENCE)));
        match wire.stream.write(piece) {
            Ok(count) => {
                sent += count as u64;
                piece = &piece[count..];
            }
            Err(error) => break !super::wire::is_late(&error),
        }
    };
    damage.sent += sent;
    if sent > BUFFERED_BYTES {
        damage.complain(format!("{sent} bytes of it were read"));
    }
    match wire.answer(false, Instant::now() + aim.left(PATIENCE)) {
        Ok(answer) => {
            damage.note_answer(answer.status);
            if !allowed.contains(&answer.status) {
                damage.complain(format!("answered {}, not {allowed:?}", answer.status));
            }
        }
        Err(Missing::Torn(what)) if !aim.is_over() => damage.complain(what),
        Err(_) => (),
    }
    damage.ended += u64::from(is_ended);
}
