//! What Linux tells of a TCP connection in `TCP_INFO`. Of a Unix socket there is nothing to tell.

use std::{
    os::fd::{AsRawFd, BorrowedFd},
    time::Duration,
};

/// What `TCP_INFO` says of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wire {
    /// Segments sent and not acknowledged.
    pub unacked: u32,
    /// Bytes sent and not acknowledged.
    pub flying: u32,
    /// Bytes not sent.
    pub unsent: u32,
    /// Bytes the peer takes, as it last said.
    pub window: u32,
    /// Smoothed time from sending to acknowledgement.
    pub round_trip: Duration,
    /// Bytes the peer has acknowledged since the beginning.
    pub acked: u64,
}

impl Wire {
    /// Bytes that could be sent and taken now.
    pub fn free(&self) -> u32 {
        self.window.saturating_sub(self.flying)
    }

    /// Bytes the peer has taken or promised to take: it rises when its reader reads.
    pub fn promised(&self) -> u64 {
        self.acked + u64::from(self.window)
    }
}

/// Asks the kernel; `None` where it has no answer.
#[expect(
    unsafe_code,
    reason = "no safe wrapper asks for TCP_INFO as far as the window"
)]
pub fn wire(socket: BorrowedFd<'_>) -> Option<Wire> {
    // linux/tcp.h, struct tcp_info: up to the window, there since Linux 5.4.
    const BYTES: usize = 232;
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
    if result != 0 || usize::try_from(length).ok()? < BYTES {
        return None;
    }
    let word = |at: usize| u32::from_ne_bytes([info[at], info[at + 1], info[at + 2], info[at + 3]]);
    let long = |at: usize| {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&info[at..at + 8]);
        u64::from_ne_bytes(bytes)
    };
    Some(Wire {
        unacked: word(24),
        flying: u32::try_from(long(200).saturating_sub(long(208) + long(120))).unwrap_or(u32::MAX),
        round_trip: Duration::from_micros(word(68).into()),
        unsent: word(144),
        window: word(228),
        acked: long(120),
    })
}
