//! What an options file means, and how it is refused.

use super::*;
use crate::config::{CameraConfig, given};

fn parsed(text: &str, typed: &[&str]) -> Result<ConfigFile, String> {
    let typed: Vec<_> = typed.iter().map(|&word| word.to_owned()).collect();
    let typed = given::read(&typed).expect("good");
    ConfigFile::parse(Path::new("/etc/x"), text, typed).map_err(|error| error.to_string())
}

#[test]
fn options_stand_one_a_line_with_comments_between() {
    let text = "# the garden\n\n--source test\n  --quality\t70 \r\n--no-controls\n";
    let args = parsed(text, &[]).expect("good").args();
    assert_eq!(args.quality, 70);
    assert!(args.no_controls);
}

#[test]
fn a_byte_order_mark_and_blanks_around_a_name_say_nothing() {
    let text = "\u{feff}--fps 5\r\n[ garden\t]\r\n\t--source test\r\n";
    let cameras = cameras(text, &[]);
    assert_eq!(cameras[0].name.as_str(), "garden");
    parsed("\u{feff}[garden]\n--source test\n", &[]).expect("good");
    parsed("--fps 5\n\u{feff}--quality 5\n", &[]).expect_err("not in the middle");
}

#[test]
fn a_value_with_spaces_needs_no_quotes_and_may_have_them() {
    for line in [
        "--overlay Garden %H:%M",
        "--overlay \"Garden %H:%M\"",
        "--overlay 'Garden %H:%M'",
    ] {
        let args = parsed(line, &[]).expect("good").args();
        assert_eq!(args.overlay.expect("given"), "Garden %H:%M");
    }
    for line in ["--overlay a --b", "--overlay \"a --b\""] {
        let dashes = parsed(line, &[]).expect("good").args();
        assert_eq!(dashes.overlay.expect("given"), "a --b");
    }
}

#[test]
fn what_is_typed_wins_and_settings_add_up() {
    let text = "--quality 70\n--fps 5\n--set gain=1\n";
    let file = parsed(text, &["--quality", "90", "--set", "gain=2"]).expect("good");
    let args = file.args();
    assert_eq!(args.quality, 90);
    assert_eq!(args.fps.expect("given").0, 5.0);
    let settings: Vec<_> = args.set.concat();
    assert_eq!(settings[0].1, "1");
    assert_eq!(settings[1].1, "2", "the command line's is set last");
}

#[test]
fn a_refusal_names_file_line_and_what_is_allowed() {
    for (text, line, said) in [
        ("--fps 5\n\n--quality 101\n", 3, "1 to 100"),
        ("quality 70\n", 1, "--quality 70"),
        ("--quality\n", 1, "--quality"),
        ("--qualty 70\n", 1, "--help"),
        ("--quality 1\n--quality 2\n", 2, "duplicate"),
        ("--no-controls yes\n", 1, "yes"),
        ("--config /etc/y\n", 1, "command line only"),
        ("--help\n", 1, "command line only"),
        ("--quality 70 --fps 5\n", 1, "one option a line"),
        (
            "--fps 5 # slow\n",
            1,
            "a comment stands in a line of its own",
        ),
        ("--size = 8x8\n", 1, "`=` stands right behind the option"),
    ] {
        let error = parsed(text, &[]).expect_err(text);
        assert!(
            error.starts_with(&format!("`/etc/x`, line {line}: ")),
            "{error}"
        );
        assert!(error.contains(said), "{error}");
    }
}

#[test]
fn a_refusal_names_no_secret() {
    for text in [
        "--source ftp://ann:SECRET@cam/SECRET\n",
        "--source cam/x?pwd=SECRET\n",
        "--source http:cam/SECRET\n",
        "--source http://cam/SECRET\n--source http://cam/SECRET\n",
        "--source=ftp://cam/SECRET\n",
        "--sorce http://cam/SECRET\n",
        "--source=ftp://cam/SECRET --fps 5\n",
        "--quality 70 --source http://ann:SECRET@cam/SECRET\n",
        "http://cam/SECRET\n",
        "source=http://cam/SECRET\n",
        "ann:SECRET@cam/x\n",
        "--listen http://cam/SECRET\n",
        "--no-controls http://cam/SECRET\n",
        "--source gst:\n gst:souphttpsrc user-pw=SECRET\n",
    ] {
        let error = parsed(text, &[]).expect_err(text);
        assert!(!error.contains("SECRET"), "{error}");
    }
    let file = parsed("--source http://cam/SECRET\n", &["--set", "SECRET=1"]).expect("good");
    assert_eq!(format!("{file:?}"), "ConfigFile(/etc/x)");
}

#[test]
fn differences_are_those_that_the_command_line_does_not_overrule() {
    let before = parsed("--quality 70\n--fps 5\n--rotate 90\n", &["--fps", "9"]).expect("good");
    let after = parsed(
        "--flip h\n--quality 60\n--fps 6\n--rotate 90\n",
        &["--fps", "9"],
    )
    .expect("good");
    assert_eq!(before.differences(&after), ["--flip", "--quality"]);
    assert_eq!(after.differences(&after), [""; 0]);
}
fn cameras(text: &str, typed: &[&str]) -> Vec<CameraConfig> {
    parsed(text, typed).expect("good").config().cameras.listed
}

#[test]
fn values_may_stand_behind_an_equals_sign() {
    let text = "--source=test\n--set=a=1\n--set b=2\n--overlay= \"{name} %H = %M\"\n--size=64x64\n";
    let args = parsed(text, &["--set=c=3"]).expect("good").args();
    assert_eq!(args.source.expect("given").to_string(), "test pattern");
    let settings: Vec<_> = args.set.concat();
    let settings: Vec<_> = settings
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    assert_eq!(settings, ["a=1", "b=2", "c=3"]);
    assert_eq!(args.overlay.as_deref(), Some("{name} %H = %M"));
    let overruled = parsed(text, &["--size=32x32"]).expect("good").args();
    assert_eq!(overruled.size.expect("given").width, 32);
}

#[test]
fn a_section_is_a_camera_with_the_defaults_above_it() {
    let text = "--quality 70\n--fps 5\n--overlay {name}\n--set gain=1\n--max-viewers 9\n\n\
        [garden]\n--source test\n--quality=60\n# mine\n--set gain=2\n\n\
        [Shed]\n--source=http://host/a=b\n--no-controls\n";
    let cameras = cameras(text, &["--fps", "7", "--set", "gain=3"]);
    let said = |camera: &CameraConfig| {
        let gains: String = camera
            .settings
            .iter()
            .map(|(_, value)| value.as_str())
            .collect();
        (
            format!("{} {} {}", camera.name, camera.device, camera.is_addressed),
            format!("{} {:?} {:?}", camera.quality, camera.fps, camera.overlay),
            (gains, camera.has_controls),
        )
    };
    assert_eq!(
        cameras.iter().map(said).collect::<Vec<_>>(),
        [
            (
                "garden test pattern true".into(),
                "60 Some(Fps(7.0)) Some(\"garden\")".into(),
                ("123".into(), true)
            ),
            (
                "Shed http://host/… true".into(),
                "70 Some(Fps(7.0)) Some(\"Shed\")".into(),
                ("13".into(), false)
            ),
        ]
    );
}

#[test]
fn cameras_of_the_file_stand_before_those_that_are_typed() {
    let text = "--camera=a=test\n--source test\n[b]\n[c]\n--source 3\n";
    let names = |typed| -> Vec<String> {
        let cameras = cameras(text, typed);
        let named = cameras
            .iter()
            .map(|camera| format!("{} {}", camera.name, camera.device));
        named.collect()
    };
    assert_eq!(
        names(&[]),
        ["a test pattern", "b test pattern", "c /dev/video3"]
    );
    assert_eq!(
        names(&["--camera", "d=http://d"]),
        [
            "a test pattern",
            "b test pattern",
            "c /dev/video3",
            "d http://d"
        ]
    );
}

#[test]
fn what_the_server_is_called_is_not_what_a_camera_is_called() {
    for (text, typed, name) in [
        ("[a]\n--source test\n", &[][..], "a"),
        ("--name Farm\n[a]\n--source test\n", &[], "Farm"),
        (
            "--name Farm\n[a]\n--source test\n",
            &["--name", "House"],
            "House",
        ),
    ] {
        let cameras = parsed(text, typed).expect("good").config().cameras;
        assert_eq!(cameras.name.as_str(), name);
        assert_eq!(cameras.first().name.as_str(), "a");
    }
}

#[test]
fn a_refused_section_is_named_with_file_and_line() {
    for (text, typed, line, said) in [
        (
            "[a]\n--source test\n[A]\n--source test\n",
            &[][..],
            3,
            "`a` and `A`",
        ),
        (
            "[a]\n--source 1\n[b]\n--source /dev/video1\n",
            &[],
            3,
            "`a` and `b` have one device",
        ),
        (
            "--camera a=auto\n[b]\n--source csi\n",
            &[],
            2,
            "`auto` takes any",
        ),
        (
            "--source 0\n[a]\n[b]\n",
            &[],
            3,
            "have one device, /dev/video0",
        ),
        (
            "[a]\n--source test\n[b]\n--source test\n",
            &["--source", "1"],
            3,
            "have one device",
        ),
        (
            "--fps 5\n[a]\n--source test\n",
            &["--camera", "a=test"],
            2,
            "two cameras are called `a`",
        ),
        (
            "--fps 5\n\n--camera a=test\n",
            &["--camera", "a=test"],
            3,
            "two cameras are called `a`",
        ),
        ("[a]\n--source test\n--fsp 5\n", &[], 3, "--help"),
        ("[a]\n--fps 5\n--fps 6\n", &[], 3, "duplicate"),
        ("[a]\n--quality 101\n", &[], 2, "1 to 100"),
        (
            "[a]\n--listen 0.0.0.0:1\n",
            &[],
            2,
            "`--listen` is for the server: allowed before",
        ),
        ("[a]\n--name b\n", &[], 2, "`--name` is for the server"),
        (
            "[a]\n--camera b=test\n",
            &[],
            2,
            "`--camera` is for the server",
        ),
        ("[a]\n--config x\n", &[], 2, "command line only"),
        ("[a]\n--source all\n", &[], 2, "a source of its own"),
        ("[a]\n--source=all\n", &[], 2, "a source of its own"),
        (
            "[a]\n\n[b]\n--source test\n",
            &[],
            1,
            "`[a]` has no --source",
        ),
        ("\n[a]\n--fps 5\n", &[], 2, "`[a]` has no --source"),
        ("[a b]\n", &[], 1, "1 to 32"),
        ("[]\n", &[], 1, "1 to 32"),
        ("[Streams]\n", &[], 1, "an address already"),
        ("[a\n", &[], 1, "[NAME]"),
        ("[a] # mine\n", &[], 1, "[NAME]"),
        ("[a] --fps 5\n", &[], 1, "[NAME]"),
        (
            "--fps 5\n--source all\n[a]\n--source test\n",
            &[],
            2,
            "`--source all`",
        ),
        ("--source all\n--camera a=test\n", &[], 1, "`--source all`"),
        (
            "--fps 5\n[a]\n--source test\n",
            &["--source", "all"],
            2,
            "`--source all`",
        ),
        (
            "--source test\n--camera a=test\n",
            &[],
            1,
            "`--source` cannot stand beside",
        ),
        (
            "--source test\n",
            &["--camera", "a=test"],
            1,
            "`--source` cannot stand beside",
        ),
        (
            "--no-controls=yes\n",
            &[],
            1,
            "`--no-controls` takes no value",
        ),
        (
            "[a]\n--no-controls = no\n",
            &[],
            2,
            "`--no-controls` takes no value",
        ),
    ] {
        let error = parsed(text, typed).expect_err(text);
        assert!(
            error.starts_with(&format!("`/etc/x`, line {line}: ")),
            "{text:?}: {error}"
        );
        assert!(error.contains(said), "{text:?}: {error}");
    }
}

#[test]
fn a_refused_section_names_no_secret() {
    for text in [
        "[a]\n--source ftp://ann:SECRET@cam/SECRET\n",
        "[a]\n--source=cam/x?pwd=SECRET\n",
        "[a]\n--sorce=http://cam/SECRET\n",
        "[a]\nhttp://cam/SECRET\n",
        "[a]\n--no-controls=http://cam/SECRET\n",
        "[http://ann:SECRET@cam]\n",
        "[http://ann:SECRET@cam\n",
        "--camera=a=cam/x?pwd=SECRET\n",
        "--camera http://ann:SECRET@cam/x\n",
        "--source http://ann:SECRET@cam/x\n--camera a=http://ann:SECRET@cam/x\n",
        "[a]\n--source http://ann:SECRET@cam/x\n[a]\n--source http://ann:SECRET@cam/x\n",
    ] {
        let error = parsed(text, &[]).expect_err(text);
        assert!(!error.contains("SECRET"), "{error}");
    }
}

#[test]
fn differences_in_a_section_are_said_with_its_name() {
    let before =
        "--fps 5\n[a]\n--source test\n--quality 5\n[b]\n--source test\n[c]\n--source test\n";
    let started = parsed(before, &["--flip", "h"]).expect("good");
    for (after, differing) in [
        (before, &[][..]),
        (
            "--fps 6\n[a]\n--source test\n--quality 6\n--flip v\n[b]\n--rotate 90\n--source test\n\
             [d]\n--source test\n",
            &["--fps", "[a] --quality", "[b] --rotate", "[c]", "[d]"],
        ),
        (
            "--fps 5\n[b]\n--source test\n[a]\n--quality=5\n--source=test\n[c]\n--source test\n",
            &["the order of the sections"],
        ),
        (
            "--fps 5\n--source test\n",
            &["--source", "[a]", "[b]", "[c]"],
        ),
    ] {
        let after = parsed(after, &["--flip", "h"]).expect("good");
        assert_eq!(started.differences(&after), differing);
    }
}
