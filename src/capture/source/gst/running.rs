//! A pipeline that OpenCV has made and owns: watched for errors, and stopped from outside.
//!
//! OpenCV waits for ever for the next picture of a source that posts an error and sends no end, and
//! never looks at the bus meanwhile. So errors are heard of as they are posted, and the pipeline is
//! stopped then: whoever waits in OpenCV returns. OpenCV also starts a pipeline that it finds stopped,
//! with the next picture it is asked for; so one that was stopped is stopped again whenever it starts.

use crate::{capture::interrupt::Interrupt, system::threads};
use gstreamer::{Bin, BusSyncReply, ClockTime, MessageView, Pipeline, State, message, prelude::*};
use log::debug;
use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// A picture that is older than this was stamped by another clock.
const OLDEST: Duration = Duration::from_secs(10);

/// See the module.
#[derive(Debug, Clone)]
pub struct RunningPipeline {
    bin: Bin,
    /// The first error of all.
    failure: Arc<OnceLock<Failure>>,
    /// It is not to run any more.
    is_stopped: Arc<AtomicBool>,
}

/// What an element says of an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The element's kind, such as `libcamerasrc`.
    pub element: String,
    /// Its words for people; they may hold a secret of the pipeline.
    pub message: String,
    /// Its words for developers.
    pub details: String,
}

impl RunningPipeline {
    /// Watches `bin`, which is empty and not started. `interrupt` stops it from now on.
    pub fn watch(bin: &Bin, interrupt: &Interrupt) -> RunningPipeline {
        let running = RunningPipeline {
            bin: bin.clone(),
            failure: Arc::default(),
            is_stopped: Arc::default(),
        };
        if let Some(bus) = bin.bus() {
            let (failure, is_stopped) = (&running.failure, &running.is_stopped);
            let (failure, is_stopped) = (Arc::clone(failure), Arc::clone(is_stopped));
            let weak = bin.downgrade();
            bus.set_sync_handler(move |_, message| {
                let is_over = match message.view() {
                    MessageView::Error(error) => {
                        is_stopped.store(true, Ordering::Relaxed);
                        failure.set(failure_of(error)).is_ok()
                    }
                    MessageView::StateChanged(change) => {
                        let is_start = change.old() == State::Null
                            && change.src().is_some_and(|src| src.is::<Pipeline>());
                        is_start && is_stopped.load(Ordering::Relaxed)
                    }
                    _ => false,
                };
                // Not here, in a thread of the pipeline, which would wait for itself.
                if let Some(bin) = weak.upgrade().filter(|_| is_over) {
                    stop_elsewhere(bin);
                }
                BusSyncReply::Pass
            });
        }
        let stopped = running.clone();
        interrupt.arm(move || stopped.stop());
        running
    }

    /// Takes the pipeline down for good: whoever waits for its pictures returns, and its devices are
    /// free. May wait for an element that hangs.
    pub fn stop(&self) {
        self.is_stopped.store(true, Ordering::Relaxed);
        // It is gone either way.
        let _ = self.bin.set_state(State::Null);
    }

    /// Whether it is not to run any more.
    pub fn is_stopped(&self) -> bool {
        self.is_stopped.load(Ordering::Relaxed)
    }

    /// The first error that one of its elements has posted.
    pub fn failure(&self) -> Option<&Failure> {
        self.failure.get()
    }

    /// How old a picture with that presentation time is now, where the pipeline's clock tells.
    pub fn age_of(&self, presented: ClockTime) -> Option<Duration> {
        let taken = self.bin.base_time()? + presented;
        let age: Duration = self.bin.clock()?.time().checked_sub(taken)?.into();
        (age < OLDEST).then_some(age)
    }
}

fn failure_of(error: &message::Error) -> Failure {
    let source = error
        .src()
        .and_then(|source| source.downcast_ref::<gstreamer::Element>());
    let kind = source.and_then(|element| Some(element.factory()?.name().to_string()));
    Failure {
        element: kind.unwrap_or_default(),
        message: error.error().message().to_owned(),
        details: error.debug().map(String::from).unwrap_or_default(),
    }
}

fn stop_elsewhere(bin: Bin) {
    let stop = move || {
        let _ = bin.set_state(State::Null);
    };
    if let Err(error) = threads::start("gst-stop", stop) {
        debug!("{error}");
    }
}
