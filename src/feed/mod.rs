//! The domain: frames, the slot where capture and viewers meet, and what is known of a camera and of who
//! watches. No OpenCV, no HTTP and no calls to the system but the futex of `notify`.

pub mod camera;
pub mod cameras;
pub mod controls;
pub mod frame;
pub mod freeze;
pub mod health;
pub mod multipart;
pub mod notify;
pub mod place;
pub mod slot;
pub mod stats;
pub mod status;
pub mod viewers;
