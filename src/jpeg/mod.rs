//! The check every JPEG from a device passes before it may become a frame.
//!
//! A camera, an MJPEG file or a GStreamer sink hands over bytes that are passed through untouched
//! to the viewers. [`inspect()`] walks the markers of one such picture (`capture/` calls it, once per
//! picture), says where the picture ends and what is missing, and refuses what must not be sent.
//! [`JpegLayout::write_to`] then copies it with the repairs: padding cut off, Huffman tables put in,
//! and an EOI put behind the last byte where the caller knows that nothing else is missing.
//!
//! Nothing is decoded: the scan data is only searched for markers. So a scan without an EOI may be
//! whole or cut off, and [`JpegError::NoEoi`] leaves it to the caller which. It never panics, whatever
//! the bytes, and never changes a byte it was given: repairs only add and cut. Section and table
//! numbers below are those of ITU T.81, which is the JPEG standard.

mod comment;
mod error;
mod header;
mod inspect;
mod join;
mod layout;
mod marker;
mod scan;
mod segment;
mod tables;
#[cfg(test)]
mod tests;
mod walk;

pub use comment::{comment, with_comment};
pub use error::JpegError;
pub use inspect::{find_soi, inspect};
pub use join::join;
pub use layout::JpegLayout;
