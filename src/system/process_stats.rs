//! This process as the system sees it: what Prometheus' own dashboards expect of every program.
//!
//! Read from /proc whenever `/metrics` is asked for, and never else. What cannot be read is absent.

use rustix::{
    param::clock_ticks_per_second,
    process::{Resource, getrlimit},
    time::{ClockId, clock_gettime},
};
use std::fs;

/// What the system knows of this process.
#[derive(Debug, Clone, Copy)]
pub struct Process {
    /// Time on all processors together, seconds.
    pub cpu_seconds: f64,
    /// Memory that is not swapped out.
    pub resident_bytes: Option<u64>,
    /// Open descriptors.
    pub open_fds: Option<u64>,
    /// Descriptors it may have open; absent without a limit.
    pub max_fds: Option<u64>,
    /// Threads.
    pub threads: Option<u64>,
    /// When it was started, Unix seconds by the clock as it stands now: a Raspberry Pi learns the
    /// time some while after it has started.
    pub started: Option<u64>,
}

/// Looks at this process.
pub fn look() -> Process {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    Process {
        cpu_seconds: seconds(ClockId::ProcessCPUTime),
        resident_bytes: number_after(&status, "VmRSS:").map(|kibibytes| kibibytes * 1024),
        open_fds: open_fds(),
        max_fds: getrlimit(Resource::Nofile).current,
        threads: number_after(&status, "Threads:"),
        started: started(),
    }
}

fn open_fds() -> Option<u64> {
    let count = fs::read_dir("/proc/self/fd").ok()?.count();
    // One of them is that of this look.
    u64::try_from(count).ok()?.checked_sub(1)
}

fn started() -> Option<u64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let ticks = start_ticks(&stat)? as f64;
    // /proc/stat has the time of the boot, and a service that sees only processes has not that.
    let booted = seconds(ClockId::Realtime) - seconds(ClockId::Boottime);
    let started = booted + ticks / clock_ticks_per_second() as f64;
    Some(started.round() as u64)
}

fn seconds(clock: ClockId) -> f64 {
    let time = clock_gettime(clock);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// Field 22 of /proc/self/stat, see proc(5): ticks from the boot to the start. The second field is
/// the program's name in brackets, which may hold anything.
fn start_ticks(stat: &str) -> Option<u64> {
    let (_, from_third) = stat.rsplit_once(')')?;
    from_third.split_ascii_whitespace().nth(19)?.parse().ok()
}

/// The number that follows `name` at the beginning of a line.
fn number_after(text: &str, name: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{SystemTime, UNIX_EPOCH};

    #[test]
    fn the_start_is_found_behind_a_name_with_anything_in_it() {
        let stat = "24 (a) 1 b) R 1 24 24 0 -1 4194304 101 0 0 0 0 0 0 0 20 0 1 0 511989 3133440";
        assert_eq!(start_ticks(stat), Some(511_989));
        assert_eq!(start_ticks("24 (a) R 1"), None);
    }

    #[test]
    fn a_number_is_that_of_its_own_line() {
        let status = "VmHWM:\t    1784 kB\nVmRSS:\t    1672 kB\nThreads:\t1\n";
        assert_eq!(number_after(status, "VmRSS:"), Some(1672));
        assert_eq!(number_after(status, "Threads:"), Some(1));
        assert_eq!(number_after(status, "VmSwap:"), None);
    }

    #[test]
    fn this_process_is_known() {
        let process = look();
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.expect("after 1970").as_secs();
        let started = process.started.expect("a start");
        // No run of these tests takes an hour.
        assert!((now - 3600..=now + 2).contains(&started), "{started}");
        assert!(process.cpu_seconds > 0.0);
        assert!(process.resident_bytes.is_some_and(|bytes| bytes > 1 << 20));
        assert!(process.open_fds.is_some_and(|count| count >= 3));
        assert!(process.threads.is_some_and(|count| count >= 1));
    }
}
