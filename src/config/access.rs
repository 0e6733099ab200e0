//! What the options that say who may look take, and the hiding of their secrets in requests.

use argh::FromArgValue;
use std::{borrow::Cow, fmt, path::PathBuf};

/// Who may look, as far as options say it; `http::auth` reads the secrets themselves.
#[derive(Debug, Clone, Default)]
pub struct AccessConfig {
    /// Holds `user:password` or only a password.
    pub password_file: Option<PathBuf>,
    /// Holds a token.
    pub token_file: Option<PathBuf>,
    /// Names this machine is reached by, besides its own.
    pub allow_hosts: Vec<HostPattern>,
}

/// A name this machine may be called by: a value of `--allow-host`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostPattern {
    /// Any name.
    Any,
    /// This one; lower case.
    Name(String),
    /// Every name that ends with a dot and this; lower case.
    Under(String),
}

impl HostPattern {
    /// True when `host`, in lower case and without a port, is meant.
    pub fn matches(&self, host: &str) -> bool {
        match self {
            HostPattern::Any => true,
            HostPattern::Name(name) => host == name,
            HostPattern::Under(name) => is_under(host, name),
        }
    }
}

/// True when `host` is a subdomain of `name`.
pub fn is_under(host: &str, name: &str) -> bool {
    host.strip_suffix(name)
        .and_then(|rest| rest.strip_suffix('.'))
        .is_some_and(|rest| !rest.is_empty())
}

impl FromArgValue for HostPattern {
    fn from_arg_value(value: &str) -> Result<HostPattern, String> {
        if value == "*" {
            return Ok(HostPattern::Any);
        }
        let lower = value.to_ascii_lowercase();
        let name = lower.strip_suffix('.').unwrap_or(&lower);
        let (name, pattern): (_, fn(String) -> HostPattern) = match name.strip_prefix("*.") {
            Some(rest) => (rest, HostPattern::Under),
            None => (name, HostPattern::Name),
        };
        if is_name(name) {
            Ok(pattern(name.to_owned()))
        } else {
            Err(
                "allowed are a name without scheme and port such as cam.example.org, \
                 *.example.org for all below it, and * for any"
                    .to_owned(),
            )
        }
    }
}

fn is_name(name: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty()
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    name.len() <= 253 && name.split('.').all(is_label)
}

/// Who may show the page in a frame: the sources of CSP's `frame-ancestors`, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrameAncestors(String);

impl Default for FrameAncestors {
    fn default() -> FrameAncestors {
        FrameAncestors("'self'".to_owned())
    }
}

impl fmt::Display for FrameAncestors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromArgValue for FrameAncestors {
    fn from_arg_value(value: &str) -> Result<FrameAncestors, String> {
        let sources: Option<Vec<&str>> = value
            .split([',', ' '])
            .filter(|source| !source.is_empty())
            .map(|source| match source {
                // A shell takes the quotes away that CSP wants.
                "self" | "'self'" => Some("'self'"),
                "none" | "'none'" => Some("'none'"),
                "*" => Some("*"),
                origin => {
                    Some(origin.strip_suffix('/').unwrap_or(origin)).filter(|it| is_origin(it))
                }
            })
            .collect();
        match sources {
            Some(sources)
                if !sources.is_empty() && (sources.len() == 1 || !sources.contains(&"'none'")) =>
            {
                Ok(FrameAncestors(sources.join(" ")))
            }
            _ => Err(
                "allowed are origins such as https://ha.example:8123 and 'self', with commas \
                 between them, or * or 'none'"
                    .to_owned(),
            ),
        }
    }
}

/// `https://host:port`, where CSP lets the host begin with `*.` and the port be `*`.
fn is_origin(text: &str) -> bool {
    let Some((scheme, host)) = text.split_once("://") else {
        return false;
    };
    let (host, port) = host.split_once(':').unwrap_or((host, "*"));
    matches!(scheme, "http" | "https")
        && is_name(host.strip_prefix("*.").unwrap_or(host))
        && (port == "*" || port.parse::<u16>().is_ok())
}

/// What a client asked for, without `user:password@` and with the value of every `token=` hidden: what
/// the log says of a request.
pub fn without_secrets(url: &str) -> Cow<'_, str> {
    let Some((scheme, rest)) = url.split_once("://") else {
        return without_tokens(url);
    };
    let host_end = rest.find('/').unwrap_or(rest.len());
    match rest[..host_end].rfind('@') {
        Some(at) => Cow::Owned(format!("{scheme}://{}", without_tokens(&rest[at + 1..]))),
        None => without_tokens(url),
    }
}

fn without_tokens(text: &str) -> Cow<'_, str> {
    const NAME: &str = "token=";
    let lower = text.to_ascii_lowercase();
    if !lower.contains(NAME) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    let mut from = 0;
    while let Some(found) = lower[from..].find(NAME) {
        let value = from + found + NAME.len();
        shown.push_str(&text[from..value]);
        shown.push('…');
        from = text[value..]
            .find(['&', '#'])
            .map_or(text.len(), |length| value + length);
    }
    shown.push_str(&text[from..]);
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_pattern_matches_what_it_says_and_no_more() {
        for (pattern, host, matches) in [
            ("cam.example.org", "cam.example.org", true),
            ("Cam.Example.ORG.", "cam.example.org", true),
            ("cam.example.org", "x.cam.example.org", false),
            ("*.example.org", "cam.example.org", true),
            ("*.example.org", "a.b.example.org", true),
            ("*.example.org", "example.org", false),
            ("*.example.org", ".example.org", false),
            ("*.example.org", "badexample.org", false),
            ("*", "anything.at.all", true),
        ] {
            let parsed = HostPattern::from_arg_value(pattern).expect(pattern);
            assert_eq!(parsed.matches(host), matches, "{pattern} {host}");
        }
        for wrong in [
            "",
            "*.",
            "**",
            "a..b",
            "http://a",
            "a:80",
            "a/b",
            "*.*.org",
            "a b",
            "b\u{fc}ro",
        ] {
            assert!(HostPattern::from_arg_value(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn frame_ancestors_become_what_the_policy_wants() {
        for (value, policy) in [
            ("self", "'self'"),
            ("'none'", "'none'"),
            ("*", "*"),
            ("https://ha.example:8123", "https://ha.example:8123"),
            (
                "https://ha.example/,http://a/",
                "https://ha.example http://a",
            ),
            (
                "'self',http://a, https://*.b:*",
                "'self' http://a https://*.b:*",
            ),
        ] {
            let parsed = FrameAncestors::from_arg_value(value).expect(value);
            assert_eq!(parsed.to_string(), policy, "{value}");
        }
        for wrong in [
            "",
            ",",
            "none,self",
            "ha.example",
            "ftp://a",
            "https://",
            "https://a/b",
            "https://a:b",
            "https://a;script-src *",
            "https://a\r\nX: y",
            "'unsafe-inline'",
        ] {
            assert!(FrameAncestors::from_arg_value(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn no_secret_of_an_address_is_said() {
        for (text, shown) in [
            ("/stream?fps=2", "/stream?fps=2"),
            ("/?token=abc", "/?token=…"),
            ("/?a=1&token=abc&b=2#c", "/?a=1&token=…&b=2#c"),
            ("/?Token=abc&token=def", "/?Token=…&token=…"),
            ("/?token=a?token=b", "/?token=…"),
            ("/?token=", "/?token=…"),
            ("http://a:b@c/d?token=e", "http://c/d?token=…"),
        ] {
            assert_eq!(without_secrets(text), shown, "{text}");
        }
    }
}
