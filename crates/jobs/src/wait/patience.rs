//! How long a wait goes on, and how long it pauses between two polls.
//!
//! The endpoint says when to ask again, but others stand in front of it, and some of them say
//! `retry-after: 0`. So no pause is shorter than a second, and after failures the pauses grow. Each is
//! a bit longer by chance, so that callers who came together do not come back together.

use std::time::Duration;

use tokio::time::Instant;

use crate::failure::Failure;

/// The shortest pause between two polls, and the one if an answer does not say how long to wait.
pub const PAUSE: Duration = Duration::from_secs(1);
/// For how long a job may be unknown: its worker may not have written its first status yet.
const APPEARS_WITHIN: Duration = Duration::from_secs(10);
/// Failures in a row that are enough, as long as there has been no answer at all.
const FAILURES: u32 = 5;
/// The longest pause after a failure, unless the endpoint asks for a longer one.
const LONGEST_BACKOFF: Duration = Duration::from_secs(30);
/// By how much of itself a pause is longer, at most.
const SPREAD: f64 = 0.1;
/// The same after a failure: whoever is turned away is one of many.
const SPREAD_AFTER_FAILURE: f64 = 0.5;
/// Longer than anybody waits. A number from elsewhere may be longer than an instant can be away.
const LONGEST: Duration = Duration::from_hours(24 * 365);

/// The patience of one wait.
pub struct Patience {
    start: Instant,
    /// Whether the endpoint has answered a poll.
    answered: bool,
    failures: u32,
}

impl Patience {
    /// Begins to wait.
    pub fn new() -> Self {
        Self { start: Instant::now(), answered: false, failures: 0 }
    }

    /// The pause after a status.
    pub fn after_status(&mut self, retry_after: Option<Duration>) -> Duration {
        (self.answered, self.failures) = (true, 0);
        longer(retry_after.unwrap_or(PAUSE).max(PAUSE), SPREAD)
    }

    /// The pause after the answer that there is no such job; `None` if it has been unknown for too long.
    pub fn after_no_such_job(&mut self, retry_after: Option<Duration>) -> Option<Duration> {
        let pause = longer(retry_after.unwrap_or(PAUSE).max(PAUSE), SPREAD);
        (self.start.elapsed() + pause < APPEARS_WITHIN).then_some(pause)
    }

    /// The pause after no answer, or one that may be another the next time: 1 s, 2 s, 4 s and so on, or
    /// longer if the answer asks for it.
    ///
    /// # Errors
    /// There have been too many of them, and nothing else.
    pub fn after_failure(&mut self, why: &str, retry_after: Option<Duration>) -> Result<Duration, Failure> {
        self.failures += 1;
        if self.failures == FAILURES && !self.answered {
            return Err(unanswered(why, self.failures));
        }
        Ok(longer(retry_after.unwrap_or_default().max(backoff(self.failures)), SPREAD_AFTER_FAILURE))
    }
}

/// There was no status in so many polls.
pub fn unanswered(why: &str, polls: u32) -> Failure {
    Failure::unanswered(format!("no status after {polls} poll{}: {why}", if polls == 1 { "" } else { "s" }))
        .advise("check --url and the network, and ask whoever runs the API; jobs check says more")
}

/// The instant after a wait, however long it may be.
pub fn after(wait: Duration) -> Instant {
    Instant::now() + wait.min(LONGEST)
}

fn backoff(failures: u32) -> Duration {
    PAUSE.saturating_mul(1 << (failures - 1).min(8)).min(LONGEST_BACKOFF)
}

/// Up to this part of itself longer.
fn longer(pause: Duration, spread: f64) -> Duration {
    let pause = pause.min(LONGEST);
    pause + pause.mul_f64(fastrand::f64() * spread)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{PAUSE, Patience};

    const ZERO: Option<Duration> = Some(Duration::ZERO);
    const HOUR: Option<Duration> = Some(Duration::from_hours(1));

    #[test]
    fn no_pause_is_shorter_than_a_second_or_than_the_endpoint_asks_for() {
        for (retry_after, seconds) in [(ZERO, 1), (None, 1), (HOUR, 3600)] {
            let pause = Patience::new().after_status(retry_after).as_secs_f64();
            assert!((f64::from(seconds)..=f64::from(seconds) * 1.1).contains(&pause), "{retry_after:?}: {pause}");
        }
        assert!(Patience::new().after_no_such_job(ZERO).unwrap() >= PAUSE);
    }

    #[test]
    fn the_pauses_after_failures_double_whatever_the_answers_ask_for() {
        let mut patience = Patience::new();
        patience.after_status(None);
        for seconds in [1, 2, 4, 8, 16, 30, 30] {
            let pause = patience.after_failure("HTTP 503", ZERO).unwrap().as_secs_f64();
            assert!((f64::from(seconds)..=f64::from(seconds) * 1.5).contains(&pause), "{seconds}: {pause}");
        }
        assert!(patience.after_failure("HTTP 503", HOUR).unwrap() >= HOUR.unwrap());
        patience.after_status(ZERO);
        assert!(patience.after_failure("HTTP 503", ZERO).unwrap() <= PAUSE * 2, "a status ends the row");
    }
}
