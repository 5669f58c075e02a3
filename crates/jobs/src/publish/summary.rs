//! What happened to files, told as it happens and each minute.

use std::time::Duration;

use tracing::{error, info, warn};

use super::{
    bucket::Failed,
    job::{Mends, Work},
    log::Log,
    queue::Queue,
};

/// Files since the last summary.
#[derive(Default)]
pub struct Summary {
    published: u64,
    /// Bytes of those.
    bytes: u64,
    /// In the bucket already.
    pub unchanged: u64,
    /// Older than what the bucket has.
    older: u64,
    /// A toolkit's polls.
    pub polls: u64,
    /// Uploads that failed.
    failed: u64,
    /// Longest time from a change to its being in S3.
    slowest: Duration,
}

impl Summary {
    /// A file is in the bucket now.
    pub fn published(&mut self, work: &Work, bytes: usize) {
        let delay = work.changed.map(|changed| changed.elapsed());
        info!(event = "published", job_id = %work.id, bytes, delay_ms = delay.map(millis), "published");
        self.published += 1;
        self.bytes += bytes as u64;
        self.slowest = self.slowest.max(delay.unwrap_or_default());
    }

    /// A file is left alone.
    pub fn older(&mut self, work: &Work) {
        let hint = "if this status is right all the same, write the file again";
        warn!(event = "older", job_id = %work.id, hint, "the bucket has a newer status than this file");
        self.older += 1;
    }

    /// S3 did not take a file. That is told with the number of files that wait, if it is news.
    pub fn failed(&mut self, work: &Work, failed: &Failed, is_own: bool, news: Option<usize>) {
        self.failed += 1;
        if let Some(pending) = news {
            let Failed { error, hint, .. } = failed;
            let message = if is_own {
                "S3 did not take this file; it is tried again, and the others go on"
            } else {
                "S3 takes no files; they wait"
            };
            error!(event = "upload_failed", job_id = %work.id, error, hint, pending, "{message}");
        }
    }

    /// Writes the summary and starts a new one.
    pub fn write(&mut self, queue: &Queue, log: &Log) {
        let Self { published, bytes, unchanged, older, polls, failed, slowest } = std::mem::take(self);
        info!(
            event = "summary",
            published,
            bytes,
            unchanged,
            older,
            polls,
            failed,
            slowest_ms = millis(slowest),
            pending = queue.pending(),
            broken = queue.reported(),
            dropped_lines = log.dropped(),
            "summary"
        );
    }
}

/// A file cannot be published as it is.
pub fn broken(work: &Work, mends: Mends, error: &str) {
    let hint = match mends {
        Mends::Read | Mends::Writer => "the file waits until it is whole",
        Mends::Nothing => "put the status file itself in its place",
    };
    warn!(event = "broken", job_id = %work.id, error, hint, "a status file is broken");
}

/// Whole milliseconds.
fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
