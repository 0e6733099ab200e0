//! GStreamer pipelines: `pipeline` opens and reads one with OpenCV, `pipeline_text` writes its end, `sink`
//! says what comes there (as `caps`) or why nothing can (in `error_words`), `padding` what OpenCV would shear.

mod caps;
mod error_words;
mod padding;
mod pipeline;
mod pipeline_text;
mod sink;

pub use pipeline::open;
