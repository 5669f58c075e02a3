//! `jobs` as people use it: the built program, against a real S3 server in the process and real files.
#![cfg_attr(not(target_os = "linux"), allow(dead_code, unused_imports))] // of the tests that are left out
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod certificates;
mod harness;
mod keys;
mod keys_at_once;
mod keys_file;
mod list;
mod list_faults;
#[cfg(unix)] // a terminal
mod list_terminal;
mod parser;
mod proxy;
mod publish;
mod publish_credentials;
mod publish_faults;
mod publish_files;
#[cfg(target_os = "linux")] // its memory is in /proc
mod publish_memory;
mod publish_newer;
mod publish_permissions;
#[cfg(unix)] // signals
mod publish_process;
mod publish_refused;
#[cfg(unix)] // its commands are those of a shell
mod run;
#[cfg(unix)] // its commands are those of a shell
mod run_outage;
#[cfg(unix)] // signals
mod run_signals;
mod set;
mod status_file;
#[cfg(unix)] // signals
mod toolkit;
