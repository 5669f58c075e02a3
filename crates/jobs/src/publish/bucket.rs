//! What the bucket has of a job, and putting a status there.
//!
//! An object carries as metadata what its file was: the SHA-256 of its content, so that a later start
//! can compare by HEAD what the bucket has, and the time when it was written, so that an old file on
//! another disk does not undo a newer status. An object that something else has put there is compared
//! by its `ETag`, which in most buckets is the MD5 of the content, and by the time of its upload.

use std::{error::Error, time::SystemTime};

use aws_config::retry::RetryConfig;
use aws_sdk_s3::{
    Client,
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
    operation::head_object::HeadObjectOutput,
};
use job_status::JobId;
use md5::{Digest, Md5};
use tokio::sync::OnceCell;

use super::file::Content;
use crate::s3::{self, Scope, Store, within};

/// Name of the metadata that has a content's SHA-256.
const SHA256: &str = "sha256";
/// Name of the metadata that has the file's modification time in seconds since 1970, as rclone has it.
const MTIME: &str = "mtime";

/// The bucket, by a client that is made when it is needed.
pub struct Bucket {
    pub store: Store,
    client: OnceCell<Client>,
}

/// What the bucket has of a job.
pub enum Has {
    /// This content.
    This,
    /// Something that was written later.
    Newer,
    /// Nothing, something that was written before, or nobody may say.
    Other,
}

/// Why S3 did not do what it was asked, and what to do.
pub struct Failed {
    pub error: String,
    pub hint: &'static str,
    /// Which files that counts for.
    pub scope: Scope,
    /// Whether S3 answered.
    pub is_answer: bool,
    /// Whether S3 may have done it all the same, or may do it later.
    pub is_uncertain: bool,
}

impl Bucket {
    pub fn new(client: Client, store: Store) -> Self {
        Self { store, client: OnceCell::new_with(Some(client)) }
    }

    /// The same with credentials that are asked for anew: the SDK reads a profile once.
    pub fn renewed(&self) -> Self {
        Self { store: self.store.clone(), client: OnceCell::new() }
    }

    /// Compares what the bucket has of a job with a file.
    pub async fn has(&self, id: JobId, content: &Content) -> Result<Has, Failed> {
        let client = self.client().await?;
        let (bucket, key) = (&self.store.bucket, self.store.key(id));
        let head = client.head_object().bucket(bucket).key(&key).customize().config_override(within(0));
        match head.send().await {
            Ok(head) if is_same(&head, content) => Ok(Has::This),
            Ok(head) if written(&head) > Some(seconds(content.modified)) => Ok(Has::Newer),
            Ok(_) => Ok(Has::Other),
            // Who may not list a bucket gets 403 for an object that is not there.
            Err(error) if matches!(s3::status(&error), Some(404 | 403)) => Ok(Has::Other),
            Err(error) if s3::status(&error).is_some() => {
                // An answer to HEAD has no body, where S3 says what is wrong.
                let get = client.get_object().bucket(bucket).key(&key).range("bytes=0-0");
                match get.customize().config_override(within(0)).send().await {
                    Err(why) if s3::status(&why).is_some() => Err(failed(&why)),
                    _ => Err(failed(&error)),
                }
            }
            Err(error) => Err(failed(&error)),
        }
    }

    /// Puts a file's content there.
    pub async fn put(&self, id: JobId, content: Content) -> Result<(), Failed> {
        let Content { bytes, sha256, modified, .. } = content;
        let within = within(bytes.len());
        let put = self.store.put(self.client().await?, id, bytes);
        let put = put.metadata(SHA256, hex::encode(sha256)).metadata(MTIME, mtime(modified));
        put.customize().config_override(within).send().await.map_err(|error| failed(&error))?;
        Ok(())
    }

    async fn client(&self) -> Result<&Client, Failed> {
        self.client.get_or_try_init(|| s3::client(RetryConfig::disabled())).await.map_err(|_| Failed {
            error: "the client for S3 can't be made".into(),
            hint: "see the file that AWS_CA_BUNDLE names",
            scope: Scope::Credentials,
            is_answer: false,
            is_uncertain: false,
        })
    }
}

fn is_same(head: &HeadObjectOutput, content: &Content) -> bool {
    if head.content_type() != Some("application/json") {
        return false;
    }
    match metadata(head, SHA256) {
        Some(sha256) => *sha256 == hex::encode(content.sha256),
        None => head.e_tag().is_some_and(|etag| etag.trim_matches('"') == hex::encode(Md5::digest(&content.bytes))),
    }
}

/// When an object was written, in seconds since 1970: not after its upload, whatever its metadata says.
fn written(head: &HeadObjectOutput) -> Option<f64> {
    let uploaded = head.last_modified()?.as_secs_f64();
    let mtime = metadata(head, MTIME).and_then(|mtime| mtime.parse::<f64>().ok());
    Some(mtime.map_or(uploaded, |mtime| mtime.min(uploaded + 1.0))) // a Last-Modified has whole seconds
}

fn metadata<'h>(head: &'h HeadObjectOutput, name: &str) -> Option<&'h String> {
    head.metadata()?.get(name)
}

fn mtime(modified: SystemTime) -> String {
    let time = modified.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    format!("{}.{:09}", time.as_secs(), time.subsec_nanos())
}

/// The same number that [`written`] reads from the metadata.
fn seconds(modified: SystemTime) -> f64 {
    mtime(modified).parse().unwrap_or_default()
}

fn failed<E>(error: &SdkError<E, HttpResponse>) -> Failed
where
    E: Error + ProvideErrorMetadata + 'static,
{
    let status = s3::status(error);
    Failed {
        error: s3::reason(error),
        hint: s3::advice(error),
        scope: s3::scope(error),
        is_answer: status.is_some(),
        is_uncertain: status.is_none_or(|status| status >= 500),
    }
}
