//! What the system allows: how many connections and viewers its limits can hold.
//!
//! Asked once, before anything is served. What the user asked for and the system cannot hold is an
//! error now, not at three in the morning; what is only our default is lowered, and said.

use crate::error::Error;
use log::warn;
use rustix::process::{Resource, geteuid, getrlimit, setrlimit};
use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// Descriptors beside those of connections: the camera and its libraries, the log, the threads of
/// the server.
const OTHER_FILES: usize = 32;

/// Threads beside those that answer: the program's own, tiny_http's, OpenCV's.
const OTHER_THREADS: usize = 28;

/// Connections that no viewer can take, so that `/state` and `/snapshot` still answer.
const RESERVED: usize = 16;

/// Viewers, when nobody says how many.
const VIEWERS: usize = 100;

/// Connections, when nobody says how many.
const CONNECTIONS: usize = 512;

/// What was asked for on the command line.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted {
    /// `--max-viewers`.
    pub viewers: Option<usize>,
    /// `--max-connections`.
    pub connections: Option<usize>,
}

/// What can be held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Streams at once.
    pub viewers: usize,
    /// Connections at once; at least [`RESERVED`] more than viewers where there is room.
    pub connections: usize,
}

/// What the system gives.
#[derive(Debug, Clone, Copy)]
struct Room {
    files: usize,
    threads: usize,
}

impl Wanted {
    /// Raises the descriptor limit as far as the system lets us, and fits what is wanted into it
    /// and into the limit of threads.
    ///
    /// # Errors
    ///
    /// When what was asked for does not fit.
    pub fn fit(self) -> Result<Limits, Error> {
        raise_file_limit();
        let files = getrlimit(Resource::Nofile)
            .current
            .map_or(usize::MAX, whole);
        let room = Room {
            files,
            threads: free_threads(),
        };
        let limits = self.fit_into(room)?;
        let endless = Room {
            files: usize::MAX,
            threads: usize::MAX,
        };
        if self.fit_into(endless).is_ok_and(|most| most != limits) {
            let Limits {
                viewers,
                connections,
            } = limits;
            warn!(
                "the system's limits allow {viewers} viewers and {connections} connections at \
                 once: {} files may be open (`ulimit -n`, LimitNOFILE=) and {} threads started \
                 (`ulimit -u`, TasksMax=)",
                files,
                Number(room.threads),
            );
        }
        Ok(limits)
    }

    fn fit_into(self, room: Room) -> Result<Limits, Error> {
        let most_connections = room.files.saturating_sub(OTHER_FILES);
        let wanted_viewers = self.viewers.unwrap_or(VIEWERS);
        let roomy = CONNECTIONS.max(wanted_viewers + wanted_viewers / 4 + 4 * RESERVED);
        let connections = self.connections.unwrap_or(roomy.min(most_connections));
        if connections > most_connections {
            return Err(Error::Limit {
                option: "--max-connections",
                value: connections,
                most: most_connections,
                reason: format!("only {} files may be open", room.files),
            });
        }
        let reserved = RESERVED.min(connections / 2);
        let most_threads = room.threads.saturating_sub(OTHER_THREADS);
        let most_viewers = (connections - reserved).min(most_threads.saturating_sub(reserved));
        let reason = if most_viewers < connections - reserved {
            format!("only {} threads can be started", room.threads)
        } else {
            format!("of {connections} connections {reserved} are kept for others")
        };
        let viewers = self.viewers.unwrap_or(wanted_viewers.min(most_viewers));
        if viewers > most_viewers || viewers == 0 {
            return Err(Error::Limit {
                option: "--max-viewers",
                value: viewers.max(1),
                most: most_viewers,
                reason,
            });
        }
        Ok(Limits {
            viewers,
            connections,
        })
    }
}

/// A number, or that there is none.
struct Number(usize);

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            usize::MAX => f.write_str("any number of"),
            number => number.fmt(f),
        }
    }
}

fn raise_file_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    let _ = setrlimit(Resource::Nofile, limit);
}

/// Threads that can still be started, as far as can be told.
fn free_threads() -> usize {
    threads_of_group().min(threads_of_user())
}

/// What the control groups we are in leave, in either layout of their file system.
fn threads_of_group() -> usize {
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    groups
        .lines()
        .filter_map(|line| {
            let mut fields = line.splitn(3, ':').skip(1);
            let (controller, path) = (fields.next()?, fields.next()?);
            let root = match controller {
                "" => Path::new("/sys/fs/cgroup"),
                "pids" => Path::new("/sys/fs/cgroup/pids"),
                _ => return None,
            };
            let mut group = PathBuf::from(root);
            group.push(path.trim_start_matches('/'));
            group
                .ancestors()
                .take_while(|folder| folder.starts_with(root))
                .filter_map(threads_left)
                .min()
        })
        .min()
        .unwrap_or(usize::MAX)
}

fn threads_left(group: &Path) -> Option<usize> {
    let number = |file| {
        fs::read_to_string(group.join(file))
            .ok()?
            .trim()
            .parse()
            .ok()
    };
    let most: usize = number("pids.max")?;
    Some(most.saturating_sub(number("pids.current").unwrap_or(0)))
}

/// What RLIMIT_NPROC leaves to this user; it does not bind root.
fn threads_of_user() -> usize {
    let user = geteuid();
    let Some(most) = getrlimit(Resource::Nproc)
        .current
        .filter(|_| !user.is_root())
    else {
        return usize::MAX;
    };
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let threads: usize = processes
        .filter(|process| {
            let is_own = |data: fs::Metadata| data.uid() == user.as_raw();
            process.metadata().is_ok_and(is_own)
        })
        .filter_map(|process| fs::read_dir(process.path().join("task")).ok())
        .map(Iterator::count)
        .sum();
    whole(most).saturating_sub(threads)
}

fn whole(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fit(
        viewers: Option<usize>,
        connections: Option<usize>,
        files: usize,
        threads: usize,
    ) -> Result<(usize, usize), String> {
        let wanted = Wanted {
            viewers,
            connections,
        };
        wanted
            .fit_into(Room { files, threads })
            .map(|limits| (limits.viewers, limits.connections))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn defaults_are_lowered_to_what_fits() {
        let any = usize::MAX;
        for (viewers, connections, files, threads, fits) in [
            (None, None, 20_000, any, (100, 512)),
            (Some(500), None, 20_000, any, (500, 689)),
            (None, Some(64), 20_000, any, (48, 64)),
            (None, None, 64, any, (16, 32)),
            (None, None, 1024, 64, (20, 512)),
            (None, None, 256, 1000, (100, 224)),
        ] {
            assert_eq!(
                fit(viewers, connections, files, threads),
                Ok(fits),
                "{files} files, {threads} threads"
            );
        }
    }

    #[test]
    fn what_was_asked_for_and_does_not_fit_is_an_error_with_its_reason() {
        let any = usize::MAX;
        for (viewers, connections, files, threads, said) in [
            (
                None,
                Some(2000),
                1024,
                any,
                "--max-connections `2000`: at most 992 can be held: only 1024 files may be open",
            ),
            (
                Some(100),
                Some(100),
                1024,
                any,
                "--max-viewers `100`: at most 84 can be held: of 100 connections 16 are kept for others",
            ),
            (
                Some(100),
                None,
                1024,
                64,
                "--max-viewers `100`: at most 20 can be held: only 64 threads can be started",
            ),
            (
                None,
                None,
                1024,
                30,
                "--max-viewers `1`: at most 0 can be held: only 30 threads can be started",
            ),
        ] {
            assert_eq!(
                fit(viewers, connections, files, threads),
                Err(said.to_owned())
            );
        }
    }
}
