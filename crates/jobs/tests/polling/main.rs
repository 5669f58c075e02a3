//! `jobs wait`, `jobs status` and `jobs check`, as a person uses them: the real binary, against the
//! endpoint of `cargo local` and against servers that do what a test says.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs)]

mod check;
mod harness;
mod status;
mod terminal;
mod url;
mod wait;
