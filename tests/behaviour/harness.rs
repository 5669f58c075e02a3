//! What the tests drive the endpoint with, in the order of a test: a [`Deployment`] is started as an
//! [`Environment`] in this process, a [`Request`] goes through a [`Gateway`], and the [`Response`] is
//! what its caller sees. [`start_binary`] and [`send`] do the same with the compiled binary.

mod clock;
mod deployment;
mod each_gateway;
mod failure;
mod fault_s3;
mod fresh;
mod gateway;
mod keyring;
mod logs;
mod process;
mod request;
mod runtime;
mod seeds;
mod snapshot;

pub use clock::{Clock, fast_timers, stop_timers};
pub use deployment::{Deployment, Environment, REQUEST_ID};
pub use each_gateway::without_times;
pub use failure::failure;
pub use fault_s3::STATUS;
pub use gateway::{GATEWAYS, Gateway};
pub use keyring::{KEYRING, accepting, with};
pub use logs::{Logs, capture, logged_attempts};
pub use process::{BINARY, send, start_binary};
pub use request::Request;
pub use runtime::runtime;
pub use seeds::seed;
pub(crate) use snapshot::assert_response;
pub use testbed::response::Response;
