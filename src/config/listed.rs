//! The cameras that `--camera` names, and which of them cannot stand beside each other.

use crate::config::{CameraName, Device, clash, shown_word};
use argh::FromArgValue;
use std::borrow::Cow;

/// A camera with a name of its own: the value of `--camera`.
#[derive(Debug, Clone, PartialEq)]
pub struct ListedCamera {
    /// Its addresses stand below it.
    pub name: CameraName,
    /// What is opened.
    pub device: Device,
}

impl FromArgValue for ListedCamera {
    fn from_arg_value(value: &str) -> Result<ListedCamera, String> {
        let form = |reason: &str| format!("{reason} (the form is --camera NAME=SOURCE)");
        let Some((name, source)) = value.split_once('=') else {
            return Err(form("there is no `=` in it"));
        };
        let name = CameraName::of_address(name).map_err(|reason| form(&reason))?;
        match Device::from_arg_value(source)? {
            Device::All => {
                Err("the source `all` is for --source: it names its cameras itself".to_owned())
            }
            device => Ok(ListedCamera { name, device }),
        }
    }
}

impl ListedCamera {
    /// `value`, which was refused, as it may be said in an error.
    pub fn shown(value: &str) -> Cow<'_, str> {
        // `Front Door`, `front.door`
        let is_plain = |name: &str| {
            let is_letter = |letter: char| letter.is_alphanumeric() || " ._-".contains(letter);
            name.chars().all(is_letter)
        };
        match value.split_once('=') {
            Some((name, source)) if is_plain(name) => {
                format!("{name}={}", shown_word(source)).into()
            }
            _ => shown_word(value),
        }
    }
}

/// Why a `--source` of `source` and `cameras` cannot stand beside each other on a command line.
pub fn check(source: Option<&Device>, cameras: &[ListedCamera]) -> Result<(), String> {
    if let (Some(source), Some(_)) = (source, cameras.first()) {
        return Err(no_source_beside(source).to_owned());
    }
    match first_clash(&cameras.iter().collect::<Vec<_>>()) {
        Some((_, _, clash)) => Err(format!("--camera: {clash}")),
        None => Ok(()),
    }
}

/// The first two of `cameras` that cannot both be served, by their indices, and why.
pub fn first_clash(cameras: &[&ListedCamera]) -> Option<(usize, usize, String)> {
    let pairs = (0..cameras.len()).flat_map(|one| (0..one).map(move |before| (before, one)));
    let mut clashes = pairs.filter_map(|(before, one)| {
        let clash = clash(cameras[before], cameras[one])?;
        Some((before, one, clash))
    });
    clashes.next()
}

/// Why `--source` cannot stand beside cameras that are listed.
pub fn no_source_beside(source: &Device) -> &'static str {
    match source {
        Device::All => {
            "`--source all` names its cameras itself: it cannot stand beside --camera or sections"
        }
        _ => {
            "`--source` cannot stand beside --camera: allowed is --camera NAME=SOURCE for each camera"
        }
    }
}

/// Why `one` and `other` cannot both be served.
fn clash(one: &ListedCamera, other: &ListedCamera) -> Option<String> {
    let (name, others) = (one.name.as_str(), other.name.as_str());
    if name.eq_ignore_ascii_case(others) {
        return Some(match name == others {
            true => format!("two cameras are called `{name}`"),
            false => format!(
                "two cameras are called `{name}` and `{others}`: case does not tell names apart"
            ),
        });
    }
    let reason = clash::of_sources(&one.device, &other.device)?;
    Some(format!("`{name}` and `{others}` {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::args;

    fn read(words: &[&str]) -> Result<args::Args, argh::EarlyExit> {
        let words: Vec<_> = words.iter().map(|&word| word.to_owned()).collect();
        args::read(&words).map(|(_, args)| args)
    }

    fn refusal(words: &[&str]) -> String {
        read(words).expect_err("refused").output
    }

    #[test]
    fn a_camera_is_a_name_and_a_source() {
        let camera = ListedCamera::from_arg_value("garden=http://host/?a=b").expect("good");
        assert_eq!(camera.name.as_str(), "garden");
        let device = Device::from_arg_value("http://host/?a=b").expect("good");
        assert_eq!(camera.device, device);
        for (value, said) in [
            ("garden", "NAME=SOURCE"),
            ("=test", "NAME=SOURCE"),
            ("a b=test", "1 to 32"),
            ("stream=test", "an address already"),
            ("garden=all", "--source"),
            ("garden=", "allowed are auto"),
            ("garden=999", "0 to 255"),
        ] {
            let error = ListedCamera::from_arg_value(value).expect_err(value);
            assert!(error.contains(said), "{value}: {error}");
        }
    }

    #[test]
    fn cameras_that_cannot_stand_beside_each_other_are_refused() {
        for (words, said) in [
            (
                &["--camera", "a=test", "--camera", "a=test"][..],
                "--camera: two cameras are called `a`",
            ),
            (
                &["--camera", "a=test", "--camera", "A=test"],
                "case does not tell names apart",
            ),
            (
                &["--camera", "a=0", "--camera", "b=/dev/video0"],
                "`a` and `b` have one device",
            ),
            (
                &["--camera", "a=auto", "--camera", "b=csi"],
                "`auto` takes any",
            ),
            (
                &["--camera", "a=test", "--source", "all"],
                "`--source all` names its cameras itself",
            ),
            (
                &["--camera", "a=test", "--source", "test"],
                "`--source` cannot stand beside --camera",
            ),
        ] {
            let said_of_it = refusal(words);
            assert!(said_of_it.contains(said), "{words:?}: {said_of_it}");
        }
        read(&["--camera", "a=test", "--camera", "b=test"]).expect("patterns are many");
    }

    #[test]
    fn a_refusal_names_no_secret_of_a_source() {
        for (value, shown) in [
            ("garden=ftp://ann:SECRET@cam/SECRET", "garden=ftp://cam/…"),
            ("garden=cam/x?pwd=SECRET", "garden=…"),
            ("garden=gst: souphttpsrc user-pw=SECRET", ""),
            ("http://ann:SECRET@cam/SECRET", "http://cam/…"),
            ("ann:SECRET@cam=SECRET", "…"),
            ("1=http:cam/SECRET", "1=…"),
            ("Front Door=cam/x?pwd=SECRET", "Front Door=…"),
            ("front.door=/dev/video0", "front.door=/dev/video0"),
            ("ann:SECRET=test", "…"),
            ("pi.local:8080", "pi.local:8080"),
        ] {
            for words in [&["--camera", value][..], &["--kamera", value], &[value]] {
                let Err(exit) = args::parse(words) else {
                    continue;
                };
                assert!(!exit.output.contains("SECRET"), "{}", exit.output);
            }
            if !shown.is_empty() {
                assert!(
                    refusal(&["--camera", value]).contains(&format!("'{shown}'")),
                    "{value}"
                );
            }
        }
    }
}
