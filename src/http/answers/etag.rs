//! The name of a snapshot's picture, `"START-SEQUENCE"`, and whether a client has it already.
//!
//! Sequences begin at 1 at each start of the program, so a number that differs between starts goes
//! before: a picture kept from before a restart is never taken for a new one.

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    sync::OnceLock,
};

/// The entity tag of the frame with `sequence`; a strong one, with its quotes.
pub fn etag(sequence: u64) -> String {
    format!("\"{:016x}-{sequence}\"", start_id())
}

/// Random, once per start. Not the time: a Raspberry Pi has no clock of its own and may start twice
/// at the same one.
fn start_id() -> u64 {
    static ID: OnceLock<u64> = OnceLock::new();
    // The only randomness in std: a hasher's keys.
    *ID.get_or_init(|| RandomState::new().build_hasher().finish())
}

/// True when `If-None-Match: wanted` names `etag`: `*` or a list, compared weakly (RFC 9110, 13.1.2).
pub fn is_named(wanted: &str, etag: &str) -> bool {
    if wanted.trim() == "*" {
        return true;
    }
    // What stands before each tag, and the tag: a comma may stand inside of one.
    let mut parts: Vec<_> = wanted.split('"').collect();
    parts.pop(); // Behind the last quote.
    parts.chunks_exact(2).any(|pair| {
        let before = pair[0].trim_matches([',', ' ', '\t']);
        matches!(before, "" | "W/") && pair[1] == etag.trim_matches('"')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_found_in_what_the_client_has() {
        for (wanted, is_there) in [
            ("\"ab-7\"", true),
            ("W/\"ab-7\"", true),
            ("*", true),
            (" * ", true),
            ("\"x\", \"ab-7\"", true),
            ("\"x\",W/\"y,z\" ,\t\"ab-7\"", true),
            ("\"ab-70\"", false),
            ("\"b-7\"", false),
            ("w/\"ab-7\"", false),
            ("\"x, \"ab-7\"", false),
            ("ab-7", false),
            ("\"ab-7", false),
            ("\"*\"", false),
            ("", false),
        ] {
            assert_eq!(is_named(wanted, "\"ab-7\""), is_there, "{wanted}");
        }
    }

    #[test]
    fn a_tag_is_of_its_frame_alone() {
        assert_eq!(etag(7), etag(7));
        assert_ne!(etag(7), etag(8));
        assert!(etag(7).ends_with("-7\"") && etag(7).len() == "\"-7\"".len() + 16);
    }
}
