//! What a worker says about its job's progress, in the status file and at the top of the result in it.
//!
//! The two objects are read in one pass, without recursion. If a field is given more than once, the last one wins, as
//! for most JSON readers.

use std::{fmt, ops::RangeInclusive, time::Duration};

use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::{
    json::{Each, string},
    limits::{
        MAX_SAID_SECONDS, RETRY_AFTER_SECONDS, SAID_RETRY_AFTER_SECONDS, STALLED_HEARTBEATS,
        STALLED_RETRY_AFTER_SECONDS,
    },
};

/// The states that are unfinished in every deployment.
const UNFINISHED: [&str; 3] = ["queued", "running", "submitted"];
/// The states that are final in every deployment.
pub(crate) const FINAL: [&str; 2] = ["done", "failed"];

/// What a worker says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// How the job stands.
    pub outcome: JobOutcome,
    /// What `retry_after_seconds` says: nothing new comes so soon after this write.
    pub retry_after: Option<Duration>,
    /// What `heartbeat_seconds` says: as long as the job is unfinished, the file is written at least this often.
    pub heartbeat: Option<Duration>,
    /// How many of the latter two are given, but not as a number of seconds from 0 to a day.
    pub invalid_hints: u8,
}

/// How a job stands: the header `x-job-outcome`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobOutcome {
    /// Its state may change.
    Unfinished,
    /// It succeeded.
    Done,
    /// Its state is `failed`, or `done` with the code of a failure in the result.
    Failed,
    /// A state of the worker's own, or none. It is final.
    Other,
}

impl JobOutcome {
    /// The header's word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Unfinished => "unfinished",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Other => "other",
        }
    }
}

impl Progress {
    pub(super) fn parse(text: &str, unfinished: &[String]) -> Result<Self, serde_json::Error> {
        let mut said = Said { text, state: None, code: None, retry_after: None, heartbeat: None };
        let mut json = serde_json::Deserializer::from_str(text);
        json.deserialize_map(&mut said).and_then(|()| json.end())?;
        let retry_after = said.retry_after.map(seconds);
        // Nobody writes all the time, so 0 is no promise.
        let heartbeat = said.heartbeat.map(|value| seconds(value).filter(|heartbeat| !heartbeat.is_zero()));
        Ok(Self {
            outcome: said.outcome(unfinished),
            retry_after: retry_after.flatten(),
            heartbeat: heartbeat.flatten(),
            invalid_hints: u8::from(retry_after == Some(None)) + u8::from(heartbeat == Some(None)),
        })
    }

    /// Whether the job is stalled: it is unfinished, but its status file is older than [`STALLED_HEARTBEATS`] of its
    /// worker's heartbeats, or than `otherwise` if the worker says nothing about them.
    #[must_use]
    pub fn is_stalled(&self, age: Duration, otherwise: Option<Duration>) -> bool {
        let patience = self.heartbeat.map(|heartbeat| heartbeat * STALLED_HEARTBEATS).or(otherwise);
        self.outcome == JobOutcome::Unfinished && patience.is_some_and(|patience| age > patience)
    }

    /// How long the caller should wait before the next poll, in whole seconds: until the moment that the worker says,
    /// or else a tenth of the file's age, so that a young job is polled often and an old one rarely. `None` for a job
    /// that is not going to change.
    #[must_use]
    pub fn retry_after(&self, age: Duration, stalled: bool) -> Option<u64> {
        (self.outcome == JobOutcome::Unfinished).then(|| match self.retry_after {
            _ if stalled => STALLED_RETRY_AFTER_SECONDS,
            Some(said) => {
                let left = said.saturating_sub(age);
                // Rounded up: before that, there is nothing new.
                clamp(left.as_secs() + u64::from(left.subsec_nanos() > 0), SAID_RETRY_AFTER_SECONDS)
            }
            None => clamp(age.as_secs() / 10, RETRY_AFTER_SECONDS),
        })
    }
}

fn clamp(seconds: u64, bounds: RangeInclusive<u64>) -> u64 {
    seconds.clamp(*bounds.start(), *bounds.end())
}

/// A number of seconds from 0 to [`MAX_SAID_SECONDS`].
fn seconds(value: &RawValue) -> Option<Duration> {
    let seconds =
        serde_json::from_str(value.get()).ok().filter(|seconds| (0.0..=MAX_SAID_SECONDS).contains(seconds))?;
    Duration::try_from_secs_f64(seconds).ok()
}

/// The fields that count, as they are written.
struct Said<'a> {
    text: &'a str,
    state: Option<&'a RawValue>,
    /// The result's `code`, if the result is an object.
    code: Option<&'a RawValue>,
    retry_after: Option<&'a RawValue>,
    heartbeat: Option<&'a RawValue>,
}

impl Said<'_> {
    fn outcome(&self, unfinished: &[String]) -> JobOutcome {
        let state = self.state.and_then(string).unwrap_or_default();
        match &*state {
            "done" if self.went_well() => JobOutcome::Done,
            "done" | "failed" => JobOutcome::Failed,
            state if UNFINISHED.contains(&state) || unfinished.iter().any(|word| word == state) => {
                JobOutcome::Unfinished
            }
            _ => JobOutcome::Other,
        }
    }

    /// Some workers write `done` with the code of a failure in the result.
    fn went_well(&self) -> bool {
        let code = self.code.map_or("null", RawValue::get);
        code == "null" || code.parse() == Ok(200.0)
    }

    /// Whether an object comes after this name. It has to be known before the value is read.
    fn is_before_object(&self, name: &RawValue) -> bool {
        let end = (name.get().as_ptr().addr() + name.get().len()).wrapping_sub(self.text.as_ptr().addr());
        let rest = self.text.get(end..).unwrap_or_default();
        rest.trim_start_matches([' ', '\t', '\r', '\n', ':']).starts_with('{')
    }
}

impl<'de> Visitor<'de> for &mut Said<'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<&RawValue>()? {
            match string(name).as_deref() {
                Some("job_status") => self.state = Some(map.next_value()?),
                Some("retry_after_seconds") => self.retry_after = Some(map.next_value()?),
                Some("heartbeat_seconds") => self.heartbeat = Some(map.next_value()?),
                Some("response") => {
                    self.code = None;
                    if self.is_before_object(name) {
                        map.next_value_seed(Each(|name, value| {
                            self.code = if name == "code" { Some(value) } else { self.code };
                        }))?;
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}
