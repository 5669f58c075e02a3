//! `jobs publish`: status files from a directory to S3.
//!
//! Here are the command line and signals. [`watch`] tells which files changed, [`job`] when each is
//! looked at, [`queue`] and [`lanes`] which comes first, [`mod@file`] reads one whole, [`toolkit`] tells jobs
//! from polls, [`upload`] takes it to the [`bucket`], [`outage`] says whether S3 takes any, and
//! [`publisher`] runs all of them. What the operator reads are events of `tracing`: [`summary`] counts
//! them, and [`log`] writes them. They name jobs by their ids, and have neither content nor credentials.
//!
//! The directory is the memory: what is not sent yet is still there, so a restart loses nothing and
//! nothing is kept twice.

mod bucket;
mod file;
mod job;
mod lanes;
mod log;
mod outage;
mod publisher;
mod queue;
mod summary;
mod toolkit;
mod upload;
mod watch;

use std::{
    path::{Path, PathBuf},
    time,
};

use aws_config::retry::RetryConfig;
use clap::Args;
use humantime::Duration;
use tokio::task::JoinError;

use self::{
    log::Log,
    publisher::Publisher,
    watch::{Unavailable, Watch},
};
use crate::{
    failure::Failure,
    platform,
    s3::{self, Store},
};

/// Once it is told to stop the process ends within this time, whatever hangs.
const END: time::Duration = time::Duration::from_millis(platform::KILLED_AFTER - 200);
/// What the last words may take.
const LAST_WORDS: time::Duration = time::Duration::from_secs(1);

/// Watches a directory, and uploads each status file when it changes
///
/// Whole `<job_id>.json` files become `<prefix><job_id>.json` in the bucket. Links are not followed. A
/// file that is older than what the bucket has is left alone. It goes on until SIGTERM, SIGHUP or
/// Ctrl-C, and then sends what is pending within 10 seconds. On Windows it goes on until Ctrl-C,
/// Ctrl-Break or the end of its console, and has 5 seconds then.
///
/// Exit codes: 0 all that was pending is sent; 1 some files are broken; 2 usage; 6 something is not
/// sent yet. The next start sends it.
#[derive(Args)]
pub struct Publish {
    /// The directory that the workers write <job_id>.json into
    dir: PathBuf,

    /// Where to: s3://bucket/prefix/
    #[arg(value_name = "TARGET")]
    store: Store,

    /// Several changes of a file within this span are one upload; the first one of a new file is sent
    /// at once
    #[arg(long, default_value = "200ms", value_name = "SPAN")]
    settle: Duration,

    /// At the start, leave files alone that were last changed before this span, for the bucket may
    /// have deleted them since; not more than the bucket keeps them
    #[arg(long, default_value = "30d", value_name = "SPAN")]
    since: Duration,

    /// Send the files of polls, too: those whose response.endpoint begins with /v1/toolkit/, which a
    /// toolkit writes when it is asked about a job
    #[arg(long)]
    all: bool,

    /// Send what is not in the bucket yet, then end
    #[arg(long)]
    once: bool,
}

/// Why a publisher ended without having sent everything.
#[derive(Debug, thiserror::Error)]
enum Unfinished {
    /// The directory was never read.
    #[error("the directory was not read")]
    NotRead,
    /// S3 does not have so many files yet.
    #[error("files that are not sent yet: {0}")]
    NotSent(usize),
    /// So many files are broken.
    #[error("files that are broken and were not sent: {0}")]
    Broken(usize),
    /// A defect.
    #[error("{0}")]
    Panic(#[from] JoinError),
}

/// Publishes until it is told to stop.
pub async fn run(publish: Publish) -> Result<(), Failure> {
    let watch = Watch::start(&publish.dir, !publish.once).map_err(|error| unavailable(&publish.dir, &error))?;
    let told = platform::stop()
        .map_err(|error| Failure::unreachable("receiving signals", &error).advise("run it as a process of its own"))?;
    let stop = async {
        told.await;
        log::end_after(END, 6);
    };
    let log = Log::start();
    let client = s3::client(RetryConfig::disabled()).await?;
    let ended = Publisher::new(watch, client, log, publish).run(stop).await;
    let (code, ended) = ended.map_or_else(|error| unfinished(&error), |()| (0, Ok(())));
    log::end_after(LAST_WORDS, code);
    ended
}

fn unavailable(directory: &Path, error: &Unavailable) -> Failure {
    let directory = directory.display();
    match error {
        Unavailable::Busy => Failure::no(format!("another jobs publish is at work on {directory}")),
        error => Failure::unreachable(format!("watching {directory}"), error),
    }
    .advise(error.hint())
}

/// Its exit code, and what it says.
fn unfinished(error: &Unfinished) -> (i32, Result<(), Failure>) {
    let what = error.to_string();
    let (code, advice) = match error {
        Unfinished::NotRead | Unfinished::NotSent(_) => {
            (6, "see the errors above; the next start compares all files with the bucket and sends what is missing")
        }
        Unfinished::Broken(_) => (1, "the lines with the event \"broken\" above name them"),
        Unfinished::Panic(_) => (1, "report this as a bug"),
    };
    let failure = if code == 6 { Failure::unanswered(what) } else { Failure::no(what) };
    (code, Err(failure.advise(advice)))
}
