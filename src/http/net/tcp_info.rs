//! What Linux tells of a TCP connection in `TCP_INFO`. A Unix socket has no such thing.

use std::{
    os::fd::{AsRawFd, BorrowedFd},
    time::Duration,
};

/// What `TCP_INFO` says of a connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TcpInfo {
    /// Bytes sent and not acknowledged.
    pub in_flight: u32,
    /// Bytes not sent.
    pub unsent: u32,
    /// Bytes the peer takes beyond those it has acknowledged, as it last advertised.
    pub window: u32,
    /// Smoothed time from sending to acknowledgement.
    pub round_trip: Duration,
    /// The shortest such time of the last minutes.
    pub least_round_trip: Duration,
    /// Bytes the peer has acknowledged since the beginning.
    pub acknowledged: u64,
    /// Time since the peer last sent something, or since it connected.
    pub silent_for: Duration,
}

impl TcpInfo {
    /// Bytes since the beginning that the peer has taken or advertised room for. It rises as long as
    /// the peer's program reads.
    pub fn receive_limit(&self) -> u64 {
        self.acknowledged + u64::from(self.window)
    }
}

/// linux/tcp.h, `struct tcp_info`: up to the window, there since Linux 5.4.
const BYTES: usize = 232;

/// Asks the kernel; `None` where it has no answer.
#[expect(
    unsafe_code,
    reason = "no safe wrapper asks for TCP_INFO as far as the window"
)]
fn ask(socket: BorrowedFd<'_>) -> Option<[u8; BYTES]> {
    let mut info = [0u8; BYTES];
    let mut length = libc::socklen_t::try_from(BYTES).ok()?;
    // SAFETY: the descriptor is open as long as it is borrowed; the kernel writes at most
    // `length` bytes to `info`, which has as many, and says how many it wrote.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            info.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    let is_whole = result == 0 && usize::try_from(length).ok()? >= BYTES;
    is_whole.then_some(info)
}

fn word(info: &[u8; BYTES], at: usize) -> u32 {
    u32::from_ne_bytes([info[at], info[at + 1], info[at + 2], info[at + 3]])
}

/// Connections that wait to be accepted from a listening socket; `None` where the kernel does not say.
pub fn waiting(socket: BorrowedFd<'_>) -> Option<u32> {
    ask(socket).map(|info| word(&info, 24))
}

/// Asks the kernel of a connection; `None` where it has no answer.
pub fn tcp_info(socket: BorrowedFd<'_>) -> Option<TcpInfo> {
    let info = ask(socket)?;
    let word = |at| word(&info, at);
    let long = |at: usize| {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&info[at..at + 8]);
        u64::from_ne_bytes(bytes)
    };
    let (sent, sent_again, acknowledged) = (long(200), long(208), long(120));
    let in_flight = sent.saturating_sub(sent_again + acknowledged);
    Some(TcpInfo {
        in_flight: u32::try_from(in_flight).unwrap_or(u32::MAX),
        unsent: word(144),
        window: word(228),
        round_trip: Duration::from_micros(word(68).into()),
        least_round_trip: Duration::from_micros(word(148).into()),
        acknowledged,
        silent_for: Duration::from_millis(word(52).into()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        net::{TcpListener, TcpStream},
        os::fd::AsFd,
    };

    #[test]
    fn those_that_wait_are_counted() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
        let address = listener.local_addr().expect("bound");
        let connect = |_| TcpStream::connect(address).expect("connected");
        let _clients: Vec<_> = (0..3).map(connect).collect();
        assert_eq!(waiting(listener.as_fd()), Some(3));
        let _accepted = listener.accept().expect("accepted");
        assert_eq!(waiting(listener.as_fd()), Some(2));
    }
}
