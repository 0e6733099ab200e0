//! The Debian package over the one before it, in a folder that stands for `/`: what its users changed and
//! chose is theirs. dpkg and systemctl are the real ones; no service runs there.

use crate::{
    camfeed::{Folder, run},
    shell::SCRIPTS,
};
use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

const BINARY: &str = env!("CARGO_BIN_EXE_camfeed");

/// The folder with `new.deb` and with `last.deb`, which is older and has another options file.
fn packages() -> &'static Path {
    static PACKAGES: OnceLock<Folder> = OnceLock::new();
    let made = PACKAGES.get_or_init(|| {
        let folder = Folder::new();
        let script = r#"
            scripts/package/deb >/dev/null
            mv "$OUT"/camfeed_*.deb "$OUT/new.deb"
            dpkg-deb -R "$OUT/new.deb" "$OUT/last"
            sed -i 's/^Version: .*/Version: 0.0.1-1/' "$OUT/last/DEBIAN/control"
            echo '# Another comment.' >>"$OUT/last/etc/camfeed.conf"
            dpkg-deb --root-owner-group -Zgzip -b "$OUT/last" "$OUT/last.deb" >/dev/null"#;
        let made = Command::new("sh")
            .args(["-ec", script])
            .current_dir(Path::new(SCRIPTS).join(".."))
            // No matter which program.
            .env("BIN", "/bin/true")
            .env("HELP", format!("{BINARY} --help"))
            .env("OUT", &folder.0)
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
        folder
    });
    &made.0
}

/// A system with dpkg and nothing else.
struct System(Folder);

impl System {
    fn new() -> System {
        let folder = Folder::new();
        for path in ["var/lib/dpkg/info", "var/lib/dpkg/updates", "etc"] {
            fs::create_dir_all(folder.0.join(path)).unwrap();
        }
        fs::write(folder.0.join("var/lib/dpkg/status"), "").unwrap();
        System(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.0.join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// Runs dpkg here, where nobody answers its questions; what it said.
    fn dpkg(&self, args: &[&str]) -> String {
        let output = Command::new("dpkg")
            .arg(format!("--root={}", self.0.0.display()))
            // The libraries are not here, and no shell; what dpkg says to who is not root is about /.
            .args(["--force-depends", "--force-script-chrootless"])
            .args(["--force-not-root", "--force-bad-path", "--force-unsafe-io"])
            .args(args)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8(said).unwrap();
        assert!(output.status.success(), "{args:?}: {said}");
        said
    }

    fn install(&self, package: &str) -> String {
        let path = packages().join(package);
        // Of an options file that both changed, apt keeps the user's, unless somebody answers otherwise.
        self.dpkg(&["--force-confold", "--install", path.to_str().unwrap()])
    }

    fn systemctl(&self, args: &[&str]) {
        let root = format!("--root={}", self.0.0.display());
        let output = run("systemctl", &[&[root.as_str()], args].concat());
        assert!(output.status.success(), "{args:?}: {output:?}");
    }

    /// Everything below `name`: where a link leads, or what stands in a file and who may read it.
    fn tree(&self, name: &str) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        let mut folders = vec![self.path(name)];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let data = fs::symlink_metadata(&path).unwrap();
                let content = if data.is_dir() {
                    folders.push(path.clone());
                    continue;
                } else if data.is_symlink() {
                    fs::read_link(&path).unwrap().display().to_string()
                } else {
                    let text = fs::read_to_string(&path).unwrap();
                    format!("{:o} {text}", data.permissions().mode())
                };
                let name = path.strip_prefix(&self.0.0).unwrap();
                found.insert(name.to_str().unwrap().to_owned(), content);
            }
        }
        found
    }

    /// Makes it somebody's own.
    fn settle(&self) {
        self.write("etc/camfeed.conf", "--quality 70\n");
        self.write("etc/camfeed/password", "ann:secret\n");
        self.write("etc/camfeed/token", "0123456789abcdef\n");
        self.write("etc/camfeed/garden.conf", "--source test\n");
        self.write("etc/default/camfeed", "RUST_LOG=debug\n");
        let drop_in = "etc/systemd/system/camfeed.service.d/override.conf";
        self.write(drop_in, "[Service]\nNice=5\n");
        // Not shown to the network.
        fs::remove_file(self.path("etc/avahi/services/camfeed.service")).unwrap();
        self.systemctl(&["enable", "camfeed.socket", "camfeed@garden"]);
    }
}

const WANTS: &str = "etc/systemd/system/multi-user.target.wants/camfeed.service";

#[test]
fn an_upgrade_loses_nothing() {
    let system = System::new();
    let said = system.install("last.deb");
    assert!(said.contains("camfeed: the feed is at http://"), "{said}");
    // Where a password is explained.
    let page = said
        .lines()
        .find_map(|line| line.strip_prefix("camfeed:   zless /"));
    assert!(system.path(page.expect("a page")).exists(), "{said}");
    assert!(
        system.path(WANTS).is_symlink(),
        "it starts with the machine"
    );
    system.settle();
    let before = system.tree("etc");
    assert!(before.len() > 8, "{before:?}");
    // And so does a downgrade, and the way back.
    for package in ["new.deb", "last.deb", "new.deb"] {
        let said = system.install(package);
        assert!(!said.contains("the feed is at"), "only once: {said}");
        let mut after = system.tree("etc");
        // The package's own beside that of the user, who may read what is new.
        for beside in ["camfeed.conf", "avahi/services/camfeed.service"] {
            after.remove(&format!("etc/{beside}.dpkg-dist"));
        }
        assert_eq!(before, after, "{package}");
        // Where cron has them from.
        for path in ["usr/lib/camfeed/snapshot", "usr/bin/camfeed-snapshot"] {
            let help = run(system.path(path).to_str().unwrap(), &["--help"]);
            assert!(help.status.success(), "{help:?}");
        }
    }
}

#[test]
fn an_upgrade_changes_options_that_nobody_changed() {
    let system = System::new();
    system.install("last.deb");
    let last = fs::read_to_string(system.path("etc/camfeed.conf")).unwrap();
    assert!(last.contains("# Another comment."));
    system.install("new.deb");
    let new = fs::read_to_string(system.path("etc/camfeed.conf")).unwrap();
    assert_eq!(new, fs::read_to_string("scripts/camfeed.conf").unwrap());
}

#[test]
fn the_port_of_the_options_is_said() {
    for (option, port) in [
        ("--listen 0.0.0.0:9001", 9001),
        ("--listen=[::]:9002", 9002),
        ("  --listen 9003 ", 9003),
        ("--listen :9004", 9004),
        ("# --listen 0.0.0.0:9005", 8080),
    ] {
        let system = System::new();
        system.write("etc/camfeed.conf", &format!("{option}\n"));
        let said = system.install("last.deb");
        assert!(
            said.contains(&format!(":{port}/snapshot.jpg")),
            "{option}: {said}"
        );
    }
}

#[test]
fn an_installation_that_hides_the_package_is_named() {
    let system = System::new();
    let words = "camfeed: the one of `make install' is still in /usr/local and goes first";
    assert!(!system.install("last.deb").contains(words));
    system.write("usr/local/bin/camfeed", "of make install");
    let said = system.install("new.deb");
    assert!(said.contains(words), "{said}");
}

#[test]
fn a_service_that_was_switched_off_stays_off() {
    for (off, is_there) in [("disable", false), ("mask", true)] {
        let system = System::new();
        system.install("last.deb");
        system.systemctl(&[off, "camfeed.service"]);
        system.install("new.deb");
        system.dpkg(&["--remove", "camfeed"]);
        system.install("new.deb");
        assert_eq!(system.path(WANTS).is_symlink(), is_there, "{off}");
        let unit = system.path("etc/systemd/system/camfeed.service");
        let is_masked = fs::read_link(unit).is_ok_and(|path| path == Path::new("/dev/null"));
        assert_eq!(is_masked, off == "mask");
    }
}

#[test]
fn what_is_removed_comes_back_as_it_was_and_a_purge_leaves_nothing() {
    let system = System::new();
    system.install("last.deb");
    system.settle();
    let before = system.tree("etc");
    system.dpkg(&["--remove", "camfeed"]);
    assert!(!system.path("usr/bin/camfeed").exists());
    assert_eq!(before, system.tree("etc"), "options stay");
    system.install("new.deb");
    let mut after = system.tree("etc");
    after.remove("etc/camfeed.conf.dpkg-dist");
    assert_eq!(before, after);

    // What the services wrote.
    for cache in ["private/camfeed", "camfeed-garden"] {
        system.write(&format!("var/cache/{cache}/last.jpg"), "a picture");
    }
    symlink("private/camfeed", system.path("var/cache/camfeed")).unwrap();
    system.dpkg(&["--purge", "camfeed"]);
    let mut left = system.tree(".");
    left.retain(|path, _| !path.starts_with("var/lib/dpkg/") && path != "var/log/dpkg.log");
    let left: Vec<_> = left.keys().collect();
    // What `systemctl edit` made is somebody's own work.
    assert_eq!(left, ["etc/systemd/system/camfeed.service.d/override.conf"]);
}
