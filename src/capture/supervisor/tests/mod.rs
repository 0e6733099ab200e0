mod candidates;
mod idle;
mod opening;
mod outage;
mod search;

use super::*;
use crate::{
    config::{Config, args::Args},
    error::Cause,
    feed::slot::Watch,
};
use argh::FromArgs;
use std::{
    cell::RefCell,
    collections::HashMap,
    path::{Path, PathBuf},
    rc::Rc,
};

const SECOND: Duration = Duration::from_secs(1);
const MILLISECOND: Duration = Duration::from_millis(1);

/// What the supervisor did, and what it sees.
#[derive(Default)]
struct Record {
    /// Each launch: its lease, the devices as users know them, the warm-up.
    launches: Vec<(Arc<CaptureLease>, String, u32)>,
    placeholders: usize,
    cameras: Vec<PathBuf>,
    /// Where names lead; a node leads to itself.
    names: HashMap<PathBuf, PathBuf>,
    /// No thread can be started.
    is_full: bool,
    /// Another camera gives pictures.
    is_another_well: bool,
}

#[derive(Clone, Default)]
struct Fake(Rc<RefCell<Record>>);

impl Environment for Fake {
    fn launch(
        &mut self,
        lease: &Arc<CaptureLease>,
        devices: Vec<Device>,
        warmup: u32,
    ) -> Result<(), Error> {
        let mut record = self.0.borrow_mut();
        if record.is_full {
            let (name, source) = ("capture".to_owned(), std::io::ErrorKind::WouldBlock.into());
            return Err(Error::Thread { name, source });
        }
        let devices: Vec<_> = devices.iter().map(Device::to_string).collect();
        let launch = (Arc::clone(lease), devices.join(" "), warmup);
        record.launches.push(launch);
        Ok(())
    }

    fn cameras(&self) -> Vec<PathBuf> {
        self.0.borrow().cameras.clone()
    }

    fn node_behind(&self, path: &Path) -> Option<PathBuf> {
        let record = self.0.borrow();
        let is_node = record.cameras.iter().any(|node| node == path);
        let node = is_node.then(|| path.to_owned());
        node.or_else(|| record.names.get(path).cloned())
    }

    fn stable_name(&self, path: &Path) -> Option<PathBuf> {
        let record = self.0.borrow();
        let mut names = record.names.iter();
        names
            .find(|(_, node)| *node == path)
            .map(|(name, _)| name.clone())
    }

    fn is_another_well(&self) -> bool {
        self.0.borrow().is_another_well
    }

    fn show_placeholder(&mut self) {
        self.0.borrow_mut().placeholders += 1;
    }
}

/// A supervisor, its environment and a clock that is set by hand.
struct Bench {
    supervisor: Supervisor<Fake>,
    camera: Arc<Camera>,
    environment: Fake,
    now: Instant,
}

impl Bench {
    fn new(args: &[&str]) -> Bench {
        let args = Args::from_args(&["camfeed"], args).expect("good options");
        let camera = Arc::new(Camera::new(Config::from(args).cameras.first().clone()));
        let environment = Fake::default();
        let now = Instant::now();
        Bench {
            supervisor: Supervisor::new(Arc::clone(&camera), environment.clone(), now),
            camera,
            environment,
            now,
        }
    }

    /// One that has opened its device and come online with it.
    fn online(args: &[&str]) -> Bench {
        let mut bench = Bench::new(args);
        bench.act();
        bench.come_online(1, &facts());
        bench
    }

    fn act(&mut self) {
        self.supervisor.act(self.now).expect("nothing hangs");
    }

    /// Lets the time pass and everything happen that becomes due meanwhile.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        let mut looks = 0;
        while self.now < end {
            let due = self.supervisor.deadline(self.now);
            assert!(due > self.now || looks < 1000, "it spins");
            looks += 1;
            self.now = due.clamp(self.now, end);
            self.act();
        }
    }

    /// The time until something is due.
    fn wait(&self) -> Duration {
        self.supervisor.deadline(self.now) - self.now
    }

    fn come_online(&mut self, lease: u64, facts: &SourceInfo) {
        let facts = Box::new(facts.clone());
        let event = CaptureEvent::Online {
            lease,
            facts,
            controls: None,
        };
        self.supervisor.report(event, self.now);
    }

    /// From now on this thread's pictures never cease.
    fn keep_alive(&self, lease: u64) {
        self.lease(lease).note_picture(self.now + 10_000 * SECOND);
    }

    fn end(&mut self, lease: u64, reason: EndReason) {
        let event = CaptureEvent::Ended { lease, reason };
        self.supervisor.report(event, self.now);
    }

    fn fail(&mut self, lease: u64) {
        self.end(lease, EndReason::Failed(failure()));
    }

    fn lease(&self, id: u64) -> Arc<CaptureLease> {
        let record = self.environment.0.borrow();
        let mut launches = record.launches.iter();
        let launch = launches.find(|(lease, _, _)| lease.id == id);
        Arc::clone(&launch.expect("launched").0)
    }

    /// The devices and the warm-up of each launch.
    fn launches(&self) -> Vec<(String, u32)> {
        let record = self.environment.0.borrow();
        let launches = record.launches.iter();
        launches
            .map(|(_, devices, warmup)| (devices.clone(), *warmup))
            .collect()
    }

    fn count(&self) -> usize {
        self.environment.0.borrow().launches.len()
    }

    fn placeholders(&self) -> usize {
        self.environment.0.borrow().placeholders
    }

    fn state(&self) -> State {
        self.camera.status().state
    }

    fn reason(&self) -> String {
        self.camera.status().reason.clone().unwrap_or_default()
    }

    fn watch(&self) -> Watch {
        self.camera.slot.watch()
    }
}

fn facts() -> SourceInfo {
    SourceInfo {
        source: "/dev/video0".to_owned(),
        fps: Some(30.0),
        ..SourceInfo::default()
    }
}

fn pattern() -> SourceInfo {
    SourceInfo {
        source: "test pattern".to_owned(),
        is_fallback: true,
        ..facts()
    }
}

fn failure() -> Error {
    Error::Open {
        device: "/dev/video0".to_owned(),
        cause: Cause::Missing,
        reason: "no such device".to_owned(),
    }
}

const NODE: [&str; 2] = ["--source", "/dev/video0"];

const IDLE: [&str; 4] = ["--source", "/dev/video0", "--idle-timeout", "2"];

const STABLE: &str = "/dev/v4l/by-id/usb-Camera-video-index0";
