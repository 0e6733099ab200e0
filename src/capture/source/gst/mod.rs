//! GStreamer pipelines: `pipeline` opens and reads one with OpenCV, `pipeline_text` writes its end, `tracer`
//! finds its parts while it is made or says why it cannot be (in `error_words`), `sink` says what comes
//! there (as `caps`, with `colorimetry`), `running` hears its errors and stops it, `padding` is what OpenCV
//! would shear.

mod caps;
mod colorimetry;
mod error_words;
mod padding;
mod pipeline;
mod pipeline_text;
mod running;
mod sink;
mod tracer;

pub use pipeline::{GstPipeline, Opener, Stage, open};
pub use running::Failure;
pub use tracer::start;
