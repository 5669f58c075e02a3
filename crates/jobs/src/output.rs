//! What reaches stdout and stderr.

use std::{fmt, io::Write};

/// Tells the person at the terminal something. If stderr is full or gone, nobody reads it.
pub fn remark(line: impl fmt::Display) {
    let _ = writeln!(anstream::stderr(), "{line}");
}
