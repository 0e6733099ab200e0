//! All cameras of the program, in their order. The first has the addresses without a name.
//!
//! Cameras come while the program runs, where all are searched; none ever goes, and none changes its name.
//! Only what stands in for a camera while there is none goes, when the first one comes.

use crate::{
    config::{CameraName, clash},
    feed::{
        camera::{Camera, State},
        notify::{SharedNotifier, Waiter},
    },
};
use parking_lot::RwLock;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// See the module. There is always one.
#[derive(Debug)]
pub struct Cameras {
    /// What all together are called.
    pub name: CameraName,
    /// Held for the time of a clone or an exchange.
    list: RwLock<Arc<[Arc<Camera>]>>,
    /// How many were added.
    added: AtomicUsize,
    /// How often one came in place of another.
    replaced: AtomicUsize,
    /// Notified when one has a newer frame, when the list changes, and when the program ends.
    news: Arc<SharedNotifier>,
}

impl Cameras {
    /// `first`, and as many as are added.
    pub fn new(name: CameraName, first: Arc<Camera>) -> Cameras {
        let news = Arc::new(SharedNotifier::default());
        first.slot.also_notify(Arc::clone(&news));
        Cameras {
            name,
            list: RwLock::new(Arc::new([first])),
            added: AtomicUsize::new(0),
            replaced: AtomicUsize::new(0),
            news,
        }
    }

    /// As they are now.
    pub fn all(&self) -> Arc<[Arc<Camera>]> {
        Arc::clone(&self.list.read())
    }

    /// How often one has come in place of another, or `with_added`, been added; read without a lock.
    pub fn changes(&self, with_added: bool) -> usize {
        let added = self.added.load(Ordering::Acquire);
        self.replaced.load(Ordering::Acquire) + if with_added { added } else { 0 }
    }

    /// To wait until one has a newer frame, one has come, or the program ends.
    pub fn waiter(&self) -> Waiter {
        self.news.waiter()
    }

    /// The one that is meant where no name is given.
    pub fn first(&self) -> Arc<Camera> {
        Arc::clone(&self.list.read()[0])
    }

    /// The one with addresses below `name`, in any case of letters.
    pub fn named(&self, name: &str) -> Option<Arc<Camera>> {
        let is_meant = |camera: &&Arc<Camera>| {
            let own = camera.address();
            own.is_some_and(|own| own.eq_ignore_ascii_case(name))
        };
        self.list.read().iter().find(is_meant).cloned()
    }

    /// True while a camera other than `camera` gives pictures, or is expected to: it rests, or is being opened or woken.
    pub fn is_another_well(&self, camera: &Arc<Camera>) -> bool {
        let all = self.all();
        let mut others = all.iter().filter(|other| !Arc::ptr_eq(other, camera));
        others.any(|other| other.status().state != State::Offline)
    }

    /// The camera that gives pictures of what may be the device of `camera`, and in words that behind both their
    /// names say why.
    pub fn rival_of(&self, camera: &Arc<Camera>) -> Option<(Arc<Camera>, String)> {
        let all = self.all();
        let mut online = all
            .iter()
            .filter(|other| !Arc::ptr_eq(other, camera) && other.status().state == State::Online);
        online.find_map(|other| {
            let why = clash::of_sources(&other.config.device, &camera.config.device)?;
            Some((Arc::clone(other), why))
        })
    }

    /// From now on `camera` is one of them, the last.
    pub fn add(&self, camera: Arc<Camera>) {
        self.change(&self.added, |list| list.push(camera));
    }

    /// From now on `camera` is the first of them, instead of the one that was and whose slot it has.
    pub fn replace_first(&self, camera: Arc<Camera>) {
        self.change(&self.replaced, |list| list[0] = camera);
    }

    fn change(&self, count: &AtomicUsize, change: impl FnOnce(&mut Vec<Arc<Camera>>)) {
        {
            let mut list = self.list.write();
            let mut changed = list.to_vec();
            change(&mut changed);
            for camera in &changed {
                camera.slot.also_notify(Arc::clone(&self.news));
            }
            *list = changed.into();
            count.fetch_add(1, Ordering::Release);
        }
        self.news.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, args};

    #[test]
    fn a_camera_that_is_woken_is_of_use_and_one_that_is_offline_is_not() {
        let config = Config::from(args::parse(&["--source", "test"]).expect("good")).cameras;
        let camera = || Arc::new(Camera::new(config.first().clone()));
        let (one, other) = (camera(), camera());
        let cameras = Cameras::new(config.name.clone(), Arc::clone(&one));
        assert!(!cameras.is_another_well(&one), "it is alone");
        cameras.add(Arc::clone(&other));
        for state in State::ALL {
            other.status().state = state;
            assert_eq!(
                cameras.is_another_well(&one),
                state != State::Offline,
                "{state:?}"
            );
        }
    }
}
