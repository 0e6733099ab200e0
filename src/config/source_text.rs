//! The text of a source that may hold secrets, and how much of it is ever shown.
//!
//! Cameras take names, passwords, keys and tokens anywhere in an address, and pipelines in any
//! property, so no list of known names can be complete. What is shown is what cannot be a secret: of
//! an address scheme, host and port (`http://cam:8080/…`), of a pipeline its elements
//! (`gst:rtspsrc ! rtph264depay ! appsink`). Whatever cannot be told for sure is left out.

use std::{
    borrow::Cow,
    fmt,
    net::{Ipv4Addr, Ipv6Addr},
};

/// Stands for what is not shown.
const HIDDEN: &str = "…";

/// What the address of a stream begins with, before its `://`.
pub const SCHEMES: [&str; 7] = ["http", "https", "rtsp", "rtsps", "rtmp", "udp", "tcp"];

/// What a pipeline's source begins with.
pub const GST: &str = "gst:";

/// The words behind whose colon a size and a rate stand, as in `test:WxH@FPS`.
const SIZED: [&str; 1] = ["test"];

/// An address or a pipeline as typed. Shown, also by `{:?}`, without its secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct SourceText {
    text: String,
    shown: String,
}

impl SourceText {
    /// The address of a network stream.
    pub fn url(text: &str) -> SourceText {
        SourceText {
            text: text.to_owned(),
            shown: shown_url(text),
        }
    }

    /// A GStreamer pipeline, without `gst:`.
    pub fn pipeline(text: &str) -> SourceText {
        SourceText {
            text: text.to_owned(),
            shown: shown_pipeline(text),
        }
    }

    /// All of it: for what opens the source, and for nothing that is printed or sent to viewers.
    pub fn secret(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for SourceText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for SourceText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// `scheme://host:port`, with `/…` for whatever is behind that; less where the host is not sure.
fn shown_url(url: &str) -> String {
    let Some((scheme, rest)) = url
        .split_once("://")
        .filter(|(scheme, _)| is_word(scheme, "+-."))
    else {
        return HIDDEN.to_owned();
    };
    let (authority, behind) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let (login, place) = match authority.rsplit_once('@') {
        Some((login, place)) => (Some(login), place),
        None => (None, authority),
    };
    let is_sure = !scheme.eq_ignore_ascii_case("file") && is_the_host(login, place, behind);
    match shown_place(place).filter(|_| is_sure) {
        Some(place) if matches!(behind, "" | "/") => format!("{scheme}://{place}"),
        Some(place) => format!("{scheme}://{place}/{HIDDEN}"),
        None => format!("{scheme}://{HIDDEN}"),
    }
}

/// False when `place` may be a part of a name or password with a `/`, `?` or `#` in it, because an
/// `@` follows in `behind`.
fn is_the_host(login: Option<&str>, place: &str, behind: &str) -> bool {
    let is_number = place.starts_with('[')
        || place
            .bytes()
            .all(|byte| byte.is_ascii_digit() || b".:".contains(&byte))
            && place.contains('.');
    let Some(at) = behind.find('@') else {
        // Some take a backslash for a slash.
        return !login.is_some_and(|login| login.contains('\\'));
    };
    let is_in_query = behind[..at].contains('?') && !behind[..at].contains('#');
    is_number || is_in_query && login.is_none() && !place.contains(':')
}

/// Host and port; `None` for what is none, such as the beginning of a password.
fn shown_place(place: &str) -> Option<String> {
    let (host, port) = match place.strip_prefix('[') {
        Some(rest) => {
            let (number, port) = rest.split_once(']')?;
            // A zone (`%eth0`) means something on this machine only.
            let number = number.split('%').next().unwrap_or_default();
            number.parse::<Ipv6Addr>().ok()?;
            (format!("[{number}]"), port)
        }
        None => {
            let (host, port) = place.split_at(place.find(':').unwrap_or(place.len()));
            let is_name = |letter: char| letter.is_alphanumeric() || "._-".contains(letter);
            if host.is_empty() || !host.chars().all(is_name) {
                return None;
            }
            (host.to_owned(), port)
        }
    };
    match port {
        "" | ":" => Some(host),
        port => {
            let number: u16 = port.strip_prefix(':')?.parse().ok()?;
            Some(format!("{host}:{number}"))
        }
    }
}

fn shown_pipeline(pipeline: &str) -> String {
    match elements(pipeline).join(" ! ") {
        none if none.is_empty() => format!("{GST}{HIDDEN}"),
        elements => format!("{GST}{elements}"),
    }
}

/// The names of the elements in a pipeline, in their order: the first words between its `!`s, where
/// they can be names. Caps and properties are none, nor is a word behind another, which may be the
/// rest of a value with spaces.
pub fn elements(pipeline: &str) -> Vec<&str> {
    // GStreamer knows a quote at the beginning of a value only, people set them anywhere.
    let people_mean = element_places(pipeline, true);
    element_places(pipeline, false)
        .into_iter()
        .filter(|place| people_mean.contains(place))
        .map(|(_, name)| name)
        .collect()
}

fn element_places(pipeline: &str, quotes_anywhere: bool) -> Vec<(usize, &str)> {
    let mut places = Vec::new();
    let mut is_first = true;
    for (at, word) in words(pipeline, quotes_anywhere) {
        match word {
            "!" => is_first = true,
            "(" => {}
            word => {
                if is_first && is_name(word) {
                    places.push((at, word));
                }
                is_first = word.ends_with(".(");
            }
        }
    }
    places
}

/// The names of the properties that a pipeline sets.
pub fn properties(pipeline: &str) -> Vec<&str> {
    words(pipeline, false)
        .into_iter()
        .filter_map(|(_, word)| Some(word.split_once('=')?.0))
        .filter(|name| is_name(name) && !name.contains(|letter: char| letter.is_uppercase()))
        .collect()
}

/// A word that can be the name of an element or a property.
fn is_name(word: &str) -> bool {
    is_word(word, "-_")
}

/// A letter, and behind it letters, digits and `others`, all of ASCII.
fn is_word(text: &str, others: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || others.contains(letter))
}

/// The words of a pipeline with their places, quotes kept. What follows a quote that is never closed
/// is no word.
fn words(pipeline: &str, quotes_anywhere: bool) -> Vec<(usize, &str)> {
    let mut words = Vec::new();
    let (mut start, mut quote) = (None, None);
    let mut before = ' ';
    for (at, letter) in pipeline.char_indices() {
        let is_escaped = before == '\\';
        let opens = quotes_anywhere || before == '=' || before.is_whitespace();
        // A backslash behind another one is escaped itself.
        before = if is_escaped { '.' } else { letter };
        match letter {
            _ if is_escaped => {}
            '"' | '\'' if quote == Some(letter) => quote = None,
            '"' | '\'' if quote.is_none() && opens => quote = Some(letter),
            space if space.is_whitespace() && quote.is_none() => {
                words.extend(start.take().map(|start| (start, &pipeline[start..at])));
                continue;
            }
            _ => {}
        }
        start = start.or(Some(at));
    }
    if quote.is_none() {
        words.extend(start.map(|start| (start, &pipeline[start..])));
    }
    words
}

/// A word of a command line or of an options file as it may be said in an error: somebody who slips
/// types an address where none belongs.
pub fn shown_word(word: &str) -> Cow<'_, str> {
    if let Some(pipeline) = word.trim_start().strip_prefix(GST) {
        return shown_pipeline(pipeline).into();
    }
    // `--source=http://…`
    let option = word
        .split_once('=')
        .filter(|(name, _)| name.strip_prefix("--").is_some_and(is_name));
    if let Some((name, value)) = option {
        return format!("{name}={}", shown_word(value)).into();
    }
    if word.contains("://") {
        let shown = shown_url(word.trim());
        let is_whole = shown.trim_end_matches(['/', '…']) == word.trim_end_matches('/');
        return if is_whole { word.into() } else { shown.into() };
    }
    match word.split_once('=') {
        Some((name, _)) if is_name(name) => format!("{name}={HIDDEN}").into(),
        None if is_sized(word) || !looks_like_address(word) && !begins_with_host(word) => {
            word.into()
        }
        _ => shown_host(word).map_or(HIDDEN.into(), Cow::Owned),
    }
}

/// Of an address without a scheme its host and port, where that is sure.
fn shown_host(word: &str) -> Option<String> {
    let meant = meant_address(word)?;
    let (_, shown) = meant.split_once("://")?;
    let place = shown.trim_end_matches(['/', '…']);
    (!word.contains('@') && word.starts_with(place)).then(|| shown.to_owned())
}

/// One of `SIZED` with any numbers.
fn is_sized(word: &str) -> bool {
    let Some((_, spec)) = word
        .split_once(':')
        .filter(|(first, _)| SIZED.contains(first))
    else {
        return false;
    };
    let (size, fps) = spec.split_once('@').unwrap_or((spec, ""));
    let is_number = |text: &str| {
        text.bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.')
    };
    let mut sides = size.splitn(2, ['x', 'X']);
    sides.all(is_number) && is_number(fps) && (size.is_empty() || size.contains(['x', 'X']))
}

/// The address that is meant by one without `://`, as it is shown; `None` where its host is not sure.
pub fn meant_address(text: &str) -> Option<String> {
    let scheme = text.split([':', '/']).next().unwrap_or_default();
    let is_scheme = SCHEMES.contains(&&*scheme.to_ascii_lowercase());
    let rest = match is_scheme {
        true => text[scheme.len()..].trim_start_matches([':', '/']),
        // `//cam.lan/…`
        false => text.trim_start_matches('/'),
    };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let is_host = (is_scheme || host.contains(['.', ':']) || host == "localhost")
        && (host.bytes()).all(|byte| byte.is_ascii_alphanumeric() || b".:-".contains(&byte));
    let scheme = match host.rsplit_once(':') {
        _ if is_scheme => scheme,
        Some((_, "554" | "8554")) => "rtsp",
        _ => "http",
    };
    let shown = shown_url(&format!("{scheme}://{rest}"));
    (is_host && !shown.ends_with("//…")).then_some(shown)
}

/// True for what begins as addresses of cameras do, and can be a file as well.
pub fn begins_with_host(text: &str) -> bool {
    let host = text.split('/').next().unwrap_or_default();
    let ends = [".local", ".lan", ".home"];
    let is_sure = host.parse::<Ipv4Addr>().is_ok()
        || host.eq_ignore_ascii_case("localhost")
        || ends
            .iter()
            .any(|end| host.to_ascii_lowercase().ends_with(end))
        || host.starts_with("www.")
        || host.contains('.') && host.len() < text.len();
    is_sure && !host.starts_with('.') && meant_address(text).is_some()
}

/// True for what is no path and looks like an address whose scheme, or its `//`, was forgotten.
pub fn looks_like_address(text: &str) -> bool {
    let is_path = text.starts_with(['/', '.']) && !text.starts_with("//");
    let has_more = |(first, rest): (&str, &str)| !SIZED.contains(&first) && !rest.is_empty();
    let is_number = |(first, _): (&str, &str)| first.parse::<Ipv4Addr>().is_ok();
    !is_path
        // `rtsp//cam/…` too.
        && (text.contains("//")
            || text.split_once('/').is_some_and(is_number)
            || text.contains(['@', '?', '&', '=', '#', ';'])
            || text.split_once(':').is_some_and(has_more))
}

/// What another program says, without addresses and whatever else in it can be a secret.
pub fn shown_words(text: &str) -> String {
    const PUNCTUATION: &[char] = &[
        '(', ')', ',', '.', ':', ';', '?', '!', '"', '\'', '`', '<', '>',
    ];
    // Pipelines of which more than the elements is said; where they end nobody knows.
    let text = match text.find(GST) {
        Some(at) if text[at..].contains(['=', '"', '\'']) => {
            Cow::Owned(format!("{}{GST}{HIDDEN}", &text[..at]))
        }
        _ => Cow::Borrowed(text),
    };
    let shown = text.split_whitespace().map(|word| {
        let core = word.trim_matches(PUNCTUATION);
        let is_secret = core.contains(['@', '?', '&', '=']);
        if core.contains("://") {
            word.replace(core, &shown_url(core)).into()
        } else if is_secret && !matches!(core, "user:password@" | "token=…") {
            HIDDEN.into()
        } else {
            Cow::Borrowed(word)
        }
    });
    shown.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
