//! The answers: a handler for each address, a function of the request and the app.

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
