//! A job in the list: what its status file says, which jobs are wanted, and its JSON.

use std::{
    rc::Rc,
    time::{Duration, SystemTime},
};

use aws_sdk_s3::primitives::{DateTime, DateTimeFormat};
use clap::Args;
use job_status::{JobOutcome, Progress, StatusFile, chain};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use super::listing::Listed;
use crate::{
    json::{members, text},
    output::line,
};

/// The longest number that is shown, in digits.
const LONGEST_NUMBER: usize = 40;

/// A job.
pub struct Row {
    /// Its file as it was listed before it was read.
    pub listed: Rc<Listed>,
    /// When the file that was read was written.
    pub written: DateTime,
    /// What the file says, or why it can't be passed on.
    pub status: Result<Status, String>,
}

/// What a status file says.
pub struct Status {
    pub says: Progress,
    /// Its `job_status`, fit for a terminal, if that is a text.
    pub state: Option<String>,
    /// Its `progress`, fit for a terminal, if that is a text or a number.
    pub progress: Option<Box<RawValue>>,
}

/// Which jobs are wanted.
#[derive(Args)]
pub struct Filter {
    /// Only jobs with this job_status; several are separated by commas
    #[arg(long, value_name = "WORD", value_delimiter = ',')]
    state: Vec<String>,

    /// Only jobs that stand so: unfinished, done, failed or other; several are separated by commas
    #[arg(long, value_name = "WORD", value_delimiter = ',', value_parser = ["unfinished", "done", "failed", "other"], hide_possible_values = true)]
    outcome: Vec<String>,

    /// Only stalled jobs: their files are older than two of their worker's heartbeats
    #[arg(long)]
    stalled: bool,
}

impl Filter {
    /// Whether every job is wanted.
    pub fn is_none(&self) -> bool {
        self.state.is_empty() && self.outcome.is_empty() && !self.stalled
    }

    /// Whether a job is wanted.
    pub fn takes(&self, row: &Row, is_stalled: bool) -> bool {
        let is_one_of = |words: &[String], word: Option<&str>| {
            words.is_empty() || word.is_some_and(|word| words.iter().any(|wanted| wanted == word))
        };
        is_one_of(&self.state, row.state())
            && is_one_of(&self.outcome, row.outcome().map(JobOutcome::word))
            && (is_stalled || !self.stalled)
    }
}

impl Row {
    /// Reads a status file. The states in `unfinished` are unfinished too.
    pub fn new(listed: Rc<Listed>, written: DateTime, content: Result<Vec<u8>, String>, unfinished: &[String]) -> Self {
        let status = content.and_then(|bytes| {
            let file = StatusFile::check(bytes, unfinished).map_err(|error| line(&chain(&error)))?;
            let [state, progress] = members(&file.text, ["job_status", "progress"]).unwrap_or_default();
            Ok(Status {
                says: file.progress,
                state: state.and_then(text).map(|state| line(&state)),
                progress: progress.and_then(text_or_number),
            })
        });
        Self { listed, written, status }
    }

    pub fn state(&self) -> Option<&str> {
        self.status.as_ref().ok()?.state.as_deref()
    }

    pub fn outcome(&self) -> Option<JobOutcome> {
        Some(self.status.as_ref().ok()?.says.outcome)
    }

    /// Whether the job is stalled, as the function says it.
    pub fn is_stalled(&self, now: SystemTime, otherwise: Option<Duration>) -> bool {
        self.status.as_ref().is_ok_and(|status| status.says.is_stalled(self.age(now), otherwise))
    }

    /// How old its file is.
    pub fn age(&self, now: SystemTime) -> Duration {
        let written = SystemTime::try_from(self.written).ok();
        written.and_then(|written| now.duration_since(written).ok()).unwrap_or_default()
    }
}

/// A text as a line, a number as it is written.
fn text_or_number(value: &RawValue) -> Option<Box<RawValue>> {
    match text(value) {
        Some(text) => to_raw_value(&line(&text)).ok(),
        None if value.get().starts_with(|first: char| first == '-' || first.is_ascii_digit()) => {
            (value.get().len() <= LONGEST_NUMBER).then(|| value.to_owned())
        }
        None => None,
    }
}

/// What programs get.
#[derive(Serialize)]
pub struct Json<'a> {
    job_id: String,
    job_status: Option<&'a str>,
    outcome: Option<&'static str>,
    progress: Option<&'a RawValue>,
    /// In RFC 3339.
    written: Option<String>,
    stalled: bool,
    /// Why the file can't be passed on.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
}

impl<'a> Json<'a> {
    pub fn new(row: &'a Row, stalled: bool) -> Self {
        Self {
            job_id: row.listed.id.to_string(),
            job_status: row.state(),
            outcome: row.outcome().map(JobOutcome::word),
            progress: row.status.as_ref().ok().and_then(|status| status.progress.as_deref()),
            written: row.written.fmt(DateTimeFormat::DateTime).ok(),
            stalled,
            error: row.status.as_ref().err().map(String::as_str),
        }
    }
}
