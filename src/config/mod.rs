//! What the program was told.
//!
//! `options` is the table of all options, for people. `args` is the command line and `file` where else options
//! may stand, with `given` and `sections` as their grammars; `other_programs` knows what others call them,
//! `settings` what they mean, `unused` which say nothing to a source. `device`, `access`, `camera_name`,
//! `listed`, `listen` and `values` say what each option takes, `clash` which two sources may be one device,
//! `source_text` how much of a source is shown.

mod access;
pub mod args;
mod camera_name;
pub mod clash;
mod device;
mod file;
mod given;
mod listed;
mod listen;
mod options;
mod other_programs;
mod sections;
mod settings;
mod source_text;
mod unused;
mod values;

pub use access::{AccessConfig, FrameAncestors, HostPattern, is_under, without_secrets};
pub use camera_name::CameraName;
pub use device::{Device, Pattern};
pub use file::ConfigFile;
pub use given::Given;
pub use listed::ListedCamera;
pub use listen::Listen;
pub use settings::{CameraConfig, CamerasConfig, Config, ServerConfig};
pub use source_text::{SourceText, elements, properties, shown_word, shown_words};
pub use values::{EncodeMode, Flip, Fps, Orientation, Origin, PixelFormat, Rotate, Size};
