//! The integration tests: the real binary on a free port, talked to by real clients.
//!
//! One binary, a module per subject. Nothing here sleeps for a fixed time to be on the safe side:
//! every wait has a condition and a deadline. Every process started is ended by its id.

#![allow(clippy::unwrap_used)]

mod auth;
mod browser;
mod bursts;
mod cameras;
mod camfeed;
mod cli;
mod clients;
mod fakecam;
mod faults;
mod healing;
mod http;
mod manager;
mod pages;
mod proxies;
mod reload;
mod sequences;
mod service;
mod signals;
mod snapshots;
mod sources;
mod status;
mod streams;
mod units;

#[path = "../bench/load/mod.rs"]
mod load;
