//! Threads have names, so that `top -H`, `ps -L` and a debugger tell them apart.

use crate::{
    camfeed::{Camfeed, SOON, eventually},
    http::Parts,
    status::state,
};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Every source file of the program.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder").flatten();
    let paths = entries.map(|entry| entry.path());
    paths
        .flat_map(|path| match path.is_dir() {
            true => sources(&path),
            false => vec![path],
        })
        .collect()
}

#[test]
fn every_thread_is_started_with_a_name() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut named = 0;
    for path in sources(&folder) {
        if path.ends_with("tests.rs") {
            continue;
        }
        let text = fs::read_to_string(&path).expect("readable");
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        let path = path.display();
        assert!(
            !code.contains("thread::spawn("),
            "{path}: a thread without a name"
        );
        for builder in code.split("thread::Builder::new()").skip(1) {
            let is_named = builder.trim_start().starts_with(".name(");
            assert!(is_named, "{path}: a thread without a name");
            named += 1;
        }
    }
    assert!(named >= 5, "threads are started in another way now");
}

#[test]
fn cameras_share_the_threads_of_the_encoders() {
    let cameras = ["a", "b", "c", "d"].map(|name| format!("{name}=test:320x240@30"));
    let cameras = cameras.each_ref().map(|camera| ["--camera", camera]);
    let camfeed = Camfeed::start(&[&["--workers", "3"], cameras.concat().as_slice()].concat());
    camfeed.wait_logs("camera online", 4);
    let _viewer = Parts::open(camfeed.address, "/streams");
    let encoded = |camera: usize| {
        let path = format!("/cameras/{camera}/encoder/encoded");
        state(camfeed.address)
            .pointer(&path)
            .and_then(|count| count.as_u64())
    };
    assert!(eventually(SOON, || (0..4).all(|camera| encoded(camera) >= Some(10))));
    let threads = fs::read_dir(format!("/proc/{}/task", camfeed.pid().as_raw_nonzero()));
    let names = threads.expect("it runs").flatten().map(|thread| {
        let name = fs::read_to_string(thread.path().join("comm"));
        name.unwrap_or_default().trim().to_owned()
    });
    let mut names: Vec<_> = names.filter(|name| name.starts_with("encode-")).collect();
    names.sort();
    assert_eq!(names, ["encode-0", "encode-1", "encode-2"]);
}
