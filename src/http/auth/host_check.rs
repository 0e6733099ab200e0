//! By which name a request asks: the answer to DNS rebinding.
//!
//! A page from anywhere can point its own name at this machine's address; the browser then takes
//! the feed for a part of that page and lets its scripts read it. What the page cannot do is
//! change the name the browser asks for. So a request is answered when it names an address, or a
//! name that belongs to this machine and that nobody else can point here. A name without a dot is
//! one of these: nobody outside can register it, and proxies and containers use such names
//! (MainsailOS' nginx asks for `mjpgstreamer1`, the name of its upstream block).

use crate::{
    config::{HostPattern, is_under},
    http::{request::Request, response::Response},
    system::log_limit::LogLimiter,
};
use argh::FromArgValue;
use log::warn;
use parking_lot::Mutex;
use std::{
    collections::VecDeque,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// What routers and mDNS put behind a machine's own name. Nobody can buy a name below these.
const HOME_SUFFIXES: [&str; 7] = [
    "local",
    "lan",
    "home",
    "home.arpa",
    "internal",
    "localdomain",
    "fritz.box",
];

/// Longest label of a DNS name.
const MOST_LABEL_BYTES: usize = 63;

/// Longest DNS name, without the dot of the root.
const MOST_NAME_BYTES: usize = 253;

/// Refused names that are remembered, so that each is logged once.
const MOST_NAMES: usize = 32;

/// Lines a minute about refused names.
const LINES: u32 = 6;

/// The names that were refused and logged.
#[derive(Debug)]
pub struct RefusedNames {
    /// The last ones, oldest first. Held to look one up.
    logged: Mutex<VecDeque<String>>,
    lines: LogLimiter,
}

impl Default for RefusedNames {
    fn default() -> RefusedNames {
        RefusedNames {
            logged: Mutex::default(),
            lines: LogLimiter::per_minute(LINES),
        }
    }
}

impl RefusedNames {
    /// Logs `name`, once, with the option that allows it; true when it did.
    fn note(&self, name: &str, peer: IpAddr) -> bool {
        let key = normal(name);
        let mut logged = self.logged.lock();
        if logged.contains(&key) {
            return false;
        }
        let Some(suppressed) = self.lines.permit() else {
            return false;
        };
        if logged.len() >= MOST_NAMES {
            logged.pop_front();
        }
        logged.push_back(key);
        drop(logged);
        warn!(
            "refused requests for the name `{name}` peer={peer}{}{suppressed}",
            advice(name)
        );
        true
    }
}

/// How to allow `name`; nothing where the option would not take it. Whoever asks chooses the name, and
/// people copy commands into a shell.
fn advice(name: &str) -> String {
    match HostPattern::from_arg_value(name) {
        Ok(HostPattern::Name(_)) => {
            format!("; if it is a name of this machine, start camfeed with --allow-host {name}")
        }
        _ => String::new(),
    }
}

/// Refuses a request that asks for a name which is not ours, and notes that name in `refused`.
pub fn check(
    request: &Request,
    allowed: &[HostPattern],
    refused: &RefusedNames,
) -> Result<(), Response> {
    let Some(peer) = request.peer.ip() else {
        return Ok(()); // A Unix socket has no name, and browsers do not get at it.
    };
    let mut hosts = request.header_values("Host");
    let header = hosts.next().unwrap_or_default();
    if hosts.next().is_some() {
        return Err(Response::text(400, "more than one Host header\n"));
    }
    if header.is_empty() && !request.is_http_1_0 {
        return Err(Response::text(400, "no Host header\n"));
    }
    let host = request.target.authority.as_deref().unwrap_or(header);
    let uname = rustix::system::uname();
    if host.is_empty() || is_ours(host, &uname.nodename().to_string_lossy(), allowed) {
        return Ok(());
    }
    let name = without_port(host).unwrap_or(host);
    let mut name = name.replace(|letter: char| !letter.is_ascii_graphic(), "?");
    name.truncate(MOST_NAME_BYTES + 2);
    refused.note(&name, peer);
    let line = format!(
        "`{name}` is not known as a name of this machine{}\n",
        advice(&name)
    );
    Err(Response::text(421, line))
}

/// True when `host`, which may carry a port, is an address or a name of the machine `nodename`.
fn is_ours(host: &str, nodename: &str, allowed: &[HostPattern]) -> bool {
    let Some(name) = without_port(host) else {
        return false;
    };
    if let Some(ip) = name.strip_prefix('[').and_then(|ip| ip.strip_suffix(']')) {
        // Of a link-local address some clients send the interface too.
        let ip = ip.split('%').next().unwrap_or_default();
        return ip.parse::<Ipv6Addr>().is_ok();
    }
    let name = normal(name);
    if name.is_empty() {
        return false;
    }
    name.parse::<Ipv4Addr>().is_ok()
        || is_single_label(&name)
        || is_under(&name, "localhost")
        || is_named(&name, &normal(nodename))
        || allowed.iter().any(|pattern| pattern.matches(&name))
}

/// True for a name without a dot.
fn is_single_label(name: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=MOST_LABEL_BYTES).contains(&name.len()) && name.bytes().all(is_allowed)
}

/// True when `name` is what a machine called `nodename` is known as at home.
fn is_named(name: &str, nodename: &str) -> bool {
    let label = nodename.split('.').next().unwrap_or_default();
    if label.is_empty() {
        return false;
    }
    let behind_label = name
        .strip_prefix(label)
        .and_then(|rest| rest.strip_prefix('.'));
    name == nodename || behind_label.is_some_and(|suffix| HOME_SUFFIXES.contains(&suffix))
}

/// In lower case, without the dot of the root.
fn normal(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

/// `None` when what follows the colon is no port.
fn without_port(host: &str) -> Option<&str> {
    let name_end = if host.starts_with('[') {
        host.find(']')? + 1
    } else {
        host.find(':').unwrap_or(host.len())
    };
    let (name, rest) = host.split_at(name_end);
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    (rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::net::listener::Peer;

    const LONGEST_LABEL: &str = "a23456789012345678901234567890123456789012345678901234567890123";

    #[test]
    fn a_name_is_ours_or_not() {
        let allowed = ["cam.example.org", "*.example.net"]
            .map(|name| HostPattern::from_arg_value(name).expect(name));
        for (host, is_ours_here) in [
            ("192.0.2.7", true),
            ("192.0.2.7:8080", true),
            ("[::1]", true),
            ("[2001:db8::1]:8080", true),
            ("[fe80::1%eth0]:80", true),
            ("localhost", true),
            ("LocalHost.:8080", true),
            ("cam.localhost:1", true),
            ("garden", true),
            ("Garden:8080", true),
            ("garden.local", true),
            ("garden.local.:80", true),
            ("garden.lan", true),
            ("garden.home", true),
            ("garden.home.arpa", true),
            ("garden.internal", true),
            ("garden.localdomain", true),
            ("garden.fritz.box", true),
            ("cam.example.org:8443", true),
            ("CAM.example.org", true),
            ("a.example.net", true),
            ("example.net", false),
            ("evil.example", false),
            ("garden.evil.example", false),
            ("garden.local.evil.example", false),
            ("evil.local", false),
            ("xgarden.local", false),
            ("gardenlocal", true),
            ("mjpgstreamer1", true),
            ("my_cam-2:80", true),
            ("WebCam.", true),
            (LONGEST_LABEL, true),
            (&format!("{LONGEST_LABEL}x"), false),
            ("web cam", false),
            ("wéb", false),
            ("web..", false),
            ("web%63am", false),
            ("localhost.evil.example", false),
            ("192.0.2.7.evil.example", false),
            ("192.0.2", false),
            ("0x7f.1", false),
            ("::1", false),
            ("[evil.example]", false),
            ("[::1]evil.example", false),
            ("[::1", false),
            ("localhost:80@evil.example", false),
            ("user@localhost", false),
            ("localhost:8o", false),
            (".localhost", false),
            (".", false),
            (":80", false),
        ] {
            assert_eq!(is_ours(host, "garden", &allowed), is_ours_here, "{host}");
        }
    }

    #[test]
    fn a_machine_with_a_full_name_has_it_and_its_first_label() {
        for (host, is_ours_here) in [
            ("pi.example.org", true),
            ("PI.Example.Org.:80", true),
            ("pi", true),
            ("pi.local", true),
            ("example.org", false),
            ("x.pi.example.org", false),
            ("pi.example.org.local", false),
        ] {
            assert_eq!(
                is_ours(host, "Pi.example.org.", &[]),
                is_ours_here,
                "{host}"
            );
        }
        assert!(!is_ours("", "", &[]) && !is_ours(".local", "", &[]));
    }

    #[test]
    fn a_request_names_one_host_or_is_old() {
        let evil = "evil.example";
        for (hosts, authority, is_http_1_0, status) in [
            (&["localhost"][..], None, false, 0),
            (&[evil], None, false, 421),
            (&[evil], None, true, 421),
            (&[], None, false, 400),
            (&[""], None, false, 400),
            (&[], None, true, 0),
            (&["localhost", "localhost"], None, false, 400),
            (&["localhost", evil], None, true, 400),
            (&["localhost"], Some(evil), false, 421),
            (&[evil], Some("localhost:80"), false, 0),
            (&[], Some(evil), true, 421),
        ] {
            let mut ask = Request::example("/stream", None);
            ask.set_hosts(hosts);
            ask.target.authority = authority.map(str::to_owned);
            ask.is_http_1_0 = is_http_1_0;
            let names = RefusedNames::default();
            let refused = check(&ask, &[], &names).map_or_else(|refusal| refusal.status(), |()| 0);
            assert_eq!(refused, status, "{ask:?}");
            let on_unix = Request {
                peer: Peer::Unix,
                ..ask
            };
            assert!(check(&on_unix, &[], &names).is_ok());
        }
    }

    #[test]
    fn the_refusal_names_the_host_and_the_way_out() {
        let mut ask = Request::example("/", None);
        ask.set_hosts(&["evil.example:80"]);
        let refusal = check(&ask, &[], &RefusedNames::default()).expect_err("not ours");
        let line = String::from_utf8_lossy(refusal.body());
        assert!(
            line.contains("`evil.example`") && line.contains("--allow-host evil.example\n"),
            "{line}"
        );
    }

    #[test]
    fn no_command_is_made_of_what_the_option_would_refuse() {
        for host in [
            "x.y;reboot",
            "$(reboot).example",
            "*",
            "*.evil.example",
            "a..b",
            "wéb.x",
            &format!("{}x", "x.".repeat(127)),
        ] {
            // In the target, where it may be no ASCII.
            let mut ask = Request::example("/", None);
            ask.target.authority = Some(host.to_owned());
            let refusal = check(&ask, &[], &RefusedNames::default()).expect_err("not ours");
            let line = String::from_utf8_lossy(refusal.body());
            assert!(!line.contains("--allow-host"), "{line}");
        }
    }

    #[test]
    fn a_refused_name_is_logged_once_and_few_in_a_minute() {
        let peer = IpAddr::from([192, 0, 2, 1]);
        let names = RefusedNames::default();
        assert!(names.note("evil.example", peer));
        assert!(!names.note("Evil.example.", peer));
        let others = (0..100).filter(|number| names.note(&format!("{number}.example"), peer));
        assert_eq!(others.count() as u32, LINES - 1);
        let names = RefusedNames {
            lines: LogLimiter::per_minute(1000),
            ..RefusedNames::default()
        };
        for number in 0..MOST_NAMES {
            assert!(names.note(&format!("{number}.example"), peer));
        }
        assert!(!names.note("0.example", peer), "remembered");
        assert!(names.note("one.more.example", peer));
        assert!(names.note("0.example", peer), "forgotten for another");
        assert_eq!(names.logged.lock().len(), MOST_NAMES);
    }
}
