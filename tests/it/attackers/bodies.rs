//! Bodies nobody asked for.

use super::{
    Aim, Damage,
    heads::{pour, wrong_again_and_again},
    rows,
};

/// Statuses of a body that is not taken.
const NOT_TAKEN: [u16; 6] = [400, 404, 405, 411, 413, 415];

/// Announced in every size, and never sent.
pub fn announced(aim: Aim) -> Damage {
    wrong_again_and_again(aim, &rows::bodies())
}

/// Announced and sent at full speed.
pub fn poured(aim: Aim) -> Damage {
    let fill = vec![b' '; 64 * 1024];
    let mut damage = Damage::default();
    for method in ["POST /controls", "GET /state", "POST /stream"]
        .iter()
        .cycle()
    {
        if aim.is_over() {
            break;
        }
        let opening = format!(
            "{method} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Content-Length: 10000000000\r\n\r\n{{"
        );
        let opening = opening.as_bytes();
        pour(&aim, &mut damage, opening, &fill, &NOT_TAKEN);
    }
    damage
}

/// In chunks, of which there is always one more: large ones, and ones of a byte.
pub fn chunked(aim: Aim) -> Damage {
    let large = [b"8000\r\n", &[b' '; 0x8000][..], b"\r\n"].concat();
    let small = b"1\r\n \r\n".repeat(10_000);
    let mut damage = Damage::default();
    for (number, method) in ["POST /controls", "GET /state", "GET /stream"]
        .iter()
        .cycle()
        .enumerate()
    {
        if aim.is_over() {
            break;
        }
        let opening = format!(
            "{method} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Transfer-Encoding: chunked\r\n\r\n"
        );
        let fill = if number % 2 == 0 { &large } else { &small };
        let opening = opening.as_bytes();
        pour(&aim, &mut damage, opening, fill, &NOT_TAKEN);
    }
    damage
}
