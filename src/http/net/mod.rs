//! Sockets: the listener, the open connections and what Linux tells of them.

pub mod connection;
pub mod connection_limit;
pub mod listener;
mod local_addresses;
pub mod open_connections;
pub mod tcp_info;
pub mod viewer_backlog;
