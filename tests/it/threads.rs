//! Threads have names, so that `top -H`, `ps -L` and a debugger tell them apart.

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
