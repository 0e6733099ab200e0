//! A request's target: host, path and query.

use percent_encoding::percent_decode_str;
use std::{borrow::Cow, fmt, str::FromStr};

/// A request's target, taken apart.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// Host and port, as clients of a proxy send them here.
    pub authority: Option<String>,
    /// Begins with a slash.
    pub path: String,
    /// Empty when there is none.
    pub query: Query,
}

/// The part after the question mark.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Query(pub String);

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = if self.query.0.is_empty() { "" } else { "?" };
        write!(f, "{}{mark}{}", self.path, self.query.0)
    }
}

impl Target {
    /// Takes `/path?query` and `http://host/path?query`, as a client of a proxy would send it.
    pub fn parse(url: &str) -> Target {
        let url = url.split('#').next().unwrap_or_default();
        let (authority, local) = match url.split_once("://") {
            Some((scheme, rest)) if !scheme.contains(['/', '?']) => {
                let (authority, local) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
                (Some(authority), local)
            }
            _ => (None, url),
        };
        let (path, query) = local.split_once('?').unwrap_or((local, ""));
        Target {
            authority: authority.map(str::to_owned),
            path: if path.is_empty() { "/" } else { path }.to_owned(),
            query: Query(query.to_owned()),
        }
    }
}

impl Query {
    /// The first value of parameter `name`, decoded; empty when it stands without one.
    pub fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        self.pairs()
            .find_map(|(key, value)| (key == name).then(|| decode(value)))
    }

    /// The value of mjpg-streamer's `action`, written in any case of letters. Some programs append a
    /// question mark and a number to any address.
    pub fn action(&self) -> Option<Cow<'_, str>> {
        let (_, value) = self
            .pairs()
            .find(|(key, _)| key.eq_ignore_ascii_case("action"))?;
        value.split('?').next().map(decode)
    }

    fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        let pairs = self.0.split('&');
        pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")))
    }

    /// The number in parameter `name`, if there is one. Of another value, a line says what is `allowed`.
    pub fn number<T: FromStr>(
        &self,
        name: &str,
        is_allowed: impl Fn(&T) -> bool,
        allowed: &str,
    ) -> Result<Option<T>, String> {
        let Some(text) = self.get(name) else {
            return Ok(None);
        };
        let number = text.parse().ok().filter(is_allowed);
        number.map(Some).ok_or_else(|| wrong(name, &text, allowed))
    }
}

/// A line that says what is `allowed` in parameter `name`, and how the value that is there begins.
pub fn wrong(name: &str, text: &str, allowed: &str) -> String {
    format!("{name}=`{}`: allowed {allowed}\n", shown(text))
}

/// How a text that a client sent begins.
pub fn shown(text: &str) -> String {
    let letters = text.chars().filter(|letter| !letter.is_control());
    letters.take(40).collect()
}

/// Decodes a value of a query; what is not well encoded stays as it is.
fn decode(text: &str) -> Cow<'_, str> {
    if !text.contains(['%', '+']) {
        return Cow::Borrowed(text);
    }
    let text = text.replace('+', " ");
    let decoded = percent_decode_str(&text).decode_utf8_lossy().into_owned();
    Cow::Owned(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Query {
        /// The parameters in `text`.
        pub fn new(text: &str) -> Query {
            Query(text.to_owned())
        }
    }

    #[test]
    fn targets_are_taken_apart() {
        for (url, authority, path, query) in [
            ("/", None, "/", ""),
            ("/stream?fps=5", None, "/stream", "fps=5"),
            ("/?action=stream?1234", None, "/", "action=stream?1234"),
            ("http://pi:8080/state?x", Some("pi:8080"), "/state", "x"),
            ("http://pi:8080", Some("pi:8080"), "/", ""),
            ("http://pi?action=stream", Some("pi"), "/", "action=stream"),
            ("http:///state", Some(""), "/state", ""),
            ("/a?b=http://c/d", None, "/a", "b=http://c/d"),
            ("*", None, "*", ""),
            ("", None, "/", ""),
        ] {
            assert_eq!(
                Target::parse(url),
                Target {
                    authority: authority.map(str::to_owned),
                    path: path.to_owned(),
                    query: Query::new(query)
                },
                "{url}"
            );
        }
    }

    #[test]
    fn parameters_are_found_and_decoded() {
        let query = Query::new("a=1&fps=%32%35&empty&bad=%zz%2&a=2");
        assert_eq!(query.get("a").as_deref(), Some("1"));
        assert_eq!(query.get("fps").as_deref(), Some("25"));
        assert_eq!(query.get("empty").as_deref(), Some(""));
        assert_eq!(query.get("bad").as_deref(), Some("%zz%2"));
        assert_eq!(query.get("none"), None);
    }
}
