//! What a caller gets on success: the API's standard envelope around the status file.
//!
//! The envelope is a head and a tail with the file's text between them. The text is spliced in, never rebuilt. The
//! fields come in exactly the documented order.

use std::{
    hash::{BuildHasher, RandomState},
    time::Duration,
};

use crate::request::Payload;

/// What identifies the execution environment in every envelope.
#[derive(Clone, Copy)]
pub(crate) struct Identity {
    /// This process's id.
    pub(crate) pid: u32,
    /// A random integer below 2^53 (what JavaScript reads exactly), the same for the environment's life. The start-up
    /// log line has it too, so it leads to the log stream.
    pub(crate) queue_id: u64,
}

impl Default for Identity {
    /// This process, with a new `queue_id`.
    fn default() -> Self {
        // The standard library's hasher seeds itself from the system's randomness.
        let random = RandomState::new().hash_one(());
        Self { pid: std::process::id(), queue_id: random >> (64 - 53) }
    }
}

/// The envelope's text before the status file.
pub(crate) fn head(payload: &Payload) -> String {
    format!(
        r#"{{"endpoint":"/v1/toolkit/job/status","code":200,"id":{},"job_id":"{}","response":"#,
        payload.id, payload.job_id
    )
}

/// The envelope's text after the status file. A status read never queues, so the queue's fields are constant and the
/// total is the run time, in seconds, rounded to a millisecond.
pub(crate) fn tail(identity: &Identity, run_time: Duration) -> String {
    format!(
        r#","message":"success","pid":{},"queue_id":{},"run_time":{time:.3},"queue_time":0.0,"total_time":{time:.3},"queue_length":0,"build_number":"{}"}}"#,
        identity.pid,
        identity.queue_id,
        env!("CARGO_PKG_VERSION"),
        time = run_time.as_secs_f64(),
    )
}
