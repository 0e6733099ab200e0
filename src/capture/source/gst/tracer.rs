//! The parts of a pipeline that OpenCV makes, as GStreamer tells of them while it is made.
//!
//! OpenCV starts whatever parses of a text: with an element missing it waits half a minute for
//! pictures of the rest, and says no more than that none came. It says nothing of a picture's format
//! either: NV12 comes as a grey picture of one and a half times the height. GStreamer knows both.

use crate::capture::{
    interrupt::Interrupt,
    source::{
        gst::{error_words::in_our_words, running::RunningPipeline, sink::Sink},
        video_capture::opencv_version,
    },
};
use gstreamer::{
    Bin, Caps, Element, ParseFlags, Pipeline, StateChange, glib, parse, prelude::*,
    subclass::prelude::*,
};
use std::{
    cell::RefCell,
    env, mem,
    sync::{Arc, OnceLock},
};

glib::wrapper! {
    /// Hears of every element that is about to come into a pipeline or to change its state, whoever does it.
    pub struct ElementTracer(ObjectSubclass<TracerOfElements>) @extends gstreamer::Tracer, gstreamer::Object;
}

/// How [`ElementTracer`] does it.
#[derive(Default)]
pub struct TracerOfElements;

#[glib::object_subclass]
impl ObjectSubclass for TracerOfElements {
    const NAME: &'static str = "CamfeedElementTracer";
    type Type = ElementTracer;
    type ParentType = gstreamer::Tracer;
}

impl ObjectImpl for TracerOfElements {
    fn constructed(&self) {
        self.parent_constructed();
        self.register_hook(TracerHook::BinAddPre);
        self.register_hook(TracerHook::ElementChangeStatePre);
    }
}

impl GstObjectImpl for TracerOfElements {}

impl TracerImpl for TracerOfElements {
    fn bin_add_pre(&self, _: u64, bin: &Bin, element: &Element) {
        with_parts(|parts| parts.note(bin, element));
    }

    fn element_change_state_pre(&self, _: u64, element: &Element, _: StateChange) {
        with_parts(|parts| {
            if let Some(running) = &parts.running {
                running.note_change(element);
            }
        });
    }
}

/// Lets `note` into the parts that this thread wants to know.
fn with_parts(note: impl FnOnce(&mut PipelineParts)) {
    // A thread that is about to end has no place for them, and wants none.
    let _ = PARTS.try_with(|parts| {
        if let Some(parts) = parts.borrow_mut().as_mut() {
            note(parts);
        }
    });
}

thread_local! {
    /// The parts of the pipeline that this thread makes; `None` while nobody wants to know.
    static PARTS: RefCell<Option<PipelineParts>> = const { RefCell::new(None) };
}

/// Starts GStreamer, once.
pub fn start() -> Result<(), String> {
    static STARTED: OnceLock<Result<(), String>> = OnceLock::new();
    let started = STARTED.get_or_init(|| {
        if env::var_os("G_MESSAGES_DEBUG").is_none() {
            // What GLib complains of repeats names and values of the pipeline.
            glib::log_set_default_handler(|_, _, _| ());
        }
        gstreamer::init().map_err(|_| "GStreamer does not start".to_owned())?;
        // GStreamer holds no reference to a tracer.
        mem::forget(glib::Object::new::<ElementTracer>());
        Ok(())
    });
    started.clone()
}

/// What matters of a pipeline.
#[derive(Debug, Default)]
pub struct PipelineParts {
    /// The sink that OpenCV reads: the first whose name it looks for.
    pub end: Option<Sink>,
    /// Those of converters.
    pub converters: Vec<Sink>,
    /// The source that is a camera module.
    pub module: Option<Element>,
    /// The whole; `None` for a text that is only looked at.
    pub running: Option<RunningPipeline>,
    /// Stops it once it is there.
    interrupt: Option<Arc<Interrupt>>,
}

impl PipelineParts {
    fn note(&mut self, bin: &Bin, element: &Element) {
        if let Some(interrupt) = self.interrupt.take_if(|_| bin.is::<Pipeline>()) {
            self.running = Some(RunningPipeline::new(bin, &interrupt));
        }
        let factory = element.factory().map(|factory| factory.name());
        let sink = element.static_pad("sink");
        match (factory.as_deref(), sink) {
            (Some("libcamerasrc"), _) => self.module = Some(element.clone()),
            (Some("appsink"), Some(pad))
                if self.end.is_none() && element.name().contains("appsink") =>
            {
                // OpenCV listens from 4.10 on.
                self.end = Some(Sink::watching(pad, opencv_version() >= (4, 10)));
            }
            (Some("videoconvert"), Some(pad)) => self.converters.push(Sink::watching(pad, true)),
            _ => {}
        }
    }
}

/// Runs `open`, which opens a pipeline that `interrupt` is to stop, and gives the parts of that.
pub fn parts_of<T>(
    interrupt: Option<&Arc<Interrupt>>,
    open: impl FnOnce() -> T,
) -> (T, PipelineParts) {
    PARTS.set(Some(PipelineParts {
        interrupt: interrupt.cloned(),
        ..PipelineParts::default()
    }));
    let opened = open();
    (opened, PARTS.take().unwrap_or_default())
}

/// Why the pipeline `text` cannot be made, else what is known already to come of it that is not
/// served as it is. Nothing is started and no device opened.
pub fn examine(text: &str) -> Result<Option<Caps>, String> {
    start()?;
    let parse = || parse::launch_full(text, None, ParseFlags::FATAL_ERRORS);
    let (parsed, parts) = parts_of(None, parse);
    match parsed {
        Ok(_pipeline) => Ok(parts.end.and_then(|sink| sink.misfit())),
        Err(error) => {
            let said = in_our_words(text, error.kind(), error.message());
            Err(format!("GStreamer refuses the pipeline: {said}"))
        }
    }
}
