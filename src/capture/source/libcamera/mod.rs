//! Camera modules, such as those on the ribbon cable of a Raspberry Pi: raw sensors, which give pictures
//! with the help of libcamera only.
//!
//! `modules` says which there are and `sensors` what the kernel sees of them; `open` reads one through a
//! pipeline that `request` words, `controls` are its properties, `failure` says why it gives nothing.

mod controls;
mod failure;
mod modules;
mod open;
mod request;
mod sensors;

pub use failure::silence_hint;
pub use modules::{CameraModule, modules};
pub use open::open;
pub use request::Request;
pub use sensors::{seen_by_kernel, unknown_module};
