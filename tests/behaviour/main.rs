//! Behaviour, through the front door: real events in, exact answers out, real S3 in between.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
// A table of cases is as long as it is.
#![allow(clippy::too_many_lines, clippy::format_push_string)]

mod ask;
mod clock;
mod fault_s3;
mod lambda;
mod logs;
mod openapi;
mod world;

mod binary;
mod contract;
mod faults;
mod keys;
mod local;
mod properties;
mod settings;
mod soak;
mod status_files;
