//! Behind Caddy, as docs/security.md sets it up: TLS in front, and the feed as live as without.

use crate::{
    auth::secret,
    camfeed::{Camfeed, Folder, SOON, eventually, run},
    manual::block,
    proxies::ages,
};
use std::{
    fs,
    process::{Child, Command, Stdio},
};

/// A running Caddy, ended when dropped.
struct Caddy {
    child: Child,
    folder: Folder,
}

impl Drop for Caddy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The block of the page, for a camfeed at `address`.
fn readme_site(address: &str) -> String {
    let site = block("TLS: nginx or Caddy in front", "caddy");
    site.replace("127.0.0.1:8080", address)
}

impl Caddy {
    /// Serves `site` on a Unix socket, with a certificate of its own making: there is nobody here who
    /// would give it one.
    fn start(site: &str) -> Caddy {
        let folder = Folder::new();
        let socket = folder.file("caddy.sock");
        let site = site.replacen(
            '{',
            &format!("{{\n    bind unix/{socket}\n    tls internal"),
            1,
        );
        let global =
            "{\n    admin off\n    skip_install_trust\n    auto_https disable_redirects\n}\n";
        let path = folder.file("Caddyfile");
        fs::write(&path, format!("{global}{site}")).unwrap();
        let log = fs::File::create(folder.file("log")).unwrap();
        let child = Command::new("caddy")
            .args(["run", "--adapter", "caddyfile", "--config", &path])
            .env("HOME", &folder.0)
            .env("XDG_DATA_HOME", &folder.0)
            .env("XDG_CONFIG_HOME", &folder.0)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("caddy (`make setup` brings it) starts");
        let caddy = Caddy { child, folder };
        let answers = || {
            caddy
                .command("/healthz", &["-f"])
                .status()
                .unwrap()
                .success()
        };
        let log = || fs::read_to_string(caddy.folder.file("log")).unwrap();
        assert!(eventually(SOON, answers), "{}", log());
        caddy
    }

    /// A curl that trusts its certificate and knows the password, on its way to `path`.
    fn command(&self, path: &str, args: &[&str]) -> Command {
        let mut command = Command::new("curl");
        command
            .args(["-s", "-N", "-m", "60", "-u", "ann:open sesame"])
            .args(["--unix-socket", &self.folder.file("caddy.sock")])
            .args([
                "--cacert",
                &self.folder.file("caddy/pki/authorities/local/root.crt"),
            ])
            .args(args)
            .arg(format!("https://cam.example.org{path}"))
            .stdout(Stdio::piped());
        command
    }
}

#[test]
fn caddy_takes_the_site_as_it_stands() {
    let folder = Folder::new();
    let path = folder.file("Caddyfile");
    fs::write(&path, readme_site("127.0.0.1:8080")).unwrap();
    let adapted = run(
        "caddy",
        &["adapt", "--adapter", "caddyfile", "--config", &path],
    );
    assert!(adapted.status.success(), "{adapted:?}");
    let config: serde_json::Value = serde_json::from_slice(&adapted.stdout).unwrap();
    assert_eq!(
        config["apps"]["http"]["servers"]["srv0"]["listen"][0],
        ":443"
    );
}

#[test]
fn caddy_passes_everything_on_over_tls_and_holds_no_frame_back() {
    let folder = Folder::new();
    let path = secret(&folder, "password", "ann:open sesame");
    // Few and small frames: held back, each would wait for the next to push it.
    let camfeed = Camfeed::online(&["--source", "test:320x240@2", "--password-file", &path]);
    let caddy = Caddy::start(&readme_site(&camfeed.address.to_string()));
    let page = caddy.command("/", &["-f"]).output().unwrap().stdout;
    assert!(page.starts_with(b"<!doctype html>"));
    let snapshot = caddy
        .command("/snapshot.jpg", &["-f"])
        .output()
        .unwrap()
        .stdout;
    assert!(snapshot.starts_with(&[0xff, 0xd8]) && snapshot.ends_with(&[0xff, 0xd9]));
    let wrong = caddy
        .command("/state", &["-f", "-u", "ann:open barley"])
        .output();
    assert_eq!(wrong.unwrap().status.code(), Some(22));
    let mut curl = caddy.command("/stream", &[]).spawn().unwrap();
    let mut ages = ages(curl.stdout.take().expect("piped"), 9);
    let _ = curl.kill();
    let _ = curl.wait();
    ages.sort_by(f64::total_cmp);
    // The middle one: a busy machine may be late with some.
    assert!(ages[4] < 0.3, "ages in seconds: {ages:?}");
    camfeed.wait_log("viewer left");
}
