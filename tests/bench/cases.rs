//! What can be measured: sections, and the cases of each, every one a camera setting and a number of
//! viewers that all servers are put to in turn.

use crate::args::Args;

/// One question. `rounds` measures its cases, `table` has its columns, `limits` its targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Section {
    Feed,
    Slow,
    Snapshots,
    Idle,
    First,
    Yuyv,
    Encode,
    Growth,
    Sharpness,
}

impl Section {
    pub const ALL: [Section; 9] = [
        Section::Feed,
        Section::Slow,
        Section::Snapshots,
        Section::Idle,
        Section::First,
        Section::Yuyv,
        Section::Encode,
        Section::Growth,
        Section::Sharpness,
    ];
    /// What a run takes that names nothing: no more than six minutes with the usual peers.
    const USUAL: [Section; 6] = [
        Section::Feed,
        Section::Slow,
        Section::Snapshots,
        Section::Idle,
        Section::First,
        Section::Yuyv,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Section::Feed => "feed",
            Section::Slow => "slow",
            Section::Snapshots => "snapshots",
            Section::Idle => "idle",
            Section::First => "first",
            Section::Yuyv => "yuyv",
            Section::Encode => "encode",
            Section::Growth => "growth",
            Section::Sharpness => "sharpness",
        }
    }

    /// Above its table.
    pub fn title(self) -> &'static str {
        match self {
            Section::Feed => "the camera's 720p30 JPEGs, passed on to viewers",
            Section::Slow => {
                "one viewer that reads 1 Mbit/s: pictures are as old when they are whole"
            }
            Section::Snapshots => {
                "snapshots beside 100 viewers, on one kept connection and on new ones"
            }
            Section::Idle => "the camera is on and nobody looks",
            Section::First => "a newcomer's first picture, from connecting, nobody else looking",
            Section::Yuyv => "raw YUYV 720p30, encoded for one viewer",
            Section::Encode => "raw YUYV at 30 a second, by size and number of encoder threads",
            Section::Growth => {
                "what viewers, size and rate cost (720p30 and 100 viewers elsewhere)"
            }
            Section::Sharpness => "encoded pictures beside what the camera saw",
        }
    }

    /// The camera gives raw pictures.
    pub fn is_raw(self) -> bool {
        matches!(self, Section::Yuyv | Section::Encode | Section::Sharpness)
    }

    /// Only for servers whose encoder can be told what to do.
    pub fn needs_knobs(self) -> bool {
        matches!(self, Section::Encode | Section::Sharpness)
    }
}

/// How the camera and the encoder are set.
#[derive(Clone, Debug)]
pub struct Setting {
    pub size: (usize, usize),
    pub fps: usize,
    pub is_raw: bool,
    /// None: as the server has it.
    pub workers: Option<usize>,
    pub quality: Option<usize>,
    /// For servers with a cap.
    pub viewers: usize,
}

impl Setting {
    pub fn size_text(&self) -> String {
        format!("{}x{}", self.size.0, self.size.1)
    }
}

/// One measurement of a section, to be made at each server.
#[derive(Clone, Debug)]
pub struct Case {
    pub section: Section,
    /// Of its rows.
    pub label: String,
    pub setting: Setting,
    pub rounds: usize,
    /// The measured window.
    pub seconds: f64,
}

const SIZES: [(usize, usize); 3] = [(640, 480), (1280, 720), (1920, 1080)];
const QUALITIES: [usize; 5] = [60, 70, 80, 90, 95];
/// A slow reader sees few pictures.
const SLOW_SECONDS: f64 = 6.0;
/// Pictures are the same in every round, and few are enough to compare.
const SHARPNESS_SECONDS: f64 = 0.5;
const CROWD: usize = 100;

/// All cases of the sections that were asked for, in order.
pub fn cases(args: &Args) -> Vec<Case> {
    let sections = match args.sections.is_empty() {
        true => &Section::USUAL[..],
        false => &args.sections[..],
    };
    let is_usual = args.sections.is_empty();
    sections
        .iter()
        .flat_map(|&section| {
            let usual_rounds = match section {
                Section::Feed | Section::Snapshots => 3,
                _ if is_usual => 1,
                _ => 3,
            };
            let (rounds, seconds) = match section {
                Section::Sharpness => (1, SHARPNESS_SECONDS),
                Section::Slow => (
                    args.rounds.unwrap_or(usual_rounds),
                    SLOW_SECONDS.max(args.seconds),
                ),
                _ => (args.rounds.unwrap_or(usual_rounds), args.seconds),
            };
            settings(section, args)
                .into_iter()
                .map(move |(label, setting)| Case {
                    section,
                    label,
                    setting,
                    rounds,
                    seconds,
                })
        })
        .filter(|case| case.label.contains(&args.case))
        .collect()
}

/// 720p30 in JPEGs, at one viewer.
pub fn usual() -> Setting {
    Setting {
        size: (1280, 720),
        fps: 30,
        is_raw: false,
        workers: None,
        quality: None,
        viewers: 1,
    }
}

fn settings(section: Section, args: &Args) -> Vec<(String, Setting)> {
    let usual = Setting {
        is_raw: section.is_raw(),
        ..usual()
    };
    let watched = |viewers: usize| Setting {
        viewers,
        ..usual.clone()
    };
    let by_viewers = |viewers: usize| (count(viewers, "viewer"), watched(viewers));
    match section {
        Section::Feed => args.viewers.iter().copied().map(by_viewers).collect(),
        Section::Slow => vec![("1 Mbit/s".into(), usual)],
        Section::Snapshots => vec![by_viewers(CROWD)],
        Section::Idle => vec![("no viewer".into(), usual)],
        Section::First => vec![("newcomers".into(), usual)],
        Section::Yuyv => vec![by_viewers(1)],
        Section::Encode => SIZES
            .into_iter()
            .flat_map(|size| {
                let usual = &usual;
                [1, 2, 4].map(|workers| {
                    let setting = Setting {
                        size,
                        workers: Some(workers),
                        ..usual.clone()
                    };
                    let label = format!("{}, {}", setting.size_text(), count(workers, "worker"));
                    (label, setting)
                })
            })
            .collect(),
        Section::Growth => {
            let mut all: Vec<(String, Setting)> =
                [10, 50, 100, 200, 500, 1000].map(by_viewers).into();
            all.extend([SIZES[0], SIZES[2]].map(|size| {
                let setting = Setting {
                    size,
                    ..watched(CROWD)
                };
                (setting.size_text(), setting)
            }));
            all.extend([10, 60].map(|fps| {
                (
                    format!("{fps} fps"),
                    Setting {
                        fps,
                        ..watched(CROWD)
                    },
                )
            }));
            all
        }
        Section::Sharpness => QUALITIES
            .map(|quality| {
                let setting = Setting {
                    quality: Some(quality),
                    ..usual.clone()
                };
                (format!("quality {quality}"), setting)
            })
            .into(),
    }
}

fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}
