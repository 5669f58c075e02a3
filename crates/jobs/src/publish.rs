//! `jobs publish`: status files from a directory to S3.
//!
//! Here are the command line, signals and the log. [`watch`] tells which files changed, [`queue`] when
//! each is looked at, [`lanes`] where they wait until then, [`mod@file`] reads one whole, [`upload`] sends it, [`outage`] says whether S3 takes any, [`publisher`]
//! runs all of them, and [`summary`] counts. What the operator reads are events of `tracing`. They name jobs by their ids, and
//! have neither content nor credentials.
//!
//! The directory is the memory: what is not sent yet is still there, so a restart loses nothing and
//! nothing is kept twice.

mod file;
mod lanes;
mod outage;
mod publisher;
mod queue;
mod summary;
mod upload;
mod watch;

use std::{
    io,
    path::{Path, PathBuf},
};

use aws_config::retry::RetryConfig;
use clap::Args;
use humantime::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    fmt,
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

use self::{
    publisher::{Publisher, Unfinished},
    upload::Target,
    watch::{Unwatched, Watch},
};
use crate::{
    failure::Failure,
    s3::{self, Location},
};

/// Watches a directory of status files and uploads each when it changes
///
/// Whole `<job_id>.json` files become `<prefix><job_id>.json` in the bucket. It goes on until SIGTERM
/// or Ctrl-C, and then sends what is pending within 10 seconds.
///
/// Exit codes: 0 all that was pending is sent; 1 with --once, some files are broken; 2 usage; 6
/// something is not sent yet. The next start sends it.
#[derive(Args)]
pub struct Publish {
    /// The directory that the workers write <job_id>.json into
    dir: PathBuf,

    /// Where to: s3://bucket/prefix/
    #[arg(value_parser = target)]
    target: Target,

    /// Several changes of a file within this span are one upload
    #[arg(long, default_value = "200ms", value_name = "SPAN")]
    settle: Duration,

    /// At the start, leave files alone that were last changed before this span, for the bucket may
    /// have deleted them since; not more than the bucket keeps them
    #[arg(long, default_value = "30d", value_name = "SPAN")]
    since: Duration,

    /// Send what is not in the bucket yet, then end
    #[arg(long)]
    once: bool,
}

fn target(text: &str) -> Result<Target, String> {
    let Location { bucket, key: prefix } = text.parse()?;
    if !prefix.is_empty() && !prefix.ends_with('/') {
        return Err("its prefix does not end in /: give s3://bucket/prefix/".into());
    }
    Ok(Target { bucket, prefix })
}

/// Publishes until it is told to stop.
pub async fn run(publish: Publish) -> Result<(), Failure> {
    let watch = Watch::start(&publish.dir).map_err(|error| unwatched(&publish.dir, &error))?;
    let mut signals = [SignalKind::terminate(), SignalKind::interrupt()].map(signal).into_iter();
    let (Some(Ok(mut term)), Some(Ok(mut interrupt))) = (signals.next(), signals.next()) else {
        return Err(Failure::no("signals cannot be received").advise("run it as a process of its own"));
    };
    log();
    let client = s3::client(RetryConfig::disabled()).await?;
    let stop = async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    let publisher = Publisher::new(watch, client, publish.target, *publish.settle, *publish.since);
    publisher.run(publish.once, stop).await.map_err(|error| unfinished(&error))
}

/// Starts logging. The libraries underneath log warnings and errors only.
fn log() {
    let own = Targets::new().with_default(LevelFilter::WARN).with_target("jobs", LevelFilter::INFO);
    let lines = fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_target(false)
        .with_writer(io::stderr);
    // It is the first: nothing else in this process logs.
    let _ = tracing_subscriber::registry().with(own).with(lines).try_init();
}

fn unwatched(directory: &Path, error: &Unwatched) -> Failure {
    let watching = format!("watching {}", directory.display());
    match error {
        Unwatched::Unreadable(error) => {
            Failure::unreachable(watching, error).advise("make the directory, and let this user read it")
        }
        Unwatched::Busy => Failure::no(format!("another jobs publish is at work on {}", directory.display()))
            .advise("end it first; one is enough for a directory"),
        Unwatched::Refused(error) => Failure::unreachable(watching, error)
            .advise("raise the limits fs.inotify.max_user_instances and max_user_watches"),
    }
}

fn unfinished(error: &Unfinished) -> Failure {
    let what = error.to_string();
    match error {
        Unfinished::NotSent(_) => Failure::unanswered(what)
            .advise("see the errors above; the next start compares them with the bucket and sends them"),
        Unfinished::Broken(_) => Failure::no(what).advise("the lines with the event \"broken\" above name them"),
        Unfinished::Panic(_) => Failure::no(what).advise("report this as a bug"),
    }
}
