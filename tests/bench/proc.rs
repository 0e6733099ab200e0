//! What the kernel says of a process and of the machine, from /proc.

use std::collections::HashMap;
use std::fs;
use std::time::Duration;

/// USER_HZ is 100 on every architecture that Rust and OpenCV share.
const TICK_MS: u64 = 10;

/// The thread in which the fake camera makes its pictures: a real one makes them elsewhere.
const CAMERA_THREAD: &str = "fakecam";

/// CPU a process used so far, without the fake camera's.
pub struct Cpu {
    /// utime + stime of the whole process, to the tick, with all threads it ever had.
    total: Duration,
    /// Of the camera, to the nanosecond; part of `total` and not of `threads`.
    camera: u64,
    /// Of each living thread, to the nanosecond.
    threads: HashMap<String, u64>,
}

impl Cpu {
    pub fn of(id: u32) -> Cpu {
        let (user, system) = (13, 14);
        let ticks = stat_field(id, user) + stat_field(id, system);
        let mut cpu = Cpu {
            total: from_ticks(ticks),
            camera: 0,
            threads: HashMap::new(),
        };
        let tasks = fs::read_dir(format!("/proc/{id}/task"));
        for task in tasks.into_iter().flatten().flatten() {
            let read = |name: &str| fs::read_to_string(task.path().join(name)).unwrap_or_default();
            let spent = read("schedstat");
            let Some(Ok(spent)) = spent.split(' ').next().map(str::parse) else {
                continue;
            };
            if read("comm").trim() == CAMERA_THREAD {
                cpu.camera += spent;
                continue;
            }
            let name = task.file_name().to_string_lossy().into_owned();
            cpu.threads.insert(name, spent);
        }
        cpu
    }

    /// What was used since `before`. Summed over the threads, which is exact, unless that
    /// differs from the total by more than its ticks explain: then threads have ended meanwhile.
    pub fn since(&self, before: &Cpu) -> Duration {
        let camera = Duration::from_nanos(self.camera.saturating_sub(before.camera));
        let total = self.total.saturating_sub(before.total + camera);
        let exact: u64 = self
            .threads
            .iter()
            .map(|(thread, spent)| spent - before.threads.get(thread).unwrap_or(&0).min(spent))
            .sum();
        let exact = Duration::from_nanos(exact);
        match total.abs_diff(exact) > from_ticks(3) + total / 50 {
            true => total,
            false => exact,
        }
    }
}

/// Resident memory, in bytes.
pub fn memory(id: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = resident.and_then(|text| text.trim().strip_suffix(" kB"));
    kib.and_then(|kib| kib.parse().ok()).unwrap_or(0) * 1024
}

/// Memory in bytes, of what several processes share each one's part.
pub fn shared_out_memory(id: u32) -> u64 {
    let rollup = fs::read_to_string(format!("/proc/{id}/smaps_rollup")).unwrap_or_default();
    let part = rollup.lines().find_map(|line| line.strip_prefix("Pss:"));
    let kib = part.and_then(|text| text.trim().strip_suffix(" kB"));
    kib.and_then(|kib| kib.parse().ok()).unwrap_or(0) * 1024
}

/// The process and all that it started, and they did.
pub fn family(id: u32) -> Vec<u32> {
    let parent = 3;
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let parents: Vec<(u32, u64)> = ids.map(|id| (id, stat_field(id, parent))).collect();
    let mut family = vec![id];
    let mut at = 0;
    while let Some(&member) = family.get(at) {
        let children = parents.iter().filter(|(_, of)| *of == u64::from(member));
        family.extend(children.map(|(child, _)| child));
        at += 1;
    }
    family
}

/// The words that it was started with, blanks between them.
pub fn command(id: u32) -> String {
    let words = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&words).replace('\0', " ")
}

pub fn threads(id: u32) -> u64 {
    stat_field(id, 19)
}

pub fn files(id: u32) -> u64 {
    fs::read_dir(format!("/proc/{id}/fd")).map_or(0, |entries| entries.count() as u64)
}

/// Time of all cores since the start of the machine.
pub struct Machine {
    /// Spent on anything: user, nice, system and interrupts.
    busy: Duration,
    /// Taken by the host for other machines.
    stolen: Duration,
}

impl Machine {
    pub fn now() -> Machine {
        let text = fs::read_to_string("/proc/stat").unwrap_or_default();
        // cpu user nice system idle iowait irq softirq steal …
        let fields: Vec<u64> = text
            .lines()
            .next()
            .unwrap_or_default()
            .split_whitespace()
            .skip(1)
            .filter_map(|field| field.parse().ok())
            .collect();
        let at = |index: usize| fields.get(index).copied().unwrap_or(0);
        Machine {
            busy: from_ticks(at(0) + at(1) + at(2) + at(5) + at(6)),
            stolen: from_ticks(at(7)),
        }
    }

    /// Busy and stolen time since `before`.
    pub fn since(&self, before: &Machine) -> (Duration, Duration) {
        (
            self.busy.saturating_sub(before.busy),
            self.stolen.saturating_sub(before.stolen),
        )
    }
}

pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Field of /proc/ID/stat, counted from 0; 0 when the process is gone.
fn stat_field(id: u32, index: usize) -> u64 {
    let text = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    // The name, field 1, may hold blanks and brackets; what follows its last bracket is field 2.
    let after = text.rsplit_once(") ").map_or("", |(_, after)| after);
    let field = after.split(' ').nth(index - 2);
    field.and_then(|field| field.parse().ok()).unwrap_or(0)
}

fn from_ticks(ticks: u64) -> Duration {
    Duration::from_millis(ticks * TICK_MS)
}
