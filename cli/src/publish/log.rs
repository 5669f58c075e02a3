//! What the operator reads: JSON lines on stderr, and a summary each minute.
//!
//! Lines name jobs by their ids. Neither content nor credentials are ever written.

use std::{io, time::Duration};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::{filter::Targets, fmt, layer::SubscriberExt, util::SubscriberInitExt};

/// Starts logging. The libraries underneath log warnings and errors only.
pub fn init() {
    let own = Targets::new().with_default(LevelFilter::WARN).with_target("jobs", LevelFilter::INFO);
    let lines = fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_target(false)
        .with_writer(io::stderr);
    // It is the first: nothing else in this process logs.
    let _ = tracing_subscriber::registry().with(own).with(lines).try_init();
}

/// What happened since the last summary.
#[derive(Default)]
pub struct Summary {
    /// Files sent.
    pub published: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Files that were in the bucket already.
    pub unchanged: u64,
    /// Uploads that failed.
    pub failed: u64,
    /// Longest time from a change to its being in S3.
    pub slowest: Duration,
}

impl Summary {
    /// Writes the summary and starts a new one.
    pub fn write(&mut self, pending: usize, broken: usize) {
        let Self { published, bytes, unchanged, failed, slowest } = std::mem::take(self);
        tracing::info!(
            event = "summary",
            published,
            bytes,
            unchanged,
            failed,
            slowest_ms = millis(slowest),
            pending,
            broken,
            "summary"
        );
    }
}

/// Whole milliseconds.
pub fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
