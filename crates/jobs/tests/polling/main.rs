//! `jobs wait`, `jobs status` and `jobs check`, as a person uses them: the real binary, against the
//! endpoint of `cargo local` and against servers that do what a test says.
#![cfg_attr(not(target_os = "linux"), allow(dead_code, unused_imports))] // of the tests that are left out
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs)]

mod check;
mod harness;
mod status;
#[cfg(unix)] // a pseudo-terminal
mod terminal;
mod url;
mod wait;
