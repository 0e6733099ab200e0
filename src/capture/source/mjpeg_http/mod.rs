//! Pictures of another server, passed on as they are: JPEGs over plain HTTP, read without FFmpeg.
//!
//! FFmpeg gives the JPEGs and loses what their parts say. These readers keep it: a frame has the
//! capture time its server tells (`clock` finds out how old that makes it here), and a part that is
//! sent again is known for it. A part is handed on as soon as its last byte is there, so a tree of
//! camfeeds adds little but the network's time.
//!
//! Read here behind `http://`: multipart streams (`parts`), JPEGs end to end (`jpegs`), and single
//! pictures, which are asked for again and again (`still`). Films, HLS and passwords by Digest are
//! FFmpeg's; so is `https://`, there is no TLS in camfeed.

mod address;
mod answer;
mod chunks;
mod clock;
mod content;
mod jpegs;
mod knock;
mod open;
mod parts;
mod relay;
mod request;
mod still;

pub use self::{
    knock::knock,
    open::{handles, open},
};
