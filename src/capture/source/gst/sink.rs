//! What GStreamer itself says of a pipeline: before OpenCV opens it, and of the pictures that come.
//!
//! OpenCV starts whatever parses of a text: with an element missing it waits half a minute for
//! pictures of the rest, and says no more than that none came. It says nothing of a picture's format
//! either: NV12 comes as a grey picture of one and a half times the height. GStreamer knows both.

use crate::capture::source::{gst::error_words::in_our_words, video_capture::opencv_version};
use gstreamer::{
    Bin, Caps, Element, Pad, PadProbeReturn, PadProbeType, ParseFlags, Pipeline, State, glib,
    parse, prelude::*, subclass::prelude::*,
};
use std::{
    cell::RefCell,
    env, mem,
    str::FromStr,
    sync::{Arc, OnceLock},
};

/// What OpenCV's sink takes first, and what is served of it.
const SERVED: &str = "video/x-raw,format={BGR,GRAY8};image/jpeg";

glib::wrapper! {
    /// Hears of every element that is about to come into a pipeline, whoever makes it.
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
    }
}

impl GstObjectImpl for TracerOfElements {}

impl TracerImpl for TracerOfElements {
    fn bin_add_pre(&self, _: u64, bin: &Bin, element: &Element) {
        // A thread that is about to end has no place for it, and wants none.
        let _ = SINKS.try_with(|sinks| {
            if let Some(sinks) = sinks.borrow_mut().as_mut() {
                sinks.note(bin, element);
            }
        });
    }
}

thread_local! {
    /// The sinks and converters that pipelines made by this thread have got; `None` while nobody wants
    /// to know.
    static SINKS: RefCell<Option<Sinks>> = const { RefCell::new(None) };
}

/// Starts GStreamer, once.
fn start() -> Result<(), String> {
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

/// Where pictures go in: the end of a pipeline, which OpenCV reads, or a converter.
#[derive(Debug)]
pub struct Sink {
    pad: Pad,
    untold_bytes: Arc<OnceLock<usize>>,
}

impl Sink {
    /// Watches what comes to `pad`, whose reader `listens` where a buffer tells where its lines are.
    fn watching(pad: Pad, listens: bool) -> Sink {
        let untold_bytes = Arc::new(OnceLock::new());
        let noted = Arc::clone(&untold_bytes);
        pad.add_probe(PadProbeType::BUFFER, move |_, info| {
            if let Some(buffer) = info.buffer() {
                // Registered with the first buffer that tells.
                let kind = glib::Type::from_name("GstVideoMetaAPI");
                let mut metas = buffer.iter_meta::<gstreamer::Meta>();
                let tells_lines = kind.is_some_and(|kind| metas.any(|meta| meta.api() == kind));
                if !(listens && tells_lines) {
                    let _ = noted.set(buffer.size());
                }
            }
            PadProbeReturn::Remove
        });
        Sink { pad, untold_bytes }
    }

    /// Bytes of the first buffer that came here, unless its reader was told where its lines are.
    pub fn untold_bytes(&self) -> Option<usize> {
        self.untold_bytes.get().copied()
    }

    /// What comes now; `None` before anything came.
    pub fn caps(&self) -> Option<Caps> {
        self.pad.current_caps()
    }

    /// What whoever stands before it may give, as far as is known before the start; `None` when that
    /// may be served as it is.
    fn misfit(&self) -> Option<Caps> {
        let given = self.pad.peer_query_caps(None);
        let served = Caps::from_str(SERVED).expect("good caps");
        (!given.is_empty() && !given.can_intersect(&served)).then_some(given)
    }
}

/// The sinks and converters of a pipeline.
#[derive(Debug, Default)]
pub struct Sinks {
    /// The one that OpenCV reads: the first whose name it looks for.
    pub end: Option<Sink>,
    /// Those of converters.
    pub converters: Vec<Sink>,
    /// The whole.
    pipeline: Option<Bin>,
}

impl Sinks {
    /// Takes the pipeline down. OpenCV lets go of one that does not start without stopping it, and threads
    /// of its elements may then run on what was freed.
    pub fn stop(&self) {
        if let Some(pipeline) = &self.pipeline {
            // It is gone either way.
            let _ = pipeline.set_state(State::Null);
        }
    }

    fn note(&mut self, bin: &Bin, element: &Element) {
        if self.pipeline.is_none() && bin.is::<Pipeline>() {
            self.pipeline = Some(bin.clone());
        }
        let (Some(factory), Some(pad)) = (element.factory(), element.static_pad("sink")) else {
            return;
        };
        match factory.name().as_str() {
            "appsink" if self.end.is_none() && element.name().contains("appsink") => {
                // OpenCV listens from 4.10 on.
                self.end = Some(Sink::watching(pad, opencv_version() >= (4, 10)));
            }
            "videoconvert" => self.converters.push(Sink::watching(pad, true)),
            _ => {}
        }
    }
}

/// Runs `open`, which opens a pipeline, and gives the sinks of that.
pub fn sinks_of<T>(open: impl FnOnce() -> T) -> (T, Sinks) {
    SINKS.set(Some(Sinks::default()));
    let opened = open();
    (opened, SINKS.take().unwrap_or_default())
}

/// Why the pipeline `text` cannot be made, else what is known already to come of it that is not
/// served as it is. Nothing is started and no device opened.
pub fn examine(text: &str) -> Result<Option<Caps>, String> {
    start()?;
    let (parsed, sinks) = sinks_of(|| parse::launch_full(text, None, ParseFlags::FATAL_ERRORS));
    match parsed {
        Ok(_pipeline) => Ok(sinks.end.and_then(|sink| sink.misfit())),
        Err(error) => {
            let said = in_our_words(text, error.kind(), error.message());
            Err(format!("GStreamer refuses the pipeline: {said}"))
        }
    }
}
