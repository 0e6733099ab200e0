//! Secrets of a source, wherever its user has put them: none comes out anywhere.
//!
//! Every secret here begins with [`MARK`], so that each output can be searched for all of them. The
//! camera is a socket of the test that repeats what it is asked wherever a server may.

use crate::{
    camfeed::{Camfeed, Folder, SMALL, SOON, eventually, run},
    http::{Parts, find, get},
    manager::WATCHDOG,
    status::state,
};
use rustix::process::Signal;
use std::{
    fs::{self, File},
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    os::unix::net::UnixDatagram,
    process::{Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

/// How every secret begins.
const MARK: &str = "Qz7mark";

/// The same in Base64, as far as what follows does not matter.
const MARK_BASE64: &[u8] = b"UXo3bWFya";

/// Panics when `output` holds a secret in any case of its letters or in Base64.
fn assert_clean(what: &str, output: &[u8]) {
    let small = output.to_ascii_lowercase();
    let text = || String::from_utf8_lossy(output).into_owned();
    let mark = MARK.to_ascii_lowercase();
    assert!(
        find(&small, mark.as_bytes()).is_none(),
        "{what}: {}",
        text()
    );
    assert!(find(output, MARK_BASE64).is_none(), "{what}: {}", text());
}

/// A camera that answers as the first word of the path says.
struct Leaky {
    address: SocketAddr,
    /// What the machine it redirects to was asked.
    asked_elsewhere: Arc<Mutex<Vec<String>>>,
}

impl Leaky {
    fn start() -> Leaky {
        let asked_elsewhere = Arc::<Mutex<Vec<String>>>::default();
        let asked = Arc::clone(&asked_elsewhere);
        let elsewhere = listen(move |_, head, mut stream| {
            asked.lock().unwrap().push(head);
            let _ = stream.write_all(b"HTTP/1.1 410 Gone\r\n\r\n");
        });
        let address = listen(move |address, head, stream| {
            Leaky::answer(address, elsewhere, &head, stream);
        });
        Leaky {
            address,
            asked_elsewhere,
        }
    }

    fn answer(own: SocketAddr, elsewhere: SocketAddr, head: &str, mut stream: TcpStream) {
        let path = head.split(' ').nth(1).unwrap_or_default();
        let word = path.split(['/', '?', ';']).nth(1).unwrap_or_default();
        let text = format!("Content-Type: text/plain\r\n\r\n{path} is not here\n");
        let moved = |to: &str| format!("HTTP/1.1 302 {path}\r\nLocation: {to}\r\n{text}");
        let picture = include_bytes!("../jpeg/420.jpg");
        let multipart = "HTTP/1.1 200 OK\r\nServer: cam\r\n\
            Content-Type: multipart/x-mixed-replace; boundary=f\r\n\r\n--f\r\n";
        let answer = match word {
            "ok" | "card" => {
                let comment = format!(
                    "camfeed placeholder: cannot open rtsp://ann:{MARK}@cam/{MARK}: \
                     gst:x user-pw={MARK} ! y: no element \"{MARK}\" in /x={MARK}"
                );
                let length = u16::try_from(comment.len() + 2).unwrap().to_be_bytes();
                let card = [&[0xff, 0xfe], &length[..], comment.as_bytes()].concat();
                let mut number = 0_u8;
                let mut sent = stream.write_all(multipart.as_bytes());
                while sent.is_ok() {
                    // Pictures that change, as a camera's do.
                    number = number % 250 + 1;
                    let comment = match word {
                        "card" => card.clone(),
                        _ => vec![0xff, 0xfe, 0, 3, number],
                    };
                    let jpeg = [&picture[..2], &comment, &picture[2..]].concat();
                    let head = format!(
                        "Content-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n",
                        jpeg.len()
                    );
                    sent = stream.write_all(&[head.as_bytes(), &jpeg, b"\r\n--f\r\n"].concat());
                    thread::sleep(Duration::from_millis(40));
                }
                return;
            }
            "401" => {
                format!("HTTP/1.1 401 {path}\r\nWWW-Authenticate: Basic realm=\"cam\"\r\n{text}")
            }
            "old" => format!(
                "HTTP/1.1 503 {path}\r\nServer: camfeed/0.0.1\r\nContent-Type: text/plain\r\n\r\n\
                 no live picture: cannot open http://cam{path}: it answers {path}\n"
            ),
            "moved" => moved(&format!("http://{MARK}:{MARK}@127.0.0.1:1/{MARK}")),
            // A name that is none: nobody is asked for it.
            "unknown" => moved(&format!("http://{MARK}..x/{MARK}")),
            "circle" => moved(path),
            "lost" => moved(&format!("http://{own}/404/{MARK}")),
            "elsewhere" => moved(&format!("http://{elsewhere}/")),
            "garbage" => format!("{path}? {path}!\r\n\r\n"),
            "type" => format!("HTTP/1.1 200 OK\r\nServer: {path}\r\nContent-Type: {path}\r\n\r\n"),
            "bound" => format!(
                "HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace;boundary={path}\r\n\r\n"
            ),
            "short" => format!("HTTP/1.1 200 OK\r\nContent-Type: {path}"),
            "html" => format!(
                "HTTP/1.1 200 {path}\r\nServer: cam ({path})\r\n\
                 Content-Type: text/html; x={path}\r\n\r\n{path}\n"
            ),
            _ => format!("HTTP/1.1 404 {path} is not here\r\nServer: cam\r\n{text}"),
        };
        let _ = stream.write_all(answer.as_bytes());
    }
}

/// Listens until the tests end; `answer` gets the own address and the head of each request.
fn listen(answer: impl Fn(SocketAddr, String, TcpStream) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    let answer = Arc::new(answer);
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let answer = Arc::clone(&answer);
            thread::spawn(move || {
                let (mut head, mut byte) = (Vec::new(), [0]);
                while !head.ends_with(b"\r\n\r\n") {
                    match stream.read(&mut byte) {
                        Ok(1) => head.push(byte[0]),
                        _ => return,
                    }
                }
                answer(address, String::from_utf8_lossy(&head).into_owned(), stream);
            });
        }
    });
    address
}

/// A running camfeed all of whose outputs are kept.
struct Watched {
    camfeed: Camfeed,
    folder: Folder,
    told: UnixDatagram,
}

impl Watched {
    fn start(source: &str) -> Watched {
        Watched::start_with(&["--source", source, "--camera-timeout", "1"])
    }

    fn start_with(args: &[&str]) -> Watched {
        let folder = Folder::new();
        let notify = folder.file("notify");
        let told = UnixDatagram::bind(&notify).unwrap();
        told.set_read_timeout(Some(SOON)).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_camfeed"));
        command
            .args(["--listen", "127.0.0.1:0"])
            .args(args)
            .env("RUST_LOG", "trace")
            .env("NOTIFY_SOCKET", &notify)
            // What it tells comes every second.
            .env("WATCHDOG_USEC", WATCHDOG.as_micros().to_string())
            .stdin(Stdio::null())
            .stdout(File::create(folder.file("stdout")).unwrap());
        Watched {
            camfeed: Camfeed::launch(command),
            folder,
            told,
        }
    }

    /// Waits for a status that contains `text`, and looks at all before it.
    fn wait_status(&self, what: &str, text: &str) {
        let mut bytes = [0; 4096];
        loop {
            let length = self.told.recv(&mut bytes).expect("a status");
            assert_clean(what, &bytes[..length]);
            let status = String::from_utf8_lossy(&bytes[..length]).into_owned();
            if status.starts_with("STATUS=") && status.contains(text) {
                return;
            }
        }
    }

    /// Looks at everything that goes out.
    fn assert_clean(&self, what: &str) {
        let address = self.camfeed.address;
        let look_at = |path: &str| {
            let answer = get(address, path);
            assert_clean(&format!("{what}: {path}"), answer.head.as_bytes());
            assert_clean(&format!("{what}: {path}"), &answer.body);
        };
        thread::scope(|scope| {
            // A snapshot waits for a picture.
            scope.spawn(|| look_at("/snapshot.jpg"));
            let mut parts = Parts::open(address, "/stream");
            for _ in 0..2 {
                let part = parts.next_part();
                assert_clean(&format!("{what}: a part"), part.head.as_bytes());
                assert_clean(&format!("{what}: a part"), &part.jpeg);
            }
            for path in ["/state", "/healthz", "/metrics", "/", "/controls"] {
                look_at(path);
            }
        });
        let health = get(address, "/healthz").text();
        for name in ["/", "127.0.0.1", "gst:", "souphttpsrc"] {
            assert!(!health.contains(name), "{what}: {health}");
        }
        let stdout = fs::read(self.folder.file("stdout")).unwrap();
        assert_clean(&format!("{what}: standard output"), &stdout);
        assert_clean(&format!("{what}: the log"), self.camfeed.log().as_bytes());
    }
}

/// A source, how it is shown, and what is said of it when it is not online.
struct Row {
    source: String,
    shown: String,
    said: &'static str,
}

fn rows(camera: SocketAddr) -> Vec<Row> {
    let row = |source: String, shown: &str, said: &'static str| Row {
        source: source
            .replace("CAM", &camera.to_string())
            .replace("MARK", MARK),
        shown: shown.replace("CAM", &camera.to_string()),
        said,
    };
    let at_camera = |rest: &str, said| row(format!("http://CAM{rest}"), "http://CAM/…", said);
    let elsewhere = |source: &str, shown: &str, said| row(source.to_owned(), shown, said);
    let soup = "gst:souphttpsrc location=http://CAM/ok?pwd=MARK user-id=MARK user-pw=MARK";
    let shown_soup = "gst:souphttpsrc ! multipartdemux ! jpegdec";
    let rest = "! multipartdemux ! jpegdec";
    vec![
        at_camera("/ok?usr=MARK&pwd=MARK", ""),
        at_camera("/ok/user=MARK&password=MARK&channel=1;MARK#MARK", ""),
        elsewhere("HTTP://MARK:p@MARK@CAM/ok", "HTTP://CAM/…", ""),
        elsewhere(
            "http://MARK:%51z7mark@CAM/ok/%51z7mark?x=%51z7mark",
            "http://CAM/…",
            "",
        ),
        row(format!("{soup} {rest}"), shown_soup, ""),
        at_camera(
            "/401/MARK?loginuse=MARK&loginpas=MARK",
            "it answers 401 Unauthorized (",
        ),
        elsewhere(
            "http://MARK:MARK@CAM/401",
            "http://CAM/…",
            "it answers 401 Unauthorized (",
        ),
        at_camera("/404/user=MARK&password=MARK", "it answers 404 Not Found"),
        at_camera("/404?key=MARK;x=MARK", "it answers 404 Not Found"),
        at_camera(
            "/old?MARK",
            "it answers 503 Service Unavailable: no live picture: cannot open http://cam/…",
        ),
        at_camera("/moved/MARK", "after a redirect, connection refused"),
        at_camera(
            "/unknown/MARK",
            "after a redirect, no machine of that name is known",
        ),
        at_camera("/circle/MARK", "it redirects again and again"),
        at_camera("/lost/MARK", "after a redirect, it answers 404 Not Found"),
        elsewhere(
            "http://MARK:MARK@CAM/elsewhere/MARK",
            "http://CAM/…",
            "after a redirect, it answers 410 Gone",
        ),
        at_camera("/garbage/MARK", "no stream answers there"),
        at_camera("/short/MARK", "no stream answers there"),
        at_camera("/type/MARK", "it answers no known type: nothing"),
        at_camera("/html/MARK", "it answers text/html: a web page"),
        at_camera("/bound/MARK", "the stream ended"),
        at_camera("/card/MARK", "no picture there: cannot open rtsp://cam/…"),
        elsewhere(
            "rtsp://MARK:MARK@127.0.0.1:1/MARK?x=MARK",
            "rtsp://127.0.0.1:1/…",
            "no stream answers there",
        ),
        elsewhere(
            "https://127.0.0.1:1/MARK",
            "https://127.0.0.1:1/…",
            "no stream answers there",
        ),
        elsewhere(
            "tcp://127.0.0.1:1?MARK",
            "tcp://127.0.0.1:1/…",
            "no stream answers there",
        ),
        elsewhere(
            "http://[::1]:1/a b\tMARK",
            "http://[::1]:1/…",
            "no stream answers there",
        ),
        elsewhere(
            "http://127.0.0.1:1/MARK",
            "http://127.0.0.1:1/…",
            "connection refused",
        ),
        elsewhere(
            "http://MARK..x:12/MARK@CAM/",
            "http://…",
            "no machine of that name is known",
        ),
        elsewhere(
            "http://MARK..x:MARK/x@CAM/",
            "http://…",
            "no stream answers there",
        ),
        row(
            format!("{soup} name=MARK {rest} name=MARK1").replace("/ok", "/404"),
            shown_soup,
            "the pipeline does not start",
        ),
        row(
            format!("{soup} timeout=97531864MARK {rest}"),
            shown_soup,
            "could not set property \"timeout\" in element \"souphttpsrc\"",
        ),
        row(
            format!("{soup} pasword=MARK {rest}"),
            shown_soup,
            "no property \"pasword\" in element \"souphttpsrc\"",
        ),
        row(
            format!("{soup} user-pw=a MARK {rest}"),
            shown_soup,
            "no element of that name (a value with spaces needs quotes)",
        ),
        row(
            format!("{soup} user-pw=\"a ! MARK ! b\" {rest} ! nosuchthing"),
            "gst:souphttpsrc ! multipartdemux ! jpegdec ! nosuchthing",
            "no element \"nosuchthing\"",
        ),
        row(
            format!("{soup} ! ! MARK=MARK {rest}"),
            shown_soup,
            "syntax error",
        ),
        row(
            format!("{soup} ! audioconvert name=MARK ! jpegdec"),
            "gst:souphttpsrc ! audioconvert ! jpegdec",
            "could not link",
        ),
    ]
}

#[test]
fn no_output_holds_a_secret_of_the_source() {
    let camera = Leaky::start();
    let rows = rows(camera.address);
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..12 {
            scope.spawn(|| {
                while let Some(row) = rows.get(next.fetch_add(1, Ordering::Relaxed)) {
                    look_at(row);
                }
            });
        }
    });
    let asked = camera.asked_elsewhere.lock().unwrap();
    assert!(!asked.is_empty());
    for head in asked.iter() {
        assert_clean("another machine's request", head.as_bytes());
    }
}

fn look_at(row: &Row) {
    let Row {
        source,
        shown,
        said,
    } = row;
    let watched = Watched::start(source);
    let is_online = said.is_empty();
    let camfeed = &watched.camfeed;
    camfeed.wait_log(if is_online {
        "camera online"
    } else {
        "trying again"
    });
    watched.assert_clean(source);
    let now = state(camfeed.address)["camera"].clone();
    assert_eq!(now["source"], **shown, "{source}");
    let reason = now["reason"].as_str().unwrap_or_default();
    assert!(
        is_online || reason.contains(shown) && reason.contains(said),
        "{source}: {reason}"
    );
    watched.wait_status(source, if is_online { "online" } else { "offline" });
    if is_online {
        return;
    }
    let health = get(camfeed.address, "/healthz");
    assert_eq!(health.status, 503);
    let text = health.text();
    assert!(
        text.starts_with("no live picture: the camera is "),
        "{text}"
    );
    let checked = run(
        env!("CARGO_BIN_EXE_camfeed"),
        &["--check", "--source", source],
    );
    let printed = [checked.stdout, checked.stderr].concat();
    assert_clean(source, &printed);
    assert!(find(&printed, said.as_bytes()).is_some(), "{source}");
}

#[test]
fn a_relay_passes_no_secret_on() {
    let camera = Leaky::start();
    for (path, ends) in [
        ("/ok/MARK", "camera online"),
        ("/card?MARK", "no picture there"),
    ] {
        let source = format!("http://{}{path}", camera.address).replace("MARK", MARK);
        let first = Watched::start(&source);
        first.camfeed.wait_log(ends);
        let url = first.camfeed.url(&format!("/stream?x={MARK}"));
        let relay = Watched::start(&url);
        relay.camfeed.wait_log(ends);
        relay.assert_clean(path);
        let shown = state(relay.camfeed.address)["camera"]["source"].clone();
        assert_eq!(shown, first.camfeed.url("/…"));
    }
}

#[test]
fn a_mistake_in_the_options_is_said_without_the_secret() {
    let words = |line: &str| -> Vec<String> {
        let words = line.replace("MARK", MARK);
        words.split_whitespace().map(str::to_owned).collect()
    };
    let folder = Folder::new();
    let path = folder.file("camfeed.conf");
    for (line, said) in [
        ("--source ftp://MARK:MARK@cam/MARK", "ftp://cam/…"),
        ("--source MARK:MARK@cam/MARK", "http://cam/…"),
        ("--source cam/x?pwd=MARK", "http://cam/…"),
        ("--source cam:81/MARK", "http://cam/…"),
        ("--source rtsp:cam/MARK", "http://cam/…"),
        ("--source file://http://cam/MARK", "file://…"),
        ("--source=ftp://cam/MARK", "ftp://cam/…"),
        ("--sorce=http://cam/MARK", "--sorce"),
        ("--no-controls=http://cam/MARK", "http://cam/…"),
        ("--camera garden=cam/x?pwd=MARK", "'garden=…'"),
        ("--camera=MARK:MARK@cam/x", "'…'"),
        ("--sorce http://cam/MARK", "--sorce"),
        ("test http://cam/MARK", "http://cam/…"),
        ("MARK:MARK@cam/x", "…"),
        ("pwd=MARK", "pwd=…"),
        ("test gst:souphttpsrc", "gst:souphttpsrc"),
        ("--listen http://cam/MARK", "http://cam/…"),
        ("--no-controls test http://cam/MARK", "http://cam/…"),
        ("--passwd MARK", "--password-file"),
        ("-pMARK", "there is no option `-p…`\n"),
        ("-p MARK", "--listen ADDR:PORT"),
        ("--host MARK", "--listen ADDR:PORT"),
        ("-d http://MARK@cam/MARK", "--source SOURCE"),
        ("--width=MARK", "--size WxH"),
        ("--source:http://cam/MARK", "`--source:http://cam/…`"),
        ("--passwd:MARK", "`--passwd:…`"),
        ("--source http:/MARK:MARK@cam/MARK", "'…'"),
        ("--source cam.lan/MARK", "did you mean http://cam.lan/…?"),
        ("--source pi.local:80?token=MARK", "'pi.local:80/…'"),
    ] {
        let typed = words(line);
        let typed: Vec<&str> = typed.iter().map(String::as_str).collect();
        let output = run(env!("CARGO_BIN_EXE_camfeed"), &typed);
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert_clean(line, text.as_bytes());
        assert!(text.contains(said), "{line}: {text}");
        fs::write(&path, format!("# mine\n{}\n", line.replace("MARK", MARK))).unwrap();
        let output = run(env!("CARGO_BIN_EXE_camfeed"), &["--config", &path]);
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert_eq!(output.status.code(), Some(78), "{text}");
        assert_clean(line, text.as_bytes());
        assert!(text.contains("line 2"), "{text}");
    }
    // A password in another encoding than UTF-8.
    let output = Command::new("sh")
        .arg("-c")
        .arg(format!(
            "exec {} --source \"$(printf 'http://cam/{MARK}\\374')\"",
            env!("CARGO_BIN_EXE_camfeed")
        ))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert_clean("no UTF-8", text.as_bytes());
    assert!(text.contains("UTF-8"), "{text}");
}

#[test]
fn a_reload_names_options_and_not_their_values() {
    let folder = Folder::new();
    let path = folder.file("camfeed.conf");
    let url = format!("http://127.0.0.1:1/{MARK}");
    fs::write(&path, format!("--source {url}\n")).unwrap();
    let watched = Watched::start_with(&["--config", &path]);
    let camfeed = &watched.camfeed;
    camfeed.wait_log("trying again");
    for (text, said) in [
        (format!("--source {url}2\n"), "next start: --source"),
        (
            format!("--source {url}\n--source {url}\n"),
            "everything stays as it was",
        ),
        (
            format!("--sorce=\"{url}\"\n"),
            "`, line 1: there is no option `--sorce`: did you mean `--source`?",
        ),
        (format!("source {url} --fps 5\n"), "`source` is no option"),
    ] {
        fs::write(&path, text).unwrap();
        camfeed.signal(Signal::HUP);
        camfeed.wait_log(said);
    }
    watched.assert_clean("reload");
    // One that ends within its first second has told nothing yet.
    watched.wait_status("after the reloads", "offline");
    camfeed.signal(Signal::TERM);
}

#[test]
fn libraries_that_are_asked_for_messages_are_warned_of() {
    let url = format!("rtsp://127.0.0.1:1/{MARK}");
    let warned = |name: &str, source: &str| {
        let camfeed = Camfeed::start_with("127.0.0.1:0", &["--source", source], &[(name, "0")]);
        camfeed.wait_log(if source == SMALL {
            "camera online"
        } else {
            "trying again"
        });
        camfeed.count_log(&format!(
            "{name}: libraries may print the source here as it is"
        ))
    };
    for name in ["OPENCV_LOG_LEVEL", "OPENCV_FFMPEG_LOGLEVEL", "GST_DEBUG"] {
        assert_eq!(warned(name, &url), 1, "{name}");
    }
    assert_eq!(warned("GST_DEBUG", SMALL), 0, "no secret in it");
    assert_eq!(warned("OTHER", &url), 0);
}

#[test]
fn healthz_names_no_source_and_says_why() {
    for (source, said) in [
        ("/none/such.avi", "no such file or directory\n"),
        (
            "/dev/video-none",
            "no such device (is the camera plugged in? `camfeed --list` shows those that are)\n",
        ),
        (
            "http://127.0.0.1:1/x",
            "connection refused (is the server running, and on this port?)\n",
        ),
        ("gst:nosuchthing", "GStreamer refuses the pipeline\n"),
    ] {
        let camfeed = Camfeed::start(&["--source", source]);
        camfeed.wait_log("trying again");
        let line = format!("no live picture: the camera is offline: {said}");
        assert!(
            eventually(SOON, || get(camfeed.address, "/healthz").text() == line),
            "{source}"
        );
    }
}
