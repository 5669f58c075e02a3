//! One file, from the disk to the bucket.

use std::{future::Future, path::PathBuf, pin::pin, sync::Arc, time::Duration};

use aws_sdk_s3::Client;
use job_status::JobId;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::{self, JoinError},
    time::{Instant, timeout},
};

use super::{
    bucket::{Bucket, Failed, Has},
    file::{Content, Opened, Unread},
    job::{Known, Work},
    toolkit::Toolkit,
};
use crate::s3::Store;

/// Content of large files in memory at a time, in KiB: two of the largest.
const LARGE: u32 = 64 * 1024;
/// The same for all others, so that large ones that S3 is slow to take do not hold them up.
const SMALL: u32 = 16 * 1024;
/// The length of the smallest large file, in KiB.
const IS_LARGE: u32 = 256;
/// What the disk or S3 may take before others go on in this job's place.
const PATIENCE: Duration = Duration::from_secs(2);
/// A file that is older than that when it changes was put there by other means than by writing it.
const RECENT: Duration = Duration::from_secs(10);

/// Sends files to one place.
pub struct Uploader {
    bucket: Bucket,
    /// Whether polls of a toolkit are sent, too.
    all: bool,
    large: Arc<Semaphore>,
    small: Arc<Semaphore>,
}

/// What came of a file.
pub enum Outcome {
    /// It is in the bucket now, with so many bytes.
    Published(Known, usize),
    /// The bucket says that it has it already.
    Present(Known),
    /// It is what was sent last.
    Unchanged(Known),
    /// The bucket has a newer one.
    Older(Known),
    /// It is a toolkit's poll, and no job.
    Poll(Known),
    /// It may be a toolkit's poll, which is told when it has settled.
    Early,
    Unread(Unread),
    Failed(Failed),
}

impl From<Unread> for Outcome {
    fn from(unread: Unread) -> Self {
        Self::Unread(unread)
    }
}

impl From<Failed> for Outcome {
    fn from(failed: Failed) -> Self {
        Self::Failed(failed)
    }
}

impl Uploader {
    pub fn new(client: Client, store: Store, all: bool) -> Self {
        let [large, small] = [LARGE, SMALL].map(|memory| Arc::new(Semaphore::new(memory as usize)));
        Self { bucket: Bucket::new(client, store), all, large, small }
    }

    /// The same with credentials that are asked for anew.
    pub fn renewed(&self) -> Self {
        let (large, small) = (Arc::clone(&self.large), Arc::clone(&self.small));
        Self { bucket: self.bucket.renewed(), all: self.all, large, small }
    }

    /// Where files go.
    pub fn store(&self) -> &Store {
        &self.bucket.store
    }

    /// Reads the file of a job and sends it.
    pub async fn publish(self: Arc<Self>, mut work: Work, path: PathBuf) -> (Work, Outcome) {
        let outcome = self.send(&mut work, path).await.unwrap_or_else(|outcome| outcome);
        (work, outcome)
    }

    async fn send(&self, work: &mut Work, path: PathBuf) -> Result<Outcome, Outcome> {
        let opening = task::spawn_blocking(|| Opened::open(path));
        let opened = patiently(&mut work.permit, opening).await.unwrap_or_else(panicked)?;
        let length = opened.length();
        let _memory = self.memory(length).await;
        // Allocated by this thread, for glibc keeps what was freed for each thread: 90 MiB instead of 190.
        let buffer = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
        let reading = task::spawn_blocking(|| opened.read(buffer));
        let content = patiently(&mut work.permit, reading).await.unwrap_or_else(panicked);
        work.read = Some((Instant::now(), length));
        let content = content?;
        let known = Known { stamp: content.stamp, sha256: Some(content.sha256) };
        match content.toolkit {
            Toolkit::Poll if !self.all => return Ok(Outcome::Poll(Known { sha256: None, ..known })),
            Toolkit::Unclear if !self.all && work.is_early => return Ok(Outcome::Early),
            _ => {}
        }
        if work.sent == Some(content.sha256) {
            return Ok(Outcome::Unchanged(known));
        }
        let is_recent = content.modified.elapsed().is_ok_and(|age| age < RECENT);
        let putting = Box::pin(self.compare_and_put(work.id, work.compare || !is_recent, content, known));
        patiently(&mut work.permit, putting).await
    }

    async fn compare_and_put(
        &self,
        id: JobId,
        compare: bool,
        content: Content,
        known: Known,
    ) -> Result<Outcome, Outcome> {
        if compare {
            match self.bucket.has(id, &content).await? {
                Has::This => return Ok(Outcome::Present(known)),
                Has::Newer => return Ok(Outcome::Older(Known { sha256: None, ..known })),
                Has::Other => {}
            }
        }
        let bytes = content.bytes.len();
        self.bucket.put(id, content).await?;
        Ok(Outcome::Published(known, bytes))
    }

    /// Waits until there is memory for a file.
    async fn memory(&self, length: u64) -> Option<OwnedSemaphorePermit> {
        let length = u32::try_from(length / 1024 + 1).unwrap_or(LARGE).min(LARGE);
        let memory = if length < IS_LARGE { &self.small } else { &self.large };
        Arc::clone(memory).acquire_many_owned(length).await.ok()
    }
}

/// Waits for the disk or for S3, which may hang. If it takes long, others go on in this job's place.
async fn patiently<F: Future>(permit: &mut Option<OwnedSemaphorePermit>, doing: F) -> F::Output {
    let mut doing = pin!(doing);
    if let Ok(done) = timeout(PATIENCE, &mut doing).await {
        return done;
    }
    *permit = None;
    doing.await
}

#[expect(clippy::needless_pass_by_value, reason = "for unwrap_or_else")]
fn panicked<T>(panic: JoinError) -> Result<T, Unread> {
    Err(Unread::Broken(panic.to_string()))
}
