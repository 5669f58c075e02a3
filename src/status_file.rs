//! A status file: what a worker wrote about its job, passed on byte for byte.
//!
//! It is only *checked*: it must be one well-formed JSON object in UTF-8. What it says at the top about its progress
//! is noted on the way. Nothing is rebuilt: numbers keep their digits, fields their order and duplicates, escapes
//! their spelling. The check neither builds values nor recurses into them, so neither size nor depth can hurt.

mod foreign;
mod repair;

use std::{borrow::Cow, ops::RangeInclusive, time::Duration};

use serde::Deserializer;
use serde_json::value::RawValue;

use crate::{
    json::{Each, string},
    limits::{
        MAX_SAID_SECONDS, RETRY_AFTER_SECONDS, SAID_RETRY_AFTER_SECONDS, STALLED_HEARTBEATS,
        STALLED_RETRY_AFTER_SECONDS,
    },
    status_file::repair::repair,
};

/// A checked status file.
pub struct StatusFile {
    /// The file's text: one JSON object. White space is kept. A byte order mark in front is left out, because it is
    /// no part of a JSON text (RFC 8259, section 8.1).
    pub text: String,
    /// What it says about its progress.
    pub progress: Progress,
    /// How many numbers that JSON does not have, such as `NaN`, were replaced by `null`.
    pub repaired: usize,
}

/// What a worker says about its job's progress, at the top of the status file. If a field is given more than once, the
/// last one wins, as for most JSON readers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What `job_status` says.
    pub state: State,
    /// What `retry_after_seconds` says: nothing new comes so soon after this write.
    pub retry_after: Option<Duration>,
    /// What `heartbeat_seconds` says: as long as the job is unfinished, the file is written at least this often.
    pub heartbeat: Option<Duration>,
    /// How many of the latter two are given, but not as a number of seconds from 0 to a day.
    pub invalid_hints: u8,
}

/// What `job_status` says, as far as this endpoint cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // the words of the contract
#[rustfmt::skip]
pub enum State {
    Queued, Running, Submitted, Done, Failed,
    /// Anything else, or nothing. It is passed on like the others, but is no reason to poll again.
    Other,
}

/// Why a file can't be passed on.
#[derive(Debug, thiserror::Error)]
pub enum Malformed {
    /// Nothing but white space.
    #[error("it is empty")]
    Empty,
    /// Some bytes are not UTF-8. The hint says what they look like.
    #[error("it is not UTF-8")]
    NotUtf8(#[source] std::str::Utf8Error, Option<&'static str>),
    /// It is cut off, malformed, or another kind of value, or more follows. The hint says what it looks like.
    #[error("it is not one JSON object")]
    NotAnObject(#[source] serde_json::Error, Option<&'static str>),
}

impl StatusFile {
    /// Checks the bytes of a status file.
    ///
    /// # Errors
    /// What is wrong with them, without the content.
    pub fn check(bytes: Vec<u8>) -> Result<Self, Malformed> {
        let mut text = String::from_utf8(bytes)
            .map_err(|error| Malformed::NotUtf8(error.utf8_error(), foreign::hint(error.as_bytes())))?;
        if text.starts_with('\u{feff}') {
            text.remove(0);
        }
        if text.trim_ascii().is_empty() {
            return Err(Malformed::Empty);
        }
        match Progress::parse(&text) {
            Ok(progress) => Ok(Self { text, progress, repaired: 0 }),
            Err(error) => {
                Self::repaired(&text).ok_or_else(|| Malformed::NotAnObject(error, foreign::hint(text.as_bytes())))
            }
        }
    }

    /// The file with `null` for what Python writes and JSON does not have; `None` if that does not make it JSON.
    fn repaired(text: &str) -> Option<Self> {
        let (text, repaired) = repair(text);
        let progress = Progress::parse(&text).ok().filter(|_| repaired > 0)?;
        Some(Self { text, progress, repaired })
    }
}

impl Progress {
    fn parse(text: &str) -> Result<Self, serde_json::Error> {
        let (mut state, mut retry_after, mut heartbeat) = (State::Other, None, None);
        let note = |name: Cow<'_, str>, value: &RawValue| match &*name {
            "job_status" => state = State::parse(value),
            "retry_after_seconds" => retry_after = Some(seconds(value)),
            // Nobody writes all the time, so 0 is no promise.
            "heartbeat_seconds" => heartbeat = Some(seconds(value).filter(|heartbeat| !heartbeat.is_zero())),
            _ => {}
        };
        let mut json = serde_json::Deserializer::from_str(text);
        json.deserialize_map(Each(note)).and_then(|()| json.end())?;
        let invalid_hints = u8::from(retry_after == Some(None)) + u8::from(heartbeat == Some(None));
        let (retry_after, heartbeat) = (retry_after.flatten(), heartbeat.flatten());
        Ok(Self { state, retry_after, heartbeat, invalid_hints })
    }

    /// Whether the job is stalled: it is unfinished, but its status file is older than [`STALLED_HEARTBEATS`] of its
    /// worker's heartbeats, or than `otherwise` if the worker says nothing about them.
    #[must_use]
    pub fn is_stalled(&self, age: Duration, otherwise: Option<Duration>) -> bool {
        let patience = self.heartbeat.map(|heartbeat| heartbeat * STALLED_HEARTBEATS).or(otherwise);
        self.is_unfinished() && patience.is_some_and(|patience| age > patience)
    }

    /// How long the caller should wait before the next poll, in whole seconds: until the moment that the worker says,
    /// or else a tenth of the file's age, so that a young job is polled often and an old one rarely. `None` for a job
    /// that is not going to change.
    #[must_use]
    pub fn retry_after(&self, age: Duration, stalled: bool) -> Option<u64> {
        self.is_unfinished().then(|| match self.retry_after {
            _ if stalled => STALLED_RETRY_AFTER_SECONDS,
            Some(said) => {
                let left = said.saturating_sub(age);
                // Rounded up: before that, there is nothing new.
                clamp(left.as_secs() + u64::from(left.subsec_nanos() > 0), SAID_RETRY_AFTER_SECONDS)
            }
            None => clamp(age.as_secs() / 10, RETRY_AFTER_SECONDS),
        })
    }

    fn is_unfinished(&self) -> bool {
        matches!(self.state, State::Queued | State::Running | State::Submitted)
    }
}

fn clamp(seconds: u64, bounds: RangeInclusive<u64>) -> u64 {
    seconds.clamp(*bounds.start(), *bounds.end())
}

impl State {
    const WORDS: [(&str, Self); 5] = [
        ("queued", Self::Queued),
        ("running", Self::Running),
        ("submitted", Self::Submitted),
        ("done", Self::Done),
        ("failed", Self::Failed),
    ];

    fn parse(value: &RawValue) -> Self {
        let value = string(value);
        let known = Self::WORDS.iter().find(|(word, _)| value.as_deref() == Some(word));
        known.map_or(Self::Other, |(_, state)| *state)
    }

    /// The word in `job_status`; `other` if it is none of the known ones.
    #[must_use]
    pub fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(_, state)| *state == self).map_or("other", |(word, _)| word)
    }
}

/// A number of seconds from 0 to [`MAX_SAID_SECONDS`].
fn seconds(value: &RawValue) -> Option<Duration> {
    let seconds =
        serde_json::from_str(value.get()).ok().filter(|seconds| (0.0..=MAX_SAID_SECONDS).contains(seconds))?;
    Duration::try_from_secs_f64(seconds).ok()
}
