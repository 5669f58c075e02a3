//! How long a wait goes on, and how long it pauses between two polls.
//!
//! The endpoint says when to ask again, but others stand in front of it, and some of them say
//! `retry-after: 0`. So no pause is shorter than a second, and after failures the pauses grow. Each is
//! a bit longer by chance, so that callers who came together do not come back together.

use std::time::Duration;

use tokio::time::Instant;

use super::poller::{Kind, Refusal};
use crate::failure::Failure;

/// The shortest pause between two polls, and the one if an answer does not say how long to wait.
pub const PAUSE: Duration = Duration::from_secs(1);
/// For how long a job may be unknown: its worker may not have written its first status yet.
const APPEARS_WITHIN: Duration = Duration::from_secs(10);
/// Failures in a row that are enough, as long as the endpoint has not answered.
const FAILURES: u32 = 5;
/// Refusals of one kind in a row that are enough. As long as the endpoint has not answered, one is.
const REFUSALS: u32 = 5;
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
    /// Whether it has found the job.
    found: bool,
    /// Polls in a row without an answer of the endpoint.
    failures: u32,
    /// The latest refusal, and how many of its kind there have been in a row.
    refused: Option<(Kind, u32)>,
}

impl Patience {
    /// Begins to wait.
    pub fn new() -> Self {
        Self { start: Instant::now(), answered: false, found: false, failures: 0, refused: None }
    }

    /// The pause after a status.
    pub fn after_status(&mut self, retry_after: Option<Duration>) -> Duration {
        *self = Self { start: self.start, answered: true, found: true, failures: 0, refused: None };
        longer(retry_after.unwrap_or(PAUSE).max(PAUSE), SPREAD)
    }

    /// The pause after no answer, or one that may be another the next time: 1 s, 2 s, 4 s and so on, or
    /// longer if the answer asks for it.
    ///
    /// # Errors
    /// There have been too many of them, and nothing else.
    pub fn after_failure(&mut self, why: &str, retry_after: Option<Duration>) -> Result<Duration, Failure> {
        self.refused = None;
        if self.failures + 1 == FAILURES && !self.answered {
            return Err(unanswered(why, FAILURES));
        }
        Ok(self.back_off(retry_after))
    }

    /// The pause after an answer that another poll would get as well. In a long wait it may be an odd
    /// answer of somebody in front of the endpoint. A job may be unknown at the beginning: then somebody
    /// is about to write its first status.
    ///
    /// # Errors
    /// The key is refused, the endpoint has never answered, or this has been the answer for too long.
    pub fn after_refusal(&mut self, refusal: Refusal) -> Result<Duration, Failure> {
        let Refusal { kind, failure, retry_after } = refusal;
        if kind == Kind::NoSuchJob && !self.found {
            self.answered = true;
            let left = APPEARS_WITHIN.saturating_sub(self.start.elapsed());
            let pause = longer(retry_after.unwrap_or(PAUSE).max(PAUSE), SPREAD);
            return if left.is_zero() { Err(failure) } else { Ok(pause.min(left)) };
        }
        let row = self.refused.filter(|(before, _)| *before == kind).map_or(1, |(_, row)| row + 1);
        self.refused = Some((kind, row));
        if !self.answered || kind == Kind::Status(401) || row == REFUSALS {
            return Err(failure);
        }
        Ok(self.back_off(retry_after))
    }

    fn back_off(&mut self, retry_after: Option<Duration>) -> Duration {
        let backoff = PAUSE.saturating_mul(1 << self.failures.min(8)).min(LONGEST_BACKOFF);
        self.failures += 1;
        longer(retry_after.unwrap_or_default().max(backoff), SPREAD_AFTER_FAILURE)
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

/// Up to this part of itself longer.
fn longer(pause: Duration, spread: f64) -> Duration {
    let pause = pause.min(LONGEST);
    pause + pause.mul_f64(fastrand::f64() * spread)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::time::Duration;

    use super::{APPEARS_WITHIN, Kind, PAUSE, Patience, Refusal};
    use crate::failure::Failure;

    const ZERO: Option<Duration> = Some(Duration::ZERO);
    const HOUR: Option<Duration> = Some(Duration::from_hours(1));

    fn refusal(kind: Kind) -> Refusal {
        Refusal { kind, failure: Failure::no("refused"), retry_after: ZERO }
    }

    fn begun() -> Patience {
        let mut patience = Patience::new();
        patience.after_status(None);
        patience
    }

    #[test]
    fn no_pause_is_shorter_than_a_second_or_than_the_endpoint_asks_for() {
        for (retry_after, seconds) in [(ZERO, 1), (None, 1), (HOUR, 3600)] {
            let pause = Patience::new().after_status(retry_after).as_secs_f64();
            assert!((f64::from(seconds)..=f64::from(seconds) * 1.1).contains(&pause), "{retry_after:?}: {pause}");
        }
        assert!(Patience::new().after_refusal(refusal(Kind::NoSuchJob)).unwrap() >= PAUSE);
    }

    #[test]
    fn the_pauses_after_failures_double_whatever_the_answers_ask_for() {
        let mut patience = begun();
        for seconds in [1, 2, 4, 8, 16, 30, 30] {
            let pause = patience.after_failure("HTTP 503", ZERO).unwrap().as_secs_f64();
            assert!((f64::from(seconds)..=f64::from(seconds) * 1.5).contains(&pause), "{seconds}: {pause}");
        }
        assert!(patience.after_failure("HTTP 503", HOUR).unwrap() >= HOUR.unwrap());
        patience.after_status(ZERO);
        assert!(patience.after_failure("HTTP 503", ZERO).unwrap() <= PAUSE * 2, "a status ends the row");
    }

    #[test]
    fn once_a_poll_was_answered_five_refusals_of_one_kind_in_a_row_end_a_wait() {
        assert!(Patience::new().after_refusal(refusal(Kind::Status(403))).is_err());
        assert!(begun().after_refusal(refusal(Kind::Status(401))).is_err());
        for kind in [Kind::Status(403), Kind::Status(200), Kind::NoSuchJob] {
            let mut patience = begun();
            for _ in 0..4 {
                assert!(patience.after_refusal(refusal(kind)).is_ok());
            }
            assert!(patience.after_refusal(refusal(kind)).is_err());
        }
        let mut patience = begun();
        for _ in 0..10 {
            assert!(patience.after_refusal(refusal(Kind::Status(302))).is_ok());
            assert!(patience.after_refusal(refusal(Kind::Status(404))).is_ok(), "another kind begins another row");
        }
        for _ in 0..10 {
            assert!(patience.after_refusal(refusal(Kind::Status(302))).is_ok());
            assert!(patience.after_failure("HTTP 503", None).is_ok(), "so does a failure");
        }
    }

    #[test]
    fn a_job_may_be_unknown_for_ten_seconds_and_is_asked_for_once_more_at_their_end() {
        let mut patience = Patience::new();
        let pause = patience.after_refusal(Refusal { retry_after: HOUR, ..refusal(Kind::NoSuchJob) }).unwrap();
        assert!(pause <= APPEARS_WITHIN && pause + PAUSE > APPEARS_WITHIN, "{pause:?}");
        patience.start -= APPEARS_WITHIN;
        assert!(patience.after_refusal(refusal(Kind::NoSuchJob)).is_err());
    }
}
