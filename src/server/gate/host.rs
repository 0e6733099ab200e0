//! By which name a request asks: the answer to DNS rebinding.
//!
//! A page from anywhere can point its own name at this machine's address; the browser then takes
//! the feed for a part of that page and lets its scripts read it. What the page cannot do is
//! change the name the browser asks for. So a request is answered when it names an address, or a
//! name that belongs to this machine and that nobody else can point here.

use super::{Ask, Refusal};
use crate::config::{HostPattern, is_under};
use std::net::{Ipv4Addr, Ipv6Addr};

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

/// Refuses a request that asks for a name which is not ours.
pub fn check(ask: &Ask<'_>, allowed: &[HostPattern]) -> Result<(), Refusal> {
    if ask.peer.is_none() {
        return Ok(()); // A Unix socket has no name, and browsers do not get at it.
    }
    let header = match ask.hosts.as_slice() {
        [] => "",
        [host] => host,
        _ => return Err(Refusal::new(400, "more than one Host header\n")),
    };
    if header.is_empty() && !ask.is_old {
        return Err(Refusal::new(400, "no Host header\n"));
    }
    let host = ask.authority.unwrap_or(header);
    let uname = rustix::system::uname();
    if host.is_empty() || is_ours(host, &uname.nodename().to_string_lossy(), allowed) {
        return Ok(());
    }
    let name: String = without_port(host)
        .unwrap_or(host)
        .chars()
        .filter(|letter| letter.is_ascii_graphic())
        .take(100)
        .collect();
    Err(Refusal::new(
        421,
        &format!(
            "`{name}` is not known as a name of this machine; if it is one, start camfeed with \
             --allow-host {name}\n"
        ),
    ))
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
        || name == "localhost"
        || is_under(&name, "localhost")
        || is_named(&name, &normal(nodename))
        || allowed.iter().any(|pattern| pattern.matches(&name))
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
    name == nodename
        || name == label
        || behind_label.is_some_and(|suffix| HOME_SUFFIXES.contains(&suffix))
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
    use argh::FromArgValue;

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
            ("gardenlocal", false),
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
        for (hosts, authority, is_old, status) in [
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
            let ask = Ask {
                hosts: hosts.to_vec(),
                authority,
                is_old,
                ..Ask::example("/stream")
            };
            let refused = check(&ask, &[]).map_or_else(|refusal| refusal.status, |()| 0);
            assert_eq!(refused, status, "{ask:?}");
            let on_unix = Ask { peer: None, ..ask };
            assert!(check(&on_unix, &[]).is_ok());
        }
    }

    #[test]
    fn the_refusal_names_the_host_and_the_way_out() {
        let ask = Ask {
            hosts: vec!["evil.example:80"],
            ..Ask::example("/")
        };
        let refusal = check(&ask, &[]).expect_err("not ours");
        assert!(
            refusal.line.contains("`evil.example`")
                && refusal.line.contains("--allow-host evil.example\n"),
            "{}",
            refusal.line
        );
    }
}
