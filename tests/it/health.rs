//! The machine's health in `/state`, in the log and on the page: a Raspberry Pi that is not well,
//! as far as files can tell.

use crate::{
    browser::{Browser, page},
    camfeed::{Camfeed, Folder, SMALL, SOON, eventually},
    status::state,
};
use serde_json::{Value, json};
use std::{fs, path::Path};

const ALARM: &str = "sys/class/hwmon/hwmon0/in0_lcrit_alarm";
const TEMPERATURE: &str = "sys/class/thermal/thermal_zone0/temp";
const WIRELESS: &str = "proc/self/net/wireless";

/// The kernel's files of a Pi.
pub struct Machine(Folder);

impl Machine {
    /// One that tells nothing.
    pub fn silent() -> Machine {
        Machine(Folder::new())
    }

    /// One that is well.
    pub fn well() -> Machine {
        let machine = Machine::silent();
        machine.set("sys/class/hwmon/hwmon0/name", "rpi_volt\n");
        machine.set(ALARM, "0\n");
        machine.set("sys/class/thermal/thermal_zone0/type", "cpu-thermal\n");
        machine.set(TEMPERATURE, "48312\n");
        machine.signal(-49);
        machine
    }

    /// One that is ill in every way.
    pub fn ill() -> Machine {
        let machine = Machine::well();
        machine.set(ALARM, "1\n");
        machine.set(TEMPERATURE, "81500\n");
        machine.signal(-82);
        machine
    }

    fn signal(&self, level: i32) {
        let titles =
            "Inter-| sta-|   Quality        |   Discarded packets               | Missed | WE
 face | tus | link level noise |  nwid  crypt   frag  retry   misc | beacon | 22
";
        let line = format!(
            " wlan0: 0000   61.  {level}.  -256        0      0      0      0     11        0\n"
        );
        self.set(WIRELESS, &format!("{titles}{line}"));
    }

    fn set(&self, path: &str, text: &str) {
        let path = self.0.file(path);
        let folder = Path::new(&path).parent().expect("a folder");
        fs::create_dir_all(folder).expect("made");
        // Nobody reads half of it.
        let aside = self.0.file("new");
        fs::write(&aside, text).expect("written");
        fs::rename(aside, path).expect("renamed");
    }

    /// A camfeed that runs on it.
    pub fn serve(&self, args: &[&str]) -> Camfeed {
        let root = self.0.0.to_str().expect("a plain path");
        Camfeed::start_with("127.0.0.1:0", args, &[("CAMFEED_SYSFS", root)])
    }
}

fn wait_health(camfeed: &Camfeed, expected: &Value) {
    let mut health = Value::Null;
    let is_so = eventually(SOON, || {
        health = state(camfeed.address)["health"].take();
        health == *expected
    });
    assert!(is_so, "never {expected}: {health}");
}

#[test]
fn state_and_log_tell_what_ails_a_pi_and_when_it_is_well() {
    let machine = Machine::ill();
    let camfeed = machine.serve(&["--source", SMALL]);
    let ill = json!({
        "temperature_c": 81.5,
        "under_voltage": true,
        "under_voltage_since_boot": true,
        "throttled": true,
        "wifi_signal_dbm": -82,
    });
    wait_health(&camfeed, &ill);
    machine.set(ALARM, "0\n");
    machine.set(TEMPERATURE, "50000\n");
    fs::remove_file(machine.0.file(WIRELESS)).expect("was there");
    let better = json!({
        "temperature_c": 50.0,
        "under_voltage": false,
        "under_voltage_since_boot": true,
        "throttled": false,
        "wifi_signal_dbm": null,
    });
    wait_health(&camfeed, &better);
    machine.set(ALARM, "1\n");
    let is_low_again = || state(camfeed.address)["health"]["under_voltage"] == true;
    assert!(eventually(SOON, is_low_again));
    assert_eq!(camfeed.count_log("under-voltage"), 1, "once per outage");
}

#[test]
fn a_machine_that_tells_nothing_has_no_health() {
    let machine = Machine::silent();
    let camfeed = machine.serve(&["--source", SMALL]);
    let state = state(camfeed.address);
    assert!(state.get("health").is_none(), "{state:#}");
    assert_eq!(camfeed.count_log("under-voltage"), 0);
}

#[test]
fn the_page_says_what_ails_the_machine_and_nothing_when_it_is_well() {
    let machine = Machine::ill();
    let camfeed = machine.serve(&["--source", SMALL]);
    let mut browser = Browser::open(&page(camfeed.address, "/"));
    browser.wait_state("live");
    let says = |browser: &mut Browser, text: &str| {
        browser.wait(&format!(
            "document.getElementById('health').innerText === {}",
            json!(text)
        ));
    };
    says(
        &mut browser,
        "Under-voltage: use a better power supply\nWeak Wi-Fi: -82 dBm",
    );
    machine.set(ALARM, "0\n");
    machine.signal(-60);
    says(&mut browser, "Too hot: the processor is slowed down");
    machine.set(TEMPERATURE, "60000\n");
    browser.wait("document.getElementById('health').hidden");
    browser.wait_state("live");
}
