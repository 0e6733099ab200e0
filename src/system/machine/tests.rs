//! The kernel's files in a folder of the test's own.

use super::*;
use std::sync::atomic::{AtomicU32, Ordering};

/// Removed when dropped.
struct Root(PathBuf);

impl Root {
    fn with(files: &[(&str, &str)]) -> Root {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("camfeed-health-{}-{number}", std::process::id());
        let root = Root(env::temp_dir().join(name));
        fs::create_dir_all(&root.0).expect("made");
        for (path, text) in files {
            let path = root.0.join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(path, text).expect("written");
        }
        root
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const ZONE: &str = "sys/class/thermal/thermal_zone0/type";
const TEMP: &str = "sys/class/thermal/thermal_zone0/temp";
const NAME: &str = "sys/class/hwmon/hwmon1/name";
const ALARM: &str = "sys/class/hwmon/hwmon1/in0_lcrit_alarm";
const WIRELESS: &str = "proc/self/net/wireless";

const TITLES: &str = "Inter-| sta-|   Quality        |   Discarded packets
 face | tus | link level noise |  nwid  crypt
";

#[test]
fn a_machine_that_tells_nothing_is_unknown() {
    let root = Root::with(&[]);
    assert_eq!(read_health(&root.0), MachineHealth::default());
    assert!(!read_health(&root.0).is_known());
    let root = Root::with(&[
        (ZONE, "cpu-thermal\n"),
        (TEMP, "warm\n"),
        (NAME, "rpi_volt\n"),
        (ALARM, "\n"),
        (WIRELESS, TITLES),
    ]);
    assert_eq!(read_health(&root.0), MachineHealth::default());
}

#[test]
fn the_temperature_is_that_of_the_processors_hottest_part() {
    let root = Root::with(&[
        (ZONE, "cpu-thermal\n"),
        (TEMP, "48312\n"),
        ("sys/class/thermal/thermal_zone1/type", "battery\n"),
        ("sys/class/thermal/thermal_zone1/temp", "60000\n"),
        ("sys/class/thermal/thermal_zone2/type", "soc_thermal\n"),
        ("sys/class/thermal/thermal_zone2/temp", "51000\n"),
        ("sys/class/thermal/thermal_zone3/type", "cpu1-thermal\n"),
        ("sys/class/thermal/thermal_zone3/temp", "-273000\n"),
        ("sys/class/thermal/cooling_device0/type", "cpu-fan\n"),
        ("sys/class/thermal/cooling_device0/temp", "99000\n"),
    ]);
    assert_eq!(read_health(&root.0).temperature, Some(51.0));
}

#[test]
fn a_pi_tells_of_under_voltage_by_its_alarm_and_is_throttled_when_hot() {
    for (alarm, temp, low, throttled) in [
        ("1\n", "60000\n", true, false),
        ("0\n", "81000\n", false, true),
    ] {
        let root = Root::with(&[
            ("sys/class/hwmon/hwmon0/name", "cpu_thermal\n"),
            ("sys/class/hwmon/hwmon0/in0_lcrit_alarm", "1\n"),
            (NAME, "rpi_volt\n"),
            (ALARM, alarm),
            (ZONE, "cpu-thermal\n"),
            (TEMP, temp),
        ]);
        let health = read_health(&root.0);
        assert_eq!(health.under_voltage, Some(low));
        assert_eq!(health.under_voltage_since_boot, None);
        assert_eq!(health.throttled, Some(throttled));
    }
}

#[test]
fn a_hot_pc_is_not_said_to_be_slowed_down() {
    let root = Root::with(&[(ZONE, "x86_pkg_temp\n"), (TEMP, "90000\n")]);
    let health = read_health(&root.0);
    assert_eq!((health.temperature, health.throttled), (Some(90.0), None));
}

#[test]
fn the_signal_is_that_of_the_strongest_network_in_either_notation() {
    for (lines, expected) in [
        (
            " wlan0: 0000   61.  -49.  -256        0      0\n",
            Some(-49),
        ),
        (
            " wlan0: 0000   76.  203.  175.        0      0\n",
            Some(-53),
        ),
        (
            "wlan0: 0000 20. -90. -256\nwlan1: 0000 61. -49. -256\n",
            Some(-49),
        ),
        (" wlan0: 0000    0.    0.     0        0      0\n", None),
        (" wlan0: 0000    0.  -256.  -256       0      0\n", None),
        ("", None),
    ] {
        let root = Root::with(&[(WIRELESS, &format!("{TITLES}{lines}"))]);
        assert_eq!(read_health(&root.0).wifi_signal, expected, "{lines}");
    }
}

#[test]
fn under_voltage_that_comes_and_goes_is_said_once_and_summed_up_when_over() {
    let mut under_voltage = UnderVoltage::default();
    let start = Instant::now();
    let at = |seconds| start + Duration::from_secs(seconds);
    assert_eq!(under_voltage.update(false, at(0)), None);
    assert_eq!(under_voltage.update(true, at(5)), Some(Event::Began));
    for (seconds, is_low) in [
        (10, false),
        (15, true),
        (20, false),
        (60, true),
        (119, false),
    ] {
        assert_eq!(under_voltage.update(is_low, at(seconds)), None, "{seconds}");
    }
    let time = Duration::from_secs(55);
    assert_eq!(
        under_voltage.update(false, at(120)),
        Some(Event::Ended(time))
    );
    assert_eq!(under_voltage.update(false, at(125)), None);
    assert!(under_voltage.was_seen);
    assert_eq!(under_voltage.update(true, at(130)), Some(Event::Began));
}
