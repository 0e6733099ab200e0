//! `--source all`: finds the cameras that are plugged in, at the start and as long as the program runs.
//!
//! Each gets a name and a supervisor of its own; one that is gone stays, and has its place kept. While there is
//! none, the test pattern stands in. No node is ever that of two cameras, and no name that of two devices.

use crate::{
    capture::{
        camera_names::CameraNames,
        hotplug::{self, SETTLING},
        known_devices,
        look::{self, FoundDevice, NodeLook, STAND_IN},
        placeholder,
        source::libcamera::{CameraModule, seen_by_kernel},
        supervisor_thread,
    },
    config::{CameraConfig, CameraName, Device},
    error::Error,
    feed::{camera::Camera, cameras::Cameras, place::SeenDevice},
    system::{shutdown::ShutdownFlag, threads},
};
use crossbeam_channel::{Receiver, Sender, never, select};
use log::{debug, error, info, warn};
use std::{
    convert::Infallible,
    mem,
    sync::Arc,
    time::{Duration, Instant},
};

/// Between two looks; new nodes are reported.
const PERIOD: Duration = Duration::from_secs(15);

/// And where the system reports none.
const POLL: Duration = Duration::from_secs(5);

/// At the start libcamera is waited for no longer than this, and only where there is no other camera.
const MODULES_TIMEOUT: Duration = Duration::from_secs(4);

/// As many devices are known at most: one that is never the same would fill the memory.
const MOST_CAMERAS: usize = 64;

/// See the module.
struct Discovery {
    /// What each camera is told.
    template: CameraConfig,
    names: CameraNames,
    nodes: NodeLook,
    /// Those with nodes that were found so far.
    known: Vec<KnownDevice>,
    /// Whole names of the camera modules that were found so far.
    modules: Vec<String>,
    /// Libcamera was asked and has not answered yet.
    asked: Option<Receiver<Vec<CameraModule>>>,
    /// What is shown while no camera was found.
    stand_in: Option<StandIn>,
    /// As many were found as are served.
    is_full: bool,
    cameras: Arc<Cameras>,
    stop: Arc<ShutdownFlag>,
    fatal: Sender<Error>,
}

struct KnownDevice {
    /// As it was seen last.
    seen: SeenDevice,
    /// It was there at the last look.
    is_there: bool,
    camera: Arc<Camera>,
}

struct StandIn {
    camera: Arc<Camera>,
    /// Ends it.
    stop: Arc<ShutdownFlag>,
    /// Closed when its threads have ended; `None` before it is started.
    ended: Option<Receiver<Infallible>>,
}

/// Starts the cameras that are there, which get their names together, and looks for others until `stop`. All
/// together are called `name`.
pub fn start(
    template: &CameraConfig,
    name: CameraName,
    stop: &Arc<ShutdownFlag>,
    fatal: Sender<Error>,
) -> Result<Arc<Cameras>, Error> {
    let test = CameraName::of_address(STAND_IN).expect("it is no address");
    let stand_in = Arc::new(Camera::new(template.addressed(test, Device::All)));
    let cameras = Arc::new(Cameras::new(name, Arc::clone(&stand_in)));
    let mut discovery = Discovery {
        template: template.clone(),
        names: look::new_names(),
        nodes: NodeLook::default(),
        known: Vec::new(),
        modules: Vec::new(),
        asked: None,
        stand_in: Some(StandIn {
            camera: stand_in,
            stop: Arc::default(),
            ended: None,
        }),
        is_full: false,
        cameras: Arc::clone(&cameras),
        stop: Arc::clone(stop),
        fatal,
    };
    let asked = look::ask_for_modules();
    let mut found = discovery.look_at_nodes();
    if found.is_empty() {
        match asked.recv_timeout(MODULES_TIMEOUT) {
            Ok(modules) => found = discovery.new_modules(&modules),
            Err(_) => discovery.asked = Some(asked),
        }
    } else {
        discovery.asked = Some(asked);
    }
    for camera in discovery.cameras_of(found) {
        discovery.join(camera)?;
    }
    if let Some(mut stand_in) = discovery.stand_in.take() {
        stand_in.ended = Some(discovery.supervisor(&stand_in.camera, &stand_in.stop)?);
        discovery.stand_in = Some(stand_in);
    }
    threads::start("discovery", move || discovery.run())?;
    Ok(cameras)
}

impl Discovery {
    /// Runs until the program ends.
    fn run(mut self) {
        let mut plugged = hotplug::start();
        let mut period = PERIOD;
        while !self.stop.is_set() {
            let unasked = never();
            let mut found = Vec::new();
            select! {
                recv(plugged) -> change => if change.is_ok() {
                    self.stop.wait_until(Instant::now() + SETTLING);
                } else {
                    (plugged, period) = (never(), POLL);
                },
                recv(self.asked.as_ref().unwrap_or(&unasked)) -> modules => {
                    self.asked = None;
                    found = self.new_modules(&modules.unwrap_or_default());
                }
                default(period) => self.ask_for_modules(),
            }
            found.extend(self.look_at_nodes());
            for camera in self.cameras_of(found) {
                if let Err(error) = self.join(camera) {
                    error!("{error}");
                }
            }
        }
    }

    /// Asks libcamera again where it may have one by now: who may hang is not asked for nothing.
    fn ask_for_modules(&mut self) {
        let is_likely = self.stand_in.is_some() || seen_by_kernel().is_some();
        if self.asked.is_none() && self.modules.is_empty() && is_likely {
            self.asked = Some(look::ask_for_modules());
        }
    }

    /// Looks where the cameras with nodes are; gives the new ones.
    fn look_at_nodes(&mut self) -> Vec<FoundDevice> {
        let seen = self.nodes.cameras();
        let known = self.known.iter();
        let known: Vec<_> = known.map(|one| (one.seen.clone(), one.is_there)).collect();
        let recognized = known_devices::recognize(&known, &seen);
        for (at, known) in self.known.iter_mut().enumerate() {
            let now = recognized.iter().position(|device| *device == Some(at));
            known.is_there = now.is_some();
            if let Some(now) = now {
                known.seen = seen[now].clone();
            }
            if let Some(place) = &known.camera.place {
                place.set(now.map(|now| seen[now].clone()));
            }
        }
        let new = seen.into_iter().zip(recognized);
        new.filter(|(_, known)| known.is_none())
            .map(|(seen, _)| FoundDevice::with_node(seen))
            .collect()
    }

    /// Of `modules` the new ones.
    fn new_modules(&mut self, modules: &[CameraModule]) -> Vec<FoundDevice> {
        let is_new = |module: &&CameraModule| !self.modules.contains(&module.id);
        let new: Vec<_> = modules.iter().filter(is_new).collect();
        let ids: Vec<_> = new.iter().map(|module| module.id.clone()).collect();
        self.modules.extend(ids);
        new.into_iter().map(FoundDevice::module).collect()
    }

    /// Cameras of `found`, which were found together.
    fn cameras_of(&mut self, mut found: Vec<FoundDevice>) -> Vec<Camera> {
        let room = MOST_CAMERAS.saturating_sub(self.known.len() + self.modules.len());
        if found.len() > room && !mem::replace(&mut self.is_full, true) {
            warn!(
                "{MOST_CAMERAS} cameras were found, and others are not served until a restart (does one change \
                 its serial number or its port again and again?)"
            );
        }
        found.truncate(room);
        let named = look::named(&mut self.names, found).into_iter();
        let cameras = named.map(|(name, found)| {
            debug!("camera `{name}` is {}", found.card);
            Camera::found(self.template.addressed(name, found.device), found.seen)
        });
        cameras.collect()
    }

    /// From now on its device is known.
    fn note(&mut self, camera: Camera) -> Arc<Camera> {
        let camera = Arc::new(camera);
        let seen = camera.place.as_ref().and_then(|place| place.seen());
        self.known.extend(seen.map(|seen| KnownDevice {
            seen,
            is_there: true,
            camera: Arc::clone(&camera),
        }));
        camera
    }

    /// From now on `camera` is served; the first one ends what stands in and takes its place.
    fn join(&mut self, camera: Camera) -> Result<(), Error> {
        camera.set_quality(self.cameras.first().quality());
        let camera = match self.stand_in.take() {
            None => {
                let camera = self.note(camera);
                self.cameras.add(Arc::clone(&camera));
                camera
            }
            Some(stand_in) => {
                let was_shown = stand_in.end();
                let camera = self.note(camera.in_place_of(&stand_in.camera));
                if was_shown {
                    // No picture of the pattern is the latest any more, and those on their way are late.
                    if let Err(error) = placeholder::publish(&camera) {
                        debug!("{error}");
                    }
                }
                self.cameras.replace_first(Arc::clone(&camera));
                camera
            }
        };
        let (name, device) = (&camera.config.name, &camera.config.device);
        info!("camera found: {device}, served as `{name}`");
        let started = self.supervisor(&camera, &self.stop);
        started.map(drop).inspect_err(|error| {
            camera.status().go_offline(error, Instant::now());
        })
    }

    fn supervisor(
        &self,
        camera: &Arc<Camera>,
        stop: &Arc<ShutdownFlag>,
    ) -> Result<Receiver<Infallible>, Error> {
        supervisor_thread::start(camera, &self.cameras, stop, self.fatal.clone())
    }
}

impl StandIn {
    /// Ends its threads, and waits for that; false where it was not started.
    fn end(&self) -> bool {
        self.stop.set();
        self.camera.slot.wake();
        let ended = self.ended.as_ref().map(Receiver::recv);
        ended.is_some()
    }
}
