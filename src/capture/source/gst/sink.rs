//! Where pictures go in: the end of a pipeline, which OpenCV reads, or a converter.

use crate::capture::source::gst::caps::{self, PictureKind};
use gstreamer::{Caps, ClockTime, Pad, PadProbeReturn, PadProbeType, glib, prelude::*};
use parking_lot::Mutex;
use std::{
    str::FromStr,
    sync::{Arc, OnceLock},
};

/// Among these, what OpenCV's sink takes is served.
const SERVED: &str = "video/x-raw,format={BGR,GRAY8,NV12,NV21,I420,YV12,YUY2,UYVY};image/jpeg";

/// See the module.
#[derive(Debug)]
pub struct Sink {
    pad: Pad,
    untold_bytes: Arc<OnceLock<usize>>,
    newest: Arc<Mutex<Arrival>>,
}

/// A picture that came to a sink.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Arrival {
    /// How many have come, with this one.
    pub number: u64,
    /// When it is to be presented, which for a camera is when it was taken, on the pipeline's clock.
    pub presented: Option<ClockTime>,
}

impl Sink {
    /// Watches what comes to `pad`, whose reader `listens` where a buffer tells where its lines are.
    pub fn watching(pad: Pad, listens: bool) -> Sink {
        let sink = Sink {
            pad,
            untold_bytes: Arc::default(),
            newest: Arc::default(),
        };
        let (untold_bytes, newest) = (Arc::clone(&sink.untold_bytes), Arc::clone(&sink.newest));
        let buffers = PadProbeType::BUFFER | PadProbeType::BUFFER_LIST;
        sink.pad.add_probe(buffers, move |_, info| {
            let mut newest = newest.lock();
            newest.number += 1;
            newest.presented = info.buffer().and_then(|buffer| buffer.pts());
            if let Some(buffer) = info.buffer() {
                if newest.number == 1 && !(listens && tells_lines(buffer)) {
                    let _ = untold_bytes.set(buffer.size());
                }
            }
            PadProbeReturn::Ok
        });
        sink
    }

    /// Bytes of the first buffer that came here, unless its reader was told where its lines are.
    pub fn untold_bytes(&self) -> Option<usize> {
        self.untold_bytes.get().copied()
    }

    /// The newest picture that came.
    pub fn newest(&self) -> Arrival {
        *self.newest.lock()
    }

    /// What comes now; `None` before anything came.
    pub fn caps(&self) -> Option<Caps> {
        self.pad.current_caps()
    }

    /// What whoever stands before it may give, as far as is known before the start; `None` when that
    /// may be served as it is.
    pub fn misfit(&self) -> Option<Caps> {
        let given = self.pad.peer_query_caps(None);
        let served = Caps::from_str(SERVED).expect("good caps");
        let is_other = |caps: &Caps| matches!(caps::kind_of(caps), PictureKind::Other(_));
        let never_fits = !given.is_empty() && !given.can_intersect(&served);
        (never_fits || given.is_fixed() && is_other(&given)).then_some(given)
    }
}

/// True for a buffer that says where its lines are.
fn tells_lines(buffer: &gstreamer::BufferRef) -> bool {
    // Registered with the first buffer that tells.
    let kind = glib::Type::from_name("GstVideoMetaAPI");
    let mut metas = buffer.iter_meta::<gstreamer::Meta>();
    kind.is_some_and(|kind| metas.any(|meta| meta.api() == kind))
}
