//! What a caller may send: a [`JobId`], which can only be a UUID, and the [`Payload`] it comes in.
//!
//! Other members of the body are allowed and ignored. Each way in which a body can be wrong has
//! its own message. It says what is wrong and what is expected, and never repeats what was sent.

use std::{borrow::Cow, fmt};

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::{json::string, limits::MAX_REQUEST_BODY};

/// A job's id: a UUID, displayed in the lower-case hyphenated form that status files are named by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobId(Uuid);

impl JobId {
    /// No job's id. Reading its status file shows whether S3 can be read at all.
    pub const NIL: Self = Self(Uuid::nil());

    /// The id, if `text` is a UUID in the 8-4-4-4-12 form, letters in any case.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        const HYPHENATED: usize = 36; // the other forms that `uuid` reads are longer or shorter
        (text.len() == HYPHENATED).then(|| Uuid::try_parse(text).ok()).flatten().map(Self)
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

/// A request's body: `{"job_id":"<uuid>","id":"<the caller's own reference>"}`.
pub(crate) struct Payload {
    /// The job asked about.
    pub(crate) job_id: JobId,
    /// The caller's own reference, echoed in the envelope.
    pub(crate) id: Option<String>,
}

/// What is wrong with a request's body, in the caller's words.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BadPayload {
    #[error("The request body is too large: at most {MAX_REQUEST_BODY} bytes are accepted")]
    TooLarge,
    #[error("The request body is empty: send a JSON object such as {{\"job_id\":\"<uuid>\"}}")]
    Empty,
    #[error("The request body is not UTF-8: send JSON in UTF-8")]
    NotUtf8,
    #[error(
        "The request body is not valid JSON (line {}, column {}): send an object such as {{\"job_id\":\"<uuid>\"}}",
        .0.line(), .0.column()
    )]
    NotJson(serde_json::Error),
    #[error("The request body is not a JSON object: send one such as {{\"job_id\":\"<uuid>\"}}")]
    NotAnObject,
    #[error(
        "The request body goes on after its JSON object (line {}, column {}): send one object alone",
        .0.line(), .0.column()
    )]
    GoesOn(serde_json::Error),
    #[error("job_id is missing: send the UUID of a job")]
    NoJobId,
    #[error("job_id is given more than once: send it once")]
    JobIdRepeated,
    #[error("job_id is not a string: send the UUID of a job as a string")]
    JobIdNotAString,
    #[error("job_id is not a UUID: send it in the form xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx")]
    JobIdNotAUuid,
    #[error("id is given more than once: send it once or not at all")]
    IdRepeated,
    #[error("id is not a string: send a string, null, or nothing")]
    IdNotAString,
}

impl Payload {
    /// Reads a request body of at most [`MAX_REQUEST_BODY`] bytes: a JSON object with a `job_id`.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, BadPayload> {
        if body.len() > MAX_REQUEST_BODY {
            return Err(BadPayload::TooLarge);
        }
        if body.is_empty() {
            return Err(BadPayload::Empty);
        }
        let text = std::str::from_utf8(body).map_err(|_| BadPayload::NotUtf8)?;
        let members = PayloadMembers::parse(text)?;

        let job_id = match members.job_id {
            Member::Absent => return Err(BadPayload::NoJobId),
            Member::Repeated => return Err(BadPayload::JobIdRepeated),
            Member::Given(raw) => string(raw).ok_or(BadPayload::JobIdNotAString)?,
        };
        let job_id = JobId::parse(&job_id).ok_or(BadPayload::JobIdNotAUuid)?;
        let id = match members.id {
            Member::Absent => None,
            Member::Repeated => return Err(BadPayload::IdRepeated),
            Member::Given(raw) if raw.get() == "null" => None,
            Member::Given(raw) => Some(string(raw).ok_or(BadPayload::IdNotAString)?.into_owned()),
        };
        Ok(Self { job_id, id })
    }
}

/// The members of the body that mean something, as they were written.
#[derive(Default)]
struct PayloadMembers<'a> {
    job_id: Member<'a>,
    id: Member<'a>,
}

#[derive(Default)]
enum Member<'a> {
    #[default]
    Absent,
    Given(&'a RawValue),
    Repeated,
}

impl<'a> Member<'a> {
    fn put(&mut self, value: &'a RawValue) {
        *self = match self {
            Self::Absent => Self::Given(value),
            Self::Given(_) | Self::Repeated => Self::Repeated,
        };
    }
}

impl<'a> PayloadMembers<'a> {
    fn parse(text: &'a str) -> Result<Self, BadPayload> {
        let mut json = serde_json::Deserializer::from_str(text);
        let members = serde::Deserializer::deserialize_map(&mut json, MembersVisitor)
            .map_err(|error| if error.is_data() { BadPayload::NotAnObject } else { BadPayload::NotJson(error) })?;
        json.end().map_err(BadPayload::GoesOn)?;
        Ok(members)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = PayloadMembers<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = PayloadMembers::default();
        while let Some(name) = map.next_key::<Cow<'de, str>>()? {
            match &*name {
                "job_id" => members.job_id.put(map.next_value()?),
                "id" => members.id.put(map.next_value()?),
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(members)
    }
}
