//! What a caller may send: a [`JobId`], which can only be a UUID, and the [`Payload`] it comes in.
//!
//! Everything else in the body is allowed and ignored. Each way in which a body can be wrong has
//! its own message, saying what is wrong and what is expected; none repeats what was sent.

use std::{borrow::Cow, fmt};

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::{error::Error, json::string, limits::MAX_REQUEST_BODY};

/// A job's id: a UUID, displayed in the lower-case hyphenated form that status files are named by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobId(Uuid);

impl JobId {
    /// No job's id; reading it shows whether S3 can be read at all.
    pub const NIL: Self = Self(Uuid::nil());

    /// The id, if `text` is a UUID in the 8-4-4-4-12 form, letters in any case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
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
pub struct Payload {
    /// The job asked about.
    pub job_id: JobId,
    /// The caller's own reference, echoed in the envelope.
    pub id: Option<String>,
}

impl Payload {
    /// Reads a request body.
    ///
    /// # Errors
    /// 413 for more than [`MAX_REQUEST_BODY`] bytes, 400 for anything that is not a JSON object
    /// with a `job_id`.
    pub fn parse(body: &[u8]) -> Result<Self, Error> {
        if body.len() > MAX_REQUEST_BODY {
            return Err(Error::too_large());
        }
        if body.is_empty() {
            return Err(Error::bad_request(
                "The request body is empty: send a JSON object such as {\"job_id\":\"<uuid>\"}",
            ));
        }
        let text = std::str::from_utf8(body)
            .map_err(|_| Error::bad_request("The request body is not UTF-8: send JSON in UTF-8"))?;
        let members = Members::parse(text)?;

        let job_id = match members.job_id {
            Member::Absent => return Err(Error::bad_request("job_id is missing: send the UUID of a job")),
            Member::Repeated => return Err(Error::bad_request("job_id is given more than once: send it once")),
            Member::Given(raw) => string(raw)
                .ok_or_else(|| Error::bad_request("job_id is not a string: send the UUID of a job as a string"))?,
        };
        let job_id = JobId::parse(&job_id).ok_or_else(|| {
            Error::bad_request("job_id is not a UUID: send it in the form xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx")
        })?;
        let id = match members.id {
            Member::Absent => None,
            Member::Repeated => {
                return Err(Error::bad_request("id is given more than once: send it once or not at all"));
            }
            Member::Given(raw) if raw.get() == "null" => None,
            Member::Given(raw) => Some(
                string(raw)
                    .ok_or_else(|| Error::bad_request("id is not a string: send a string, null, or nothing"))?
                    .into_owned(),
            ),
        };
        Ok(Self { job_id, id })
    }
}

/// The members of the body that mean something, as they were written.
#[derive(Default)]
struct Members<'a> {
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

impl<'a> Members<'a> {
    fn parse(text: &'a str) -> Result<Self, Error> {
        let mut json = serde_json::Deserializer::from_str(text);
        let members = serde::Deserializer::deserialize_map(&mut json, MembersVisitor).map_err(|error| {
            if error.is_data() {
                Error::bad_request("The request body is not a JSON object: send one such as {\"job_id\":\"<uuid>\"}")
            } else {
                Error::bad_request(format!(
                    "The request body is not valid JSON (line {}, column {}): send an object such as {{\"job_id\":\"<uuid>\"}}",
                    error.line(),
                    error.column()
                ))
            }
        })?;
        json.end().map_err(|error| {
            Error::bad_request(format!(
                "The request body goes on after its JSON object (line {}, column {}): send one object alone",
                error.line(),
                error.column()
            ))
        })?;
        Ok(members)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Members::default();
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
