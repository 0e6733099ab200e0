//! The commands of each page, with what is done with each; see the module above.

use super::{Sections, blocks, how_it_works, machine, migrating, pictures, steps, trouble};
use crate::manual::page;

const README: &str = "README.md";

/// Commands of docs/programs.md that the test of another subject runs: heading, command, file.
pub const ELSEWHERE: &[(&str, &str, &str)] = &[
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

/// The same of docs/raspberry-pi.md: all of them in one test, each with the controls that it sets.
const OF_MODULES: &[(&str, &str, &str)] = &[
    (
        "Show it",
        r#"camfeed --source csi"#,
        "tests/it/troubleshooting.rs",
    ),
    (
        "Size and rate",
        r#"camfeed --source csi --size 1920x1080 --fps 15"#,
        "tests/it/troubleshooting.rs",
    ),
    (
        "Focus",
        r#"camfeed --source csi --set af_mode=manual,lens_position=2.5"#,
        "tests/it/troubleshooting.rs",
    ),
    (
        "Controls",
        r#"camfeed --source csi --set exposure_time=10000,analogue_gain=4,awb_mode=daylight"#,
        "tests/it/troubleshooting.rs",
    ),
    (
        "Controls",
        r#"camfeed --source csi --set exposure_value=-1,zoom=2"#,
        "tests/it/troubleshooting.rs",
    ),
    (
        "Upside down",
        r#"camfeed --source csi --rotate 180"#,
        "tests/it/troubleshooting.rs",
    ),
    (
        "Two modules",
        r#"camfeed --camera front=csi:i2c@88000/imx708@1a --camera back=csi:i2c@80000/imx708@1a"#,
        "tests/it/troubleshooting.rs",
    ),
    (
        "A pipeline of your own",
        r#"camfeed --source "gst:libcamerasrc ! video/x-raw,format=NV12,width=1280,height=720""#,
        "tests/it/troubleshooting.rs",
    ),
    (
        "A pipeline of your own",
        r#"camfeed --source "gst:libcamerasrc awb-enable=false colour-gains=\"<2.0,1.5>\" ! video/x-raw,format=NV12,width=1280,height=960,colorimetry=1:4:7:1""#,
        "tests/it/troubleshooting.rs",
    ),
    (
        "A pipeline of your own",
        r#"camfeed --source "gst:libcamerasrc ! video/x-raw,format=NV12,width=1280,height=720 ! v4l2jpegenc ! image/jpeg""#,
        "tests/it/troubleshooting.rs",
    ),
];

/// The same of the page at this path.
pub fn elsewhere(name: &str) -> &'static [(&'static str, &'static str, &'static str)] {
    match name {
        "docs/programs.md" => ELSEWHERE,
        "docs/raspberry-pi.md" => OF_MODULES,
        _ => &[],
    }
}

/// The pages with commands, a module of tests for each.
macro_rules! pages {
    ($($module:ident: $name:literal { $($sections:tt)+ })+) => {
        $(mod $module {
            #[allow(unused_imports)] // Not every page needs all of them.
            use super::*;
            sections! { page($name); $($sections)+ }
        })+

        /// The sections with commands of the page at this path.
        pub fn sections_of(name: &str) -> Sections {
            match name {
                $($name => $module::SECTIONS,)+
                _ => &[],
            }
        }
    };
}

pages! {
    readme: "README.md" {
        see_it: "See it" {
            r#". /etc/os-release; echo deb${VERSION_ID}_$(dpkg --print-architecture).deb"#
                => machine::tells_the_file,
            "hostname -I" => steps::ends,
            "make run" => steps::make_run,
            r#"make run ARGS="--size 1280x720""# => steps::make_run_again,
            "sudo apt install ./camfeed_*.deb" => machine::installs_offered_package,
        }
        choose_the_camera: "Choose the camera" {
            "camfeed --list" => |desk, line| {
                desk.camera.set("format mjpg\nsizes 640x480,1280x720\nrates 30,15");
                let said = desk.well(line);
                assert_eq!(said, blocks::shown(README, "Choose the camera", "text", 0));
            },
            "sudo nano /etc/camfeed.conf" => machine::writes_what_was_chosen,
            "sudo systemctl restart camfeed" => machine::serves_what_was_chosen,
            "sudo systemctl stop camfeed" => trouble::frees_camera,
            "camfeed --check --source /dev/video0 --size 1280x720" => machine::checks_as_shown,
            "sudo systemctl start camfeed" => steps::ends,
        }
        keep_it_running: "Keep it running" {
            "make run" => |desk, line| {
                steps::make_run(desk, line);
                desk.leave();
            },
            "sudo make install" => |desk, line| machine::installs(desk, line, true),
            "sudo systemctl daemon-reload && sudo systemctl enable --now camfeed" => |desk, line| {
                desk.well(line);
                steps::is_enabled(desk, "multi-user.target.wants/camfeed.service");
            },
            "systemctl status camfeed" => steps::ends,
            "journalctl -u camfeed" => steps::ends,
            "sudo systemctl stop camfeed" => steps::ends,
            "sudo systemctl disable --now camfeed" => |desk, line| {
                desk.well(line);
                let link = "root/etc/systemd/system/multi-user.target.wants/camfeed.service";
                assert!(!desk.path(link).is_symlink());
            },
            "sudo make uninstall" => |desk, line| machine::installs(desk, line, false),
            "sudo apt install ./camfeed_*.deb" => machine::installs_offered_package,
            "sudo apt remove camfeed" => steps::ends,
            "sudo apt purge camfeed" => steps::ends,
        }
        a_password: "A password" {
            r#"sudo sh -c 'mkdir -p /etc/camfeed; umask 077; echo "ann:$(openssl rand -hex 12)" >/etc/camfeed/password; cat /etc/camfeed/password'"#
                => machine::makes_password_of_service,
            "sudo systemctl restart camfeed" => steps::ends,
            r#"sudo install -m 600 -o "$USER" /etc/camfeed/password ~/camfeed-password"#
                => pictures::copies_password,
            "wget --user=ann --password=PASSWORD http://127.0.0.1:8080/snapshot.jpg"
                => machine::takes_password_of_service,
            "sudo rm /etc/camfeed/password" => steps::ends,
        }
        use_it: "Use it" {
            "wget --content-disposition http://127.0.0.1:8080/snapshot.jpg" => |desk, line| {
                desk.well(line);
                steps::is_picture(desk, "camfeed", "Z.jpg");
            },
            "crontab -e" => steps::ends,
            "* * * * * wget -q -T 10 -t 1 -O cam.tmp http://127.0.0.1:8080/snapshot.jpg && mv cam.tmp cam.jpg"
                => |desk, line| pictures::cron_takes(desk, line, "cam.jpg"),
            "camfeed-timelapse run -e 10 -b 4000 http://127.0.0.1:8080 ~/timelapse"
                => pictures::installed_time_lapse,
            "sudo apt install ffmpeg" => steps::ends,
            "camfeed-timelapse film ~/timelapse garden.mp4"
                => |desk, line| pictures::films(desk, line, "garden.mp4", "25/1"),
            "camfeed --list" => |desk, line| steps::says(desk, line, "/dev/v4l/by-id/"),
        }
        when_something_is_wrong: "When something is wrong" {
            "systemctl status camfeed" => trouble::of_service,
            "journalctl -u camfeed -n 20" => steps::ends,
            "journalctl -u camfeed -n 50" => steps::ends,
            "camfeed --list" => trouble::finds_no_camera,
            "sudo usermod -aG video $USER" => steps::ends,
            "sudo systemctl stop camfeed" => steps::ends,
            "sudo fuser -v /dev/video*" => steps::ends,
            "sudo ss -ltnp" => steps::ends,
            "camfeed --check --source /dev/video0"
                => |desk, line| steps::says(desk, line, " whole, 0 broken"),
            "journalctl -u camfeed -p warning" => steps::ends,
        }
    }
    building: "docs/building.md" {
        from_source: "From source" {
            "sudo apt install make" => steps::ends,
            "make run" => steps::make_run,
            r#"make run ARGS="--source /dev/video0 --size 1280x720""# => steps::serves_720p,
        }
        make_targets: "Make" {
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
        on_a_pc: "On a PC for a Raspberry Pi" {
            "sudo scripts/release trixie-arm64"
                => |desk, line| machine::begins_with_debootstrap(desk, line, "trixie"),
            "sudo scripts/release"
                => |desk, line| machine::begins_with_debootstrap(desk, line, "bookworm"),
            "sudo scripts/release --help" => |desk, line| steps::says(desk, line, "trixie-arm64"),
        }
    }
    cameras: "docs/cameras.md" {
        choose_the_camera: "Choose the camera" {
            "camfeed --list" => |desk, line| steps::says(desk, line, "/dev/video0"),
            "camfeed --check --source /dev/video0 --size 1280x720"
                => |desk, line| steps::says(desk, line, "1280x720"),
            "sudo usermod -aG video $USER" => |desk, line| {
                desk.well(line);
                desk.noted("usermod -aG video root");
            },
            "sudo systemctl stop camfeed" => trouble::of_service,
            "sudo systemctl start camfeed" => steps::ends,
        }
        a_camera_module: "A Raspberry Pi camera module" {
            "camfeed --source csi" => machine::shows_camera_module,
            "make setup" => machine::asks_for_libcamera,
            "sudo apt install gstreamer1.0-libcamera libcamera-ipa" => steps::ends,
            r#"camfeed --source "gst:libcamerasrc ! video/x-raw,format=NV12,width=1280,height=720,framerate=30/1""#
                => machine::opens_pipeline,
        }
        by_lines: "By lines" {
            "camfeed --camera garden=/dev/v4l/by-id/NAME-OF-IT --camera shed=http://pi-zero.local:8080/stream"
                => machine::serves_two,
        }
        by_sections: "By sections" {
            "sudo systemctl restart camfeed" => trouble::of_service,
        }
        all_that_are_plugged_in: "All that are plugged in" {
            "camfeed --source all" => machine::serves_all,
            "camfeed --list" => |desk, line| {
                desk.leave();
                steps::says(desk, line, "(of `--source all`)");
            },
        }
        a_process_for_each: "A process for each camera" {
            "sudo mkdir -p /etc/camfeed" => steps::ends,
            r"printf '%s\n' '--source /dev/v4l/by-id/NAME-OF-IT' '--listen 0.0.0.0:8081' | sudo tee /etc/camfeed/garden.conf"
                => machine::writes_options,
            "sudo systemctl enable --now camfeed@garden" => machine::enables_another,
        }
    }
    working_on_it: "docs/how-it-works.md" {
        add_a_source: "Add a source" {
            "cargo build --locked" => how_it_works::builds,
            "target/debug/camfeed --help | scripts/package/options-table" => |desk, line| {
                steps::says(desk, line, "| `--source SOURCE` |");
            },
            "cargo test --locked --bin camfeed -- config:: capture::source::" => how_it_works::tests_some,
            "cargo test --locked --test it -- layout:: install:: sources::" => how_it_works::tests_some,
            "cargo fmt --check" => how_it_works::is_checked,
            "cargo clippy --locked --all-targets -- -D warnings" => how_it_works::is_checked,
        }
        add_an_answer: "Add an answer" {
            "cargo test --locked --bin camfeed -- http:: camera_name::" => how_it_works::tests_some,
            "cargo test --locked --test it -- layout:: status:: auth:: install::" => how_it_works::tests_some,
            "cargo fmt --check" => how_it_works::is_checked,
            "cargo clippy --locked --all-targets -- -D warnings" => how_it_works::is_checked,
        }
        build_and_try: "Build and try" {
            "cargo build --locked" => how_it_works::builds,
            "cc -shared -fPIC -O2 -o libfakecam.so tests/fakecam/fakecam.c -ldl -lpthread" => steps::ends,
            "echo plugged yes > control" => steps::ends,
            "FAKECAM_CONTROL=control LD_PRELOAD=./libfakecam.so target/debug/camfeed --source /dev/video0"
                => how_it_works::sees_the_fake_camera,
        }
        tests: "Tests" {
            "cargo test --locked --test it a_file_loops_at_its_own_pace" => how_it_works::tests_some,
            "cargo test --locked --test it sources::" => how_it_works::tests_some,
            "cargo test --locked --bin camfeed late_frame_is_dropped" => how_it_works::tests_some,
            "make test" => |desk, line| {
                desk.well(line);
                desk.noted("cargo test --locked");
            },
            "make check" => |desk, line| {
                let said = desk.well(&format!("{line} -n"));
                assert!(said.contains("cargo clippy"), "{said}");
            },
        }
    }
    limits: "docs/limits.md" {
        many_clients: "Many clients, slow ones and bad ones" {
            "ulimit -n" => steps::is_limit,
            "ulimit -u" => steps::is_limit,
        }
    }
    from_another_program: "docs/migrating.md" {
        ustreamer: "ustreamer" {
            "camfeed --source /dev/video1 --size 640x480 --listen 0.0.0.0:80" => migrating::serves_the_second,
        }
        mjpg_streamer: "mjpg-streamer" {
            "camfeed --source /dev/video0 --size 640x480 --fps 30" => migrating::serves_as_asked,
            "camfeed --size 640x480 --camera first=/dev/video0 --camera second=/dev/video1"
                => migrating::serves_both_by_number,
        }
        crowsnest: "crowsnest" {
            "camfeed --source /dev/video0 --set focus=manual,focus_absolute=30" => migrating::sets_focus,
        }
    }
    options: "docs/options.md" {
        options: "Options" {
            "RUST_LOG=debug camfeed …" => machine::logs_each_request,
        }
    }
    performance: "docs/performance.md" {
        has_numbers: "Performance" {
            "make bench" => |desk, line| machine::benches(desk, line, ""),
        }
        on_a_pi: "On a Raspberry Pi" {
            r#"make bench ARGS="--json FILE""# => |desk, line| machine::benches(desk, line, "--json FILE"),
        }
        measure: "Measure it yourself" {
            "make bench" => |desk, line| machine::benches(desk, line, ""),
            r#"make bench ARGS="--help""# => |desk, line| machine::benches(desk, line, "--help"),
        }
        a_module: "A camera module" {
            r#"make bench ARGS="--module""# => |desk, line| machine::benches(desk, line, "--module"),
        }
        the_page: "The page" {
            r#"make bench ARGS="--page""# => |desk, line| machine::benches(desk, line, "--page"),
        }
    }
    pictures_and_films: "docs/pictures.md" {
        take_snapshots: "Take snapshots" {
            "wget --content-disposition http://pi.local:8080/snapshot.jpg" => |desk, line| {
                desk.well(line);
                steps::is_picture(desk, "camfeed", "Z.jpg");
            },
            "crontab -e" => steps::ends,
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
            "sudo systemctl edit camfeed-timelapse@pi" => steps::ends,
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
    }
    programs: "docs/programs.md" {
        another_camfeed: "Another camfeed" {
            "camfeed --source http://pi.local:8080/stream" => steps::relays,
        }
    }
    camera_modules: "docs/raspberry-pi.md" {
        top: "Camera modules of a Raspberry Pi" {
            "sudo systemctl stop camfeed" => trouble::of_service,
            "sudo systemctl start camfeed" => steps::ends,
        }
        show_it: "Show it" {
            "sudo apt install gstreamer1.0-libcamera libcamera-ipa" => steps::ends,
            "camfeed --list" => trouble::lists_module,
            "camfeed --check --source csi" => |desk, line| steps::says(desk, line, "csi:"),
            "make setup" => machine::asks_for_libcamera,
        }
        size_and_rate: "Size and rate" {
            "rpicam-hello --list-cameras" => steps::ends,
        }
        focus: "Focus" {
            r#"curl -H 'Content-Type: application/json' -d '{"lens_position": 2.5}' http://pi.local:8080/controls"# => trouble::sets_control,
            r#"curl -H 'Content-Type: application/json' -d '{"af_mode": "continuous"}' http://pi.local:8080/controls"# => trouble::sets_control,
        }
        upside_down: "Upside down" {
            "sudo nano /boot/firmware/config.txt" => steps::ends,
            "sudo reboot" => steps::ends,
        }
        memory: "Memory" {
            "grep Cma /proc/meminfo" => trouble::may_find,
            "sudo reboot" => steps::ends,
        }
        other_makers: "Modules of other makers" {
            "sudo reboot" => steps::ends,
        }
        plain_debian: "Plain Debian" {
            r#"echo 'SUBSYSTEM=="dma_heap", GROUP="video", MODE="0660"' | sudo tee /etc/udev/rules.d/60-dma-heap.rules"# => |desk, line| {
                let rule = r#"SUBSYSTEM=="dma_heap", GROUP="video", MODE="0660""#;
                trouble::writes(desk, line, "udev/rules.d/60-dma-heap.rules", rule);
            },
            "sudo reboot" => steps::ends,
        }
        a_pipeline: "A pipeline of your own" {
            "v4l2-ctl --set-ctrl wide_dynamic_range=1 -d /dev/v4l-subdev0" => steps::ends,
        }
        messages: "Messages" {
            "sudo dmesg" => steps::ends,
            "sudo apt install libcamera-ipa" => steps::ends,
            "sudo systemctl stop camfeed" => trouble::of_service,
            "sudo fuser -v /dev/media*" => steps::ends,
            "journalctl -u camfeed" => steps::ends,
            "media-ctl -p" => steps::ends,
        }
    }
    relay: "docs/relay.md" {
        relays: "Fan out through a relay" {
            "camfeed --source /dev/video0 # on pi-zero"
                => |desk, line| steps::relay(desk, line, "pi-zero.local:8080"),
            "camfeed --source http://pi-zero.local:8080/stream # in the house"
                => |desk, line| steps::relay(desk, line, "house.local:8080"),
            "camfeed --source http://house.local:8080/stream # next door" => steps::relay_next_door,
            "camfeed --camera garden=/dev/video0 --camera shed=http://pi-zero.local:8080/stream"
                => steps::relays_beside_its_own,
        }
    }
    security: "docs/security.md" {
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
            "* * * * * wget -q -T 10 -t 1 --user=ann --password=PASSWORD -O cam.tmp http://127.0.0.1:8080/snapshot.jpg && mv cam.tmp cam.jpg"
                => |desk, line| pictures::cron_takes(desk, line, "cam.jpg"),
            "http://ann:PASSWORD@pi.local:8080/stream" => steps::ffmpeg_reads,
            "kill -HUP" => steps::reads_password_again,
            r#"sudo sh -c 'mkdir -p /etc/camfeed; umask 077; echo "ann:$(openssl rand -hex 12)" >/etc/camfeed/password; cat /etc/camfeed/password'"#
                => machine::makes_password_of_service,
            "sudo systemctl restart camfeed" => steps::ends,
            "sudo nano /etc/camfeed/password" => steps::ends,
            r#"sudo install -m 600 -o "$USER" /etc/camfeed/password ~/camfeed-password"#
                => pictures::copies_password,
            "camfeed-snapshot -p ~/camfeed-password http://127.0.0.1:8080 cam.jpg"
                => pictures::takes_with_password,
            "camfeed-timelapse run -p ~/camfeed-password -e 10 -b 4000 http://127.0.0.1:8080 ~/timelapse"
                => pictures::installed_time_lapse,
            "sudo rm /etc/camfeed/password" => steps::ends,
        }
        a_token: "For pictures in other pages: a token" {
            "(umask 077; openssl rand -hex 16 > token); cat token" => steps::makes_token,
            "camfeed --password-file password --token-file token" => steps::shows_in_other_pages,
            "sudo sh -c 'mkdir -p /etc/camfeed; umask 077; openssl rand -hex 16 >/etc/camfeed/token; cat /etc/camfeed/token'"
                => machine::makes_token_of_service,
            "sudo systemctl restart camfeed" => steps::ends,
            "sudo rm /etc/camfeed/token" => steps::ends,
        }
        tls_in_front: "TLS: nginx or Caddy in front" {
            "camfeed --listen 127.0.0.1:8080 --password-file password" => |desk, line| {
                steps::have_password(desk);
                steps::wants_password(desk, line);
            },
        }
    }
    service: "docs/service.md" {
        install: "Install" {
            "make deb" => |desk, line| {
                desk.build_binary();
                desk.well(line);
            },
            r#"sudo apt install --reinstall "./$(ls -t target/camfeed_*_$(dpkg --print-architecture).deb | head -n 1)""#
                => machine::installs_package,
            "man camfeed" => machine::shows_manual,
            "sudo apt remove camfeed" => steps::ends,
            "make build" => steps::ends,
            "sudo make install" => |desk, line| machine::installs(desk, line, true),
            "sudo make uninstall" => |desk, line| machine::installs(desk, line, false),
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
            "journalctl -u camfeed" => |desk, line| {
                desk.well(line);
                desk.well(&format!("{line} -p warning"));
            },
            "systemd-analyze security camfeed"
                => |desk, line| steps::says(desk, line, "Overall exposure level for camfeed.service"),
        }
        options: "Options" {
            "sudo nano /etc/camfeed.conf" => trouble::of_service,
            "sudo systemctl restart camfeed" => steps::ends,
            "journalctl -u camfeed -n 20" => steps::ends,
            "systemctl status camfeed" => steps::ends,
            "sudo systemctl stop camfeed" => steps::ends,
            "sudo camfeed --config /etc/camfeed.conf --check"
                => |desk, line| steps::says(desk, line, "/dev/video0"),
            "sudo systemctl start camfeed" => steps::ends,
            "sudo systemctl reload camfeed" => steps::ends,
            "sudo chown root:video /etc/camfeed.conf && sudo chmod 640 /etc/camfeed.conf"
                => machine::hides_options,
        }
        a_restart: "A restart that refuses nobody" {
            "sudo systemctl stop camfeed" => trouble::of_service,
            "sudo systemctl enable --now camfeed.socket camfeed.service" => |desk, line| {
                desk.well(line);
                steps::is_enabled(desk, "sockets.target.wants/camfeed.socket");
            },
            "sudo systemctl edit camfeed.socket" => steps::ends,
            "sudo systemctl stop camfeed.socket camfeed.service" => steps::ends,
        }
    }
    troubleshooting: "docs/troubleshooting.md" {
        first: "Troubleshooting" {
            "journalctl -u camfeed -n 50" => trouble::of_service,
            "curl -s http://pi.local:8080/state" => |desk, line| steps::says(desk, line, "\"camera\":"),
            "sudo systemctl stop camfeed" => trouble::frees_camera,
            "sudo camfeed --config /etc/camfeed.conf --check" => |desk, line| steps::says(desk, line, "/dev/video0"),
            "sudo systemctl start camfeed" => steps::ends,
            "sudo nano /etc/camfeed.conf" => steps::ends,
            "sudo systemctl restart camfeed" => steps::ends,
        }
        usb: "A camera on USB" {
            "camfeed --list" => |desk, line| steps::says(desk, line, "/dev/video0"),
            "sudo usermod -aG video $USER" => steps::ends,
            "docker run --device /dev/video0 --group-add video …" => trouble::runs_container,
            "sudo fuser -v /dev/video*" => steps::ends,
            "sudo systemctl stop camfeed" => trouble::of_service,
            "sudo dmesg" => steps::ends,
        }
        formats: "Formats, sizes and broken pictures" {
            "camfeed --list" => |desk, line| steps::says(desk, line, "/dev/video0"),
            "sudo apt install gstreamer1.0-plugins-bad" => steps::ends,
            "sudo fuser -v /dev/video*" => steps::ends,
        }
        usb_bandwidth: "USB bandwidth" {
            "camfeed --list" => |desk, line| steps::says(desk, line, "/dev/video0"),
            "lsusb -t" => steps::ends,
            "echo options uvcvideo quirks=128 | sudo tee /etc/modprobe.d/uvcvideo.conf" => |desk, line| {
                trouble::writes(desk, line, "modprobe.d/uvcvideo.conf", "options uvcvideo quirks=128");
            },
            "sudo reboot" => steps::ends,
        }
        power: "Power and cables" {
            "sudo dmesg | grep -iE 'usb|uvc|voltage'" => steps::ends,
        }
        module: "A Raspberry Pi camera module" {
            "camfeed --source csi" => machine::shows_camera_module,
        }
        network: "A network source" {
            "curl -v --max-time 5 ADDRESS -o /dev/null" => trouble::asks_server,
            "ping HOST" => steps::ends,
            "ip route" => steps::ends,
            "getent hosts NAME" => steps::ends,
            "sudo apt install libnss-mdns" => steps::ends,
            "curl -sIL ADDRESS" => |desk, line| steps::says(desk, line, "200 OK"),
            "curl -s ADDRESS" => steps::ends,
            "ffprobe ADDRESS" => trouble::probes,
            "ffprobe FILE" => |desk, line| steps::says(desk, line, "mjpeg"),
        }
        gstreamer: "A GStreamer pipeline" {
            "apt search gstreamer1.0" => steps::ends,
            "sudo apt install gstreamer1.0-plugins-good gstreamer1.0-plugins-bad" => steps::ends,
            "sudo apt install gstreamer1.0-libcamera libcamera-ipa" => steps::ends,
            "gst-inspect-1.0 ELEMENT" => trouble::inspects_element,
            "videoconvert ! video/x-raw,format=BGR" => trouble::converts,
        }
        server: "The server" {
            "hostname -I" => steps::ends,
            "sudo ss -ltnp" => steps::ends,
        }
    }
}
