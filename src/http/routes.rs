//! Which answer belongs to which address.
//!
//! `scope` says whose address it is. The aliases are those other servers' users have in their configurations.
//! Unknown query parameters are ignored: OctoPrint, Mainsail and Fluidd append cache busters.

use crate::{
    config::without_secrets,
    http::{
        answers::{controls, metrics, pages, snapshot, state, stream, streams},
        app::App,
        query::Target,
        request::Request,
        response::Response,
        scope::{Scope, no_camera},
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
    /// The stream of several cameras, which does so too.
    Streams(streams::Streams),
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
    let scope = Scope::of(target, &app.cameras);
    let written = scope
        .as_ref()
        .map_or(&*target.path, |scope| scope.written(target));
    if let Err(refusal) = app.access.check(request, written) {
        return refusal.into();
    }
    let scope = match scope {
        Ok(scope) => scope,
        Err(response) => return response.into(),
    };
    let camera = &scope.camera;
    let allowed = match &*scope.path {
        "/controls" => "GET, HEAD, POST",
        _ => "GET, HEAD",
    };
    let method = request.method.as_str();
    if !allowed.split(", ").any(|allowed| allowed == method) {
        return Response::text(405, "this method is not answered here\n")
            .with("Allow", allowed)
            .into();
    }
    match &*scope.path {
        "/stream" | "/stream.mjpg" | "/video_feed" => match stream::answer(request, app, camera) {
            Ok(stream) => Answer::Stream(stream),
            Err(response) => response.into(),
        },
        "/streams" if !scope.is_named => match streams::answer(request, app) {
            Ok(streams) => Answer::Streams(streams),
            Err(response) => response.into(),
        },
        "/snapshot" | "/snapshot.jpg" => snapshot::answer(request, app, camera).into(),
        "/controls" => controls::answer(request, camera).into(),
        "/state" => state::state(app, &scope).into(),
        "/metrics" if !scope.is_named => metrics::answer(app).into(),
        "/healthz" => state::health(app, &scope).into(),
        path => match pages::find(path, !scope.is_named && app.cameras.all().len() > 1) {
            Some(page) => page.answer(request, app, &scope).into(),
            None => nothing(target, app).into(),
        },
    }
}

/// Where nothing is: which cameras there are, if one is meant.
fn nothing(target: &Target, app: &App) -> Response {
    let line = match Scope::unknown(target, &app.cameras) {
        Some(name) => no_camera(name, &app.cameras),
        None => "there is nothing here; / is the page\n".to_owned(),
    };
    Response::text(404, line)
}
