//! What is said of other programs' options.

use super::*;

#[test]
fn another_programs_option_is_told_with_what_takes_its_place() {
    for (name, value, said) in [
        ("-p", Some("8081"), "`--listen 8081`"),
        ("-p", Some("SECRET"), "`--listen ADDR:PORT`"),
        ("-p", Some("0.0.0.0:80"), "`--listen 0.0.0.0:80`"),
        ("--port", None, "`--listen 8080`"),
        ("--port", Some(""), "`--listen 8080`"),
        ("--port", Some("99999"), "`--listen ADDR:PORT`"),
        ("--port", Some("127.0.0.1"), "`--listen 127.0.0.1:8080`"),
        ("stream_port", Some("8082"), "`--listen 8082`"),
        ("--host", Some("localhost"), "`--listen localhost:8080`"),
        ("--host", Some("::1"), "`--listen [::1]:8080`"),
        ("--host", Some("0.0.0.0"), "`--listen 0.0.0.0:8080`"),
        (
            "--host",
            Some("127.0.0.1:9000"),
            "`--listen 127.0.0.1:9000`",
        ),
        ("--bind", Some("[::1]:9000"), "`--listen [::1]:9000`"),
        (
            "--bind",
            Some("localhost:9000"),
            "`--listen localhost:9000`",
        ),
        ("--host", Some("SECRET"), "`--listen ADDR:PORT`"),
        ("--host", None, "`--listen 127.0.0.1:8080`"),
        ("-s", Some("8080"), "`--listen 8080`"),
        ("-l", Some(":8080"), "`--listen :8080`"),
        ("-d", Some("/dev/video2"), "`--source /dev/video2`"),
        ("-s", Some("/dev/video2"), "`--source /dev/video2`"),
        ("-d", Some("1"), "`--source /dev/video1`"),
        ("--m2m-device", Some("/dev/video11"), "none is needed"),
        ("v4l2_device", None, "`--source /dev/video0`"),
        ("libcam_device", Some("camera0"), "`--source csi`"),
        ("device_name", Some("Garden"), "`--name NAME`"),
        ("--camera-width", Some("1920"), "`--size WxH`"),
        ("--camera-fps", Some("15"), "`--fps 15`"),
        ("--http-listen", Some("0.0.0.0"), "`--listen 0.0.0.0:8080`"),
        ("--device", Some("video2"), "`--source /dev/video2`"),
        ("--cam", Some("999"), "`--source SOURCE`"),
        ("--device", None, "`--source /dev/video0`"),
        ("-d", Some("http://SECRET"), "`--source SOURCE`"),
        ("--Resolution", Some("640x480"), "`--size 640x480`"),
        ("--width", Some("1280"), "`--size WxH`"),
        ("-r", Some("30"), "`--size WxH`"),
        ("-f", Some("1920x1080"), "`--fps N`"),
        ("-q", Some("150"), "`--quality N`"),
        ("-w", Some("1280"), "`--workers N`"),
        ("-rot", Some("45"), "`--rotate 0|90|180|270`"),
        ("-rot", Some("90"), "`--rotate 90`"),
        (
            "--exit-on-no-clients",
            Some("0"),
            "`--idle-timeout SECONDS`",
        ),
        ("--slowdown", None, "`--idle-timeout 60`"),
        ("-timeout", Some("7"), "`--camera-timeout 7`"),
        ("--max_clients", Some("7"), "`--max-viewers 7`"),
        ("--passwd", Some("12345"), "`--password-file PATH`"),
        ("--flip-vertical", Some("1"), "`--flip v`"),
        ("text_left", None, "--overlay \"{name} %H:%M\""),
    ] {
        let meant = meant(name, value).expect(name);
        assert!(meant.contains(said), "{name}: {meant}");
        assert!(
            !meant.contains(['<', '>']) && !meant.contains("SECRET"),
            "{meant}"
        );
        assert!(!meant.contains("12345"), "{meant}");
    }
}

#[test]
fn a_slip_of_the_finger_is_told_and_nothing_is_guessed() {
    for (name, own) in [
        ("--sorce", "--source"),
        ("--soruce", "--source"),
        ("-listen", "--listen"),
        ("--Size", "--size"),
        ("quality", "--quality"),
        ("--max_viewers", "--max-viewers"),
        ("--rotat", "--rotate"),
    ] {
        let said = format!("did you mean `{own}`?");
        assert_eq!(meant(name, None), Some(said), "{name}");
    }
    for name in ["--nonsense", "-x", "--", "--xy", "-", "--lust-of-gold"] {
        assert_eq!(meant(name, None), None, "{name}");
    }
}

#[test]
fn no_name_is_told_twice_and_none_is_our_own() {
    let mut names: Vec<_> = OTHERS
        .iter()
        .flat_map(|(names, _)| names.split(' '))
        .collect();
    for name in &names {
        let dashes = if name.len() == 1 { "-" } else { "--" };
        assert!(
            options::find(&format!("{dashes}{name}")).is_none(),
            "{name}"
        );
    }
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
}

/// Words between backticks that `is_wanted` takes.
fn quoted(cell: &str, is_wanted: impl Fn(&str) -> bool) -> Vec<&str> {
    let quoted = cell.split('`').skip(1).step_by(2);
    let words = quoted.filter_map(|text| text.split(' ').next());
    words.filter(|word| is_wanted(word)).collect()
}

#[test]
fn an_example_is_what_its_option_takes() {
    for (names, instead) in OTHERS {
        let Some((before, rest)) = instead.split_once('<') else {
            continue;
        };
        let (example, behind) = rest.split_once('>').expect(names);
        assert!(behind.starts_with('`'), "{names}: {instead}");
        let option = option_of(before);
        let value = options::find(option).expect(names).value();
        assert!(value.is_some(), "{names}");
        assert_eq!(
            carried(option, example).as_deref(),
            Some(example),
            "{names}"
        );
    }
}

#[test]
fn a_letter_is_one_only_where_a_value_of_it_stands_behind() {
    for (letter, value, said) in [
        ("-p", "8081", "`--listen 8081`"),
        ("-r", "640x480", "`--size 640x480`"),
        ("-d", "/dev/video2", "`--source /dev/video2`"),
        ("-q", "70", "`--quality 70`"),
    ] {
        let meant = meant_by_letter(letter, value).expect(letter);
        assert!(meant.contains(said), "{letter}: {meant}");
    }
    for word in [
        "pSECRET", "preview", "hV", "c:v", "stats", "r30", "q150", "b4", "x1", "z1",
    ] {
        let (letter, value) = word.split_at(1);
        let meant = meant_by_letter(&format!("-{letter}"), value);
        assert_eq!(meant, None, "{word}");
    }
}

#[test]
fn what_the_page_on_other_programs_says_is_said_here() {
    let page = include_str!("../../../docs/migrating.md");
    let (_, tables) = page.split_once("## ustreamer").expect("tables");
    let (tables, _) = tables.split_once("## What camfeed").expect("their end");
    let rows = tables.lines().filter(|line| line.starts_with("| "));
    let rows: Vec<Vec<&str>> = rows.map(|row| row.split(" | ").collect()).collect();
    let is_name = |word: &str| {
        word.bytes()
            .all(|byte| byte.is_ascii_lowercase() || b"-_0123456789".contains(&byte))
            || word.len() == 2 && word.starts_with('-')
    };
    let is_instead = |word: &str| word.starts_with("--") || word.starts_with("camfeed-");
    let (mut count, mut wrong) = (0, Vec::new());
    for row in &rows {
        let [theirs, ours, rest] = row[..] else {
            continue;
        };
        let instead = quoted(ours, is_instead);
        for name in quoted(theirs, is_name) {
            if options::all().any(|own| own.name()[2..] == bare(name)) {
                continue;
            }
            let said = meant(name, None).unwrap_or_default();
            let is_said = |instead: &&str| said.contains(*instead);
            count += 1;
            if !instead.is_empty() && !instead.iter().any(is_said) {
                wrong.push(format!("{name} is {instead:?}: {said:?}"));
            }
            // What has no counterpart is sent to none, but for names that several programs have.
            let other = quoted(&said, |word| is_instead(word) && !rest.contains(word));
            if instead.is_empty() && name.len() > 2 && name != "--input" && !other.is_empty() {
                wrong.push(format!("{name} is {ours} {rest}: {said:?}"));
            }
        }
    }
    assert!(count > 80, "{count}");
    assert!(wrong.is_empty(), "{wrong:#?}");
}
