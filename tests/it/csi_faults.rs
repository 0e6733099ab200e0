//! Faults of a camera module, at opening and while it runs, with ten viewers attached: nobody is lost,
//! no wrong and no old picture is shown, what is wrong is said in words, and the picture comes back by
//! itself.
//!
//! One round of each fault; `CAMFEED_FAULT_ROUNDS=20 cargo test csi_faults:: -- --nocapture` is the
//! long run and prints a line of numbers for each.

use crate::{
    camfeed::{Camfeed, SOON, eventually},
    fake_libcamera::{BARS, CameraModule},
    fakecam::{decoded, size_of, wait_state},
    fault_viewers::{BUSY_MACHINE, Tally, VIEWERS, Viewer, each, rounds, settled, wait_live},
    http::exchange,
    status::state,
};
use opencv::{
    core::{Mat, Vec3b},
    prelude::*,
};
use rustix::process::Signal;
use serde_json::Value;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

/// `--camera-timeout` here, in seconds; camfeed's own default only takes longer.
const TIMEOUT: &str = "2";

/// What is noticed by it, with the time to say so.
const NOTICED: Duration = Duration::from_secs(3);

/// A module is back this soon after its fault has ended.
const BACK: Duration = Duration::from_secs(3);

/// Wide, so that the square in the pictures takes its time to come round.
const SIZE: &str = "640x160";

/// A width whose rows an ISP pads, and the one that is taken instead.
const PADDED_SIZE: &str = "616x160";

/// Farthest that a channel of a bar may be from what the module shows.
const COLOUR_ERROR: i32 = 24;

/// A fault: the module's states, and what is said of it.
struct Fault {
    name: &'static str,
    /// While it is opened; empty where that goes well.
    opening: &'static str,
    /// While it runs.
    running: &'static str,
    /// Words of `/state` and of placeholders: any of those between bars.
    said: &'static str,
    /// The state that ends it.
    cleared: &'static str,
    /// How `/state` is afterwards.
    shows: fn(&Value) -> bool,
}

/// That its pictures are as they were asked for.
const fn fault(
    name: &'static str,
    opening: &'static str,
    running: &'static str,
    said: &'static str,
) -> Fault {
    Fault {
        name,
        opening,
        running,
        said,
        cleared: "",
        shows: |camera| camera["width"] == 640,
    }
}

/// The fault is there when the module is opened, and while it runs.
const fn both(name: &'static str, state: &'static str, said: &'static str) -> Fault {
    fault(name, state, state, said)
}

/// What a picture is: the number of steps that the square has made, from the left. An error for one that is not as
/// the module shows it; `None` for a placeholder.
fn judge(jpeg: &[u8]) -> Result<Option<(u64, u64)>, String> {
    if jpeg
        .windows(19)
        .any(|bytes| bytes == b"camfeed placeholder")
    {
        return Ok(None);
    }
    let mat = decoded(jpeg).ok_or("no JPEG")?;
    let (width, height) = size_of(&mat);
    if ![(640, 160), (616, 160)].contains(&(width, height)) {
        return Err(format!("{width}x{height}"));
    }
    for (bar, colour) in BARS.iter().enumerate() {
        let column = width * (2 * bar as i32 + 1) / 16;
        let seen = pixel(&mat, column, height / 4);
        let error = seen
            .iter()
            .zip(colour)
            .map(|(one, other)| (one - i32::from(*other)).abs());
        if error.max() > Some(COLOUR_ERROR) {
            return Err(format!("bar {bar} is {seen:?}, not {colour:?}"));
        }
    }
    // The square is the negative of what is above it.
    let is_square = |step: &i32| {
        let column = step * 8 + 4;
        let (above, here) = (
            pixel(&mat, column, height / 4),
            pixel(&mat, column, height / 2 + 8),
        );
        above
            .iter()
            .zip(here)
            .map(|(one, other)| (one - other).abs())
            .sum::<i32>()
            > 60
    };
    let steps: Vec<_> = (0..width / 8).filter(is_square).collect();
    match steps[..] {
        [left] if left == width / 8 - 1 => Ok(Some((left as u64, width as u64 / 8))),
        [left, right] if right == left + 1 => Ok(Some((left as u64, width as u64 / 8))),
        _ => Err(format!("squares at {steps:?}")),
    }
}

/// Red, green and blue.
fn pixel(mat: &Mat, column: i32, row: i32) -> [i32; 3] {
    let [blue, green, red] = mat.at_2d::<Vec3b>(row, column).expect("inside").0;
    [red, green, blue].map(i32::from)
}

type Verdict = Result<Option<(u64, u64)>, String>;

/// What was judged already: all viewers get the same pictures.
#[derive(Default)]
struct Verdicts(Mutex<HashMap<Vec<u8>, Verdict>>);

impl Verdicts {
    fn of(&self, jpeg: &[u8]) -> Verdict {
        if let Some(verdict) = self.0.lock().unwrap().get(jpeg) {
            return verdict.clone();
        }
        let verdict = judge(jpeg);
        let mut all = self.0.lock().unwrap();
        // Nobody is that late.
        if all.len() > 100 {
            all.clear();
        }
        all.insert(jpeg.to_vec(), verdict.clone());
        verdict
    }
}

/// What judges the parts of one viewer: by numbers that rise until a placeholder comes.
fn judge_of(verdicts: &Arc<Verdicts>) -> impl FnMut(&[u8]) -> Result<Option<u64>, String> + use<> {
    let verdicts = Arc::clone(verdicts);
    let mut last = None;
    move |jpeg| {
        let Some((step, steps)) = verdicts.of(jpeg)? else {
            last = None;
            return Ok(None);
        };
        let number = match last {
            None => step,
            Some(last) => {
                let further = (step + steps - last % steps) % steps;
                if further > steps / 2 {
                    return Err(format!("step {step} of {steps} after {}", last % steps));
                }
                last + further
            }
        };
        last = Some(number);
        Ok(last)
    }
}

/// Puts ten viewers through the fault, and looks at them.
fn endure(fault: &Fault) {
    let name = fault.name;
    let module = CameraModule::new(fault.opening);
    let size = if name.starts_with("rows") {
        PADDED_SIZE
    } else {
        SIZE
    };
    let options = [
        "--source",
        "csi",
        "--fps",
        "10",
        "--size",
        size,
        "--camera-timeout",
        TIMEOUT,
    ];
    let camfeed = module.serve(&options);
    let verdicts = Arc::<Verdicts>::default();
    let viewers: Vec<_> = (0..VIEWERS)
        .map(|_| Viewer::open(camfeed.address, judge_of(&verdicts)))
        .collect();
    // It was never there.
    let mut at_opening = Tally::default();
    if !fault.opening.is_empty() {
        outage(fault, &camfeed, &viewers, Instant::now());
        back(fault, &module, &camfeed, &viewers, &mut at_opening);
    }
    wait_live(&viewers);
    let before = settled(&camfeed);
    let mut tally = Tally::default();
    for _ in 0..rounds() {
        let warned = camfeed.count_log(" WARN ");
        let begun = Instant::now();
        module.set(fault.running);
        let noticed = each(&viewers, SOON, |viewer| {
            viewer.first(begun, |seen| !seen.is_live)
        });
        let last = noticed.iter().map(|seen| seen.at - begun).max();
        tally.noticed = tally.noticed.max(last);
        // The stream that ends is only what makes it open again.
        if !fault.opening.is_empty() {
            module.set(fault.opening);
        }
        outage(fault, &camfeed, &viewers, Instant::now());
        back(fault, &module, &camfeed, &viewers, &mut tally);
        tally.rounds += 1;
        check(name, &viewers);
        let_go_each_time(name, &module);
        assert_eq!(
            camfeed.count_log(" WARN ") - warned,
            1,
            "{name}: one warning"
        );
        assert!(
            tally.noticed <= Some(NOTICED * BUSY_MACHINE),
            "{name}: {:?}",
            tally.noticed
        );
    }
    println!(
        "fault | {name} at opening | back {:.2} s",
        at_opening.back.as_secs_f64()
    );
    tally.finish(name, &camfeed, &viewers, before);
    for tally in [at_opening, tally] {
        assert!(
            tally.back <= BACK * BUSY_MACHINE,
            "{name}: back after {:?}",
            tally.back
        );
    }
}

/// There is no picture, and everybody is told why: asked of all, and from `from` on.
fn outage(fault: &Fault, camfeed: &Camfeed, viewers: &[Viewer], from: Instant) {
    let is_said = |text: &str| fault.said.split('|').any(|word| text.contains(word));
    let mut now = Value::Null;
    let is_told = eventually(SOON, || {
        now = state(camfeed.address)["camera"].take();
        now["state"] == "offline" && is_said(now["reason"].as_str().unwrap_or_default())
    });
    assert!(
        is_told,
        "{}: never {:?} but {now:#}",
        fault.name, fault.said
    );
    let mut reasons = Vec::new();
    let is_shown = eventually(SOON, || {
        let reason = |viewer: &Viewer| viewer.sight.lock().unwrap().reason.clone();
        reasons = viewers.iter().map(reason).collect();
        reasons.iter().all(|reason| is_said(reason))
    });
    assert!(
        is_shown,
        "{}: never {:?} but {reasons:?}",
        fault.name, fault.said
    );
    for viewer in viewers {
        let count = viewer.count(from, true);
        assert_eq!(count, 0, "{}: a picture from nowhere", fault.name);
    }
}

/// Ends the fault and waits for new pictures on the same connections.
fn back(
    fault: &Fault,
    module: &CameraModule,
    camfeed: &Camfeed,
    viewers: &[Viewer],
    tally: &mut Tally,
) {
    let mended = Instant::now();
    module.set(fault.cleared);
    let returned = each(viewers, SOON, |viewer| {
        viewer.first(mended, |seen| seen.is_live)
    });
    let last = returned.iter().map(|seen| seen.at - mended).max();
    tally.back = tally.back.max(last.unwrap_or_default());
    wait_state(camfeed, "online");
    let mut now = Value::Null;
    let is_so = eventually(SOON, || {
        now = state(camfeed.address)["camera"].take();
        (fault.shows)(&now)
    });
    assert!(is_so, "{}: {now:#}", fault.name);
}

/// No viewer is lost, and none has got what it should not.
fn check(name: &str, viewers: &[Viewer]) {
    for viewer in viewers {
        let sight = viewer.sight.lock().unwrap();
        assert_eq!(sight.lost, None, "{name}: a viewer was lost");
        assert!(sight.bad.is_empty(), "{name}: {:?}", sight.bad);
        assert_eq!(sight.again, 0, "{name}: old pictures");
    }
}

/// The module was let go before it was opened again, each time.
fn let_go_each_time(name: &str, module: &CameraModule) {
    let log = module.log();
    let mut is_open = false;
    for line in log.lines() {
        let opens = line.starts_with("open ");
        if opens || line.starts_with("close ") {
            assert_ne!(opens, is_open, "{name}:\n{log}");
            is_open = opens;
        }
        let is_held = line == "error busy" && !name.contains("busy");
        assert!(!is_held, "{name}: it was opened while it was open:\n{log}");
    }
}

/// Side by side: they mostly wait.
fn endure_all(faults: &[Fault]) {
    thread::scope(|scope| {
        for fault in faults {
            scope.spawn(|| endure(fault));
        }
    });
}

const BUSY: &str = "another program is using it";
const MEMORY: &str = "not enough of the memory that cameras share";
const SIZE_REFUSED: &str = "does not give NV12 pictures of 640x160";

#[test]
fn a_module_that_is_gone_or_silent() {
    endure_all(&[
        fault(
            "none",
            "none",
            "none eos",
            "no camera module found|the kernel sees",
        ),
        both("hang", "hang", "no picture|does not answer"),
        fault(
            "hang at opening",
            "hang_open",
            "hang_open eos",
            "does not answer",
        ),
        both("eos", "eos", "the stream ended"),
        fault("refuse", "refuse", "refuse", SIZE_REFUSED),
        fault(
            "adjust",
            "adjust=800x600",
            "adjust=800x600 eos",
            "does not answer",
        ),
        fault(
            "adjust, told",
            "told adjust=800x600",
            "told adjust=800x600 eos",
            SIZE_REFUSED,
        ),
        fault(
            "padded rows",
            "stride=100",
            "stride=100 eos",
            "padded lines",
        ),
    ]);
}

#[test]
fn a_module_that_reports_errors_or_becomes_another() {
    endure_all(&[
        fault("busy", "busy", "busy eos", BUSY),
        fault("error=busy", "error=busy", "error=busy eos", BUSY),
        fault(
            "error=forbidden",
            "error=forbidden",
            "error=forbidden eos",
            "permission denied",
        ),
        both("error=memory", "error=memory", MEMORY),
        both("error=start", "error=start", MEMORY),
        both("error=configure", "error=configure", MEMORY),
        both("error=negotiation", "error=negotiation", SIZE_REFUSED),
        both(
            "error=focus",
            "error=focus",
            "libcamera says: Failed to enable auto focus",
        ),
        Fault {
            cleared: "clamp=5",
            shows: |camera| camera["fps"].as_f64().is_some_and(|fps| fps < 7.0),
            ..fault("slower", "", "clamp=5 eos", "the stream ended")
        },
        Fault {
            cleared: "stride=64",
            ..fault(
                "rows that are padded now",
                "",
                "stride=64 eos",
                "the stream ended",
            )
        },
        Fault {
            cleared: "limited",
            shows: |camera| camera["range"] == "limited",
            ..fault("another range", "", "limited eos", "the stream ended")
        },
    ]);
}

/// What a service manager waits for at most.
const END: Duration = Duration::from_secs(2);

#[test]
fn a_signal_ends_it_while_a_module_hangs() {
    for (opening, running) in [
        ("hang_open", ""),
        ("adjust=800x600", ""),
        ("hang", ""),
        ("", "hang"),
    ] {
        let module = CameraModule::new(opening);
        let camfeed = module.serve(&["--source", "csi", "--size", SIZE]);
        let _viewer = Viewer::open(camfeed.address, judge_of(&Arc::default()));
        module.wait_count("open ", 1);
        if opening.is_empty() {
            wait_state(&camfeed, "online");
            module.set(running);
        }
        if running == "hang" || opening == "hang_open" {
            module.wait_count("hang ", 1);
        }
        let (status, took) = camfeed.end(Signal::TERM);
        assert_eq!(status.code(), Some(0), "{opening}, {running}");
        assert!(took < END, "{opening}, {running}: {took:?}");
    }
}

/// Sets a control.
const SET: &str = "POST /controls HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
     Content-Type: application/json\r\nContent-Length: 17\r\n\r\n{\"saturation\": 1}";

/// Between two states of a module that does not know what it is.
const FLIP: Duration = Duration::from_millis(100);

#[test]
fn a_module_whose_faults_change_all_the_time_and_whose_controls_are_set_meanwhile() {
    let states = [
        "",
        "hang",
        "",
        "error=start",
        "eos",
        "none eos",
        "busy eos",
        "hang_open eos",
        "refuse",
        "",
    ];
    let module = CameraModule::new("");
    let options = [
        "--source",
        "csi",
        "--fps",
        "10",
        "--size",
        SIZE,
        "--camera-timeout",
        TIMEOUT,
    ];
    let camfeed = module.online(&options);
    let verdicts = Arc::default();
    let viewers: Vec<_> = (0..VIEWERS)
        .map(|_| Viewer::open(camfeed.address, judge_of(&verdicts)))
        .collect();
    wait_live(&viewers);
    let before = settled(&camfeed);
    let mut tally = Tally::default();
    for _ in 0..rounds() {
        for state in states.iter().cycle().take(40) {
            module.set(state);
            let changed = Instant::now();
            while changed.elapsed() < FLIP {
                let answer = exchange(camfeed.address, SET);
                assert!([200, 503].contains(&answer.status), "{}", answer.text());
                assert!(
                    changed.elapsed() < FLIP * 10 * BUSY_MACHINE,
                    "it waits for the camera"
                );
            }
        }
        let mended = Instant::now();
        module.set("");
        each(&viewers, SOON, |viewer| {
            viewer.first(mended + BACK, |seen| seen.is_live)
        });
        wait_state(&camfeed, "online");
        tally.rounds += 1;
        check("flips", &viewers);
        let_go_each_time("flips, busy", &module);
    }
    tally.finish("flips", &camfeed, &viewers, before);
}
