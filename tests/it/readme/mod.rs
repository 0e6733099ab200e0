//! The README, followed: each of its commands is run by a test, as it stands there.
//!
//! `text` finds the commands, the list below has them once more with what is done with each, and a
//! command that is missing on either side fails. A section is followed from its top by one test, at a
//! desk of its own (`desk`), in the order of the list; what a step holds against what was promised is in
//! `steps`, `pictures` and `machine`. Blocks that are no commands are in `blocks`.
//!
//! Run for real: camfeed, on a free port and with a fake camera; the scripts; `make`, with its `run`,
//! `install` and `deb`; wget, curl, man, openssl, install, and cron's lines by the shell that cron takes.
//!
//! Run by stand-ins (`tests/standins`), which judge the words and change nothing:
//!
//! - `sudo` runs what it is given; `DESTDIR` and the folders of `desk` keep it in the test's own.
//! - `systemctl`, `journalctl`, `systemd-analyze`: the units must be installed and fit the verb; what
//!   the real ones can do in a folder (to enable, to read options, to judge) they do.
//! - `apt`: the real one simulates; the package that was made is unpacked into a folder.
//! - `cargo`: a build gives the binary that is tested, tests and benches are only noted.
//! - `logger` (the real one with `--no-act`), `usermod` (group and user must exist).
//! - `debootstrap`: its words are noted; `scripts/release` goes no further.

mod blocks;
mod desk;
mod machine;
mod pictures;
mod steps;
mod text;

use desk::Desk;
use std::path::Path;
use text::README;

/// Does what a command says, and looks whether it did what is promised.
type Step = fn(&mut Desk, &str);

/// Headings, and the commands below each with what is done with it.
type Sections = &'static [(&'static str, &'static [(&'static str, Step)])];

/// Commands that the test of another subject runs: heading, command, file.
const ELSEWHERE: &[(&str, &str, &str)] = &[
    (
        "Mainsail and Fluidd",
        "camfeed --allow-origin http://mainsail.local",
        "tests/it/status.rs",
    ),
    (
        "ffmpeg",
        "ffmpeg -use_wallclock_as_timestamps 1 -i http://pi.local:8080/stream -c copy -t 60 clip.mkv",
        "tests/it/programs.rs",
    ),
    (
        "GStreamer",
        "gst-launch-1.0 souphttpsrc location=http://pi.local:8080/stream is-live=true do-timestamp=true \
         ! multipartdemux single-stream=true ! image/jpeg ! jpegdec ! videoconvert ! autovideosink \
         sync=false",
        "tests/it/programs.rs",
    ),
    (
        "VLC",
        "vlc --network-caching=300 --loop http://pi.local:8080/stream",
        "tests/it/programs.rs",
    ),
];

/// The sections of a README with commands, and a test that follows each.
macro_rules! sections {
    ($readme:expr; $($test:ident: $heading:literal { $($command:literal => $step:expr,)+ })+) => {
        const SECTIONS: crate::readme::Sections =
            &[$(($heading, &[$(($command, $step)),+])),+];
        $(
            #[test]
            fn $test() {
                crate::readme::follow($readme, SECTIONS, $heading);
            }
        )+
    };
}

mod last_release;

sections! { README;
    start: "Start" {
        "sudo apt install git make" => steps::ends,
        "git clone ADDRESS-OF-THIS-PAGE camfeed && cd camfeed" => steps::clones,
        "make run" => steps::make_run,
        r#"make run ARGS="--source /dev/video0 --size 1280x720""# => steps::serves_720p,
        "make test" => |desk, line| {
            desk.well(line);
            desk.noted("cargo test --locked");
        },
        // It asks npm: what it would run is enough.
        "make check-page" => |desk, line| {
            let said = desk.well(&format!("{line} -n"));
            assert!(said.contains("scripts/check-page/run"), "{said}");
        },
    }
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
        "*/5 * * * * /usr/local/lib/camfeed/snapshot --all http://pi.local:8080 pictures"
            => pictures::cron_takes_all,
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
    many_clients: "Many clients, slow ones and bad ones" {
        "ulimit -n" => steps::is_limit,
        "ulimit -u" => steps::is_limit,
    }
    relays: "Fan out through a relay" {
        "camfeed --source /dev/video0 # on pi-zero"
            => |desk, line| steps::relay(desk, line, "pi-zero.local:8080"),
        "camfeed --source http://pi-zero.local:8080/stream # in the house"
            => |desk, line| steps::relay(desk, line, "house.local:8080"),
        "camfeed --source http://house.local:8080/stream # next door" => steps::relay_next_door,
        "camfeed --camera garden=/dev/video0 --camera shed=http://pi-zero.local:8080/stream"
            => steps::relays_beside_its_own,
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
    install: "Install" {
        "make deb" => |desk, line| {
            desk.build_binary();
            desk.well(line);
        },
        r#"sudo apt install "./$(ls -t target/camfeed_*_$(dpkg --print-architecture).deb | head -n 1)""#
            => machine::installs_package,
        "man camfeed" => machine::shows_manual,
        "sudo apt remove camfeed" => steps::ends,
        "make build" => steps::ends,
        "sudo make install" => |desk, line| machine::installs(desk, line, true),
        "sudo make uninstall" => |desk, line| machine::installs(desk, line, false),
        "sudo scripts/release" => machine::begins_with_debootstrap,
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
        "camfeed --camera garden=/dev/v4l/by-id/NAME-OF-IT --camera shed=http://pi-zero.local:8080/stream"
            => machine::serves_two,
        "camfeed --source all" => machine::serves_all,
    }
    a_process_for_each: "A process for each camera" {
        "sudo mkdir -p /etc/camfeed" => steps::ends,
        r"printf '%s\n' '--source /dev/v4l/by-id/NAME-OF-IT' '--listen 0.0.0.0:8081' | sudo tee /etc/camfeed/garden.conf"
            => machine::writes_options,
        "sudo systemctl enable --now camfeed@garden" => machine::enables_another,
    }
    options: "Options" {
        "RUST_LOG=debug camfeed …" => machine::logs_each_request,
    }
    performance: "Performance" {
        "make bench" => |desk, line| machine::benches(desk, line, ""),
        r#"make bench ARGS="--help""# => |desk, line| machine::benches(desk, line, "--help"),
        r#"make bench ARGS="--module""# => |desk, line| machine::benches(desk, line, "--module"),
        r#"make bench ARGS="--page""# => |desk, line| machine::benches(desk, line, "--page"),
    }
    performance_of_a_pi: "On a Raspberry Pi" {
        r#"make bench ARGS="--json FILE""# => |desk, line| machine::benches(desk, line, "--json FILE"),
    }
}

/// Follows a section of `readme`.
fn follow(readme: &'static str, sections: Sections, heading: &str) {
    let (_, commands) = sections
        .iter()
        .find(|(known, _)| *known == heading)
        .unwrap();
    let mut desk = Desk::of(readme);
    for (command, step) in *commands {
        eprintln!("--- {command}");
        step(&mut desk, command);
    }
}

/// Every command of `readme` stands in `sections` or `elsewhere`, and the other way round.
fn check_all_is_run(readme: &str, sections: Sections, elsewhere: &[(&str, &str, &str)]) {
    let here = sections
        .iter()
        .flat_map(|(heading, commands)| commands.iter().map(|(command, _)| (*heading, *command)));
    let elsewhere = elsewhere.iter().map(|(heading, command, file)| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        assert!(
            path.exists(),
            "`{command}` is run by {file}, which is not there"
        );
        (*heading, *command)
    });
    let known: Vec<_> = here.chain(elsewhere).collect();
    let standing = text::commands(readme);
    let mut wrong = Vec::new();
    for command in &standing {
        if !known.contains(&(&command.section, &command.text)) {
            wrong.push(format!(
                "README line {}: `{}` is run by no test (section \"{}\")",
                command.line, command.text, command.section
            ));
        }
    }
    for (section, text) in &known {
        let stands = standing
            .iter()
            .any(|command| command.section == *section && command.text == *text);
        if !stands {
            wrong.push(format!(
                "`{text}` does not stand in the README's section \"{section}\""
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_command_is_run_by_a_test_and_every_one_that_is_run_stands_there() {
    check_all_is_run(README, SECTIONS, ELSEWHERE);
}
