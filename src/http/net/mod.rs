//! Sockets: the listener, the accept loop, the open connections and what Linux tells of them.

pub mod accept;
pub mod backlog;
pub mod connection;
pub mod connection_limit;
pub mod listener;
pub mod open_connection;
pub mod tcp_info;
