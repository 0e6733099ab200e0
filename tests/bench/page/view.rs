//! Camera, camfeed, screen and browser of one measurement, and what somebody sees there.

use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::chromium::{Chromium, NAME};
use super::plain::{self, Plain};
use super::screen::{Place, Screen, Watch};
use super::{Case, IMG, Layout, OLD};
use crate::args::Args;
use crate::camera::Camera;
use crate::peers::{camfeed, size_and_rate};
use crate::server::{Recipe, Server};

const IS_LOADED: &str = "(document.getElementById('picture') || {}).naturalWidth > 0";
const IS_LIVE: &str = "document.body && document.body.dataset.state === 'live'";

/// How far in the page is; a page without a zoom says nothing.
const ZOOM: &str = "document.getElementById('stage').dataset.zoom || '1'";
/// Presses of `+` for a page that is zoomed in.
const ZOOM_STEPS: usize = 3;
/// For the page to take up the keys.
const ZOOM_TIME: Duration = Duration::from_secs(1);
const CHECK_TIME: Duration = Duration::from_millis(50);
/// For pictures to be on the screen.
const PATIENCE: Duration = Duration::from_secs(10);
/// The time in which a picture that moves has been seen to.
const MOVE_TIME: Duration = Duration::from_millis(500);
/// Codes seen in it, at least.
const MOVES: usize = 3;

/// All that runs while somebody watches; the browser is the first to be ended.
pub struct View {
    pub chromium: Chromium,
    pub screen: Arc<Screen>,
    pub server: Server,
    plain: Option<Plain>,
    _camera: Camera,
}

impl View {
    /// An empty page.
    fn start(args: &Args, case: &Case, who: &'static str) -> Result<View, String> {
        let camera = Camera::coded(&case.setting)?;
        let mut command = camfeed(binary(args, who)?, "/dev/video0", &case.setting, args)?;
        command.extend(size_and_rate(&case.setting));
        let server = Server::start(&Recipe {
            name: who.into(),
            command,
            path: "/stream".into(),
            snapshot: "/snapshot.jpg".into(),
            port: None,
            environment: camera.environment.clone(),
        })?;
        let screen = Arc::new(Screen::start()?);
        Ok(View {
            chromium: Chromium::start(&screen.display)?,
            screen,
            server,
            plain: None,
            _camera: camera,
        })
    }

    /// camfeed's page, live.
    pub fn open(args: &Args, case: &Case, who: &'static str) -> Result<View, String> {
        let mut view = View::start(args, case, who)?;
        let port = view.server.address.port();
        view.chromium.go(&format!("http://{NAME}:{port}/"))?;
        view.chromium.wait(IS_LIVE)?;
        Ok(view)
    }

    /// The picture as `case` has it.
    pub fn show(
        args: &Args,
        case: &Case,
        who: &'static str,
        layout: &Layout,
    ) -> Result<View, String> {
        if who == IMG {
            let mut view = View::start(args, case, who)?;
            let stream = format!("http://{NAME}:{}/stream", view.server.address.port());
            let zoom = layout.zoom.filter(|_| case.is_zoomed).unwrap_or(1.0);
            let plain = Plain::serve(plain::page(&stream, layout.stage, zoom))?;
            let url = format!("http://{NAME}:{}/", plain.address.port());
            view.plain = Some(plain);
            view.chromium.go(&url)?;
            view.chromium.wait(IS_LOADED)?;
            return Ok(view);
        }
        let mut view = View::open(args, case, who)?;
        if case.is_zoomed {
            view.zoom_in()?.ok_or("the page does not zoom in")?;
        }
        Ok(view)
    }

    /// Left, top, width and height of an element, in pixels.
    pub fn sides(&mut self, id: &str) -> Result<[f64; 4], String> {
        let sides = self.chromium.eval(&format!(
            "(() => {{ const box = document.getElementById('{id}').getBoundingClientRect(); \
             return [box.x, box.y, box.width, box.height]; }})()"
        ))?;
        serde_json::from_value(sides).map_err(|error| format!("no box of `{id}`: {error}"))
    }

    /// Zooms the page in by its keys; how far, if it can.
    pub fn zoom_in(&mut self) -> Result<Option<f64>, String> {
        for _ in 0..ZOOM_STEPS {
            self.chromium.key("+")?;
        }
        let deadline = Instant::now() + ZOOM_TIME;
        let mut before = None;
        loop {
            let zoom = self.chromium.eval(ZOOM)?;
            let zoom = zoom.as_str().and_then(|zoom| zoom.parse().ok());
            let zoom = zoom.filter(|&zoom: &f64| zoom != 1.0);
            let is_settled = zoom.is_some() && zoom == before;
            if is_settled || Instant::now() > deadline {
                return Ok(zoom);
            }
            before = zoom;
            // A page without a zoom never says so.
            thread::sleep(CHECK_TIME);
        }
    }

    /// Where the code of the picture is, once pictures pass there.
    pub fn place(&mut self, case: &Case) -> Result<Place, String> {
        let deadline = Instant::now() + PATIENCE;
        let (width, height) = (case.setting.size.0 as f64, case.setting.size.1 as f64);
        loop {
            let sides = self.sides("picture")?;
            // The picture is as large as fits.
            let scale = (sides[2] / width).min(sides[3] / height);
            let place = Place {
                x: sides[0] + sides[2] / 2.0,
                y: sides[1] + sides[3] / 2.0,
                width: scale * width,
            };
            let watch = Watch::begin(&self.screen, place);
            // The time in which codes are looked for.
            thread::sleep(MOVE_TIME);
            let seen = watch.end().seen;
            let is_still = self.sides("picture")? == sides;
            if seen.len() >= MOVES && is_still {
                return Ok(place);
            }
            if Instant::now() > deadline {
                return Err(format!("no picture passes on the screen at {place:?}"));
            }
        }
    }

    /// The page must be live, and as far in as it was told to be.
    pub fn fault(&mut self, case: &Case) -> Result<Option<String>, String> {
        let state = self.chromium.eval("document.body.dataset.state")?;
        let zoom = self.chromium.eval(ZOOM)?;
        let (state, zoom) = (
            state.as_str().unwrap_or_default(),
            zoom.as_str().unwrap_or_default(),
        );
        let is_right = state == "live" && (zoom != "1") == case.is_zoomed;
        Ok((!is_right).then(|| format!("at its end the page was `{state}`, zoom `{zoom}`")))
    }
}

/// The camfeed whose page or stream is shown.
fn binary<'a>(args: &'a Args, who: &str) -> Result<&'a Path, String> {
    let bin = match who {
        OLD => args.against.as_deref(),
        _ => args.bin.as_deref(),
    };
    let bin = bin.filter(|bin| bin.exists());
    bin.ok_or("no camfeed to measure (--bin PATH)".into())
}
