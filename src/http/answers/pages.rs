//! The page and what belongs to it, embedded in the binary.

use crate::http::{app::App, query::Query, response::Response};
use std::borrow::Cow;

/// Nothing from elsewhere, nothing inline; who may show it in a frame is added.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' blob: data:; connect-src 'self'; base-uri 'none'; form-action 'none'; \
    frame-ancestors ";

/// What the page loads by itself: a token it was opened with is put behind each, for want of
/// another place that works in a frame and for two cameras on one host, as a cookie would not.
const LINKS: [&str; 6] = [
    "static/icon.svg",
    "static/style.css",
    "static/addresses.js",
    "static/app.js",
    "stream",
    "snapshot.jpg",
];

/// What stands in the page for its title.
const TITLE: &str = "<title>camfeed</title>";

/// An embedded file.
#[derive(Debug)]
pub struct Page {
    /// All of them are UTF-8.
    media_type: &'static str,
    body: &'static [u8],
}

const INDEX: Page = page("text/html", include_bytes!("../../../static/index.html"));
const SCRIPT: Page = page("text/javascript", include_bytes!("../../../static/app.js"));
const ADDRESSES: Page = page(
    "text/javascript",
    include_bytes!("../../../static/addresses.js"),
);
const STYLE: Page = page("text/css", include_bytes!("../../../static/style.css"));
const ICON: Page = page("image/svg+xml", include_bytes!("../../../static/icon.svg"));

/// The file at `path`.
pub fn find(path: &str) -> Option<&'static Page> {
    match path {
        "/" | "/index.html" => Some(&INDEX),
        "/static/app.js" => Some(&SCRIPT),
        "/static/addresses.js" => Some(&ADDRESSES),
        "/static/style.css" => Some(&STYLE),
        "/static/icon.svg" | "/favicon.ico" => Some(&ICON),
        _ => None,
    }
}

const fn page(media_type: &'static str, body: &'static [u8]) -> Page {
    Page { media_type, body }
}

impl Page {
    /// It, as asked for with `query`.
    pub fn answer(&self, query: &Query, app: &App) -> Response {
        let policy = format!("{POLICY}{}", app.frame_ancestors);
        let content_type = format!("{}; charset=utf-8", self.media_type);
        let token = app.access.token_in(query);
        let body = self.body_with(token.as_deref());
        let body = self.titled(body, app.camera.config.name.as_str());
        Response::new(200, &content_type, body)
            .with("Cache-Control", "no-cache")
            .with("Content-Security-Policy", &policy)
            .with("Referrer-Policy", "no-referrer")
    }

    fn body_with(&self, token: Option<&str>) -> Cow<'static, [u8]> {
        match (token, std::str::from_utf8(self.body)) {
            (Some(token), Ok(text)) if self.media_type == "text/html" => {
                let with = |text: String, link: &&str| {
                    text.replace(
                        &format!("=\"{link}\""),
                        &format!("=\"{link}?token={token}\""),
                    )
                };
                let text = LINKS.iter().fold(text.to_owned(), with);
                Cow::Owned(text.into_bytes())
            }
            _ => Cow::Borrowed(self.body),
        }
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
}

/// `text` as HTML.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_link_of_the_page_carries_the_token_on() {
        let body = INDEX.body_with(Some("abc")).into_owned();
        let text = String::from_utf8(body).expect("UTF-8");
        let links: Vec<_> = text
            .split(['<', ' ', '>'])
            .filter(|word| word.starts_with("href=") || word.starts_with("src="))
            .collect();
        assert_eq!(links.len(), LINKS.len(), "{links:?}");
        for link in links {
            assert!(link.ends_with("?token=abc\""), "{link}");
        }
        assert_eq!(*INDEX.body_with(None), *INDEX.body);
        assert_eq!(*SCRIPT.body_with(Some("abc")), *SCRIPT.body);
    }

    #[test]
    fn the_page_has_the_cameras_name_as_its_title() {
        for (name, title) in [
            ("Garden", "<title>Garden</title>"),
            (
                "<b>&amp;</title>",
                "<title>&lt;b&gt;&amp;amp;&lt;/title&gt;</title>",
            ),
            ("$1 \\0", "<title>$1 \\0</title>"),
        ] {
            let body = INDEX.titled(INDEX.body_with(None), name).into_owned();
            let text = String::from_utf8(body).expect("UTF-8");
            assert_eq!(text.matches("<title>").count(), 1);
            assert!(text.contains(title), "{name}");
            let rest = text.replace(title, TITLE);
            assert_eq!(rest.as_bytes(), INDEX.body, "{name}: nothing else changes");
        }
        let script = SCRIPT.titled(SCRIPT.body_with(None), "x");
        assert_eq!(*script, *SCRIPT.body);
    }
}
