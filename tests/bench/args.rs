//! What was typed. By hand, because cargo adds an argument of its own (`--bench`).

use std::path::PathBuf;

use crate::cases::Section;

pub const HELP: &str = "\
Measures camfeed beside its peers and a bare thread-per-client sender, on the same fake camera.

  make bench ARGS=\"…\"   or   cargo bench --bench feed -- OPTIONS

Sections (the default run takes those with a *):
  *feed        viewers, CPU, ages          yuyv*      raw 720p30 at one viewer
  *slow        a reader of 1 Mbit/s        encode     by size and number of workers
  *snapshots   beside 100 viewers          growth     viewers to 1000, sizes, rates
  *idle        camera on, nobody looks     sharpness  of encoded pictures at equal size
  *first       a newcomer's first picture

  --only slow,idle        these sections
  --all                   every section
  --case TEXT             of these, the cases whose name contains it, such as `1920x1080`
  --viewers 1,10,100,500  of the feed section, one measurement each
  --seconds 3             the measured window
  --rounds N              alternating rounds, medians are printed; by default 3 for feed,
                          snapshots and what --only or --all name, else 1
  --quick                 1 and 100 viewers, 2 seconds, one round
  --verify                every viewer hashes every body (else 1 in 50 does)
  --burst                 many connections at once instead: 5, 12, 50, 100, each 20 times
  --module                a camera module instead: its bare pipeline, camfeed with one viewer and with
                          nobody, and camfeed as one reads it with videoconvert; --case takes some
  --several               four cameras in one process beside four processes instead: CPU a frame, memory, every
                          stream whole; then three of them while the fourth has each fault (--case TEXT: `cost`, or
                          these faults; --seconds 30 is twenty times each)
  --page                  the page in Chromium beside a plain <img> instead: CPU, memory, frames on the
                          screen and their age, 20 seconds each; --case takes some, --against adds a page
  --size WxH              of the module's pictures; by default 1280x720
  --check                 exit 1 when a target is missed
  --json FILE  --svg FILE results as data, as a picture
  --bin PATH              the camfeed to measure (else the one cargo built)
  --against PATH          another camfeed in the same rounds, as `old`
  --without NAME          leave one out: floor, camfeed, ustreamer, mjpg-streamer or motion
  --also NAME=COMMAND     another server in the same rounds, repeatable; it sees /dev/video0, and
                          {port}, {size}, {fps}, {jpegs} (a folder) and {film} (an AVI) are filled in; without {port}
                          its stderr must say `listening on http://…/`; NAME@/path=COMMAND for a
                          stream elsewhere than /stream
  --source SOURCE         for camfeed, instead of the fake camera; with --module `csi:NAME`
  --arg WORD              one more argument for camfeed, repeatable
";

/// The measured window.
const SECONDS: f64 = 3.0;
/// A browser's memory goes up and down.
const PAGE_SECONDS: f64 = 20.0;

/// Checked options.
#[derive(Clone, Debug)]
pub struct Args {
    /// Empty: the default run.
    pub sections: Vec<Section>,
    /// Empty: every case.
    pub case: String,
    pub viewers: Vec<usize>,
    pub seconds: f64,
    /// None: as each section has it.
    pub rounds: Option<usize>,
    pub verify: bool,
    pub burst: bool,
    pub module: bool,
    pub page: bool,
    pub several: bool,
    /// Of a camera module's pictures.
    pub size: (usize, usize),
    pub check: bool,
    pub json: Option<PathBuf>,
    pub svg: Option<PathBuf>,
    pub bin: Option<PathBuf>,
    pub against: Option<PathBuf>,
    pub without: Vec<String>,
    pub also: Vec<Peer>,
    pub source: Option<String>,
    pub extra: Vec<String>,
}

/// A server of another house.
#[derive(Clone, Debug)]
pub struct Peer {
    pub name: String,
    pub path: String,
    pub command: String,
}

impl Args {
    /// Reads the words after the program's name. None: help was asked for.
    pub fn parse(words: impl Iterator<Item = String>) -> Result<Option<Args>, String> {
        let mut args = Args {
            sections: Vec::new(),
            case: String::new(),
            viewers: vec![1, 10, 100, 500],
            seconds: SECONDS,
            rounds: None,
            verify: false,
            burst: false,
            module: false,
            page: false,
            several: false,
            size: (1280, 720),
            check: false,
            json: None,
            svg: None,
            bin: option_env!("CARGO_BIN_EXE_camfeed").map(PathBuf::from),
            against: None,
            without: Vec::new(),
            also: Vec::new(),
            source: None,
            extra: Vec::new(),
        };
        let mut seconds = None;
        let mut words = words.peekable();
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("{word} needs a value"));
            match word.as_str() {
                "--bench" => (),
                "--help" | "-h" => return Ok(None),
                "--only" => args.sections = parse_sections(&value()?)?,
                "--all" => args.sections = Section::ALL.to_vec(),
                "--case" => args.case = value()?,
                "--viewers" => args.viewers = parse_counts(&value()?)?,
                "--seconds" => seconds = Some(parse_seconds(&value()?)?),
                "--rounds" => args.rounds = Some(parse_count("--rounds", &value()?)?),
                "--quick" => {
                    args.viewers = vec![1, 100];
                    seconds = Some(2.0);
                    args.rounds = Some(1);
                }
                "--verify" => args.verify = true,
                "--burst" => args.burst = true,
                "--module" => args.module = true,
                "--page" => args.page = true,
                "--several" => args.several = true,
                "--size" => args.size = parse_size(&value()?)?,
                "--check" => args.check = true,
                "--json" => args.json = Some(value()?.into()),
                "--svg" => args.svg = Some(value()?.into()),
                "--bin" => args.bin = Some(value()?.into()),
                "--against" => args.against = Some(value()?.into()),
                "--without" => args.without.push(value()?),
                "--also" => args.also.push(parse_peer(&value()?)?),
                "--source" => args.source = Some(value()?),
                "--arg" => args.extra.push(value()?),
                _ => return Err(format!("unknown option `{word}`; see --help")),
            }
        }
        let usual = if args.page { PAGE_SECONDS } else { SECONDS };
        args.seconds = seconds.unwrap_or(usual);
        Ok(Some(args))
    }
}

fn parse_sections(text: &str) -> Result<Vec<Section>, String> {
    let names = Section::ALL.map(Section::name).join(", ");
    text.split(',')
        .map(|word| {
            let found = Section::ALL
                .into_iter()
                .find(|section| section.name() == word.trim());
            found.ok_or(format!("--only `{word}`: {names}"))
        })
        .collect()
}

fn parse_counts(text: &str) -> Result<Vec<usize>, String> {
    text.split(',')
        .map(|count| parse_count("--viewers", count))
        .collect()
}

fn parse_count(option: &str, text: &str) -> Result<usize, String> {
    match text.trim().parse() {
        Ok(count) if (1..=5000).contains(&count) => Ok(count),
        _ => Err(format!("{option} `{text}`: 1 to 5000")),
    }
}

fn parse_seconds(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(seconds) if (0.5..=3600.0).contains(&seconds) => Ok(seconds),
        _ => Err(format!("--seconds `{text}`: 0.5 to 3600")),
    }
}

fn parse_size(text: &str) -> Result<(usize, usize), String> {
    let sides = text.split_once('x');
    let sides = sides.and_then(|(width, height)| Some((width.parse().ok()?, height.parse().ok()?)));
    sides.ok_or(format!("--size `{text}`: WxH, such as 1280x720"))
}

fn parse_peer(text: &str) -> Result<Peer, String> {
    let (name, command) = text
        .split_once('=')
        .ok_or(format!("--also `{text}`: NAME=COMMAND"))?;
    let (name, path) = name.split_once('@').unwrap_or((name, "/stream"));
    Ok(Peer {
        name: name.into(),
        path: path.into(),
        command: command.into(),
    })
}
