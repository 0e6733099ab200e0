//! What was typed. By hand, because cargo adds an argument of its own (`--bench`).

use std::path::PathBuf;

pub const HELP: &str = "\
Measures camfeed against a bare thread-per-client sender of the same bytes.

  make bench ARGS=\"…\"   or   cargo bench --bench feed -- OPTIONS

  --viewers 1,10,100,500  how many viewers, one measurement each
  --seconds 10            the measured window
  --rounds 3              alternating rounds; medians are printed
  --quick                 1 and 100 viewers, 3 seconds, one round
  --verify                every viewer hashes every body (else 1 in 50 does)
  --burst                 many connections at once instead: 5, 12, 50, 100, each 20 times
  --check                 exit 1 when a limit is missed (29.5 fps, 1.35 times the floor's CPU)
  --json FILE  --svg FILE results as data, as a picture
  --bin PATH              the camfeed to measure (else the one cargo built)
  --against PATH          another camfeed in the same rounds, as `old`
  --also NAME=COMMAND     another server in the same rounds, repeatable; {port}, {film} and {jpegs}
                          (a folder) are filled in; without {port} its stderr must say
                          `listening on http://…/`; NAME@/path=COMMAND for a stream elsewhere
                          than /stream
  --source SOURCE         for camfeed, instead of the bench's film (the floor keeps the film)
  --arg WORD              one more argument for camfeed, repeatable
";

/// Checked options.
#[derive(Clone, Debug)]
pub struct Args {
    pub viewers: Vec<usize>,
    pub seconds: f64,
    pub rounds: usize,
    pub verify: bool,
    pub burst: bool,
    pub check: bool,
    pub json: Option<PathBuf>,
    pub svg: Option<PathBuf>,
    pub bin: Option<PathBuf>,
    pub against: Option<PathBuf>,
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
            viewers: vec![1, 10, 100, 500],
            seconds: 10.0,
            rounds: 3,
            verify: false,
            burst: false,
            check: false,
            json: None,
            svg: None,
            bin: option_env!("CARGO_BIN_EXE_camfeed").map(PathBuf::from),
            against: None,
            also: Vec::new(),
            source: None,
            extra: Vec::new(),
        };
        let mut words = words.peekable();
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("{word} needs a value"));
            match word.as_str() {
                "--bench" => (),
                "--help" | "-h" => return Ok(None),
                "--viewers" => args.viewers = parse_counts(&value()?)?,
                "--seconds" => args.seconds = parse_seconds(&value()?)?,
                "--rounds" => args.rounds = parse_count("--rounds", &value()?)?,
                "--quick" => {
                    args.viewers = vec![1, 100];
                    args.seconds = 3.0;
                    args.rounds = 1;
                }
                "--verify" => args.verify = true,
                "--burst" => args.burst = true,
                "--check" => args.check = true,
                "--json" => args.json = Some(value()?.into()),
                "--svg" => args.svg = Some(value()?.into()),
                "--bin" => args.bin = Some(value()?.into()),
                "--against" => args.against = Some(value()?.into()),
                "--also" => args.also.push(parse_peer(&value()?)?),
                "--source" => args.source = Some(value()?),
                "--arg" => args.extra.push(value()?),
                _ => return Err(format!("unknown option `{word}`; see --help")),
            }
        }
        Ok(Some(args))
    }
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
