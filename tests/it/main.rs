//! The integration tests: the real binary on a free port, talked to by real clients.
//!
//! One binary, a module per subject. Nothing here sleeps for a fixed time to be on the safe side:
//! every wait has a condition and a deadline. Every process started is ended by its id.

#![allow(clippy::unwrap_used)]

mod attackers;
mod auth;
mod bandwidth;
mod browser;
mod bursts;
mod bystanders;
mod caddy;
mod cameras;
mod camfeed;
mod checks;
mod churn;
mod cli;
mod clients;
mod csi;
mod csi_faults;
mod drivers;
mod engines;
mod fake_libcamera;
mod fakecam;
mod fault_viewers;
mod faults;
mod films;
mod formats;
mod found;
mod grid;
mod healing;
mod health;
mod honesty;
mod hostile;
mod http;
mod install;
mod layout;
mod libcamera_standin;
mod limits;
mod manager;
mod manual;
mod matrix;
mod metrics;
mod metrics_of_cameras;
mod neighbours;
mod page_honesty;
mod page_links;
mod page_numbers;
mod page_parts;
mod page_syntax;
mod page_tables;
mod page_windows;
mod page_words;
mod pages;
mod panels;
mod pip;
mod places;
mod printers;
mod programs;
mod proxies;
mod readers;
mod readme;
mod refusals;
mod relays;
mod reload;
mod scripts;
mod scripts_of_cameras;
mod secrets;
mod sequences;
mod service;
mod setup;
mod several;
mod shell;
mod sight;
mod signals;
mod site;
mod slow;
mod snapshots;
mod soak;
mod sources;
mod stalled;
mod status;
mod streams;
mod streams_of_all;
mod stub;
mod tcp_proxy;
mod threads;
mod timelapse;
mod touches;
mod trial;
mod troubleshooting;
mod turns;
mod units;
mod upgrade;
mod upstreams;
mod view;
mod view_touch;
mod wall;
mod watch;
mod windows;
mod zoomed;

#[path = "../bench/load/mod.rs"]
mod load;

#[allow(dead_code)] // Its tests alone are run here.
#[path = "../bench/page/frames.rs"]
mod page_frames;

#[allow(dead_code)] // The bench needs more of it.
#[path = "../bench/media.rs"]
mod media;
