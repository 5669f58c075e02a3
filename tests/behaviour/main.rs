//! Behaviour, through the gateways: real events in, exact answers out, a real S3 in between.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
// A table of cases is as long as it has to be.
#![allow(clippy::too_many_lines, clippy::format_push_string)]
#![cfg_attr(not(target_os = "linux"), allow(dead_code, unused_imports))] // of the tests that are left out

mod harness;

mod answers;
mod binary;
mod compression;
mod connections;
mod express;
mod faults;
mod freshness;
mod gateways;
mod get;
mod keyring_document;
mod keyring_in_s3;
mod keyring_refresh;
mod keys;
mod large_files;
mod openapi;
mod oracle;
mod outcome;
mod pace;
mod properties;
mod real_world;
mod request_body;
mod request_log;
mod routes;
mod runtime_api;
mod settings;
mod size_limits;
#[cfg(target_os = "linux")] // what grows is in /proc
mod soak;
mod status_files;
