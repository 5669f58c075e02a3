//! What a caller gets on success: the API's standard envelope around the status file.
//!
//! The file's text is spliced in between a head and a tail, never rebuilt. The fields come in the documented order.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use crate::request::Payload;

/// A random integer below 2^53 (what JavaScript reads exactly), for the environment's life. The start-up log line has
/// it too, so it leads to the log stream.
pub(crate) fn new_queue_id() -> u64 {
    // The standard library's hasher seeds itself from the system's randomness.
    RandomState::new().hash_one(()) >> (64 - 53)
}

/// The envelope's text before the status file.
pub(crate) fn head(payload: &Payload) -> String {
    format!(
        r#"{{"endpoint":"/v1/toolkit/job/status","code":200,"id":{},"job_id":"{}","response":"#,
        payload.id, payload.job_id
    )
}

/// The envelope's text after the status file. A status read never queues: the queue's fields are constant, and the
/// total is the run time. Times are in seconds, rounded to 1 ms.
pub(crate) fn tail(pid: u32, queue_id: u64, run_time: Duration) -> String {
    format!(
        r#","message":"success","pid":{pid},"queue_id":{queue_id},"run_time":{time:.3},"queue_time":0.0,"total_time":{time:.3},"queue_length":0,"build_number":"{}"}}"#,
        env!("CARGO_PKG_VERSION"),
        time = run_time.as_secs_f64(),
    )
}
