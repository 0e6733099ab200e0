//! Which camera an address means, and which of its addresses.
//!
//! `/garden/stream` is the stream of the camera that is called garden; `/stream` is the first camera's. Every
//! address may be written in any case of letters, with slashes too many, and as mjpg-streamer's `action`.

use crate::{
    config::CameraName,
    feed::{camera::Camera, cameras::Cameras},
    http::{
        query::{Target, shown, wrong},
        response::Response,
    },
};
use std::sync::Arc;

/// What a target means.
#[derive(Debug)]
pub struct Scope {
    /// Whose address it is.
    pub camera: Arc<Camera>,
    /// The camera is named in it: what is said there is of this camera only.
    pub is_named: bool,
    /// The address without the camera's name, in lower case, such as `/stream`.
    pub path: String,
}

impl Scope {
    /// What `target` means among `cameras`.
    ///
    /// # Errors
    ///
    /// The response that says what there is instead, or where the page of a camera is.
    pub fn of(target: &Target, cameras: &Cameras) -> Result<Scope, Response> {
        let mut segments = target.path.split('/').filter(|name| !name.is_empty());
        let mut rest = segments.clone();
        let named = segments.next().and_then(|name| cameras.named(name));
        if named.is_some() {
            rest.next();
        }
        let path = rest.map(|name| format!("/{}", name.to_ascii_lowercase()));
        let path: String = path.collect();
        let is_named = named.is_some();
        let scope = |camera, path| Scope {
            camera,
            is_named,
            path,
        };
        let camera = named.unwrap_or_else(|| cameras.first());
        let Some(action) = target.query.action().filter(|_| path.is_empty()) else {
            return match path.as_str() {
                "" if is_named && !target.path.ends_with('/') => Err(page_of(&camera, target)),
                "" => Ok(scope(camera, "/".to_owned())),
                _ => Ok(scope(camera, path)),
            };
        };
        let all = match is_named {
            true => Arc::from([camera]),
            false => cameras.all(),
        };
        let found = acted(&action, &all).map(|(camera, path)| scope(camera, path));
        found.ok_or_else(|| Response::text(404, wrong("action", &action, &actions(all.len()))))
    }

    /// The address in `target` as it was written, without the camera's name where just that stands before it.
    pub fn written<'a>(&self, target: &'a Target) -> &'a str {
        let own = target.path.strip_prefix('/').filter(|_| self.is_named);
        let own = own.and_then(|path| path.strip_prefix(self.camera.config.name.as_str()));
        own.unwrap_or(&target.path)
    }

    /// The first segment of `target` where it is no camera's name and looks as if it were meant as one.
    pub fn unknown<'a>(target: &'a Target, cameras: &Cameras) -> Option<&'a str> {
        let mut segments = target.path.split('/').filter(|name| !name.is_empty());
        let name = segments.next()?;
        let is_unknown = cameras.first().address().is_some() && cameras.named(name).is_none();
        (is_unknown && !CameraName::is_taken(name)).then_some(name)
    }
}

/// A line that says which cameras there are, where none is called `name`.
pub fn no_camera(name: &str, cameras: &Cameras) -> String {
    let all = cameras.all();
    let names = all.iter().map(|camera| camera.config.name.as_str());
    let names = names.collect::<Vec<_>>().join(", ");
    format!("there is no camera `{}`; there are: {names}\n", shown(name))
}

/// Leads to the page of `camera`: its addresses are relative, and so stand below its name.
fn page_of(camera: &Camera, target: &Target) -> Response {
    let page = Target {
        path: format!("{}/", camera.config.name),
        ..target.clone()
    };
    let line = format!("the page of this camera is {}/\n", camera.config.name);
    Response::text(307, line).with("Location", &page.to_string())
}

/// The camera and the address that mjpg-streamer's `action` means: its inputs count from 0.
fn acted(action: &str, cameras: &[Arc<Camera>]) -> Option<(Arc<Camera>, String)> {
    let action = action.trim_end_matches('/').to_ascii_lowercase();
    let (name, number) = match action.split_once('_') {
        Some((name, number)) if number.bytes().all(|byte| byte.is_ascii_digit()) => {
            (name, number.parse().ok()?)
        }
        Some(_) => return None,
        None => (action.as_str(), 0),
    };
    let camera = cameras.get::<usize>(number)?;
    matches!(name, "stream" | "snapshot").then(|| (Arc::clone(camera), format!("/{name}")))
}

/// The actions there are with as many cameras.
fn actions(count: usize) -> String {
    match count - 1 {
        0 => "stream, snapshot".to_owned(),
        last => {
            format!("stream, snapshot, stream_0 to stream_{last}, snapshot_0 to snapshot_{last}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, args};

    fn cameras(names: &[&str]) -> Cameras {
        let config = Config::from(args::parse(&["--source", "test"]).expect("good"));
        let mut cameras = names.iter().map(|name| {
            let mut config = config.cameras.first().clone();
            if !name.is_empty() {
                config.name = argh::FromArgValue::from_arg_value(name).expect("a name");
                config.is_addressed = true;
            }
            Arc::new(Camera::new(config))
        });
        let first = cameras.next().expect("one");
        let all = Cameras::new(config.cameras.name.clone(), first);
        cameras.for_each(|camera| all.add(camera));
        all
    }

    #[test]
    fn a_target_means_what_its_user_wrote() {
        let only = cameras(&[""]);
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
            let found = Scope::of(&Target::parse(target), &only).expect(target);
            assert_eq!(found.path, path, "{target}");
            assert!(!found.is_named);
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
            let refusal = Scope::of(&Target::parse(target), &only).expect_err(target);
            assert_eq!(refusal.status(), 404);
            assert_eq!(refusal.body(), said.as_bytes(), "{target}");
        }
    }

    #[test]
    fn a_target_means_the_camera_it_names() {
        let both = cameras(&["garden", "Shed-2"]);
        for (target, name, path, is_named) in [
            ("/", "garden", "/", false),
            ("/stream", "garden", "/stream", false),
            ("/garden/", "garden", "/", true),
            ("/GARDEN/Stream", "garden", "/stream", true),
            ("//shed-2//snapshot.jpg/", "Shed-2", "/snapshot.jpg", true),
            ("/shed-2/static/main.js", "Shed-2", "/static/main.js", true),
            ("/shed-2/?action=stream", "Shed-2", "/stream", true),
            ("/shed-2?action=snapshot", "Shed-2", "/snapshot", true),
            ("/shed-2/?action=stream_0", "Shed-2", "/stream", true),
            ("/?action=stream", "garden", "/stream", false),
            ("/?action=stream_0", "garden", "/stream", false),
            ("/?action=stream_1", "Shed-2", "/stream", false),
            ("/?action=Snapshot_1?17", "Shed-2", "/snapshot", false),
            ("/attic/stream", "garden", "/attic/stream", false),
        ] {
            let found = Scope::of(&Target::parse(target), &both).expect(target);
            let camera = found.camera.config.name.as_str();
            assert_eq!(
                (camera, &*found.path, found.is_named),
                (name, path, is_named),
                "{target}"
            );
        }
        for (target, status, said) in [
            (
                "/?action=stream_2",
                404,
                "action=`stream_2`: allowed stream, snapshot, stream_0 to stream_1",
            ),
            (
                "/garden/?action=stream_1",
                404,
                "action=`stream_1`: allowed stream, snapshot\n",
            ),
            ("/?action=stream_", 404, "action=`stream_`"),
            ("/?action=stream_+1", 404, "action=`stream_ 1`"),
            (
                "/SHED-2?token=abc",
                307,
                "the page of this camera is Shed-2/",
            ),
        ] {
            let refusal = Scope::of(&Target::parse(target), &both).expect_err(target);
            assert_eq!(refusal.status(), status);
            let body = String::from_utf8_lossy(refusal.body()).into_owned();
            assert!(body.starts_with(said), "{target}: {body}");
        }
        let leads = Scope::of(&Target::parse("/SHED-2?token=abc"), &both).expect_err("leads there");
        let head = String::from_utf8(leads.head(false, true, None)).expect("ASCII");
        assert!(
            head.contains("\r\nLocation: Shed-2/?token=abc\r\n"),
            "{head}"
        );
    }

    #[test]
    fn the_name_is_taken_from_an_address_that_is_written_with_it() {
        let both = cameras(&["garden", "shed"]);
        for (target, written) in [
            ("/garden/healthz", "/healthz"),
            ("/healthz", "/healthz"),
            ("//garden/healthz", "//garden/healthz"),
            ("/garden//healthz", "//healthz"),
            ("/garden/Healthz", "/Healthz"),
            ("/gardens/healthz", "/gardens/healthz"),
        ] {
            let target = Target::parse(target);
            let scope = Scope::of(&target, &both).expect("a camera");
            assert_eq!(scope.written(&target), written);
        }
    }

    #[test]
    fn a_name_that_no_camera_has_is_told_from_an_address() {
        let both = cameras(&["garden", "shed"]);
        for (target, name) in [
            ("/attic/stream", Some("attic")),
            ("/attic", Some("attic")),
            ("/", None),
            ("/garden/x", None),
            ("/static/x", None),
            ("/Streams/x", None),
            ("/attic.jpg", Some("attic.jpg")),
        ] {
            assert_eq!(
                Scope::unknown(&Target::parse(target), &both),
                name,
                "{target}"
            );
        }
        assert_eq!(Scope::unknown(&Target::parse("/x"), &cameras(&[""])), None);
    }
}
