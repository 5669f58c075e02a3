//! The endpoint that answers job-status polls: `POST /paid/get/job/status` (or
//! `/v1/toolkit/job/status`) with an `x-api-key` and a `{"job_id":"<uuid>"}` gets the status file
//! that a worker wrote to S3, byte for byte, in the API's standard envelope. So does `GET` with
//! `?job_id=<uuid>`.
//!
//! # The way of a request
//!
//! 1. `runtime_api`: Lambda hands an invocation over.
//! 2. `front_door`: the gateway's event becomes a [`Call`]. API Gateway HTTP and REST APIs,
//!    function URLs and load balancers all look the same from here on.
//! 3. `endpoint`: the request from top to bottom. It calls the modules below in this order.
//! 4. `keyring`: who asks? The keyring is read again when it is due, then the key is looked up.
//! 5. `request`: what for? The payload becomes a job id.
//! 6. `s3`: the status file is read, within its deadlines and attempts. `turns`: a large one waits
//!    until there is room for it.
//! 7. `status_file`: the file is checked. Its worker or its age says how soon to poll again, and
//!    whether the job is stalled.
//! 8. `freshness`: does the caller have this status already? Then that is the answer.
//! 9. `envelope`: the file is spliced into the envelope.
//! 10. `encoding`: the envelope is compressed if the caller likes, and has to fit.
//! 11. `response`: the reply becomes status, headers and body, in the shape that the front door
//!     expects.
//!
//! A step that fails has an error of its own. `error` makes of it what the caller gets, `cause` is
//! what the operator reads, and [`log`] writes the line that every request gets. [`limits`] has
//! every number, and `settings` what an operator sets ([`VARIABLES`]).
//!
//! A module imports only modules that stand below it. `cargo map` opens this documentation with
//! the private modules.
#![warn(unreachable_pub)]

mod call;
mod cause;
mod encoding;
mod endpoint;
mod envelope;
mod error;
mod freshness;
mod front_door;
mod json;
mod keyring;
pub mod limits;
pub mod log;
mod request;
mod response;
mod runtime_api;
mod s3;
mod settings;
mod status_file;
mod turns;

pub use call::{Call, Gzip, Invocation};
pub use cause::chain;
pub use encoding::{Body, accepts_gzip, encode};
pub use endpoint::{Endpoint, ROUTES};
pub use error::Error;
pub use front_door::{
    DOORS, Event, NoFrontDoor,
    door::{Answer, Door},
};
pub use keyring::{document::InvalidKeyring, live::LoadError, ring::Keyring};
pub use request::JobId;
pub use runtime_api::{RuntimeApiError, serve};
pub use s3::{
    Connector, S3,
    bucket::Bucket,
    failure::{Failure, FailureKind},
};
pub use settings::{InvalidSettings, SetBy, Settings, VARIABLES};
pub use status_file::{Progress, State, StatusFile};
pub use turns::Turn;
