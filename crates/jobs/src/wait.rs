//! `jobs wait` and `jobs status`: how is a job doing?

mod poller;
mod status;
mod watch;

use std::{
    io::{self, Write},
    time::Duration,
};

use clap::Args;
use job_status::JobId;
use poller::{Answer, Poller};
use status::{Outcome, Status};
use tokio::time::Instant;
use watch::Watch;

use crate::{
    endpoint::{Access, REQUEST_TIMEOUT},
    failure::Failure,
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

/// For how long a job may be unknown: its worker may not have written its first status yet.
const APPEARS_WITHIN: Duration = Duration::from_secs(10);
/// Failures in a row that are enough, as long as there has been no answer at all.
const FAILURES: u32 = 5;
/// The longest wait after a failure, unless the endpoint asks for a longer one.
const LONGEST_BACKOFF: Duration = Duration::from_secs(30);
/// By how much of itself a wait is longer, at most.
const SPREAD: f64 = 0.1;
/// The same after a refusal: whoever is refused is one of many.
const SPREAD_REFUSED: f64 = 0.5;
/// Longer than anybody waits. A number from elsewhere may be longer than an instant can be away.
const LONGEST: Duration = Duration::from_hours(24 * 365);
/// Between two polls, if an answer does not say it.
const PAUSE: Duration = Duration::from_secs(1);

/// Waits until a job is over, and prints its final status
///
/// Polls as the endpoint asks for it. On a terminal it shows state, age and the next poll. A worker's
/// `progress`, a text or a number at the top of its status file, is shown beside the state. Lost
/// connections and answers of 429 and 5xx are survived: until the time is over, or for five in a row
/// as long as there has been no other answer. A job that nobody knows is waited for for 10 seconds.
#[derive(Args)]
#[command(after_help = EXIT_CODES)]
pub struct Wait {
    #[command(flatten)]
    job: Job,

    /// How long to wait, such as 90s, 30m or 2h
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
    id: String,

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
    let (deadline, appears_by) = (after(wait.timeout), after(APPEARS_WITHIN));
    let Job { id, access, fail_stalled, json } = wait.job;
    let mut poller = Poller::new(access.open()?, id);
    let mut watch = Watch::new();
    let (mut failures, mut answered) = (0, false);
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let (next, shown, written) = match poller.poll(left.clamp(PAUSE, REQUEST_TIMEOUT)).await? {
            Answer::Status(status) => {
                (failures, answered) = (0, true);
                if status.outcome() != Outcome::Unfinished || (fail_stalled && status.stalled.is_some()) {
                    drop(watch);
                    return conclude(&status, fail_stalled, json);
                }
                (later(status.retry_after.unwrap_or(PAUSE), SPREAD), status.to_string(), status.written)
            }
            Answer::NoSuchJob { retry_after } => {
                let next = later(retry_after.unwrap_or(PAUSE), SPREAD);
                if next >= appears_by {
                    return Err(no_such_job());
                }
                (next, "not known yet".to_owned(), None)
            }
            Answer::None { why, retry_after } => {
                failures += 1;
                if failures == FAILURES && !answered {
                    return Err(unanswered(&why, failures));
                }
                (
                    retry_after.map_or_else(|| backoff(failures), |wait| later(wait, SPREAD_REFUSED)),
                    format!("no status ({why})"),
                    None,
                )
            }
        };
        if next >= deadline {
            return Err(Failure::out_of_time(format!("the job is not over in time: {shown}"))
                .advise("wait longer with --timeout"));
        }
        watch.until(next, &shown, written).await;
    }
}

/// Asks once.
pub async fn once(once: Once) -> Result<(), Failure> {
    let Job { id, access, fail_stalled, json } = once.job;
    match Poller::new(access.open()?, id).poll(REQUEST_TIMEOUT).await? {
        Answer::Status(status) => conclude(&status, fail_stalled, json),
        Answer::NoSuchJob { .. } => Err(no_such_job()),
        Answer::None { why, .. } => Err(unanswered(&why, 1)),
    }
}

/// Prints the status file, and says how the job stands.
fn conclude(status: &Status, fail_stalled: bool, json: bool) -> Result<(), Failure> {
    let file = if json { status.file() } else { &status.indented() };
    writeln!(io::stdout(), "{file}").map_err(Failure::printing)?;
    match status.outcome() {
        Outcome::Done => Ok(()),
        Outcome::Failed(None) => Err(Failure::no("the job failed")),
        Outcome::Failed(Some(message)) => Err(Failure::no(format!("the job failed: {message}"))),
        Outcome::Other => Err(Failure::no(format!("the job ended in a state of its worker's own: {status}"))),
        Outcome::Unfinished if fail_stalled && status.stalled.is_some() => {
            Err(Failure::stalled(format!("the job is not over: {status}"))
                .advise("see whether its worker is still alive"))
        }
        Outcome::Unfinished => {
            Err(Failure::out_of_time(format!("the job is not over: {status}")).advise("wait for it with jobs wait"))
        }
    }
}

fn no_such_job() -> Failure {
    Failure::not_found("there is no such job, or this key may not see it")
        .advise("check the job's id; a key with a folder of its own sees no other jobs")
}

fn unanswered(why: &str, polls: u32) -> Failure {
    Failure::unanswered(format!("no status after {polls} poll{}: {why}", if polls == 1 { "" } else { "s" }))
        .advise("check --url and the network, and ask whoever runs the API; jobs check says more")
}

/// When to ask again after `wait`: up to this part of it later, by chance, so that callers who came
/// together do not come back together.
fn later(wait: Duration, spread: f64) -> Instant {
    let wait = wait.min(LONGEST);
    after(wait + wait.mul_f64(fastrand::f64() * spread))
}

/// When to ask again after so many failures in a row: after 1 s, 2 s, 4 s and so on, or half of it.
fn backoff(failures: u32) -> Instant {
    let longest = PAUSE.saturating_mul(1 << (failures - 1).min(8)).min(LONGEST_BACKOFF);
    after(longest.mul_f64(0.5 + 0.5 * fastrand::f64()))
}

/// An instant that there is, however long `wait` may be.
fn after(wait: Duration) -> Instant {
    Instant::now() + wait.min(LONGEST)
}

/// Reads a job's id; in lower case, as its status file is named.
pub fn job_id(text: &str) -> Result<String, &'static str> {
    JobId::parse(text).map(|id| id.to_string()).ok_or("give it in the form xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx")
}
