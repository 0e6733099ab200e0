//! The scripts with a server of several cameras: one of them by its address, or all of them.

use crate::{
    auth::{TOKEN, secret},
    camfeed::{Camfeed, Folder, SMALL},
    http::read_until,
    shell::{ALL_TOOLS, Running, SCRIPTS, Tools, command, files, script},
    stub::{Stub, answer},
};
use std::{
    fs,
    io::Write,
    net::TcpListener,
    process::Output,
    sync::mpsc::{Receiver, channel},
    thread,
};

/// A server with a garden, a shed that is gone, and a camera whose name has most there can be.
fn three(more: &[&str]) -> Camfeed {
    let cameras = [
        "--camera",
        "garden=test:320x240@30",
        "--camera",
        "shed=/none/such.avi",
        "--camera",
        "_A--7=test:160x120@30",
    ];
    let camfeed = Camfeed::start(&[&cameras, more].concat());
    camfeed.wait_logs("camera online", 2);
    camfeed.wait_log("cannot open");
    camfeed
}

/// Without what differs between two pictures: the time in their names.
fn timeless(names: &[String]) -> Vec<String> {
    let cut = |name: &String| match name.rfind("-20") {
        Some(at) if name.ends_with("Z.jpg") => name[..at].to_owned(),
        _ => name.clone(),
    };
    names.iter().map(cut).collect()
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("text")
}

#[test]
fn snapshot_takes_a_cameras_address_as_it_takes_a_servers() {
    let camfeed = three(&[]);
    for tools in ALL_TOOLS {
        for path in [
            "/garden",
            "/garden/",
            "/GARDEN",
            "/garden/snapshot.jpg",
            "/garden/snapshot",
            "/garden?action=snapshot",
            "/garden/?action=snapshot",
        ] {
            let folder = Folder::new();
            let place = folder.0.to_str().unwrap();
            let output = script(tools, "snapshot", &[&camfeed.url(path), place]);
            assert!(output.status.success(), "{tools:?} {path}: {output:?}");
            let names = timeless(&files(&folder.0));
            assert_eq!(names, ["camfeed-garden"], "{tools:?} {path}");
        }
        let folder = Folder::new();
        let file = &folder.file("cam.jpg");
        // busybox keeps no text of an error.
        let is_told = tools != Tools::Busybox;
        for (path, code, words, number) in [
            ("/shed", 3, "cannot open /none/such.avi", "(503)"),
            (
                "/attic",
                4,
                "no camera `attic`; there are: garden, shed",
                "404",
            ),
        ] {
            let words = if is_told { words } else { number };
            let output = script(tools, "snapshot", &[&camfeed.url(path), "-o", file]);
            assert_eq!(output.status.code(), Some(code), "{tools:?}: {output:?}");
            assert!(said(&output).contains(words), "{tools:?}: {output:?}");
        }
    }
}

/// A server that has `answer` at `path` alone, and what it is asked for.
fn serving(path: &'static str, there: Vec<u8>) -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound").to_string();
    let (told, asked) = channel();
    thread::spawn(move || {
        for mut connection in listener.incoming().map_while(Result::ok) {
            let head = read_until(&mut connection, b"\r\n\r\n");
            let head = String::from_utf8(head).expect("ASCII");
            let target = head.split(' ').nth(1).unwrap_or_default().to_owned();
            let found = match target == path {
                true => there.clone(),
                false => answer("404 Not Found", "Content-Length: 0\r\n", b""),
            };
            let _ = connection.write_all(&found);
            if told.send(target).is_err() {
                return;
            }
        }
    });
    (address, asked)
}

/// Where it is not below it, the picture is what the address itself gives: ESP32-CAM's `/capture`.
#[test]
fn a_path_that_only_looks_like_a_cameras_is_asked_for_itself() {
    let jpeg = [0xff, 0xd8, 0xff, 0xd9];
    let headers = "Content-Type: image/jpeg\r\nContent-Length: 4\r\n";
    for tools in ALL_TOOLS {
        let (address, asked) = serving("/capture", answer("200 OK", headers, &jpeg));
        let folder = Folder::new();
        let file = folder.file("cam.jpg");
        let output = script(tools, "snapshot", &[&format!("{address}/capture"), &file]);
        assert!(output.status.success(), "{tools:?}: {output:?}");
        assert_eq!(fs::read(&file).unwrap(), jpeg);
        let asked: Vec<_> = asked.try_iter().collect();
        assert_eq!(asked, ["/capture/snapshot.jpg", "/capture"], "{tools:?}");
    }
    // What is known for an address, and what no camera is called, is asked for at once.
    for path in ["/snapshot", "/cam/snapshot", "/cgi/shot.jpg", "/shot?x=1"] {
        let (address, asked) = serving(path, answer("200 OK", headers, &jpeg));
        let folder = Folder::new();
        let file = folder.file("cam.jpg");
        let url = format!("{address}{path}");
        script(Tools::Wget, "snapshot", &["-q", &url, &file]);
        let asked: Vec<_> = asked.try_iter().collect();
        assert_eq!(asked, [path]);
    }
}

#[test]
fn timelapse_takes_a_cameras_address_as_it_takes_a_servers() {
    let camfeed = three(&[]);
    let folder = Folder::new();
    let place = folder.0.to_str().unwrap();
    let url = camfeed.url("/garden");
    let args = ["run", "-e", "0.5", "-n", "2", &url, place];
    let mut running = Running::start(command(Tools::Wget, "timelapse", &args));
    assert_eq!(running.wait().code(), Some(0), "{}", running.said());
    let names = timeless(&files(&folder.0));
    let pictures = names.iter().filter(|name| name.contains("/camfeed-garden"));
    assert_eq!(pictures.count(), 2, "{names:?}");
    assert_eq!(camfeed.count_log("GET /garden/snapshot.jpg?max_age=250"), 2);
}

#[test]
fn watch_tells_which_camera_is_gone() {
    let camfeed = three(&[]);
    for tools in ALL_TOOLS {
        for (path, told) in [
            ("/garden", ""),
            ("/garden/", ""),
            ("/shed", "gone no live picture: the camera is offline"),
            ("", "gone shed: no live picture: the camera is offline"),
            ("/attic", "gone there is no camera `attic`; there are: "),
        ] {
            // busybox keeps no text of an error.
            let told = match tools {
                Tools::Busybox => told.split_inclusive(' ').next().unwrap_or_default(),
                _ => told,
            };
            let folder = Folder::new();
            let memory = folder.file("memory");
            let url = camfeed.url(path);
            let args = ["-1", "-s", &memory, "-d", "0", &url, "printf", "%s %s"];
            let output = script(tools, "watch", &args);
            assert!(output.status.success(), "{tools:?} {path}: {output:?}");
            let said = String::from_utf8(output.stdout).unwrap();
            assert!(said.starts_with(told), "{tools:?} {path}: {said}");
            assert_eq!(said.is_empty(), told.is_empty(), "{path}: {said}");
        }
    }
}

#[test]
fn all_takes_a_picture_of_each_and_says_whose_is_missing() {
    let camfeed = three(&[]);
    let all = [
        "_A--7",
        "_A--7/camfeed-_A--7",
        "garden",
        "garden/camfeed-garden",
        "shed",
    ];
    for tools in ALL_TOOLS {
        let folder = Folder::new();
        // It is made.
        let place = folder.file("all");
        let args = ["--all", &camfeed.url(""), &place];
        let output = script(tools, "snapshot", &args);
        // As the shed's alone would end.
        assert_eq!(output.status.code(), Some(3), "{tools:?}: {output:?}");
        assert!(output.stdout.is_empty(), "{output:?}");
        let line = said(&output);
        assert!(
            line.starts_with("snapshot: shed: no live picture") && line.lines().count() == 1,
            "{tools:?}: {line}"
        );
        assert_eq!(timeless(&files(&folder.0.join("all"))), all, "{tools:?}");
        for name in files(&folder.0)
            .iter()
            .filter(|name| name.ends_with(".jpg"))
        {
            let jpeg = fs::read(folder.0.join(name)).unwrap();
            assert!(jpeg.starts_with(&[0xff, 0xd8]) && jpeg.ends_with(&[0xff, 0xd9]));
        }
    }
    // Below folders of the day, with each said; and with none said.
    let folder = Folder::new();
    let place = folder.0.to_str().unwrap();
    let output = script(
        Tools::Wget,
        "snapshot",
        &["-v", "--all", "-d", &camfeed.url("/"), place],
    );
    let told = String::from_utf8(output.stdout).unwrap();
    let day = jiff::Zoned::now().strftime("%Y-%m-%d");
    for (line, name) in told.lines().zip(["garden", "_A--7"]) {
        let start = format!("{place}/{name}/{day}/camfeed-{name}-");
        assert!(line.starts_with(&start), "or midnight has passed: {told}");
    }
    assert_eq!(told.lines().count(), 2, "{told}");
    let quiet = script(
        Tools::Wget,
        "snapshot",
        &["--all", "-q", &camfeed.url(""), place],
    );
    assert_eq!(
        (quiet.status.code(), said(&quiet)),
        (Some(3), String::new())
    );
}

#[test]
fn all_ends_as_the_first_that_failed() {
    let camfeed = three(&[]);
    let folder = Folder::new();
    let place = folder.0.to_str().unwrap();
    fs::write(folder.0.join("garden"), "no folder").unwrap();
    fs::write(folder.0.join("_A--7"), "no folder").unwrap();
    let output = script(Tools::Wget, "snapshot", &["--all", &camfeed.url(""), place]);
    assert_eq!(output.status.code(), Some(5), "{output:?}");
    let said = said(&output);
    let starts = said.lines().map(|line| line.split(' ').nth(1).unwrap());
    assert_eq!(starts.collect::<Vec<_>>(), ["garden:", "shed:", "_A--7:"]);
    assert!(said.contains(&format!("cannot write into `{place}/garden`")));
}

#[test]
fn all_asks_with_a_password_and_with_a_token() {
    let folder = Folder::new();
    let (password, token) = (
        secret(&folder, "password", "ann:open sesame"),
        secret(&folder, "token", TOKEN),
    );
    let camfeed = three(&["--password-file", &password, "--token-file", &token]);
    let url = camfeed.url("");
    for tools in [Tools::Wget, Tools::Curl] {
        for (option, file) in [("-p", &password), ("-T", &token)] {
            let folder = Folder::new();
            let place = folder.0.to_str().unwrap();
            let args = ["--all", option, file, &url, place];
            let output = script(tools, "snapshot", &args);
            assert_eq!(output.status.code(), Some(3), "{tools:?}: {output:?}");
            assert_eq!(files(&folder.0).len(), 5, "{:?}", files(&folder.0));
        }
    }
    let refused = script(Tools::Wget, "snapshot", &["--all", &url, "/tmp"]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert!(said(&refused).contains("wants a password (-p)"));
}

/// Its address is the server's, whatever it is called.
#[test]
fn all_of_one_camera_is_a_folder_with_its_name() {
    for (name, folder_name) in [
        ("Gärten / \"v..x\".", "G-rten-v..x"),
        ("..", "camera"),
        ("a--b", "a--b"),
    ] {
        let camfeed = Camfeed::online(&["--source", SMALL, "--name", name]);
        for tools in ALL_TOOLS {
            let folder = Folder::new();
            let place = folder.0.to_str().unwrap();
            let output = script(tools, "snapshot", &["--all", &camfeed.url(""), place]);
            assert!(output.status.success(), "{tools:?} {name}: {output:?}");
            let names = files(&folder.0);
            assert_eq!((names.len(), &*names[0]), (2, folder_name), "{names:?}");
        }
    }
    // As one of several is one, by its address.
    let camfeed = three(&[]);
    let folder = Folder::new();
    let place = folder.0.to_str().unwrap();
    let url = camfeed.url("/garden");
    let output = script(Tools::Wget, "snapshot", &["--all", &url, place]);
    assert!(output.status.success(), "{output:?}");
    let names = timeless(&files(&folder.0));
    assert_eq!(names, ["garden", "garden/camfeed-garden"]);
}

#[test]
fn all_believes_no_server_that_names_no_cameras() {
    let json = |text: &str| Stub::answering(answer("200 OK", "", text.as_bytes()));
    for (stub, words) in [
        (json("<!doctype html>"), "answers with no list of cameras"),
        (
            json("{\"cameras\": [{\"name\": \"a\"}, {\"name\": \"../b\"}]}"),
            "no name of a camera",
        ),
    ] {
        let above = Folder::new();
        let place = above.file("in");
        let args = ["-t", "5", "--all", &stub.url(), &place];
        let output = script(Tools::Wget, "snapshot", &args);
        assert_eq!(output.status.code(), Some(4), "{output:?}");
        assert!(said(&output).contains(words), "{output:?}");
        let names = files(&above.0);
        assert!(names.iter().all(|name| name.starts_with("in")), "{names:?}");
    }
    let output = script(Tools::Wget, "snapshot", &["--all", "127.0.0.1:1", "/tmp"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}

#[test]
fn the_unit_takes_all_when_its_options_say_so() {
    let unit = fs::read_to_string(format!("{SCRIPTS}/camfeed-snapshot@.service")).unwrap();
    let start = unit
        .lines()
        .find_map(|line| line.strip_prefix("ExecStart="));
    let start = start.expect("a command");
    let start = start.replace("/usr/local/lib/camfeed", SCRIPTS);
    let camfeed = three(&[]);
    let folder = Folder::new();
    let done = std::process::Command::new("/bin/sh")
        .args(["-ec", &start])
        .current_dir(&folder.0)
        .env("URL", camfeed.url(""))
        .env("OPTIONS", "-d --all")
        .output()
        .expect("a shell");
    assert_eq!(done.status.code(), Some(3), "{done:?}");
    let names = files(&folder.0);
    assert_eq!(
        names.iter().filter(|name| name.ends_with("Z.jpg")).count(),
        2
    );
    assert!(names.contains(&"camfeed/garden".to_owned()), "{names:?}");
}
