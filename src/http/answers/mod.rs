//! The answers: a file for each, with a function of what it needs; and what several of them have in common.

pub mod controls;
pub mod etag;
pub mod metrics;
pub mod pace;
pub mod pages;
pub mod prometheus_text;
pub mod sign_of_life;
pub mod snapshot;
pub mod snapshot_query;
pub mod state;
pub mod stream;
pub mod streams;
pub mod viewing;
