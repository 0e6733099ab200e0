//! The program's surroundings: systemd, signals, limits, the log, the machine's health.

pub mod fault_injection;
pub mod limits;
pub mod log_limit;
pub mod logging;
pub mod machine;
pub mod output;
pub mod process_stats;
pub mod shutdown;
pub mod signals;
pub mod systemd;
pub mod threads;
