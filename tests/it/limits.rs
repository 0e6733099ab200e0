//! Descriptors and threads that are few: said at the start, refused in words, and there again when
//! somebody leaves.

use crate::{
    attackers::{PATIENCE, connect, request, wire::Wire},
    camfeed::{Camfeed, Folder, SMALL, SOON, eventually},
    http::{Answer, get},
    load::raise_file_limit,
    status::state,
};
use std::{
    io::Read,
    net::SocketAddr,
    os::unix::process::CommandExt,
    process::{self, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::Instant,
};

/// Descriptors, or threads, the server has in these tests.
const FEW: &str = "64";

/// The real binary with limits of prlimit(1), such as `--nofile=64`, as user `uid` if given: the
/// number of threads is limited for ordinary users only.
pub fn limited(limits: &[&str], uid: Option<u32>, binary: &str, args: &[&str]) -> Command {
    let mut command = Command::new("prlimit");
    command
        .args(limits)
        .args([binary, "--listen", "127.0.0.1:0", "--source", SMALL])
        .args(args)
        .env("RUST_LOG", "info")
        .stdin(Stdio::null());
    if let Some(uid) = uid {
        command.uid(uid).gid(uid).current_dir("/");
    }
    command
}

pub const BINARY: &str = env!("CARGO_BIN_EXE_camfeed");

/// Asks for the stream; its connection, if it is given one, or the refusal.
fn ask_stream(address: SocketAddr) -> Result<Wire, Option<Answer>> {
    let mut wire = Wire::open(address).map_err(|_| None)?;
    let _ = wire.send(request("GET", "/stream").as_bytes());
    match wire.answer(false, Instant::now() + PATIENCE) {
        Ok(answer) if answer.status == 200 => Ok(wire),
        Ok(answer) => Err(Some(answer)),
        Err(_) => Err(None),
    }
}

/// As many streams as are given of `count`; whoever is refused is told so and when to come back.
pub fn ask_streams(address: SocketAddr, count: usize) -> Vec<Wire> {
    let mut streams = Vec::new();
    for number in 0..count {
        match ask_stream(address) {
            Ok(wire) => streams.push(wire),
            Err(Some(answer)) => {
                assert_eq!(answer.status, 503, "{number}: {}", answer.head);
                assert!(answer.header("Retry-After").is_some(), "{}", answer.head);
            }
            Err(None) => panic!("stream {number} is neither given nor refused"),
        }
    }
    streams
}

/// All the streams it gives under `limit`, others refused, twice.
fn serves_what_it_can(camfeed: &Camfeed) {
    let address = camfeed.address;
    let log_before = camfeed.count_log("");
    let promised = state(address)["stream"]["max_viewers"].as_u64();
    let promised = promised.expect("a number") as usize;
    println!("{FEW} of them are enough for {promised} viewers");
    assert!((8..60).contains(&promised), "{promised} viewers");
    assert!(
        camfeed.count_log(&format!("{promised} viewers")) > 0,
        "said at the start"
    );
    for round in 0..2 {
        let mut streams = Vec::new();
        // Those who left a moment ago may still have their places.
        let is_full = eventually(SOON, || {
            streams.extend(ask_streams(address, promised - streams.len()));
            streams.len() == promised
        });
        assert!(is_full, "round {round}: {} of {promised}", streams.len());
        assert!(ask_streams(address, 40).is_empty(), "round {round}");
        // Silent ones beside them change nothing.
        let silent: Vec<_> = (0..40).filter_map(|_| connect(address).ok()).collect();
        assert_eq!(silent.len(), 40);
        for path in ["/snapshot", "/state"] {
            for _ in 0..5 {
                assert_eq!(get(address, path).status, 200, "round {round}: {path}");
            }
        }
        for wire in &mut streams {
            let mut bytes = vec![0; 20_000];
            wire.stream
                .read_exact(&mut bytes)
                .expect("the stream goes on");
        }
    }
    // Refusals are no errors, and not a line each.
    let said = camfeed.count_log("") - log_before;
    assert!(said < 6 * promised + 100, "{said} lines");
    assert_eq!(camfeed.count_log("panicked"), 0);
}

#[test]
fn with_few_descriptors_it_serves_as_many_as_it_said() {
    raise_file_limit();
    let limit = format!("--nofile={FEW}:{FEW}");
    let camfeed = Camfeed::launch(limited(&[&limit], None, BINARY, &[]));
    camfeed.wait_log("camera online");
    serves_what_it_can(&camfeed);
}

/// A user that runs nothing else, and a place from which it can run the binary; `None` when we may
/// not become another user.
pub fn stranger() -> Option<(u32, Folder, String)> {
    if !rustix::process::geteuid().is_root() {
        println!("not root: threads cannot be limited for one process");
        return None;
    }
    let folder = Folder::new();
    let binary = folder.file("camfeed");
    // Not by this process: a child that another test starts meanwhile would hold the copy open for writing,
    // and then it cannot be run.
    let copied = Command::new("cp").args([BINARY, &binary]).status();
    assert!(copied.expect("cp starts").success());
    static CALLS: AtomicU32 = AtomicU32::new(0);
    let uid = 50_000 + 10 * (process::id() % 1000) + CALLS.fetch_add(1, Ordering::Relaxed);
    Some((uid, folder, binary))
}

#[test]
fn with_few_threads_it_serves_as_many_as_it_said() {
    let Some((uid, _folder, binary)) = stranger() else {
        return;
    };
    let limit = format!("--nproc={FEW}:{FEW}");
    let camfeed = Camfeed::launch(limited(&[&limit], Some(uid), &binary, &[]));
    camfeed.wait_log("camera online");
    serves_what_it_can(&camfeed);
}

/// How it ended within `SOON`, and what it said.
fn refusal(mut command: Command) -> (Option<bool>, String) {
    let mut child = command
        .stderr(Stdio::piped())
        .spawn()
        .expect("prlimit starts");
    let mut success = None;
    eventually(SOON, || {
        success = child
            .try_wait()
            .expect("our child")
            .map(|status| status.success());
        success.is_some()
    });
    let _ = child.kill();
    let _ = child.wait();
    let mut said = String::new();
    let mut stderr = child.stderr.take().expect("piped");
    let _ = stderr.read_to_string(&mut said);
    (success, said)
}

#[test]
fn what_was_asked_for_and_cannot_be_held_is_an_error_at_the_start() {
    let few_files = format!("--nofile={FEW}:{FEW}");
    let few_threads = format!("--nproc={FEW}:{FEW}");
    let stranger = stranger();
    let mut cases = vec![(&few_files, None, BINARY)];
    if let Some((uid, _, binary)) = &stranger {
        cases.push((&few_threads, Some(*uid), binary));
    }
    for (limit, uid, binary) in cases {
        for option in ["--max-viewers", "--max-connections"] {
            let (success, said) = refusal(limited(&[limit], uid, binary, &[option, "300"]));
            assert_eq!(success, Some(false), "{limit} {option}: {said}");
            assert!(
                said.contains(option) && said.contains("300"),
                "{limit}: {said}"
            );
        }
    }
}
