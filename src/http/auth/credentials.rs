//! What a request brings to be let in by, as far as it can be read.
//!
//! Basic (RFC 7617) for the password; for the token `?token=`, which an `<img>` can carry, and
//! Bearer (RFC 6750), which keeps it out of logs. What cannot be read is as good as nothing: it
//! is no guess either.

use crate::http::request::Request;
use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use std::borrow::Cow;

/// `user:password` of a request.
pub fn basic(request: &Request) -> Option<Vec<u8>> {
    let given = BASE64.decode(of_scheme(request, "Basic")?).ok()?;
    given.contains(&b':').then_some(given)
}

/// The token of a request.
pub fn token(request: &Request) -> Option<Cow<'_, str>> {
    let header = of_scheme(request, "Bearer").map(Cow::Borrowed);
    header.or_else(|| request.target.query.get("token"))
}

fn of_scheme<'a>(request: &'a Request, scheme: &str) -> Option<&'a str> {
    let (given, rest) = request.header("Authorization")?.trim().split_once(' ')?;
    given.eq_ignore_ascii_case(scheme).then(|| rest.trim())
}

/// base64 (RFC 4648), with or without its padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_decoded() {
        for (text, bytes) in [
            ("", Some(&b""[..])),
            ("YQ==", Some(b"a")),
            ("YQ", Some(b"a")),
            ("YWI=", Some(b"ab")),
            ("YWJj", Some(b"abc")),
            ("YWJjZA==", Some(b"abcd")),
            ("/+8A", Some(&[0xff, 0xef, 0])),
            ("Y", None),
            ("YWJjZ", None),
            ("YW Jj", None),
            ("YW-_", None),
            ("YQ==YQ==", None),
        ] {
            assert_eq!(BASE64.decode(text).ok().as_deref(), bytes, "{text}");
        }
    }

    #[test]
    fn basic_is_read_and_other_schemes_are_not() {
        for (header, given) in [
            ("Basic YTpi", Some(&b"a:b"[..])),
            ("basic  YTpi ", Some(b"a:b")),
            ("Basic YWI=", None),
            ("Basic", None),
            ("Basic ?", None),
            ("Digest username=\"a\"", None),
            ("Bearer YTpi", None),
            ("YTpi", None),
        ] {
            let ask = Request::example("/", Some(header));
            assert_eq!(basic(&ask).as_deref(), given, "{header}");
        }
        assert_eq!(basic(&Request::example("/", None)), None);
    }

    #[test]
    fn a_token_comes_in_the_query_or_the_header() {
        for (header, query, given) in [
            (None, "fps=2&token=abc", Some("abc")),
            (None, "token=a%62c", Some("abc")),
            (None, "xtoken=abc", None),
            (Some("Bearer abc"), "", Some("abc")),
            (Some("Bearer abc"), "token=def", Some("abc")),
            (Some("Basic YTpi"), "token=def", Some("def")),
        ] {
            let ask = Request::example(&format!("/?{query}"), header);
            assert_eq!(token(&ask).as_deref(), given, "{header:?} {query:?}");
        }
    }
}
