//! Whether S3 takes files at all.
//!
//! An outage is a failure that counts for all files: no answer, 5xx, refused credentials. While it
//! lasts, a file is tried now and then, each time another one, whether or not the one before has had
//! its answer. The first that S3 answers for itself ends it.

use std::time::Duration;

use tokio::time::Instant;

use crate::s3::backoff;

/// Pause after the first failure; it doubles with each further one.
const PAUSE: Duration = Duration::from_secs(1);
/// Where it stops doubling. If S3 takes all files but the one that was tried, no other one waits longer.
const MAX_PAUSE: Duration = Duration::from_secs(3);
/// After so many failures `--once` gives up.
const HOPELESS: u32 = 5;

/// An outage that lasts.
pub struct Outage {
    began: Instant,
    failures: u32,
    /// When the next file is tried.
    pub resume: Instant,
}

impl Outage {
    /// Something failed that counts for all files.
    pub fn begin() -> Self {
        let now = Instant::now();
        Self { began: now, failures: 1, resume: now + backoff(PAUSE, 1, MAX_PAUSE) }
    }

    /// A file is being tried.
    pub fn probe(&mut self) {
        self.resume = Instant::now() + backoff(PAUSE, self.failures + 1, MAX_PAUSE);
    }

    /// Something else failed, which was begun at `started`. `true` if that tells anything new: what was
    /// under way when the outage began does not.
    pub fn fail(&mut self, started: Instant) -> bool {
        let is_new = started >= self.began;
        self.failures = self.failures.saturating_add(u32::from(is_new));
        is_new
    }

    /// Whether it has lasted for too many failures.
    pub fn is_hopeless(&self) -> bool {
        self.failures >= HOPELESS
    }
}
