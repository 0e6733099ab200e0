//! The README and the pages of `docs/`, followed: each of their commands is run by a test, as it stands there.
//!
//! `text` finds the commands, the lists in `pages` have them once more with what is done with each, and a
//! command that is missing on either side fails. A section is followed from its top by one test, at a
//! desk of its own (`desk`), in the order of the list; what a step holds against what was promised is in
//! `steps`, `pictures`, `machine`, `trouble`, `migrating` and `how_it_works`. Blocks that are no commands are in `blocks`.
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
//! - `reboot`, `docker`, `v4l2-ctl`: they would end the machine, fetch an image, or switch a sensor that is not
//!   here. `dmesg`, `fuser`, `lsusb`, `media-ctl`, `ping`: what they tell of is the machine's, or they are not
//!   installed. Their words are judged, and noted.

mod blocks;
mod desk;
mod how_it_works;
mod machine;
mod migrating;
mod pictures;
mod steps;
mod text;
mod trouble;

use crate::manual::PAGES;
use desk::Desk;
use pages::{ELSEWHERE, elsewhere, sections_of};
use std::path::Path;

/// Does what a command says, and looks whether it did what is promised.
type Step = fn(&mut Desk, &str);

/// Headings, and the commands below each with what is done with it.
type Sections = &'static [(&'static str, &'static [(&'static str, Step)])];

/// The sections of a page with commands, and a test that follows each.
macro_rules! sections {
    ($page:expr; $($test:ident: $heading:literal { $($command:literal => $step:expr,)+ })+) => {
        pub(super) const SECTIONS: crate::readme::Sections =
            &[$(($heading, &[$(($command, $step)),+])),+];
        $(
            #[test]
            fn $test() {
                crate::readme::follow($page, SECTIONS, $heading);
            }
        )+
    };
}

mod last_release;
mod pages;

/// Follows a section of `page`.
fn follow(page: &'static str, sections: Sections, heading: &str) {
    let (_, commands) = sections
        .iter()
        .find(|(known, _)| *known == heading)
        .unwrap();
    let mut desk = Desk::of(page);
    for (command, step) in *commands {
        eprintln!("--- {command}");
        step(&mut desk, command);
    }
}

/// What is wrong with that every command of `page` stands in `sections` or `elsewhere`, and the other way round.
fn run_by_no_test(page: &str, sections: Sections, elsewhere: &[(&str, &str, &str)]) -> Vec<String> {
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
    let standing = text::commands(page);
    let mut wrong = Vec::new();
    for command in &standing {
        if !known.contains(&(&command.section, &command.text)) {
            wrong.push(format!(
                "line {}: `{}` is run by no test (section \"{}\")",
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
                "`{text}` does not stand in the section \"{section}\""
            ));
        }
    }
    wrong
}

/// Every command of `page` stands in `sections` or `elsewhere`, and the other way round.
fn check_all_is_run(page: &str, sections: Sections, elsewhere: &[(&str, &str, &str)]) {
    let wrong = run_by_no_test(page, sections, elsewhere);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_command_is_run_by_a_test_and_every_one_that_is_run_stands_there() {
    let mut wrong = Vec::new();
    for (name, page) in PAGES {
        let lines = run_by_no_test(page, sections_of(name), elsewhere(name));
        wrong.extend(lines.iter().map(|line| format!("{name}: {line}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
