//! What a caller asks: the HTTP [`Request`], whichever gateway it came through, and the [`Payload`] in it, a JSON
//! body or a query string with the same fields. Other fields are allowed and ignored.
//!
//! Each way in which a payload can be invalid has its own message. It says what is wrong and what is expected, and
//! never repeats what was sent.

use std::{borrow::Cow, fmt, time::SystemTime};

use http::Method;
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::{json, value::RawValue};
use uuid::Uuid;

use crate::{
    encoding::Gzip,
    json::{Fields, string},
    limits::{MAX_QUERY, MAX_REQUEST_BODY},
};

/// One HTTP request, as far as the endpoint looks at it.
pub struct Request {
    /// The HTTP method, if it is one.
    pub method: Option<Method>,
    /// The path as it arrived, stage or base path included, without the query.
    pub path: String,
    /// The query string without its question mark, percent-encoded.
    pub query: String,
    /// The `x-api-key` header.
    pub api_key: Option<String>,
    /// The `if-none-match` header.
    pub if_none_match: Option<String>,
    /// Whether the answer may be compressed.
    pub gzip: Gzip,
    /// The decoded body. `None` if the event has something else than a string in its place.
    pub body: Option<Vec<u8>>,
    /// The largest answer, in bytes, that gets back to the caller, encoded as Lambda takes it.
    pub max_payload: usize,
}

impl Request {
    pub(crate) fn is_get(&self) -> bool {
        self.method == Some(Method::GET)
    }
}

/// What Lambda says of an invocation.
pub struct Invocation {
    /// Its id.
    pub request_id: String,
    /// X-Ray's id of the trace, if there is one.
    pub trace_id: Option<String>,
    /// When Lambda ends it.
    pub deadline: SystemTime,
}

/// A job's id: a UUID, displayed in the lower-case hyphenated form that status files are named by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(Uuid);

impl JobId {
    /// No job's id. Reading its status file shows whether S3 can be read at all.
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

/// What is asked for: `{"job_id":"<uuid>","id":"<the caller's own reference>"}`.
pub(crate) struct Payload {
    pub(crate) job_id: JobId,
    /// The caller's own reference, repeated in the envelope: JSON, a string, a number or null.
    pub(crate) id: String,
}

/// Why a payload is invalid, in the caller's words.
pub(crate) enum BadPayload {
    TooLarge(String),
    Invalid(Cow<'static, str>),
}

impl From<&'static str> for BadPayload {
    fn from(message: &'static str) -> Self {
        Self::Invalid(message.into())
    }
}

const NO_JOB_ID: &str = "job_id is missing: send the UUID of a job";
const NOT_A_UUID: &str = "job_id is not a UUID: send it in the form xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
const JOB_ID_REPEATED: &str = "job_id is given more than once: send it once";
const ID_REPEATED: &str = "id is given more than once: send it once or not at all";

impl Payload {
    /// Reads what a request asks: a GET's query string, a POST's body.
    pub(crate) fn parse(request: &Request) -> Result<Self, BadPayload> {
        if request.is_get() {
            return Self::from_query(&request.query);
        }
        let body = request.body.as_deref();
        let body = body.ok_or("The event's body is not a string: put the JSON into a string, as gateways do")?;
        if body.is_empty() && Self::from_query(&request.query).is_ok() {
            return Err(
                "The request body is empty: GET takes job_id from the query string, POST from a JSON body".into()
            );
        }
        Self::from_body(body)
    }

    /// Reads a request body of at most [`MAX_REQUEST_BODY`] bytes: a JSON object with a `job_id`.
    fn from_body(body: &[u8]) -> Result<Self, BadPayload> {
        if body.len() > MAX_REQUEST_BODY {
            let message = format!("The request body is too large: at most {MAX_REQUEST_BODY} bytes are accepted");
            return Err(BadPayload::TooLarge(message));
        }
        if body.is_empty() {
            return Err(r#"The request body is empty: send a JSON object such as {"job_id":"<uuid>"}"#.into());
        }
        let text = std::str::from_utf8(body).map_err(|_| "The request body is not UTF-8: send JSON in UTF-8")?;
        let mut json = serde_json::Deserializer::from_str(text);
        let Fields(fields) = Fields::deserialize(&mut json).map_err(|error| {
            if is_encoded_twice(text) {
                "The request body is a string that contains JSON: send the object itself, not encoded twice".into()
            } else if error.is_data() {
                r#"The request body is not a JSON object: send one such as {"job_id":"<uuid>"}"#.into()
            } else {
                at(&error, "is not valid JSON", r#"send an object such as {"job_id":"<uuid>"}"#)
            }
        })?;
        json.end().map_err(|error| at(&error, "has trailing data after the JSON object", "send one object alone"))?;

        let job_id = once(&fields, "job_id", JOB_ID_REPEATED)?.ok_or(NO_JOB_ID)?;
        let job_id = string(job_id).ok_or("job_id is not a string: send the UUID of a job as a string")?;
        let job_id = JobId::parse(&job_id).ok_or(NOT_A_UUID)?;
        let id = once(&fields, "id", ID_REPEATED)?.map_or("null", RawValue::get);
        if id.starts_with(['[', '{', 't', 'f']) {
            return Err("id is not a string or a number: send one of these, null, or nothing".into());
        }
        Ok(Self { job_id, id: id.to_owned() })
    }

    /// Reads a query string of at most [`MAX_QUERY`] bytes: `job_id=<uuid>&id=<reference>`, as forms encode it.
    fn from_query(query: &str) -> Result<Self, BadPayload> {
        if query.len() > MAX_QUERY {
            let message = format!("The query string is too large: at most {MAX_QUERY} bytes are accepted");
            return Err(BadPayload::TooLarge(message));
        }
        let parameters = query.split('&').map(|parameter| parameter.split_once('=').unwrap_or((parameter, "")));
        let fields: Vec<_> =
            parameters.map(|(name, value)| (percent_decode_str(name).decode_utf8_lossy(), value)).collect();

        let job_id = once(&fields, "job_id", JOB_ID_REPEATED)?.ok_or(NO_JOB_ID)?;
        let job_id = decoded(job_id).ok_or("job_id is not UTF-8: send the UUID of a job")?;
        let job_id = JobId::parse(&job_id).ok_or(NOT_A_UUID)?;
        let id = once(&fields, "id", ID_REPEATED)?;
        let id = id
            .map(|value| decoded(value).ok_or("id is not UTF-8: send percent-encoded UTF-8 or nothing"))
            .transpose()?;
        Ok(Self { job_id, id: json!(id).to_string() })
    }
}

/// What is wrong with the JSON of a body, and where.
fn at(error: &serde_json::Error, what: &str, expected: &str) -> BadPayload {
    let (line, column) = (error.line(), error.column());
    BadPayload::Invalid(format!("The request body {what} (line {line}, column {column}): {expected}").into())
}

/// Some tools encode a body twice.
fn is_encoded_twice(text: &str) -> bool {
    serde_json::from_str::<String>(text).is_ok_and(|inner| serde_json::from_str::<Fields<'_>>(&inner).is_ok())
}

/// The value of a field, if there is one; `repeated` if there are several.
fn once<V: Copy>(fields: &[(Cow<'_, str>, V)], name: &str, repeated: &'static str) -> Result<Option<V>, BadPayload> {
    let mut values = fields.iter().filter(|field| field.0 == name).map(|field| field.1);
    let value = values.next();
    if values.next().is_some() { Err(repeated.into()) } else { Ok(value) }
}

/// A parameter's value, if it is UTF-8.
fn decoded(value: &str) -> Option<String> {
    let value = value.replace('+', " ");
    percent_decode_str(&value).decode_utf8().ok().map(Cow::into_owned)
}
