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
