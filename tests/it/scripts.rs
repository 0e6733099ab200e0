//! `scripts/snapshot`, and what all scripts have in common: run for real, against the real server and
//! against one that answers badly.

use crate::{
    camfeed::{Camfeed, Folder, SMALL, SOON, eventually, run},
    http::find,
    shell::{ALL_TOOLS, Running, SCRIPTS, Tools, command, files, script, wrapped},
    stub::{self, Stub, answer},
};
use rustix::process::Signal;
use std::{
    fs,
    io::Read,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    process::{Command, Output},
    time::{Duration, Instant, SystemTime},
};

/// The one line that a script said on standard error.
#[track_caller]
fn line(output: &Output) -> String {
    let said = String::from_utf8(output.stderr.clone()).expect("text");
    assert_eq!(said.lines().count(), 1, "{said:?}");
    assert!(output.stdout.is_empty());
    said
}

fn is_jpeg(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0xff, 0xd8]) && bytes.ends_with(&[0xff, 0xd9])
}

/// A picture that is one as far as a script can tell.
fn jpeg() -> Vec<u8> {
    let mut jpeg = vec![0xff, 0xd8];
    jpeg.resize(40_000, 0x55);
    jpeg.extend_from_slice(&[0xff, 0xd9]);
    jpeg
}

fn picture_headers(length: usize) -> String {
    format!("Content-Type: image/jpeg\r\nContent-Length: {length}\r\n")
}

/// Every file below `folder` that a shell reads.
fn shell_scripts(folder: &str) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let paths = files(&root.join(folder)).into_iter();
    let paths = paths.map(|name| format!("{folder}/{name}"));
    let is_script = |path: &String| {
        let text = fs::read(root.join(path)).unwrap_or_default();
        let first = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
        path.ends_with(".sh") || first.starts_with(b"#!") && first.ends_with(b"sh")
    };
    paths.filter(is_script).collect()
}

#[test]
fn shellcheck_finds_nothing_in_the_scripts() {
    let scripts = ["scripts", "tests", ".ci"].map(shell_scripts).concat();
    for known in [
        "scripts/package/deb",
        "scripts/film.sh",
        "tests/fakecam/make_frames.sh",
        ".ci/run",
    ] {
        assert!(scripts.iter().any(|script| script == known), "{scripts:?}");
    }
    let mut command = Command::new("shellcheck");
    command
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        // They read others from the top of the checkout, and from beside them.
        .args(["-x", "-P", "SCRIPTDIR"])
        .args(scripts);
    let checked = command.output().expect("`make setup` brings it");
    let said = String::from_utf8_lossy(&checked.stdout);
    assert!(checked.status.success(), "{said}");
}

/// The unit `name` as it would be with the scripts where they are.
fn unit(name: &str) -> String {
    let text = fs::read_to_string(format!("{SCRIPTS}/{name}")).expect("a unit");
    text.replace("/usr/local/lib/camfeed", SCRIPTS)
}

#[test]
fn systemd_finds_nothing_in_the_units() {
    for name in [
        "camfeed-timelapse@.service",
        "camfeed-snapshot@.service",
        "camfeed-snapshot@.timer",
    ] {
        let folder = Folder::new();
        // A timer wants its service.
        for name in [name, &name.replace(".timer", ".service")] {
            fs::write(folder.0.join(name), unit(name)).unwrap();
        }
        let checked = run("systemd-analyze", &["verify", &folder.file(name)]);
        let said = String::from_utf8_lossy(&checked.stderr);
        assert!(
            checked.status.success() && said.is_empty(),
            "{name}: {said}"
        );
    }
}

#[test]
fn the_commands_of_the_units_take_pictures() {
    let camfeed = Camfeed::online(&["--source", SMALL]);
    for (name, place) in [
        ("camfeed-timelapse@.service", "timelapse"),
        ("camfeed-snapshot@.service", "camfeed"),
    ] {
        let unit = unit(name);
        let folder = Folder::new();
        let commands = unit.lines().filter_map(|line| {
            let (key, command) = line.split_once('=')?;
            key.starts_with("ExecStart").then_some(command)
        });
        let options = unit.split("OPTIONS=").nth(2).unwrap_or_default();
        let options = options.split(['"', '\n']).next().unwrap();
        let ends = ["", " -n 1"][usize::from(name.starts_with("camfeed-timelapse"))];
        let done = Command::new("/bin/sh")
            .args(["-ec", &commands.collect::<Vec<_>>().join("\n")])
            .current_dir(&folder.0)
            .env("URL", camfeed.url(""))
            .env("OPTIONS", format!("{options}{ends}"))
            .output()
            .expect("a shell");
        assert!(done.status.success(), "{name}: {done:?}");
        let names = files(&folder.0.join(place));
        let pictures = names.iter().filter(|name| name.ends_with("Z.jpg"));
        assert_eq!(pictures.count(), 1, "{names:?}");
    }
}

#[test]
fn each_script_says_how_it_is_used() {
    for tools in ALL_TOOLS {
        for name in ["snapshot", "timelapse", "watch"] {
            for option in ["--help", "-h"] {
                let helped = script(tools, name, &[option]);
                assert!(helped.status.success(), "{name}: {helped:?}");
                let said = String::from_utf8(helped.stdout).unwrap();
                assert!(said.contains(&format!("Usage: scripts/{name}")), "{said}");
                assert!(said.contains("\nExit: 0"), "{said}");
                assert!(!said.contains('#') && !said.contains("set -u"), "{said}");
            }
        }
    }
}

#[test]
fn a_bad_option_of_a_script_is_named_with_what_is_allowed() {
    for (name, args, words) in [
        ("snapshot", "-t 0", "-t `0`: allowed are 1 to 3600"),
        ("snapshot", "-t 1.5", "-t `1.5`"),
        ("snapshot", "-t", "-t: a value is missing"),
        ("snapshot", "-x", "-x: there is no such option"),
        ("snapshot", "ftp://pi", "`ftp://pi`: allowed are http"),
        ("snapshot", "a b c", "`c`: one address"),
        ("snapshot", "pi:8080 -d -o x.jpg", "-d: a folder is needed"),
        (
            "snapshot",
            "pi:8080 -d /etc/hostname",
            "-d: a folder is needed, not the file `/etc/hostname`",
        ),
        (
            "snapshot",
            "pi:8080 --all -o x.jpg",
            "--all: a folder is needed, not the file `x.jpg`",
        ),
        (
            "snapshot",
            "pi:8080 --all /etc/hostname",
            "--all: a folder is needed, not the file `/etc/hostname`",
        ),
        (
            "snapshot",
            "--all pi:8080/snapshot.jpg",
            "--all: the address of a server is needed, not `pi:8080/snapshot.jpg`",
        ),
        ("snapshot", "--al pi", "--al: there is no such option"),
        (
            "snapshot",
            "--output x.jpg pi",
            "--output: there is no such option: allowed are -d, -o, -t, -p, -T, -q, -v, --all (",
        ),
        ("snapshot", "http://me:geheim@pi", "use -p FILE"),
        ("snapshot", "-p /none/such pi", "cannot read a line from"),
        (
            "snapshot",
            "-p /etc/hostname -T /etc/hostname pi",
            "only one of",
        ),
        ("timelapse", "", "allowed are run and film"),
        ("timelapse", "ruin", "`ruin`: allowed are run and film"),
        (
            "timelapse",
            "run --interval 5 pi x",
            "--interval: there is no such option: allowed are -e, -b, -n, -t, -p, -T (",
        ),
        ("timelapse", "run pi x --every=5", "--every: there is no"),
        ("timelapse", "run pi x -i 5", "-i: there is no such option"),
        ("timelapse", "run pi x -e", "-e: a value is missing"),
        (
            "timelapse",
            "film --fps 30 x y.mp4",
            "--fps: there is no such option: allowed are -r, -v (",
        ),
        ("timelapse", "run pi", "something is missing"),
        (
            "timelapse",
            "run pi x -e 0",
            "-e `0`: allowed are 0.1 to 86400",
        ),
        ("timelapse", "run pi x -e 1.2.3", "-e `1.2.3`"),
        ("timelapse", "run pi x -b all", "-b `all`: allowed are 0.1"),
        ("timelapse", "run pi x -n 0", "-n `0`: allowed are 1"),
        (
            "timelapse",
            "film x y",
            "`y`: allowed are names that end with .mp4",
        ),
        (
            "timelapse",
            "film /none y.mp4",
            "cannot read the folder `/none`",
        ),
        (
            "timelapse",
            "film x y.mp4 -r 0",
            "-r `0`: allowed are 1 to 120",
        ),
        (
            "snapshot",
            "pi/?action=snapshot&token=geheim",
            "use -T FILE",
        ),
        ("watch", "pi", "a command are needed"),
        (
            "watch",
            "pi nosuchcommand",
            "`nosuchcommand`: there is no such",
        ),
        (
            "watch",
            "--nonsense pi true",
            "--nonsense: there is no such option: allowed are -d, -e, -s, -1, -t, -p, -T (",
        ),
        ("watch", "-x pi true", "-x: there is no such option"),
        ("watch", "-1 pi true", "-1 needs -s"),
        (
            "watch",
            "-d long pi true",
            "-d `long`: allowed are 0 to 3600",
        ),
    ] {
        let args: Vec<_> = args.split_whitespace().collect();
        // Without ffmpeg nothing is said of films.
        let output = script(Tools::Wget, name, &args);
        assert_eq!(output.status.code(), Some(1), "{name} {args:?}");
        let said = line(&output);
        assert!(said.contains(words), "{name} {args:?}: {said}");
    }
}

#[test]
fn snapshot_takes_a_picture_with_every_client() {
    let camfeed = Camfeed::online(&["--source", SMALL, "--name", "Front_door 2"]);
    for tools in ALL_TOOLS {
        let folder = Folder::new();
        let place = folder.0.to_str().unwrap();
        let address = camfeed.address.to_string();
        let output = script(tools, "snapshot", &[&address, place]);
        assert!(output.status.success(), "{tools:?}: {output:?}");
        assert!(output.stdout.is_empty() && output.stderr.is_empty());
        let names = files(&folder.0);
        assert_eq!(names.len(), 1, "{names:?}");
        let time = names[0].strip_prefix("camfeed-Front_door-2-");
        let time = time.and_then(|rest| rest.strip_suffix("Z.jpg"));
        let time = time.unwrap_or_else(|| panic!("{names:?}"));
        let path = folder.0.join(&names[0]);
        assert!(is_jpeg(&fs::read(&path).unwrap()));
        let about = path.metadata().unwrap();
        let dated: jiff::Timestamp = about.modified().unwrap().try_into().unwrap();
        assert_eq!(time[..15], dated.strftime("%Y%m%dT%H%M%S").to_string());
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let umask = status.split("Umask:\t").nth(1).unwrap();
        let umask = u32::from_str_radix(&umask[..4], 8).unwrap();
        assert_eq!(about.permissions().mode() & 0o777, 0o666 & !umask);
    }
}

#[test]
fn snapshot_puts_the_picture_where_it_is_told() {
    let camfeed = Camfeed::online(&["--source", SMALL]);
    let folder = Folder::new();
    let url = format!("{}?max_age=60000", camfeed.url("/snapshot.jpg"));
    let place = folder.0.to_str().unwrap();
    let file = folder.file("cam.jpg");
    fs::write(&file, "old").unwrap();
    for args in [
        vec!["-o", &file, &url],
        vec![&url, &file],
        vec![&url, "-o", &file, "-v"],
    ] {
        let output = script(Tools::Wget, "snapshot", &args);
        assert!(output.status.success(), "{args:?}: {output:?}");
        assert!(is_jpeg(&fs::read(&file).unwrap()));
    }
    let output = script(Tools::Wget, "snapshot", &["-dv", &url, place]);
    let said = String::from_utf8(output.stdout).unwrap();
    let names = files(&folder.0);
    let day = jiff::Zoned::now().strftime("%Y-%m-%d").to_string();
    assert_eq!(names.len(), 3, "{names:?}");
    assert_eq!(names[0], day, "or midnight has just passed");
    assert!(
        said.contains(&names[1]) && said.ends_with(" bytes\n"),
        "{said}"
    );
    // Nobody watches, so the picture is the same, under the same name.
    let again = script(Tools::Wget, "snapshot", &["-dv", &url, place]);
    let said = String::from_utf8(again.stdout).unwrap();
    assert!(
        again.status.success() && said.contains("is there already"),
        "{said}"
    );
    assert_eq!(files(&folder.0), names);
}

#[test]
fn snapshot_makes_the_folder_that_gets_folders_of_days() {
    let camfeed = Camfeed::online(&["--source", SMALL]);
    let folder = Folder::new();
    for tools in ALL_TOOLS {
        let place = folder.file(&format!("{tools:?}/pictures"));
        let output = script(tools, "snapshot", &["-d", &camfeed.url(""), &place]);
        assert!(output.status.success(), "{output:?}");
        let names = files(Path::new(&place));
        assert!(
            names.iter().any(|name| name.ends_with("Z.jpg")),
            "{names:?}"
        );
    }
}

#[test]
fn the_exit_code_of_snapshot_tells_what_is_wrong() {
    let ill = Camfeed::start(&["--source", "/none/such.avi"]);
    ill.wait_log("cannot open");
    let mute = stub::mute();
    let whole = jpeg();
    let cut = &whole[..whole.len() - 7];
    let right = picture_headers(whole.len());
    let bad = |status, headers: &str, body: &[u8]| Stub::answering(answer(status, headers, body));
    let typed = |of: &str| right.replace("image/jpeg", of);
    let broken = [
        (bad("200 OK", &right, cut), "cut off"),
        (bad("200 OK", &right, b""), "cut off"),
        (
            bad("200 OK", "Content-Type: image/jpeg\r\n", cut),
            "no whole JPEG",
        ),
        (
            bad("200 OK", &picture_headers(cut.len()), cut),
            "no whole JPEG",
        ),
        (
            bad("200 OK", &picture_headers(9), b"not a jpg"),
            "no whole JPEG",
        ),
        (bad("200 OK", &typed("text/html"), &whole), "`text/html`"),
        (
            bad("200 OK", &format!("{right}Age: 60\r\n"), &whole),
            "60 s old",
        ),
        (bad("404 Not Found", "", b""), "answers 404"),
        (bad("204 No Content", "", b""), "answers 204"),
    ];
    let locked = bad("401 Unauthorized", "", b"");
    let (ill_url, mute_url) = (ill.url("/"), mute.local_addr().unwrap().to_string());
    for tools in ALL_TOOLS {
        let folder = Folder::new();
        let file = folder.file("cam.jpg");
        let mut cases = vec![
            ("127.0.0.1:1".to_owned(), 2, "refused|connect"),
            (mute_url.clone(), 2, "no answer within 1 s"),
            (ill_url.clone(), 3, "no such file|no live picture (503)"),
            (locked.url(), 1, "wants a password"),
        ];
        for (server, words) in &broken {
            cases.push((server.url(), 4, words));
        }
        for (url, code, words) in cases {
            fs::write(&file, "as it was").unwrap();
            // A 503 takes the server three seconds.
            let patience = if code == 3 { "15" } else { "1" };
            let output = script(tools, "snapshot", &["-t", patience, &url, &file]);
            assert_eq!(
                output.status.code(),
                Some(code),
                "{tools:?} {words}: {output:?}"
            );
            let said = line(&output);
            let is_said = words.split('|').any(|word| said.contains(word));
            assert!(is_said, "{tools:?} {words}: {said}");
            assert_eq!(files(&folder.0), ["cam.jpg"], "{tools:?} {words}");
            assert_eq!(fs::read(&file).unwrap(), b"as it was", "{tools:?} {words}");
        }
        let quiet = script(tools, "snapshot", &["-q", "127.0.0.1:1", &file]);
        assert_eq!(quiet.status.code(), Some(2));
        assert!(quiet.stderr.is_empty() && quiet.stdout.is_empty());
    }
}

#[test]
fn snapshot_says_where_it_cannot_write() {
    let camfeed = Camfeed::online(&["--source", SMALL]);
    let address = camfeed.address.to_string();
    let folder = Folder::new();
    let file = folder.file("file");
    fs::write(&file, "").unwrap();
    let place = folder.0.to_str().unwrap();
    for (place, words) in [
        (folder.file("none/x.jpg"), "No such file"),
        (folder.file("none/"), "there is no folder"),
        (format!("{file}/x.jpg"), "Not a directory"),
        ("/dev/null".to_owned(), "something else than a file"),
    ] {
        let output = script(Tools::Wget, "snapshot", &[&address, &place]);
        assert_eq!(output.status.code(), Some(5), "{output:?}");
        assert!(line(&output).contains(words), "{output:?}");
    }
    let output = script(Tools::Wget, "snapshot", &["-o", place, &address]);
    assert_eq!(output.status.code(), Some(5), "{output:?}");
    let output = script(Tools::Wget, "snapshot", &["-d", &address, "/proc/none"]);
    assert_eq!(output.status.code(), Some(5), "{output:?}");
    assert!(line(&output).contains("cannot write into `/proc/none`"));
    assert_eq!(files(&folder.0), ["file"]);
    assert!(!fs::metadata("/dev/null").unwrap().is_file());
}

#[test]
fn a_full_disk_is_not_taken_for_a_bad_server() {
    let stub = Stub::answering(answer("200 OK", &picture_headers(jpeg().len()), &jpeg()));
    for tools in ALL_TOOLS {
        let folder = Folder::new();
        let file = folder.file("cam.jpg");
        let script = command(tools, "snapshot", &[&stub.url(), &file]);
        // No file may be longer than eight blocks of 512 bytes, and that is an error, not the end.
        let limited = "trap '' XFSZ; ulimit -f 8; exec \"$@\"";
        let output = wrapped(tools, &["/bin/dash", "-c", limited, "dash"], &script);
        assert_eq!(output.status.code(), Some(5), "{tools:?}: {output:?}");
        assert!(line(&output).contains("cannot write into"), "{output:?}");
        assert_eq!(files(&folder.0), [""; 0]);
    }
}

#[test]
fn a_server_cannot_choose_where_its_picture_goes() {
    for name in [
        "../camfeed-20260101T000000.000Z.jpg",
        "/tmp/camfeed-20260101T000000.000Z.jpg",
        "camfeed-1T1Z.jpg; rm -r x",
        ".camfeed-1T1Z.jpg",
        "camfeed-../x-1T1Z.jpg",
        "camfeed-x y-1T1Z.jpg",
        "$(touch x)",
    ] {
        let headers = format!(
            "{}Content-Disposition: inline; filename=\"{name}\"\r\n",
            picture_headers(jpeg().len())
        );
        let stub = Stub::answering(answer("200 OK", &headers, &jpeg()));
        let above = Folder::new();
        let folder = above.0.join("in");
        fs::create_dir(&folder).unwrap();
        let place = folder.to_str().unwrap();
        let output = script(Tools::Wget, "snapshot", &[&stub.url(), place]);
        assert!(output.status.success(), "{output:?}");
        let names = files(&above.0);
        assert_eq!(names.len(), 2, "{names:?}");
        assert!(names[1].starts_with("in/snapshot-20"), "{names:?}");
    }
}

#[test]
fn a_password_is_sent_and_seen_by_nobody() {
    let folder = Folder::new();
    let file = folder.file("secret");
    let picture = answer("200 OK", &picture_headers(jpeg().len()), &jpeg());
    let stub = Stub::holding(picture, 100);
    let target = folder.file("cam.jpg");
    for tools in [Tools::Wget, Tools::Curl] {
        for (option, secret, sent) in [
            ("-p", "me:Ge heim\"5", "Basic bWU6R2UgaGVpbSI1"),
            ("-p", "geheimnis", "Basic Y2FtZmVlZDpnZWhlaW1uaXM="),
            ("-T", "abc.DEF-123_~+/=", "Bearer abc.DEF-123_~+/="),
        ] {
            fs::write(&file, format!("{secret}\n")).unwrap();
            let args = [option, &file, &stub.url(), &target];
            let mut running = Running::start(command(tools, "snapshot", &args));
            let head = stub.request();
            let expected = format!("\r\nAuthorization: {sent}\r\n");
            assert!(head.contains(&expected), "{tools:?}: {head}");
            let shown = sent.rsplit(' ').next().unwrap();
            for text in [secret, shown] {
                assert_eq!(shown_by_a_process(text), None, "{tools:?}");
            }
            stub.go_on();
            assert!(running.wait().success(), "{}", running.said());
        }
    }
    // Its wget takes no configuration, only options.
    let args = ["-p", &file, &stub.url(), &target];
    let refused = script(Tools::Busybox, "snapshot", &args);
    assert_eq!(refused.status.code(), Some(1));
    assert!(line(&refused).contains("GNU wget or curl"), "{refused:?}");
    assert!(stub.was_not_asked());
}

/// A process whose arguments or environment hold `text`, as everybody or its owner can see.
fn shown_by_a_process(text: &str) -> Option<PathBuf> {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let mut files = processes.flat_map(|process| {
        let path = process.path();
        [path.join("cmdline"), path.join("environ")]
    });
    files.find(|file| {
        let mut bytes = Vec::new();
        // What has ended meanwhile cannot be read.
        let _ = fs::File::open(file).and_then(|mut file| file.read_to_end(&mut bytes));
        find(&bytes, text.as_bytes()).is_some()
    })
}

#[test]
fn a_password_is_not_taken_along_to_another_server() {
    let folder = Folder::new();
    let file = folder.file("token");
    fs::write(&file, "abc\n").unwrap();
    let target = folder.file("cam.jpg");
    let other = Stub::answering(answer("200 OK", &picture_headers(jpeg().len()), &jpeg()));
    let location = format!("Location: {}/\r\nContent-Length: 0\r\n", other.url());
    let first = Stub::answering(answer("302 Found", &location, b""));
    for tools in [Tools::Wget, Tools::Curl] {
        let output = script(tools, "snapshot", &["-T", &file, &first.url(), &target]);
        assert_eq!(output.status.code(), Some(4), "{tools:?}: {output:?}");
        assert!(line(&output).contains("answers 302"));
        assert!(other.was_not_asked());
        let output = script(tools, "snapshot", &[&first.url(), &target]);
        assert!(output.status.success(), "{tools:?}: {output:?}");
        assert!(!other.request().contains("Authorization"));
    }
}

#[test]
fn a_killed_snapshot_leaves_no_half_picture() {
    let picture = answer("200 OK", &picture_headers(jpeg().len()), &jpeg());
    for tools in ALL_TOOLS {
        for signal in [Signal::KILL, Signal::TERM, Signal::INT, Signal::HUP] {
            let stub = Stub::holding(picture.clone(), 20_000);
            let folder = Folder::new();
            let file = folder.file("cam.jpg");
            let is_half = || {
                let names = files(&folder.0);
                let half = names.iter().find(|name| name.starts_with(".snapshot-"));
                half.is_some_and(|half| folder.0.join(half).metadata().unwrap().len() > 0)
            };
            let mut running = Running::start(command(tools, "snapshot", &[&stub.url(), &file]));
            stub.request();
            assert!(eventually(SOON, is_half), "{tools:?}: nothing comes");
            let asked = Instant::now();
            let status = running.end(signal);
            if signal == Signal::KILL {
                // Its wget lives on, and gets the rest; nobody gives it a name.
                stub.go_on();
                let names = files(&folder.0);
                assert_eq!(names.len(), 1, "{tools:?}: {names:?}");
                let half = folder.0.join(&names[0]);
                let length = || half.metadata().unwrap().len();
                assert!(eventually(SOON, || length() == jpeg().len() as u64));
                // The next one takes it away, when it is old enough to be nobody's.
                let long_ago = SystemTime::now() - Duration::from_secs(2 * 60 * 60);
                fs::File::options()
                    .write(true)
                    .open(&half)
                    .and_then(|file| file.set_modified(long_ago))
                    .unwrap();
                let place = folder.0.to_str().unwrap();
                script(tools, "snapshot", &["-q", "127.0.0.1:1", place]);
            } else {
                assert_eq!(status.code(), Some(128 + signal.as_raw()), "{tools:?}");
                assert!(asked.elapsed() < Duration::from_secs(10), "{tools:?}");
            }
            assert_eq!(files(&folder.0), [""; 0], "{tools:?} {signal:?}");
        }
    }
}

#[test]
fn two_at_once_do_not_disturb_each_other() {
    let camfeed = Camfeed::online(&["--source", SMALL]);
    let folder = Folder::new();
    let file = folder.file("cam.jpg");
    let address = camfeed.address.to_string();
    let all: Vec<_> = (0..6)
        .map(|_| Running::start(command(Tools::Wget, "snapshot", &[&address, &file])))
        .collect();
    for mut one in all {
        assert!(one.wait().success(), "{}", one.said());
    }
    assert_eq!(files(&folder.0), ["cam.jpg"]);
    assert!(is_jpeg(&fs::read(&file).unwrap()));
    assert_eq!(fs::metadata(&file).unwrap().nlink(), 1);
}
