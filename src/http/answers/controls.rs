//! `/controls`: the camera's controls as JSON, and changes to them.
//!
//! Changing is for the page and for scripts, not for pages from elsewhere: a browser sends JSON
//! across origins only after asking, which nothing here allows, and tells where a request comes
//! from, which is checked as well.

use crate::{
    feed::{camera::NoControls, controls::Control},
    http::{
        app::App,
        request::{Method, Request},
        response::Response,
    },
};
use log::debug;
use serde::Serialize;
use serde_json::{Map, Value};

#[derive(Serialize)]
struct ControlsAnswer {
    controls: Vec<Control>,
}

/// Answers `GET` with the controls and `POST` by changing some.
pub fn answer(request: &Request, app: &App) -> Response {
    if !app.has_controls {
        return Response::text(404, "controls are switched off (--no-controls)\n");
    }
    let is_change = request.method == Method::Post;
    if is_change {
        let changed = changes(request).and_then(|changes| change(&changes, app));
        if let Err((status, line)) = changed {
            return Response::text(status, line);
        }
    }
    // A camera without controls is a camera like others: an empty list, no error.
    let controls = match app.camera.controls() {
        Err(NoControls::Never) if !is_change => Ok(Vec::new()),
        controls => controls,
    };
    match controls {
        Ok(controls) => Response::json(&ControlsAnswer { controls }),
        Err(none) => {
            let (status, line) = refusal(none);
            Response::text(status, line)
        }
    }
}

/// The changes a request asks for, or a status and a line of text.
fn changes(request: &Request) -> Result<Vec<(String, String)>, (u16, String)> {
    let bad = |line: &str| (400, format!("{line}\n"));
    if !is_from_here(request) {
        return Err((
            403,
            "controls are changed from this server's own page only\n".to_owned(),
        ));
    }
    let content_type = request.header("Content-Type").unwrap_or_default();
    if content_type.split(';').next().map(str::trim) != Some("application/json") {
        return Err((
            415,
            "the changes must be sent as application/json\n".to_owned(),
        ));
    }
    let changes: Map<String, Value> = serde_json::from_slice(&request.body).map_err(|error| {
        bad(&format!(
            "no JSON object such as {{\"brightness\": 128}}: {error}"
        ))
    })?;
    changes
        .into_iter()
        .map(|(name, value)| match value {
            Value::Number(number) => Ok((name, number.to_string())),
            Value::Bool(is_on) => Ok((name, if is_on { "on" } else { "off" }.to_owned())),
            Value::String(text) => Ok((name, text)),
            _ => Err(bad(&format!(
                "`{name}`: allowed are a number, a text, true and false"
            ))),
        })
        .collect()
}

fn change(changes: &[(String, String)], app: &App) -> Result<(), (u16, String)> {
    let complaints = app.camera.set_controls(changes).map_err(refusal)?;
    if !complaints.is_empty() {
        return Err((400, format!("{}\n", complaints.join("; "))));
    }
    for (name, value) in changes {
        debug!("control set {name}={value}");
    }
    Ok(())
}

fn refusal(none: NoControls) -> (u16, String) {
    match none {
        NoControls::Never => (404, "this source has no controls\n".to_owned()),
        NoControls::NotNow(reason) => (503, format!("no controls: {reason}\n")),
    }
}

/// False when a browser says that the request comes from another site's page.
fn is_from_here(request: &Request) -> bool {
    let is_same_site = request
        .header("Sec-Fetch-Site")
        .is_none_or(|site| matches!(site, "same-origin" | "none"));
    let is_same_host = request.header("Origin").is_none_or(|origin| {
        let host = origin.split_once("://").map_or("", |(_, host)| host);
        !host.is_empty() && request.header("Host") == Some(host)
    });
    is_same_site && is_same_host
}
