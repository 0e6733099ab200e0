//! What is printed for whoever stands at the terminal: an output that is full, or whose reader has gone, ends
//! nothing in mid-work.

use std::{
    fmt,
    io::{self, ErrorKind, Write},
    sync::OnceLock,
};

/// Why standard output took no more, the first time.
static FAILURE: OnceLock<io::Error> = OnceLock::new();

/// Prints a line to standard output, as `println!` does; a failure is told at the end, by [`finish`].
macro_rules! say {
    ($($text:tt)*) => {
        $crate::system::output::print(format_args!($($text)*))
    };
}
pub(crate) use say;

/// See [`say`].
pub fn print(text: fmt::Arguments) {
    if let Err(failure) = writeln!(io::stdout(), "{text}") {
        let _ = FAILURE.set(failure);
    }
}

/// Prints a line to standard error; where that cannot take it, nobody is there to be told.
pub fn complain(text: fmt::Arguments) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// The exit code of a program that would end with `code`: 1 where not all could be printed, and says so. A
/// reader that has read enough, such as `head`, is no failure.
pub fn finish(code: u8) -> u8 {
    match FAILURE.get() {
        Some(failure) if failure.kind() != ErrorKind::BrokenPipe => {
            complain(format_args!("cannot write to standard output: {failure}"));
            1
        }
        _ => code,
    }
}
