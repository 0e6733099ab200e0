//! The page and what belongs to it, embedded in the binary.

use crate::http::{
    answers::etag::is_named, app::App, request::Request, response::Response, scope::Scope,
};
use flate2::{Compression, write::GzEncoder};
use parking_lot::Mutex;
use std::{
    borrow::Cow,
    hash::{DefaultHasher, Hasher},
    io::Write,
    thread,
};

/// Nothing from elsewhere, nothing inline; who may show it in a frame is added.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' blob: data:; connect-src 'self'; base-uri 'none'; form-action 'none'; \
    frame-ancestors ";

/// What stands in a page for its title.
const TITLE: &str = "<title>camfeed</title>";

/// The page of one camera, and that of all.
const PAGE: &str = "index.html";
const GRID: &str = "grid.html";

/// What stands in the page of all for the cameras' names, and for what shows them without JavaScript.
const NAMES: &str = "data-cameras=\"\"";
const PLAIN: &str = "<!-- cameras -->";

/// So many streams leave a browser, which has six connections, one for everything else.
const MOST_PLAIN_STREAMS: usize = 5;

/// What stands in the page of one camera for the way to that of all.
const WAY_TO_ALL: &str = "href=\"../\" hidden";

/// An embedded file.
#[derive(Debug)]
pub struct Page {
    /// Below `static/`.
    name: &'static str,
    /// All of them are UTF-8.
    media_type: &'static str,
    body: &'static [u8],
}

/// A list of files of `static/` with their types.
macro_rules! pages {
    ($($name:literal: $media_type:literal,)+) => {
        &[$(Page {
            name: $name,
            media_type: $media_type,
            body: include_bytes!(concat!("../../../static/", $name)),
        },)+]
    };
}

/// All of them.
static PAGES: &[Page] = pages! {
    "index.html": "text/html",
    "grid.html": "text/html",
    "style.css": "text/css",
    "icon.svg": "image/svg+xml",
    "parts.js": "text/javascript",
    "server.js": "text/javascript",
    "player.js": "text/javascript",
    "begin.js": "text/javascript",
    "verdict.js": "text/javascript",
    "page.js": "text/javascript",
    "view.js": "text/javascript",
    "panels.js": "text/javascript",
    "stage.js": "text/javascript",
    "main.js": "text/javascript",
    "streams.js": "text/javascript",
    "begin-all.js": "text/javascript",
    "tile.js": "text/javascript",
    "wall.js": "text/javascript",
    "grid.js": "text/javascript",
    "ticker.js": "text/javascript",
};

/// The other addresses that the page loads by itself.
const IMAGES: [&str; 2] = ["stream", "snapshot.jpg"];

/// The file at `path`; `is_of_all`: it shows all cameras, of which there are several.
pub fn find(path: &str, is_of_all: bool) -> Option<&'static Page> {
    let name = match path {
        "/" | "/index.html" if is_of_all => GRID,
        "/" | "/index.html" => PAGE,
        "/favicon.ico" => "icon.svg",
        _ => path
            .strip_prefix("/static/")
            .filter(|name| ![PAGE, GRID].contains(name))?,
    };
    PAGES.iter().find(|page| page.name == name)
}

impl Page {
    /// The answer to `request` for it: a browser keeps it and asks each time whether it has changed.
    pub fn answer(&self, request: &Request, app: &App, scope: &Scope) -> Response {
        let policy = format!("{POLICY}{}", app.frame_ancestors);
        let content_type = format!("{}; charset=utf-8", self.media_type);
        let token = app.access.token_in(&request.target.query);
        let plain = self.body_with(token.as_deref());
        let name = match scope.is_named {
            true => &scope.camera.config.name,
            false => &app.cameras.name,
        };
        let plain = self.titled(plain, name.as_str());
        let all = app.cameras.all();
        let names: Vec<_> = all.iter().filter_map(|camera| camera.address()).collect();
        let plain = match self.name {
            GRID => with_cameras(plain, &names, token.as_deref()),
            PAGE if scope.is_named && all.len() > 1 => with_way_to_all(plain, token.as_deref()),
            _ => plain,
        };
        let packed = accepts_gzip(request.header_values("Accept-Encoding"))
            .then(|| gzip(&plain))
            .flatten();
        let is_packed = packed.is_some();
        let body = packed.map_or(plain, Cow::Owned);
        let etag = etag(&body);
        let mut kept = request.header_values("If-None-Match");
        let response = if kept.any(|kept| is_named(kept, &etag)) {
            Response::new(304, &content_type, &[][..])
        } else {
            Response::new(200, &content_type, body)
        };
        let response = if is_packed {
            response.with("Content-Encoding", "gzip")
        } else {
            response
        };
        response
            .with("Cache-Control", "no-cache")
            .with("Vary", "Accept-Encoding")
            .with("ETag", &etag)
            .with("Content-Security-Policy", &policy)
            .with("Referrer-Policy", "no-referrer")
    }

    /// The body. `token` stands behind each address that the browser loads by itself: links in HTML,
    /// imports in scripts. No other place works in a frame, and for two cameras on one host, as a
    /// cookie would not.
    fn body_with(&self, token: Option<&str>) -> Cow<'static, [u8]> {
        let (Some(token), Ok(text)) = (token, std::str::from_utf8(self.body)) else {
            return Cow::Borrowed(self.body);
        };
        let with = |text: String, link: String| {
            text.replace(
                &link,
                &format!(
                    "{}?token={token}{quote}",
                    &link[..link.len() - 1],
                    quote = &link[..1]
                ),
            )
        };
        let text = self.links().fold(text.to_owned(), with);
        Cow::Owned(text.into_bytes())
    }

    /// `body`, a page's with `name` as its title: the tab has it without a script, too.
    fn titled(&self, body: Cow<'static, [u8]>, name: &str) -> Cow<'static, [u8]> {
        match std::str::from_utf8(&body) {
            Ok(text) if self.media_type == "text/html" => {
                let title = format!("<title>{}</title>", escaped(name));
                Cow::Owned(text.replacen(TITLE, &title, 1).into_bytes())
            }
            _ => body,
        }
    }

    /// The addresses that it may hold, in their quotes.
    fn links(&self) -> impl Iterator<Item = String> {
        let (quote, folder, others) = match self.media_type {
            "text/html" => ('"', "static/", &IMAGES[..]),
            _ => ('\'', "./", &[][..]),
        };
        let files = PAGES
            .iter()
            .map(move |page| format!("{quote}{folder}{}{quote}", page.name));
        files.chain(
            others
                .iter()
                .map(move |other| format!("{quote}{other}{quote}")),
        )
    }
}

/// `body`, that of the page of all, with the names of the cameras.
fn with_cameras(
    body: Cow<'static, [u8]>,
    names: &[&str],
    token: Option<&str>,
) -> Cow<'static, [u8]> {
    let query = query_of(token);
    let plain = names.iter().enumerate().map(|(at, name)| {
        let name = escaped(name);
        let picture = match at < MOST_PLAIN_STREAMS {
            true => format!("<img src=\"{name}/stream{query}\" alt=\"{name}\">"),
            false => String::new(),
        };
        format!(
            "<p>{picture}<a href=\"{name}/{query}\">{name}</a> \
             (<a href=\"{name}/snapshot.jpg{query}\">snapshot</a>)</p>"
        )
    });
    let plain: String = plain.collect();
    let names = format!("data-cameras=\"{}\"", escaped(&names.join(" ")));
    replaced(replaced(body, NAMES, &names), PLAIN, &plain)
}

/// `body`, that of the page of one camera among several, with the way to the others.
fn with_way_to_all(body: Cow<'static, [u8]>, token: Option<&str>) -> Cow<'static, [u8]> {
    replaced(
        body,
        WAY_TO_ALL,
        &format!("href=\"../{}\"", query_of(token)),
    )
}

fn query_of(token: Option<&str>) -> String {
    token.map_or_else(String::new, |token| format!("?token={token}"))
}

fn replaced(body: Cow<'static, [u8]>, from: &str, to: &str) -> Cow<'static, [u8]> {
    match std::str::from_utf8(&body) {
        Ok(text) => Cow::Owned(text.replace(from, to).into_bytes()),
        Err(_) => body,
    }
}

/// `text` as HTML.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// Whether one of the lists `accepted` names gzip without refusing it (RFC 9110, 12.5.3).
fn accepts_gzip<'a>(mut accepted: impl Iterator<Item = &'a str>) -> bool {
    accepted.any(|list| {
        list.split(',').any(|coding| {
            let (name, weight) = coding.split_once(';').unwrap_or((coding, "q=1"));
            let weight = weight.trim().strip_prefix("q=").map(str::parse::<f32>);
            name.trim().eq_ignore_ascii_case("gzip") && matches!(weight, Some(Ok(q)) if q > 0.0)
        })
    })
}

/// A third of the page's bytes, which is worth it on a slow link. The encoder needs more of a stack than
/// a client's thread has: it has a thread of its own, one at a time. None when there is none to be had.
fn gzip(body: &[u8]) -> Option<Vec<u8>> {
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock();
    let pack = || {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(body)?;
        encoder.finish()
    };
    thread::scope(|scope| {
        let thread = thread::Builder::new().name("gzip".to_owned());
        let packed = thread.spawn_scoped(scope, pack).ok()?.join();
        packed.ok()?.ok()
    })
}

/// An entity tag of `body`.
fn etag(body: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    hasher.write(body);
    format!("\"{:016x}\"", hasher.finish())
}

#[cfg(test)]
mod tests;
