//! The endpoint that answers job-status polls: `POST /paid/get/job/status` (or `/v1/toolkit/job/status`) with an
//! `x-api-key` and a `{"job_id":"<uuid>"}` gets the status file that a worker wrote to S3, byte for byte, in the
//! API's standard envelope. So does `GET` with `?job_id=<uuid>`.
//!
//! # The way of a request
//!
//! 1. `serve`: `lambda_runtime` hands an invocation over.
//! 2. `gateway`: its event becomes a [`Request`], whichever gateway sent it.
//! 3. `endpoint`: the request from top to bottom, through the modules below.
//! 4. `keyring`: who asks? It is read again if it is due, then the key is looked up.
//! 5. `request`: what for? The payload becomes a job id.
//! 6. `s3`: the status file is read, within its deadlines and attempts. `large_files`: if many requests run at once, a
//!    large one needs a permit.
//! 7. `status_file`: the file is checked, and says when to poll again and whether the job is stalled.
//! 8. `freshness`: does the caller have this status already? Then that is the answer.
//! 9. `envelope`: the file is spliced into the envelope.
//! 10. `encoding`: the envelope is compressed if the caller likes, and has to fit.
//! 11. `reply`: status, headers and body, or a failure's two messages.
//! 12. `gateway`: the `Reply` becomes what this gateway expects.
//!
//! [`log`] writes each request's line. [`limits`] has every number, and `settings` what an operator sets
//! ([`VARIABLES`]). A module imports only modules that stand below it. `cargo map` opens this documentation with the
//! private modules.
#![warn(unreachable_pub)]

mod cause;
mod encoding;
mod endpoint;
mod envelope;
mod freshness;
pub mod gateway;
mod json;
mod keyring;
mod large_files;
pub mod limits;
pub mod log;
mod reply;
mod request;
mod s3;
mod serve;
mod settings;
mod status_file;

pub use cause::chain;
pub use encoding::{Body, Gzip, accepts_gzip, encode};
pub use endpoint::{Endpoint, ROUTES};
pub use gateway::Gateway;
pub use keyring::{Keyring, document::InvalidKeyring};
pub use reply::Reply;
pub use request::{Invocation, JobId, Request};
pub use s3::{
    Connector, S3,
    bucket::{Addressing, Bucket},
    content::decompress,
    failure::{Failure, FailureKind},
};
pub use serve::serve;
pub use settings::variables::{SetBy, VARIABLES};
pub use settings::{Settings, parse_unfinished_states};
pub use status_file::{
    StatusFile,
    progress::{JobOutcome, Progress},
};
