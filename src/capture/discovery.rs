//! `--source all`: finds the cameras that are plugged in, at the start and as long as the program runs.
//!
//! Each gets a name and a supervisor of its own; one that is gone stays, and has its place kept. While there is
//! none, the test pattern stands in. No node is ever that of two cameras, and no name that of two devices.

use crate::{
    capture::{
        camera_names::CameraNames,
        hotplug, known_devices,
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
use log::{debug, error, info};
use std::{
    convert::Infallible,
    sync::Arc,
    time::{Duration, Instant},
};

/// Between two looks; new nodes are reported.
const PERIOD: Duration = Duration::from_secs(15);

/// And where the system reports none.
const POLL: Duration = Duration::from_secs(5);

/// udev sets a new node's group, and makes its names, shortly after creating it.
const SETTLING: Duration = Duration::from_millis(50);

/// At the start libcamera is waited for no longer than this, and only where there is no other camera.
const MODULES_TIMEOUT: Duration = Duration::from_secs(4);

/// See the module.
pub struct Discovery {
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
    /// Closed when its threads have ended.
    ended: Receiver<Infallible>,
}

/// What every camera is started with.
struct Start {
    cameras: Arc<Cameras>,
    stop: Arc<ShutdownFlag>,
    fatal: Sender<Error>,
}

impl Discovery {
    /// Looks for the first time: all that are there get their names together. They are called `name` as one.
    pub fn begin(template: &CameraConfig, name: CameraName) -> (Discovery, Arc<Cameras>) {
        let mut discovery = Discovery {
            template: template.clone(),
            names: look::new_names(),
            nodes: NodeLook::default(),
            known: Vec::new(),
            modules: Vec::new(),
            asked: Some(look::ask_for_modules()),
            stand_in: None,
        };
        let mut found = discovery.look_at_nodes();
        if found.is_empty() {
            let asked = discovery.asked.take().expect("just asked");
            match asked.recv_timeout(MODULES_TIMEOUT) {
                Ok(modules) => found = discovery.new_modules(&modules),
                Err(_) => discovery.asked = Some(asked),
            }
        }
        let mut new = discovery.cameras_of(found).into_iter();
        let first = new.next().unwrap_or_else(|| {
            let name = CameraName::of_address(STAND_IN).expect("it is no address");
            Camera::new(template.addressed(name, Device::All))
        });
        let first = discovery.note(first);
        let cameras = Arc::new(Cameras::new(name, first));
        for camera in new {
            cameras.add(discovery.note(camera));
        }
        (discovery, cameras)
    }

    /// Starts the cameras that were found, and looks for others until `stop`.
    pub fn start(
        mut self,
        cameras: &Arc<Cameras>,
        stop: &Arc<ShutdownFlag>,
        fatal: Sender<Error>,
    ) -> Result<(), Error> {
        let start = Start {
            cameras: Arc::clone(cameras),
            stop: Arc::clone(stop),
            fatal,
        };
        for camera in &*cameras.all() {
            if camera.config.device == Device::All {
                let stop = Arc::new(ShutdownFlag::default());
                self.stand_in = Some(StandIn {
                    ended: start.supervisor(camera, &stop)?,
                    camera: Arc::clone(camera),
                    stop,
                });
            } else {
                tell_found(camera);
                start.supervisor(camera, stop)?;
            }
        }
        threads::start("discovery", move || self.run(&start))
    }

    /// Runs until the program ends.
    fn run(mut self, start: &Start) {
        let mut plugged = hotplug::start();
        let mut period = PERIOD;
        while !start.stop.is_set() {
            let unasked = never();
            let mut found = Vec::new();
            select! {
                recv(plugged) -> change => if change.is_ok() {
                    start.stop.wait_until(Instant::now() + SETTLING);
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
                self.join(camera, start);
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
            .map(|(seen, _)| FoundDevice::Node(seen))
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
    fn cameras_of(&mut self, found: Vec<FoundDevice>) -> Vec<Camera> {
        let described: Vec<_> = found.iter().map(FoundDevice::described).collect();
        let names = self.names.give(&described);
        let cameras = found.into_iter().zip(names).map(|(found, name)| {
            debug!("camera `{name}` is {}", found.card());
            let config = self.template.addressed(name, found.device());
            Camera::found(
                config,
                match found {
                    FoundDevice::Node(seen) => Some(seen),
                    FoundDevice::Module(..) => None,
                },
            )
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
    fn join(&mut self, camera: Camera, start: &Start) {
        camera.set_quality(start.cameras.first().quality());
        let camera = match self.stand_in.take() {
            None => {
                let camera = self.note(camera);
                start.cameras.add(Arc::clone(&camera));
                camera
            }
            Some(stand_in) => {
                stand_in.end();
                let camera = self.note(camera.in_place_of(&stand_in.camera));
                // No picture of the pattern is the latest any more, and those on their way are late.
                if let Err(error) = placeholder::publish(&camera) {
                    debug!("{error}");
                }
                start.cameras.replace_first(Arc::clone(&camera));
                camera
            }
        };
        tell_found(&camera);
        if let Err(error) = start.supervisor(&camera, &start.stop) {
            error!("{error}");
            camera.status().go_offline(&error, Instant::now());
        }
    }
}

impl StandIn {
    /// Ends its threads, and waits for that.
    fn end(&self) {
        self.stop.set();
        self.camera.slot.wake();
        let _ = self.ended.recv();
    }
}

impl Start {
    fn supervisor(
        &self,
        camera: &Arc<Camera>,
        stop: &Arc<ShutdownFlag>,
    ) -> Result<Receiver<Infallible>, Error> {
        supervisor_thread::start(camera, &self.cameras, stop, self.fatal.clone())
    }
}

fn tell_found(camera: &Camera) {
    let (name, device) = (&camera.config.name, &camera.config.device);
    info!("camera found: {device}, served as `{name}`");
}
