//! How many connections and viewers the system's limits can hold.
//!
//! Read once at the start. An explicit option that cannot be held is an error then; defaults are lowered,
//! with a warning. What else the user's or the group's processes use is not counted: a client for which
//! no thread can be started gets a 503.

use crate::error::Error;
use log::warn;
use rustix::process::{Resource, geteuid, getrlimit, setrlimit};
use std::{fs, path::Path};

/// Descriptors beside those of connections: the camera and its libraries, the log, the server's own.
const OTHER_FILES: usize = 32;

/// Threads beside those of connections: the program's own, OpenCV's, FFmpeg's, GStreamer's.
const OTHER_THREADS: usize = 28;

/// Threads, and descriptors, of each camera beside the first.
const OF_A_CAMERA: usize = 8;

/// Connections that no viewer can take, so that `/state` and `/snapshot` still answer.
const RESERVED: usize = 16;

/// Default of `--max-viewers`.
const VIEWERS: usize = 100;

/// Default of `--max-connections`; more viewers get more.
const CONNECTIONS: usize = 512;

/// What the options ask for.
#[derive(Debug, Clone, Copy, Default)]
pub struct RequestedLimits {
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

/// What the system allows. Each connection has a descriptor and a thread.
#[derive(Debug, Clone, Copy)]
struct SystemLimits {
    files: usize,
    threads: usize,
    /// That share them.
    cameras: usize,
}

impl RequestedLimits {
    /// Raises the descriptor limit to its hard limit, and fits the request into what the system allows beside
    /// as many `cameras`.
    ///
    /// # Errors
    ///
    /// When an explicit option cannot be held.
    pub fn resolve(self, cameras: usize) -> Result<Limits, Error> {
        let system = SystemLimits::read(cameras);
        let limits = self.resolve_in(system)?;
        if limits.connections < self.connections.unwrap_or(self.default_connections()) {
            let (_, reason) = system.connections();
            let Limits {
                viewers,
                connections,
            } = limits;
            warn!(
                "lowered to {viewers} viewers and {connections} connections at once: {reason} \
                 (LimitNOFILE= and TasksMax=, or `ulimit -n` and `ulimit -u`)"
            );
        }
        Ok(limits)
    }

    fn resolve_in(self, system: SystemLimits) -> Result<Limits, Error> {
        let (most, reason) = system.connections();
        let default = self.default_connections().min(most);
        let connections = self.connections.unwrap_or(default);
        if connections > most {
            return Err(Error::Limit {
                option: "--max-connections",
                value: connections,
                most,
                reason,
            });
        }
        let reserved = RESERVED.min(connections / 2);
        let most_viewers = connections - reserved;
        let viewers = self.viewers.unwrap_or(VIEWERS.min(most_viewers));
        if viewers > most_viewers || viewers == 0 {
            let reason = if self.connections.is_some() {
                format!("of {connections} connections {reserved} are kept for others")
            } else {
                reason
            };
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

    /// Leaves room for clients that are no viewers.
    fn default_connections(self) -> usize {
        let viewers = self.viewers.unwrap_or(VIEWERS);
        CONNECTIONS.max(viewers + viewers / 4 + 4 * RESERVED)
    }
}

impl SystemLimits {
    fn read(cameras: usize) -> SystemLimits {
        let number = |limit| usize::try_from(limit).unwrap_or(usize::MAX);
        let mut files = getrlimit(Resource::Nofile);
        files.current = files.maximum;
        let _ = setrlimit(Resource::Nofile, files);
        // Root is not bound by RLIMIT_NPROC.
        let threads = getrlimit(Resource::Nproc).current;
        let threads = threads.filter(|_| !geteuid().is_root());
        SystemLimits {
            cameras,
            files: getrlimit(Resource::Nofile)
                .current
                .map_or(usize::MAX, number),
            threads: threads
                .map_or(usize::MAX, number)
                .min(threads_of_group(Path::new("/")).unwrap_or(usize::MAX)),
        }
    }

    /// Connections that can be held, and the limit that allows no more.
    fn connections(self) -> (usize, String) {
        let further = OF_A_CAMERA * (self.cameras - 1);
        let by_files = self.files.saturating_sub(OTHER_FILES + further);
        let by_threads = self.threads.saturating_sub(OTHER_THREADS + further);
        let reason = if by_threads < by_files {
            format!("only {} threads can be started", self.threads)
        } else {
            format!("only {} files may be open", self.files)
        };
        (by_files.min(by_threads), reason)
    }
}

/// Threads that our own control group may have: TasksMax= of a service, `--pids-limit` of a container.
/// `None` without a limit, or with the older layout of the file system.
fn threads_of_group(root: &Path) -> Option<usize> {
    let groups = fs::read_to_string(root.join("proc/self/cgroup")).ok()?;
    let group = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let file = root.join("sys/fs/cgroup").join(group).join("pids.max");
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(
        viewers: Option<usize>,
        connections: Option<usize>,
        files: usize,
        threads: usize,
    ) -> Result<(usize, usize), String> {
        let requested = RequestedLimits {
            viewers,
            connections,
        };
        requested
            .resolve_in(SystemLimits {
                files,
                threads,
                cameras: 1,
            })
            .map(|limits| (limits.viewers, limits.connections))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn each_further_camera_takes_some() {
        let connections = |cameras| {
            let (files, threads) = (20_000, 640);
            let system = SystemLimits {
                files,
                threads,
                cameras,
            };
            let limits = RequestedLimits::default().resolve_in(system);
            limits.expect("they fit").connections
        };
        assert_eq!([1, 12, 40].map(connections), [512, 512, 300]);
    }

    #[test]
    fn defaults_are_lowered_to_what_fits() {
        let any = usize::MAX;
        for (viewers, connections, files, threads, fits) in [
            (None, None, 20_000, any, (100, 512)),
            (Some(500), None, 20_000, any, (500, 689)),
            (None, Some(64), 20_000, any, (48, 64)),
            (None, None, 64, any, (16, 32)),
            (None, None, 1024, 64, (20, 36)),
            (None, None, 256, 1000, (100, 224)),
        ] {
            assert_eq!(
                resolve(viewers, connections, files, threads),
                Ok(fits),
                "{files} files, {threads} threads"
            );
        }
    }

    #[test]
    fn the_threads_of_the_own_group_are_read_where_there_is_a_limit() {
        let root = std::env::temp_dir().join(format!("camfeed-limits-{}", std::process::id()));
        let group = "sys/fs/cgroup/system.slice/camfeed.service";
        for (groups, pids_max, threads) in [
            ("0::/system.slice/camfeed.service\n", "640\n", Some(640)),
            ("0::/system.slice/camfeed.service\n", "max\n", None),
            ("1:name=systemd:/\n0::/\n", "640\n", None),
        ] {
            for (path, text) in [
                ("proc/self/cgroup", groups),
                (&format!("{group}/pids.max"), pids_max),
            ] {
                let path = root.join(path);
                fs::create_dir_all(path.parent().expect("a folder")).expect("made");
                fs::write(path, text).expect("written");
            }
            assert_eq!(threads_of_group(&root), threads, "{groups}{pids_max}");
        }
        fs::remove_dir_all(&root).expect("removed");
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
                28,
                "--max-viewers `1`: at most 0 can be held: only 28 threads can be started",
            ),
            (
                None,
                Some(512),
                1024,
                500,
                "--max-connections `512`: at most 472 can be held: only 500 threads can be started",
            ),
        ] {
            assert_eq!(
                resolve(viewers, connections, files, threads),
                Err(said.to_owned())
            );
        }
    }
}
