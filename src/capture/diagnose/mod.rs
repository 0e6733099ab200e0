//! What there is and what a source really gives, told to a person: `--list`, `--check`, and the
//! log's line when a camera comes online.

mod check;
mod list;
mod online;
mod tally;

pub use check::check;
pub use list::list;
pub use online::log_online;
