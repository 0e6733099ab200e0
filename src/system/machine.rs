//! How the machine is: its temperature, its power supply, its Wi-Fi.
//!
//! A Raspberry Pi with a weak power supply loses its USB camera, one that is too hot slows down, and
//! a weak Wi-Fi looks like a slow server; so it is said where the picture is. A thread looks every
//! five seconds at files of the kernel and keeps what it found for whoever asks. What a machine
//! does not have is unknown, never an error.

use crate::system::{shutdown::ShutdownFlag, threads};
use log::{debug, info, warn};
use parking_lot::Mutex;
use std::{
    env, fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

/// Between two looks.
const PERIOD: Duration = Duration::from_secs(5);

/// Under-voltage comes and goes with the load: it is over when it has been away for so long.
const CALM: Duration = Duration::from_secs(60);

/// From here on a Pi's firmware slows it down ("Frequency management and thermal control" in its
/// documentation), °C.
const HOT: f64 = 80.0;

/// What is known of the machine; `None` is unknown.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct MachineHealth {
    /// Of the processor, °C.
    pub temperature: Option<f64>,
    /// The supply's voltage is too low, or was so a moment ago.
    pub under_voltage: Option<bool>,
    /// It has been too low since the machine was booted; known only when this program has seen it.
    pub under_voltage_since_boot: Option<bool>,
    /// The processor is slowed down.
    pub throttled: Option<bool>,
    /// Of the strongest network this machine is in, dBm.
    pub wifi_signal: Option<i32>,
}

impl MachineHealth {
    /// True when the machine has told something.
    pub fn is_known(self) -> bool {
        self != MachineHealth::default()
    }
}

/// The machine's health as last read; the thread of [`start`] writes it, answers read it.
#[derive(Debug, Default)]
pub struct LatestHealth(Mutex<MachineHealth>);

impl LatestHealth {
    /// As last read.
    pub fn get(&self) -> MachineHealth {
        *self.0.lock()
    }
}

/// Starts the thread that looks, until `stop`. Without it all is unknown, and the feed goes on.
pub fn start(stop: &Arc<ShutdownFlag>) -> Arc<LatestHealth> {
    let health = Arc::<LatestHealth>::default();
    let (latest, stop) = (Arc::clone(&health), Arc::clone(stop));
    if let Err(error) = threads::start("health", move || watch(&root(), &latest, &stop)) {
        debug!("the machine's health is not watched: {error}");
    }
    health
}

/// The name by which the local network knows this machine, where Avahi tells it: `raspberrypi.local`.
pub fn local_name() -> Option<String> {
    let is_told = root().join("run/avahi-daemon/socket").exists();
    let uname = rustix::system::uname();
    let host = uname.nodename().to_str().ok()?;
    let host = host.split('.').next().filter(|host| !host.is_empty())?;
    is_told.then(|| format!("{host}.local"))
}

/// Where the kernel's files are: tests have their own.
pub fn root() -> PathBuf {
    env::var_os("CAMFEED_SYSFS")
        .filter(|_| cfg!(debug_assertions))
        .map_or_else(|| PathBuf::from("/"), PathBuf::from)
}

/// Runs until the program ends.
fn watch(root: &Path, latest: &LatestHealth, stop: &ShutdownFlag) {
    let mut under_voltage = UnderVoltage::default();
    loop {
        let now = Instant::now();
        let mut health = read_health(root);
        match under_voltage.update(health.under_voltage == Some(true), now) {
            Some(Event::Began) => warn!(
                "under-voltage: the power supply or its cable is too weak; \
                 it can take USB cameras away"
            ),
            Some(Event::Ended(time)) => {
                info!("under-voltage is over after seconds={}", time.as_secs());
            }
            None => {}
        }
        if under_voltage.was_seen {
            health.under_voltage_since_boot = Some(true);
        }
        *latest.0.lock() = health;
        if stop.wait_until(now + PERIOD) {
            return;
        }
    }
}

/// Under-voltage over time.
#[derive(Debug, Default)]
struct UnderVoltage {
    /// There has been some since this program began.
    was_seen: bool,
    /// When the present period of it began, and when the voltage was last too low.
    period: Option<(Instant, Instant)>,
}

/// What is worth a log line.
#[derive(Debug, PartialEq)]
enum Event {
    /// The voltage is too low.
    Began,
    /// It has not been too low for [`CALM`]; before that it was, on and off, for so long.
    Ended(Duration),
}

impl UnderVoltage {
    fn update(&mut self, is_low: bool, now: Instant) -> Option<Event> {
        self.was_seen |= is_low;
        match &mut self.period {
            None if is_low => {
                self.period = Some((now, now));
                Some(Event::Began)
            }
            Some((_, last)) if is_low => {
                *last = now;
                None
            }
            Some((began, last)) if now >= *last + CALM => {
                let time = last.duration_since(*began);
                self.period = None;
                Some(Event::Ended(time))
            }
            _ => None,
        }
    }
}

/// Reads the files below `root`.
fn read_health(root: &Path) -> MachineHealth {
    let temperature = temperature(root);
    let under_voltage = under_voltage_alarm(root);
    // A Pi's kernel has no file for throttling but get_throttled, and a read of that one logs a stack
    // trace ("deprecated, use hwmon sysfs instead"); so the temperature says it.
    let throttled = under_voltage.and(temperature).map(|degrees| degrees >= HOT);
    MachineHealth {
        temperature,
        under_voltage,
        under_voltage_since_boot: None,
        throttled,
        wifi_signal: wifi_signal(root),
    }
}

/// Of the hottest part of the processor. A zone's type is `cpu-thermal` on a Pi, `x86_pkg_temp` on
/// a PC, `soc-thermal` and the like elsewhere; others are batteries, radios and disks.
fn temperature(root: &Path) -> Option<f64> {
    let is_processor = |zone: &PathBuf| {
        let kind = read(&zone.join("type")).unwrap_or_default();
        ["cpu", "soc", "x86_pkg", "bcm2835"]
            .iter()
            .any(|part| kind.contains(part))
    };
    folders(&root.join("sys/class/thermal"), "thermal_zone")
        .filter(is_processor)
        .filter_map(|zone| read(&zone.join("temp"))?.parse::<f64>().ok())
        .map(|millidegrees| millidegrees / 1000.0)
        // A sensor that is switched off says something absurd.
        .filter(|degrees| (-40.0..=150.0).contains(degrees))
        .reduce(f64::max)
}

/// The alarm of the kernel's driver raspberrypi-hwmon: under-voltage within the last two seconds. The
/// driver clears what the firmware has kept since the boot.
fn under_voltage_alarm(root: &Path) -> Option<bool> {
    let is_supply =
        |monitor: &PathBuf| read(&monitor.join("name")).is_some_and(|name| name == "rpi_volt");
    let monitor = folders(&root.join("sys/class/hwmon"), "hwmon").find(is_supply)?;
    match read(&monitor.join("in0_lcrit_alarm"))?.as_str() {
        "0" => Some(false),
        "1" => Some(true),
        _ => None,
    }
}

/// The level of the strongest network in /proc/net/wireless, by the name it has in a service that
/// sees only processes in /proc: after two lines of titles one for each device,
/// `wlan0: 0000   61.  -49.  -256 …` with status, link quality, level and noise. Some drivers write
/// the level of -49 as 207; small positive numbers are in no known unit.
fn wifi_signal(root: &Path) -> Option<i32> {
    let text = fs::read_to_string(root.join("proc/self/net/wireless")).ok()?;
    let level = |line: &str| {
        let (_, numbers) = line.split_once(':')?;
        let level = numbers.split_ascii_whitespace().nth(2)?;
        match level.trim_end_matches('.').parse().ok()? {
            level @ -120..=-1 => Some(level),
            level @ 136..=255 => Some(level - 256),
            _ => None,
        }
    };
    text.lines().skip(2).filter_map(level).max()
}

/// The entries of `folder` whose names begin with `name`.
fn folders(folder: &Path, name: &'static str) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter(move |entry| entry.file_name().to_string_lossy().starts_with(name))
        .map(|entry| entry.path())
}

/// The one line of a file, if it can be read.
fn read(path: &Path) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    Some(text.trim().to_owned())
}

#[cfg(test)]
mod tests;
