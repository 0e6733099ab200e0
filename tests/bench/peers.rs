//! Who takes part, and how each is told to show the fake camera: the floor and camfeed always,
//! ustreamer, mjpg-streamer and motion where they are installed, and whoever was asked for.
//!
//! Peers are told to do their best: JPEGs of the camera passed on where they can, small writes not
//! held back. What they cannot do, they sit out.

use std::path::{Path, PathBuf};

use crate::args::{Args, Peer};
use crate::camera::{self, Camera};
use crate::cases::{Case, Setting};
use crate::media;
use crate::server::{Recipe, free_port};

pub const FLOOR: &str = "floor";
pub const OURS: &str = "camfeed";
pub const USTREAMER: &str = "ustreamer";
const MJPG_STREAMER: &str = "mjpg-streamer";
const MOTION: &str = "motion";

pub const FLOOR_ROLE: &str = "--role-floor";
const MAX_VIEWERS: &str = "--max-viewers";
/// Streams in the largest burst, at most.
const BURST_MAX: usize = 100;

/// One that takes part.
#[derive(Clone, Debug)]
pub struct Entrant {
    pub name: String,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    Floor,
    Camfeed(PathBuf),
    Ustreamer(PathBuf),
    MjpgStreamer(PathBuf),
    Motion(PathBuf),
    Also(Peer),
}

/// All that take part, the floor first.
pub fn entrants(args: &Args) -> Vec<Entrant> {
    let mut kinds = vec![(FLOOR.to_string(), Kind::Floor)];
    match args.bin.as_deref().filter(|bin| bin.exists()) {
        Some(bin) => kinds.push((OURS.into(), Kind::Camfeed(bin.to_owned()))),
        None => eprintln!("no camfeed to measure (--bin PATH); going on without it"),
    }
    if let Some(bin) = &args.against {
        kinds.push(("old".into(), Kind::Camfeed(bin.clone())));
    }
    let mut add_if_found =
        |name: &str, program: &str, kind: fn(PathBuf) -> Kind| match find(program) {
            Some(path) => kinds.push((name.into(), kind(path))),
            None => eprintln!("{name} is not installed; going on without it"),
        };
    add_if_found(USTREAMER, "ustreamer", Kind::Ustreamer);
    add_if_found(MJPG_STREAMER, "mjpg_streamer", Kind::MjpgStreamer);
    add_if_found(MOTION, "motion", Kind::Motion);
    for peer in &args.also {
        kinds.push((peer.name.clone(), Kind::Also(peer.clone())));
    }
    kinds
        .into_iter()
        .filter(|(name, _)| !args.without.contains(name))
        .map(|(name, kind)| Entrant { name, kind })
        .collect()
}

/// The program's file in the PATH.
fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

impl Entrant {
    /// False for a case in which it has nothing to show.
    pub fn is_in(&self, case: &Case) -> bool {
        match self.kind {
            Kind::Floor => !case.section.is_raw(),
            Kind::Camfeed(_) | Kind::Ustreamer(_) => true,
            Kind::MjpgStreamer(_) | Kind::Motion(_) | Kind::Also(_) => !case.section.needs_knobs(),
        }
    }

    /// How to start it with this camera.
    pub fn recipe(
        &self,
        setting: &Setting,
        camera: &Camera,
        args: &Args,
    ) -> Result<Recipe, String> {
        let port = match &self.kind {
            Kind::Floor | Kind::Camfeed(_) => None,
            Kind::Also(peer) if !peer.command.contains("{port}") => None,
            _ => Some(free_port()?),
        };
        let number = port.unwrap_or_default();
        let (words, path, snapshot) = match &self.kind {
            Kind::Floor => (floor(setting)?, "/stream", "/snapshot.jpg"),
            Kind::Camfeed(bin) => {
                let source = args.source.as_deref();
                let mut words = camfeed(bin, source.unwrap_or("/dev/video0"), setting, args)?;
                if source.is_none() {
                    words.extend(size_and_rate(setting));
                }
                (words, "/stream", "/snapshot.jpg")
            }
            Kind::Ustreamer(bin) => (ustreamer(bin, setting, number)?, "/stream", "/snapshot"),
            Kind::MjpgStreamer(bin) => {
                let words = mjpg_streamer(bin, setting, number)?;
                (words, "/?action=stream", "/?action=snapshot")
            }
            Kind::Motion(bin) => {
                let file = camera.write("motion.conf", &motion_conf(setting, number))?;
                let words = [path_text(bin)?, "-n".into(), "-c".into(), path_text(&file)?];
                // The camera's number is 0 when there is one configuration.
                let paths = ("/0/stream", "/0/current");
                (words.into(), paths.0, paths.1)
            }
            Kind::Also(peer) => (
                also(peer, setting, number)?,
                peer.path.as_str(),
                "/snapshot.jpg",
            ),
        };
        Ok(Recipe {
            name: self.name.clone(),
            command: words,
            path: path.into(),
            snapshot: snapshot.into(),
            port,
            environment: match self.kind {
                Kind::Floor => Vec::new(),
                _ => camera.environment.clone(),
            },
        })
    }
}

fn floor(setting: &Setting) -> Result<Vec<String>, String> {
    let own = std::env::current_exe().map_err(|error| format!("who am I: {error}"))?;
    let ring = path_text(&camera::ring(setting)?)?;
    Ok(vec![
        path_text(&own)?,
        FLOOR_ROLE.into(),
        ring,
        setting.fps.to_string(),
    ])
}

/// camfeed with this source, which is left to choose its size and rate.
pub fn camfeed(
    bin: &Path,
    source: &str,
    setting: &Setting,
    args: &Args,
) -> Result<Vec<String>, String> {
    let mut words = vec![path_text(bin)?];
    words.extend(["--listen", "127.0.0.1:0", "--source", source].map(String::from));
    // Its own limit is for a camera in a living room. The spare ones are for those that just left.
    if !args.extra.iter().any(|word| word == MAX_VIEWERS) {
        let most = 2 * setting.viewers.max(BURST_MAX);
        words.extend([MAX_VIEWERS.into(), most.to_string()]);
        words.extend(["--max-connections".into(), (2 * most).to_string()]);
    }
    words.extend(option("--workers", setting.workers));
    words.extend(option("--quality", setting.quality));
    words.extend(args.extra.iter().cloned());
    Ok(words)
}

/// camfeed's options for what a camera is asked for.
pub fn size_and_rate(setting: &Setting) -> [String; 4] {
    let rate = setting.fps.to_string();
    ["--size".into(), setting.size_text(), "--fps".into(), rate]
}

fn ustreamer(bin: &Path, setting: &Setting, port: u16) -> Result<Vec<String>, String> {
    let mut words = vec![path_text(bin)?];
    words.extend(["--host=127.0.0.1", "--device=/dev/video0", "--tcp-nodelay"].map(String::from));
    words.push(format!("--port={port}"));
    words.push(format!("--resolution={}", setting.size_text()));
    words.push(format!("--desired-fps={}", setting.fps));
    if !setting.is_raw {
        words.extend(["--format=MJPEG", "--encoder=HW"].map(String::from));
    }
    if let Some(workers) = setting.workers {
        // It has no more workers than buffers.
        words.push(format!("--buffers={}", workers + 1));
        words.push(format!("--workers={workers}"));
    }
    words.extend(option("--quality", setting.quality));
    Ok(words)
}

fn mjpg_streamer(bin: &Path, setting: &Setting, port: u16) -> Result<Vec<String>, String> {
    let raw = if setting.is_raw { " -y" } else { "" };
    let input = format!(
        "input_uvc.so -d /dev/video0 -r {} -f {}{raw}",
        setting.size_text(),
        setting.fps
    );
    let output = format!("output_http.so -l 127.0.0.1 -p {port}");
    Ok(vec![
        path_text(bin)?,
        "-i".into(),
        input,
        "-o".into(),
        output,
    ])
}

/// It only streams: no detection of motion, no files, no text. `video_params` are its V4L2 palettes.
fn motion_conf(setting: &Setting, port: u16) -> String {
    let (width, height) = setting.size;
    format!(
        "daemon off\nlog_level 5\nlog_file /dev/stderr\nvideo_device /dev/video0\nwidth {width}\nheight {height}\n\
         framerate {fps}\nvideo_params palette={palette}\n\
         webcontrol_port 0\nstream_port {port}\nstream_localhost on\nstream_maxrate {fps}\n\
         stream_quality 80\nstream_motion off\npicture_output off\nmovie_output off\n\
         threshold 2147483647\n",
        fps = setting.fps,
        palette = if setting.is_raw { 15 } else { 8 }
    )
}

fn also(peer: &Peer, setting: &Setting, port: u16) -> Result<Vec<String>, String> {
    let mut command = peer
        .command
        .replace("{size}", &setting.size_text())
        .replace("{fps}", &setting.fps.to_string())
        .replace("{port}", &port.to_string());
    if command.contains("{jpegs}") {
        command = command.replace("{jpegs}", &path_text(&camera::ring(setting)?)?);
    }
    if command.contains("{film}") {
        command = command.replace("{film}", &path_text(&media::film()?)?);
    }
    // `exec`, so that the child measured and killed is the server and not the shell.
    Ok(vec!["sh".into(), "-c".into(), format!("exec {command}")])
}

fn option(name: &str, value: Option<usize>) -> Vec<String> {
    match value {
        Some(value) => vec![name.into(), value.to_string()],
        None => Vec::new(),
    }
}

fn path_text(path: &Path) -> Result<String, String> {
    let text = PathBuf::from(path).into_os_string().into_string();
    text.map_err(|path| format!("not a name in UTF-8: {path:?}"))
}
