//! Status files as `jobs run` and `jobs set` write them: in the shape of the no-code-architects-toolkit,
//! which callers know. `schemas/status.schema.json` describes it.

use std::{fmt::Display, io::Read, time::Duration};

use job_status::{
    JobId, StatusFile,
    limits::{MAX_SAID_SECONDS, MAX_STATUS_FILE},
};
use serde::{Serialize, Serializer};
use serde_json::{
    Number, Value,
    value::{RawValue, to_raw_value},
};

use crate::{failure::Failure, json::parts};

/// A status file.
#[derive(Serialize)]
pub struct StatusDocument<'a> {
    pub job_status: &'a str,
    #[serde(serialize_with = "text")]
    pub job_id: JobId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process_id: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_seconds: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heartbeat_seconds: Option<Number>,
    /// Null while there is none.
    pub response: Option<JobResult<'a>>,
}

/// The result in it.
#[derive(Serialize)]
pub struct JobResult<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<u16>,
    /// The caller's own reference.
    pub id: Option<&'a str>,
    #[serde(serialize_with = "text")]
    pub job_id: JobId,
    pub response: Option<&'a RawValue>,
    pub message: Option<&'a str>,
    #[serde(flatten)]
    pub worker: Option<Worker<'a>>,
}

/// Who did the job, and how long it took. Times are in seconds.
#[derive(Serialize)]
pub struct Worker<'a> {
    pub pid: u32,
    pub queue_id: &'a str,
    pub run_time: f64,
    pub queue_time: f64,
    pub total_time: f64,
    pub queue_length: u32,
    pub build_number: &'a str,
}

impl StatusDocument<'_> {
    /// The file as it goes into the bucket.
    ///
    /// # Errors
    /// It is larger than the function reads.
    pub fn bytes(&self) -> Result<Vec<u8>, Failure> {
        let bytes = serde_json::to_vec(self).map_err(|error| Failure::unreachable("writing JSON", &error))?;
        if bytes.len() as u64 > MAX_STATUS_FILE {
            let size = bytes.len();
            return Err(Failure::no(format!(
                "the status file is too large: it has {size} bytes, and the function reads {MAX_STATUS_FILE} at most"
            ))
            .advise("put the result elsewhere, and give a link to it"));
        }
        Ok(bytes)
    }
}

/// How far a job is: a number if the text is one, or else the text.
pub fn progress(text: &str) -> Value {
    serde_json::from_str(text).map_or_else(|_| text.into(), Value::Number)
}

/// What a job produced: JSON as it is spelled, or else a text without the ends of lines behind it. As in
/// a status file, Python's `NaN` becomes null.
///
/// # Errors
/// It can't be read.
pub fn result(content: impl Read) -> Result<Box<RawValue>, Box<dyn std::error::Error>> {
    let mut bytes = Vec::new();
    content.take(MAX_STATUS_FILE + 1).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let text = text.trim_start_matches('\u{feff}');
    match serde_json::from_str(text).ok().or_else(|| repaired(text)) {
        Some(json) => Ok(json),
        None => Ok(to_raw_value(text.trim_end_matches(['\r', '\n']))?),
    }
}

/// The text as the function would repair it in a status file, if that makes it JSON.
fn repaired(text: &str) -> Option<Box<RawValue>> {
    let file = StatusFile::check(format!(r#"{{"result":{text}}}"#).into_bytes(), &[]).ok()?;
    let (mut values, mut count) = (None, 0);
    parts(&file.text, |_, value| {
        values = Some(value.to_owned());
        count += 1;
    })
    .ok()?;
    values.filter(|_| count == 1)
}

/// Reads a span such as `30s` or `10m` that a status file can have: at most a day.
pub fn span(text: &str) -> Result<Duration, String> {
    let span = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if span.as_secs_f64() > MAX_SAID_SECONDS {
        return Err("it is longer than a day".into());
    }
    Ok(span)
}

/// The same for a heartbeat. S3 writes down whole seconds.
pub fn heartbeat(text: &str) -> Result<Duration, String> {
    span(text).and_then(|span| {
        if span < Duration::from_secs(1) { Err("it is shorter than a second".into()) } else { Ok(span) }
    })
}

/// A span as a number of seconds.
pub fn seconds(span: Duration) -> Option<Number> {
    if span.subsec_nanos() == 0 { Some(span.as_secs().into()) } else { Number::from_f64(span.as_secs_f64()) }
}

fn text<T: Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{heartbeat, progress, result, span};

    #[test]
    fn progress_is_a_number_or_a_text() {
        for (text, json) in [
            ("0.5", "0.5"),
            ("42", "42"),
            ("58 %", r#""58 %""#),
            ("NaN", r#""NaN""#),
            ("1e999", r#""1e999""#),
            ("[1]", r#""[1]""#),
            (r#""quoted""#, r#""\"quoted\"""#),
        ] {
            assert_eq!(progress(text).to_string(), json);
        }
    }

    #[test]
    fn a_result_is_json_as_it_is_spelled_or_a_text() {
        for (content, json) in [
            (r#" {"b":1.50,"a":[true]}"#, r#"{"b":1.50,"a":[true]}"#),
            ("\u{feff}7\n", "7"),
            (r#"{"gap":NaN}"#, r#"{"gap":null}"#),
            ("https://example.com/a.mp4\n", r#""https://example.com/a.mp4""#),
            // No text adds members to the status file.
            (r#"1,"code":NaN"#, r#""1,\"code\":NaN""#),
            ("{\"cut\":", r#""{\"cut\":""#),
            ("a\u{1b}[1mb", "\"a\\u001b[1mb\""),
            ("", r#""""#),
        ] {
            assert_eq!(result(content.as_bytes()).unwrap().get(), json);
        }
        assert_eq!(result(&b"\xff!"[..]).unwrap().get(), "\"\u{fffd}!\"");
    }

    #[test]
    fn spans_are_those_that_the_function_takes() {
        assert!(span("0s").is_ok() && span("1day").is_ok() && span("1day 1s").is_err());
        assert!(heartbeat("1s").is_ok() && heartbeat("999ms").is_err() && heartbeat("2days").is_err());
    }
}
