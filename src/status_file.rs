//! A status file: what a worker wrote about its job, passed on byte for byte.
//!
//! It is only *checked*: it must be one well-formed JSON object in UTF-8. Its top-level
//! `job_status` is noted. Nothing is rebuilt, so numbers keep their digits, members their order and
//! duplicates, escapes their spelling. The check skips values without building them and without
//! recursion, so neither size nor depth of nesting can hurt.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::{json::string, limits::RETRY_AFTER_SECONDS};

/// A checked status file.
pub struct StatusFile {
    /// The file's text: one JSON object. White space is kept. A byte order mark in front is left
    /// out, because it is not part of a JSON text (RFC 8259, section 8.1).
    pub text: String,
    /// What the top-level `job_status` says. If it is there more than once, the last one counts,
    /// as for most JSON readers.
    pub state: State,
    /// When the worker last wrote the file, by S3's `Last-Modified`.
    pub last_modified: Option<SystemTime>,
}

/// What `job_status` says, as far as this endpoint cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Waiting for a worker.
    Queued,
    /// Being worked on.
    Running,
    /// Handed to another service.
    Submitted,
    /// Finished; the nested result says how.
    Done,
    /// Given up.
    Failed,
    /// Anything else, or nothing. It is passed on like the others, and is no reason to poll again.
    Other,
}

/// Why a file can't be passed on.
#[derive(Debug, thiserror::Error)]
pub enum Malformed {
    /// It has no bytes, or nothing but white space.
    #[error("it is empty")]
    Empty,
    /// Some bytes are not UTF-8.
    #[error("it is not UTF-8")]
    NotUtf8(#[source] std::str::Utf8Error),
    /// It is cut off, malformed, another kind of value, or followed by more.
    #[error("it is not one JSON object")]
    NotAnObject(#[source] serde_json::Error),
}

impl StatusFile {
    /// Checks the bytes of a status file.
    ///
    /// # Errors
    /// What is wrong with them, without the content.
    pub fn check(bytes: Vec<u8>, last_modified: Option<SystemTime>) -> Result<Self, Malformed> {
        let mut text = String::from_utf8(bytes).map_err(|error| Malformed::NotUtf8(error.utf8_error()))?;
        if text.starts_with('\u{feff}') {
            text.remove(0);
        }
        if text.trim_ascii().is_empty() {
            return Err(Malformed::Empty);
        }
        let state = state(&text).map_err(Malformed::NotAnObject)?;
        Ok(Self { text, state, last_modified })
    }

    /// How long the caller should wait before the next poll, in whole seconds: a tenth of the
    /// file's age within [`RETRY_AFTER_SECONDS`]. So a young job is polled often and an old one
    /// rarely. `None` for a job that is not going to change.
    #[must_use]
    pub fn retry_after(&self, now: SystemTime) -> Option<u64> {
        matches!(self.state, State::Queued | State::Running | State::Submitted).then(|| {
            let age = self.last_modified.and_then(|written| now.duration_since(written).ok()).unwrap_or(Duration::ZERO);
            (age.as_secs() / 10).clamp(*RETRY_AFTER_SECONDS.start(), *RETRY_AFTER_SECONDS.end())
        })
    }
}

fn state(text: &str) -> Result<State, serde_json::Error> {
    let mut json = serde_json::Deserializer::from_str(text);
    let state = json.deserialize_map(StateVisitor)?;
    json.end()?;
    Ok(state)
}

const STATES: [(&str, State); 5] = [
    ("queued", State::Queued),
    ("running", State::Running),
    ("submitted", State::Submitted),
    ("done", State::Done),
    ("failed", State::Failed),
];

struct StateVisitor;

impl<'de> Visitor<'de> for StateVisitor {
    type Value = State;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<State, A::Error> {
        let mut state = State::Other;
        while let Some(name) = map.next_key::<&RawValue>()? {
            if string(name).as_deref() == Some("job_status") {
                let value = string(map.next_value()?);
                let known = STATES.iter().find(|(text, _)| value.as_deref() == Some(text));
                state = known.map_or(State::Other, |(_, state)| *state);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(state)
    }
}
