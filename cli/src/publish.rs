//! `jobs publish`: status files from a directory to S3.

use std::path::PathBuf;

use clap::Args;

use crate::failure::Failure;

/// Watches a directory of status files and uploads each when it changes
#[derive(Args)]
pub struct Publish {
    /// The directory that the workers write `<job_id>.json` into
    dir: PathBuf,
    /// Where to: s3://bucket/prefix/
    target: String,
}

/// Publishes until it is told to stop.
#[expect(clippy::unused_async, reason = "the scaffold")]
pub async fn run(publish: Publish) -> Result<(), Failure> {
    Err(Failure::usage(format!("not yet: {} to {}", publish.dir.display(), publish.target)))
}
