//! One file to S3.
//!
//! An object carries the SHA-256 of its content as metadata, so that a later start can compare by HEAD
//! what the bucket has. An object that something else has put there is compared by its `ETag`, which in
//! most buckets is the MD5 of the content.

use std::{error::Error, fmt, path::PathBuf, sync::Arc, time::Duration};

use aws_sdk_s3::{
    Client, Config,
    config::{self, http::HttpResponse, timeout::TimeoutConfig},
    error::{ProvideErrorMetadata, SdkError},
    operation::head_object::HeadObjectOutput,
    primitives::ByteStream,
};
use md5::{Digest, Md5};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::Instant,
};

use super::{
    file::{self, Content, Reading},
    queue::{Sent, Work},
};
use crate::s3::{self, Scope};

/// Content of large files in memory at a time, in KiB: two of the largest.
const LARGE: u32 = 64 * 1024;
/// The same for all others, so that large ones that S3 is slow to take do not hold them up.
const SMALL: u32 = 16 * 1024;
/// The length of the smallest large file, in KiB.
const IS_LARGE: u32 = 256;
/// What S3 may take to answer. It is a second longer for each `ATTEMPT_SIZE` that is sent.
const ATTEMPT: Duration = Duration::from_secs(10);
const ATTEMPT_SIZE: usize = 256 << 10; // 2 Mbit/s
/// Name of the metadata that has a content's SHA-256.
const SHA256: &str = "sha256";

/// Where status files go.
#[derive(Clone, Debug)]
pub struct Target {
    /// The bucket's name.
    pub bucket: String,
    /// What comes before `<job_id>.json` in every key; empty, or it ends in `/`.
    pub prefix: String,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.prefix)
    }
}

/// Sends files to one place.
pub struct Uploader {
    client: Client,
    target: Target,
    large: Semaphore,
    small: Semaphore,
}

/// What came of it.
pub enum Outcome {
    /// It is in the bucket now, with so many bytes.
    Published(Sent, usize),
    /// The bucket says that it has it already.
    Present(Sent),
    /// It is what was sent last.
    Unchanged(Sent),
    Broken(String),
    Changing,
    Gone,
    Failed(Failed),
}

/// Why S3 did not take it, and what to do.
pub struct Failed {
    pub error: String,
    pub hint: &'static str,
    /// Which files that counts for.
    pub scope: Scope,
    /// Whether S3 answered.
    pub is_answer: bool,
}

impl Uploader {
    pub fn new(client: Client, target: Target) -> Self {
        Self { client, target, large: Semaphore::new(LARGE as usize), small: Semaphore::new(SMALL as usize) }
    }

    /// Where files go.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Reads the file of a job and sends it.
    pub async fn publish(self: Arc<Self>, mut work: Work, path: PathBuf) -> (Work, Outcome) {
        let outcome = self.send(&mut work, path).await.unwrap_or_else(|outcome| outcome);
        (work, outcome)
    }

    async fn send(&self, work: &mut Work, path: PathBuf) -> Result<Outcome, Outcome> {
        let length = file::length(&path).ok_or(Outcome::Gone)?;
        let _memory = self.memory(length).await;
        let reading = tokio::task::spawn_blocking(move || file::read(&path)).await;
        work.read = Some((Instant::now(), length));
        let content = match reading {
            Ok(Reading::Whole(content)) => content,
            Ok(Reading::Broken(why)) => return Err(Outcome::Broken(why)),
            Ok(Reading::Changing) => return Err(Outcome::Changing),
            Ok(Reading::Gone) => return Err(Outcome::Gone),
            Err(panic) => return Err(Outcome::Broken(panic.to_string())),
        };
        let sent = Sent { sha256: content.sha256, stamp: content.stamp };
        if work.sent == Some(content.sha256) {
            return Ok(Outcome::Unchanged(sent));
        }
        let key = format!("{}{}.json", self.target.prefix, work.id);
        if work.changed.is_none() && self.has(&key, &content).await? {
            return Ok(Outcome::Present(sent));
        }
        let bytes = content.bytes.len();
        let put = self.client.put_object().bucket(&self.target.bucket).key(key).content_type("application/json");
        let put = put.metadata(SHA256, hex::encode(content.sha256)).body(ByteStream::from(content.bytes));
        put.customize().config_override(within(bytes)).send().await.map_err(failed)?;
        Ok(Outcome::Published(sent, bytes))
    }

    /// Waits until there is memory for a file.
    async fn memory(&self, length: u64) -> Option<SemaphorePermit<'_>> {
        let length = u32::try_from(length / 1024 + 1).unwrap_or(LARGE).min(LARGE);
        let memory = if length < IS_LARGE { &self.small } else { &self.large };
        memory.acquire_many(length).await.ok()
    }

    /// Whether the object has this content.
    async fn has(&self, key: &str, content: &Content) -> Result<bool, Outcome> {
        let head = self.client.head_object().bucket(&self.target.bucket).key(key);
        match head.customize().config_override(within(0)).send().await {
            Ok(head) => Ok(is_same(&head, content)),
            // Who may not list a bucket gets 403 for an object that is not there.
            Err(error) if matches!(s3::status(&error), Some(404 | 403)) => Ok(false),
            Err(error) => Err(failed(error)),
        }
    }
}

/// How long a request with so many bytes may take.
fn within(bytes: usize) -> config::Builder {
    let attempt = ATTEMPT + Duration::from_secs((bytes / ATTEMPT_SIZE) as u64);
    Config::builder().timeout_config(TimeoutConfig::builder().operation_attempt_timeout(attempt).build())
}

fn is_same(head: &HeadObjectOutput, content: &Content) -> bool {
    if head.content_type() != Some("application/json") {
        return false;
    }
    match head.metadata().and_then(|metadata| metadata.get(SHA256)) {
        Some(sha256) => *sha256 == hex::encode(content.sha256),
        None => head.e_tag().is_some_and(|etag| etag.trim_matches('"') == hex::encode(Md5::digest(&content.bytes))),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn failed<E>(error: SdkError<E, HttpResponse>) -> Outcome
where
    E: Error + ProvideErrorMetadata + 'static,
{
    Outcome::Failed(Failed {
        error: s3::reason(&error),
        hint: s3::advice(&error),
        scope: s3::scope(&error),
        is_answer: s3::status(&error).is_some(),
    })
}
