//! One file to S3.
//!
//! An object carries the SHA-256 of its content as metadata, so that a later start can compare by HEAD
//! what the bucket has. An object that something else has put there is compared by its `ETag`, which in
//! most buckets is the MD5 of the content.

use std::{error::Error, fmt, path::PathBuf, sync::Arc};

use aws_sdk_s3::{
    Client,
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
    operation::head_object::HeadObjectOutput,
    primitives::ByteStream,
};
use job_status::JobId;
use md5::{Digest, Md5};
use tokio::sync::Semaphore;

use super::file::{self, Content, Reading, Stamp};
use crate::s3;

/// Content in memory at a time, in KiB: two of the largest files.
const MEMORY: u32 = 64 * 1024;
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
    memory: Semaphore,
}

/// How an upload is to be done.
pub struct Plan {
    pub path: PathBuf,
    /// Whether to ask first what the bucket has.
    pub compare: bool,
    /// SHA-256 of what the bucket has for certain.
    pub sent: Option<[u8; 32]>,
}

/// What came of it.
pub enum Outcome {
    Published(Sent),
    /// The bucket says that it has it already.
    Present(Sent),
    /// It is what was sent last.
    Unchanged(Sent),
    Broken(String),
    Changing,
    Gone,
    Failed(Refused),
}

/// What the bucket has.
pub struct Sent {
    pub bytes: usize,
    pub sha256: [u8; 32],
    pub stamp: Stamp,
}

/// Why S3 did not take it, and what to do.
pub struct Refused {
    pub error: String,
    pub advice: &'static str,
}

impl Uploader {
    pub fn new(client: Client, target: Target) -> Self {
        Self { client, target, memory: Semaphore::new(MEMORY as usize) }
    }

    /// Where files go.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Reads the file of a job and sends it.
    pub async fn publish(self: Arc<Self>, id: JobId, plan: Plan) -> Outcome {
        let Some(length) = file::length(&plan.path) else { return Outcome::Gone };
        let room = u32::try_from(length / 1024 + 1).unwrap_or(MEMORY).min(MEMORY);
        let Ok(_room) = self.memory.acquire_many(room).await else { return Outcome::Changing };
        let path = plan.path;
        let content = match tokio::task::spawn_blocking(move || file::read(&path)).await {
            Ok(Reading::Whole(content)) => content,
            Ok(Reading::Broken(why)) => return Outcome::Broken(why),
            Ok(Reading::Changing) => return Outcome::Changing,
            Ok(Reading::Gone) => return Outcome::Gone,
            Err(panic) => return Outcome::Broken(panic.to_string()),
        };
        let sent = Sent { bytes: content.bytes.len(), sha256: content.sha256, stamp: content.stamp };
        if plan.sent == Some(content.sha256) {
            return Outcome::Unchanged(sent);
        }
        let key = format!("{}{id}.json", self.target.prefix);
        if plan.compare {
            match self.has(&key, &content).await {
                Ok(true) => return Outcome::Present(sent),
                Ok(false) => {}
                Err(refused) => return Outcome::Failed(refused),
            }
        }
        let put = self.client.put_object().bucket(&self.target.bucket).key(key).content_type("application/json");
        let put = put.metadata(SHA256, hex::encode(content.sha256)).body(ByteStream::from(content.bytes));
        match put.send().await {
            Ok(_) => Outcome::Published(sent),
            Err(error) => Outcome::Failed(refused(&error)),
        }
    }

    /// Whether the object has this content.
    async fn has(&self, key: &str, content: &Content) -> Result<bool, Refused> {
        match self.client.head_object().bucket(&self.target.bucket).key(key).send().await {
            Ok(head) => Ok(is_same(&head, content)),
            // Who may not list a bucket gets 403 for an object that is not there.
            Err(error) if matches!(s3::status(&error), Some(404 | 403)) => Ok(false),
            Err(error) => Err(refused(&error)),
        }
    }
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

fn refused<E>(error: &SdkError<E, HttpResponse>) -> Refused
where
    E: Error + ProvideErrorMetadata + 'static,
{
    Refused { error: s3::reason(error), advice: s3::advice(error) }
}
