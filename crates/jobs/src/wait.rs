//! `jobs wait` and `jobs status`: how is a job doing?

mod indented;
mod patience;
mod poller;
mod status;
mod watch;

use std::{
    io::{self, Write},
    time::Duration,
};

use clap::Args;
use job_status::JobId;
use patience::{PAUSE, Patience, after, unanswered};
use poller::{Answer, Poller};
use status::{Outcome, Status};
use tokio::time::Instant;
use watch::Watch;

use crate::{
    endpoint::{Access, REQUEST_TIMEOUT},
    failure::Failure,
    output::printed,
};

/// What `--help` ends with. `docs/clients.md` has the same list.
const EXIT_CODES: &str = "\
Exit codes:
  0  the job is done
  1  the job failed, or ended in a state of its worker's own
  2  usage: an argument is wrong, or there is no job-status endpoint at the URL
  3  timed out before the job finished
  4  there is no such job, or none that this key may see
  5  the key is refused
  6  no answer, or none that says how the job is doing
  7  the job is stalled, with --fail-stalled";

/// Waits until a job is over, and prints its final status
///
/// Polls as the endpoint asks for it. On a terminal it shows state, age and the next poll. A worker's
/// `progress`, a text or a number at the top of its status file, is shown beside the state. Once the
/// endpoint has answered, the wait survives all but a refused key: lost connections, 429 and 5xx until
/// the time is over, other odd answers unless the same one comes five times in a row. Before, it
/// survives four failures in a row. It gives a job 10 seconds to appear.
#[derive(Args)]
#[command(after_help = EXIT_CODES)]
pub struct Wait {
    #[command(flatten)]
    job: Job,

    /// How long to wait, such as 90s, 30m or 2h; the last poll is then
    #[arg(long, value_name = "TIME", default_value = "30m", value_parser = humantime::parse_duration)]
    timeout: Duration,
}

/// Asks once how a job is doing, and prints its status
#[derive(Args)]
#[command(after_help = EXIT_CODES, name = "status")]
pub struct Once {
    #[command(flatten)]
    job: Job,
}

#[derive(Args)]
struct Job {
    /// The job's id, a UUID
    #[arg(value_name = "JOB_ID", value_parser = job_id)]
    id: JobId,

    #[command(flatten)]
    access: Access,

    /// Give up on a job that nobody seems to work on any more
    #[arg(long)]
    fail_stalled: bool,

    /// Print the status file exactly as its worker wrote it, not indented
    #[arg(long)]
    json: bool,
}

/// Waits for the end of a job.
pub async fn run(wait: Wait) -> Result<(), Failure> {
    let deadline = after(wait.timeout);
    let Job { id, access, fail_stalled, json } = wait.job;
    let mut poller = Poller::new(access.open()?, id);
    let mut watch = Watch::new();
    let mut patience = Patience::new();
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let (pause, shown, written) = match poller.poll(left.clamp(PAUSE, REQUEST_TIMEOUT)).await {
            Answer::Status(status) => {
                if status.outcome != Outcome::Unfinished || (fail_stalled && status.stalled.is_some()) {
                    drop(watch);
                    return conclude(&status, fail_stalled, json);
                }
                (patience.after_status(status.retry_after), status.to_string(), status.written)
            }
            Answer::None { why, retry_after } => {
                (patience.after_failure(&why, retry_after)?, format!("no status ({why})"), None)
            }
            Answer::Refused(refusal) => {
                let shown = format!("no status ({})", refusal.failure);
                (patience.after_refusal(refusal)?, shown, None)
            }
        };
        if Instant::now() >= deadline {
            return Err(Failure::out_of_time(format!("timed out before the job finished: {shown}"))
                .advise("wait longer with --timeout"));
        }
        watch.until(after(pause).min(deadline), &shown, written).await;
    }
}

/// Asks once.
pub async fn once(once: Once) -> Result<(), Failure> {
    let Job { id, access, fail_stalled, json } = once.job;
    match Poller::new(access.open()?, id).poll(REQUEST_TIMEOUT).await {
        Answer::Status(status) => conclude(&status, fail_stalled, json),
        Answer::None { why, .. } => Err(unanswered(&why, 1)),
        Answer::Refused(refusal) => Err(refusal.failure),
    }
}

/// Prints the status file, and says how the job stands.
fn conclude(status: &Status, fail_stalled: bool, json: bool) -> Result<(), Failure> {
    printed(if json { writeln!(io::stdout(), "{}", status.file()) } else { indented::print(status.file()) })?;
    match &status.outcome {
        Outcome::Done => Ok(()),
        Outcome::Failed(None) => Err(Failure::no("the job failed")),
        Outcome::Failed(Some(message)) => Err(Failure::no(format!("the job failed: {message}"))),
        Outcome::Other => Err(Failure::no(format!("the job ended in a state of its worker's own: {status}"))),
        Outcome::Unfinished if fail_stalled && status.stalled.is_some() => {
            Err(Failure::stalled(format!("the job has not finished: {status}"))
                .advise("see whether its worker is still alive"))
        }
        Outcome::Unfinished => {
            Err(Failure::out_of_time(format!("the job has not finished: {status}"))
                .advise("wait for it with jobs wait"))
        }
    }
}

/// Reads a job's id.
pub fn job_id(text: &str) -> Result<JobId, &'static str> {
    JobId::parse(text).ok_or("give it in the form xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx")
}
