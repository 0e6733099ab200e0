//! Faults on purpose, so that tests can see them heal. Only debug builds have them.

use std::{
    env,
    sync::atomic::{AtomicBool, Ordering},
};

/// True once, when `CAMFEED_FAULT` names this fault.
pub fn is_due(name: &str) -> bool {
    static WAS_DUE: AtomicBool = AtomicBool::new(false);
    cfg!(debug_assertions)
        && env::var_os("CAMFEED_FAULT").is_some_and(|fault| fault == name)
        && !WAS_DUE.swap(true, Ordering::Relaxed)
}

/// Like [`is_due`], but not before `/fault` was asked for.
pub fn is_due_after_request(name: &str) -> bool {
    WAS_REQUESTED.load(Ordering::Relaxed) && is_due(name)
}

/// Notes that `/fault` was asked for.
pub fn request() {
    WAS_REQUESTED.store(true, Ordering::Relaxed);
}

static WAS_REQUESTED: AtomicBool = AtomicBool::new(false);
