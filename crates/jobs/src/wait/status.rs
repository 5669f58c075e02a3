//! What one poll says of a job: its status file as the worker wrote it, and what the headers add.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use serde_json::value::RawValue;
use tokio::time::Instant;

use crate::{
    endpoint::Reply,
    json::{members, text},
    output::line,
};

/// A job's status.
#[derive(Clone, Debug)]
pub struct Status {
    /// The status file, byte for byte.
    file: Arc<str>,
    /// What has become of the job.
    pub outcome: Outcome,
    /// Its `job_status`, for people; empty if that is no text.
    state: String,
    /// Its `progress`, if it has one that fits into a line.
    progress: Option<String>,
    /// When the worker last wrote it, by this machine's clock.
    pub written: Option<Instant>,
    /// For how long nobody has worked on the job, if the endpoint says so.
    pub stalled: Option<Duration>,
    /// When to ask again.
    pub retry_after: Option<Duration>,
}

/// What has become of the job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Unfinished,
    Done,
    /// With what the result says about it.
    Failed(Option<String>),
    /// A state of the worker's own. It is final: the endpoint does not say when to ask again.
    Other,
}

impl Status {
    /// Reads a 200; `None` if it is not the endpoint's.
    pub fn of(reply: &Reply) -> Option<Self> {
        let [file] = reply.members(["response"])?;
        let file = file?.get();
        if !file.starts_with('{') {
            return None;
        }
        let [state, progress, result] = members(file, ["job_status", "progress", "response"]).ok()?;
        let state = state.and_then(text).unwrap_or_default();
        let status = Self {
            file: file.into(),
            outcome: outcome(reply, &state, result),
            state: line(&state),
            progress: progress.and_then(text_or_number),
            written: None,
            stalled: None,
            retry_after: None,
        };
        Some(status.at(reply))
    }

    /// The same file with the headers of a newer answer.
    pub fn at(self, reply: &Reply) -> Self {
        Self {
            written: written(reply),
            stalled: reply.seconds("x-job-stalled"),
            retry_after: reply.retry_after(),
            ..self
        }
    }

    /// The status file as it is.
    pub fn file(&self) -> &str {
        &self.file
    }
}

/// What the endpoint says has become of the job. One of 0.1.0 does not say it: then the state does, and the
/// result's code, because some workers write `done` with the code of a failure.
fn outcome(reply: &Reply, state: &str, result: Option<&RawValue>) -> Outcome {
    let [code, message] = result.and_then(|result| members(result.get(), ["code", "message"]).ok()).unwrap_or_default();
    let failed = || Outcome::Failed(message.and_then(text_or_number));
    let code = code.map_or("null", RawValue::get);
    match (reply.header("x-job-outcome"), state) {
        (Some("unfinished"), _) | (None, "queued" | "running" | "submitted") => Outcome::Unfinished,
        (Some("done"), _) => Outcome::Done,
        (None, "done") if code == "null" || code.parse() == Ok(200.0) => Outcome::Done,
        (Some("failed"), _) | (None, "done" | "failed") => failed(),
        _ => Outcome::Other,
    }
}

/// The state, and what the worker says of its progress.
impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.state.is_empty() { "no state" } else { &self.state })?;
        if let Some(progress) = &self.progress {
            write!(f, " ({progress})")?;
        }
        if let Some(stalled) = self.stalled {
            write!(f, ", stalled: its worker has written nothing for {}", whole_seconds(stalled))?;
        }
        Ok(())
    }
}

/// A duration for people, such as `1m 5s`.
pub fn whole_seconds(duration: Duration) -> humantime::FormattedDuration {
    humantime::format_duration(Duration::from_secs(duration.as_secs()))
}

/// When the file was written. The endpoint's `date` tells its age, so the clock of this machine need
/// not be right.
fn written(reply: &Reply) -> Option<Instant> {
    let time = |name| reply.header(name).and_then(|value| httpdate::parse_http_date(value).ok());
    let now = time("date").unwrap_or_else(SystemTime::now);
    let age = now.duration_since(time("last-modified")?).unwrap_or_default();
    Instant::now().checked_sub(age)
}

/// What a value says in a line, if it is a string or a number.
fn text_or_number(value: &RawValue) -> Option<String> {
    let text = text(value).or_else(|| value.get().parse::<f64>().is_ok().then(|| value.get().into()))?;
    Some(line(&text))
}
