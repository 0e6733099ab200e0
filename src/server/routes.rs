//! Which answer belongs to which address.
//!
//! The aliases are those other servers' users have in their configurations. Unknown query
//! parameters are ignored: OctoPrint, Mainsail and Fluidd append cache busters.

use super::{
    Client, Shared, connection::Peer, controls, gate::Ask, metrics, pages, probe, reply::Reply,
    request::Method, snapshot, status, stream,
};
use crate::{config::without_secrets, fault};
use log::debug;
use std::borrow::Cow;

/// Answers one request; runs on a thread of its own, for as long as a stream lasts.
pub fn answer(client: Client, shared: &Shared) {
    let request = &client.request;
    let url = request.url.clone();
    // The program's own question, every few seconds, is not worth a line.
    if url != probe::TARGET {
        debug!(
            "client {}: {} {}",
            client.id,
            request.method,
            without_secrets(&url)
        );
    }
    assert!(
        !(url == "/fault" && fault::is_due("client")),
        "a fault on purpose"
    );
    let target = Target::parse(&url);
    let checked = shared.gate.check(&ask(&client, &target));
    if let Err(refusal) = checked {
        return refusal.reply().send(client, shared);
    }
    let Target { path, query, .. } = target;
    let takes_changes = path == "/controls";
    let is_allowed = match request.method {
        Method::Get | Method::Head => true,
        Method::Post => takes_changes,
        _ => false,
    };
    if !is_allowed {
        let allowed = if takes_changes {
            "GET, HEAD, POST"
        } else {
            "GET, HEAD"
        };
        return Reply::text(405, "this method is not answered here\n")
            .with("Allow", allowed)
            .send(client, shared);
    }
    let action = query.get("action");
    match (path, action.as_deref()) {
        ("/", Some("stream")) | ("/stream" | "/stream.mjpg" | "/video_feed", _) => {
            stream::answer(client, &query, shared);
        }
        ("/", Some("snapshot")) | ("/snapshot" | "/snapshot.jpg", _) => {
            snapshot::answer(client, &query, shared);
        }
        ("/controls", _) => controls::answer(client, shared),
        ("/state", _) => status::state(client, shared),
        ("/metrics", _) => metrics::answer(client, shared),
        ("/healthz", _) => status::health(client, shared),
        _ => match pages::find(path) {
            Some(page) => page.send(client, &query, shared),
            None => Reply::text(404, "there is nothing here; / is the page\n").send(client, shared),
        },
    }
}

/// What the gate wants to know of `client`.
fn ask<'a>(client: &'a Client, target: &'a Target<'a>) -> Ask<'a> {
    let request = &client.request;
    Ask {
        only_looks: matches!(request.method, Method::Get | Method::Head),
        path: target.path,
        query: &target.query,
        authority: target.authority,
        hosts: request.every("Host").collect(),
        authorization: request.header("Authorization"),
        is_old: request.is_old,
        peer: match client.connection.peer {
            Peer::Tcp(address) => Some(address.ip()),
            Peer::Unix => None,
        },
    }
}

/// A request's target, taken apart.
#[derive(Debug, PartialEq)]
struct Target<'a> {
    /// Host and port, where the client sent them here.
    authority: Option<&'a str>,
    path: &'a str,
    query: Query<'a>,
}

/// The part after the question mark.
#[derive(Debug, PartialEq)]
pub struct Query<'a>(pub(super) &'a str);

impl<'a> Target<'a> {
    /// Takes `/path?query` and `http://host/path?query`, as a client of a proxy would send it.
    fn parse(url: &'a str) -> Target<'a> {
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
            authority,
            path: if path.is_empty() { "/" } else { path },
            query: Query(query),
        }
    }
}

impl<'a> Query<'a> {
    /// The parameters in `text`.
    #[cfg(test)]
    pub fn new(text: &'a str) -> Query<'a> {
        Query(text)
    }

    /// The first value of parameter `name`, decoded; empty when it stands without one.
    pub fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        self.0.split('&').find_map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (key == name).then(|| decode(value))
        })
    }
}

/// Undoes percent-encoding; what is not well encoded stays as it is.
fn decode(text: &str) -> Cow<'_, str> {
    if !text.contains(['%', '+']) {
        return Cow::Borrowed(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let code = match after {
            [high, low, ..] if byte == b'%' => {
                let digit = |byte: u8| char::from(byte).to_digit(16);
                digit(*high)
                    .zip(digit(*low))
                    .and_then(|(high, low)| u8::try_from(high * 16 + low).ok())
            }
            _ => None,
        };
        bytes.push(code.unwrap_or(if byte == b'+' { b' ' } else { byte }));
        rest = &after[if code.is_some() { 2 } else { 0 }..];
    }
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

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
                    authority,
                    path,
                    query: Query(query)
                },
                "{url}"
            );
        }
    }

    #[test]
    fn parameters_are_found_and_decoded() {
        let query = Query("a=1&fps=%32%35&empty&bad=%zz%2&a=2");
        assert_eq!(query.get("a").as_deref(), Some("1"));
        assert_eq!(query.get("fps").as_deref(), Some("25"));
        assert_eq!(query.get("empty").as_deref(), Some(""));
        assert_eq!(query.get("bad").as_deref(), Some("%zz%2"));
        assert_eq!(query.get("none"), None);
    }
}
