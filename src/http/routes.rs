//! Which answer belongs to which address.
//!
//! The aliases are those other servers' users have in their configurations. Unknown query
//! parameters are ignored: OctoPrint, Mainsail and Fluidd append cache busters.

use crate::{
    config::without_secrets,
    http::{
        answers::{controls, metrics, pages, snapshot, state, stream},
        app::App,
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
    let allowed = match &*target.path {
        "/controls" => "GET, HEAD, POST",
        _ => "GET, HEAD",
    };
    let method = request.method.as_str();
    if !allowed.split(", ").any(|allowed| allowed == method) {
        return Response::text(405, "this method is not answered here\n")
            .with("Allow", allowed)
            .into();
    }
    let action = target.query.get("action");
    match (&*target.path, action.as_deref()) {
        ("/", Some("stream")) | ("/stream" | "/stream.mjpg" | "/video_feed", _) => {
            match stream::answer(request, app) {
                Ok(stream) => Answer::Stream(stream),
                Err(response) => response.into(),
            }
        }
        ("/", Some("snapshot")) | ("/snapshot" | "/snapshot.jpg", _) => {
            snapshot::answer(request, app).into()
        }
        ("/controls", _) => controls::answer(request, app).into(),
        ("/state", _) => state::state(app).into(),
        ("/metrics", _) => metrics::answer(app).into(),
        ("/healthz", _) => state::health(app).into(),
        (path, _) => match pages::find(path) {
            Some(page) => page.answer(&target.query, app).into(),
            None => Response::text(404, "there is nothing here; / is the page\n").into(),
        },
    }
}
