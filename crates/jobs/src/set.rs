//! `jobs set`: one state of a job, from a script or an operator.
//!
//! Nothing is lost: the status file is read first, and written only if it still is what was read
//! (`If-Match`), a new one only if there is none (`If-None-Match: *`). Who comes second reads again, and
//! decides again.

use std::{
    convert::Infallible,
    fs::File,
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use aws_config::retry::RetryConfig;
use aws_sdk_s3::{Client, error::ProvideErrorMetadata};
use clap::{Args, builder::NonEmptyStringValueParser};
use job_status::{JobId, JobOutcome, StatusFile};
use serde_json::{Value, value::RawValue};

use crate::{
    failure::Failure,
    list::{Words, words},
    output::remark,
    s3::{self, Store, backoff, within},
    status_document::{JobResult, StatusDocument, heartbeat, progress, result, seconds, span},
    wait::job_id,
};

/// Writes that may lose against others in a row.
const ATTEMPTS: u32 = 100;
/// Longest pause after the first lost one; it doubles with each further one.
const PAUSE: Duration = Duration::from_millis(20);
/// Where it stops doubling.
const MAX_PAUSE: Duration = Duration::from_secs(1);

/// Writes one state of a job
///
/// The status file becomes this state and nothing else. `done` gets the code 200, `failed` 500.
#[derive(Args)]
#[command(after_help = "\
Exit codes:
  0  the state is written
  1  nothing is written: the job has ended already, or others keep writing
  2  usage
  6  S3 or the result's file could not be reached")]
pub struct Set {
    /// The job's id, a UUID
    #[arg(value_name = "JOB_ID", value_parser = job_id)]
    id: JobId,

    /// queued, running or submitted; done or failed; or a state of the worker's own
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    state: String,

    /// Where status files are: s3://bucket/prefix/
    #[arg(long, env = "JOBS_STORE", value_name = "STORE")]
    store: Store,

    /// How far the job is: a number or a text
    #[arg(long, value_name = "PROGRESS", value_parser = |text: &str| Ok::<_, Infallible>(progress(text)))]
    progress: Option<Value>,

    /// File with the result, JSON or else a text; - is stdin
    #[arg(long, value_name = "FILE")]
    result: Option<PathBuf>,

    /// What went wrong, or another word about the result [default for done: success]
    #[arg(long, value_name = "TEXT")]
    message: Option<String>,

    /// The next write comes within this span; after twice that, the job is stalled
    #[arg(long, value_name = "SPAN", value_parser = heartbeat)]
    heartbeat: Option<Duration>,

    /// There is nothing new for this span
    #[arg(long, value_name = "SPAN", value_parser = span)]
    retry_after: Option<Duration>,

    /// States of the worker's own that are unfinished, separated by commas, as the endpoint has them
    #[arg(long, env = "UNFINISHED_STATES", value_name = "WORDS", default_value = "", hide_default_value = true, value_parser = words)]
    unfinished_states: Words,

    /// Overwrite the state of a job that has ended, too
    #[arg(long)]
    force: bool,
}

/// What there is of a job.
enum Found {
    Nothing,
    /// Nothing, or something that may not be read: S3 tells them apart only to who may list the bucket.
    Hidden,
    File {
        bytes: Vec<u8>,
        etag: Option<String>,
    },
}

/// Writes the state.
pub async fn run(set: Set) -> Result<(), Failure> {
    let file = set.file()?;
    if set.outcome(&file) == Some(JobOutcome::Other) {
        remark("warning: this state is final, unless the endpoint's UNFINISHED_STATES has it");
    }
    let client = s3::client(RetryConfig::standard()).await?;
    let object = set.store.url(set.id);
    for attempt in 1..=ATTEMPTS {
        let found = set.find(&client, &object).await?;
        let put = set.store.put(&client, set.id, file.clone());
        let put = match &found {
            // It was written before, and the answer was lost.
            Found::File { bytes, .. } if attempt > 1 && *bytes == file => return Ok(()),
            Found::File { etag: None, .. } => {
                return Err(Failure::no(format!(
                    "S3 gives no ETag for {object}: nothing was written, because that could undo somebody else's"
                ))
                .advise("use an S3 that has ETags"));
            }
            Found::File { bytes, etag: Some(etag) } => {
                set.may_replace(bytes)?;
                put.if_match(etag)
            }
            Found::Nothing | Found::Hidden => put.if_none_match("*"),
        };
        match put.customize().config_override(within(file.len())).send().await {
            Ok(_) => return Ok(()),
            Err(error) if matches!(s3::status(&error), Some(412 | 409)) && matches!(found, Found::Hidden) => {
                return Err(Failure::no(format!("{object} is there and may not be read: nothing was written"))
                    .advise("the credentials need s3:GetObject: see docs/workers.md"));
            }
            // Changed since; being changed right now; deleted since.
            Err(error) if matches!(s3::status(&error), Some(412 | 409)) || error.code() == Some("NoSuchKey") => {
                tokio::time::sleep(backoff(PAUSE, attempt, MAX_PAUSE)).await;
            }
            Err(error) => return Err(s3::failure(&format!("writing {object}"), &error)),
        }
    }
    Err(Failure::no(format!("others keep writing {object}: nothing was written")).advise("try again later"))
}

impl Set {
    /// The status file to write.
    fn file(&self) -> Result<Vec<u8>, Failure> {
        let code = match self.state.as_str() {
            "done" => Some(200),
            "failed" => Some(500),
            _ => None,
        };
        let result = self.result.as_deref().map(read).transpose()?;
        let message = self.message.as_deref().or_else(|| (code == Some(200)).then_some("success"));
        let is_result = code.is_some() || result.is_some() || message.is_some();
        let response = JobResult {
            endpoint: None,
            code,
            id: None,
            job_id: self.id,
            response: result.as_deref(),
            message,
            worker: None,
        };
        StatusDocument {
            job_status: &self.state,
            job_id: self.id,
            queue_id: None,
            process_id: None,
            progress: self.progress.as_ref(),
            retry_after_seconds: self.retry_after.and_then(seconds),
            heartbeat_seconds: self.heartbeat.and_then(seconds),
            response: is_result.then_some(response),
        }
        .bytes()
    }

    /// How the job stands by a status file, as the endpoint judges it.
    fn outcome(&self, file: &[u8]) -> Option<JobOutcome> {
        StatusFile::check(file.to_vec(), &self.unfinished_states).ok().map(|file| file.progress.outcome)
    }

    /// Reads what there is of the job.
    async fn find(&self, client: &Client, object: &str) -> Result<Found, Failure> {
        match client.get_object().bucket(&self.store.bucket).key(self.store.key(self.id)).send().await {
            Ok(found) => {
                let bytes = found.body.collect().await.map_err(|error| {
                    Failure::unreachable(format!("reading {object}"), &error)
                        .advise("try again: the connection was lost")
                })?;
                Ok(Found::File { bytes: bytes.to_vec(), etag: found.e_tag })
            }
            Err(error) if error.code() == Some("NoSuchKey") => Ok(Found::Nothing),
            Err(error) if s3::status(&error) == Some(403) => Ok(Found::Hidden),
            Err(error) => Err(s3::failure(&format!("reading {object}"), &error)),
        }
    }

    /// Whether this status file may be replaced: that of an unfinished job, or any by force.
    fn may_replace(&self, file: &[u8]) -> Result<(), Failure> {
        let why = match self.outcome(file) {
            _ if self.force => return Ok(()),
            Some(JobOutcome::Unfinished) => return Ok(()),
            Some(outcome) => format!("the job has ended already ({})", outcome.word()),
            None => "the job's status file is broken".into(),
        };
        Err(Failure::no(format!("{why}: nothing was written")).advise("replace it with --force"))
    }
}

/// Reads the result from a file, or from stdin.
fn read(path: &Path) -> Result<Box<RawValue>, Failure> {
    let content = if path == Path::new("-") {
        result(io::stdin())
    } else {
        File::open(path).map_err(Into::into).and_then(result)
    };
    content.map_err(|error| {
        Failure::unreachable(format!("reading the result from {}", path.display()), &*error)
            .advise("give a file that you may read, or - for stdin")
    })
}
