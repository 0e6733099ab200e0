//! What the last release's README told its readers to write still works: URLs, options file, units, dashboard
//! and scripts of one camera.
//!
//! `last_release.md` is what that README, its options file and its dashboard said, and never follows today's.
//! At a release it is written anew, with the list below, out of what `mod.rs` has then.

use super::{ELSEWHERE, blocks, check_all_is_run, machine, pictures, steps, text};
use crate::{
    camfeed::{Camfeed, Folder, SMALL, SOON, eventually},
    fakecam::{FakeCamera, decoded, size_of},
    health::Machine,
    http::{Parts, ask, get},
    metrics::metrics_in,
    status::state,
};
use std::{collections::BTreeSet, fs};

/// See the module.
const LAST: &str = include_str!("last_release.md");

sections! { LAST;
    take_snapshots: "Take snapshots" {
        "wget --content-disposition http://pi.local:8080/snapshot.jpg" => |desk, line| {
            desk.well(line);
            steps::is_picture(desk, "camfeed", "Z.jpg");
        },
        "* * * * * wget -q -T 10 -t 1 -O cam.tmp http://pi.local:8080/snapshot.jpg && mv cam.tmp cam.jpg"
            => |desk, line| pictures::cron_takes(desk, line, "cam.jpg"),
        "sudo install -D -t /usr/local/lib/camfeed scripts/snapshot scripts/timelapse scripts/watch scripts/*.sh"
            => steps::ends,
        "* * * * * /usr/local/lib/camfeed/snapshot http://pi.local:8080 cam.jpg"
            => |desk, line| pictures::cron_takes(desk, line, "cam.jpg"),
        "*/5 * * * * /usr/local/lib/camfeed/snapshot -d http://pi.local:8080 pictures"
            => |desk, line| pictures::cron_takes(desk, line, "Z.jpg"),
        "curl -f" => pictures::no_picture_is_an_error,
        "make install" => pictures::finds_scripts_where_cron_does,
    }
    time_lapse: "Time-lapse" {
        "scripts/timelapse run -e 10 -b 4000 http://pi.local:8080 ~/timelapse" => |desk, line| {
            desk.start(line);
            steps::is_picture(desk, "home/timelapse", "Z.jpg");
            desk.end_last();
        },
        "scripts/timelapse film ~/timelapse garden.mp4"
            => |desk, line| pictures::films(desk, line, "garden.mp4", "25/1"),
        "scripts/timelapse film -r 30 ~/timelapse/2026-11-22 day.mp4"
            => |desk, line| pictures::films(desk, line, "day.mp4", "30/1"),
        "sudo apt install ffmpeg" => steps::ends,
        "make install" => pictures::enables_time_lapse_of_install,
        "sudo install -m 644 -t /etc/systemd/system scripts/camfeed-timelapse@.service"
            => steps::ends,
        "sudo systemctl enable --now camfeed-timelapse@pi" => pictures::enables_time_lapse,
        "systemctl edit camfeed-timelapse@pi" => steps::ends,
        "@reboot /usr/local/lib/camfeed/timelapse run -e 10 -b 4000 http://pi.local:8080 timelapse"
            => pictures::cron_starts_time_lapse,
    }
    tell_me_when_it_is_gone: "Tell me when it is gone" {
        "scripts/watch http://pi.local:8080 logger -t camera" => pictures::tells_that_it_is_gone,
        r#"logger -t camera gone "no live picture: …""# => steps::ends,
        "* * * * * /usr/local/lib/camfeed/watch -1 -s .camera-state http://pi.local:8080 logger -t camera"
            => pictures::cron_tells_that_it_is_gone,
        r#"logger -t camera back "…""# => pictures::tells_that_it_is_back,
    }
    another_camfeed: "Another camfeed" {
        "camfeed --source http://pi.local:8080/stream" => steps::relays,
    }
    who_may_look: "Who may look" {
        r#"(umask 077; echo "ann:$(openssl rand -hex 12)" > password); cat password"#
            => steps::makes_password,
        "camfeed --password-file password" => steps::wants_password,
        "curl -u ann:PASSWORD http://pi.local:8080/snapshot.jpg" => |desk, line| {
            desk.well(&format!("{line} >curled"));
            steps::is_picture(desk, "camfeed", "curled");
        },
        "wget --user=ann --password=PASSWORD http://pi.local:8080/snapshot.jpg" => |desk, line| {
            desk.well(line);
            steps::is_picture(desk, "camfeed", "snapshot.jpg");
        },
        "http://ann:PASSWORD@pi.local:8080/stream" => steps::ffmpeg_reads,
        "kill -HUP" => steps::reads_password_again,
        "sudo install -D -m 600 -t /etc/camfeed password"
            => |desk, line| machine::gives_service(desk, line, "password"),
        "sudo systemctl restart camfeed" => steps::ends,
    }
    a_token: "For pictures in other pages: a token" {
        "(umask 077; openssl rand -hex 16 > token); cat token" => steps::makes_token,
        "camfeed --password-file password --token-file token" => steps::shows_in_other_pages,
        "sudo install -D -m 600 -t /etc/camfeed token"
            => |desk, line| machine::gives_service(desk, line, "token"),
    }
    tls_in_front: "TLS: nginx or Caddy in front" {
        "camfeed --listen 127.0.0.1:8080 --password-file password" => |desk, line| {
            steps::have_password(desk);
            steps::wants_password(desk, line);
        },
    }
    relays: "Fan out through a relay" {
        "camfeed --source /dev/video0 # on pi-zero"
            => |desk, line| steps::relay(desk, line, "pi-zero.local:8080"),
        "camfeed --source http://pi-zero.local:8080/stream # in the house"
            => |desk, line| steps::relay(desk, line, "house.local:8080"),
        "camfeed --source http://house.local:8080/stream # next door" => steps::relay_next_door,
    }
    choose_the_camera: "Choose the camera" {
        "camfeed --list" => |desk, line| steps::says(desk, line, "/dev/video0"),
        "camfeed --check --source /dev/video0 --size 1280x720"
            => |desk, line| steps::says(desk, line, "1280x720"),
        "sudo usermod -aG video $USER" => |desk, line| {
            desk.well(line);
            desk.noted("usermod -aG video root");
        },
    }
    a_camera_module: "A Raspberry Pi camera module" {
        "camfeed --source csi" => machine::shows_camera_module,
        "make setup" => machine::asks_for_libcamera,
        "sudo apt install gstreamer1.0-libcamera libcamera-ipa" => steps::ends,
        r#"camfeed --source "gst:libcamerasrc ! video/x-raw,format=NV12,width=1280,height=720,framerate=30/1""#
            => machine::opens_pipeline,
    }
    run_it_as_a_service: "Run it as a service" {
        "make install" => |desk, line| {
            desk.well("make build");
            machine::installs(desk, line, true);
        },
        "sudo systemctl daemon-reload" => steps::ends,
        "sudo systemctl enable --now camfeed" => |desk, line| {
            desk.well(line);
            steps::is_enabled(desk, "multi-user.target.wants/camfeed.service");
        },
        "systemctl status camfeed" => steps::ends,
        "sudo systemctl stop camfeed" => steps::ends,
        "sudo camfeed --config /etc/camfeed.conf --check"
            => |desk, line| steps::says(desk, line, "/dev/video0"),
        "sudo systemctl start camfeed" => steps::ends,
        "sudo chown root:video /etc/camfeed.conf && sudo chmod 640 /etc/camfeed.conf"
            => machine::hides_options,
        "sudo systemctl reload camfeed" => steps::ends,
        "sudo systemctl edit camfeed.socket" => steps::ends,
        "sudo systemctl enable --now camfeed.socket camfeed.service" => |desk, line| {
            desk.well(line);
            steps::is_enabled(desk, "sockets.target.wants/camfeed.socket");
        },
        "sudo systemctl stop camfeed.socket camfeed.service" => steps::ends,
        "journalctl -u camfeed" => |desk, line| {
            desk.well(line);
            desk.well(&format!("{line} -p warning"));
        },
        "systemd-analyze security camfeed"
            => |desk, line| steps::says(desk, line, "Overall exposure level for camfeed.service"),
    }
    several_cameras: "Several cameras" {
        "sudo mkdir -p /etc/camfeed" => steps::ends,
        r"printf '%s\n' '--source /dev/v4l/by-id/NAME-OF-IT' '--listen 0.0.0.0:8081' | sudo tee /etc/camfeed/garden.conf"
            => machine::writes_options,
        "sudo systemctl enable --now camfeed@garden" => machine::enables_another,
    }
    options: "Options" {
        "RUST_LOG=debug camfeed …" => machine::logs_each_request,
    }
}

#[test]
fn all_that_was_said_is_run() {
    check_all_is_run(LAST, SECTIONS, ELSEWHERE);
}

/// The addresses of the table, each with what it gives.
fn table() -> Vec<(&'static str, &'static str)> {
    let rows = LAST.split("## Addresses").nth(1).expect("a table").lines();
    let rows = rows.filter_map(|row| {
        row.strip_prefix("| `")?
            .strip_suffix(" |")?
            .rsplit_once(" | ")
    });
    let each = rows.flat_map(|(paths, kind)| {
        let paths = paths.split(['`', ',', ' ']).filter(|path| !path.is_empty());
        paths.map(move |path| (path, kind))
    });
    each.collect()
}

#[test]
fn every_address_that_was_written_stands_in_the_table() {
    let table = table();
    let mut count = 0;
    for url in LAST.split("http://").skip(1) {
        let url = url
            .split([' ', '"', '`', '\n', '\''])
            .next()
            .unwrap_or_default();
        let url = url.rsplit('@').next().unwrap_or_default();
        let Some((host, path)) = url.split_once('/') else {
            continue;
        };
        if ["pi.local:8080", "127.0.0.1:8080"].contains(&host) {
            count += 1;
            let path = format!("/{path}")
                .replace("/;", "/")
                .replace("?token=TOKEN", "");
            let stands = table.iter().any(|(known, _)| *known == path);
            assert!(stands, "{path} of {url}");
        }
    }
    assert!(count > 15, "{count}");
}

#[test]
fn its_addresses_are_there_and_with_a_second_camera_the_first_ones() {
    let one = Camfeed::online(&["--source", SMALL]);
    let two = Camfeed::start(&[
        "--camera",
        "a=test:320x240@30",
        "--camera",
        "b=test:160x120@30",
    ]);
    two.wait_logs("camera online", 2);
    for camfeed in [&one, &two] {
        for (path, kind) in table() {
            let is_stream =
                ["multipart/x-mixed-replace", "application/octet-stream"].contains(&kind);
            let answer = ask(
                camfeed.address,
                if is_stream { "HEAD" } else { "GET" },
                path,
            );
            assert_eq!(answer.status, 200, "{path}");
            let said = answer.header("Content-Type").unwrap();
            assert!(said.starts_with(kind), "{path}: {said}");
            let jpeg = match kind {
                _ if is_stream => Parts::open(camfeed.address, path).next_part().jpeg,
                "image/jpeg" => answer.body,
                _ => continue,
            };
            assert_eq!(
                size_of(&decoded(&jpeg).expect("a JPEG")),
                (320, 240),
                "{path}"
            );
        }
    }
}

#[test]
fn its_options_file_says_what_it_said() {
    let text = text::block(LAST, "The options file", "conf").text;
    let options = text.lines().filter_map(|line| line.strip_prefix("#--"));
    let options = options.map(|option| match option.split_once(' ') {
        Some(("source", _)) => "--source /dev/video0\n".to_owned(),
        Some(("listen", _)) => "--listen 127.0.0.1:0\n".to_owned(),
        _ => format!("--{option}\n"),
    });
    let options: Vec<_> = options.collect();
    assert_eq!(options.len(), 11, "{options:?}");
    let folder = Folder::new();
    let path = folder.file("camfeed.conf");
    // As it came, and with all of it in use.
    fs::write(&path, &text).unwrap();
    let camera = FakeCamera::new("");
    drop(camera.serve(&["--config", &path]));
    fs::write(&path, format!("{text}{}", options.concat())).unwrap();
    let camfeed = camera.online(&["--config", &path]);
    let state = state(camfeed.address);
    for (field, value) in [
        ("/name", "Garden".into()),
        ("/camera/source", "/dev/video0".into()),
        ("/camera/width", 1280.into()),
        ("/camera/height", 720.into()),
        ("/camera/asked/fps", 30.0.into()),
        ("/encoder/quality", 80.into()),
        ("/encoder/pass_through", false.into()),
        ("/stream/max_viewers", 100.into()),
    ] {
        assert_eq!(state.pointer(field), Some(&value), "{field}: {state:#}");
    }
    assert_ne!(
        get(camfeed.address, "/controls").status,
        200,
        "--no-controls"
    );
}

#[test]
fn its_unit_tells_what_it_told() {
    blocks::is_told(&text::block(LAST, "Run it as a service", "text").text);
}

#[test]
fn its_dashboard_and_its_alerts_find_their_series() {
    let machine = Machine::ill();
    let camfeed = machine.serve(&["--source", SMALL]);
    let mut text = String::new();
    let is_all_there = eventually(SOON, || {
        text = get(camfeed.address, "/metrics").text();
        [
            "camfeed_machine_wifi_signal_dbm ",
            "camfeed_picture_age_seconds ",
        ]
        .iter()
        .all(|name| text.contains(&format!("\n{name}")))
    });
    assert!(is_all_there, "{text}");
    let series = text.lines().filter(|line| !line.starts_with('#'));
    let series: Vec<_> = series
        .filter_map(|line| Some(line.rsplit_once(' ')?.0))
        .collect();
    assert!(!text.contains("camera=\""), "{text}");
    let names: BTreeSet<_> = series
        .iter()
        .map(|one| one.split('{').next().unwrap())
        .collect();
    let block = text::block(LAST, "Watch it with Prometheus and Grafana", "promql");
    for query in block.text.lines() {
        for metric in metrics_in(query) {
            assert!(names.contains(metric), "no {metric}: {query}");
        }
    }
    for one in [
        "camfeed_camera_state{state=\"idle\"}",
        "camfeed_camera_state{state=\"online\"}",
        "camfeed_frames_dropped_total{reason=\"broken\"}",
        "camfeed_viewers_evicted_total{reason=\"stalled\"}",
    ] {
        assert!(series.contains(&one), "no {one}");
    }
}
