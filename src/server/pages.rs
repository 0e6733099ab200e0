//! The page and what belongs to it, embedded in the binary.

use super::{Client, Shared, reply::Reply};

/// Nothing from elsewhere, nothing inline.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' blob: data:; connect-src 'self'; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'self'";

/// An embedded file.
#[derive(Debug)]
pub struct Page {
    content_type: &'static str,
    body: &'static [u8],
}

const INDEX: Page = Page {
    content_type: "text/html; charset=utf-8",
    body: include_bytes!("../../static/index.html"),
};
const SCRIPT: Page = Page {
    content_type: "text/javascript; charset=utf-8",
    body: include_bytes!("../../static/app.js"),
};
const STYLE: Page = Page {
    content_type: "text/css; charset=utf-8",
    body: include_bytes!("../../static/style.css"),
};
const ICON: Page = Page {
    content_type: "image/svg+xml",
    body: include_bytes!("../../static/icon.svg"),
};

/// The file at `path`.
pub fn find(path: &str) -> Option<&'static Page> {
    match path {
        "/" | "/index.html" => Some(&INDEX),
        "/static/app.js" => Some(&SCRIPT),
        "/static/style.css" => Some(&STYLE),
        "/static/icon.svg" | "/favicon.ico" => Some(&ICON),
        _ => None,
    }
}

impl Page {
    /// Sends it.
    pub fn send(&self, client: Client, shared: &Shared) {
        Reply::new(200, self.content_type, self.body)
            .with("Cache-Control", "no-cache")
            .with("Content-Security-Policy", POLICY)
            .with("Referrer-Policy", "no-referrer")
            .send(client, shared);
    }
}
