//! GStreamer's words for a pipeline that cannot be made, in ours.
//!
//! Its words may repeat any piece of the text, passwords too, so what is said here is made of the
//! error's kind and of names alone.

use crate::config::{elements, properties};
use gstreamer::ParseError;

/// What GStreamer's `message` of kind `code` says, with the names in it that may be shown.
pub fn in_our_words(pipeline: &str, kind: Option<ParseError>, message: &str) -> String {
    let (elements, properties) = (elements(pipeline), properties(pipeline));
    let mut named = elements.iter().filter(|name| is_in(message, name, true));
    let property = properties.iter().find(|name| is_in(message, name, false));
    let property = property.map_or(String::new(), |name| format!(" \"{name}\""));
    let within = |element: Option<&&str>| {
        element.map_or(String::new(), |name| format!(" in element \"{name}\""))
    };
    match kind {
        Some(ParseError::Syntax) => "syntax error".to_owned(),
        Some(ParseError::NoSuchElement) => {
            match elements.iter().find(|name| is_in(message, name, false)) {
                Some(name) => format!("no element \"{name}\" ({})", advice(name)),
                None => "no element of that name (a value with spaces needs quotes)".to_owned(),
            }
        }
        Some(ParseError::NoSuchProperty) => {
            format!("no property{property}{}", within(named.next()))
        }
        Some(ParseError::CouldNotSetProperty) => {
            let within = within(named.next());
            format!("could not set property{property}{within} to its value")
        }
        Some(ParseError::Link) => match (named.next(), named.next()) {
            (Some(one), Some(other)) => format!("could not link {one} to {other}"),
            _ => "could not link two of its elements".to_owned(),
        },
        _ => "it does not understand it (gst-launch-1.0 with the same text says why)".to_owned(),
    }
}

/// True when `message` has `name` as a word of its own, perhaps with the number of an element of that
/// kind behind it.
fn is_in(message: &str, name: &str, with_number: bool) -> bool {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
    message
        .split(|letter| !is_part(letter))
        .filter_map(|word| word.strip_prefix(name))
        .any(|more| {
            more.is_empty() || with_number && more.bytes().all(|byte| byte.is_ascii_digit())
        })
}

/// An element that is not there comes with a package, whose name is known for those that people ask
/// for most.
fn advice(element: &str) -> &'static str {
    match element {
        "libcamerasrc" => "sudo apt install gstreamer1.0-libcamera libcamera-ipa",
        "bayer2rgb" => "sudo apt install gstreamer1.0-plugins-bad",
        _ => "apt search gstreamer1.0 names packages with more",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_package_of_a_missing_element_is_named() {
        let said = |name: &str| {
            let message = format!("no element \"{name}\"");
            in_our_words(name, Some(ParseError::NoSuchElement), &message)
        };
        let advice = said("libcamerasrc");
        assert!(advice.contains("gstreamer1.0-libcamera"), "{advice}");
        let advice = said("other");
        assert!(advice.contains("apt search"), "{advice}");
    }

    #[test]
    fn names_are_said_and_values_are_not() {
        let pipeline =
            "souphttpsrc pasword=SECRET user-pw=my SECRET ! fakesrc name=SECRET ! fakesink";
        for (kind, message, said) in [
            (ParseError::Syntax, "syntax error", "syntax error"),
            (
                ParseError::Syntax,
                "unexpected reference \"SECRET\" - ignoring",
                "syntax error",
            ),
            (
                ParseError::NoSuchElement,
                "no element \"SECRET\"",
                "no element of that name (a value with spaces needs quotes)",
            ),
            (
                ParseError::NoSuchElement,
                "kein Element »fakesink«",
                "no element \"fakesink\" (apt search gstreamer1.0 names packages with more)",
            ),
            (
                ParseError::NoSuchProperty,
                "no property \"pasword\" in element \"souphttpsrc0\"",
                "no property \"pasword\" in element \"souphttpsrc\"",
            ),
            (
                ParseError::NoSuchProperty,
                "no property \"SECRET\" in element \"SECRET\"",
                "no property",
            ),
            (
                ParseError::Link,
                "could not link souphttpsrc0 to fakesink0, SECRET",
                "could not link souphttpsrc to fakesink",
            ),
            (
                ParseError::Link,
                "could not link SECRET to x",
                "could not link two of its elements",
            ),
            (
                ParseError::CouldNotSetProperty,
                "could not set property \"user-pw\" in element \"souphttpsrc12\" to \"SECRET\"",
                "could not set property \"user-pw\" in element \"souphttpsrc\" to its value",
            ),
        ] {
            assert_eq!(
                in_our_words(pipeline, Some(kind), message),
                said,
                "{message}"
            );
        }
        assert!(!in_our_words(pipeline, None, "SECRET").contains("SECRET"));
    }
}
