//! What is told each minute.

use std::time::Duration;

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
