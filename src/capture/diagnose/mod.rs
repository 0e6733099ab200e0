//! What there is and what a source really gives, told to a person: `--list` and `--check`.

mod check;
mod list;
mod tally;

pub use check::check;
pub use list::list;
