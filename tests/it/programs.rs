//! Programs that users have take the stream as docs/programs.md tells them to, and complain of nothing:
//! GStreamer, motion, VLC, ffmpeg, OpenCV.
//!
//! Some seconds each; `CAMFEED_PROGRAM_SECONDS=60 cargo test programs:: -- --nocapture` is the long
//! run. Each must show most of the pictures in its time and complain of nothing.

use crate::{
    camfeed::{Camfeed, Folder, SOON, eventually},
    manual::{block_for, blocks, with_address},
    shell::Running,
};
use opencv::{
    core::Mat,
    prelude::*,
    videoio::{CAP_FFMPEG, VideoCapture},
};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// Of the test pattern.
const FPS: f64 = 15.0;

/// Its source.
const SOURCE: &str = "test:640x480@15";

/// Between two questions to VLC.
const PAUSE: Duration = Duration::from_millis(300);

/// For how long each program watches.
fn time() -> Duration {
    let seconds = std::env::var("CAMFEED_PROGRAM_SECONDS").map_or(4, |text| {
        text.parse()
            .expect("CAMFEED_PROGRAM_SECONDS is a number of seconds")
    });
    Duration::from_secs(seconds)
}

/// Waits until that time is over and `count` says that a program has seen most of its pictures.
fn wait_seen(program: &str, per_second: f64, mut count: impl FnMut() -> usize) {
    let begun = Instant::now();
    let time = time();
    let expected = (per_second * time.as_secs_f64() * 0.9) as usize;
    let mut seen = 0;
    let has_seen = eventually(time + SOON, || {
        seen = count();
        seen >= expected && begun.elapsed() >= time
    });
    println!("{program}: {seen} pictures in {:.1?}", begun.elapsed());
    assert!(has_seen, "{program} saw {seen} of {expected} pictures");
}

/// Lines in which a program complains, but for those that contain one of `harmless`.
fn complaints<'a>(said: &'a str, harmless: &[&str]) -> Vec<&'a str> {
    let words = ["error", "warn", "crit", "fail", "[err]", "[wrn]", "invalid"];
    let is_complaint = |line: &&str| {
        let line = line.to_lowercase();
        words.iter().any(|word| line.contains(word))
    };
    let is_harmless = |line: &&str| harmless.iter().any(|text| line.contains(text));
    said.lines()
        .filter(is_complaint)
        .filter(|line| !is_harmless(line))
        .collect()
}

/// A shell that becomes `line`.
fn sh(line: &str) -> Command {
    let mut command = Command::new("sh");
    command
        .args(["-c", &format!("exec {line}")])
        .stdin(Stdio::null());
    command
}

/// A feed of one camera with the page's block for it; and one of two, where the block has the address of
/// the second.
fn feeds(section: &str, language: &str) -> [(Camfeed, String); 2] {
    let one = Camfeed::online(&["--source", SOURCE]);
    let line = block_for(&one, section, language);
    let second = format!("shed={SOURCE}");
    let two = Camfeed::start(&["--camera", "garden=test:160x120@5", "--camera", &second]);
    two.wait_logs("camera online", 2);
    let second = block_for(&two, section, language).replace("/stream", "/shed/stream");
    assert!(second.contains("/shed/stream"), "{second}");
    [(one, line), (two, second)]
}

#[test]
fn gstreamer_shows_the_stream() {
    for (_camfeed, line) in feeds("GStreamer", "sh") {
        gstreamer_shows(&line);
    }
}

fn gstreamer_shows(line: &str) {
    // It tells of each picture that comes to its end.
    let seen = line
        .replace("gst-launch-1.0", "gst-launch-1.0 -v")
        .replace("autovideosink", "fakesink silent=false");
    assert_eq!(seen.matches("fakesink").count(), 1, "{line}");
    let program = Running::start(sh(&seen));
    wait_seen("GStreamer", FPS, || program.count("= chain "));
    let said = program.said();
    assert!(
        said.contains("width=(int)640, height=(int)480"),
        "decoded:\n{said}"
    );
    assert_eq!(complaints(&said, &[]), Vec::<&str>::new());
}

#[test]
fn motion_watches_it_with_a_password() {
    let folder = Folder::new();
    let password = crate::auth::secret(&folder, "password", "ann:open sesame");
    let camfeed = Camfeed::online(&["--source", SOURCE, "--password-file", &password]);
    let pictures = folder.0.join("pictures");
    let config = block_for(&camfeed, "motion and motionEye", "conf")
        .replace("PASSWORD", "open sesame")
        .replace("1280", "640")
        .replace("720", "480");
    // A picture a second, and neither ports nor films.
    let config = format!(
        "{config}\ndaemon off\nlog_type ALL\nwebcontrol_port 0\nstream_port 0\nmovie_output off\n\
         picture_output off\nsnapshot_interval 1\nsnapshot_filename %Y%m%d%H%M%S-snapshot\n\
         target_dir {}\n",
        pictures.display()
    );
    let path = folder.file("motion.conf");
    fs::write(&path, config).unwrap();
    fs::create_dir(&pictures).unwrap();
    let program = Running::start(sh(&format!("motion -n -c {path}")));
    program.wait_said("connected", 1);
    wait_seen("motion", 1.0, || fs::read_dir(&pictures).unwrap().count());
    let said = program.said();
    assert_eq!(complaints(&said, &[]), Vec::<&str>::new());
    // It paints a grey one when it has none: it must be watching all the time, after a look at what
    // there is.
    let is_here = camfeed.count_log("viewer joined") - camfeed.count_log("viewer left");
    assert_eq!((is_here, camfeed.count_log("viewer left")), (1, 1));
}

/// Two cameras, each in a file of its own, of a motion that has them in one process, too.
#[test]
fn motion_watches_two_cameras() {
    let second = format!("shed={SOURCE}");
    let camfeed = Camfeed::start(&["--camera", "garden=test:320x240@15", "--camera", &second]);
    camfeed.wait_logs("camera online", 2);
    let folder = Folder::new();
    let blocks = blocks("motion and motionEye", "conf");
    let [one, main, two] = blocks.as_slice() else {
        panic!("{blocks:?}")
    };
    let one = one.replace("netcam_userpass ann:PASSWORD\n", "");
    let one = one.replace("1280", "320").replace("720", "240");
    let files = [("camera1.conf", one), ("shed.conf", two.clone())];
    let pictures = files.map(|(name, config)| {
        let pictures = folder.0.join(name.replace(".conf", ""));
        fs::create_dir(&pictures).unwrap();
        let config = with_address(&camfeed, &config);
        let config = format!("{config}\ntarget_dir {}\n", pictures.display());
        fs::write(folder.0.join(name), config).unwrap();
        pictures
    });
    let config = format!(
        "daemon off\nlog_type ALL\nwebcontrol_port 0\nstream_port 0\nmovie_output off\npicture_output off\n\
         snapshot_interval 1\nsnapshot_filename %Y%m%d%H%M%S-snapshot\n{}",
        main.replace("/etc/motion", &folder.0.display().to_string())
    );
    let path = folder.file("motion.conf");
    fs::write(&path, config).unwrap();
    let program = Running::start(sh(&format!("motion -n -c {path}")));
    for pictures in &pictures {
        wait_seen("motion", 1.0, || fs::read_dir(pictures).unwrap().count());
    }
    assert_eq!(complaints(&program.said(), &[]), Vec::<&str>::new());
    // Of the camera that each of them names.
    for (pictures, size) in pictures.iter().zip(["320x240", "640x480"]) {
        let newest = fs::read_dir(pictures).unwrap().flatten().next().unwrap();
        let path = newest.path();
        let width = probe(path.to_str().unwrap(), "stream=width");
        assert_eq!(width, size[..3].parse::<f64>().unwrap(), "{path:?}");
    }
    for path in ["/stream", "/shed/stream"] {
        assert!(camfeed.count_log(&format!("GET {path}")) > 0, "{path}");
    }
}

#[test]
fn vlc_plays_the_stream() {
    for (_camfeed, line) in feeds("VLC", "sh") {
        vlc_plays(&line);
    }
}

fn vlc_plays(line: &str) {
    let folder = Folder::new();
    let options = line.trim().strip_prefix("vlc ").expect("its name first");
    // It refuses to run for root, wants a home of its own, and tells on demand what it has shown.
    fs::set_permissions(&folder.0, fs::Permissions::from_mode(0o777)).unwrap();
    let asked = folder.file("asked");
    assert!(crate::camfeed::run("mkfifo", &[&asked]).status.success());
    let user = if rustix::process::geteuid().is_root() {
        "setpriv --reuid=65534 --regid=65534 --clear-groups"
    } else {
        ""
    };
    let home = folder.0.display();
    let program = Running::start(sh(&format!(
        "{user} env HOME={home} vlc -I rc --rc-fake-tty --no-color --no-dbus \
         --aout adummy --vout vdummy {options} <>{asked}"
    )));
    let mut asked_at = Instant::now();
    let mut ask = || {
        if asked_at.elapsed() < PAUSE {
            return;
        }
        asked_at = Instant::now();
        fs::OpenOptions::new()
            .read(true)
            .write(true)
            .open(&asked)
            .and_then(|mut pipe| std::io::Write::write_all(&mut pipe, b"stats\n"))
            .expect("our own pipe");
    };
    let newest = |name: &str| {
        let said = program.said();
        let lines = said.lines().rev().filter_map(|line| line.split_once(name));
        let mut counts = lines.filter_map(|(_, rest)| rest.split(':').nth(1)?.trim().parse().ok());
        counts.next().unwrap_or(0)
    };
    wait_seen("VLC", FPS, || {
        ask();
        newest("frames displayed")
    });
    // Pictures may be lost: a busy machine is late.
    assert_eq!(newest("demux corrupted"), 0);
    // No desktop here that could have hot keys.
    let harmless = ["globalhotkeys", "no suitable interface module"];
    assert_eq!(complaints(&program.said(), &harmless), Vec::<&str>::new());
}

#[test]
fn ffmpeg_records_the_stream_at_its_own_rate() {
    for (_camfeed, line) in feeds("ffmpeg", "sh") {
        ffmpeg_records(&line);
    }
}

fn ffmpeg_records(line: &str) {
    let folder = Folder::new();
    let clip = folder.file("clip.mkv");
    let seconds = time().as_secs();
    let line = line
        .replace("ffmpeg ", "ffmpeg -nostdin -v error ")
        .replace("-t 60", &format!("-t {seconds}"))
        .replace("clip.mkv", &clip);
    let limit = (time() + SOON).as_secs().to_string();
    let ended = Command::new("timeout")
        .args([&limit, "sh", "-c", &line])
        .output()
        .expect("a shell");
    assert!(ended.status.success(), "{ended:?}");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(complaints(&said, &[]), Vec::<&str>::new());
    let pictures = probe(&clip, "stream=nb_read_packets") as usize;
    wait_seen("ffmpeg", FPS, || pictures);
    let length = probe(&clip, "format=duration");
    assert!((length - seconds as f64).abs() < 1.0, "{length} s");
}

/// All of MediaMTX's part but the server: a file takes its place.
#[test]
fn the_command_for_mediamtx_makes_h264() {
    for (_camfeed, config) in feeds("MediaMTX", "yaml") {
        mediamtx_has_h264(&config);
    }
}

fn mediamtx_has_h264(config: &str) {
    let folder = Folder::new();
    let (_, command) = config.split_once("runOnDemand: >").expect("a command");
    let (command, _) = command.split_once("-f rtsp").expect("its end");
    let command = command.split_whitespace().collect::<Vec<_>>().join(" ");
    let clip = folder.file("clip.ts");
    let program = Running::start(sh(&format!("{command} -nostdin -f mpegts {clip}")));
    // ffmpeg writes in blocks, whose last frame may be half there.
    let has_begun = || fs::metadata(&clip).is_ok_and(|clip| clip.len() > 100_000);
    assert!(eventually(SOON, has_begun), "{}", program.said());
    wait_seen("H.264", FPS, || {
        probe(&clip, "stream=nb_read_packets") as usize
    });
    assert_eq!(program.said(), "");
}

/// A number that ffprobe tells of a film.
fn probe(path: &str, entry: &str) -> f64 {
    let args = ["-v", "error", "-count_packets", "-of", "csv=p=0"];
    let args = [&args[..], &["-show_entries", entry, path]].concat();
    let said = crate::camfeed::run("ffprobe", &args);
    let text = String::from_utf8_lossy(&said.stdout);
    // In a transport stream it tells it twice.
    let number = text
        .split_whitespace()
        .next()
        .and_then(|number| number.parse().ok());
    number.unwrap_or_else(|| panic!("{said:?}"))
}

#[test]
fn opencv_misses_nothing() {
    for (_camfeed, block) in feeds("OpenCV", "python") {
        opencv_reads(&block);
    }
}

fn opencv_reads(block: &str) {
    let url = block.split('"').nth(1).expect("an address");
    let mut capture = VideoCapture::from_file(url, CAP_FFMPEG).expect("opened");
    assert!(capture.is_opened().unwrap());
    let mut picture = Mat::default();
    let mut seen = 0;
    wait_seen("OpenCV", FPS, || {
        assert!(capture.read(&mut picture).unwrap());
        assert_eq!((picture.cols(), picture.rows()), (640, 480));
        seen += 1;
        seen
    });
}
