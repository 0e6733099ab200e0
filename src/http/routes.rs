//! Which answer belongs to which address.
//!
//! The aliases are those other servers' users have in their configurations. Unknown query
//! parameters are ignored: OctoPrint, Mainsail and Fluidd append cache busters.

use crate::{
    config::without_secrets,
    http::{
        answers::{controls, metrics, pages, snapshot, state, stream},
        app::App,
        query::{Target, wrong},
        request::Request,
        response::Response,
        self_probe,
    },
    system::fault_injection,
};
use log::debug;

/// What a request is answered with.
#[derive(Debug)]
pub enum Answer {
    /// One response, after which the connection may be kept.
    Full(Response),
    /// A stream, which takes the connection over.
    Stream(stream::Stream),
}

impl From<Response> for Answer {
    fn from(response: Response) -> Answer {
        Answer::Full(response)
    }
}

/// The answer to a request. May wait for a picture, never for the client.
pub fn answer(request: &Request, app: &App) -> Answer {
    let target = &request.target;
    // The program's own question, every few seconds, is not worth a line.
    let line = target.to_string();
    if line != self_probe::TARGET {
        debug!(
            "client {}: {} {}",
            request.client,
            request.method,
            without_secrets(&line)
        );
    }
    if target.path == "/fault" {
        fault_injection::request();
        assert!(!fault_injection::is_due("client"), "a fault on purpose");
    }
    if let Err(refusal) = app.access.check(request) {
        return refusal.into();
    }
    let path = match canonical_path(target) {
        Ok(path) => path,
        Err(refusal) => return Response::text(404, refusal).into(),
    };
    let allowed = match &*path {
        "/controls" => "GET, HEAD, POST",
        _ => "GET, HEAD",
    };
    let method = request.method.as_str();
    if !allowed.split(", ").any(|allowed| allowed == method) {
        return Response::text(405, "this method is not answered here\n")
            .with("Allow", allowed)
            .into();
    }
    match &*path {
        "/stream" | "/stream.mjpg" | "/video_feed" => match stream::answer(request, app) {
            Ok(stream) => Answer::Stream(stream),
            Err(response) => response.into(),
        },
        "/snapshot" | "/snapshot.jpg" => snapshot::answer(request, app).into(),
        "/controls" => controls::answer(request, app).into(),
        "/state" => state::state(app).into(),
        "/metrics" => metrics::answer(app).into(),
        "/healthz" => state::health(app).into(),
        path => match pages::find(path) {
            Some(page) => page.answer(request, app).into(),
            None => Response::text(404, "there is nothing here; / is the page\n").into(),
        },
    }
}

/// The path that a target means, as its users may write it: in any case of letters, with slashes too
/// many, or as mjpg-streamer's `action`; else a line on what actions there are.
fn canonical_path(target: &Target) -> Result<String, String> {
    let lower = target.path.to_ascii_lowercase();
    let segments: Vec<_> = lower.split('/').filter(|name| !name.is_empty()).collect();
    let Some(action) = target.query.action().filter(|_| segments.is_empty()) else {
        return Ok(format!("/{}", segments.join("/")));
    };
    let name = action.trim_end_matches('/').to_ascii_lowercase();
    // The only camera is mjpg-streamer's first input.
    match name.strip_suffix("_0").unwrap_or(&name) {
        name @ ("stream" | "snapshot") => Ok(format!("/{name}")),
        _ => Err(wrong("action", &action, "stream, snapshot")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_means_what_its_user_wrote() {
        for (target, path) in [
            ("/", "/"),
            ("//", "/"),
            ("/?fps=5", "/"),
            ("/?action=stream", "/stream"),
            ("/?action=stream?nonce=1", "/stream"),
            ("/?action=snapshot?1679189181050", "/snapshot"),
            ("/?action=stream&_=1", "/stream"),
            ("/?_=1&action=Stream", "/stream"),
            ("/?ACTION=SNAPSHOT", "/snapshot"),
            ("/?action=stream/", "/stream"),
            ("/?action=stream_0", "/stream"),
            ("//?action=snapshot_0&x", "/snapshot"),
            ("/Snapshot.JPG?action=stream", "/snapshot.jpg"),
            ("/stream/", "/stream"),
            ("//video_feed//", "/video_feed"),
            ("/static//main.js", "/static/main.js"),
        ] {
            let found = canonical_path(&Target::parse(target));
            assert_eq!(found.as_deref(), Ok(path), "{target}");
        }
        for (target, said) in [
            (
                "/?action=command",
                "action=`command`: allowed stream, snapshot\n",
            ),
            (
                "/?action=stream_1",
                "action=`stream_1`: allowed stream, snapshot\n",
            ),
            ("/?action", "action=``: allowed stream, snapshot\n"),
        ] {
            let found = canonical_path(&Target::parse(target));
            assert_eq!(found, Err(said.to_owned()), "{target}");
        }
    }
}
