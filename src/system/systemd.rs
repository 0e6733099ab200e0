//! systemd: what it hands over at the start, and what it is told.
//!
//! Without systemd there is nothing to take and nobody to tell, and nothing here fails. See
//! sd_listen_fds(3), sd_notify(3) and sd_watchdog_enabled(3). Telling never hangs: a systemd that
//! does not listen shall not keep the program from serving, or from ending.

use crate::error::Error;
use log::debug;
use rustix::{
    io::{FdFlags, fcntl_setfd},
    time::{ClockId, clock_gettime},
};
use std::{
    env, io,
    os::{
        fd::{BorrowedFd, FromRawFd, OwnedFd, RawFd},
        linux::net::SocketAddrExt,
        unix::{
            ffi::OsStrExt,
            net::{SocketAddr, UnixDatagram},
        },
    },
    process,
    time::Duration,
};

/// The first descriptor that is passed.
const FIRST_FD: RawFd = 3;

/// systemd hears what it is told within this, or never.
const NOTIFY_TIMEOUT: Duration = Duration::from_secs(1);

/// The listening socket systemd passed, if it did. Called once, before there are threads: it takes
/// the variables that tell of it out of the environment, so that no child believes it is meant.
#[expect(
    unsafe_code,
    reason = "a passed descriptor is a number in the environment"
)]
pub fn take_socket() -> Result<Option<OwnedFd>, Error> {
    let is_meant = number("LISTEN_PID") == Some(u64::from(process::id()));
    let count = number("LISTEN_FDS").filter(|_| is_meant).unwrap_or(0);
    for name in ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"] {
        // SAFETY: no other thread exists yet that could read the environment.
        unsafe { env::remove_var(name) };
    }
    match count {
        0 => Ok(None),
        1 => {
            // SAFETY: nothing is done with it but to ask whether it is open.
            let passed = unsafe { BorrowedFd::borrow_raw(FIRST_FD) };
            fcntl_setfd(passed, FdFlags::CLOEXEC)
                .map_err(|failure| Error::Passed(failure.to_string()))?;
            // SAFETY: it is open, and nobody else here knows of it.
            Ok(Some(unsafe { OwnedFd::from_raw_fd(FIRST_FD) }))
        }
        _ => Err(Error::Passed(format!(
            "it is {count} sockets, and one is allowed (one ListenStream= in camfeed.socket)"
        ))),
    }
}

/// How often at least systemd must hear that all is well, when it was told to watch.
pub fn watchdog_period() -> Option<Duration> {
    let is_meant = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(process::id()));
    number("WATCHDOG_USEC")
        .filter(|&micros| is_meant && micros > 0)
        .map(Duration::from_micros)
}

/// The program serves.
pub fn tell_ready() {
    tell("READY=1");
}

/// The program reads its options again; [`tell_ready`] follows.
pub fn tell_reloading() {
    // systemd puts messages in order by this time.
    let now = clock_gettime(ClockId::Monotonic);
    let micros = now.tv_sec * 1_000_000 + now.tv_nsec / 1_000;
    tell(&format!("RELOADING=1\nMONOTONIC_USEC={micros}"));
}

/// The program ends.
pub fn tell_stopping() {
    tell("STOPPING=1");
}

/// All is well.
pub fn tell_alive() {
    tell("WATCHDOG=1");
}

/// What `systemctl status` shows.
pub fn tell_status(text: &str) {
    // Each line is a message of its own.
    let line = text.replace(char::is_control, " ");
    tell(&format!("STATUS={line}"));
}

fn tell(message: &str) {
    if let Err(failure) = send(message) {
        debug!("cannot tell systemd: {failure}");
    }
}

fn send(message: &str) -> io::Result<()> {
    let Some(path) = env::var_os("NOTIFY_SOCKET") else {
        return Ok(());
    };
    let address = match path.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        _ => SocketAddr::from_pathname(&path)?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.set_write_timeout(Some(NOTIFY_TIMEOUT))?;
    socket.send_to_addr(message.as_bytes(), &address).map(drop)
}

fn number(name: &str) -> Option<u64> {
    env::var(name).ok()?.parse().ok()
}
