//! What a camera is called: the value of `--name`, what stands in for it, and the names that addresses begin
//! with.

use crate::config::shown_word;
use argh::FromArgValue;
use std::{env, fmt};

/// Letters of a name, at most.
const MOST_LETTERS: usize = 64;

/// Letters of a name with addresses below it, at most.
const MOST_OF_ADDRESS: usize = 32;

/// First parts of the server's own addresses that could be such a name.
const ADDRESSES: [&str; 10] = [
    "controls",
    "fault",
    "healthz",
    "metrics",
    "snapshot",
    "state",
    "static",
    "stream",
    "streams",
    "video_feed",
];

/// Set by the unit of `camfeed@NAME`.
const VARIABLE: &str = "CAMFEED_NAME";

/// A name of 1 to 64 letters that can be shown, not all of them blanks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CameraName(String);

impl FromArgValue for CameraName {
    fn from_arg_value(value: &str) -> Result<CameraName, String> {
        let name = value.trim();
        if name.is_empty() || name.chars().count() > MOST_LETTERS || !name.chars().all(is_shown) {
            return Err(format!(
                "allowed are 1 to {MOST_LETTERS} letters that can be shown, not all of them blanks"
            ));
        }
        Ok(CameraName(name.to_owned()))
    }
}

impl CameraName {
    /// True for a word that is an address by itself, in any case of letters.
    pub fn is_taken(word: &str) -> bool {
        let mut taken = ADDRESSES.iter();
        taken.any(|taken| word.eq_ignore_ascii_case(taken))
    }

    /// `text` as the name of a camera with addresses below it; the error says what is allowed.
    pub fn of_address(text: &str) -> Result<CameraName, String> {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
        if text.is_empty() || text.len() > MOST_OF_ADDRESS || !text.bytes().all(is_allowed) {
            return Err(format!(
                "`{}`: a camera's name is 1 to {MOST_OF_ADDRESS} of A-Z a-z 0-9 _ -",
                shown_word(text)
            ));
        }
        if CameraName::is_taken(text) {
            return Err(format!(
                "`{text}` is an address already: a camera's name is any other word than {}",
                ADDRESSES.join(", ")
            ));
        }
        Ok(CameraName(text.to_owned()))
    }

    /// That of the service's instance, else the machine's. Never an error: nobody chose it for this.
    pub fn of_machine() -> CameraName {
        let instance = env::var_os(VARIABLE).unwrap_or_default();
        let uname = rustix::system::uname();
        let texts = [
            instance.to_string_lossy(),
            uname.nodename().to_string_lossy(),
        ];
        let name = texts.iter().find_map(|text| CameraName::made_of(text));
        name.unwrap_or_else(|| CameraName("camfeed".to_owned()))
    }

    /// What of `text` may be a name; `None` when nothing may.
    fn made_of(text: &str) -> Option<CameraName> {
        let shown = text.trim().chars().filter(|&letter| is_shown(letter));
        CameraName::from_arg_value(&shown.take(MOST_LETTERS).collect::<String>()).ok()
    }

    /// It.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What of it is the same to every system, shell and header; empty when nothing is.
    pub fn plain(&self) -> String {
        let is_other = |letter: char| !letter.is_ascii_alphanumeric() && !"._-".contains(letter);
        let words = self.0.split(is_other).filter(|word| !word.is_empty());
        let plain = words.collect::<Vec<_>>().join("-");
        plain.trim_matches(['-', '.']).to_owned()
    }

    /// `text`, of strftime fields, with the name in place of each `{name}`. The name itself is no field. The
    /// font of pictures knows ASCII only: of other letters it shows `?`.
    pub fn put_into(&self, text: &str) -> String {
        let ascii = |letter: char| if letter.is_ascii() { letter } else { '?' };
        let name: String = self.0.chars().map(ascii).collect();
        text.replace("{name}", &name.replace('%', "%%"))
    }
}

impl fmt::Display for CameraName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// True for a letter that has a shape, an accent for the letter before it, or a blank: not for what ends
/// lines or changes their direction.
fn is_shown(letter: char) -> bool {
    // Behind a letter, so that an accent is one.
    let debugged = format!("a{letter}").escape_debug().to_string();
    !letter.is_control() && !debugged.starts_with("a\\u")
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::{civil::date, fmt::strtime};

    fn named(text: &str) -> CameraName {
        CameraName::from_arg_value(text).expect("a name")
    }

    #[test]
    fn a_name_can_be_read() {
        let (longest, too_long) = ("ü".repeat(64), "a".repeat(65));
        for (value, name) in [
            ("Garden", Some("Garden")),
            (" Garden 2 ", Some("Garden 2")),
            (
                "Wärmepumpe, \"innen\" \\ 'außen'",
                Some("Wärmepumpe, \"innen\" \\ 'außen'"),
            ),
            ("a\u{308}", Some("a\u{308}")),
            ("दरवाज़ा", Some("दरवाज़ा")),
            ("庭", Some("庭")),
            ("🐈", Some("🐈")),
            ("100 %", Some("100 %")),
            (&longest, Some(&longest)),
            (&too_long, None),
            ("", None),
            ("  ", None),
            ("\u{a0}", None),
            ("a\nb", None),
            ("a\tb", None),
            ("a\u{7f}", None),
            ("a\u{2028}b", None),
            ("a\u{202e}b", None),
            ("\u{200b}", None),
        ] {
            let parsed = CameraName::from_arg_value(value);
            assert_eq!(
                parsed.as_ref().ok().map(CameraName::as_str),
                name,
                "{value:?}"
            );
            if let Err(error) = parsed {
                assert!(error.contains("1 to 64 letters"), "{error}");
            }
        }
    }

    #[test]
    fn a_name_that_addresses_begin_with_is_a_plain_word_and_no_address_yet() {
        let (longest, too_long) = ("a".repeat(32), "a".repeat(33));
        for name in ["garden", "Garden_2", "-", "7", "all", "Stream-2", &longest] {
            let parsed = CameraName::of_address(name).expect(name);
            assert_eq!(parsed.as_str(), name);
        }
        for name in ["", " ", "a b", "a/b", "a.jpg", "ü", "a=b", "[a]", &too_long] {
            let error = CameraName::of_address(name).expect_err(name);
            assert!(error.contains("1 to 32 of A-Z a-z 0-9 _ -"), "{error}");
        }
        let error = CameraName::of_address("cam 1").expect_err("a blank");
        assert!(error.starts_with("`cam 1`: "), "{error}");
        for name in ["stream", "Streams", "STATIC", "video_feed", "healthz"] {
            let error = CameraName::of_address(name).expect_err(name);
            assert!(error.contains("an address already"), "{error}");
        }
    }

    #[test]
    fn no_camera_is_called_as_an_address_of_the_server() {
        let routes = include_str!("../http/routes.rs");
        let pages = include_str!("../http/answers/pages.rs");
        let quoted = routes.split('"').chain(pages.split('"'));
        let addresses = quoted.filter_map(|text| text.strip_prefix('/'));
        let first = addresses.filter_map(|address| address.split('/').next());
        let mut count = 0;
        for name in first.filter(|name| !name.is_empty()) {
            assert!(CameraName::of_address(name).is_err(), "{name}");
            count += 1;
        }
        assert!(count > 10, "{count}");
    }

    #[test]
    fn what_nobody_chose_is_made_a_name() {
        let (long, cut) = ("a".repeat(100), "a".repeat(64));
        for (text, name) in [
            ("garden", Some("garden")),
            ("front\\x20door", Some("front\\x20door")),
            (&long, Some(&*cut)),
            ("a\u{202e}b\n", Some("ab")),
            ("", None),
            ("\n", None),
        ] {
            let made = CameraName::made_of(text);
            assert_eq!(made.as_ref().map(CameraName::as_str), name, "{text:?}");
        }
    }

    #[test]
    fn a_name_in_a_text_is_no_field_of_time() {
        for (name, text, shown) in [
            ("Garden", "{name} %H:%M", "Garden 13:43"),
            ("100 %H", "{name} %H, %% {name}", "100 %H 13, % 100 %H"),
            ("Gärten", "{name}", "G?rten"),
            ("Garden", "%%{name}", "%Garden"),
            ("Garden", "{nam}", "{nam}"),
            ("{name}", "{name}", "{name}"),
        ] {
            let text = named(name).put_into(text);
            let time = date(2026, 11, 22).at(13, 43, 0, 0);
            assert_eq!(strtime::format(&text, time).expect("fields"), shown);
        }
    }
}
