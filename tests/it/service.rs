//! camfeed as a service of systemd, for which a stand-in plays.

use crate::{
    camfeed::{Camfeed, Folder, SMALL, SOON, eventually, run},
    http::{Parts, get},
    manager::{Manager, WATCHDOG, activated},
    status::state,
};
use rustix::process::Signal;
use socket2::SockRef;
use std::{
    fs::{self, File},
    io::Write,
    net::{TcpListener, TcpStream, UdpSocket},
    os::{
        fd::OwnedFd,
        unix::{
            fs::MetadataExt,
            net::{UnixDatagram, UnixListener},
        },
    },
    path::Path,
    process::Command,
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
    thread,
    time::Duration,
};

#[test]
fn ready_is_told_only_when_the_server_has_answered() {
    let manager = Manager::new();
    manager.deafen();
    let camfeed = manager.start(&["--source", SMALL]);
    camfeed.wait_logs("no answer of the own server", 2);
    while let Some(early) = manager.hear(Duration::ZERO) {
        assert!(early.starts_with("STATUS="), "{early}");
    }
    manager.undeafen();
    manager.wait_line("READY=1");
    assert!(get(manager.address(), "/healthz").status > 0);
}

#[test]
fn the_status_tells_camera_rate_and_viewers_and_only_changes() {
    let manager = Manager::new();
    let camfeed = manager.start(&["--source", "test:320x240@5"]);
    let says = |text: &'static str| {
        move |message: &str| message.starts_with("STATUS=") && message.contains(text)
    };
    manager.wait_for(says("online, 5 fps, 0 viewers"));
    let viewer = Parts::open(camfeed.address, "/stream");
    let heard = manager.wait_for(says(" fps, 1 viewer"));
    let statuses: Vec<_> = heard
        .iter()
        .filter(|line| line.starts_with("STATUS="))
        .collect();
    assert!(
        statuses.windows(2).all(|pair| pair[0] != pair[1]),
        "{heard:?}"
    );
    drop(viewer);
    manager.wait_for(says(" fps, 0 viewers"));
    camfeed.signal(Signal::TERM);
    manager.wait_line("STOPPING=1");
}

#[test]
fn the_status_names_each_camera_where_there_are_several() {
    let manager = Manager::new();
    let cameras = [
        "--camera",
        "garden=test:320x240@5",
        "--camera",
        "shed=/none/such.avi",
    ];
    let camfeed = manager.start(&cameras);
    let says = |viewers: &'static str| {
        move |message: &str| {
            message
                .strip_prefix("STATUS=garden: test pattern: online, 5 fps; shed: offline: ")
                .is_some_and(|rest| rest.contains("no such file") && rest.ends_with(viewers))
        }
    };
    manager.wait_for(says(", 0 viewers"));
    let _viewer = Parts::open(camfeed.address, "/garden/stream");
    manager.wait_for(says(", 1 viewer"));
    // One camera that is gone is no reason to start the others anew: for twice the time in which silence is fatal.
    for _ in 0..6 {
        manager.wait_line("WATCHDOG=1");
    }
}

#[test]
fn an_outage_is_told_with_its_reason_and_is_no_fault_of_the_service() {
    let manager = Manager::new();
    let _camfeed = manager.start(&["--source", "/none/such.avi"]);
    manager.wait_for(|message| {
        message.starts_with("STATUS=offline: ") && message.contains("no such file")
    });
    // Twice the time in which silence is fatal.
    for _ in 0..6 {
        manager.wait_line("WATCHDOG=1");
    }
}

#[test]
fn a_stuck_process_feeds_no_watchdog() {
    let manager = Manager::new();
    let camfeed = manager.start(&["--source", SMALL]);
    manager.wait_line("WATCHDOG=1");
    camfeed.signal(Signal::STOP);
    // What was told before; then nothing, for as long as systemd would wait.
    let mut before = 0;
    while manager.hear(WATCHDOG).is_some() {
        before += 1;
        assert!(before < 5, "it is still fed");
    }
    camfeed.signal(Signal::CONT);
    manager.wait_line("WATCHDOG=1");
}

#[test]
fn a_deaf_server_feeds_no_watchdog_and_ends_when_nothing_helps() {
    let manager = Manager::new();
    let camfeed = manager.start(&["--source", SMALL]);
    manager.wait_line("WATCHDOG=1");
    manager.deafen();
    manager.wait_line("STATUS=the server does not answer itself");
    assert_eq!(
        manager.hear(Duration::ZERO),
        None,
        "nothing is fed meanwhile"
    );
    manager.undeafen();
    camfeed.wait_log("the server answers itself again");
    manager.wait_line("WATCHDOG=1");
    manager.deafen();
    assert_eq!(camfeed.wait(3 * SOON).code(), Some(70));
}

#[test]
fn a_manager_that_does_not_listen_keeps_nobody_from_ending() {
    let folder = Folder::new();
    let path = folder.file("notify");
    let notify = UnixDatagram::bind(&path).unwrap();
    // Until its queue is full, as it is when nobody reads.
    let filler = UnixDatagram::unbound().unwrap();
    filler.set_nonblocking(true).unwrap();
    while filler.send_to(b"X=1", &path).is_ok() {}
    let camfeed = Camfeed::start_with(
        "127.0.0.1:0",
        &["--source", SMALL],
        &[("NOTIFY_SOCKET", &path)],
    );
    camfeed.wait_log("cannot tell systemd");
    assert_eq!(get(camfeed.address, "/state").status, 200);
    assert_eq!(camfeed.end(Signal::TERM).0.code(), Some(0));
    drop(notify);
}

#[test]
fn the_probe_leaves_no_line_in_the_log() {
    let manager = Manager::new();
    let camfeed = manager.start(&["--source", SMALL]);
    for _ in 0..3 {
        manager.wait_line("WATCHDOG=1");
    }
    assert_eq!(get(camfeed.address, "/healthz").status, 200);
    camfeed.wait_log("GET /healthz");
    assert_eq!(camfeed.count_log("/healthz"), 1);
}

#[test]
fn nobody_is_refused_while_it_is_started_anew() {
    let manager = Manager::new();
    let url = format!("http://{}/snapshot.jpg", manager.address());
    let (is_over, taken, failed) = (AtomicBool::new(false), AtomicU32::new(0), AtomicU32::new(0));
    let folder = Folder::new();
    let take = |path: String| {
        while !is_over.load(Ordering::Relaxed) {
            let got = run("wget", &["-nv", "-t", "1", "-T", "20", "-O", &path, &url]);
            if got.status.success() && fs::read(&path).unwrap().ends_with(&[0xff, 0xd9]) {
                taken.fetch_add(1, Ordering::Relaxed);
            } else {
                failed.fetch_add(1, Ordering::Relaxed);
                eprintln!("{}", String::from_utf8_lossy(&got.stderr));
            }
        }
    };
    /// Ends the takers, also when the test fails.
    struct Over<'a>(&'a AtomicBool);
    impl Drop for Over<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let mut camfeed = manager.start(&["--source", SMALL]);
    // It serves until the last taker is through.
    let _camfeed = thread::scope(|scope| {
        let _over = Over(&is_over);
        for number in 0..3 {
            let path = folder.file(&format!("{number}.jpg"));
            scope.spawn(|| take(path));
        }
        for _ in 0..5 {
            let before = taken.load(Ordering::Relaxed);
            eventually(SOON, || taken.load(Ordering::Relaxed) > before + 5);
            let (status, _) = camfeed.end(Signal::TERM);
            assert_eq!(status.code(), Some(0));
            camfeed = manager.start(&["--source", SMALL]);
        }
        camfeed
    });
    assert_eq!(
        failed.into_inner(),
        0,
        "of {}",
        taken.load(Ordering::Relaxed)
    );
    assert!(taken.into_inner() > 25);
}

#[test]
fn a_passed_socket_gets_our_options_and_replaces_ours() {
    let manager = Manager::new();
    let camfeed = manager.start(&["--source", SMALL, "--listen", "127.0.0.1:1"]);
    camfeed.wait_log("--listen is not used");
    assert_eq!(camfeed.address, manager.address());
    let socket = SockRef::from(&manager.listener);
    assert!(socket.tcp_nodelay().unwrap() && socket.keepalive().unwrap());
}

#[test]
fn a_passed_unix_socket_stays_when_it_ends() {
    let folder = Folder::new();
    let path = folder.file("socket");
    let listener = UnixListener::bind(&path).unwrap();
    let passed = || OwnedFd::from(listener.try_clone().unwrap());
    for _ in 0..2 {
        let camfeed = Camfeed::launch(activated(passed(), 1, &["--source", SMALL]));
        let got = run(
            "curl",
            &["-s", "--unix-socket", &path, "http://x/snapshot.jpg"],
        );
        assert!(got.stdout.starts_with(&[0xff, 0xd8]));
        assert_eq!(camfeed.end(Signal::TERM).0.code(), Some(0));
        assert!(Path::new(&path).exists());
    }
}

#[test]
fn what_is_passed_and_is_no_single_listener_is_refused() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let datagrams = UdpSocket::bind("127.0.0.1:0").unwrap();
    let file = File::open("Cargo.toml").unwrap();
    for (passed, count, said) in [
        (OwnedFd::from(listener), 2, "2 sockets, and one is allowed"),
        (datagrams.into(), 1, "no listening stream socket"),
        (file.into(), 1, "cannot use what systemd passed"),
    ] {
        let output = activated(passed, count, &["--source", SMALL])
            .output()
            .unwrap();
        let log = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{log}");
        assert!(log.contains(said), "{log}");
    }
}

#[test]
fn sockets_passed_to_another_process_are_left_alone() {
    let camfeed = Camfeed::start_with(
        "127.0.0.1:0",
        &["--source", SMALL],
        &[("LISTEN_PID", "1"), ("LISTEN_FDS", "1")],
    );
    assert_eq!(camfeed.count_log("--listen is not used"), 0);
    assert_eq!(state(camfeed.address)["stream"]["viewers"], 0);
}

#[test]
fn priorities_are_for_the_journal_alone_and_times_for_everybody_else() {
    let folder = Folder::new();
    let log = folder.file("log");
    let line = |stream: &dyn Fn(u64, u64) -> String| {
        let file = File::create(&log).unwrap();
        let facts = file.metadata().unwrap();
        let status = Command::new(env!("CARGO_BIN_EXE_camfeed"))
            .args(["--config", "/none/camfeed.conf"])
            .env("JOURNAL_STREAM", stream(facts.dev(), facts.ino()))
            .stderr(file)
            .status()
            .unwrap();
        assert_eq!(status.code(), Some(78));
        fs::read_to_string(&log).unwrap()
    };
    let journal = line(&|device, inode| format!("{device}:{inode}"));
    assert!(
        journal.starts_with("<3>cannot read `/none/camfeed.conf`"),
        "{journal}"
    );
    let elsewhere = line(&|device, inode| format!("{device}:{}", inode + 1));
    assert!(!elsewhere.contains("<3>"), "{elsewhere}");
    assert!(
        elsewhere.starts_with("[20") && elsewhere.contains("Z ERROR] "),
        "{elsewhere}"
    );
}

#[test]
fn a_panic_is_one_line_of_the_log() {
    let environment = [("CAMFEED_FAULT", "client"), ("RUST_BACKTRACE", "0")];
    let camfeed = Camfeed::start_with("127.0.0.1:0", &["--source", SMALL], &environment);
    let mut socket = TcpStream::connect(camfeed.address).unwrap();
    socket.write_all(b"GET /fault HTTP/1.0\r\n\r\n").unwrap();
    let line = camfeed.wait_log("a thread panicked");
    assert!(
        line.contains("ERROR] a thread panicked thread=client-")
            && line.contains(" at=src/")
            && line.ends_with(": a fault on purpose"),
        "{line}"
    );
    // What is said after it stands in lines of its own.
    camfeed.wait_log("camera online");
    let log = camfeed.log();
    assert!(log.lines().all(|line| line.starts_with('[')), "{log}");
}
