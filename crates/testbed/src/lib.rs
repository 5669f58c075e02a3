//! Development only: what surrounds the function on AWS, for its tests and benchmarks.
//!
//! [`lambda`] starts a program as Lambda does, behind a Runtime API. [`fault_s3`] is an S3 that
//! misbehaves on demand, [`express`] a directory bucket. [`keyring`] and [`variables`] make what a
//! function is deployed with, [`status_file`] what a worker writes, and [`response`] is what a caller
//! sees. Nothing here depends on the function's own library, so the tests of every workspace member can
//! use it.
//!
//! What goes wrong here is a defect of a test, so it panics.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::missing_panics_doc, clippy::must_use_candidate)]

pub mod express;
pub mod fault_s3;
pub mod keyring;
pub mod lambda;
pub mod response;
pub mod status_file;
pub mod variables;
