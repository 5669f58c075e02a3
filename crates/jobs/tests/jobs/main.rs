//! `jobs` as people use it: the built program, against a real S3 server in the process and real files.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod certificates;
mod harness;
mod keys;
mod keys_at_once;
mod keys_file;
mod list;
mod list_faults;
mod list_terminal;
mod parser;
mod proxy;
mod publish;
mod publish_credentials;
mod publish_faults;
mod publish_files;
mod publish_memory;
mod publish_newer;
mod publish_permissions;
mod publish_process;
mod publish_refused;
mod run;
mod run_outage;
mod run_signals;
mod set;
mod status_file;
mod toolkit;
