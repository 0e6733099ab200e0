//! `/controls`: the camera's controls as JSON, and changes to them.
//!
//! Changing is for the page and for scripts, not for pages from elsewhere: a browser sends JSON
//! across origins only after asking, which nothing here allows, and tells where a request comes
//! from, which is checked as well.

use crate::{
    feed::camera::{Camera, NoControls},
    http::{
        request::{Method, Request},
        response::Response,
    },
};
use log::debug;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Answers `GET` with the controls and `POST` by changing some.
pub fn answer(request: &Request, camera: &Camera) -> Response {
    if !camera.config.has_controls {
        return Response::text(404, "controls are switched off\n");
    }
    let is_change = request.method == Method::Post;
    if is_change {
        let changed = changes(request).and_then(|changes| change(&changes, camera));
        if let Err(refusal) = changed {
            return refusal;
        }
    }
    // A camera without controls is a camera like others: an empty list, no error.
    let controls = match camera.controls() {
        Err(NoControls::Never) if !is_change => Ok(Vec::new()),
        controls => controls,
    };
    match controls {
        Ok(controls) => Response::json(&BTreeMap::from([("controls", controls)])),
        Err(none) => unavailable(none),
    }
}

/// The changes a request asks for, or the answer that refuses them.
fn changes(request: &Request) -> Result<Vec<(String, String)>, Response> {
    if !is_from_here(request) {
        let line = "controls are changed from this server's own page only\n";
        return Err(Response::text(403, line));
    }
    let content_type = request.header("Content-Type").unwrap_or_default();
    if content_type.split(';').next().map(str::trim) != Some("application/json") {
        let line = "the changes must be sent as application/json\n";
        return Err(Response::text(415, line));
    }
    let changes: Map<String, Value> = serde_json::from_slice(&request.body).map_err(|error| {
        let line = format!("no JSON object such as {{\"brightness\": 128}}: {error}\n");
        Response::text(400, line)
    })?;
    changes
        .into_iter()
        .map(|(name, value)| match value {
            Value::Number(number) => Ok((name, number.to_string())),
            Value::Bool(is_on) => Ok((name, if is_on { "on" } else { "off" }.to_owned())),
            Value::String(text) => Ok((name, text)),
            _ => {
                let line = format!("`{name}`: allowed are a number, a text, true and false\n");
                Err(Response::text(400, line))
            }
        })
        .collect()
}

fn change(changes: &[(String, String)], camera: &Camera) -> Result<(), Response> {
    let complaints = camera.set_controls(changes).map_err(unavailable)?;
    if !complaints.is_empty() {
        let line = format!("{}\n", complaints.join("; "));
        return Err(Response::text(400, line));
    }
    for (name, value) in changes {
        debug!("control set {name}={value}");
    }
    Ok(())
}

fn unavailable(none: NoControls) -> Response {
    match none {
        NoControls::Never => Response::text(404, "this source has no controls\n"),
        NoControls::NotNow(reason) => Response::text(503, format!("no controls: {reason}\n")),
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
