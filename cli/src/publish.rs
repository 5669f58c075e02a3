//! `jobs publish`: status files from a directory to S3.
//!
//! [`watch`] tells which files changed, [`queue`] when each is looked at, [`file`] reads one whole,
//! [`upload`] sends it, [`publisher`] runs all of them, and [`log`] writes what the operator reads.
//!
//! The directory is the memory: what is not sent yet is still there, so a restart loses nothing and
//! nothing is kept twice.

mod file;
mod log;
mod publisher;
mod queue;
mod upload;
mod watch;

use std::{
    fs::{File, TryLockError},
    path::PathBuf,
};

use clap::Args;
use humantime::Duration;
use publisher::Publisher;
use tokio::signal::unix::{SignalKind, signal};
use upload::Uploader;
use watch::Watch;

use crate::{failure::Failure, s3::Location};

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
    target: Location,

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

fn target(text: &str) -> Result<Location, String> {
    let location: Location = text.parse()?;
    if !location.key.is_empty() && !location.key.ends_with('/') {
        return Err("its prefix does not end in /: give s3://bucket/prefix/".into());
    }
    Ok(location)
}

/// Publishes until it is told to stop.
pub async fn run(publish: Publish) -> Result<(), Failure> {
    let watching = format!("watching {}", publish.dir.display());
    let directory = File::open(&publish.dir).map_err(|error| {
        Failure::unreachable(watching.as_str(), &error).advise("make the directory, and let this user read it")
    })?;
    // Two publishers could send an older state after a newer one. Where directories can't be locked
    // (NFS), that is left to the operator.
    if let Err(TryLockError::WouldBlock) = directory.try_lock() {
        return Err(Failure::no(format!("another jobs publish is at work on {}", publish.dir.display()))
            .advise("end it first; one is enough for a directory"));
    }
    let watch = Watch::start(&publish.dir).map_err(|error| {
        Failure::unreachable(watching, &error).advise(
            "see that it is a directory; if it is, raise the limits fs.inotify.max_user_instances and max_user_watches",
        )
    })?;
    let mut signals = [SignalKind::terminate(), SignalKind::interrupt()].map(signal).into_iter();
    let (Some(Ok(mut term)), Some(Ok(mut interrupt))) = (signals.next(), signals.next()) else {
        return Err(Failure::no("signals cannot be received").advise("run it as a process of its own"));
    };
    log::init();
    let uploader = Uploader::new(publish.target).await?;
    let stop = async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    Publisher::new(publish.dir, watch, uploader, *publish.settle, *publish.since).run(publish.once, stop).await
}
