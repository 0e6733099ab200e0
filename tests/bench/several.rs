//! The several mode: four cameras in one process, beside four processes with a camera each; and three of them
//! while the fourth has every fault of the fake camera.
//!
//! Two cameras give JPEGs, one gives YUYV at half the rate, one is a pipeline of planes, or what `--source`
//! names. One process and four alternate, as servers do in `rounds`. What the fault must not change is
//! measured in equal windows with and without it.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::args::Args;
use crate::camera::{self, Camera};
use crate::cases::{Setting, usual};
use crate::client::{Client, Figures};
use crate::limits::Verdict;
use crate::measures::per_frame;
use crate::meter::Meter;
use crate::rounds::is_busy;
use crate::server::{Recipe, Server};
use crate::summary::{COST, medians};
use crate::{proc, report, table};

const ROUNDS: usize = 3;
const VIEWERS: usize = 25;
/// Those that watch each camera beside one that has a fault.
const BYSTANDERS: usize = 5;
/// One process may cost so much of what four do, for each frame.
const OF_CPU: f64 = 1.05;
const OF_MEMORY: f64 = 0.5;
/// A viewer may have so much less than the camera's rate.
const SLACK_FPS: f64 = 0.5;
/// Ages may differ by so much between two windows without any fault.
const AGE_MS: f64 = 5.0;
const FAULTS: [&str; 16] = [
    "plugged no",
    "fault hang",
    "fault eio",
    "fault slow",
    "fault truncated",
    "fault garbage",
    "fault empty",
    "fault nodht",
    "fault padding",
    "fault eoiloss",
    "fault freeze",
    "fault huge",
    "fault errflag",
    "fault drop",
    "fail_streamon ENOSPC",
    "busy yes",
];
/// The camera is well and has the fault by turns.
const TURN: Duration = Duration::from_millis(750);

/// One of the four.
struct Fourth {
    name: &'static str,
    source: String,
    fps: usize,
    options: Vec<&'static str>,
    /// Its JPEGs, where they pass through.
    ring: Option<PathBuf>,
}

/// False when a case failed, or with `--check` when what must hold does not.
pub fn run(args: &Args) -> Result<bool, String> {
    let bin = args.bin.as_deref().filter(|bin| bin.exists());
    let bin = bin.ok_or("no camfeed to measure (--bin PATH)")?;
    let ring = camera::ring(&usual())?;
    let pipeline = "gst:videotestsrc is-live=true ! \
        video/x-raw,format=NV12,width=1280,height=720,framerate=30/1";
    let four = |name, source: &str, fps, options: &[&'static str]| Fourth {
        name,
        source: source.to_owned(),
        fps,
        options: options.to_vec(),
        ring: (options.contains(&"mjpg")).then(|| ring.clone()),
    };
    let jpegs = ["--format", "mjpg", "--size", "1280x720", "--fps", "30"];
    let raw = ["--format", "yuyv", "--size", "640x480", "--fps", "15"];
    // A pipeline says by itself what it gives.
    let (module, sized) = match args.source.as_deref() {
        Some(source) => (source, &["--size", "1280x720"][..]),
        None => (pipeline, &[][..]),
    };
    let all = [
        four("door", "/dev/video0", 30, &jpegs),
        four("yard", "/dev/video1", 30, &jpegs),
        four("shed", "/dev/video2", 15, &raw),
        four("roof", module, 30, sized),
    ];
    let bench = Bench { bin, args, all };
    let mut verdicts = Vec::new();
    if "cost".contains(&args.case) {
        verdicts.extend(bench.cost()?);
    }
    let faults = FAULTS.iter().filter(|fault| fault.contains(&args.case));
    let faults: Vec<&str> = faults.copied().collect();
    verdicts.extend(bench.faults(&faults)?);
    println!("\n{}\n", report::describe_machine());
    for verdict in &verdicts {
        println!("{} {}", verdict.word(), verdict.text);
    }
    if let Some(file) = &args.json {
        let verdicts = verdicts.iter();
        let lines: Vec<_> = verdicts
            .map(|verdict| json!({ "held": verdict.is_held, "text": verdict.text }))
            .collect();
        crate::write(file, &format!("{:#}\n", json!({ "verdicts": lines })))?;
    }
    let mut held = verdicts.iter().map(|verdict| verdict.is_held);
    Ok(held.all(|is_held| is_held != Some(false)) || !args.check)
}

struct Bench<'a> {
    bin: &'a Path,
    args: &'a Args,
    all: [Fourth; 4],
}

/// What was seen of one camera, and the faults its viewers found.
struct Seen {
    figures: Figures,
    faults: Vec<String>,
}

impl Bench<'_> {
    /// What one process costs beside four.
    fn cost(&self) -> Result<Vec<Verdict>, String> {
        let (mut one, mut four) = (Vec::new(), Vec::new());
        let mut verdicts = Vec::new();
        for number in 1..=self.args.rounds.unwrap_or(ROUNDS) {
            for is_one in [number % 2 == 1, number % 2 == 0] {
                let fake = self.camera()?;
                let servers = match is_one {
                    true => vec![self.together(&fake)?],
                    false => self.apart(&fake)?,
                };
                let (sum, seen) = self.watch(&servers, is_one)?;
                let which = if is_one {
                    "one process"
                } else {
                    "four processes"
                };
                let busy = if is_busy(&sum) { " (busy)" } else { "" };
                eprintln!(
                    "round {number}, {which}: {:.3} ms CPU a frame, {:.1} MB{busy}",
                    sum[COST], sum["pss_mb"]
                );
                if is_one {
                    verdicts.extend(self.whole(&seen, is_busy(&sum)));
                    one.push(sum);
                } else {
                    four.push(sum);
                }
            }
        }
        let quiet = |all: &[Figures]| all.iter().any(|figures| !is_busy(figures));
        let is_quiet = quiet(&one) && quiet(&four);
        let of = |all: &[Figures], name: &str| {
            let counts = all.iter().filter(|figures| !is_quiet || !is_busy(figures));
            let values = medians(counts);
            values.get(name).copied().unwrap_or(f64::NAN)
        };
        for (name, most, what) in [
            (COST, OF_CPU, "CPU a frame"),
            ("pss_mb", OF_MEMORY, "memory (PSS)"),
        ] {
            let (one, four) = (of(&one, name), of(&four, name));
            let ratio = one / four;
            verdicts.push(Verdict {
                is_held: Some(ratio <= most).filter(|_| is_quiet || name != COST),
                text: format!(
                    "{what}: one process {one:.3}, four {four:.3}: {ratio:.2} ({most} allowed)"
                ),
            });
        }
        Ok(verdicts)
    }

    /// Whether every stream of the one process was whole and had its rate.
    fn whole(&self, seen: &[Seen], is_busy: bool) -> Vec<Verdict> {
        let each = self.all.iter().zip(seen);
        each.map(|(camera, seen)| {
            let get = |name: &str| seen.figures.get(name).copied().unwrap_or(f64::NAN);
            let (fps, foreign) = (get("fps_min"), get("foreign"));
            let is_same = camera.ring.is_none() || foreign == 0.0 && get("hashed") > 0.0;
            let is_whole = is_same && seen.faults.is_empty() && get("no_frame") == 0.0;
            let is_fast = fps >= camera.fps as f64 - SLACK_FPS;
            Verdict {
                is_held: match (is_whole, is_fast) {
                    (true, false) if is_busy => None,
                    held => Some(held == (true, true)),
                },
                text: format!(
                    "{}: {VIEWERS} viewers, the slowest at {fps:.1} of {} fps, {foreign} foreign frames, \
                     {} faults, age p50 {:.2} ms",
                    camera.name,
                    camera.fps,
                    seen.faults.len(),
                    get("age_p50_ms")
                ),
            }
        })
        .collect()
    }

    /// What the others give while the second camera has each of `faults`.
    fn faults(&self, faults: &[&str]) -> Result<Vec<Verdict>, String> {
        let titles = ["fault", "turns", "lost", "gap max ms", "age p50 / p99 ms"];
        let mut lines = vec![titles.map(String::from).to_vec()];
        let mut verdicts = Vec::new();
        for fault in faults {
            let fake = self.camera()?;
            let server = self.together(&fake)?;
            let (_, before) = self.beside(&server, &fake, None)?;
            let (turns, beside) = self.beside(&server, &fake, Some(fault))?;
            let worst = |seen: &[Seen], name: &str| {
                let values = seen.iter().filter_map(|seen| seen.figures.get(name));
                values.copied().fold(0.0, f64::max)
            };
            let row = |what: &str, turns: usize, seen: &[Seen]| {
                let ages =
                    ["age_p50_ms", "age_p99_ms"].map(|name| format!("{:.1}", worst(seen, name)));
                vec![
                    what.to_owned(),
                    turns.to_string(),
                    format!("{:.0}", worst(seen, "missed")),
                    format!("{:.0}", worst(seen, "gap_max_ms")),
                    ages.join(" / "),
                ]
            };
            lines.push(row("none", 0, &before));
            lines.push(row(fault, turns, &beside));
            let found: Vec<_> = beside.iter().flat_map(|seen| &seen.faults).collect();
            let (lost, age) = (worst(&beside, "missed"), worst(&beside, "age_p50_ms"));
            let is_busy = beside
                .iter()
                .chain(&before)
                .any(|seen| is_busy(&seen.figures));
            let is_same =
                lost <= worst(&before, "missed") && age <= worst(&before, "age_p50_ms") + AGE_MS;
            verdicts.push(Verdict {
                is_held: match (found.is_empty(), is_same) {
                    (true, false) if is_busy => None,
                    held => Some(held == (true, true)),
                },
                text: format!(
                    "{fault}, {turns} times: the others lost {lost:.0} frames, {found:?}"
                ),
            });
            eprintln!("{}", verdicts[verdicts.len() - 1].text);
        }
        println!("\n{}", table::align(&lines));
        Ok(verdicts)
    }

    /// The viewers of the three other cameras, in a window of `--seconds`, in which the second camera has
    /// `fault` by turns.
    fn beside(
        &self,
        server: &Server,
        fake: &Camera,
        fault: Option<&str>,
    ) -> Result<(usize, Vec<Seen>), String> {
        let others = self.all.iter().filter(|camera| camera.name != "yard");
        let clients = self.clients(
            others,
            |camera| (server, format!("/{}/stream", camera.name)),
            BYSTANDERS,
        )?;
        for client in &clients {
            client.wait_for("begin", Duration::ZERO)?;
        }
        let meter = Meter::begin(server.id(), clients.iter().map(Client::id));
        let end = Instant::now() + Duration::from_secs_f64(self.args.seconds);
        let mut turns = 0;
        while Instant::now() + 2 * TURN < end {
            if let Some(fault) = fault {
                fake.write("control", &control(fault))?;
                turns += 1;
            }
            // The fault lasts so long, and then the camera is well for as long.
            thread::sleep(TURN);
            fake.write("control", &control(""))?;
            thread::sleep(TURN);
        }
        let seen = collect(&clients, self.args.seconds)?;
        let machine = meter.end();
        Ok((turns, with(seen, &machine, &["others_percent"])))
    }

    /// 25 viewers of each camera; the sums over all servers, and what was seen of each camera.
    fn watch(&self, servers: &[Server], is_one: bool) -> Result<(Figures, Vec<Seen>), String> {
        let place = |camera: &Fourth| {
            let at = self.all.iter().position(|one| one.name == camera.name);
            match is_one {
                true => (&servers[0], format!("/{}/stream", camera.name)),
                false => (&servers[at.expect("it is one")], "/stream".to_owned()),
            }
        };
        let clients = self.clients(self.all.iter(), place, VIEWERS)?;
        for client in &clients {
            client.wait_for("begin", Duration::ZERO)?;
        }
        let ids = || {
            servers
                .iter()
                .map(Server::id)
                .chain(clients.iter().map(Client::id))
        };
        let meters: Vec<Meter> = servers
            .iter()
            .map(|server| Meter::begin(server.id(), ids()))
            .collect();
        // To the middle of the measured window.
        thread::sleep(Duration::from_secs_f64(self.args.seconds / 2.0));
        let memory: u64 = servers
            .iter()
            .map(|server| proc::shared_out_memory(server.id()))
            .sum();
        let seen = collect(&clients, self.args.seconds)?;
        let mut sum = Figures::from([("pss_mb".to_owned(), memory as f64 / 1e6)]);
        for meter in meters {
            let figures = meter.end();
            *sum.entry("cpu_ms".into()).or_default() += figures["cpu_ms"];
            let others = figures["others_percent"];
            let most = sum.entry("others_percent".into()).or_default();
            *most = most.max(others);
        }
        let frames: f64 = seen
            .iter()
            .filter_map(|seen| seen.figures.get("frames"))
            .sum();
        sum.insert("frames".into(), frames);
        match per_frame(&mut sum) {
            true => Ok((sum, seen)),
            false => Err("no frame at all".to_owned()),
        }
    }

    fn clients<'b, 's>(
        &self,
        cameras: impl Iterator<Item = &'b Fourth>,
        place: impl Fn(&'b Fourth) -> (&'s Server, String),
        viewers: usize,
    ) -> Result<Vec<Client>, String> {
        let start = |camera: &'b Fourth| {
            let (server, path) = place(camera);
            let (seconds, verify) = (self.args.seconds, camera.ring.is_some());
            let ring = camera.ring.as_deref().unwrap_or(Path::new("-"));
            Client::start(server.address, &path, viewers, seconds, verify, ring)
        };
        cameras.map(start).collect()
    }

    /// The machine's cameras, all well.
    fn camera(&self) -> Result<Camera, String> {
        let fake = Camera::new(&Setting { fps: 30, ..usual() })?;
        fake.write("control", &control(""))?;
        Ok(fake)
    }

    /// One process with all cameras.
    fn together(&self, fake: &Camera) -> Result<Server, String> {
        let sections = self.all.iter().map(|camera| {
            let options = camera.options.chunks(2);
            let options: Vec<_> = options.map(|pair| pair.join(" ")).collect();
            let (name, source) = (camera.name, &camera.source);
            format!("[{name}]\n--source {source}\n{}\n", options.join("\n"))
        });
        let file = fake.write("options", &sections.collect::<String>())?;
        let words = ["--config".into(), file.to_string_lossy().into_owned()];
        self.start(fake, words.to_vec(), "/roof/stream")
    }

    /// A process for each camera.
    fn apart(&self, fake: &Camera) -> Result<Vec<Server>, String> {
        let start = |camera: &Fourth| {
            let mut words = vec!["--source".to_owned(), camera.source.clone()];
            words.extend(camera.options.iter().map(ToString::to_string));
            self.start(fake, words, "/stream")
        };
        self.all.iter().map(start).collect()
    }

    fn start(&self, fake: &Camera, words: Vec<String>, path: &str) -> Result<Server, String> {
        let mut command = vec![self.bin.to_string_lossy().into_owned()];
        command.extend(["--listen", "127.0.0.1:0", "--max-viewers", "400"].map(String::from));
        command.extend(["--max-connections", "800"].map(String::from));
        command.extend(words);
        command.extend(self.args.extra.iter().cloned());
        Server::start(&Recipe {
            name: "camfeed".into(),
            command,
            path: path.into(),
            snapshot: "/snapshot.jpg".into(),
            port: None,
            environment: fake.environment.clone(),
        })
    }
}

/// Three cameras, of which the second has `fault`.
fn control(fault: &str) -> String {
    let jpegs = "format mjpg\nsizes 1280x720\nrates 30\n";
    let raw = "format yuyv\nsizes 640x480\nrates 15\n";
    format!("camera 0\n{jpegs}camera 1\n{jpegs}{fault}\ncamera 2\n{raw}")
}

/// What all clients saw, when their window is over.
fn collect(clients: &[Client], seconds: f64) -> Result<Vec<Seen>, String> {
    for client in clients {
        client.wait_for("end", Duration::from_secs_f64(seconds))?;
    }
    let reports = clients.iter().map(|client| {
        let (figures, faults) = client.report()?;
        Ok(Seen { figures, faults })
    });
    reports.collect()
}

/// These figures of the machine beside those of each.
fn with(mut seen: Vec<Seen>, machine: &Figures, names: &[&str]) -> Vec<Seen> {
    for one in &mut seen {
        let named = names
            .iter()
            .filter_map(|name| Some((name.to_string(), *machine.get(*name)?)));
        one.figures.extend(named);
    }
    seen
}
