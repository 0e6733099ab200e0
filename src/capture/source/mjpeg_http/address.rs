//! An `http://` address taken apart, as far as a request needs it.

use base64::prelude::{BASE64_STANDARD, Engine};
use percent_encoding::percent_decode_str;
use std::fmt;

/// Where a stream is. Path, query and login may be secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    /// Name or number, without brackets.
    pub host: String,
    /// Defaults to the scheme's.
    pub port: u16,
    /// Path and query.
    pub target: String,
    /// `user:password`, as bytes.
    pub login: Option<Vec<u8>>,
}

impl Address {
    /// The address `url` is; `None` when it is of another scheme or none at all.
    pub fn parse(url: &str) -> Option<Address> {
        Address::of_scheme(url, "http", 80)
    }

    /// The same for another scheme, whose usual port is `port`.
    pub fn of_scheme(url: &str, scheme: &str, port: u16) -> Option<Address> {
        let (own_scheme, rest) = url.split_once("://")?;
        if !own_scheme.eq_ignore_ascii_case(scheme) || !rest.bytes().all(|byte| byte > b' ') {
            return None;
        }
        let rest = rest.split('#').next().unwrap_or_default();
        let (authority, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let (login, place) = match authority.rsplit_once('@') {
            Some((login, place)) => (Some(percent_decode_str(login).collect()), place),
            None => (None, authority),
        };
        let (host, own_port) = match place.strip_prefix('[') {
            Some(number) => number.split_once(']')?,
            None => place.split_at(place.find(':').unwrap_or(place.len())),
        };
        let port = match own_port {
            "" | ":" => port,
            port => port.strip_prefix(':')?.parse().ok()?,
        };
        let target = match target {
            target if target.starts_with('/') => target.to_owned(),
            query => format!("/{query}"),
        };
        (!host.is_empty()).then(|| Address {
            host: host.to_owned(),
            port,
            target,
            login,
        })
    }

    /// Where `location` leads from here (RFC 3986, 5.2); `None` when that is no `http://` address. A
    /// password goes along to the same server only.
    pub fn follow(&self, location: &str) -> Option<Address> {
        let scheme_end = location.find([':', '/', '?', '#']).unwrap_or_default();
        if location[scheme_end..].starts_with(':') {
            let mut next = Address::parse(location)?;
            if next.authority() == self.authority() {
                next.login = next.login.or_else(|| self.login.clone());
            }
            return Some(next);
        }
        if let Some(elsewhere) = location.strip_prefix("//") {
            return self.follow(&format!("http://{elsewhere}"));
        }
        let (path, query) = split_query(location.split('#').next().unwrap_or_default());
        let (own_path, own_query) = split_query(&self.target);
        let target = match path {
            "" => format!(
                "{own_path}{}",
                if query.is_empty() { own_query } else { query }
            ),
            path if path.starts_with('/') => format!("{}{query}", without_dots(path)),
            path => {
                let folder = &own_path[..=own_path.rfind('/').unwrap_or(0)];
                format!("{}{query}", without_dots(&format!("{folder}{path}")))
            }
        };
        Some(Address {
            target,
            ..self.clone()
        })
    }

    /// The host as an address has it.
    pub fn bracketed_host(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]", self.host),
            false => self.host.clone(),
        }
    }

    /// Host and port, as the Host header has them.
    pub fn authority(&self) -> String {
        let host = self.bracketed_host();
        match self.port {
            80 => host,
            port => format!("{host}:{port}"),
        }
    }

    /// The value of the Authorization header (RFC 7617).
    pub fn authorization(&self) -> Option<String> {
        let login = self.login.as_deref()?;
        Some(format!("Basic {}", BASE64_STANDARD.encode(login)))
    }
}

/// Path, and query with its `?`.
fn split_query(target: &str) -> (&str, &str) {
    target.split_at(target.find('?').unwrap_or(target.len()))
}

/// The path without `.` and `..` (RFC 3986, 5.2.4).
fn without_dots(path: &str) -> String {
    let mut segments = Vec::new();
    for segment in path.split('/').skip(1) {
        match segment {
            "." => {}
            ".." => drop(segments.pop()),
            segment => segments.push(segment),
        }
    }
    let is_folder = ["/.", "/.."].iter().any(|end| path.ends_with(end));
    let end = if is_folder && !segments.is_empty() {
        "/"
    } else {
        ""
    };
    format!("/{}{end}", segments.join("/"))
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}/…", self.authority())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_apart() {
        let address = |host: &str, port, target: &str, login: Option<&str>| {
            let (host, target) = (host.to_owned(), target.to_owned());
            Some(Address {
                host,
                port,
                target,
                login: login.map(|login| login.as_bytes().to_vec()),
            })
        };
        for (url, expected) in [
            (
                "http://pi.local:8080/stream",
                address("pi.local", 8080, "/stream", None),
            ),
            ("HTTP://pi", address("pi", 80, "/", None)),
            (
                "http://pi?action=stream",
                address("pi", 80, "/?action=stream", None),
            ),
            (
                "http://pi/s?token=a@b#end",
                address("pi", 80, "/s?token=a@b", None),
            ),
            (
                "http://ann:p%40ss@pi:81/s",
                address("pi", 81, "/s", Some("ann:p@ss")),
            ),
            (
                "http://ann:p@ss@pi/s",
                address("pi", 80, "/s", Some("ann:p@ss")),
            ),
            ("http://[::1]:8080/s", address("::1", 8080, "/s", None)),
            ("http://[fe80::1]/s", address("fe80::1", 80, "/s", None)),
            ("https://pi/s", None),
            ("http://:80/s", None),
            ("http://pi:http/s", None),
            ("http://pi/a b", None),
            ("http://pi/a\r\nX: y", None),
        ] {
            assert_eq!(Address::parse(url), expected, "{url}");
        }
    }

    #[test]
    fn a_redirect_is_followed_and_takes_the_password_nowhere_else() {
        let from = Address::parse("http://ann:x@pi:8080/a/b?c=/d").expect("one");
        for (location, authority, target, keeps) in [
            ("/s?x=1#y", "pi:8080", "/s?x=1", true),
            ("s", "pi:8080", "/a/s", true),
            ("http://pi:8080/s", "pi:8080", "/s", true),
            ("http://pi/s", "pi", "/s", false),
            ("//other/s", "other", "/s", false),
            ("?x=/../y", "pi:8080", "/a/b?x=/../y", true),
            ("", "pi:8080", "/a/b?c=/d", true),
            ("#end", "pi:8080", "/a/b?c=/d", true),
            ("../s", "pi:8080", "/s", true),
            ("../../../s/./t/../u?v=../w", "pi:8080", "/s/u?v=../w", true),
            ("./", "pi:8080", "/a/", true),
            ("..", "pi:8080", "/", true),
            ("s/..", "pi:8080", "/a/", true),
            ("/x/../y/.", "pi:8080", "/y/", true),
            ("/?action=stream", "pi:8080", "/?action=stream", true),
            ("s?to=http://x/", "pi:8080", "/a/s?to=http://x/", true),
        ] {
            let to = from.follow(location).expect("one");
            assert_eq!(
                (to.authority().as_str(), to.target.as_str()),
                (authority, target),
                "{location}"
            );
            assert_eq!(to.login.is_some(), keeps, "{location}");
        }
        for other in ["https://pi/s", "mailto:ann@pi", "rtsp://pi/s"] {
            assert_eq!(from.follow(other), None, "{other}");
        }
    }

    #[test]
    fn a_login_is_sent_as_base64() {
        for (login, expected) in [
            ("ann:open sesame", "Basic YW5uOm9wZW4gc2VzYW1l"),
            ("a:", "Basic YTo="),
            ("a:b", "Basic YTpi"),
            (":ÿ?", "Basic OsO/Pw=="),
        ] {
            let address = Address {
                login: Some(login.into()),
                ..Address::parse("http://a").expect("one")
            };
            assert_eq!(address.authorization().as_deref(), Some(expected));
        }
    }
}
