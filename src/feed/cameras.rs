//! All cameras of the program, in their order. The first has the addresses without a name.
//!
//! Cameras come while the program runs, where all are searched; none ever goes, and none changes its name.
//! Only what stands in for a camera while there is none goes, when the first one comes.

use crate::{config::CameraName, feed::camera::Camera};
use parking_lot::RwLock;
use std::sync::Arc;

/// See the module. There is always one.
#[derive(Debug)]
pub struct Cameras {
    /// What all together are called.
    pub name: CameraName,
    /// Held for the time of a clone or an exchange.
    list: RwLock<Arc<[Arc<Camera>]>>,
}

impl Cameras {
    /// `first`, and as many as are added.
    pub fn new(name: CameraName, first: Arc<Camera>) -> Cameras {
        Cameras {
            name,
            list: RwLock::new(Arc::new([first])),
        }
    }

    /// As they are now.
    pub fn all(&self) -> Arc<[Arc<Camera>]> {
        Arc::clone(&self.list.read())
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

    /// From now on `camera` is one of them, the last.
    pub fn add(&self, camera: Arc<Camera>) {
        let mut list = self.list.write();
        let longer: Vec<_> = list.iter().cloned().chain([camera]).collect();
        *list = longer.into();
    }

    /// From now on `camera` is the first of them, instead of the one that was.
    pub fn replace_first(&self, camera: Arc<Camera>) {
        let mut list = self.list.write();
        let others = list.iter().skip(1).cloned();
        let all: Vec<_> = [camera].into_iter().chain(others).collect();
        *list = all.into();
    }
}
